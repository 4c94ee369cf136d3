"""The right frames at the right times, however the container stores them; every frame shows its own number."""

import platform
import subprocess
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from mmfeat import ConfigError, FrameConfig, read_frames
from mmfeat.images import encode_image
from mmfeat.testing import numbered_image, shown_number, write_example_video
from mmfeat.vision import decode, frame_stream_info, picture
from mmfeat.vision.sampling import centres

HAS_H264 = "libx264" in av.codecs_available
needs_h264 = pytest.mark.skipif(not HAS_H264, reason="this FFmpeg has no H.264 encoder")
LONG_GOP = {"g": "60", "bf": "3"}
CONTAINERS = [
    ("mpeg4", "mp4", {}),
    ("mpeg4", "mkv", LONG_GOP),
    ("mpeg4", "avi", {}),
    ("mpeg4", "avi", {"bf": "2"}),
    ("mpeg2video", "mpg", {"bf": "2"}),
    ("wmv2", "wmv", {}),
    ("ffv1", "mkv", {}),
    ("libvpx-vp9", "webm", {"deadline": "realtime"}),
    ("libx264", "mp4", LONG_GOP),
    ("libx264", "mov", {"x264-params": "open-gop=1:keyint=20:bframes=3:b-pyramid=strict"}),
    ("libx264", "ts", LONG_GOP),
    ("libx264", "avi", LONG_GOP),
    ("libx264", "h264", LONG_GOP),
]


def numbers(frames):
    return [shown_number(image) for image in frames.decode()]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_example_video(tmp_path_factory.mktemp("video") / "a.mp4", n_frame=75)


# Which frames


@pytest.mark.parametrize(
    ("codec", "suffix", "options"), CONTAINERS, ids=[f"{c}-{s}-{i}" for i, (c, s, _) in enumerate(CONTAINERS)]
)
def test_eight_frames_lie_at_the_centres_of_eight_parts(tmp_path, codec, suffix, options):
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no encoder {codec}")
    path = write_example_video(tmp_path / f"a.{suffix}", n_frame=150, codec=codec, codec_options=options)
    frames = read_frames(path, FrameConfig(size=64))
    expected = centres(np.arange(150) / 25, 6.0, 8)
    assert numbers(frames) == expected.tolist()
    assert np.abs(frames.times_s - frames.times_s[0] - (expected - expected[0]) / 25).max() <= 0.001  # mkv: whole ms
    assert frames.valid.all()


def test_times_count_from_the_start_of_the_clip(video):
    frames = read_frames(video, FrameConfig(fps=25.0, size=64))
    assert frames.times_s == pytest.approx(np.arange(75) / 25, abs=1e-9)
    assert numbers(frames) == list(range(75))


def test_a_rate_takes_the_nearest_frames(video):
    frames = read_frames(video, FrameConfig(fps=4.0, size=64))
    assert numbers(frames) == [0, 6, 12, 19, 25, 31, 37, 44, 50, 56, 62, 69]


@pytest.mark.parametrize("n_frame", [1, 2, 7, 8])
def test_a_short_clip_gives_every_frame_once(tmp_path, n_frame):
    frames = read_frames(write_example_video(tmp_path / "a.mp4", n_frame=n_frame), FrameConfig(n_frames=8, size=64))
    assert numbers(frames) == list(range(n_frame))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_of_a_variable_frame_rate_the_frame_that_is_shown_counts(tmp_path, suffix):
    milliseconds = [*range(0, 1000, 20), *range(1000, 5000, 400), *range(5000, 6000, 40)]
    path = write_example_video(tmp_path / f"a.{suffix}", n_frame=len(milliseconds), milliseconds=milliseconds)
    frames = read_frames(path, FrameConfig(n_frames=6, size=64))
    assert frames.times_s == pytest.approx([0.5, 1.4, 2.2, 3.4, 4.2, 5.48], abs=0.02)  # the last frame's end is a guess
    assert numbers(frames) == [milliseconds.index(round(1000 * time_s)) for time_s in frames.times_s]


def test_frames_keep_their_distance_to_the_sound(tmp_path):
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), dtype=np.int16), format="s16", layout="mono")
        samples.sample_rate, samples.pts = 16_000, 0
        container.mux(sound.encode(samples))
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(numbered_image(number, (64, 64)), format="rgb24")
            frame.pts, frame.time_base = number + 20, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    frames = read_frames(path, FrameConfig(fps=25.0, size=64))
    assert frames.times_s == pytest.approx(0.8 + np.arange(10) / 25, abs=0.001)
    assert numbers(frames) == list(range(10))


# Jumping


