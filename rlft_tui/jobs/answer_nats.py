"""How surprised a model is by answers: ``python -m rlft_tui.jobs.answer_nats BASE [ADAPTER]``.

One JSON list a line on stdin, messages and answer; one a line on stdout, nats (-log p of the answer
given the messages) and the answer's tokens, in the same order. Exit code 2 and one line on stderr
when it cannot be done.
"""

from __future__ import annotations

import json
import sys

from rlft_tui.errors import RlftError
from rlft_tui.jobs.environment import prepare_environment


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: python -m rlft_tui.jobs.answer_nats BASE [ADAPTER]\n")
        return 2
    prepare_environment()
    rows = [json.loads(line) for line in sys.stdin if line.strip()]
    try:
        from rlft_tui.jobs.decoding import prompt_ids
        from rlft_tui.jobs.evaluation.subject import Subject
        from rlft_tui.jobs.evaluation.work import LoadedModel
        from rlft_tui.jobs.model_loading import choose_device, choose_dtype
        from rlft_tui.jobs.scoring import Scored
        from rlft_tui.runs.specs.base import ModelSource

        device = choose_device()
        source = ModelSource(name="", path=arguments[0], adapter=arguments[1] if len(arguments) == 2 else "")
        loaded = LoadedModel(source, choose_dtype("fp32", device), device)
        subject = Subject(loaded.select(), loaded.base.tokenizer, batch_size=8, seed=0)
        items = []
        for messages, answer in rows:
            prompt = prompt_ids(subject.tokenizer, messages)
            ids = list(subject.tokenizer(answer, add_special_tokens=False)["input_ids"])
            items.append(Scored(prompt, ids[: max(1, subject.longest - len(prompt))]))
        full = [item for item in items if item.answer]
        nats = iter(subject.nats(full))
    except RlftError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.writelines(
        json.dumps([next(nats) if item.answer else 0.0, len(item.answer)]) + "\n" for item in items
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
