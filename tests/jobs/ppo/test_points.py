"""The table in this package's docstring names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import tests.jobs.ppo as points

HERE = Path(__file__).parent


def test_every_point_of_the_table_has_a_test() -> None:
    assert points.__doc__ is not None
    numbers = re.findall(r"^ ?(\d+) ", points.__doc__, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 39)]
    blocks = re.split(r"^ ?\d+ .*\n", points.__doc__, flags=re.MULTILINE)[1:]
    assert all(block.strip() for block in blocks)
    for file, names in re.findall(r"^ {7}(test_\w+): (.+)$", points.__doc__, re.MULTILINE):
        source = (HERE / f"{file}.py").read_text(encoding="utf-8")
        for name in re.split(r", (?=\w)", names):
            start = name.split("…")[0].split("[")[0].strip()
            assert re.search(rf"def test_{start}|\"{start}\"", source), f"{file}: {name}"
