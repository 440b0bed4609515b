"""Whisper's spectrogram against the published processor, and its encoder on sound of any length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hero.checkpoints import Checkpoint
from hero.errors import InputError, WeightsError
from hero.observe.encoders.encoder import open_encoder
from hero.observe.encoders.whisper import log_mel, mel_weights

torch = pytest.importorskip("torch")
hub = pytest.importorskip("transformers")

from hero.observe.encoders import tiny_sound
from hero.observe.encoders.whisper import WhisperEncoder, load_whisper_encoder

RATE_HZ = 16_000


def noise(count: int, seed: int = 0) -> np.ndarray:
    rising = np.linspace(0, 0.2, count)
    return (rising * np.random.default_rng(seed).normal(0, 1, count)).astype(np.float32)


def checkpoint(folder: Path) -> Checkpoint:
    return Checkpoint("made", "whisper", folder, "", "MIT", True, "0" * 64)


def load(folder: Path) -> WhisperEncoder:
    return load_whisper_encoder(checkpoint(folder), device="cpu", precision="fp32")


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("count", [480_000, 48_000, 33_333, 4_000])
def test_the_spectrogram_is_the_published_one(bands: int, count: int) -> None:
    sound = noise(count)
    processor = hub.WhisperFeatureExtractor(feature_size=bands)
    wanted = processor(sound, sampling_rate=RATE_HZ, return_tensors="np").input_features[0]  # (M, 3000)
    found = log_mel(sound, bands)
    assert found.shape == (bands, count // 160) and found.dtype == np.float32
    own = found.shape[1] - (0 if count == 480_000 else 2)  # the last frames see the sound's end mirrored
    assert found[:, :own] == pytest.approx(wanted[:, :own], abs=1e-4)


@pytest.mark.parametrize("bands", [80, 128])
def test_the_mel_triangles_are_slaneys(bands: int) -> None:
    filters = hub.audio_utils.mel_filter_bank(201, bands, 0.0, 8000.0, RATE_HZ, norm="slaney", mel_scale="slaney")
    assert mel_weights(bands) == pytest.approx(filters, abs=1e-7)


def test_the_range_is_eight_decades_below_the_loudest() -> None:
    sound = noise(RATE_HZ)
    sound[: RATE_HZ // 2] = 0
    mel = log_mel(sound, 80)
    assert mel.max() - mel.min() == pytest.approx(8 / 4)
    assert log_mel(np.zeros(RATE_HZ, np.float32), 80) == pytest.approx((-10 + 4) / 4)


def test_three_seconds_are_150_steps(whisper: Path) -> None:
    encoder = load(whisper)
    (found,) = encoder.encode([encoder.prepare(noise(3 * RATE_HZ))])
    assert found.values.shape == (150, 16) and found.values.dtype == np.float32
    assert found.at == pytest.approx(np.arange(150) * 0.02)
    assert open_encoder(checkpoint(whisper), device="cpu", precision="fp32").dim == 16


def test_thirty_seconds_are_what_transformers_gives(whisper: Path) -> None:
    encoder, sound = load(whisper), noise(30 * RATE_HZ)
    processor = hub.WhisperFeatureExtractor.from_pretrained(whisper)
    model = hub.WhisperModel.from_pretrained(whisper).eval()
    with torch.inference_mode():
        mel = processor(sound, sampling_rate=RATE_HZ, return_tensors="pt").input_features
        wanted = model.encoder(mel).last_hidden_state[0].numpy()
    assert encoder.encode([encoder.prepare(sound)])[0].values == pytest.approx(wanted, abs=1e-4)


def test_a_batch_equals_single_pieces(whisper: Path) -> None:
    encoder = load(whisper)
    counts = (48_000, 47_000, 44_900, 30_000, 399, 400, 0, 47_999)
    pieces = [encoder.prepare(noise(count, seed)) for seed, count in enumerate(counts)]
    batch, single = encoder.encode(pieces), [encoder.encode([piece])[0] for piece in pieces]
    assert [len(found.values) for found in batch] == [150, 147, 140, 94, 0, 1, 0, 150]
    for a, b in zip(batch, single, strict=True):
        assert a.values == pytest.approx(b.values, abs=1e-4) and a.at == pytest.approx(b.at)


def test_silence_is_not_heard_behind_the_end(whisper: Path) -> None:
    encoder, sound = load(whisper), noise(RATE_HZ)
    alone = encoder.encode([encoder.prepare(sound)])[0].values
    padded = encoder.encode([encoder.prepare(np.pad(sound, (0, RATE_HZ)))])[0].values[: len(alone)]
    assert np.abs(alone - padded).max() > 1e-4  # the features differ from padded ones, as the docstring says
    steps = encoder.encode([encoder.prepare(np.pad(sound, (0, RATE_HZ)))])[0].values
    assert len(steps) == 2 * len(alone)


def test_numbers_that_are_none_and_too_much_sound(whisper: Path) -> None:
    encoder, broken = load(whisper), noise(RATE_HZ)
    broken[:50], broken[60], broken[61] = np.nan, np.inf, -np.inf
    assert np.isfinite(encoder.encode([encoder.prepare(broken)])[0].values).all()
    with pytest.raises(InputError, match="at most 30 s"):
        encoder.prepare(np.zeros(31 * RATE_HZ, np.float32))


def test_a_checkpoint_of_the_bare_model_loads_too(tmp_path: Path, whisper: Path) -> None:
    hub.WhisperModel.from_pretrained(whisper).save_pretrained(tmp_path)
    sound = noise(RATE_HZ)
    one, other = load(whisper), load(tmp_path)
    assert one.encode([one.prepare(sound)])[0].values == pytest.approx(other.encode([other.prepare(sound)])[0].values)


def test_another_model_and_a_missing_layer_are_refused(tmp_path: Path, whisper: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = tmp_path / "hubert"
    other.mkdir()
    tiny_sound.build_hubert(other)
    with pytest.raises(WeightsError, match="type 'hubert', not whisper"):
        load(other)
    for file in whisper.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {key: value for key, value in tensors.items() if "encoder.layers.1.fc1" not in key}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks 2 tensors: encoder\.layers\.1\.fc1"):
        load(tmp_path)


@pytest.mark.parametrize(("bands", "dim"), [(80, 1024), (128, 1280)])
def test_golden_shapes_of_medium_and_large(tmp_path: Path, bands: int, dim: int) -> None:
    torch.manual_seed(0)
    config = hub.WhisperConfig(
        d_model=dim, num_mel_bins=bands, encoder_layers=1, encoder_attention_heads=16, encoder_ffn_dim=64,
        decoder_layers=1, decoder_attention_heads=16, decoder_ffn_dim=64, vocab_size=60, max_target_positions=8,
        pad_token_id=0, eos_token_id=0, bos_token_id=0, decoder_start_token_id=0,
    )  # fmt: skip
    hub.WhisperForConditionalGeneration(config).save_pretrained(tmp_path)
    encoder = load(tmp_path)
    (found,) = encoder.encode([encoder.prepare(noise(3 * RATE_HZ))])
    assert encoder.dim == dim and found.values.shape == (150, dim)
