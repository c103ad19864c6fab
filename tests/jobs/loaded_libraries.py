"""The training stack, loaded as a job loads it: what forked jobs need not load again."""

from __future__ import annotations

import os

from rlft_tui.jobs.environment import prepare_environment

os.environ.setdefault("OMP_NUM_THREADS", "1")
prepare_environment()

import bitsandbytes  # noqa: E402, F401
import datasets  # noqa: E402, F401
import peft  # noqa: E402, F401
import torch  # noqa: E402, F401
import transformers  # noqa: E402, F401
import trl.trainer.dpo_trainer  # noqa: E402, F401
