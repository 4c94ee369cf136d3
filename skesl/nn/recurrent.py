"""Recurrent encoders of frames: an LSTM, and one of the ways to make one vector of its states.

Frames stand at the beginning of each row and padding behind them. A forward LSTM has not seen the padding when it reads
a real frame, so that the padded batch needs no packing: its real states are those of each clip alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn

from mmfeat.errors import ConfigError
from skesl.nn.pooling import TemporalAttention, TemporalGates, first_step, last_padded_step, last_step

ReadOut = Literal["attention", "first", "last", "gated_first", "gated_last", "gated_last_padded"]
_STEPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "first": first_step,
    "last": last_step,
    "last_padded": last_padded_step,
}


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    """Shape of a recurrent encoder, and how it learns."""

    n_hidden: int = 32  # of the LSTM
    n_layers: int = 1  # of the LSTM
    n_output: int = 16  # what the fusion gets
    dropout: float = 0.0  # between layers, and of the vector that is read out
    learning_rate: float | None = None  # none: that of training
    weight_decay: float | None = None  # none: that of training

    def __post_init__(self) -> None:
        for name in ("n_hidden", "n_layers", "n_output"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must lie in [0, 1), got {self.dropout}")
        for name in ("learning_rate", "weight_decay"):
            if (getattr(self, name) or 0.0) < 0:
                raise ConfigError(f"{name} must not be negative, got {getattr(self, name)}")


class SequenceReader(nn.Module):
    """Makes one vector of a sequence.

    Args:
        width: of the states.
        read_out: ``attention`` weighs all real steps (``TemporalAttention``); ``first`` and ``last`` are one real step
            each; ``gated_…`` are one step of the gated states (``TemporalGates``), where ``gated_last_padded`` is the
            step at which the longest clip of the batch ends.

    Raises:
        ConfigError: there is no such way to read.
    """

    def __init__(self, width: int, read_out: ReadOut) -> None:
        super().__init__()
        if read_out not in get_args(ReadOut):
            raise ConfigError(f"read_out: expected one of {', '.join(get_args(ReadOut))}, got {read_out!r}")
        self.attention = TemporalAttention(width) if read_out == "attention" else None
        self.gates = TemporalGates(width) if read_out.startswith("gated_") else None
        self.step = read_out.removeprefix("gated_")

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return one vector for each clip.

        Args:
            states: shape (clip, step, width).
            mask: bool, shape (clip, step), True for real steps.

        Returns:
            Shape (clip, width); 0 for a clip without real steps.
        """
        if self.attention is not None:
            return self.attention(states, mask)  # type: ignore[no-any-return]
        gated = states if self.gates is None else self.gates(states)
        return _STEPS[self.step](gated, mask)


class RecurrentEncoder(nn.Module):
    """LSTM, read-out, dropout and a linear map, from the frames of a clip to one vector.

    Source: Self-MM (AAAI 2021) and TAM-ULAG, class ``AuViSubNet`` and ``AuViTASubNet`` of their code.

    Args:
        n_feature: features of a frame.
        config: its shape.
        read_out: how its states become one vector, see ``SequenceReader``.
        detach: no gradient reaches the LSTM, which stays as it was drawn; as released by TAM-ULAG, whose
            ``output.data`` cuts the graph (models/multiTask/SELF_MM.py:324-326).
    """

    def __init__(self, n_feature: int, config: RecurrentConfig, *, read_out: ReadOut, detach: bool = False) -> None:
        super().__init__()
        self.rnn = nn.LSTM(
            n_feature,
            config.n_hidden,
            num_layers=config.n_layers,
            dropout=config.dropout if config.n_layers > 1 else 0.0,
            batch_first=True,
        )
        self.reader = SequenceReader(config.n_hidden, read_out)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.n_hidden, config.n_output)
        self.detach = detach

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Return one vector for each clip.

        Args:
            values: shape (clip, frame, n_feature); what stands in padding changes nothing.
            mask: bool, shape (clip, frame), True for real frames, which stand first.

        Returns:
            Shape (clip, n_output); the bias of the last map for a clip without frames.
        """
        states, _ = self.rnn(values)
        if self.detach:
            states = states.detach()
        return self.output(self.dropout(self.reader(states, mask)))  # type: ignore[no-any-return]

    def linear_macs(self, values: Tensor, mask: Tensor) -> int:
        """Return the multiplications of the linear maps for a batch, those of the LSTM's gates included."""
        n_clip, n_frame, _ = values.shape
        weights = [weight for name, weight in self.rnn.named_parameters() if name.startswith("weight")]
        of_reader = sum(linear.weight.numel() for linear in self.reader.modules() if isinstance(linear, nn.Linear))
        per_frame = sum(weight.numel() for weight in weights) + of_reader
        return n_clip * (n_frame * per_frame + self.output.weight.numel())
