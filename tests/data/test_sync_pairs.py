"""Pairs for the proxy task: squares that leave nothing to a single modality, cut without padding."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hero.data.sync_pairs import STEP_S, Rule, Sides, draw, from_features, read_clip, shifted, square, stack
from hero.errors import InputError, MediaError, UsageError
from hero.types import Track


def clip(seconds: float = 3.0, name: str = "a", seed: int = 0) -> Sides:
    """Lips at 25, sound at 100 rows a second; both show the time itself in their last column."""
    rng = np.random.default_rng(seed)
    seen, heard = np.arange(round(seconds * 25)) / 25, (np.arange(round(seconds * 100)) + 0.5) / 100
    lips, sound = rng.normal(size=(seen.size, 2)), rng.uniform(0.1, 1, size=(heard.size, 3))
    lips[:, 1], sound[:, 2] = seen, heard
    return Sides(
        name, name,
        Track("motion", lips, seen, np.ones(seen.size, bool), ("x", "time")),
        Track("audio", sound, heard, np.ones(heard.size, bool), ("loudness", "y", "time")),
    )  # fmt: skip


def test_a_square_shows_each_side_once_right_and_once_wrong() -> None:
    pairs = square((0, 0.2), (0, 0.7))
    for side in (lambda p: (p.seen, p.seen_s), lambda p: (p.heard, p.heard_s)):
        right, wrong = (Counter(side(p) for p in pairs if p.belongs is b) for b in (True, False))
        assert right == wrong
    assert all((p.seen_s == p.heard_s) == p.belongs for p in pairs)


def test_shifted_pairs_lie_exactly_that_far_apart_inside_the_clip() -> None:
    sides = clip()
    pairs = shifted(sides, 0, shift_s=0.5)
    assert len(pairs) % 4 == 0 and len(pairs) >= 40
    assert {round(abs(p.seen_s - p.heard_s), 6) for p in pairs if not p.belongs} == {0.5}
    batch = stack([sides], pairs)
    assert batch.motion.shape == (len(pairs), 50, 2) and batch.audio.shape == (len(pairs), 50, 3)
    assert batch.motion_mask.all() and batch.audio_mask.all()  # nothing padded
    apart = batch.audio[..., 2] - batch.motion[..., 1]
    expected = np.array([p.heard_s - p.seen_s for p in pairs])
    np.testing.assert_allclose(apart, expected[:, None] * np.ones(50), atol=0.0051)  # half a row of sound


def test_windows_follow_one_axis() -> None:
    values, mask = clip().window("audio", 0.4, 2.0)
    np.testing.assert_allclose(np.diff(values[:, 2]), STEP_S, atol=1e-5)
    assert mask.all()


def test_a_short_or_silent_clip_gives_no_test_pairs() -> None:
    assert shifted(clip(2.4), 0, shift_s=0.5) == []
    quiet = clip()
    quiet.audio.values[:, 0] = -1
    assert shifted(quiet, 0, shift_s=0.5) == []


def test_a_shift_must_be_positive() -> None:
    with pytest.raises(UsageError, match=r"positive one, such as 0\.5"):
        shifted(clip(), 0, shift_s=0.0)


def test_training_pairs_stay_inside_their_clips() -> None:
    clips, rng, rule = [clip(3.0, "a"), clip(4.0, "b", 1)], np.random.default_rng(0), Rule()
    kinds = Counter()
    for _ in range(300):
        pairs = draw(clips, rng, rule)
        assert stack(clips, pairs).motion_mask.all() and stack(clips, pairs).audio_mask.all()
        wrong = pairs[2]
        kinds["swap" if wrong.seen != wrong.heard else "shift"] += 1
        if wrong.seen == wrong.heard:
            assert 0.2 - rule.jitter_s - 1e-6 <= abs(wrong.seen_s - wrong.heard_s) <= 1.0 + rule.jitter_s + 1e-6
        jitter = {round(p.heard_s - p.seen_s, 3) for p in pairs if p.belongs}
        if wrong.seen == wrong.heard:
            assert len(jitter) == 1 and abs(jitter.pop()) <= rule.jitter_s + 1e-9
    assert kinds["swap"] > 30 and kinds["shift"] > 100


def test_clips_too_short_to_train_on_are_refused_with_the_cure() -> None:
    with pytest.raises(UsageError, match="give longer clips"):
        draw([clip(2.1)], np.random.default_rng(0), Rule())


def test_feature_tracks_of_an_output_folder(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    parts = {
        "motion.features.values": rng.normal(5, 3, (12, 6)).astype(np.float32),
        "motion.features.times_s": np.arange(12) / 4.0,
        "motion.features.mask": np.ones(12, bool),
        "voice.features.values": rng.normal(size=(150, 4)).astype(np.float32),
        "voice.features.times_s": np.arange(150) / 50.0,
        "voice.features.mask": np.ones((150, 4), bool),
    }
    save_file(parts, tmp_path / "talk.safetensors")
    sides = from_features(tmp_path / "talk.safetensors", "motion.features", "voice.features", "anna")
    assert (sides.name, sides.speaker) == ("talk", "anna")
    np.testing.assert_allclose(sides.motion.values.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(sides.motion.values.std(0), 1, atol=1e-4)
    values, mask = sides.window("motion", 0.3, 2.0)
    assert values.shape == (50, 6) and mask.all()  # windows of a video encoder are joined by straight lines
    with pytest.raises(InputError, match=r"no face\.au\.values.*its tracks are motion\.features, voice\.features"):
        from_features(tmp_path / "talk.safetensors", "face.au", "voice.features")


def test_a_file_that_is_no_clip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"no clip")
    with pytest.raises(MediaError):
        read_clip(tmp_path / "no.mp4", "nobody", tmp_path / "tracks")


def test_a_real_clip_is_observed_once(hero_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hero_data / "grid" / "bbaf2n.mpg"
    first = read_clip(path, "s1", tmp_path)
    assert isinstance(first, Sides)
    assert first.span[1] - first.span[0] > 2.8
    monkeypatch.setattr("hero.data.sync_pairs.observe", None)
    again = read_clip(path, "s1", tmp_path)
    assert isinstance(again, Sides)
    np.testing.assert_array_equal(first.motion.values, again.motion.values)
    assert list(tmp_path.glob("*.part")) == []
