"""One clip over time: what stands on the figure, where its sound is found, and what is refused."""

import re
import sys
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import soundfile
from html_pages import texts

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    ClipView,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    FrameFeatures,
    InputError,
    LabelInfo,
    MissingExtraError,
    OutputExistsError,
    Split,
    StreamInfo,
    Words,
    build_dataset,
    clip_svg,
    read_manifest,
    resolve_build_config,
    view_clip,
    write_clip_plot,
)
from mmfeat.testing import tone, write_example_dataset, write_example_manifest


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A dataset of four tones of half a second, beside their sounds."""
    folder = tmp_path_factory.mktemp("built")
    manifest = write_example_manifest(folder)
    build_dataset(read_manifest(manifest), folder / "clips.h5", resolve_build_config())
    return folder / "clips.h5"


def view_of(path, clip_id="clip_0", **choices):
    with DatasetReader(path) as reader:
        return view_clip(reader, clip_id, **choices)


def written(view, **choices):
    return set(texts(ElementTree.fromstring(clip_svg(view, **choices))))


def test_a_clip_with_everything_has_a_panel_for_each(built):
    view = view_of(built, media=built.parent)

    assert {"sound", "log-F0", "MFCC", "chroma", "action units", "valid", "seconds", "dB", "sd"} <= written(view)
    assert {"audio", "audio, voiced", "vision"} <= written(view)
    assert view.facts == ("sentiment -3", "train part")


def test_without_the_sound_there_is_no_waveform_and_no_spectrogram(built):
    shown = written(view_of(built))

    assert "sound" not in shown
    assert "dB" not in shown
    assert "log-F0" in shown


def test_kinds_and_lines_choose_the_panels(built):
    view = view_of(built)
    curve = (np.array([0.0, 0.1]), np.array([0.5, 0.6]))
    shown = written(view, kinds=("pitch",), lines={"attention": {"audio": curve}})

    assert {"log-F0", "attention", "audio"} <= shown
    assert shown.isdisjoint({"MFCC", "chroma", "valid"})


def test_a_stream_that_is_missing_says_why(tmp_path):
    path = write_example_dataset(tmp_path / "example.h5")
    notes = write_clip_plot(path, "clip_01", tmp_path / "clip.png")

    assert notes == ("no vision: no face",)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_clip_gives_the_same_bytes_and_nothing_else_is_left(built, tmp_path, suffix):
    for name in ("one", "two"):
        write_clip_plot(built, "clip_1", tmp_path / f"{name}.{suffix}", media=built.parent)

    one, two = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"one.{suffix}", f"two.{suffix}"]


def test_a_png_is_a_picture_of_many_colours(built, tmp_path):
    write_clip_plot(built, "clip_2", tmp_path / "clip.png", media=built.parent)

    image = cv2.imread(str(tmp_path / "clip.png"))
    assert image.shape[1] == 1440  # 7.2 inches of 200 points
    assert len(np.unique(image[::4, ::4].reshape(-1, 3), axis=0)) > 300


def test_names_texts_and_words_are_never_taken_for_formulas(built):
    view = view_of(built)
    odd = ClipView(clip_id="$x_1$", text="a $10 bill", streams=view.streams, words=(("$5", 0.0, 0.2), ("好", 0.2, 0.4)))

    assert any("$5" in text for text in written(odd))


# Where the sound is


def test_the_sound_is_found_by_the_clip_or_by_its_source(built, tmp_path):
    assert view_of(built, media=built.parent / "0.wav").sound.duration_s == pytest.approx(0.5)
    soundfile.write(tmp_path / "clip_0.flac", tone(100.0, duration_s=0.4).samples, 16_000)
    assert view_of(built, media=tmp_path).sound.duration_s == pytest.approx(0.4)
    assert view_of(built, "clip_1", media=tmp_path).sound is None


def test_another_file_under_the_name_of_the_source_is_told(built, tmp_path):
    soundfile.write(tmp_path / "0.wav", tone(100.0, duration_s=0.5).samples, 16_000)

    notes = write_clip_plot(built, "clip_0", tmp_path / "clip.png", media=tmp_path)
    assert notes == (f"{tmp_path / '0.wav'}: is not the file that the features were made of (another SHA-256)",)
    assert write_clip_plot(built, "clip_1", tmp_path / "b.png", media=tmp_path) == (
        f"no sound of 'clip_1' in {tmp_path}",
    )


def write_parts(path, *, starts_s):
    """Write clips of one second that lie in one recording, with words on its clock."""
    info = StreamInfo(
        name="faces", feature_names=("AU12_r",), feature_units=("1",), extractor="made", extractor_version="1",
        preset="p", config={}, hop_s=0.1,
    )  # fmt: skip
    with DatasetWriter(
        path,
        info=DatasetInfo(name="parts"),
        streams=[info],
        labels=[LabelInfo(name="mood")],
        schemes=["a"],
        words={},
    ) as writer:
        for index, start_s in enumerate(starts_s):
            known = 0.0 if np.isnan(start_s) else start_s
            writer.write(
                ClipFeatures(
                    entry=ClipEntry(
                        clip_id=f"talk_{index}", recording_id="talk", speaker_id="ada", splits={"a": Split.TEST},
                        audio=path.parent / "talk.wav", start_s=start_s, end_s=start_s + 1.0,
                    ),
                    streams={
                        "faces": FrameFeatures(
                            values=np.ones((10, 1), dtype=np.float32), times_s=np.arange(10) / 10, names=("AU12_r",),
                            units=("1",), valid=np.ones(10, dtype=bool), hop_s=0.1,
                        )
                    },
                    words=Words(tokens=("hello",), intervals_s=np.array([[known + 0.25, known + 0.5]])),
                    duration_s=1.0,
                )
            )  # fmt: skip
    return path


def test_a_clip_is_cut_out_of_the_sound_of_its_recording(tmp_path):
    path = write_parts(tmp_path / "parts.h5", starts_s=[0.0, 2.0])
    loud = np.repeat([0.1, 0.2, 0.3, 0.4], 8_000).astype(np.float32)
    soundfile.write(tmp_path / "talk.wav", loud, 8_000, subtype="FLOAT")

    second = view_of(path, "talk_1", media=tmp_path)
    assert second.sound.samples.tolist() == pytest.approx([0.3] * 8_000)
    assert second.words == (("hello", 0.25, 0.5),)
    assert second.facts == ("test part of a", "speaker ada")
    assert second.notes == ()
    assert second.end_s == pytest.approx(1.0)


def test_a_sound_that_is_longer_than_a_clip_of_unknown_place_is_told(tmp_path):
    path = write_parts(tmp_path / "parts.h5", starts_s=[np.nan])
    soundfile.write(tmp_path / "talk.wav", np.zeros(16_000, dtype=np.float32), 8_000)

    view = view_of(path, "talk_0", media=tmp_path)
    assert view.notes == (f"{tmp_path / 'talk.wav'}: lasts 2.00 s, the clip 1.00 s; both are shown from 0",)


# What else a stream may hold


def write_stream(path, names, values, **info):
    """Write one clip with one stream of these values."""
    values = np.asarray(values, dtype=np.float32)
    stream = StreamInfo(
        name="other", feature_names=names, feature_units=("1",) * len(names), extractor="made", extractor_version="1",
        preset="p", config={}, **info,
    )  # fmt: skip
    frames = FrameFeatures(
        values=values, times_s=np.arange(len(values)) * 0.1, names=names, units=("1",) * len(names),
        valid=np.ones(len(values), dtype=bool), hop_s=info.get("hop_s"),
    )  # fmt: skip
    with DatasetWriter(path, info=DatasetInfo(name="one"), streams=[stream], labels=[], schemes=[]) as writer:
        writer.write(ClipFeatures(entry=ClipEntry(clip_id="a"), streams={"other": frames}))
    return path


@pytest.mark.parametrize("names", [("x", "y"), ("log_mel_0", "log_mel_1")])
def test_columns_of_other_tools_are_drawn_as_a_picture(tmp_path, names):
    path = write_stream(tmp_path / "one.h5", names, np.random.default_rng(0).normal(size=(20, 2)), hop_s=0.1)

    shown = written(view_of(path, "a"))
    assert ({"x", "y", "other"} if names[0] == "x" else {"log-mel", "0"}) <= shown


def test_one_frame_is_enough_to_draw(tmp_path):
    path = write_stream(tmp_path / "one.h5", ("AU01_r", "AU02_r"), [[1.0, 2.0]], hop_s=0.1)

    assert "AU01" in written(view_of(path, "a"))


def test_frames_without_known_times_are_not_drawn(tmp_path):
    path = write_stream(tmp_path / "one.h5", ("x", "y"), [[1.0, 2.0]], clock="unknown")

    assert view_of(path, "a").missing == {"other": "its frames have no known times"}
    message = r"clip 'a': expected features, words or sound to draw, got none \(other: its frames have no known times\)"
    with pytest.raises(InputError, match=message):
        write_clip_plot(path, "a", tmp_path / "a.png")
    assert [file.name for file in tmp_path.iterdir()] == ["one.h5"]


# What is refused


def test_a_clip_that_is_not_there_is_one_sentence_with_some_that_are(built, tmp_path):
    message = "expected a clip to show, got 'nobody', which is not in it; its clips are clip_0, clip_1, clip_2, …"
    with pytest.raises(InputError, match=re.escape(message)):
        write_clip_plot(built, "nobody", tmp_path / "clip.png")


def test_outputs_and_folders_that_cannot_be_used_are_refused(built, tmp_path):
    with pytest.raises(InputError, match=r"clip\.jpg: expected a picture ending in \.png, \.svg, \.pdf; rename it"):
        write_clip_plot(built, "clip_0", tmp_path / "clip.jpg")
    with pytest.raises(InputError, match="found none; make it"):
        write_clip_plot(built, "clip_0", tmp_path / "nowhere" / "clip.png")
    with pytest.raises(InputError, match="expected a sound file or a folder with sound files, found none"):
        write_clip_plot(built, "clip_0", tmp_path / "clip.png", media=tmp_path / "nowhere")
    (tmp_path / "clip.png").write_text("mine")
    with pytest.raises(OutputExistsError):
        write_clip_plot(built, "clip_0", tmp_path / "clip.png")
    assert (tmp_path / "clip.png").read_text() == "mine"
    write_clip_plot(built, "clip_0", tmp_path / "clip.png", overwrite=True)
    assert (tmp_path / "clip.png").read_bytes()[:4] == b"\x89PNG"


def test_without_matplotlib_one_sentence_says_what_to_install(built, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    message = r"^a figure needs the package 'matplotlib', which is not installed; pip install 'mmfeat\[report\]'$"
    with pytest.raises(MissingExtraError, match=message):
        write_clip_plot(built, "clip_0", tmp_path / "clip.png")
    assert list(tmp_path.iterdir()) == []
