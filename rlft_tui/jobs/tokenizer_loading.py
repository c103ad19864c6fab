"""Tokenizers, loaded without torch, and refused where training on them would go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlft_tui.errors import NotFoundError, RlftError

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + eos_token + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""For a base model that was never taught a chat: OpenAI's ChatML, a turn ended by the model's own end of
sequence. ``<|im_end|>`` is a token of few models, and a new one would need embeddings that no adapter has."""
_IS_FALLBACK = "rlft_chatml"


def load_tokenizer(path: str) -> Any:
    """The tokenizer of a folder or hub id; it must have an end of sequence.

    One without a chat template gets ChatML: ``has_fallback`` tells.
    """
    from transformers import AutoTokenizer

    tokenizer = from_pretrained(AutoTokenizer, path)
    if tokenizer.eos_token_id is None:
        raise RlftError("the tokenizer names no end-of-sequence token", where=path)
    _give_template(tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def has_fallback(tokenizer: Any) -> bool:
    """Whether its chat template is not its own."""
    return bool(getattr(tokenizer, _IS_FALLBACK, False))


def copy_tokenizer(path: str, target: Path) -> None:
    """Save the tokenizer of a folder or hub id, with the chat template that it was trained with.

    It is as it was otherwise, without what load_tokenizer changes.
    """
    from transformers import AutoTokenizer

    tokenizer = from_pretrained(AutoTokenizer, path)
    _give_template(tokenizer)
    tokenizer.save_pretrained(target)


def _give_template(tokenizer: Any) -> None:
    """ChatML to one that has none, begun with the token that it begins a text with."""
    if tokenizer.chat_template:
        return
    begin = tokenizer.bos_token_id
    begins = begin is not None and tokenizer("a")["input_ids"][:1] == [begin]
    tokenizer.chat_template = ("{{ bos_token }}" if begins else "") + CHATML
    setattr(tokenizer, _IS_FALLBACK, True)


def from_pretrained(factory: Any, path: str, **options: Any) -> Any:
    """What a transformers class loads from a folder or hub id, its errors in one line."""
    if path.startswith(("/", ".", "~")) and not Path(path).is_dir():
        raise NotFoundError("no such model folder", where=path, remedy="rlft models list shows what there is")
    try:
        return factory.from_pretrained(path, **options)
    except (OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RlftError(f"cannot load the model: {reason}", where=path) from error
