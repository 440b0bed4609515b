"""One pass: every expert gets its pieces in order and at its rate; what breaks is declared; nothing piles up."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hero.config import Preset
from hero.errors import MediaError
from hero.media.clip import Block, Frame
from hero.observe import stream
from hero.observe.expert import Context
from hero.types import Absence, Evidence, Observation, Span


class FakeClip:
    """Ten seconds of frames at 10 a second with a hole from 4 to 6 s, and sound; counts frames that are alive."""

    name, sha256, duration_s, notes = "fake", "0" * 64, 10.0, ()
    video: Any = SimpleNamespace(width=64, height=48, fps=10.0)
    audio: Any = SimpleNamespace(rate_hz=16_000, channels=1)

    def __init__(self, *, breaks: bool = False) -> None:
        self.breaks = breaks
        self.ahead = 0
        self.taken = 0

    def frames(self, fps: float, max_side: int) -> Iterator[Frame]:
        for number in range(100):
            if self.breaks and number == 20:
                raise MediaError("the picture ends in the middle")
            if not 40 <= number < 60:
                self.ahead = max(self.ahead, number - self.taken)
                yield Frame(number / 10, np.zeros((48, 64, 3), np.uint8))

    def sound(self, rate_hz: int = 16_000, block_s: float = 1.0) -> Iterator[Block]:
        for second in range(10):
            yield Block(float(second), np.zeros(16_000, np.float32), 16_000)


class Watcher:
    """Keeps the times of what it was given."""

    modality, revision = "face", "1"

    def __init__(self, name: str, reads: str, fps: float = 5.0) -> None:
        self.name, self.reads, self.fps, self.max_side = name, reads, fps, 64
        self.times: list[float] = []
        self.threads: set[int] = set()

    def start(self, context: Context) -> Absence | None:
        self.clip = context.clip
        return None

    def take(self, piece: Frame | Block) -> None:
        self.times.append(piece.time_s if isinstance(piece, Frame) else piece.start_s)
        self.threads.add(threading.get_ident())
        if isinstance(piece, Frame):
            self.clip.taken = round(piece.time_s * 10)

    def finish(self, earlier: Mapping[str, Observation]) -> Observation:
        late = Evidence("face", self.name, "x", "x", "x", Span(9.0, 11.0), 1.0)
        return Observation(self.name, "face", evidence=(late,))


def _observe(clip: FakeClip, experts: Mapping[str, Watcher], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(stream, "create", lambda name: experts[name])
    return stream.observe(clip, Preset("made", {name: {} for name in experts}), Context(clip))


def test_pieces_come_in_order_at_the_expert_s_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow, ears = Watcher("fast", "frames", 10), Watcher("slow", "frames", 2.5), Watcher("ears", "sound")
    clip = FakeClip()
    line = _observe(clip, {"fast": fast, "slow": slow, "ears": ears}, monkeypatch)
    assert fast.times == sorted(fast.times)
    assert len(fast.times) == 80
    assert np.diff(slow.times).min() >= 0.3
    assert len(slow.times) == pytest.approx(8 * 2.5, abs=3)
    assert ears.times == [float(second) for second in range(10)]
    assert not fast.threads & ears.threads, "picture and sound run side by side"
    assert all(ev.span.end_s <= clip.duration_s for ev in line)


def test_no_frames_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = FakeClip()
    _observe(clip, {"fast": Watcher("fast", "frames", 10)}, monkeypatch)
    assert clip.ahead <= 20 + stream.QUEUE_FRAMES + 3  # the hole of 20 frames, the queue, and one in each hand


def test_a_broken_picture_leaves_the_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    line = _observe(
        FakeClip(breaks=True), {"eyes": Watcher("eyes", "frames"), "ears": Watcher("ears", "sound")}, monkeypatch
    )
    assert [(row.expert, row.reason) for row in line.absent] == [("eyes", "the picture ends in the middle")]
    assert line.observations["ears"].evidence


def test_nothing_readable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = FakeClip(breaks=True)
    with pytest.raises(MediaError, match="ends in the middle"):
        _observe(clip, {"eyes": Watcher("eyes", "frames")}, monkeypatch)


def test_missing_streams_are_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = FakeClip()
    clip.video = None
    line = _observe(clip, {"eyes": Watcher("eyes", "frames"), "ears": Watcher("ears", "sound")}, monkeypatch)
    assert [row.reason for row in line.absent] == ["the clip has no picture"]


def test_an_absent_expert_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(Watcher):
        def start(self, context: Context) -> Absence | None:
            return Absence(self.name, "its weights are not at hand", "fetch them")

    away = Away("away", "sound")
    line = _observe(FakeClip(), {"away": away, "ears": Watcher("ears", "sound")}, monkeypatch)
    assert away.times == []
    assert [row.reason for row in line.absent] == ["its weights are not at hand"]


def test_a_bug_in_an_expert_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Watcher):
        def take(self, piece: Frame | Block) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _observe(FakeClip(), {"eyes": Broken("eyes", "frames")}, monkeypatch)
    assert threading.active_count() < 20
