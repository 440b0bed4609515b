"""The evidence decoder on T5: the same task tokens and calls as `hero.nn.evidence_decoder`, a pretrained decoder behind.

The features take the place of what T5's encoder says; the encoder itself is not used. The task token comes first in
the decoder, right after T5's own start token.

Legend: B samples, Q feature tokens, I their columns, S tokens of the longest text with its end, D T5's columns.
Source: T5 (Raffel et al. 2020); task tokens of spec 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hero.errors import OutputError
from hero.nn.attention import small_normal
from hero.nn.evidence_decoder import (
    NOTHING,
    TASK_TOKENS,
    TASKS,
    Decoded,
    Task,
    check_features,
    check_texts,
    task_names,
)

MAX_TOKENS = 200
IGNORED = -100  # targets that transformers leaves out of the loss


class T5EvidenceDecoder(nn.Module):
    """`model` is a T5ForConditionalGeneration, `tokenizer` its tokenizer; task tokens they lack are added.

    The model's dropout, vocabulary and generation settings are used as they are.
    """

    def __init__(self, *, model: Any, tokenizer: Any, dim_features: int = 768) -> None:
        super().__init__()
        self.sizes = {"dim_features": dim_features}
        self.dim_features = dim_features
        self.tokenizer = tokenizer
        tokenizer.add_tokens(list(TASK_TOKENS), special_tokens=True)
        if len(tokenizer) > model.get_input_embeddings().num_embeddings:
            model.resize_token_embeddings(len(tokenizer))
        self.model = model
        self.enter = nn.Sequential(nn.LayerNorm(dim_features), nn.Linear(dim_features, model.config.d_model))
        self.enter.apply(small_normal)

    def save_backbone(self, folder: Path) -> None:
        """Write T5 and tokenizer in the hub's layout (the feature projection is saved with the connectors).

        Raises:
            OutputError: the folder cannot be written.
        """
        try:
            self.model.save_pretrained(str(folder))
            self.tokenizer.save_pretrained(str(folder))
        except OSError as error:
            raise OutputError(f"cannot write {folder} ({error}); name a folder that can be written") from error

    def forward(
        self, features: torch.Tensor, mask: torch.Tensor | None, task: Task | Sequence[Task], tokens: torch.Tensor
    ) -> torch.Tensor:
        """Logits (B, 1 + S, V) after start and task: place 0 predicts the first token, place i + 1 what follows token i.

        Args:
            features: (B, Q, I).
            mask: (B, Q) bool, True = valid; all valid without it.
            task: one for the batch, or one for each sample.
            tokens: (B, S) of the tokenizer; S may be 0.

        Raises:
            ConfigError: a task is unknown.
            InputError: the shapes do not fit.
        """
        states, mask = self._states(features, mask)
        logits: torch.Tensor = self.model(
            encoder_outputs=(states,),
            attention_mask=mask.long(),
            decoder_input_ids=torch.cat([self._starts(task, len(features)), tokens], dim=1),
            use_cache=False,
        ).logits
        return logits[:, 1:]  # what T5 says before it knows the task is of no use

    def loss(
        self, features: torch.Tensor, mask: torch.Tensor | None, task: Task | Sequence[Task], texts: Sequence[str]
    ) -> torch.Tensor:
        """Mean cross entropy per token of the texts; samples without any valid feature teach nothing.

        Raises:
            ConfigError, InputError: as for `forward`, or the texts are not one for each sample.
        """
        check_texts(texts, len(features))
        batch = self.tokenizer(list(texts), padding=True, return_tensors="pt").to(features.device)
        tokens, valid = batch["input_ids"], batch["attention_mask"].bool()  # (B, S), T5 closes each with its end
        logits = self(features, mask, task, tokens[:, :-1])
        if mask is not None:
            valid = valid & mask.any(dim=1, keepdim=True)
        targets = tokens.masked_fill(~valid, IGNORED)
        total = nn.functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=IGNORED, reduction="sum")
        return total / valid.sum().clamp(min=1)

    @torch.no_grad()
    def generate(
        self,
        features: torch.Tensor,
        mask: torch.Tensor | None,
        task: Task | Sequence[Task],
        *,
        max_tokens: int = MAX_TOKENS,
    ) -> list[Decoded]:
        """The most probable text token by token, one for each sample.

        Raises:
            ConfigError, InputError: as for `forward`.
        """
        states, mask = self._states(features, mask)
        starts = self._starts(task, len(features))
        outputs = import_module("transformers.modeling_outputs")
        made = self.model.generate(
            encoder_outputs=outputs.BaseModelOutput(last_hidden_state=states),
            attention_mask=mask.long(),
            decoder_input_ids=starts,
            max_new_tokens=max_tokens,
            do_sample=False,
            num_beams=1,
            return_dict_in_generate=True,
            output_scores=True,
        )
        chosen = made.sequences[:, starts.shape[1] :]  # (B, S)
        chances = torch.stack(made.scores, dim=1).softmax(dim=-1).gather(2, chosen[..., None])[..., 0]  # (B, S)
        heard = mask.any(dim=1).tolist()
        rows = zip(heard, chosen.tolist(), chances.tolist(), strict=True)
        return [self._decoded(row, chance) if h else NOTHING for h, row, chance in rows]

    def _decoded(self, tokens: list[int], chances: list[float]) -> Decoded:
        end = self.model.config.eos_token_id
        finished = end in tokens
        said = tokens[: tokens.index(end)] if finished else tokens
        counted = chances[: len(said) + finished]
        text = self.tokenizer.decode(said, skip_special_tokens=True)
        return Decoded(text, sum(counted) / max(len(counted), 1), finished)

    def _states(self, features: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Features as T5's decoder sees them (B, Q, D), masked ones cut out, and the mask (B, Q)."""
        mask = check_features(features, mask, self.dim_features)
        return self.enter(features.masked_fill(~mask[..., None], 0)), mask

    def _starts(self, task: Task | Sequence[Task], count: int) -> torch.Tensor:
        """(B, 2): T5's start token and the task."""
        ids = self.tokenizer.convert_tokens_to_ids(list(TASK_TOKENS))
        start = self.model.config.decoder_start_token_id
        rows = [[start, ids[TASKS.index(name)]] for name in task_names(task, count)]
        return torch.tensor(rows, dtype=torch.long, device=self.model.device)
