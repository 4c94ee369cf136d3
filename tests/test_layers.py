"""The floors of the house: who may import whom, as a table over the syntax trees of all modules.

Imports inside functions and under ``TYPE_CHECKING`` count as well.
"""

import ast
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"mmfeat": "mmfeat", "skesl": "skesl", "cli": "mmfeat_cli", "schemas": "mmfeat_schemas"}

FLOOR_0 = {"mmfeat.errors", "mmfeat.types", "mmfeat.images", "mmfeat.config", "mmfeat.plugins"}
FLOOR_1 = {
    "mmfeat.audio",
    "mmfeat.clip_files",
    "mmfeat.dataset",
    "mmfeat.manifest",
    "mmfeat.transcripts",
    "mmfeat.vision",
}
LANDING = {
    "mmfeat.clip_jobs",
    "mmfeat.clip_survey",
    "mmfeat.compile",
    "mmfeat.csv_table",
    "mmfeat.cut_out",
    "mmfeat.file_hash",
    "mmfeat.journal",
    "mmfeat.lazy_entries",
    "mmfeat.openface_output",
    "mmfeat.reports",
    "mmfeat.run_file",
    "mmfeat.run_folder",
    "mmfeat.shards",
    "mmfeat.stamps",
    "mmfeat.versions",
    "mmfeat.tool_process",
}  # between floor 0 and floor 1
DOORS = {"mmfeat", "mmfeat.errors", "mmfeat.plugins", "mmfeat.testing"}
SKESL_2 = {
    "skesl.augmentation",
    "skesl.batches",
    "skesl.buffers",
    "skesl.config",
    "skesl.context",
    "skesl.data",
    "skesl.dialogue_length",
    "skesl.dialogue_table",
    "skesl.emotion_points",
    "skesl.errors",
    "skesl.gathering",
    "skesl.inputs",
    "skesl.label_generator",
    "skesl.lexicon",
    "skesl.loading",
    "skesl.losses",
    "skesl.mask_states",
    "skesl.masking",
    "skesl.methods",
    "skesl.nn",
    "skesl.normalise",
    "skesl.over_clips",
    "skesl.processes",
    "skesl.schedules",
    "skesl.task",
    "skesl.task_outputs",
    "skesl.text",
    "skesl.text_table",
    "skesl.va_lexicon",
    "skesl.va_losses",
    "skesl.va_models",
    "skesl.va_scores",
    "skesl.word_vectors",
    "skesl.word_piece_masking",
}
SKESL_3 = {
    "skesl.attention_record",
    "skesl.checkpoint",
    "skesl.comparison",
    "skesl.controls",
    "skesl.costs",
    "skesl.evaluate",
    "skesl.evaluation_report",
    "skesl.experiment",
    "skesl.external",
    "skesl.figures",
    "skesl.folds",
    "skesl.generated_labels",
    "skesl.idle_settings",
    "skesl.label_agreement",
    "skesl.logs",
    "skesl.measures",
    "skesl.metrics",
    "skesl.one_clip",
    "skesl.opening",
    "skesl.parts",
    "skesl.predict",
    "skesl.prediction_files",
    "skesl.predictions",
    "skesl.pretraining",
    "skesl.repeated",
    "skesl.report",
    "skesl.report_sections",
    "skesl.resume",
    "skesl.runs",
    "skesl.seeds",
    "skesl.selection",
    "skesl.statistics",
    "skesl.streams",
    "skesl.submission",
    "skesl.target",
    "skesl.task_measures",
    "skesl.trainer",
    "skesl.va_fit",
    "skesl.watch",
}

