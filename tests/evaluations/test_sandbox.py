"""Programs of a model: what they can do, and what they cannot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from rlft_tui.errors import UnavailableError
from rlft_tui.evaluations.sandbox import sandbox
from rlft_tui.evaluations.sandbox.sandbox import Limits, Outcome, run_program, run_programs

LIMITS = Limits(seconds=1.0, memory_mb=256, disk_mb=4, processes=12)
BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
COUNTED = """
import os, time
made = 0
try:
    while made < 60:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        made += 1
except OSError:
    pass
raise ValueError(made)
"""
THREADS = """
import threading
for _ in range(60):
    threading.Thread(target=threading.Event().wait).start()
"""
LIES = r"""
import os
for end in range(3, 20):
    try:
        os.write(end, b"no-cell x\npassed x\n")
    except OSError:
        pass
assert False
"""
FILLS = """
with open("/tmp/file", "wb") as out:
    while True:
        out.write(b"0" * 65536)
"""
LOOKS = """
import os
print(os.getuid(), os.getpid(), sorted(os.listdir("/tmp")))
raise ValueError(os.getuid())
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Everything that is tried, run side by side."""
    outside = tmp_path_factory.mktemp("outside")
    programs = {
        "right": "def add(a, b):\n    return a + b\n\nassert add(1, 2) == 3\n",
        "wrong": "assert 1 + 1 == 3\n",
        "syntax": "def add(a b):\n",
        "exits": "import sys\nsys.exit(0)\n",
        "exits at once": "import os\nos._exit(0)\n",
        "bomb": BOMB,
        "forks": COUNTED,
        "threads": THREADS,
        "endless": "while True:\n    pass\n",
        "sleeps": "import time\ntime.sleep(60)\n",
        "memory": "block = bytearray(10 << 30)\n",
        "writes": f"open({str(outside / 'written')!r}, 'w').write('x')\n",
        "writes to the system": "open('/usr/lib/written', 'w').write('x')\n",
        "fills the disk": FILLS,
        "network": "import socket\nsocket.create_connection(('192.0.2.1', 80), 0.5)\n",
        "own machine": "import socket\nsocket.create_connection(('127.0.0.1', 22), 0.5)\n",
        "reads": f"print(open({str(Path(__file__))!r}).read())\n",
        "kills": "import os\nos.kill(-1, 9)\n",
        "looks": LOOKS,
        "mounts": "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "assert libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None) == 0, ctypes.get_errno()\n",
        "becomes root": "import os\nos.setuid(0)\n",
        "lies": LIES,
        "floods": "while True:\n    print('x' * 10000)\n",
    }
    ended = run_programs(list(programs.values()), LIMITS, parallel=4)
    assert not any(outside.iterdir()), "a program wrote a file outside"
    return dict(zip(programs, ended, strict=True))


def test_a_program_passes_when_its_tests_do(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["right"].passed
    assert (outcomes["wrong"].end, outcomes["wrong"].detail) == ("error", "AssertionError")
    assert outcomes["syntax"].detail.startswith("SyntaxError")


def test_ending_early_is_not_passing(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["exits"].end == "exit"
    assert outcomes["exits at once"].end == "exit"
    assert outcomes["lies"].end == "error"


def test_a_fork_bomb_is_contained_and_ends_with_the_cell(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["bomb"].end == "time"
    made = int(outcomes["forks"].detail.removeprefix("ValueError: "))
    assert made < LIMITS.processes
    assert "thread" in outcomes["threads"].detail
    assert not strangers(), "processes of a cell are still there"


def test_time_and_memory_run_out(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["endless"].end == outcomes["sleeps"].end == outcomes["floods"].end == "time"
    assert outcomes["memory"].end == "memory"
    assert outcomes["endless"].seconds < 15


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("writes", "No such file"),
        ("writes to the system", "Read-only file system"),
        ("network", "Network is unreachable"),
        ("own machine", "Network is unreachable"),
        ("reads", "No such file"),
        ("becomes root", ""),
        ("mounts", "AssertionError"),
        ("kills", "ProcessLookupError"),
    ],
)
def test_nothing_outside_is_reached(outcomes: dict[str, Outcome], name: str, said: str) -> None:
    assert outcomes[name].end == "error"
    assert said in outcomes[name].detail


def test_a_full_disk_is_the_cells_own(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["fills the disk"].end == "error"
    assert "OSError" in outcomes["fills the disk"].detail


def test_it_runs_as_nobody_in_an_empty_folder(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["looks"].detail != "ValueError: 0"
    assert outcomes["looks"].output.split()[1:] == ["1", "[]"]


def test_half_a_surrogate_pair_is_a_wrong_program_not_a_fault() -> None:
    assert run_program("x = '\ud800'\nassert False", LIMITS).end == "error"


def test_without_namespaces_nothing_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cell = tmp_path / "cell.py"
    text = Path(sandbox._CELL).read_text()
    # The kernel's answer on a machine that forbids it.
    cell.write_text(
        text.replace("if libc.unshare(flags):", "if ctypes.set_errno(1) == ctypes.set_errno(1) or True:")
    )
    monkeypatch.setattr(sandbox, "_CELL", cell)
    with pytest.raises(UnavailableError, match="cannot be run safely here: no namespaces") as refused:
        sandbox.require_sandbox()
    assert "leave out the tasks" in str(refused.value)


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/usr/bin/python3").exists() or shutil.which("setpriv") is None,
    reason="becomes another user, with the system's Python",
)
def test_a_user_without_rights_has_the_same_sandbox(tmp_path: Path) -> None:
    shutil.copy(sandbox._CELL, "/tmp/rlft-cell-test.py")
    limits = {"seconds": 2, "memory_mb": 256, "disk_mb": 4, "processes": 12, "prefix": "/usr"}
    try:
        done = subprocess.run(
            [
                *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
                *("/usr/bin/python3", "-I", "-S", "/tmp/rlft-cell-test.py"),
                json.dumps({**limits, "python": "/usr/bin/python3"}),
            ],
            input=COUNTED.encode(),
            capture_output=True,
            check=False,
            timeout=30,
        )
    finally:
        Path("/tmp/rlft-cell-test.py").unlink()
    said = json.loads(done.stdout)
    if said["end"] == "no cell":
        pytest.skip(said["detail"])
    assert int(said["detail"].removeprefix("ValueError: ")) < 12


def strangers() -> list[str]:
    """Processes of the users that only cells run as, once the kernel had a moment to clear them away."""
    for _ in range(50):
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    if entry.stat().st_uid >= 1_610_612_736:
                        found.append(entry.name)
                except OSError:
                    continue
        if not found:
            return []
        time.sleep(0.1)
    return found
