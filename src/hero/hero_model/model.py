"""The HERO model: integration layer, soft tokens, language model with LoRA; it loads, saves and generates like its base.

    feeds -> IntegrationLayer -> context (B, N, W) --+
    token ids -> embeddings (B, L, W) ---------------+-> prompt (B, S, W) -> language model -> logits, text

A sample without anything to integrate has no soft tokens: its logits are those of the language model alone. The state of
this module (`state_dict`) is what a training changes: adapters and integration layer, not the language model.

Legend: B samples, M modalities, L tokens as they come, N soft tokens, S = positions of a prompt, W the language model's width,
V its vocabulary.
Source: spec 1 section 2.3 (hybrid input embedding); LoRA: Hu et al. 2022.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from hero.errors import ConfigError, InputError, WeightsError
from hero.hero_model import adapters, files
from hero.hero_model.base import Base, open_base
from hero.hero_model.config import HeroConfig, Lora, as_json
from hero.hero_model.few_bits import Quantize, keep_gradients
from hero.hero_model.prompt import IGNORED, Packed, Prompt, Side, expect_numbers, expect_tokens, pack, positions
from hero.hero_model.sizes import integration_of, lora_of
from hero.hero_model.streaming import stream_text
from hero.nn.connector_files import Training
from hero.nn.integration import Feed, Integrated, IntegrationLayer

if TYPE_CHECKING:
    from hero.pretrained.device import Device, Precision
    from hero.types import Modality, ModelUsed

MAX_NEW_TOKENS = 512


@dataclass
class HeroOutput(ModelOutput):
    """`loss` (), `logits` (B, S, V) over the packed prompt, its `mask` (B, S) and `labels` (B, S), and `integrated`."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    mask: Tensor | None = None
    labels: Tensor | None = None
    integrated: Integrated | None = None


