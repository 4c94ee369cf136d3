"""The specifications of the files that the project writes, shipped as data."""
