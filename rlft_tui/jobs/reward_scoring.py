"""Scores of whole conversations from a trained reward model, read where it was trained to be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers.modeling_layers import GenericForSequenceClassification

from rlft_tui.datasets.rows import Conversation
from rlft_tui.errors import RlftError
from rlft_tui.jobs.batch_decoding import takes_slots
from rlft_tui.jobs.grouped_attention import use_grouped_attention
from rlft_tui.jobs.model_loading import check_adapter_folder, first_line
from rlft_tui.jobs.shared_prefix import last_states, shared_length
from rlft_tui.jobs.tokenizer_loading import load_tokenizer
from rlft_tui.jobs.trainable import load_model


class RewardModel:
    """A reward run's result, loaded to score answers."""

    def __init__(self, folder: Path, base: str, dtype: torch.dtype, device: str, batch_size: int = 8) -> None:
        """``folder`` is an adapter with its score head on ``base``, or a whole model (then they are one).

        Torch's random state is left as it was. RlftError when it is no reward model.
        """
        self.batch_size = batch_size
        adapter = (folder / "adapter_config.json").is_file()
        path = base if adapter else str(folder)
        self.tokenizer = load_tokenizer(path)
        # The head that comes with the class is random; the trained one takes its place.
        with torch.random.fork_rng(devices=[]):
            self.model = load_model(path, "score", dtype, device, "none")
            if adapter:
                self.model = _with_adapter(self.model, folder)
        self.model.eval()
        use_grouped_attention(self.model)
        set_scoring_padding(self.tokenizer)
        self.model.config.get_text_config().pad_token_id = self.tokenizer.pad_token_id
        self.longest: int = getattr(self.model.config.get_text_config(), "max_position_embeddings", 1 << 20)

    def score(self, conversations: list[Conversation]) -> list[float]:
        """The score of each conversation's last answer, which ends it; the scale is the model's own.

        A conversation longer than the model can read loses its beginning.
        """
        ids = [conversation_ids(self.tokenizer, one)[-self.longest :] for one in conversations]
        return scores_of(self.model, ids, self.tokenizer.pad_token_id, self.batch_size)


def conversation_ids(tokenizer: Any, conversation: Conversation) -> list[int]:
    """The conversation through the chat template, as TRL's RewardTrainer tokenises it."""
    return list(tokenizer.apply_chat_template(conversation, return_dict=True)["input_ids"])


def set_scoring_padding(tokenizer: Any) -> None:
    """Pad with another token than the end of sequence, if there is one.

    Transformers reads the score at the last token that is not the padding token. Where padding and
    end of sequence are one token, that would be the token before the end.
    """
    if tokenizer.pad_token_id != tokenizer.eos_token_id:
        return
    for token in (tokenizer.unk_token, tokenizer.bos_token, *tokenizer.all_special_tokens):
        if token and token != tokenizer.eos_token:
            tokenizer.pad_token = token
            return


@torch.no_grad()
def scores_of(model: Any, ids: list[list[int]], pad_id: int, batch_size: int) -> list[float]:
    """The model's score for each list of token ids, in the order given.

    Lists of like length share a batch, so little is spent on padding; it stands at the end, where
    no token sees it. What a batch begins with is read once.
    """
    # Its subclasses are all models that write; a reader of whole texts sees what follows.
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    shares = isinstance(base, GenericForSequenceClassification) and takes_slots(base) and not model.training
    scores = [0.0] * len(ids)
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        width = max(len(ids[index]) for index in batch)
        common = shared_length([ids[index] for index in batch]) if shares else 0
        padded = [ids[index][common:] + [pad_id] * (width - len(ids[index])) for index in batch]
        tokens = torch.tensor(padded, device=model.device)
        if common:
            beginning = torch.tensor([ids[batch[0]][:common]], dtype=torch.int64, device=model.device)
            states = last_states(base.base_model, beginning, tokens)
            ends = torch.tensor([len(ids[index]) - common - 1 for index in batch], device=model.device)
            logits = base.score(states[torch.arange(len(batch), device=model.device), ends])
        else:
            mask = [[1] * len(ids[index]) + [0] * (width - len(ids[index])) for index in batch]
            logits = model(input_ids=tokens, attention_mask=torch.tensor(mask, device=model.device)).logits
        for index, value in zip(batch, logits[:, 0].float().tolist(), strict=True):
            scores[index] = value
    return scores


def _with_adapter(model: Any, folder: Path) -> Any:
    from peft import PeftModel
    from safetensors import safe_open

    check_adapter_folder(folder)
    with safe_open(folder / "adapter_model.safetensors", framework="pt") as tensors:
        if not any(".score." in name for name in tensors.keys()):  # noqa: SIM118 - not a dict
            raise RlftError(
                "this adapter has no score head, so it is no reward model",
                where=str(folder),
                remedy="Train one: rlft train reward",
            )
    try:
        return PeftModel.from_pretrained(model, str(folder))
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise RlftError(
            f"the reward model does not fit this base: {first_line(error)}", where=str(folder)
        ) from error
