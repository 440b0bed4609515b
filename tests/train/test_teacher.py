"""The teacher: a frozen copy or a moving average of the small trainable part, over the student's own frozen base."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from hero.errors import ConfigError, WeightsError
from hero.train.teacher import Teacher


class Adapted(nn.Module):
    """A frozen base and a small trainable part, with dropout and a part that is kept in eval mode."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.base = nn.Linear(4, 8).requires_grad_(False)
        self.adapter = nn.Linear(8, 3)
        self.dropout = nn.Dropout(0.5)
        self.seen: list[int] = []  # where the base's weight lay in each call

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.seen.append(self.base.weight.data_ptr())
        return self.adapter(self.dropout(self.base(inputs)))


def _shift(network: nn.Module, by: float) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter += by


def test_the_average_follows_its_formula() -> None:
    student = Adapted()
    teacher = Teacher(student, decay=0.3)
    expected = student.adapter.bias.detach().clone().double()
    decays = []
    for t in range(6):
        _shift(student, 0.1 * (t + 1))
        teacher.update()
        decays.append(min(0.3, (1 + t) / (10 + t)))
        expected = decays[-1] * expected + (1 - decays[-1]) * student.adapter.bias.detach().double()
    assert decays[0] == 0.1
    assert decays[-1] == 0.3  # both ends of the formula took part
    assert torch.allclose(teacher.state_dict()["values"]["adapter.bias"].double(), expected, atol=1e-6)


def test_a_frozen_teacher_stays_and_an_average_moves() -> None:
    student = Adapted().eval()
    inputs = torch.randn(2, 4)
    before = student(inputs).detach()
    frozen, average = Teacher(student, kind="frozen"), Teacher(student, kind="ema")
    _shift(student, 1.0)
    for teacher in (frozen, average):
        teacher.update()
    assert torch.equal(frozen(inputs), before)
    between = average(inputs)
    assert not torch.allclose(between, before)
    assert not torch.allclose(between, student(inputs))


def test_only_trainable_parameters_are_copied_and_the_base_is_shared() -> None:
    student = Adapted()
    teacher = Teacher(student)
    assert teacher.numbers == sum(p.numel() for p in student.adapter.parameters())
    student(torch.randn(1, 4))
    teacher(torch.randn(1, 4))
    assert student.seen == [student.base.weight.data_ptr()] * 2
    assert set(teacher.state_dict()["values"]) == {"adapter.weight", "adapter.bias"}


def test_the_teacher_answers_without_dropout_and_without_gradients_and_leaves_the_modes_alone() -> None:
    student = Adapted().train()
    student.base.eval()
    teacher = Teacher(student)
    inputs = torch.randn(5, 4)
    said = teacher(inputs)
    assert torch.equal(said, teacher(inputs))  # no dropout
    assert not said.requires_grad
    assert (student.training, student.dropout.training, student.base.training) == (True, True, False)
    teacher_of_failing = Teacher(student)
    with pytest.raises(RuntimeError):
        teacher_of_failing(torch.randn(5, 9))
    assert student.dropout.training


def test_asking_the_teacher_between_forward_and_backward_changes_no_gradient() -> None:
    inputs = torch.randn(5, 4)
    gradients = []
    for ask in (False, True):
        student = Adapted().eval()
        teacher = Teacher(student)
        _shift(student, 0.5)
        loss = student(inputs).square().sum()
        if ask:
            teacher(inputs)
        loss.backward()
        gradients.append(student.adapter.weight.grad.clone())
    assert torch.equal(*gradients)


def test_small_steps_are_not_lost_in_half_precision() -> None:
    student = Adapted().bfloat16()
    teacher = Teacher(student, decay=0.999)
    teacher.load_state_dict({**teacher.state_dict(), "updates": 100_000})  # past the warm-up
    start = teacher.state_dict()["values"]["adapter.bias"].clone()
    _shift(student, 0.25)
    for _ in range(100):
        teacher.update()
    moved = (teacher.state_dict()["values"]["adapter.bias"] - start).abs().mean().item()
    assert moved == pytest.approx(0.25 * (1 - 0.999**100), rel=0.05)
    assert teacher(torch.randn(1, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("kind", ["ema", "frozen"])
def test_a_resumed_teacher_goes_on_as_if_never_stopped(kind: str) -> None:
    student = Adapted()
    whole = Teacher(student, kind=kind, decay=0.9)
    halves = Teacher(student, kind=kind, decay=0.9)
    for step in range(6):
        if step == 3:
            state = halves.state_dict()
            halves = Teacher(student, kind=kind)  # made from another student state, with another decay
            halves.load_state_dict(state)
        _shift(student, 0.1)
        whole.update()
        halves.update()
    inputs = torch.randn(3, 4)
    assert torch.equal(whole(inputs), halves(inputs))
    assert whole.updates == halves.updates == (6 if kind == "ema" else 0)


def test_a_state_is_a_copy() -> None:
    student = Adapted()
    teacher = Teacher(student)
    state = teacher.state_dict()
    kept = state["values"]["adapter.bias"].clone()
    _shift(student, 1.0)
    teacher.update()
    assert torch.equal(state["values"]["adapter.bias"], kept)


def test_wrong_settings_and_states_are_named() -> None:
    student = Adapted()
    with pytest.raises(ConfigError, match="no teacher is called 'wise'; known: ema, frozen"):
        Teacher(student, kind="wise")
    with pytest.raises(ConfigError, match=r"decay is 1\.0"):
        Teacher(student, decay=1.0)
    with pytest.raises(ConfigError, match="no trainable parameters"):
        Teacher(nn.Linear(2, 2).requires_grad_(False))
    teacher = Teacher(student)
    state = teacher.state_dict()
    with pytest.raises(WeightsError, match=r"differ in 1 parameters, first 'adapter\.bias'"):
        teacher.load_state_dict({**state, "values": {"adapter.weight": state["values"]["adapter.weight"]}})
    with pytest.raises(WeightsError, match="is of a teacher 'ema', this one is 'frozen'"):
        Teacher(student, kind="frozen").load_state_dict(state)
