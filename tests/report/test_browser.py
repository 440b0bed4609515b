"""The page in a real browser: citations move the player, keys work, no requests, markup in data stays text."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sample

from hero.report import preview
from hero.report.page import render_page

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
Open = Callable[..., "Chrome"]


def _program(*names: str) -> str | None:
    return next((found for found in map(shutil.which, names) if found), None)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One headless Chromium for all tests here."""
    chromium = _program("chromium", "chromium-browser", "google-chrome")
    driver = _program("chromedriver")
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ModuleNotFoundError:
        chromium = None
    if not (chromium and driver):
        reason = (
            "needs selenium (dev extra), chromium and chromedriver; Debian: apt-get install chromium chromium-driver"
        )
        if os.environ.get("HERO_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    chrome.set_script_timeout(20)
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made clip of four seconds."""
    return sample.write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture
def open_page(browser: Chrome, tmp_path: Path) -> Open:
    """Writes a report, opens it and waits for its player."""

    def opened(made: sample.Sample, *, media: Path | None, width: int = 1280, **options: Any) -> Chrome:
        browser.set_window_size(width, 900)
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        page = tmp_path / "report.html"
        lang = made.result["verdict"]["lang"]
        page.write_text(render_page(made.result, made.tracks, made.spans, media=media, lang=lang, **options), "utf-8")
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(page.as_uri())
        _until(
            browser, "const p = document.getElementById('player'); return !p || p.readyState >= 2 || p.error !== null"
        )
        return browser

    return opened


def _until(browser: Chrome, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 15, poll_frequency=0.05).until(lambda b: b.execute_script(script))


def _find(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element("css selector", selector)


def _now(browser: Chrome) -> float:
    """Where the player stands, in seconds."""
    return float(browser.execute_script("return document.getElementById('player').currentTime"))


def _shown(browser: Chrome) -> float:
    """Where the timeline says it stands, in seconds."""
    return float(_find(browser, "#scrub").get_attribute("aria-valuenow") or "nan")


def _requests(browser: Chrome) -> list[str]:
    """Addresses the page asked for beyond itself and what it carries inside."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("data:", "blob:")) and url != browser.current_url]


def test_citation_moves_player_and_marks_evidence(open_page: Open, clip: Path) -> None:
    page = open_page(sample.sample(), media=clip)
    assert _now(page) == 0
    _find(page, ".reasoning .chip[data-ev='VE-03']").click()
    _until(page, "return !document.getElementById('player').seeking")
    assert _now(page) == pytest.approx(2.5, abs=0.05)
    assert _shown(page) == pytest.approx(2.5, abs=0.05)
    assert "on" in (_find(page, "#ev-VE-03").get_attribute("class") or "")
    assert "Lip corners pulled up" in _find(page, "#selected").text
    band = _find(page, "#sel").rect
    lane = _find(page, "#scrub").rect
    assert (band["x"] - lane["x"]) / lane["width"] == pytest.approx(2.5 / 4, abs=0.01)
    assert band["width"] / lane["width"] == pytest.approx(0.5 / 4, abs=0.01)
    _find(page, "#verdict .chip[data-ev='AE-01']").click()
    _until(page, "return !document.getElementById('player').seeking")
    assert _now(page) == pytest.approx(0.4, abs=0.05)
    assert "on" not in (_find(page, "#ev-VE-03").get_attribute("class") or "").split()


def test_no_requests_and_a_quiet_console(open_page: Open, clip: Path) -> None:
    page = open_page(sample.sample(), media=clip)
    _find(page, ".reasoning .chip").click()
    _find(page, "#zoom-in").click()
    _find(page, "#theme").click()
    assert _requests(page) == []
    assert [entry for entry in page.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")] == []


@pytest.mark.parametrize("key", ["\ue007", " "], ids=["enter", "space"])
def test_keys_choose_a_citation(open_page: Open, clip: Path, key: str) -> None:
    page = open_page(sample.sample(), media=clip)
    _find(page, ".reasoning .chip[data-ev='VE-02']").send_keys(key)
    _until(page, "return !document.getElementById('player').seeking")
    assert _now(page) == pytest.approx(1.2, abs=0.05)


def test_arrow_keys_move_the_playhead(open_page: Open, clip: Path) -> None:
    page = open_page(sample.sample(), media=clip)
    scrub = _find(page, "#scrub")
    scrub.send_keys("\ue014", "\ue014")  # right arrow twice
    assert _shown(page) == pytest.approx(0.2, abs=0.02)
    scrub.send_keys("\ue010")  # End
    assert _shown(page) == pytest.approx(4.0, abs=0.1)
    scrub.send_keys("\ue011")  # Home
    assert _shown(page) == 0


def test_first_tab_reaches_the_skip_link(open_page: Open) -> None:
    page = open_page(sample.sample(), media=None)
    page.switch_to.active_element.send_keys("\ue004")
    focused = page.switch_to.active_element
    assert focused.get_attribute("href").endswith("#verdict")  # type: ignore[union-attr]
    assert focused.rect["x"] >= 0, "the skip link shows itself when focused"


def test_click_on_timeline_seeks(open_page: Open, clip: Path) -> None:
    from selenium.webdriver import ActionChains

    page = open_page(sample.sample(), media=clip)
    lane = _find(page, ".k-curve .lane-body")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", lane)
    ActionChains(page).move_to_element(lane).click().perform()
    assert _shown(page) == pytest.approx(2.0, abs=0.05)


def test_heat_says_its_numbers_under_the_pointer_and_seeks(open_page: Open, clip: Path) -> None:
    from selenium.webdriver import ActionChains

    page = open_page(sample.sample(), media=clip)
    lane = _find(page, ".k-heat.m-voice .lane-body")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", lane)
    offset = round(lane.rect["width"] * (1.25 / 4 - 0.5))
    ActionChains(page).move_to_element_with_offset(lane, offset, 0).click().perform()
    title = lane.get_attribute("title")
    assert title == "Voice, 1.00 s – 1.50 s: 73 % of the weight at this moment, 16 % of all"
    assert _shown(page) == pytest.approx(1.25, abs=0.05)


def test_the_player_stays_beside_the_verdict(open_page: Open, clip: Path) -> None:
    page = open_page(sample.sample(), media=clip)
    page.execute_script("document.querySelector('.weights').scrollIntoView({block: 'end', behavior: 'instant'})")
    player, timeline = _find(page, "#media-note").rect, _find(page, ".timeline").rect
    assert player["y"] + player["height"] <= timeline["y"], "it must not lie on the timeline"


def test_without_media_the_page_keeps_its_own_clock(open_page: Open, clip: Path) -> None:
    page = open_page(sample.sample(), media=clip, with_media=False)
    assert page.find_elements("css selector", "video, audio, img") == []
    _find(page, ".reasoning .chip[data-ev='VE-02']").click()
    assert _shown(page) == pytest.approx(1.2)
    _find(page, "#play").click()
    _until(page, "return Number(document.getElementById('scrub').getAttribute('aria-valuenow')) > 1.4")
    assert _find(page, "#play").text == "Pause"
    _find(page, "#play").click()
    stopped = _shown(page)
    page.execute_async_script("setTimeout(arguments[0], 200)")
    assert _shown(page) == stopped


def test_transcoded_copy_plays_on_the_clips_clock(open_page: Open, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "ORIGINAL_BYTES", 0)
    page = open_page(sample.sample(), media=clip)
    length = page.execute_script("return document.getElementById('player').duration")
    assert length == pytest.approx(sample.DURATION_S, abs=0.1)
    _find(page, ".reasoning .chip[data-ev='VE-03']").click()
    _until(page, "return !document.getElementById('player').seeking")
    assert _now(page) == pytest.approx(2.5, abs=0.05)
    assert page.execute_script("return document.getElementById('player').videoWidth") == 320


def test_long_clip_is_linked_beside_the_page(
    open_page: Open, tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "ORIGINAL_BYTES", 0)
    monkeypatch.setattr(preview, "VIDEO_LIMIT_S", 1.0)
    beside = tmp_path / "my clip #1.mp4"
    shutil.copy(clip, beside)
    page = open_page(sample.sample(), media=beside, beside=tmp_path)
    assert _find(page, "#player").get_attribute("src").endswith("/my%20clip%20%231.mp4")  # type: ignore[union-attr]
    _find(page, ".reasoning .chip[data-ev='VE-02']").click()
    _until(page, "return !document.getElementById('player').seeking")
    assert _now(page) == pytest.approx(1.2, abs=0.05)


def test_lost_link_falls_back_to_own_clock(
    open_page: Open, tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "ORIGINAL_BYTES", 0)
    monkeypatch.setattr(preview, "VIDEO_LIMIT_S", 1.0)
    page = open_page(sample.sample(), media=clip, beside=tmp_path / "deeper" / "nowhere")
    _until(page, "return document.getElementById('player').hidden")
    _find(page, ".reasoning .chip[data-ev='VE-02']").click()
    assert _shown(page) == pytest.approx(1.2)
    assert "cannot open the clip" in _find(page, "#media-note").text


@pytest.mark.parametrize("abstained", [False, True])
def test_markup_in_data_stays_text(open_page: Open, clip: Path, abstained: bool) -> None:
    page = open_page(sample.sample(hostile=True, abstained=abstained), media=clip)
    for chip in page.find_elements("css selector", ".reasoning .chip")[:3]:
        chip.click()
    assert page.title.startswith("clip</script><img") and "broken" in page.title
    assert page.find_elements("css selector", "img") == []
    assert len(page.find_elements("css selector", "script")) == 1
    assert sample.HOSTILE in _find(page, "#selected").text
    assert "49" not in _find(page, ".caption").text
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize(("lang", "width"), [("en", 360), ("zh", 360), ("en", 820), ("zh", 1280)])
def test_nothing_sticks_out(open_page: Open, clip: Path, lang: str, width: int) -> None:
    page = open_page(sample.sample(lang=lang), media=clip, width=width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    for button in page.find_elements("css selector", ".tools button"):
        assert button.rect["x"] + button.rect["width"] <= width


@pytest.mark.parametrize("width", [360, 820, 1280])
@pytest.mark.parametrize("abstained", [False, True])
def test_a_word_without_end_stays_in_its_box(open_page: Open, clip: Path, width: int, abstained: bool) -> None:
    endless = "x" * 300
    made = sample.sample(abstained=abstained)
    made.result.update(sample.of_a_language_model(made.result))
    verdict, told = made.result["verdict"], made.result["provenance"]
    verdict["emotion_caption"] = f"{endless} [VE-02]."
    verdict["reasoning_process"] = f"{endless} [VE-02].\n{endless}"
    verdict["evidence_summary"] = [{"id": "VE-02", "text": endless}]
    verdict["abstention_reason"] = endless if abstained else None
    verdict["alternatives"] |= {endless[:60]: 0.1}
    verdict["label_set"] = "mine"
    made.result["support"]["problems"] += [{"field": "x", "sentence": endless, "problem": endless}]
    made.result["conflicts"][0]["text"] = made.result["absent"][0]["reason"] = made.result["absent"][0]["cure"] = (
        endless
    )
    told["reasoning"]["notes"], told["models"][0]["name"] = [endless], endless
    page = open_page(made, media=clip, width=width)
    page.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    out = page.execute_script(
        "return [...document.querySelectorAll('main > section:not(.timeline)')]"
        ".filter(s => s.scrollWidth > s.clientWidth + 1).map(s => s.className)"
    )
    assert out == []


def test_zoom_widens_the_timeline_and_keeps_the_place(open_page: Open, clip: Path) -> None:
    page = open_page(sample.sample(), media=clip)
    before = _find(page, "#scrub").rect["width"]
    for _ in range(3):
        _find(page, "#zoom-in").click()
    assert _find(page, "#scrub").rect["width"] == pytest.approx(8 * before, rel=0.01)
    _find(page, ".reasoning .chip[data-ev='VE-03']").click()
    _until(page, "return !document.getElementById('player').seeking")
    head, frame = _find(page, "#head").rect["x"], _find(page, "#tl").rect
    assert frame["x"] <= head <= frame["x"] + frame["width"]
    _find(page, "#zoom-fit").click()
    assert _find(page, "#scrub").rect["width"] == pytest.approx(before, rel=0.01)


def test_theme_button_switches_the_ground(open_page: Open) -> None:
    page = open_page(sample.sample(), media=None)
    ground = "return getComputedStyle(document.body).backgroundColor"
    before = page.execute_script(ground)
    _find(page, "#theme").click()
    assert page.execute_script(ground) != before
    _find(page, "#theme").click()
    assert page.execute_script(ground) == before
