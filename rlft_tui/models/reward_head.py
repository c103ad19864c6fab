"""A version's ``reward_model/``: the trunk's adapter, its score head apart, and how both go together.

Read and written without torch, for the server does it: a safetensors file is a length (8 bytes, little
endian), that many bytes of JSON that tell where each tensor lies, and the tensors' bytes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError

TRUNK = "base_model"
HEAD = "reward_head"
_MOST_HEADER = 100_000_000
"""Bytes; the format's own limit."""


def write_reward_model(source: Path, target: Path, copy: Callable[[str, str], object] = shutil.copy2) -> None:
    """Lay out a trained reward model: ``base_model/`` (adapter or whole model, as transformers and PEFT
    load it), ``reward_head`` (safetensors: weight, and bias where there is one), ``config.json``.

    RlftError for a folder that has no score head.
    """
    shutil.copytree(source, target / TRUNK, copy_function=copy)
    head = _head(source)
    _write_tensors(target / HEAD, head)
    config: dict[str, Any] = {
        "base_model_name_or_path": _base(source),
        "trunk": TRUNK,
        "trunk_is_adapter": (source / "adapter_config.json").is_file(),
        "head": HEAD,
        "head_shape": head["weight"][0]["shape"],
        "pooling": "last_token",
    }
    (target / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _base(source: Path) -> str:
    """The base of an adapter, as PEFT wrote it down; empty for a whole model."""
    try:
        return str(json.loads((source / "adapter_config.json").read_bytes())["base_model_name_or_path"])
    except (OSError, ValueError, KeyError):
        return ""


Tensor = tuple[dict[str, Any], bytes]
"""Its entry in the header (dtype, shape, data_offsets) and its bytes."""


def _head(source: Path) -> dict[str, Tensor]:
    """The score head's tensors by their last name: weight, bias."""
    found: dict[str, Tensor] = {}
    for path in sorted(source.glob("*.safetensors")):
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if size > _MOST_HEADER:
                raise RlftError("not a safetensors file", where=str(path))
            header: dict[str, Any] = json.loads(stream.read(size))
            for name, entry in header.items():
                *parts, last = name.split(".")
                if "score" in parts and last in ("weight", "bias"):
                    start, end = entry["data_offsets"]
                    stream.seek(8 + size + start)
                    found[last] = entry, stream.read(end - start)
    if "weight" not in found:
        raise RlftError(
            "this model has no score head, so it is no reward model",
            where=str(source),
            remedy="Train one: rlft train reward",
        )
    return found


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    header: dict[str, Any] = {}
    at = 0
    for name, (entry, content) in tensors.items():
        header[name] = {**entry, "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(header).encode()
    # The format wants the tensors to begin at a multiple of eight bytes.
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data for _, data in tensors.values()))
