"""Make the demo corpus: synthetic opinion clips with speech, OpenFace-style face tracks, text and labels.

The speech comes from espeak-ng, the face tracks from a random process that follows the label of each sentence in
``sentences.csv`` and, at the mouth, the energy of the speech. Nothing here was recorded from a person.
"""

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Array = npt.NDArray[np.float64]

HERE = Path(__file__).resolve().parent
SEED = 20240
SAMPLE_RATE = 16000
FPS = 25
MAX_LABEL = 3.0
EXIT_ESPEAK_MISSING = 4
LOST_FACE_CLIPS = frozenset({"ada_film_4", "dan_book_3", "finn_headphones_5", "gina_concert_2", "hugo_bike_6"})
LOST_CONFIDENCE = 0.02  # what OpenFace writes for a frame in which it lost a face that it had before

# Intensities on OpenFace's scale of 0 to 5: of the face at rest, and added at the labels +3 and -3.
UNITS = tuple(f"AU{number:02d}" for number in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45))
REST = np.array([0.25, 0.15, 0.45, 0.1, 0.3, 0.5, 0.05, 0.3, 0.4, 0.4, 0.15, 0.35, 0.1, 0.1, 0.2, 0.2, 0.1])
POSITIVE = {"AU06": 1.3, "AU12": 1.7, "AU25": 0.5}
NEGATIVE = {"AU01": 0.8, "AU04": 1.4, "AU07": 0.8, "AU15": 0.9}
PRESENCE_UNITS = tuple(sorted([*UNITS, "AU28"]))  # OpenFace gives AU28 (lip suck) as presence only
POSE = ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")  # mm and radians
POSE_SPREAD = np.array([2.0, 2.0, 6.0, 0.04, 0.05, 0.02])
UNIT_COLUMNS = (*(f"{unit}_r" for unit in UNITS), *(f"{unit}_c" for unit in PRESENCE_UNITS))
FACE_COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success", *POSE, *UNIT_COLUMNS)
FACE_FORMATS = ("%.0f", "%.0f", "%.3f", "%.2f", "%.0f", *["%.1f"] * 3, *["%.3f"] * 3, *["%.2f"] * 35)
MANIFEST_COLUMNS = (
    "clip_id",
    "recording_id",
    "speaker_id",
    "split",
    "audio",
    "openface",
    "text",
    "label:sentiment",
)


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """One synthetic person, who speaks in one recording."""

    speaker_id: str
    topic: str
    split: str
    voice: str  # espeak-ng voice and variant; the alias "en-gb" of "en" would silently ignore the variant
    pitch: int  # espeak-ng scale, 0 to 99
    rate_wpm: int


SPEAKERS = (
    Speaker(speaker_id="ada", topic="film", split="train", voice="en+f2", pitch=52, rate_wpm=204),
    Speaker(speaker_id="ben", topic="phone", split="train", voice="en-us+m1", pitch=44, rate_wpm=210),
    Speaker(speaker_id="cara", topic="restaurant", split="train", voice="en-us+f4", pitch=48, rate_wpm=198),
    Speaker(speaker_id="dan", topic="book", split="train", voice="en-gb-scotland+m3", pitch=46, rate_wpm=196),
    Speaker(speaker_id="eve", topic="trip", split="train", voice="en-gb-x-rp+f5", pitch=50, rate_wpm=206),
    Speaker(speaker_id="finn", topic="headphones", split="valid", voice="en-029+m7", pitch=50, rate_wpm=212),
    Speaker(speaker_id="gina", topic="concert", split="test", voice="en-us-nyc+f3", pitch=46, rate_wpm=202),
    Speaker(speaker_id="hugo", topic="bike", split="test", voice="en+m4", pitch=52, rate_wpm=208),
)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One sentence of one speaker, with its label in [-3, 3]."""

    speaker: Speaker
    number: int
    text: str
    label: float

    @property
    def recording_id(self) -> str:
        """The recording that the clip is cut from."""
        return f"{self.speaker.speaker_id}_{self.speaker.topic}"

    @property
    def clip_id(self) -> str:
        """The name of the clip's files."""
        return f"{self.recording_id}_{self.number}"


