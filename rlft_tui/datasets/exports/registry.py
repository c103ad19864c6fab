"""Every format that labels are exported in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from rlft_tui.datasets.exports import kto, reward, sft, table, trl
from rlft_tui.datasets.exports.tally import Tally
from rlft_tui.labels.labelled_pair import LabelledPair
from rlft_tui.record import Record

Lines = Callable[[LabelledPair, Tally], Iterator[bytes]]


def _nothing() -> bytes:
    return b""


class ExportFormat(Record, frozen=True):
    """How labelled pairs are written down."""

    name: str
    says: str
    """What it is, for people."""
    suffix: str
    lines: Lines
    head: Callable[[], bytes] = _nothing

    def pieces(self, items: Iterable[LabelledPair], tally: Tally) -> Iterator[bytes]:
        """The file's content, piece by piece; counts in ``tally`` what it wrote and left out."""
        if head := self.head():
            yield head
        for item in items:
            yield from self.lines(item, tally)


def _json_lines(rows: Callable[[LabelledPair, Tally], Iterator[dict[str, Any]]]) -> Lines:
    def lines(item: LabelledPair, tally: Tally) -> Iterator[bytes]:
        for row in rows(item, tally):
            tally.rows += 1
            yield orjson.dumps(row) + b"\n"

    return lines


FORMATS = {
    one.name: one
    for one in (
        ExportFormat("trl", trl.SAYS, "jsonl", _json_lines(trl.rows)),
        ExportFormat("kto", kto.SAYS, "jsonl", _json_lines(kto.rows)),
        ExportFormat("sft", sft.SAYS, "jsonl", _json_lines(sft.rows)),
        ExportFormat("reward", reward.SAYS, "jsonl", _json_lines(reward.rows)),
        ExportFormat("csv", table.SAYS, "csv", table.lines, table.head),
    )
}
