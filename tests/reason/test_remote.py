"""The remote reasoner against a real server process: honest, reluctant, broken, slow and malicious ones."""

from __future__ import annotations

import itertools
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest

pytest.importorskip("openai", reason="the remote reasoner needs the openai client")

import openai
from builders import case, evidence
from test_adjudicator import masked_smile

import hero
from hero.config import Preset, ReasonerConfig, load_preset
from hero.errors import ConfigError
from hero.label_sets import label_set
from hero.reason.reasoner import Conclusion, create_reasoner
from hero.reason.remote import RemoteReasoner
from hero.reason.remote_settings import RemoteSettings, read_settings
from hero.reason.verdict import cited, json_schema, sentences

SERVER = Path(__file__).with_name("openai_server.py")
DEMO = Path(__file__).parents[2] / "examples" / "demo.mp4"
DIRECT = build_opener(ProxyHandler({}))
KEY = "sk-very-secret-4711"


@dataclass
class Served:
    """A place of its own on the server."""

    port: int
    tag: str

    @property
    def url(self) -> str:
        """The endpoint's address."""
        return f"http://127.0.0.1:{self.port}/{self.tag}/v1"

    def asked(self) -> list[dict[str, Any]]:
        """The requests that came here: path, headers, body."""
        with DIRECT.open(f"http://127.0.0.1:{self.port}/{self.tag}/requests") as answer:
            return json.load(answer)

    def reasoner(self, model: str, *, licence: str = "any", labels: str = "ekman7", **settings: Any) -> RemoteReasoner:
        """One that asks a model of this server, without patience."""
        quick = {"endpoint": self.url, "model": model, "timeout_s": 20.0, "retries": 0, **settings}
        config = ReasonerConfig(name="remote", label_set=labels, settings=quick)
        return RemoteReasoner(config, licence=licence)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server process."""
    process = subprocess.Popen([sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield int(process.stdout.readline())
        process.stdin.close()
        assert process.wait(10) == 0


_tags = itertools.count()


@pytest.fixture
def served(port: int, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A fresh place on the server, with a key in the environment."""
    monkeypatch.setenv("HERO_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HERO_ENDPOINT", raising=False)
    return Served(port, f"t{next(_tags)}")


def abstains(conclusion: Conclusion, reason: str) -> None:
    """The verdict is an abstention for that reason, and still lists what was observed."""
    verdict = conclusion.verdict
    assert verdict.abstained
    assert reason in verdict.abstention_reason, verdict.abstention_reason
    assert verdict.final_emotion is None
    assert {item.id for item in verdict.evidence_summary} <= {ev.id for ev in masked_smile().evidence}
    assert verdict.evidence_summary


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_honest_model_concludes_in_two_requests(served: Served, lang: str) -> None:
    made = masked_smile()
    conclusion = served.reasoner("honest").conclude(made, lang=lang)
    verdict = conclusion.verdict
    assert verdict.final_emotion == "sad"
    assert verdict.confidence == pytest.approx(0.6, abs=1e-3)
    assert verdict.alternatives["angry"] == pytest.approx(0.25, abs=1e-3)
    assert verdict.lang == lang
    told = [*sentences(verdict.emotion_caption), *sentences(verdict.reasoning_process)]
    assert len(told) == 4
    assert all(cited(sentence) and set(cited(sentence)) <= {ev.id for ev in made.evidence} for sentence in told)
    details = dict(conclusion.details)
    chances = details.pop("probabilities")
    assert set(chances) == set(label_set("ekman7").labels) and sum(chances.values()) == pytest.approx(1, abs=1e-4)
    assert details == {
        "model": "honest", "requests": 2, "prompt_tokens": 200, "answer_tokens": 20, "decode": "constrained", "repaired": False,
        "scored_by": "logprobs", "dropped_evidence": [],
    }  # fmt: skip
    assert conclusion.notes == (f"text evidence was sent to 127.0.0.1:{served.port}",)
    (used,) = conclusion.models
    assert (used.name, used.sha256, used.licence, used.commercial) == (
        f"honest at 127.0.0.1:{served.port}", "", "unknown: served remotely", False,
    )  # fmt: skip


