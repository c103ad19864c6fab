"""What the trainer of a method will see, token by token.

``python -m rlft_tui.jobs.token_check DATASET_DIR MODEL_PATH MAX_LENGTH --method M --rows N`` prints
one JSON object (``TokenReport``): the rows are tokenised as the trainer does it, the first N
are shown. Exit code 2 and one line on stderr when data set or tokenizer cannot be read;
problems in the rows are ``errors`` and ``warnings`` there.
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
from rlft_tui.jobs.method_rows import method_rows
from rlft_tui.jobs.token_rows import TOKENISED, Sequence, TokenisedRow

MANY = 0.1
"""Share of truncated rows from which on it is worth a warning."""
ONLINE = ("grpo", "rloo", "ppo")
"""Methods that write the answers themselves: only prompts are looked at."""
_LISTED = 20
"""Bad rows named one by one."""


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
    """Whether an end-of-sequence token is among those behind the prompt."""
    truncated: bool


@dataclass(frozen=True, slots=True)
class RowTokens:
    """One row."""

    file: str
    row: int
    """Line of the file, from 1; of a derived row, the place among the derived ones."""
    prompt_tokens: int
    sides: dict[str, AnswerTokens]
    """chosen and rejected, wanted or unwanted, answer, or prompt; in the JSON beside the other values."""


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

    method: str
    model: str
    max_length: int
    template: str
    """The chat template that turns messages into text (Jinja)."""
    eos_token: str
    pad_token: str
    checked: dict[str, int] = field(default_factory=dict)
    """Rows by file: train, heldout."""
    unchecked: int = 0
    """Rows that were not looked at, because there are so many."""
    rows: list[RowTokens] = field(default_factory=list)
    lengths: dict[str, Lengths] = field(default_factory=dict)
    """Of the prompt, of each side behind it, and of the longest sequence of a row."""
    truncated: int = 0
    """Rows of which an answer is cut."""
    dropped: int = 0
    """Rows that the trainer leaves out, or learns nothing from, because of the maximum length."""
    without_eos: int = 0
    """Rows of which an answer, as the trainer gets it, has no end-of-sequence token."""
    unending: int = 0
    """Those among them that lack it even uncut, because the template does not write it."""
    errors: list[str] = field(default_factory=list)
    """What would make training useless."""
    warnings: list[str] = field(default_factory=list)


def check(
    dataset: Path, model: str, max_length: int, *, method: str, room: int = 0, shown: int = 3, most: int = 0
) -> TokenReport:
    """Tokenise every row, or the first ``most`` of each file; RlftError when nothing can be read.

    ``room``: tokens that have to be left for an answer behind a prompt, for methods that write it.
    """
    from rlft_tui.jobs.tokenizer_loading import has_fallback, load_tokenizer

    train, heldout = method_rows(dataset, method)
    files = {"train": train, "heldout": heldout}
    tokenizer = load_tokenizer(model)
    looked_at = {name: rows[:most] if most else rows for name, rows in files.items()}
    report = TokenReport(
        method=method,
        model=model,
        max_length=max_length,
        template=tokenizer.chat_template,
        eos_token=tokenizer.eos_token,
        pad_token=tokenizer.pad_token,
        checked={name: len(rows) for name, rows in looked_at.items()},
        unchecked=sum(map(len, files.values())) - sum(map(len, looked_at.values())),
    )
    if has_fallback(tokenizer):
        report.warnings.append(
            "the tokenizer has no chat template: ChatML is taken, each turn ended by "
            f"{tokenizer.eos_token}, and saved with the result. A model that never saw it has to learn it "
            "first: train sft"
        )
    looking = _Looking(report, tokenizer, room)
    for name, rows in looked_at.items():
        for number, row in enumerate(rows, 1):
            looking.note(name, number, TOKENISED[method](tokenizer, row), show=len(report.rows) < shown)
    looking.judge()
    return report


class _Looking:
    """Goes through the rows and counts."""

    def __init__(self, report: TokenReport, tokenizer: Any, room: int) -> None:
        self.report = report
        self.tokenizer = tokenizer
        self.most = report.max_length - (room if report.method in ONLINE else 0)
        self.bad: list[str] = []
        self.lengths: dict[str, list[int]] = {}
        self.rows = 0

    def note(self, name: str, number: int, tokens: TokenisedRow, *, show: bool) -> None:
        """Count what is wrong with one row."""
        report = self.report
        self.rows += 1
        longest = max(len(side.ids) for side in tokens.sides.values())
        self._length("prompt", tokens.prompt)
        for side, found in tokens.sides.items():
            if report.method not in ONLINE:
                self._length(side, len(found.ids) - tokens.prompt)
        self._length("longest", longest)
        if self._is_dropped(tokens, longest):
            report.dropped += 1
        elif longest > self.most:
            report.truncated += 1
        if report.method not in ONLINE:
            self._note_answers(f"{name}.jsonl:{number}", tokens)
        if show:
            sides = {side: self._shown(found, tokens.prompt) for side, found in tokens.sides.items()}
            report.rows.append(RowTokens(name, number, tokens.prompt, sides))

    def _is_dropped(self, tokens: TokenisedRow, longest: int) -> bool:
        whole = self.report.method in (*ONLINE, "reward")
        return longest > self.most if whole else tokens.prompt >= self.most

    def _note_answers(self, where: str, tokens: TokenisedRow) -> None:
        eos, sides = self.tokenizer.eos_token_id, tokens.sides
        behind = {side: found.ids[tokens.prompt :] for side, found in sides.items()}
        room = max(0, self.most - tokens.prompt)
        self.report.without_eos += any(eos not in ids[:room] for ids in behind.values())
        self.report.unending += any(eos not in ids for ids in behind.values())
        for side, ids in behind.items():
            if not ids or not any(sides[side].loss):
                what = "answer" if side == "answer" else f"{side} answer"
                self.bad.append(f"{where}: the {what} has no tokens, so there is nothing to learn from")
        if "chosen" in behind and behind["chosen"] == behind["rejected"]:
            self.bad.append(f"{where}: chosen and rejected are the same tokens")

    def judge(self) -> None:
        """Say what the counts mean."""
        report, rows = self.report, self.rows
        report.lengths = {name: _lengths(found) for name, found in self.lengths.items()}
        report.errors += self.bad[:_LISTED]
        if len(self.bad) > _LISTED:
            report.errors.append(f"and {len(self.bad) - _LISTED} more rows like these")
        longest = report.lengths["longest"]
        if report.dropped:
            why, remedy = self._why_dropped(longest)
            if report.dropped == rows:
                report.errors.append(f"every {why} ({report.max_length} tokens){remedy}")
            else:
                report.warnings.append(f"{report.dropped} of {rows} rows are left out: their {why}{remedy}")
        if report.truncated > MANY * rows:
            report.warnings.append(
                f"{report.truncated} of {rows} rows are cut at {report.max_length} tokens; "
                f"the longest has {longest.max}. Set max_length to {longest.max} to keep all"
            )
        if report.unending:
            self._say_unending(rows)

    def _why_dropped(self, longest: Lengths) -> tuple[str, str]:
        if self.report.method in ONLINE:
            needed = longest.max + self.report.max_length - self.most
            return "prompt leaves no room for an answer in max_length", f". Set max_length to {needed}"
        if self.report.method == "reward":
            return "longer answer goes beyond max_length", f". Set max_length to {longest.max}"
        return "prompt fills max_length", ""

    def _say_unending(self, rows: int) -> None:
        report = self.report
        line = f"{report.unending} of {rows} rows have an answer without {report.eos_token}"
        if report.method == "reward":
            report.warnings.append(f"{line}: the score is read at the last token, whatever it is")
        else:
            report.errors.append(
                f"{line}: the model would not learn to stop. The chat template does not write it"
            )

    def _shown(self, found: Sequence, prompt: int) -> AnswerTokens:
        kept = found.ids[: self.report.max_length]
        loss = found.loss[: len(kept)]
        tokens = [
            TokenShown(token, self.tokenizer.decode([token]), counted)
            for token, counted in zip(kept, loss, strict=True)
        ]
        eos = self.tokenizer.eos_token_id in kept[prompt:]
        return AnswerTokens(tokens, sum(loss), eos, len(found.ids) > len(kept))

    def _length(self, name: str, tokens: int) -> None:
        self.lengths.setdefault(name, []).append(tokens)


def _lengths(values: list[int]) -> Lengths:
    values = sorted(values)
    last = len(values) - 1
    return Lengths(values[0], values[last // 2], values[round(0.95 * last)], values[last])


def as_json(report: TokenReport) -> dict[str, Any]:
    """The report as plain values, the sides of a row beside its other values."""
    values = asdict(report)
    values["rows"] = [row | row.pop("sides") for row in values["rows"]]
    return values


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m rlft_tui.jobs.token_check")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("model")
    parser.add_argument("max_length", type=int)
    parser.add_argument("--method", default="dpo", choices=tuple(TOKENISED))
    parser.add_argument("--room", type=int, default=0)
    parser.add_argument("--rows", type=int, default=3)
    parser.add_argument("--most", type=int, default=0)
    asked = parser.parse_args(arguments)
    prepare_environment()
    try:
        report = check(
            asked.dataset,
            asked.model,
            asked.max_length,
            method=asked.method,
            room=asked.room,
            shown=asked.rows,
            most=asked.most,
        )
    except RlftError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(as_json(report), ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
