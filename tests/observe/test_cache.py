"""The cache: the same answer with and without it, nothing decoded twice, damage found, writers that do not meet."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hero.config import Preset, load_preset
from hero.errors import InputError, OutputError, WeightsError
from hero.media.clip import Block, Clip, Frame
from hero.observe import stream, tensor_file
from hero.observe.cache import ObservationCache, Watched
from hero.observe.expert import Context
from hero.observe.record import pack, unpack
from hero.types import Absence, Baseline, Evidence, LabelledSpan, ModelUsed, Observation, Span, Timeline, Track

DEMO = Path(__file__).parents[2] / "examples" / "demo.mp4"


class FakeClip:
    """Two seconds of grey frames and quiet sound; counts how often it was read."""

    name, sha256, duration_s, transcript = "fake", "ab" * 32, 2.0, None
    video: Any = None
    audio: Any = SimpleNamespace(rate_hz=16_000, channels=1)

    def __init__(self) -> None:
        self.notes: tuple[str, ...] = ()
        self.readings = 0

    def sound(self, rate_hz: int = 16_000, block_s: float = 1.0) -> Iterator[Block]:
        self.readings += 1
        self.notes = ("sound: one block was damaged",)
        for second in range(2):
            yield Block(float(second), np.full(16_000, 0.1, np.float32), 16_000)


class Listener:
    """An expert whose track says what it heard; may look at another expert's observation."""

    modality, reads, identity = "voice", "sound", ""

    def __init__(self, name: str, revision: str = "1", looks_at: str = "") -> None:
        self.name, self.revision, self.looks_at = name, revision, looks_at
        self.finished = 0
        self.ends: Exception | Absence | None = None

    def start(self, context: Context) -> Absence | None:
        self.heard = 0.0
        return None

    def take(self, piece: Frame | Block) -> None:
        assert isinstance(piece, Block)
        self.heard += float(piece.samples.sum())

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        self.finished += 1
        if isinstance(self.ends, Exception):
            raise self.ends
        if self.ends:
            return Observation(self.name, "voice", absent=self.ends)
        seen = earlier[self.looks_at].notes if self.looks_at in earlier else ()
        track = Track("loud", np.array([self.heard], np.float32), np.zeros(1), np.ones(1, bool), ("sum",))
        return Observation(self.name, "voice", {"loud": track}, notes=(f"{self.revision}", *seen))


@pytest.fixture
def cache(tmp_path: Path) -> ObservationCache:
    return ObservationCache(tmp_path / "cache")


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, cache: ObservationCache) -> Any:
    """Observe a clip with made experts."""

    def run(clip: Any, *experts: Any, settings: Mapping[str, Any] | None = None, **wishes: Any) -> Timeline:
        table = {e.name: e for e in experts}
        monkeypatch.setattr(stream, "create", table.__getitem__)
        preset = Preset("made", {name: dict(settings or {}) for name in table})
        return stream.observe(clip, preset, Context(clip, **wishes), cache=cache)

    return run


def entries(cache: ObservationCache) -> list[Path]:
    return sorted(cache.folder.rglob("*.safetensors"))


def same(one: Timeline, other: Timeline) -> None:
    """Every number, word and name of two timelines is equal."""
    assert dict(one.clip) == dict(other.clip)
    assert one.evidence == other.evidence
    assert list(one.observations) == list(other.observations)
    for name, obs in one.observations.items():
        twin = other.observations[name]
        assert replace(obs, tracks={}) == replace(twin, tracks={})
        assert list(obs.tracks) == list(twin.tracks)
        assert list(obs.spans) == list(twin.spans)
        for key, track in obs.tracks.items():
            assert (track.name, track.columns, track.unit) == (
                twin.tracks[key].name, twin.tracks[key].columns, twin.tracks[key].unit
            )  # fmt: skip
            for part in ("values", "times_s", "mask"):
                mine, theirs = getattr(track, part), getattr(twin.tracks[key], part)
                assert mine.dtype == theirs.dtype
                assert np.array_equal(mine, theirs)


# The same answer


def test_the_embedded_preset_answers_the_same_with_the_cache(cache: ObservationCache) -> None:
    preset = load_preset("embedded", ("face.fps=5",))
    lines = [stream.observe(clip, preset, Context(clip), cache=kept)
             for kept in (None, cache, cache) for clip in [Clip.open(DEMO)]]  # fmt: skip
    same(lines[0], lines[1])
    same(lines[0], lines[2])
    assert entries(cache)


