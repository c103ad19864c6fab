"""Lines of the Monitor: whole parts only, and what a generating run's empty tab says."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rlft_tui.runs.run_status import RunSummary
from rlft_tui.tui.run_text import counted, size
from rlft_tui.tui.screens.monitor import progress
from rlft_tui.tui.views.samples_view import GENERATED, NO_SAMPLES, nothing_yet

RUN = RunSummary(
    "dpo-1129-1740-abcd",
    "dpo",
    "running",
    3,
    6,
    "base",
    "abcdef123456",
    "runs/dpo-1129-1740-abcd",
    1.0,
    stage="training",
    device="CPU, 2 threads, bfloat16",
    memory_mb=1229.0,
    seconds_left=180.0,
)


@pytest.mark.parametrize("width", range(24, 100))
def test_of_the_facts_on_a_run_none_is_cut_in_the_middle(width: int) -> None:
    line = progress(RUN, width)
    assert line.cell_len <= width
    whole = progress(RUN, 300).plain
    assert whole == line.plain or whole[len(line.plain) :].startswith(" · ")


def test_small_numbers_are_told_as_people_say_them() -> None:
    assert [size(67), size(2048)] == ["67 B", "2 KB"]
    assert [counted(1, "row"), counted(0, "row"), counted(1500, "row")] == ["1 row", "0 rows", "1,500 rows"]


def test_a_generating_run_says_where_its_answers_go() -> None:
    assert nothing_yet(replace(RUN, method="generate")) == GENERATED
    assert nothing_yet(RUN) == NO_SAMPLES
    assert nothing_yet(replace(RUN, status="finished")) == "no samples were logged"
