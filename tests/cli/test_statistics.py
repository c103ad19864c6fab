"""``labels stats --full`` and the figures of ``models ratings``."""

from __future__ import annotations

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.labels.preference import Preference
from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft
from tests.conftest import add_pairs

COUNTS = {"total", "by_choice", "by_labeler", "by_day", "skipped", "flagged", "revoked", "left_rate"}


def test_the_full_statistics_add_sections_to_the_counts(
    rlft: Rlft, client: WorkspaceClient, here: Workspace
) -> None:
    for n, pair in enumerate(add_pairs(client, 12)):
        at = 1.7e9 + 30 * n
        client.add_label(Preference(f"a{n}", pair.id, "ada", "b", time_spent_ms=20_000, created_at=at))
        if n < 3:
            client.add_label(Preference(f"b{n}", pair.id, "bob", "a" if n else "b", created_at=at + 5))

    short = rlft.well("labels", "stats", "--json").value
    assert set(short) >= COUNTS
    assert "pace" not in short
    full = rlft.well("labels", "stats", "--full", "--as", "ada", "--json").value
    assert set(full) >= COUNTS | {"pace", "bias", "agreement", "separations"}
    assert full["total"] == 12
    assert full["pace"]["median_seconds"] == 20.0
    assert full["bias"]["everybody"]["left"] == {
        "count": 0, "n": 12, "rate": 0.0, "low": 0.0, "high": pytest.approx(0.2425, abs=1e-3),
    }  # fmt: skip
    assert [one["agreed"]["count"] for one in full["agreement"]["between"]] == [1]
    (apart,) = full["separations"]
    assert (apart["model"], apart["n"], apart["state"]) == ("tuned", 15, "open")
    assert apart["more"] > 1

    shown = rlft.well("labels", "stats", "--full").out
    for words in ("pace", "what verdicts lean to", "agreement", "more verdicts separate them", "15 verdicts"):
        assert words in shown
    assert "pace" not in rlft.well("labels", "stats").out


def test_ratings_have_strengths_and_intervals(rlft: Rlft, client: WorkspaceClient, here: Workspace) -> None:
    for n, pair in enumerate(add_pairs(client, 24)):
        client.add_label(Preference(f"a{n}", pair.id, "ada", "a" if n % 4 == 0 else "b", created_at=1.0 + n))
    (rating,) = rlft.well("models", "ratings", "--against", "base", "--json").value
    assert (rating["win_rate"], rating["n"]) == (75.0, 24)
    assert rating["bt"] == pytest.approx(190.85, abs=0.01)
    low, high = rating["bt_ci95"]
    assert 0 < low < rating["bt"] < high
    assert 0 < rating["lc_ci95"][0] < rating["lc_win_rate"] < rating["lc_ci95"][1] < 100
    assert "+191" in rlft.well("models", "ratings", "--against", "base").out
