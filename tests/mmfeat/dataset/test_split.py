"""Split schemes: complete, disjoint, the same for the same seed, and written so that no kill breaks the file."""

import random
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from mmfeat import (
    ClipEntry,
    ConfigError,
    DatasetReader,
    InputError,
    OutputExistsError,
    SchemaError,
    Split,
    SplitConfig,
    split_dataset,
)

from .conftest import sound


def parts_of(path, scheme):
    with DatasetReader(path) as reader:
        return reader.parts(scheme)


@pytest.fixture
def corpus(make):
    """Return a file of 120 clips of 20 recordings of 5 speakers."""
    entries = [
        ClipEntry(
            clip_id=f"clip {index}",
            recording_id=f"film {index // 6}",
            speaker_id=f"speaker {index // 6 % 5}",
            labels={"joy": float(index % 3)},
        )
        for index in range(120)
    ]
    return make("corpus.h5", entries, schemes=[])


def column(path, name):
    with h5py.File(path) as file:
        return file[f"/clips/{name}"].asstr()[:]


@pytest.mark.parametrize(
    ("by", "recordings", "speakers"), [("recording", True, False), ("speaker", True, True), ("clip", False, False)]
)
def test_whole_groups_go_to_a_part_and_the_report_says_what_is_disjoint(corpus, by, recordings, speakers):
    config = SplitConfig(by=by, fractions=(0.6, 0.2, 0.2), seed=1)
    (scheme,) = split_dataset(corpus, "mine", config).schemes
    assert (scheme["recording_disjoint"], scheme["speaker_disjoint"]) == (recordings, speakers)
    assert (scheme["train"], scheme["valid"], scheme["test"], scheme["none"]) == (72, 24, 24, 0)
    with DatasetReader(sound(corpus)) as reader:
        assert reader.recording_disjoint("mine") is recordings
    if by != "clip":
        pairs = set(zip(column(corpus, f"{by}_id"), parts_of(corpus, "mine"), strict=True))
        assert len(pairs) == len({group for group, _ in pairs})


def test_seeds_reproduce_and_differ(corpus, tmp_path, content):
    for name, seed in {"a": 0, "b": 0, "c": 1}.items():
        split_dataset(corpus, "mine", SplitConfig(seed=seed), output=tmp_path / f"{name}.h5")
    assert content(tmp_path / "a.h5") == content(tmp_path / "b.h5") != content(tmp_path / "c.h5")


def test_a_stratified_split_has_the_share_of_each_value_in_each_part(corpus):
    split_dataset(corpus, "mine", SplitConfig(by="clip", fractions=(0.5, 0.2, 0.3), stratify="joy"))
    with DatasetReader(corpus) as reader:
        labels, parts = reader.labels("joy").values, reader.parts("mine")
    assert [np.bincount(labels[parts == part].astype(int)).tolist() for part in (0, 1, 2)] == [
        [20] * 3,
        [8] * 3,
        [12] * 3,
    ]


@pytest.mark.parametrize("by", ["recording", "clip"])
def test_folds_are_disjoint_and_complete(corpus, by):
    report = split_dataset(corpus, "folds", SplitConfig(k_fold=5, by=by, valid_fraction=0.25))
    names = [scheme["name"] for scheme in report.schemes]
    assert names == [f"folds-{fold}" for fold in range(5)]
    schemes = np.stack([parts_of(sound(corpus), name) for name in names])
    assert ((schemes == Split.TEST).sum(axis=0) == 1).all()
    assert ((schemes == Split.TEST).sum(axis=1) == 24).all()
    assert ((schemes == Split.VALID).sum(axis=1) == 24).all()
    assert ((schemes == Split.TRAIN).sum(axis=1) == 72).all()
    assert all(scheme["recording_disjoint"] == (by == "recording") for scheme in report.schemes)


def test_folds_without_a_validation_part(corpus):
    report = split_dataset(corpus, "folds", SplitConfig(k_fold=2, valid_fraction=0))
    assert [(scheme["train"], scheme["valid"], scheme["test"]) for scheme in report.schemes] == [(60, 0, 60)] * 2


def test_each_speaker_is_left_out_once(corpus):
    report = split_dataset(corpus, "loso", SplitConfig(leave_one_speaker_out=True, valid_fraction=0.25))
    speakers = column(sound(corpus), "speaker_id")
    left_out = []
    for scheme in report.schemes:
        parts = parts_of(corpus, scheme["name"])
        (speaker,) = set(speakers[parts == Split.TEST])
        assert (parts[speakers == speaker] == Split.TEST).all()
        assert scheme["speaker_disjoint"] is True
        assert scheme["source"].startswith(f"speaker {speaker!r} left out")
        assert (scheme["valid"], scheme["train"]) == (24, 72)
        left_out.append(speaker)
    assert left_out == sorted(set(speakers))


