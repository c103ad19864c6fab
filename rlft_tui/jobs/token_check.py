"""What the trainer will see, token by token.

``python -m rlft_tui.jobs.token_check DATASET_DIR MODEL_PATH MAX_LENGTH --rows N`` prints
one JSON object (``TokenReport``): every row of the data set is tokenised as the trainer
does it, the first N are shown. Exit code 2 and one line on stderr when data set or
tokenizer cannot be read; problems in the rows are ``errors`` and ``warnings`` there.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.jobs.environment import prepare_environment
from rlft_tui.jobs.preference_rows import TokenRow, read_rows, tokenise

FILES = ("train", "heldout")
MANY = 0.1
"""Share of truncated rows from which on it is worth a warning."""


@dataclass(frozen=True, slots=True)
class TokenShown:
    """One token: its id, its text alone (U+FFFD for a part of a character), whether the loss counts it."""

    id: int
    text: str
    loss: bool


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    """Prompt and one answer as the model gets them, cut to the maximum length."""

    tokens: list[TokenShown]
    answer_tokens: int
    """Tokens that the loss counts."""
    eos: bool
    """Whether an end-of-sequence token is among them."""
    truncated: bool


@dataclass(frozen=True, slots=True)
class RowTokens:
    """One comparison."""

    file: str
    row: int
    """Line of the file, from 1."""
    prompt_tokens: int
    chosen: AnswerTokens
    rejected: AnswerTokens


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens over all rows."""

    min: int
    median: int
    p95: int
    max: int


@dataclass(slots=True)
class TokenReport:
    """The whole check."""

    model: str
    max_length: int
    template: str
    """The chat template that turns messages into text (Jinja)."""
    eos_token: str
    pad_token: str
    checked: dict[str, int] = field(default_factory=dict)
    """Rows by file: train, heldout."""
    rows: list[RowTokens] = field(default_factory=list)
    lengths: dict[str, Lengths] = field(default_factory=dict)
    """Of prompt, chosen, rejected (answers alone) and longest (prompt with its longer answer)."""
    truncated: int = 0
    """Rows of which an answer is cut."""
    dropped: int = 0
    """Rows whose prompt alone fills the maximum length: the trainer leaves them out."""
    without_eos: int = 0
    """Rows of which an answer, as the trainer gets it, has no end-of-sequence token."""
    unending: int = 0
    """Those among them that lack it even uncut, because the template does not write it."""
    errors: list[str] = field(default_factory=list)
    """What would make training useless."""
    warnings: list[str] = field(default_factory=list)


def check(dataset: Path, model: str, max_length: int, shown: int) -> TokenReport:
    """Tokenise every row; RlftError when files or tokenizer cannot be read."""
    from rlft_tui.jobs.tokenizer_loading import load_tokenizer

    files = {name: read_rows(dataset / f"{name}.jsonl", required=name == "train") for name in FILES}
    tokenizer = load_tokenizer(model)
    report = TokenReport(
        model=model,
        max_length=max_length,
        template=tokenizer.chat_template,
        eos_token=tokenizer.eos_token,
        pad_token=tokenizer.pad_token,
        checked={name: len(rows) for name, rows in files.items()},
    )
    all_tokens: list[TokenRow] = []
    for name, rows in files.items():
        for number, row in enumerate(rows, 1):
            tokens = tokenise(tokenizer, row)
            all_tokens.append(tokens)
            _note(report, f"{name}.jsonl:{number}", tokens, tokenizer.eos_token_id)
            if len(report.rows) < shown:
                report.rows.append(_show(name, number, tokens, tokenizer, max_length))
    report.lengths = {
        "prompt": _lengths([len(row.prompt) for row in all_tokens]),
        "chosen": _lengths([len(row.chosen) for row in all_tokens]),
        "rejected": _lengths([len(row.rejected) for row in all_tokens]),
        "longest": _lengths([_longest(row) for row in all_tokens]),
    }
    _judge(report, len(all_tokens), tokenizer)
    return report


def _note(report: TokenReport, where: str, tokens: TokenRow, eos: int) -> None:
    """Count what is wrong with one row."""
    if len(tokens.prompt) >= report.max_length:
        report.dropped += 1
    elif _longest(tokens) > report.max_length:
        report.truncated += 1
    answers = {"chosen": tokens.chosen, "rejected": tokens.rejected}
    room = max(0, report.max_length - len(tokens.prompt))
    report.without_eos += any(eos not in answer[:room] for answer in answers.values())
    report.unending += any(eos not in answer for answer in answers.values())
    for side, answer in answers.items():
        if not answer:
            report.errors.append(
                f"{where}: the {side} answer has no tokens, so there is nothing to learn from"
            )
    if tokens.chosen == tokens.rejected:
        report.errors.append(f"{where}: chosen and rejected are the same tokens")


def _judge(report: TokenReport, rows: int, tokenizer: Any) -> None:
    """Say what the counts mean."""
    if report.dropped == rows:
        report.errors.append(f"every prompt fills max_length ({report.max_length} tokens)")
    elif report.dropped:
        report.warnings.append(f"{report.dropped} of {rows} rows are left out: their prompt fills max_length")
    if report.truncated > MANY * rows:
        longest = report.lengths["longest"].max
        report.warnings.append(
            f"{report.truncated} of {rows} rows are cut at {report.max_length} tokens; "
            f"the longest has {longest}. Set max_length to {longest} to keep all"
        )
    if report.unending:
        report.errors.append(
            f"{report.unending} of {rows} rows have an answer without {report.eos_token}: "
            "the model would not learn to stop. The chat template does not write it"
        )
    if tokenizer.pad_token_id == tokenizer.eos_token_id:
        report.warnings.append(f"padding and end of sequence are the same token, {report.eos_token}")


def _show(name: str, number: int, tokens: TokenRow, tokenizer: Any, max_length: int) -> RowTokens:
    def answer(ids: list[int]) -> AnswerTokens:
        whole = tokens.prompt + ids
        kept = whole[:max_length]
        shown = [
            TokenShown(token, tokenizer.decode([token]), index >= len(tokens.prompt))
            for index, token in enumerate(kept)
        ]
        counted = kept[len(tokens.prompt) :]
        return AnswerTokens(shown, len(counted), tokenizer.eos_token_id in counted, len(whole) > max_length)

    return RowTokens(name, number, len(tokens.prompt), answer(tokens.chosen), answer(tokens.rejected))


def _longest(row: TokenRow) -> int:
    return len(row.prompt) + max(len(row.chosen), len(row.rejected))


def _lengths(values: list[int]) -> Lengths:
    values = sorted(values)
    last = len(values) - 1
    return Lengths(values[0], values[last // 2], values[round(0.95 * last)], values[last])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m rlft_tui.jobs.token_check")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("model")
    parser.add_argument("max_length", type=int)
    parser.add_argument("--rows", type=int, default=3)
    options = parser.parse_args(arguments)
    prepare_environment()
    try:
        report = check(options.dataset, options.model, options.max_length, options.rows)
    except RlftError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(asdict(report), ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
