"""Two writers of one file exclude each other, dead ones block nobody, and readers are never blocked."""

import platform
import signal
import subprocess
import sys
import time

import pytest

from mmfeat import ClipEntry, DatasetReader, InputError, build_dataset, validate
from mmfeat.testing import write_example_dataset

PROGRAM = """
import sys, time
from mmfeat import ClipEntry, build_dataset

def slowly(clips, *_):
    for clip in clips:
        yield clip
        time.sleep(0.15)

build_dataset([ClipEntry(clip_id=str(i), text=f"Take {i}.") for i in range(200)], sys.argv[1], track=slowly,
              overwrite=True)
"""
ENTRIES = [ClipEntry(clip_id=str(index), text=f"Take {index}.") for index in range(200)]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "a.h5"


@pytest.fixture
def writer(out):
    """A process that writes the file and has begun."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, out])
    journal = out.with_name("a.h5.part") / "journal.jsonl"
    while process.poll() is None and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.01)
    assert process.poll() is None
    yield process
    process.kill()
    process.wait()


def test_a_second_writer_is_told_who_writes(writer, out):
    owner = rf"process {writer.pid} on {platform.node()}"
    with pytest.raises(InputError, match=rf"a.h5: another process writes this file \({owner}\); wait for it"):
        build_dataset(ENTRIES, out)
    assert writer.poll() is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_writer_blocks_nobody_and_its_work_is_kept(writer, out, number):
    writer.send_signal(number)
    writer.wait()
    assert (out.with_name("a.h5.part") / "lock").exists()
    report = build_dataset(ENTRIES, out)
    assert report.n_continued > 0
    assert [path.name for path in out.parent.iterdir()] == ["a.h5"]


def test_a_lock_file_of_nobody_blocks_nobody(out):
    part = out.with_name("a.h5.part")
    part.mkdir()
    (part / "lock").touch()
    (part / "owner").write_text("process 1 on another machine")
    assert build_dataset(ENTRIES, out).n_clip == 200


def test_readers_are_not_blocked_and_see_the_old_file_until_the_new_one_is_whole(tmp_path, out):
    write_example_dataset(out)
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, out])
    part = out.with_name("a.h5.part")
    while process.poll() is None and not (part / "journal.jsonl").exists():
        time.sleep(0.01)
    try:
        with DatasetReader(out) as reader:
            assert reader.n_clip == 12
            assert reader.read("audio", 0).n_frame == 10
        assert validate(out, level="content").ok
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_an_open_reader_goes_on_with_the_old_content_when_the_file_is_replaced(out):
    write_example_dataset(out)
    with DatasetReader(out) as reader:
        before = reader.read("audio", 3).values
        build_dataset(ENTRIES, out, overwrite=True)
        assert reader.n_clip == 12
        assert (reader.read("audio", 3).values == before).all()
    with DatasetReader(out) as reader:
        assert reader.n_clip == 200


def test_two_readers_and_a_writer_of_another_file_do_not_meet(tmp_path, out):
    write_example_dataset(out)
    with DatasetReader(out) as one, DatasetReader(out) as other:
        build_dataset(ENTRIES, tmp_path / "b.h5")
        assert one.clip_ids == other.clip_ids
