"""A build on a dask cluster: the same content, bounded work in flight, and one sentence for whatever goes wrong."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dask
import pytest
import soundfile
from click.testing import CliRunner
from distributed import Client, LocalCluster

import mmfeat.cluster
from mmfeat import (
    ClipEntry,
    ClusterError,
    DatasetReader,
    MissingExtraError,
    build_dataset,
    extract_clip,
    resolve_build_config,
    validate,
)
from mmfeat.cluster import extract_there
from mmfeat.testing import tone, write_openface_csv
from mmfeat_cli.main import mmfeat as mmfeat_command

N_CLIP = 24
A_CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    options = {"processes": False, "protocol": "tcp", "host": "127.0.0.1", "dashboard_address": ":0"}
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, **options)
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of clips with sound and faces; every eighth has no sound, every sixth no csv."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "clips").mkdir()
    for index in range(N_CLIP):
        samples = tone(100.0 + 5 * index, duration_s=0.2 + 0.01 * index).samples[: 0 if index % 8 == 3 else None]
        soundfile.write(folder / "clips" / f"{index:02d}.wav", samples, 16_000)
        if index % 6:
            write_openface_csv(folder / "clips" / f"{index:02d}.csv", n_frame=4 + index)
    return folder


@pytest.fixture(scope="module")
def entries(folder):
    return [
        ClipEntry(clip_id=path.stem, audio=path, openface=path.with_suffix(".csv"))
        for path in sorted((folder / "clips").glob("*.wav"))
    ]


@pytest.fixture(scope="module")
def config():
    return resolve_build_config(overrides=['audio.features=["zero_crossing_rate"]', 'openface.groups=["au"]'])


@pytest.fixture(scope="module")
def whole(entries, config, tmp_path_factory):
    return content(build_dataset(entries, tmp_path_factory.mktemp("whole") / "a.h5", config).path)


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two worker processes."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def threads():
    """A cluster of two threads of this process."""
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def out(tmp_path):
    return tmp_path / "a.h5"


@contextmanager
def another_process():
    """Give a process that holds a scheduler and a worker, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-c", A_CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def content(path):
    with DatasetReader(path) as reader:
        return reader.attributes["content_sha256"]


def at_clip(number, action):
    """Return what tracks a build and does something before a clip is taken."""

    def track(items, _total, _description):
        for index, clip in enumerate(items):
            if index == number:
                action()
            yield clip

    return track


def test_the_content_is_that_of_local_workers(entries, config, whole, cluster, out):
    report = build_dataset(entries, out, config, scheduler=cluster.scheduler_address)
    assert content(out) == whole
    assert (report.n_clip, report.n_ok) == (N_CLIP, {"audio": 21, "vision": 20})
    assert validate(out, level="content").ok
    for n_jobs in (2, 4):
        build_dataset(entries, out, config, n_jobs=n_jobs, overwrite=True)
        assert content(out) == whole


def test_relative_paths_count_from_the_folder_of_the_command(folder, entries, config, cluster, monkeypatch, tmp_path):
    """The workers are elsewhere; messages name the files as they were given, and so does the journal."""
    monkeypatch.chdir(folder / "clips")
    named = [Path("{name}"), Path("../clips/{name}"), Path("../../") / folder.name / "clips/{name}"]
    for number, pattern in enumerate(named):
        relative = [
            replace(
                entry,
                audio=Path(str(pattern).format(name=entry.audio.name)),
                openface=Path(str(pattern).format(name=entry.openface.name)),
            )
            for entry in entries
        ]
        here = build_dataset(relative, tmp_path / f"here{number}.h5", config)
        there = build_dataset(relative, tmp_path / f"there{number}.h5", config, scheduler=cluster.scheduler_address)
        assert there.failures == here.failures
        assert content(there.path) == content(here.path)

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(relative, tmp_path / "b.h5", config, scheduler=cluster.scheduler_address, track=at_clip(9, stop))
    assert build_dataset(relative, tmp_path / "b.h5", config).n_continued == 9


def test_a_worker_that_dies_is_replaced_by_others(entries, config, whole, cluster, out):
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        process_of_first = min(client.run(os.getpid).values())
    kill = at_clip(5, lambda: os.kill(process_of_first, signal.SIGKILL))
    build_dataset(entries, out, config, scheduler=cluster.scheduler_address, track=kill)
    assert content(out) == whole


def test_a_clip_that_kills_workers_is_named_and_what_was_done_stays(entries, config, whole, tmp_path, out):
    os.mkfifo(tmp_path / "endless.wav")  # whoever reads it waits
    endless = replace(entries[6], audio=tmp_path / "endless.wav")
    clips = [*entries[:6], endless, *entries[7:]]
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
    ):
        with Client(cluster.scheduler_address, set_as_default=False) as client:
            (process,) = client.run(os.getpid).values()
        killer = threading.Timer(1.0, os.kill, (process, signal.SIGKILL))
        message = (
            r"tcp://.*: 1 worker\(s\) died over clip '06', last tcp://.*; look into their logs for why, and run the"
        )
        with pytest.raises(ClusterError, match=message):
            build_dataset(clips, out, config, scheduler=cluster.scheduler_address, track=at_clip(5, killer.start))
    assert build_dataset(entries, out, config).n_continued == 6
    assert content(out) == whole


