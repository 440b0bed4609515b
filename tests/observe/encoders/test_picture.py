"""Frames resized, cut and normalised as the processors of the published checkpoints do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hero.errors import InputError, WeightsError
from hero.observe.encoders.picture import Recipe, fit, pixels, published, recipe_of

KINDS = ("clip_vision", "siglip_vision", "videomae")
SHAPES = [(180, 320), (320, 180), (97, 131), (720, 1280), (224, 224), (224, 400), (60, 33)]


def noise(shape: tuple[int, int], seed: int = 7) -> np.ndarray:
    """The hardest picture to resize."""
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.uint8)


def waves(shape: tuple[int, int]) -> np.ndarray:
    """A smooth picture."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] / 40
    return np.stack([127 + 120 * np.sin(rows + k) * np.cos(columns * (k + 1)) for k in range(3)], -1).astype(np.uint8)


def theirs(kind: str, frame: np.ndarray) -> np.ndarray:
    """Levels (224, 224, 3) that transformers' processor makes with Pillow."""
    pytest.importorskip("PIL", reason="pillow is missing")
    pytest.importorskip("transformers", reason="the extra 'model' (torch, transformers) is missing")
    from PIL import Image
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil

    makers = {
        "clip_vision": CLIPImageProcessorPil,
        "siglip_vision": SiglipImageProcessorPil,
        "videomae": VideoMAEImageProcessorPil,
    }
    processor = makers[kind](do_rescale=False, do_normalize=False)
    picture = Image.fromarray(frame)
    made = processor([[picture]] if kind == "videomae" else picture, return_tensors="np")["pixel_values"][0]
    return np.moveaxis(made[0] if kind == "videomae" else made, 0, -1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_equal_those_of_the_reference_processor(kind: str, shape: tuple[int, int]) -> None:
    """Two of 255 levels apart at most, 0.03 on average: the reference rounds its weights, which decides exact halves."""
    for frame in (noise(shape), waves(shape)):
        made = fit(frame, published(kind, 224))
        assert made.shape == (224, 224, 3)
        assert made.dtype == np.uint8
        apart = np.abs(made.astype(int) - theirs(kind, frame).astype(int))
        assert apart.max() <= 2
        assert apart.mean() < 0.03


@pytest.mark.parametrize(
    ("kind", "mean", "spread"),
    [
        ("clip_vision", (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
        ("siglip_vision", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("videomae", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
)
def test_the_published_constants(kind: str, mean: tuple[float, ...], spread: tuple[float, ...]) -> None:
    recipe = published(kind, 224)
    assert (recipe.mean, recipe.spread) == (mean, spread)
    assert recipe.kernel == ("linear" if kind == "videomae" else "cubic")
    assert recipe.short_px == (None if kind == "siglip_vision" else 224)


def test_pixels_are_normalised_per_colour() -> None:
    torch = pytest.importorskip("torch", reason="the extra 'model' (torch, transformers) is missing")
    white = torch.full((2, 4, 4, 3), 255, dtype=torch.uint8)
    made = pixels(white, published("clip_vision", 4), torch.float32)
    assert made.shape == (2, 3, 4, 4)
    np.testing.assert_allclose(made[1, :, 3, 0], [1.9303, 2.0749, 2.1459], atol=1e-4)
    black = pixels(torch.zeros((1, 2, 4, 4, 3), dtype=torch.uint8), published("videomae", 4), torch.bfloat16)
    assert black.shape == (1, 2, 3, 4, 4)
    np.testing.assert_allclose(black[0, 0, :, 0, 0].float(), [-2.1179, -2.0357, -1.8044], atol=0.01)
    assert pixels(white, published("siglip_vision", 4), torch.float32).unique().tolist() == [1.0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (240, 320), (37, 211), (2, 2000)])
def test_a_plain_frame_stays_plain(kind: str, shape: tuple[int, int]) -> None:
    flat = np.full((*shape, 3), (10, 120, 250), np.uint8)
    made = fit(flat, published(kind, 24))
    assert made.shape == (24, 24, 3)
    assert (made == flat[0, 0]).all()


def test_the_middle_is_cut_out_and_squashing_keeps_the_edges() -> None:
    frame = np.zeros((24, 72, 3), np.uint8)
    frame[:, :24], frame[:, 48:] = 255, 128
    assert (fit(frame, published("clip_vision", 24)) == 0).all()
    squashed = fit(frame, published("siglip_vision", 24))
    assert squashed[12, [0, 12, 23], 0].tolist() == [255, 0, 128]


def test_the_caller_may_change_the_frame_afterwards() -> None:
    frame = noise((24, 24))
    made = fit(frame, published("clip_vision", 24))
    frame[:] = 0
    assert made.any()


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_frame_is_refused(frame: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"a frame is \(H, W, 3\) uint8"):
        fit(frame, published("clip_vision", 8))


def written(folder: Path, lines: object, name: str = "preprocessor_config.json") -> Path:
    (folder / name).write_text(json.dumps(lines), "utf-8")
    return folder


CLIP_2021 = {"crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True, "resample": 3,
             "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
             "size": 224}  # fmt: skip
SIGLIP_2 = {"do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "resample": 2,
            "image_processor_type": "SiglipImageProcessor", "image_std": [0.5, 0.5, 0.5],
            "rescale_factor": 0.00392156862745098, "size": {"height": 256, "width": 256}}  # fmt: skip


def test_processor_files_of_all_ages_are_read(tmp_path: Path) -> None:
    assert recipe_of(tmp_path, "clip_vision", 224) == published("clip_vision", 224)
    assert recipe_of(written(tmp_path, CLIP_2021), "clip_vision", 224) == published("clip_vision", 224)
    made = recipe_of(written(tmp_path, SIGLIP_2), "siglip_vision", 256)
    assert made == Recipe((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 256, None, "linear")
    new = {**CLIP_2021, "size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}
    assert recipe_of(written(tmp_path, new), "clip_vision", 224).short_px == 256
    assert recipe_of(written(tmp_path, {"size": 320}), "siglip_vision", 320).short_px is None
    plain = recipe_of(written(tmp_path, {"do_normalize": False}), "videomae", 224)
    assert (plain.mean, plain.spread, plain.kernel) == ((0, 0, 0), (1, 1, 1), "linear")


def test_the_file_of_a_whole_processor_is_read(tmp_path: Path) -> None:
    written(tmp_path, {"image_processor": SIGLIP_2, "processor_class": "SiglipProcessor"}, "processor_config.json")
    assert recipe_of(tmp_path, "siglip_vision", 256).kernel == "linear"
    written(tmp_path, {"feature_extractor": {}}, "processor_config.json")
    assert recipe_of(tmp_path, "siglip_vision", 256) == published("siglip_vision", 256)


def test_a_larger_shorter_side_is_cut_like_the_reference(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="pillow is missing")
    from PIL import Image

    frame = noise((300, 410))
    recipe = Recipe((0, 0, 0), (1, 1, 1), 40, 56, "cubic")
    whole = np.asarray(Image.fromarray(frame).resize((int(56 * 410 / 300), 56), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(fit(frame, recipe).astype(int) - whole[8:48, 18:58]).max() <= 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"resample": 1}, "resample is 1; known are 2"),
        ({"do_resize": False}, "do_resize is False"),
        ({"do_rescale": False}, "do_rescale is False"),
        ({"rescale_factor": 0.5}, "rescale_factor is 0.5"),
        ({"do_center_crop": False}, "pictures are not square"),
        ({"size": {"height": 224, "width": 336}}, "224 x 336 pixels are not square"),
        ({"size": {"longest_edge": 224}}, "cannot be used"),
        ({"size": {"shortest_edge": 200}, "crop_size": 224}, "cuts 224 pixels out of a shorter side of 200"),
        ({"size": 336, "crop_size": 336}, "makes pictures of 336 pixels, its network takes 224"),
        ({"image_mean": [0.5]}, "cannot be used"),
        ({"image_std": "grey"}, "cannot be used"),
        ([1, 2], "holds no JSON object"),
    ],
)
def test_processors_that_ask_for_more_are_refused_with_the_cure(tmp_path: Path, lines: object, said: str) -> None:
    with pytest.raises(WeightsError, match=said) as caught:
        recipe_of(written(tmp_path, lines), "clip_vision", 224)
    assert "name a folder that holds the whole model" in caught.value.line
