"""rlft export: a model written out for other programs, and proven."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Now
from rlft_tui.cli.session import Session, fields, table

if TYPE_CHECKING:
    from rlft_tui.models.exports import Export

app = noun("export")


class Form(StrEnum):
    """Formats."""

    SAFETENSORS = "safetensors"
    GGUF = "gguf"
    ONNX = "onnx"
    ADAPTER = "adapter"


class Quant(StrEnum):
    """How a GGUF is quantised."""

    F16 = "f16"
    Q8_0 = "q8_0"
    Q5_1 = "q5_1"
    Q4_1 = "q4_1"
    Q4_0 = "q4_0"
    Q4_K_M = "q4_k_m"


class Dtype(StrEnum):
    """What safetensors are written in."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


def export(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Name, as rlft models list shows it.")],
    form: Annotated[Form, typer.Option("--format", "-f", help="What to write.")] = Form.SAFETENSORS,
    quant: Annotated[
        Quant | None,
        typer.Option("--quant", "-q", help="Of a GGUF; q4_k_m needs llama-cpp-python [default: f16]"),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="DIR", help="The new folder [default: one in the workspace's exports/]"
        ),
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Replace an export that is there.")] = False,
    dtype: Annotated[
        Dtype, typer.Option("--dtype", help="Of safetensors; auto is as the base is stored.")
    ] = Dtype.AUTO,
    shard_gb: Annotated[
        float, typer.Option("--shard-gb", min=0.001, metavar="GB", help="Largest safetensors file.")
    ] = 5.0,
    now: Now = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Print the run's id and return; the run goes on.")
    ] = False,
) -> None:
    """Write a model out as safetensors, GGUF, ONNX or adapter, and prove that it answers like the original.

    An adapter is merged into its base first. The folder holds the weights with chat template and tokenizer,
    generate.py, which asks the model without rlft, README.md, and proof.json: twenty prompts answered by
    original and export. Exit code 1 when the export does not answer like the original; it is kept, and says
    so. Ctrl+C leaves the run going.
    """
    with session.connect() as client:
        run = client.export(
            name,
            form.value,
            quant=quant.value if quant else "",
            output=str(Path(output).expanduser().absolute()) if output else "",
            replace=replace,
            dtype=dtype.value,
            shard_gb=shard_gb,
            now=now,
        )
        if detach:
            from rlft_tui.cli.run_progress import finish_launch

            finish_launch(session, client, run, follow=False)
            return
        from rlft_tui.cli.run_progress import exit_code, follow_run

        session.say(run.id)
        ended = follow_run(session, client, run.id)
        made = next((one for one in client.exports() if one.run_id == run.id), None)
    if made is not None:
        session.show(made, lambda: export_text(made))
    raise typer.Exit(exit_code(ended) if made is None else int(not made.ok))


def list_(session: Session) -> None:
    """List what was exported, newest first, with the size and whether it was proven."""
    with session.connect() as client:
        found = client.exports()
    session.show(
        found,
        lambda: table(
            ("model", "format", "size", "proven", "same next token", "path"),
            [
                (
                    one.model,
                    f"{one.form} {one.quant}".strip(),
                    f"{one.bytes / 1e6:,.1f} MB",
                    "yes" if one.ok else "no",
                    f"{one.proof.top_token_agreement:.1%}" if one.proof else "",
                    one.path,
                )
                for one in found
            ],
        ),
    )
    if not found:
        session.say("Nothing exported yet: rlft export MODEL --format gguf")


def export_text(export: Export) -> str:
    """What was written, and the proof."""
    proof = export.proof
    rows: list[tuple[str, object]] = [
        ("export", export.path),
        ("format", f"{export.form} {export.quant or export.dtype}".strip()),
        (
            "size",
            f"{export.bytes / 1e6:,.1f} MB, the original's weights {export.original_bytes / 1e6:,.1f} MB",
        ),
    ]
    if proof is None:
        return fields(rows)
    rows += [
        ("read back by", proof.engine),
        ("chat template", "same" if proof.same_template else "ANOTHER"),
        ("end of an answer", "same" if proof.same_end else "ANOTHER"),
        ("prompt tokens", "same" if proof.same_tokens else "OTHERS"),
        (
            "same next token",
            f"{proof.top_token_agreement:.1%}, wanted {proof.agreement_wanted:.0%}",
        ),
        ("same answers", f"{proof.greedy_agreement:.0%} of {proof.prompts}, greedy"),
        (
            "logit difference",
            f"{proof.max_logit_difference:.3g} at most, mean KL {proof.mean_kl:.3g} nats/token",
        ),
        (
            "speed",
            f"{proof.tokens_per_second:.1f} tokens/s, original {proof.original_tokens_per_second:.1f}",
        ),
        ("note", proof.note),
        ("ask it", f"python {export.path}/generate.py 'What is the capital of Portugal?'"),
        ("proof", "it answers like the original" if export.ok else f"FAILED: {'; '.join(proof.faults)}"),
    ]
    return fields(rows)


def add_export_command(models: typer.Typer) -> None:
    """Enter it as ``rlft models export`` too, with the list of what there is."""
    command(models, "rlft models export my-dpo --format gguf --quant q8_0", name="export")(export)
    command(models, "rlft models exports", name="exports")(list_)


command(
    app,
    "rlft export my-dpo",
    "rlft export my-dpo --format gguf --quant q8_0",
    "rlft export my-dpo --format onnx --output /data/my-dpo-onnx --json",
)(export)
