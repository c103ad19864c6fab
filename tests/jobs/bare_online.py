"""GRPO and RLOO as a script that knows only TRL would run them, with rewards written out by hand."""

from __future__ import annotations

from typing import Any

from datasets import Dataset

from tests.jobs.bare_trl import Row

LETTERS = '''\
"""Rewards letters."""


def letters(completions, **columns):
    """The share of characters that are a to z."""
    texts = [completion[-1]["content"] for completion in completions]
    return [sum("a" <= each <= "z" for each in text) / max(1, len(text)) for text in texts]
'''
REWARDS = ["rewards/letters.py:2", "length:0.5:unit=characters:minimum=12:maximum=24"]


def letters(completions: list[Any], **columns: Any) -> list[float]:
    texts = [completion[0]["content"] for completion in completions]
    return [sum(each in "abcdefghijklmnopqrstuvwxyz" for each in text) / max(1, len(text)) for text in texts]


def length(completions: list[Any], **columns: Any) -> list[float]:
    counts = [len(completion[0]["content"]) for completion in completions]
    return [n / 12 if n < 12 else 1.0 if n <= 24 else max(0.0, 2 - n / 24) for n in counts]


def grpo(spec: dict[str, Any], arguments: dict[str, Any], rows: list[Row], parts: dict[str, Any]) -> Any:
    from trl import GRPOConfig, GRPOTrainer

    return GRPOTrainer(
        args=GRPOConfig(
            **arguments,
            **_both(spec),
            loss_type=spec["loss_type"],
            scale_rewards=spec["scale_rewards"],
        ),
        **_data(rows),
        **parts,
    )


def rloo(spec: dict[str, Any], arguments: dict[str, Any], rows: list[Row], parts: dict[str, Any]) -> Any:
    from trl import RLOOConfig, RLOOTrainer

    return RLOOTrainer(
        args=RLOOConfig(**arguments, **_both(spec), normalize_advantages=spec["normalize_advantages"]),
        **_data(rows),
        **parts,
    )


def _both(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "beta": spec["beta"],
        "num_generations": spec["generations"],
        "max_completion_length": spec["max_new_tokens"],
        "temperature": spec["temperature"],
        "num_iterations": spec["iterations"],
        "epsilon": spec["clip"],
        "reward_weights": [2.0, 0.5],
    }


def _data(rows: list[Row]) -> dict[str, Any]:
    prompts = Dataset.from_list([{"prompt": row["prompt"]} for row in rows])
    return {"train_dataset": prompts, "reward_funcs": [letters, length]}
