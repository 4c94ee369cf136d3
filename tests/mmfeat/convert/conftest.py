"""Made pickles and sequences in the layouts of other tools."""

import pickle

import h5py
import numpy as np
import pytest

CLASSES = ("Negative", "Neutral", "Positive")


def padded(rng, lengths, height, width):
    array = np.zeros((len(lengths), height, width), dtype=np.float32)
    for clip, length in enumerate(lengths):
        array[clip, :length] = rng.normal(size=(length, width))
    return array


def mmsa_part(rng, name, n_clip, *, aligned):
    audio, vision = (rng.integers(2, 20, n_clip).tolist() for _ in range(2))
    words = audio if aligned else rng.integers(2, 20, n_clip).tolist()
    vision = audio if aligned else vision
    sentiment = rng.uniform(-3, 3, n_clip).astype(np.float32)
    sentiment[0] = 0
    codes = np.sign(sentiment) + 1
    part = {
        "raw_text": np.array([f"text {index} of {name}" for index in range(n_clip)]),
        "audio": padded(rng, audio, 20, 5),
        "vision": padded(rng, vision, 20 if aligned else 30, 20),
        "text": padded(rng, words, 20, 768),
        "text_bert": np.ones((n_clip, 3, 20), dtype=np.float32),
        "id": [f"{name}video$_${index}" for index in range(n_clip)],
        "annotations": np.array([CLASSES[int(code)] for code in codes]),
        "classification_labels": codes.astype(np.float32),
        "regression_labels": sentiment,
        "regression_labels_T": sentiment / 2,
    }
    return part if aligned else part | {"audio_lengths": audio, "vision_lengths": vision}


def make_mmsa(*, aligned=False, seed=0):
    rng = np.random.default_rng(seed)
    sizes = {"train": 9, "valid": 4, "test": 5}
    return {name: mmsa_part(rng, name, n_clip, aligned=aligned) for name, n_clip in sizes.items()}


def make_csd(path, root, entries, metadata=None):
    """Write a sequence; ``entries`` maps keys to (features, intervals)."""
    with h5py.File(path, "w") as file:
        data = file.create_group(f"{root}/data")
        for key, (features, intervals) in entries.items():
            data[f"{key}/features"], data[f"{key}/intervals"] = features, intervals
        group = file[root].create_group("metadata")
        for name, value in ({"root name": f'"{root}"'} | (metadata or {})).items():
            group.create_dataset(name, data=[value], dtype=h5py.string_dtype())
    return path


@pytest.fixture
def mmsa():
    return make_mmsa()


@pytest.fixture
def save(tmp_path):
    """Write a pickle and return its path."""

    def write(content, name="data.pkl", protocol=4):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol))
        return path

    return write
