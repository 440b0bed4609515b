"""Does the support check tell true verdicts from false ones?

    HERO_DATA=<folder> python benchmarks/support.py

Real clips (RAVDESS, GRID, faces, LibriVox, the demo) are analysed in English and Chinese. Their verdicts must pass; with their
citations shuffled, with measured facts rewritten, with numbers doubled, or with a smile claimed where AU12 is low, they must
not. So that a check which flags everything does not pass for a good one, honest sentences in free language
(`support_sentences.yaml`) must pass as well, above all those that were held out while the check was made. Verdicts that cite
fewer than `LEAST_IDS` ids cannot be shuffled into falsehood: they count among the real ones only. Writes
`results/support.json`.
"""

from __future__ import annotations

import os
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from bars import Bar, publish

from hero.config import Preset, load_preset
from hero.ground.bearing import shown
from hero.ground.lexicon import lexicon
from hero.ground.support import Flaw, check
from hero.pipeline import Analysis, analyze
from hero.reason.verdict import CITATION, ID_PATTERN, SummaryItem, Verdict, cited, sentences
from hero.types import Evidence

ROOT = Path(__file__).parents[1]
LEAST_IDS = 3
SHUFFLES = 5
TRIES = 30
SAME_S = 0.15  # evidence of a free sentence may have moved so far
SEED = 4
FACE_WRITTEN_ABOUT = "landmarks"  # the backend whose evidence the free sentences describe
MARK = re.compile(r"\[((?:\w+@[\d.]+(?:, )?)+)([^\]]*)\]")
UNIT = r"(?:s\b|Hz|dB|semitones|syllables|degrees|秒|个音节|个半音|度)"
NUMBER = re.compile(rf"(?<![\w.%-])\d+(?:\.\d+)?(?=\s*{UNIT})|(?<=AU\d\d )\d+\.\d+")


