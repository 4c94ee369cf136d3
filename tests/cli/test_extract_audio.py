"""extract-audio: which files, which settings, what is printed; and a folder of everything that can be wrong."""

import json
import os
import shutil
import struct

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from mmfeat import AUDIO_PRESETS, DatasetReader, config_to_dict, extract_audio, read_audio, validate
from mmfeat.testing import tone, write_sound_as
from mmfeat_cli.main import mmfeat as group

CHEAP = ("--set", 'features=["zero_crossing_rate"]')


def extract(*arguments):
    return CliRunner().invoke(group, ["extract-audio", *(str(argument) for argument in arguments)])


def refused(*arguments):
    result = extract(*arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    return result.stderr.removeprefix("error: ").rstrip("\n")


def clip_ids(path):
    with DatasetReader(path) as reader:
        return reader.clip_ids


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Return a folder of four files in two folders, and a text beside them."""
    folder = tmp_path_factory.mktemp("recordings")
    for index, name in enumerate(("one/a.wav", "one/b_close.wav", "two/a.flac", "two/deep/c.WAV")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, tone(150.0 + 50 * index, duration_s=0.3).samples, 16_000)
    (folder / "one/readme.txt").write_text("No sound.")
    return folder


# Which files


def test_the_ids_of_a_folder_are_the_relative_paths_without_suffix(recordings, out):
    result = extract(recordings, "--out", out, *CHEAP)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 4 clips (audio 4)\n")
    assert clip_ids(out) == ("one/a", "one/b_close", "two/a", "two/deep/c")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--include", "*_close.wav"], ("one/b_close",)),
        (["--include", "a.*"], ("one/a", "two/a")),
        (["--include", "two/*"], ("two/a", "two/deep/c")),
        (["--exclude", "two/*"], ("one/a", "one/b_close")),
        (["--include", "*.wav", "--include", "*.flac", "--exclude", "*_close*"], ("one/a", "two/a")),
    ],
)
def test_files_of_a_folder_are_chosen_by_patterns(recordings, out, options, expected):
    assert extract(recordings, "--out", out, *CHEAP, *options).exit_code == 0
    assert clip_ids(out) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*/a.*", ("one/a", "two/a")), ("one/*.wav", ("a", "b_close")), ("**/*.WAV", ("two/deep/c",))],
)
def test_a_quoted_pattern_is_a_glob(recordings, out, pattern, expected):
    assert extract(recordings / pattern, "--out", out, *CHEAP).exit_code == 0
    assert clip_ids(out) == expected


@pytest.mark.parametrize("pattern", ["*.ogg", "**/*.txt"])
def test_a_pattern_without_sound_files_is_refused(recordings, out, pattern):
    assert refused(recordings / pattern, "--out", out).startswith(
        f"{recordings / pattern}: expected files ending in .aac, .aiff, "
    )


def test_two_files_of_one_id_are_refused(recordings, out):
    one, two = recordings / "one/a.wav", recordings / "two/a.flac"
    assert refused(one, two, "--out", out) == (
        f"{one} and {two} would both be clip 'a'; give their common folder, or rename one"
    )


def test_a_name_that_is_no_text_is_refused_before_anything_is_read(tmp_path, out):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    try:
        path.touch()
    except OSError:
        pytest.skip("the file system takes only UTF-8")
    assert refused(path, "--out", out).endswith("caf\\udce9.wav': expected a name in UTF-8; rename the file")


def test_a_manifest_names_the_clips_and_its_openface_files_are_left_alone(recordings, tmp_path, out):
    manifest = tmp_path / "clips.csv"
    manifest.write_text(f"clip_id,audio,openface,text\nx,{recordings}/one/a.wav,{recordings}/one/readme.txt,Hello\n")
    result = extract("--manifest", manifest, "--out", out, *CHEAP)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 1 clips (audio 1)\n")
    with DatasetReader(out) as reader:
        assert reader.stream_names == ("audio",)


@pytest.mark.parametrize("both", [True, False])
def test_paths_and_a_manifest_exclude_each_other(recordings, tmp_path, out, both):
    (tmp_path / "clips.csv").write_text("clip_id\na\n")
    sources = [recordings, "--manifest", tmp_path / "clips.csv"] if both else []
    result = extract(*sources, "--out", out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected PATHS or --manifest, one of the two" in result.stderr


# Which settings


def test_a_preset_a_file_and_single_settings_are_taken_in_this_order(recordings, tmp_path, out):
    settings = tmp_path / "settings.toml"
    settings.write_text("[audio]\nhop_length = 1024\n[audio.mfcc]\nn_mfcc = 5\n")
    options = ["--preset", "skesl-33", "--config", settings, "--set", "mfcc.n_mfcc=7"]
    assert extract(recordings / "one/a.wav", "--out", out, *options).exit_code == 0
    with DatasetReader(out) as reader:
        info = reader.info("audio")
    assert (info.config["sample_rate"], info.config["hop_length"], info.config["mfcc"]["n_mfcc"]) == (22_050, 1024, 7)
    assert len(info.feature_names) == 1 + 7 + 12
    assert info.preset == "custom"


@pytest.mark.parametrize(("engine", "extractor"), [("fast", "mmfeat"), ("librosa", "librosa")])
def test_the_engine_is_the_one_asked_for_and_is_named_in_the_file(recordings, out, engine, extractor):
    path = recordings / "one/a.wav"
    assert extract(path, "--out", out, "--engine", engine).exit_code == 0
    expected = extract_audio(read_audio(path, 16_000), engine=engine)
    with DatasetReader(out) as reader:
        assert reader.info("audio").extractor == extractor
        np.testing.assert_array_equal(reader.read("audio", 0).values, expected.values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "pitch.f0=60"], "unknown key 'audio.pitch.f0'; known: f0_min_hz, f0_max_hz, frame_length, store_pr"),
        (["--set", "hop=512"], "unknown key 'audio.hop'; known: sample_rate, hop_length, features, pitch, zero_cross"),
        (["--preset", "best"], "unknown audio preset 'best'; known: default, skesl-33, ch-sims-33, logmel128"),
        (["--set", "sample_rate=8000"], "sample_rate must be at least 11025 Hz for seven octaves of chroma, got 8000"),
        (["--set", "pitch.f0_min_hz=10"], "a window of 2048 samples at 16000 Hz holds less than two periods of 10"),
        (["--set", "hop_length=100"], "hop_length must be a multiple of 64 for chroma"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_known(recordings, out, options, message):
    assert message in refused(recordings, "--out", out, *options)
    assert not out.exists()


def test_presets_lists_every_value_of_every_preset():
    listed = json.loads(CliRunner().invoke(group, ["presets", "--json"]).stdout)
    assert listed == {name: config_to_dict(config) for name, config in AUDIO_PRESETS.items()}
    assert listed["skesl-33"]["pitch"]["f0_max_hz"] == 600.0
    lines = CliRunner().invoke(group, ["presets"]).stdout.splitlines()
    assert lines[0].split() == ["default", "skesl-33", "ch-sims-33", "logmel128"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert rows["sample_rate"] == ["16000", "22050", "22050", "16000"]
    assert rows["chroma.tuning"] == ["0.0", "0.0", "null", "0.0"]
    assert rows["features"][2] == "zero_crossing_rate,mfcc,chroma_cqt"
    assert "pitch.f0_min_hz" in rows


# What is printed


def test_a_dry_run_says_what_would_be_done_and_does_nothing(recordings, out):
    result = extract(recordings, "--out", out, "--preset", "skesl-33", "--dry-run")
    n_byte = sum(path.stat().st_size for path in recordings.rglob("*") if path.suffix in (".wav", ".WAV", ".flac"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"clips    4, 4 with sound, {n_byte / 1e6:.1f} MB",
        "columns  33: log_f0, mfcc, chroma_cqt",
        "grid     22050 Hz, a frame every 23.22 ms",
        "engine   fast",
        f"output   {out}",
    ]
    assert list(out.parent.iterdir()) == []


def test_a_dry_run_over_an_existing_output_says_that_it_exists(recordings, out):
    out.touch()
    assert extract(recordings, "--out", out, "--dry-run").stdout.endswith(f"output   {out} (exists)\n")


def test_the_report_is_json_for_machines(recordings, tmp_path, out):
    (tmp_path / "empty.wav").touch()
    result = extract(recordings, tmp_path / "empty.wav", "--out", out, "--json", *CHEAP)
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "path": str(out),
        "n_clip": 5,
        "n_ok": {"audio": 4},
        "n_continued": 0,
        "n_kept": 0,
        "notes": [],
        "failures": [
            {
                "clip_id": "empty",
                "stream": "audio",
                "code": "empty",
                "reason": f"{tmp_path}/empty.wav: expected sound, got a file of 0 bytes; copy it again",
            }
        ],
    }


# Everything that can be wrong


def wav_bytes(*, sample_rate=16_000, fmt_size=16, data_id=b"data", n_claimed=2000, n_sample=1000):
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", fmt_size, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return b"RIFF" + b"\0" * 4 + b"WAVE" + fmt + struct.pack("<4sI", data_id, n_claimed) + b"\0\1" * n_sample


@pytest.fixture
def museum(tmp_path):
    """Return a folder of 20 good files and of everything that can be wrong with one."""
    folder = tmp_path / "museum"
    (folder / "good with space").mkdir(parents=True)
    sound = tone(200.0, duration_s=0.2).samples
    for index in range(14):
        soundfile.write(folder / f"good with space/{index}.wav", sound, 16_000)
    for index, rate in enumerate((8_000, 192_000)):
        soundfile.write(folder / f"good{index}.wav", tone(200.0, duration_s=0.2, sample_rate=rate).samples, rate)
    soundfile.write(folder / "good6.wav", np.stack([sound] * 6, axis=1), 16_000)
    soundfile.write(folder / "good\nline 🎤.wav", sound, 16_000)
    soundfile.write(folder / "good.flac", sound, 16_000)
    (folder / "good.flac").rename(folder / "good_flac.wav")
    write_sound_as(folder / "good.mp4", tone(200.0, duration_s=0.2)).rename(folder / "good_mp4.wav")
    (folder / "empty.wav").touch()
    soundfile.write(folder / "no_samples.wav", np.zeros(0), 16_000)
    (folder / "header.wav").write_bytes(wav_bytes(n_sample=0))
    (folder / "cut.wav").write_bytes(wav_bytes(n_sample=700))
    (folder / "text.wav").write_text("No sound. " * 10)
    (folder / "awful.wav").write_bytes(wav_bytes(sample_rate=1_092_676))
    (folder / "bad.wav").write_bytes(wav_bytes(fmt_size=0x66666666, n_sample=0))
    (folder / "evil.wav").write_bytes(wav_bytes(data_id=b"HURF", n_claimed=0x39393939))
    soundfile.write(folder / "nan.wav", np.full(4000, np.nan), 16_000, subtype="FLOAT")
    soundfile.write(folder / "short.wav", sound[:1000], 16_000)
    soundfile.write(folder / "flac.flac", tone(200.0, duration_s=2.0).samples, 16_000)
    cut = (folder / "flac.flac").read_bytes()[:3000]
    (folder / "flac.flac").write_bytes(cut)
    (folder / "dangling.wav").symlink_to(folder / "nowhere.wav")
    return folder


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_of_a_folder_of_good_and_bad_files_the_good_are_extracted_and_each_bad_one_is_listed(museum, out, n_jobs):
    result = extract(museum, "--out", out, "-j", n_jobs, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (report["n_clip"], report["n_ok"]) == (32, {"audio": 20})
    reasons = {row["clip_id"]: (row["code"], row["reason"].partition(": ")[2]) for row in report["failures"]}
    unreadable = "expected a readable sound or video file, got"
    expected = {
        "empty": ("empty", "expected sound, got a file of 0 bytes; copy it again"),
        "no_samples": ("empty", "expected sound, got 0 samples; remove the clip"),
        "header": ("decode_error", "expected a whole file, but 2000 bytes of sound are missing at its end; copy it"),
        "cut": ("decode_error", "expected a whole file, but 600 bytes of sound are missing at its end; copy it again"),
        "text": ("decode_error", f"{unreadable} 100 bytes that neither soundfile ("),
        "awful": ("decode_error", "expected a sample rate from 1000 to 768000 Hz, got 1092676; the header is damaged"),
        "bad": ("decode_error", f"{unreadable} 44 bytes that neither soundfile ("),
        "evil": ("decode_error", f"{unreadable} 2044 bytes that neither soundfile ("),
        "nan": ("decode_error", "expected samples in [-1, 1], got 4000 NaN, infinite or beyond 1e+10 among the first"),
        "short": ("too_short", "expected at least 1024 samples (two hops), got 1000; remove the clip"),
        "flac": ("decode_error", "expected a whole file, but "),
        "dangling": ("missing_source", "expected a sound file, found none; correct the path"),
    }
    assert reasons.keys() == expected.keys()
    for clip_id, (code, start) in expected.items():
        assert reasons[clip_id][0] == code
        assert reasons[clip_id][1].startswith(start)
    assert validate(out, level="content").findings == ()
    assert "good\nline 🎤" in clip_ids(out)


def test_the_listing_for_people_holds_every_bad_file(museum, out):
    result = extract(museum, "--out", out, *CHEAP)
    assert (result.exit_code, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"{out}: 32 clips (audio 20); 12 stream(s) failed:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == sorted(
        ["awful", "bad", "cut", "dangling", "empty", "evil", "flac", "header", "nan", "no_samples", "short", "text"]
    )


def test_a_file_that_disappears_during_the_run_is_listed(recordings, tmp_path, out, monkeypatch):
    folder = shutil.copytree(recordings, tmp_path / "copy")
    extract_clip = __import__("mmfeat.extract_all").extract_all.extract_clip

    def extract_and_remove(entry, config, named):
        (folder / "two/a.flac").unlink(missing_ok=True)
        return extract_clip(entry, config, named)

    monkeypatch.setattr("mmfeat.extract_all.extract_clip", extract_and_remove)
    result = extract(folder, "--out", out, *CHEAP)
    assert (result.exit_code, result.stdout.splitlines()) == (
        1,
        [
            f"{out}: 4 clips (audio 3); 1 stream(s) failed:",
            f"  two/a: audio: {folder}/two/a.flac: expected a sound file, found none; correct the path",
        ],
    )
