"""CLIP and SigLIP as encoders: published shapes, the reference's numbers, batches, precision, folders that are no such model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'model' (torch, transformers) is missing")
transformers = pytest.importorskip("transformers", reason="the extra 'model' (torch, transformers) is missing")

from hero.checkpoints import Checkpoint
from hero.errors import ConfigError, InputError, WeightsError
from hero.observe.encoders.encoder import ENCODERS, Encoder, open_encoder
from hero.observe.encoders.image import ImageEncoder, load_clip, load_siglip
from hero.observe.encoders.tiny import build
from hero.pretrained import device as devices

SIDE = 32
LOAD = {"tiny-clip": load_clip, "tiny-siglip": load_siglip}
KIND = {"tiny-clip": "clip_vision", "tiny-siglip": "siglip_vision"}


def at(folder: Path, kind: str = "clip_vision") -> Checkpoint:
    return Checkpoint(folder.name, kind, folder, "", "MIT", True, "0" * 64)


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8) for _ in range(count)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("weights")
    return {name: build(name, base / name) for name in LOAD}


def loaded(folders: dict[str, Path], name: str, **options: str) -> ImageEncoder:
    return LOAD[name](at(folders[name], KIND[name]), **{"device": "cpu", "precision": "fp32", **options})


def edited(folder: Path, to: Path, **lines: object) -> Path:
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text("utf-8"))
    (to / "config.json").write_text(json.dumps({**config, **lines}), "utf-8")
    return to


@pytest.mark.parametrize("name", LOAD)
def test_features_are_those_of_the_reference(folders: dict[str, Path], name: str) -> None:
    """The whole path from a frame: our resize and constants, the picture half alone; the reference uses the whole model."""
    pytest.importorskip("PIL", reason="pillow is missing")
    frame = np.kron(np.random.default_rng(3).integers(0, 256, (9, 16, 3)), np.ones((20, 20, 1))).astype(np.uint8)
    encoder = loaded(folders, name)
    found = encoder.encode([encoder.prepare(frame)])[0]
    if name == "tiny-clip":
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil as Processor

        whole = transformers.CLIPModel.from_pretrained(folders[name]).eval()
    else:
        from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil as Processor

        whole = transformers.SiglipModel.from_pretrained(folders[name]).eval()
    numbers = Processor.from_pretrained(folders[name])(images=frame, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        want = whole.vision_model(pixel_values=numbers).pooler_output.numpy()
        np.testing.assert_allclose(encoder.network(numbers).pooler_output.numpy(), want, atol=1e-5)
    assert found.values.shape == want.shape == (1, 32)
    np.testing.assert_allclose(found.values, want, atol=5e-3)  # a level of 255 here and there
    assert found.at.tolist() == [0.0]


@pytest.mark.parametrize(
    ("kind", "side", "patch", "width"), [("clip_vision", 224, 14, 1024), ("siglip_vision", 384, 14, 1152)]
)
def test_published_sizes_give_the_published_shapes(
    tmp_path: Path, kind: str, side: int, patch: int, width: int
) -> None:
    """CLIP ViT-L/14 gives 1024 columns, SigLIP so400m 1152; one layer of each is enough for the shape."""
    sizes = {"image_size": side, "patch_size": patch, "hidden_size": width, "num_attention_heads": 16}
    sizes |= {"num_hidden_layers": 1, "intermediate_size": 64}
    if kind == "clip_vision":
        network = transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**sizes))
    else:
        network = transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**sizes))
    network.save_pretrained(tmp_path)
    load = load_clip if kind == "clip_vision" else load_siglip
    pooled = load(at(tmp_path, kind), device="cpu", precision="fp32")
    piece = pooled.prepare(np.zeros((90, 160, 3), np.uint8))
    assert (pooled.dim, pooled.piece_frames, piece.shape) == (width, 1, (side, side, 3))
    assert pooled.encode([piece])[0].values.shape == (1, width)
    patches = load(at(tmp_path, kind), device="cpu", precision="fp32", tokens="patches")
    assert patches.encode([piece])[0].values.shape == ((side // patch) ** 2, width)


@pytest.mark.parametrize("name", LOAD)
@pytest.mark.parametrize("tokens", ["pooled", "patches"])
def test_any_batch_gives_the_same_features(folders: dict[str, Path], name: str, tokens: str) -> None:
    encoder = loaded(folders, name, tokens=tokens)
    pieces = pictures(5)
    single = [encoder.encode([piece])[0].values for piece in pieces]
    for batch in (2, 5):
        other = ImageEncoder(**{**vars(encoder), "batch": batch})
        for one, many in zip(single, other.encode(pieces), strict=True):
            np.testing.assert_allclose(many.values, one, atol=1e-5)
    assert encoder.encode([]) == []
    assert np.abs(single[0] - single[1]).max() > 1e-3  # pictures do differ
    assert single[0].shape == ((1, 32) if tokens == "pooled" else (16, 32))


@pytest.mark.parametrize("name", LOAD)
def test_bf16_is_close_to_fp32(folders: dict[str, Path], name: str) -> None:
    """Within 5 % of the features' spread; bf16 has three digits."""
    full, half = (loaded(folders, name, precision=p).encode(pictures(3)) for p in ("fp32", "bf16"))
    for one, other in zip(full, half, strict=True):
        assert other.values.dtype == np.float32
        assert 0 < np.abs(one.values - other.values).max() < 0.05 * one.values.std()


