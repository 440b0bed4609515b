"""One training step of modality dropout: the student answers from a subset, and stays close to what the teacher says.

Legend: B samples, M modalities, S positions, V words of the vocabulary.
Source: spec 1, section 2.2: cross-entropy + weight * KL(teacher with everything || student with a subset).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from hero.train.losses import answer_logits, modality_kl
from hero.train.teacher import Teacher


class StepLoss(NamedTuple):
    """Scalars: `total` is to be minimised, `answer` the student's cross-entropy, `kl` how far it is from the teacher."""

    total: torch.Tensor
    answer: torch.Tensor
    kl: torch.Tensor


def dropout_step(
    student: nn.Module,
    batch: Mapping[str, Any],
    *,
    teacher: Teacher,
    keep: torch.Tensor,
    kl_weight: float = 1.0,
    temperature: float = 1.0,
) -> StepLoss:
    """The loss of one batch; the caller takes the gradient, steps the optimiser and calls `teacher.update()`.

    Args:
        student: called as `student(**batch, keep=keep)`; it returns `loss`, `logits` (B, S, V) and the `labels` (B, S) that
            belong to them, as `HeroModel` does.
        batch: the student's arguments without `keep`; labels are -100 where there is no answer. The student itself must say
            which of them it learned: a `HeroModel` never learns a row's first token, with soft tokens before it or without,
            so that student and teacher speak of the same ones.
        teacher: sees the same batch with every modality.
        keep: (B, M) bool, from `draw_keep`.
        kl_weight: the weight of the KL, 0 or more; at 0 the teacher is not asked and `kl` is 0.
        temperature: of the KL.

    Raises:
        InputError: the logits of student and teacher do not fit each other.
        ConfigError: the temperature is not above 0.
    """
    said = student(**batch, keep=keep)
    if kl_weight == 0:
        return StepLoss(said.loss, said.loss.detach(), torch.zeros_like(said.loss))
    full = teacher(**batch)
    answers = [answer_logits(each.logits, each.labels) for each in (said, full)]  # (n, V): soft tokens may differ
    kl = modality_kl(*answers, temperature=temperature)
    return StepLoss(said.loss + kl_weight * kl, said.loss.detach(), kl.detach())