def test_the_source_is_stored_and_the_event_says_everything(corpus, content):
    before = content(corpus)
    split_dataset(corpus, "folds", SplitConfig(k_fold=3, seed=7), origin={"command": ["mmfeat"]})
    with h5py.File(corpus) as file:
        assert file["/splits/folds-1"].attrs["source"] == "fold 1 of 3, valid 0.1 by recording, seed 7"
    with DatasetReader(corpus) as reader:
        first, event = reader.events()
    assert (first["action"], event["action"], event["scheme"], event["command"]) == (
        "write",
        "split",
        "folds",
        ["mmfeat"],
    )
    assert (event["config"]["k_fold"], event["config"]["seed"]) == (3, 7)
    assert event["inputs"] == [{"name": "corpus.h5", "content_sha256": before, "n_clip": 120}]
    assert content(corpus) != before


# From a table


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["clip_id,split", "clip 0,train", "clip 7,TEST", '"clip 8",valid'], {0: 0, 7: 2, 8: 1}),
        (["split,recording_id,note", "test,film 1,x", "test,film 1,y"], dict.fromkeys(range(6, 12), 2)),
        (["speaker_id,split", "speaker 3,valid"], {index: 1 for index in range(120) if index // 6 % 5 == 3}),
    ],
)
def test_a_table_names_parts_and_the_rest_has_none(corpus, tmp_path, rows, expected):
    report = split_dataset(corpus, "given", SplitConfig(table=write(tmp_path / "t.csv", *rows)))
    parts = parts_of(sound(corpus), "given")
    assert {index: int(part) for index, part in enumerate(parts) if part != Split.NONE} == expected
    assert report.schemes[0]["none"] == 120 - len(expected)
    assert report.schemes[0]["source"] == "table t.csv"


def test_every_fault_of_a_table_is_told(corpus, tmp_path):
    rows = ["clip_id,split", "clip 0,train", "clip 0,test", "nobody,test", "clip 1,dev"]
    table = write(tmp_path / "t.csv", *rows)
    with pytest.raises(InputError) as refused:
        split_dataset(corpus, "given", SplitConfig(table=table))
    assert str(refused.value).splitlines() == [
        f"{corpus}: {table}: the table does not fit the clips:",
        "  line 3: clip_id 'clip 0' stands there with another part before",
        "  line 4: unknown clip_id 'nobody'",
        "  line 5: expected train, valid, test or none, got 'dev'",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,split\n", "expected the column split and one of clip_id, recording_id, speaker_id, got id, split"),
        (b"", "expected the column split .* got nothing"),
        (b"clip_id,split\n\xff,train\n", "expected a table .csv in utf-8."),
        (None, "expected a table .csv., cannot read it: No such file"),
    ],
)
def test_a_table_that_is_none_is_refused(corpus, tmp_path, content, message):
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        split_dataset(corpus, "given", SplitConfig(table=tmp_path / "t.csv"))


# What cannot be done


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"k_fold": 21}, "corpus.h5: expected at least 21 recordings for 21 parts, got 20"),
        ({"by": "speaker", "k_fold": 6}, "expected at least 6 speakers for 6 parts, got 5"),
        ({"stratify": "anger"}, "no label 'anger' to stratify by; known: joy"),
        ({"k_fold": 2, "by": "speaker", "valid_fraction": 0.5}, None),
    ],
)
def test_a_request_that_cannot_be_met_is_one_sentence(corpus, config, message, content):
    before = content(corpus)
    if message is None:
        split_dataset(corpus, "mine", SplitConfig(**config))
        return
    with pytest.raises(InputError, match=message):
        split_dataset(corpus, "mine", SplitConfig(**config))
    assert content(corpus) == before


