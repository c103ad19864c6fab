"""rlft eval run|list|show|items|report|texts|suites|check"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Follow, Limit, Now, Offset, RunId, Search
from rlft_tui.cli.session import Session, table
from rlft_tui.counted import plural

if TYPE_CHECKING:
    from rlft_tui.evaluations.evaluation import MetricChange
    from rlft_tui.models.model import Rating

app = noun("eval")

SuiteName = Annotated[
    str, typer.Argument(metavar="SUITE", help="Name of a suite, as rlft eval suites lists it.")
]
ModelName = Annotated[str, typer.Option("--model", "-m", metavar="NAME", help="Only of this model.")]
Against = Annotated[
    str, typer.Option("--against", metavar="NAME", help="The baseline that each model is tested against.")
]
TaskName = Annotated[str, typer.Option("--task", metavar="NAME", help="Only of this task.")]


@command(
    app,
    "rlft eval run basics --model smollm2-135m --follow",
    "rlft eval run basics -m dpo-1129-1740-abcd -m smollm2-135m",
    "rlft eval run code --model smollm2-135m --seed 1 --batch-size 16",
)
def run(
    session: Session,
    suite: SuiteName,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="Model to measure; may be repeated [default: the default model]",
        ),
    ] = None,
    items: Annotated[
        int, typer.Option("--items", min=0, metavar="N", help="Only the first N items of each task.")
    ] = 0,
    seed: Annotated[
        int, typer.Option("--seed", min=0, metavar="N", help="Where sampled answers start from.")
    ] = 0,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, metavar="N", help="Items in one forward pass.")
    ] = 8,
    precision: Annotated[
        str,
        typer.Option("--precision", metavar="NAME", help="fp32 | bf16 | fp16 | auto: what is computed in."),
    ] = "fp32",
    shards: Annotated[
        int,
        typer.Option(
            "--shards",
            min=0,
            metavar="N",
            help="Processes that share the items [default: one a GPU]",
            show_default=False,
        ),
    ] = 0,
    under: Annotated[
        str,
        typer.Option(
            "--under", metavar="NAME", help="Model that fluency is measured with [default: the base]"
        ),
    ] = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure again what was measured before with the same settings.")
    ] = False,
    follow: Follow = False,
    now: Now = False,
) -> None:
    """Measure a model on a suite of tasks; every figure comes with its n and its 95 % interval.

    Prints the run's id, one a model. A run goes on when this command or the connection ends, and
    after a crash with what is left: rlft runs resume RUN. What was measured before of the same
    weights with the same settings is taken over.
    """
    from rlft_tui.cli.eval_text import figure_table
    from rlft_tui.cli.evaluation_launch import launch_evaluations
    from rlft_tui.cli.run_progress import exit_code, follow_run
    from rlft_tui.cli.run_text import run_json

    settings = session.settings()
    values: dict[str, Any] = {
        "items": items,
        "seed": seed,
        "batch_size": batch_size,
        "precision": precision,
        "shards": shards,
        "threads": settings.threads,
        "fresh": fresh,
        "now": now,
    }
    if under:
        values["reference"] = under
    failed = False
    with session.connect() as client:
        names = model or [settings.default_model]
        runs = launch_evaluations(client, values, [(suite, name) for name in names])
        if not session.json:
            session.show(None, "\n".join(one.id for one in runs))
        if follow:
            runs = [follow_run(session, client, one.id) for one in runs]
            failed = any(exit_code(one) for one in runs)
            found = [row for row in client.evaluations(suite=suite) if row.run_id in {one.id for one in runs}]
            if not session.json and found:
                session.show(None, figure_table(found))
        if session.json:
            shown = [run_json(one) for one in runs]
            session.show(shown if len(shown) > 1 else shown[0], "")
    if failed:
        raise typer.Exit(1)


@command(app, "rlft eval list", "rlft eval list --model smollm2-135m --json", name="list")
def list_(
    session: Session,
    model: ModelName = "",
    suite: Annotated[str, typer.Option("--suite", metavar="NAME", help="Only of this suite.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Older measurements of the same, too.")] = False,
) -> None:
    """List every figure there is, with n and its 95 % interval."""
    from rlft_tui.cli.eval_text import figure_table

    with session.connect() as client:
        found = client.evaluations(model=model, suite=suite, latest=not every)
    session.show(found, lambda: figure_table(found))
    if not found:
        session.say("No evaluations yet. Run one: rlft eval run basics")


@command(
    app,
    "rlft eval show basics --against smollm2-135m",
    "rlft eval show --model dpo-1129-1740-abcd --against smollm2-135m --json",
)
def show(
    session: Session,
    suite: Annotated[
        str, typer.Argument(metavar="[SUITE]", help="Only this suite.", show_default=False)
    ] = "",
    model: ModelName = "",
    against: Against = "",
) -> None:
    """Show metrics by model, and how each differs from a baseline on the same items.

    An arrow says which way a metric went, a star that it is no chance: p below 0.05 after Holm's
    correction for all the metrics of that model. p is McNemar's exact test for shares, a paired
    permutation test for means.
    """
    from rlft_tui.cli.eval_text import change_table, figure_table, human_lines
    from rlft_tui.errors import NotFoundError

    human: tuple[Rating, ...] = ()
    with session.connect() as client:
        found = [
            one for one in client.evaluations(suite=suite) if model in ("", one.model) or one.model == against
        ]
        if not found and suite and suite not in {one.name for one in client.suites()}:
            raise NotFoundError(f"no suite called {suite!r}", remedy="rlft eval suites")
        names = list(dict.fromkeys(one.model for one in found if one.model != against))
        changed: dict[str, tuple[MetricChange, ...]] = {}
        if against:
            if not found:
                raise NotFoundError("nothing was measured yet", remedy="rlft eval run SUITE --model NAME")
            changed = {name: client.evaluation_changes(name, against, suite=suite) for name in names}
            # No verdict on the baseline is no fault here.
            with contextlib.suppress(NotFoundError):
                human = client.ratings(against=against)
    session.show(
        {"evaluations": found, "changes": [one for own in changed.values() for one in own], "human": human},
        lambda: (
            "\n".join([change_table(found, changed, against), *human_lines(human, against)])
            if against
            else figure_table(found)
        ),
    )
    if not found:
        session.say(f"Nothing was measured yet: rlft eval run {suite or 'SUITE'} --model NAME")
    tested = sum(one.p is not None for own in changed.values() for one in own)
    if tested > 1:
        session.say(f"{tested} comparisons were made: p is corrected for those of each model (Holm)")


@command(
    app,
    "rlft eval items evaluate-1130-0612-abcd --wrong",
    "rlft eval items evaluate-1130-0612-abcd --task arithmetic --json",
)
def items(
    session: Session,
    run: RunId,
    task: TaskName = "",
    wrong: Annotated[
        bool, typer.Option("--wrong", help="Only what scored 0 or could not be judged.")
    ] = False,
    search: Search = "",
    offset: Offset = 0,
    limit: Limit = 20,
) -> None:
    """Show single items: what was asked, said and expected, and what it was worth."""
    from rlft_tui.cli.eval_text import item_text

    with session.connect() as client:
        page = client.evaluation_items(run, task=task, offset=offset, limit=limit, search=search, wrong=wrong)
    session.show(page, lambda: "\n\n".join(item_text(item) for item in page.items))
    session.say(f"{len(page.items)} of {page.total} {plural(page.total, 'item')}")


@command(
    app,
    "rlft eval report --against smollm2-135m -o report.html",
    "rlft eval report --measure basics -m dpo-1 -m ppo-1 --against smollm2-135m --judge ollama:llama3.2",
    "rlft eval report --measure basics --items 20 -m dpo-1 --against smollm2-135m -o report.html -o table.md",
    "rlft eval report --suite basics --against smollm2-135m -o figures.csv",
)
def report(
    session: Session,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=".html, .md or .csv; may be repeated [default: exports/report-DATE.html]",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", metavar="NAME", help="Only these; may be repeated [default: all]"),
    ] = None,
    against: Against = "",
    suite: Annotated[
        list[str] | None,
        typer.Option("--suite", metavar="NAME", help="Only these; people for verdicts of people."),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option("--measure", metavar="SUITE", help="First measure every model on this suite."),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option("--judge", metavar="NAME", help="First have this judge compare the stored pairs."),
    ] = None,
    items: Annotated[
        int, typer.Option("--items", min=0, metavar="N", help="Measure only the first N items of each task.")
    ] = 0,
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="Heading of the report.")
    ] = "Evaluation report",
) -> None:
    """Write a whole report: models by metrics, changes against a baseline, intervals, pictures.

    An HTML file needs nothing else: it has the pictures, win rates by people and by judges, how far
    the judges agree with people, and the items on which a model and the baseline differ.
    """
    from rlft_tui.cli.eval_report import write_report
    from rlft_tui.errors import RlftError

    if (measure or judge) and not (model and against):
        raise RlftError("measuring needs names", remedy="Give --model and --against")
    write_report(
        session,
        outputs=output or (),
        baseline=against,
        models=model or (),
        suites=suite or (),
        measure=measure or (),
        judges=judge or (),
        items=items,
        title=title,
    )


@command(
    app,
    "rlft eval texts base=base.csv best-of=best.csv ppo=ppo.csv --reward occupational --under smollm2-135m",
    "rlft eval texts base.csv ppo.csv --reward length --threshold 0.8 --picture texts.svg",
)
def texts(
    session: Session,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]FILE...",
            help="Completions of the same prompts, as rlft generate writes them; the first is the baseline.",
        ),
    ],
    reward: Annotated[
        str,
        typer.Option(
            "--reward", metavar="SPEC", help="A built-in or model:NAME [default: the reward column]"
        ),
    ] = "",
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="X", help="Count a text as compliant from this reward on."),
    ] = None,
    under: Annotated[
        str, typer.Option("--under", metavar="NAME", help="Measure fluency: perplexity under this model.")
    ] = "",
    plot: Annotated[bool, typer.Option("--plot", help="Draw the intervals below the table.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Draw them as .svg or .png.")
    ] = None,
) -> None:
    """Compare files of completions: compliance, diversity, fluency, each with its 95 % interval.

    Compliance is the share of texts that keep every constraint (of the occupational reward, or a reward
    from --threshold on). Diversity: distinct-1 and -2, the share of different texts, self-BLEU among the
    texts of a prompt. The sets are brought to one size first, prompt by prompt.
    """
    from rlft_tui.cli.text_evaluation import evaluate_texts

    evaluate_texts(
        session, files, reward=reward, threshold=threshold, under=under, plot=plot, picture=picture
    )


@command(app, "rlft eval suites", "rlft eval suites --json")
def suites(session: Session) -> None:
    """List the suites: those that come along, and this workspace's own in suites/."""
    with session.connect() as client:
        found = client.suites()
    session.show(
        found,
        lambda: table(
            ("suite", "tasks", "from", "what it is for"),
            [
                (
                    one.name,
                    ", ".join(name for name, _ in one.tasks) or "-",
                    "rlft" if one.built_in else one.path,
                    one.trouble or one.title,
                )
                for one in found
            ],
            wrap=True,
        ),
    )


@command(app, "rlft eval check basics", "rlft eval check my-suite --json")
def check(session: Session, suite: SuiteName) -> None:
    """Score a suite's own reference answers: they have to be right, or the suite is wrong.

    Needs no model: every expected answer goes through the extractor, and every reference program
    through the sandbox. Exit code 1 when one of them is not right.
    """
    from rlft_tui.evaluations.suites.check import check_suite

    checked = check_suite(suite, session.own_workspace().root, session.say)
    session.show(
        checked,
        lambda: table(
            ("task", "kind", "items", "right", "wrong"),
            [
                (one.task, one.kind, one.n, one.right, ", ".join(one.wrong[:5]) or one.remark)
                for one in checked
            ],
        ),
    )
    if any(one.wrong for one in checked):
        raise typer.Exit(1)
