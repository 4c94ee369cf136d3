"""The commands ``mmfeat`` and ``skesl``: each parses, calls one library function and prints."""
