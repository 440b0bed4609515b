"""One step of dropout training, and that such steps do what they are for."""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

import pytest

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional as F

from hero.nn.integration import Feed, IntegrationLayer
from hero.train.losses import answer_logits, modality_kl
from hero.train.modality_dropout import draw_keep, keep_only, subsets
from hero.train.step import dropout_step
from hero.train.teacher import Teacher
from hero.types import Modality

MODALITIES: tuple[Modality, ...] = ("face", "voice", "words")
CLASSES, WIDTH = 4, 12


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks this small only wait for each other on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Said(NamedTuple):
    loss: torch.Tensor
    logits: torch.Tensor
    labels: torch.Tensor


class Answerer(nn.Module):
    """Reads summaries (B, M, I), answers with one word: logits (B, 2, V), the first position speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.ModuleList(nn.Linear(WIDTH, 16) for _ in MODALITIES)
        self.answer = nn.Sequential(nn.GELU(), nn.Linear(16, CLASSES))

    def forward(self, *, summaries, present, labels, keep=None) -> Said:
        kept = present if keep is None else present & keep
        read = torch.stack([layer(summaries[:, i]) for i, layer in enumerate(self.read)], dim=1)  # (B, M, 16)
        return _said(self.answer(torch.where(kept[..., None], read, 0).sum(dim=1)), labels)


class Integrating(nn.Module):
    """The same through an integration layer: each summary is a track of one step."""

    def __init__(self) -> None:
        super().__init__()
        parts = {name: {"dim_in": WIDTH, "queries": 2} for name in MODALITIES}
        self.layer = IntegrationLayer(parts=parts, dim_lm=16, dim=16, heads=2, layers=1, queries=2, scale=1.0)
        self.answer = nn.Linear(16, CLASSES)

    def forward(self, *, summaries, present, labels, keep=None) -> Said:
        steps = {name: (summaries[:, i : i + 1], present[:, i : i + 1]) for i, name in enumerate(MODALITIES)}
        feeds = {name: Feed(values, mask, torch.zeros(mask.shape)) for name, (values, mask) in steps.items()}
        return _said(self.answer(self.layer(feeds, keep).context.mean(dim=1)), labels)


def _said(logits: torch.Tensor, labels: torch.Tensor) -> Said:
    loss = F.cross_entropy(logits, labels[:, 1])
    return Said(loss, torch.stack([logits, torch.zeros_like(logits)], dim=1), labels)  # (B, 2, V)


class Task:
    """Every modality carries the class under noise, each in its own directions; some labels may be wrong."""

    def __init__(self, *, noise: float, wrong: float = 0.0, only: int | None = None) -> None:
        self.noise, self.wrong = noise, wrong
        self.directions = torch.randn(3, CLASSES, WIDTH, generator=_seeded(5))
        self.fixed = None if only is None else self._draw(only, _seeded(6), wrong)

    def batch(self, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return self.fixed or self._draw(64, generator, self.wrong)

    def held_out(self) -> dict[str, torch.Tensor]:
        return self._draw(1000, _seeded(99), 0.0)

    def _draw(self, count: int, generator: torch.Generator, wrong: float) -> dict[str, torch.Tensor]:
        classes = torch.randint(CLASSES, (count,), generator=generator)
        summaries = self.directions[:, classes].transpose(0, 1)  # (B, M, I)
        summaries = summaries + self.noise * torch.randn(count, 3, WIDTH, generator=generator)
        others = torch.randint(CLASSES, (count,), generator=generator)
        said = torch.where(torch.rand(count, generator=generator) < wrong, others, classes)
        labels = torch.stack([torch.full_like(said, -100), said], dim=1)
        return {"summaries": summaries, "present": torch.ones(count, 3, dtype=torch.bool), "labels": labels}


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _train(student: nn.Module, task: Task, *, steps: int, drop: float, kl_weight: float, seed: int) -> None:
    generator = _seeded(seed)
    optimiser = torch.optim.AdamW(student.parameters(), lr=0.01)
    teacher = Teacher(student, kind="ema", decay=0.9)
    for _ in range(steps):
        batch = task.batch(generator)
        keep = draw_keep(batch["present"], modalities=MODALITIES, probability=drop, generator=generator)
        loss = dropout_step(student, batch, teacher=teacher, keep=keep, kl_weight=kl_weight)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        teacher.update()


def _trained(kind: type[nn.Module], task: Task, *, seed: int) -> nn.Module:
    """A student after 50 steps that always saw everything."""
    torch.manual_seed(seed)
    student = kind()
    _train(student, task, steps=50, drop=0.0, kl_weight=0.0, seed=seed)
    return student


def _further(start: nn.Module, task: Task, *, drop: float, kl_weight: float, seed: int) -> tuple[float, float]:
    """What `_held_out` finds after 30 more steps from the same start with the same batches."""
    student = deepcopy(start)
    _train(student, task, steps=30, drop=drop, kl_weight=kl_weight, seed=seed + 10)
    return _held_out(student, task)


@torch.no_grad()
def _held_out(student: nn.Module, task: Task) -> tuple[float, float]:
    """Mean KL(full || subset) over the proper subsets, and the accuracy with everything."""
    batch = task.held_out()
    full = student(**batch).logits[:, 0]
    distances = []
    for kept in subsets(MODALITIES)[1:]:
        keep = keep_only(batch["present"], modalities=MODALITIES, kept=kept)
        said = student(**batch, keep=keep)
        distances.append(modality_kl(answer_logits(said.logits, said.labels), full))
    right = full.argmax(dim=-1) == batch["labels"][:, 1]
    return torch.stack(distances).mean().item(), right.float().mean().item()


@pytest.mark.parametrize(("kind", "seed"), [(Answerer, 0), (Answerer, 1), (Integrating, 0)])
def test_thirty_steps_of_dropout_bring_missing_modalities_close_to_the_full_answer(
    kind: type[nn.Module], seed: int
) -> None:
    task = Task(noise=0.5)
    start = _trained(kind, task, seed=seed)
    kl_before, _ = _held_out(start, task)
    kl_plain, right_plain = _further(start, task, drop=0.0, kl_weight=0.0, seed=seed)
    kl_dropped, right_dropped = _further(start, task, drop=0.5, kl_weight=1.0, seed=seed)
    assert kl_dropped < 0.6 * kl_plain
    assert kl_dropped < 0.3 * kl_before
    assert right_dropped >= right_plain - 0.01  # not by saying less


def test_the_kl_helps_beyond_dropout_where_labels_are_few_and_often_wrong() -> None:
    task = Task(noise=1.0, wrong=0.4, only=64)
    closer, gained = [], []
    for seed in range(3):
        start = _trained(Answerer, task, seed=seed)
        kl_alone, right_alone = _further(start, task, drop=0.5, kl_weight=0.0, seed=seed)
        kl_taught, right_taught = _further(start, task, drop=0.5, kl_weight=3.0, seed=seed)
        closer.append(kl_taught / kl_alone)
        gained.append(right_taught - right_alone)
    assert sum(closer) / 3 < 0.92
    assert sum(gained) / 3 > 0.04


def test_the_parts_add_up_and_reach_only_the_student() -> None:
    task = Task(noise=1.0)
    student = Answerer()
    teacher = Teacher(student)
    batch = task.batch(_seeded(1))
    keep = keep_only(batch["present"], modalities=MODALITIES, kept=("words",))
    held = teacher.state_dict()["values"]
    loss = dropout_step(student, batch, teacher=teacher, keep=keep, kl_weight=2.5)
    assert loss.kl.item() > 0
    assert loss.total.item() == pytest.approx(loss.answer.item() + 2.5 * loss.kl.item(), rel=1e-6)
    assert loss.answer.item() == pytest.approx(student(**batch, keep=keep).loss.item(), rel=1e-6)
    loss.total.backward()
    assert student.read[2].weight.grad.abs().sum() > 0
    assert (student.read[0].weight.grad == 0).all()  # only the teacher saw the face
    after = teacher.state_dict()["values"]
    assert all(torch.equal(held[name], after[name]) for name in held)


def test_a_student_that_keeps_everything_agrees_with_its_teacher() -> None:
    student = Answerer()
    batch = Task(noise=1.0).batch(_seeded(1))
    loss = dropout_step(student, batch, teacher=Teacher(student), keep=batch["present"])
    assert loss.kl.item() == pytest.approx(0, abs=1e-6)


def test_without_weight_the_teacher_is_not_asked() -> None:
    student = Answerer()
    batch = Task(noise=1.0).batch(_seeded(1))
    calls: list[bool] = []
    student.register_forward_hook(lambda *_: calls.append(True))
    loss = dropout_step(student, batch, teacher=Teacher(student), keep=batch["present"], kl_weight=0.0)
    assert len(calls) == 1
    assert (loss.kl.item(), loss.total.item()) == (0.0, loss.answer.item())
