"""Models in memory: one base, any number of LoRA adapters on it, switched without reloading."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from rlft_tui.counted import counted
from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.jobs.model_check import check_model_folder, check_safetensors_size
from rlft_tui.jobs.tokenizer_loading import from_pretrained, load_tokenizer
from rlft_tui.runs.specs.base import Device, Precision

transformers_logging.disable_progress_bar()


def choose_device(wanted: Device = "auto") -> str:
    """``cuda`` or ``cpu``; UnavailableError where a GPU is wanted and there is none."""
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise UnavailableError("device cuda needs a GPU, and torch finds none", remedy="Set device to auto")
    return "cuda" if there and wanted != "cpu" else "cpu"


def device_name(device: str) -> str:
    """What a person calls it: the GPU's name, or CPU with the threads in use."""
    if device == "cuda":
        return str(torch.cuda.get_device_name(0))
    return f"CPU, {counted(torch.get_num_threads(), 'thread')}"


def choose_dtype(precision: Precision, device: str) -> torch.dtype:
    """What is computed in; ``auto`` takes bfloat16 only where the hardware multiplies it natively."""
    if precision == "fp32":
        return torch.float32
    if precision == "fp16":
        if device == "cpu":
            raise RlftError("precision fp16 needs a GPU", remedy="Set precision to auto, bf16 or fp32")
        return torch.float16
    if precision == "bf16":
        return torch.bfloat16
    native = torch.cuda.is_bf16_supported() if device == "cuda" else _cpu_has_bf16()
    return torch.bfloat16 if native else torch.float32


def set_threads(threads: int) -> None:
    """CPU threads of this process; 0 leaves the choice to torch."""
    if threads > 0:
        torch.set_num_threads(threads)


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far, in MB of 10**6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def peak_cuda_memory_mb() -> float | None:
    """Highest GPU memory torch has held, in MB; None without a GPU."""
    return torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else None


def load_base(path: str, dtype: torch.dtype, device: str) -> Any:
    """A causal language model without adapter, ready to be trained or run."""
    if Path(path).is_dir():
        check_model_folder(Path(path))
    return from_pretrained(AutoModelForCausalLM, path, dtype=dtype).to(device)


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def check_adapter_folder(folder: Path) -> None:
    """RlftError unless the folder holds a whole PEFT adapter."""
    weights = folder / "adapter_model.safetensors"
    if not (folder / "adapter_config.json").is_file() or not weights.is_file():
        raise NotFoundError(
            "no adapter here", where=str(folder), remedy="rlft models list shows what there is"
        )
    check_safetensors_size(weights)


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class AdapterBase:
    """One base in memory with the adapters loaded on it so far."""

    def __init__(self, path: str, dtype: torch.dtype, device: str) -> None:
        self.path = path
        self.dtype = dtype
        self.device = device
        self.tokenizer = load_tokenizer(path)
        self._load_base()

    def _load_base(self) -> None:
        self.model = load_base(self.path, self.dtype, self.device).eval()
        self._names: dict[str, str] = {}
        self._written: dict[str, int] = {}
        """When each adapter's file was written: one that was trained anew is loaded anew."""
        self._layers: list[Any] = []
        self._loaded = 0
        self._selected = ""

    def load(self, adapter: str) -> None:
        """Put an adapter folder on the base unless it is there; the empty name is the base itself."""
        if not adapter:
            return
        check_adapter_folder(Path(adapter))
        written = (Path(adapter) / "adapter_model.safetensors").stat().st_mtime_ns
        if self._written.get(adapter) == written:
            return
        from peft import PeftModel
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils.other import AuxiliaryTrainingWrapper

        name = f"adapter_{self._loaded}"
        try:
            if isinstance(self.model, PeftModel):
                self.model.load_adapter(adapter, adapter_name=name)
                if adapter in self._names:
                    self.model.delete_adapter(self._names.pop(adapter))
            else:
                self.model = PeftModel.from_pretrained(self.model, adapter, adapter_name=name).eval()
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            # Half of it may be in the model by now: begin with a clean base.
            self._load_base()
            raise RlftError(
                f"the adapter does not fit this base: {first_line(error)}", where=adapter
            ) from error
        self._loaded += 1
        kinds = (BaseTunerLayer, AuxiliaryTrainingWrapper)
        self._layers = [module for module in self.model.modules() if isinstance(module, kinds)]
        self._names[adapter] = name
        self._written[adapter] = written
        self._selected = "?"

    def select(self, adapter: str) -> None:
        """Answer with this adapter from the next forward pass on."""
        if adapter and adapter not in self._names:
            self.load(adapter)
        if adapter == self._selected or not self._names:
            return
        # PEFT's own switch walks the whole model and resets every parameter's requires_grad:
        # 10 ms, at every token when two sides take turns. This is the same state, set directly.
        for layer in self._layers:
            layer._disable_adapters = not adapter
            if adapter:
                layer._active_adapter = [self._names[adapter]]
        self._selected = adapter
