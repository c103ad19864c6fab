"""rlft compare"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.answer_options import MaxNewTokens, Seed, System, Temperature, TopP
from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Labeler
from rlft_tui.cli.session import Session
from rlft_tui.counted import counted
from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.server.answers import AskedSide

app = noun("compare")


@command(
    app,
    'rlft compare "Why is the sky blue?" --model smollm2-135m --model dpo-1129-1740-abcd',
    'rlft compare "Why?" -m smollm2-135m -m smollm2-135m@temperature=0 -m ollama:llama3.2',
    "rlft compare --prompts questions.txt -m smollm2-135m -m dpo-1129-1740-abcd --judge",
    "rlft compare --prompts questions.jsonl -m base -m tuned --json",
)
def compare(
    session: Session,
    prompt: Annotated[str, typer.Argument(metavar="[PROMPT]", help="What all are asked.")] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Two to four times; MODEL@temperature=0.2,seed=7 sets what is that side's own.",
        ),
    ] = None,
    models: Annotated[
        tuple[str, str] | None,
        typer.Option("--models", metavar="A B", help="Two models, in short for --model A --model B."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts", metavar="FILE", help="Prompts to go through: text lines, JSONL, CSV, Parquet."
        ),
    ] = None,
    system: System = "",
    temperature: Temperature = 0.7,
    top_p: TopP = 1.0,
    max_new_tokens: MaxNewTokens = 256,
    seed: Seed = 1,
    judge: Annotated[
        bool, typer.Option("--judge", help="Blind: ask for a verdict by key, and store it as a pair.")
    ] = False,
    labeler: Labeler = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Line by line behind a letter, also where columns fit.")
    ] = False,
) -> None:
    """Have two to four models answer, side by side; the answers come as they are written.

    With --prompts one prompt after the other; --json then prints one line of JSON for each. With --judge
    names stay hidden and each verdict is stored with everything that made the answers.
    """
    from rlft_tui.cli.compare_rounds import CompareRounds
    from rlft_tui.prompts.prompt import Prompt
    from rlft_tui.tui.prompt_walk import prompts_of_file

    given = {
        "temperature": str(temperature),
        "top_p": str(top_p),
        "max_new_tokens": str(max_new_tokens),
        "seed": str(seed),
    }
    sides = _sides([*(models or ()), *(model or [])], given)
    if bool(prompt.strip()) == (prompts is not None):
        what = "the prompt is empty" if prompts is None else "a prompt and a file of prompts"
        raise RlftError(what, where="rlft compare", remedy="Give a PROMPT, or --prompts FILE")
    if judge and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise RlftError("--judge asks for keys and needs a terminal", remedy="Leave it out in a pipe")
    if prompts is not None:
        asked, refused = prompts_of_file(prompts)
        if refused:
            session.say(f"left out, for they hold no prompt: {counted(refused, 'line')} of {prompts.name}")
    else:
        asked = (Prompt("", prompt),)
    with session.connect() as client:
        rounds = CompareRounds(session, client, sides, system, many=prompts is not None, lines=lines)
        if judge:
            rounds.judge(asked, session.labeler(labeler))
        else:
            rounds.run(asked)


def _sides(named: list[str], given: dict[str, str]) -> tuple[AskedSide, ...]:
    from rlft_tui.tui.comparison_sides import SideText, asked_sides, check_count, side_from

    check_count(len(named))
    rows = [side_from(text) for text in named]
    rows[0] = SideText(rows[0].model, {**given, **rows[0].settings})
    usual = {name: value for name, value in given.items() if name != "seed"}
    return asked_sides([rows[0], *(SideText(row.model, {**usual, **row.settings}) for row in rows[1:])])