@dataclass(frozen=True, eq=False)
class Case:
    """A clip in one language with its verdict and all of its evidence."""

    name: str
    lang: str
    found: Analysis

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Observed and inferred."""
        return (*self.found.timeline.evidence, *self.found.case.inferred)

    def flaws(self, verdict: Verdict) -> tuple[tuple[Flaw, ...], int]:
        """What is wrong with a verdict about this clip, and how many claims it makes."""
        support = check(verdict, self.evidence, self.found.timeline.tracks)
        return support.flaws, support.claims

    def flaw(self, sentence: str) -> Flaw | None:
        """What is wrong with one sentence about this clip."""
        line = {"id": self.evidence[0].id, "text": self.evidence[0].brief}
        made = {
            "emotion_caption": sentence,
            "evidence_summary": [line],
            "reasoning_process": sentence,
            "confidence": 0.5,
        }
        flaws, _ = self.flaws(Verdict.model_validate({**made, "final_emotion": "neutral", "lang": self.lang}))
        return next((flaw for flaw in flaws if flaw.field == "emotion_caption"), None)


def clips(data: Path) -> dict[str, tuple[Path, Path | None]]:
    """Every real clip by a short name, with its transcript."""
    demo = ROOT / "examples" / "demo.mp4"
    found: dict[str, tuple[Path, Path | None]] = {"demo": (demo, demo.with_suffix(".srt"))}
    found["ravdess"] = data / "ravdess_video" / "01-01-01-01-01-01-01.mp4", None
    found |= {path.stem: (path, None) for path in sorted((data / "grid").glob("*.mpg"))}
    faces = (path for path in sorted((data / "faces").iterdir()) if path.suffix in {".mp4", ".mov"})
    found |= {path.stem: (path, None) for path in faces}
    for path in sorted((data / "speech" / "librivox").glob("*.wav"))[:3]:
        found[f"austen_{path.stem[-4:]}"] = path, path.with_suffix(".txt")
    return found | {
        "jfk": (data / "speech/jfk.flac", None),
        "two_speakers": (data / "speech/two_speakers/sample.wav", None),
    }


def analysed(data: Path, preset: Preset, names: frozenset[str] | None = None) -> list[Case]:
    """All clips, or those named, in both languages."""
    return [
        Case(name, lang, analyze(path, transcript=said, lang=lang, preset=preset))
        for name, (path, said) in clips(data).items()
        if names is None or name in names
        for lang in ("en", "zh")
    ]


def written(verdict: Verdict, change: Callable[[str], str]) -> Verdict:
    """A verdict with every text passed through a function; a line of the summary passes as "text [id]"."""
    lines = [change(f"{item.text} [{item.id}]") for item in verdict.evidence_summary]
    items = tuple(SummaryItem(id=cited(line)[0], text=CITATION.sub("", line).strip()) for line in lines)
    texts = {field: change(getattr(verdict, field)) for field in ("emotion_caption", "reasoning_process")}
    return verdict.model_copy(update={**texts, "evidence_summary": items})


def citations(verdict: Verdict) -> list[list[str]]:
    """The ids of each citation in the order in which `written` meets them."""
    met = [[item.id] for item in verdict.evidence_summary]
    for text in (verdict.emotion_caption, verdict.reasoning_process):
        met += [re.findall(ID_PATTERN, match[1]) for match in CITATION.finditer(text)]
    return met


def with_citations(verdict: Verdict, groups: list[list[str]]) -> Verdict:
    """The verdict citing these ids instead, citation by citation; marks such as "inferred" stay where they are."""
    queue = iter(groups)

    def change(text: str) -> str:
        return CITATION.sub(lambda match: f"[{', '.join(next(queue))}{', ' if match[2] else ''}{match[2]}]", text)

    return written(verdict, change)


def occurrences_shuffled(groups: list[list[str]], rng: random.Random) -> list[list[str]]:
    """All ids of the citations permuted among their places."""
    flat = [one for group in groups for one in group]
    rng.shuffle(flat)
    queue = iter(flat)
    return [[next(queue) for _ in group] for group in groups]


def names_shuffled(groups: list[list[str]], rng: random.Random) -> list[list[str]]:
    """Every id replaced by another one, the same everywhere."""
    ids = sorted({one for group in groups for one in group})
    others = rng.sample(ids, len(ids))
    new = dict(zip(ids, others, strict=True))
    return [[new[one] for one in group] for group in groups]


def shuffled(verdict: Verdict, way: Callable[..., list[list[str]]], rng: random.Random) -> tuple[Verdict, float]:
    """Citations shuffled so that as few as possible keep their ids, and the share that does."""
    old = citations(verdict)

    def kept(new: list[list[str]]) -> int:
        return sum(set(a) == set(b) for a, b in zip(old, new, strict=True))

    best = min((way(old, rng) for _ in range(TRIES)), key=kept)
    return with_citations(verdict, best), kept(best) / len(old)


def shuffles(cases: list[Case], way: Callable[..., list[list[str]]]) -> dict[str, Any]:
    """Mean supported rate of shuffled verdicts, and how many of their citations kept their ids."""
    rng = random.Random(SEED)
    rates, kept = [], []
    for case in cases:
        for _ in range(SHUFFLES):
            false, share = shuffled(case.found.verdict, way, rng)
            flaws, claims = case.flaws(false)
            rates.append(1 - len(flaws) / claims)
            kept.append(share)
    return {
        "rate": sum(rates) / len(rates),
        "highest": max(rates),
        "citations that kept their ids": sum(kept) / len(kept),
    }


def planted(case: Case, rewrites: list[list[str]], smiles: list[str]) -> Iterator[tuple[str, str]]:
    """(kind, false sentence): facts rewritten and numbers doubled in its verdict and evidence, smiles that are not there."""
    verdict = case.found.verdict
    own = [*sentences(verdict.emotion_caption), *sentences(verdict.reasoning_process)]
    own += [f"{item.text} [{item.id}]" for item in verdict.evidence_summary]
    own += [f"{ev.text.rstrip('.。')} [{ev.id}]" for ev in case.found.timeline.evidence if ev.modality != "words"]
    for sentence in own:
        for old, new in rewrites:
            if old in sentence and not inside_longer(old, sentence, rewrites):
                yield "rewritten", sentence.replace(old, new)
        yield from (("doubled", false) for false in doubled(sentence))
    smile = lexicon().topics["smile"]
    for ev in case.found.timeline.evidence:
        if ev.modality == "face" and shown(smile, [ev.span], case.found.timeline.tracks) is False:
            yield from (("smile", said.format(cite=f"[{ev.id}]")) for said in smiles)


def inside_longer(term: str, sentence: str, rewrites: list[list[str]]) -> bool:
    """Whether a term stands in the sentence as a part of a longer one."""
    return any(term != longer and term in longer and longer in sentence for longer, _ in rewrites)


def doubled(sentence: str) -> Iterator[str]:
    """The sentence with each number of its own doubled; what is nought, or cited by id, is left."""
    for match in NUMBER.finditer(sentence):
        value = float(match[0])
        if value >= 0.5:
            decimals = len(match[0].partition(".")[2])
            yield f"{sentence[: match.start()]}{2 * value:.{decimals}f}{sentence[match.end() :]}"


def free_sentences(cases: list[Case], rows: list[list[str]], lang: str) -> list[tuple[str, Flaw | None]]:
    """Sentences of `support_sentences.yaml` with their flaws; one whose evidence is gone is left out."""
    by_name = {case.name: case for case in cases if case.lang == lang}
    judged = []
    for name, said in rows:
        sentence = MARK.sub(partial(_resolved, by_name[name]), said)
        if "[?" not in sentence and ", ?" not in sentence:
            judged.append((said, by_name[name].flaw(sentence)))
    return judged


def _resolved(case: Case, match: re.Match[str]) -> str:
    ids = []
    for mark in match[1].split(", "):
        if mark:
            cue, _, start = mark.partition("@")
            away = [(abs(ev.span.start_s - float(start)), ev.id) for ev in case.evidence if ev.cue == cue]
            near = min(away, default=(SAME_S + 1, ""))
            ids.append(near[1] if near[0] <= SAME_S else "?")
    return f"[{', '.join(ids)}{', ' if match[2] else ''}{match[2]}]"


def share(marks: list[bool]) -> float:
    """Share of what is true."""
    return sum(marks) / len(marks) if marks else float("nan")


def _halves(free: Mapping[tuple[str, str, str], Any], truth: str, half: str) -> list[bool]:
    """Whether each sentence of one half passed, in both languages."""
    return [flaw is None for (kind, _, part), rows in free.items() if (kind, part) == (truth, half) for _, flaw in rows]


def _bars(real: list[float], ways: Mapping[str, Any], false: list[Any], own: list[bool], free: Any) -> list[Bar]:
    caught = [flaw is not None for _, flaw in false]
    return [
        Bar("real verdicts, mean supported rate", share_of(real), 0.98, note=f"{len(real)} verdicts"),
        Bar("citations permuted, mean rate", ways["permuted"]["rate"], 0.3, at_least=False),
        Bar("citations renamed, mean rate", ways["renamed"]["rate"], 0.3, at_least=False),
        Bar("planted contradictions caught", share(caught), 0.9, note=f"{len(caught)} sentences"),
        Bar("evidence's own sentences pass", share(own), 0.98, note=f"{len(own)} sentences"),
        Bar("honest free sentences pass, development", share(_halves(free, "true", "development")), 0.9),
        Bar("honest free sentences pass, held out", share(_halves(free, "true", "held out")), 0.9),
        Bar("false free sentences caught, held out", 1 - share(_halves(free, "false", "held out")), 0.8),
    ]


def _details(
    cases: list[Case], distinct: list[Case], ways: Mapping[str, Any], false: list[Any], free: Any
) -> dict[str, Any]:
    kinds = {kind: [flaw is not None for k, flaw in false if k == kind] for kind, _ in false}
    wrong = {
        f"{truth} {lang}, {half}": [said for said, flaw in rows if (flaw is None) != (truth == "true")]
        for (truth, lang, half), rows in free.items()
        if half == "development"
    }
    return {
        "clips": len({case.name for case in cases}),
        f"verdicts with {LEAST_IDS} ids or more": len(distinct),
        "shuffles of each": SHUFFLES,
        "shuffled": ways,
        "planted": {kind: {"sentences": len(marks), "caught": round(share(marks), 4)} for kind, marks in kinds.items()},
        "problem found in planted": dict(Counter(flaw.problem if flaw else "none" for _, flaw in false)),
        "free sentences": {
            f"{truth} {lang}, {half}": {"sentences": len(rows), "passed": round(share([f is None for _, f in rows]), 4)}
            for (truth, lang, half), rows in free.items()
        },
        "free sentences of the development judged wrongly": {key: rows for key, rows in wrong.items() if rows},
    }


def share_of(rates: list[float]) -> float:
    """Mean of rates."""
    return sum(rates) / len(rates)


def main() -> int:
    """Measure, print and keep."""
    folder = os.environ.get("HERO_DATA")
    if not folder or not Path(folder).is_dir():
        print("HERO_DATA does not name a folder with the real clips; nothing was measured")
        return 0
    table = yaml.safe_load((Path(__file__).parent / "support_sentences.yaml").read_text("utf-8"))
    embedded = load_preset("embedded")
    cases = analysed(Path(folder), embedded)
    real = [1 - len(flaws) / claims for flaws, claims in (case.flaws(case.found.verdict) for case in cases)]
    distinct = [
        case for case in cases if len({i for group in citations(case.found.verdict) for i in group}) >= LEAST_IDS
    ]
    ways = {"permuted": shuffles(distinct, occurrences_shuffled), "renamed": shuffles(distinct, names_shuffled)}
    false = [
        (kind, case.flaw(said))
        for case in cases
        for kind, said in planted(case, table["rewrites"][case.lang], table["smiles"][case.lang])
    ]
    own = [
        case.flaw(f"{ev.text.rstrip('.。')} [{ev.id}].") is None
        for case in cases
        for ev in case.found.timeline.evidence
    ]
    halves = [rows for truth in ("true", "false") for half in table[truth].values() for rows in half.values()]
    named = frozenset(name for rows in halves for name, _ in rows)
    face = {**embedded.experts["face"], "backend": FACE_WRITTEN_ABOUT}
    written_about = analysed(Path(folder), replace(embedded, experts={**embedded.experts, "face": face}), named)
    free = {
        (truth, lang, half): free_sentences(written_about, rows, lang)
        for truth in ("true", "false")
        for lang, halves in table[truth].items()
        for half, rows in halves.items()
    }
    return publish("support", _bars(real, ways, false, own, free), _details(cases, distinct, ways, false, free))


if __name__ == "__main__":
    sys.exit(main())
