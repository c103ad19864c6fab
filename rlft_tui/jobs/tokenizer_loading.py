"""Tokenizers, loaded without torch, and refused where training on them would go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlft_tui.errors import NotFoundError, RlftError


def load_tokenizer(path: str) -> Any:
    """The tokenizer of a folder or hub id; it must have a chat template and an end of sequence."""
    from transformers import AutoTokenizer

    tokenizer = from_pretrained(AutoTokenizer, path)
    if not tokenizer.chat_template:
        raise RlftError("the tokenizer has no chat template", where=path, remedy="Use an instruct model")
    if tokenizer.eos_token_id is None:
        raise RlftError("the tokenizer names no end-of-sequence token", where=path)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def copy_tokenizer(path: str, target: Path) -> None:
    """Save the tokenizer of a folder or hub id as it was, without what load_tokenizer changes."""
    from transformers import AutoTokenizer

    from_pretrained(AutoTokenizer, path).save_pretrained(target)


def from_pretrained(factory: Any, path: str, **options: Any) -> Any:
    """What a transformers class loads from a folder or hub id, its errors in one line."""
    if path.startswith(("/", ".", "~")) and not Path(path).is_dir():
        raise NotFoundError("no such model folder", where=path, remedy="rlft models list shows what there is")
    try:
        return factory.from_pretrained(path, **options)
    except (OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RlftError(f"cannot load the model: {reason}", where=path) from error
