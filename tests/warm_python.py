"""Processes without their imports: an interpreter that has loaded the code forks one for each request.

A server spends 1.5 s of CPU on imports and a tenth of that on opening a workspace; a training job
5 s on imports and one or two on its steps; the tests start hundreds of them. What is forked runs the
module as ``python -m`` does, from its first line on, with its own arguments, environment, folder and
descriptors. Where the start itself is what is tested, processes get a new interpreter, as users do.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Forked:
    """A process as ``subprocess.Popen`` shows it, as far as tests ask."""

    def __init__(self, report: int, outputs: dict[int, int]) -> None:
        self.returncode: int | None = None
        self._report = report
        self._outputs = {number: os.fdopen(end, "rb") for number, end in outputs.items()}
        self._said: dict[int, bytes] = {}
        # Read from the start, so that a process that says much is not held up.
        self._readers = [threading.Thread(target=self._read, args=(n,), daemon=True) for n in self._outputs]
        for reader in self._readers:
            reader.start()
        self.pid = int(os.read(report, 16))

    def _read(self, number: int) -> None:
        with self._outputs[number] as stream:
            self._said[number] = stream.read()

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self.returncode = int(os.read(self._report, 16))
            os.close(self._report)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None and not select.select([self._report], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        code = self.poll()
        assert code is not None
        return code

    def communicate(self, timeout: float) -> tuple[str, str]:
        """What it wrote to stdout and stderr, once it has ended."""
        deadline = time.monotonic() + timeout
        self.wait(timeout)
        for reader in self._readers:
            reader.join(max(0.0, deadline - time.monotonic()))
        return self._said.get(1, b"").decode(), self._said.get(2, b"").decode()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class WarmPython:
    """An interpreter with these modules loaded; it starts with the first process that is asked for."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def start(
        self,
        module: str,
        *arguments: str,
        cwd: Path | None = None,
        environment: dict[str, str] | None = None,
        descriptors: dict[int, int] | None = None,
    ) -> Forked:
        """``python -m module arguments``; ``descriptors`` gives its number for each of ours.

        Stdout and stderr are kept for ``communicate`` unless given; stdin is empty.
        """
        given = dict(descriptors or {})
        outputs, theirs = {}, []
        for number in {1, 2} - given.keys():
            outputs[number], given[number] = os.pipe()
            theirs.append(given[number])
        report, write = os.pipe()
        request = {
            "words": [module, *arguments],
            "folder": str(cwd or Path.cwd()),
            "environment": dict(os.environ) if environment is None else environment,
            "numbers": list(given),
        }
        with self._lock:
            if self._line is None:
                self._line = self._load()
            socket.send_fds(self._line, [json.dumps(request).encode()], [write, *given.values()])
        for descriptor in (write, *theirs):
            os.close(descriptor)
        return Forked(report, outputs)

    def _load(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_python", str(theirs.fileno()), *self._modules],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                cwd=Path(__file__).parents[1],
            )
        atexit.register(self.close)
        return ours

    def close(self) -> None:
        if self._line is not None and self._process is not None:
            self._line.close()
            self._process.wait(60)


def fork_on_request(line: socket.socket, modules: Sequence[str]) -> None:
    """Load the modules, then fork until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in modules:
        importlib.import_module(module)
    # Else the first collection in every process copies all that was loaded.
    gc.collect()
    gc.freeze()
    while True:
        request, descriptors, _, _ = socket.recv_fds(line, 1 << 20, 16)
        if not request:
            return
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork() == 0:
            line.close()
            _watch(json.loads(request), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(request: dict[str, Any], descriptors: list[int]) -> None:
    """Fork once more, tell pid and exit code as they are known, and end."""
    report, *theirs = descriptors
    child = os.fork()
    if child == 0:
        os.close(report)
        _run(request, theirs)
    for descriptor in theirs:
        os.close(descriptor)
    with contextlib.suppress(BrokenPipeError):
        os.write(report, f"{child}".encode().ljust(16))
        os.write(report, f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}".encode().ljust(16))
    os._exit(0)


def _run(request: dict[str, Any], descriptors: list[int]) -> None:
    """Become the process that was asked for."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code: object = 1
    try:
        # Out of the way first: a number that is asked for may be another's now.
        high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 100) for descriptor in descriptors]
        for descriptor in descriptors:
            os.close(descriptor)
        for descriptor, number in zip(high, request["numbers"], strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.argv = list(request["words"])
        runpy.run_module(request["words"][0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    fork_on_request(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
