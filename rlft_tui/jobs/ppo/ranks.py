"""Several processes that train one policy, each with its share of every update's answers.

Every process holds the model and takes the same optimiser steps, so the weights are the same in all of
them. The random numbers follow from (seed, what, place) and a gradient is a sum over tokens, so who
does what changes only the order in which numbers are added. Batch sizes are those of all processes
together. The first process judges, writes and decides; the others compute.

accelerate finds the group that was started: by ``accelerate launch``, by torchrun, or by processes.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
WAIT = timedelta(days=2)
"""The first may measure and save for long while the others wait; one that has ended is noticed at once."""


class Ranks:
    """This process among those of the run; alone, every operation gives back what it was given."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size

    @property
    def first(self) -> bool:
        return self.rank == 0

    def join(self, *, cpu: bool) -> None:
        """Meet the others: gloo on CPUs, else what suits the GPUs, of which each process takes its own."""
        if self.size == 1:
            return
        from accelerate import PartialState

        with _others_live():
            PartialState(cpu=cpu, timeout=WAIT)

    def share(self, items: Sequence[T]) -> list[T]:
        """Every ``size``-th, beginning at the own number: of a sorted list, as much as others have."""
        return list(items[self.rank :: self.size])

    def gather(self, mine: T) -> list[T]:
        """What each process has, by number, in all of them."""
        if self.size == 1:
            return [mine]
        from accelerate.utils import gather_object

        with _others_live():
            found: list[T] = gather_object([mine])
        return found

    def agree(self, value: T) -> T:
        """What the first process says."""
        if self.size == 1:
            return value
        from accelerate.utils import broadcast_object_list

        said: list[T] = [value]
        with _others_live():
            broadcast_object_list(said)
        return said[0]

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Replace each by its sum over all processes, to the last bit the same in all of them."""
        if self.size == 1:
            return
        import torch

        parts = list(tensors)
        together = torch.cat([part.reshape(-1).float() for part in parts])
        with _others_live():
            torch.distributed.all_reduce(together)
        for part, summed in zip(parts, together.split([part.numel() for part in parts]), strict=True):
            part.copy_(summed.view_as(part))


ALONE = Ranks()


@contextmanager
def _others_live() -> Iterator[None]:
    """A process that has ended shows as a closed connection."""
    try:
        yield
    except RuntimeError as error:
        raise RlftError(
            "another process of this run has ended", remedy="Its last words stand in the run's output"
        ) from error
