"""A fault in rlft itself is told in one line, with the traceback in a file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from rlft_tui.paths import Workspace

BREAK = (
    "import sys, rlft_tui.paths\n"
    "def broken(*_, **__): raise RuntimeError('a bug \\x1b[31m of ours')\n"
    "rlft_tui.paths.find_workspace = broken\n"
    "from rlft_tui.cli.main import main\n"
    "main(['labels', 'stats'])\n"
)


def test_a_fault_is_one_line_and_a_file(workspace: Workspace) -> None:
    done = subprocess.run([sys.executable, "-c", BREAK], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "RuntimeError: a bug" in done.stderr
    assert "\x1b" not in done.stderr
    saved = re.search(r"The traceback is in (\S+)", done.stderr)
    assert saved is not None
    text = Path(saved.group(1)).read_text()
    assert "labels stats" not in done.stderr
    assert "Traceback" in text
    assert "in broken" in text


def test_a_fault_is_told_even_when_the_cache_cannot_be_written(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    code = f"import os; os.environ['RLFT_CACHE'] = {str(file)!r}\n{BREAK}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "RuntimeError" in done.stderr
    assert "The traceback is in" in done.stderr
