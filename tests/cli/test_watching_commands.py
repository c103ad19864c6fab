"""Curves in plain text, pictures, remarks, comparison and import from the command line."""

from __future__ import annotations

from pathlib import Path

from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from tests.cli.run_rlft import Rlft
from tests.tui.run_folders import begin, dpo_folder, end_well, train
from tests.tui.terminal_session import TerminalSession

FIRST, SECOND = "dpo-1129-1710-aaaa", "dpo-1129-1720-bbbb"


def two_runs(workspace: Workspace) -> None:
    for name in (FIRST, SECOND):
        folder = dpo_folder(workspace, name)
        log = EventWriter(folder.events)
        begin(log)
        train(log, 1, 40, nan_at=7)
        log.close()
        end_well(folder)


def test_plots_pictures_remarks_and_comparison(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    two_runs(here)
    shown = rlft.well("runs", "show", FIRST, "--plot", "-m", "loss", "--smooth", "0.9")
    title, *rows = shown.out.rstrip("\n").split("\n")
    assert title.startswith("loss")
    assert "1 NaN or infinite" in title
    assert "smoothed 0.9" in title
    assert rows[-1].split() == ["0", "10", "20", "30", "40"] or rows[-1].split()[0] == "0"
    assert any("⠀" < character <= "⣿" for character in shown.out)
    assert "\x1b" not in shown.out
    picture = tmp_path / "loss.svg"
    rlft.well("runs", "show", FIRST, "-m", "loss", "--picture", str(picture))
    assert picture.read_text().startswith("<svg")
    refused = rlft("runs", "show", FIRST, "--picture", str(picture))
    assert refused.code == 2
    assert "one metric" in refused.err
    refused = rlft("runs", "show", FIRST, "--plot", "-m", "lss")
    assert refused.code == 2
    assert "Did you mean loss" in refused.err
    followed = rlft.well("runs", "follow", FIRST, "--plot", "-m", "loss")
    assert "loss" in followed.out
    tagged = rlft.well("runs", "tag", FIRST, "good", "--note", "n", "--archive", "--json").value
    assert tagged == {"id": FIRST, "tags": ["good"], "note": "n", "archived": True}
    assert [run["id"] for run in rlft.well("runs", "list", "--json").value] == [SECOND]
    assert len(rlft.well("runs", "list", "--archived", "--json").value) == 2
    compared = rlft.well("runs", "compare", FIRST, SECOND, "--json").value
    assert compared["runs"] == [FIRST, SECOND]
    assert compared["settings"] == []
    refused = rlft("runs", "compare", FIRST)
    assert refused.code == 2
    assert "two runs" in refused.err


def test_a_run_is_watched_by_its_id_and_a_wrong_one_is_told_before_the_screen_is_taken(
    here: Workspace,
) -> None:
    two_runs(here)
    with TerminalSession.rlft(here, "runs", "watch", FIRST) as terminal:
        terminal.shows(FIRST, "c Curves", "40/", "loss")
    with TerminalSession.rlft(here, "runs", "watch", FIRST[:-1]) as terminal:
        terminal.shows(FIRST, "c Curves", "40/", "loss")
    with TerminalSession.rlft(here, "runs", "watch", f"{FIRST}x") as terminal:
        assert terminal.end() == 2
        assert f"Did you mean {FIRST}?" in terminal.text()
        assert "\x1b[?1049h" not in terminal.raw.decode()


def test_an_imported_run_is_listed_drawn_brought_up_to_date_and_not_resumed(
    rlft: Rlft, here: Workspace, tmp_path: Path
) -> None:
    table = tmp_path / "metrics.csv"
    table.write_text("step,loss\n1,0.5\n2,nan\n3,0.3\n")
    (made,) = rlft.well("runs", "import", str(table), "--json").value
    assert (made["source"], made["steps"], made["metrics"]) == ("csv", 3, 1)
    shown = rlft.well("runs", "show", made["id"], "--series", "loss", "--json").value
    assert shown["series"] == [[1, 0.5], [2, "NaN"], [3, 0.3]]
    assert (shown["status"], shown["tags"], shown["note"]) == ("finished", ["imported", "csv"], "metrics")
    assert rlft("runs", "resume", made["id"]).code == 2
    assert made["new"]
    created = shown["created"]

    rlft.well("runs", "tag", made["id"], "kept")
    table.write_text("step,loss\n1,0.5\n2,0.4\n3,0.3\n4,0.2\n")
    renewed = rlft.well("runs", "import", str(table), "--json")
    assert f"{made['id']} was read from {table} before: brought up to date" in renewed.err
    (again,) = renewed.value
    assert (again["id"], again["new"], again["steps"]) == (made["id"], False, 4)
    shown = rlft.well("runs", "show", made["id"], "--series", "loss", "--json").value
    assert shown["series"] == [[1, 0.5], [2, 0.4], [3, 0.3], [4, 0.2]]
    assert (shown["tags"], shown["trouble"], shown["created"]) == (["kept"], "", created)
    assert len(rlft.well("runs", "list", "--json").value) == 1

    refused = rlft("runs", "import", str(tmp_path / "none"))
    assert refused.code == 2
    assert "no such file" in refused.err
    assert not [path for path in here.runs.iterdir() if path.name.startswith(".")]
