"""The real workbench on a pseudo-terminal that is read as fast as it writes, for measuring."""

from __future__ import annotations

import contextlib
import os
import random
import select
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyte

from benchmarks._pty import PtyProcess
from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace

DEADLINE = 120.0
ANSWERS = {b"\x1b[6n": b"\x1b[1;1R", b"\x1b[?2026$p": b"\x1b[?2026;2$y"}
"""What the workbench asks: where the cursor is, to know that a frame was read; and at the start whether
frames may be marked."""
FRAME_END = b"\x1b[?2026l"


class Workbench(PtyProcess):
    """A running ``rlft`` and the screen that it paints."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        columns: int,
        rows: int,
        screen: str = "",
        command: tuple[str, ...] = (),
    ) -> None:
        """On one of its screens, or as a ``command`` of rlft opens it."""
        self.display = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.display)
        self.received = 0
        self._raw: list[bytes] = []
        code = (
            "import sys; from pathlib import Path; from rlft_tui.paths import Workspace;"
            "from rlft_tui.tui.app import run_app;"
            f"sys.exit(run_app(Workspace(Path({str(workspace.root)!r})), {screen!r}))"
        )
        named = ["-m", "rlft_tui", "-w", str(workspace.root), *command]
        self.started = time.monotonic()
        super().__init__(named if command else ["-c", code], columns, rows)

    def read(self, seconds: float) -> float | None:
        """Take in what was written; when the last of it came, or None after ``seconds`` of silence."""
        at = self.take(seconds)
        self._interpret()
        return at

    def take(self, seconds: float) -> float | None:
        """Like ``read``, but leaves the interpretation for later."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return None
        data = os.read(self.terminal, 1 << 16)
        at = time.monotonic()
        self.received += len(data)
        for question, answer in ANSWERS.items():
            if question in data:
                os.write(self.terminal, answer)
        self._raw.append(data)
        return at

    def frame(self, silence: float) -> float:
        """Take everything until ``silence`` seconds pass without a byte; when the last one came."""
        last = self.take(DEADLINE)
        if last is None:
            raise TimeoutError("nothing was painted")
        while (at := self.take(silence)) is not None:
            last = at
        self._interpret()
        return last

    def settled(self, *texts: str, silence: float = 0.4) -> float:
        """When the last byte came of a screen with these texts, after which nothing came for ``silence``.

        Bytes are taken as fast as they come, as a terminal takes them: interpreting them in between,
        which pyte needs longer for than the workbench for all its work, would hold the workbench up.
        """
        wanted = [text.encode() for text in texts]
        seen, last = b"", self.started
        deadline = time.monotonic() + DEADLINE
        while not all(text in seen for text in wanted):
            at = self.take(1.0)
            if at is not None:
                last, seen = at, b"".join(self._raw)
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{texts} never came")
        while (at := self.take(silence)) is not None:
            last = at
        self._interpret()
        return last

    def _interpret(self) -> None:
        self._stream.feed(b"".join(self._raw))
        self._raw.clear()

    def paint(self, data: bytes) -> None:
        """Show bytes that came another way."""
        self._stream.feed(data)

    def text(self) -> str:
        return "\n".join(self.display.display)

    def wait_for(self, *texts: str) -> float:
        """Seconds from the start until all the texts are on screen."""
        deadline = time.monotonic() + DEADLINE
        at = time.monotonic()
        while not all(text in self.text() for text in texts):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{texts} never came:\n{self.text()}")
            at = self.read(1.0) or at
        return at - self.started

    def quiet(self, seconds: float = 0.3) -> None:
        """Read until nothing has come for so long."""
        while self.read(seconds) is not None:
            pass

    def resident_mb(self) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0


@contextlib.contextmanager
def isolated_workspace(folder: Path) -> Iterator[tuple[Workspace, WorkspaceClient]]:
    """A fresh workspace with its own sockets and a running server, which is ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="rlft-run-", dir="/tmp") as runtime:
        os.environ["XDG_RUNTIME_DIR"] = runtime
        workspace = create_workspace(folder / "workspace")
        workspace.settings.write_text('labeler = "ada"\ndaily_backups = 0\n')
        client = connect(workspace)
        try:
            yield workspace, client
        finally:
            client.close()
            with connect(workspace) as last:
                last.shutdown()


def sample_pairs(count: int, *, words: int, seed: int = 0) -> list[ResponsePair]:
    """Pairs whose Markdown answers have about ``words`` words; each answer starts with its own number."""
    chance = random.Random(seed)
    texts = [_answer(chance, words) for _ in range(8)]
    return [
        ResponsePair(
            id=f"pair-{words}-{n}",
            prompt=f"Question {n}: explain it in plain words, with an example.",
            response_a=f"Answer A{n}. {chance.choice(texts)}",
            response_b=f"Answer B{n}. {chance.choice(texts)}",
            category="science",
        )
        for n in range(count)
    ]


_WORDS = [
    "gradient", "policy", "reward", "sample", "answer", "model", "token", "reference", "loss", "margin",
    "reading", "light", "water", "because", "therefore", "slowly", "between", "several", "measured",
    "example", "number", "table", "result", "simple",
]  # fmt: skip


def _answer(chance: random.Random, words: int) -> str:
    def sentence(n: int) -> str:
        line = [chance.choice(_WORDS) for _ in range(n)]
        line[n // 2] = f"**{line[n // 2]}**"
        return " ".join(line).capitalize() + "."

    parts: list[str] = []
    done = 0
    while done < words:
        parts.append(f"## {chance.choice(_WORDS).capitalize()} {len(parts)}")
        parts.append(" ".join(sentence(14) for _ in range(4)))
        parts.append("\n".join(f"- {sentence(9)}" for _ in range(3)))
        parts.append("```python\ndef f(x: int) -> int:\n    return x + 1  # one more\n```")
        parts.append("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |")
        done += 56 + 27 + 12 + 8
    return "\n\n".join(parts)
