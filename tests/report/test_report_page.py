"""The page as text: well formed, self-contained, escaped, small, and complete in both languages."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import sample

from hero.errors import ConfigError
from hero.report import preview
from hero.report.page import render_page
from hero.types import LabelledSpan, Span, Track

VOID = {"meta", "link", "img", "br", "path", "circle", "use"}


class Reader(HTMLParser):
    """Collects elements and checks that they close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def _page(made: sample.Sample, *, media: Path | None = None, lang: str = "en", **options: object) -> str:
    return render_page(made.result, made.tracks, made.spans, media=media, lang=lang, **options)  # type: ignore[arg-type]


def test_page_says_everything() -> None:
    read = Reader(_page(sample.sample()))
    for part in (
        "Displayed emotion", "sad as displayed, not as felt", "61 %", "angry", "Brows drawn together and lowered",
        "no transcript and no speech model here", "hero models fetch whisper-small", "CC BY-NC-SA 4.0",
        "non-commercial", "inferred", "4 of 4 statements", "The smile goes with a low, quiet voice.", "Brow lowerer",
        "words fell back to none", "Words · nothing was said aloud", "absent", "does not know what a person feels",
    ):  # fmt: skip
        assert part in read.text, part


def test_every_citation_leads_to_a_row() -> None:
    read = Reader(_page(sample.sample()))
    ids = {attrs.get("id") for _, attrs in read.elements}
    cited = [attrs["data-ev"] for attrs in read.all("button") if attrs.get("data-ev")]
    assert len(cited) > 10 and all(f"ev-{one}" in ids for one in cited)
    named = [attrs["id"] for _, attrs in read.elements if attrs.get("id")]
    assert len(named) == len(set(named)), "ids are unique"


def test_unknown_id_stays_plain_text() -> None:
    made = sample.sample()
    made.result["verdict"]["reasoning_process"] = "Nobody saw this [VE-99]."
    read = Reader(_page(made))
    assert "Nobody saw this [VE-99]." in read.text
    assert not any(attrs.get("data-ev") == "VE-99" for attrs in read.all("button"))


def test_markup_in_data_stays_text() -> None:
    read = Reader(_page(sample.sample(hostile=True)))
    assert read.all("img") == [] and len(read.all("script")) == 1
    assert read.text.count("</script><img src=x") > 8
    assert not any(key.startswith("on") for _, attrs in read.elements for key in attrs)


def test_abstention_is_shown_with_its_reason() -> None:
    read = Reader(_page(sample.sample(abstained=True)))
    assert "No verdict" in read.text and "The system abstains: the evidence is too weak" in read.text
    assert "Displayed emotion" not in read.text


