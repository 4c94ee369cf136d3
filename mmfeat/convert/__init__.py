"""In and out: the files of other tools become datasets, and datasets become theirs."""

from mmfeat.convert.arrays import import_arrays
from mmfeat.convert.csd import import_csd
from mmfeat.convert.export_csd import export_csd
from mmfeat.convert.export_mmsa import export_mmsa
from mmfeat.convert.export_npz import export_npz
from mmfeat.convert.export_report import ExportReport
from mmfeat.convert.mmsa import import_mmsa
from mmfeat.convert.report import ImportReport
from mmfeat.convert.skesl_pkl import import_skesl_pkl
from mmfeat.convert.table import import_csv
from mmfeat.convert.univa import import_univa
from mmfeat.convert.unpickle import load_pickle

__all__ = [
    "ExportReport",
    "ImportReport",
    "export_csd",
    "export_mmsa",
    "export_npz",
    "import_arrays",
    "import_csd",
    "import_csv",
    "import_mmsa",
    "import_skesl_pkl",
    "import_univa",
    "load_pickle",
]
