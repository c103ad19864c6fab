"""The line at a field of the launch form: what its value comes to here, or why it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlft_tui.tui import run_text
from rlft_tui.tui.launch_form import LaunchForm

if TYPE_CHECKING:
    from rlft_tui.datasets.dataset import Dataset
    from rlft_tui.models.model import Model
    from rlft_tui.runs.machine import Machine


def unrunnable(form: LaunchForm, machine: Machine | None) -> dict[str, str]:
    """Settings that the jobs' machine cannot run."""
    if machine is None:
        return {}
    from rlft_tui.runs.machine import cannot_run

    return cannot_run({each.name: form.text(each.name) for each in form.fields}, machine)


def notes(form: LaunchForm, datasets: Sequence[Dataset], models: Sequence[Model] = ()) -> dict[str, str]:
    """What is known better than the setting's help says it."""
    if form.method == "generate":
        return {}
    found: dict[str, str] = {}
    data = next((each for each in datasets if each.hash == form.text("dataset")), None)
    if data is not None:
        rows = f"{data.train_rows:,} train · {data.heldout_rows:,} held out"
        found["dataset"] = rows if data.kind == "preference" else f"{rows} · {data.kind}"
        if epochs := _epochs(form, data):
            found["max_steps"] = epochs
    if any(each.name == "rewards" for each in form.fields):
        found["rewards"] = _rewards(models)
    if form.text("adaptation") == "full":
        unused = [each.name for each in form.fields if each.path[0] == "lora"]
        found.update(dict.fromkeys(unused, "not used: every weight is trained"))
    return found


def _rewards(models: Sequence[Model]) -> str:
    """What there is to reward with, in the words that the field takes."""
    from rlft_tui.rewards.built_in import BUILT_IN

    trained = [f"model:{run_text.plain(each.name)}" for each in models if each.kind == "reward"]
    return ", ".join([*trained, *BUILT_IN, "rewards/FILE.py"])


def _epochs(form: LaunchForm, data: Dataset) -> str:
    """How often each row comes up, where all numbers are numbers."""
    if not data.train_rows:
        return ""
    names = {each.name for each in form.fields}
    try:
        steps = int(form.text("max_steps"))
        rows = float(form.text("batch_size"))
        if "mini_batch_size" not in names:  # where there are mini-batches, a batch is all that a step asks
            rows *= int(form.text("gradient_accumulation"))
        if "generations" in names:
            rows /= int(form.text("generations"))
    except (ValueError, ZeroDivisionError):
        return ""
    if steps == 0:
        return f"by epochs: {form.text('epochs')}, of {run_text.counted(data.train_rows, 'row')}"
    return f"≈ {steps * rows / data.train_rows:,.1f} epochs of {run_text.counted(data.train_rows, 'row')}"
