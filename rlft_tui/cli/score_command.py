"""rlft models score: what a reward model gives for answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlft_tui.cli.session import Session, table
from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.datasets.rows import Conversation

_SHOWN = 60


def score_answers(session: Session, model: str, source: str, prompt: str, responses: list[str]) -> None:
    """Score the answers of the flags, or those of a file, and show them, the best first."""
    if bool(source) == bool(responses):
        raise RlftError(
            "nothing to score" if not source else "a file and answers on the command line",
            where="rlft models score",
            remedy="Give --prompt and --response, or a file",
        )
    if responses and not prompt.strip():
        raise RlftError("an answer without its prompt", where="rlft models score", remedy="Give --prompt")
    conversations = _of_file(session, source) if source else [_said(prompt, text) for text in responses]
    counted = f"{len(conversations)} answer{'' if len(conversations) == 1 else 's'}"
    with session.connect() as client:
        session.say(f"loading {model} and scoring {counted} …")
        scores = client.score(model, conversations)
    scored = [_scored(one, score) for one, score in zip(conversations, scores, strict=True)]
    ranked = sorted(scored, key=lambda one: -float(one["score"]))
    session.show(
        scored,
        lambda: table(
            ("score", "prompt", "response"),
            [(f"{one['score']:+.3f}", _cut(one["prompt"]), _cut(one["response"])) for one in ranked],
        ),
    )


def _said(prompt: str, response: str) -> Conversation:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]


def _of_file(session: Session, source: str) -> list[Conversation]:
    """The conversations of a file's good rows; RlftError when it has none."""
    from rlft_tui.cli.import_source import import_source
    from rlft_tui.datasets.raw_rows import parse_completion
    from rlft_tui.prompts.import_report import LineReport
    from rlft_tui.prompts.messages import RowError
    from rlft_tui.prompts.row_reader import read_rows

    found: list[Conversation] = []
    with import_source(source) as (name, path):
        for row in read_rows(name, path):
            if isinstance(row, LineReport):
                session.say(f"line {row.line}: refused: {row.reason}")
                continue
            try:
                answered = parse_completion(row.values)
            except RowError as error:
                session.say(f"line {row.line}: refused: {error}")
                continue
            found.append(answered.prompt + answered.completion)
    if not found:
        raise RlftError("no prompt with an answer in it", where=source)
    return found


def _scored(conversation: Conversation, score: float) -> dict[str, Any]:
    return {
        "score": score,
        "prompt": conversation[-2]["content"] if len(conversation) > 1 else "",
        "response": conversation[-1]["content"],
    }


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
