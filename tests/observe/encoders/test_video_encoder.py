"""VideoMAE of both versions: windows, features, converted keys against a reference of the second version, bad folders."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'model' (torch, transformers) is missing")
transformers = pytest.importorskip("transformers", reason="the extra 'model' (torch, transformers) is missing")

from hero.checkpoints import Checkpoint
from hero.errors import InputError, WeightsError
from hero.observe.encoders import video_keys
from hero.observe.encoders.picture import published
from hero.observe.encoders.tiny import build
from hero.observe.encoders.video import VideoEncoder, load_videomae

SIDE, PATCH, FRAMES, TUBE, DIM, DEPTH, HEADS, EPS = 32, 16, 16, 2, 24, 3, 3, 1e-6
TOKENS = (SIDE // PATCH) ** 2 * FRAMES // TUBE
MODEL_CONFIG = {
    "img_size": SIDE, "patch_size": PATCH, "in_chans": 3, "num_classes": 0, "embed_dim": DIM, "depth": DEPTH,
    "num_heads": HEADS, "mlp_ratio": 4, "qkv_bias": True, "qk_scale": None, "layer_norm_eps": EPS, "init_values": 0.0,
    "use_learnable_pos_emb": False, "tubelet_size": TUBE, "use_mean_pooling": True, "num_frames": FRAMES,
    "cos_attn": False,
}  # fmt: skip


def at(folder: Path) -> Checkpoint:
    return Checkpoint(folder.name, "videomae", folder, "", "cc-by-nc-4.0", False, "0" * 64)


def windows(count: int, seed: int = 0, side: int = SIDE) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (FRAMES, side, side, 3)).astype(np.uint8) for _ in range(count)]


def v2_weights(seed: int = 0, *, tokens_normed: bool = False) -> dict[str, torch.Tensor]:
    """Random tensors under OpenGVLab's names, none of them trivial."""
    made = torch.Generator().manual_seed(seed)

    def drawn(*shape: int, scale: float = 0.2, middle: float = 0.0) -> torch.Tensor:
        return middle + scale * torch.randn(*shape, generator=made)

    found = {
        "patch_embed.proj.weight": drawn(DIM, 3, TUBE, PATCH, PATCH, scale=0.03),
        "patch_embed.proj.bias": drawn(DIM),
    }
    for i in range(DEPTH):
        found |= {
            f"blocks.{i}.norm1.weight": drawn(DIM, middle=1.0),
            f"blocks.{i}.norm1.bias": drawn(DIM),
            f"blocks.{i}.attn.qkv.weight": drawn(3 * DIM, DIM),
            f"blocks.{i}.attn.q_bias": drawn(DIM),
            f"blocks.{i}.attn.v_bias": drawn(DIM),
            f"blocks.{i}.attn.proj.weight": drawn(DIM, DIM),
            f"blocks.{i}.attn.proj.bias": drawn(DIM),
            f"blocks.{i}.norm2.weight": drawn(DIM, middle=1.0),
            f"blocks.{i}.norm2.bias": drawn(DIM),
            f"blocks.{i}.mlp.fc1.weight": drawn(4 * DIM, DIM),
            f"blocks.{i}.mlp.fc1.bias": drawn(4 * DIM),
            f"blocks.{i}.mlp.fc2.weight": drawn(DIM, 4 * DIM),
            f"blocks.{i}.mlp.fc2.bias": drawn(DIM),
        }
    last = "norm" if tokens_normed else "fc_norm"
    return found | {f"{last}.weight": drawn(DIM, middle=1.0), f"{last}.bias": drawn(DIM)}


