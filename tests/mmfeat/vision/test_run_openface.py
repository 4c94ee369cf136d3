"""Runs of a stand-in for OpenFace: what is kept, what is recorded, what is run again, and that nothing runs on."""

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmfeat import (
    FRAME_SUFFIXES,
    VIDEO_SUFFIXES,
    ConfigError,
    InputError,
    MissingToolError,
    OpenFaceRunConfig,
    entries_from_frame_folders,
    entries_from_paths,
    find_openface,
    read_openface_csv,
    run_openface,
    tool_process,
)

ALL_FLAGS = ["-gaze", "-pose", "-2Dfp", "-3Dfp", "-pdmparams", "-aus"]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def run(stand_in, out):
    """Run the stand-in over a folder of videos."""

    def run(videos, *, program=stand_in.program, self_test=False, n_jobs=1, overwrite=False, **settings):
        entries = entries_from_paths([videos], VIDEO_SUFFIXES, column="video")
        config = OpenFaceRunConfig(**settings)
        return run_openface(
            entries,
            out,
            find_openface(str(program)),
            config,
            self_test=self_test,
            n_jobs=n_jobs,
            overwrite=overwrite,
        )

    return run


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def journal(out):
    return [json.loads(line) for line in (out / "run-openface.jsonl").read_text().splitlines()]


def reasons(report):
    return {record["clip_id"]: record["reason"].rpartition(": OpenFace ")[2] for record in report.failures}


