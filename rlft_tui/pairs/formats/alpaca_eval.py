"""AlpacaEval annotations (Li et al. 2023): instruction, output_1, output_2, preference.

``preference`` is 1 (output_1 is better), 2 (output_2), 0 or 1.5 (a tie); weighted
annotators write a fraction between, whose distance from 1.5 becomes the confidence.
The generators are the models, ``dataset`` is the category, ``annotator`` the labeller.
"""

from __future__ import annotations

from typing import Any

from rlft_tui.pairs.formats.values import is_blank, name_of, number
from rlft_tui.pairs.pair_row import Origin, PairRow, RowVerdict, answer_text, make_row
from rlft_tui.prompts.messages import RowError, optional_text, required_text

SAYS = "AlpacaEval annotations"


def matches(values: dict[str, Any]) -> bool:
    return "output_1" in values and "output_2" in values


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow, ...]:
    """The row's pair; without a preference it has no verdict. Raises RowError."""
    for column in ("output_1", "output_2"):
        if column not in values:
            raise RowError(f"has no {column}")
    prompt = required_text(values, "instruction")
    if extra := optional_text(values, "input"):
        prompt = f"{prompt}\n\n{extra}"
    row = make_row(
        line,
        prompt=prompt,
        context=(),
        responses=(answer_text(values["output_1"], "output_1"), answer_text(values["output_2"], "output_2")),
        models=(optional_text(values, "generator_1"), optional_text(values, "generator_2")),
        category=optional_text(values, "dataset"),
        origin=origin,
        verdicts=_verdict(values),
    )
    return (row,)


def _verdict(values: dict[str, Any]) -> tuple[RowVerdict, ...]:
    preference = number(values.get("preference"), "preference")
    if preference is None:
        return ()
    if preference != 0 and not 1 <= preference <= 2:
        raise RowError(f"preference is {preference:g}; known: 0, and 1 to 2")
    labeler = name_of(values.get("annotator"))
    if not is_blank(index := values.get("annotator_index")):
        labeler = "-".join(part for part in (labeler, name_of(index)) if part)
    if preference in (0, 1.5):
        return (RowVerdict("tie", labeler),)
    sure = 2 * abs(preference - 1.5)
    return (
        RowVerdict(
            "a" if preference < 1.5 else "b",
            labeler,
            confidence=None if preference in (1, 2) else 1 + round(4 * sure),
        ),
    )
