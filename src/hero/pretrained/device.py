"""Where a network computes and in which numbers: what was asked for, or the best that is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from hero.errors import ConfigError
from hero.pretrained.loading import libraries

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]


def resolve(device: Device, precision: Precision) -> tuple[torch.device, torch.dtype]:
    """The device and the float type. "auto" takes a CUDA GPU, then Apple's (mps), then the CPU.

    "auto" precision is bf16 on a CUDA GPU that computes in it, else fp32: only CPUs with
    instructions for bf16 are faster with it, and then two to three times.

    Raises:
        ConfigError: a device or precision that does not exist or is not here.
        WeightsError: torch is missing.
    """
    _known("device", device, get_args(Device))
    _known("precision", precision, get_args(Precision))
    torch, _ = libraries()
    here = available(torch)
    chosen = here[0] if device == "auto" else device
    if chosen not in here:
        raise ConfigError(
            f"device '{device}' was asked for, but torch {torch.__version__} finds only: {', '.join(here)}; "
            f"set device to auto or cpu, or install a torch built for it"
        )
    halves = _computes_bf16(torch, chosen)
    if precision == "bf16" and not halves:
        raise ConfigError(f"precision 'bf16' was asked for, but {chosen} here computes no bf16; set precision to fp32")
    half = precision == "bf16" or (precision == "auto" and chosen == "cuda" and halves)
    return torch.device(chosen), torch.bfloat16 if half else torch.float32


def available(torch: Any) -> list[str]:
    """The kinds of device that are here, best first."""
    here = ["cuda"] if torch.cuda.is_available() else []
    here += ["mps"] if torch.backends.mps.is_available() else []
    return [*here, "cpu"]


def _computes_bf16(torch: Any, device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "mps":  # from macOS 14 on
        return bool(torch.backends.mps.is_macos_or_newer(14, 0))
    return True


def _known(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{what} is '{value}'; allowed: {', '.join(allowed)}; correct the setting")
