"""The commands that bring files in and hand them out: what they print, and their exit codes."""

import json
import os
import pickle

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from mmfeat import DatasetReader, load_pickle
from mmfeat.testing import make_raw_univa
from mmfeat_cli.main import mmfeat as group


def command(*arguments):
    return CliRunner().invoke(group, list(map(str, arguments)))


def part(n_clip, height=6):
    audio = np.zeros((n_clip, height, 5), dtype=np.float32)
    audio[:, :4] = 1
    return {
        "id": [f"v{n_clip}$_${index}" for index in range(n_clip)],
        "raw_text": ["hello"] * n_clip,
        "audio": audio,
        "vision": np.ones((n_clip, 3, 20), dtype=np.float32),
        "text": np.ones((n_clip, 2, 300), dtype=np.float32),
        "audio_lengths": [4] * n_clip,
        "vision_lengths": [3] * n_clip,
        "regression_labels": np.arange(n_clip, dtype=np.float32),
    }


@pytest.fixture
def mmsa_pkl(tmp_path):
    path = tmp_path / "mosi.pkl"
    path.write_bytes(pickle.dumps({"train": part(4), "valid": part(2), "test": part(3)}))
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


def test_import_mmsa_says_what_it_did_and_export_gives_it_back(mmsa_pkl, out, tmp_path):
    result = command("import-mmsa", mmsa_pkl, "--out", out, "--language", "en", "--license", "research use")
    assert result.exit_code == 0
    first = result.stdout.splitlines()[0]
    assert first.startswith(
        f"{out}: 9 clips (text 9 with 18 rows, audio 9 with 36 rows, vision 9 with 27 rows), train 4"
    )
    with DatasetReader(out) as reader:
        assert (reader.attributes["language"], reader.attributes["license"]) == ("en", "research use")
        assert reader.events()[0]["command"]
    back = tmp_path / "back.pkl"
    result = command("export-mmsa", out, "--out", back, "--rows", "audio=6")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, f"{back}: 9 clips; 1 note(s):")
    first, second = load_pickle(mmsa_pkl), load_pickle(back)
    np.testing.assert_array_equal(second["test"]["audio"], first["test"]["audio"])


def test_json_is_the_report(mmsa_pkl, out):
    report = json.loads(command("import-mmsa", mmsa_pkl, "--out", out, "--json").stdout)
    assert report["n_frame"] == {"text": 18, "audio": 36, "vision": 27}
    assert report["parts"] == {"train": 4, "valid": 2, "test": 3}


def test_a_hostile_pickle_is_one_line_and_exit_code_3(tmp_path, out):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'mark'}",)

    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"train": Evil()}))
    for name in ("import-mmsa", "import-skesl-pkl"):
        result = command(name, path, "--out", out)
        assert result.exit_code == 3
        assert result.stderr.startswith(f"error: {path}: expected a pickle of numpy arrays")
        assert "got posix.system; nothing of it was run" in result.stderr
        assert result.stderr.count("\n") == 1
    assert not (tmp_path / "mark").exists()
    assert not out.exists()


def test_a_clip_without_rows_makes_exit_code_1(tmp_path, out):
    path = tmp_path / "skesl.pkl"
    fields = {"raw_text": ["a", "b"], "audio": np.ones((2, 400, 33)), "video": np.zeros((2, 55, 709))}
    path.write_bytes(pickle.dumps(fields))
    result = command("import-skesl-pkl", path, "--out", out)
    assert result.exit_code == 1
    assert "2 stream(s) failed" in result.stdout


def test_import_univa_reads_a_folder_and_runs_nothing_of_it(tmp_path, out):
    root = make_raw_univa(tmp_path / "raw", glove=False)
    result = command("import-univa", root, "--out", out, "--language", "en")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{out}: 18 clips (audio 18 with ")
    assert "train 9 · valid 3 · test 6" in result.stdout

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'mark'}",)

    path = next(root.rglob("*_test_audio_*.pkl"))
    path.write_bytes(pickle.dumps({"test": Evil()}))
    result = command("import-univa", root, "--out", out, "--overwrite")
    assert result.exit_code == 3
    assert "got posix.system; nothing of it was run" in result.stderr
    assert not (tmp_path / "mark").exists()


@pytest.fixture
def csd(tmp_path):
    for name in ("one", "two"):
        with h5py.File(tmp_path / f"{name}.csd", "w") as file:
            file[f"{name}/data/v/features"] = np.ones((3, 2), dtype=np.float32)
            file[f"{name}/data/v/intervals"] = [[0, 1], [1, 2], [2, 3]]
    return tmp_path


def test_import_csd_takes_names_and_export_csd_writes_a_file_each(csd, out):
    result = command("import-csd", f"audio={csd / 'one.csd'}", csd / "two.csd", "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 1 clips (audio 1 with 3 rows, two 1 with 3 rows)\n")
    result = command("export-csd", out, "--out", csd / "back")
    assert result.exit_code == 0
    assert sorted(path.name for path in (csd / "back").iterdir()) == ["audio.csd", "two.csd"]
    assert command("import-csd", f"a={csd / 'one.csd'}", f"a={csd / 'two.csd'}", "--out", out).exit_code == 2


def test_import_csv_and_arrays_and_export_npz(tmp_path, out):
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    (tmp_path / "clips.csv").write_text("clip_id,stream:audio\na,a.npy\nb,none.npy\n")
    result = command("import-csv", tmp_path / "clips.csv", "--out", out, "--hop-s", "0.01")
    assert (result.exit_code, "a feature file, found none" in result.stdout) == (1, True)
    assert command("export-npz", out, "--out", tmp_path / "out.npz").stdout == f"{tmp_path / 'out.npz'}: 2 clips\n"
    folder = tmp_path / "arrays"
    folder.mkdir()
    np.save(folder / "audio_train.npy", np.ones((2, 3, 4)))
    result = command("import-arrays", folder, "--out", out, "--padding", "none", "--overwrite")
    assert (result.exit_code, result.stdout.splitlines()[0].split("; ")[0]) == (
        0,
        f"{out}: 2 clips (audio 2 with 6 rows), train 2",
    )


def test_rows_are_numbers(mmsa_pkl, out):
    command("import-mmsa", mmsa_pkl, "--out", out)
    result = command("export-mmsa", out, "--out", out.with_suffix(".pkl"), "--rows", "audio=many")
    assert (result.exit_code, "expected STREAM=N" in result.output) == (2, True)