def test_page_is_self_contained_and_forbids_connections() -> None:
    text = _page(sample.sample())
    read = Reader(text)
    for _, attrs in read.elements:
        for key in ("src", "href"):
            assert (attrs.get(key) or "#").startswith(("#", "data:")), attrs
    assert "@import" not in text and not re.search(r"url\((?!#)", text)
    policy = next(a["content"] for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy") or ""
    assert policy.startswith("default-src 'none'") and "unsafe-eval" not in policy and "http" not in policy
    script = text.split("<script>")[1].split("</script>")[0]
    style = text.split("<style>")[1].split("</style>")[0]
    for part in (script, style):
        assert base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() in policy


def test_chinese_page_has_no_english_furniture() -> None:
    read = Reader(_page(sample.sample(lang="zh"), lang="zh"))
    assert read.all("html")[0]["lang"] == "zh-Hans"
    assert "表现出的情绪" in read.text and "悲伤" in read.text
    for english in ("Timeline", "Evidence", "Weight", "Confidence", "Provenance"):
        assert english not in read.text


def test_unknown_language_is_refused() -> None:
    with pytest.raises(ConfigError, match="en or zh"):
        _page(sample.sample(), lang="tlh")


def test_ten_minutes_stay_below_three_megabytes() -> None:
    made = sample.sample()
    made.result["clip"]["duration_s"] = 600.0
    row = made.result["evidence"][0]
    made.result["evidence"] = [
        {**row, "id": f"VE-{i + 1:02d}", "span": [i * 1.5, i * 1.5 + 2]} for i in range(400)
    ]  # fmt: skip
    made.spans["words.words"] = tuple(LabelledSpan(Span(i * 0.3, i * 0.3 + 0.25), f"word{i}") for i in range(2000))
    made.tracks.update(sample.tracks(duration_s=600.0))
    text = _page(made)
    assert len(text.encode()) < 3_000_000
    assert "word1999" in text and "VE-400" in text


def test_tracks_that_were_never_measured_leave_no_lane() -> None:
    made = sample.sample()
    for name, track in list(made.tracks.items()):
        made.tracks[name] = Track(track.name, track.values, track.times_s, np.zeros_like(track.mask), track.columns)
    read = Reader(_page(made))
    assert not any("curve" in (attrs.get("class") or "") for attrs in read.all("svg"))
    assert "Pitch −" not in read.text


def test_person_beside_the_subject_is_named() -> None:
    made = sample.sample()
    made.result["evidence"][0]["person"] = 1
    assert "person 2" in Reader(_page(made)).text


# ---------------------------------------------------------------- media


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", duration_s=2.0, size=(640, 360))


def _copy(data: str) -> bytes:
    return base64.b64decode(data.split("base64,")[1])


def test_small_playable_clip_goes_in_as_it_is(clip: Path) -> None:
    made = preview.make_preview(clip, duration_s=2.0)
    assert (made.kind, made.reason) == ("video", "original")
    assert _copy(made.src) == clip.read_bytes()


def test_other_clips_are_copied_small(clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import av

    monkeypatch.setattr(preview, "ORIGINAL_BYTES", 0)
    made = preview.make_preview(clip, duration_s=2.0)
    assert (made.kind, made.reason, made.width, made.height) == ("video", "preview", 480, 270)
    out = tmp_path / "copy.mp4"
    out.write_bytes(_copy(made.src))
    with av.open(str(out)) as copied:
        assert copied.streams.video[0].codec_context.name == "h264"
        assert copied.streams.audio[0].codec_context.name == "aac"
        times = [frame.time for frame in copied.decode(video=0)]
    assert times[0] == pytest.approx(0, abs=0.01) and times[-1] == pytest.approx(1.96, abs=0.05)


def test_long_clip_becomes_key_frames(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "ORIGINAL_BYTES", 0)
    monkeypatch.setattr(preview, "VIDEO_LIMIT_S", 1.0)
    made = preview.make_preview(clip, duration_s=2.0)
    assert made.kind == "strip" and len(made.pictures) == preview.KEY_FRAMES
    assert all(_copy(src).startswith(b"\xff\xd8") for _, src in made.pictures)
    read = Reader(_page(sample.sample(), media=clip))
    assert len(read.all("img")) == 2 * preview.KEY_FRAMES and "key frames" in read.text


def test_no_media_leaves_no_picture_and_no_sound(clip: Path) -> None:
    text = _page(sample.sample(), media=clip, with_media=False)
    assert "data:video" not in text and "data:image" not in text and "left out of this page on request" in text


def test_missing_media_is_said(tmp_path: Path) -> None:
    assert "not at hand" in _page(sample.sample(), media=tmp_path / "gone.mp4")
    (tmp_path / "text.mp4").write_text("no clip")
    assert "not at hand" in _page(sample.sample(), media=tmp_path / "text.mp4")


def test_real_clips_give_a_player(hero_data: Path) -> None:
    for name, kind in (("faces/single_face.mp4", "video"), ("speech/jfk.flac", "audio")):
        made = preview.make_preview(hero_data / name, duration_s=11.0)
        assert made.kind == kind and made.src.startswith(f"data:{kind}/")
    mpeg = next((hero_data / "grid").glob("*.mpg"))
    made = preview.make_preview(mpeg, duration_s=3.0)
    assert (made.kind, made.reason) == ("video", "preview") and len(made.src) < 1_500_000
