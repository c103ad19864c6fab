"""Curves: time to read an event log and to answer, for 5 × 100,000 steps and 1,000,000 steps.

``load``: a server that has not seen the run reads its log. ``next answer``: after one more step.
``reopened``: from the copy of the curves beside the log, as a new server does.
"""

from __future__ import annotations

import math
import random
import tempfile
import time
from pathlib import Path

import msgspec
import psutil

from rlft_tui.metrics.series import RunCurves
from rlft_tui.runs.run_event import EventReader, MetricsColumns, RunEvent, encode_event
from rlft_tui.runs.run_spec import parse_spec
from rlft_tui.runs.run_state import RunState
from rlft_tui.samples.samples import RunSamples
from rlft_tui.server.curve_cache import read_cache, write_cache

KEYS = ("loss", "rewards/margins", "rewards/accuracies", "grad_norm", "learning_rate")
POINTS = 500


def write_log(path: Path, steps: int, keys: tuple[str, ...]) -> None:
    rng = random.Random(0)
    with path.open("wb") as stream:
        stream.write(encode_event(RunEvent("start", 0.0, {"attempt": 1, "steps": steps})))
        for step in range(1, steps + 1):
            values = {key: math.exp(-step / steps) + rng.gauss(0, 0.1) for key in keys}
            fields = {"step": step, "values": values, "units": {}, "memory_mb": 900.0}
            stream.write(encode_event(RunEvent("metrics", float(step), fields)))


def measure(steps: int, keys: tuple[str, ...]) -> dict[str, float]:
    model = {"name": "m", "path": "/m"}
    spec = parse_spec({"id": "bench", "method": "dpo", "model": model, "dataset": "d"})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        write_log(path, steps, keys)
        before = psutil.Process().memory_info().rss
        state, curves, samples, reader = (
            RunState(spec, "", 0.0),
            RunCurves(),
            RunSamples("bench"),
            EventReader(path),
        )
        began = time.perf_counter()
        events, offset = 0, -1
        while offset != reader.offset:
            offset = reader.offset
            for taken in reader.read_batches(1 << 18):
                if isinstance(taken, MetricsColumns):
                    state.apply_columns(taken)
                    curves.apply_columns(taken)
                    events += len(taken)
                elif isinstance(taken, list):
                    state.apply_rows(taken)
                    curves.apply_rows(taken)
                    events += len(taken)
                else:
                    state.apply(taken)
                    curves.apply(taken)
                    samples.apply(taken)
                    events += 1
        loaded = time.perf_counter()
        msgspec.json.encode(curves.series([], POINTS))
        answered = time.perf_counter()
        memory = psutil.Process().memory_info().rss - before
        curves.apply(RunEvent("metrics", 0.0, {"step": steps + 1, "values": dict.fromkeys(keys, 0.5)}))
        grown = time.perf_counter()
        answer = msgspec.json.encode(curves.series([], POINTS))
        again = time.perf_counter()
        samples_again, curves_again = RunSamples("bench"), RunCurves()
        reader_again, state_again = EventReader(path), RunState(spec, "", 0.0)
        write_cache(Path(folder), reader, state, curves, samples)
        began_again = time.perf_counter()
        read_cache(Path(folder), reader_again, state_again, curves_again, samples_again)
        curves_again.series([], POINTS)
        reopened = time.perf_counter() - began_again
    return {
        "load s": loaded - began,
        "events/s": events / (loaded - began),
        "first answer ms": 1000 * (answered - loaded),
        "next answer ms": 1000 * (again - grown),
        "reopened ms": 1000 * reopened,
        "answer kB": len(answer) / 1000,
        "memory MB": memory / 2**20,
    }


def main() -> None:
    results = {
        "5 x 100k steps": measure(100_000, KEYS),
        "1M steps": measure(1_000_000, KEYS[:1]),
    }
    print("| | " + " | ".join(results) + " |")
    print("|---|" + "---|" * len(results))
    for name in results["1M steps"]:
        print(f"| {name} | " + " | ".join(f"{result[name]:,.1f}" for result in results.values()) + " |")


if __name__ == "__main__":
    main()
