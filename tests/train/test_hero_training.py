"""Dropout training of a whole HERO model: the language model exists once, and only the small parts learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from hero.hero_model import HeroModel, Lora
from hero.nn.integration import Feed
from hero.train.losses import answer_logits
from hero.train.modality_dropout import draw_keep, keep_only, presence
from hero.train.step import dropout_step
from hero.train.teacher import Teacher

COLUMNS = {"face": 35, "voice": 6, "synergy": 3}
SIZES: dict[str, Any] = {
    "parts": {"face": {"dim_in": 35, "queries": 2, "projection": "action_units"}, "voice": {"dim_in": 6, "queries": 2},
              "synergy": {"dim_in": 3, "queries": 2}},
    "dim": 16, "heads": 2, "layers": 1, "queries": 3,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny language model."""
    from hero.pretrained import tiny_language

    return tiny_language.build("tiny-qwen2", tmp_path_factory.mktemp("bases") / "tiny-qwen2")


@pytest.fixture
def student(base: Path) -> HeroModel:
    """A fresh model in training mode, without the randomness of LoRA's dropout."""
    torch.manual_seed(0)
    model = HeroModel.from_base(
        base, integration=SIZES, lora=Lora(r=4, alpha=8, dropout=0.0), device="cpu", precision="fp32"
    )
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_B" in name:  # fresh adapters change nothing
                value.normal_(std=0.1)
    return model.train()


def _batch(student: HeroModel) -> dict[str, Any]:
    """Three samples: all modalities, the voice alone, and nothing but text."""
    generator = torch.Generator().manual_seed(4)
    there = {"face": [True, False, False], "voice": [True, True, False], "synergy": [True, False, False]}
    feeds = {}
    for name, columns in COLUMNS.items():
        mask = torch.tensor(there[name])[:, None].expand(3, 5)
        feeds[name] = Feed(torch.randn(3, 5, columns, generator=generator), mask, torch.arange(5.0).expand(3, 5))
    tokens = student.tokenizer(
        ["He smiles: happy", "The voice is low and slow: sad", "Nobody: calm"], padding=True, return_tensors="pt"
    )
    ids, mask = tokens["input_ids"], tokens["attention_mask"]
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, :3] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels, "feeds": feeds}


def _keep(student: HeroModel, batch: dict[str, Any], seed: int) -> torch.Tensor:
    present = presence(student.integration, batch["feeds"])
    generator = torch.Generator().manual_seed(seed)
    return draw_keep(present, modalities=student.integration.modalities, probability=0.5, generator=generator)


def test_the_teacher_shares_the_language_model(student: HeroModel) -> None:
    teacher = Teacher(student)
    trainable = student.trainable_parameters()
    assert set(teacher.state_dict()["values"]) == set(trainable)
    assert teacher.numbers == sum(value.numel() for value in trainable.values())
    seen: list[int] = []
    frozen = [part for part in student.language.modules() if isinstance(part, torch.nn.Embedding)]
    for part in frozen:
        part.register_forward_hook(lambda module, *_: seen.append(module.weight.data_ptr()))
    batch = _batch(student)
    student(**batch)
    teacher(**batch)
    assert seen == 2 * [part.weight.data_ptr() for part in frozen]


def test_a_step_trains_adapters_and_integration_and_leaves_base_and_teacher_alone(student: HeroModel) -> None:
    teacher = Teacher(student, kind="frozen")
    batch = _batch(student)
    full = teacher(**batch).logits
    before = {name: value.detach().clone() for name, value in student.named_parameters()}
    optimiser = torch.optim.AdamW(student.trainable_parameters().values(), lr=0.01)
    loss = dropout_step(student, batch, teacher=teacher, keep=_keep(student, batch, seed=1), kl_weight=2.0)
    assert loss.kl.item() > 0
    assert loss.total.item() == pytest.approx(loss.answer.item() + 2 * loss.kl.item(), rel=1e-5)
    loss.total.backward()
    optimiser.step()
    teacher.update()
    changed = {name for name, value in student.named_parameters() if not torch.equal(value, before[name])}
    assert changed <= set(student.trainable_parameters())
    assert any("lora_A" in name for name in changed)
    assert any("integration.query" in name for name in changed)
    assert torch.equal(teacher(**batch).logits, full)


