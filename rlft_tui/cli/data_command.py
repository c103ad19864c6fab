"""rlft data build|import|list|check|export"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session, fields, moment, table
from rlft_tui.counted import plural

if TYPE_CHECKING:
    from rlft_tui.datasets.dataset import Dataset

app = noun("data")


class KindName(StrEnum):
    """What the rows of a data set are."""

    preference = "preference"
    sft = "sft"
    unpaired = "unpaired"
    scored = "scored"
    prompts = "prompts"


Kind = Annotated[
    KindName,
    typer.Option(
        "--kind",
        help="preference (DPO, reward), sft, unpaired (KTO), scored (reward) or prompts (GRPO, RLOO, PPO).",
    ),
]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="Name to find it by.")]
HeldOut = Annotated[
    float, typer.Option("--heldout", min=0.0, max=0.9, metavar="X", help="Share of the prompts kept out.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Decides which prompts are kept out.")]
DatasetName = Annotated[
    str, typer.Argument(metavar="[DATASET]", help="Hash, the start of one, a name, or latest.")
]


@command(
    app,
    "rlft data build",
    "rlft data build --name first-round --heldout 0.25 --labeler anna --labeler ben",
    "rlft data build --kind unpaired",
)
def build(
    session: Session,
    kind: Kind = KindName.preference,
    name: Name = "",
    heldout: HeldOut = 0.2,
    seed: Seed = 0,
    labeler: Annotated[
        list[str] | None,
        typer.Option("--labeler", metavar="NAME", help="Only this labeller's; may be repeated."),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option("--category", metavar="NAME", help="Only this category; may be repeated."),
    ] = None,
    min_confidence: Annotated[
        int,
        typer.Option("--min-confidence", min=1, max=5, metavar="N", help="Leave out less certain verdicts."),
    ] = 1,
    agent: Annotated[
        str, typer.Option("--agent", metavar="NAME", help="Of scores: only those for this policy.")
    ] = "",
) -> None:
    """Freeze the current labels into a hashed training and held-out set.

    preference takes what most verdicts on a pair say, and written answers over judged ones.
    sft takes written answers, else the chosen one and those of a both-good tie. unpaired takes
    winners and losers, both-good and both-bad ties, and scores of 0.7 and above or below 0.5.
    scored takes every scored answer with its score, for a reward model. prompts takes the prompts of
    this workspace and of its pairs.
    """
    from rlft_tui.datasets.dataset import DatasetSpec

    spec = DatasetSpec(
        kind=kind.value,
        name=name,
        heldout_fraction=heldout,
        seed=seed,
        labelers=tuple(labeler or ()),
        categories=tuple(category or ()),
        min_confidence=min_confidence,
        agent=agent,
    )
    with session.connect() as client:
        built = client.build_dataset(spec)
    session.show(built, lambda: _dataset_text(built))
    if name and built.name != name:
        session.say(f"The same rows are frozen already, as {built.name or built.hash}: that name stays")


@command(
    app,
    "rlft data import chats.jsonl --kind sft",
    "rlft data import org/dataset --split train --kind preference --name public",
    "rlft data import maths.parquet --kind prompts --column prompt=question --column answer=final",
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
    kind: Kind = KindName.preference,
    name: Name = "",
    heldout: HeldOut = 0.2,
    seed: Seed = 0,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME=NAME", help="Read a column under another name: ours=theirs."),
    ] = None,
    max_characters: Annotated[
        int,
        typer.Option("--max-characters", min=0, metavar="N", help="Refuse longer rows; 0 keeps all."),
    ] = 0,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Which part of a data set [default: all]")
    ] = "",
) -> None:
    """Freeze a raw file as a data set, without labelling anything: JSONL, JSON, CSV, Parquet or hub.

    preference reads every format that rlft pairs import reads. sft reads messages (or
    conversations), prompt and completion, instruction and output, question and answer, or
    chosen. unpaired reads prompt, completion and label (or score), and judged pairs. prompts
    reads prompt, question, instruction or messages and keeps the other columns for the rewards.
    Texts are cleaned of control characters and stray white space; repeated rows count once.
    Every refused line is listed with its number and reason.
    """
    import msgspec

    from rlft_tui.cli.import_source import import_source
    from rlft_tui.cli.import_text import say_refused
    from rlft_tui.datasets.dataset import DatasetSpec

    spec = DatasetSpec(
        kind=kind.value,
        name=name,
        heldout_fraction=heldout,
        seed=seed,
        columns=_columns(column or []),
        max_characters=max_characters,
    )
    with import_source(source, split) as (file_name, content), session.connect() as client:
        done = client.import_dataset(spec, file_name, content)
    say_refused(session, done.report)
    report = done.report
    counts = (
        f"{report.imported} {plural(report.imported, 'row')} of {report.read} {plural(report.read, 'line')}"
    )
    counts += f", {report.duplicates} repeated or there already" if report.duplicates else ""
    counts += f", {report.refused} refused" if report.refused else ""
    session.say(counts)
    values = {"dataset": done.dataset, **msgspec.to_builtins(report)}
    session.show(values, lambda: _dataset_text(done.dataset))


@command(app, "rlft data list", "rlft data list --json", name="list")
def list_(session: Session) -> None:
    """List the data sets."""
    with session.connect() as client:
        found = client.datasets()
    session.show(
        found,
        lambda: table(
            ("hash", "name", "kind", "train", "held out", "made"),
            [(d.hash, d.name, d.kind, d.train_rows, d.heldout_rows, moment(d.created_at)) for d in found],
        ),
    )
    if not found:
        session.say("No data sets yet. Make one: rlft data build")


@command(
    app,
    "rlft data check first-round --rows 5 --max-length 256",
    "rlft data check judged --method kto --batch-size 8",
)
def check(
    session: Session,
    dataset: DatasetName = "latest",
    method: Annotated[
        str,
        typer.Option("--method", metavar="NAME", help="Method it is to train [default: by its kind]"),
    ] = "",
    model: Annotated[
        str,
        typer.Option("--model", metavar="NAME", help="Whose tokenizer [default: that of rlft.toml]"),
    ] = "",
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, metavar="N", help="Rows shown in full.")] = 3,
    max_length: Annotated[
        int, typer.Option("--max-length", min=16, metavar="N", help="Tokens at most, as in rlft train.")
    ] = 512,
    max_new_tokens: Annotated[
        int,
        typer.Option("--max-new-tokens", min=1, metavar="N", help="Of an answer (GRPO, RLOO, PPO)."),
    ] = 64,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=0, metavar="N", help="Rows of a batch (KTO); 0 leaves it out.")
    ] = 0,
) -> None:
    """Prove a data set for a method: the exact tokens of some rows, which of them count, and what is wrong.

    Looks at every row: template, end of sequence, truncation, empty, identical, repeated and
    contradicted answers, prompts on both sides or nearly so, scores that do not vary, labels that are
    all the same. Nothing is trained. Exit code 1 when training on it would be useless.
    """
    from rlft_tui.cli.token_report import check_text

    with session.connect() as client:
        frozen = client.dataset(dataset)  # a wrong name is told before the wait is
        session.say("checking the data and its tokens …")
        found = client.check_dataset(
            frozen.hash,
            model or session.settings().default_model,
            method=method,
            max_length=max_length,
            room=max_new_tokens,
            batch_size=batch_size,
            rows=rows,
        )
    value = {**(found.tokens or {}), "errors": found.errors, "warnings": found.warnings}
    session.show(value, lambda: check_text(found))
    if found.errors:
        raise typer.Exit(1)


@command(app, "rlft data export latest ./first-round")
def export(
    session: Session,
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Hash, the start of one, a name, or latest.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to; made when missing.")],
) -> None:
    """Copy a data set's files, in TRL's conversational format, to a folder."""
    from rlft_tui.cli.label_export import refuse_own_files
    from rlft_tui.cli.options import read_input, write_file
    from rlft_tui.errors import UnavailableError

    refuse_own_files(session.workspace(), folder)
    with session.connect() as client:
        found = client.dataset(dataset)
    contents = [read_input(path) for path in sorted(Path(found.path).glob("*.json*"))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnavailableError(f"cannot make the folder: {reason}", where=str(folder)) from None
    for name, content in contents:
        write_file(folder / name, content)
    names = [str(folder / name) for name, _ in contents]
    session.show({"hash": found.hash, "files": names}, "\n".join(names))


def _columns(given: list[str]) -> dict[str, str]:
    """``ours=theirs`` as a mapping; RlftError for anything else."""
    from rlft_tui.errors import RlftError

    found = {}
    for text in given:
        ours, equals, theirs = text.partition("=")
        if not (ours.strip() and equals and theirs.strip()):
            raise RlftError(f"not NAME=NAME: {text}", where="--column", remedy="Such as prompt=question")
        found[ours.strip()] = theirs.strip()
    return found


def _dataset_text(built: Dataset) -> str:
    left_out = ", ".join(f"{count} {reason}" for reason, count in built.left_out.items() if count)
    return fields(
        [
            ("hash", built.hash),
            ("name", built.name),
            ("kind", built.kind),
            ("from", built.source),
            ("train", f"{built.train_rows} {plural(built.train_rows, 'row')}"),
            ("held out", f"{built.heldout_rows} {plural(built.heldout_rows, 'row')}"),
            ("left out", left_out),
            ("folder", built.path),
        ]
    )
