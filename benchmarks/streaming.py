"""The inference worker beside plain transformers: first token, a pair's throughput, memory, a kill.

SmolLM2-135M and a LoRA adapter on it, through the workspace's server as the Compare screen asks them.

Tokens a second of processor time say the same on a machine that others use too: of the plain process, and of
worker and server together.

python -m benchmarks.streaming [TOKENS] [ROUNDS]
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.errors import RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Preference
from rlft_tui.models.model import Model
from rlft_tui.models.pull import model_folder
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.server.answers import GenerateRequest

PROMPT = "Describe a walk through a forest in autumn, in as much detail as you can."
PAIR = ("smollm2-135m", "tuned")
Rate = tuple[float, float]
"""Tokens a second: by the clock, and of processor time."""
FIRST_TOKENS = 12
"""Requests whose first token is waited for."""


class Peer:
    """The plain process."""

    def __init__(self, path: Path, adapter: Path) -> None:
        command = [sys.executable, "-m", "benchmarks._plain_pair", str(path), str(adapter), PROMPT]
        if not (adapter / "adapter_config.json").is_file():
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.ready = self._read()

    def ask(self, kind: str, tokens: int) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind} {tokens}\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said


def asked(seed: int, tokens: int, models: tuple[str, ...] = PAIR) -> GenerateRequest:
    return GenerateRequest(PROMPT, models, temperature=0.7, seed=seed, max_new_tokens=tokens)


def first_token(client: WorkspaceClient, seed: int) -> float:
    """Seconds from the call to the first text of either side."""
    began = time.perf_counter()
    for piece in client.generate(asked(seed, 4)):
        if piece.kind == "error":
            raise RlftError(piece.text)
        if piece.kind == "text":
            return time.perf_counter() - began
    raise RlftError("no text came")


def pair_rate(client: WorkspaceClient, seed: int, tokens: int) -> Rate:
    """Tokens a second of both sides, from the request to the end of the first of them."""
    began, used = time.perf_counter(), processor_seconds(client)
    counted = [0, 0]
    for piece in client.generate(asked(seed, tokens)):
        if piece.kind == "error":
            raise RlftError(piece.text)
        counted[piece.side] = max(piece.tokens, counted[piece.side])
        if piece.kind == "done":
            wall = time.perf_counter() - began
            return sum(counted) / wall, sum(counted) / (processor_seconds(client) - used)
    raise RlftError("no side ended")


def processor_seconds(client: WorkspaceClient) -> float:
    """Of the worker and of the server, which started it, so far."""
    worker = psutil.Process(client.inference_status()["pid"])
    times = [one.cpu_times() for one in (worker, *filter(None, [worker.parent()]))]
    return sum(each.user + each.system for each in times)


def resident_mb(client: WorkspaceClient) -> float:
    return psutil.Process(client.inference_status()["pid"]).memory_info().rss / 1e6


def killed(client: WorkspaceClient) -> tuple[float, str, float]:
    """kill -9 amid a stream: seconds to the message, the message, seconds to the next first token."""
    pid = client.inference_status()["pid"]
    at = 0.0
    for piece in client.generate(asked(0, 400)):
        if piece.kind == "error":
            message, told = piece.text, time.perf_counter() - at
            break
        if piece.tokens >= 5 and not at:
            os.kill(pid, signal.SIGKILL)
            at = time.perf_counter()
    else:
        raise RlftError("the worker's death was not told")
    return told, message, first_token(client, 1)


def store_verdict(client: WorkspaceClient, number: int) -> int:
    """One more verdict; how many there are now."""
    pair = ResponsePair(new_id(), f"Question {number}?", "One.", "Two.", *PAIR)
    client.add_pairs([pair])
    client.add_label(Preference(new_id(), pair.id, "bench", "a", shown_first="a", time_spent_ms=1))
    return len(client.labels())


def main() -> None:
    tokens = int(sys.argv[1]) if len(sys.argv) > 1 else 96
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    path = model_folder(PAIR[0])
    if not path.is_dir():
        raise RlftError("no model", remedy="rlft models pull smollm2-135m")
    with tempfile.TemporaryDirectory(prefix="rlft-bench-", dir=os.environ.get("BENCH_FOLDER")) as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        adapter = Path(folder) / "adapter"
        peer = Peer(path, adapter)
        workspace = create_workspace(Path(folder) / "workspace")
        with connect(workspace) as client:
            client.add_model(Model(PAIR[0], "base", str(path)))
            client.add_model(Model("tuned", "adapter", str(adapter), base=PAIR[0], base_path=str(path)))
            client.warm_up(PAIR[:1])
            for _ in client.generate(asked(0, 16, PAIR[:1] * 2)):
                pass
            base_mb = resident_mb(client)
            for _ in client.generate(asked(0, 16)):
                pass
            pair_mb = resident_mb(client)
            measure(client, peer, tokens, rounds)
            dtype, plain_mb = peer.ready["dtype"], peer.ready["memory_mb"]
            print("\n| memory, MB | resident |\n|---|---|")
            print(f"| plain transformers, one model ({dtype}) | {plain_mb:.0f} |")
            print(f"| worker, one model | {base_mb:.0f} |")
            print(f"| worker, the same with an adapter, both streaming | {pair_mb:.0f} |")
            print(f"\nbase and adapter: {pair_mb / base_mb:.2f} × one model's memory (goal ≤ 1.15)")
            verdicts = store_verdict(client, 1)
            told, message, again = killed(client)
            print(f"\nkill -9 of the worker amid a stream: told after {1000 * told:.0f} ms (goal ≤ 1000)")
            print(f"in the words: {message}")
            print(f"the next request's first token, from a new worker: {again:.1f} s")
            after = len(client.labels())
            print(f"verdicts before {verdicts}, after {after}, and one more: {store_verdict(client, 2)}")
            client.shutdown()
        peer.close()


def measure(client: WorkspaceClient, peer: Peer, tokens: int, rounds: int) -> None:
    """First tokens, and throughput in turns so that a noisy moment meets all alike."""
    waits = sorted(first_token(client, seed) for seed in range(FIRST_TOKENS))
    print(f"first token after the request, warm, {FIRST_TOKENS} requests for a pair:")
    print(f"p50 {1000 * statistics.median(waits):.0f} ms, max {1000 * waits[-1]:.0f} ms (goal ≤ 500)\n")
    rates: dict[str, list[Rate]] = {"base": [], "worker": [], "mixed": []}
    for kind in ("base", "mixed"):
        for seed in range(rounds):
            said = peer.ask(kind, tokens)
            rates[kind].append((said["rate"], said["processor_rate"]))
            rates["worker"].append(pair_rate(client, seed, tokens))
    names = {
        "base": "plain transformers, the base twice (no adapter at all)",
        "mixed": "plain transformers and PEFT, base and adapter in one batch",
        "worker": "worker, base and adapter, streamed through the server",
    }
    print(f"| {tokens} tokens each for two rows | tokens/s together: median | least | most | tokens/CPU s |")
    print("|---|---|---|---|---|")
    for kind, name in names.items():
        found = [one[0] for one in rates[kind]]
        print(
            f"| {name} | {statistics.median(found):.1f} | {min(found):.1f} | {max(found):.1f} "
            f"| {statistics.median(one[1] for one in rates[kind]):.1f} |"
        )
    for kind in ("base", "mixed"):
        clock, processor = (
            statistics.median(one[at] for one in rates["worker"])
            / statistics.median(one[at] for one in rates[kind])
            for at in (0, 1)
        )
        print(f"\nworker / {names[kind]}: {clock:.2f} ×, of processor time {processor:.2f} × (goal ≥ 0.90)")


if __name__ == "__main__":
    main()