def wait_for(condition):
    """Wait until something is true, at most 20 s."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


# What is kept


def test_csv_and_details_are_kept_under_the_id_and_can_be_read(run, make_videos, out, frames_csv):
    report = run(make_videos(**{"a.mp4": "ok", "day 2/a.avi": "ok"}))
    assert report.counts == {"ok": 2}
    assert names(out) == ["a.csv", "a_of_details.txt", "day 2/a.csv", "day 2/a_of_details.txt", "run-openface.jsonl"]
    assert (out / "day 2/a.csv").read_bytes() == frames_csv.read_bytes()
    assert read_openface_csv(out / "a.csv").values.shape == (3, 709)
    assert report.summary() == f"{out}: 2 clips (ok 2)"


@pytest.mark.parametrize(
    "name", ["with space", "Käsekuchen 🎤", 'it\'s "quoted"', "-q", "v1.0", "$(touch x)", "a,b;c", "new\nline"]
)
def test_any_name_comes_through(run, make_videos, out, name):
    report = run(make_videos(**{f"{name}.mp4": "ok"}), n_jobs=2)
    assert report.counts == {"ok": 1}
    assert names(out) == sorted([f"{name}.csv", f"{name}_of_details.txt", "run-openface.jsonl"])


def test_the_program_is_called_with_absolute_paths_the_flags_and_in_a_folder_of_its_own(
    run, make_videos, stand_in, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    videos = make_videos(**{"a.mp4": "ok"})
    run(videos, options=("-wild",))
    (call,) = stand_in.calls()
    folder = Path(call["folder"])
    assert call["arguments"] == [
        *("-f", str(videos / "a.mp4"), "-out_dir", str(folder / "output")),
        *(*ALL_FLAGS, "-q", "-wild"),
    ]
    assert call["threads"] == "3"  # a single process keeps what the user set
    assert not folder.exists()


def test_the_groups_choose_the_flags(run, make_videos, stand_in, out):
    run(make_videos(**{"a.mp4": "ok"}), groups=("pose", "au"), au_static=True)
    assert stand_in.calls()[0]["arguments"][4:] == ["-pose", "-aus", "-au_static", "-q"]
    settings = journal(out)[0]["settings"]
    assert (settings["au"], settings["flags"]) == ("static", ["-pose", "-aus", "-au_static", "-q"])


def test_with_several_jobs_each_process_has_one_thread(run, make_videos, stand_in):
    run(make_videos(**{f"{index}.mp4": "ok" for index in range(4)}), n_jobs=2)
    assert [call["threads"] for call in stand_in.calls()] == ["1"] * 4


def test_a_folder_of_frames_is_one_clip(stand_in, tmp_path, out):
    for name in ("id1/a/1.jpg", "id1/a/1.png", "id1/b/1.jpg", "id2/a/1.bmp", "id2/1.txt", "id2/c/1.JPG"):
        path = tmp_path / "crops" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    entries = entries_from_frame_folders([tmp_path / "crops"], FRAME_SUFFIXES)
    assert [entry.clip_id for entry in entries] == ["id1/a", "id1/b", "id2/a"]
    assert run_openface(entries, out, find_openface(str(stand_in.program)), self_test=False).counts == {"ok": 3}
    assert [call["arguments"][:2] for call in stand_in.calls()] == [["-fdir", str(entry.video)] for entry in entries]
    assert (out / "id1/a.csv").exists()
    (tmp_path / "crops/id1/b/2.jpg").touch()
    run_openface(entries, out, find_openface(str(stand_in.program)), self_test=False)
    assert stand_in.sources() == ["a", "b", "a", "b"]


# What becomes of a clip


def test_every_way_to_fail_is_told_and_the_others_go_on(run, make_videos, out):
    videos = {
        "a crash": "crash",
        "b exit": "exit 1",
        "c empty": "unreadable",
        "d half": "half",
        "e columns": "no action units",
        "f face": "no face",
        "g good": "ok",
    }
    folder = make_videos(**{f"{name}.mp4": does for name, does in videos.items()})
    (folder / "h link.mp4").symlink_to(folder / "nowhere.mp4")
    report = run(folder, n_jobs=2)
    assert report.counts == {"tool_failed": 6, "ok": 1, "missing_source": 1}
    last = f"last line 'Attempting to read from file: {folder}"
    assert reasons(report) == {
        "a crash": f"crashed (SIGSEGV), {last}/a crash.mp4'",
        "b exit": "ended with code 1, last line 'out of luck'",
        "c empty": "ended well, but wrote no csv (it could not read this); "
        f"last line 'Failed to open the video file at location: {folder}/c empty.mp4'",
        "d half": f"crashed (SIGKILL), {last}/d half.mp4'",
        "e columns": "ended well, but 35 columns are missing, first 'AU01_r'; download all of its models",
        "f face": f"ended well, but wrote no csv (it could not read this); {last}/f face.mp4'",
        "h link": f"{folder}/h link.mp4: expected a file that is there, got 'No such file or directory'; "
        "correct the path",
    }
    assert names(out) == ["g good.csv", "g good_of_details.txt", "run-openface.jsonl"]
    by_id = {record["clip_id"]: record for record in journal(out)}
    assert (by_id["a crash"]["exit_code"], by_id["a crash"]["signal"]) == (-11, "SIGSEGV")
    assert by_id["b exit"]["last_lines"][-1] == "out of luck"
    assert by_id["b exit"]["command"][1:3] == ["-f", str(folder / "b exit.mp4")]
    assert by_id["b exit"]["seconds"] > 0
    assert by_id["g good"]["outputs"].keys() == {"g good.csv", "g good_of_details.txt"}


def test_a_run_for_several_faces_that_ends_well_without_csv_tracked_no_face(run, make_videos, make_stand_in, out):
    multi = make_stand_in("FaceLandmarkVidMulti")
    folder = make_videos(**{"a.mp4": "no face", "b.mp4": "ok", "c.mp4": "unreadable"})
    report = run(folder, program=multi.program)
    assert report.counts == {"no_face": 1, "ok": 1, "tool_failed": 1}
    assert [record["clip_id"] for record in report.failures] == ["c"]
    assert names(out) == ["a_of_details.txt", "b.csv", "b_of_details.txt", "run-openface.jsonl"]
    assert journal(out)[0]["settings"]["au"] == "static"
    run(folder, program=multi.program)
    assert multi.sources() == ["a.mp4", "b.mp4", "c.mp4", "c.mp4"]


def test_a_process_that_hangs_is_killed_with_what_it_started(run, make_videos, stand_in):
    report = run(make_videos(**{"a.mp4": "grandchild"}), timeout_s=1.0)
    (record,) = report.failures
    assert record["timed_out"] is True
    assert "OpenFace was killed after" in record["reason"]
    pid = stand_in.folder / "grandchild"  # missing where the machine is too busy to come that far in a second
    wait_for(lambda: not pid.exists() or not is_alive(int(pid.read_text())))


def test_where_there_are_no_process_groups_a_process_is_killed_by_taskkill(run, make_videos, tmp_path, monkeypatch):
    taskkill = tmp_path / "bin/taskkill"
    taskkill.parent.mkdir()
    taskkill.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/killed\n')
    taskkill.chmod(0o755)
    monkeypatch.setenv("PATH", str(taskkill.parent), prepend=os.pathsep)
    monkeypatch.setattr(tool_process, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.delattr(os, "killpg")
    report = run(make_videos(**{"a.mp4": "hang"}), timeout_s=1.0)
    assert [record["clip_id"] for record in report.failures] == ["a"]
    assert (tmp_path / "killed").read_text().startswith("/T /F /PID ")


def test_what_a_finished_process_left_running_is_killed(run, make_videos, stand_in):
    assert run(make_videos(**{"a.mp4": "grandchild and end"})).counts == {"ok": 1}
    wait_for(lambda: not is_alive(int((stand_in.folder / "grandchild").read_text())))


# What is run again


def test_the_same_call_again_runs_only_what_failed(run, make_videos, stand_in, out):
    folder = make_videos(**{"a.mp4": "ok", "b.mp4": "crash"})
    run(folder)
    make_videos(**{"b.mp4": "ok"})
    report = run(folder, timeout_s=100.0)  # the time limit changes nothing
    assert stand_in.sources() == ["a.mp4", "b.mp4", "b.mp4"]
    assert (report.counts, report.n_skipped) == ({"ok": 2}, 1)
    assert report.summary() == f"{out}: 2 clips (ok 2), 1 of them from an earlier run"
    run(folder, self_test=True)
    assert len(stand_in.calls()) == 3


def change_source(folder, _out, _stand_in):
    (folder / "a.mp4").write_text("ok\n"[:2])
    os.utime(folder / "a.mp4", (1, 1))
    return {}


def change_flags(_folder, _out, _stand_in):
    return {"groups": ("pose",)}


def change_program(_folder, _out, stand_in):
    os.utime(stand_in.program, (1, 1))
    return {}


def lose_csv(_folder, out, _stand_in):
    (out / "a.csv").unlink()
    return {}


def cut_csv(_folder, out, _stand_in):
    os.truncate(out / "a.csv", 100)
    return {}


def ask_for_it(_folder, _out, _stand_in):
    return {"overwrite": True}


@pytest.mark.parametrize("change", [change_source, change_flags, change_program, lose_csv, cut_csv, ask_for_it])
def test_what_changed_is_run_again(run, make_videos, stand_in, out, frames_csv, change):
    folder = make_videos(**{"a.mp4": "ok"})
    run(folder)
    assert run(folder, **change(folder, out, stand_in)).n_skipped == 0
    assert stand_in.sources() == ["a.mp4", "a.mp4"]
    assert (out / "a.csv").read_bytes() == frames_csv.read_bytes()


def test_the_output_of_an_earlier_run_does_not_outlive_a_run_that_failed(run, make_videos, out):
    run(make_videos(**{"a.mp4": "ok"}))
    run(make_videos(**{"a.mp4": "crash"}))
    assert names(out) == ["run-openface.jsonl"]


@pytest.mark.parametrize("tail", [b'{"clip_id": "b", "stat', b"\0\0\0\n"])
def test_a_half_written_last_line_of_the_journal_is_dropped(run, make_videos, stand_in, out, tail):
    folder = make_videos(**{"a.mp4": "ok", "b.mp4": "ok"})
    run(folder)
    lines = (out / "run-openface.jsonl").read_bytes().splitlines(keepends=True)
    (out / "run-openface.jsonl").write_bytes(lines[0] + tail)
    for path in out.glob("b*"):
        path.unlink()
    run(folder)
    assert stand_in.sources() == ["a.mp4", "b.mp4", "b.mp4"]
    assert len(journal(out)) == 2


def test_files_that_no_run_wrote_are_not_replaced(run, make_videos, stand_in, out):
    out.mkdir()
    (out / "a.csv").write_text("mine")
    folder = make_videos(**{"a.mp4": "ok"})
    message = r"out: 1 file\(s\) are not from this command; choose another folder or --overwrite:\n  a.csv"
    with pytest.raises(InputError, match=message):
        run(folder)
    assert ((out / "a.csv").read_text(), stand_in.calls()) == ("mine", [])
    assert run(folder, overwrite=True).counts == {"ok": 1}


def test_two_runs_on_one_folder_exclude_each_other(run, make_videos, stand_in, out):
    entries = entries_from_paths([make_videos(**{"a.mp4": "ok"})], VIDEO_SUFFIXES, column="video")
    tool = find_openface(str(stand_in.program))

    def track(results, _total, _description):
        with pytest.raises(InputError, match=rf"out: another process writes this folder \(process {os.getpid()} on "):
            run_openface(entries, out, tool)
        yield from results

    assert run_openface(entries, out, tool, self_test=False, track=track).counts == {"ok": 1}
    assert not out.with_name("out.part").exists()


def test_an_interrupted_run_kills_its_processes_and_keeps_finished_work(make_videos, stand_in, out):
    folder = make_videos(**{"a.mp4": "ok", "b.mp4": "grandchild", "c.mp4": "ok"})
    entries = entries_from_paths([folder], VIDEO_SUFFIXES, column="video")
    pid = stand_in.folder / "grandchild"

    def track(results, _total, _description):
        yield next(iter(results))
        wait_for(lambda: pid.exists() and pid.read_text())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_openface(entries, out, find_openface(str(stand_in.program)), self_test=False, track=track)
    wait_for(lambda: not is_alive(int(pid.read_text())))
    assert names(out) == ["a.csv", "a_of_details.txt", "run-openface.jsonl"]
    assert not out.with_name("out.part").exists()
    assert stand_in.sources() == ["a.mp4", "b.mp4"]


# The self-test


def test_the_self_test_passes_for_a_program_that_works_and_leaves_nothing(run, make_videos, stand_in, out):
    assert run(make_videos(**{"a.mp4": "ok"}), self_test=True).counts == {"ok": 1}
    assert (stand_in.folder / "calls.jsonl").read_text().count("-fdir") == 1
    assert names(out.parent / "out") == ["a.csv", "a_of_details.txt", "run-openface.jsonl"]


def test_the_self_test_passes_for_the_program_for_several_faces(run, make_videos, make_stand_in):
    multi = make_stand_in("FaceLandmarkVidMulti")
    assert run(make_videos(**{"a.mp4": "ok"}), program=multi.program, self_test=True).counts == {"ok": 1}


def test_missing_models_are_one_error_with_the_program_s_own_words(run, make_videos, stand_in):
    (stand_in.folder / "models-are-missing").touch()
    message = (
        r"FeatureExtraction: the self-test on grey pictures failed: OpenFace ended with code 1, last line "
        r"'ERROR: Could not load the landmark detector'; repair it, or pass --no-self-test:\n"
        r"  ERROR: Could not load the landmark detector"
    )
    with pytest.raises(MissingToolError, match=message):
        run(make_videos(**{"a.mp4": "ok"}), self_test=True)
    assert stand_in.calls() == []


def test_missing_action_unit_models_matter_where_action_units_are_wanted(run, make_videos, stand_in):
    (stand_in.folder / "au-models-are-missing").touch()
    folder = make_videos(**{"a.mp4": "ok"})
    with pytest.raises(MissingToolError, match="failed: WARNING: no Action Unit models found; repair it"):
        run(folder, self_test=True)
    assert run(folder, self_test=True, groups=("pose",)).counts == {"ok": 1}


def test_a_missing_library_is_one_error(run, make_videos, tmp_path):
    program = tmp_path / "FeatureExtraction"
    program.write_text(
        "#!/bin/sh\necho 'FeatureExtraction: error while loading shared libraries: libx.so.3' >&2\nexit 127\n"
    )
    program.chmod(0o755)
    with pytest.raises(MissingToolError, match=r"ended with code 127, last line .*shared libraries: libx.so.3"):
        run(make_videos(**{"a.mp4": "ok"}), program=program, self_test=True)


def test_a_file_that_is_no_program_is_one_error(run, make_videos, tmp_path):
    program = tmp_path / "FeatureExtraction"
    program.write_bytes(b"\x7fELFnot")
    program.chmod(0o755)
    with pytest.raises(MissingToolError, match="expected a program that starts, got 'Exec format error'; repair it"):
        run(make_videos(**{"a.mp4": "ok"}), program=program, self_test=True)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("inf"), float("nan")])
def test_a_time_limit_must_be_a_time(timeout_s):
    with pytest.raises(ConfigError, match="timeout_s must be positive and finite, got"):
        OpenFaceRunConfig(timeout_s=timeout_s)
