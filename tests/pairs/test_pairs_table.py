"""Pairs are stored once, in order, and found again."""

from __future__ import annotations

import duckdb
import pytest
from msgspec.structs import replace

from rlft_tui.errors import NotFoundError
from rlft_tui.pairs.pairs_table import (
    add_pairs,
    count_pairs,
    pair_by_id,
    pair_categories,
    pairs_by_ids,
    pairs_page,
    store_pairs,
)
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Message


def make(count: int, prefix: str = "p") -> list[ResponsePair]:
    return [
        ResponsePair(
            id=f"{prefix}{n}",
            prompt=f"Prompt {prefix} {n}",
            response_a=f"Left {n}",
            response_b=f"RIGHT {n}",
            category="odd" if n % 2 else "even",
            context=(Message("system", "Be brief."),) if n % 2 else (),
            settings={"a": {"seed": n}} if n % 2 else {},
            created_at=float(n),
        )
        for n in range(count)
    ]


def test_pairs_come_back_as_they_were_in_the_order_they_came(fresh_db: duckdb.DuckDBPyConnection) -> None:
    pairs = make(5000)
    assert store_pairs(fresh_db, pairs[:3000]).added == 3000
    assert add_pairs(fresh_db, pairs[3000:]) == 2000

    total, found = pairs_page(fresh_db, limit=10_000)

    assert total == 5000
    assert list(found) == pairs
    assert pairs_page(fresh_db, offset=4998, limit=10)[1] == tuple(pairs[4998:])


def test_equal_content_is_stored_once_under_the_first_id(fresh_db: duckdb.DuckDBPyConnection) -> None:
    (pair,) = make(1)
    other = replace(pair, id="other", category="another", created_at=9.0)
    swapped = replace(pair, id="swapped", response_a=pair.response_b, response_b=pair.response_a)

    first = store_pairs(fresh_db, [pair, other])
    again = store_pairs(fresh_db, [other, swapped])

    assert (first.ids, first.added) == (("p0", "p0"), 1)
    assert (again.ids, again.added) == (("p0", "swapped"), 1)


def test_pairs_made_here_are_kept_by_id_whatever_they_say(fresh_db: duckdb.DuckDBPyConnection) -> None:
    (pair,) = make(1)
    twin = replace(pair, id="twin")

    assert add_pairs(fresh_db, [pair, twin, pair]) == 2
    assert add_pairs(fresh_db, [pair, twin]) == 0
    assert add_pairs(fresh_db, [replace(pair, prompt="changed")]) == 0
    assert pair_by_id(fresh_db, "p0") == pair
    assert add_pairs(fresh_db, []) == 0


def test_pairs_are_searched_in_prompt_and_answers(fresh_db: duckdb.DuckDBPyConnection) -> None:
    store_pairs(fresh_db, make(20))

    assert pairs_page(fresh_db, search="right 7")[0] == 1
    assert pairs_page(fresh_db, search="LEFT 1")[0] == 11
    assert pairs_page(fresh_db, search="prompt p 3", category="odd")[0] == 1
    assert pairs_page(fresh_db, search="prompt p 3", category="even")[0] == 0
    assert pairs_page(fresh_db, search="%")[0] == 0
    assert pairs_page(fresh_db, limit=0) == (20, ())
    assert pair_categories(fresh_db) == {"even": 10, "odd": 10}
    assert count_pairs(fresh_db) == 20


def test_pairs_are_found_by_id(fresh_db: duckdb.DuckDBPyConnection) -> None:
    pairs = make(10)
    store_pairs(fresh_db, pairs)

    assert pairs_by_ids(fresh_db, ["p7", "nowhere", "p2"]) == (pairs[7], pairs[2])
    assert pairs_by_ids(fresh_db, []) == ()
    with pytest.raises(NotFoundError, match="no pair 'nowhere'"):
        pair_by_id(fresh_db, "nowhere")
