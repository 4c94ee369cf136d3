"""A loader of MMSA pickles, written after the keys and types that MMSA's own one uses (``data_loader.py``)."""

import pickle

import numpy as np


class MmsaPart:
    """One part of a pickle as the training code takes it."""

    def __init__(self, path, mode, *, aligned):
        with open(path, "rb") as handle:  # noqa: PTH123 - as the original
            fields = pickle.load(handle)[mode]
        self.streams = {name: fields[name].astype(np.float32) for name in ("text", "audio", "vision")}
        self.raw_text, self.ids = fields["raw_text"], fields["id"]
        self.labels = np.array(fields["regression_labels"]).astype(np.float32)
        if not aligned:
            self.lengths = {name: fields[f"{name}_lengths"] for name in ("audio", "vision")}
        audio = self.streams["audio"]
        audio[audio == -np.inf] = 0

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        item = {name: values[index] for name, values in self.streams.items()}
        item |= {"raw_text": self.raw_text[index], "id": self.ids[index], "label": self.labels[index].reshape(-1)}
        if hasattr(self, "lengths"):
            item |= {f"{name}_lengths": int(lengths[index]) for name, lengths in self.lengths.items()}
        return item
