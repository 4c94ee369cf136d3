"""The folder of a run: its journal, its lock and what it refuses, without any program."""

import errno
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mmfeat import ClipEntry, InputError, StreamStatus
from mmfeat.clip_jobs import JobResult, RunPlan, run_jobs
from mmfeat.run_folder import part_folder, source_stamp

PLAN = RunPlan(journal="test.jsonl", suffixes=("_more.txt", ".txt"), settings={"pair": (1, 2)})


@pytest.fixture
def entries(tmp_path):
    paths = [tmp_path / f"{name}.mp4" for name in "abc"]
    for path in paths:
        path.write_text(path.stem)
    return [ClipEntry(clip_id=path.stem, video=path) for path in paths]


def copy(_entry, source, work):
    """A job whose outputs hold the text of the source."""
    (work / "out").write_text(source.read_text())
    return JobResult(status=StreamStatus.OK, files={".txt": work / "out"}, facts={"n": 1})


def test_no_clips_are_refused(tmp_path):
    with pytest.raises(InputError, match="out: expected at least one clip to work on, got none"):
        run_jobs([], tmp_path / "out", copy, PLAN)


def test_a_clip_without_source_is_refused(tmp_path):
    with pytest.raises(InputError, match="clip 'a': expected a video or a sound file, got neither"):
        run_jobs([ClipEntry(clip_id="a", text="Words.")], tmp_path / "out", copy, PLAN)


def test_the_journal_says_all_that_decides_whether_a_clip_is_done(entries, tmp_path):
    run_jobs(entries[:1], tmp_path / "out", copy, PLAN)
    assert json.loads((tmp_path / "out/test.jsonl").read_text()) == {
        "clip_id": "a",
        "status": "ok",
        "reason": "",
        "source": str(tmp_path / "a.mp4"),
        "stamp": source_stamp(tmp_path / "a.mp4"),
        "settings": {"pair": [1, 2]},
        "n": 1,
        "outputs": {"a.txt": 1},
    }


def test_a_later_run_on_other_clips_keeps_the_earlier_ones(entries, tmp_path):
    run_jobs(entries[:2], tmp_path / "out", copy, PLAN)
    run_jobs(entries[2:], tmp_path / "out", copy, PLAN)
    assert run_jobs(entries, tmp_path / "out", copy, PLAN).n_skipped == 3


def test_a_job_that_raises_stops_the_run_and_leaves_what_was_done(entries, tmp_path):
    def broken(entry, source, work):
        if entry.clip_id == "b":
            while not (tmp_path / "out/a.txt").exists():
                time.sleep(0.001)
            raise RuntimeError("a bug")
        return copy(entry, source, work)

    with pytest.raises(RuntimeError, match="a bug"):
        run_jobs(entries, tmp_path / "out", broken, PLAN)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "test.jsonl"]
    assert not (tmp_path / "out.part").exists()
    assert run_jobs(entries, tmp_path / "out", copy, PLAN).n_skipped == 1


def test_an_error_of_the_system_is_that_of_one_clip(entries, tmp_path):
    def full(entry, source, work):
        if entry.clip_id == "b":
            raise OSError(errno.ENOSPC, "No space left on device")
        return copy(entry, source, work)

    report = run_jobs(entries, tmp_path / "out", full, PLAN)
    assert report.counts == {"ok": 2, "tool_failed": 1}
    assert report.failures[0]["reason"] == f"{tmp_path}/b.mp4: [Errno 28] No space left on device"


