"""rlft export: a run of its own, the proof printed, what cannot be done said before anything starts."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from rlft_tui.cli.main import run as rlft
from rlft_tui.errors import ConflictError, RlftError, UnavailableError
from rlft_tui.models.exports import draft_of, export_name, room_needed, weights_bytes
from rlft_tui.server.model_exports import told_settings
from tests.export.conftest import Place


@pytest.fixture(autouse=True)
def _same_server(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", place.runtime)
    monkeypatch.setenv("RLFT_WORKSPACE", str(place.workspace.root))


def test_a_model_is_exported_proven_listed_and_loads_elsewhere(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rlft(["export", "tuned", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    target = place.workspace.exports / "tuned-safetensors"
    assert (shown["path"], shown["model"], shown["form"]) == (str(target), "tuned", "safetensors")
    assert shown["proof"]["faults"] == []
    assert shown["proof"]["top_token_agreement"] == 1.0
    names = {path.name for path in target.iterdir()}
    assert {"model.safetensors", "tokenizer.json", "chat_template.jinja", "generation_config.json"} <= names
    assert {"README.md", "generate.py", "proof.json"} <= names
    from transformers import AutoModelForCausalLM

    assert not hasattr(AutoModelForCausalLM.from_pretrained(target), "peft_config")
    assert 'base_model: "tiny"' in (target / "README.md").read_text()
    # Again: it is there, and stays as it is.
    before = (target / "proof.json").read_bytes()
    assert rlft(["export", "tuned"]) == 2
    assert "this exists already. Add --replace" in capsys.readouterr().err
    assert (target / "proof.json").read_bytes() == before
    assert rlft(["models", "exports"]) == 0
    assert "tuned  safetensors" in capsys.readouterr().out
    (run,) = [one for one in place.client.runs() if one.method == "export"]
    assert (run.status, run.metrics["proof/greedy_agreement"]) == ("finished", 1.0)
    # What a killed one left half-written goes with its run; the export itself stays.
    draft = draft_of(target, run.id)
    draft.mkdir()
    assert rlft(["runs", "rm", run.id, "--yes"]) == 0
    assert (draft.exists(), target.exists()) == (False, True)


def test_what_cannot_be_done_is_said_before_a_run_is_started(place: Place, tmp_path: Path) -> None:
    client, runs = place.client, len(place.client.runs())
    with pytest.raises(RlftError, match="only a gguf is quantised"):
        client.export("tuned", "onnx", quant="q8_0")
    with pytest.raises(RlftError, match="a whole model, not an adapter"):
        client.export("tiny", "adapter")
    with pytest.raises(RlftError, match=r"no model called 'tunde'.*tuned"):
        client.export("tunde", "onnx")
    with pytest.raises(RlftError, match="the workspace's own files"):
        client.export("tuned", "onnx", output=str(place.workspace.models / "x"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConflictError, match="no export, so it is not replaced"):
        client.export("tuned", "onnx", output=str(tmp_path / "full"), replace=True)
    if not importlib.util.find_spec("llama_cpp"):
        with pytest.raises(UnavailableError, match=r"q4_k_m needs llama-cpp-python.*q4_1"):
            client.export("tuned", "gguf", quant="q4_k_m")
    assert len(client.runs()) == runs
    assert (tmp_path / "full" / "thesis.tex").read_text() == "years of work"


def test_room_is_reckoned_from_the_weights(tuned: tuple[Path, Path]) -> None:
    stored, values = weights_bytes(tuned[0])
    assert stored == 4 * values > 0
    assert room_needed(values, stored, "onnx", "") == 4 * values
    assert room_needed(values, stored, "gguf", "q4_k_m") > room_needed(values, stored, "gguf", "q4_1")
    assert export_name("my model/π", "gguf", "q4_k_m") == "my-model-π-gguf-q4km"


def test_rewards_are_told_whether_named_alone_or_with_a_weight() -> None:
    """A name alone is how --reward writes it into the spec."""
    spec = {"rewards": ["occupational", {"source": "rewards/short.py", "weight": 0.5}], "seed": 3}
    assert dict(told_settings(spec)) == {"rewards": "occupational, rewards/short.py", "seed": "3"}
