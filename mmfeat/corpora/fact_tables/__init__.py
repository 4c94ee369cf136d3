"""The data files of the published splits and lists; each names its source in its first lines."""
