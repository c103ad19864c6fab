"""The names of what a run can do, without the specs behind them: quick to import."""

from __future__ import annotations

TRAINING_METHODS: tuple[str, ...] = ("sft", "reward", "dpo", "kto", "ppo", "grpo", "rloo")
"""Those that make a model, in the order of the loop."""
METHODS: tuple[str, ...] = (*TRAINING_METHODS, "generate")
OTHER_METHODS: tuple[str, ...] = ("export", "judge", "evaluate", "completions")
"""Runs that start from a command or screen of their own, not from the launch form."""


def command_of(method: str) -> str:
    """The words behind ``rlft`` that start a run of this method."""
    if method == "evaluate":
        return "eval run"
    if method == "completions":
        return "generate"
    if method in OTHER_METHODS:
        return method
    return f"train {method}" if method in TRAINING_METHODS else "pairs generate"
