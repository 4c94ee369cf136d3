"""What a contrastive loss keeps from step to step: its temperature, and features of earlier clips as negatives.

Source: He et al., "Momentum Contrast", CVPR 2020; ALBEF keeps one queue for each modality.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

COLDEST, WARMEST = 0.001, 0.5  # ALBEF's


class Temperature(nn.Module):
    """The learned temperature of a softmax over similarities.

    Args:
        start: its first value.
    """

    def __init__(self, start: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(start))

    def forward(self) -> Tensor:
        """Return the temperature, a scalar."""
        return self.value

    @torch.no_grad()
    def clamp(self) -> None:
        """Bring it back into ALBEF's range, 0.001 to 0.5; to be called after each step."""
        self.value.clamp_(COLDEST, WARMEST)


class FeatureQueue(nn.Module):
    """The last features of video and sound, with the clips that they are of.

    Places that were never filled are not handed out (ALBEF fills them with random vectors), batches of any size fit
    (ALBEF's must divide the queue), and a clip's own older features can be told from those of others.

    Args:
        size: most clips; 0: none is kept.
        width: of the features.
    """

    video: Tensor
    audio: Tensor
    rows: Tensor
    recordings: Tensor
    n_put: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("video", torch.zeros(size, width))
        self.register_buffer("audio", torch.zeros(size, width))
        self.register_buffer("rows", torch.full((size,), -1))
        self.register_buffer("recordings", torch.full((size,), -1))
        self.register_buffer("n_put", torch.zeros((), dtype=torch.int64))

    @property
    def size(self) -> int:
        """Most clips."""
        return len(self.rows)

    def put(self, video: Tensor, audio: Tensor, rows: Tensor, recordings: Tensor) -> None:
        """Keep the features of some clips in place of the oldest.

        Args:
            video: shape (clip, width).
            audio: shape (clip, width).
            rows: int64, shape (clip,), the clips' numbers in the file.
            recordings: int64, shape (clip,), the numbers of their recordings.
        """
        if not self.size:
            return
        n_clip = len(rows)
        places = (self.n_put + torch.arange(n_clip, device=rows.device)) % self.size
        last = slice(max(0, n_clip - self.size), None)  # of a batch that is longer than the queue
        for kept, given in ((self.video, video), (self.audio, audio), (self.rows, rows), (self.recordings, recordings)):
            kept[places[last]] = given[last].to(kept.dtype)
        self.n_put += n_clip

    def is_filled(self) -> Tensor:
        """Return which places hold a clip: bool, shape (size,)."""
        return self.rows >= 0
