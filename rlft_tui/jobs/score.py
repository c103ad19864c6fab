"""Scores of answers from a reward model: ``python -m rlft_tui.jobs.score FOLDER BASE``.

One conversation a line on stdin (a JSON list of messages, the answer last), one score a line on
stdout, in the same order. Exit code 2 and one line on stderr when it cannot be done.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rlft_tui.errors import RlftError
from rlft_tui.jobs.environment import prepare_environment


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m rlft_tui.jobs.score FOLDER BASE\n")
        return 2
    prepare_environment()
    conversations = [json.loads(line) for line in sys.stdin if line.strip()]
    try:
        from rlft_tui.jobs.model_loading import choose_device, choose_dtype
        from rlft_tui.jobs.reward_scoring import RewardModel

        device = choose_device()
        model = RewardModel(Path(arguments[0]), arguments[1], choose_dtype("auto", device), device)
        scores = model.score(conversations)
    except RlftError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.writelines(f"{score!r}\n" for score in scores)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
