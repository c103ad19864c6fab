"""Exporting from the Models screen: which format is asked in the key bar, and the run is watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from rlft_tui.models.exports import Export
from rlft_tui.models.model import Model
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.tui import run_text

if TYPE_CHECKING:
    from rlft_tui.tui.screens.base import WorkbenchScreen

QUANTS = (("f", "f16"), ("8", "q8_0"), ("5", "q5_1"), ("4", "q4_1"), ("0", "q4_0"), ("k", "q4_k_m"))


def ask_export(screen: WorkbenchScreen, model: Model) -> None:
    """Ask for the format, and for a GGUF how it is quantised."""
    if model.kind == "reward":
        screen.notify("A reward model writes no text, so it is not exported", markup=False)
        return
    keys: dict[str, Callable[[], None]] = {
        "s": partial(_start, screen, model.name, "safetensors"),
        "g": partial(_ask_quant, screen, model.name),
        "o": partial(_start, screen, model.name, "onnx"),
    }
    hint = "export:  s safetensors · g GGUF · o ONNX"
    if model.kind == "adapter":
        keys["a"] = partial(_start, screen, model.name, "adapter")
        hint += " · a adapter alone"
    screen.lead(hint, keys)


def _ask_quant(screen: WorkbenchScreen, name: str) -> None:
    keys: dict[str, Callable[[], None]] = {
        key: partial(_start, screen, name, "gguf", quant) for key, quant in QUANTS
    }
    screen.lead("GGUF:  " + " · ".join(f"{key} {quant}" for key, quant in QUANTS), keys)


def _start(screen: WorkbenchScreen, name: str, form: str, quant: str = "") -> None:
    """Start it and watch it: the proof ends the run well or badly."""

    def watch(run: RunSummary) -> None:
        screen.bench.show_screen("monitor", run_id=run.id)

    screen.call(lambda client: client.export(name, form, quant=quant), watch, retry=False)


def exported(exports: Iterable[Export], model: str) -> str:
    """What was exported of a model, in one line; empty for nothing."""
    found = [
        f"{one.form} {one.quant}".strip() + f" {run_text.megabytes(one.bytes / 1e6)} "
        f"{'✓ proven' if one.ok else '✗ proof failed'}"
        for one in exports
        if one.model == model
    ]
    return f"exported: {' · '.join(found)}" if found else ""
