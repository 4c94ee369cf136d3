"""One of everything to test with: tones, videos, OpenFace files, manifests, a small dataset file, raw trees of corpora.

Public, so that plugins and downstream projects test against the same material. Everything is computed.
"""

from mmfeat.testing.material import (
    WORDS,
    numbered_image,
    shown_number,
    tone,
    write_example_dataset,
    write_example_manifest,
    write_example_video,
    write_landmark_csv,
    write_openface_csv,
    write_sound_as,
)
from mmfeat.testing.raw_corpora import (
    make_raw_mer23,
    make_raw_mimic,
    make_raw_mosi,
    make_raw_sims,
    write_object_npz,
)
from mmfeat.testing.raw_recordings import make_raw_m3ed, make_raw_mosei, make_raw_voxceleb, write_sequence
from mmfeat.testing.raw_univa import make_raw_univa

__all__ = [
    "WORDS",
    "make_raw_m3ed",
    "make_raw_mer23",
    "make_raw_mimic",
    "make_raw_mosei",
    "make_raw_mosi",
    "make_raw_sims",
    "make_raw_univa",
    "make_raw_voxceleb",
    "numbered_image",
    "shown_number",
    "tone",
    "write_example_dataset",
    "write_example_manifest",
    "write_example_video",
    "write_landmark_csv",
    "write_object_npz",
    "write_openface_csv",
    "write_sequence",
    "write_sound_as",
]
