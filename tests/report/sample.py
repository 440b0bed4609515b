"""A small made answer with its tracks, spans and clip, built through the public types; nothing here was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from hero.types import Conflict, Evidence, Heat, LabelledSpan, ModelUsed, Span, Track, number_evidence

DURATION_S = 4.0
HOSTILE = "</script><img src=x onerror=\"document.title='broken'\">{{ 7*7 }}"

AU_R = tuple(f"AU{n:02d}_r" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45))
AU_C = tuple(f"AU{n:02d}_c" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45))


@dataclass(frozen=True)
class Sample:
    """What a report is made from."""

    result: dict[str, Any]
    tracks: dict[str, Track]
    spans: dict[str, tuple[LabelledSpan, ...]] = field(default_factory=dict)


def evidence() -> tuple[Evidence, ...]:
    """Seven observations in five modalities and one inference."""
    rows = [
        ("face", "AU04", "Brows drawn together and lowered, held for 0.7 s.", "lowered brows", 1.2, 1.9, 0.82,
         {"AU04": 2.3}),
        ("face", "AU12", "Lip corners pulled up for 0.5 s without raised cheeks.", "short smile", 2.5, 3.0, 0.71,
         {"AU12": 1.6}),
        ("motion", "nod", "Two small nods.", "two nods", 3.1, 3.7, 0.55, {"rate_hz": 2.9}),
        ("scene", "people", "One person, dim light.", "one person", 0.0, 4.0, 0.93, {"people": 1}),
        ("voice", "pitch_low", "Pitch 3 semitones below the speaker's usual level.", "low voice", 0.4, 2.6, 0.74,
         {"f0_semitones": -3.1, "rate_syl_s": 2.2}),
        ("voice", "pause", "A pause of 0.6 s.", "pause", 2.6, 3.2, 0.9, {"pause_s": 0.6}),
        ("synergy", "lips", "Lips and sound move together, lag 40 ms.", "in step", 0.4, 2.6, 0.66, {"lag_s": 0.04}),
    ]  # fmt: skip
    seen = [
        Evidence(modality, f"{modality}@1", cue, text, brief, Span(start, end), sure, measures=measures)
        for modality, cue, text, brief, start, end, sure, measures in rows
    ]
    guess = Evidence("words", "impute@1", "imputed", "The words are unknown; they are probably a complaint.",
                     "probably a complaint", Span(0.4, 2.6), 0.3, inferred=True)  # fmt: skip
    return number_evidence([*seen, guess])


def result(*, lang: str = "en", hostile: bool = False, abstained: bool = False) -> dict[str, Any]:
    """The public JSON of the made answer; `hostile` puts markup into every free text."""
    bad = HOSTILE if hostile else ""
    found = [ev.as_json() for ev in evidence()]
    for ev in found:
        ev["text"] += bad
        ev["brief"] += bad
    clash = Conflict(
        ("VE-03", "AE-01"), "smile_flat_voice", 0.71, f"The smile goes with a low, quiet voice.{bad}", Span(2.5, 3.0)
    )
    models = (ModelUsed("face landmarks", "64184e229b263107", "Apache-2.0"),
              ModelUsed("voice emotion head", "aa" * 32, "CC BY-NC-SA 4.0", commercial=False))  # fmt: skip
    return {
        "clip": {"name": f"clip{bad}.mp4", "sha256": "9f" * 32, "duration_s": DURATION_S,
                 "video": {"width": 320, "height": 240, "fps": 25.0}, "audio": {"rate_hz": 44100}},
        "evidence": found,
        "absent": [{"expert": "words", "reason": f"no transcript and no speech model here{bad}",
                    "cure": "hero models fetch whisper-small"}],
        "missing": {"words": "nothing was said aloud"},
        "conflicts": [clash.as_json()],
        "weights": {"face": 0.38, "voice": 0.47, "words": 0.0, "motion": 0.09, "scene": 0.06},
        "heat": heat().as_json(),
        "verdict": _verdict(lang, bad, abstained),
        "support": {"claims": 4, "supported": 4, "rate": 1.0, "problems": []},
        "provenance": {"hero": "0.1.0", "preset": "embedded", "reasoner": "adjudicator", "seconds": 1.9,
                       "models": [m.as_json() for m in models], "notes": [f"words fell back to none{bad}"]},
    }  # fmt: skip


def heat() -> Heat:
    """Eight steps of half a second: the voice counts most while it speaks, the face even throughout, motion at the end."""
    voice = np.array([0.0, 0.06, 0.16, 0.12, 0.08, 0.02, 0.0, 0.0])
    motion = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.06, 0.02])
    share = np.stack([np.full(8, 0.06), voice, motion], axis=1)  # (8, 3)
    return Heat(np.arange(8) * 0.5, 0.5, ("face", "voice", "motion"), share, "integration")


def _verdict(lang: str, bad: str, abstained: bool) -> dict[str, Any]:
    caption = f"A man speaks slowly with lowered brows and smiles briefly [VE-02, AE-01, VE-03].{bad}"
    reasoning = (
        f"Voice and brows agree on low arousal and displeasure [AE-01, VE-02].{bad}\nThe smile is short and lacks "
        "cheek raising [VE-03], so it is read as masking. What was said is not known [ITE-01, inferred]."
    )
    if lang == "zh":
        caption = f"一名男子语速缓慢，眉毛下压，短暂微笑 [VE-02, AE-01, VE-03]。{bad}"
        reasoning = f"声音与眉毛都指向低唤起与不悦 [AE-01, VE-02]。{bad}\n微笑短暂且脸颊未提升 [VE-03]，因此视为掩饰。"
    return {
        "emotion_caption": caption,
        "evidence_summary": [{"id": "AE-01", "text": f"low voice{bad}"}, {"id": "VE-02", "text": "low brows"}],
        "reasoning_process": reasoning,
        "final_emotion": None if abstained else "sad", "confidence": 0.31 if abstained else 0.61,
        "abstained": abstained, "abstention_reason": f"the evidence is too weak{bad}" if abstained else None,
        "alternatives": {"sad": 0.31, "neutral": 0.29} if abstained else {"angry": 0.17, "neutral": 0.12}, "lang": lang,
    }  # fmt: skip


def au_track(name: str = "au", *, duration_s: float = DURATION_S, fps: float = 25.0) -> Track:
    """Action units with a lowered brow, a smile, and no face in the last fifth of the clip."""
    times = np.arange(0, duration_s, 1 / fps)  # (T,)
    values = np.zeros((times.size, len(AU_R) + len(AU_C)))  # (T, 35)
    values[:, 2] = 2.4 * np.exp(-(((times - 1.55) / 0.35) ** 2))
    values[:, 8] = 1.7 * np.exp(-(((times - 2.75) / 0.25) ** 2))
    values[:, 16] = 3.0 * (np.sin(times * 7) > 0.995)
    presence = [AU_R.index(c.replace("_c", "_r")) if c.replace("_c", "_r") in AU_R else -1 for c in AU_C]
    for column, source in enumerate(presence):
        values[:, len(AU_R) + column] = values[:, source] > 1 if source >= 0 else 0
    mask = np.repeat((times < 0.8 * duration_s)[:, None], values.shape[1], axis=1)
    mask[:, AU_R.index("AU23_r")] = False
    return Track(name, values, times, mask, AU_R + AU_C)


def tracks(*, duration_s: float = DURATION_S) -> dict[str, Track]:
    """Action units, pose, gaze, prosody, movement and lip sync."""
    au = au_track(duration_s=duration_s)
    times = np.arange(0, duration_s, 0.01)  # (T,)
    speech = (times % 4 > 0.4) & (times % 4 < 2.6)
    pitch = -3 + 1.5 * np.sin(times * 5) * np.cos(times)
    prosody = np.stack([110 * 2 ** (pitch / 12), pitch, -28 + 6 * np.sin(times * 9) - 25 * ~speech], axis=1)
    mask = np.stack([speech, speech, np.ones_like(speech)], axis=1)
    slow = np.arange(0, duration_s, 0.1)
    wave = np.clip(np.sin(slow * 6), 0, 1) * ((slow % 4) > 3)
    level = np.tanh(np.sin(slow)) * 0.5 + 0.3
    pose = np.stack([np.sin(au.times_s), np.cos(au.times_s), 0 * au.times_s], axis=1) * 10
    return {
        "face.au": au,
        "face.pose": Track("pose", pose, au.times_s, au.mask[:, 0], ("pitch_deg", "yaw_deg", "roll_deg"), "deg"),
        "face.gaze": Track("gaze", pose[:, :2], au.times_s, au.mask[:, 0], ("x_deg", "y_deg"), "deg"),
        "voice.prosody": Track("prosody", prosody, times, mask, ("f0_hz", "f0_semitones", "loudness_db")),
        "motion.body": Track("body", wave, slow, np.ones_like(slow, bool), ("body_speed",)),
        "synergy.sync": Track("sync", level, slow, (slow % 4 > 0.4) & (slow % 4 < 2.6), ("near_correlation",)),
    }


def words(texts: Sequence[str] = ("Kids", "are", "talking", "by", "the", "door")) -> tuple[LabelledSpan, ...]:
    """Words of 0.3 s each from 0.4 s on."""
    return tuple(LabelledSpan(Span(0.4 + 0.36 * i, 0.7 + 0.36 * i), text, 0.9) for i, text in enumerate(texts))


def sample(*, lang: str = "en", hostile: bool = False, abstained: bool = False) -> Sample:
    """Everything together."""
    said = words(("Kids", HOSTILE, "door")) if hostile else words()
    spans = {"words.words": said, "voice.speech": (LabelledSpan(Span(0.4, 2.6), "speech"),)}
    return Sample(result(lang=lang, hostile=hostile, abstained=abstained), tracks(), spans)


def write_clip(path: Path, *, duration_s: float = DURATION_S, size: tuple[int, int] = (320, 240)) -> Path:
    """A moving disc with a tone, H.264 and AAC."""
    import av

    width, height = size
    rows, columns = np.mgrid[0:height, 0:width]
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio: Any = output.add_stream("aac", rate=44100, layout="mono")
        for index in range(round(duration_s * 25)):
            x = width * (0.2 + 0.6 * index / (duration_s * 25))
            picture = np.full((height, width, 3), (38, 48, 66), np.uint8)
            picture[(rows - height / 2) ** 2 + (columns - x) ** 2 < (height / 5) ** 2] = (231, 190, 120)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(video.encode(frame))
        tone = 0.1 * np.sin(2 * np.pi * 220 * np.arange(round(duration_s * 44100)) / 44100)
        sound = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts = 44100, 0
        output.mux(audio.encode(sound))
        for stream in (video, audio):
            output.mux(stream.encode(None))
    return path


def of_a_language_model(made: dict[str, Any]) -> dict[str, Any]:
    """The answer as a language model's: how it was reached, and three statements without support."""
    flaws = [
        ("emotion_caption", "Tears run down [VE-02].", "unrelated", "", "Tears run down"),
        ("reasoning_process", "He is calm.", "uncited", "", ""),
        ("evidence_summary", "low brows", "unrelated", "VE-02", "lowered brows"),
    ]
    keys = ("field", "sentence", "problem", "id", "about")
    found = [dict(zip(keys, flaw, strict=True)) for flaw in flaws]
    details = {
        "model": "qwen2.5-0.5b-instruct", "decode": "constrained", "soft_tokens": 32, "repaired": False,
        "probabilities": {"neutral": 0.125, "sad": 0.75}, "notes": ["uncalibrated", made["provenance"]["notes"][0]],
    }  # fmt: skip
    provenance = {**made["provenance"], "reasoner": "language-model", "reasoning": details}
    support = {"claims": 4, "supported": 1, "rate": 0.25, "problems": found}
    return {**made, "provenance": provenance, "support": support}
