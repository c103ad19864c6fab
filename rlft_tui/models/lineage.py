"""Where a model comes from: model ← run ← data set ← labels, and the models below it the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from msgspec.structs import replace

from rlft_tui.datasets.dataset import Dataset
from rlft_tui.models.model import Model
from rlft_tui.record import Record

NodeKind = Literal["model", "run", "dataset", "labels", "file", "gone"]
DEEPEST = 40
"""Rounds that are followed back."""


class Node(Record, frozen=True):
    """One thing in the tree; its children are what it was made from."""

    kind: NodeKind
    name: str
    """By which the commands know it."""
    about: str = ""
    """In a few words."""
    role: str = ""
    """What it is to the node above: base, parent, data, reward, version of, made with …"""
    children: tuple[Node, ...] = ()


class Origin(Record, frozen=True):
    """What a run says of the model it made."""

    run_id: str
    about: str
    """Method, state and steps."""
    model: str
    """What it began with, by name."""
    dataset: str
    rewards: tuple[str, ...] = ()
    """Names of the reward models among its rewards."""
    parent: str = ""
    """The run it was cloned from."""


class Records(Record, frozen=True):
    """What the tree is made from."""

    models: Mapping[str, Model]
    datasets: Mapping[str, Dataset]
    origin: Callable[[str], Origin | None]
    """Of a run; None for one that was deleted."""
    labels: Callable[[Dataset], tuple[str, ...]]
    """Who gave the verdicts of a data set, with how many."""


def lineage(records: Records, name: str) -> Node:
    """The tree above one model, which has to be known."""
    return _model(records, name, "", (), 0)


def made_from(models: Iterable[Model], name: str) -> tuple[str, ...]:
    """Names of the models that were trained on top of one."""
    return tuple(one.name for one in models if one.base == name)


def lines(node: Node) -> Iterator[tuple[str, Node]]:
    """The tree as text: branches drawn before each node, the root first."""
    yield "", node
    yield from _branches(node, "")


def _branches(node: Node, before: str) -> Iterator[tuple[str, Node]]:
    for at, child in enumerate(node.children, 1):
        last = at == len(node.children)
        yield before + ("└─ " if last else "├─ "), child
        yield from _branches(child, before + ("   " if last else "│  "))


def _model(records: Records, name: str, role: str, above: tuple[str, ...], depth: int) -> Node:
    model = records.models.get(name)
    if model is None:
        return Node("gone", name, "not in the registry", role)
    node = Node("model", name, _about(model), role)
    if name in above:
        return replace(node, about=f"{node.about} · see above")
    if depth >= DEEPEST:
        return replace(node, about=f"{node.about} · and further back")
    if not model.run_id:
        return node
    return replace(node, children=(_run(records, model, (*above, name), depth),))


def _run(records: Records, model: Model, above: tuple[str, ...], depth: int) -> Node:
    origin = records.origin(model.run_id)
    if origin is None:
        children = [_dataset(records, model.dataset)] if model.dataset else []
        if model.base:
            children.append(_model(records, model.base, "began with", above, depth + 1))
        return Node("gone", model.run_id, "the run was deleted", "made by", tuple(children))
    children = [_model(records, origin.model, "began with", above, depth + 1)]
    if origin.dataset:
        children.append(_dataset(records, origin.dataset))
    children += [_model(records, reward, "rewarded by", above, depth + 1) for reward in origin.rewards]
    about = origin.about + (f" · cloned from {origin.parent}" if origin.parent else "")
    return Node("run", origin.run_id, about, "made by", tuple(children))


def _dataset(records: Records, digest: str) -> Node:
    dataset = records.datasets.get(digest)
    if dataset is None:
        return Node("gone", digest, "the data set is not here", "trained on")
    name = f"{dataset.name} {digest}" if dataset.name else digest
    rows = f"{dataset.train_rows:,} + {dataset.heldout_rows:,} held-out rows"
    if dataset.source:
        source = Node("file", dataset.source, "imported", "from")
    elif dataset.kind == "prompts":
        source = Node("labels", "prompts", "of the workspace", "from")
    else:
        source = Node("labels", "labels", " · ".join(_label_parts(records, dataset)), "from")
    return Node("dataset", name, f"{dataset.kind} · {rows}", "trained on", (source,))


def _label_parts(records: Records, dataset: Dataset) -> list[str]:
    who = ", ".join(records.labels(dataset))
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in dataset.left_out.items())
    return [part for part in (who, f"left out: {left_out}" if left_out else "") if part]


def _about(model: Model) -> str:
    kinds = {"base": "whole model", "adapter": "adapter", "reward": "reward model"}
    parts = [kinds[model.kind], f"current version of {model.current_of}" if model.current_of else ""]
    return " · ".join([*filter(None, parts), *(f"#{tag}" for tag in model.tags)])
