"""Speech recognition with checkpoints of transformers: Whisper, and language models that hear (Qwen2-Audio).

Radford et al. 2023, "Robust Speech Recognition via Large-Scale Weak Supervision". Whisper writes a window of at most
30 s as text with time marks. Where its generation config names the attention heads that align, words get their times
by dynamic time warping over the cross attention; else the words of a segment share its time. Decoding is greedy first;
text that repeats itself (zlib shrinks it more than 2.4 times) or is unlikely (mean log probability below -1) is decoded
again at temperatures 0.2 to 1.0, with a fixed seed. A window whose no-speech probability exceeds 0.6 and whose text is
unlikely has no words, and neither has one that still repeats itself at the last temperature.

Legend of shapes: N samples at 16 kHz; M mel bands; F frames of 10 ms; K tokens; V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hero.errors import ConfigError, InputError, WeightsError
from hero.observe.encoders.recognizer import Recognizer
from hero.observe.encoders.spoken import LEAST_LOG_PROBABILITY, NO_SPEECH, Written, repeats_itself, words_of
from hero.observe.encoders.whisper import HOP, RATE_HZ, STEP_S, log_mel
from hero.observe.voice.speech import clean
from hero.pretrained.device import resolve
from hero.pretrained.loading import libraries, load_pretrained, quietly, reading
from hero.pretrained.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision
    from hero.types import LabelledSpan

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
KINDS = ("whisper", "audio_llm")


def open_recognizer(checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto") -> Recognizer:
    """The recogniser of a checkpoint folder: a Whisper or an audio language model.

    Raises:
        ConfigError: a checkpoint of another kind, or the device is not here.
        WeightsError: the folder cannot be loaded as its kind.
    """
    if checkpoint.kind == "whisper":
        heard = load_whisper(checkpoint, device=device, precision=precision)
        return Recognizer(checkpoint.name, heard.hear, checkpoint.used, estimated=not heard.aligned)
    if checkpoint.kind == "audio_llm":
        from hero.observe.encoders.audio_language import load_audio_language

        listener = load_audio_language(checkpoint, device=device, precision=precision)
        return Recognizer(checkpoint.name, listener.hear, checkpoint.used, estimated=True)
    raise ConfigError(
        f"'{checkpoint.name}' is a checkpoint of kind '{checkpoint.kind}', which recognises no speech; kinds that do: "
        f"{', '.join(KINDS)}; name for example whisper-large-v3 or qwen2-audio-7b-instruct"
    )


@dataclass(frozen=True)
class Decoded:
    """One decoding of a window: its stretches of text, the text as a whole, and the mean log probability."""

    parts: tuple[Written, ...]
    text: str
    log_probability: float

    @property
    def doubtful(self) -> bool:
        """Whether another temperature should be tried."""
        return self.log_probability < LEAST_LOG_PROBABILITY or repeats_itself(self.text)


class WhisperListener:
    """A whole Whisper that turns windows of sound into timed words; one window at a time."""

    def __init__(
        self, model: Any, tokenizer: Any, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._model, self._tokenizer, self._device, self._dtype = model, tokenizer, device, dtype
        self._name, self._attention = checkpoint.name, str(model.config._attn_implementation)
        config = model.generation_config
        self._languages: dict[str, int] = dict(getattr(config, "lang_to_id", None) or {})
        self.aligned = bool(getattr(config, "alignment_heads", None))
        end = config.eos_token_id
        self._end = int(end[0] if isinstance(end, list) else end)  # text tokens come before it, marks behind it
        self._timestamps_from = int(config.no_timestamps_token_id) + 1
        self._frames = 2 * int(model.config.max_source_positions)

    def hear(self, samples: NDArray[np.float32]) -> tuple[list[LabelledSpan], str | None]:
        """Words of samples (N,), timed from their start, and the language (None for a model of English only).

        Raises:
            InputError: more than the 30 s that Whisper hears at a time.
            WeightsError: the weights hold numbers that are none.
        """
        longest = self._frames * HOP
        if len(samples) > longest:
            raise InputError(
                f"{self._name} hears at most {longest / RATE_HZ:g} s at a time, got {len(samples) / RATE_HZ:.1f} s; "
                "cut the sound into windows first"
            )
        frames = len(samples) // HOP
        if not frames:
            return [], None
        _, hub = libraries()
        with torch.inference_mode(), quietly(hub):
            mel = log_mel(np.pad(clean(samples), (0, longest - len(samples))), int(self._model.config.num_mel_bins))
            self._model.set_attn_implementation(
                self._attention
            )  # aligning leaves it at the slow one that shows weights
            sound = torch.from_numpy(mel[None]).to(self._device, self._dtype)  # (1, M, F)
            states = self._model.get_encoder()(sound)
            if not torch.isfinite(states[0]).all():
                raise WeightsError(f"the weights of {self._name} give no finite numbers; fetch them again")
            language, no_speech = self._first_look(states)
            decoded = self._decoded(sound, states, frames, language)
        code = language.strip("<|>") if language else None
        silent = no_speech > NO_SPEECH and decoded.log_probability < LEAST_LOG_PROBABILITY
        if silent or repeats_itself(decoded.text):
            return [], code
        return self._words(decoded, len(samples) / RATE_HZ), code

    def _first_look(self, states: Any) -> tuple[str | None, float]:
        """The language token that fits best, and the probability that nobody speaks, from the first decoder step."""
        start = torch.tensor([[self._model.generation_config.decoder_start_token_id]], device=self._device)
        logits = self._model(encoder_outputs=states, decoder_input_ids=start).logits[0, -1].float()  # (V,)
        no_speech = float(logits.softmax(-1)[self._timestamps_from - 2])  # it stands before "no timestamps"
        if not self._languages:
            return None, no_speech
        return max(self._languages, key=lambda name: float(logits[self._languages[name]])), no_speech

    def _decoded(self, sound: torch.Tensor, states: Any, frames: int, language: str | None) -> Decoded:
        """Greedy, then warmer as long as the text is doubtful; the last one if none is better."""
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            torch.manual_seed(0)
            for temperature in TEMPERATURES:
                decoded = self._decode(sound, states, frames, language, temperature)
                if not decoded.doubtful:
                    break
        return decoded

    def _decode(
        self, sound: torch.Tensor, states: Any, frames: int, language: str | None, temperature: float
    ) -> Decoded:
        exist = torch.zeros((1, self._frames), dtype=torch.long, device=self._device)
        exist[:, :frames] = 1
        choice = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        spoken = {"language": language, "task": "transcribe"} if language else {}
        result = self._model.generate(
            input_features=sound, encoder_outputs=states, attention_mask=exist, return_timestamps=True,
            return_token_timestamps=self.aligned, return_dict_in_generate=True, output_scores=True, num_beams=1,
            force_unique_generate_call=True, **choice, **spoken,
        )  # fmt: skip
        ids = result["sequences"][0].tolist()
        chances = [
            float(score[0].float().log_softmax(-1)[token])
            for score, token in zip(result["scores"], ids[len(ids) - len(result["scores"]) :], strict=True)
        ]  # (K,)
        times = result["token_timestamps"][0].tolist() if self.aligned else None
        return self._read(ids, chances, times)

    def _read(self, ids: list[int], chances: list[float], times: list[float] | None) -> Decoded:
        """Cut the tokens at the time marks; `chances` are of the last tokens, those behind the prompt."""
        first = len(ids) - len(chances)
        parts: list[Written] = []
        held: list[int] = []  # positions of the text tokens since the last mark
        opened_s = 0.0
        for at in range(first, len(ids) + 1):
            mark = at == len(ids) or ids[at] >= self._timestamps_from
            if not mark:
                held += [at] if ids[at] < self._end else []
                continue
            closed_s = opened_s + 30.0 if at == len(ids) else (ids[at] - self._timestamps_from) * STEP_S
            if held:
                spans = tuple((times[k - 1], times[k]) for k in held) if times else None
                log_probabilities = tuple(chances[k - first] for k in held)
                parts.append(Written(tuple(ids[k] for k in held), log_probabilities, (opened_s, closed_s), spans))
                held = []
            opened_s = closed_s
        mean = float(np.mean(chances)) if chances else 0.0
        return Decoded(tuple(parts), self._text([k for part in parts for k in part.ids]), mean)

    def _words(self, decoded: Decoded, duration_s: float) -> list[LabelledSpan]:
        words: list[LabelledSpan] = []
        for part in decoded.parts:
            from_s = words[-1].span.start_s if words else 0.0
            words += words_of(part, self._text, duration_s=duration_s, from_s=from_s)
        return words

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def load_whisper(checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto") -> WhisperListener:
    """A whole Whisper with its tokenizer.

    Raises:
        WeightsError: the folder is no whole Whisper with tokenizer and generation config.
        ConfigError: the device or precision is not here.
    """
    where, dtype = resolve(device, precision)
    model = load_pretrained(
        "WhisperForConditionalGeneration", checkpoint, dtype=dtype, device=where, types=("whisper",)
    )  # fmt: skip
    tokenizer = load_tokenizer(checkpoint, model, ("vocab.json", "merges.txt"))
    with reading(checkpoint.folder, "a Whisper that writes"):
        return WhisperListener(model, tokenizer, checkpoint, where, dtype)
