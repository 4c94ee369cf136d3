"""Documents run: the examples of README, of ``schemas/`` and of every docstring."""

import doctest
import importlib
import itertools
import json
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import h5py
import pytest

from mmfeat import AUDIO_PRESETS, CORPORA, DatasetReader, Split, config_to_dict
from mmfeat.vision import GROUPS
from skesl import find_method

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "schemas").glob("*.md"))]
MODULES = [
    ".".join([package, *path.relative_to(ROOT / folder).with_suffix("").parts]).removesuffix(".__init__")
    for folder, package in {"mmfeat": "mmfeat", "skesl": "skesl"}.items()
    for path in sorted((ROOT / folder).rglob("*.py"))
]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NOT_RUN = ("make ", "pip ", "git ")


def blocks(path: Path, language: str) -> list[str]:
    """Return the code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def sessions(text: str) -> list[tuple[str, str]]:
    """Return (command, expected output) of a console block."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    pairs = (part.partition("\n") for part in parts)
    return [(command.partition("  #")[0].strip(), output) for command, _, output in pairs]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the examples of the documents can run: it has examples/ and opinions.h5."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "examples").symlink_to(ROOT / "examples")
    run("mmfeat build examples/opinions/manifest.csv --out opinions.h5 --groups au,pose -j 2", folder)
    return folder


def run(command: str, folder: Path) -> str:
    program, *arguments = command.split()
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [Path(sys.executable).parent / program, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(module):
    result = doctest.testmod(importlib.import_module(module), optionflags=OPTIONS)
    assert result.failed == 0


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_examples_run(path, folder, monkeypatch):
    monkeypatch.chdir(folder)
    namespace = {}
    for text in blocks(path, "python"):
        example = doctest.DocTestParser().get_doctest(text, namespace, path.name, str(path), 0)
        result = doctest.DocTestRunner(optionflags=OPTIONS).run(example, clear_globs=False)
        assert result.attempted > 0
        assert result.failed == 0
        namespace = example.globs


def test_readme_sessions_print_what_they_show(folder):
    checker = doctest.OutputChecker()
    commands = [session for text in blocks(ROOT / "README.md", "console") for session in sessions(text)]
    ran = [(command, expected) for command, expected in commands if not command.startswith(NOT_RUN)]
    assert len(ran) >= 6
    (folder / "opinions.h5").rename(folder / "kept.h5")
    for command, expected in ran:
        printed = run(command, folder)
        shown = re.sub(r"^<BLANKLINE>$", "", expected, flags=re.MULTILINE)
        assert checker.check_output(shown, printed, OPTIONS), f"$ {command}\n{printed}"


def test_readme_names_only_targets_that_make_has():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for document in ("README.md", "CONTRIBUTING.md"):
        for target in set(re.findall(r"`make ([a-z-]+)`", (ROOT / document).read_text(encoding="utf-8"))):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), f"{document}: make {target}"


def test_the_listing_is_that_of_a_real_file(folder):
    lines = ["/ Group"]

    with h5py.File(folder / "opinions.h5") as file:
        file.visititems(lambda name, item: lines.append(f"/{name} {shown(item)}"))
    listing = blocks(ROOT / "schemas" / "dataset-v1.md", "h5ls")[0].splitlines()
    assert [" ".join(line.split()) for line in listing] == sorted(lines)


def test_the_listing_of_an_archive_is_that_of_a_real_file(folder):
    run("mmfeat subset opinions.h5 --out listed.h5 --compression decimal", folder)
    lines = ["/streams/vision Group"]
    with h5py.File(folder / "listed.h5") as file:
        file["streams/vision"].visititems(lambda name, item: lines.append(f"/streams/vision/{name} {shown(item)}"))
    listing = blocks(ROOT / "schemas" / "dataset-v1.md", "h5ls-archive")[0].splitlines()
    assert [" ".join(line.split()) for line in listing] == sorted(lines)


def shown(item):
    return "Group" if isinstance(item, h5py.Group) else f"Dataset {{{', '.join(map(str, item.shape))}}}"


def test_every_path_of_the_specification_is_in_the_prose():
    prose = (ROOT / "schemas" / "dataset-v1.md").read_text(encoding="utf-8")
    specification = tomllib.loads((ROOT / "schemas" / "dataset-v1.toml").read_text(encoding="utf-8"))
    leaves = {entry["path"].rpartition("/")[2] for entry in specification["object"]} - {"", "<name>"}
    assert [leaf for leaf in sorted(leaves) if not re.search(rf"\b{leaf}\b", prose)] == []


def test_the_table_of_presets_is_that_of_the_code():
    text = (ROOT / "schemas" / "audio-features.md").read_text(encoding="utf-8")
    table = [
        line.strip("| ").split(" | ") for line in text.partition("## Presets")[2].splitlines() if line[:3] == "| `"
    ]
    shown = {name: {} for name in AUDIO_PRESETS}
    for title, *cells in table:
        for name, cell in zip(AUDIO_PRESETS, cells, strict=True):
            key = title.split("`")[1]
            shown[name][key] = cell.split(", ") if key == "features" else json.loads(cell)
    assert shown == {name: flat(config_to_dict(config)) for name, config in AUDIO_PRESETS.items()}


@pytest.mark.parametrize(("method", "behind"), [("skesl", "## Which word"), ("univa", "## Texts")])
def test_the_table_of_a_methods_presets_is_that_of_the_code(method, behind):
    presets = find_method(method).presets
    text = (ROOT / "schemas" / f"{method}.md").read_text(encoding="utf-8").partition(behind)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]
    shown = {name: {} for name in presets}
    for title, *cells, _ in rows:
        for name, cell in zip(presets, cells, strict=True):
            shown[name][title.strip("`")] = cell.split(", ") if ", " in cell else json.loads(cell)
    assert shown == {name: flat(config_to_dict(preset.config)) for name, preset in presets.items()}
    assert text.count("| what and where |") == 1


