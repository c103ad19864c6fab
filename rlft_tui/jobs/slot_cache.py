"""Keys and values of many texts at once, each in a slot of its own that is filled from the left.

Transformers' own cache grows by copying itself at every token and wants all rows to be of one length,
so that a row that has ended is computed on, or is cut out by one more copy. Here the room is made
once; a row writes at its own length, and its slot is taken by the next text as soon as it has ended.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

_WIDTH_STEP = 32
"""Widths of a view are multiples of this: few shapes to prepare kernels for."""


class SlotLayer(CacheLayerMixin):
    """One layer: (slots, key heads, capacity, head size), made when the first keys are known."""

    is_sliding = False

    def __init__(self, cache: SlotCache) -> None:
        super().__init__()
        self.cache = cache

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        # Zeros: whatever stands in masked places is multiplied by 0, and must not be NaN.
        self.keys, self.values = (
            torch.zeros(
                (self.cache.slots, states.shape[1], self.cache.capacity, states.shape[3]),
                dtype=states.dtype,
                device=states.device,
            )
            for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Put the new token's states (rows, heads, 1, size) at each row's own place; views of all so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        rows, places, width = self.cache.rows, self.cache.places, self.cache.width
        self.keys[rows, :, places] = key_states[:, :, 0]
        self.values[rows, :, places] = value_states[:, :, 0]
        return self.keys[: len(rows), :, :width], self.values[: len(rows), :, :width]

    def put(self, slots: Tensor, keys: Tensor, values: Tensor) -> None:
        """Begin these slots with a prefix (heads, length, size), the same in each."""
        if not self.is_initialized:
            self.lazy_initialization(keys[None], values[None])
        assert self.keys is not None
        assert self.values is not None
        self.keys[slots, :, : keys.shape[1]] = keys
        self.values[slots, :, : values.shape[1]] = values

    def move(self, source: int, target: int, length: int) -> None:
        """Copy what a slot holds into another."""
        assert self.keys is not None
        assert self.values is not None
        self.keys[target, :, :length] = self.keys[source, :, :length]
        self.values[target, :, :length] = self.values[source, :, :length]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.cache.width, 0

    def get_seq_length(self) -> int:
        return self.cache.width - 1

    def get_max_length(self) -> int:
        return self.cache.capacity


class SlotCache(Cache):
    """What a model's forward pass takes as ``past_key_values`` for one token of every row."""

    def __init__(self, layers: int, slots: int, capacity: int) -> None:
        """``capacity`` is in tokens, prompt and answer together."""
        self.slots = slots
        self.capacity = -(-capacity // _WIDTH_STEP) * _WIDTH_STEP
        self.rows = torch.empty(0, dtype=torch.int64)
        self.places = torch.empty(0, dtype=torch.int64)
        self.width = 0
        self.slot_layers = [SlotLayer(self) for _ in range(layers)]
        super().__init__(layers=list(self.slot_layers))

    def place(self, lengths: Tensor) -> Tensor:
        """The next pass gives each of the first ``len(lengths)`` slots a token behind so many.

        Returns which places each may look at: (rows, 1, 1, width), the new token's own among them.
        """
        self.rows = torch.arange(len(lengths), device=lengths.device)
        self.places = lengths
        self.width = min(-(-(int(lengths.max()) + 1) // _WIDTH_STEP) * _WIDTH_STEP, self.capacity)
        seen = torch.arange(self.width, device=lengths.device) <= lengths[:, None]
        return seen[:, None, None]
