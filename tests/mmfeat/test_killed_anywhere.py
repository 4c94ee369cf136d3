"""Whatever stops a build, and wherever, the same command ends with the same content and leaves nothing behind."""

import random
import resource
import signal
import subprocess
import sys
import time

import pytest
import soundfile

from mmfeat import ClipEntry, DatasetReader, build_dataset, resolve_build_config, validate
from mmfeat.testing import tone, write_openface_csv

N_CLIP = 200
SETTINGS = ["--set", 'audio.features=["zero_crossing_rate"]', "--groups", "au"]
DEAF_NO_MORE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
PROGRAM = [sys.executable, "-c", f"{DEAF_NO_MORE}from mmfeat_cli.main import main; main()"]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Return 200 clips with sound and faces, every tenth without sound."""
    folder = tmp_path_factory.mktemp("clips")
    rows = ["clip_id,recording_id,split,audio,openface,text,label:joy"]
    for index in range(N_CLIP):
        samples = tone(100.0 + index, duration_s=0.2 + 0.001 * index).samples
        soundfile.write(folder / f"{index}.wav", samples[: 0 if index % 10 == 9 else None], 16_000)
        write_openface_csv(folder / f"{index}.csv", n_frame=3 + index % 7)
        rows.append(f"clip {index},film {index // 9},train,{index}.wav,{index}.csv,Take {index}.,{index % 5}")
    path = folder / "clips.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def command(manifest, out, *options):
    return [*PROGRAM, "build", str(manifest), "--out", str(out), *SETTINGS, *options]


@pytest.fixture(scope="module")
def whole(manifest, tmp_path_factory):
    """Return hash and seconds of a build that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "a.h5"
    subprocess.run(command(manifest, out), capture_output=True, check=False)
    start_s = time.perf_counter()
    assert subprocess.run(command(manifest, out, "--overwrite"), capture_output=True, check=False).returncode == 1
    return content(out), time.perf_counter() - start_s


def content(path):
    with DatasetReader(path) as reader:
        return reader.attributes["content_sha256"]


def assert_whole(out, whole):
    """The file has the content of the uninterrupted build, no clip twice, and nothing lies beside it."""
    assert content(out) == whole[0]
    with DatasetReader(out) as reader:
        assert reader.clip_ids == tuple(f"clip {index}" for index in range(N_CLIP))
    assert [path.name for path in out.parent.iterdir()] == ["a.h5"]
    assert validate(out, level="content").ok


def stop_after(seconds, number, *arguments):
    """Start a build, send a signal after a time, and return the exit code."""
    process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    return process.wait(60)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", ["1", "2"])
def test_a_build_that_is_killed_at_fifty_moments_ends_with_the_same_content(manifest, whole, tmp_path, n_jobs):
    chance = random.Random(7)
    out = tmp_path / "a.h5"
    n_killed = 0
    for _ in range(25):  # with each number of workers
        code = stop_after(whole[1] * (0.3 + 0.8 * chance.random()), signal.SIGKILL, manifest, out, "-j", n_jobs)
        n_killed += code == -signal.SIGKILL
        if out.exists():
            sweep = subprocess.run(command(manifest, out), capture_output=True, check=False)
            assert (sweep.returncode, sweep.stderr.decode().count("\n")) == (3, 1)  # it exists, in one line
            assert_whole(out, whole)
            out.unlink()
    final = subprocess.run(command(manifest, out), capture_output=True, check=False, text=True)
    assert final.returncode == 1, final.stderr  # every tenth clip has no sound
    assert_whole(out, whole)
    assert n_killed >= 10


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("options", [[], ["-j", "2"], ["-j", "2", "--engine", "librosa"]])
def test_a_build_that_is_asked_to_end_keeps_its_work(manifest, tmp_path, number, code, options):
    out = tmp_path / "a.h5"
    journal = tmp_path / "a.h5.part" / "journal.jsonl"
    process = subprocess.Popen(command(manifest, out, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.poll() is None and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.002)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors.decode()
    n_done = journal.read_bytes().count(b"\n")
    assert 0 < n_done <= N_CLIP
    final = subprocess.run(command(manifest, out, *options), capture_output=True, check=False, text=True)
    assert f"{n_done} of them from an interrupted run" in final.stdout
    assert_whole(out, (content(out), 0.0))


def limited(n_byte):
    """Return what makes every file of a new process end at a size, as a full disk does."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_byte, n_byte))

    return limit


@pytest.mark.parametrize("n_byte", [30_000, 100_000, 200_000])
def test_a_full_disk_is_one_sentence_and_the_next_run_goes_on(manifest, whole, tmp_path, n_byte):
    out = tmp_path / "a.h5"
    full = subprocess.run(
        command(manifest, out), capture_output=True, check=False, text=True, preexec_fn=limited(n_byte)
    )
    assert full.returncode == 3, full.stderr
    assert full.stderr.count("\n") == 1
    assert full.stderr.startswith(f"error: {out}: could not write: ")
    assert full.stderr.endswith("; make space and run it again\n")
    assert not out.exists()
    again = subprocess.run(command(manifest, out), capture_output=True, check=False, text=True)
    assert "of them from an interrupted run" in again.stdout
    assert_whole(out, whole)


def test_a_library_user_gets_the_same_error(tmp_path):
    program = (
        "import resource, signal, sys\n"
        "from mmfeat import ClipEntry, StorageError, build_dataset\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "clips = [ClipEntry(clip_id=str(index), text='Words. ' * 5_000) for index in range(200)]\n"
        "try:\n    build_dataset(clips, sys.argv[1])\nexcept StorageError as error:\n    print(error)\n"
    )
    out = tmp_path / "a.h5"
    found = subprocess.run([sys.executable, "-c", program, out], capture_output=True, text=True, check=True)
    assert found.stdout.startswith(f"{out}: could not write: File too large")
    clips = [ClipEntry(clip_id=str(index), text="Words. " * 5_000) for index in range(200)]
    assert build_dataset(clips, out, resolve_build_config()).n_clip == 200
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
