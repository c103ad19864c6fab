"""Which runs a list shows; and the table with tags, notes, marks and comparison through the real server."""

from __future__ import annotations

import asyncio
import json

from rich.text import Text
from textual.app import App, ComposeResult

from rlft_tui.client.connection import connect
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_status import RunSummary, Series
from rlft_tui.tui.keymap import check_keymap
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.run_list import RunList, lower_is_better
from rlft_tui.tui.run_table import glance
from rlft_tui.tui.screens.monitor import MonitorScreen
from rlft_tui.tui.screens.run_compare import RunCompareScreen
from rlft_tui.tui.screens.runs import RunsScreen
from tests.tui.bench import front, shows, until, vanishes, workbench
from tests.tui.run_folders import begin, dpo_folder, end_well, train


def run(name: str, **values: object) -> RunSummary:
    given = {"id": name, "method": "dpo", "status": "finished", "step": 1, "steps": 1, "model": "m",
             "dataset": "d", "path": "", "created": 0.0, **values}  # fmt: skip
    return RunSummary(**given)  # type: ignore[arg-type]


def ids(runs: RunList) -> list[str]:
    return [each.id for each in runs.shown]


def test_filters_by_words_fields_and_values() -> None:
    runs = RunList()
    runs.take([
        run("a", metrics={"loss": 0.5}, tags=("good", "lora")),
        run("b", metrics={"loss": 0.1}, status="failed", dataset_name="helpful"),
        run("c", method="generate", note="with a note"),
    ])  # fmt: skip
    for text, found in {
        "": ["a", "b", "c"], "loss<0.3": ["b"], "loss>=0.5": ["a"], "loss<": ["a", "b", "c"],
        "tag:good": ["a"], "status:failed": ["b"], "data:help": ["b"], "note": ["c"],
        "dpo loss<1": ["a", "b"], "kl<1": [], "lora tag:go": ["a"],
    }.items():  # fmt: skip
        runs.filter = text
        assert ids(runs) == found, text


def test_sorts_best_first_groups_by_tag_and_puts_away() -> None:
    runs = RunList()
    runs.take([
        run("a", metrics={"loss": 0.5, "rewards/margins": 1.0}, tags=("x", "y")),
        run("b", metrics={"loss": "NaN"}, tags=("y",)),
        run("c", metrics={"loss": 0.1, "rewards/margins": 2.0}, archived=True),
    ])  # fmt: skip
    runs.archived = True
    runs.sort = "metric"
    assert ids(runs) == ["c", "a", "b"], "the lowest loss first, NaN last"
    runs.metric = "rewards/margins"
    assert ids(runs) == ["c", "a", "b"], "the highest margin first"
    runs.backwards = True
    assert ids(runs) == ["a", "c", "b"]
    runs.archived, runs.sort, runs.backwards, runs.grouping = False, "newest", False, "tag"
    assert [(group.name, [each.id for each in group.runs]) for group in runs.groups] == [
        ("x", ["a"]),
        ("y", ["a", "b"]),
    ]
    assert runs.hidden == 1
    runs.mark("a")
    runs.take([run("b")])
    assert runs.marked == []


def test_going_runs_come_first_then_the_line_then_the_newest() -> None:
    runs = RunList()
    runs.take([
        run("ended-late"), run("second", status="queued", queue_place=2), run("paused", status="paused"),
        run("first", status="queued", queue_place=1), run("going", status="running"), run("ended-early"),
    ])  # fmt: skip
    assert ids(runs) == ["going", "first", "second", "ended-late", "paused", "ended-early"]


def test_a_glance_has_course_and_best_value() -> None:
    low, high = [3.0, None, 0.5], [5.0, None, 2.0]
    falling = Series("loss", "", 1, [0, 1, 2], [4.0, None, 1.0], low, high, [0, 1, 0], 3)
    assert glance(falling).spark == "█ ▁"
    assert glance(falling).best == 0.5
    assert lower_is_better("heldout/perplexity")
    assert not lower_is_better("rewards/accuracies")


def finished(workspace: Workspace, name: str, chosen: str, beta: float) -> None:
    folder = dpo_folder(workspace, name)
    text = folder.spec.read_text()
    folder.spec.write_text(text.replace("learning_rate = 5e-05", f"learning_rate = {beta}"))
    folder.dataset.mkdir()
    pair = ("yes", "no") if chosen == "yes" else ("no", "yes")
    row = {"prompt": [{"role": "user", "content": "Is it?"}],
           "chosen": [{"role": "assistant", "content": pair[0]}],
           "rejected": [{"role": "assistant", "content": pair[1]}]}  # fmt: skip
    (folder.dataset / "train.jsonl").write_text(json.dumps(row) + "\n")
    log = EventWriter(folder.events)
    begin(log)
    train(log, 1, 40)
    log.close()
    end_well(folder)


