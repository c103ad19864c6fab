"""The texts of a completions run, block by block: written, rewarded, the best kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from rlft_tui.errors import RlftError
from rlft_tui.jobs.batch_decoding import write_rows
from rlft_tui.jobs.decoding import Row, answer_text, derived_seed, end_ids, prompt_ids
from rlft_tui.jobs.job import say
from rlft_tui.jobs.model_loading import AdapterBase, choose_dtype
from rlft_tui.jobs.packed_linear import pack_linears
from rlft_tui.jobs.reward_functions import ConversationScorer, RunRewards
from rlft_tui.jobs.reward_scoring import RewardModel
from rlft_tui.jobs.slot_attention import use_slot_attention
from rlft_tui.jobs.slot_count import choose_slots
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.specs.base import ModelSource
from rlft_tui.runs.specs.completions import CompletionsSpec
from rlft_tui.runs.specs.generate import GenerationPrompt
from rlft_tui.samples.completion import Completion

_ROUNDS = 8
"""Times that a block fills all slots: its last texts end one by one, and little is lost by that."""
_BLOCK_TOKENS = 1 << 17
"""New tokens of a block at most, unless it would fill the slots less than twice."""
SHORTEN = "Shorten it or lower max_new_tokens"
Place = tuple[str, int, int]
Tokenised = tuple[GenerationPrompt, list[int]]


@dataclass(slots=True)
class Text:
    """One candidate: whose it is, and its row while it is written."""

    prompt: GenerationPrompt
    index: int
    candidate: int
    row: Row

    @property
    def place(self) -> Place:
        return (self.prompt.id, self.index, self.candidate)


@dataclass(slots=True)
class Block:
    """Texts that are written, rewarded and put on the disk together; whole completions."""

    texts: list[Text]
    new: int = field(default=0)
    """Completions of it that were not on the disk before."""


class Writer:
    """The model, what rewards its texts, and the order in which they are written."""

    def __init__(
        self,
        spec: CompletionsSpec,
        prompts: Sequence[GenerationPrompt],
        folder: RunFolder,
        device: str,
        slots: int,
    ) -> None:
        """``slots`` is what an earlier attempt chose, 0 for none."""
        self.spec = spec
        self.folder = folder
        self.device = device
        self.base = AdapterBase(spec.model.path, choose_dtype(spec.precision, device), device)
        use_slot_attention(self.base.model)
        self.base.load(spec.model.adapter)
        self.base.select(spec.model.adapter)
        pack_linears(self.base.model)
        self.ends = end_ids(self.base.model, self.base.tokenizer)
        read = [(prompt, prompt_ids(self.base.tokenizer, conversation(prompt))) for prompt in prompts]
        # Longest first: too little memory shows at once, and rows of one pass are of like length.
        self.prompts, self.left_out = self._fitting(sorted(read, key=lambda one: -len(one[1])))
        self.slots = slots or choose_slots(
            self.base.model,
            tokens=len(self.prompts[0][1]) + spec.sampling.max_new_tokens,
            most=spec.batch_size,
            rows=len(self.prompts) * spec.candidates,
        )
        self.rewards = (
            RunRewards(spec.rewards, folder.rewards, load_model=self._reward_model, tell=self._tell)
            if spec.rewards
            else None
        )

    def blocks(self) -> Iterator[Block]:
        """All texts; every candidate of a completion is in one block."""
        most = max(
            2 * self.slots, min(_ROUNDS * self.slots, _BLOCK_TOKENS // self.spec.sampling.max_new_tokens)
        )
        size = max(1, most // self.spec.best_of)
        texts: list[Text] = []
        for prompt, ids in self.prompts:
            said = json.dumps(conversation(prompt), ensure_ascii=True)
            for index in range(self.spec.n):
                for candidate in range(self.spec.best_of):
                    seed = derived_seed(self.spec.seed, said, str(index), str(candidate))
                    texts.append(Text(prompt, index, candidate, Row(ids, self.spec.sampling, seed)))
                if len(texts) >= size * self.spec.best_of:
                    yield Block(texts)
                    texts = []
        if texts:
            yield Block(texts)

    def missing(self, block: Block, done: Collection[Place]) -> set[Place]:
        """Places of a block whose completions are not whole on the disk."""
        missing = {text.place for text in block.texts if place_of(self.spec, text.place) not in done}
        block.new = len({place[:2] for place in missing})
        return missing

    def write(self, block: Block) -> Iterator[tuple[int, int]]:
        """Write every text; after each step the tokens drawn and how many texts ended with it."""
        rows = [text.row for text in block.texts]
        model, pad = self.base.model, self.base.tokenizer.pad_token_id
        with torch.inference_mode():
            for drawn, ended in write_rows(model, rows, self.ends, pad, slots=self.slots):
                yield drawn, len(ended)

    def judge(self, block: Block) -> list[Completion]:
        """The block's completions with their rewards; without keep_all only the best of each."""
        texts = [answer_text(self.base.tokenizer, text.row) for text in block.texts]
        earned = self._earned(block, texts)
        made = []
        for start in range(0, len(block.texts), self.spec.best_of):
            group = range(start, start + self.spec.best_of)
            best = max(group, key=lambda at: (_order(earned[at][0]), -at))
            made += [
                completion(block.texts[at], texts[at], *earned[at], kept=at == best)
                for at in group
                if at == best or self.spec.keep_all
            ]
        return made

    def _earned(self, block: Block, texts: list[str]) -> list[tuple[float | None, dict[str, float | None]]]:
        if self.rewards is None:
            return [(None, {})] * len(texts)
        earned = self.rewards.reward(
            [conversation(text.prompt) for text in block.texts],
            [[{"role": "assistant", "content": text}] for text in texts],
            [text.row.tokens for text in block.texts],
            {},
        )
        return [(one.total, dict(one.parts)) for one in earned]

    def _reward_model(self, source: ModelSource) -> ConversationScorer:
        folder = Path(source.adapter or source.path)
        return RewardModel(folder, source.path, choose_dtype(self.spec.precision, self.device), self.device)

    def _tell(self, name: str, what: str) -> None:
        say(f"reward {name} {what}")

    def _fitting(self, read: list[Tokenised]) -> tuple[list[Tokenised], list[Tokenised]]:
        """Prompts that leave room for an answer in the model's context, and those that do not.

        RlftError when none does.
        """
        self.context = getattr(self.base.model.config.get_text_config(), "max_position_embeddings", None) or 0
        room = self.context - self.spec.sampling.max_new_tokens
        fit = [one for one in read if not self.context or len(one[1]) <= room]
        if not fit:
            prompt, ids = read[-1]
            raise RlftError(
                f"even the shortest prompt, of {len(ids):,} tokens, {self.beyond}",
                where=f"prompt {prompt.id}",
                remedy=SHORTEN,
            )
        return fit, [one for one in read if self.context and len(one[1]) > room]

    @property
    def beyond(self) -> str:
        """What is wrong with a prompt that is left out."""
        new = self.spec.sampling.max_new_tokens
        return f"leaves no room for {new:,} new ones in the {self.context:,} of {self.spec.model.name}"


def place_of(spec: CompletionsSpec, place: Place) -> Place:
    """What a line stands for: its own candidate, or its completion where only the best is written."""
    return place if spec.keep_all else (*place[:2], 0)


def conversation(prompt: GenerationPrompt) -> list[dict[str, str]]:
    return [*map(dict, prompt.context), {"role": "user", "content": prompt.prompt}]


def completion(
    text: Text, written: str, total: float | None, parts: dict[str, float | None], *, kept: bool
) -> Completion:
    return Completion(
        prompt_id=text.prompt.id,
        prompt=text.prompt.prompt,
        category=text.prompt.category,
        index=text.index,
        candidate=text.candidate,
        seed=text.row.seed,
        text=written,
        tokens=len(text.row.tokens),
        ended=text.row.ended,
        reward=total,
        rewards=parts,
        kept=kept,
    )


def _order(reward: float | None) -> tuple[bool, float]:
    """One that is not judged comes after all others."""
    return (reward is not None, reward or 0.0)