def read_clips(path: Path) -> Iterator[Clip]:
    """Yield the clips of the sentence table in its order, numbered from 1 within each speaker."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for speaker in SPEAKERS:
        own = [row for row in rows if row["speaker_id"] == speaker.speaker_id]
        for number, row in enumerate(own, start=1):
            yield Clip(speaker=speaker, number=number, text=row["text"], label=float(row["label"]))


def clip_rng(clip: Clip, *purpose: int) -> np.random.Generator:
    """Return a generator of the clip's own, so that changing one clip leaves the others as they are."""
    return np.random.default_rng([SEED, SPEAKERS.index(clip.speaker), clip.number, *purpose])


def expressed_feeling(rng: np.random.Generator, label: float, *, noise: float) -> float:
    """Return how much feeling, in [-1, 1], a channel shows: the label with the noise of that channel."""
    return float(np.clip(label / MAX_LABEL + noise * rng.standard_normal(), -1.0, 1.0))


def espeak_options(rng: np.random.Generator, clip: Clip) -> list[str]:
    """Return voice, pitch, rate and amplitude; all three rise with the feeling, each with its own jitter."""
    feeling = expressed_feeling(rng, clip.label, noise=0.4)
    pitch = clip.speaker.pitch + 14 * feeling + rng.normal(0, 4)
    rate_wpm = clip.speaker.rate_wpm + 16 * feeling + rng.normal(0, 5)
    amplitude = 40 + 8 * feeling + rng.normal(0, 5)
    return ["-v", clip.speaker.voice, "-p", f"{pitch:.0f}", "-s", f"{rate_wpm:.0f}", "-a", f"{amplitude:.0f}"]


def synthesize(clip: Clip) -> Array:
    """Return the spoken sentence at 16 kHz, float64, shape (n_samples,), range [-1, 1]."""
    options = espeak_options(clip_rng(clip, 0), clip)
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        subprocess.run(["espeak-ng", *options, "-z", "-w", str(wav), clip.text], check=True)
        samples, sample_rate = soundfile.read(wav, dtype="float64")
    resampled: Array = soxr.resample(samples, sample_rate, SAMPLE_RATE, quality="HQ")
    return resampled.clip(-1.0, 1.0)


