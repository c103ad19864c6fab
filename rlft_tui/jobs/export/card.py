"""README.md of an export: what it is, where it comes from, how it was proven, how to ask it."""

from __future__ import annotations

import json
import time

from rlft_tui.models.exports import Export, Proof
from rlft_tui.runs.specs.export import ExportSpec, LineageStep

_RUNS_WITH = {
    "safetensors": "transformers",
    "adapter": "peft",
    "onnx": "onnxruntime",
    "gguf": "llama.cpp",
}


def model_card(spec: ExportSpec, export: Export) -> str:
    """Markdown with the front matter that model hubs read."""
    sections = [
        _front_matter(spec),
        f"# {_plain(spec.model.name)}",
        _what(spec, export),
        "## Where it comes from\n\n" + _lineage(spec),
        "## How to ask it\n\n" + _usage(spec),
        "## Proof\n\n" + (_proof(export.proof) if export.proof else "Not proven."),
        "## What to bear in mind\n\n" + _limits(spec),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(spec: ExportSpec) -> str:
    lines = ["---"]
    if spec.licence:
        lines.append(f"license: {json.dumps(spec.licence)}")
    lines += [
        f"library_name: {_RUNS_WITH[spec.form]}",
        "pipeline_tag: text-generation",
        f"base_model: {json.dumps(_base(spec))}",
    ]
    methods = list(dict.fromkeys(step.method for step in spec.lineage if step.method))
    lines += ["tags:", *(f"- {tag}" for tag in ["rlft", *methods])]
    return "\n".join([*lines, "---"])


def _what(spec: ExportSpec, export: Export) -> str:
    held = {
        "safetensors": f"whole weights in {export.dtype}",
        "adapter": "a LoRA adapter; it needs its base",
        "onnx": "an ONNX graph in float32 that reads a prompt and goes on token by token",
        "gguf": f"a GGUF file, {spec.quant}",
    }[spec.form]
    day = time.strftime("%Y-%m-%d", time.gmtime(export.created_at))
    licence = spec.licence or f"not known here: look it up where {_plain(_base(spec))} is published"
    return "\n".join(
        [
            f"- Format: {held}",
            f"- Size: {export.bytes / 1e6:,.1f} MB (the original's weights: "
            f"{export.original_bytes / 1e6:,.1f} MB)",
            f"- Base: {_plain(_base(spec))}",
            f"- Licence of the base: {licence}",
            f"- Written by rlft on {day}, run `{spec.id}`",
        ]
    )


def _base(spec: ExportSpec) -> str:
    return spec.lineage[-1].model if spec.lineage else spec.model.name


def _lineage(spec: ExportSpec) -> str:
    trained = [step for step in spec.lineage if step.run]
    if not trained:
        return f"{_plain(_base(spec))} as it was fetched; nothing was trained here."
    return "\n\n".join(_step(step) for step in trained)


def _step(step: LineageStep) -> str:
    base = f" from {_plain(step.base)}" if step.base else ""
    lines = [f"**{_plain(step.model)}**: {step.method}{base}, run `{step.run}`."]
    if step.dataset:
        name = f" {_plain(step.dataset_name)}" if step.dataset_name else ""
        rows = f", {step.rows:,} rows" if step.rows else ""
        lines.append(f"Data set{name} `{step.dataset}`{rows}.")
    text = " ".join(lines)
    tables = [
        _table(("setting", "value"), sorted(step.settings.items())),
        _table(("metric, last value", "value"), [(k, f"{v:.4g}") for k, v in sorted(step.metrics.items())]),
    ]
    return "\n\n".join([text, *(table for table in tables if table)])


def _usage(spec: ExportSpec) -> str:
    needs = {
        "safetensors": "pip install torch transformers",
        "adapter": "pip install torch transformers peft",
        "onnx": "pip install onnxruntime transformers",
        "gguf": "pip install llama-cpp-python",
    }[spec.form]
    base = f" --base {_plain(_base(spec))}" if spec.form == "adapter" else ""
    lines = ["```", needs, f'python generate.py{base} "What is the capital of Portugal?"', "```"]
    return "\n".join(lines)


def _proof(proof: Proof) -> str:
    said = (
        "It answers like the original." if not proof.faults else "**It failed:** " + "; ".join(proof.faults)
    )
    rows = [
        ("read back by", proof.engine),
        ("chat template", "same" if proof.same_template else "another"),
        ("end of an answer", "same" if proof.same_end else "another"),
        ("prompts become the same tokens", "yes" if proof.same_tokens else "no"),
        (
            "same next token, over the original's answers",
            f"{proof.top_token_agreement:.1%} (wanted {proof.agreement_wanted:.0%})",
        ),
        (f"whole greedy answers equal, of {proof.prompts}", f"{proof.greedy_agreement:.0%}"),
        ("largest difference of a logit", f"{proof.max_logit_difference:.3g}"),
        ("mean KL(original ‖ export)", f"{proof.mean_kl:.3g} nats/token"),
        (
            "one answer at a time",
            f"{proof.tokens_per_second:.1f} tokens/s (original {proof.original_tokens_per_second:.1f})",
        ),
    ]
    note = f"\n\nNote: {_plain(proof.note)}" if proof.note else ""
    return f"{said}\n\n{_table(('measured', 'value'), rows)}{note}"


def _limits(spec: ExportSpec) -> str:
    lines = ["- It may state what is false, and it repeats what its data and its base hold of prejudice."]
    if any(step.method in ("ppo", "grpo", "rloo") for step in spec.lineage):
        lines.append("- It was trained on a reward: what the reward does not see may have got worse.")
    if spec.quant not in ("", "f16"):
        lines.append("- It is quantised: the proof above says what that costs on twenty short prompts only.")
    return "\n".join(lines)


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {_plain(name)} | {_plain(value)} |" for name, value in rows)])


def _plain(text: str) -> str:
    """One line, with nothing in it that Markdown or a table would take for its own."""
    one = " ".join(text.split())
    return "".join(f"\\{c}" if c in "|<>[]*`" else c for c in one)
