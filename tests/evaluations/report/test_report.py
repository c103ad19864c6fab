"""The board: what is better by more than chance; and the reports, which nothing in an answer can break."""

from __future__ import annotations

import csv
import io
import re
import time
from html.parser import HTMLParser

import pytest

from rlft_tui.evaluations.evaluation import Evaluation, Item, ItemPair
from rlft_tui.evaluations.paired import changes
from rlft_tui.evaluations.report.board import PEOPLE, Board, cell_text, make_board, row_title
from rlft_tui.evaluations.report.page import Report, html
from rlft_tui.evaluations.report.tables import markdown, to_csv
from rlft_tui.evaluations.results import figures
from rlft_tui.models.model import Rating
from tests.evaluations.report.measured import HOSTILE, items_of


def measured(model: str, accuracy: float, nats: float) -> dict[str, tuple[Evaluation, list[Item]]]:
    items = items_of(accuracy, nats)
    groups = {task: [item for item in items if item.task == task] for task in ("sums", "text")}
    return {task: (figures(own, model=model)[0], own) for task, own in groups.items()}


@pytest.fixture(scope="module")
def board() -> Board:
    base, tuned, ppo = measured("base", 0.4, 1.36), measured("tuned", 0.75, 1.17), measured("ppo", 0.38, 1.5)
    tested = [
        change
        for model in (tuned, ppo)
        for change in changes(
            [(model[task][0], base[task][0]) for task in base],
            [(model[task][1], base[task][1]) for task in base],
        )
    ]
    found = [one for model in (base, tuned, ppo) for one, _ in model.values()]
    judged = Evaluation("tuned", "judge:strict", "helpfulness vs base", "win_rate", 0.7, 40, 0.55, 0.82)
    rated = Rating("tuned", 26, 13, 1, 40, 66.25, 7.4, (50.6, 79.0))
    return make_board([*found, judged], tested, baseline="base", models=["tuned", "ppo"], ratings=[rated])


def test_every_figure_is_set_against_the_baseline(board: Board) -> None:
    assert board.models == ("base", "tuned", "ppo")
    shown = {
        (row_title(row), cell.model): (cell_text(row, cell), cell.standing)
        for row in board.rows
        for cell in row.cells
        if cell.evaluation is not None
    }
    assert shown["sums accuracy", "base"][1] == "none"
    text, standing = shown["sums accuracy", "tuned"]
    assert "(↑ from 38.3 %)" in text
    assert standing == "better"
    assert shown["sums accuracy", "ppo"][1] == "undecided"
    assert shown["text perplexity", "tuned"] == ("3.16 (↓ from 3.82)", "better")
    assert shown["text perplexity", "ppo"][1] == "worse"
    assert shown["judge:strict helpfulness vs base win rate", "tuned"] == ("70.0 %", "better")
    assert shown["human win rate", "tuned"] == ("66.2 %", "better")
    assert board.rows[0].suite == PEOPLE
    assert board.compared == 4


def test_values_of_other_settings_are_not_compared(board: Board) -> None:
    one = Evaluation("base", "s", "t", "accuracy", 0.5, 10, settings="old")
    other = Evaluation("tuned", "s", "t", "accuracy", 0.9, 10, settings="new")
    (row,) = make_board([one, other], [], baseline="base").rows
    cell = row.cell("tuned")
    assert cell is not None
    assert (cell.standing, cell_text(row, cell)) == ("none", "90.0 %")


def test_a_small_difference_is_shown_in_more_digits() -> None:
    found = [
        Evaluation(name, "s", "t", "perplexity", value, 9)
        for name, value in (("a", 257.5341), ("b", 257.5246))
    ]
    (row,) = make_board(found, [], baseline="a").rows
    assert cell_text(row, row.cells[1]) == "257.52 (↓ from 257.53)"
    same = [Evaluation(name, "s", "t", "accuracy", 0.125, 24) for name in "ab"]
    (row,) = make_board(same, [], baseline="a").rows
    assert cell_text(row, row.cells[1]) == "12.5 % (= baseline)"


def test_markdown_and_csv_hold_every_figure(board: Board) -> None:
    text = markdown(board)
    assert "| metric | base (baseline) | tuned | ppo |" in text
    assert "✓ 3.16 (↓ from 3.82)" in text
    assert "4 comparisons were made; p is Holm's" in text
    rows = list(csv.DictReader(io.StringIO(to_csv(board))))
    assert len(rows) == 8
    ppo = next(row for row in rows if (row["model"], row["task"]) == ("ppo", "sums"))
    assert ppo["standing"] == "undecided"
    assert float(ppo["p_holm"]) > 0.05
    assert int(ppo["pairs"]) == 60


def test_names_break_no_table_and_hide_nothing() -> None:
    name = "=cmd|x <b>\x1b[2J\u202etxt"
    found = [Evaluation(model, name, name, "accuracy", 0.5, 4, 0.2, 0.8) for model in ("base", name)]
    hostile = make_board(found, [], baseline="base", models=[name])
    text = markdown(hostile)
    head, _, row = (line for line in text.splitlines() if line.startswith("|"))
    assert len(re.findall(r"(?<!\\)\|", head)) == len(re.findall(r"(?<!\\)\|", row)) == 4
    page = html(Report(name, name, hostile, 0.0))
    table = to_csv(hostile)
    for written in (text, page, table):
        assert "⟨U+202E⟩" in written
        assert not set(written) & {"\x1b", "\u202e"}
    assert "<b>" not in text.replace("<br>", "")
    assert [row["model"][:2] for row in csv.DictReader(io.StringIO(table))] == ["ba", "'="]
    assert "5\u202f%" in html(Report("5\u202f%", "w", hostile, 0.0))


def test_a_page_needs_nothing_else_and_shows_hostile_text_as_text(board: Board) -> None:
    item = Item("basics", "sums", "i1", HOSTILE, HOSTILE, HOSTILE, {"accuracy": 0.0}, {"reason": HOSTILE})
    pairs = {("tuned", "sums"): [ItemPair("i1", item, item)]}
    page = html(Report(f"Report {HOSTILE}", "w", board, time.time(), pairs=pairs))
    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page
    assert not any(word in page for word in ("src=", "href=", "url(", "@import"))
    assert page.count("<svg") == 4

    class Balance(HTMLParser):
        open: list[str]
        void = ("meta", "path", "circle")

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in self.void:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    parser = Balance()
    parser.open = []
    parser.handle_startendtag = lambda tag, attrs: None  # type: ignore[method-assign]
    parser.feed(page)
    assert parser.open == []
