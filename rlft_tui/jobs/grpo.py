"""Group relative policy optimisation: ``python -m rlft_tui.jobs.grpo RUN_DIR``.

Shao et al. 2024 by TRL's GRPOTrainer: several answers to each prompt, and as an answer's advantage its
reward less its group's mean. With ``beta`` above 0 the loss holds the policy to the reference by the
k3 estimate of the KL (Schulman 2020) per token, which is never negative; it is logged as ``kl``.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from rlft_tui.jobs.online import Online
from rlft_tui.jobs.training import run_method
from rlft_tui.runs.specs.grpo import GrpoSpec


class Grpo(Online[GrpoSpec]):
    spec = GrpoSpec
    kl_unit: ClassVar[str] = "nats/token (k3)"

    def trainer_class(self) -> tuple[type[Any], type[Any]]:
        from trl.trainer.grpo_config import GRPOConfig
        from trl.trainer.grpo_trainer import GRPOTrainer

        return GRPOConfig, GRPOTrainer

    def own_arguments(self, spec: GrpoSpec) -> dict[str, Any]:
        return {
            "beta": spec.beta,
            "loss_type": spec.loss_type,
            "importance_sampling_level": spec.importance,
            "epsilon_high": spec.clip_high or None,
            "scale_rewards": spec.scale_rewards,
        }


if __name__ == "__main__":
    raise SystemExit(run_method(Grpo(), sys.argv[1:]))