def test_one_missing_entry_is_made_again_from_the_same_frames(cache: ObservationCache) -> None:
    """Alone, an expert of small slow pictures would be given frames that were shrunk another way."""
    preset = load_preset("embedded", ("face.fps=5",))
    clip = Clip.open(DEMO)
    first = stream.observe(clip, preset, Context(clip), cache=cache)
    for path in entries(cache):
        if path.name.startswith(("motion-", "scene-")):
            path.unlink()
    again = stream.observe(Clip.open(DEMO), preset, Context(Clip.open(DEMO)), cache=cache)
    same(first, again)


def test_nothing_is_read_when_everything_is_kept(look: Any) -> None:
    clip, one = FakeClip(), Listener("one")
    first = look(clip, one)
    fresh = FakeClip()
    second = look(fresh, one)
    assert (one.finished, fresh.readings) == (1, 0)
    assert fresh.notes == ()
    same(first, second)
    assert "sound: one block was damaged" in second.clip["notes"], "remarks made while reading are kept too"


def test_what_decides_an_observation_decides_its_entry(look: Any, tmp_path: Path) -> None:
    one = Listener("one")
    weights = tmp_path / "weights"
    weights.mkdir()
    runs: list[dict[str, Any]] = [
        {}, {"settings": {"x": 1}}, {"lang": "zh"}, {"licence": "open"}, {"baseline": Baseline({"a": 1.0}, {}, 3)},
        {"weights_folder": weights},
    ]  # fmt: skip
    for number, wishes in enumerate(runs[:-1], 1):
        look(FakeClip(), one, **wishes)
        assert one.finished == number, wishes
    (weights / "a.safetensors").write_bytes(b"1")
    look(FakeClip(), one, weights_folder=weights)
    (weights / "a.safetensors").write_bytes(b"22")
    look(FakeClip(), one, weights_folder=weights)
    assert one.finished == 7
    one.revision, one.finished = "2", 0
    look(FakeClip(), one)
    one.identity = "other weights"
    look(FakeClip(), one)
    other = FakeClip()
    other.sha256 = "cd" * 32
    look(other, one)
    assert one.finished == 3
    other.transcript = replace_words("hello")
    look(other, one)
    other.transcript = replace_words("goodbye")
    look(other, one)
    assert one.finished == 5
    look(other, one)
    look(FakeClip(), one)
    assert one.finished == 5, "all of these are kept side by side"


def replace_words(text: str) -> Any:
    from hero.media.transcript import Transcript

    return Transcript((LabelledSpan(Span(0, 1), text),), text, "a.srt", "en", timed=False)


def test_a_change_renews_those_that_read_it_and_no_other(look: Any) -> None:
    def experts(revision: str) -> list[Listener]:
        return [Listener("base", revision), Listener("reader", looks_at="base"), Listener("loner")]

    look(FakeClip(), *experts("1"))
    changed = experts("2")
    line = look(FakeClip(), *changed)
    assert [e.finished for e in changed] == [1, 1, 0]
    assert "2" in line.observations["reader"].notes
    back = experts("1")
    look(FakeClip(), *back)
    assert [e.finished for e in back] == [0, 0, 0], "entries for both revisions lie side by side"
    alone = Listener("reader", looks_at="base")
    look(FakeClip(), alone)
    assert alone.finished == 1, "without the expert it read it may find something else"


def test_asking_for_all_names_counts_as_reading_them(look: Any) -> None:
    watched = Watched({"a": Observation("a", "voice")})
    assert "b" not in watched
    assert watched.read == {"b"}
    assert list(watched) == ["a"]
    assert watched.read == {"b", "*"}


def test_absences_are_kept_but_errors_are_not(look: Any) -> None:
    one = Listener("one")
    one.ends = Absence("one", "nobody speaks", "speak")
    assert [look(FakeClip(), one).absent for _ in range(2)] == [(one.ends,)] * 2
    assert one.finished == 1
    two = Listener("two")
    two.ends = WeightsError("memory ran out")
    look(FakeClip(), two)
    two.ends = None
    assert not look(FakeClip(), two).absent
    assert two.finished == 2


# Without loss


def made_observation() -> Observation:
    rng = np.random.default_rng(0)
    mask = np.repeat(np.array([True, False, True])[:, None], 1024, axis=1)
    wide = Track("features", rng.normal(size=(3, 1024)).astype(np.float32), np.array([0.1, 0.2, 1 / 3]), mask,
                 tuple(f"f{i}" for i in range(1024)), "feature")  # fmt: skip
    spotted = Track("au", rng.normal(size=(4, 2)), np.arange(4.0), rng.random((4, 2)) > 0.5, ("AU04", "AU12"))
    empty = Track("none", np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)), ("a", "b"), "Hz")
    ev = Evidence("voice", "voice@1", "pitch_high", "高 \ud800 “pitch”", "high", Span(1 / 3, 2 / 3), np.float64(0.123456789),
                  measures={"z_hz": np.float32(0.1), "a": 1e-12})  # fmt: skip
    return Observation(
        "voice", "voice", {"z": wide, "au": spotted, "none": empty}, (ev,),
        {"words": (LabelledSpan(Span(0.0, 1 / 7), "oh", None), LabelledSpan(Span(0.5, 0.5), "", 0.25)), "a": ()},
        (ModelUsed("net", "0" * 64, "MIT", commercial=False),), ("a note",),
    )  # fmt: skip


