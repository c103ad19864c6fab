"""One completion of a prompt, and the file that a run collects them in.

The file is JSON lines. A line counts once it ends with a newline; what stands behind the last one
was torn by a kill and is cut off before the run goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from rlft_tui.errors import NotFoundError, RlftError

_BLOCK = 1 << 20


class Completion(msgspec.Struct, frozen=True, gc=False):
    """A text that a model wrote, as a row of the output.

    With (prompt_id, index, candidate) it has its own place whatever was written before.
    """

    prompt_id: str
    prompt: str
    """The last user turn."""
    category: str
    index: int
    """Which completion of its prompt, from 0 on."""
    candidate: int
    """Which of the candidates for it, from 0 on."""
    seed: int
    """Of its own random numbers."""
    text: str
    tokens: int
    """In the text, its end of sequence not counted."""
    ended: str
    """eos, or length where it was cut."""
    reward: float | None = None
    """Weighted sum of the rewards; None where none was asked for or none judges it."""
    rewards: dict[str, float | None] = {}
    """Each reward, unweighted, by name."""
    kept: bool = True
    """Whether it is the best of its candidates."""

    @property
    def place(self) -> tuple[str, int, int]:
        """What tells it from all others of its run."""
        return (self.prompt_id, self.index, self.candidate)


_decoder = msgspec.json.Decoder(Completion)


def append_completions(stream: IO[bytes], completions: Iterable[Completion]) -> None:
    """Write lines and have them on the disk before anything else is done."""
    stream.write(b"".join(msgspec.json.encode(one) + b"\n" for one in completions))
    stream.flush()
    os.fsync(stream.fileno())


def read_completions(path: Path) -> Iterator[Completion]:
    """Every whole line of the file in its order; a torn last line is passed over.

    RlftError names the line that is no completion, NotFoundError the file that is not there.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield _decoder.decode(line)
                except msgspec.DecodeError as error:
                    raise RlftError(f"not a completion: {error}", where=f"{path}:{number}") from None
    except FileNotFoundError:
        raise NotFoundError("no completions yet", where=str(path)) from None


def sorted_completions(path: Path, prompts: Mapping[str, int]) -> Iterator[Completion]:
    """Every whole line, by the number of its prompt, index and candidate.

    Only places are held in memory, not texts. Lines of prompts that have no number are left out.
    """
    found = []
    offset = 0
    with path.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                one = _decoder.decode(line)
                if one.prompt_id in prompts:
                    found.append((prompts[one.prompt_id], one.index, one.candidate, offset))
            offset += len(line)
        for *_, begin in sorted(found):
            stream.seek(begin)
            yield _decoder.decode(stream.readline())


def repair_completions(path: Path) -> set[tuple[str, int, int]]:
    """Cut a torn last line off; the places of the completions that stand."""
    if not path.is_file():
        return set()
    with path.open("rb+") as stream:
        end = stream.seek(0, os.SEEK_END)
        while end:
            begin = max(0, end - _BLOCK)
            stream.seek(begin)
            at = stream.read(end - begin).rfind(b"\n")
            if at >= 0:
                end = begin + at + 1
                break
            end = begin
        stream.truncate(end)
    return {one.place for one in read_completions(path)}
