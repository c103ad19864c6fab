"""Whether a folder holds a model that can be loaded, judged without loading it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from rlft_tui.errors import NotFoundError, RlftError


def check_model_folder(folder: Path) -> None:
    """Config, tokenizer and whole safetensors files; RlftError names what is missing."""
    if not folder.is_dir():
        raise NotFoundError("no such model folder", where=str(folder), remedy="Name a folder or a hub id")
    for name, meaning in (("config.json", "a model"), ("tokenizer.json", "a fast tokenizer")):
        if not (folder / name).is_file():
            raise RlftError(f"no {name}, so this is not {meaning}", where=str(folder))
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise RlftError(
            "no safetensors weights here", where=str(folder), remedy="Save the model with save_pretrained"
        )
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        missing = sorted(named - {path.name for path in weights})
        if missing:
            raise RlftError(f"weights missing: {', '.join(missing)}", where=str(folder))
    for path in weights:
        check_safetensors_size(path)


def check_safetensors_size(path: Path) -> None:
    """RlftError when the file is shorter or longer than its own header says."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        prefix = stream.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else size
        if length > size - 8:
            raise RlftError("the weights file is cut short", where=str(path), remedy="Copy or pull it again")
        try:
            header = json.loads(stream.read(length))
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        except (ValueError, KeyError, TypeError):
            raise RlftError("the weights file is damaged", where=str(path)) from None
    if 8 + length + max(ends, default=0) != size:
        raise RlftError("the weights file is cut short", where=str(path), remedy="Copy or pull it again")
