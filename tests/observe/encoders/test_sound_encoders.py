"""Speech encoders: shapes and times of steps, batches, cut sound, normalisation, bad folders and bad samples."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hero.checkpoints import Checkpoint
from hero.errors import WeightsError
from hero.observe.encoders.encoder import Features, open_encoder

torch = pytest.importorskip("torch")
hub = pytest.importorskip("transformers")

from hero.observe.encoders import tiny_sound
from hero.observe.encoders.sound import LAST_LAYERS, SpeechEncoder, load_speech_encoder
from hero.observe.encoders.sound_pieces import CONTEXT, LENGTH, SoundCutter, alike, joined, pieces_of

RATE_HZ = 16_000
TINY = {
    "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48, "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "num_hidden_layers": 4,
}  # fmt: skip


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


def checkpoint(folder: Path, name: str = "made", kind: str = "speech_encoder") -> Checkpoint:
    return Checkpoint(name, kind, folder, "", "MIT", True, "0" * 64)


def load(folder: Path) -> SpeechEncoder:
    return load_speech_encoder(checkpoint(folder), device="cpu", precision="fp32")


def made(folder: Path, class_name: str, config_name: str, **design: Any) -> Path:
    torch.manual_seed(0)
    model = getattr(hub, class_name)(getattr(hub, config_name)(**{**TINY, **design}))
    model.save_pretrained(folder)
    return folder


def test_three_seconds_are_149_steps_of_a_receptive_field(hubert: Path) -> None:
    encoder = load(hubert)
    (found,) = encoder.encode([encoder.prepare(noise(3 * RATE_HZ))])
    assert found.values.shape == (149, 32) and found.values.dtype == np.float32
    assert found.at[0] == pytest.approx(0.0125) and np.diff(found.at) == pytest.approx(0.02)
    assert encoder.waveforms.hop == 320 and encoder.waveforms.field == 400
    assert open_encoder(checkpoint(hubert, "by the table"), device="cpu", precision="fp32").dim == 32


@pytest.mark.parametrize("layers", [1, 2])
def test_golden_shape_of_hubert_large(tmp_path: Path, layers: int) -> None:
    design = {"hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 64, "num_hidden_layers": layers}
    folder = made(
        tmp_path, "HubertModel", "HubertConfig", feat_extract_norm="layer", do_stable_layer_norm=True, **design
    )
    encoder = load(folder)
    (found,) = encoder.encode([encoder.prepare(noise(3 * RATE_HZ))])
    assert encoder.dim == 1024 and found.values.shape == (149, 1024) and np.isfinite(found.values).all()


def test_features_are_the_mean_of_the_last_three_layers(hubert: Path) -> None:
    encoder = load(hubert)
    piece = encoder.prepare(noise(RATE_HZ))
    model = hub.HubertModel.from_pretrained(hubert).eval()
    outputs: list[Any] = []
    for layer in model.encoder.layers[1:3]:
        layer.register_forward_hook(lambda _m, _i, output: outputs.append(output))
    with torch.inference_mode():
        last = model(torch.from_numpy(piece[None])).last_hidden_state
    states = [output[0] if isinstance(output, tuple) else output for output in outputs]
    wanted = torch.stack([*states, last]).mean(0)[0].numpy()
    assert LAST_LAYERS == 3
    assert encoder.encode([piece])[0].values == pytest.approx(wanted, abs=1e-5)


def test_a_model_with_two_layers_gives_the_mean_of_both(distilhubert: Path) -> None:
    encoder = load(distilhubert)
    piece = encoder.prepare(noise(RATE_HZ))
    model = hub.HubertModel.from_pretrained(distilhubert).eval()
    with torch.inference_mode():
        states = model(torch.from_numpy(piece[None]), output_hidden_states=True).hidden_states[1:]
    assert len(states) == 2
    assert encoder.encode([piece])[0].values == pytest.approx(torch.stack(states).mean(0)[0].numpy(), abs=1e-5)


FAMILIES = [
    ("HubertModel", "HubertConfig", {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}),
    ("WavLMModel", "WavLMConfig", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
    ("Wav2Vec2Model", "Wav2Vec2Config", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
    ("WavLMModel", "WavLMConfig", {}),
    ("Data2VecAudioModel", "Data2VecAudioConfig", {"conv_pos_kernel_size": 7}),
    ("HubertForCTC", "HubertConfig", {"vocab_size": 8}),
]


@pytest.mark.parametrize(("model", "config", "design"), FAMILIES)
def test_a_batch_equals_single_pieces(
    tmp_path: Path, model: str, config: str, design: dict[str, Any], recwarn: pytest.WarningsRecorder
) -> None:
    encoder = load(made(tmp_path, model, config, **design))
    recwarn.clear()
    sounds = [noise(count, seed) for seed, count in enumerate((16000, 15000, 9000, 399, 400, 0, 15999, 16000))]
    pieces = [encoder.prepare(sound) for sound in sounds]
    batch = encoder.encode(pieces)
    single = [encoder.encode([piece])[0] for piece in pieces]
    assert [len(found.values) for found in batch] == [49, 46, 27, 0, 1, 0, 49, 49]
    for a, b in zip(batch, single, strict=True):
        assert a.values == pytest.approx(b.values, abs=1e-4) and a.at == pytest.approx(b.at)
    assert not [warning for warning in recwarn if "mask" in str(warning.message)]


def test_only_designs_that_allow_it_are_padded_and_little(hubert: Path, distilhubert: Path) -> None:
    sounds = [noise(count) for count in (16000, 15000, 14000, 8000, 16000)]
    for folder, groups in ((hubert, [[0, 4, 1], [2], [3]]), (distilhubert, [[0, 4], [1], [2], [3]])):
        encoder = load(folder)
        assert list(encoder.waveforms.batches([encoder.prepare(sound) for sound in sounds])) == groups
    for group in alike(list(range(1, 200)), 0.1):
        assert min(group) + 1 >= 0.9 * (max(group) + 1)


def test_normalised_as_the_checkpoint_says(hubert: Path, distilhubert: Path) -> None:
    sound = noise(RATE_HZ) + 0.05
    extractor = hub.Wav2Vec2FeatureExtractor.from_pretrained(hubert)
    wanted = extractor(sound, sampling_rate=RATE_HZ, return_tensors="np").input_values[0]
    assert load(hubert).prepare(sound) == pytest.approx(wanted, abs=1e-5)
    assert load(distilhubert).prepare(sound) == pytest.approx(sound)


def test_silence_noughts_and_numbers_that_are_none(hubert: Path) -> None:
    encoder = load(hubert)
    broken = noise(RATE_HZ)
    broken[100:200], broken[300], broken[301] = np.nan, np.inf, -np.inf
    for sound in (np.zeros(RATE_HZ, np.float32), broken, np.full(RATE_HZ, np.nan, np.float32)):
        (found,) = encoder.encode([encoder.prepare(sound)])
        assert found.values.shape == (49, 32) and np.isfinite(found.values).all()
    assert encoder.encode([]) == []


def test_bf16_stays_near_fp32(hubert: Path) -> None:
    piece = load(hubert).prepare(noise(RATE_HZ))
    full = load(hubert).encode([piece])[0].values
    half = load_speech_encoder(checkpoint(hubert), device="cpu", precision="bf16").encode([piece])[0].values
    cosine = (half * full).sum(1) / np.linalg.norm(half, axis=1) / np.linalg.norm(full, axis=1)  # (n,)
    assert half.dtype == np.float32 and 0.95 < cosine.mean() < 1 - 1e-7


def test_pieces_cover_the_sound_once() -> None:
    assert pieces_of(0) == []
    for count in (1, LENGTH, LENGTH + 1, 2 * LENGTH, 45 * RATE_HZ, 45 * RATE_HZ + 123, 3600 * RATE_HZ):
        pieces = pieces_of(count)
        assert [piece.keep_from for piece in pieces] == [0, *(piece.keep_until for piece in pieces[:-1])]
        assert pieces[0].first == 0 and pieces[-1].after == pieces[-1].keep_until == count
        assert all(piece.after - piece.first <= LENGTH and piece.first % 320 == 0 for piece in pieces)
        assert all(piece.keep_from - piece.first >= CONTEXT for piece in pieces[1:])
        assert all(piece.after - piece.keep_until >= CONTEXT for piece in pieces[:-1])


@pytest.mark.parametrize("block", [4800, 500_001])
def test_a_stream_is_cut_like_the_whole(block: int) -> None:
    sound = np.arange(57 * RATE_HZ + 7, dtype=np.float32)
    cutter = SoundCutter()
    found = [item for k in range(0, len(sound), block) for item in cutter.push(sound[k : k + block])]
    found += cutter.flush()
    assert [piece for piece, _ in found] == pieces_of(len(sound))
    assert all(np.array_equal(samples, sound[piece.first : piece.after]) for piece, samples in found)
    assert list(SoundCutter().flush()) == []


def test_cut_sound_has_no_seam(tmp_path: Path) -> None:
    """With attention switched off a step depends on its neighbourhood only; then cut and uncut sound must agree."""
    torch.manual_seed(0)
    config = hub.HubertConfig(**TINY, feat_extract_norm="layer", do_stable_layer_norm=True)
    model = hub.HubertModel(config)
    for layer in model.encoder.layers:
        torch.nn.init.zeros_(layer.attention.out_proj.weight)
        torch.nn.init.zeros_(layer.attention.out_proj.bias)
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": false, "sampling_rate": 16000}', "utf-8")
    encoder = load(tmp_path)
    sound = noise(45 * RATE_HZ + 77)
    (whole,) = encoder.encode([encoder.prepare(sound)])
    pieces = pieces_of(len(sound))
    found = [encoder.encode([encoder.prepare(sound[piece.first : piece.after])])[0] for piece in pieces]
    cut = joined(pieces, found)
    assert len(pieces) == 3 and cut.values.shape == whole.values.shape
    assert cut.at == pytest.approx(whole.at, abs=1e-9)
    assert cut.values == pytest.approx(whole.values, abs=1e-4)
    shifted = joined(pieces, [Features(np.roll(one.values, 1, axis=0), one.at) for one in found])
    assert np.abs(shifted.values - whole.values).max() > 1e-2  # the comparison can fail
    with pytest.raises(ValueError, match="no piece"):
        joined([], [])


def test_another_model_or_rate_is_refused(tmp_path: Path, hubert: Path) -> None:
    other = tmp_path / "bert"
    other.mkdir()
    tiny_sound.build_bert(other)
    with pytest.raises(WeightsError, match=r"type 'bert', not hubert or wavlm"):
        load(other)
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in hubert.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    settings = json.loads((copy / "preprocessor_config.json").read_text("utf-8"))
    (copy / "preprocessor_config.json").write_text(json.dumps({**settings, "sampling_rate": 8000}), "utf-8")
    with pytest.raises(WeightsError, match="8000 Hz"):
        load(copy)
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load(copy)


def test_a_checkpoint_without_a_layer_is_refused(tmp_path: Path, hubert: Path) -> None:
    from safetensors.torch import load_file, save_file

    for file in hubert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {key: value for key, value in tensors.items() if not key.startswith("encoder.layers.2.")}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks 16 tensors: encoder\.layers\.2"):
        load(tmp_path)


def test_the_caller_random_numbers_go_on_and_seeds_differ(tmp_path: Path, hubert: Path) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    (tmp_path / "other").mkdir()
    tiny_sound.build_hubert(tmp_path / "other", seed=1)
    assert torch.equal(torch.rand(1), wanted)
    piece = noise(RATE_HZ)
    one, other = (load(folder).encode([piece])[0].values for folder in (hubert, tmp_path / "other"))
    assert np.abs(one - other).max() > 0.01
    assert sum(file.stat().st_size for file in hubert.iterdir()) < 400_000


def test_used_is_the_checkpoints_own(hubert: Path) -> None:
    own = replace(checkpoint(hubert), licence="CC-BY-NC-4.0", commercial=False)
    assert load_speech_encoder(own, device="cpu", precision="fp32").used == own.used
