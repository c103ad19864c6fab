"""The judgements of a run as they are made: on disk before the next call begins."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import msgspec

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.evaluations.judge.judgement import JudgeItem, Judgement, Tally, encode_line, read_judgements
from rlft_tui.jobs.job import Job, say

_REPORT_SECONDS = 1.0


def read_items(path: Path) -> list[JudgeItem]:
    """What is to be judged, in file order; RlftError names the first line that is none."""
    if not path.is_file():
        raise NotFoundError("no items to judge", where=str(path))
    items: dict[str, JudgeItem] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            item = msgspec.convert(json.loads(line), JudgeItem)
        except (ValueError, msgspec.ValidationError) as error:
            raise RlftError(f"not an item to judge: {error}", where=f"{path}:{number}") from None
        items.setdefault(item.id, item)
    if not items:
        raise RlftError("no items to judge", where=str(path))
    return list(items.values())


class JudgementLog:
    """Appends judgements; may be used from several threads."""

    def __init__(self, job: Job, path: Path, total: int) -> None:
        """``total``: calls that the run makes in all. A half-written last line is cut off."""
        self._job = job
        self._total = total
        self._lock = threading.Lock()
        self._told = 0.0
        self.retries = 0
        """Calls that had to be made once more, in this attempt."""
        self._why = ""
        self.tally = Tally()
        self.done: set[str] = set()
        for one, _ in read_judgements(path):
            if one.id not in self.done:
                self.done.add(one.id)
                self.tally = self.tally.plus(one)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.ftruncate(self._descriptor, path.read_bytes().rfind(b"\n") + 1)
        os.lseek(self._descriptor, 0, os.SEEK_END)

    def add(self, one: Judgement) -> None:
        """Store one; it survives any crash once this returns."""
        with self._lock:
            self._append(encode_line(one))
            self.done.add(one.id)
            self.tally = self.tally.plus(one)
            self._why = ""
            self._report_when_due()

    def _append(self, line: bytes) -> None:
        """The whole line, or nothing of it: another thread's would be lost behind half a one."""
        end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, end)
            os.lseek(self._descriptor, end, os.SEEK_SET)
            raise

    def retried(self, why: str) -> None:
        """A call is to be made once more."""
        with self._lock:
            self.retries += 1
            self._why = why
            self._report_when_due()

    def report(self) -> None:
        """Tell the event log how far it is."""
        with self._lock:
            self._report()

    def close(self) -> None:
        os.close(self._descriptor)

    def _report_when_due(self) -> None:
        if time.monotonic() - self._told >= _REPORT_SECONDS:
            self._report()

    def _report(self) -> None:
        self._told = time.monotonic()
        tally = self.tally
        values = {
            "unparsable": float(tally.unparsable),
            "refused": float(tally.refused),
            "retries": float(self.retries),
            "prompt_tokens": float(tally.prompt_tokens),
            "answer_tokens": float(tally.answer_tokens),
            "cost": tally.cost,
        }
        self._job.log.metrics(tally.calls, values, steps=self._total)
        self._job.stage("judging", progress=tally.calls / max(self._total, 1), detail=self._why)
        say(
            f"{tally.calls}/{self._total} calls, {tally.unparsable} unparsable, {tally.refused} refused, "
            f"{self.retries} retries, {tally.prompt_tokens + tally.answer_tokens} tokens"
        )
