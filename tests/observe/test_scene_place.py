"""The place in words: pictures as CLIP wants them, one per shot, a stated threshold, and folders that are no CLIP."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hero import checkpoints
from hero.media.frames import Frame
from hero.observe.expert import Context
from hero.observe.scene import SceneExpert, clip_model, place
from hero.observe.scene.clip_model import PictureWords, look_up, normalised, square
from hero.observe.scene.place import MAX_SHOTS, SHARE_MIN, PlaceFinder, place_words
from hero.observe.scene.shots import Cut
from hero.observe.stream import shrink
from hero.types import ModelUsed, Observation, Span

RATE_HZ = 4.0
needs_transformers = pytest.mark.skipif(
    not (find_spec("torch") and find_spec("transformers")), reason="the extra 'model' (torch, transformers) is missing"
)


@pytest.fixture(autouse=True)
def only_own_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """HERO_MODELS is an empty folder, and nothing else is searched."""
    own = tmp_path / "models"
    own.mkdir()
    monkeypatch.setenv("HERO_MODELS", str(own))
    monkeypatch.setenv("HERO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HERO_DATA", raising=False)
    return own


def room(seed: int, size: tuple[int, int] = (180, 320)) -> np.ndarray:
    """A coloured picture (H, W, 3) with structure of its own."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.uniform(0, 255, (9, 16, 3)), np.ones((20, 20, 1)))
    return np.ascontiguousarray(blocks[: size[0], : size[1]]).astype(np.uint8)


def frame(time_s: float, rgb: np.ndarray) -> Frame:
    return Frame(time_s, rgb)


def knows(shares_of: dict[int, float], size_px: int = 8) -> PictureWords:
    """A model that gives the first place the share listed for a picture's mean level (to the nearest ten)."""

    def shares(picture: np.ndarray) -> np.ndarray:
        first = shares_of[round(float(picture.mean()) / 10) * 10]
        return np.array([first] + [(1 - first) / (len(place_words()) - 1)] * (len(place_words()) - 1))

    return PictureWords(size_px, shares, ModelUsed("CLIP (known)", "0" * 64, "MIT"))


def level(value: float) -> np.ndarray:
    """A chequered picture (12, 16, 3) of a mean level."""
    return (
        np.clip(value + 20 * np.kron(np.indices((6, 8)).sum(0) % 2 * 2 - 1.0, np.ones((2, 2))), 0, 255)[..., None]
        .repeat(3, 2)
        .astype(np.uint8)
    )


def find(finder: PlaceFinder, levels: list[float], cut_times: list[float]) -> list[place.Place]:
    cuts = [Cut(t, 1.0) for t in cut_times]
    for i, value in enumerate(levels):
        now = i / RATE_HZ
        finder.push(frame(now, level(value)), [c for c in cuts if c.time_s < now])  # settled one frame late
    edges = [0.0, *cut_times, len(levels) / RATE_HZ]
    return finder.flush(cuts, [Span(a, b) for a, b in pairwise(edges)])


def test_the_list_of_places_is_complete_and_each_differs() -> None:
    rows = place_words()
    assert 35 <= len(rows) <= 60
    assert all(set(row) == {"where", "en", "zh"} for row in rows)
    for key in ("where", "en", "zh"):
        assert len({row[key] for row in rows}) == len(rows), key
    assert all(any("\u4e00" <= c <= "\u9fff" for c in row["zh"]) for row in rows)


def test_a_place_is_named_per_shot_and_only_from_the_threshold_on() -> None:
    model = knows({50: SHARE_MIN + 0.12, 100: SHARE_MIN - 0.01, 150: SHARE_MIN})
    found = find(PlaceFinder(model), [50] * 8 + [100] * 8 + [150] * 8, [2.0, 4.0])
    assert [(p.span.as_list(), round(p.share, 2)) for p in found] == [([0.0, 2.0], 0.62), ([4.0, 6.0], 0.5)]
    assert found[0].words["en"] == place_words()[0]["en"]


def test_shots_below_a_second_and_plain_pictures_are_not_looked_at() -> None:
    finder = PlaceFinder(knows({50: 0.9, 150: 0.9}))
    found = find(finder, [50] * 8 + [150] * 3 + [50] * 8, [2.0, 2.75])
    assert [p.span.as_list() for p in found] == [[0.0, 2.0], [2.75, 4.75]]
    finder = PlaceFinder(knows({50: 0.9}))
    for i in range(8):
        finder.push(frame(i / RATE_HZ, np.full((12, 16, 3), 50, np.uint8)), [])
    assert finder.flush([], [Span(0, 2)]) == []
    assert finder.looked_at == 0


