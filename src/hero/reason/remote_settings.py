"""What a user says about an OpenAI-compatible endpoint: its address, model, limits, and where its key is kept.

A key never stands in a setting: settings are saved beside every result. `key_env` names the environment variable that
holds it. An address with a user, a password or a query in it is refused, and so is whatever looks like a key.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import SplitResult, urlsplit

from hero.errors import ConfigError

ENDPOINT_ENV, KEY_ENV = "HERO_ENDPOINT", "HERO_API_KEY"
NO_KEY = "none"  # what servers that ask for no key are sent
RANGES: Mapping[str, tuple[float, float]] = {
    "timeout_s": (0.1, 3600), "retries": (0, 10), "temperature": (0, 2), "context_tokens": (1024, 10_000_000),
    "answer_tokens": (64, 100_000), "samples": (1, 64),
}  # fmt: skip
OURS = ("model", "messages", "max_tokens", "max_completion_tokens", "n", "stream", "logprobs", "response_format")
EXAMPLE = "http://localhost:8000/v1"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# How services of today write keys; "risk-taking" and the tag of a language ("sk-SK") are none.
_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{4,}|(?:hf|gsk|r8|gh[opsru])_[A-Za-z0-9]{8,}|github_pat_\w{8,}"
    r"|(?:xai|nvapi|pplx|glpat)-[A-Za-z0-9_-]{8,}|AIza[A-Za-z0-9_-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+|(?i:bearer)\s+[\w.~+/-]{8,})"
)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # of a field's name: apiKey, API_KEY and x-api-key have the same
_SECRET = frozenset(
    {"apikey", "auth", "authorization", "bearer", "cookie", "credential", "credentials", "passphrase", "passwd"}
    | {"password", "passwords", "secret", "secrets"}
)
_SECRET_LAST = frozenset({"key", "token"})  # "stop_token_ids" and "max_tokens" are none
_NO_SECRET = frozenset({"prompt_cache_key", "bos_token", "eos_token", "pad_token", "unk_token", "sep_token"})
_OWN_WORDS = frozenset({"endpoint", "key_env"})  # `address` and `read_key` say what is wrong with them, unquoted


@dataclass(frozen=True)
class RemoteSettings:
    """`--set reasoner.NAME=VALUE` of the remote reasoner.

    endpoint: address of the API (`http://localhost:8000/v1`); the environment's HERO_ENDPOINT where it is empty.
    model: the served model; the only one that the endpoint lists where it is empty.
    model_licence: the licence of that model, as the user knows it; an endpoint does not tell.
    key_env: environment variable with the key.
    timeout_s: how long one try may take.
    retries: further tries after a lost connection, a 429 or a 5xx.
    decode: "constrained" asks the endpoint to enforce the answer's JSON Schema, "free" does not.
    temperature: of the answer.
    context_tokens: what the model's context holds, prompts and answers together.
    answer_tokens: the most an answer may take, thinking included.
    samples: how often a label is drawn where the endpoint states no log-probabilities.
    extra_body: further fields of every request (`{chat_template_kwargs: {enable_thinking: false}}`).
    """

    endpoint: str = ""
    model: str = ""
    model_licence: str = ""
    key_env: str = ""
    timeout_s: float = 60.0
    retries: int = 2
    decode: str = "constrained"
    temperature: float = 0.0
    context_tokens: int = 8192
    answer_tokens: int = 1500
    samples: int = 8
    extra_body: Mapping[str, Any] = field(default_factory=dict)


def read_settings(given: Mapping[str, Any]) -> RemoteSettings:
    """The settings with defaults for what was not given.

    Raises:
        ConfigError: a setting is unknown, of the wrong kind or out of range, or holds what looks like a key. Its value is
            only quoted where it can be no secret.
    """
    known = {f.name: f for f in fields(RemoteSettings)}
    if any(_KEY.search(str(name)) for name in given):
        raise _is_key("reasoner", "holds what looks like a key")
    if unknown := sorted(set(given) - set(known)):
        raise ConfigError(f"the reasoner 'remote' has no setting '{unknown[0]}'; known: {', '.join(known)}")
    for name, value in given.items():
        if name not in _OWN_WORDS:
            _holds_no_key(value, f"reasoner.{name}")
        kind = str(known[name].type)
        if kind == "str" and not isinstance(value, str):
            raise ConfigError(f"reasoner.{name} is a {type(value).__name__}; allowed: a word in quotes")
        if name in RANGES:
            _in_range(name, value, whole=kind == "int")
    settings = RemoteSettings(**given)
    if settings.decode not in ("constrained", "free"):
        raise ConfigError(f"reasoner.decode is '{settings.decode}'; allowed: constrained, free")
    extra = settings.extra_body
    if not isinstance(extra, Mapping) or any(not isinstance(name, str) or name in OURS for name in extra):
        raise ConfigError(f"reasoner.extra_body must be a mapping of fields other than {', '.join(OURS)}")
    return settings


def _holds_no_key(value: Any, where: str, name: str = "") -> None:
    """Refuses a field whose name or value looks like a key, however deep it lies; only names that are none are quoted.

    Raises:
        ConfigError: there is one.
    """
    if _KEY.search(name) or (isinstance(value, str) and _KEY.search(value)):
        raise _is_key(where, "holds what looks like a key")
    if isinstance(value, Mapping):
        for inner, below in value.items():
            named = str(inner)
            if _names_key(named):
                raise _is_key(where, f"has the field '{named}', which looks like a credential")
            _holds_no_key(below, f"{where}.{named}" if _NAME.fullmatch(named) else where, named)
    elif isinstance(value, list | tuple):
        for below in value:
            _holds_no_key(below, where)


def _names_key(name: str) -> bool:
    """Whether a field of this name would hold a key; a long name is none, it may be a key itself."""
    parts = [part.lower() for part in _PARTS.findall(name)]
    if not parts or _KEY.search(name) or name.lower() in _NO_SECRET or not _HEADER.fullmatch(name):
        return False
    return not _SECRET.isdisjoint(parts) or parts[-1] in _SECRET_LAST or "apikey" in "".join(parts)


def _is_key(where: str, what: str) -> ConfigError:
    return ConfigError(
        f"{where} {what}, and settings are saved with every result; leave it out and put the key into the environment "
        f"variable {KEY_ENV}, or into one that reasoner.key_env names"
    )


def _in_range(name: str, value: Any, *, whole: bool) -> None:
    low, high = RANGES[name]
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        what = "a whole number" if whole else "a number"
        raise ConfigError(f"reasoner.{name} is {value!r}; allowed: {what} from {low:g} to {high:g}")


def address(settings: RemoteSettings) -> SplitResult:
    """The endpoint's address, from the settings or from HERO_ENDPOINT.

    Raises:
        ConfigError: there is none, it is no http address, or it holds what could be a key. It is not quoted then.
    """
    text = settings.endpoint or os.environ.get(ENDPOINT_ENV, "")
    where = "reasoner.endpoint" if settings.endpoint else ENDPOINT_ENV
    if not text:
        raise ConfigError(
            f"the reasoner 'remote' needs an endpoint: set reasoner.endpoint={EXAMPLE} (or {ENDPOINT_ENV} in the environment)"
        )
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname, parts.port  # a port that is no number shows only when it is asked for
    except ValueError as error:
        raise ConfigError(f"{where} is no address; write it like {EXAMPLE}") from error
    if "@" in parts.netloc or parts.query or parts.fragment or _KEY.search(text):
        raise ConfigError(
            f"{where} holds a user, a password or a query, or what looks like a key, and an address is saved with every "
            f"result; write it like {EXAMPLE} and keep the key in the environment variable {KEY_ENV}"
        )
    if parts.scheme not in ("http", "https") or not host or not parts.netloc.isascii():
        raise ConfigError(f"{where} is no http or https address; write it like {EXAMPLE}")
    return parts


def key_name(settings: RemoteSettings) -> str:
    """The environment variable that holds the key."""
    return settings.key_env or KEY_ENV


def read_key(settings: RemoteSettings) -> str:
    """The key from the environment, or a word that stands for none.

    Raises:
        ConfigError: `key_env` names no variable that is set, or the key fits into no header. Neither is quoted: a key
            may have been written where its variable's name belongs.
    """
    name = key_name(settings)
    if not _NAME.fullmatch(name) or (settings.key_env and not os.environ.get(name)):
        raise ConfigError(
            f"reasoner.key_env names no environment variable that is set; put the key into {KEY_ENV} and leave key_env "
            "out, or name the variable that holds it (never the key itself)"
        )
    key = os.environ.get(name, "").strip() or NO_KEY
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"the key in {name} has characters that no key has; copy it again")
    return key
