"""A command that takes long says what it does; what it says is never part of the result."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from unittest.mock import Mock

import pytest

from rlft_tui.cli.launch_proof import prove
from rlft_tui.cli.score_command import score_answers
from rlft_tui.cli.session import Session
from rlft_tui.datasets.dataset import DatasetCheck


def test_a_launch_says_that_the_data_is_checked_before_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []

    def check_launch(_: Any) -> DatasetCheck:
        said.append(capsys.readouterr().err)
        return DatasetCheck()

    prove(Session(json=True), Mock(check_launch=check_launch), {}, yes=False)
    assert said == ["checking the data and its tokens …\n"]
    assert capsys.readouterr().out == ""


def test_scoring_says_so_before_it_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def score(_: str, answers: list[Any]) -> list[float]:
        said.append(capsys.readouterr().err)
        return [0.5 for _ in answers]

    monkeypatch.setattr(Session, "connect", lambda _: nullcontext(Mock(score=score)))
    score_answers(Session(json=True), "judge", "", "Say hello.", ["Hello."])
    assert said == ["loading judge and scoring 1 answer …\n"]
    assert '"score": 0.5' in capsys.readouterr().out