def test_a_clip_shorter_than_a_second_is_one_shot_and_counts() -> None:
    assert len(find(PlaceFinder(knows({50: 0.9})), [50, 50], [])) == 1


def test_the_frame_stems_from_the_second_half_of_its_shot() -> None:
    finder = PlaceFinder(knows({50: 0.9}))
    find(finder, [50] * 45, [5.0])
    first, second = finder._kept
    assert 2.5 <= first.time_s < 5.0
    assert 5.0 + 3.125 <= second.time_s < 11.25


def test_few_pictures_are_kept_however_long_the_clip() -> None:
    count = 2 * MAX_SHOTS
    finder = PlaceFinder(knows({50: 0.9, 100: 0.9}))
    find(
        finder,
        ([50] * 4 + [100] * 8) * (count // 2),
        [t for k in range(count // 2) for t in (3.0 * k + 1, 3.0 * k + 3)][:-1],
    )
    assert finder.looked_at <= MAX_SHOTS
    assert sum(kept.length_s > 1.5 for kept in finder._kept) >= MAX_SHOTS - 2  # the longer ones stay


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (240, 320), (320, 180), (37, 211)])
def test_any_frame_becomes_a_square(shape: tuple[int, int]) -> None:
    flat = np.full((*shape, 3), (10, 120, 250), np.uint8)
    made = square(flat, 24)
    assert made.shape == (24, 24, 3)
    assert made.dtype == np.uint8
    assert (made == flat[0, 0]).all()


def test_pixels_are_normalised_with_the_published_constants() -> None:
    white = normalised(np.full((4, 4, 3), 255, np.uint8))
    assert white.shape == (3, 4, 4)
    np.testing.assert_allclose(white[:, 0, 0], [1.9303, 2.0749, 2.1459], atol=1e-4)
    np.testing.assert_allclose(
        normalised(np.zeros((4, 4, 3), np.uint8))[:, 0, 0], [-1.7923, -1.7521, -1.4802], atol=1e-4
    )


@needs_transformers
@pytest.mark.parametrize("shape", [(180, 320, 3), (320, 180, 3), (97, 131, 3), (500, 400, 3), (224, 224, 3)])
def test_pictures_equal_those_of_the_reference_processor(shape: tuple[int, int, int]) -> None:
    """At most one grey level of 255 apart (the reference resizes with weights of limited precision), 0.01 on average."""
    pytest.importorskip("PIL", reason="pillow is missing")
    from PIL import Image
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    rgb = np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)  # noise is the hardest to resize
    want = CLIPImageProcessorPil()(images=Image.fromarray(rgb), return_tensors="np")["pixel_values"][0]
    got = normalised(square(rgb, 224))
    assert got.shape == want.shape == (3, 224, 224)
    assert np.abs(got - want).max() <= 1.01 / 255 / clip_model.SPREAD.min()
    assert np.abs(got - want).mean() <= 0.01 / 255 / clip_model.SPREAD.min()


@needs_transformers
def test_the_constants_are_those_of_transformers() -> None:
    from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    np.testing.assert_allclose(clip_model.MEAN, OPENAI_CLIP_MEAN, rtol=1e-6)
    np.testing.assert_allclose(clip_model.SPREAD, OPENAI_CLIP_STD, rtol=1e-6)


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small seeded CLIP with a byte tokenizer, saved in the Hugging Face layout."""
    if not (find_spec("torch") and find_spec("transformers")):
        pytest.skip("the extra 'model' (torch, transformers) is missing")
    import torch
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("weights") / "clip-tiny"
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(c + "</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[])
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**sizes, "vocab_size": len(tokens), "max_position_embeddings": 77,
            "bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}  # fmt: skip
    config = CLIPConfig(
        text_config=text, vision_config={**sizes, "image_size": 224, "patch_size": 32}, projection_dim=16
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def described(folder: Path, **lines: object) -> Path:
    """The folder with lines added to its config."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **lines}), "utf-8")
    return folder


def copied(tiny_clip: Path, to: Path, **lines: object) -> Path:
    return described(Path(shutil.copytree(tiny_clip, to)), **lines)


