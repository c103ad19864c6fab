"""Which LoRA adapter a model computes with, switched in microseconds and always switched back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

POLICY = "default"
"""PEFT's own name for a model's first adapter: what is saved loads anywhere."""
REFERENCE = "ref"
"""A frozen copy of the adapter that a run continues."""
VALUE = "value"
"""The critic's own adapter, where it has one."""


class Adapters:
    """The LoRA layers of a model; empty for a model that has none.

    PEFT's own switch also changes which parameters require a gradient, which would
    silently end the training of whatever is switched off for a pass.
    """

    def __init__(self, model: Any) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        self.layers: list[Any] = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]

    @contextmanager
    def using(self, name: str | None) -> Iterator[None]:
        """Compute with this adapter, or with the bare base for None; afterwards as before."""
        before = [(layer._disable_adapters, layer._active_adapter) for layer in self.layers]
        for layer in self.layers:
            layer._disable_adapters = name is None
            if name is not None:
                layer._active_adapter = [name]
        try:
            yield
        finally:
            for layer, (disabled, active) in zip(self.layers, before, strict=True):
                layer._disable_adapters = disabled
                layer._active_adapter = active
