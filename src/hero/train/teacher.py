"""The teacher of modality dropout: the same network with its own copy of the small trainable part, seeing everything.

A frozen language model under adapters is never copied: the teacher's tensors stand in for the trainable ones during its
forward pass and everything else is the student's. Two teachers: frozen as it was, or a moving average of the student.

Legend: t updates so far, d decay.
Source: Mean Teacher (Tarvainen and Valpola 2017); decay that starts small: TensorFlow's ExponentialMovingAverage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from torch import nn
from torch.func import functional_call

from hero.errors import ConfigError, WeightsError

Kind = Literal["ema", "frozen"]


class Teacher:
    """A second set of values for the trainable parameters of `student`.

    "ema": after each optimiser step, teacher = d * teacher + (1 - d) * student with d = min(decay, (1 + t) / (10 + t)),
    kept in float32 whatever the student's type is, because a step of 1 - d is lost in bfloat16. "frozen": stays as the
    student was when the teacher was made, or as `load_state_dict` says. Buffers are the student's.

    Args:
        student: the network itself, not a wrapper that trains it on several devices; its trainable parameters are those
            that require a gradient now.
        kind: "ema" or "frozen".
        decay: d in the long run, in [0, 1).

    Raises:
        ConfigError: the kind is unknown, the decay lies outside [0, 1), or nothing is trainable.
    """

    def __init__(self, student: nn.Module, *, kind: Kind = "ema", decay: float = 0.999) -> None:
        if kind not in get_args(Kind):
            raise ConfigError(f"no teacher is called '{kind}'; known: {', '.join(get_args(Kind))}")
        if not 0 <= decay < 1:
            raise ConfigError(f"the teacher's decay is {decay}; give a number from 0 to below 1, such as 0.999")
        self.student, self.kind, self.decay, self.updates = student, kind, decay, 0
        self._values = {
            name: parameter.detach().to(torch.float32 if kind == "ema" else parameter.dtype, copy=True)
            for name, parameter in student.named_parameters()
            if parameter.requires_grad
        }
        if not self._values:
            raise ConfigError("the student has no trainable parameters; make the teacher after adapters and connectors")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the teacher says: the student's forward pass on these arguments, in eval mode, without gradients."""
        parameters = dict(self.student.named_parameters())
        values = {name: value.to(parameters[name]) for name, value in self._values.items()}  # its device and type
        with torch.no_grad(), _eval_mode(self.student):
            return functional_call(self.student, values, args, kwargs)

    @torch.no_grad()
    def update(self) -> None:
        """Follow the student by one step; a frozen teacher does not. Call it after each optimiser step."""
        if self.kind == "frozen":
            return
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        parameters = dict(self.student.named_parameters())
        for name, value in self._values.items():
            now = parameters[name].detach().to(value.dtype)
            self._values[name] = value.to(now.device).lerp_(now, 1 - decay)
        self.updates += 1

    @property
    def numbers(self) -> int:
        """How many numbers the teacher holds of its own."""
        return sum(value.numel() for value in self._values.values())

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on later: kind, decay, updates, and the values by parameter name."""
        values = {name: value.clone() for name, value in self._values.items()}
        return {"kind": self.kind, "decay": self.decay, "updates": self.updates, "values": values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken; values keep the types of this teacher.

        Raises:
            WeightsError: the values do not belong to this student, or the state is of the other kind.
        """
        given = state["values"]
        if state["kind"] != self.kind:
            raise WeightsError(
                f"the state is of a teacher '{state['kind']}', this one is '{self.kind}'; make that kind"
            )
        wrong = [
            name
            for name in sorted(self._values.keys() | given.keys())
            if name not in self._values or name not in given or given[name].shape != self._values[name].shape
        ]
        if wrong:
            raise WeightsError(
                f"the teacher's state and the student differ in {len(wrong)} parameters, first '{wrong[0]}'; "
                "load it beside the student it was made with"
            )
        self._values = {name: given[name].detach().to(value, copy=True) for name, value in self._values.items()}
        self.decay, self.updates = float(state["decay"]), int(state["updates"])


@contextmanager
def _eval_mode(network: nn.Module) -> Iterator[None]:
    """Eval mode within; after it every part is in the mode it was in, for parts may differ (a frozen base, say)."""
    training = [part for part in network.modules() if part.training]
    network.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
