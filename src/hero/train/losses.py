"""Losses as pure functions of tensors.

Legend: B samples, S positions, V words of the vocabulary (or classes).
"""

from __future__ import annotations

import torch

from hero.errors import ConfigError, InputError


def modality_kl(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    temperature: float = 1.0,
) -> torch.Tensor:
    """KL(teacher || student), the mean over the valid positions: a scalar, 0 where both say the same.

    The teacher is detached. What stands at invalid positions has no part in the value or the gradient, not even NaN.
    Both distributions are softened by `temperature` and the result is multiplied by its square, so that the gradients
    keep their size (Hinton et al. 2015). Without any valid position the loss is 0.

    Args:
        student_logits: (..., V), the model that sees a subset of the modalities.
        teacher_logits: (..., V), the model that sees all of them.
        mask: (...) bool, True where a position counts; all count without it.
        temperature: above 0.

    Raises:
        InputError: the shapes do not fit, or the mask is not bool.
        ConfigError: the temperature is not above 0.

    Source: spec 1, L_KL = KL(P_teacher(y | all modalities) || P_student(y | a subset)).
    """
    _check(student_logits, teacher_logits, mask)
    if not temperature > 0:
        raise ConfigError(f"the temperature is {temperature}; give a number above 0, such as 1.0")
    student, teacher = student_logits, teacher_logits.detach()
    if mask is not None:
        student, teacher = student[mask], teacher[mask]  # (n, V): nothing of the other positions gets in
    student, teacher = student.float() / temperature, teacher.float() / temperature
    log_student, log_teacher = student.log_softmax(dim=-1), teacher.log_softmax(dim=-1)
    share = log_teacher.exp()
    parts = torch.where(share > 0, share * (log_teacher - log_student), 0)  # a word at -inf in both counts nothing
    return parts.sum() / max(1, student.shape[:-1].numel()) * temperature**2


def answer_logits(logits: torch.Tensor, labels: torch.Tensor, *, ignore: int = -100) -> torch.Tensor:
    """What a causal language model says about the n tokens of the answers: (n, V), sample after sample.

    Position i predicts label i + 1, so these are the logits one step before each label that is not `ignore`. Answers come
    out in the same order wherever padding and soft tokens put them, so that two models' logits can be compared.

    Args:
        logits: (B, S, V).
        labels: (B, S), those that belong to the logits.

    Raises:
        InputError: the shapes do not fit.
    """
    if logits.ndim != 3 or labels.shape != logits.shape[:2]:
        raise InputError(f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)}; give (B, S, V) and (B, S)")
    return logits[:, :-1][labels[:, 1:] != ignore]


def _check(student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor | None) -> None:
    if student.ndim < 2 or student.shape != teacher.shape:
        raise InputError(
            f"student logits {tuple(student.shape)} and teacher logits {tuple(teacher.shape)} do not fit; give both one "
            "shape (..., V)"
        )
    if mask is not None and (mask.shape != student.shape[:-1] or mask.dtype != torch.bool):
        raise InputError(
            f"the mask of logits {tuple(student.shape)} is {mask.dtype} {tuple(mask.shape)}; give bool "
            f"{tuple(student.shape[:-1])}, True where a position counts"
        )
