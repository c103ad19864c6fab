"""Labels written to a file, or to a folder with a data set card beside them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import field

from rlft_tui.cli.import_source import run_dataset_job
from rlft_tui.cli.label_export import refuse_own_files
from rlft_tui.cli.options import write_file, write_pieces
from rlft_tui.cli.session import Session, write_data
from rlft_tui.datasets.exports.card import CardFigures, card
from rlft_tui.datasets.exports.registry import FORMATS
from rlft_tui.datasets.exports.tally import Tally
from rlft_tui.errors import ConflictError, RlftError, UnavailableError
from rlft_tui.record import Record

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.labels.labelled_pair import ExportHead

ARCHIVE, HF = "archive", "hf"
CARD = "README.md"
_MADE_HERE = "Written by rlft"
_SAVED = "dataset_info.json"


class Exported(Record, frozen=True):
    """What an export wrote."""

    path: str
    rows: int
    """Rows of data; of an archive its lines between the first and the last."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Verdicts and written answers without a row, by reason."""
    files: tuple[str, ...] = ()


def export_labels(session: Session, target: str, form: str, labeler: str) -> Exported:
    """Write labels to a file, standard output (``-``) or a folder; each file appears whole or not at all."""
    path = Path(target).expanduser()
    if target == "-":
        if form == HF:
            raise RlftError("a saved data set is a folder", where=target, remedy="Name a folder")
        with session.connect() as client:
            job = _Job(client, form, labeler)
            for piece in job.pieces():
                write_data(piece.decode())
        return job.exported(target)
    refuse_own_files(session.workspace(), path)
    if form == HF:
        return _saved_dataset(session, path, labeler)
    if not (target.endswith("/") or path.is_dir()):
        with session.connect() as client:
            job = _Job(client, form, labeler)
            write_pieces(path, job.pieces())
        return job.exported(target)
    return _folder(session, path, form, labeler)


def _folder(session: Session, folder: Path, form: str, labeler: str) -> Exported:
    file = folder / (f"{ARCHIVE}.jsonl" if form == ARCHIVE else f"preferences.{FORMATS[form].suffix}")
    described = folder / CARD
    for one in (file, described):
        refuse_own_files(session.workspace(), one)
    _keep_foreign_card(described)
    _make_folder(folder)
    with session.connect() as client:
        job = _Job(client, form, labeler)
        write_pieces(file, job.pieces())
        write_file(described, job.card(file.name).encode())
    return job.exported(str(folder), str(file), str(described))


def _saved_dataset(session: Session, folder: Path, labeler: str) -> Exported:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not (folder / _SAVED).is_file():
            raise ConflictError("there is something else here", where=str(folder), remedy="Name a new folder")
        _keep_foreign_card(folder / CARD)
    _make_folder(folder.resolve().parent)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.resolve().parent) as scratch:
        lines, saved = Path(scratch) / "rows.jsonl", Path(scratch) / "saved"
        with session.connect() as client:
            job = _Job(client, "trl", labeler)
            write_pieces(lines, job.pieces())
            if not job.tally.rows:
                raise RlftError("no verdict that becomes a row", where=str(folder), remedy="rlft label")
            run_dataset_job("write", str(lines), str(saved))
            write_file(saved / CARD, job.card("", HF).encode())
        try:
            if folder.exists():
                folder.rename(Path(scratch) / "before")
            saved.rename(folder)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UnavailableError(f"cannot be written: {reason}", where=str(folder)) from None
    return job.exported(str(folder), *(str(one) for one in sorted(folder.iterdir())))


class _Job:
    """One export: its content, what it counted, and the card."""

    def __init__(self, client: WorkspaceClient, form: str, labeler: str) -> None:
        self.tally = Tally()
        self._client, self._form, self._labeler = client, form, labeler
        self._figures = CardFigures()
        self._head: ExportHead | None = None

    def pieces(self) -> Iterator[bytes]:
        if self._form == ARCHIVE:
            for line in self._client.archive(self._labeler):
                self.tally.rows += 1
                yield line
            self.tally.rows -= 2
            return
        self._head, items = self._client.labelled_pairs(self._labeler)
        self.tally.margins = self._head.strengths > 0
        yield from FORMATS[self._form].pieces(self._figures.counted(items), self.tally)

    def card(self, file: str, form: str = "") -> str:
        if self._head is None:
            self._head, items = self._client.labelled_pairs(self._labeler)
            for _ in self._figures.counted(items):
                pass
        return card(self._figures, self._head, self.tally, form=form or self._form, file=file)

    def exported(self, path: str, *files: str) -> Exported:
        return Exported(path, self.tally.rows, +self.tally.left_out, files or (path,))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnavailableError(f"cannot make the folder: {reason}", where=str(folder)) from None


def _keep_foreign_card(described: Path) -> None:
    """ConflictError for a README.md that no export wrote."""
    try:
        ours = _MADE_HERE in described.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnavailableError(f"cannot be read: {error.strerror}", where=str(described)) from None
    if not ours:
        raise ConflictError(
            "this README.md is not from an export", where=str(described), remedy="Name another folder"
        )
