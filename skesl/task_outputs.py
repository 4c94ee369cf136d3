"""From the outputs of a head to the loss and the predictions that suit a task."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from skesl.task import Task


def task_loss(task: Task, outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean loss that suits the problem, a scalar.

    The absolute error of values; cross-entropy of classes; binary cross-entropy of yes-or-no labels; for MER23
    cross-entropy and the squared error of valence.

    Args:
        task: what is predicted.
        outputs: shape (clip, column), of a head; without softmax or sigmoid.
        labels: float32, shape (clip, label).
    """
    if task.problem == "multilabel":
        return F.binary_cross_entropy_with_logits(outputs, (labels > 0).to(outputs.dtype))
    if not task.class_names:
        return (outputs - labels).abs().mean()
    n_class = len(task.class_names)
    loss = F.cross_entropy(outputs[:, :n_class], labels[:, 0].long())
    return loss + F.mse_loss(outputs[:, n_class:], labels[:, 1:]) if task.problem == "mer23" else loss


def task_scores(task: Task, outputs: Tensor) -> Tensor:
    """Return what is predicted: probabilities of classes and of yes, values as they are; shape (clip, column)."""
    if task.problem == "multilabel":
        return outputs.sigmoid()
    if not task.class_names:
        return outputs
    n_class = len(task.class_names)
    return torch.cat([outputs[:, :n_class].softmax(dim=-1), outputs[:, n_class:]], dim=-1)
