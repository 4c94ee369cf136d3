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
from mmfeat.testing.raw_corpora import make_raw_mosi

__all__ = [
    "WORDS",
    "make_raw_mosi",
    "numbered_image",
    "shown_number",
    "tone",
    "write_example_dataset",
    "write_example_manifest",
    "write_example_video",
    "write_landmark_csv",
    "write_openface_csv",
    "write_sound_as",
]
