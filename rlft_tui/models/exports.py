"""Models written out for other programs: what there is, how large, and whether it was proven.

Each is a folder with the files of its format and ``proof.json``, which says everything about it; so
a folder that was moved or copied is still told from others, and there is no table to keep in step.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from rlft_tui.record import Record

Form = Literal["safetensors", "gguf", "onnx", "adapter"]
Quant = Literal["", "f16", "q8_0", "q5_1", "q4_1", "q4_0", "q4_k_m"]

PROOF = "proof.json"
BITS: dict[str, float] = {"": 32, "f16": 16, "q8_0": 8.5, "q5_1": 6, "q4_1": 5, "q4_0": 4.5, "q4_k_m": 4.85}
"""Bits a weight of each kind of GGUF takes, scales included."""


def draft_of(target: Path, run_id: str) -> Path:
    """The folder that a run writes before it becomes the export."""
    return target.parent / f".{target.name}.{run_id}.draft"


class Proof(Record, frozen=True):
    """How an export answers, beside the model that it was made from."""

    engine: str
    """What read the export back, with its version."""
    prompts: int
    same_template: bool
    same_end: bool
    """The tokens that end an answer are the same."""
    same_tokens: bool
    """The fixed prompts become the same token ids, by the export's own tokenizer."""
    greedy_agreement: float
    """Share of the prompts whose whole greedy answer is the same, token by token."""
    top_token_agreement: float
    """Share of the tokens of the original's answers for which both would choose the same next one."""
    max_logit_difference: float
    mean_kl: float
    """Mean of KL(original ‖ export) over those tokens, nats/token."""
    tokens_per_second: float
    """One greedy answer after another, the prompt's reading included."""
    original_tokens_per_second: float
    agreement_wanted: float
    """Least top_token_agreement for this format."""
    faults: tuple[str, ...] = ()
    """What failed, in words; nothing for an export that answers like the original."""
    samples: tuple[dict[str, str], ...] = ()
    """The first prompts with both answers."""
    note: str = ""


class Export(Record, frozen=True):
    """One exported model."""

    model: str
    form: str
    quant: str
    path: str
    bytes: int
    """Of all its files."""
    original_bytes: int
    """Of the weights that it was made from."""
    run_id: str
    created_at: float
    dtype: str = ""
    proof: Proof | None = None
    files: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it was proven to answer like the original."""
        return self.proof is not None and not self.proof.faults


def export_name(model: str, form: str, quant: str) -> str:
    """The folder's name: what it is made from, the format, and how it is quantised."""
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in model).strip(".-") or "model"
    return "-".join(part for part in (plain, form, quant.replace("_", "")) if part)


def read_export(folder: Path) -> Export | None:
    """What a folder's proof.json says; None for a folder that is no export."""
    try:
        found = msgspec.convert(json.loads((folder / PROOF).read_bytes()), Export)
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return None
    return replace(found, path=str(folder))


def list_exports(root: Path, others: Iterable[Path] = ()) -> tuple[Export, ...]:
    """Those in a folder of them and at ``others``, newest first."""
    folders = [path for path in root.iterdir() if path.name[:1] != "."] if root.is_dir() else []
    found = {folder.resolve(): export for folder in [*folders, *others] if (export := read_export(folder))}
    return tuple(sorted(found.values(), key=lambda one: -one.created_at))


def weights_bytes(folder: Path) -> tuple[int, int]:
    """Bytes and number of the values in a folder's safetensors, by their headers; 0 where there are none."""
    total = values = 0
    for path in folder.glob("*.safetensors"):
        try:
            with path.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                header: dict[str, Any] = json.loads(stream.read(length))
        except (OSError, ValueError, struct.error):
            continue
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                total += end - begin
                count = 1
                for size in entry["shape"]:
                    count *= size
                values += count
    return total, values


def room_needed(values: int, stored: int, form: str, quant: str) -> int:
    """Bytes of free disk that an export takes at most on its way, from the number of weights.

    A GGUF is made from merged safetensors, and a K-quant from an f16 file too; ONNX holds float32.
    """
    merged = max(4 * values, stored)
    if form == "gguf":
        own = int(values * BITS[quant] / 8)
        return merged + own + (2 * values if quant == "q4_k_m" else 0)
    if form == "adapter":
        return stored
    return merged
