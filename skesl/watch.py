"""Watches the loss: its mean over the clips of an epoch, and whether it is still a number."""

from __future__ import annotations

import torch
from torch import Tensor

from skesl.errors import MethodError
from skesl.processes import summed


class LossWatch:
    """Adds up losses where they were computed.

    A GPU is not waited for: its loss is looked at when the next one is added, and at the latest by ``check``.

    Args:
        device: where losses are computed.
        what: stage and epoch, for messages.
        total: sum over the clips that were seen before, where an epoch is continued.
        n_clip: their number.
    """

    def __init__(self, device: torch.device, what: str, *, total: float = 0.0, n_clip: int = 0) -> None:
        self._device = device
        self._what = what
        # Metal has no float64.
        precision = torch.float32 if device.type == "mps" else torch.float64
        self._sums = torch.tensor([total, n_clip], dtype=precision, device=device)
        self._unchecked: tuple[Tensor, str, tuple[str, ...]] | None = None

    def add(self, loss: Tensor, n_clip: int, clip_ids: tuple[str, ...]) -> None:
        """Add the mean loss of some clips.

        Raises:
            MethodError: this loss, or on a GPU the one before, is not finite.
        """
        if n_clip:
            self._sums += torch.stack([loss.detach().to(self._sums.dtype), self._sums.new_ones(())]) * n_clip
        self._look_at(loss, "loss", clip_ids)

    def add_norm(self, norm: Tensor, clip_ids: tuple[str, ...]) -> None:
        """Look at the norm of a step's gradients.

        Raises:
            MethodError: it is not finite, or on a GPU what was looked at before.
        """
        self._look_at(norm, "norm of the gradients", clip_ids)

    def check(self) -> None:
        """Look at what was added last.

        Raises:
            MethodError: it is not finite.
        """
        if self._unchecked is None:
            return
        (value, name, clip_ids), self._unchecked = self._unchecked, None
        if not torch.isfinite(value):
            raise MethodError(
                f"{self._what}: the {name} is {value.item()} for clips {', '.join(clip_ids)}; look at these clips, or "
                "lower the learning rates"
            )

    def totals(self) -> tuple[float, int]:
        """Return the sum of the losses of all clips and the clips' number, over all processes."""
        total, n_clip = summed(self._sums).tolist()
        return total, int(n_clip)

    def _look_at(self, value: Tensor, name: str, clip_ids: tuple[str, ...]) -> None:
        if self._device.type == "cuda":
            self.check()
        self._unchecked = (value.detach(), name, clip_ids)
        if self._device.type != "cuda":
            self.check()
