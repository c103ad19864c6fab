"""rlft data build|list|check|export"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session, fields, moment, table

if TYPE_CHECKING:
    from rlft_tui.datasets.dataset import Dataset

app = noun("data")

DatasetName = Annotated[
    str, typer.Argument(metavar="[DATASET]", help="Hash, the start of one, a name, or latest.")
]


@command(
    app,
    "rlft data build",
    "rlft data build --name first-round --heldout 0.25 --labeler anna --labeler ben",
)
def build(
    session: Session,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name to find it by.")] = "",
    heldout: Annotated[
        float,
        typer.Option("--heldout", min=0.0, max=0.9, metavar="X", help="Share of the prompts kept out."),
    ] = 0.2,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Decides which prompts are kept out.")] = 0,
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
) -> None:
    """Freeze the current verdicts into a hashed training and held-out set."""
    from rlft_tui.datasets.dataset import DatasetSpec

    spec = DatasetSpec(
        name=name,
        heldout_fraction=heldout,
        seed=seed,
        labelers=tuple(labeler or ()),
        categories=tuple(category or ()),
        min_confidence=min_confidence,
    )
    with session.connect() as client:
        built = client.build_dataset(spec)
    session.show(built, lambda: _dataset_text(built))
    if name and built.name != name:
        session.say(f"The same rows are frozen already, as {built.name or built.hash}: that name stays")


@command(app, "rlft data list", "rlft data list --json", name="list")
def list_(session: Session) -> None:
    """List the data sets."""
    with session.connect() as client:
        found = client.datasets()
    session.show(
        found,
        lambda: table(
            ("hash", "name", "train", "held out", "made"),
            [(d.hash, d.name, d.train_rows, d.heldout_rows, moment(d.created_at)) for d in found],
        ),
    )
    if not found:
        session.say("No data sets yet. Make one: rlft data build")


@command(app, "rlft data check", "rlft data check first-round --rows 5 --max-length 256")
def check(
    session: Session,
    dataset: DatasetName = "latest",
    model: Annotated[
        str,
        typer.Option("--model", metavar="NAME", help="Whose tokenizer [default: that of rlft.toml]"),
    ] = "",
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, metavar="N", help="Rows shown in full.")] = 3,
    max_length: Annotated[
        int, typer.Option("--max-length", min=16, metavar="N", help="Tokens at most, as in rlft train dpo.")
    ] = 512,
) -> None:
    """Show what the trainer will see: the exact tokens of some rows, which of them count, and lengths.

    Looks at every row; nothing is trained. Exit code 1 when training on it would be useless.
    """
    from rlft_tui.cli.models_command import find_model
    from rlft_tui.cli.token_report import check_tokens, token_text

    with session.connect() as client:
        found = client.dataset(dataset)
        models = client.models()
    name = model or session.settings().default_model
    report = check_tokens(found, find_model(models, name), rows=rows, max_length=max_length)
    session.show(report, lambda: token_text(report))
    if report["errors"]:
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


def _dataset_text(built: Dataset) -> str:
    left_out = ", ".join(f"{count} {reason}" for reason, count in built.left_out.items() if count)
    return fields(
        [
            ("hash", built.hash),
            ("name", built.name),
            ("train", f"{built.train_rows} rows"),
            ("held out", f"{built.heldout_rows} rows"),
            ("left out", left_out),
            ("folder", built.path),
        ]
    )