def positions() -> torch.Tensor:
    """The fixed sine-cosine table (P, D) of Vaswani et al. 2017."""
    table = torch.empty(TOKENS, DIM, dtype=torch.float64)
    for at_token in range(TOKENS):
        for column in range(DIM):
            angle = at_token / 10000 ** (2 * (column // 2) / DIM)
            table[at_token, column] = math.sin(angle) if column % 2 == 0 else math.cos(angle)
    return table.float()


def reference(weights: dict[str, torch.Tensor], window: np.ndarray) -> np.ndarray:
    """VideoMAE v2 at inference, from the paper: tubes, positions, pre-norm blocks, mean, norm. (F, S, S, 3) to (D,)."""
    linear, norm = torch.nn.functional.linear, torch.nn.functional.layer_norm
    recipe = published("videomae", SIDE)
    frames = (torch.from_numpy(window).float() / 255 - torch.tensor(recipe.mean)) / torch.tensor(recipe.spread)
    n = SIDE // PATCH
    tubes = frames.reshape(FRAMES // TUBE, TUBE, n, PATCH, n, PATCH, 3).permute(0, 2, 4, 6, 1, 3, 5)  # t h w c T p p
    x = linear(
        tubes.reshape(TOKENS, -1), weights["patch_embed.proj.weight"].reshape(DIM, -1), weights["patch_embed.proj.bias"]
    )
    x = x + positions()
    for i in range(DEPTH):
        w = {key.removeprefix(f"blocks.{i}."): value for key, value in weights.items()}
        y = norm(x, (DIM,), w["norm1.weight"], w["norm1.bias"], EPS)
        bias = torch.cat([w["attn.q_bias"], torch.zeros(DIM), w["attn.v_bias"]])
        q, k, v = linear(y, w["attn.qkv.weight"], bias).reshape(TOKENS, 3, HEADS, DIM // HEADS).permute(1, 2, 0, 3)
        scores = (q @ k.transpose(1, 2) / math.sqrt(DIM // HEADS)).softmax(-1)
        mixed = (scores @ v).transpose(0, 1).reshape(TOKENS, DIM)
        x = x + linear(mixed, w["attn.proj.weight"], w["attn.proj.bias"])
        y = norm(x, (DIM,), w["norm2.weight"], w["norm2.bias"], EPS)
        hidden = torch.nn.functional.gelu(linear(y, w["mlp.fc1.weight"], w["mlp.fc1.bias"]))
        x = x + linear(hidden, w["mlp.fc2.weight"], w["mlp.fc2.bias"])
    if "norm.weight" in weights:
        return norm(x, (DIM,), weights["norm.weight"], weights["norm.bias"], EPS).mean(0).numpy()
    return norm(x.mean(0), (DIM,), weights["fc_norm.weight"], weights["fc_norm.bias"], EPS).numpy()


def v2_folder(folder: Path, **lines: object) -> Path:
    """A folder as OpenGVLab's, its weights yet to come."""
    folder.mkdir(exist_ok=True)
    config = {
        "model_type": "VideoMAEv2_Base",
        "architectures": ["VideoMAEv2_Base"],
        "auto_map": {"AutoModel": "modeling_videomaev2.VideoMAEv2"},
        "model_config": {**MODEL_CONFIG, **lines},
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "modeling_videomaev2.py").write_text("raise SystemExit('code of a folder was run')", "utf-8")
    return folder


def save(weights: dict[str, torch.Tensor], folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(
        {key: value.contiguous() for key, value in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )


@pytest.fixture(scope="module")
def v1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("tiny-videomae", tmp_path_factory.mktemp("weights") / "tiny-videomae")


@pytest.mark.parametrize("wrapped", ["plain", "model.", "encoder.", "pickled", "module"])
def test_the_second_version_gives_what_the_paper_describes(tmp_path: Path, wrapped: str) -> None:
    weights = v2_weights()
    folder = v2_folder(tmp_path / "v2")
    head = {"head.weight": torch.ones(5, DIM), "head.bias": torch.ones(5)}
    if wrapped in ("pickled", "module"):
        box = {"model": weights | head} if wrapped == "pickled" else {"module": weights | head}
        torch.save(box, folder / "pytorch_model.bin")
    else:
        prefix = "" if wrapped == "plain" else wrapped
        save({f"{prefix}{key}": value for key, value in (weights | head).items()}, folder)
    encoder = load_videomae(at(folder), device="cpu", precision="fp32")
    assert (encoder.dim, encoder.piece_frames) == (DIM, FRAMES)
    for window, found in zip(windows(2), encoder.encode(windows(2)), strict=True):
        want = reference(weights, window)
        assert np.ptp(want) > 0.5
        assert found.values.shape == (1, DIM)
        np.testing.assert_allclose(found.values[0], want, atol=1e-5)


def test_a_second_version_in_parts_is_read_whole(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    weights = v2_weights()
    folder = v2_folder(tmp_path / "v2")
    parts = {f"model-0000{n}-of-00002.safetensors": sorted(weights)[n - 1 :: 2] for n in (1, 2)}
    for name, keys in parts.items():
        save_file({key: weights[key] for key in keys}, folder / name, {"format": "pt"})
    index = {"weight_map": {key: name for name, keys in parts.items() for key in keys}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    found = load_videomae(at(folder), device="cpu").encode(windows(1))[0]
    np.testing.assert_allclose(found.values[0], reference(weights, windows(1)[0]), atol=1e-5)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(WeightsError, match="model-00002-of-00002"):
        load_videomae(at(folder))


def test_the_second_version_of_pretraining_norms_its_tokens(tmp_path: Path) -> None:
    weights = v2_weights(3, tokens_normed=True)
    folder = v2_folder(tmp_path / "v2", use_mean_pooling=False)
    save({f"encoder.{k}": v for k, v in weights.items()} | {"decoder.blocks.0.norm1.weight": torch.ones(3)}, folder)
    found = load_videomae(at(folder), device="cpu").encode(windows(1))[0]
    np.testing.assert_allclose(found.values[0], reference(weights, windows(1)[0]), atol=1e-5)


def test_a_bias_of_the_keys_changes_nothing() -> None:
    weights = v2_weights()
    joined = dict(weights)
    for i in range(DEPTH):
        parts = [joined.pop(f"blocks.{i}.attn.q_bias"), torch.full((DIM,), 7.0), joined.pop(f"blocks.{i}.attn.v_bias")]
        joined[f"blocks.{i}.attn.qkv.bias"] = torch.cat(parts)
    assert _same(video_keys.convert(joined).tensors, video_keys.convert(weights).tensors)


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Equal tensors, under either spelling of the biases."""
    spelled = [{key.replace("query.bias", "q_bias"): value for key, value in table.items()} for table in (one, other)]
    return spelled[0].keys() == spelled[1].keys() and all(torch.equal(v, spelled[1][k]) for k, v in spelled[0].items())


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"cos_attn": True}, "cos_attn is True"),
        ({"init_values": 0.1}, "init_values is 0.1"),
        ({"use_learnable_pos_emb": True}, "use_learnable_pos_emb"),
        ({"depth": DEPTH + 1}, "lacks"),
        ({"depth": DEPTH - 1}, "more layers than its config.json says"),
        ({"num_heads": 5}, "cannot be loaded"),
        ({"embed_dim": 2 * DIM}, "cannot be loaded"),
        ({"tubelet_size": None}, "cannot be loaded"),
    ],
)
def test_a_second_version_of_another_design_is_refused(tmp_path: Path, lines: dict[str, object], said: str) -> None:
    folder = v2_folder(tmp_path / "v2", **lines)
    save(v2_weights(), folder)
    with pytest.raises(WeightsError, match=said) as caught:
        load_videomae(at(folder))
    assert str(folder) in caught.value.line


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda w: w.pop("blocks.1.attn.qkv.weight"), "lacks 3 tensors"),
        (lambda w: w.pop("blocks.1.attn.q_bias"), "lacks 1 tensors"),
        (lambda w: w.pop("fc_norm.bias"), "fc_norm has weight"),
        (lambda w: w.pop("patch_embed.proj.weight"), "no tensor is called patch_embed"),
        (lambda w: w.update({"blocks.0.gamma_1": torch.ones(DIM)}), "gamma_1"),
        (lambda w: w.update({"cls_token": torch.ones(DIM)}), "cls_token"),
        (lambda w: w.update({"blocks.0.norm1.weight": torch.ones(DIM + 1)}), "cannot be loaded"),
    ],
)
def test_second_version_weights_that_are_not_whole_are_refused(tmp_path: Path, spoil, said: str) -> None:
    weights = v2_weights()
    spoil(weights)
    folder = v2_folder(tmp_path / "v2")
    save(weights, folder)
    with pytest.raises(WeightsError, match=said):
        load_videomae(at(folder))


def test_a_fine_tuned_first_version_keeps_its_last_norm(tmp_path: Path) -> None:
    config = transformers.VideoMAEConfig(
        image_size=SIDE, patch_size=PATCH, hidden_size=DIM, num_hidden_layers=2, num_attention_heads=HEADS,
        intermediate_size=48,
    )  # fmt: skip
    torch.manual_seed(1)
    model = transformers.VideoMAEForVideoClassification(config).eval()
    torch.nn.init.normal_(model.fc_norm.weight, 1.0, 0.5)
    torch.nn.init.normal_(model.fc_norm.bias)
    model.save_pretrained(tmp_path)
    encoder = load_videomae(at(tmp_path), device="cpu")
    window = windows(1)[0]
    recipe = published("videomae", SIDE)
    frames = (torch.from_numpy(window).float() / 255 - torch.tensor(recipe.mean)) / torch.tensor(recipe.spread)
    with torch.inference_mode():
        tokens = model.videomae(frames.permute(0, 3, 1, 2)[None]).last_hidden_state
        want = model.fc_norm(tokens.mean(1))[0].numpy()
    np.testing.assert_allclose(encoder.encode([window])[0].values[0], want, atol=1e-5)


def test_a_pretraining_first_version_loads_without_its_decoder(tmp_path: Path) -> None:
    config = transformers.VideoMAEConfig(
        image_size=SIDE, patch_size=PATCH, hidden_size=DIM, num_hidden_layers=2, num_attention_heads=HEADS,
        intermediate_size=48, decoder_hidden_size=24, decoder_num_attention_heads=2, decoder_num_hidden_layers=1,
        decoder_intermediate_size=24, use_mean_pooling=False,
    )  # fmt: skip
    torch.manual_seed(2)
    transformers.VideoMAEForPreTraining(config).save_pretrained(tmp_path)
    encoder = load_videomae(at(tmp_path), device="cpu")
    assert encoder.network.layernorm is not None
    assert encoder.encode(windows(1))[0].values.shape == (1, DIM)


def test_the_base_size_gives_768_columns_from_16_frames_of_224(tmp_path: Path) -> None:
    transformers.VideoMAEModel(transformers.VideoMAEConfig(num_hidden_layers=1)).save_pretrained(tmp_path)
    encoder = load_videomae(at(tmp_path), device="cpu", precision="fp32")
    piece = encoder.prepare([np.zeros((120, 160, 3), np.uint8)] * 16)
    assert piece.shape == (16, 224, 224, 3)
    found = encoder.encode([piece])[0]
    assert found.values.shape == (1, 768)
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.at, [0.0])


def loaded(folder: Path, **options: str) -> VideoEncoder:
    return load_videomae(at(folder), device="cpu", **options)


def test_any_batch_gives_the_same_features(v1: Path) -> None:
    encoder = loaded(v1, precision="fp32")
    pieces = windows(5)
    single = [encoder.encode([piece])[0].values for piece in pieces]
    for batch in (2, 5):
        wide = VideoEncoder(**{**vars(encoder), "batch": batch})
        for one, many in zip(single, wide.encode(pieces), strict=True):
            np.testing.assert_allclose(many.values, one, atol=1e-5)
    assert encoder.encode([]) == []
    assert max(np.ptp(column) for column in np.concatenate(single).T) > 1e-3  # windows do differ


def test_bf16_is_close_to_fp32(v1: Path) -> None:
    """Within 3 % of the features' spread; bf16 has three digits."""
    full, half = (loaded(v1, precision=p).encode(windows(3)) for p in ("fp32", "bf16"))
    for one, other in zip(full, half, strict=True):
        assert other.values.dtype == np.float32
        assert np.abs(one.values - other.values).max() < 0.03 * one.values.std()
        assert np.abs(one.values - other.values).max() > 0


@pytest.mark.parametrize(
    "piece",
    [
        np.zeros((15, SIDE, SIDE, 3), np.uint8),
        np.zeros((16, SIDE, SIDE, 3), np.float32),
        np.zeros((16, 8, 8, 3), np.uint8),
    ],
)
def test_pieces_that_are_no_windows_are_refused(v1: Path, piece: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"a piece is \(16, 32, 32, 3\) uint8"):
        loaded(v1).encode([piece])


def test_a_window_has_sixteen_frames(v1: Path) -> None:
    with pytest.raises(InputError, match="a window is 16 frames; came 15"):
        loaded(v1).prepare([np.zeros((40, 60, 3), np.uint8)] * 15)


@pytest.mark.parametrize(("size", "fits"), [([SIDE, SIDE], True), ([SIDE, 2 * SIDE], False)])
def test_a_size_may_be_two_numbers_if_they_are_one(tmp_path: Path, size: list[int], fits: bool) -> None:
    config = transformers.VideoMAEConfig(
        image_size=size, patch_size=PATCH, hidden_size=DIM, num_hidden_layers=1, num_attention_heads=HEADS,
        intermediate_size=48,
    )  # fmt: skip
    transformers.VideoMAEModel(config).save_pretrained(tmp_path)
    if fits:
        assert loaded(tmp_path).prepare([np.zeros((40, 60, 3), np.uint8)] * FRAMES).shape == (FRAMES, SIDE, SIDE, 3)
        return
    with pytest.raises(WeightsError, match=r"pictures of \[32, 64\] pixels, not square"):
        loaded(tmp_path)


def test_another_models_folder_is_refused(tmp_path: Path) -> None:
    clip = build("tiny-clip", tmp_path / "clip")
    with pytest.raises(WeightsError, match="holds a model of type 'clip', not videomae"):
        load_videomae(at(clip))


def test_damaged_weights_are_refused_with_the_cure(v1: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(v1, tmp_path / "cut"))
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        WeightsError, match=r"cannot be loaded as VideoMAEModel .*; name a folder that holds the whole model"
    ):
        load_videomae(at(folder))


def test_weights_that_give_no_numbers_are_refused(v1: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = Path(shutil.copytree(v1, tmp_path / "nan"))
    tensors = load_file(folder / "model.safetensors")
    tensors["embeddings.patch_embeddings.projection.bias"][0] = float("nan")
    save(tensors, folder)
    with pytest.raises(WeightsError, match="no numbers"):
        loaded(folder).encode(windows(1))