class HeroModel(nn.Module):
    """A language model that reads evidence as text, and, through an integration layer, as soft tokens.

    `language` is transformers' model (with LoRA: peft's around it), frozen but for its adapters; `integration` is None in a
    model of text only; `used` are the weights that take part in an answer: the base's, then the checkpoint's where one was
    opened. `from_base` and `from_pretrained` make one.
    """

    def __init__(
        self, base: Base, config: HeroConfig, integration: IntegrationLayer | None, used: tuple[ModelUsed, ...]
    ) -> None:
        super().__init__()
        self.config, self.tokenizer, self.used = config, base.tokenizer, used
        self.language, self.integration = base.model, integration
        self.register_load_state_dict_post_hook(_not_missing)  # type: ignore[no-untyped-call]

    @classmethod
    def from_base(
        cls,
        base: Base | str | Path,
        *,
        integration: IntegrationLayer | Mapping[str, Any] | None = None,
        lora: Lora | Mapping[str, Any] | None = None,
        training: Training | None = None,
        device: Device = "auto",
        precision: Precision = "auto",
        quantize: Quantize = "none",
    ) -> HeroModel:
        """A fresh model on a language model, to be trained; in eval mode.

        Args:
            base: an opened one (it is taken over, LoRA is built into it), a name or a folder.
            integration: the layer, or its arguments without `dim_lm`; None for text only.
            lora: sizes of the adapters, or a mapping of them; None for none.
            training: the record to save with it, if it is known already; without it untrained until `save_pretrained` is told.
            device: where to compute, as `precision` and `quantize` for a base that is opened here.

        Raises:
            ConfigError: sizes that do not fit each other, or the base already has adapters.
            WeightsError: the base is not at hand or damaged.
        """
        adapted = lora_of(lora)
        opened = base if isinstance(base, Base) else _open(base, device, precision, quantize)
        adapters.expect_none(opened)
        scale = _spread(opened.model.get_input_embeddings().weight)
        layer = integration_of(integration, width=opened.fingerprint.hidden_size, scale=scale, base=opened.name)
        config = HeroConfig(
            base=opened.name,
            fingerprint=as_json(opened.fingerprint),
            integration=None if layer is None else files.integration_sizes(layer),
            lora=None if adapted is None else as_json(adapted),
            training=as_json(training or Training()),
        )
        if adapted is not None:
            opened = adapters.add(opened, adapted)
        return cls(opened, config, layer, (opened.used,))._placed()

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        base: Base | str | Path | None = None,
        device: Device = "auto",
        precision: Precision = "auto",
        quantize: Quantize = "none",
        trainable: bool = False,
    ) -> HeroModel:
        """What `save_pretrained` wrote, on its language model; in eval mode, frozen unless `trainable`.

        `base` is needed where the catalogue does not know the language model, or to share one that is open.

        Raises:
            WeightsError: the folder is damaged, or the language model is not at hand or another one than it was trained on.
            ConfigError: the device, precision or quantization is not here.
        """
        found = files.read_folder(Path(folder))
        integration = files.read_integration(found)
        if isinstance(base, Base):
            opened = base
        else:
            name = files.base_of(found) if base is None else base
            opened = _open(name, device, precision, quantize)
        adapters.expect_none(opened)
        found.config.wanted.expect(opened.fingerprint, wanted=found.config.base, came=opened.name)
        if found.config.lora is not None:
            opened = adapters.add(opened, Lora(**found.config.lora))
            adapters.read(opened, found.folder / files.ADAPTER, cure=files.CURE)
        model = cls(opened, found.config, integration, (opened.used, found.used))
        return (model if trainable else model.requires_grad_(False))._placed()

    def save_pretrained(self, folder: str | Path, *, training: Training | None = None) -> None:
        """Write adapters, integration layer and configuration; the language model is named, not copied.

        `training` says on what this model was trained; it stands in `config` from then on. Without it the record stays as it
        is: untrained after `from_base`, the checkpoint's own after `from_pretrained`.

        Raises:
            OutputError: the folder holds something else than a HERO model, or cannot be written.
            WeightsError: a weight is NaN or infinite.
        """
        for name, value in self.state_dict().items():
            if not bool(value.isfinite().all()):
                raise WeightsError(f"'{name}' holds NaN or infinite values and was not saved; train with a lower rate")
        adapter = adapters.contents(self.language, self.config.base) if self.config.lora is not None else {}
        config = self.config
        if training is not None:
            config = copy(config)
            config.training = as_json(training)
        files.write_folder(Path(folder), config, self.integration, adapter)
        self.config = config

    def state_dict(  # type: ignore[override]
        self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """What a training changes, by name: adapters, integration layer, and what else was made trainable.

        The language model is left out: it is frozen, large, and opened again by its name. So transformers' `Trainer` and
        accelerate write small checkpoints. Arguments as those of `torch.nn.Module.state_dict`.
        """
        found: dict[str, Any] = super().state_dict(destination=destination, prefix=prefix, keep_vars=keep_vars)
        for name in self._left_out(name.removeprefix(prefix) for name in found if name.startswith(prefix)):
            del found[prefix + name]
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take what `state_dict` of a model of these sizes gave, all of it.

        Names and shapes must fit whatever `strict` says (`Trainer` says False): what is missing would be random numbers.

        Raises:
            WeightsError: they do not.
        """
        wanted = self.state_dict()
        for name in sorted(wanted.keys() | state_dict.keys()):
            came = str(tuple(state_dict[name].shape)) if name in state_dict else "missing"
            own = str(tuple(wanted[name].shape)) if name in wanted else "unknown"
            if came != own:
                raise WeightsError(
                    f"the state does not belong to this HERO model: '{name}' is {came} in it, {own} here; make the model on "
                    "the base and with the sizes that it was saved with"
                )
        return super().load_state_dict(state_dict, strict=strict, assign=assign)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._embedding().weight.device

    def trainable_parameters(self) -> dict[str, nn.Parameter]:
        """What a training changes: adapters and integration layer, by name; the language model stays as it is."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def integrate(self, feeds: Mapping[Modality, Feed], keep: Tensor | None = None) -> Integrated:
        """Soft context and weights of a batch of feeds; `keep` (B, M) bool is modality dropout.

        Raises:
            ConfigError: this model has no integration layer.
            InputError: the shapes do not fit.
        """
        if self.integration is None:
            raise ConfigError(
                "this HERO model reads text only; leave the feeds out, or make it with an integration layer"
            )
        placed = {name: Feed(*(part.to(self.device) for part in _parts(feed))) for name, feed in feeds.items()}
        found: Integrated = self.integration(placed, None if keep is None else keep.to(self.device))
        return found

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        feeds: Mapping[Modality, Feed] | None = None,
        context: Tensor | None = None,
        present: Tensor | None = None,
        keep: Tensor | None = None,
    ) -> HeroOutput:
        """Logits of the packed prompt, and the loss where there are labels.

        Args:
            input_ids: (B, L).
            attention_mask: (B, L), 0 = padding, on either side; none without it.
            labels: (B, L), -100 where nothing is learned.
            feeds: what to integrate, or instead of it:
            context: (B, N, W) soft tokens, integrated before.
            present: (B,) bool, which samples have a context; all without it.
            keep: (B, M) bool, for feeds: False = treat the modality as missing.

        Raises:
            InputError: shapes that do not fit, ids or labels that are no tokens, feeds and context together, or a sample
                without a token.
            ConfigError: feeds for a model without an integration layer.
        """
        integrated = None
        if feeds is not None:
            if context is not None:
                raise InputError("feeds and context came together; give the feeds, or what they were integrated to")
            integrated = self.integrate(feeds, keep)
            context, present = integrated.context, integrated.present
        (embeds, mask), told = self._packed(input_ids, attention_mask, context, present, labels, side="right")
        found = self.language(
            inputs_embeds=embeds, attention_mask=mask.long(), position_ids=positions(mask), labels=told, use_cache=False
        )
        return HeroOutput(loss=found.loss, logits=found.logits, mask=mask, labels=told, integrated=integrated)

    def embed(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        context: Tensor | None = None,
        present: Tensor | None = None,
        *,
        side: Side = "left",
    ) -> Prompt:
        """Soft tokens and text as one sequence with its padding on `side`; arguments as those of `forward`.

        Raises:
            InputError: the shapes do not fit, or a sample has no token.
        """
        return self._packed(input_ids, attention_mask, context, present, None, side=side).prompt

    def generate(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        context: Tensor | None = None,
        present: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        """New tokens (B, T) after each prompt, padded at the end; greedy unless the options say otherwise.

        With `return_dict_in_generate=True` transformers' record of the generation, its cache included.

        `options` go to transformers' `generate`: `max_new_tokens`, `logits_processor`, `streamer`, `do_sample` ...

        Raises:
            InputError: the shapes do not fit, or a sample has no token.
        """
        with self._answering():
            prompt = self.embed(input_ids, attention_mask, context, present)
            found: Tensor = self.language.generate(
                inputs_embeds=prompt.embeds,
                attention_mask=prompt.mask.long(),
                **{"max_new_tokens": MAX_NEW_TOKENS, "do_sample": False, **options},
            )
        return found

    def stream(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        context: Tensor | None = None,
        present: Tensor | None = None,
        **options: Any,
    ) -> Iterator[str]:
        """The text of one sample in pieces while it is written; arguments as those of `generate`.

        Closing the iterator stops the writing.

        Raises:
            InputError: more than one sample came.
        """
        if len(input_ids) != 1:
            raise InputError(f"{len(input_ids)} samples cannot be streamed at once; give one")

        def write(**more: Any) -> Tensor:
            return self.generate(input_ids, attention_mask, context=context, present=present, **{**options, **more})

        return stream_text(write, self.tokenizer, options.get("stopping_criteria"))

    @property
    def is_activation_checkpointing(self) -> bool:
        """Whether the language model computes its activations again instead of keeping them."""
        return any(getattr(module, "gradient_checkpointing", False) for module in self.language.modules())

    def activation_checkpointing_enable(
        self, activation_checkpointing_kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        """Compute the language model's activations again instead of keeping them; non-reentrant unless told otherwise.

        Frozen embeddings have no gradient for the reentrant kind to start from. `options` go to transformers.
        """
        how = {"use_reentrant": False, **(activation_checkpointing_kwargs or {})}
        if hasattr(self.language, "activation_checkpointing_enable"):
            self.language.activation_checkpointing_enable(activation_checkpointing_kwargs=how, **options)
        else:  # its name in transformers before 5.23
            self.language.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how, **options)

    def _packed(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        context: Tensor | None,
        present: Tensor | None,
        labels: Tensor | None,
        *,
        side: Side,
    ) -> Packed:
        ids = expect_numbers("input_ids", input_ids).to(self.device)
        mask = torch.ones_like(ids, dtype=torch.bool) if attention_mask is None else attention_mask.to(self.device) != 0
        table = self._embedding()
        for name, value in (("attention_mask", mask), ("labels", labels)):
            if ids.ndim != 2 or (value is not None and value.shape != ids.shape):
                came = None if value is None else tuple(value.shape)
                raise InputError(f"input_ids are {tuple(ids.shape)}, {name} {came}; give (B, L) for both")
        if labels is not None:
            labels = expect_numbers("labels", labels).to(self.device)
            expect_tokens("labels", labels, labels != IGNORED, len(table.weight))
        expect_tokens("input_ids", ids, mask, len(table.weight))
        if context is not None:
            wanted = (len(ids), table.weight.shape[1])
            if context.ndim != 3 or (len(context), context.shape[2]) != wanted:
                raise InputError(f"the context is {tuple(context.shape)}; give ({wanted[0]}, N, {wanted[1]})")
            context = context.to(self.device, table.weight.dtype)
        if present is not None:
            if present.shape != (len(ids),):
                raise InputError(f"`present` is {tuple(present.shape)}; give ({len(ids)},), one bool for each sample")
            present = present.to(self.device) != 0
        first = self.tokenizer.bos_token_id
        begins = torch.zeros_like(mask) if first is None else ids == first
        embeds = table(ids.masked_fill(~mask, 0))  # whatever number stands in the padding
        packed = pack(embeds, mask, begins, context, present, labels, side=side)
        longest, room = packed.prompt.mask.shape[1], int(self.language.config.max_position_embeddings)
        if longest > room:
            raise InputError(f"the prompt has {longest} positions, '{self.config.base}' reads {room}; shorten the text")
        return packed

    def _left_out(self, names: Iterable[str]) -> list[str]:
        """Which of these names of the whole state are the frozen language model's."""
        trained = {name for name, value in self.named_parameters() if value.requires_grad}
        return [name for name in names if name.startswith("language.") and "lora_" not in name and name not in trained]

    def _embedding(self) -> nn.Embedding:
        found: nn.Embedding = self.language.get_input_embeddings()
        return found

    def _placed(self) -> HeroModel:
        """In eval mode, the integration layer beside the language model."""
        if self.integration is not None:
            self.integration.to(self.device)
        if self.trainable_parameters():
            keep_gradients(self.language)
        return self.eval()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """No gradients and no dropout meanwhile."""
        before = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(before)


def _not_missing(model: nn.Module, found: Any) -> None:
    """The language model's tensors are not missing from a loaded state, also where another module wraps this one."""
    assert isinstance(model, HeroModel)
    own = {name: name[name.find("language.") :] for name in found.missing_keys}
    left_out = set(model._left_out(own.values()))
    found.missing_keys[:] = [name for name in found.missing_keys if own[name] not in left_out]


def _open(base: str | Path, device: Device, precision: Precision, quantize: Quantize) -> Base:
    return open_base(base, device=device, precision=precision, quantize=quantize)


def _spread(rows: Tensor) -> float:
    """How far the entries of the embedding table (V, W) lie from 0: what a soft token should look like at first."""
    return float(rows.float().pow(2).mean().sqrt())


def _parts(feed: Feed | Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """A feed's tensors; a loader that cannot move named tuples hands them over as a mapping."""
    return tuple(feed[name] for name in Feed._fields) if isinstance(feed, Mapping) else tuple(feed)
