"""rlft models lineage|versions|note|tag|du|rm|ab"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command
from rlft_tui.cli.confirm import confirmed
from rlft_tui.cli.session import Session, moment, table
from rlft_tui.counted import counted
from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.models.model_files import DiskUse
    from rlft_tui.models.removal import Removal

ModelName = Annotated[str, typer.Argument(metavar="NAME", help="Name, as rlft models list shows it.")]


def add_registry_commands(app: typer.Typer) -> None:
    """The verbs about a model beyond its row."""
    command(app, "rlft models lineage dpo-1129-1740-abcd", "rlft models lineage support-v40 --json")(lineage)
    command(app, "rlft models versions", "rlft models versions support --json")(versions)
    command(app, "rlft models note support-v40 'polite, a bit long'")(note)
    command(app, "rlft models tag support-v40 demo --drop draft")(tag)
    command(app, "rlft models du", "rlft models du --json")(du)
    command(app, "rlft models rm dpo-1129-1740-abcd --dry-run", "rlft models rm dpo-1129-1740-abcd --yes")(rm)
    command(
        app,
        "rlft models ab support-v20 support-v40 --prompts prompts.jsonl -n 30",
        "rlft models ab --json",
    )(ab)


def lineage(session: Session, name: ModelName) -> None:
    """Show what a model was made from: run, data, labels, and what it began with, down to the base."""
    from rlft_tui.models.lineage import lines, made_from

    with session.connect() as client:
        root = client.lineage(name)
        above = made_from(client.models(), name)
    session.show(
        {"lineage": root, "made_from_it": above},
        lambda: "\n".join(
            f"{branch}{' '.join(filter(None, (node.role, node.name)))}  {node.about}".rstrip()
            for branch, node in lines(root)
        ),
    )
    if above:
        session.say(f"Made from it: {', '.join(above)}")


def versions(
    session: Session,
    policy: Annotated[str, typer.Argument(metavar="[POLICY]", help="Only of this policy.")] = "",
) -> None:
    """List the versions of each policy, with how they fared against the one before."""
    from rlft_tui.evaluations.round_text import rate_text

    with session.connect() as client:
        found = client.versions(policy)
    session.show(
        found,
        lambda: table(
            ("policy", "model", "", "method", "rows", "against", "win rate, 95 %", "made"),
            [
                (
                    *(one.policy, one.model, "current" if one.is_current else one.decision, one.method),
                    *(one.feedback, one.opponent, rate_text(one.score), moment(one.created_at)),
                )
                for one in found
            ],
        ),
    )
    if not found:
        session.say("No versions yet. A training run makes one: rlft train dpo --policy NAME")


def note(
    session: Session,
    name: ModelName,
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="The whole note; nothing takes it away.")
    ] = "",
) -> None:
    """Write a note about a model, in place of the one there was."""
    with session.connect() as client:
        model = client.remark_model(name, note=text)
    session.show(model, model.note)


def tag(
    session: Session,
    name: ModelName,
    tags: Annotated[list[str] | None, typer.Argument(metavar="[TAG]...", help="To be added.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="TAG", help="To be taken away; may be repeated.")
    ] = None,
) -> None:
    """Tag a model, or take tags away."""
    from rlft_tui.runs.remarks import split_tags

    with session.connect() as client:
        model = client.remark_model(name, add_tags=split_tags(tags or ()), drop_tags=tuple(drop or ()))
    session.show(model, " ".join(model.tags))


def du(session: Session) -> None:
    """Show what each model takes on the disk and in memory, and whether it fits now.

    own is what its removal would free: a version's files are often links to its run's.
    """
    with session.connect() as client:
        use = client.disk_use()
    session.show(use, lambda: _use_table(use))


def rm(
    session: Session,
    name: ModelName,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a model and its files below the workspace; refused while something rests on it.

    What lies in this user's cache is only forgotten: other workspaces may use it. Verdicts on its
    answers stay.
    """
    import sys

    with session.connect() as client:
        planned = client.removal(name)
        if dry_run:
            session.show(planned, "\n".join(removal_lines(planned)))
            return
        if not planned.rests and not yes:
            for line in removal_lines(planned):
                session.say(line)
            if not sys.stdin.isatty():
                raise RlftError("nothing was removed", where=name, remedy="Add --yes to remove it")
            if not confirmed("Remove it?"):
                raise typer.Exit(1)
        done = client.remove_model(name)
    session.show(done, done.name)


def ab(
    session: Session,
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL OPPONENT]", help="Two models; none shows the tests there are."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option("--prompts", metavar="FILE", help="File of prompts [default: those in the workspace]"),
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, metavar="N", help="Prompts to answer.")] = 20,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0.0, max=5.0, help="Of both models' answers.")
    ] = 0.7,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=1, max=8192, help="Tokens of an answer at most.")
    ] = 128,
) -> None:
    """Test two models against each other: both answer the same prompts, and the pairs are judged blind.

    Prints the test's id. Judge its pairs with rlft label --model A --model B; rlft models ab shows how
    it stands, rlft loop promote ID makes the first one current.
    """
    from rlft_tui.cli.loop_command import show_rounds

    if not models:
        with session.connect() as client:
            tests = client.rounds("ab")
        show_rounds(session, tests, empty="No A/B tests yet: rlft models ab MODEL OPPONENT")
        return
    if len(models) != 2:
        raise RlftError(f"{counted(len(models), 'model')} named", where="rlft models ab", remedy="Name two")
    from rlft_tui.cli.generate_form import prompt_rows
    from rlft_tui.ids import new_run_id

    with session.connect() as client:
        rows = None
        if prompts is not None:
            rows = prompt_rows(session, client, prompts, count=count, offset=0, category="")
        one = client.begin_ab_test(
            new_run_id("ab"),
            models[0],
            models[1],
            pairs=count,
            prompt_rows=rows,
            sampling={"temperature": temperature, "max_new_tokens": max_new_tokens},
        )
    session.show(one, one.round.id)
    session.say(f"Both answer now ({', '.join(one.pairs_runs)}). Then: rlft label --model {models[0]}")


def removal_lines(planned: Removal) -> list[str]:
    """What would happen, a line each."""
    from rlft_tui.cli.size_text import size

    if planned.rests:
        return [f"{planned.name} is not removed:", *(f"- {line}" for line in planned.rests)]
    what = (
        f"{planned.folder} is deleted, {size(planned.frees)} freed" if planned.folder else "it is forgotten"
    )
    return [f"{planned.name}: {what}", *(f"- stays: {line}" for line in planned.stays)]


def _use_table(use: DiskUse) -> str:
    from rlft_tui.cli.size_text import size

    fits = {True: "yes", False: "no", None: ""}
    body = table(
        ("model", "on disk", "own", "parameters", "in memory", "fits", "where", "path"),
        [
            (
                *(one.name, size(one.bytes), size(one.own_bytes)),
                f"{one.parameters / 1e6:,.1f} M" if one.parameters else "",
                size(one.memory_bytes) if one.memory_bytes else "",
                *(fits[one.fits], one.place, one.path),
            )
            for one in use.models
        ],
    )
    total = (
        f"all together {size(use.bytes)}, each file once; {size(use.free_bytes)} left on the disk, "
        f"{size(use.memory_bytes)} of memory free"
    )
    return f"{body}\n{total}".lstrip("\n")
