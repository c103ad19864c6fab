"""The files of one export, and what reads them back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rlft_tui.jobs.decoding import end_ids, prompt_ids
from rlft_tui.jobs.export import gguf_files
from rlft_tui.jobs.export.engines import Engine, LlamaCppEngine, OnnxEngine, TransformersEngine
from rlft_tui.jobs.export.original import Original
from rlft_tui.jobs.export.prompts import PROMPTS
from rlft_tui.jobs.export.proof import ExportedTokenizer, Reference, prove
from rlft_tui.jobs.export.safetensors_files import DTYPES, NAMES, copy_adapter, stored_dtype, write_merged
from rlft_tui.jobs.model_loading import load_base
from rlft_tui.jobs.tokenizer_loading import copy_tokenizer, has_fallback
from rlft_tui.models.exports import Proof
from rlft_tui.runs.specs.export import ExportSpec

END_TOKENS = "end_tokens.json"


class Written:
    """An export in its draft folder."""

    def __init__(self, spec: ExportSpec, original: Original, folder: Path) -> None:
        self.spec = spec
        self.folder = folder
        self.tokenizer = original.tokenizer
        self.ends = original.ends
        self.dtype = original.dtype
        self.note = ""
        self.held_in: str = spec.quant or "fp32"
        """What the weights are held in: a quantisation, or fp32, bf16, fp16."""
        getattr(self, f"_write_{spec.form}")(original)

    def prove(self, reference: Reference, device: str) -> Proof:
        """Read it back and compare."""
        with self._engine(reference, device) as (engine, tokenizer):
            return prove(
                reference,
                engine,
                tokenizer,
                self.tokenizer,
                held_in=(self.held_in, NAMES[self.dtype]),
                tokens=self.spec.max_new_tokens,
                note=self.note,
            )

    # writing
    def _write_safetensors(self, original: Original) -> None:
        path = self.spec.model.path
        dtype = stored_dtype(path) if self.spec.dtype == "auto" else DTYPES[self.spec.dtype]
        self.held_in = NAMES[dtype]
        write_merged(original.merged(), path, self.folder, dtype=dtype, shard_gb=self.spec.shard_gb)

    def _write_adapter(self, original: Original) -> None:
        copy_adapter(Path(self.spec.model.adapter), self.folder)
        if has_fallback(self.tokenizer):
            # The base's own has not the chat template that the adapter was trained with.
            copy_tokenizer(self.spec.model.path, self.folder)
        config = self.folder / "adapter_config.json"
        values = json.loads(config.read_text(encoding="utf-8"))
        base = self.spec.lineage[-1].model if self.spec.lineage else self.spec.model.path
        config.write_text(json.dumps({**values, "base_model_name_or_path": base}, indent=2), encoding="utf-8")

    def _write_onnx(self, original: Original) -> None:
        from rlft_tui.jobs.export.onnx_files import write_onnx

        model = original.merged()
        model.config.save_pretrained(self.folder)
        copy_tokenizer(self.spec.model.path, self.folder)
        (self.folder / END_TOKENS).write_text(json.dumps(sorted(self.ends)), encoding="utf-8")
        self.note = write_onnx(model, self.folder)

    def _write_gguf(self, original: Original) -> None:
        merged = self.folder / ".merged"
        try:
            write_merged(original.merged(), self.spec.model.path, merged, dtype=torch.float32)
            original.free()
            gguf_files.write_gguf(merged, self._gguf, self.spec.quant, self.spec.model.name)
        finally:
            shutil.rmtree(merged, ignore_errors=True)

    @property
    def _gguf(self) -> Path:
        plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in self.spec.model.name)
        return self.folder / f"{plain}-{self.spec.quant}.gguf"

    # reading back
    @contextmanager
    def _engine(self, reference: Reference, device: str) -> Iterator[tuple[Engine, ExportedTokenizer]]:
        engine, tokenizer = getattr(self, f"_read_{self.spec.form}")(reference, device)
        try:
            yield engine, tokenizer
        finally:
            engine.close()

    def _read_safetensors(self, reference: Reference, device: str) -> tuple[Engine, ExportedTokenizer]:
        model = load_base(str(self.folder), self.dtype, device)
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        return TransformersEngine(model, tokenizer), self._own(tokenizer, end_ids(model, tokenizer))

    def _read_adapter(self, reference: Reference, device: str) -> tuple[Engine, ExportedTokenizer]:
        from peft import PeftModel

        base = load_base(self.spec.model.path, self.dtype, device)
        model: Any = PeftModel.from_pretrained(base, str(self.folder))
        own = (self.folder / "tokenizer_config.json").is_file()
        tokenizer = AutoTokenizer.from_pretrained(self.folder if own else self.spec.model.path)
        return TransformersEngine(model, tokenizer), self._own(tokenizer, end_ids(base, tokenizer))

    def _read_onnx(self, reference: Reference, device: str) -> tuple[Engine, ExportedTokenizer]:
        ends = frozenset(json.loads((self.folder / END_TOKENS).read_text()))
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        return OnnxEngine(self.folder, ends), self._own(tokenizer, ends)

    def _read_gguf(self, reference: Reference, device: str) -> tuple[Engine, ExportedTokenizer]:
        """Template, end and vocabulary stand in the file; llama.cpp, where there, splits the prompts too."""
        template, ends, vocabulary = gguf_files.read_header(self._gguf)
        # A file names one token that ends an answer; llama.cpp adds the others by what they are called.
        ends = reference.ends if ends and ends <= reference.ends else ends
        if gguf_files.has_llama_cpp():
            longest = max(len(p) + len(a) for p, a in zip(reference.prompts, reference.answers, strict=True))
            room = longest + self.spec.max_new_tokens + 8
            engine = LlamaCppEngine(self._gguf, reference.ends, context=room)
            tokens = [engine.token_ids(text) for text in reference.texts]
            return engine, ExportedTokenizer(template, ends, tokens)
        model: Any = AutoModelForCausalLM.from_pretrained(
            self.folder, gguf_file=self._gguf.name, dtype=self.dtype
        )
        model = model.to(device)
        own = [self.tokenizer.convert_ids_to_tokens(ids) for ids in reference.prompts]
        places = {token: at for at, token in enumerate(vocabulary)}
        tokens = [[places.get(token, -1) for token in line] for line in own]
        self.note = (
            "read back by transformers, its weights dequantised: llama.cpp is not installed here, so its "
            "speed and its way to split text were not tried"
        )
        name = TransformersEngine(model, self.tokenizer).name
        engine_ = TransformersEngine(model, self.tokenizer, name=f"{name}, dequantised")
        engine_.ends = reference.ends
        return engine_, ExportedTokenizer(template, ends, tokens)

    def _own(self, tokenizer: Any, ends: frozenset[int]) -> ExportedTokenizer:
        asked = [[{"role": "user", "content": text}] for text in PROMPTS[: self.spec.prompts]]
        return ExportedTokenizer(
            str(tokenizer.chat_template), ends, [prompt_ids(tokenizer, messages) for messages in asked]
        )