# unit: what it may import of the project
ALLOWED = {
    "mmfeat": set(),
    **dict.fromkeys(FLOOR_0, FLOOR_0),
    **dict.fromkeys(LANDING, FLOOR_0 | LANDING),
    **dict.fromkeys(FLOOR_1, FLOOR_0 | LANDING),
    "mmfeat.build_config": FLOOR_0 | {"mmfeat.audio", "mmfeat.vision"},
    "mmfeat.feature_files": FLOOR_0 | {"mmfeat.convert"},
    "mmfeat.extract": FLOOR_0 | LANDING | FLOOR_1 | {"mmfeat.build_config", "mmfeat.feature_files"},
    "mmfeat.build_plan": FLOOR_0
    | LANDING
    | FLOOR_1
    | {"mmfeat.build_config", "mmfeat.extract", "mmfeat.feature_files"},
    "mmfeat.cluster": FLOOR_0 | LANDING | {"mmfeat.build_config", "mmfeat.extract"},
    "mmfeat.extract_all": FLOOR_0
    | LANDING
    | FLOOR_1
    | {"mmfeat.build_config", "mmfeat.build_plan", "mmfeat.cluster", "mmfeat.extract"},
    "mmfeat.retry": FLOOR_0 | LANDING | FLOOR_1 | {"mmfeat.build_plan"},
    "mmfeat.build": FLOOR_0
    | LANDING
    | FLOOR_1
    | {"mmfeat.build_config", "mmfeat.build_plan", "mmfeat.extract_all", "mmfeat.retry"},
    "mmfeat.corpora": FLOOR_0 | LANDING | {"mmfeat.convert", "mmfeat.dataset", "mmfeat.transcripts"},
    "mmfeat.corpus_size": FLOOR_0 | {"mmfeat.build_config"},
    "mmfeat.corpus_build": FLOOR_0
    | FLOOR_1
    | LANDING
    | {"mmfeat.build", "mmfeat.build_config", "mmfeat.corpora", "mmfeat.corpus_size"},
    "mmfeat.convert": FLOOR_0 | LANDING | FLOOR_1,
    "mmfeat.data_report": FLOOR_0 | FLOOR_1 | {"mmfeat.display"},
    "mmfeat.display": FLOOR_0,
    "mmfeat.plot": FLOOR_0 | FLOOR_1 | LANDING | {"mmfeat.display"},
    "mmfeat.preview": FLOOR_0 | FLOOR_1,
    "mmfeat.transcribe": FLOOR_0 | LANDING | FLOOR_1,
    "mmfeat.testing": FLOOR_0 | FLOOR_1 | {"mmfeat.corpora"},
    "mmfeat_schemas": set(),
    "skesl": {"skesl.errors"},
    **dict.fromkeys(SKESL_2, DOORS | SKESL_2),
    **dict.fromkeys(SKESL_3, DOORS | SKESL_2 | SKESL_3),
    "skesl.stages": DOORS | SKESL_2 | SKESL_3,
    "skesl.testing": DOORS | SKESL_2,
    "mmfeat_cli": DOORS | {"skesl", "skesl.errors", "mmfeat_cli"},
}
# package: third-party packages that it may import
EXTERNAL = {
    "mmfeat": {
        "av",
        "cv2",
        "distributed",
        "filelock",
        "h5py",
        "hdf5plugin",
        "joblib",
        "lazy_loader",
        "librosa",
        "llvmlite",
        "matplotlib",
        "numba",
        "numpy",
        "scipy",
        "soundfile",
        "soxr",
        "threadpoolctl",
    },
    "mmfeat_schemas": set(),
    "skesl": {
        "accelerate",
        "lazy_loader",
        "numpy",
        "pyarrow",
        "safetensors",
        "scipy",
        "sklearn",
        "tokenizers",
        "torch",
        "transformers",
    },
    "mmfeat_cli": {"click", "tqdm"},
}
FLOOR_0_EXTERNAL = {unit: {"numpy"} for unit in FLOOR_0} | {"mmfeat.images": {"cv2", "numpy"}}
STANDARD_LIBRARY = sys.stdlib_module_names


def violations(root: Path) -> list[str]:
    """Return every forbidden import of the tree at ``root``."""
    paths = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    return [found for path in paths for found in violations_in(path, root)]


def violations_in(path: Path, root: Path) -> list[str]:
    """Return the forbidden imports of one file."""
    folder, *parts = path.relative_to(root).with_suffix("").parts
    module = ".".join([FOLDERS[folder], *parts]).removesuffix(".__init__")
    reasons = [forbidden(module, imported) for imported in sorted(imports(path, module))]
    return [f"{path.relative_to(root)}: {reason}" for reason in reasons if reason]


def imports(path: Path, module: str) -> set[str]:
    """Return the full names of all imported modules."""
    names: set[str] = set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, *([base] if base else [])])
            names.update(f"{base}.{alias.name}" if is_module(base, alias.name) else base for alias in node.names)
    return names


