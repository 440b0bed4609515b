"""A small OpenAI-compatible server, run as a process of its own; the model's name says how it behaves.

`python openai_server.py` prints its port and serves until its standard input ends. The first part of a path is a tag that
keeps tests apart: `/TAG/v1/chat/completions`. `GET /TAG/requests` lists what came under the tag, `GET /TAG/v1/models` the
models whose names stand in the tag after "models=".
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHANCES = {"sad": 0.6, "angry": 0.25, "neutral": 0.1}  # of a label; what is left is shared by the others
LINE = re.compile(r"^\[((?:V|A|T|S)E-\d+)\] [^:：]*[:：]\s*(.+)$", re.MULTILINE)
OPTION = re.compile(r"\b([A-Z]) = ([^,，。]+?)(?=[,，。.]|$)")
SLOW_S = 3.0

Body = dict[str, Any]
seen: dict[str, list[Body]] = defaultdict(list)
tries: dict[tuple[str, str], int] = defaultdict(int)


def answer(body: Body) -> Body:
    """An honest answer: every sentence says what a line of the brief says, and cites it; a label of a closed set."""
    closed = "one of:" in body["messages"][0]["content"] or "以下之一" in body["messages"][0]["content"]
    text = "\n".join(message["content"] for message in body["messages"] if message["role"] == "user")
    found = [(i, said.strip().rstrip(".。")) for i, said in LINE.findall(text)]
    stop = "。" if "。" in text else "."
    told = (" " if stop == "." else "").join(f"{said} [{i}]{stop}" for i, said in found[:3])
    return {
        "emotion_caption": f"{found[0][1]} [{found[0][0]}]{stop}",
        "evidence_summary": [{"id": i, "text": said[:50]} for i, said in found[:2]],
        "reasoning_process": told,
        "final_emotion": "sad" if closed else "wistful",
    }


def options(body: Body) -> dict[str, str]:
    """Letters and labels, where the last message asks for a letter."""
    return dict(OPTION.findall(body["messages"][-1]["content"]))


def log_probabilities(body: Body, spell: Callable[[str], list[str]]) -> Body:
    """Those of the letters, each in the spellings that `spell` gives, sharing its probability evenly."""
    chosen = options(body)
    rest = (1 - sum(CHANCES.get(label, 0) for label in chosen.values())) / max(
        1, sum(label not in CHANCES for label in chosen.values())
    )
    top = []
    for letter, label in chosen.items():
        forms = spell(letter)
        share = CHANCES.get(label, rest) / len(forms)
        top += [{"token": form, "logprob": math.log(share)} for form in forms]
    top.sort(key=lambda row: -row["logprob"])
    return {"content": [{**top[0], "top_logprobs": top[: body["top_logprobs"]]}]}


def letter_of(body: Body, label: str = "sad") -> str:
    """The letter of a label."""
    return next(letter for letter, named in options(body).items() if named == label)


def completion(texts: list[str], *, cut: bool = False, logprobs: Body | None = None) -> Body:
    """The form of an answer."""
    choices = [
        {
            "index": place,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "length" if cut else "stop",
            "logprobs": logprobs,
        }
        for place, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 100, "completion_tokens": 10 * len(texts), "total_tokens": 0}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": choices, "usage": usage}


class Handler(BaseHTTPRequestHandler):
    """Plays the model that is asked for."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        tag, _, rest = self.path.strip("/").partition("/")
        if rest == "requests":
            return self.reply(200, seen[tag])
        names = tag.partition("models=")[2]
        if rest != "v1/models" or not names:
            return self.reply(404, {"error": {"message": "not found"}})
        return self.reply(200, {"object": "list", "data": [{"id": name} for name in names.split("+")]})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(raw)
        tag = self.path.strip("/").partition("/")[0]
        seen[tag].append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body})
        tries[tag, body["model"]] += 1
        play = getattr(self, "play_" + body["model"].replace("-", "_"), None)
        if play is None:
            return self.fail(404, f"the model {body['model']} does not exist")
        return play(body, tries[tag, body["model"]])

    def reply(self, status: int, table: Any, **headers: str) -> None:
        self.send(status, json.dumps(table).encode(), "application/json", **headers)

    def send(self, status: int, content: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def fail(self, status: int, message: str, **headers: str) -> None:
        """An error that repeats key and request, as some servers do."""
        told = f"{message}; your key was {self.headers['Authorization']}"
        self.reply(status, {"error": {"message": told, "type": "x", "param": None, "code": None}}, **headers)

    def play_honest(self, body: Body, _: int) -> None:
        if not options(body):
            return self.reply(200, completion([json.dumps(answer(body), ensure_ascii=False)]))
        if body.get("logprobs"):
            return self.reply(
                200, completion(["A"], logprobs=log_probabilities(body, lambda letter: [letter, f" {letter.lower()}"]))
            )
        draws = ([letter_of(body)] * 5 + [f"{letter_of(body, 'angry')} = angry", "sad", "I think A or B"])[
            : body.get("n", 1)
        ]
        return self.reply(200, completion(draws))

    def play_torn(self, body: Body, turn: int) -> None:
        """Heeds no schema, and writes another label than the letter it then chooses."""
        if options(body):
            return self.play_honest(body, turn)
        return self.reply(200, completion([json.dumps({**answer(body), "final_emotion": "Happy"})]))

    def play_stray(self, body: Body, turn: int) -> None:
        """Writes a label that is none of the set's."""
        if options(body):
            return self.play_honest(body, turn)
        return self.reply(200, completion([json.dumps({**answer(body), "final_emotion": "wistful"})]))

    def play_shouting(self, body: Body, turn: int) -> None:
        """Writes a word that the set knows in another spelling."""
        if options(body):
            return self.play_honest(body, turn)
        return self.reply(200, completion([json.dumps({**answer(body), "final_emotion": "SAD"})]))

    def play_no_schema(self, body: Body, turn: int) -> None:
        if "response_format" in body:
            return self.fail(400, "guided decoding is not built in")
        return self.play_honest(body, turn)

    def play_no_compiler(self, body: Body, turn: int) -> None:
        if "response_format" in body:
            return self.fail(500, "internal error")
        return self.play_honest(body, turn)

    def play_no_logprobs(self, body: Body, turn: int) -> None:
        return self.play_honest({name: value for name, value in body.items() if name != "logprobs"}, turn)

    def play_one_by_one(self, body: Body, turn: int) -> None:
        """Will not state log-probabilities, and knows no `n`."""
        for name in ("logprobs", "n"):
            if name in body:
                return self.fail(422, f"extra field '{name}' is not permitted")
        return self.play_honest(body, turn)

    def play_newer(self, body: Body, turn: int) -> None:
        """Wants the token limit under its newer name, and its own temperature."""
        for name in ("max_tokens", "temperature"):
            if name in body:
                return self.fail(400, f"unsupported parameter: '{name}'")
        return self.play_honest(body, turn)

    def play_thinker(self, body: Body, _: int) -> None:
        if not options(body):
            return self.reply(200, completion(["<think>{} maybe</think>\n" + json.dumps(answer(body))]))
        begins = {
            "content": [{"token": "<think>", "logprob": 0.0, "top_logprobs": [{"token": "<think>", "logprob": 0.0}]}]
        }
        if body.get("logprobs"):
            return self.reply(200, completion(["<think>"], cut=True, logprobs=begins))
        return self.reply(200, completion([f"<think>A? B?</think>{letter_of(body)}"] * body.get("n", 1)))

    def play_undecided(self, body: Body, turn: int) -> None:
        if not options(body):
            return self.play_honest(body, turn)
        return self.reply(200, completion(["It depends."] * body.get("n", 1)))

    def play_nonsense(self, body: Body, _: int) -> None:
        self.reply(200, completion(["purple monkey dishwasher"]))

    def play_repeats(self, body: Body, _: int) -> None:
        self.reply(200, completion([json.dumps(answer(body)) * 2]))

    def play_repairable(self, body: Body, turn: int) -> None:
        if turn == 1:
            broken = json.dumps(answer(body))[:-20]
            return self.reply(200, completion([broken]))
        return self.play_honest(body, turn)

    def play_stranger(self, body: Body, turn: int) -> None:
        """Cites evidence that does not exist, until it is told."""
        if turn == 1:
            made_up = re.sub(r"\[[A-Z]+-\d+\]", "[VE-77]", json.dumps(answer(body)), count=1)
            return self.reply(200, completion([made_up]))
        return self.play_honest(body, turn)

    def play_truncated(self, body: Body, _: int) -> None:
        self.reply(200, completion([json.dumps(answer(body))[:60]], cut=True))

    def play_empty(self, body: Body, _: int) -> None:
        self.reply(200, completion([""]))

    def play_chatless(self, body: Body, _: int) -> None:
        self.reply(200, {"choices": "none"})

    def play_html(self, body: Body, _: int) -> None:
        self.send(200, b"<html><body>Welcome to the router</body></html>", "text/html")

    def play_flood(self, body: Body, _: int) -> None:
        """A good answer with five megabytes of blanks behind it."""
        self.send(
            200, json.dumps(completion([json.dumps(answer(body))])).encode() + b" " * 5_000_000, "application/json"
        )

    def play_slow(self, body: Body, turn: int) -> None:
        time.sleep(SLOW_S)
        self.play_honest(body, turn)

    def play_trickle(self, body: Body, _: int) -> None:
        """Blanks that keep the connection alive, and no answer."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(int(SLOW_S / 0.05)):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.05)
        self.close_connection = True

    def play_broken(self, body: Body, _: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices"')
        self.close_connection = True

    def play_flaky(self, body: Body, turn: int) -> None:
        if turn <= 2:
            return self.fail(500, "try again", retry_after_ms="10")
        return self.play_honest(body, turn)

    def play_failing(self, body: Body, _: int) -> None:
        self.fail(503, "overloaded", retry_after_ms="10")

    def play_busy(self, body: Body, _: int) -> None:
        self.fail(429, "slow down", retry_after_ms="10")

    def play_unauthorized(self, body: Body, _: int) -> None:
        self.fail(401, "incorrect key")

    def play_small_context(self, body: Body, _: int) -> None:
        self.fail(400, f"too many tokens in {body['messages'][1]['content']}")

    def play_moved(self, body: Body, _: int) -> None:
        self.send(307, b"", "text/plain", Location=self.path.replace("/v1/", "/elsewhere/v1/"))

    def play_echo(self, body: Body, turn: int) -> None:
        """Repeats the key in a header of its answer."""
        table = completion([json.dumps(answer(body))]) if not options(body) else completion(["A"])
        self.reply(200, table, x_repeated=self.headers["Authorization"])


class Server(ThreadingHTTPServer):
    """Says nothing of clients that hang up: some tests are about that."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main() -> None:
    """Serve until standard input ends."""
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    server.serve_forever(0.05)


if __name__ == "__main__":
    main()
