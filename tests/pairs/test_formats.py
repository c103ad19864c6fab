"""Every foreign format gives the pairs and verdicts its tool meant, and auto tells which it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.pairs.formats import kto
from rlft_tui.pairs.formats.registry import FORMATS, NAMES
from rlft_tui.pairs.formats.values import moment, truth
from rlft_tui.pairs.import_pairs import import_pairs
from rlft_tui.pairs.pair_row import PairRow
from rlft_tui.pairs.read_pairs import PairReader, read_pairs
from rlft_tui.prompts.import_report import LineReport
from rlft_tui.prompts.messages import RowError


def turn(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def dialogue(*contents: str) -> list[dict[str, Any]]:
    return [turn("assistant" if place % 2 else "user", content) for place, content in enumerate(contents)]


def read(folder: Path, *rows: object, form: str = "auto") -> list[Any]:
    path = folder / "x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(read_pairs("x.jsonl", path, now=5.0, form=form))


def pair(folder: Path, *rows: object, form: str = "auto") -> PairRow:
    (found,) = read(folder, *rows, form=form)
    assert isinstance(found, PairRow), found
    return found


def refusal(folder: Path, row: object, form: str = "auto") -> str:
    (found,) = read(folder, row, form=form)
    assert isinstance(found, LineReport), found
    return found.reason


ARENA = {"model_a": "m1", "model_b": "m2", "winner": "model_b"}
ARGILLA = {"id": "1", "fields": {"prompt": "Why?", "response-1": "good", "response-2": "bad"}}
STUDIO = {"id": 1, "data": {"prompt": "Why?", "answer1": "good", "answer2": "bad"}}
SELECTED = {"from_name": "pw", "to_name": "pw", "type": "pairwise", "value": {"selected": "left"}}

ROWS: dict[str, dict[str, Any]] = {
    "plain": {"prompt": "Why?", "response_a": "good", "response_b": "bad", "choice": "a"},
    "trl": {"prompt": "Why?", "chosen": "good", "rejected": "bad"},
    "hh-rlhf": {
        "chosen": "\n\nHuman: Why?\n\nAssistant: good",
        "rejected": "\n\nHuman: Why?\n\nAssistant: bad",
    },
    "ultrafeedback": {
        "prompt": "Why?",
        "prompt_id": "7",
        "chosen": dialogue("Why?", "good"),
        "rejected": dialogue("Why?", "bad"),
        "messages": dialogue("Why?", "good"),
        "score_chosen": 8.5,
        "score_rejected": 3.0,
    },
    "alpaca-eval": {
        "instruction": "Why?",
        "output_1": "good",
        "generator_1": "m1",
        "output_2": "bad",
        "generator_2": "m2",
        "dataset": "koala",
        "annotator": "judge",
        "preference": 1,
    },
    "lmarena": {
        **ARENA,
        "winner": "model_a",
        "conversation_a": dialogue("Why?", "good"),
        "conversation_b": dialogue("Why?", "bad"),
    },
    "lmarena-55k": {
        "id": 3,
        "model_a": "m1",
        "model_b": "m2",
        "prompt": '["Why?"]',
        "response_a": '["good"]',
        "response_b": '["bad"]',
        "winner_model_a": 1,
        "winner_model_b": 0,
        "winner_tie": 0,
    },
    "argilla": {**ARGILLA, "responses": {"best": [{"value": "response-1", "user_id": "u1"}]}},
    "argilla-flat": {
        **ARGILLA["fields"],
        "best.responses": ["response-1"],
        "best.responses.users": ["u1"],
        "best.responses.status": ["submitted"],
    },
    "label-studio": {**STUDIO, "annotations": [{"result": [SELECTED], "completed_by": 4}]},
}


@pytest.mark.parametrize("form", ROWS)
def test_auto_recognises_each_format_and_says_which(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(ROWS[form]) + "\n")
    reader = PairReader("x.jsonl", path, now=0.0)
    (found,) = reader

    assert reader.formats == [form]
    assert isinstance(found, PairRow)
    assert (found.pair.prompt, found.pair.context) == ("Why?", ())
    answers = {"a": found.pair.response_a, "b": found.pair.response_b}
    assert found.chosen is not None
    assert answers[found.chosen] == "good"
    assert sorted(answers.values()) == ["bad", "good"]
    assert pair(tmp_path, ROWS[form], form=form).pair.id == found.pair.id


def test_a_json_array_and_lines_give_the_same(tmp_path: Path) -> None:
    lines = read(tmp_path, *ROWS.values())
    path = tmp_path / "x.json"
    path.write_text(json.dumps(list(ROWS.values()), indent=2))
    assert [row.pair.id for row in read_pairs("x.json", path, now=0.0)] == [row.pair.id for row in lines]


def test_a_format_can_be_forced_and_has_to_exist(tmp_path: Path) -> None:
    assert "has no output_1" in refusal(tmp_path, ROWS["trl"], form="alpaca-eval")
    with pytest.raises(NotFoundError, match="One of: auto, "):
        read(tmp_path, ROWS["trl"], form="nonsense")
    assert set(NAMES) == {"auto", *(form.name for form in FORMATS)}


@pytest.mark.parametrize("form", [form.name for form in FORMATS])
@pytest.mark.parametrize("row", [{}, {"prompt": None}, {"data": 1, "fields": [], "kind": {}}])
def test_a_forced_format_refuses_what_it_cannot_read(tmp_path: Path, form: str, row: object) -> None:
    assert refusal(tmp_path, row, form=form)


# AlpacaEval


@pytest.mark.parametrize(
    ("preference", "choice", "confidence"),
    [
        (1, "a", None),
        (2.0, "b", None),
        (0, "tie", None),
        (1.5, "tie", None),
        (1.05, "a", 5),
        (1.45, "a", 1),
        (1.8, "b", 3),
        ("2", "b", None),
    ],
)
def test_alpaca_eval_preferences(
    tmp_path: Path, preference: object, choice: str, confidence: int | None
) -> None:
    found = pair(tmp_path, {**ROWS["alpaca-eval"], "preference": preference})
    (verdict,) = found.verdicts
    assert (verdict.choice, verdict.confidence, verdict.labeler) == (choice, confidence, "judge")
    assert (found.pair.model_a, found.pair.model_b, found.pair.category) == ("m1", "m2", "koala")


def test_alpaca_eval_without_a_preference_is_a_pair_to_judge(tmp_path: Path) -> None:
    assert pair(tmp_path, {**ROWS["alpaca-eval"], "preference": None}).verdicts == ()
    assert "known: 0, and 1 to 2" in refusal(tmp_path, {**ROWS["alpaca-eval"], "preference": 3})
    several = {**ROWS["alpaca-eval"], "annotator_index": 7}
    assert pair(tmp_path, several).verdicts[0].labeler == "judge-7"


def test_a_tie_between_identical_answers_counts(tmp_path: Path) -> None:
    row = {**ROWS["alpaca-eval"], "output_2": "good", "preference": 0}
    assert [verdict.choice for verdict in pair(tmp_path, row).verdicts] == ["tie"]
    assert pair(tmp_path, {**row, "preference": 1}).verdicts == ()


# LMArena


@pytest.mark.parametrize(
    ("winner", "choice", "quality"),
    [
        ("model_a", "a", ""),
        ("model_b", "b", ""),
        ("tie", "tie", ""),
        ("tie (bothbad)", "tie", "both_bad"),
        ("both_bad", "tie", "both_bad"),
    ],
)
def test_arena_winners(tmp_path: Path, winner: str, choice: str, quality: str) -> None:
    row = {
        **ROWS["lmarena"],
        "winner": winner,
        "judge": "arena_user_1",
        "tstamp": 1.6e9,
        "language": "English",
    }
    found = pair(tmp_path, row)
    (verdict,) = found.verdicts
    assert (verdict.choice, verdict.quality, verdict.labeler) == (choice, quality, "arena_user_1")
    assert (verdict.created_at, found.pair.category) == (1.6e9, "English")
    assert "known: model_a" in refusal(tmp_path, {**row, "winner": "model_c"})


def test_arena_conversations_share_all_but_the_last_answer(tmp_path: Path) -> None:
    shared = dialogue("Hi", "Hello", "Why?")
    row = {
        **ARENA,
        "conversation_a": [*shared, turn("assistant", "x")],
        "conversation_b": [*shared, turn("assistant", "y")],
    }
    found = pair(tmp_path, row)
    assert [one.content for one in found.pair.context] == ["Hi", "Hello"]
    assert (found.pair.response_a, found.pair.response_b, found.chosen) == ("x", "y", "b")
    other = dialogue("Hi", "Good day", "Why?", "y")
    assert "differ before the last answer" in refusal(tmp_path, {**row, "conversation_b": other})


def test_arena_140k_has_contents_in_parts_and_whole_sessions(tmp_path: Path) -> None:
    def part(text: str) -> list[dict[str, Any]]:
        return [{"type": "text", "text": text, "image": None, "mimeType": None}]

    row = {
        **ARENA,
        "evaluation_order": 1,
        "conversation_a": [turn("user", part("Why?")), turn("assistant", part("x"))],
        "conversation_b": [turn("user", part("Why?")), turn("assistant", part("y"))],
    }
    found = pair(tmp_path, row)
    session = {
        **ARENA,
        "full_conversation": [
            {
                "user": turn("user", part("Why?")),
                "model_side_a": turn("assistant", part("x")),
                "model_side_b": turn("assistant", part("y")),
            }
        ],
    }
    assert pair(tmp_path, session).pair.id == found.pair.id
    picture = {**row, "conversation_a": [turn("user", [{"type": "image"}]), turn("assistant", part("x"))]}
    assert "no text" in refusal(tmp_path, picture)


def test_arena_55k_turns_are_lists_in_json(tmp_path: Path) -> None:
    two = {
        **ROWS["lmarena-55k"],
        "prompt": '["Hi", "Why?"]',
        "response_a": '["Hello", "x"]',
        "response_b": '["Hello", "y"]',
        "winner_model_a": 0,
        "winner_tie": 1,
    }
    found = pair(tmp_path, two)
    assert (len(found.pair.context), found.pair.prompt, found.chosen) == (2, "Why?", "tie")
    assert "more than one" in refusal(tmp_path, {**two, "winner_model_b": 1})
    assert "has 1 turns" in refusal(tmp_path, {**two, "response_b": '["y"]'})
    assert "is null" in refusal(tmp_path, {**two, "response_b": '["Hello", null]'})
    assert "not a list in JSON" in refusal(tmp_path, {**two, "prompt": "Why?"})


# KTO


def test_unpaired_rows_are_joined_by_prompt(tmp_path: Path) -> None:
    def row(prompt: str, text: str, label: object) -> dict[str, object]:
        return {"prompt": prompt, "completion": text, "label": label}

    found = read(
        tmp_path,
        row("p", "good 1", True),
        row("q", "alone", True),
        row("p", "bad 1", False),
        row("p", "good 2", "true"),
        row("p", "odd", "perhaps"),
    )
    pairs = [one for one in found if isinstance(one, PairRow)]
    sides = [{one.pair.response_a, one.pair.response_b} for one in pairs]
    assert sides == [{"good 1", "bad 1"}, {"good 2", "bad 1"}]
    for one in pairs:
        chosen = one.pair.response_a if one.chosen == "a" else one.pair.response_b
        assert chosen.startswith("good")
    refused = {one.line: one.reason for one in found if isinstance(one, LineReport)}
    assert refused == {2: kto.ALONE, 5: "label is neither true nor false"}


def test_unpaired_rows_that_wait_too_long_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kto, "MOST_CHARACTERS", 40)
    rows = [{"prompt": f"p{n}", "completion": "x" * 10, "label": True} for n in range(6)]
    found = read(tmp_path, *rows, {"prompt": "p0", "completion": "y", "label": False})
    assert [one.reason for one in found] == [kto.ALONE] * 7
    assert sorted(one.line for one in found) == [1, 2, 3, 4, 5, 6, 7]


# Argilla and Label Studio


def test_argilla_keeps_each_annotator_and_leaves_drafts_out(tmp_path: Path) -> None:
    answers = [
        {"value": "response-2", "user_id": "u1", "status": "submitted"},
        {"value": "tie", "user_id": "u2"},
        {"value": "response-1", "user_id": "u3", "status": "discarded"},
        {"value": "response-1", "user_id": "u4", "status": "draft"},
    ]
    row = {
        **ARGILLA,
        "responses": {"best": answers},
        "suggestions": {"best": {"value": "response-1", "agent": "gpt", "score": 0.9}},
        "metadata": {"response-1-model": "m1"},
    }
    found = pair(tmp_path, row)
    assert [(one.labeler, one.choice) for one in found.verdicts] == [("u1", "b"), ("u2", "tie"), ("gpt", "a")]
    assert (found.pair.model_a, found.pair.model_b) == ("m1", "")
    older = {
        **ARGILLA,
        "responses": [{"user_id": "u1", "status": "submitted", "values": {"best": {"value": "response-2"}}}],
    }
    assert [(one.labeler, one.choice) for one in pair(tmp_path, older).verdicts] == [("u1", "b")]


def test_a_ranking_becomes_every_pair_of_it(tmp_path: Path) -> None:
    fields = {"prompt": "Why?", "response-1": "x", "response-2": "y", "response-3": "z"}
    plain = ["response-3", "response-1", "response-2"]
    tied = [
        {"value": "response-1", "rank": 1},
        {"value": "response-2", "rank": 1},
        {"value": "response-3", "rank": 2},
    ]
    for order, expected in (
        (plain, {("x", "y"): "a", ("x", "z"): "b", ("y", "z"): "b"}),
        (tied, {("x", "y"): "tie", ("x", "z"): "a", ("y", "z"): "a"}),
    ):
        row = {"id": "1", "fields": fields, "responses": {"rank": [{"value": order, "user_id": "u"}]}}
        found = read(tmp_path, row)
        got = {(one.pair.response_a, one.pair.response_b): one.chosen for one in found}
        assert got == expected
    assert "no ranking" in refusal(tmp_path, {"id": "1", "fields": fields, "responses": {}})


def test_label_studio_sides_times_and_cancelled_work(tmp_path: Path) -> None:
    right = {**SELECTED, "value": {"selected": "right"}}
    swapped = {**SELECTED, "to_name": "answer2,answer1"}
    annotations = [
        {"result": [right], "completed_by": {"id": 3, "email": "a@b.c"}, "lead_time": 12.5},
        {"result": [swapped], "completed_by": 5, "created_at": "2024-05-06T07:08:09Z"},
        {"result": [SELECTED], "completed_by": 6, "was_cancelled": True},
    ]
    first, second = pair(tmp_path, {**STUDIO, "annotations": annotations}).verdicts
    assert (first.labeler, first.choice, first.time_spent_ms) == ("a@b.c", "b", 12_500)
    assert (second.labeler, second.choice, second.created_at) == ("5", "b", 1714979289.0)


def test_label_studio_ranker(tmp_path: Path) -> None:
    items = [{"id": "i", "body": "x"}, {"id": "j", "body": "y"}, {"id": "k", "body": "z"}]
    data = {"prompt": "Why?", "items": items}
    for ranker in (["k", "i", "j"], {"rank": ["k", "i", "j"]}):
        result = [{"type": "ranker", "value": {"ranker": ranker}}]
        found = read(tmp_path, {"data": data, "annotations": [{"result": result}]})
        assert [one.chosen for one in found] == ["a", "b", "b"]
    buckets = [{"type": "ranker", "value": {"ranker": {"good": ["i"], "bad": ["j", "k"]}}}]
    row = {"data": data, "annotations": [{"result": buckets}]}
    assert "several buckets" in refusal(tmp_path, row)


# Plain tables, scores and values


def test_a_plain_table_may_bring_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "question,answer_a,answer_b,winner,annotator,strength,confidence,note\n"
        "Why?,x,y,answer_b,ann,4,5,clear\n"
        "Why?,x,z,both_bad,,,,\n"
        "Why?,v,z,,,,,\n"
        "Why?,v,w,a,,9,,\n"
        "Why?,v,u,maybe,,,,\n"
    )
    one, two, three, four, five = read_pairs("x.csv", path, now=0.0)
    assert isinstance(one, PairRow)
    assert isinstance(two, PairRow)
    (verdict,) = one.verdicts
    assert (verdict.choice, verdict.labeler, verdict.strength) == ("b", "ann", 4)
    assert (verdict.confidence, verdict.reasoning) == (5, "clear")
    assert [(v.choice, v.quality) for v in two.verdicts] == [("tie", "both_bad")]
    assert isinstance(three, PairRow)
    assert three.verdicts == ()
    assert isinstance(four, LineReport)
    assert isinstance(five, LineReport)
    assert "from 1 to 4" in four.reason
    assert "known: a, b, tie" in five.reason


def test_scores_stay_with_the_answer_they_belong_to(tmp_path: Path) -> None:
    found = pair(tmp_path, ROWS["ultrafeedback"])
    scores = {found.pair.settings[side]["score"]: answer for side, answer in sides(found).items()}
    assert scores == {8.5: "good", 3.0: "bad"}


def sides(row: PairRow) -> dict[str, str]:
    return {"a": row.pair.response_a, "b": row.pair.response_b}


def test_times_and_truths_come_in_many_forms() -> None:
    assert moment("2024-05-06T07:08:09+00:00") == 1714979289.0
    assert [moment(one) for one in (None, "soon", True, -1, 1e300, [])] == [0.0] * 6
    assert [truth(one, "x") for one in (True, 0, "Yes", "0.0")] == [True, False, True, False]
    with pytest.raises(RowError):
        truth(None, "x")


# AlpacaEval as published

ALPACA = Path(__file__).resolve().parents[3] / "shared" / "data" / "alpaca_eval_ppo_human.jsonl"


def test_the_published_annotations_are_read_whole(fresh_db: duckdb.DuckDBPyConnection) -> None:
    if not ALPACA.exists():
        pytest.skip("the shared data is not here")
    outcome = import_pairs(fresh_db, ALPACA.name, ALPACA, now=0.0)
    choices = [verdict.choice for verdict in outcome.verdicts]
    assert (choices.count("b"), choices.count("a"), choices.count("tie")) == (328, 469, 8)
    assert {verdict.said.labeler for verdict in outcome.verdicts} == {"alpaca_eval_gpt4"}
    assert (outcome.report.imported, outcome.report.format) == (805, "alpaca-eval")


def test_an_archive_cut_short_is_refused_whole(tmp_path: Path) -> None:
    with pytest.raises(RlftError, match="cut short"):
        read(tmp_path, {"kind": "archive", "rlft_archive": 1})
    assert read(tmp_path, {"kind": "archive", "rlft_archive": 1}, {"kind": "archive_end", "labels": 0}) == []