def test_an_observation_survives_a_file_exactly(tmp_path: Path) -> None:
    obs = made_observation()
    arrays, record = pack(obs, "voice.")
    assert arrays["voice.z.mask"].shape == (3,), "a mask that is the same in all columns is stored once"
    assert arrays["voice.au.mask"].shape == (4, 2)
    path = tmp_path / "x.safetensors"
    tensor_file.save(path, arrays, record, option="--out")
    back = unpack(*tensor_file.load(path), "voice.")
    same(Timeline({}, {"voice": obs}, obs.evidence), Timeline({}, {"voice": back}, back.evidence))
    assert list(back.evidence[0].measures) == ["z_hz", "a"]
    assert tensor_file.load_header(path) == tensor_file.load(path)[1]


# Damage


def test_every_damaged_entry_is_thrown_away_and_made_again(look: Any, cache: ObservationCache) -> None:
    one = Listener("one")
    whole = look(FakeClip(), one)
    (path,) = entries(cache)
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
    in_header = data.replace(b"sum", b"sun")
    for number, bad in enumerate((b"", data[:middle], data[:-1], data + b"x", flipped, in_header, b"\xff" * 64), 2):
        path.write_bytes(bad)
        line = look(FakeClip(), one)
        assert one.finished == number, bad[:40]
        assert any("damaged entry" in note for note in line.clip["notes"])
        assert path.read_bytes() == data
        same(whole, replace(line, clip=whole.clip))


def test_no_flipped_byte_goes_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    tensor_file.save(path, {"a.values": np.arange(6, dtype=np.float32).reshape(3, 2)}, {"b": [1, "ä"]}, option="--out")
    data = path.read_bytes()
    unharmed = tensor_file.load(path)
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        try:
            arrays, header = tensor_file.load(path)
        except InputError:
            continue
        assert header == unharmed[1], at
        assert np.array_equal(arrays["a.values"], unharmed[0]["a.values"]), at


def test_an_entry_under_another_name_is_not_taken_for_this_one(look: Any, cache: ObservationCache) -> None:
    one = Listener("one")
    look(FakeClip(), one)
    look(FakeClip(), one, settings={"x": 1})
    first, second = entries(cache)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    look(FakeClip(), one)
    assert one.finished == 3


def test_a_full_disk_leaves_nothing_half(look: Any, cache: ObservationCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tensor_file.os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write 0\.\d+ MB .*No space left.* MB are free.*--no-cache"):
        look(FakeClip(), Listener("one"))
    assert not [path for path in cache.folder.rglob("*") if path.is_file()]


def test_a_cache_that_is_a_file_is_refused(look: Any, cache: ObservationCache) -> None:
    cache.folder.write_text("a file")
    with pytest.raises(OutputError, match=r"cannot write .*--cache"):
        look(FakeClip(), Listener("one"))


# Others at work


def _write_often(path: Path, gate: Any) -> None:
    values = np.arange(200_000, dtype=np.float32)
    gate.wait()
    for _ in range(20):
        tensor_file.save(path, {"a": values}, {"same": True}, option="--cache")
        arrays, _ = tensor_file.load(path)
        assert np.array_equal(arrays["a"], values)


def test_four_processes_write_and_read_one_entry(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(4)
    path = tmp_path / "deep" / "x.safetensors"
    running = [context.Process(target=_write_often, args=(path, gate)) for _ in range(4)]
    for one in running:
        one.start()
    for one in running:
        one.join(60)
    assert [one.exitcode for one in running] == [0] * 4
    assert [item.name for item in path.parent.iterdir()] == ["x.safetensors"]


def test_leftovers_of_dead_runs_are_swept(look: Any, cache: ObservationCache) -> None:
    look(FakeClip(), Listener("one"))
    folder = entries(cache)[0].parent
    old, young = folder / ".x-1-aa.part", folder / ".x-1-bb.part"
    for path in (old, young):
        path.write_bytes(b"half")
    day_s = tensor_file.STALE_S
    os.utime(old, (time.time() - day_s - 1,) * 2)
    assert cache.sweep() == 1
    assert not old.exists()
    assert young.exists(), "it may belong to a run that is at work"
    assert len(entries(cache)) == 1
