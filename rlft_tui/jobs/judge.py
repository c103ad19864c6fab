"""A model judges answers: ``python -m rlft_tui.jobs.judge RUN_DIR``.

Reads ``run.toml`` and the items to judge, appends one line a call to ``judgements.jsonl``. Every
call's id follows from run, item and order, and a line counts once it ends with a newline: a job
killed at any moment goes on without a gap, and asks again only what was under way. A judge behind
an address needs neither torch nor transformers.
"""

from __future__ import annotations

import sys

from rlft_tui.evaluations.item_log import ITEMS, append_items
from rlft_tui.evaluations.judge.judgement import read_judgements
from rlft_tui.evaluations.judge.messages import calls_for
from rlft_tui.evaluations.judge.outcomes import Outcome, outcomes
from rlft_tui.evaluations.judge.results import judge_results
from rlft_tui.evaluations.results import write_results
from rlft_tui.jobs.job import Job, run_job, say
from rlft_tui.jobs.judgement_log import JudgementLog, read_items
from rlft_tui.runs.specs.judge import JudgeSpec


def judge(job: Job, spec: JudgeSpec) -> int:
    items = read_items(job.folder.root / spec.items)
    calls = list(calls_for(spec.id, items, spec.mode, both_orders=spec.both_orders))
    log = JudgementLog(job, job.folder.judgements, len(calls))
    try:
        open_calls = [call for call in calls if call.id not in log.done]
        if spec.provider is not None:
            from rlft_tui.jobs.judge_calls import ask_provider

            job.started(spec, len(calls), f"{spec.provider.kind} {spec.provider.url}".strip())
            whole = not open_calls or ask_provider(job, spec, open_calls, log)
        else:
            from rlft_tui.jobs.local_judge import ask_model

            whole = ask_model(job, spec, open_calls, log, len(calls))
        if not whole:
            return job.stopped(f"after {log.tally.calls} of {len(calls)} calls")
    finally:
        log.close()
    judged = [one for one, _ in read_judgements(job.folder.judgements)]
    found = list(outcomes(spec, items, judged))
    decided = sum(one.verdict is not None or one.rating is not None for one in found)
    write_found(job, spec, found)
    job.log.write("end", status="finished")
    say(f"finished: {decided} of {len(items)} items have a verdict; {log.tally.unparsable} answers had none")
    return 0


def write_found(job: Job, spec: JudgeSpec, found: list[Outcome]) -> None:
    """Items and results, as every evaluation leaves them."""
    items, results = judge_results(spec, found)
    partial = job.folder.root / f"{ITEMS}.partial"
    with partial.open("wb") as stream:
        append_items(stream, items)
    partial.replace(job.folder.root / ITEMS)
    write_results(job.folder.root, "", spec.labeler, results)


if __name__ == "__main__":
    raise SystemExit(run_job(sys.argv[1:], JudgeSpec, judge))
