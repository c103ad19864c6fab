"""Environment variables that libraries read while they are being loaded."""

from __future__ import annotations

import logging
import os


def prepare_environment() -> None:
    """Call it before torch is imported; what the user has set stays."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # It announces at every start that an optional package is missing.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # By default idle OpenMP threads spin at a barrier. As soon as two jobs (a training run
    # and the inference worker, say) share the cores, each spins away the other's time:
    # two processes on two cores went from 1 to 24 tokens/s with this.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # oneDNN keeps what it compiled for each shape of a product, some 25 MB for every new length of
    # a batch, and by default for a thousand products: a run on SmolLM2 grew from 3.2 to 4.6 GB in 30 steps
    # and told the dry run less than it would need. A step has a few dozen; fewer than that kept would
    # compile them all again and again.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
