"""rlft models list|pull|show|score|ratings, export, and the verbs of model_registry_commands"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.export_command import add_export_command
from rlft_tui.cli.model_registry_commands import add_registry_commands
from rlft_tui.cli.session import Session, fields, moment, table
from rlft_tui.errors import NotFoundError
from rlft_tui.models.model import Model

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

app = noun("models")


@command(app, "rlft models list", "rlft models list --json", name="list")
def list_(session: Session) -> None:
    """List the models that this workspace knows."""
    with session.connect() as client:
        models = client.models()
    session.show(
        models,
        lambda: table(
            ("name", "kind", "base", "made", "current of", "tags", "path"),
            [
                (m.name, m.kind, m.base, moment(m.created_at), m.current_of, " ".join(m.tags), m.path)
                for m in models
            ],
        ),
    )
    if not models:
        session.say("No models yet. Fetch one: rlft models pull smollm2-135m")


@command(app, "rlft models pull smollm2-135m", "rlft models pull ./my-model --as mine")
def pull(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="smollm2-135m (no model hub needed), a folder, or a hub id.")
    ],
    known_as: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Name in this workspace [default: its own]")
    ] = "",
) -> None:
    """Fetch a base model into this user's cache and register it in the workspace, if there is one."""
    from msgspec.structs import replace

    from rlft_tui.models.pull import pull_model

    session_workspace = _workspace_or_none(session)
    model = pull_model(name, session.say)
    if known_as:
        model = replace(model, name=known_as)
    if session_workspace:
        with session.connect() as client:
            model = client.add_model(model)
    else:
        session.say("No workspace here: it lies in the cache, and a workspace can pull it at no cost")
    session.show(model, model.path)


@command(app, "rlft models show smollm2-135m", "rlft models show dpo-1129-1740-abcd --json")
def show(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, as rlft models list shows it.")],
) -> None:
    """Show a model: where it lies, what it was trained from and on, how a reward model measured up."""
    with session.connect() as client:
        found = find_model(client.models(), name)
        audited = _audited(client, found)
    session.show(
        found,
        lambda: fields(
            [
                ("name", found.name),
                ("kind", found.kind),
                ("path", found.path),
                ("base", found.base),
                ("base path", found.base_path),
                ("run", found.run_id),
                ("data set", found.dataset),
                ("made", moment(found.created_at)),
                ("current of", found.current_of),
                ("tags", " ".join(found.tags)),
                ("note", found.note),
                *audited,
            ]
        ),
    )


@command(
    app,
    "rlft models score judge --prompt 'Say hello.' --response Hello. --response 'Good day to you.'",
    "rlft models score judge answers.jsonl --json",
)
def score(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A reward model, of rlft train reward.")],
    source: Annotated[
        str, typer.Argument(metavar="[FILE]", help="Rows with a prompt and an answer.", show_default=False)
    ] = "",
    prompt: Annotated[str, typer.Option("--prompt", metavar="TEXT", help="What was asked.")] = "",
    response: Annotated[
        list[str] | None, typer.Option("--response", metavar="TEXT", help="An answer; may be repeated.")
    ] = None,
) -> None:
    """Score answers with a reward model, on its own scale: only differences mean something.

    FILE may be JSONL, JSON, CSV or Parquet with prompt and completion, messages, and whatever else
    rlft data import --kind sft reads. Shown best first; --json keeps the order.
    """
    from rlft_tui.cli.score_command import score_answers

    score_answers(session, name, source, prompt, response or [])


@command(
    app,
    "rlft models ratings",
    "rlft models ratings --against smollm2-135m --json",
    "rlft models ratings --by judge",
)
def ratings(
    session: Session,
    against: Annotated[
        str, typer.Option("--against", metavar="NAME", help="Count only comparisons with this model.")
    ] = "",
    by: Annotated[
        str, typer.Option("--by", metavar="WHO", help="human, judge, all, or one labeller's name.")
    ] = "human",
) -> None:
    """Wins and losses of each model over the current verdicts; a tie counts half.

    The rating is Bradley-Terry's on the scale of chess (100 points are odds of 1.8), above the
    mean of all models or above the one named with --against. The win rate at equal length is
    AlpacaEval 2's. All intervals are 95 %.
    """
    with session.connect() as client:
        rated = client.ratings(against=against, by=by)
    session.show(
        rated,
        lambda: table(
            (
                *("model", "n", "wins", "losses", "ties", "win rate", "95 % interval"),
                *("rating", "95 % interval", "at equal length"),
            ),
            [
                (
                    r.model,
                    r.n,
                    r.wins,
                    r.losses,
                    r.ties,
                    f"{r.win_rate:.1f} %",
                    f"{r.ci95[0]:.1f} – {r.ci95[1]:.1f}",
                    "-" if r.bt is None else f"{r.bt:+.0f}",
                    "-" if r.bt_ci95 is None else f"{r.bt_ci95[0]:+.0f} – {r.bt_ci95[1]:+.0f}",
                    "-" if r.lc_win_rate is None else f"{r.lc_win_rate:.1f} %",
                )
                for r in rated
            ],
        ),
    )
    if not rated:
        session.say("No verdict compares two models that are named")


add_export_command(app)
add_registry_commands(app)


def _audited(client: WorkspaceClient, model: Model) -> list[tuple[str, str]]:
    """What the run of a reward model measured on held-out comparisons."""
    if model.kind != "reward" or not model.run_id:
        return []
    try:
        run = client.run(model.run_id)
    except NotFoundError:
        return []
    found = [
        (name.removeprefix("heldout/").replace("_", " "), f"{value:.3g}")
        for name, value in sorted(run.metrics.items())
        if name.startswith("heldout/") and isinstance(value, float)
    ]
    return [*found, ("disagreements", f"{run.path}/reward_audit.json")] if found else []


def find_model(models: tuple[Model, ...], name: str) -> Model:
    """The model of that name; NotFoundError names the nearest one."""
    import difflib

    for model in models:
        if model.name == name:
            return model
    near = difflib.get_close_matches(name, [model.name for model in models], n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"Fetch it: rlft models pull {name}"
    raise NotFoundError("no such model", where=name, remedy=remedy)


def _workspace_or_none(session: Session) -> bool:
    try:
        session.workspace()
    except NotFoundError:
        if session.folder is not None:
            raise
        return False
    return True
