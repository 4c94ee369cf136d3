"""The commands of the corpora: what is printed, exit codes, options that go together, resuming."""

import json

import pytest
from click.testing import CliRunner

from mmfeat import DatasetReader, find_openface, validate
from mmfeat.testing import (
    make_raw_m3ed,
    make_raw_mer23,
    make_raw_mimic,
    make_raw_mosei,
    make_raw_mosi,
    make_raw_sims,
    make_raw_voxceleb,
)
from mmfeat_cli.main import mmfeat as group

MAKERS = {
    "build-m3ed": make_raw_m3ed,
    "build-mer23": make_raw_mer23,
    "build-mimic": make_raw_mimic,
    "build-mosei": make_raw_mosei,
    "build-mosei-emotions": make_raw_mosei,
    "build-mosi": make_raw_mosi,
    "build-sims": make_raw_sims,
    "build-voxceleb": make_raw_voxceleb,
}
COMPLETE = {"build-mimic", "build-voxceleb"}  # nothing is published of which clips could be missing


def run(*arguments):
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def mosi(tmp_path_factory):
    return make_raw_mosi(tmp_path_factory.mktemp("mosi") / "raw", openface=True, faults=True)


@pytest.mark.parametrize("command", sorted(MAKERS))
def test_every_command_builds_its_miniature_into_a_sound_file(command, tmp_path):
    raw = MAKERS[command](tmp_path / "raw")
    result = run(command, raw, "--out", tmp_path / "a.h5", "--audio", "ch-sims-33")
    assert result.stderr == ""
    assert result.exit_code == (0 if command in COMPLETE else 1), result.stdout
    assert validate(tmp_path / "a.h5", level="content").findings == ()
    assert (tmp_path / "a.reconciliation.json").is_file()
    with DatasetReader(tmp_path / "a.h5") as reader:
        event = reader.events()[-1]
        assert event["corpus"] == command.removeprefix("build-")
        assert command == "build-mimic" or reader.info("audio").preset == "ch-sims-33"


@pytest.mark.parametrize("command", sorted(MAKERS))
def test_every_command_plans_without_writing(command, tmp_path):
    raw = MAKERS[command](tmp_path / "raw")
    (tmp_path / "out").mkdir()
    result = run(command, raw, "--out", tmp_path / "out" / "a.h5", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"output               {tmp_path}/out/a.h5\n")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_build_with_differences_lists_them_and_ends_with_1(mosi, tmp_path):
    result = run("build-mosi", mosi, "--out", tmp_path / "a.h5", "--openface", mosi / "openface", "--groups", "au")
    assert result.exit_code == 1
    assert "1 clip without sound:\n  03bSnISJMiM_2\n" in result.stdout
    assert "audio failed                           1  missing_source" in result.stdout
    assert "  train                   1284         6  differs" in result.stdout
    assert result.stdout.endswith("a.reconciliation.json\n")


def test_a_plan_as_json_can_be_read_by_programs(mosi, tmp_path):
    result = run("build-mosi", mosi, "--out", tmp_path / "a.h5", "--dry-run", "--json")
    plan = json.loads(result.stdout)
    assert (plan["clips"], plan["with sound"]) == (12, 11)
    assert plan["reconciliation"]["splits"]["default"]["train"] == {"expected": 1284, "found": 6}


def test_a_report_as_json_holds_both_tables(mosi, tmp_path):
    result = run("build-mosi", mosi, "--out", tmp_path / "a.h5", "--limit", "2", "--json")
    report = json.loads(result.stdout)
    assert report["n_clip"] == 2
    assert report["reconciliation"]["limited"] is True
    assert report["failures"][0]["clip_id"] == "03bSnISJMiM_2"


def test_an_existing_output_is_refused_and_tried_again_on_request(mosi, tmp_path):
    out = tmp_path / "a.h5"
    assert run("build-mosi", mosi, "--out", out).exit_code == 1
    refused = run("build-mosi", mosi, "--out", out)
    assert refused.exit_code != 0
    again = run("build-mosi", mosi, "--out", out, "--retry-failed", "--json")
    assert json.loads(again.stdout)["n_kept"] == 11


