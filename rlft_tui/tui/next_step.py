"""What to do next on the way around the loop, as one sentence and where to do it."""

from __future__ import annotations

from rlft_tui.counted import counted, plural
from rlft_tui.evaluations.round_text import advice
from rlft_tui.record import Record
from rlft_tui.runs.methods import TRAINING_METHODS
from rlft_tui.runs.run_status import ACTIVE, RunSummary, in_order
from rlft_tui.server.answers import Home

ENOUGH_LABELS = 20
"""Fewer verdicts than this since the last data set are not worth a new one."""
BROKEN = frozenset({"failed", "killed", "lost"})


class NextStep(Record, frozen=True):
    """``screen`` is a key of the registry, or empty when ``command`` is to be typed in a shell."""

    sentence: str
    screen: str = ""
    command: str = ""
    run_id: str = ""
    """The run that the sentence names, where it names one."""


def next_step(home: Home) -> NextStep:
    """The first thing on the way around the loop that is still to be done."""
    active = in_order([run for run in home.runs if run.status in ACTIVE])
    if home.pairs == 0:
        return _first_pairs(home, active)
    newest = next((run for run in home.runs if run.method in TRAINING_METHODS), None)
    if newest is not None and newest.status in BROKEN:
        return NextStep(
            f"The last training run ended badly: {newest.id}. See why.", "monitor", run_id=newest.id
        )
    training = [run for run in active if run.method in TRAINING_METHODS]
    if training:
        return _attend(training[0], "is running. Watch its curves and samples.")
    if (step := _round_step(home)) is not None:
        return step
    wait = f"{counted(home.unlabelled, 'pair')} {plural(home.unlabelled, 'waits', 'wait')}"
    tuned = any(run.method in TRAINING_METHODS and run.status == "finished" for run in home.runs)
    if tuned and not home.labels_since_dataset and not _unused(home):
        return NextStep("Compare the tuned model with its base, blind.", "compare")
    if home.unlabelled and home.labels_since_dataset < ENOUGH_LABELS and not _unused(home):
        missing = ENOUGH_LABELS - home.labels_since_dataset
        return NextStep(f"{wait} for your verdict; {missing} more make a data set worth building.", "label")
    if home.labels_since_dataset >= ENOUGH_LABELS:
        return NextStep(
            f"{home.labels_since_dataset:,} verdicts are in no data set yet. Freeze them (b on that screen).",
            "data",
        )
    if (unused := _unused(home)) is not None:
        return NextStep(f"Data set {unused} has not been trained on. Launch a run.", "runs")
    if tuned:
        return NextStep("Compare the tuned model with its base, blind.", "compare")
    if home.labels_since_dataset and not home.unlabelled:
        return NextStep("Every pair is labelled. Freeze the verdicts (b on that screen).", "data")
    if home.unlabelled:
        return NextStep(f"{wait} for your verdict.", "label")
    return NextStep("Every pair is labelled. Generate new ones:", command="rlft pairs generate")


def _round_step(home: Home) -> NextStep | None:
    """What the newest round asks for; None when it asks for nothing."""
    one = home.round
    if one is None or one.stage == "no pairs":
        return None
    if one.stage in ("waiting", "generating"):
        return NextStep(advice(one), "runs")
    return NextStep(advice(one), "rounds")


def _attend(run: RunSummary, doing: str) -> NextStep:
    """Watch the run while it goes on, or see where it stands in the line."""
    if run.status == "queued":
        return NextStep(f"{run.id} waits in the queue for its turn.", "runs", run_id=run.id)
    return NextStep(f"{run.id} {doing}", "monitor", run_id=run.id)


def _first_pairs(home: Home, active: list[RunSummary]) -> NextStep:
    generating = [run for run in active if run.method == "generate"]
    if generating:
        return _attend(generating[0], "is generating answers. Watch it.")
    if home.prompts:
        return NextStep(
            "There are prompts but no answers yet. Generate pairs:", command="rlft pairs generate"
        )
    return NextStep("Nothing here yet. Import answer pairs:", command="rlft pairs import FILE")


def _unused(home: Home) -> str | None:
    """The newest data set, when no run was made on it."""
    if not home.datasets:
        return None
    newest = max(home.datasets, key=lambda dataset: dataset.created_at)
    used = any(run.dataset and newest.hash.startswith(run.dataset[:12]) for run in home.runs)
    return None if used else newest.name or newest.hash
