"""Where the loop stands, and the tables of what is stored."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.content import Content
from textual.widgets import Static

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import Dataset
from rlft_tui.evaluations.ratings_table import HeadToHead
from rlft_tui.evaluations.stopping_rule import separation
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Preference
from rlft_tui.models.model import Model
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_status import Alert, RunSummary, Status
from rlft_tui.server.answers import Home
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.data_views import pair_detail
from rlft_tui.tui.next_step import next_step
from rlft_tui.tui.screens.home import loop_text, next_text, runs_text
from rlft_tui.tui.widgets.row_window import RowWindow
from tests.conftest import add_pairs
from tests.tui.run_folders import dpo_folder, end_killed, generate_folder
from tests.tui.workbench import SIZES, drive, shows, text_of, until, workbench


def a_run(name: str, status: Status, *, method: str = "dpo", dataset: str = "", place: int = 0) -> RunSummary:
    folder = f"runs/{name}"
    return RunSummary(name, method, status, 10, 100, "base", dataset, folder, 1.0, queue_place=place)


def a_home(**values: object) -> Home:
    plain = {"pairs": 0, "prompts": 0, "labels": 0, "labels_since_dataset": 0, "unlabelled": 0}
    return Home(**{**plain, "datasets": (), "runs": (), "models": (), **values})  # type: ignore[arg-type]


DATASET = Dataset("abcdef123456", "mine", "datasets/abcdef123456", 40, 10, 5.0)


@pytest.mark.parametrize(
    ("home", "screen", "words"),
    [
        (a_home(), "", "Import answer pairs"),
        (a_home(prompts=5), "", "no answers yet"),
        (a_home(prompts=5, runs=(a_run("g", "running", method="generate"),)), "monitor", "generating"),
        (a_home(prompts=5, runs=(a_run("g", "queued", method="generate"),)), "runs", "g waits in the queue"),
        (a_home(pairs=9, runs=(a_run("new", "queued"), a_run("r", "running"))), "monitor", "r is running"),
        (
            a_home(pairs=9, runs=(a_run("new", "queued", place=1), a_run("old", "queued", place=2))),
            "runs",
            "new waits in the",
        ),
        (a_home(pairs=9, unlabelled=9), "label", "9 pairs wait"),
        (a_home(pairs=9, unlabelled=1, labels_since_dataset=8), "label", "1 pair waits"),
        (a_home(pairs=60, unlabelled=9, labels_since_dataset=25), "data", "25 verdicts"),
        (a_home(pairs=60, unlabelled=9, datasets=(DATASET,)), "runs", "mine"),
        (
            a_home(pairs=60, datasets=(DATASET,), runs=(a_run("r", "running", dataset="abcdef123456"),)),
            "monitor",
            "r is running",
        ),
        (
            a_home(pairs=60, datasets=(DATASET,), runs=(a_run("r", "failed", dataset="abcdef123456"),)),
            "monitor",
            "ended badly",
        ),
        (
            a_home(pairs=60, datasets=(DATASET,), runs=(a_run("r", "finished", dataset="abcdef123456"),)),
            "compare",
            "blind",
        ),
        (
            a_home(
                pairs=60,
                unlabelled=9,
                datasets=(DATASET,),
                runs=(a_run("r", "finished", dataset="abcdef123456"),),
            ),
            "compare",
            "blind",
        ),
        (
            a_home(
                pairs=60,
                unlabelled=9,
                labels_since_dataset=1,
                datasets=(DATASET,),
                runs=(a_run("r", "finished", dataset="abcdef123456"),),
            ),
            "label",
            "9 pairs wait",
        ),
        (a_home(pairs=9, labels=9, labels_since_dataset=9), "data", "Every pair is labelled"),
        (a_home(pairs=9, labels=9, datasets=(DATASET,)), "runs", "mine"),
    ],
)
def test_the_next_step_follows_the_loop(home: Home, screen: str, words: str) -> None:
    step = next_step(home)
    assert step.screen == screen
    assert words in step.sentence
    assert bool(step.command) != bool(step.screen)


def test_home_counts_in_the_order_of_the_loop_and_shows_runs_that_need_a_look() -> None:
    models = (Model("base", "base", "there"),)
    home = a_home(pairs=1, prompts=2, labels=3, datasets=(DATASET,), models=models, warnings=("put back 2",))
    assert str(loop_text(home)).startswith("2 prompts → 1 pair → 3 labels → 1 data set → 0 runs → 1 model")
    runs = (a_run("live", "running"), a_run("bad\x1b[31m", "killed"))
    text = str(runs_text(a_home(runs=runs, warnings=("put back 2",)), 100.0, 70))
    assert "live" in text
    assert "10/100" in text
    assert "put back 2" in text
    assert "killed" in text
    assert "\x1b" not in text


def test_names_with_line_breaks_and_control_codes_take_the_lines_that_plain_names_take() -> None:
    def told(name: str) -> list[str]:
        run = replace(a_run(name, "running"), model=name, stage=name, alerts=(Alert(3, 1.0, "a", name),))
        evaluated = replace(a_run(name, "finished", method="evaluate"), model=name)
        failed = replace(a_run(name, "failed"), error=f"no model {name}", dataset=name)
        apart = separation(HeadToHead(name, f"{name}2", 30, 1, 0))
        data = replace(DATASET, name=name)
        home = a_home(
            pairs=60, runs=(run, evaluated, failed), datasets=(data,), separation=apart, warnings=(name,)
        )
        step = next_step(a_home(pairs=60, datasets=(data,)))
        contents = (loop_text(home), runs_text(home, 9.0, 200), next_text(step))
        answers = pair_detail(ResponsePair("p", "Why?", "This.", "That.", name, f"{name}2"))
        return [line for text in (*map(str, contents), answers) for line in text.split("\n")]

    lines = told("evil\nname\r\x1b[31m red\x07\u2028")
    assert len(lines) == len(told("evil-name"))
    assert all(line.isprintable() for line in lines), lines


def test_how_an_answer_was_drawn_is_told_in_words() -> None:
    settings = {"a": {"temperature": 0.8, "cut": True}, "b": {"temperature": 1.2, "cut": False}}
    told = pair_detail(ResponsePair("p", "Why?", "This.", "That.", settings=settings))
    assert "temperature 0.8 cut" in told
    assert told.count("cut") == 1
    assert "{" not in told


def test_home_lists_the_line_as_it_will_start() -> None:
    queued = (a_run("third", "queued", place=3), a_run("first", "queued", place=1))
    text = str(runs_text(a_home(runs=(queued[0], a_run("live", "running"), queued[1])), 100.0, 70))
    told = [text.index(name) for name in ("Running", "live", "In line", "first", "third")]
    assert told == sorted(told)


def test_enter_and_five_open_the_very_run_that_home_names(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 1)
    end_killed(dpo_folder(workspace, "dpo-1129-1742-aaaa"))
    end_killed(generate_folder(workspace, "generate-1129-1743-bbbb"))

    async def test() -> None:
        async with workbench(workspace) as (app, pilot):
            for key in ("enter", "5", "f5"):
                await shows(app, "ended badly: dpo-1129-1742-aaaa")
                await pilot.press(key)
                await shows(app, "✗ killed", "dpo-1129-1742-aaaa")
                await pilot.press("1")

    drive(test)


@pytest.mark.parametrize("size", SIZES)
def test_data_tables_show_what_is_stored_with_its_details(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int]
) -> None:
    pairs = add_pairs(client, 4)
    client.import_prompts("p.jsonl", b'{"prompt": "A lonely prompt", "category": "solo"}\n')
    client.add_label(Preference(new_id(), pairs[2].id, "ada", "b", "a", 4, "clearer"))

    async def test() -> None:
        async with workbench(workspace, "data", size) as (app, pilot):
            await shows(app, "Pairs 4", "Question 0 of pair?", "Answer A to")
            await shows(app, "Prompts 1 ", "Labels 1 ", "Data sets 0")
            await until(lambda: table_in_front(app) == " Pairs 4 ", "the table in front", app)
            await pilot.press("down")
            await pilot.press("right")
            await shows(app, "Labels 1", "b is better, confidence 4", "clearer")
            await until(lambda: table_in_front(app) == " Labels 1 ", "the table in front", app)
            rows = app.screen.query_one(RowWindow)
            await until(lambda: "Question 2 of" in rows.render_line(1).text, "the prompt in the row", app)
            await pilot.press("right")
            await shows(app, "Data sets 0", "Press b to build one")
            await pilot.press("right")
            await shows(app, "Prompts 1", "A lonely prompt", "solo")
            await pilot.press("left")
            await shows(app, "Data sets 0")

    drive(test)


def table_in_front(app: RlftApp) -> str:
    """What is bold in the names of the tables."""
    names = app.screen.query_one("#views", Static).content
    assert isinstance(names, Content)
    (bold,) = [names.plain[one.start : one.end] for one in names.spans if "bold" in str(one.style)]
    return bold


def test_search_narrows_a_table_and_escape_widens_it(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 3, prefix="cat")
    add_pairs(client, 4, prefix="dog")

    async def test() -> None:
        async with workbench(workspace, "data") as (app, pilot):
            await shows(app, "Pairs 7")
            await pilot.press("slash", *"of dog", "enter")
            await shows(app, "Pairs 4", "of dog?")
            assert "of cat?" not in text_of(app)
            await pilot.press("slash", *"x1", "enter")
            await shows(app, "Nothing matches")
            await pilot.press("escape")
            await shows(app, "Pairs 7")

    drive(test)


def test_a_data_set_is_built_from_the_form(workspace: Workspace, client: WorkspaceClient) -> None:
    for number, pair in enumerate(add_pairs(client, 10)):
        client.add_label(Preference(new_id(), pair.id, "ada", "a" if number % 2 else "b"))

    async def test() -> None:
        async with workbench(workspace, "data") as (app, pilot):
            await shows(app, "Pairs 10")
            await pilot.press("b")
            await shows(app, "Build a data set")
            await pilot.press(*"mine", "tab", "x", "enter")
            await shows(app, "number from 0 to 90")
            await pilot.press("backspace", "2", "0", "enter")
            await shows(app, "Data sets 1", "mine")
            (built,) = client.datasets()
            assert (built.name, built.train_rows + built.heldout_rows) == ("mine", 10)
            await pilot.press("b")
            await shows(app, "Build a data set", "for sft, reward, dpo, kto")
            await pilot.press("tab", "tab", "right", "right")
            await shows(app, "Winners and losers")
            await pilot.press("enter")
            await shows(app, "Data sets 2", "unpaired")
            assert {built.kind for built in client.datasets()} == {"preference", "unpaired"}
            await pilot.press("b")
            await shows(app, "Build a data set")
            await pilot.press("escape")
            await until(lambda: "Build a data set" not in text_of(app), "the form to close", app)
            assert len(client.datasets()) == 2

    drive(test)


def test_a_data_set_from_no_labels_is_one_clear_line(workspace: Workspace, client: WorkspaceClient) -> None:
    async def test() -> None:
        async with workbench(workspace, "data", (120, 30)) as (app, pilot):
            await shows(app, "Pairs 0", "rlft pairs import")
            await pilot.press("b", "enter")
            await until(lambda: app._notifications, "a notice", app)
            (notice,) = app._notifications
            assert notice.severity == "error"
            assert "\n" not in notice.message
            assert client.datasets() == ()

    drive(test)
