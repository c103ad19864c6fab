"""The workbench's Python face; each name is loaded when it is first asked for, and none loads torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlft_tui.models.policy_versions import TrainingResults as TrainingResult
    from rlft_tui.policies.trainer import RLHFTrainer
    from rlft_tui.policies.training_config import RewardModelConfig, TrainingConfig

__all__ = ("RLHFTrainer", "RewardModelConfig", "TrainingConfig", "TrainingResult")

_LOADED_FROM = {
    "RLHFTrainer": ("rlft_tui.policies.trainer", "RLHFTrainer"),
    "RewardModelConfig": ("rlft_tui.policies.training_config", "RewardModelConfig"),
    "TrainingConfig": ("rlft_tui.policies.training_config", "TrainingConfig"),
    "TrainingResult": ("rlft_tui.models.policy_versions", "TrainingResults"),
}


def __getattr__(name: str) -> Any:
    if name not in _LOADED_FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module, attribute = _LOADED_FROM[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value
