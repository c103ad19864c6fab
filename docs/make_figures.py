"""Write the README's table of figures from what the demo printed.

rlft demo --headless --json > docs/figures/demo.json
python docs/make_figures.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures" / "demo.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def table(figures: dict[str, object]) -> str:
    """The demo's result as a Markdown table."""
    rating = figures["win_rate"]
    seconds = figures["seconds"]
    assert isinstance(rating, dict)
    assert isinstance(seconds, dict)
    low, high = rating["ci95"]
    loss_first, loss_last = float(str(figures["loss_first"])), float(str(figures["loss_last"]))
    before, after = float(str(figures["accuracy_before"])), float(str(figures["accuracy_after"]))
    rows = [
        ("labeller's rule", figures["rule"]),
        ("pairs labelled", f"{figures['pairs_labelled']}, {figures['ties']} of them ties"),
        (
            "data set",
            f"`{figures['dataset']}`: {figures['train_rows']} rows to train on, "
            f"{figures['heldout_rows']} held out",
        ),
        (
            f"DPO loss over {figures['steps']} steps, first → mean of the last five",
            f"{loss_first:.3f} → {loss_last:.3f} ({loss_last / loss_first - 1:+.0%})",
        ),
        ("held-out preference accuracy", f"{before:.1%} → {after:.1%}"),
        (
            "win rate of tuned over base",
            f"**{rating['win_rate']:.1f} %** [{low:.1f}, {high:.1f}] on {rating['n']} unseen prompts",
        ),
        ("seconds", ", ".join(f"{name} {float(value):.0f}" for name, value in seconds.items())),
        ("peak memory of a job", f"{float(str(figures['peak_memory_mb'])):,.0f} MB"),
    ]
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join(lines)


def updated(readme: str, figures: dict[str, object]) -> str:
    """The README with its table replaced."""
    head, rest = readme.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n{table(figures)}\n{END}{tail}"


def main() -> int:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    README.write_text(updated(README.read_text(encoding="utf-8"), figures), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