def test_tags_notes_filter_archive_and_the_runs_side_by_side(workspace: Workspace) -> None:
    first, second = "dpo-1129-1710-aaaa", "dpo-1129-1720-bbbb"
    finished(workspace, first, "yes", 1e-5)
    finished(workspace, second, "no", 2e-5)

    async def scenario() -> None:
        async with workbench(workspace, "runs", (160, 48)) as pilot:
            await shows(pilot, first, second)
            await until(
                pilot, lambda: "█" in "".join(front(pilot, RunsScreen).query_one(ListPane).lines), "curves"
            )
            await pilot.press("t", *"good lora", "enter")
            await shows(pilot, "#good #lora")
            await pilot.press("e", *"a note", "enter")
            await shows(pilot, "✎ a note")
            await pilot.press("slash", *"tag:good")
            await shows(pilot, "1 of 2 runs")
            await pilot.press("escape")
            await shows(pilot, first, second)
            await pilot.press("home", "space", "space", "c")
            await until(pilot, lambda: isinstance(pilot.app.screen, RunCompareScreen), "the comparison")
            await shows(pilot, "learning_rate", "1e-05", "2e-05", "rewards/margins")
            await pilot.press("d")
            await shows(pilot, "1 judged differently", "Is it?")
            await pilot.press("s")
            await shows(pilot, "prompt 1 of 2", "Prompt 0: why is the sky blue?")
            await pilot.press("full_stop")
            await shows(pilot, "prompt 2 of 2", "Prompt 1: why is the sky blue?")
            await pilot.press("u")
            await until(pilot, lambda: isinstance(pilot.app.screen, MonitorScreen), "the monitor")
            await shows(pilot, f"▲ {second if front(pilot, MonitorScreen).run.id == first else first}")  # type: ignore[union-attr]
            await pilot.press("escape", "a")
            await vanishes(pilot, first)
            await shows(pilot, "1 put away (A)")
            with connect(workspace) as client:
                assert sum(each.archived for each in client.runs()) == 1

    asyncio.run(scenario())


def test_runs_for_which_there_is_no_room_are_counted_and_come_with_a_key(workspace: Workspace) -> None:
    names = [f"dpo-1129-174{number}-abcd" for number in range(9)]
    for name in names:
        finished(workspace, name, "yes", 1e-5)

    async def scenario() -> None:
        async with workbench(workspace, "runs", (80, 24)) as pilot:
            await shows(pilot, names[0])
            await pilot.press("home", *["space"] * 9, "c")
            await shows(pilot, "6 more of 9 runs: ] goes on to them")
            ids = [run.id for run in front(pilot, RunCompareScreen).runs]  # type: ignore[attr-defined]
            assert sorted(ids) == names
            ends = [run_id[-9:] for run_id in ids]
            await shows(pilot, *ids[:3], *ends[:3])
            await pilot.press("right_square_bracket", "right_square_bracket")
            await shows(pilot, ids[0], *ids[3:5], *ends[3:5])
            await vanishes(pilot, ids[1])

    asyncio.run(scenario())


def test_keys_of_the_monitors_views_are_remapped_by_id_and_may_repeat_in_another_view() -> None:
    places = {"monitor": MonitorScreen.all_bindings()}
    modes = MonitorScreen.key_modes()
    assert check_keymap({"samples.best": "t"}, places, modes).problems == ()
    assert "curves.smooth" in check_keymap({"curves.axis": "e"}, places, modes).problems[0]
    assert "monitor.stop" in check_keymap({"chart.whole": "x"}, places, modes).problems[0]


def test_the_row_counter_stands_apart_from_the_heads_last_column() -> None:
    class Listed(App[None]):
        def compose(self) -> ComposeResult:
            yield ListPane()

    async def scenario() -> None:
        async with Listed().run_test(size=(30, 4)) as pilot:
            pane = pilot.app.query_one(ListPane)
            pane.show([ListRow(str(n), Text(str(n))) for n in range(56)], Text("reward-1130-0304-abcd" * 2))
            await pilot.pause()
            head = pane.render_line(0).text
            assert len(head) == 30
            assert head.endswith("  1/56 ")

    asyncio.run(scenario())
