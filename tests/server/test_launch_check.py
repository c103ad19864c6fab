"""How long a sequence may be, as a model's folder says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.server.launch_check import context_of


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ('{"max_position_embeddings": 2048}', 2048),
        ('{"n_positions": 1024}', 1024),
        ('{"text_config": {"max_position_embeddings": 4096}}', 4096),
        ('{"text_config": 3}', 0),
        ('{"max_position_embeddings": null}', 0),
        ("[]", 0),
        ("{", 0),
    ],
)
def test_the_context_of_a_model_is_read_from_its_config(tmp_path: Path, config: str, tokens: int) -> None:
    (tmp_path / "config.json").write_text(config)
    assert context_of(tmp_path) == tokens
    assert context_of(tmp_path / "nowhere") == 0