def test_a_student_that_keeps_everything_agrees_with_its_teacher(student: HeroModel) -> None:
    batch = _batch(student)
    keep = presence(student.integration, batch["feeds"])
    assert dropout_step(student, batch, teacher=Teacher(student), keep=keep).kl.item() == pytest.approx(0, abs=1e-6)


def test_answers_are_compared_in_place_although_hidden_feeds_take_their_soft_tokens_along(student: HeroModel) -> None:
    batch = _batch(student)
    nothing = torch.zeros(3, 3, dtype=torch.bool)
    loss = dropout_step(student, batch, teacher=Teacher(student), keep=nothing)
    text = {name: value for name, value in batch.items() if name != "feeds"}
    with torch.no_grad():
        by_text, by_all = student.eval()(**text), student(**batch)
    assert by_text.logits.shape[1] < by_all.logits.shape[1]  # the longest sample lost its soft tokens
    mine, theirs = (answer_logits(out.logits, out.labels) for out in (by_text, by_all))
    expected = torch.nn.functional.kl_div(
        mine.log_softmax(-1), theirs.log_softmax(-1), log_target=True, reduction="batchmean"
    )
    assert loss.kl.item() == pytest.approx(expected.item(), abs=1e-6)
    assert expected.item() > 1e-6


@pytest.mark.parametrize("kept", [(), ("face",), ("voice",), ("face", "voice", "synergy")])
def test_a_first_token_is_learned_neither_with_soft_tokens_before_it_nor_without(
    student: HeroModel, kept: tuple[Any, ...]
) -> None:
    batch = _batch(student)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)  # as in the manual: from column 0 on
    assert (labels[:, 0] != -100).all()
    present = presence(student.integration, batch["feeds"])
    keep = keep_only(present, modalities=student.integration.modalities, kept=kept)
    loss = dropout_step(student, {**batch, "labels": labels}, teacher=Teacher(student), keep=keep)
    assert loss.total.isfinite() and loss.answer.item() > 0
    later = labels.clone()
    later[:, 0] = -100
    same = dropout_step(student, {**batch, "labels": later}, teacher=Teacher(student), keep=keep)
    assert (loss.answer.item(), loss.kl.item()) == (same.answer.item(), same.kl.item())


def test_gradients_are_the_same_with_activations_computed_again(student: HeroModel) -> None:
    batch = _batch(student)
    keep = _keep(student, batch, seed=1)
    teacher = Teacher(student, kind="frozen")
    with torch.no_grad():
        for value in student.trainable_parameters().values():
            value.add_(0.05)  # so that student and teacher differ while activations are computed again
    found = []
    for again in (False, True):
        if again:
            student.activation_checkpointing_enable()
        student.zero_grad()
        dropout_step(student, batch, teacher=teacher, keep=keep).total.backward()
        found.append({name: value.grad.clone() for name, value in student.trainable_parameters().items()})
    assert all(torch.allclose(found[0][name], found[1][name], atol=1e-6) for name in found[0])


def test_a_resumed_training_gives_the_same_losses(student: HeroModel, base: Path, tmp_path: Path) -> None:
    def run(model: HeroModel, teacher: Teacher, steps: range) -> list[float]:
        losses = []
        for step in steps:
            batch = _batch(model)
            loss = dropout_step(model, batch, teacher=teacher, keep=_keep(model, batch, seed=step))
            model.zero_grad()
            loss.total.backward()
            with torch.no_grad():
                for value in model.trainable_parameters().values():
                    value -= 0.02 * value.grad
            teacher.update()
            losses.append(loss.total.item())
        return losses

    teacher = Teacher(student)
    run(student, teacher, range(3))
    student.save_pretrained(tmp_path / "half")
    torch.save(teacher.state_dict(), tmp_path / "teacher.pt")
    expected = run(student, teacher, range(3, 6))
    resumed = HeroModel.from_pretrained(tmp_path / "half", base=base, device="cpu", precision="fp32", trainable=True)
    another = Teacher(resumed.train())
    another.load_state_dict(torch.load(tmp_path / "teacher.pt", weights_only=True))
    assert run(resumed, another, range(3, 6)) == pytest.approx(expected, rel=1e-5)