def test_the_table_opens_each_kind_once(folders: dict[str, Path]) -> None:
    for name, kind in KIND.items():
        encoder: Encoder = open_encoder(at(folders[name], kind), device="cpu")
        assert open_encoder(at(folders[name], kind), device="cpu") is encoder
        assert kind in ENCODERS
        assert encoder.used.name == name


def test_the_network_is_frozen(folders: dict[str, Path]) -> None:
    network = loaded(folders, "tiny-clip").network
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize(
    "piece", [np.zeros((16, 16, 3), np.uint8), np.zeros((SIDE, SIDE, 3), np.float32), np.zeros((SIDE, SIDE), np.uint8)]
)
def test_pieces_of_another_shape_are_refused(folders: dict[str, Path], piece: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"a piece is \(32, 32, 3\) uint8"):
        loaded(folders, "tiny-clip").encode([piece])


def test_each_folder_is_refused_by_the_other_class(folders: dict[str, Path]) -> None:
    with pytest.raises(WeightsError, match="holds a model of type 'siglip', not clip or clip_vision_model"):
        load_clip(at(folders["tiny-siglip"]))
    with pytest.raises(WeightsError, match="holds a model of type 'clip', not siglip"):
        load_siglip(at(folders["tiny-clip"], "siglip_vision"))


def test_a_siglip_of_variable_size_says_so(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = edited(folders["tiny-siglip"], tmp_path / "naflex", model_type="siglip2")
    with pytest.raises(WeightsError, match=r"NaFlex.*fetch one of a fixed size"):
        load_siglip(at(folder, "siglip_vision"))


def test_a_siglip_without_its_head_gives_patches_only(tmp_path: Path) -> None:
    sizes = {"image_size": 32, "patch_size": 8, "hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1}
    config = transformers.SiglipVisionConfig(**sizes, intermediate_size=64, vision_use_head=False)
    transformers.SiglipVisionModel(config).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="no pooling head"):
        load_siglip(at(tmp_path, "siglip_vision"))
    encoder = load_siglip(at(tmp_path, "siglip_vision"), device="cpu", tokens="patches")
    assert encoder.encode(pictures(1))[0].values.shape == (16, 32)


def _cut(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-100])


def _retensored(change) -> object:  # type: ignore[no-untyped-def]
    def spoil(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    return spoil


def _deepened(tensors: dict[str, torch.Tensor]) -> None:
    for key in [key for key in tensors if "vision_model.encoder.layers.1." in key]:
        tensors[key.replace("layers.1.", "layers.2.")] = tensors[key].clone()


BIAS = "vision_model.post_layernorm.bias"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_cut, "cannot be loaded as CLIPVisionModel"),
        (lambda folder: (folder / "model.safetensors").unlink(), "cannot be loaded as CLIPVisionModel"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "cannot be loaded as CLIPVisionModel"),
        (lambda folder: (folder / "config.json").unlink(), r"config.json cannot be read"),
        (lambda folder: (folder / "config.json").write_text("[1]", "utf-8"), "holds no JSON object"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff{"), "cannot be read"),
        (_retensored(lambda tensors: tensors.pop(BIAS)), "it lacks 1 tensors: post_layernorm.bias"),
        (
            _retensored(lambda tensors: tensors.update({BIAS: torch.zeros(3)})),
            r"config.json does not fit its weights: \S*post_layernorm.bias is \(3,\), the config says \(32,\)\);",
        ),
        (_retensored(_deepened), "more layers than its config.json says"),
    ],
)
def test_folders_that_are_not_whole_are_refused(folders: dict[str, Path], tmp_path: Path, spoil, said: str) -> None:
    folder = Path(shutil.copytree(folders["tiny-clip"], tmp_path / "spoilt"))
    spoil(folder)
    with pytest.raises(WeightsError, match=said) as caught:
        load_clip(at(folder))
    assert "fetch" not in caught.value.line and "name a folder that holds the whole model" in caught.value.line
    assert str(folder) in caught.value.line


