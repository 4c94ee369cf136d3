"""The dataset file: writing, reading, checking and describing it."""

from mmfeat.dataset.clip_table import LabelInfo
from mmfeat.dataset.describe import describe, format_description
from mmfeat.dataset.findings import Finding
from mmfeat.dataset.flat_file import Compression
from mmfeat.dataset.reader import DatasetReader, LabelTable
from mmfeat.dataset.validate import validate
from mmfeat.dataset.writer import DatasetInfo, DatasetWriter

__all__ = [
    "Compression",
    "DatasetInfo",
    "DatasetReader",
    "DatasetWriter",
    "Finding",
    "LabelInfo",
    "LabelTable",
    "describe",
    "format_description",
    "validate",
]
