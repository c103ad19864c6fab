"""The error of a reward file that neither returned nor heeded an exception, read from what it left behind.

Python's faulthandler ended it with its process (rewards/time_limit.py): that writes where it was to the
output, but no event.
"""

from __future__ import annotations

import re
from pathlib import Path

from rlft_tui.errors import RlftError
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.terminal_text import plain_lines

_DUMP = re.compile(rb"^Timeout \([^\n]*\)!\n", re.MULTILINE)
_FRAME = re.compile(r'File "([^"]+)", line (\d+) in ')
_DUMP_BYTES = 1 << 20


def hung_reward(folder: RunFolder, output_from: int) -> RlftError | None:
    """What went wrong, at which line, and the remedy; None for a job that ended in any other way.

    ``output_from``: where the output of this attempt begins.
    """
    reward = called_reward(folder)
    dump = _dump(folder.output, output_from) if reward else None
    if dump is None:
        return None
    frames = (frame for frame in _FRAME.finditer(dump) if frame[1].endswith(f"/{reward}"))
    frame = next(frames, None)
    return RlftError(
        "it did not return in time and heeded no exception",
        where=f"{reward}:{frame[2]}" if frame else reward,
        remedy="Correct it there and resume the run, or launch again with a higher reward_seconds",
    )


def called_reward(folder: RunFolder) -> str:
    """The reward file in whose call the process ended, else nothing."""
    try:
        lines = plain_lines(folder.reward_call.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return lines[-1] if lines else ""


def _dump(output: Path, start: int) -> str | None:
    """The last thing faulthandler wrote, from the frame that was called last on."""
    try:
        with output.open("rb") as stream:
            stream.seek(max(start, stream.seek(0, 2) - _DUMP_BYTES))
            found = list(_DUMP.finditer(text := stream.read()))
    except OSError:
        return None
    return text[found[-1].end() :].decode(errors="replace") if found else None