def test_requests_hold_the_brief_the_schema_and_nothing_else(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-another-service")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Other-Key: abc\nAuthorization: Bearer other")
    served.reasoner("honest", extra_body={"top_k": 5}).conclude(masked_smile())
    answer, letter = (asked["body"] for asked in served.asked())
    form = answer["response_format"]["json_schema"]
    assert form["strict"] is True
    assert set(form["schema"]["properties"]) == {"emotion_caption", "evidence_summary", "reasoning_process"}
    assert (answer["temperature"], answer["max_tokens"], answer["top_k"]) == (0, 1500, 5)
    assert "[VE-01]" in answer["messages"][1]["content"]
    assert (letter["max_tokens"], letter["logprobs"], letter["top_logprobs"]) == (1, True, 20)
    assert "A = angry, B = disgust" in letter["messages"][-1]["content"]
    assert "final_emotion" not in letter["messages"][-2]["content"]  # the model's own word must not sway the letter
    for asked in served.asked():
        headers = asked["headers"]
        assert headers["authorization"] == f"Bearer {KEY}"
        assert not {name for name in headers if name.startswith(("openai", "x-other", "x-stainless-os"))}


def test_without_a_key_a_word_stands_for_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HERO_API_KEY")
    served.reasoner("honest").conclude(masked_smile())
    assert served.asked()[0]["headers"]["authorization"] == "Bearer none"
    monkeypatch.setenv("MY_KEY", "abc")
    served.reasoner("honest", key_env="MY_KEY").conclude(masked_smile())
    assert served.asked()[-1]["headers"]["authorization"] == "Bearer abc"


def test_label_sets_closed_and_open(served: Served) -> None:
    mer = served.reasoner("honest", labels="mer6").conclude(masked_smile()).verdict
    assert mer.final_emotion == "sad"
    assert json_schema(label_set("mer6"))["properties"]["label_set"]["const"] == mer.label_set
    own = served.reasoner("honest", labels="open").conclude(masked_smile()).verdict
    assert own.label_set == "open"
    named = own.final_emotion or max(own.alternatives, key=own.alternatives.get)
    assert named in ("wistful", "sad")
    assert "wistful" in served.asked()[-1]["body"]["messages"][-1]["content"]
    assert "final_emotion" in served.asked()[-2]["body"]["response_format"]["json_schema"]["schema"]["properties"]


@pytest.mark.parametrize(
    ("model", "requests", "decode", "scored_by", "chance"),
    [
        ("no-schema", 3, "free", "logprobs", 0.6),
        ("newer", 4, "constrained", "logprobs", 0.6),
        ("no-logprobs", 3, "constrained", "samples", (6 + 1) / (7 + 7)),  # 6 of 7 draws that were a choice
        ("one-by-one", 12, "constrained", "samples", (8 + 1) / (8 + 7)),
        ("thinker", 3, "constrained", "samples", (8 + 1) / (8 + 7)),
    ],
)
def test_reluctant_endpoints(
    served: Served, model: str, requests: int, decode: str, scored_by: str, chance: float
) -> None:
    reasoner = served.reasoner(model)
    conclusion = reasoner.conclude(masked_smile())
    assert conclusion.verdict.final_emotion == "sad"
    assert conclusion.verdict.confidence == pytest.approx(chance, abs=1e-3)
    details = conclusion.details
    assert (details["requests"], details["decode"], details["scored_by"]) == (requests, decode, scored_by)
    assert any("without a JSON Schema" in note for note in conclusion.notes) == (decode == "free")
    assert any("an estimate from" in note for note in conclusion.notes) == (scored_by == "samples")
    if model != "thinker":  # what an endpoint refuses is not offered to it again
        assert reasoner.conclude(masked_smile()).details["requests"] < requests or model == "no-logprobs"


def test_free_decoding_asks_for_no_schema(served: Served) -> None:
    conclusion = served.reasoner("honest", decode="free").conclude(masked_smile())
    assert conclusion.details["decode"] == "free"
    assert not any("JSON Schema" in note for note in conclusion.notes)
    assert not any("response_format" in asked["body"] for asked in served.asked())
    assert conclusion.verdict.final_emotion == "sad"