def test_text_weights_and_old_buffers_do_not_matter(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["tiny-clip"], tmp_path / "old"))
    _retensored(lambda t: t.update({"vision_model.embeddings.position_ids": torch.arange(17)[None]}))(folder)
    want = loaded(folders, "tiny-clip").encode(pictures(1))[0].values
    np.testing.assert_array_equal(load_clip(at(folder), device="cpu").encode(pictures(1))[0].values, want)


class _Trap:
    """Unpickling this writes a file: what a hostile pickle does."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.target,)


def test_a_pickle_with_code_is_not_run(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["tiny-clip"], tmp_path / "hostile"))
    (folder / "model.safetensors").unlink()
    torch.save({"weights": _Trap(tmp_path / "trapped")}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_clip(at(folder))
    assert not (tmp_path / "trapped").exists()


def test_pickled_tensors_are_read(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = Path(shutil.copytree(folders["tiny-clip"], tmp_path / "pickled"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    want = loaded(folders, "tiny-clip").encode(pictures(1))[0].values
    np.testing.assert_array_equal(load_clip(at(folder), device="cpu").encode(pictures(1))[0].values, want)


def test_code_in_a_folder_is_never_run(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = edited(folders["tiny-clip"], tmp_path / "coded", auto_map={"AutoModel": "code.Model"})
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", "utf-8")
    load_clip(at(folder), device="cpu")
    assert not (tmp_path / "ran").exists()


def test_attention_code_that_a_config_names_is_not_asked_for(folders: dict[str, Path], tmp_path: Path) -> None:
    vision = json.loads((folders["tiny-clip"] / "config.json").read_text("utf-8"))["vision_config"]
    vision |= {"attn_implementation": "kernels-community/flash-attn"}
    folder = edited(folders["tiny-clip"], tmp_path / "kernel", vision_config=vision)
    assert load_clip(at(folder), device="cpu").network.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("device", "precision", "said"),
    [
        ("tpu", "auto", "device is 'tpu'; allowed: auto, cpu, cuda, mps"),
        ("auto", "fp8", "precision is 'fp8'; allowed: auto, fp32, bf16"),
        ("cuda", "auto", "device 'cuda' was asked for, but torch .* finds only: cpu"),
        ("mps", "auto", "set device to auto or cpu"),
    ],
)
def test_a_device_that_is_not_here_is_named_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, device: str, precision: str, said: str
) -> None:
    monkeypatch.setattr(devices, "available", lambda torch: ["cpu"])
    with pytest.raises(ConfigError, match=said):
        devices.resolve(device, precision)


def test_the_best_device_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "available", lambda torch: ["cuda", "cpu"])
    monkeypatch.setattr(devices, "_computes_bf16", lambda torch, device: device == "cpu")
    assert devices.resolve("auto", "auto") == (torch.device("cuda"), torch.float32)
    assert devices.resolve("cpu", "auto") == (torch.device("cpu"), torch.float32)
    assert devices.resolve("cpu", "bf16") == (torch.device("cpu"), torch.bfloat16)
    with pytest.raises(ConfigError, match="cuda here computes no bf16; set precision to fp32"):
        devices.resolve("cuda", "bf16")
    monkeypatch.setattr(devices, "_computes_bf16", lambda torch, device: True)
    assert devices.resolve("auto", "auto") == (torch.device("cuda"), torch.bfloat16)
    assert devices.resolve("auto", "fp32") == (torch.device("cuda"), torch.float32)


def test_unknown_tokens_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="tokens is 'all'; allowed: pooled, patches"):
        loaded(folders, "tiny-clip", tokens="all")


def test_missing_libraries_are_named_with_the_cure(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from hero.pretrained import loading

    def absent(name: str) -> object:
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(loading, "import_module", absent)
    with pytest.raises(WeightsError, match=r"No module named 'torch'.*pip install 'hero-emotion\[model\]'"):
        loaded(folders, "tiny-clip")
