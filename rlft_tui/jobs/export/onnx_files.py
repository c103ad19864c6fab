"""ONNX through torch's own exporter: one graph that reads a prompt and goes on token by token.

Batch, tokens read and tokens remembered are all dynamic axes. The keys and values of what was read go out
and come back in as ``present_N_key`` and ``past_N_key``, so a token costs one token's work. A model whose
cache the exporter cannot follow is written without one: it answers the same, each token reading all before
it again.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import torch

from rlft_tui.errors import RlftError

_BATCH, _PAST, _NEW = 2, 5, 3
"""Sizes of the example: none is 0 or 1, which the exporter would take for constants."""


class _Cached(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, past: Any) -> Any:
        from transformers import DynamicCache

        output = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=DynamicCache(ddp_cache_data=list(past)),
            use_cache=True,
        )
        return output.logits, [(layer.keys, layer.values) for layer in output.past_key_values.layers]


class _Plain(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any) -> Any:
        return self.model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, use_cache=False
        ).logits


def write_onnx(model: Any, folder: Path) -> str:
    """``model.onnx`` and its weights beside it; a note where there is something to say about it."""
    model = model.float().cpu().eval()
    try:
        _export(*_with_cache(model), folder)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        for left in folder.glob("model.onnx*"):
            left.unlink()
    else:
        return ""
    try:
        _export(*_without_cache(model), folder)
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RlftError(f"torch cannot write this model as ONNX: {first[:200]}") from error
    return f"without a cache of keys and values, which torch could not export: {reason[:200]}"


def _with_cache(model: Any) -> tuple[Any, tuple[Any, ...], tuple[Any, ...], list[str], list[str]]:
    config = model.config.get_text_config()
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    past = [
        (torch.zeros(_BATCH, heads, _PAST, size), torch.zeros(_BATCH, heads, _PAST, size))
        for _ in range(config.num_hidden_layers)
    ]
    dynamic = torch.export.Dim.DYNAMIC
    row = {0: dynamic, 1: dynamic}
    layer = {0: dynamic, 2: dynamic}
    arguments = (*_tokens(_PAST), past)
    names = [f"{at}_{kind}" for at in range(len(past)) for kind in ("key", "value")]
    return (
        _Cached(model),
        arguments,
        (row, row, row, [(layer, layer) for _ in past]),
        ["input_ids", "attention_mask", "position_ids", *(f"past_{name}" for name in names)],
        ["logits", *(f"present_{name}" for name in names)],
    )


def _without_cache(model: Any) -> tuple[Any, tuple[Any, ...], tuple[Any, ...], list[str], list[str]]:
    row = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    names = ["input_ids", "attention_mask", "position_ids"]
    return _Plain(model), _tokens(0), (row, row, row), names, ["logits"]


def _tokens(before: int) -> tuple[Any, Any, Any]:
    ids = torch.arange(_BATCH * _NEW).reshape(_BATCH, _NEW)
    mask = torch.ones(_BATCH, before + _NEW, dtype=torch.int64)
    return ids, mask, torch.arange(before, before + _NEW)[None].expand(_BATCH, _NEW)


def _export(
    module: Any, arguments: Any, shapes: Any, inputs: list[str], outputs: list[str], folder: Path
) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.inference_mode():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            arguments,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=inputs,
            output_names=outputs,
            verbose=False,
        )
        assert program is not None
        program.save(str(folder / "model.onnx"), external_data=True)
