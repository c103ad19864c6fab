"""Run the benchmarks and write what they print to docs/benchmarks.md.

python -m benchmarks             all of them
python -m benchmarks pair_switch series
python -m benchmarks million=FILE     what it printed is in FILE: minutes are not spent twice
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
OUTPUT = FOLDER.parent / "docs" / "benchmarks.md"
SLOW = {
    "evaluation",
    "exports",
    "streaming",
    "ppo_reward_kl",
    "ppo_update",
    "training_overhead",
    "generation",
    "training_methods",
    "rewards_rise",
    "kill_resume",
    "dry_run",
    "eight_labellers",
    "import_pairs",
    "million",
    "long_log",
    "monitor_peers",
    "occupations",
    "quick_presets",
    "bare_losses",
}
"""Minutes each; run only when named."""


def main() -> int:
    names = sys.argv[1:] or [
        file.stem for file in sorted(FOLDER.glob("*.py")) if file.stem[0] != "_" and file.stem not in SLOW
    ]
    sections = _kept(names)
    failed = []
    for name in names:
        name, _, printed = name.partition("=")
        if printed:
            sections[name] = _section(name, Path(printed).read_text(encoding="utf-8"), "")
            continue
        print(f"== {name}", file=sys.stderr)
        run = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True, check=False
        )
        if run.returncode:
            failed.append(name)
        else:
            sections[name] = _section(name, run.stdout, f", load {os.getloadavg()[0]:.1f} at the end")
    head = "# Benchmarks\n\nWritten by `make bench`; a section is what `python -m benchmarks.NAME` printed.\n"
    OUTPUT.write_text("\n".join([head, *(sections[name] for name in sorted(sections))]), encoding="utf-8")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


def _kept(names: list[str]) -> dict[str, str]:
    """Sections of benchmarks that are not run again now."""
    if not OUTPUT.exists():
        return {}
    parts = OUTPUT.read_text(encoding="utf-8").split("\n## ")[1:]
    old = {part.split("\n", 1)[0].strip(): f"## {part.strip()}\n" for part in parts}
    again = {name.partition("=")[0] for name in names}
    return {name: text for name, text in old.items() if name not in again}


def _section(name: str, printed: str, load: str) -> str:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}{load}"
    return f"## {name}\n\n{time.strftime('%Y-%m-%d')}, {machine}.\n\n{printed.strip()}\n"


if __name__ == "__main__":
    sys.exit(main())
