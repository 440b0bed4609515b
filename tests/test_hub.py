"""Fetching checkpoints: pinned, checked, resumable, whole or not at all. The hub is a server on this machine."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Hub, serve

from hero import checkpoints, hub
from hero.errors import ConfigError, WeightsError

pytest.importorskip("huggingface_hub")

NAME = "bert-base-uncased"
ROW = checkpoints.known(NAME)
SIZE = 300_000
NEW = "5" * 40


def tensors(size: int = SIZE) -> bytes:
    """A whole safetensors file of `size` bytes of zeros."""
    head = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(size)


FILES = {
    "config.json": b'{"model_type": "bert"}',
    "vocab.txt": b"[PAD]\nhello\n",
    "model.safetensors": tensors(),
    "pytorch_model.bin": b"x" * 5000,
    "tf_model.h5": b"y" * 5000,
    "modeling_evil.py": b"raise SystemExit",
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where checkpoints are kept; nothing of this computer leaks in."""
    monkeypatch.setenv("HERO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for name in ("HERO_MODELS", "HERO_DATA", "HF_HUB_CACHE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "models"


@pytest.fixture
def web(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the pinned commit of BERT."""
    with serve(Hub()) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        served.put(ROW.repo, str(ROW.revision), FILES)
        yield served


def visible(store: Path) -> list[str]:
    return sorted(path.name for path in store.iterdir() if not path.name.startswith(".")) if store.exists() else []


def test_fetch_brings_what_is_needed_and_nothing_else(web: Hub, store: Path) -> None:
    told: list[tuple[int, int | None]] = []
    found = hub.fetch(NAME, progress=lambda done, total: told.append((done, total)))
    assert (found.folder, found.kind, found.revision) == (store / NAME, "bert", ROW.revision)
    assert sorted(p.name for p in found.folder.iterdir()) == [
        "config.json",
        "hero.json",
        "model.safetensors",
        "vocab.txt",
    ]
    assert (found.folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    wanted = sum(len(FILES[name]) for name in ("config.json", "vocab.txt", "model.safetensors"))
    assert told[-1] == (wanted, wanted)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert visible(store) == [NAME]


def test_a_second_fetch_asks_nobody(web: Hub) -> None:
    first = hub.fetch(NAME)
    web.asked.clear()
    assert hub.fetch(NAME) == first
    assert hub.fetch(ROW.repo) == first  # by the repository's name too
    assert web.asked == []


def test_pickled_weights_are_taken_where_there_are_no_others(web: Hub) -> None:
    web.put(ROW.repo, str(ROW.revision), {name: FILES[name] for name in ("config.json", "pytorch_model.bin")})
    assert (hub.fetch(NAME).folder / "pytorch_model.bin").is_file()


def test_parts_of_an_index_come_with_it(web: Hub) -> None:
    parts = [f"model-0000{k}-of-00002.safetensors" for k in (1, 2)]
    index = json.dumps({"weight_map": {"a": parts[0], "b": parts[1]}}).encode()
    others = {"model.fp32-00001-of-00002.safetensors": tensors(9000)}
    web.put(ROW.repo, str(ROW.revision), {"config.json": FILES["config.json"], **dict.fromkeys(parts, tensors(2000)),
                                          **others, "model.safetensors.index.json": index})  # fmt: skip
    names = {path.name for path in hub.fetch(NAME).folder.iterdir()}
    assert names == {*parts, "model.safetensors.index.json", "config.json", "hero.json"}


def test_what_is_not_pinned_is_pinned_by_the_first_fetch(web: Hub) -> None:
    name = "distilhubert"
    assert checkpoints.known(name).revision is None
    web.put(checkpoints.known(name).repo, NEW, {**FILES, "config.json": b'{"model_type": "hubert"}'})
    found = hub.fetch(name)
    assert found.revision == NEW
    written = json.loads((found.folder / "hero.json").read_text("utf-8"))
    assert (written["repo"], written["revision"]) == ("ntu-spml/distilhubert", NEW)
    (found.folder / "vocab.txt").write_text("[PAD]\nhallo\n")
    with pytest.raises(
        WeightsError, match=r"vocab\.txt has changed since it was fetched.*hero models fetch distilhubert"
    ):
        checkpoints.find(name)


def test_a_commit_that_does_not_exist(web: Hub, store: Path) -> None:
    web.put(ROW.repo, NEW, FILES)
    with pytest.raises(WeightsError, match=r"the commit does not exist.*hero models pack.*HERO_MODELS"):
        hub.fetch(NAME)
    assert visible(store) == []


def test_a_repository_that_does_not_exist_or_is_gated(web: Hub) -> None:
    with pytest.raises(WeightsError, match=r"facebook/hubert-large-ll60k at ff022d095678.*gone or private"):
        hub.fetch("hubert-large-ll60k")
    web.gated = True
    with pytest.raises(WeightsError, match=r"is gated: accept its terms"):
        hub.fetch(NAME)


def test_a_repository_without_weights(web: Hub) -> None:
    web.put(ROW.repo, str(ROW.revision), {"config.json": FILES["config.json"], "tf_model.h5": b"y"})
    with pytest.raises(WeightsError, match=r"holds no config\.json with model\.safetensors"):
        hub.fetch(NAME)


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
def test_damaged_bytes_never_become_a_checkpoint(web: Hub, store: Path, name: str) -> None:
    web.damaged = {name}
    with pytest.raises(WeightsError, match=rf"{name} of {ROW.repo} arrived damaged"):
        hub.fetch(NAME)
    assert visible(store) == []
    web.damaged = set()
    assert hub.fetch(NAME).folder == store / NAME  # the wrong file is fetched again, the right ones are not
    assert len(web.got(name)) == 2
    assert len(web.got("config.json")) == 1


def test_no_network_names_the_cure(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        WeightsError, match=r"could not be fetched from http://127.*hero models pack DIR bert-base-uncased"
    ):
        hub.fetch(NAME)
    assert visible(store) == []


def test_no_room_is_known_before_anything_is_fetched(web: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 5_000_000))
    with pytest.raises(WeightsError, match=r"no room for 'bert-base-uncased'.*17\.08 MB|HERO_CACHE") as caught:
        hub.fetch(NAME)
    assert "5.00 MB are free" in str(caught.value)
    assert "HERO_CACHE" in str(caught.value)
    assert web.got("model.safetensors") == []


def test_a_disk_that_fills_up_midway(web: Hub, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub, "_stream", full)
    with pytest.raises(WeightsError, match=r"disk is full; what came so far is kept.*HERO_CACHE"):
        hub.fetch(NAME)
    assert visible(store) == []


def test_a_connection_that_breaks_off_is_taken_up_again(web: Hub) -> None:
    web.put(ROW.repo, str(ROW.revision), {**FILES, "model.safetensors": tensors(3_000_000)})
    web.breaks_after = 1_200_000
    assert (hub.fetch(NAME).folder / "model.safetensors").read_bytes() == tensors(3_000_000)
    assert len(web.got("model.safetensors")) == 3


def _size(path: Path) -> int:
    """Bytes of a part file, 0 where it was finished and renamed meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_a_killed_fetch_goes_on_where_it_stopped(web: Hub, store: Path) -> None:
    size = 8_000_000
    web.put(ROW.repo, str(ROW.revision), {**FILES, "model.safetensors": tensors(size)})
    web.piece_s = 0.03
    code = f"from hero import hub; hub.fetch({NAME!r})"
    child = subprocess.Popen([sys.executable, "-c", code], env=os.environ.copy())
    deadline = time.monotonic() + 60
    while not any(_size(path) > 1_500_000 for path in store.rglob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    child.wait()
    assert visible(store) == []
    assert checkpoints.find(NAME) is None
    web.piece_s = 0.0
    found = hub.fetch(NAME)
    assert (found.folder / "model.safetensors").read_bytes() == tensors(size)
    spans = web.got("model.safetensors")
    assert len(spans) == 2
    assert int(spans[1].removeprefix("bytes=").split("-")[0]) > 1_000_000
    assert len(web.got("vocab.txt")) == 1


def test_two_at_the_same_time_fetch_once(web: Hub, store: Path) -> None:
    found: list[checkpoints.Checkpoint] = []
    threads = [threading.Thread(target=lambda: found.append(hub.fetch(NAME))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.folder for one in found] == [store / NAME] * 4
    assert len(web.got("model.safetensors")) == 1


def test_random_checkpoints_are_made_without_a_network(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    def build(name: str, folder: Path) -> None:
        assert name == "tiny-bert"
        (folder / "config.json").write_bytes(FILES["config.json"])
        (folder / "model.safetensors").write_bytes(tensors(100))

    with pytest.raises(ConfigError, match=r"is made, not fetched"):
        hub.fetch("tiny-bert")
    found = hub.fetch("tiny-bert", build=build)
    assert (found.folder, found.licence, found.commercial) == (store / "tiny-bert", "Apache-2.0", True)


def test_a_builder_that_fails_leaves_nothing_to_be_seen(store: Path) -> None:
    def build(name: str, folder: Path) -> None:
        (folder / "config.json").write_bytes(FILES["config.json"])
        raise WeightsError(f"no torch for {name}")

    with pytest.raises(WeightsError, match=r"no torch"):
        hub.fetch("tiny-bert", build=build)
    assert visible(store) == []


def test_a_cache_that_cannot_be_written(web: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("HERO_CACHE", str(tmp_path / "taken"))
    with pytest.raises(WeightsError, match=r"set HERO_CACHE"):
        hub.fetch(NAME)


def test_without_the_client_the_install_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsError, match=r"pip install 'hero-emotion\[model\]'"):
        hub.fetch(NAME)