@pytest.mark.parametrize("decode", ["free", "constrained"])  # this server heeds no schema
@pytest.mark.parametrize(
    ("lang", "reason"),
    [("en", "the answer says happy, its own probabilities say sad"), ("zh", "happy，而它自己给出的概率最高的是 sad")],
)
def test_an_answer_that_contradicts_its_own_letter_is_no_verdict(
    served: Served, lang: str, reason: str, decode: str
) -> None:
    conclusion = served.reasoner("torn", decode=decode).conclude(masked_smile(), lang=lang)
    abstains(conclusion, reason)
    assert conclusion.verdict.confidence == pytest.approx(0.6, abs=1e-3)
    assert conclusion.verdict.alternatives["sad"] == pytest.approx(0.6, abs=1e-3)


def test_a_label_outside_of_the_set_is_a_flaw_only_where_a_label_was_asked_for(served: Served) -> None:
    assert served.reasoner("stray").conclude(masked_smile()).verdict.final_emotion == "sad"
    conclusion = served.reasoner("stray", decode="free").conclude(masked_smile())
    abstains(conclusion, '"final_emotion" is "wistful"')
    assert conclusion.details["repaired"] is True


def test_an_open_word_in_capitals_is_no_letter_of_its_own(served: Served) -> None:
    verdict = served.reasoner("shouting", labels="open").conclude(masked_smile()).verdict
    assert verdict.final_emotion == "sad"
    asked = served.asked()[-1]["body"]["messages"][-1]["content"]
    assert "A = sad, B = angry" in asked and "G = neutral" in asked
    assert "SAD" not in asked and "H = " not in asked


@pytest.mark.parametrize(("model", "flaw"), [("repairable", "JSON"), ("stranger", "VE-77")])
def test_a_flaw_is_repaired_once(served: Served, model: str, flaw: str) -> None:
    conclusion = served.reasoner(model).conclude(masked_smile())
    assert conclusion.verdict.final_emotion == "sad"
    assert conclusion.details["repaired"] is True
    first, repair, _ = (asked["body"]["messages"] for asked in served.asked())
    assert repair[: len(first)] == first
    assert [message["role"] for message in repair[len(first) :]] == ["assistant", "user"]
    assert flaw in repair[-1]["content"]


@pytest.mark.parametrize(
    ("model", "reason", "requests"),
    [
        ("nonsense", "nor the one after it was asked to repair it", 2),
        ("repeats", "2 JSON objects", 2),
        ("undecided", "chose none of the labels in 8 tries", 3),
        ("truncated", "cut off after 1500 tokens; raise reasoner.answer_tokens", 1),
        ("empty", "answered without any text", 1),
        ("chatless", "no chat completion", 1),
        ("html", "no chat completion", 1),
        ("flood", "no chat completion", 1),
        ("broken", "broke off", 1),
        ("failing", "failed (HTTP 503)", 1),
        ("busy", "refuses so many requests (HTTP 429)", 1),
        ("unauthorized", "a valid one into the environment variable HERO_API_KEY", 1),
        ("small-context", "lower reasoner.context_tokens", 2),
        ("unheard-of", "no model 'unheard-of'", 1),
        ("moved", "no address that was not named", 1),
    ],
)
def test_failures_become_abstentions(served: Served, model: str, reason: str, requests: int) -> None:
    conclusion = served.reasoner(model).conclude(masked_smile())
    abstains(conclusion, reason)
    assert conclusion.details["requests"] == requests
    assert f"text evidence was sent to 127.0.0.1:{served.port}" in conclusion.notes
    assert len(served.asked()) == requests  # and a redirect was not followed
    told = f"{conclusion.verdict} {conclusion.notes} {conclusion.details}"
    assert KEY not in told
    assert "was observed" not in told  # the words of the evidence, which these servers repeat


