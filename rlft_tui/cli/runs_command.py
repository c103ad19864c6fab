"""rlft runs list|show|logs|follow|watch|rm, and the verbs of run_control_commands"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from rlft_tui.cli.clone_command import add_clone_command
from rlft_tui.cli.command import command, noun
from rlft_tui.cli.confirm import confirmed
from rlft_tui.cli.options import RunId, RunIds, WholeRunId
from rlft_tui.cli.run_control_commands import add_run_control_commands
from rlft_tui.cli.session import Session, fields, table, write
from rlft_tui.cli.watch_command import add_watch_command
from rlft_tui.errors import RlftError

app = noun("runs")

Plot = Annotated[bool, typer.Option("--plot", help="Draw curves.")]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", "-m", metavar="KEY", help="Which curves [default: the first four]"),
]
Smooth = Annotated[
    float, typer.Option("--smooth", min=0.0, max=0.999, help="Weight of the past in a moving average.")
]
LogScale = Annotated[bool, typer.Option("--log", help="A logarithmic value axis.")]

_EVERY_POINT = 1_000_000
"""Bins at most: up to so many steps every value comes as it was logged."""
_REFUSED_SHOWN = 20
"""Rows of an imported run that are named one by one."""


@command(app, "rlft runs list", "rlft runs list --archived", "rlft runs list --json", name="list")
def list_(
    session: Session,
    archived: Annotated[bool, typer.Option("--archived", help="Those that were put away, too.")] = False,
) -> None:
    """List the runs, newest first, with the place of those that wait in line."""
    from rlft_tui.cli.run_text import runs_table
    from rlft_tui.runs.run_status import ACTIVE

    with session.connect() as client:
        known = client.runs()
    runs = [run for run in known if archived or not run.archived or run.status in ACTIVE]
    session.show(runs, lambda: runs_table(runs))
    if not known:
        session.say("No runs yet. Start one: rlft train dpo --follow")
    elif len(runs) < len(known):
        session.say(f"{len(known) - len(runs)} put away: rlft runs list --archived")


@command(
    app,
    "rlft runs show dpo-1129-1740-abcd",
    "rlft runs show dpo-1129-1740-abcd --series loss --json",
    "rlft runs show dpo-1129-1740-abcd --plot --metric loss --smooth 0.9",
    "rlft runs show dpo-1129-1740-abcd --metric loss --picture loss.svg",
)
def show(
    session: Session,
    run_id: RunId,
    series: Annotated[
        str, typer.Option("--series", metavar="KEY", help="Add the values of one metric, by step.")
    ] = "",
    plot: Plot = False,
    metric: Metrics = None,
    smooth: Smooth = 0.0,
    log: LogScale = False,
    picture: Annotated[
        str | None,
        typer.Option("--picture", metavar="FILE", help="Write the metric's chart as .svg or .png."),
    ] = None,
) -> None:
    """Show one run: state, last and first metrics, how it ended; or its curves."""
    import msgspec

    from rlft_tui.cli.run_text import points, run_fields, run_json
    from rlft_tui.cli.session import duration
    from rlft_tui.runs.estimate_text import outcome_lines

    if picture is not None and not picture:
        raise RlftError(
            "no file is named", where="--picture", remedy="Name a .svg or .png: --picture loss.svg"
        )
    if plot or picture:
        _show_plots(session, run_id, metric or [], smooth=smooth, log=log, picture=picture or "", plot=plot)
        return
    with session.connect() as client:
        run = client.run(run_id)
        curves = client.series(run_id, [series], points=_EVERY_POINT) if series else ()
        outcome = client.estimate(run_id)
    value: dict[str, Any] = run_json(run)
    if outcome is not None:
        value["estimate"] = msgspec.to_builtins(outcome)
    values = points(curves[0]) if curves else []
    if curves and curves[0].bin > 1:
        session.say(f"Each value is the mean over {curves[0].bin} steps")
    if series:
        value["series"] = values

    def text() -> str:
        if not series:
            took = outcome_lines(outcome, duration) if outcome else []
            return fields([*run_fields(run), *took])
        return table(("step", series), values)

    session.show(value, text)


def _show_plots(
    session: Session, run_id: str, metrics: list[str], *, smooth: float, log: bool, picture: str, plot: bool
) -> None:
    from rlft_tui.cli.run_plot import picture_of, plots

    with session.connect() as client:
        run = client.run(run_id)
        if picture:
            if len(metrics) != 1:
                raise RlftError("a picture shows one metric", remedy="Name it: --metric loss")
            path = picture_of(client, run, metrics[0], picture, smoothing=smooth, log=log)
            session.show({"picture": path}, path)
        if plot:
            text = plots(client, run, metrics, smoothing=smooth, log=log)
            session.show({"plot": text}, text)


@command(app, "rlft runs logs dpo-1129-1740-abcd", "rlft runs logs dpo-1129-1740-abcd --follow")
def logs(
    session: Session,
    run_id: RunId,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, metavar="N", help="Last lines only; 0 for all.")
    ] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
) -> None:
    """Print what a run wrote to its output, terminal escapes made visible."""
    from rlft_tui.runs.run_status import ACTIVE

    with session.connect() as client:
        active = client.run(run_id).status in ACTIVE
        text, end = "", 0
        while (page := client.log(run_id, start=end)).end > end:
            text, end = text + page.text, page.end
        if lines:
            text = "\n".join(text.splitlines()[-lines:]) + "\n"
        if session.json:
            session.show({"id": run_id, "text": text, "size": end}, "")
            return
        write(text, newline=not text.endswith("\n"))
        while follow and active:
            active = client.run(run_id).status in ACTIVE
            page = client.log(run_id, start=end)
            write(page.text, newline=False)
            end = page.end
            if active and not page.text:
                time.sleep(0.3)


@command(
    app, "rlft runs follow dpo-1129-1740-abcd", "rlft runs follow dpo-1129-1740-abcd --plot --metric loss"
)
def follow(
    session: Session,
    run_id: RunId,
    plot: Plot = False,
    metric: Metrics = None,
    smooth: Smooth = 0.0,
    log: LogScale = False,
) -> None:
    """Print a run's progress on stderr until it ends; the exit code is the run's (0 well, 1 failed)."""
    from rlft_tui.cli.run_progress import exit_code, follow_run
    from rlft_tui.cli.run_text import run_fields, run_json

    with session.connect() as client:
        if plot:
            from rlft_tui.cli.run_plot import LivePlot, plots

            live = LivePlot(session, metric or [], smoothing=smooth, log=log)
            run = follow_run(session, client, run_id, show=live.show)
            if run.metrics and not session.json:
                text = plots(client, run, metric or [], smoothing=smooth, log=log)
                session.show({}, text + "\n")
        else:
            run = follow_run(session, client, run_id)
    session.show(run_json(run), lambda: fields(run_fields(run)))
    raise typer.Exit(exit_code(run))


add_watch_command(app)


@command(app, "rlft runs rm dpo-1129-1740-abcd --yes")
def rm(
    session: Session,
    run_id: WholeRunId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a run: its folder with log, checkpoints and result."""
    with session.connect() as client:
        run = client.run(run_id)
        if not yes:
            if not sys.stdin.isatty():
                raise RlftError("nothing was deleted", where=run.id, remedy="Add --yes to delete it")
            session.say(f"{run.id}: {run.status}, step {run.step}, in {run.path}")
            if not confirmed("Delete it with its checkpoints and its model?"):
                raise typer.Exit(1)
        client.delete_run(run.id)
    session.show({"deleted": run.id}, f"{run.id} deleted")