def sharpened(folder: Path, log_scale: float) -> Path:
    """The folder with another temperature, so that one place takes nearly all of the softmax."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    save_file(
        {**tensors, "logit_scale": np.array(log_scale, np.float32)}, folder / "model.safetensors", {"format": "pt"}
    )
    return folder


def watch(pictures: list[np.ndarray], *, lang: str = "en", licence: str = "any", **settings: object) -> Observation:
    expert = SceneExpert()
    clip = SimpleNamespace(duration_s=len(pictures) / RATE_HZ)
    context = Context(clip, lang=lang, licence=licence, settings={"fps": RATE_HZ, "max_side": 160, **settings})
    assert expert.start(context) is None
    for i, rgb in enumerate(pictures):
        expert.take(shrink(frame(i / RATE_HZ, rgb), expert.max_side))  # as the stream hands them out
    return expert.finish({})


def prompts() -> tuple[str, ...]:
    return tuple(place.PROMPT.format(where=row["where"]) for row in place_words())


def test_shares_equal_those_of_the_reference_model_and_sum_to_one(tiny_clip: Path) -> None:
    import torch
    from PIL import Image
    from transformers import CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    shares = clip_model.load(tiny_clip, prompts()).shares(square(room(1), 224))
    assert shares.shape == (len(place_words()),)
    assert shares.sum() == pytest.approx(1.0, abs=1e-9)
    words = CLIPTokenizer.from_pretrained(tiny_clip)(
        list(prompts()), padding=True, truncation=True, max_length=77, return_tensors="pt"
    )
    pixels = CLIPImageProcessorPil()(images=Image.fromarray(room(1)), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        want = CLIPModel.from_pretrained(tiny_clip).eval()(pixel_values=pixels, **words).logits_per_image.softmax(-1)[0]
    assert np.ptp(want.numpy()) > 1e-3  # the places do differ
    np.testing.assert_allclose(shares, want.numpy(), atol=2e-4)


def test_a_clip_at_hand_names_the_place_with_its_share_and_its_hash(tiny_clip: Path, only_own_models: Path) -> None:
    folder = sharpened(copied(tiny_clip, only_own_models / "clip-vit-large-patch14", license="mit"), 14.0)
    obs = watch([room(1)] * 8 + [room(2)] * 8)
    named = [ev for ev in obs.evidence if ev.cue == "place"]
    assert [ev.span.as_list() for ev in named] == [[0.0, 2.0], [2.0, 4.0]]
    share = named[0].measures["share"]
    assert share == named[0].confidence >= SHARE_MIN
    assert any(named[0].text == f"The place looks like {row['en']} (CLIP, share {share:.2f})." for row in place_words())
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert obs.models == (ModelUsed("CLIP (clip-vit-large-patch14)", digest, "MIT", True),)
    assert any("looked at one frame in 2 of 2 shots" in note for note in obs.notes)
    chinese = [ev for ev in watch([room(1)] * 8, lang="zh").evidence if ev.cue == "place"]
    assert any(row["zh"] in chinese[0].text for row in place_words())


def test_below_the_threshold_nothing_is_said_but_the_model_is_listed(tiny_clip: Path, only_own_models: Path) -> None:
    copied(tiny_clip, only_own_models / "clip-small")
    obs = watch([room(1)] * 8)
    assert [ev.cue for ev in obs.evidence] == ["setting"]
    assert [model.name for model in obs.models] == ["CLIP (clip-small)"]
    assert (obs.models[0].licence, obs.models[0].commercial) == ("unknown", False)


def test_clip_asks_for_larger_frames_and_leaves_light_and_cuts_as_they_are(tiny_clip: Path) -> None:
    pictures = [room(1)] * 6 + [room(2)] * 6
    plain = watch(pictures, clip="none")
    expert = SceneExpert()
    expert.start(Context(SimpleNamespace(duration_s=3.0), settings={"max_side": 160, "clip": str(tiny_clip)}))
    assert expert.max_side == 320
    seen = watch(pictures, clip=str(tiny_clip))
    np.testing.assert_array_equal(seen.tracks["light"].values, plain.tracks["light"].values)
    assert seen.spans == plain.spans


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        ({}, "unknown"),
        ({"_name_or_path": "clip-vit-large-patch14/"}, "MIT"),
        ({"_name_or_path": "openai/clip-vit-base-patch32"}, "MIT"),
        ({"_name_or_path": "someone/clip-vit-base-patch32"}, "unknown"),
        ({"license": "cc-by-nc-4.0"}, "cc-by-nc-4.0"),
    ],
)
def test_the_licence_is_what_the_config_says(tmp_path: Path, lines: dict[str, str], licence: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip", **lines}), "utf-8")
    assert checkpoints.licence_of(tmp_path) == licence
    assert checkpoints.commercial(licence) == (licence == "MIT")


def test_licence_open_leaves_out_a_clip_of_unknown_licence(tiny_clip: Path) -> None:
    obs = watch([room(1)] * 4, licence="open", clip=str(tiny_clip))
    assert not obs.models
    assert "--licence open leaves it out" in obs.notes[0]


def test_without_a_folder_the_note_names_the_cure() -> None:
    note = watch([room(1)] * 4).notes[0]
    assert "not put into words: no CLIP folder is at hand" in note
    assert "pip install 'hero-emotion[model]'" in note
    assert "HERO_MODELS" in note
    for off in ("none", False):
        assert "switches CLIP off" in watch([room(1)] * 4, clip=off).notes[0]


def _bert(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "bert"}', "utf-8")


def _listed(folder: Path) -> None:
    (folder / "config.json").write_text("[1, 2]", "utf-8")


def _scribbled(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"\xff\xfe no json")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_bert, "model_type 'bert'"),
        (_listed, "model_type None"),
        (_scribbled, "cannot be read"),
        (lambda folder: (folder / "config.json").unlink(), "cannot be read"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\x00" * 99), "cannot be loaded as CLIP"),
        (lambda folder: described(folder, projection_dim=24), "cannot be loaded as CLIP"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}", "utf-8"), "cannot be loaded as CLIP"),
        (lambda folder: (folder / "tokenizer.json").write_text("nonsense", "utf-8"), "cannot be loaded as CLIP"),
        (
            lambda folder: (folder / "tokenizer.json").write_text('{"model": {"type": "BPE"}}', "utf-8"),
            "cannot be loaded",
        ),
        (lambda folder: (folder / "tokenizer.json").write_text("[]", "utf-8"), "cannot be loaded as CLIP"),
        (lambda folder: (folder / "tokenizer_config.json").write_text("[]", "utf-8"), "cannot be loaded as CLIP"),
        (lambda folder: described(folder, vision_config=3), "cannot be loaded as CLIP"),
        (lambda folder: described(folder, text_config={"vocab_size": 100}), "cannot be loaded as CLIP"),
        (shutil.rmtree, "no such folder"),
    ],
)
def test_a_folder_that_is_no_clip_is_noted_with_the_cure(tiny_clip: Path, tmp_path: Path, spoil, said: str) -> None:
    folder = copied(tiny_clip, tmp_path / "spoilt")
    spoil(folder)
    obs = watch([room(1)] * 4, clip=str(folder))
    assert obs.absent is None
    assert [ev.cue for ev in obs.evidence] == ["setting"]
    assert said in obs.notes[0]
    assert "hero-emotion[model]" in obs.notes[0]
    assert "\n" not in obs.notes[0]


def test_weights_with_missing_tensors_are_refused(tiny_clip: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = copied(tiny_clip, tmp_path / "part")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("visual_projection.weight")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert "lacks 1 tensors" in watch([room(1)] * 4, clip=str(folder)).notes[0]


@needs_transformers
def test_look_up_order(only_own_models: Path, tmp_path: Path) -> None:
    def made(folder: Path) -> Path:
        folder.mkdir(parents=True)
        _bert(folder)
        for name in ("model.safetensors", "tokenizer.json"):
            (folder / name).write_bytes(b"")
        return described(folder, model_type="clip")

    cached = made(tmp_path / "cache" / "models" / "clip-x")
    assert look_up("auto") == (cached, "")
    own = made(only_own_models / "CLIP-ViT-B-32")
    _bert(Path(shutil.copytree(own, only_own_models / "CLIP-A-bert")))  # passed over
    assert look_up(None) == (own, "")
    large = made(only_own_models / "clip-vit-large-patch14")
    assert look_up("auto") == (large, "")
    assert look_up(str(cached)) == (cached, "")
    folder, reason = look_up(str(tmp_path / "nowhere"))
    assert folder is None
    assert "no such folder" in reason


def test_a_missing_extra_is_named(tiny_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_model.util, "find_spec", lambda name: None if name == "transformers" else object())
    folder, reason = look_up(str(tiny_clip))
    assert folder is None
    assert reason.startswith("transformers cannot be imported; pip install")


def test_torch_stays_out_without_clip() -> None:
    code = (
        "import sys; from types import SimpleNamespace as N; from hero.observe.scene import SceneExpert;"
        "SceneExpert().start(N(clip=N(duration_s=1.0), lang='en', licence='any', settings={}));"
        "print([m for m in ('torch', 'transformers', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
