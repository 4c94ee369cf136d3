"""split and subset on the command line: what is printed, exit codes, options that would change nothing."""

import json
import shutil

import pytest
from click.testing import CliRunner

from mmfeat import DatasetReader, StreamStatus, validate
from mmfeat.testing import write_example_dataset
from mmfeat_cli.main import mmfeat as group
from mmfeat_cli.split import STATUSES


def run(*arguments):
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return write_example_dataset(tmp_path_factory.mktemp("example") / "example.h5")


@pytest.fixture
def file(example, tmp_path):
    return shutil.copy(example, tmp_path / "clips.h5")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


def test_a_scheme_is_added_to_the_file(file):
    result = run("split", file, "--scheme", "mine", "--fractions", "0.5,0.25,0.25")
    line = f"{file}: mine: train 6 · valid 3 · test 3 · none 0 (recordings disjoint, speakers unknown)\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, line, "")
    assert validate(file, level="content").ok
    assert "split mine       train 6 · valid 3 · test 3 · none 0" in run("describe", file).stdout


def test_folds_are_reported_as_json(file):
    result = run("split", file, "--scheme", "folds", "--k-fold", 3, "--valid-fraction", 0.25, "--json")
    schemes = json.loads(result.stdout)["schemes"]
    assert [scheme["name"] for scheme in schemes] == ["folds-0", "folds-1", "folds-2"]
    assert schemes[0] == {
        "name": "folds-0",
        "train": 6,
        "valid": 2,
        "test": 4,
        "none": 0,
        "recording_disjoint": True,
        "speaker_disjoint": None,
        "source": "fold 0 of 3, valid 0.25 by recording, seed 0",
    }


def test_a_table_and_another_file(file, out, tmp_path):
    (tmp_path / "parts.csv").write_text("recording_id,split\nrecording_03,test\nrecording_04,train\n")
    result = run("split", file, "--scheme", "given", "--from", tmp_path / "parts.csv", "--out", out)
    assert result.stdout == (
        f"{out}: given: train 1 · valid 0 · test 1 · none 10 (recordings disjoint, speakers unknown)\n"
    )
    with DatasetReader(file) as reader:
        assert reader.scheme_names == ("default",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--k-fold", 3, "--fractions", "1,0,0"], "--fractions would change nothing beside --k-fold"),
        (["--leave-one-speaker-out", "--by", "clip"], "--by would change nothing beside --leave-one-speaker-out"),
        (["--from", "a.csv", "--seed", 1, "--by", "clip"], "--by, --seed would change nothing beside --from"),
        (["--valid-fraction", 0.2], "--valid-fraction is for --k-fold and --leave-one-speaker-out"),
        (["--fractions", "1,2"], "expected three numbers with commas, got '1,2'"),
        (["--k-fold", 1], "1 is not in the range x>=2"),
        (["--by", "film"], "'film' is not one of 'recording', 'speaker', 'clip'"),
    ],
)
def test_options_that_do_not_go_together_are_usage_errors(file, options, message):
    result = run("split", file, "--scheme", "mine", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheme", "default"], "expected new split schemes, default exist; choose another name or pass --overwrite"),
        (["--scheme", "a", "--leave-one-speaker-out"], "expected a speaker for every clip, 12 have none"),
        (["--scheme", "a", "--k-fold", 13], "expected at least 13 recordings for 13 parts, got 12"),
        (["--scheme", "a", "--fractions", "1,1,1"], "fractions must be three numbers from 0 that sum up to 1"),
        (["--scheme", "a", "--k-fold", 2, "--leave-one-speaker-out"], "exclude each other; choose one"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(file, options, message):
    result = run("split", file, *options)
    assert (result.exit_code, result.stdout) == (3, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_subset_takes_what_meets_every_condition(example, out):
    options = ["--split", "train", "--streams", "audio, vision", "--where-status", "ok", "--head", 3]
    result = run("subset", example, "--out", out, *options)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 3 clips (audio 3, vision 3) from {example}\n")
    with DatasetReader(out) as reader:
        assert reader.clip_ids == ("clip_00", "clip_04", "clip_05")
        assert reader.events()[-1]["chosen"] == {
            "part": "train",
            "scheme": "default",
            "streams": ["audio", "vision"],
            "status": "ok",
            "head": 3,
        }


def test_ids_come_from_the_command_line_or_a_file(example, out, tmp_path):
    (tmp_path / "ids.txt").write_text("clip_09\nclip_02\n")
    for ids in ("clip_02,clip_09", tmp_path / "ids.txt"):
        result = run("subset", example, "--out", out, "--ids", ids, "--overwrite", "--json")
        report = json.loads(result.stdout)
        assert (report["n_clip"], report["chosen"], report["n_clip_before"]) == (2, {"ids": 2}, 12)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--ids", "a,b"], 3, "unknown clip ids; correct each:\n  a\n  b"),
        (["--split", "none"], 3, "expected at least one clip that meets every condition, found none"),
        (["--streams", "video"], 3, "no stream 'video'; known: audio, vision"),
        (["--split-scheme", "loso"], 2, "--split-scheme is for --split; say which part"),
        (["--where-status", "fine"], 2, "'fine' is not one of"),
        (["--head", 0], 2, "0 is not in the range x>=1"),
    ],
)
def test_a_subset_that_cannot_be_is_refused(example, out, options, code, message):
    result = run("subset", example, "--out", out, *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert not out.exists()


def test_the_words_for_statuses_are_those_of_the_format():
    assert list(STATUSES) == [status.name.lower() for status in StreamStatus]
