"""SQL that reads what data sets are made of: verdicts, written answers, scores and prompts."""

from __future__ import annotations

import re

import duckdb

from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.datasets.rows import PromptRow
from rlft_tui.labels.labeler import JUDGE_PREFIX
from rlft_tui.prompts.prompt import Message, conversation
from rlft_tui.prompts.prompts_table import decode_context
from rlft_tui.record import Record


class Verdict(Record, frozen=True):
    """A current preference with the pair it is about."""

    example_id: str
    labeler_id: str
    choice: str
    """a, b or tie."""
    confidence: int | None
    prompt: str
    context: tuple[Message, ...]
    response_a: str
    response_b: str
    category: str
    flagged: bool
    """Whether somebody flagged the pair as broken and has not taken it back."""
    strength: int | None = None
    """1 (negligibly) to 4 (significantly better); None when not asked, and for a tie."""
    quality: str = ""
    """Of a tie: both_good or both_bad."""
    margin: float | None = None
    """Given with an imported row; else it follows from the strength."""


class WrittenAnswer(Record, frozen=True):
    """A better answer that a labeller wrote, with the pair and their own verdict on it."""

    id: str
    text: str
    example_id: str
    labeler_id: str
    prompt: str
    context: tuple[Message, ...]
    response_a: str
    response_b: str
    category: str
    flagged: bool
    choice: str
    """a, b, tie, or empty when the writer has not judged the pair."""


class ScoredAnswer(Record, frozen=True):
    """A standing score of one answer, with the pair's earlier turns where it is a pair's."""

    id: str
    labeler_id: str
    prompt: str
    context: tuple[Message, ...]
    response: str
    score: float
    category: str


def current_verdicts(connection: duckdb.DuckDBPyConnection, spec: DatasetSpec) -> list[Verdict]:
    """The verdicts a spec asks for by labeller and category, in a fixed order.

    A judge's count only where the judge is named: its errors are its own, and it gives thousands.
    """
    rows = connection.execute(
        """select e.id, p.labeler_id, p.choice, p.confidence, e.prompt, e.context,
                  e.response_a, e.response_b, e.category,
                  e.id in (select example_id from current_marks where kind = 'flag'),
                  p.strength, p.quality
           from standing_preferences as p join examples as e on p.example_id = e.id
           where (p.labeler_id in (select unnest($1::varchar[]))
                  or (len($1::varchar[]) = 0 and not starts_with(p.labeler_id, $3)))
             and (len($2::varchar[]) = 0 or e.category in (select unnest($2::varchar[])))
           order by e.id, p.labeler_id""",
        [list(spec.labelers), list(spec.categories), JUDGE_PREFIX],
    ).fetchall()
    return [
        Verdict(
            example_id=identity,
            labeler_id=labeler,
            choice=choice,
            confidence=confidence,
            prompt=prompt,
            context=decode_context(context),
            response_a=response_a,
            response_b=response_b,
            category=category,
            flagged=flagged,
            strength=strength,
            quality=quality,
        )
        for (
            identity,
            labeler,
            choice,
            confidence,
            prompt,
            context,
            response_a,
            response_b,
            category,
            flagged,
            strength,
            quality,
        ) in rows
    ]


def written_answers(connection: duckdb.DuckDBPyConnection, spec: DatasetSpec) -> list[WrittenAnswer]:
    """Each labeller's latest better answer on each pair a spec asks for, in a fixed order."""
    rows = connection.execute(
        """select w.id, w.text, e.id, w.labeler_id, e.prompt, e.context, e.response_a, e.response_b,
                  e.category, e.id in (select example_id from current_marks where kind = 'flag'),
                  coalesce(p.choice, '')
           from current_better_answers as w
           join examples as e on w.example_id = e.id
           left join standing_preferences as p
             on p.example_id = w.example_id and p.labeler_id = w.labeler_id
           where (len($1::varchar[]) = 0 or w.labeler_id in (select unnest($1::varchar[])))
             and (len($2::varchar[]) = 0 or e.category in (select unnest($2::varchar[])))
           order by e.id, w.labeler_id""",
        [list(spec.labelers), list(spec.categories)],
    ).fetchall()
    return [WrittenAnswer(*(*row[:5], decode_context(row[5]), *row[6:])) for row in rows]


def scored_answers(connection: duckdb.DuckDBPyConnection, spec: DatasetSpec) -> list[ScoredAnswer]:
    """The standing scores a spec asks for, in a fixed order."""
    rows = connection.execute(
        """select f.id, f.labeler_id, f.prompt, coalesce(e.context, '[]'), f.response, f.score,
                  coalesce(e.category, '')
           from current_feedback as f left join examples as e on f.example_id = e.id
           where (f.labeler_id in (select unnest($1::varchar[]))
                  or (len($1::varchar[]) = 0 and not starts_with(f.labeler_id, $5)))
             and (len($2::varchar[]) = 0 or e.category in (select unnest($2::varchar[])))
             and (e.id is null or e.id not in (select example_id from current_marks where kind = 'flag'))
             and ($3 = '' or f.agent = $3 or (f.agent = '' and regexp_full_match(f.model, $4)))
           order by f.id""",
        [list(spec.labelers), list(spec.categories), spec.agent, version_pattern(spec.agent), JUDGE_PREFIX],
    ).fetchall()
    return [
        ScoredAnswer(identity, labeler, prompt, decode_context(context), response, score, category)
        for identity, labeler, prompt, context, response, score, category in rows
    ]


def version_pattern(agent: str) -> str:
    """Matches the names of a policy's versions in the registry: AGENT-v15, AGENT-v15-2."""
    return re.escape(agent) + r"-v\d+(-\d+)?"


def known_prompts(connection: duckdb.DuckDBPyConnection, spec: DatasetSpec) -> list[PromptRow]:
    """The workspace's prompts and those of its unflagged pairs, in a fixed order."""
    rows = connection.execute(
        """select id, prompt, context, category from prompts
           where len($1::varchar[]) = 0 or category in (select unnest($1::varchar[]))
           union all
           select id, prompt, context, category from examples
           where (len($1::varchar[]) = 0 or category in (select unnest($1::varchar[])))
             and id not in (select example_id from current_marks where kind = 'flag')
           order by 1""",
        [list(spec.categories)],
    ).fetchall()
    return [
        PromptRow(conversation(prompt, decode_context(context)), identity, category)
        for identity, prompt, context, category in rows
    ]
