"""The KL between teacher and student: by hand, its gradient, its mask."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F

from hero.errors import ConfigError, InputError
from hero.train.losses import answer_logits, modality_kl

SEED = 7


def _logits(*shape: int, seed: int = SEED) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_kl_matches_a_value_by_hand() -> None:
    teacher = torch.tensor([[0.75, 0.25]]).log()
    student = torch.tensor([[0.5, 0.5]]).log()
    by_hand = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert modality_kl(student, teacher, torch.tensor([True])).item() == pytest.approx(by_hand, abs=1e-6)
    other_way = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert abs(by_hand - other_way) > 0.01  # so that the direction is tested too


def test_equal_answers_have_no_distance_whatever_their_level_and_others_have_one() -> None:
    teacher = _logits(2, 5, 11)
    mask = torch.ones(2, 5, dtype=torch.bool)
    assert modality_kl(teacher + 3.0, teacher, mask).item() == pytest.approx(0, abs=1e-6)
    assert modality_kl(_logits(2, 5, 11, seed=8), teacher, mask).item() > 0.1


def test_it_is_the_mean_over_valid_positions_only() -> None:
    student, teacher = _logits(2, 3, 4), _logits(2, 3, 4, seed=8)
    mask = torch.tensor([[True, False, True], [False, False, True]])
    apart = [modality_kl(student[i, j][None], teacher[i, j][None], torch.tensor([True])) for i, j in mask.nonzero()]
    assert modality_kl(student, teacher, mask).item() == pytest.approx(torch.stack(apart).mean().item(), abs=1e-6)


def test_the_gradient_goes_to_the_student_alone_and_points_to_the_teacher() -> None:
    student, teacher = _logits(1, 3, 4).requires_grad_(), _logits(1, 3, 4, seed=8).requires_grad_()
    mask = torch.tensor([[True, True, False]])
    modality_kl(student, teacher, mask).backward()
    assert teacher.grad is None
    expected = (student.softmax(-1) - teacher.softmax(-1)).detach() / 2  # of a mean over two positions
    assert torch.allclose(student.grad[:, :2], expected[:, :2], atol=1e-6)
    assert (student.grad[:, 2] == 0).all()


def test_invalid_positions_may_hold_anything() -> None:
    student, teacher = _logits(1, 3, 4), _logits(1, 3, 4, seed=8)
    mask = torch.tensor([[True, True, False]])
    clean = modality_kl(student, teacher, mask)
    student[0, 2], teacher[0, 2] = float("nan"), float("inf")
    student.requires_grad_()
    found = modality_kl(student, teacher, mask)
    found.backward()
    assert torch.equal(found.detach(), clean)
    assert torch.isfinite(student.grad).all()


def test_a_batch_without_valid_positions_costs_nothing_and_still_has_a_gradient() -> None:
    student = _logits(2, 3, 4).requires_grad_()
    found = modality_kl(student, _logits(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool))
    found.backward()
    assert found.item() == 0
    assert (student.grad == 0).all()


def test_words_that_are_ruled_out_in_both_count_nothing() -> None:
    student, teacher = _logits(1, 4), _logits(1, 4, seed=8)
    mask = torch.tensor([True])
    expected = modality_kl(student[:, :3], teacher[:, :3], mask)
    student[0, 3] = teacher[0, 3] = float("-inf")
    student.requires_grad_()
    found = modality_kl(student, teacher, mask)
    found.backward()
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)
    assert torch.isfinite(student.grad).all()


def test_the_temperature_softens_and_keeps_the_size_of_gradients() -> None:
    student, teacher = _logits(1, 4), _logits(1, 4, seed=8)
    mask = torch.tensor([True])
    at_two = modality_kl(student, teacher, mask, temperature=2.0)
    assert at_two.item() == pytest.approx(4 * modality_kl(student / 2, teacher / 2, mask).item(), abs=1e-6)


def test_half_precision_is_compared_in_full_precision() -> None:
    teacher = _logits(4, 50).bfloat16()
    student = (teacher.float() + 0.05 * _logits(4, 50, seed=8)).bfloat16()
    mask = torch.ones(4, dtype=torch.bool)
    exact = modality_kl(student.double(), teacher.double(), mask).item()
    assert modality_kl(student, teacher, mask).item() == pytest.approx(exact, rel=1e-3)


def test_without_a_mask_all_positions_count() -> None:
    student, teacher = _logits(2, 3, 4), _logits(2, 3, 4, seed=8)
    everywhere = torch.ones(2, 3, dtype=torch.bool)
    assert modality_kl(student, teacher).item() == pytest.approx(modality_kl(student, teacher, everywhere).item())


def test_misfits_are_named() -> None:
    logits = torch.zeros(2, 3, 4)
    with pytest.raises(InputError, match=r"student logits \(2, 3, 4\) and teacher logits \(2, 3, 5\) do not fit"):
        modality_kl(logits, torch.zeros(2, 3, 5))
    with pytest.raises(InputError, match="do not fit"):
        modality_kl(logits[0, 0], logits[0, 0])
    with pytest.raises(InputError, match=r"is torch\.bool \(2, 4\); give bool \(2, 3\)"):
        modality_kl(logits, logits, torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(InputError, match=r"is torch\.float32 \(2, 3\); give bool"):
        modality_kl(logits, logits, torch.ones(2, 3))
    with pytest.raises(ConfigError, match=r"temperature is 0\.0"):
        modality_kl(logits, logits, temperature=0.0)
    with pytest.raises(InputError, match=r"give \(B, S, V\) and \(B, S\)"):
        answer_logits(logits, torch.zeros(2, 4))


def test_answers_come_out_the_same_wherever_they_stand() -> None:
    logits = torch.arange(4.0)[None, :, None].expand(2, 4, 3)
    labels = torch.tensor([[-100, -100, 5, 6], [-100, 7, -100, 8]])
    assert answer_logits(logits, labels)[:, 0].tolist() == [1, 2, 0, 2]  # one step before each label
    moved = F.pad(logits + 1, (0, 0, 1, 2)), F.pad(labels, (1, 2), value=-100)
    assert answer_logits(*moved)[:, 0].tolist() == [2, 3, 1, 3]