TAM_ULAG = (ROOT / "schemas" / "tam-ulag.md").read_text(encoding="utf-8")


def table_rows(text, title):
    """Return the cells of the table whose first heading is ``title``, without its two first lines."""
    lines = text[text.index(f"| {title} |") :].splitlines()
    rows = list(itertools.takewhile(lambda line: line.startswith("|"), lines))[2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split(" | ")] for row in rows]


def test_the_table_of_tam_ulag_variants_is_that_of_the_code():
    from skesl.methods.tam_ulag_config import VARIANTS

    shown = {name: {} for name in VARIANTS}
    for setting, *values, _ in table_rows(TAM_ULAG, "setting"):
        for name, value in zip(shown, values, strict=True):
            shown[name][setting] = json.loads(value.strip("`"))
    designs = {name: config_to_dict(design) for name, design in VARIANTS.items()}
    for design in designs.values():
        del design["n_common"]
    assert shown == designs


def test_the_table_of_tam_ulag_presets_is_that_of_the_code():
    names = ("mosi", "mosei", "sims")
    found = {name: find_method("tam_ulag").presets[name] for name in names}
    rows = dict(
        zip(
            ("batches", "rates", "decays", "hidden", "heads", "dropouts", "bound"),
            [
                [[float(value) for value in cell.split(", ")] for cell in cells]
                for _, *cells in table_rows(TAM_ULAG, "TAM-ULAG (settings:211-333)")
            ],
            strict=True,
        )
    )
    for place, (config, train) in enumerate((found[name].config, found[name].train["finetune"]) for name in names):
        recurrent = (config.audio, config.vision)
        heads = (config.fusion_head, config.text_head, config.audio_head, config.vision_head)
        assert {name: cells[place] for name, cells in rows.items()} == {
            "batches": [train["batch_size"], train["n_accumulated"]],
            "rates": [
                train["text_encoder_learning_rate"],
                *(one.learning_rate for one in recurrent),
                train["learning_rate"],
            ],
            "decays": [config.text_weight_decay, *(one.weight_decay for one in recurrent), train["weight_decay"]],
            "hidden": [one.n_hidden for one in recurrent],
            "heads": [head.n_hidden for head in heads],
            "dropouts": [head.dropout for head in heads],
            "bound": [config.label_bound],
        }


def flat(config, prefix=""):
    pairs = {}
    for key, value in config.items():
        pairs |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return pairs


def test_the_table_of_corpora_is_that_of_the_code():
    text = (ROOT / "schemas" / "corpora.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:8] == "| `build"]
    shown = {row[1]: (row[2], row[3:6], re.findall(r"`(\w+)`", row[6])) for row in rows}
    assert set(shown) == {corpus.info.name for corpus in CORPORA.values()}
    for corpus in CORPORA.values():
        language, counts, labels = shown[corpus.info.name]
        expected = next(iter(corpus.expected.values()), {})
        parts = [str(expected.get(part, "")) for part in (Split.TRAIN, Split.VALID, Split.TEST)]
        assert (language, labels) == (corpus.info.language, [label.name for label in corpus.labels])
        assert [cell.replace(",", "") for cell in counts] == parts
        assert corpus.licence_at in text


def test_the_table_of_openface_columns_is_that_of_the_code():
    text = (ROOT / "schemas" / "openface-features.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([\w-]+)` \| `([^`]+)` \| (\d+) \| (\S+) \| (.+) \| `(-\w+)` \|$", text, flags=re.MULTILINE
    )
    shown = [
        (group, column, unit.replace("\\", ""), span(limits), flag)
        for group, pattern, number, unit, limits, flag in rows
        for column in expanded(pattern, int(number))
    ]
    assert shown == [
        (group.name, *column, group.flag)
        for group in GROUPS.values()
        for column in zip(group.columns, group.units, group.ranges, strict=True)
    ]


def expanded(pattern, number):
    """Return the names that a pattern such as ``p_{x,y}_{0…3}`` stands for; the last brace changes fastest."""
    parts = re.split(r"\{([^}]+)\}", pattern)
    choices = [[part] if i % 2 == 0 else choices_of(part) for i, part in enumerate(parts)]
    names = ["".join(name) for name in itertools.product(*choices)]
    assert len(names) == number
    return names


def choices_of(brace):
    low, dots, high = brace.partition("…")
    return [str(i) for i in range(int(low), int(high) + 1)] if dots else brace.split(",")


def span(limits):
    """Return the lowest and the highest value of a cell such as ``-π … π``."""
    words = {"π": math.pi, "-π": -math.pi, "∞": math.inf}
    low, _, high = limits.partition(" … ")
    ends = (low, high) if high else ("-inf", "inf")
    return tuple(words[end] if end in words else float(end) for end in ends)


def test_the_job_array_of_readme_builds_what_one_build_builds(folder, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    array, merging = blocks(ROOT / "README.md", "slurm")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for number in (2, 1, 2):  # in any order; one that is there is not built again
        slurm = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": "2"}
        subprocess.run(["bash", "-c", array], cwd=tmp_path, env={**os.environ, "PATH": path, **slurm}, check=True)
    assert sorted(file.name for file in tmp_path.glob("part-*")) == ["part-0001.h5", "part-0002.h5"]
    subprocess.run(["bash", "-c", merging], cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)
    with DatasetReader(tmp_path / "opinions.h5") as merged, DatasetReader(folder / "opinions.h5") as whole:
        assert merged.attributes["content_sha256"] == whole.attributes["content_sha256"]