def speech_envelope(samples: Array) -> Array:
    """Return the log energy of each video frame, scaled to [0, 1] over the loudest 40 dB, shape (n_frames,).

    Frame ``t`` is centred on the time ``t / FPS``; the last frame starts before the clip ends.
    """
    hop_length = SAMPLE_RATE // FPS
    n_frames = -(-len(samples) // hop_length)
    padded = np.pad(samples, (hop_length // 2, hop_length))[: n_frames * hop_length]
    energy_db: Array = 10 * np.log10(np.mean(padded.reshape(n_frames, hop_length) ** 2, axis=1) + 1e-10)
    envelope: Array = 1 + (energy_db - energy_db.max()) / 40
    return envelope.clip(0.0, 1.0)


def smooth_noise(rng: np.random.Generator, n_frames: int, n_tracks: int) -> Array:
    """Return first-order autoregressive tracks of unit variance, shape (n_frames, n_tracks)."""
    memory = 0.9
    tracks: Array = rng.standard_normal((n_frames, n_tracks))
    for frame in range(1, n_frames):
        tracks[frame] = memory * tracks[frame - 1] + np.sqrt(1 - memory**2) * tracks[frame]
    return tracks


def blinks(rng: np.random.Generator, n_frames: int) -> Array:
    """Return the lid closure of about one blink in two seconds, shape (n_frames,)."""
    onsets = (rng.random(n_frames) < 0.5 / FPS).astype(np.float64)
    return np.convolve(onsets, [0.6, 1.9, 1.2, 0.4])[:n_frames]


def action_units(rng: np.random.Generator, clip: Clip, envelope: Array) -> Array:
    """Return the intensities, shape (n_frames, 17), range [0, 5], in the order of ``UNITS``."""
    feeling = expressed_feeling(rng, clip.label, noise=0.25)
    gains = POSITIVE if feeling > 0 else NEGATIVE
    speaker_offset = np.random.default_rng([SEED, SPEAKERS.index(clip.speaker)]).normal(0, 0.15, len(UNITS))
    level = REST + speaker_offset + abs(feeling) * np.array([gains.get(unit, 0.0) for unit in UNITS])
    tracks: Array = level + rng.normal(0, 0.2, len(UNITS)) + 0.2 * smooth_noise(rng, len(envelope), len(UNITS))
    tracks[:, UNITS.index("AU25")] += 1.6 * envelope
    tracks[:, UNITS.index("AU26")] += 1.0 * envelope
    tracks[:, UNITS.index("AU45")] += blinks(rng, len(envelope))
    return tracks.clip(0.0, 5.0)


def presence(rng: np.random.Generator, intensities: Array) -> Array:
    """Return 1 where a unit is present and 0 elsewhere, shape (n_frames, 18), in the order of ``PRESENCE_UNITS``."""
    lip_suck = 0.4 * smooth_noise(rng, len(intensities), 1)
    both = np.insert(intensities, [PRESENCE_UNITS.index("AU28")], lip_suck, axis=1)
    return (both >= 0.8).astype(np.float64)


def head_pose(rng: np.random.Generator, clip: Clip, n_frames: int) -> Array:
    """Return the head's place (mm) and rotation (radians), shape (n_frames, 6), around the speaker's seat."""
    seat_rng = np.random.default_rng([SEED, SPEAKERS.index(clip.speaker), 0])
    seat = np.array([0.0, 20.0, 450.0, 0.0, 0.0, 0.0]) + 8 * POSE_SPREAD * seat_rng.uniform(-1, 1, len(POSE))
    return seat + POSE_SPREAD * smooth_noise(rng, n_frames, len(POSE))


def lost_frames(rng: np.random.Generator, n_frames: int) -> slice:
    """Return a run of 5 to 11 frames in the inner part of the clip."""
    n_lost = int(rng.integers(5, 12))
    start = int(rng.integers(10, n_frames - n_lost - 5))
    return slice(start, start + n_lost)


def face_table(clip: Clip, envelope: Array) -> Array:
    """Return the values of ``FACE_COLUMNS``, one row per frame; in lost frames pose jumps and units are stale."""
    rng, n_frames = clip_rng(clip, 1), len(envelope)
    units = action_units(rng, clip, envelope)
    units = np.column_stack([units, presence(rng, units)])
    pose = head_pose(rng, clip, n_frames)
    confidence = np.where(rng.random(n_frames) < 0.05, 0.93, 0.98)
    if clip.clip_id in LOST_FACE_CLIPS:
        lost = lost_frames(rng, n_frames)
        confidence[lost] = LOST_CONFIDENCE
        units[lost] = units[lost.start - 1]
        pose[lost] += 3 * POSE_SPREAD * rng.standard_normal(pose[lost].shape)
    index = np.arange(n_frames)
    success = confidence > LOST_CONFIDENCE
    return np.column_stack([index + 1, np.zeros(n_frames), index / FPS, confidence, success, pose, units])


def write_face(path: Path, table: Array) -> None:
    """Write the face table as OpenFace's FeatureExtraction does with ``-pose -aus``."""
    np.savetxt(path, table, fmt=FACE_FORMATS, delimiter=", ", header=", ".join(FACE_COLUMNS), comments="")


def write_clip(out: Path, clip: Clip) -> dict[str, str]:
    """Write the clip's audio and face files and return its row of the manifest."""
    audio, openface = f"audio/{clip.clip_id}.flac", f"openface/{clip.clip_id}.csv"
    samples = synthesize(clip)
    soundfile.write(out / audio, samples, SAMPLE_RATE, subtype="PCM_16", compression_level=1.0)
    write_face(out / openface, face_table(clip, speech_envelope(samples)))
    speaker = clip.speaker
    values = (clip.clip_id, clip.recording_id, speaker.speaker_id, speaker.split)
    return dict(zip(MANIFEST_COLUMNS, (*values, audio, openface, clip.text, f"{clip.label:.1f}"), strict=True))


def make_corpus(sentences: Path, out: Path) -> int:
    """Write the whole corpus below ``out``, the manifest last, and return the number of clips."""
    for folder in ("audio", "openface"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    rows = [write_clip(out, clip) for clip in read_clips(sentences)]
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, MANIFEST_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description="Make the synthetic demo corpus.")
    parser.add_argument("--out", type=Path, default=HERE / "opinions", metavar="DIR", help="default: %(default)s")
    out: Path = parser.parse_args().out
    if shutil.which("espeak-ng") is None:
        print("espeak-ng is not installed; install it with: sudo apt-get install espeak-ng", file=sys.stderr)
        return EXIT_ESPEAK_MISSING
    print(f"wrote {make_corpus(HERE / 'sentences.csv', out)} clips to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
