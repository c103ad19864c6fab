"""The labeller that runs the loop by itself: its rule, and that it judges the whole queue once."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.demo.demo_data import demo_file
from rlft_tui.demo.scripted_labeler import label_queue, shorter_wins
from rlft_tui.pairs.response_pair import ResponsePair
from tests.conftest import add_pairs

SWAPPED = {"a": "b", "b": "a", "tie": "tie"}


def pair(words_a: int, words_b: int) -> ResponsePair:
    return ResponsePair("id", "prompt", "word " * words_a, "word " * words_b)


@pytest.mark.parametrize(
    ("words_a", "words_b", "choice"),
    [(10, 20, "a"), (20, 10, "b"), (100, 109, "tie"), (90, 100, "tie"), (89, 100, "a")],
)
def test_the_shorter_answer_wins_unless_they_are_alike(words_a: int, words_b: int, choice: str) -> None:
    assert shorter_wins(pair(words_a, words_b)) == choice


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_rule_does_not_care_for_sides(words_a: int, words_b: int) -> None:
    assert shorter_wins(pair(words_b, words_a)) == SWAPPED[shorter_wins(pair(words_a, words_b))]


def test_the_whole_queue_is_judged_once_and_under_a_stated_rule(client: WorkspaceClient) -> None:
    add_pairs(client, 45)
    tally = label_queue(client, "script")
    verdicts = client.labels(labeler="script")
    assert (tally.labelled, len({verdict.example_id for verdict in verdicts})) == (45, 45)
    assert {verdict.source for verdict in verdicts} == {"scripted"}
    assert all(verdict.choice == "b" for verdict in verdicts)
    assert label_queue(client, "script").labelled == 0


def test_the_shipped_data_is_enough_for_the_loop() -> None:
    prompts = [json.loads(line) for line in demo_file("prompts.jsonl").read_text().splitlines()]
    pairs = [json.loads(line) for line in demo_file("pairs.jsonl").read_text().splitlines()]
    texts = [row["prompt"] for row in prompts]
    assert len(set(texts)) == len(texts) >= 120
    assert len({row["category"] for row in prompts}) >= 8
    assert len(pairs) >= 80
    unseen = set(texts) - {row["prompt"] for row in pairs}
    assert len(unseen) >= 50, "prompts left on which a trained model can be compared"
