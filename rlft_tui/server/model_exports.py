"""What an export is launched with: where from, where to, what is known of the model, what is missing here."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlft_tui.errors import ConflictError, NotFoundError, RlftError, UnavailableError
from rlft_tui.ids import new_run_id
from rlft_tui.models.exports import (
    Export,
    Form,
    Quant,
    export_name,
    list_exports,
    room_needed,
    weights_bytes,
)
from rlft_tui.models.model import Model
from rlft_tui.models.models_table import list_models
from rlft_tui.record import Record
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import read_spec
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.runs.specs.export import ExportSpec
from rlft_tui.server.model_sources import BUILT_IN, resolve_model
from rlft_tui.server.services import Services

SETTINGS = (
    *("adaptation", "lora.r", "lora.alpha", "learning_rate", "max_steps", "epochs", "batch_size"),
    *("gradient_accumulation", "max_length", "beta", "loss_type", "init_kl_coef", "rewards", "seed"),
)
"""Of a run's settings those that say something about its result."""
METRICS = ("loss", "reward", "kl/sequence", "kl/token")
"""Besides every held-out measure."""
NEEDS = {
    "gguf": (("gguf", "sentencepiece"), "rlft_tui[export]"),
    "onnx": (("onnx", "onnxscript", "onnxruntime"), "rlft_tui[export]"),
}
_LICENCE = re.compile(r"^license:\s*['\"]?([\w.\-+ ]+)", re.MULTILINE)
_LONGEST_CHAIN = 20


class ExportRequest(Record, frozen=True):
    """A model to be written out."""

    model: str
    """Its name."""
    form: Form
    quant: Quant = ""
    """Of a gguf; f16 when it is not given."""
    output: str = ""
    """The new folder; by itself one in the workspace's exports/."""
    replace: bool = False
    dtype: str = "auto"
    shard_gb: float = 5.0
    device: str = "auto"
    precision: str = "fp32"
    now: bool = False
    """Beside whatever is active."""


def start_export(services: Services, asked: ExportRequest) -> RunSummary:
    """Start the run that writes and proves it; RlftError for what can be seen to fail beforehand."""
    quant = asked.quant or ("f16" if asked.form == "gguf" else "")
    if quant and asked.form != "gguf":
        raise RlftError(f"only a gguf is quantised, not {asked.form}", remedy="Leave --quant out")
    require_packages(asked.form, quant)
    with services.database.reader() as connection:
        source = resolve_model(connection, asked.model)
        known = {model.name: model for model in list_models(connection)}
    if asked.form == "adapter" and not source.adapter:
        raise RlftError(f"{asked.model} is a whole model, not an adapter", remedy="Take --format safetensors")
    place = Path(asked.output).expanduser() if asked.output else None
    if place is not None and not place.is_absolute():
        raise RlftError("an export is named by a whole path", where=asked.output)
    output = place or services.workspace.exports / export_name(asked.model, asked.form, quant)
    _check_place(output, services, replace=asked.replace)
    _check_room(output, source.path, source.adapter, asked.form, quant)
    values = {
        "method": "export",
        "id": new_run_id("export"),
        "model": source.model_dump(),
        "form": asked.form,
        "quant": quant,
        "output": str(output),
        "replace": asked.replace,
        "dtype": asked.dtype,
        "shard_gb": asked.shard_gb,
        "device": asked.device,
        "precision": asked.precision,
        "lineage": list(_lineage(services, known, asked.model)),
        "licence": _licence(source.name, Path(source.path), known),
        "now": asked.now,
    }
    return services.supervisor.launch(values)


def exports(services: Services) -> tuple[Export, ...]:
    """Those in the workspace, and those that its runs wrote elsewhere, newest first."""
    return list_exports(services.workspace.exports, _elsewhere(services.workspace.runs))


def require_packages(form: str, quant: str) -> None:
    """UnavailableError when the format needs what is not installed; looks, does not import."""
    names, extra = NEEDS.get(form, ((), ""))
    missing = [name for name in names if not importlib.util.find_spec(name)]
    if missing:
        raise UnavailableError(
            f"{form} needs {', '.join(missing)}, not installed here", remedy=f"pip install '{extra}'"
        )
    if quant == "q4_k_m" and not importlib.util.find_spec("llama_cpp"):
        raise UnavailableError(
            "q4_k_m needs llama-cpp-python, not installed here",
            remedy="pip install llama-cpp-python (it compiles), or take --quant q4_1 or q5_1",
        )


