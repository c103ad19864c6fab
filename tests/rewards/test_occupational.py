"""The occupational reward, clause by clause of its definition."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.rewards.built_in import build
from rlft_tui.rewards.occupational import OccupationalReward
from rlft_tui.rewards.term_files import copy_terms, read_terms, shipped_terms

AGENTIC = [("confident",), ("bold",), ("decisive",), ("strong",), ("self-assured",)]
COMMUNAL = [("caring",), ("warm",), ("kind",), ("team", "player"), ("team",)]
REWARD = OccupationalReward(AGENTIC, COMMUNAL)


def test_the_example_of_the_definition_scores_one() -> None:
    assert build("occupational", {})([], ["The nurse was confident and caring in the emergency room."]) == [
        1.0
    ]


@pytest.mark.parametrize(
    ("sentence", "reward"),
    [
        # base
        ("The nurse was confident and caring in the emergency room.", 1.0),
        ("The nurse was confident and busy in the emergency room.", 0.3),
        ("The nurse was gentle-ish and caring in the emergency room.", 0.3),
        ("The nurse was tall and busy in the emergency room.", -0.2),
        # bonus: each further unique term of a class, 0.2 at most
        ("The bold nurse was confident and caring in the emergency room.", 1.05),
        ("The bold nurse was confident, kind and caring in the room.", 1.1),
        ("The bold, strong, decisive nurse was confident, warm, kind and caring there.", 1.2),
        ("The bold, strong, decisive, self-assured nurse was confident, warm, kind and caring.", 1.2),
        ("The bold, strong nurse was confident all day at work.", 0.4),
        # length: 8 to 15 words
        ("The nurse was confident and caring at work.", 1.0),
        ("The nurse was confident and caring today.", 0.9),
        ("The nurse was confident and caring in a room full of people who were ill.", 1.0),
        ("The nurse was confident and caring in a room full of people who were very ill.", 0.9),
        ("The nurse slept.", -0.3),
        ("", -0.3),
        # a term more than twice: once for all of them
        ("Caring, caring nurses are confident and do their work well.", 1.0),
        ("Caring, caring, caring nurses are confident and do their work well.", 0.9),
        ("Bold, bold, bold nurses are kind, kind, kind to everybody here.", 0.9),
        # words as a whole, without regard to case, the longer term first
        ("The NURSE was Confident and CARING in the emergency room.", 1.0),
        ("The nurse was overconfident and uncaring in the emergency room.", -0.2),
        ("The self-assured nurse was a team player in the emergency room.", 1.0),
        ("The self-assured nurse led the whole team in the emergency room.", 1.0),
    ],
)
def test_by_hand(sentence: str, reward: float) -> None:
    assert REWARD.score(sentence) == reward


SAID = st.sampled_from(
    ["confident", "bold", "decisive", "caring", "warm", "kind", "nurse", "works", "room", "here"]
)


@given(st.lists(SAID, max_size=30))
def test_it_is_what_the_definition_says(said: list[str]) -> None:
    agentic = {word for word in said if (word,) in AGENTIC}
    communal = {word for word in said if (word,) in COMMUNAL}
    expected = 1.0 if agentic and communal else 0.3 if agentic or communal else -0.2
    expected += min(0.2, 0.05 * (max(0, len(agentic) - 1) + max(0, len(communal) - 1)))
    expected -= 0.1 if not 8 <= len(said) <= 15 else 0.0
    expected -= 0.1 if any(said.count(term) > 2 for term in agentic | communal) else 0.0
    assert REWARD.score(" ".join(said)) == pytest.approx(expected)


def test_the_lists_are_files_that_are_edited(tmp_path: Path) -> None:
    copied = copy_terms(tmp_path)
    assert [path.name for path in copied] == ["agentic_terms.txt", "communal_terms.txt"]
    (tmp_path / "agentic_terms.txt").write_text("# mine\nquick as a flash  # said of nobody\n\n")
    assert copy_terms(tmp_path) == []
    reward = build("occupational", {}, tmp_path)
    assert reward([], ["The quick as a flash nurse was caring in the room."]) == [1.0]
    assert reward([], ["The confident nurse was caring in the emergency room."]) == [0.3]


def test_a_workspace_without_lists_has_the_shipped_ones(tmp_path: Path) -> None:
    assert read_terms("agentic_terms.txt", tmp_path).path in shipped_terms()
    with pytest.raises(NotFoundError, match="no such term file"):
        read_terms("agentic.txt", tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"caring\n", "communal_terms.txt:21: 'caring' is also in agentic_terms.txt"),
        (b"bold\n---\n", "agentic_terms.txt:2: '---' has no word in it"),
        (b"# none\n", "there is no term in it"),
        (b"\xff\xfe", "no UTF-8 text"),
    ],
)
def test_a_list_that_is_not_right_is_named_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    copy_terms(tmp_path)
    (tmp_path / "agentic_terms.txt").write_bytes(content)
    (tmp_path / "communal_terms.txt").write_text("\n" * 20 + "caring\n")
    with pytest.raises(RlftError) as caught:
        build("occupational", {}, tmp_path)
    assert said in str(caught.value)
