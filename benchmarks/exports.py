"""A tuned small model in every format: does each export answer like the model that it was made from?

SmolLM2-135M, tuned by a short real DPO run on the shipped pairs, is exported by ``rlft export`` as a user
would type it, and every figure is read from the proof that the export itself keeps: twenty fixed prompts,
answered greedily by the original and by what reads the export. Each export's own ``generate.py`` is asked
something at the end. q4_k_m is among them where llama-cpp-python is installed, else q4_1 stands in.

python -m benchmarks.exports [STEPS] [FORMAT[:QUANT] …]
python -m benchmarks.exports WORKSPACE MODEL [FORMAT[:QUANT] …]     a model that there is
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from benchmarks._small_model_runs import run_python, small_model
from benchmarks.quick_presets import Commands, change, prepare, train
from rlft_tui.models.exports import Export

QUESTION = "What is the capital of Portugal?"
TOLD = ("heldout/reward", "heldout/reward_accuracy", "heldout/loss", "reward", "loss", "kl/sequence")
"""Which figures of the run say what it did to the model."""
PACKAGES = {"gguf": "llama_cpp", "onnx": "onnxruntime"}
"""What a format's own script runs on, where that is not transformers."""


def formats() -> list[str]:
    low_bits = "gguf:q4_k_m" if find_spec("llama_cpp") else "gguf:q4_1"
    return ["safetensors", "gguf:f16", "gguf:q8_0", low_bits, "onnx"]


def written(rlft: Commands, model: str, form: str) -> Export:
    """What ``rlft export`` says of one; RlftError when it fails its proof."""
    kind, _, quant = form.partition(":")
    flags = ["--quant", quant] if quant else []
    return msgspec.json.decode(rlft("export", model, "--format", kind, *flags, "--json"), type=Export)


def line(export: Export) -> str:
    proof = export.proof
    assert proof is not None
    same = sum((proof.same_template, proof.same_end, proof.same_tokens))
    return (
        f"| {export.form} {export.quant or export.dtype} | {export.bytes / 1e6:.0f} | {proof.engine} "
        f"| {same} of 3 | {proof.greedy_agreement * proof.prompts:.0f} of {proof.prompts} "
        f"| {100 * proof.top_token_agreement:.1f} (≥ {100 * proof.agreement_wanted:.0f}) "
        f"| {proof.max_logit_difference:.2g} | {proof.mean_kl:.2g} "
        f"| {proof.tokens_per_second:.1f} | {proof.original_tokens_per_second:.1f} |"
    )


def says(export: Export) -> str:
    """The answer of the script that lies beside the weights."""
    needed = PACKAGES.get(export.form)
    if needed and not find_spec(needed):
        return f"not asked: {needed} is not installed here"
    done = run_python([str(Path(export.path) / "generate.py"), QUESTION])
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines() or ["nothing"]
    return f"failed: {lines[-1]}" if done.returncode else " ".join(lines)


def compare(rlft: Commands, model: str, forms: Sequence[str]) -> None:
    """Export the model in each format, and print what the proofs say."""
    run = json.loads(
        rlft("runs", "show", json.loads(rlft("models", "show", model, "--json"))["run_id"], "--json")
    )
    keys = [key for key in TOLD if key in run["first"]]
    print(
        f"SmolLM2-135M after {run['step']} steps of {run['method'].upper()} ({change(run, keys)}).\n"
        "Twenty prompts, the original computed in fp32.\n"
    )
    print(
        "| format | MB | read back by | template, end, tokens the same | same whole answers "
        "| same next token, % | largest logit difference | mean KL, nats/token | tokens/s | original |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    made = []
    for form in forms:
        made.append(written(rlft, model, form))
        print(line(made[-1]), flush=True)
    print(f"\nEach export's generate.py, asked “{QUESTION}”:\n")
    for export in made:
        print(f"- {export.form} {export.quant or export.dtype}: {says(export)}", flush=True)
        if export.proof and export.proof.note:
            print(f"  ({export.proof.note})")


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    small_model()
    told = sys.argv[1:]
    if told and Path(told[0]).is_dir():
        rlft = Commands(Path(told[0]))
        compare(rlft, told[1], told[2:] or formats())
        rlft("server", "stop")
        return
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch) / "workspace"
        rlft = Commands(workspace)
        prepare(rlft, workspace)
        run = train(rlft, "dpo", {"max_steps": told[0] if told else "20"})
        compare(rlft, run["output_model"], told[1:] or formats())
        rlft("server", "stop")


if __name__ == "__main__":
    main()
