"""The dataset file: writing, reading, checking and describing it."""

from mmfeat.dataset.aligned import AlignedBatch
from mmfeat.dataset.assemble import CopyReport
from mmfeat.dataset.clip_table import LabelInfo
from mmfeat.dataset.dataset_tables import LabelTable
from mmfeat.dataset.describe import describe, format_description
from mmfeat.dataset.findings import Finding
from mmfeat.dataset.join import join_datasets
from mmfeat.dataset.merge import merge_datasets
from mmfeat.dataset.open_stream import FrameBatch, FrameBlock
from mmfeat.dataset.padded import PaddedBatch
from mmfeat.dataset.reader import DatasetReader
from mmfeat.dataset.schemes import SplitConfig
from mmfeat.dataset.split import SplitReport, split_dataset
from mmfeat.dataset.storage import Compression
from mmfeat.dataset.subset import read_ids, subset_dataset
from mmfeat.dataset.validate import validate
from mmfeat.dataset.writer import DatasetInfo, DatasetWriter

__all__ = [
    "AlignedBatch",
    "Compression",
    "CopyReport",
    "DatasetInfo",
    "DatasetReader",
    "DatasetWriter",
    "Finding",
    "FrameBatch",
    "FrameBlock",
    "LabelInfo",
    "LabelTable",
    "PaddedBatch",
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
