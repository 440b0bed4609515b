"""The tokenizer of a checkpoint folder, only from files that are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hero.errors import WeightsError
from hero.pretrained.loading import fetch_again, libraries, reading

if TYPE_CHECKING:
    from hero.checkpoints import Checkpoint

WHOLE = ("tokenizer.json",)


def load_tokenizer(checkpoint: Checkpoint, model: Any, files: Sequence[str]) -> Any:
    """The tokenizer that lies beside a model's weights: `tokenizer.json`, or all of `files` (its older form).

    transformers itself makes an almost empty one where the files are missing, and every word would be unknown.

    Raises:
        WeightsError: the files are missing or unreadable, or it has more tokens than the model knows.
    """
    folder = checkpoint.folder
    if not any(all((folder / name).is_file() for name in wanted) for wanted in (WHOLE, tuple(files))):
        raise WeightsError(
            f"{folder} has no tokenizer: neither {WHOLE[0]} nor {' and '.join(files)}; {fetch_again(folder)}"
        )
    _, hub = libraries()
    with reading(folder, "a tokenizer"):
        tokenizer = hub.AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    rows = int(model.get_input_embeddings().num_embeddings)
    if len(tokenizer) > rows:
        raise WeightsError(
            f"the tokenizer in {folder} is not that of its model: {len(tokenizer)} tokens for {rows} rows; "
            f"{fetch_again(folder)}"
        )
    return tokenizer
