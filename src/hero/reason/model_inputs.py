"""What a language model takes: token ids padded on the left, and soft context beside them.

Legend: B cases, S prompt tokens, N context tokens, W width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from hero.hero_model.model import HeroModel
    from hero.types import CaseFile


def soft_context(cases: Sequence[CaseFile]) -> dict[str, Any]:
    """Soft context (B, N, W) of the cases and whether each has one; empty where none has."""
    import torch

    found = [case.context for case in cases]
    shape = next((one.values.shape for one in found if one), None)
    if shape is None:
        return {}
    rows = [torch.from_numpy(one.values) if one else torch.zeros(shape) for one in found]
    present = torch.tensor([one is not None for one in found])
    return {"context": torch.stack(rows), "present": present}


def left_padded(rows: Sequence[Sequence[int]], model: HeroModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids (B, S) and their mask, padded on the left."""
    import torch

    longest, pad = max(map(len, rows)), int(model.tokenizer.pad_token_id)
    ids = [[pad] * (longest - len(row)) + list(row) for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=model.device), torch.tensor(mask, device=model.device)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Sampling that repeats itself, and leaves the caller's random numbers alone."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