@pytest.mark.parametrize("model", ["slow", "trickle"])
def test_slow_endpoints_are_left_in_time(served: Served, model: str) -> None:
    began = time.monotonic()
    abstains(served.reasoner(model, timeout_s=0.3).conclude(masked_smile()), "did not answer within 0.3 s")
    assert time.monotonic() - began < 2


def test_nobody_listens(served: Served) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        abstains(served.reasoner("m", endpoint=endpoint).conclude(masked_smile()), "cannot be reached")
        unnamed = served.reasoner("", endpoint=endpoint).conclude(masked_smile(), lang="zh")
    abstains(unnamed, "无法连接")
    assert unnamed.notes == ()  # nothing but the question for models was tried
    assert unnamed.models == ()


def test_retries_outlast_passing_errors(served: Served) -> None:
    conclusion = served.reasoner("flaky", retries=2).conclude(masked_smile())
    assert conclusion.verdict.final_emotion == "sad"
    assert len(served.asked()) == 4  # two failures, the answer, the letter
    abstains(served.reasoner("failing", retries=1).conclude(masked_smile()), "HTTP 503")
    assert len(served.asked()) == 6


def test_a_server_that_fails_on_the_schema_is_asked_without_and_offered_it_again(served: Served) -> None:
    reasoner = served.reasoner("no-compiler")
    for _ in range(2):  # the failure may have been a passing one
        conclusion = reasoner.conclude(masked_smile())
        assert conclusion.verdict.final_emotion == "sad"
        assert (conclusion.details["decode"], conclusion.details["requests"]) == ("free", 3)
    offered = ["response_format" in asked["body"] for asked in served.asked()]
    assert offered == [True, False, False] * 2


def test_the_only_model_is_found(port: int, served: Served) -> None:
    only = Served(port, f"{served.tag}models=honest").reasoner("")
    assert only.conclude(masked_smile()).models[0].name.startswith("honest at ")
    with pytest.raises(ConfigError, match=r"serves 2 models \(honest, html\); name one: reasoner.model=NAME"):
        Served(port, f"{served.tag}models=honest+html").reasoner("")
    abstains(served.reasoner("").conclude(masked_smile()), "no such interface at this address (HTTP 404)")


def test_no_evidence_no_request(served: Served) -> None:
    nothing = served.reasoner("honest").conclude(case([], {}, None))
    assert nothing.verdict.abstained
    assert nothing.notes == ()
    long = evidence("voice", "slow", text="A very slow voice. " * 2000)
    crowded = served.reasoner("honest").conclude(case([long], {"voice": 1.0}, None))
    assert "not even one piece of evidence finds room" in crowded.verdict.abstention_reason
    assert crowded.details["dropped_evidence"] == ["AE-01"]
    assert served.asked() == []


def test_the_lightest_evidence_is_dropped_first_and_listed(served: Served) -> None:
    found = [evidence("voice", f"cue{n}", n / 20, 2.0, text="word " * 200, strength=1 - n / 50) for n in range(30)]
    made = case(found, {"voice": 1.0}, None)
    conclusion = served.reasoner("honest", context_tokens=8192).conclude(made)
    dropped = conclusion.details["dropped_evidence"]
    assert 5 < len(dropped) < 25
    assert dropped == [ev.id for ev in made.evidence[-len(dropped) :]]
    sent = served.asked()[0]["body"]["messages"]
    assert sum(len(message["content"].encode()) for message in sent) / 3 + 2 * 1500 < 8192
    assert any(note.startswith(f"{len(dropped)} pieces of evidence") for note in conclusion.notes)
    roomy = served.reasoner("honest", context_tokens=32_768).conclude(made)
    assert roomy.details["dropped_evidence"] == []


def test_text_that_has_no_utf8_is_sent_all_the_same(served: Served) -> None:
    odd = evidence("words", "utterance", text="He said \ud83d and left")
    assert not served.reasoner("honest").conclude(case([odd], {"words": 1.0}, None)).verdict.abstained


