"""In and out: the files of other tools become datasets, and datasets become theirs."""

from mmfeat.convert.mmsa import import_mmsa
from mmfeat.convert.report import ImportReport
from mmfeat.convert.skesl_pkl import import_skesl_pkl
from mmfeat.convert.unpickle import load_pickle

__all__ = ["ImportReport", "import_mmsa", "import_skesl_pkl", "load_pickle"]
