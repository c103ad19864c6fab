"""Put what the headless demo printed into the README.

rlft demo --headless | grep -v ^workspace > docs/figures/demo.txt
python docs/make_figures.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures" / "demo.txt"
README = ROOT / "README.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def updated(readme: str, printed: str) -> str:
    """The README with the demo's table in its place."""
    head, rest = readme.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n```\n{printed.strip()}\n```\n{END}{tail}"


def main() -> int:
    printed = FIGURES.read_text(encoding="utf-8")
    README.write_text(updated(README.read_text(encoding="utf-8"), printed), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
