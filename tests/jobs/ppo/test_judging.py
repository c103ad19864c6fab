"""What a reward is given for an answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlft_tui.datasets.rows import PromptRow
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.judging import RewardJudge
from rlft_tui.jobs.reward_functions import _no_model
from tests.jobs.ppo.tiny_policy import spec_of

SOURCE = """
def told(prompts, completions, completion_ids, city, **columns):
    assert [prompt[-1]["content"] for prompt in prompts] == [f"Where is {name}?" for name in city]
    assert all(turn["role"] == "assistant" for turn, in completions)
    texts = [turn["content"] for turn, in completions]
    return [len(text) + 100 * len(ids) for text, ids in zip(texts, completion_ids, strict=True)]
"""


@pytest.fixture
def judge(tmp_path: Path) -> RewardJudge:
    folder = tmp_path / "rewards"
    folder.mkdir()
    (folder / "mine.py").write_text(SOURCE)
    setup: Any = SimpleNamespace(
        spec=spec_of(tmp_path, rewards=["rewards/mine.py:told:2", "length:1:minimum=1:maximum=3"]),
        job=SimpleNamespace(folder=SimpleNamespace(rewards=folder), alarm=None),
    )
    rows = [
        PromptRow([{"role": "user", "content": f"Where is {city}?"}], columns={"city": city})
        for city in ("Oslo", "Rome")
    ]
    return RewardJudge(setup, rows, _no_model)


def test_rewards_get_the_conversation_and_the_text_without_its_end(judge: RewardJudge) -> None:
    answers = [
        Answer([1, 2], [7, 8, 2], True, "in Italy", place=1),
        Answer([1, 3], [9, 9], False, "up", place=0),
    ]
    first, second = judge(answers)
    assert first.parts["mine.told"] == len("in Italy") + 300
    assert second.parts["mine.told"] == len("up") + 200
    assert first.total == pytest.approx(2 * 308 + (first.parts["length"] or 0.0))
    assert second.total == pytest.approx(2 * 202 + (second.parts["length"] or 0.0))
