"""rlft judge, rlft tune and rlft eval report: what they print, and what they refuse."""

from __future__ import annotations

from pathlib import Path

from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft
from tests.evaluations.report.measured import three_models


def test_reports_studies_and_judges_on_the_command_line(here: Workspace, rlft: Rlft, tmp_path: Path) -> None:
    three_models(here.runs)
    page = tmp_path / "report.html"
    text = tmp_path / "report.md"
    made = rlft.well("eval", "report", "--against", "base", "-o", page, "-o", text, "--json").value
    paths = [str(page), str(text)]
    assert made == {"path": str(page), "paths": paths, "models": ["base", "ppo", "tuned"], "figures": 2}
    assert "sums accuracy" in page.read_text()
    assert "| sums accuracy |" in text.read_text()
    table = tmp_path / "figures.csv"
    rlft.well("eval", "report", "--against", "base", "-m", "tuned", "-o", table)
    assert table.read_text().count("\n") == 5
    refused = rlft("eval", "report", "-o", tmp_path / "report.pdf")
    assert (refused.code, "End its name with .html, .md, .csv" in refused.err) == (2, True)
    nowhere = rlft("eval", "report", "-o", tmp_path / "none" / "report.html")
    assert (nowhere.code, "no such folder" in nowhere.err) == (2, True)
    assert "was never measured here" in rlft("eval", "report", "--against", "nobody", "-o", page).err

    assert [one["name"] for one in rlft.well("judge", "rubrics", "--json").value] == [
        "brevity",
        "harmlessness",
        "helpfulness",
    ]
    assert rlft.well("judge", "show", "--json").value == []
    nobody = rlft("judge", "run", "--judge", "nobody")
    assert (nobody.code, "neither a provider nor a model" in nobody.err) == (2, True)
    assert "pair or rating" in rlft("judge", "run", "--judge", "x", "--mode", "guess").err
    assert "has judged here" in rlft("judge", "calibrate", "nobody").err

    spec = tmp_path / "search.toml"
    spec.write_text('metric = "loss"\n[search]\nbta = [0.1]\n')
    refused = rlft("tune", spec)
    assert (refused.code, "Did you mean beta" in refused.err) == (2, True)
    spec.write_text('metric = "loss"\n[run]\nmodel = "nobody"\n[search]\nbeta = [0.1]\n')
    assert rlft("tune", spec).code == 2
    assert rlft.well("tune", "show", "--json").value == []
    assert "no study called" in rlft("tune", "show", "search").err
    assert "tune" in rlft("tune", "--help").out