@pytest.mark.parametrize("model", ["echo", "unauthorized", "honest"])
def test_logs_hold_neither_key_nor_evidence(served: Served, model: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    served.reasoner(model, samples=1).conclude(masked_smile())
    assert KEY not in caplog.text
    assert "was observed" not in caplog.text
    with pytest.raises(openai.NotFoundError), openai.OpenAI(base_url=served.url, api_key="x", max_retries=0) as client:
        client.models.list()
    assert "HTTP Request" in caplog.text  # the libraries may still log what others do with them


def test_objects_do_not_show_the_key(served: Served) -> None:
    reasoner = served.reasoner("honest")
    assert KEY not in f"{reasoner!r} {reasoner.endpoint!r} {reasoner.settings!r}"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "needs an endpoint: set reasoner.endpoint=http://localhost:8000/v1"),
    ({"endpoint": "localhost:8000"}, "no http or https address"),
    ({"endpoint": "http://"}, "no http or https address"),
    ({"endpoint": "http://h:port/v1"}, "no address"),
    ({"endpoint": f"https://{KEY}@host/v1"}, "holds a user, a password or a query"),
    ({"endpoint": f"https://host/v1?api_key={KEY}"}, "holds a user, a password or a query"),
    ({"endpoint": f"https://host/{KEY}/v1"}, "or what looks like a key"),
    ({"endpoint": 7}, "reasoner.endpoint is a int"),
    ({"api_key": KEY}, "no setting 'api_key'; known: endpoint, model,"),
    ({"endpoint": "http://h", "key_env": KEY}, "names no environment variable that is set"),
    ({"endpoint": "http://h", "key_env": "HERO_NOT_SET"}, "names no environment variable that is set"),
    ({"endpoint": "http://h", "timeout_s": 0}, "reasoner.timeout_s is 0; allowed: a number from 0.1 to 3600"),
    ({"endpoint": "http://h", "retries": 1.5}, "allowed: a whole number from 0 to 10"),
    ({"endpoint": "http://h", "samples": True}, "reasoner.samples is True"),
    ({"endpoint": "http://h", "decode": "grammar"}, "allowed: constrained, free"),
    ({"endpoint": "http://h", "context_tokens": 2048}, "it must be 3912 or more"),
    ({"endpoint": "http://h", "extra_body": {"messages": []}}, "must be a mapping of fields other than model"),
    (
        {"extra_body": {"authorization": KEY}},
        "reasoner.extra_body has the field 'authorization', which looks like a cred",
    ),
    ({"extra_body": {"Authorization": "plain"}}, "put the key into the environment variable HERO_API_KEY"),
    ({"extra_body": {"a": [{"X-Api-Key": 1}]}}, "reasoner.extra_body.a has the field 'X-Api-Key'"),
    ({"extra_body": {"a": {"accessToken": "x"}}}, "has the field 'accessToken'"),
    ({"extra_body": {"APIKEY": "x"}}, "has the field 'APIKEY'"),
    ({"extra_body": {"my_password": "x"}}, "has the field 'my_password'"),
    ({"extra_body": {"user": KEY}}, "reasoner.extra_body.user holds what looks like a key"),
    ({"extra_body": {"a": {"b": ["x", f"Bearer {KEY}"]}}}, "reasoner.extra_body.a.b holds what looks like a key"),
    ({"extra_body": {KEY: 1}}, "reasoner.extra_body holds what looks like a key"),
    ({"model": KEY}, "reasoner.model holds what looks like a key"),
    ({"decode": KEY}, "reasoner.decode holds what looks like a key"),
    ({"timeout_s": KEY}, "reasoner.timeout_s holds what looks like a key"),
    ({KEY: 1}, "reasoner holds what looks like a key"),
    ({"endpoint": "http://h", "extra_body": 3}, "must be a mapping"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_settings_that_cannot_work(settings: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HERO_ENDPOINT", raising=False)
    with pytest.raises(ConfigError) as caught:
        create_reasoner(ReasonerConfig(name="remote", settings={"model": "m", **settings}))
    assert message in str(caught.value)
    assert KEY not in str(caught.value)


def test_fields_of_a_request_that_are_no_keys_pass() -> None:
    extra = {
        "chat_template_kwargs": {"enable_thinking": False, "eos_token": "<e>"}, "stop_token_ids": [2], "min_tokens": 1,
        "skip_special_tokens": True, "stop": ["key", "token"], "prompt_cache_key": "hero", "lang": "sk-SK",
        "note": "a risk-taking speaker", "top_k": 20, "monkey": 1,
    }  # fmt: skip
    assert read_settings({"extra_body": extra}).extra_body == extra


def test_the_context_that_the_message_names_is_enough() -> None:
    least = {"endpoint": "http://127.0.0.1:9", "model": "m", "context_tokens": 3912}
    RemoteReasoner(ReasonerConfig(name="remote", settings=least))
    with pytest.raises(ConfigError, match="context_tokens=3911"):
        RemoteReasoner(ReasonerConfig(name="remote", settings={**least, "context_tokens": 3911}))


def test_a_key_with_strange_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_API_KEY", "schlüssel")
    with pytest.raises(ConfigError, match="the key in HERO_API_KEY has characters") as caught:
        RemoteReasoner(ReasonerConfig(name="remote", settings={"endpoint": "http://h", "model": "m"}))
    assert "schlüssel" not in str(caught.value)


def test_endpoint_from_the_environment(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_ENDPOINT", served.url)
    reasoner = RemoteReasoner(ReasonerConfig(name="remote", settings={"model": "honest"}))
    assert not reasoner.conclude(masked_smile()).verdict.abstained
    assert len(served.asked()) == 2


def test_licence_of_a_served_model(served: Served) -> None:
    with pytest.raises(ConfigError, match=r"is not stated.*reasoner\.model_licence=Apache-2\.0"):
        served.reasoner("honest", licence="open")
    with pytest.raises(ConfigError, match=r"is 'CC-BY-NC-4\.0'"):
        served.reasoner("honest", licence="open", model_licence="CC-BY-NC-4.0")
    stated = served.reasoner("honest", licence="open", model_licence="Apache-2.0").conclude(masked_smile())
    assert (stated.models[0].licence, stated.models[0].commercial) == ("Apache-2.0", True)


def test_more_labels_than_letters(tmp_path: Path) -> None:
    many = tmp_path / "many.yaml"
    many.write_text("\n".join(f"- label{n}" for n in range(27)), "utf-8")
    config = ReasonerConfig(name="remote", label_set=str(many), settings={"endpoint": "http://h", "model": "m"})
    with pytest.raises(ConfigError, match="has 27 labels"):
        RemoteReasoner(config)


def test_missing_client_library_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ConfigError, match=r"pip install 'hero-emotion\[remote\]'"):
        RemoteReasoner(ReasonerConfig(name="remote", settings={"endpoint": "http://h", "model": "m"}))


def test_unencrypted_ways_are_named(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    reasoner = served.reasoner("honest")
    monkeypatch.setattr(reasoner.endpoint, "private", False)
    assert reasoner.conclude(masked_smile()).notes[0].endswith(", unencrypted")
    for address, private in (("http://[::1]:80/v1", True), ("http://h", False), ("https://h", True)):
        assert served.reasoner("m", endpoint=address).endpoint.private is private


def test_from_a_clip_to_a_verdict(served: Served) -> None:
    overrides = ["reasoner.name=remote", f"reasoner.endpoint={served.url}", "reasoner.model=honest"]
    shipped = load_preset("embedded", overrides)
    preset = Preset("voice only", {"voice": {}, "words": dict(shipped.experts["words"])}, reasoner=shipped.reasoner)
    analysis = hero.analyze(DEMO, preset=preset, transcript=DEMO.with_suffix(".srt"))
    assert analysis.verdict.final_emotion == "sad"
    assert analysis.support.rate == 1.0, analysis.support.flaws
    provenance = analysis.as_json()["provenance"]
    assert provenance["reasoner"] == "remote"
    assert provenance["reasoning"]["scored_by"] == "logprobs"
    assert any(note.startswith("text evidence was sent to") for note in provenance["notes"])
    assert KEY not in str(analysis.as_json())


def test_every_setting_is_told() -> None:
    for setting in fields(RemoteSettings):
        assert f"{setting.name}: " in RemoteSettings.__doc__, setting.name
