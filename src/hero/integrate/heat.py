"""Where the weight lies: shares per modality and step of time, for the order of evidence and the report's heat map.

Two sources: the fusion of the experts' posteriors, and the attention of a trained HERO model over its detail tracks
(spec 1, `Dynamic_Attention_Weights`). Both are stretches of time that carry an amount, spread over equal steps so that
nothing is lost and nothing counts twice.

Legend: L steps of the detail tracks, W windows of an expert, S stretches,
T steps of the heat, M modalities, 7 common labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from hero.errors import UsageError
from hero.types import MODALITIES, Heat, Modality, Span, Timeline

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hero.integrate.fusion import Fusion

LONGEST_STEP_S = 1.0
SHORTEST_STEP_S = 0.1
USUAL_STEPS = 40
MAX_STEPS = 600
EDGE_S = 0.2  # a window that ends this close to the clip's end reaches it: its last frame stands until the next one
POINT = 1e-6  # width of a moment, as a share of the clip: what is put there has to lie in some step


class Stretches(NamedTuple):
    """Parts of the clip in seconds, `starts` and `ends` (S,), with the `amounts` (S,) that lie evenly over each."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    amounts: NDArray[np.float64]


def step_edges(duration_s: float) -> NDArray[np.float64]:
    """(T + 1,) edges in seconds of equal steps that fill the clip: about 1 s, shorter in short clips, at most 600."""
    usual_s = min(max(duration_s / USUAL_STEPS, SHORTEST_STEP_S), LONGEST_STEP_S)
    count = min(max(ceil(duration_s / usual_s - 1e-9), 1), MAX_STEPS)
    return np.linspace(0.0, duration_s, count + 1)


def fusion_heat(timeline: Timeline, fusion: Fusion, *, experts: Mapping[str, str]) -> Heat | None:
    """How the fusion weighs the modalities at each moment, from the posteriors whose windows cover it.

    `experts` names the expert with the posterior of each modality. A moment that some window covers counts 1, whatever
    the number of modalities there; others count nothing. None where no window covers anything.
    """
    windows = {m: found for m, expert in experts.items() if (found := _windows(timeline, expert)) is not None}
    reach_s = max((float(found.ends.max()) for found in windows.values()), default=0.0)
    duration_s = float(timeline.clip.get("duration_s") or reach_s)
    if min(reach_s, duration_s) <= 0:
        return None
    windows = {m: found.up_to(duration_s) for m, found in windows.items()}
    rows: dict[str, list[tuple[float, float, float]]] = {m: [] for m in windows}
    for start_s, end_s, weights in _moments(windows, fusion):
        for modality, weight in weights.items():
            rows[modality].append((start_s, end_s, weight * (end_s - start_s)))
    tables = {m: np.array(found, dtype=np.float64).reshape(-1, 3) for m, found in rows.items()}  # (S, 3)
    return _heat({m: Stretches(*table.T) for m, table in tables.items()}, duration_s, "fusion")


class _Windows(NamedTuple):
    """Where an expert judged, starts and ends (W,), and what it said: posteriors and masks (W, 7)."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    values: NDArray[np.float64]
    mask: NDArray[np.bool_]

    def up_to(self, end_s: float) -> _Windows:
        """The windows inside the clip; those that end close to its end reach it."""
        ends = np.where(self.ends >= end_s - EDGE_S, end_s, self.ends)
        return self._replace(starts=np.minimum(self.starts, end_s), ends=ends)


def _windows(timeline: Timeline, expert: str) -> _Windows | None:
    obs = timeline.observations.get(expert)
    if obs is None or obs.absent or "posterior" not in obs.tracks:
        return None
    track = obs.tracks["posterior"]
    spans = np.array([(s.span.start_s, s.span.end_s) for s in obs.spans["windows"]], dtype=np.float64).reshape(-1, 2)
    kept = np.flatnonzero(track.valid)
    if not kept.size:
        return None
    return _Windows(spans[kept, 0], spans[kept, 1], track.values[kept].astype(np.float64), track.mask[kept])


def _moments(windows: Mapping[str, _Windows], fusion: Fusion) -> Iterator[tuple[float, float, Mapping[str, float]]]:
    """(start_s, end_s, weights) of every stretch in which the same windows hold; weighed once per set of windows."""
    marks = np.concatenate([part for found in windows.values() for part in (found.starts, found.ends)])
    known: dict[tuple[tuple[str, bytes], ...], Mapping[str, float]] = {}
    for start_s, end_s in pairwise(np.unique(marks)):
        covering = {m: (found.starts <= start_s) & (found.ends >= end_s) for m, found in windows.items()}  # (W,)
        covering = {m: those for m, those in covering.items() if those.any()}
        if not covering:
            continue
        key = tuple((m, those.tobytes()) for m, those in covering.items())
        if key not in known:
            said = {m: _pooled(windows[m], those) for m, those in covering.items()}
            known[key] = fusion.weigh(
                {m: p for m, (p, _) in said.items()}, {m: s for m, (_, s) in said.items()}
            ).weights
        yield float(start_s), float(end_s), known[key]


def _pooled(windows: _Windows, those: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Posterior (7,) and seen labels (7,) where several windows of one expert overlap: their geometric mean."""
    mask = windows.mask[those]  # (W', 7)
    seen = np.asarray(mask.any(axis=0), dtype=bool)
    logs = np.where(mask, np.log(np.clip(windows.values[those], 1e-6, 1)), 0).sum(0) / np.maximum(mask.sum(0), 1)
    return np.where(seen, np.exp(logs), 0.0), seen


