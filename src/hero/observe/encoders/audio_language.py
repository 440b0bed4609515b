"""Speech recognition by asking a language model that hears: Qwen2-Audio with a transcription prompt.

Chu et al. 2024, "Qwen2-Audio Technical Report". The prompt asks for the words as they are spoken and for sounds such as
[laughter] or [sigh] in square brackets. The model gives no times: the words share the window in proportion to their
letters. An answer that repeats itself is dropped, as Whisper's is.

Legend of shapes: N samples at 16 kHz; M mel bands; F frames of 10 ms; K tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hero.errors import InputError, WeightsError
from hero.observe.encoders.spoken import Written, repeats_itself, words_of
from hero.observe.encoders.whisper import HOP, RATE_HZ, log_mel
from hero.observe.voice.speech import clean
from hero.pretrained.device import resolve
from hero.pretrained.loading import fetch_again, libraries, load_pretrained, quietly
from hero.pretrained.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hero.checkpoints import Checkpoint
    from hero.pretrained.device import Device, Precision
    from hero.types import LabelledSpan

MOST_TOKENS = 256  # of an answer to at most 30 s of sound
HEARD, BEGIN, END = "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"
ASK = (
    "Transcribe the speech word for word in the language it is spoken in. Where there are sounds that are no words, keep "
    "them in square brackets: [laughter], [sigh], [crying], [gasp], [groan], [scream], [cough], [sniff]. Answer with the "
    "transcript alone."
)
PROMPT = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nAudio 1: {sound}\n{ask}<|im_end|>\n"
    "<|im_start|>assistant\n"
)
QUOTED = re.compile(r"[^:：'\"“]{0,120}[:：]\s*(['\"“])(?P<said>.+)['\"”]\s*[.。]?\s*", re.DOTALL)


class AudioLanguageListener:
    """A language model that hears; one window at a time."""

    def __init__(
        self, model: Any, tokenizer: Any, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._model, self._tokenizer, self._device, self._dtype = model, tokenizer, device, dtype
        self._name = checkpoint.name
        audio = model.config.audio_config
        self._bands, self._frames = int(audio.num_mel_bins), 2 * int(audio.max_source_positions)

    def hear(self, samples: NDArray[np.float32]) -> tuple[list[LabelledSpan], str | None]:
        """Words of samples (N,) with estimated times; the language is not told.

        Raises:
            InputError: more sound than the model hears at a time.
        """
        longest = self._frames * HOP
        if len(samples) > longest:
            raise InputError(
                f"{self._name} hears at most {longest / RATE_HZ:g} s at a time, got {len(samples) / RATE_HZ:.1f} s; "
                "cut the sound into windows first"
            )
        frames = len(samples) // HOP
        if _places(frames) < 1:
            return [], None
        ids, chances = self._answer(np.pad(clean(samples), (0, longest - len(samples))), frames)
        begin, end = self._said(ids)
        written = Written(tuple(ids[begin:end]), tuple(chances[begin:end]), (0.0, len(samples) / RATE_HZ))
        if repeats_itself(self._text(written.ids)):
            return [], None
        return words_of(written, self._text, duration_s=len(samples) / RATE_HZ), None

    def _answer(self, samples: NDArray[np.float32], frames: int) -> tuple[list[int], list[float]]:
        """Tokens of the answer and the log probability of each, both (K,), decoded greedily."""
        sound = f"{BEGIN}{HEARD * _places(frames)}{END}"
        ids = self._tokenizer(PROMPT.format(sound=sound, ask=ASK), add_special_tokens=False)["input_ids"]
        exist = torch.zeros((1, self._frames), dtype=torch.long, device=self._device)
        exist[:, :frames] = 1
        mel = torch.from_numpy(log_mel(samples, self._bands)[None])  # (1, M, F)
        prompt = torch.tensor([ids], device=self._device)
        _, hub = libraries()
        with torch.inference_mode(), quietly(hub):
            result = self._model.generate(
                input_ids=prompt, attention_mask=torch.ones_like(prompt), feature_attention_mask=exist,
                input_features=mel.to(self._device, self._dtype), max_new_tokens=MOST_TOKENS, do_sample=False,
                num_beams=1, return_dict_in_generate=True, output_scores=True,
            )  # fmt: skip
        answer = result.sequences[0, prompt.shape[1] :].tolist()
        chances = [float(s[0].float().log_softmax(-1)[k]) for s, k in zip(result.scores, answer, strict=True)]
        special = set(self._tokenizer.all_special_ids)
        kept = [(k, chance) for k, chance in zip(answer, chances, strict=True) if k not in special]
        return [k for k, _ in kept], [chance for _, chance in kept]

    def _said(self, ids: Sequence[int]) -> tuple[int, int]:
        """From which token to which the answer is the transcript, without an introduction and quotation marks."""
        found = QUOTED.fullmatch(self._text(ids))
        if not found:
            return 0, len(ids)
        ends = [len(self._text(ids[: k + 1])) for k in range(len(ids))]
        begin = next(k for k, end in enumerate(ends) if end > found.start("said"))
        end = next(k for k, reached in enumerate(ends) if reached >= found.end("said"))
        return begin, end + 1

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _places(frames: int) -> int:
    """Places in the prompt that the sound takes: a stride of two in the encoder, then pooling by two."""
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1


def load_audio_language(
    checkpoint: Checkpoint, *, device: Device = "auto", precision: Precision = "auto"
) -> AudioLanguageListener:
    """A Qwen2-Audio with its tokenizer.

    Raises:
        WeightsError: the folder is no whole Qwen2-Audio, or its tokenizer has no token for sound.
        ConfigError: the device or precision is not here.
    """
    where, dtype = resolve(device, precision)
    model = load_pretrained(
        "Qwen2AudioForConditionalGeneration", checkpoint, dtype=dtype, device=where, types=("qwen2_audio",)
    )  # fmt: skip
    tokenizer = load_tokenizer(checkpoint, model, ("vocab.json", "merges.txt"))
    if (found := tokenizer.convert_tokens_to_ids(HEARD)) != model.config.audio_token_id:
        raise WeightsError(
            f"the tokenizer in {checkpoint.folder} writes {HEARD} as token {found}, its model wants "
            f"{model.config.audio_token_id}; {fetch_again(checkpoint.folder)}"
        )
    return AudioLanguageListener(model, tokenizer, checkpoint, where, dtype)
