"""A hub on this machine: just enough of the Hugging Face hub's interface for its own client, with faults on demand."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LARGE_BYTES = 1000  # from here on a file is kept as a large one (LFS): its hash is a SHA-256
PIECE_BYTES = 1 << 16


@dataclass
class Hub:
    """Repositories by name, each with one commit and its files; `asked` lists every request with its Range."""

    repos: dict[str, tuple[str, dict[str, bytes]]] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    gated: bool = False
    piece_s: float = 0.0
    breaks_after: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    address: str = ""

    def put(self, repo: str, revision: str, files: Mapping[str, bytes]) -> None:
        """Publish a repository."""
        self.repos[repo] = (revision, dict(files))

    def got(self, name: str) -> list[str]:
        """The Range of every GET of a file."""
        return [span for method, path, span in self.asked if method == "GET" and path.endswith("/" + name)]


def _entry(name: str, content: bytes) -> dict[str, Any]:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    row: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": git}
    if len(content) >= LARGE_BYTES:
        row["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return row


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Run the hub on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _fail(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _answer(self, *, body: bool) -> None:
            path = self.path.partition("?")[0]
            hub.asked.append((self.command, path, self.headers.get("Range", "")))
            asked = path.removeprefix("/api/models/")
            owner, name, verb, revision, *rest = [*asked.strip("/").split("/"), "", "", "", ""]
            repo = f"{owner}/{name}"
            if repo not in hub.repos:
                return self._fail(401, "RepoNotFound")
            if hub.gated:
                return self._fail(403, "GatedRepo")
            commit, files = hub.repos[repo]
            if revision not in ("", "main", commit):
                return self._fail(404, "RevisionNotFound")
            if asked != path:
                siblings = [_entry(name, content) for name, content in files.items()]
                answer = {"id": repo, "modelId": repo, "sha": commit, "siblings": siblings, "tags": []}
                return self._send(json.dumps(answer).encode(), commit, body, kind="application/json")
            file = "/".join(part for part in rest if part)
            if verb != "resolve" or file not in files:
                return self._fail(404, "EntryNotFound")
            return self._send(files[file], commit, body, damage=file in hub.damaged)

        def _send(self, content: bytes, commit: str, body: bool, *, kind: str = "", damage: bool = False) -> None:
            row = _entry("", content)
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            rest = (content[:-1] + bytes([content[-1] ^ 1]) if damage else content)[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", kind or "application/octet-stream")
            self.send_header("Content-Length", str(len(rest)))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("X-Repo-Commit", commit)
            self.send_header("ETag", f'"{row.get("lfs", {}).get("sha256") or row["blobId"]}"')
            if "lfs" in row:
                self.send_header("X-Linked-Etag", f'"{row["lfs"]["sha256"]}"')
                self.send_header("X-Linked-Size", str(len(content)))
            self.end_headers()
            for at in range(0, len(rest) if body else 0, PIECE_BYTES):
                if hub.breaks_after and at >= hub.breaks_after:
                    self.close_connection = True
                    return
                try:
                    self.wfile.write(rest[at : at + PIECE_BYTES])
                except OSError:
                    return  # the other side has been killed
                time.sleep(hub.piece_s)

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{web.server_address[1]}"
    thread = threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        web.shutdown()
        web.server_close()
