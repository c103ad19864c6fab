"""What people say about a run: tags, a note, alarms they have seen, and whether it is put away.

Kept in the run's folder as ``remarks.json``, so that it goes where the run goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import field
from msgspec.structs import asdict, replace

from rlft_tui.errors import RlftError
from rlft_tui.record import Record
from rlft_tui.runs.exit_reason import one_line

REMARKS_NAME = "remarks.json"
_LONGEST_TAG, _MOST_TAGS, _LONGEST_NOTE = 40, 20, 2000


class Remarks(Record, frozen=True):
    """Everything about a run that is not measured."""

    tags: tuple[str, ...] = ()
    note: str = ""
    archived: bool = False
    """Left out of lists; nothing of the run is deleted."""
    seen: tuple[str, ...] = ()
    """Alarms that were acknowledged, by ``alarm_key``."""
    snoozed: dict[str, float] = field(default_factory=dict)
    """Name of an alarm → unix seconds until which it makes no sound."""


def alarm_key(name: str, step: int, t: float) -> str:
    """What an alarm is remembered by."""
    return f"{name}@{step}@{t:.0f}"


def split_tags(words: Iterable[str]) -> tuple[str, ...]:
    """The tags in words as they were typed, without the commas between them."""
    return tuple(tag.strip() for word in words for tag in word.split(",") if tag.strip())


def read_remarks(folder: Path) -> Remarks:
    """None yet, or a file that is no longer readable, is no remark."""
    try:
        return msgspec.convert(json.loads((folder / REMARKS_NAME).read_bytes()), Remarks)
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return Remarks()


def change_remarks(folder: Path, changes: dict[str, object]) -> Remarks:
    """Change the fields named; RlftError for one that is unknown or too long."""
    known = set(Remarks.__struct_fields__)
    if unknown := sorted(changes.keys() - known):
        raise RlftError(f"no remark {unknown[0]!r}", remedy=f"There are: {', '.join(sorted(known))}")
    try:
        changed = msgspec.convert({**asdict(read_remarks(folder)), **changes}, Remarks)
    except msgspec.ValidationError as error:
        raise RlftError(str(error).lower(), where="remarks") from None
    tags = tuple(dict.fromkeys(tag for each in changed.tags if (tag := one_line(each).strip())))
    if len(tags) > _MOST_TAGS or any(len(tag) > _LONGEST_TAG for tag in tags):
        raise RlftError(f"at most {_MOST_TAGS} tags of {_LONGEST_TAG} characters each", where="tags")
    if len(changed.note) > _LONGEST_NOTE:
        raise RlftError(f"a note has at most {_LONGEST_NOTE:,} characters", where="note")
    changed = replace(changed, tags=tags, note=changed.note.strip())
    partial = folder / f".{REMARKS_NAME}"
    try:
        partial.write_text(json.dumps(asdict(changed)))
        partial.replace(folder / REMARKS_NAME)
    except OSError as error:
        raise RlftError(f"the remark was not stored: {error.strerror}", where=str(folder)) from None
    return changed