@needs_h264
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    "options",
    [
        {"g": "30", "bf": "0"},
        {"g": "250", "bf": "3", "x264-params": "b-pyramid=normal:bframes=8"},
        {"x264-params": "open-gop=1:keyint=30:bframes=4"},
        {"x264-params": "intra-refresh=1:keyint=30"},
    ],
)
def test_jumping_gives_what_decoding_in_order_gives(tmp_path, monkeypatch, suffix, options):
    path = write_example_video(tmp_path / f"a.{suffix}", n_frame=600, codec="libx264", codec_options=options)
    config = FrameConfig(n_frames=5, size=64)
    n_jump, jump = [], decode._Position.jump
    monkeypatch.setattr(decode._Position, "jump", lambda self, packet: n_jump.append(packet) or jump(self, packet))
    jumped = read_frames(path, config)
    monkeypatch.setattr(decode, "_SEEK_COST", 10**9)
    n_jumped = len(n_jump)
    in_order = read_frames(path, config)
    assert len(n_jump) == n_jumped
    assert jumped.jpegs == in_order.jpegs
    assert numbers(jumped) == [60, 180, 300, 420, 540]
    if "g" in options:
        assert n_jumped > 0
    with av.open(str(path)) as container:
        every = [picture.upright(frame, 1.0).image for frame in container.decode(video=0)]
    assert list(jumped.jpegs) == [encode_image(every[number]) for number in numbers(jumped)]


SKIPPING = [
    ("mpeg2video", "mpg", {"bf": "2"}, True),
    ("mpeg4", "mp4", {"bf": "2"}, True),
    ("libx264", "mp4", {"x264-params": "bframes=8:b-pyramid=normal:ref=6"}, True),
    ("libx265", "mp4", {"x265-params": "bframes=8:b-pyramid=1:temporal-layers=3:log-level=none"}, False),
    ("libvpx-vp9", "webm", {"deadline": "realtime"}, False),
]


@pytest.mark.parametrize(("codec", "suffix", "options", "skips"), SKIPPING, ids=[row[0] for row in SKIPPING])
def test_passing_over_frames_gives_what_decoding_all_gives(tmp_path, monkeypatch, codec, suffix, options, skips):
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no encoder {codec}")
    path = write_example_video(tmp_path / f"a.{suffix}", n_frame=150, codec=codec, codec_options=options)
    selected = read_frames(path, FrameConfig(n_frames=20, size=64))
    with av.open(str(path)) as container:
        assert (container.streams.video[0].codec_context.name in decode._CODECS_WITH_UNUSED_FRAMES) is skips
        every = [picture.upright(frame, 1.0).image for frame in container.decode(video=0)]
    assert list(selected.jpegs) == [encode_image(every[number]) for number in numbers(selected)]


def test_a_jump_that_leads_astray_is_noticed(video, monkeypatch):
    path = video
    wanted = read_frames(path, FrameConfig(n_frames=3, size=64))
    monkeypatch.setattr(decode, "_SEEK_COST", -(10**9))  # always jump
    monkeypatch.setattr(decode, "_first_needed", lambda _packets, packet: packet)  # and to a frame that is no key frame
    assert read_frames(path, FrameConfig(n_frames=3, size=64)).jpegs == wanted.jpegs


def test_no_more_is_decoded_than_up_to_the_last_frame_that_is_wanted(video, monkeypatch):
    fed, decoded = [], decode._Position._decoded

    def counted(self, latest):
        for frame in decoded(self, latest):
            fed.append(self.n_fed)
            yield frame

    monkeypatch.setattr(decode._Position, "_decoded", counted)
    read_frames(video, FrameConfig(n_frames=1, size=64))
    assert max(fed) <= 40  # the middle one of 75


def test_a_table_with_a_frame_that_the_decoder_does_not_give_is_replaced(video, monkeypatch):
    table = decode.index_frames(video)
    packets = table.packets
    packets.pts[-1] += 100  # the last frame is somewhere else than the packets say
    monkeypatch.setattr("mmfeat.vision.frames.index_frames", lambda _path: table)
    assert numbers(read_frames(video, FrameConfig(fps=25.0, size=64))) == list(range(75))


# What is in them


def test_a_wide_frame_is_cut_to_its_centre_square(tmp_path):
    path = write_example_video(tmp_path / "a.mp4", n_frame=9, size=(160, 64))
    frames = read_frames(path, FrameConfig(n_frames=1, size=32))
    image = frames.decode()[0]
    assert image.shape == (32, 32, 3)
    assert shown_number(image) == 4
    assert numbered_image(4, (160, 64))[0, 0].tolist() == [255, 0, 0]  # what was cut away
    assert not ((image[..., 0] > 200) & (image[..., 2] < 50)).any()


@pytest.mark.parametrize("size", [8, 32, 64, 224])
def test_frames_have_the_wanted_size(video, size):
    assert read_frames(video, FrameConfig(n_frames=2, size=size)).decode().shape == (2, size, size, 3)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p"])
def test_a_pure_colour_comes_back(tmp_path, colour, pixel_format):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1" if pixel_format == "yuv420p" else "mjpeg", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = pixel_format
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), colour, dtype=np.uint8), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    image = read_frames(tmp_path / "a.mkv", FrameConfig(size=64)).decode()[0]
    assert np.abs(image.astype(int) - colour).max() <= 6  # 8-bit YUV and JPEG


