"""The proof of a data set as text: what the trainer will see of it, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rlft_tui.cli.session import fields, table
from rlft_tui.counted import counted
from rlft_tui.datasets.dataset import DatasetCheck
from rlft_tui.tui.widgets.harmless import harmless, harmless_line

_ONLINE = ("grpo", "rloo", "ppo")
_OWN = ("file", "row", "prompt_tokens")


def check_text(check: DatasetCheck) -> str:
    """What was looked at, and what is wrong with it, as a person reads it."""
    tokens = check.tokens
    shown = [*_head(tokens), *(_row(row, tokens["method"]) for row in tokens["rows"])] if tokens else []
    return "\n\n".join([*shown, *_verdict(check)])


def _head(report: dict[str, Any]) -> Iterator[str]:
    checked = ", ".join(f"{count} {name}" for name, count in report["checked"].items())
    if report["unchecked"]:
        checked += f"; {report['unchecked']} more were not looked at"
    facts = [
        ("data set", report["dataset"]),
        ("method", report["method"]),
        ("model", report["model"]),
        ("rows checked", checked),
        ("max length", f"{report['max_length']} tokens"),
        ("cut", counted(report["truncated"], "row")),
        ("left out", f"{counted(report['dropped'], 'row')}, for the length"),
    ]
    if report["method"] not in _ONLINE:
        unended = f"{counted(report['without_eos'], 'row')} with an answer that has no {report['eos_token']}"
        facts.append(("without end", unended))
    yield fields([*facts, ("end token", report["eos_token"]), ("padding", report["pad_token"])])
    yield "chat template:\n" + "\n".join(f"  {line}" for line in harmless(report["template"]).splitlines())
    yield table(
        ("tokens", "least", "median", "95 %", "most"),
        [
            (name, *(lengths[key] for key in ("min", "median", "p95", "max")))
            for name, lengths in report["lengths"].items()
        ],
    )


def _row(row: dict[str, Any], method: str) -> str:
    """The prompt once, then what follows it, tokens parted by │; where others speak between, in brackets."""
    sides = {name: side for name, side in row.items() if name not in _OWN}
    first = next(iter(sides.values()))["tokens"]
    lines = [
        f"{row['file']}.jsonl:{row['row']}",
        f"  prompt, {counted(row['prompt_tokens'], 'token')}, not counted by the loss:",
        f"    {_tokens(first[: row['prompt_tokens']])}",
    ]
    if method in _ONLINE:
        return "\n".join(lines)
    for side, answer in sides.items():
        read = "the score is read at the last" if method == "reward" else "counted by the loss"
        behind = answer["tokens"][row["prompt_tokens"] :]
        count = len(behind) if method == "reward" else answer["answer_tokens"]
        notes = f"{counted(count, 'token')}, {read}"
        notes += ", ends" if answer["eos"] else ", NO END TOKEN"
        notes += ", CUT" if answer["truncated"] else ""
        lines += [f"  {side}, {notes}:", f"    {_tokens(behind, mark=method != 'reward')}"]
    return "\n".join(lines)


def _tokens(tokens: list[dict[str, Any]], *, mark: bool = False) -> str:
    """With ``mark``, tokens that the loss does not count stand in brackets."""
    shown = (
        f"[{harmless_line(token['text'])}]" if mark and not token["loss"] else harmless_line(token["text"])
        for token in tokens
    )
    return "│".join(shown) or "(nothing is left)"


def _verdict(check: DatasetCheck) -> Iterator[str]:
    lines = [f"error: {line}" for line in check.errors]
    lines += [f"warning: {line}" for line in check.warnings]
    yield "\n".join(lines) or "Nothing wrong was found."