def attention_heat(
    attention: ArrayLike,
    times_s: Mapping[Modality, ArrayLike],
    lengths: Mapping[Modality, int],
    duration_s: float,
) -> Heat | None:
    """The integration layer's attention to one clip's detail tracks, laid on the clip's time.

    Args:
        attention: (L,) over all detail tracks, one after the other in the order of `lengths`; 0 on masked steps.
        times_s: seconds of each modality's steps, as many as its length.
        lengths: steps of each modality; together L.
        duration_s: the clip's length.

    A step of a track covers the usual distance to its neighbours, so that sparse tracks leave no comb. None where
    nothing was attended to, or the clip has no length.

    Raises:
        UsageError: lengths, times and attention do not fit each other, or a value is negative or not finite.
    """
    values = np.asarray(attention, dtype=np.float64)
    times = {m: np.asarray(times_s.get(m, ()), dtype=np.float64) for m in lengths}
    _check(values, times, lengths)
    if duration_s <= 0:
        return None
    stretches: dict[str, Stretches] = {}
    for modality, part in zip(lengths, np.split(values, np.cumsum(list(lengths.values()))[:-1]), strict=True):
        attended = part > 0  # padded and masked steps have no say in how far the steps lie apart
        stretches[modality] = Stretches(*_around(times[modality][attended], duration_s), part[attended])
    return _heat(stretches, duration_s, "integration")


def _check(
    values: NDArray[np.float64], times: Mapping[Modality, NDArray[np.float64]], lengths: Mapping[Modality, int]
) -> None:
    total = sum(lengths.values())
    if values.shape != (total,) or any(times[m].shape != (count,) for m, count in lengths.items()):
        came = ", ".join(f"{m} {count} steps and {times[m].size} times" for m, count in lengths.items())
        raise UsageError(
            f"attention of shape {values.shape} does not fit its tracks ({came or 'none'}); it needs {total} values, "
            "and each track one time a step; give the lengths and times that the integration layer was fed"
        )
    if not all(np.isfinite(part).all() for part in (values, *times.values())) or (values < 0).any():
        raise UsageError(
            f"attention from {values.min()} to {values.max()} cannot be laid on a clip; it needs finite values of at "
            "least 0 and finite times; check the checkpoint that computed it"
        )


def _around(times_s: NDArray[np.float64], duration_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Starts and ends (S,) of stretches around the times, as wide as the times usually lie apart, inside the clip."""
    apart = np.diff(np.unique(times_s))
    width_s = float(np.median(apart)) if apart.size else duration_s / (len(step_edges(duration_s)) - 1)
    least_s = POINT * duration_s
    starts = np.clip(times_s - width_s / 2, 0, duration_s - least_s)
    return starts, np.maximum(np.minimum(times_s + width_s / 2, duration_s), starts + least_s)


def _heat(
    stretches: Mapping[str, Stretches], duration_s: float, source: Literal["integration", "fusion"]
) -> Heat | None:
    edges = step_edges(duration_s)
    names = tuple(m for m in MODALITIES if m in stretches and stretches[m].amounts.sum() > 0)
    if not names:
        return None
    share = np.stack([spread(stretches[m], edges) for m in names], axis=1)  # (T, M)
    return Heat(edges[:-1], duration_s / (len(edges) - 1), names, share / share.sum(), source)


def spread(stretches: Stretches, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) the amounts of all stretches, summed per step between the edges (T + 1,).

    Stretches may overlap and must lie inside the edges; the sum is kept. Works on the running total, whose slope
    changes only where a stretch begins or ends, so that long clips need no table of S x T.
    """
    starts, ends, amounts = stretches
    rates = amounts / (ends - starts)
    points = np.concatenate([starts, ends])
    order = np.argsort(points, kind="stable")
    points, slopes = points[order], np.cumsum(np.concatenate([rates, -rates])[order])
    totals = np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(points))])
    steps = np.maximum(np.diff(np.interp(edges, points, totals)), 0.0)  # (T,)
    return np.asarray(steps * (amounts.sum() / steps.sum()), dtype=np.float64)


def local_weight(heat: Heat, modality: str, span: Span) -> float:
    """How much a modality counts within a span against its average over the clip: 1 is average, 0 nothing.

    A span without length stands for its moment. 1 where the heat says nothing about the modality.
    """
    share = heat.share[:, heat.modalities.index(modality)] if modality in heat.modalities else np.zeros(0)  # (T,)
    if not share.any():
        return 1.0
    end_s = float(heat.times_s[-1]) + heat.step_s
    start_s = min(span.start_s, end_s * (1 - POINT))
    stop_s = min(max(span.end_s, start_s + POINT * end_s), end_s)
    inside = np.minimum(heat.times_s + heat.step_s, stop_s) - np.maximum(heat.times_s, start_s)  # (T,)
    return float(np.average(share, weights=np.maximum(inside, 0.0)) / share.mean())
