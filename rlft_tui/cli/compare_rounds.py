"""One prompt after the other answered by all models: printed as it comes, judged by key where asked for."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer
from msgspec.structs import replace

from rlft_tui.cli.answer_columns import AnswerColumns, AnswerLines
from rlft_tui.cli.answer_options import answer_record, failed
from rlft_tui.cli.key_verdict import LEAVE, UNDO, KeyVerdict, forget_keys, question, read_key
from rlft_tui.cli.session import Session, write
from rlft_tui.counted import counted
from rlft_tui.errors import RlftError
from rlft_tui.prompts.prompt import Message, Prompt
from rlft_tui.tui.comparison import Comparison, speed_words
from rlft_tui.tui.comparison_sides import side_labels
from rlft_tui.tui.comparison_verdict import Decision, make_verdict
from rlft_tui.tui.prompt_walk import Judged, Tally

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.server.answers import AskedSide

LETTERS = "ABCD"


class CompareRounds:
    """The sides that answer, and how what they say is printed."""

    def __init__(
        self,
        session: Session,
        client: WorkspaceClient,
        sides: tuple[AskedSide, ...],
        system: str,
        *,
        many: bool,
        lines: bool,
    ) -> None:
        """``many``: there is a file of prompts, so that each is headed by its place and its text."""
        self._session = session
        self._client = client
        self._sides = sides
        self._system = system
        self._many = many
        self._lines = lines

    def run(self, prompts: Sequence[Prompt]) -> None:
        """Answer them all, names shown. Of a file a prompt without answers is told and passed over.

        Then the command ends with code 1.
        """
        failures = 0
        for number, prompt in enumerate(prompts, 1):
            self._head(number, len(prompts), prompt)
            try:
                shown = self._answered(prompt, blind=False)
            except RlftError as error:
                if not self._many:
                    raise
                failures += 1
                self._failed(number, prompt, error)
            else:
                self._report(number, shown, None)
        if failures:
            raise typer.Exit(1)

    def judge(self, prompts: Sequence[Prompt], labeler: str) -> None:
        """Answer them, and ask for a verdict on each; names are told at the end."""
        tally, at = Tally(), 0
        kept: dict[int, Comparison] = {}
        graded = self._session.settings().asks_strength(labeler)
        while at < len(prompts):
            self._head(at + 1, len(prompts), prompts[at])
            shown = kept.get(at)
            if shown is not None:
                self._print(shown, self._printer(shown))
            else:
                try:
                    shown = kept[at] = self._answered(prompts[at], blind=True)
                except RlftError as error:
                    if not self._many:
                        raise
                    self._failed(at + 1, prompts[at], error)
                    at += 1
                    continue
            begun = time.monotonic()
            said = self._ask(shown, graded)
            if said == LEAVE:
                break
            if said == UNDO:
                at = self._undo(tally, at)
                continue
            if isinstance(said, Decision):
                spent = round(1000 * (time.monotonic() - begun))
                judged = self._store(at, shown, said, labeler, spent)
                if judged is None:
                    continue
                tally.rounds.append(judged)
                self._report(at + 1, shown, judged)
            at += 1
        for line in tally.lines():
            self._session.say(line)

    # answers
    def _answered(self, prompt: Prompt, *, blind: bool) -> Comparison:
        """The prompt's answers, printed as they come. RlftError when one fails."""
        context = prompt.context
        if self._system:
            turns = (turn for turn in context if turn.role != "system")
            context = (Message("system", self._system), *turns)
        shown = Comparison(self._sides, blind, prompt.prompt, context, prompt.category)
        request = shown.begin()
        printer = self._printer(shown)
        for piece in self._client.generate(request):
            if piece.kind == "loading":
                self._session.say("loading the models" if blind else f"loading {piece.text}")
            shown.take(piece)
            if shown.state == "failed":
                raise failed(self._sides[piece.side].model, shown.note, died=piece.restarts)
            self._print(shown, printer)
        shown.ended()
        if shown.state == "failed":
            raise failed("rlft compare", shown.note)
        return shown

    def _printer(self, shown: Comparison) -> AnswerColumns | AnswerLines:
        count = len(shown.sides)
        columns = shutil.get_terminal_size().columns
        marks = [str(place + 1) if shown.hidden else LETTERS[place] for place in range(count)]
        if self._lines or not sys.stdout.isatty() or not AnswerColumns.fits(count, columns):
            return AnswerLines(marks)
        names = [f"Answer {mark}" if shown.hidden else shown.name(n) for n, mark in enumerate(marks)]
        return AnswerColumns(names, columns)

    def _print(self, shown: Comparison, printer: AnswerColumns | AnswerLines) -> None:
        if self._session.json:
            return
        places = range(len(shown.sides))
        all_done = shown.state in ("ready", "judged")
        done = [shown.answer(n).done and (all_done or not shown.hidden) for n in places]
        for row in printer.take([shown.visible(n) for n in places], done):
            write(row or " ")

    def _head(self, number: int, count: int, prompt: Prompt) -> None:
        if self._many and not self._session.json:
            write(f"\n── {number} of {count} ── {prompt.prompt}\n")

    def _report(self, number: int, shown: Comparison, judged: Judged | None) -> None:
        """What is known of a round once it is over: JSON, or a line for each side."""
        if not self._session.json:
            if judged is None:
                for place in range(len(shown.sides)):
                    answer = shown.answer(place)
                    rate = answer.tokens_per_second
                    speed = f", {speed_words(rate)}" if rate else ""
                    name = f"{LETTERS[place]} │ {shown.name(place)}"
                    self._session.say(f"{name}: {counted(answer.tokens, 'token')}{speed}")
            return
        answers = [answer_record(side, one) for side, one in zip(shown.sides, shown.answers, strict=True)]
        if not self._many:
            self._session.show(answers, "")
            return
        record: dict[str, Any] = {"n": number, "prompt": shown.prompt, "answers": answers}
        if judged is not None:
            groups = [[shown.order[place] for place in group] for group in judged.decision.groups]
            record["verdict"] = {"order": groups, "id": judged.verdict.judged.id}
        write(json.dumps(record))

    def _failed(self, number: int, prompt: Prompt, error: RlftError) -> None:
        self._session.say(str(error))
        if self._session.json:
            write(json.dumps({"n": number, "prompt": prompt.prompt, "error": str(error)}))

    # verdicts
    def _ask(self, shown: Comparison, graded: bool) -> Decision | str:
        count = len(shown.sides)
        forget_keys()
        self._session.say(f"\nWhich is {'best' if count > 2 else 'better'}?  {question(count, graded)}")
        keys = KeyVerdict(count, graded)
        while True:
            said = keys.take(read_key())
            if said is not None:
                return said
            if count > 2:
                self._session.say(keys.line())

    def _store(
        self, at: int, shown: Comparison, decision: Decision, labeler: str, spent: int
    ) -> Judged | None:
        decision = replace(decision, time_spent_ms=spent)
        try:
            verdict = make_verdict(shown, decision, labeler, time.time())
        except RlftError as error:
            self._session.say(str(error))
            return None
        verdict.store(self._client)
        shown.state = "judged"
        winner = decision.winner
        if not self._many:
            shown.names_seen = True
        name = f", {side_labels(shown.sides)[shown.order[winner]]}" if winner is not None else ""
        self._session.say(f"stored: {decision.words()}{'' if self._many else name}")
        return Judged(at, shown, decision, verdict)

    def _undo(self, tally: Tally, at: int) -> int:
        """Take the last verdict back; the place to go on from."""
        if not tally.rounds:
            self._session.say("nothing to take back yet")
            return at
        judged = tally.rounds.pop()
        judged.verdict.take_back(self._client, judged.verdict.revocation())
        judged.shown.state = "ready"
        self._session.say(f"taken back: {judged.decision.words()}")
        return judged.at
