"""rlft judge run|show|calls|calibrate|rubrics"""

from __future__ import annotations

from typing import Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Category, Follow, Limit, Offset
from rlft_tui.cli.session import Session, fields, moment, table
from rlft_tui.counted import plural

app = noun("judge")

_Rubric = Annotated[
    str, typer.Option("--rubric", metavar="NAME", help="Rubric, as rlft judge rubrics lists it, or its file.")
]


@command(
    app,
    "rlft judge run --judge ollama:llama3.2 --model tuned --against base -n 100 --follow",
    "rlft judge run --judge openai --labelled-by anna --rubric rubrics/mine.md",
    "rlft judge run --judge smollm2-135m --mode rating --model tuned",
)
def run(
    session: Session,
    judge: Annotated[
        str,
        typer.Option(
            "--judge", metavar="NAME", help="A provider of rlft.toml (NAME or NAME:MODEL), or a model here."
        ),
    ],
    mode: Annotated[
        str,
        typer.Option(
            "--mode", metavar="pair|rating", help="Which of two answers is better, or 1 to 5 for one."
        ),
    ] = "pair",
    rubric: _Rubric = "helpfulness",
    name: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="Its labels are judge:NAME's [default: the model's name]"
        ),
    ] = "",
    model: Annotated[
        str,
        typer.Option("--model", "-m", metavar="NAME", help="Only answers of this model, against any other."),
    ] = "",
    against: Annotated[
        str, typer.Option("--against", metavar="NAME", help="Only against this model's.")
    ] = "",
    run_id: Annotated[
        str, typer.Option("--run", metavar="RUN", help="Rate the answers of this evaluation or generation.")
    ] = "",
    labelled_by: Annotated[
        str,
        typer.Option("--labelled-by", metavar="NAME", help="Only pairs that NAME has judged; * for anybody."),
    ] = "",
    category: Category = "",
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", min=0, metavar="N", help="Items at most, drawn at random; 0 for all."),
    ] = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Also what it has judged by this very rubric.")
    ] = False,
    one_order: Annotated[
        bool,
        typer.Option(
            "--one-order", help="Show each pair once, half of them swapped: half the cost, and no check."
        ),
    ] = False,
    combine: Annotated[
        str,
        typer.Option(
            "--combine",
            metavar="agree|average",
            help="How two orders make one verdict [default: average for a model here, agree for others]",
        ),
    ] = "",
    no_labels: Annotated[
        bool, typer.Option("--no-labels", help="Only report; make no labels of the verdicts.")
    ] = False,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=64, metavar="N", help="Calls at once.")
    ] = 4,
    requests_per_minute: Annotated[
        float, typer.Option("--requests-per-minute", min=0.0, metavar="N", help="At most; 0 for no limit.")
    ] = 0.0,
    max_answer_tokens: Annotated[
        int,
        typer.Option(
            "--max-answer-tokens", min=8, metavar="N", help="Tokens of one verdict with its reasons."
        ),
    ] = 512,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0.0, max=2.0, metavar="T", help="0: likeliest.")
    ] = 0.0,
    max_cost: Annotated[
        float,
        typer.Option(
            "--max-cost", min=0.0, metavar="X", help="Stop at this cost; needs [prices] in rlft.toml."
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the choice of items.")] = 0,
    follow: Follow = False,
    now: Annotated[
        bool | None,
        typer.Option(
            "--now/--in-line", help="Start beside what is on the device [default: only where it needs none]"
        ),
    ] = None,
) -> None:
    """Let a model judge answers: which of two is better, or how good one is.

    Prints the run's id. Each pair is shown in both orders: a provider's side wins only where it wins in
    both, a model here is weighed over the two (--combine takes the other way).
    An answer without a clear verdict is counted, and is no score and no tie. The run survives this
    connection; killed, it goes on with rlft runs resume RUN and asks nothing twice but what was
    under way. The verdicts are labels of judge:NAME: rlft models ratings --by judge.
    """
    from rlft_tui.cli.run_progress import finish_launch
    from rlft_tui.errors import RlftError
    from rlft_tui.evaluations.judge.request import JudgeRequest
    from rlft_tui.ids import new_run_id

    if mode not in ("pair", "rating"):
        raise RlftError(f"no way of judging is called {mode!r}", where="--mode", remedy="pair or rating")
    if combine not in ("", "agree", "average"):
        raise RlftError(
            f"orders are not combined by {combine!r}", where="--combine", remedy="agree or average"
        )
    asked = JudgeRequest(
        id=new_run_id("judge"),
        judge=judge,
        mode="pair" if mode == "pair" else "rating",
        name=name,
        rubric=rubric,
        model=model,
        against=against,
        run=run_id,
        labelled_by=labelled_by,
        category=category,
        limit=limit,
        again=again,
        both_orders=not one_order,
        combine="agree" if combine == "agree" else "average" if combine == "average" else "",
        keep=not no_labels,
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        max_answer_tokens=max_answer_tokens,
        temperature=temperature,
        max_cost=max_cost,
        seed=seed,
        now=now,
    )
    with session.connect() as client:
        finish_launch(session, client, client.launch_judge(asked), follow=follow)


@command(app, "rlft judge show", "rlft judge show judge-1130-0612-abcd --json")
def show(
    session: Session,
    run_id: Annotated[
        str, typer.Argument(metavar="[RUN]", help="One run; else all are listed.", show_default=False)
    ] = "",
) -> None:
    """Show what came of judges' runs: verdicts, answers without one, tokens, cost."""
    from rlft_tui.cli.judge_text import judge_run_fields

    with session.connect() as client:
        if run_id:
            one = client.judge_run(run_id)
            found = [each for each in client.evaluations(latest=False) if each.run_id == run_id]
            session.show({"run": one, "results": found}, lambda: fields(judge_run_fields(one, found)))
            return
        runs = client.judge_runs()
    session.show(
        runs,
        lambda: table(
            ("run", "status", "judge", "mode", "rubric", "calls", "unparsable", "refused", "cost", "when"),
            [
                (
                    one.id, one.status, one.judge, one.mode, one.rubric, f"{one.tally.calls}/{one.calls}",
                    one.tally.unparsable, one.tally.refused, one.tally.cost or "", moment(one.created),
                )
                for one in runs
            ],
        ),
    )  # fmt: skip
    if not runs:
        session.say("No judge has judged here yet: rlft judge run --judge NAME")


@command(app, "rlft judge calls judge-1130-0612-abcd --status unparsable")
def calls(
    session: Session,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A judge's run.")],
    status: Annotated[
        str, typer.Option("--status", metavar="NAME", help="Only parsed, unparsable or refused ones.")
    ] = "",
    offset: Offset = 0,
    limit: Limit = 20,
) -> None:
    """Show single calls: the item, the order, what the judge answered, and its label if it gave one."""
    with session.connect() as client:
        page = client.judgements(run_id, status=status, offset=offset, limit=limit)
    session.show(
        page,
        lambda: table(
            ("item", "first", "status", "label", "tokens", "answer"),
            [
                (
                    one.item_id, one.first, one.status, one.label,
                    (one.prompt_tokens or 0) + (one.answer_tokens or 0), " ".join(one.answer.split()),
                )
                for one in page.judgements
            ],
        ),
    )  # fmt: skip
    session.say(f"{len(page.judgements)} of {page.total} {plural(page.total, 'call')}")


@command(app, "rlft judge calibrate llama3.2", "rlft judge calibrate llama3.2 --against anna --json")
def calibrate(
    session: Session,
    judge: Annotated[str, typer.Argument(metavar="JUDGE", help="Name of a judge, as in judge:NAME.")],
    against: Annotated[
        str,
        typer.Option("--against", metavar="NAME", help="Labeller [default: labeler in rlft.toml; * for all]"),
    ] = "",
) -> None:
    """Set a judge against your own verdicts on the same pairs.

    Agreement and Cohen's kappa with 95 % intervals, beside how often you agree with yourself; what the
    judge gives to the answer shown first, and to the longer one; how often its verdict went with the
    order; the share of answers without a verdict. First let it judge what you have judged:
    rlft judge run --judge NAME --labelled-by YOU.
    """
    from rlft_tui.cli.judge_text import calibration_text

    labeler = "" if against == "*" else session.labeler(against or None)
    with session.connect() as client:
        found = client.calibration(judge.removeprefix("judge:"), labeler=labeler)
    session.show(found, lambda: calibration_text(found))
    if not found.met.agreed.n and not found.ratings.n:
        session.say(
            f"No answer was judged by both: rlft judge run --judge NAME --labelled-by {labeler or '*'}"
        )


@command(app, "rlft judge rubrics", "rlft judge rubrics --json")
def rubrics(session: Session) -> None:
    """List the rubrics: those that come along, and this workspace's own in rubrics/."""
    with session.connect() as client:
        found = client.rubrics()
    session.show(
        found,
        lambda: table(
            ("rubric", "pair version", "rating version", "title", "file"),
            [
                (
                    one.name,
                    one.versions.get("pair", "-"),
                    one.versions.get("rating", "-"),
                    one.title or one.fault,
                    one.path,
                )
                for one in found
            ],
        ),
    )
