"""rlft tune SPEC.toml | show | stop | resume"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from rlft_tui.cli.command import command
from rlft_tui.cli.session import Session, fields, moment, table

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.tuning.study_view import StudyDetail

_PAUSE = 1.0


class _Group(TyperGroup):
    """``rlft tune FILE`` is ``rlft tune start FILE``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if (
            args
            and args[0] not in self.list_commands(ctx)
            and (args[0].endswith(".toml") or Path(args[0]).is_file())
        ):
            args = ["start", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(name="tune", cls=_Group, rich_markup_mode=None, add_completion=False)

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="Name of a study, as rlft tune show lists it.")
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Print each trial on stderr until the study ends.")
]


@command(app, "rlft tune start dpo-beta.toml", "rlft tune start dpo-beta.toml --name second --follow")
def start(
    session: Session,
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="TOML file: metric, [run] and [search].")],
    name: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="Of the study [default: name in the file, else the file's]"
        ),
    ] = "",
    follow: Follow = False,
) -> None:
    """Search the settings of a training run: each trial is a run in the line, bad ones end early.

    The word start may be left out: rlft tune dpo-beta.toml. Needs pip install 'rlft_tui[tune]'. The
    study goes on when this command or the connection ends, and when the server is started again. Prints
    the study's name.
    """
    from rlft_tui.runs.spec_toml import read_toml

    values = read_toml(spec)
    if name:
        values["name"] = name
    with session.connect() as client:
        study = client.create_study(values, where=spec.name)
        if follow:
            study = _follow(session, client, study.name).study
        session.show(study, study.name)
    if not follow:
        session.say(f"Its trials start by themselves. Look at it: rlft tune show {study.name}")


@command(app, "rlft tune show", "rlft tune show dpo-beta --json")
def show(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="[STUDY]", help="One study; else all are listed.", show_default=False)
    ] = "",
) -> None:
    """Show a study: its trials, the best one, and which settings matter."""
    with session.connect() as client:
        if name:
            found = client.study(name)
            session.show(found, lambda: study_text(found))
            return
        studies = client.studies()
    session.show(
        studies,
        lambda: table(
            ("study", "status", "trials", "pruned", "failed", "best", "metric", "begun"),
            [
                (
                    one.name, one.status, f"{one.complete + one.pruned}/{one.trials}", one.pruned, one.failed,
                    one.best.value if one.best else None, one.metric, moment(one.created),
                )
                for one in studies
            ],
        ),
    )  # fmt: skip
    if not studies:
        session.say("No study yet. Begin one: rlft tune SPEC.toml")


@command(app, "rlft tune stop dpo-beta")
def stop(session: Session, name: StudyName) -> None:
    """Begin no more trials and stop those under way; resumed, the study does them again."""
    with session.connect() as client:
        study = client.stop_study(name)
    session.show(study, f"{study.name} {study.status}")


@command(app, "rlft tune resume dpo-beta", "rlft tune resume dpo-beta --trials 20 --follow")
def resume(
    session: Session,
    name: StudyName,
    trials: Annotated[
        int, typer.Option("--trials", min=0, metavar="N", help="So many trials more than it was made for.")
    ] = 0,
    follow: Follow = False,
) -> None:
    """Go on with a study that was stopped, failed, or is to have more trials."""
    with session.connect() as client:
        study = client.resume_study(name, trials=trials)
        if follow:
            study = _follow(session, client, name).study
        session.show(study, f"{study.name} {study.status}")


def study_text(found: StudyDetail) -> str:
    """Where it stands, what matters, and the trials, best first."""
    from rlft_tui.runs.spec_fields import as_text

    study = found.study
    best = study.best
    rows = [
        ("study", study.name),
        ("status", study.status + (f": {study.error}" if study.error else "")),
        ("searches", f"{study.method}, {study.direction} {study.metric}"),
        ("trials", _counts(found)),
        (
            "best",
            f"{best.value:.5g}, trial {best.number}, {best.run_id}"
            if best and best.value is not None
            else "",
        ),
        *((f"best {name}", as_text(value)) for name, value in (best.params.items() if best else ())),
        *((f"importance of {name}", f"{share:.0%}") for name, share in found.importance.items()),
    ]
    names = list(dict.fromkeys(name for trial in found.trials for name in trial.params))
    sign = 1 if study.direction == "minimize" else -1
    order = {"complete": 0, "running": 1, "queued": 2, "pruned": 3, "failed": 4}
    trials = sorted(found.trials, key=lambda one: (order[one.state], sign * (one.value or 0.0), one.number))
    return fields(rows) + "\n\n" + table(
        ("trial", "state", study.metric, "step", *names, "run", "why"),
        [
            (
                one.number, one.state, one.value, one.step or "",
                *(_short(one.params.get(name)) for name in names), one.run_id, one.reason,
            )
            for one in trials
        ],
    )  # fmt: skip


def _short(value: Any) -> str:
    """A setting in four digits: a column of them is for comparing, and the run has all."""
    from rlft_tui.runs.spec_fields import as_text

    return f"{value:.4g}" if isinstance(value, float) else as_text(value)


def _counts(found: StudyDetail) -> str:
    study = found.study
    queued = sum(trial.state == "queued" for trial in found.trials)
    going = ((study.running - queued, "under way"), (queued, "queued"))
    parts = [f"{study.complete + study.pruned} of {study.trials} done"]
    parts += [
        f"{count} {word}" for count, word in ((study.pruned, "pruned"), (study.failed, "failed")) if count
    ]
    return ", ".join([*parts, *(f"{count} {word}" for count, word in going if count > 0)])


def _follow(session: Session, client: WorkspaceClient, name: str) -> StudyDetail:
    """Say each trial that has ended until the study has."""
    said: set[int] = set()
    while True:
        found = client.study(name)
        for trial in found.trials:
            if trial.state not in ("queued", "running") and trial.number not in said:
                said.add(trial.number)
                value = "" if trial.value is None else f" {found.study.metric} {trial.value:.5g}"
                session.say(f"trial {trial.number} {trial.state}{value} {trial.reason}".rstrip())
        if found.study.status != "running":
            return found
        time.sleep(_PAUSE)
