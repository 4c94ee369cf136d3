"""What failed in a finished file is tried again, and the rest is kept."""

import pytest
import soundfile
from click.testing import CliRunner

import mmfeat.extract_all
from mmfeat import (
    BuildConfig,
    ClipEntry,
    DatasetReader,
    FrameConfig,
    InputError,
    SplitConfig,
    build_dataset,
    resolve_build_config,
    split_dataset,
    validate,
)
from mmfeat.testing import tone, write_example_video, write_openface_csv
from mmfeat_cli.main import mmfeat as mmfeat_command

SETTINGS = ["--set", 'audio.features=["zero_crossing_rate"]']


@pytest.fixture(scope="module")
def config():
    return resolve_build_config(overrides=[SETTINGS[1], "openface.groups=['au']"])


@pytest.fixture
def entries(tmp_path):
    """Return five clips: the second has no sound, the fourth no faces."""
    folder = tmp_path / "clips"
    folder.mkdir()
    made = []
    for index in range(5):
        sound, faces = folder / f"{index}.wav", folder / f"{index}.csv"
        soundfile.write(sound, tone(100.0 + index, duration_s=0.3).samples[: 0 if index == 1 else None], 16_000)
        write_openface_csv(faces, n_frame=4 + index)
        if index == 3:
            faces.unlink()
        made.append(ClipEntry(clip_id=f"clip {index}", audio=sound, openface=faces, labels={"joy": index}))
    return made


@pytest.fixture
def out(tmp_path):
    return tmp_path / "a.h5"


def repair(entries):
    soundfile.write(entries[1].audio, tone(101.0, duration_s=0.3).samples, 16_000)
    write_openface_csv(entries[3].openface, n_frame=7)


def content(path):
    with DatasetReader(path) as reader:
        return reader.attributes["content_sha256"]


def test_failed_clips_are_read_again_and_the_rest_is_kept(entries, config, out, monkeypatch):
    assert len(build_dataset(entries, out, config).failures) == 2
    repair(entries)
    extracted, extract_clip = [], mmfeat.extract_all.extract_clip
    monkeypatch.setattr(
        "mmfeat.extract_all.extract_clip", lambda entry, *rest: extracted.append(entry) or extract_clip(entry, *rest)
    )
    report = build_dataset(entries, out, config, retry_failed=True)
    assert extracted == [entries[1], entries[3]]
    assert (report.failures, report.n_kept, report.n_ok) == ((), 3, {"audio": 5, "vision": 5})
    assert report.summary() == f"{out}: 5 clips (audio 5, vision 5), 3 of them kept"
    build_dataset(entries, out.with_name("fresh.h5"), config)
    assert content(out) == content(out.with_name("fresh.h5"))
    assert validate(out, level="content").ok
    with DatasetReader(out) as reader:
        assert [event["action"] for event in reader.events()] == ["build", "build"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["a.h5", "clips", "fresh.h5"]


def test_what_fails_again_stays_a_failure(entries, config, out):
    build_dataset(entries, out, config)
    before = content(out)
    assert len(build_dataset(entries, out, config, retry_failed=True).failures) == 2
    assert content(out) == before


def test_without_a_file_everything_is_built(entries, config, out):
    report = build_dataset(entries, out, config, retry_failed=True)
    assert (report.n_kept, report.n_clip) == (0, 5)


def test_new_clips_are_built_as_well(entries, config, out):
    build_dataset(entries[:4], out, config)
    repair(entries)
    assert build_dataset(entries, out, config, retry_failed=True).n_kept == 2
    build_dataset(entries, out.with_name("fresh.h5"), config)
    assert content(out) == content(out.with_name("fresh.h5"))


def test_other_settings_are_refused_and_the_file_stays(entries, config, out):
    build_dataset(entries, out, config)
    before = content(out)
    other = BuildConfig(audio=config.audio)
    with pytest.raises(
        InputError,
        match=r'a.h5: expected the settings and versions it was built with, got others: vision.groups was \["au"\]',
    ):
        build_dataset(entries, out, other, retry_failed=True)
    assert content(out) == before
    assert sorted(path.name for path in out.parent.iterdir()) == ["a.h5", "clips"]


def test_a_clip_that_would_be_lost_is_named(entries, config, out):
    build_dataset(entries, out, config)
    with pytest.raises(InputError, match=r"expected all of its clips to be built again, 1 are missing, first 'clip 4'"):
        build_dataset(entries[:4], out, config, retry_failed=True)


def test_a_retry_that_is_interrupted_goes_on(entries, config, out):
    build_dataset(entries, out, config)
    repair(entries)

    def track(items, _total, _description):
        for index, clip in enumerate(items):
            if index == 3:
                raise KeyboardInterrupt
            yield clip

    before = content(out)
    with pytest.raises(KeyboardInterrupt):
        build_dataset(entries, out, config, retry_failed=True, track=track)
    assert content(out) == before
    report = build_dataset(entries, out, config, retry_failed=True)
    assert (report.n_continued, report.failures) == (3, ())
    build_dataset(entries, out.with_name("fresh.h5"), config)
    assert content(out) == content(out.with_name("fresh.h5"))


def test_frames_are_kept_as_they_are(tmp_path):
    videos = [tmp_path / f"{index}.mp4" for index in range(2)]
    write_example_video(videos[0])
    videos[1].touch()
    clips = [ClipEntry(clip_id=path.stem, video=path) for path in videos]
    config = BuildConfig(frames=FrameConfig(size=32), streams=("frames",))
    build_dataset(clips, tmp_path / "a.h5", config)
    write_example_video(videos[1], n_frame=9)
    assert build_dataset(clips, tmp_path / "a.h5", config, retry_failed=True).n_kept == 1
    build_dataset(clips, tmp_path / "fresh.h5", config)
    assert content(tmp_path / "a.h5") == content(tmp_path / "fresh.h5")


@pytest.mark.parametrize("command", ["build", "extract-audio", "parse-openface", "extract-frames"])
def test_every_command_that_builds_offers_it(command):
    shown = CliRunner().invoke(mmfeat_command, [command, "--help"]).output
    assert "--retry-failed" in shown


def test_the_command_retries(entries, out):
    folder = entries[0].audio.parent
    arguments = ["extract-audio", str(folder), "--out", str(out), "--set", 'features=["zero_crossing_rate"]']
    assert CliRunner().invoke(mmfeat_command, arguments).exit_code == 1
    repair(entries)
    again = CliRunner().invoke(mmfeat_command, [*arguments, "--retry-failed"])
    assert (again.exit_code, again.stdout) == (0, f"{out}: 5 clips (audio 5), 4 of them kept\n")
    both = CliRunner().invoke(mmfeat_command, [*arguments, "--retry-failed", "--overwrite"])
    assert both.exit_code == 2


def test_a_split_that_was_added_later_is_not_lost(entries, config, out):
    build_dataset(entries, out, config)
    split_dataset(out, "later", SplitConfig(fractions=(0.6, 0.2, 0.2)))
    with pytest.raises(InputError, match=r"got split scheme 'later', which would be lost; put them into the manifest"):
        build_dataset(entries, out, config, retry_failed=True)
    with DatasetReader(out) as reader:
        assert reader.scheme_names == ("later",)
