"""One batch whose rows wear different LoRA adapters of one base, or none.

PEFT mixes adapters in a batch too (``adapter_names=``): it puts a hook on every layer anew at each
forward pass and gathers the rows of each adapter in every layer, so that a token of two rows took
half as long again as without (93 against 59 ms for SmolLM2 on a CPU). Here the rows of one adapter
lie side by side, and each layer adds its two small products to a slice. The numbers are PEFT's:
computed in the adapter's own precision and rounded once, when they are added.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rlft_tui.jobs.model_loading import AdapterBase
from rlft_tui.jobs.packed_linear import keep_packed_only
from rlft_tui.jobs.slot_attention import use_slot_attention

MOST_ADAPTERS = 8
"""On one base. The one that was asked least lately makes room, unless it is in use."""


class MixedBase(AdapterBase):
    """A base whose rows may wear any of the adapters loaded on it."""

    packs = True
    """Whether the layers' weights are only there as the processor multiplies them quickest."""

    def _load_base(self) -> None:
        super()._load_base()
        use_slot_attention(self.model)
        if self.packs:
            keep_packed_only(self.model)
        self._slices: tuple[tuple[int, int, str], ...] | None = None
        """(first row, row behind the last, adapter's name) of the next pass; None leaves it to PEFT."""
        self._flat = False
        self._alone: set[str] = set()
        """Adapters that are more than two products a layer, and so have a batch of their own."""

    def load(self, adapter: str, in_use: Collection[str] = ()) -> None:
        """As before; adapters but those ``in_use`` may make room."""
        if self.packs and adapter and not reads_no_base(Path(adapter)):
            # Its layers or its start are made from the base's weights: they have to be there.
            others = list(self._names)
            self.packs = False
            self._load_base()
            for other in others:
                self.load(other, others)
        before = self._loaded
        super().load(adapter)
        if not adapter:
            return
        self._names[adapter] = self._names.pop(adapter)  # the newest asked stands last
        if self._loaded == before:
            return
        for other in [name for name in self._names if name != adapter and name not in in_use]:
            if len(self._names) <= MOST_ADAPTERS:
                break
            self._forget(other)
        name = self._names[adapter]
        if not all(is_plain(layer, name) for layer in self._layers if wears(layer, name)):
            self._alone.add(adapter)
        for layer in self._layers:
            if hasattr(layer, "lora_A") and hasattr(layer, "base_layer"):
                self._take_over(layer)
        if adapter not in self._alone and not self._keeps_rows_apart(name):
            self._alone.add(adapter)

    def _keeps_rows_apart(self, name: str) -> bool:
        """Whether every layer sees the batch as rows of tokens: experts, for one, see tokens in any order."""
        self._flat = False
        self._slices = ((0, 1, name),)
        pad = self.tokenizer.pad_token_id
        with torch.inference_mode():
            self.inner(input_ids=torch.tensor([[pad], [pad]], device=self.device), use_cache=False)
        self._slices = None
        return not self._flat

    def _forget(self, adapter: str) -> None:
        self.model.delete_adapter(self._names.pop(adapter))
        self._written.pop(adapter)
        self._alone.discard(adapter)
        self._selected = "?"

    def batch_of(self, adapter: str) -> str:
        """Rows with equal answers may share a batch."""
        return adapter if adapter in self._alone else ""

    def wear(self, adapters: Sequence[str]) -> None:
        """What each row of the next passes wears; equal ones must lie side by side."""
        if adapters and adapters[0] in self._alone:
            self._slices = None
            self.select(adapters[0])
            return
        slices = []
        start = 0
        for stop in range(1, len(adapters) + 1):
            if stop == len(adapters) or adapters[stop] != adapters[start]:
                if adapters[start]:
                    slices.append((start, stop, self._names[adapters[start]]))
                start = stop
        # Whatever else an adapter of another batch has put in place is out of the way.
        self.select("")
        self._slices = tuple(slices)

    @property
    def inner(self) -> Any:
        """The language model itself, adapters in its layers: without PEFT's wrapper around it."""
        return self.model.get_base_model() if self._names else self.model

    def _take_over(self, layer: Any) -> None:
        products = {
            name: (
                layer.lora_A[name].weight.detach().t(),
                (layer.lora_B[name].weight.detach() * layer.scaling[name]).t(),
            )
            for name in layer.lora_A
            if is_plain(layer, name)
        }
        original = partial(type(layer).forward, layer)
        layer.forward = partial(self._forward, layer.base_layer, original, products)

    def _forward(
        self,
        base: Any,
        original: Any,
        products: dict[str, tuple[Tensor, Tensor]],
        x: Tensor,
        *args: Any,
        **more: Any,
    ) -> Any:
        slices = self._slices
        if slices is None:
            return original(x, *args, **more)
        if x.dim() != 3:
            self._flat = True
            return base(x, *args, **more)
        result = base(x, *args, **more)
        for start, stop, name in slices:
            if (product := products.get(name)) is not None:
                a, b = product
                rows = x[start:stop].reshape(-1, x.shape[-1])
                # As two plain matrices: that is the quickest way into a product this small.
                result[start:stop] += torch.mm(torch.mm(rows.to(a.dtype), a), b).view(
                    stop - start, *result.shape[1:]
                )
        return result


def reads_no_base(adapter: Path) -> bool:
    """Whether the adapter is LoRA of the plain kind, which is added to what the base computes."""
    try:
        config = json.loads((adapter / "adapter_config.json").read_bytes())
    except (OSError, ValueError):
        return True  # what is wrong is said where it is loaded
    plain_start = config.get("init_lora_weights") in (True, False, None, "gaussian")
    variants = ("use_dora", "modules_to_save", "trainable_token_indices", "layer_replication", "loftq_config")
    other = any(config.get(name) for name in variants) or config.get("bias") not in (None, "none")
    return config.get("peft_type") == "LORA" and plain_start and not other


def wears(layer: Any, name: str) -> bool:
    """Whether this layer is changed by the adapter."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if isinstance(layer, BaseTunerLayer):
        return name in layer._all_available_adapter_names()
    return name in layer._get_available_adapters()


def is_plain(layer: Any, name: str) -> bool:
    """Whether what the adapter adds in this layer is B A x, scaled, and nothing else."""
    from peft.tuners.lora.layer import LoraLayer

    return (
        isinstance(layer, LoraLayer)
        and name in layer.lora_A
        and isinstance(layer.lora_A[name], torch.nn.Linear)
        and name not in layer.lora_variant
        and not layer.lora_bias.get(name, False)
        and not layer.merged
    )
