"""Eight labellers over TCP at once, while the server is killed again and again.

``rlft serve`` runs in a process of its own; each labeller is a thread with a connection of
its own that walks its queue as the label screen does. At the end every acknowledged verdict
has to be stored once, and every labeller to have judged each pair once.

    VERDICTS=2000 KILLS=10 python -m benchmarks.eight_labellers
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from rlft_tui.client.connection import connect
from rlft_tui.client.remote import connect_remote
from rlft_tui.client.remote_place import RemotePlace
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.errors import RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Preference
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from rlft_tui.server.remote_access import RemoteToken
from rlft_tui.server.server_record import read_record

LABELLERS = 8
VERDICTS = int(os.environ.get("VERDICTS", "2000"))
KILLS = int(os.environ.get("KILLS", "10"))


class Labeller(threading.Thread):
    """Judges every pair of the queue; ``acknowledged`` are the ids the server answered for."""

    def __init__(self, place: RemotePlace, name: str) -> None:
        super().__init__(name=name)
        self.acknowledged: list[str] = []
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self._place = place

    def run(self) -> None:
        try:
            with connect_remote(self._place, timeout=120.0, patience=120.0) as client:
                self._label(client)
        except RlftError as error:
            self.errors.append(str(error))

    def _label(self, client: WorkspaceClient) -> None:
        while items := client.queue(self.name, limit=10).items:
            for item in items:
                one = Preference(
                    *(new_id(), item.pair.id, self.name, "a"),
                    shown_first=item.left,
                    source=item.source,
                    time_spent_ms=900,
                )
                begin = time.perf_counter()
                client.add_label(one)
                self.seconds.append(time.perf_counter() - begin)
                self.acknowledged.append(one.id)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="rlft-bench-", dir=os.environ.get("BENCH_FOLDER")) as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        workspace = create_workspace(Path(folder) / "workspace")
        workspace.settings.write_text("repeat_share = 0.0\ndaily_backups = 0\n")
        with connect(workspace) as client:
            client.add_pairs(
                [
                    ResponsePair(f"pair-{n}", f"Question {n}?", f"Answer {n} a", f"Answer {n} b")
                    for n in range(VERDICTS)
                ]
            )
        command = [
            sys.executable,
            "-m",
            "rlft_tui.cli.main",
            "-w",
            str(workspace.root),
            "serve",
            "--port",
            "0",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as serving:
            try:
                return _measure(workspace)
            finally:
                serving.send_signal(signal.SIGTERM)
                serving.wait(60)
                with connect(workspace) as client:
                    client.shutdown()


def _measure(workspace: Workspace) -> int:
    with connect(workspace) as client:
        while not (state := client.remote()).listening:
            time.sleep(0.1)
    place = RemotePlace(state.url, RemoteToken(workspace).text())
    labellers = [Labeller(place, f"labeller-{n}") for n in range(LABELLERS)]
    begin = time.perf_counter()
    for labeller in labellers:
        labeller.start()
    killed = _kill_now_and_then(workspace, labellers)
    for labeller in labellers:
        labeller.join()
    took = time.perf_counter() - begin
    with connect(workspace) as client:
        stored = client.labels(limit=1_000_000)
    acknowledged = [one for labeller in labellers for one in labeller.acknowledged]
    ids = [one.id for one in stored]
    judged = {(one.labeler_id, one.example_id) for one in stored}
    seconds = sorted(one for labeller in labellers for one in labeller.seconds)
    lost, double = len(set(acknowledged) - set(ids)), len(ids) - len(set(ids)) + len(ids) - len(judged)
    print("| labellers | verdicts | server killed | lost | twice | s | verdicts/s | p50 ms | p95 ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    p50, p95 = (1000 * seconds[int(len(seconds) * share)] for share in (0.5, 0.95))
    print(
        f"| {LABELLERS} | {len(ids):,} of {LABELLERS * VERDICTS:,} | {killed} | {lost} | {double} "
        f"| {took:.0f} | {len(ids) / took:.0f} | {p50:.1f} | {p95:.1f} |"
    )
    errors = [error for labeller in labellers for error in labeller.errors]
    for error in errors:
        print(error)
    return 1 if lost or double or errors or len(ids) != LABELLERS * VERDICTS else 0


def _kill_now_and_then(workspace: Workspace, labellers: list[Labeller]) -> int:
    """kill -9 at even shares of the work; how often the server was really there to be killed."""
    total = LABELLERS * VERDICTS
    killed = 0
    for number in range(1, KILLS + 1):
        goal = number * total // (KILLS + 1)
        while sum(len(one.acknowledged) for one in labellers) < goal:
            if not any(one.is_alive() for one in labellers):
                return killed
            time.sleep(0.05)
        record = read_record(workspace)
        if record is not None:
            os.kill(record.pid, signal.SIGKILL)
            killed += 1
    return killed


if __name__ == "__main__":
    sys.exit(main())
