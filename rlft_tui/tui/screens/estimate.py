"""What a run would take, as its dry run found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from rlft_tui.tui import run_text
from rlft_tui.tui.screens.answer_dialog import AnswerDialog

if TYPE_CHECKING:
    from rlft_tui.runs.estimate import Estimate

_LABEL = 20
_BAR = 24
_SMALL = 0.005
"""Share of the time below which a part is not worth a line."""


class EstimateScreen(AnswerDialog):
    """Gives back whether the settings that fit are to be taken over."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "agree", "use", id="estimate.use", tooltip="Take over the settings that fit"),
        Binding("escape,enter,q", "leave", "back", id="estimate.back", tooltip="Back to the form"),
    ]
    DEFAULT_CSS = "EstimateScreen > Vertical { max-width: 76; }"

    def __init__(self, estimate: Estimate) -> None:
        super().__init__(
            Content("\n").join(estimate_lines(estimate)),
            title=f"{run_text.counted(estimate.steps, 'step')} would take",
            agree="u use the settings that fit" if estimate.instead else "",
        )


def estimate_lines(estimate: Estimate) -> Iterator[Content]:
    """Time by part with a bar each, memory, disk, and how it was measured; what does not fit first."""
    for note in estimate.notes:
        yield Content.assemble(("! ", "bold $text-warning"), run_text.plain(note))
    spread = f"{run_text.duration(estimate.low_seconds)} to {run_text.duration(estimate.high_seconds)}"
    yield _line("time", f"{run_text.duration(estimate.seconds)}  ({spread})", strong=True)
    for part, seconds in estimate.parts.items():
        share = seconds / estimate.seconds if estimate.seconds else 0.0
        if share >= _SMALL:
            bar = "━" * max(round(share * _BAR), 1)
            yield _line(f"  {part}", f"{run_text.duration(seconds):>7}  {bar}")
    yield _line("peak memory", run_text.megabytes(estimate.memory_mb), strong=True)
    if estimate.cuda_memory_mb:
        yield _line("peak GPU memory", run_text.megabytes(estimate.cuda_memory_mb), strong=True)
    yield _line("disk", f"{run_text.megabytes(estimate.disk_mb)} at most", strong=True)
    yield _line("  a checkpoint", run_text.megabytes(estimate.checkpoint_mb))
    yield _line("  the result", run_text.megabytes(estimate.model_mb))
    measured = f"{run_text.counted(estimate.measured_steps, 'step')} on {run_text.plain(estimate.device)}"
    yield _line("measured", measured)
    if estimate.beside:
        beside = run_text.counted(estimate.beside, "other run")
        yield _line("beside", f"{beside}: alone it may be quicker")


def _line(label: str, value: str, *, strong: bool = False) -> Content:
    return Content.assemble((f"{label:<{_LABEL}}", "dim"), (value, "bold" if strong else ""))