def yuv_frame(luma, u, v):
    """A frame of YUV 4:2:0 whose chroma is the same everywhere."""
    chroma = [np.full(luma.size // 4, value, dtype=np.uint8) for value in (u, v)]
    planes = np.concatenate([luma.ravel(), *chroma]).reshape(-1, luma.shape[1])
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


@pytest.mark.parametrize(("u", "v"), [(128, 128), (100, 150), (150, 100), (110, 110), (60, 140), (128, 200)])
def test_colours_are_those_of_bt_601_to_one_level(u, v):
    luma = np.tile(np.linspace(16, 235, 64).astype(np.uint8), (64, 1))
    y, cb, cr = (luma - 16.0) * 255 / 219, (u - 128.0) * 255 / 224, (v - 128.0) * 255 / 224
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    exact = np.stack([red, green, blue], axis=-1).clip(0, 255)
    difference = picture.upright(yuv_frame(luma, u, v), 1.0).image - exact
    assert np.abs(difference).max() <= 1.0  # half a level is rounding, the rest swscale's fixed point
    assert abs(difference.mean()) <= 0.5


PIXELS_OF_ANY_MACHINE = """
import ctypes, hashlib, sys
import av
import numpy as np
from mmfeat.vision.picture import upright

if sys.argv[1] == "plain":
    (library,) = {line.split()[-1] for line in open("/proc/self/maps") if "libavutil" in line}
    ctypes.CDLL(library).av_force_cpu_flags(0)
planes = np.random.default_rng(0).integers(16, 236, (96, 64), dtype=np.uint8)
frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
for image in (upright(frame, 1.0).image, frame.to_ndarray(format="rgb24")):
    print(hashlib.sha256(image).hexdigest())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="finds the library by /proc/self/maps")
def test_colours_do_not_depend_on_the_vector_units_of_the_machine():
    def pixels(units):
        call = [sys.executable, "-c", PIXELS_OF_ANY_MACHINE, units]
        return subprocess.run(call, capture_output=True, text=True, check=True).stdout.split()

    vectors, plain = pixels("vectors"), pixels("plain")
    assert vectors[0] == plain[0]
    if platform.machine() == "x86_64":
        assert vectors[1] != plain[1]  # else the units were not switched off


@pytest.mark.parametrize(("turned_deg", "n_quarter"), [(0, 0), (90, 1), (180, 2), (270, 3), (45, 0)])
def test_the_rotation_of_a_phone_is_applied(tmp_path, turned_deg, n_quarter):
    path = write_example_video(tmp_path / "a.mp4", n_frame=9, size=(96, 64), turned_deg=turned_deg)
    image = read_frames(path, FrameConfig(n_frames=1, size=64)).decode()[0]
    assert shown_number(np.rot90(image, -n_quarter)) == 4


@pytest.mark.parametrize(("width", "aspect"), [(32, Fraction(2)), (128, Fraction(1, 2)), (64, Fraction(1, 1000))])
def test_pixels_that_are_not_square_are_stretched(tmp_path, width, aspect):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        image = cv2.resize(numbered_image(9, (64, 64)), (width, 64), interpolation=cv2.INTER_AREA)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert numbers(read_frames(tmp_path / "a.mkv", FrameConfig(size=64))) == [9]


def test_quality_decides_the_number_of_bytes(video):
    sizes = [sum(map(len, read_frames(video, FrameConfig(quality=quality)).jpegs)) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


# Settings


def test_eight_frames_are_taken_where_nothing_is_said():
    assert (FrameConfig().n_frames, FrameConfig().fps) == (8, None)
    assert (FrameConfig(fps=2.0).n_frames, FrameConfig(fps=2.0).fps) == (None, 2.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_frames": 8, "fps": 2.0}, r"n_frames \(8\) and fps \(2\) exclude each other; give one"),
        ({"n_frames": 0}, r"n_frames must be from 1 to 100000, got 0"),
        ({"fps": 0.0}, r"fps must be above 0 and at most 1000, got 0.0"),
        ({"fps": float("nan")}, r"fps must be above 0 and at most 1000, got nan"),
        ({"size": 7}, r"size must be from 8 to 4096 pixels, got 7"),
        ({"margin": float("inf")}, r"margin must be from 0.5 to 10, got inf"),
        ({"quality": 0, "size": 1}, r"size must be .*; quality must be from 1 to 100, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        FrameConfig(**settings)


@pytest.mark.parametrize(
    ("config", "preset"),
    [(FrameConfig(), "whole-8"), (FrameConfig(crop="face"), "face-8"), (FrameConfig(size=112), "custom")],
)
def test_the_stream_says_how_it_was_made(config, preset):
    info = frame_stream_info(config)
    assert (info.preset, info.codec, info.height, info.width) == (preset, "jpeg", config.size, config.size)
    assert info.config["quality"] == 95
