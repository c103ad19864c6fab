"""REINFORCE leave-one-out: ``python -m rlft_tui.jobs.rloo RUN_DIR``.

Ahmadian et al. 2024 by TRL's RLOOTrainer: several answers to each prompt, and as an answer's baseline
the mean reward of the others. The KL to the reference is a penalty on the reward: the k1 estimate
(Schulman 2020) summed over an answer. It is logged as ``kl`` per token, and may be negative.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from rlft_tui.jobs.online import Online
from rlft_tui.jobs.training import run_method
from rlft_tui.runs.specs.rloo import RlooSpec


class Rloo(Online[RlooSpec]):
    spec = RlooSpec
    kl_unit: ClassVar[str] = "nats/token (k1)"

    def trainer_class(self) -> tuple[type[Any], type[Any]]:
        from trl.trainer.rloo_config import RLOOConfig
        from trl.trainer.rloo_trainer import RLOOTrainer

        return RLOOConfig, RLOOTrainer

    def own_arguments(self, spec: RlooSpec) -> dict[str, Any]:
        return {
            "beta": spec.beta,
            "normalize_advantages": spec.normalize_advantages,
            "reward_clip_range": (-spec.reward_clip, spec.reward_clip) if spec.reward_clip else None,
        }


if __name__ == "__main__":
    raise SystemExit(run_method(Rloo(), sys.argv[1:]))