def test_an_output_that_cannot_get_its_name_is_a_failure_of_its_clip(entries, tmp_path):
    (tmp_path / "out/b.txt").mkdir(parents=True)
    report = run_jobs(entries, tmp_path / "out", copy, replace(PLAN, overwrite=True))
    assert report.counts == {"ok": 2, "tool_failed": 1}
    assert run_jobs(entries, tmp_path / "out", copy, PLAN).n_skipped == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_journal_that_cannot_be_written_is_one_error(entries, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/test.jsonl").symlink_to("/dev/full")
    message = r"out/test.jsonl: expected to write the journal, got 'No space left on device'; make room and run again"
    with pytest.raises(InputError, match=message):
        run_jobs(entries, tmp_path / "out", copy, PLAN)


def test_a_kill_between_the_line_and_the_renaming_only_repeats_the_clip(entries, tmp_path):
    run_jobs(entries, tmp_path / "out", copy, PLAN)
    (tmp_path / "out/b.txt").unlink()
    assert run_jobs(entries, tmp_path / "out", copy, PLAN).n_skipped == 2
    assert (tmp_path / "out/b.txt").read_text() == "b"


@pytest.mark.parametrize("happens", ["before", "after"])
@pytest.mark.parametrize("step", ["unlink", "replace"])
def test_a_kill_never_leaves_an_old_output_of_the_same_size(entries, tmp_path, monkeypatch, step, happens):
    run_jobs(entries, tmp_path / "out", copy, PLAN)
    entries[1].video.write_text("B")
    os.utime(entries[1].video, (1, 1))
    real = getattr(Path, step)

    def killed(path, *arguments, **options):
        if happens == "after":
            real(path, *arguments, **options)
        if path.name in ("b.txt", "out"):
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, step, killed)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(entries, tmp_path / "out", copy, PLAN)
    monkeypatch.undo()
    run_jobs(entries, tmp_path / "out", copy, PLAN)
    assert (tmp_path / "out/b.txt").read_text() == "B"


@pytest.mark.parametrize("change", [{"clip_id": None}, {"outputs": []}, {"stamp": 1}, {"status": 0}, {"settings": ""}])
def test_a_line_that_no_run_wrote_counts_for_nothing(entries, tmp_path, change):
    run_jobs(entries[:1], tmp_path / "out", copy, PLAN)
    line = json.loads((tmp_path / "out/test.jsonl").read_text())
    (tmp_path / "out/test.jsonl").write_text("{}\n" + json.dumps(line | change) + "\n")
    (tmp_path / "out/a.txt").unlink()
    assert run_jobs(entries[:1], tmp_path / "out", copy, PLAN).n_skipped == 0


def test_what_a_killed_run_left_is_removed(entries, tmp_path):
    (tmp_path / "out.part/tmpold/000000").mkdir(parents=True)
    (tmp_path / "out.part/tmpold/000000/half.csv").touch()
    run_jobs(entries, tmp_path / "out", copy, PLAN)
    assert not (tmp_path / "out.part").exists()


def test_preparing_is_left_out_where_nothing_is_to_do(entries, tmp_path):
    prepared = []
    plan = RunPlan(journal="test.jsonl", suffixes=(".txt",), settings={}, prepare=prepared.append)
    run_jobs(entries, tmp_path / "out", copy, plan)
    run_jobs(entries, tmp_path / "out", copy, plan)
    assert len(prepared) == 1


def test_a_folder_that_is_a_disk_keeps_unfinished_work_inside(tmp_path):
    assert part_folder(tmp_path / "out") == tmp_path / "out.part"
    assert part_folder(Path("/proc")) == Path("/proc/.part")


def add(folder):
    (folder / "4.jpg").touch()


def swap_names(folder):
    (folder / "1.jpg").rename(folder / "x")
    (folder / "2.jpg").rename(folder / "1.jpg")
    (folder / "x").rename(folder / "2.jpg")


def replace_with_an_older_file(folder):
    (folder / "1.jpg").write_text("c")
    os.utime(folder / "1.jpg", (5, 5))


def touch(folder):
    os.utime(folder / "3.jpg", (11, 11))


@pytest.mark.parametrize("change", [add, swap_names, replace_with_an_older_file, touch])
def test_a_folder_of_frames_changes_with_each_of_its_files(tmp_path, change):
    for seconds, (name, text) in enumerate([("1", "a"), ("2", "b"), ("3", "c")], start=8):
        (tmp_path / f"{name}.jpg").write_text(text)
        os.utime(tmp_path / f"{name}.jpg", (seconds, seconds))
    before = source_stamp(tmp_path)
    assert source_stamp(tmp_path) == before
    change(tmp_path)
    assert source_stamp(tmp_path) != before