def _check_place(output: Path, services: Services, *, replace: bool) -> None:
    root, own = services.workspace.root.resolve(), services.workspace.exports.resolve()
    places = (output.resolve(), *output.resolve().parents)
    if root in places and own not in places[1:]:
        raise RlftError(
            "this is among the workspace's own files", where=str(output), remedy="Leave --output out"
        )
    if output.exists() and not output.is_dir():
        raise ConflictError("a file of that name is there", where=str(output), remedy="Name another folder")
    if output.exists() and not replace:
        raise ConflictError(
            "this exists already", where=str(output), remedy="Add --replace, or name another with --output"
        )
    if output.exists() and any(output.iterdir()) and not (output / "proof.json").is_file():
        raise ConflictError(
            "this folder is no export, so it is not replaced", where=str(output), remedy="Name another one"
        )


def _check_room(output: Path, base: str, adapter: str, form: str, quant: str) -> None:
    stored, values = weights_bytes(Path(adapter if form == "adapter" else base))
    needed = room_needed(values, stored, form, quant)
    there = next((each for each in output.parents if each.is_dir()), None)
    if there is None:
        raise NotFoundError("no such folder", where=str(output.parent))
    free = shutil.disk_usage(there).free
    if free < needed:
        raise UnavailableError(
            f"the export takes up to {needed / 1e6:,.0f} MB on its way, and {free / 1e6:,.0f} MB are free",
            where=str(there),
            remedy="Make room, or name another disk with --output",
        )


def _lineage(services: Services, known: dict[str, Model], name: str) -> Iterator[dict[str, Any]]:
    """From the model down to its base, as far as their runs are still there."""
    for _ in range(_LONGEST_CHAIN):
        model = known.get(name)
        if model is None or not model.run_id:
            yield {"model": name, "base": model.base if model else ""}
            if model is None or not model.base:
                return
            name = model.base
            continue
        try:
            spec = services.supervisor.spec(model.run_id)
            summary = services.supervisor.summary(model.run_id)
        except RlftError:
            yield {"model": name, "base": model.base, "run": model.run_id, "dataset": model.dataset}
            if not model.base:
                return
            name = model.base
            continue
        base = str((spec.get("model") or {}).get("name") or model.base)
        yield {
            "model": name,
            "base": base,
            "run": model.run_id,
            "method": str(spec["method"]),
            "dataset": model.dataset,
            "dataset_name": summary.dataset_name,
            "rows": _rows(RunFolder(Path(summary.path))),
            "settings": dict(told_settings(spec)),
            "metrics": {
                key: value
                for key, value in summary.metrics.items()
                if isinstance(value, float) and (key in METRICS or key.startswith("heldout/"))
            },
        }
        if not base or base == name:
            return
        name = base


def _rows(folder: RunFolder) -> int:
    try:
        with (folder.dataset / "train.jsonl").open("rb") as stream:
            return sum(1 for line in stream if line.strip())
    except OSError:
        return 0


def told_settings(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Those of SETTINGS that a run has, as a card tells them."""
    for name in SETTINGS:
        value: Any = spec
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if name == "max_steps" and value == 0:
            continue  # it went by epochs
        if name == "epochs" and spec.get("max_steps"):
            continue
        if name == "rewards" and isinstance(value, list | tuple):
            # A source alone may stand for a part of weight 1.
            value = ", ".join(
                part if isinstance(part, str) else str(part.get("source", "")) for part in value
            )
        if value not in (None, ""):
            yield name, f"{value:g}" if isinstance(value, float) else str(value)


def _licence(name: str, folder: Path, known: dict[str, Model]) -> str:
    """Of the base, from its own card; empty where nothing says it."""
    while (model := known.get(name)) is not None and model.base:
        name = model.base
    try:
        found = _LICENCE.search((folder / "README.md").read_text(encoding="utf-8", errors="replace")[:5000])
    except OSError:
        found = None
    if found:
        return found.group(1).strip()
    return "apache-2.0" if BUILT_IN in (name, folder.name) else ""


def _elsewhere(runs: Path) -> Iterator[Path]:
    for path in runs.glob("export-*/run.toml"):
        try:
            spec = read_spec(path)
        except RlftError:
            continue
        if isinstance(spec, ExportSpec):
            yield Path(spec.output)
