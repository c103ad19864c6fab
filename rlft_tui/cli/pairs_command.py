"""rlft pairs import|generate|list"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.generate_form import generate_flags
from rlft_tui.cli.import_text import show_report
from rlft_tui.cli.options import (
    Category,
    Follow,
    Labeler,
    Limit,
    Now,
    Offset,
    Search,
    SpecFile,
)
from rlft_tui.cli.session import Session, table
from rlft_tui.counted import plural

app = noun("pairs")


@command(
    app,
    "rlft pairs import pairs.jsonl",
    "rlft pairs import annotations.json --format alpaca-eval --as anna --json",
    "rlft pairs import org/preferences --split train",
    name="import",
)
def import_(
    session: Session,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="File to read, - for standard input, a saved data set's folder or its id on the hub.",
        ),
    ],
    form: Annotated[
        str,
        typer.Option("--format", metavar="NAME", help="What the rows mean; auto tells it by their columns."),
    ] = "auto",
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Which part of a data set [default: all]")
    ] = "",
    labeler: Labeler = None,
) -> None:
    """Import pairs of answers from JSONL, JSON, CSV or Parquet, whatever tool wrote them.

    Formats: plain (prompt, response_a, response_b and, if any, model_a, model_b, category,
    choice), trl, hh-rlhf, ultrafeedback, kto, alpaca-eval, lmarena, lmarena-55k, argilla,
    argilla-flat, label-studio, and archive, which rlft labels export writes. Verdicts that
    come with rows are stored under the annotator they name, else under yours.
    Every bad line is listed with its number and reason; the good ones are stored together.
    """
    from rlft_tui.cli.import_source import import_source

    who = session.labeler(labeler)
    with import_source(source, split) as (name, content), session.connect() as client:
        report = client.import_pairs(name, content, labeler=who, form=form)
    show_report(session, report, "pairs", "pair")


@command(app, "rlft pairs list --limit 20", "rlft pairs list --search bread --json", name="list")
def list_(
    session: Session, search: Search = "", category: Category = "", offset: Offset = 0, limit: Limit = 100
) -> None:
    """List pairs of answers."""
    with session.connect() as client:
        page = client.pairs(offset=offset, limit=limit, search=search, category=category)
    session.show(
        {"total": page.total, "pairs": page.pairs},
        lambda: table(
            ("id", "category", "model a", "model b", "prompt"),
            [(pair.id, pair.category, pair.model_a, pair.model_b, pair.prompt) for pair in page.pairs],
        ),
    )
    session.say(f"{len(page.pairs)} of {page.total} {plural(page.total, 'pair')}")


@command(
    app,
    "rlft pairs generate -n 20 --max-new-tokens 60 --temperature-b 1.2 --follow",
    "rlft pairs generate --prompts prompts.jsonl --model-a smollm2-135m --model-b dpo-1129-1740-abcd",
    more=generate_flags(),
)
def generate(
    session: Session,
    prompts: Annotated[
        Path | None,
        typer.Option("--prompts", metavar="FILE", help="File of prompts [default: those in the workspace]"),
    ] = None,
    count: Annotated[
        int,
        typer.Option(
            "-n", "--count", min=0, metavar="N", help="Prompts to answer, from the first on; 0 for all."
        ),
    ] = 0,
    offset: Annotated[
        int, typer.Option("--offset", min=0, metavar="N", help="Prompts to leave out first.")
    ] = 0,
    category: Category = "",
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-new-tokens", metavar="N", help="Tokens at most, of both sides.", show_default=False
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", metavar="X", help="Of both sides; 0 is greedy.", show_default=False),
    ] = None,
    spec: SpecFile = None,
    follow: Follow = False,
    now: Now = False,
    **values: Any,
) -> None:
    """Have two models, or one at two settings, answer prompts: a run that makes pairs.

    Prints the run's id first. The pairs are in the workspace when the run has finished.
    The same --seed gives the same pairs; without one each run has its own.
    """
    from rlft_tui.cli.generate_form import generate_values, of_both_sides, prompt_rows
    from rlft_tui.cli.run_progress import finish_launch

    values = of_both_sides(values, max_new_tokens=max_new_tokens, temperature=temperature)
    settings = session.settings()
    launch = generate_values(spec, values, default_model=settings.default_model, threads=settings.threads)
    with session.connect() as client:
        launch["prompt_rows"] = prompt_rows(
            session, client, prompts, count=count, offset=offset, category=category
        )
        run = client.launch({**launch, "now": now})
        finish_launch(session, client, run, follow=follow)
