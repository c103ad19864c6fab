"""A raw file, whatever its format: read, cleaned, filtered, checked, and frozen as a data set.

JSON, JSON lines, CSV and Parquet; a hub data set comes as JSON lines. The rows wait in
memory until all are read, so a file has to fit there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

from msgspec.structs import replace

from rlft_tui.counted import counted
from rlft_tui.database.connection import Database
from rlft_tui.datasets.dataset import DatasetImport, DatasetSpec
from rlft_tui.datasets.freeze import check_spec, freeze
from rlft_tui.datasets.raw_rows import (
    clean_text,
    parse_completion,
    parse_judged,
    parse_prompt_row,
    parse_scored,
    uniform_columns,
)
from rlft_tui.datasets.rows import JudgedRow, Row, texts
from rlft_tui.datasets.select_answers import judged_rows, settled
from rlft_tui.datasets.select_preferences import select_rows, with_margins
from rlft_tui.datasets.selection import REPEATED, Selection
from rlft_tui.datasets.verdicts_table import Verdict
from rlft_tui.errors import RlftError
from rlft_tui.pairs.formats.registry import FORMATS, recognise
from rlft_tui.pairs.formats.values import number
from rlft_tui.pairs.pair_row import Origin, PairRow
from rlft_tui.pairs.read_pairs import UNKNOWN
from rlft_tui.paths import Workspace
from rlft_tui.prompts.import_report import ImportReport, LineReport
from rlft_tui.prompts.messages import RowError
from rlft_tui.prompts.prompt import Message
from rlft_tui.prompts.row_reader import SourceRow, read_rows

MOST_REPORTS = 10_000
"""Refused lines that a report lists; the others are counted."""


def import_dataset(
    database: Database, workspace: Workspace, spec: DatasetSpec, name: str, path: Path, *, now: float
) -> DatasetImport:
    """Freeze the good rows of the file at ``path``; ``name`` is its own and tells how it is encoded.

    Raises RlftError when the file as a whole cannot be read or no row is left,
    ConflictError when the name of the data set is taken.
    """
    check_spec(spec)
    reading = _Reading(replace(spec, source=PurePath(name).name), now)
    selection = reading.selection(name, path)
    if not selection.rows:
        raise RlftError(
            f"no row of kind {spec.kind} in {counted(reading.read, 'line')}{reading.first_reason()}",
            where=PurePath(name).name,
            remedy="Name columns that are called otherwise: --column prompt=question",
        )
    dataset = freeze(database, workspace, reading.spec, selection, now=now)
    new = dataset.created_at == now
    report = ImportReport(
        read=reading.read,
        imported=len(selection.rows) if new else 0,
        duplicates=selection.left_out.get(REPEATED, 0) + (0 if new else len(selection.rows)),
        rejected=tuple(sorted(reading.rejected, key=lambda entry: entry.line)),
        unlisted=reading.unlisted,
    )
    return DatasetImport(dataset, report)


class _Reading:
    """One pass over a file."""

    def __init__(self, spec: DatasetSpec, now: float) -> None:
        self.spec = spec
        self.read = self.unlisted = 0
        self.rejected: list[LineReport] = []
        self._origin = Origin(spec.source, now)
        self._parsers: dict[str, Callable[[dict[str, Any]], Row]] = {
            "sft": parse_completion,
            "unpaired": parse_judged,
            "scored": parse_scored,
            "prompts": parse_prompt_row,
        }

    def selection(self, name: str, path: Path) -> Selection[Any]:
        """The rows to freeze, each once."""
        if self.spec.kind == "preference":
            return with_margins(select_rows(self._once(self._verdicts(name, path))))
        rows = list(self._rows(name, path))
        if self.spec.kind == "unpaired":
            return settled(Selection(tuple(row for row in rows if isinstance(row, JudgedRow)), {}))
        once = list({row.example_id: row for row in reversed(rows)}.values())[::-1]
        if self.spec.kind == "prompts":
            once = [*uniform_columns(once)]  # type: ignore[arg-type]
        repeated = len(rows) - len(once)
        return Selection(tuple(once), {REPEATED: repeated} if repeated else {})

    def first_reason(self) -> str:
        """Why the first refused line was refused, in brackets."""
        return f" (line {self.rejected[0].line}: {self.rejected[0].reason})" if self.rejected else ""

    def _rows(self, name: str, path: Path) -> Iterator[Row]:
        parse = self._parsers[self.spec.kind]
        for source in self._sources(name, path):
            try:
                if self.spec.kind == "unpaired" and (found := list(self._judged_pair(source))):
                    yield from found
                    continue
                row = parse(source.values)
                self._check_length(sum(map(len, texts(row))))
                yield row
            except RowError as error:
                self._reject(source.line, str(error))

    def _judged_pair(self, source: SourceRow) -> Iterator[JudgedRow]:
        """Both answers of a judged pair, if the row is one."""
        if (
            "completion" not in source.values
            and (form := recognise(source.values)) is not None
            and form.name != "kto"
        ):
            for pair in form.parse(source.line, source.values, self._origin):
                if isinstance(pair, PairRow):
                    yield from judged_rows(_verdict_of(pair, place) for place in range(len(pair.verdicts)))

    def _verdicts(self, name: str, path: Path) -> Iterator[Verdict]:
        for source in self._sources(name, path):
            form = recognise(source.values)
            if form is None:
                self._reject(source.line, UNKNOWN)
                continue
            try:
                margin = number(source.values.get("margin"), "margin")
                for pair in form.parse(source.line, source.values, self._origin):
                    yield from self._verdicts_of(pair, margin)
            except RowError as error:
                self._reject(source.line, str(error))
        for form in FORMATS:
            for pair in form.finish(self._origin):
                yield from self._verdicts_of(pair, None)

    def _verdicts_of(self, pair: object, margin: float | None) -> Iterator[Verdict]:
        if isinstance(pair, LineReport):
            self._reject(pair.line, pair.reason)
        elif isinstance(pair, PairRow):
            found = pair.pair
            try:
                self._check_length(len(found.prompt) + len(found.response_a) + len(found.response_b))
                verdicts = [_verdict_of(pair, place) for place in range(len(pair.verdicts))]
            except RowError as error:
                self._reject(pair.line, str(error))
                return
            if not verdicts:
                self._reject(pair.line, "no answer is said to be better")
            for verdict in verdicts:
                yield replace(verdict, margin=margin)

    def _once(self, verdicts: Iterator[Verdict]) -> Iterator[Verdict]:
        """The same verdict of the same person on the same pair counts once."""
        seen = set()
        for verdict in verdicts:
            key = (verdict.example_id, verdict.labeler_id, verdict.choice)
            if key not in seen:
                seen.add(key)
                yield verdict

    def _sources(self, name: str, path: Path) -> Iterator[SourceRow]:
        renamed = {there: here for here, there in self.spec.columns.items()}
        for row in read_rows(name, path):
            self.read += 1
            if isinstance(row, LineReport):
                self._reject(row.line, row.reason)
            elif renamed:
                taken = set(self.spec.columns)
                kept = {
                    renamed.get(column, column): value
                    for column, value in row.values.items()
                    if column in renamed or column not in taken
                }
                yield SourceRow(row.line, kept)
            else:
                yield row

    def _check_length(self, characters: int) -> None:
        most = self.spec.max_characters
        if most and characters > most:
            raise RowError(f"{characters} characters, more than {most}")

    def _reject(self, line: int, reason: str) -> None:
        if len(self.rejected) < MOST_REPORTS:
            self.rejected.append(LineReport(line, reason))
        else:
            self.unlisted += 1


def _verdict_of(row: PairRow, place: int) -> Verdict:
    """A verdict of an imported pair, its texts cleaned; RowError when nothing is left of the prompt."""
    pair, said = row.pair, row.verdicts[place]
    prompt = clean_text(pair.prompt)
    if not prompt:
        raise RowError("the prompt is empty")
    return Verdict(
        example_id=pair.id,
        labeler_id=said.labeler,
        choice=said.choice,
        confidence=said.confidence,
        prompt=prompt,
        context=tuple(Message(turn.role, clean_text(turn.content)) for turn in pair.context),
        response_a=clean_text(pair.response_a),
        response_b=clean_text(pair.response_b),
        category=pair.category,
        flagged=False,
        strength=said.strength,
        quality=said.quality,
    )