add_run_control_commands(app)
add_clone_command(app)


@command(app, "rlft runs compare dpo-1129-1740-abcd dpo-1129-1902-wxyz")
def compare(
    session: Session,
    run_ids: RunIds,
) -> None:
    """Set runs beside the first: settings that differ, last metrics, training data row by row."""
    from rlft_tui.cli.run_text import comparison_text

    if len(run_ids) < 2:
        raise RlftError("a comparison needs two runs", remedy="rlft runs list shows their ids")
    with session.connect() as client:
        runs = [client.run(run_id) for run_id in run_ids]
        comparison = client.compare_runs(*run_ids)
    import msgspec

    session.show(msgspec.to_builtins(comparison), lambda: comparison_text(comparison, runs))


@command(
    app,
    "rlft runs tag dpo-1129-1740-abcd baseline keep",
    "rlft runs tag dpo-1129-1740-abcd --note 'with the new prompts'",
    "rlft runs tag dpo-1129-1740-abcd --archive",
)
def tag(
    session: Session,
    run_id: RunId,
    tags: Annotated[
        list[str] | None, typer.Argument(metavar="[TAG...]", help="Its tags from now on.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", help="A note on the run.")] = None,
    archive: Annotated[
        bool | None, typer.Option("--archive/--no-archive", help="Leave it out of lists, or not.")
    ] = None,
) -> None:
    """Tags, a note, or put a run away; without any of them, show what there is."""
    from rlft_tui.runs.remarks import split_tags

    changes: dict[str, object] = {}
    if tags:
        changes["tags"] = split_tags(tags)
    if note is not None:
        changes["note"] = note
    if archive is not None:
        changes["archived"] = archive
    with session.connect() as client:
        before = client.run(run_id).tags if tags else ()
        run = client.remark(run_id, **changes) if changes else client.run(run_id)
    if gone := [one for one in before if one not in run.tags]:
        session.say(f"no longer tagged: {' '.join(gone)}")
    said = {"id": run.id, "tags": list(run.tags), "note": run.note, "archived": run.archived}
    session.show(said, lambda: fields(list({**said, "tags": " ".join(run.tags)}.items())))


@command(
    app,
    "rlft runs import runs/Nov30_host",
    "rlft runs import wandb/offline-run-20261130_101500-abcd1234",
    "rlft runs import output/checkpoint-500/trainer_state.json",
    "rlft runs import metrics.csv",
    name="import",
)
def import_(
    session: Session,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File, or folder to look through.")],
) -> None:
    """Bring in runs of other programs: TensorBoard, W&B offline, trainer_state.json, CSV.

    What was imported from the same place before is brought up to date, its tags and note stay.
    """
    import tempfile

    from rlft_tui.runs.imports.read_foreign import read_foreign
    from rlft_tui.runs.imports.store_import import write_upload

    found = read_foreign(path)
    for run in found:
        for line in run.refused[:_REFUSED_SHOWN]:
            session.say(f"refused: {run.name}: {line}")
        if (more := len(run.refused) - _REFUSED_SHOWN) > 0:
            session.say(f"and {more} more rows of {run.name}")
    made = []
    with session.connect() as client, tempfile.TemporaryDirectory() as folder:
        known = {one.id for one in client.runs()}
        for run in found:
            upload = Path(folder) / "run"
            write_upload(run, upload)
            made.append((client.import_run(upload), run))
    said = [
        {
            "id": one.id,
            "name": run.name,
            "source": run.source,
            "steps": one.step,
            "metrics": len(one.metrics),
            "refused": len(run.refused),
            "new": one.id not in known,
        }
        for one, run in made
    ]
    for one, run in made:
        if one.id in known:
            session.say(f"{one.id} was read from {run.log} before: brought up to date")
    session.show(said, lambda: table(tuple(said[0]), [tuple(entry.values()) for entry in said]))