def is_module(base: str, name: str) -> bool:
    folder = {package: folder for folder, package in FOLDERS.items()}.get(base.partition(".")[0])
    if folder is None:
        return False
    place = ROOT.joinpath(folder, *base.split(".")[1:], name)
    return place.is_dir() or place.with_suffix(".py").is_file()


def unit_of(module: str) -> str:
    """Return the row of the table that a module belongs to."""
    package, *rest = module.split(".")
    if package in ("mmfeat_cli", "mmfeat_schemas"):
        return package
    return f"{package}.{rest[0]}" if rest else package


def forbidden(module: str, imported: str) -> str:
    """Return why an import is forbidden, or an empty string."""
    package, top = module.partition(".")[0], imported.partition(".")[0]
    if top in FOLDERS.values():
        unit, target = unit_of(module), unit_of(imported)
        deep = top != package and imported not in ALLOWED[unit]
        if unit not in ALLOWED:
            return f"{module} has no row in the table of floors"
        if (target != unit and target not in ALLOWED[unit]) or deep:
            return f"{module} must not import {imported}"
        return ""
    allowed = FLOOR_0_EXTERNAL.get(unit_of(module), EXTERNAL[package])
    if top in allowed or top in STANDARD_LIBRARY:
        return ""
    return f"{module} must not import {imported}"


def test_imports_go_down_only():
    assert violations(ROOT) == []


def test_every_unit_has_a_row():
    units = set()
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            units.add(unit_of(".".join([package, *parts]).removesuffix(".__init__")))
    assert units == set(ALLOWED)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("house")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def representative(unit: str) -> str:
    """Return a file of a unit."""
    package, _, name = unit.partition(".")
    folder = next(folder for folder, known in FOLDERS.items() if known == package)
    if not name:
        return f"{folder}/__init__.py"
    return f"{folder}/{name}.py" if (ROOT / folder / f"{name}.py").is_file() else f"{folder}/{name}/__init__.py"


SPELLINGS = [
    ("mmfeat/audio/read.py", "from mmfeat.vision import columns"),
    ("mmfeat/audio/read.py", "from mmfeat.vision.columns import GROUPS"),
    ("mmfeat/audio/read.py", "from .. import dataset"),
    ("mmfeat/audio/read.py", "from ..dataset import writer"),
    ("mmfeat/build.py", "import torch.nn as nn"),
    ("mmfeat/build.py", "def later():\n    from click import echo"),
    ("mmfeat/config.py", "import h5py"),
    ("skesl/nn/fusion.py", "from skesl.trainer import fit"),
    ("skesl/data.py", "from mmfeat.dataset import DatasetReader"),
    ("skesl/data.py", "import mmfeat.dataset.reader"),
    ("skesl/stages.py", "try:\n    import librosa.feature\nexcept ImportError:\n    pass"),
    ("cli/train.py", "from skesl.trainer import fit"),
    ("cli/train.py", "import torch"),
    ("cli/build.py", "from mmfeat.audio import read_audio"),
]


@pytest.mark.parametrize(("file", "line"), SPELLINGS)
def test_a_forbidden_import_is_noticed_however_it_is_spelt(copy, file, line):
    assert noticed(copy, file, line)


@pytest.mark.parametrize("unit", sorted(ALLOWED))
def test_every_forbidden_import_of_a_unit_is_noticed(copy, unit):
    third_party = FLOOR_0_EXTERNAL.get(unit, EXTERNAL[unit.partition(".")[0]])
    targets = [target for target in ALLOWED if target != unit and target not in ALLOWED[unit]]
    targets += [name for name in ("torch", "click", "librosa", "pandas", "cv2") if name not in third_party]
    missed = [target for target in targets if not noticed(copy, representative(unit), f"import {target}")]
    assert missed == []


def noticed(copy: Path, file: str, line: str) -> bool:
    """Return whether a line added to a file turns it into a violation."""
    path = copy / file
    original = path.read_text(encoding="utf-8")
    assert violations_in(path, copy) == []
    path.write_text(f"{original}\n{line}\n", encoding="utf-8")
    try:
        return violations_in(path, copy) != []
    finally:
        path.write_text(original, encoding="utf-8")
