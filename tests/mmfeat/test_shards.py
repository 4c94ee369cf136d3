"""The shards of a build, merged, have the content of one build of all clips."""

import pytest
import soundfile
from click.testing import CliRunner

from mmfeat import (
    ClipEntry,
    ConfigError,
    DatasetReader,
    InputError,
    Shard,
    Split,
    build_dataset,
    merge_datasets,
    resolve_build_config,
    validate,
)
from mmfeat.testing import tone, write_openface_csv
from mmfeat_cli.main import mmfeat as mmfeat_command

N_CLIP = 11
SETTINGS = ['audio.features=["zero_crossing_rate"]', 'openface.groups=["au"]']


@pytest.fixture(scope="module")
def config():
    return resolve_build_config(overrides=SETTINGS)


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    """Return clips of two recordings; faces, a label and a scheme come late, the first two clips have no sound."""
    folder = tmp_path_factory.mktemp("clips")
    made = []
    for index in range(N_CLIP):
        sound, faces = folder / f"{index}.wav", folder / f"{index}.csv"
        soundfile.write(sound, tone(100.0 + index, duration_s=0.3).samples[: 0 if index < 2 else None], 16_000)
        write_openface_csv(faces, n_frame=4 + index)
        made.append(
            ClipEntry(
                clip_id=f"clip {index}",
                recording_id=f"film {index // 6}",
                position=index % 6,
                audio=sound,
                openface=faces if index > 7 else None,
                text=f"Word {index}.",
                labels={"joy": index} if index > 4 else {},
                splits={"mine": Split.TRAIN if index < 7 else Split.TEST} if index > 2 else {},
            )
        )
    return made


@pytest.fixture(scope="module")
def whole(entries, config, tmp_path_factory):
    return build_dataset(entries, tmp_path_factory.mktemp("whole") / "whole.h5", config).path


def content(path):
    with DatasetReader(path) as reader:
        return reader.attributes["content_sha256"]


def build_shards(entries, config, folder, n_shard):
    paths = [folder / f"part-{number:02d}.h5" for number in range(1, n_shard + 1)]
    for number, path in enumerate(paths, start=1):
        build_dataset(entries, path, config, shard=Shard(number=number, n_shard=n_shard))
    return paths


@pytest.mark.parametrize("n_shard", [1, 2, 3, N_CLIP])
def test_merged_shards_have_the_content_of_one_build(entries, config, whole, tmp_path, n_shard):
    paths = build_shards(entries, config, tmp_path, n_shard)
    report = merge_datasets(paths, tmp_path / "merged.h5")
    assert content(report.path) == content(whole)
    assert report.notes == ()
    assert validate(report.path, level="content").ok


def test_a_recording_that_is_cut_between_shards_and_parts_is_noticed(entries, config, whole, tmp_path):
    halves = build_shards(entries, config, tmp_path, 2)  # film 1 begins at clip 6, the second half at clip 5
    with DatasetReader(halves[0]) as first, DatasetReader(merge_datasets(halves, tmp_path / "m.h5").path) as merged:
        assert first.recording_disjoint("mine")
        assert not merged.recording_disjoint("mine")
        assert merged.failures() == DatasetReader(whole).failures()


@pytest.mark.parametrize("n_item", [4, 5, 17, 1000])
def test_shards_are_neighbours_of_equal_size_and_have_every_clip_once(n_item):
    items = list(range(n_item))
    parts = [Shard(number=number, n_shard=4).of(items) for number in range(1, 5)]
    assert [item for part in parts for item in part] == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "a/4", "-1/4", "1/4/2", "1.5/4"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(ConfigError, match=r"shard: expected I/N"):
        Shard.parse(text)
    result = CliRunner().invoke(mmfeat_command, ["build", "clips.csv", "--out", "a.h5", "--shard", text])
    assert result.exit_code == 2


def test_more_shards_than_clips_are_refused(entries, config, tmp_path):
    with pytest.raises(InputError, match=r"shard 2/12: expected at most as many shards as clips, there are 11"):
        build_dataset(entries, tmp_path / "a.h5", config, shard=Shard(number=2, n_shard=12))
    assert list(tmp_path.iterdir()) == []


def test_a_shard_that_is_not_given_is_named(entries, config, tmp_path):
    paths = build_shards(entries, config, tmp_path, 4)
    given = [paths[0], paths[3]]
    with pytest.raises(
        InputError, match=r"of 4 shards of a build of 11 clips 2 are not given \(2/4, 3/4\); build them"
    ):
        merge_datasets(given, tmp_path / "merged.h5")
    assert merge_datasets(given, tmp_path / "merged.h5", allow_missing=True).n_clip == 5


def test_shards_in_another_order_are_noted(entries, config, whole, tmp_path):
    first, second, third = build_shards(entries, config, tmp_path, 3)
    report = merge_datasets([first, third, second], tmp_path / "merged.h5")
    (note,) = report.notes
    assert note.startswith("the shards of a build of 11 clips come in the order 1, 3, 2: so do the clips")
    assert content(report.path) != content(whole)


def test_an_interrupted_shard_is_continued(entries, config, tmp_path):
    def track(items, total, _description):
        assert total == 6
        for index, clip in enumerate(items):
            if index == 3:
                raise KeyboardInterrupt
            yield clip

    shard = Shard(number=2, n_shard=2)
    with pytest.raises(KeyboardInterrupt):
        build_dataset(entries, tmp_path / "part.h5", config, shard=shard, track=track)
    report = build_dataset(entries, tmp_path / "part.h5", config, shard=shard)
    assert (report.n_clip, report.n_continued) == (6, 3)
    with DatasetReader(report.path) as reader:
        assert reader.clip_ids == tuple(f"clip {index}" for index in range(5, 11))
        assert reader.events()[-1]["shard"] == {"number": 2, "n_shard": 2, "n_clip": 11}


@pytest.mark.parametrize("command", ["build", "extract-audio", "parse-openface", "extract-frames"])
def test_every_command_that_builds_offers_shards_and_a_cluster(command):
    shown = CliRunner().invoke(mmfeat_command, [command, "--help"]).output
    assert "--shard I/N" in shown
    assert "--scheduler ADDRESS" in shown


def test_a_command_builds_a_shard_of_a_folder(entries, tmp_path):
    folder = str(entries[0].openface.parent) if entries[0].openface else str(entries[0].audio.parent)
    command = ["parse-openface", folder, "--groups", "au", "--shard", "2/3", "--out", str(tmp_path / "a.h5")]
    result = CliRunner().invoke(mmfeat_command, command)
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'a.h5'}: 4 clips (vision 4)\n")
    plan = CliRunner().invoke(mmfeat_command, ["extract-audio", folder, "--shard", "1/3", "--out", "b.h5", "--dry-run"])
    assert plan.stdout.startswith("clips    3, 3 with sound")
