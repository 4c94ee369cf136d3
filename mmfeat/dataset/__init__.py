"""The dataset file: writing, reading, checking and describing it."""

from mmfeat.dataset.assemble import CopyReport
from mmfeat.dataset.describe import describe, format_description
from mmfeat.dataset.findings import Finding
from mmfeat.dataset.join import join_datasets
from mmfeat.dataset.merge import merge_datasets
from mmfeat.dataset.open_stream import FrameBatch
from mmfeat.dataset.reader import DatasetReader, LabelTable
from mmfeat.dataset.schemes import SplitConfig
from mmfeat.dataset.split import SplitReport, split_dataset
from mmfeat.dataset.subset import read_ids, subset_dataset
from mmfeat.dataset.validate import validate
from mmfeat.dataset.writer import DatasetInfo, DatasetWriter, LabelInfo

__all__ = [
    "CopyReport",
    "DatasetInfo",
    "DatasetReader",
    "DatasetWriter",
    "Finding",
    "FrameBatch",
    "LabelInfo",
    "LabelTable",
    "SplitConfig",
    "SplitReport",
    "describe",
    "format_description",
    "join_datasets",
    "merge_datasets",
    "read_ids",
    "split_dataset",
    "subset_dataset",
    "validate",
]
