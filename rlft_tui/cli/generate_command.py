"""rlft generate: completions of prompts by one model, to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Category, Follow, Now, SpecFile
from rlft_tui.cli.session import Session
from rlft_tui.cli.spec_flags import parameters

app = noun("generate")

_OWN = {"n", "best_of", "keep_all", "rewards", "output", "format"}
"""Settings whose flags are written out below, and those of sampling."""


@command(
    app,
    "rlft generate --prompts occupations.txt -n 250 --temperature 0.9 --output ppo.csv --follow",
    "rlft generate --model base --prompts jobs.txt -n 4 --best-of 8 --reward occupational -o best.parquet",
    "rlft generate --prompts one.txt -n 3 --max-new-tokens 40 --stdout",
    "rlft generate --from completions-1130-0912-abcd --output all.jsonl",
    more=[
        each
        for each in parameters("completions")
        if each.name not in _OWN and not each.name.startswith("sampling__")
    ],
)
def generate(
    session: Session,
    prompts: Annotated[
        Path | None,
        typer.Option("--prompts", metavar="FILE", help="File of prompts [default: those in the workspace]"),
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", "--n", metavar="N", help="Completions of each prompt [default: 1]")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write when all is done: .csv, .jsonl or .parquet."
        ),
    ] = None,
    format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="csv, jsonl or parquet [default: by the suffix]")
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Replace the file if it is there.")] = False,
    stdout: Annotated[
        bool, typer.Option("--stdout", help="Wait, then print the completions (JSON lines, or --format csv).")
    ] = False,
    sampling__temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature", metavar="X", help="Divides the logits; 0 is greedy [0 to 5; default: 0.8]"
        ),
    ] = None,
    sampling__top_p: Annotated[
        float | None, typer.Option("--top-p", metavar="X", help="Nucleus [above 0, to 1; default: 1]")
    ] = None,
    sampling__max_new_tokens: Annotated[
        int | None,
        typer.Option("--max-new-tokens", metavar="N", help="Tokens of a completion at most [default: 128]"),
    ] = None,
    rewards: Annotated[
        list[str] | None,
        typer.Option(
            "--reward",
            metavar="SPEC",
            help="Reward completions: a built-in, rewards/mine.py, model:NAME; SPEC:WEIGHT; several add up.",
        ),
    ] = None,
    best_of: Annotated[
        int | None,
        typer.Option(
            "--best-of", metavar="N", help="Draw N candidates for each completion, keep the best [default: 1]"
        ),
    ] = None,
    keep_all: Annotated[
        bool | None,
        typer.Option(
            "--keep-all/--no-keep-all", help="Write all candidates, kept or not.", show_default=False
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="Prompts at most; 0 for all.")
    ] = 0,
    offset: Annotated[
        int, typer.Option("--offset", min=0, metavar="N", help="Prompts to leave out first.")
    ] = 0,
    category: Category = "",
    from_: Annotated[
        str,
        typer.Option("--from", metavar="RUN", help="Write what this run has so far; generate nothing."),
    ] = "",
    spec: SpecFile = None,
    follow: Follow = False,
    now: Now = False,
    **values: Any,
) -> None:
    """Complete prompts with one model, as often as wanted, into CSV, JSON lines or Parquet.

    A run of its own: it prints its id first, goes on without this command or the connection, and is
    resumed after a kill without repeats or gaps (rlft runs resume). The same prompt, seed and model give
    the same completions: see the guide, generate.md. With --reward each row has its reward, with
    --best-of only the best of its candidates is kept.
    """
    from rlft_tui.cli import completion_run

    wanted = completion_run.Wanted(output, format, stdout, replace)
    if from_:
        completion_run.write_from(session, from_, wanted)
        return
    given = {
        **values,
        "n": n,
        "best_of": best_of,
        "keep_all": keep_all,
        "rewards": rewards,
        "sampling__temperature": sampling__temperature,
        "sampling__top_p": sampling__top_p,
        "sampling__max_new_tokens": sampling__max_new_tokens,
    }
    chosen = completion_run.Prompts(prompts, limit, offset, category)
    completion_run.start(session, given, chosen, wanted, spec=spec, follow=follow, now=now)
