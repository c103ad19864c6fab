"""The model that is exported, in memory: it answers the fixed prompts, and is merged afterwards."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.jobs.decoding import end_ids
from rlft_tui.jobs.export.engines import TransformersEngine
from rlft_tui.jobs.export.proof import Reference, measure_reference
from rlft_tui.jobs.model_loading import check_adapter_folder, choose_dtype, first_line, load_base
from rlft_tui.jobs.tokenizer_loading import load_tokenizer
from rlft_tui.models.exports import weights_bytes
from rlft_tui.runs.specs.export import ExportSpec


class Original:
    """Base, and adapter where there is one, computed in the spec's precision."""

    def __init__(self, spec: ExportSpec, device: str) -> None:
        self.spec = spec
        self.bytes = sum(weights_bytes(Path(p))[0] for p in (spec.model.path, spec.model.adapter) if p)
        self.tokenizer = load_tokenizer(spec.model.path)
        self.dtype = choose_dtype(spec.precision, device)
        self.model: Any = load_base(spec.model.path, self.dtype, device)
        self.ends = end_ids(self.model, self.tokenizer)
        if spec.model.adapter:
            self._put_on(spec.model.adapter)
        self.model.eval()

    def _put_on(self, adapter: str) -> None:
        from peft import PeftModel

        check_adapter_folder(Path(adapter))
        try:
            self.model = PeftModel.from_pretrained(self.model, adapter)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise RlftError(
                f"the adapter does not fit this base: {first_line(error)}", where=adapter
            ) from error

    def answer(self) -> Reference:
        """What it says to the fixed prompts."""
        return measure_reference(
            TransformersEngine(self.model, self.tokenizer),
            self.tokenizer,
            self.ends,
            prompts=self.spec.prompts,
            tokens=self.spec.max_new_tokens,
        )

    def merged(self) -> Any:
        """The whole model without adapter layers; it cannot be asked as the original any more."""
        if self.spec.model.adapter and hasattr(self.model, "merge_and_unload"):
            try:
                self.model = self.model.merge_and_unload(safe_merge=True)
            except ValueError as error:
                raise RlftError(f"the adapter cannot be merged: {first_line(error)}") from error
        return self.model

    def free(self) -> None:
        """Give its memory back."""
        self.model = None
        gc.collect()
