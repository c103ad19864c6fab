"""A judge behind an address: many calls at once, each answered, refused, or left for the next attempt.

A call is written down by the thread that made it before that thread begins another, so a killed run
repeats at most the calls that were under way. What the endpoint cannot answer now (too many
requests, an error of its own, no connection, no completion) is asked again with growing pauses; what
still has no answer then stays open, and the run fails in the end, to be resumed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from rlft_tui.errors import RlftError
from rlft_tui.evaluations.judge.judgement import Judgement, Status
from rlft_tui.evaluations.judge.messages import Call, question
from rlft_tui.evaluations.judge.verdict import parse_verdict
from rlft_tui.jobs.job import Job
from rlft_tui.jobs.judgement_log import JudgementLog
from rlft_tui.providers.chat import ChatAnswer, ChatRequest, ProviderError
from rlft_tui.providers.provider import Provider
from rlft_tui.providers.retry import Attempts
from rlft_tui.providers.settings import ProviderSettings
from rlft_tui.runs.specs.judge import JudgeProvider, JudgeSpec

ATTEMPTS = 6
"""At one call, in one attempt at the run."""
_HOPELESS = frozenset({401, 403, 404, 405})
"""Statuses that every other call would get as well."""
_MOST_ANSWER = 8000
"""Characters of an answer that are kept."""
_IN_A_ROW = 10
"""So many calls more than are under way at once without an answer between them: the endpoint is gone."""
_LOOK_SECONDS = 0.2


@dataclass
class _Shared:
    """What the threads know of each other."""

    stop_asked: bool = False
    fatal: Exception | None = None
    """Why no call is to be begun any more; a full disk is one reason: what is paid for could not be kept."""
    open: int = 0
    """Calls that had no answer after the last attempt."""
    in_a_row: int = 0
    last: str = ""
    """Why the last one of them had none."""
    not_before: float = 0.0
    """time.monotonic before which nobody asks: the endpoint wants a pause."""
    next_start: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


def ask_provider(job: Job, spec: JudgeSpec, calls: Sequence[Call], log: JudgementLog) -> bool:
    """Ask every call; False when a stop was asked for, or the cost limit reached, before the last one.

    RlftError: calls stayed open, or the endpoint will answer none. OSError: answers cannot be kept.
    """
    source = spec.provider
    assert source is not None
    provider = Provider(source.name, _settings(source), source.model, attempts=1)
    shared = _Shared()
    waiting = iter(calls)
    asker = _Asker(job, spec, provider, log, shared, waiting)
    try:
        with ThreadPoolExecutor(spec.concurrency, thread_name_prefix="judge") as threads:
            running = [threads.submit(asker.work) for _ in range(min(spec.concurrency, len(calls)))]
            for one in running:
                one.result()
    finally:
        provider.close()
        log.report()
    if shared.fatal is not None:
        raise shared.fatal
    if shared.stop_asked:
        return False
    if shared.open:
        raise RlftError(
            f"{shared.open} of {len(calls)} calls have no answer: {shared.last}",
            remedy=f"rlft runs resume {spec.id} asks for them again",
        )
    return True


def _settings(source: JudgeProvider) -> ProviderSettings:
    return ProviderSettings(
        kind=source.kind,
        url=source.url,
        model=source.model,
        key_env=source.key_env,
        timeout_seconds=source.timeout_seconds,
    )


class _Asker:
    """One thread's work, the same for all of them."""

    def __init__(
        self,
        job: Job,
        spec: JudgeSpec,
        provider: Provider,
        log: JudgementLog,
        shared: _Shared,
        waiting: Iterator[Call],
    ) -> None:
        self._job = job
        self._spec = spec
        self._provider = provider
        self._log = log
        self._shared = shared
        self._waiting = waiting

    def work(self) -> None:
        """Take calls until there are none, or it is time to end."""
        while (call := self._next()) is not None:
            try:
                self._ask(call)
            except (RlftError, OSError) as error:
                with self._shared.lock:
                    self._shared.fatal = self._shared.fatal or error
                return

    def _next(self) -> Call | None:
        with self._shared.lock:
            if self._is_over():
                return None
            return next(self._waiting, None)

    def _is_over(self) -> bool:
        """Whether no call is to be begun any more."""
        shared, spec = self._shared, self._spec
        if spec.max_cost and self._log.tally.cost >= spec.max_cost:
            self._job.stop.ask(f"max_cost {spec.max_cost:g}")
        if self._job.stop.asked:
            shared.stop_asked = True
        return shared.stop_asked or shared.fatal is not None

    def _ask(self, call: Call) -> None:
        """Ask once, and again as long as that may help; RlftError when no call will ever be answered."""
        attempts = Attempts(ATTEMPTS)
        request = _request(self._spec, call)
        while self._wait_for_turn():
            began = time.monotonic()
            try:
                answer = self._provider.complete(request)
            except ProviderError as error:
                if not self._goes_on(error, attempts, call, time.monotonic() - began):
                    return
            else:
                self._log.add(_judged(self._spec, call, answer, time.monotonic() - began))
                with self._shared.lock:
                    self._shared.in_a_row = 0
                return

    def _goes_on(self, error: ProviderError, attempts: Attempts, call: Call, seconds: float) -> bool:
        """Whether the call is to be made again, after the pause that it takes."""
        if error.status in _HOPELESS:
            raise error
        if error.status is not None and not error.retryable:
            refused = _judgement(self._spec, call, "refused", "", str(error), seconds=seconds)
            self._log.add(refused)
            return False
        error.retryable = True  # what is no completion now may be one the next time
        try:
            pause = attempts.pause(error)
        except ProviderError:
            self._left_open(error)
            return False
        self._log.retried(f"asks again in {pause:.1f} s: {error.what}")
        with self._shared.lock:
            if error.retry_after is not None:
                self._shared.not_before = max(self._shared.not_before, time.monotonic() + pause)
        return self._sleep(pause)

    def _left_open(self, error: ProviderError) -> None:
        with self._shared.lock:
            self._shared.open += 1
            self._shared.in_a_row += 1
            self._shared.last = str(error)
            if self._shared.in_a_row >= _IN_A_ROW + self._spec.concurrency:
                raise RlftError(
                    f"{self._shared.in_a_row} calls in a row without an answer: {error}",
                    remedy=f"rlft runs resume {self._spec.id} goes on once it answers",
                )

    def _wait_for_turn(self) -> bool:
        """Wait for the endpoint's pause and for the rate that was set; False when it is time to end."""
        with self._shared.lock:
            start = max(time.monotonic(), self._shared.not_before, self._shared.next_start)
            if self._spec.requests_per_minute:
                self._shared.next_start = start + 60.0 / self._spec.requests_per_minute
        return self._sleep(start - time.monotonic())

    def _sleep(self, seconds: float) -> bool:
        """False when a stop was asked for meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            with self._shared.lock:
                if self._is_over():
                    return False
            time.sleep(min(left, _LOOK_SECONDS))
        return True


def _request(spec: JudgeSpec, call: Call) -> ChatRequest:
    asked = question(spec.rubric.template, spec.rubric.criteria, call)
    messages = [{"role": "system", "content": spec.rubric.system}, {"role": "user", "content": asked}]
    return ChatRequest(
        messages=messages if spec.rubric.system else messages[1:],
        temperature=spec.temperature,
        max_tokens=spec.max_answer_tokens,
    )


def _judged(spec: JudgeSpec, call: Call, answer: ChatAnswer, seconds: float) -> Judgement:
    label = parse_verdict(answer.text, spec.mode)
    return _judgement(
        spec,
        call,
        "parsed" if label else "unparsable",
        label,
        answer.text,
        seconds=seconds,
        prompt_tokens=answer.usage.prompt_tokens,
        answer_tokens=answer.usage.answer_tokens,
    )


def _judgement(
    spec: JudgeSpec,
    call: Call,
    status: Status,
    label: str,
    answer: str,
    *,
    seconds: float,
    prompt_tokens: int | None = None,
    answer_tokens: int | None = None,
) -> Judgement:
    """A call's line; what it cost follows from its tokens."""
    prices = spec.prices
    cost = None
    if (prices.prompt or prices.answer) and prompt_tokens is not None and answer_tokens is not None:
        cost = (prompt_tokens * prices.prompt + answer_tokens * prices.answer) / 1e6
    return Judgement(
        id=call.id,
        run_id=spec.id,
        item_id=call.item.id,
        first=call.first,
        status=status,
        label=label,
        answer=answer[:_MOST_ANSWER],
        prompt_tokens=prompt_tokens,
        answer_tokens=answer_tokens,
        cost=cost,
        seconds=seconds,
        judge=spec.name,
        rubric=spec.rubric.name,
        rubric_version=spec.rubric.version,
        rated=call.item.model_a if spec.mode == "rating" else "",
        created_at=time.time(),
    )