def test_a_scheduler_that_goes_is_one_sentence_and_what_was_done_stays(entries, config, whole, out, capfd):
    with another_process() as (process, address):
        message = rf"^{address}: the scheduler is gone; start it and run the same command again, it goes on from what"
        with pytest.raises(ClusterError, match=message):
            build_dataset(entries, out, config, scheduler=address, track=at_clip(7, process.kill))
    assert not out.exists()
    assert build_dataset(entries, out, config).n_continued >= 7
    assert content(out) == whole
    assert capfd.readouterr().err == ""


def test_workers_that_go_and_do_not_come_back_are_one_sentence(entries, config, threads, out, monkeypatch):
    monkeypatch.setattr(mmfeat.cluster, "NO_WORKER_TIMEOUT_S", 0.5)
    release = threading.Event()

    def wait_for_release(entry, config, named):
        if entry.clip_id == "09":
            release.wait(10.0)
        return extract_clip(entry, config, named)

    monkeypatch.setattr(mmfeat.cluster, "extract_clip", wait_for_release)
    with pytest.raises(ClusterError, match=r"inproc://.*: expected workers, the last one is gone; start some and run"):
        build_dataset(
            entries,
            out,
            config,
            scheduler=threads.scheduler_address,
            track=at_clip(4, lambda: (threads.scale(0), release.set())),
        )
    assert 4 <= build_dataset(entries, out, config).n_continued < N_CLIP


def test_a_cluster_without_workers_is_one_sentence(entries, config, out, monkeypatch):
    monkeypatch.setattr(mmfeat.cluster, "NO_WORKER_TIMEOUT_S", 0.5)
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        message = rf"{address}: expected at least one worker within 0.5 s, there is none; start dask worker {address}"
        with pytest.raises(ClusterError, match=message):
            build_dataset(entries, out, config, scheduler=address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1:9", "nonsense", "foo://127.0.0.1:9"])
def test_an_address_where_no_scheduler_is_is_one_sentence(folder, out, monkeypatch, address):
    monkeypatch.setattr(mmfeat.cluster, "CONNECT_TIMEOUT_S", 1.0)
    command = ["extract-audio", str(folder / "clips"), "--out", str(out), "--scheduler", address]
    result = CliRunner().invoke(mmfeat_command, command)
    assert result.exit_code == 3
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {address}: expected the address of a running scheduler, tcp://HOST:PORT, got ")
    assert line.endswith("; start dask scheduler, or correct the address")


def test_without_the_package_the_way_to_it_is_told(entries, config, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    message = r"--scheduler needs the package 'distributed', which is not installed; pip install 'mmfeat\[cluster\]'"
    with pytest.raises(MissingExtraError, match=message):
        build_dataset(entries, out, config, scheduler="tcp://127.0.0.1:9")


def test_workers_of_its_own_and_of_a_cluster_exclude_each_other(folder, out):
    command = ["extract-audio", str(folder), "--out", str(out), "--scheduler", "tcp://a:1", "-j", "2"]
    result = CliRunner().invoke(mmfeat_command, command)
    assert result.exit_code == 2
    assert "expected --scheduler or --num-jobs, one of the two" in result.stderr


def test_a_worker_of_other_versions_is_refused(entries, config):
    with pytest.raises(ClusterError, match=r"a worker on .+ has numpy .+ in place of 0.1; install the same versions"):
        extract_there(entries[0], config, {}, "/", {"numpy": "0.1"})
    with pytest.raises(ClusterError, match=r"has no-such-package none in place of 1.0"):
        extract_there(entries[0], config, {}, "/", {"no-such-package": "1.0"})


def test_a_worker_that_does_not_see_the_files_is_refused(entries, config, threads, out, monkeypatch):
    def elsewhere(entry, config, named):
        clip = extract_clip(entry, config, named)
        return replace(clip, stamps=((str(entry.audio), -1, -1, ""), *clip.stamps[1:]))

    monkeypatch.setattr(mmfeat.cluster, "extract_clip", elsewhere)
    message = r"00.wav: expected a file system that the workers share, a worker does not see this file; mount it"
    with pytest.raises(ClusterError, match=message):
        build_dataset(entries, out, config, scheduler=threads.scheduler_address)


def test_work_goes_on_when_the_cluster_gets_smaller(entries, config, whole, threads, out, monkeypatch):
    monkeypatch.setattr(mmfeat.cluster, "_LOOK_S", 0.01)
    shrink = at_clip(5, lambda: monkeypatch.setattr(mmfeat.cluster, "_CLIPS_PER_THREAD", 1))
    build_dataset(entries, out, config, scheduler=threads.scheduler_address, track=shrink)
    assert content(out) == whole


def test_results_wait_on_the_cluster_and_not_here(entries, config, threads, out, monkeypatch):
    """A first clip that takes long does not draw all others in behind it."""
    extracted = []

    def slow_at_first(entry, config, named):
        if entry.clip_id == "00":
            time.sleep(1.0)
        extracted.append(entry.clip_id)
        return extract_clip(entry, config, named)

    taken = []

    def track(items, _total, _description):
        for clip in items:
            taken.append(len(extracted))
            yield clip

    monkeypatch.setattr(mmfeat.cluster, "extract_clip", slow_at_first)
    build_dataset(entries, out, config, scheduler=threads.scheduler_address, track=track)
    assert taken[0] == 8  # two threads, four clips each
    assert all(n_extracted <= index + 9 for index, n_extracted in enumerate(taken))