def test_openface_is_run_first_where_a_program_is_given(tmp_path, stand_in):
    raw = make_raw_mosi(tmp_path / "raw", n_clip=1, sound=False)
    for recording in ("03bSnISJMiM", "0h-zjBukYpk"):
        (raw / "Video/Segmented").mkdir(parents=True, exist_ok=True)
        (raw / f"Video/Segmented/{recording}_1.mp4").write_text("ok")
    find_openface(str(stand_in.program))
    out = tmp_path / "a.h5"
    arguments = ["--openface-bin", stand_in.program, "--set", 'streams=["vision"]', "--groups", "au", "--limit", "2"]
    result = run("build-mosi", raw, "--out", out, *arguments)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "a.openface").glob("*.csv")) == [
        "03bSnISJMiM_1.csv",
        "0h-zjBukYpk_1.csv",
    ]
    with DatasetReader(out) as reader:
        assert reader.info("vision").feature_names[0] == "AU01_r"
    run("build-mosi", raw, "--out", out, *arguments, "--overwrite")
    assert len(stand_in.sources()) == 2  # what was run is not run again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--openface", ".", "--openface-bin", "x"], "--openface or --openface-bin, one of the two"),
        (["--transcripts", "t.jsonl"], "--transcripts goes with --text-from asr"),
        (["--overwrite", "--retry-failed"], "--overwrite or --retry-failed, one of the two"),
        (["--limit", "0"], "0 is not in the range"),
        (["--text-from", "memory"], "'memory' is not one of"),
    ],
)
def test_options_that_exclude_each_other_are_refused(mosi, tmp_path, arguments, message):
    result = run("build-mosi", mosi, "--out", tmp_path / "a.h5", *arguments)
    assert result.exit_code != 0
    assert message in result.output + str(result.exception)


def test_the_second_version_of_sims_is_an_option(tmp_path):
    raw = make_raw_sims(tmp_path / "raw", version=2)
    result = run("build-sims", raw, "--out", tmp_path / "a.h5", "--version", "2", "--dry-run")
    assert "  train                   2722         4  differs" in result.stdout


def test_sets_of_features_are_chosen_by_option(tmp_path):
    raw = make_raw_mimic(tmp_path / "raw", n_clip=4)
    assert run("build-mimic", raw, "--out", tmp_path / "a.h5", "--features", "vit").exit_code == 0
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.stream_names == ("vit",)


def test_nationalities_are_chosen_by_option(tmp_path):
    raw = make_raw_voxceleb(tmp_path / "raw", n_speaker=6)
    result = run("build-voxceleb", raw, "--out", tmp_path / "a.h5", "--nationality", "skesl", "--dry-run")
    assert "note: 3 of 6 speakers are taken" in result.stdout
    assert "1,105 are from USA, UK, Canada, Australia" in result.stdout


def test_recognised_texts_lie_in_the_root_where_no_file_is_named(tmp_path):
    raw = make_raw_mosi(tmp_path / "raw", n_clip=1, sound=False)
    (raw / "transcripts.jsonl").write_text('{"clip_id": "03bSnISJMiM_1", "text": "heard"}\n')
    result = run("build-mosi", raw, "--out", tmp_path / "a.h5", "--text-from", "asr", "--limit", "1")
    assert result.exit_code == 0
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.texts == ("heard",)


def test_the_doctor_ends_with_3_where_nothing_can_be_built(tmp_path):
    raw = make_raw_mosi(tmp_path / "raw", n_clip=1, sound=False)
    result = run("doctor", "mosi", raw)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{raw}: can be read as CMU-MOSI\n")
    (raw / "MOSI-label.csv").unlink()
    result = run("doctor", "mosi", raw, "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["usable"] is False


def test_the_doctor_knows_every_corpus():
    from mmfeat import CORPORA
    from mmfeat_cli.inspect import DATASETS

    assert set(DATASETS) == set(CORPORA)