def test_unknown_speakers_and_too_few_are_refused(make):
    nobody = make("a.h5", [ClipEntry(clip_id="x", speaker_id="ada"), ClipEntry(clip_id="y")])
    with pytest.raises(InputError, match="expected a speaker for every clip, 1 have none; add the column speaker_id"):
        split_dataset(nobody, "loso", SplitConfig(leave_one_speaker_out=True))
    two = make("b.h5", [ClipEntry(clip_id=name, speaker_id=name) for name in "xy"])
    with pytest.raises(InputError, match="expected at least 2 groups beside each test part, to take valid from"):
        split_dataset(two, "loso", SplitConfig(leave_one_speaker_out=True))
    assert len(split_dataset(two, "loso", SplitConfig(leave_one_speaker_out=True, valid_fraction=0)).schemes) == 2
    one = make("c.h5", [ClipEntry(clip_id=name, speaker_id="ada") for name in "xy"])
    with pytest.raises(InputError, match="expected at least 2 speakers to leave one out, got 1"):
        split_dataset(one, "loso", SplitConfig(leave_one_speaker_out=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k_fold": 1}, "k_fold must be at least 2, got 1"),
        ({"fractions": (0.5, 0.5, 0.5)}, "fractions must be three numbers from 0 that sum up to 1"),
        ({"fractions": (1.2, -0.2, 0.0)}, "fractions must be three numbers"),
        ({"valid_fraction": 1.0}, "valid_fraction must be from 0 to below 1"),
        ({"k_fold": 3, "leave_one_speaker_out": True}, "exclude each other; choose one"),
        ({"by": "film", "seed": -1}, "by must be one of recording, speaker, clip, got 'film'; seed must be at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_all_at_once(settings, message):
    with pytest.raises(ConfigError, match=message):
        SplitConfig(**settings)


def test_a_known_scheme_is_replaced_only_on_request(corpus):
    split_dataset(corpus, "mine", SplitConfig(seed=0))
    with pytest.raises(
        InputError, match="expected new split schemes, mine exist; choose another name or pass --overwrite"
    ):
        split_dataset(corpus, "mine", SplitConfig(seed=1))
    first = parts_of(corpus, "mine")
    split_dataset(corpus, "mine", SplitConfig(seed=1), overwrite=True)
    assert first.tolist() != parts_of(sound(corpus), "mine").tolist()


@pytest.mark.parametrize("name", ["", "a/b", "..", "a\0"])
def test_a_name_that_hdf5_cannot_have_is_refused(corpus, name):
    with pytest.raises(InputError, match="expected a name without '/'; choose another one"):
        split_dataset(corpus, name)


def test_a_damaged_file_does_not_get_a_hash_that_calls_it_sound(corpus):
    with h5py.File(corpus, "r+") as file:
        file["/streams/signal/values"][3, 1] += 1
    with pytest.raises(SchemaError, match="expected the content of its hash"):
        split_dataset(corpus, "mine")


# How it is written


def test_another_file_is_written_on_request_and_the_first_stays(corpus, tmp_path, content):
    before, out = corpus.read_bytes(), tmp_path / "new" / "out.h5"
    report = split_dataset(corpus, "mine", output=out)
    assert (report.path, corpus.read_bytes()) == (out, before)
    with pytest.raises(OutputExistsError):
        split_dataset(corpus, "mine", output=out)
    split_dataset(corpus, "mine", output=out, overwrite=True)
    assert parts_of(sound(out), "mine").size == 120


def test_the_file_grows_by_its_scheme_and_event_alone(corpus):
    before = corpus.stat().st_size
    split_dataset(corpus, "mine")
    assert corpus.stat().st_size < before + 20_000


def test_everything_else_in_the_file_stays(corpus, tmp_path):
    kept = shutil.copy(corpus, tmp_path / "kept.h5")
    split_dataset(corpus, "mine")
    with h5py.File(kept) as old, h5py.File(corpus) as new:

        def compare(name, item):
            if isinstance(item, h5py.Dataset) and not name.startswith("provenance"):
                assert np.array_equal(item[:], new[name][:], equal_nan=item.dtype.kind == "f")

        old.visititems(compare)
        assert new["/streams/signal/values"].chunks is None


def test_a_link_stays_a_link_and_its_file_is_changed(corpus, tmp_path):
    link = tmp_path / "link.h5"
    link.symlink_to(corpus)
    split_dataset(link, "mine")
    assert link.is_symlink()
    assert parts_of(corpus, "mine").size == 120


def test_a_reader_that_has_the_file_open_keeps_the_old_one(corpus):
    with DatasetReader(corpus) as reader:
        expected = reader.read("signal", 1).values
        split_dataset(corpus, "mine")
        assert reader.scheme_names == ()
        assert np.array_equal(reader.read("signal", 1).values, expected)


PROGRAM = """
import sys, time
from mmfeat import SplitConfig, split_dataset

def slowly(items, total, description):
    for item in items:
        time.sleep(0.01)
        yield item

print("begun", flush=True)
split_dataset(sys.argv[1], "mine", SplitConfig(seed=int(sys.argv[2])), overwrite=True, track=slowly)
"""


def test_a_killed_split_leaves_the_old_file_or_the_new_one(corpus, tmp_path, content):
    rng, known = random.Random(0), {content(corpus)}
    for seed in range(3):
        split_dataset(corpus, "mine", SplitConfig(seed=seed), output=tmp_path / "out.h5", overwrite=True)
        known.add(content(tmp_path / "out.h5"))
    for attempt in range(6):
        command = [sys.executable, "-c", PROGRAM, corpus, str(attempt % 3)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0.1, 1.2))
            process.send_signal(signal.SIGKILL)
        assert content(sound(corpus)) in known
    split_dataset(corpus, "mine", overwrite=True)
    assert sorted(path.name for path in corpus.parent.iterdir()) == ["corpus.h5", "out.h5"]
