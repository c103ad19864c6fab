"""A run that waits for another starts once that one has finished, under whichever server there is."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rlft_tui.runs.run_folder import RunFolder
from tests.runs.scripted import FINISHING, TRAINING
from tests.runs.test_queue import Line, line, reaches, status, trains

__all__ = ["line"]


def follower(made: Line, run_id: str, after: str) -> RunFolder:
    folder = made.add(run_id, FINISHING)
    place = folder.current_place()
    assert place is not None
    folder.write_place(replace(place, after=after))
    return folder


def test_it_starts_when_that_one_has_finished_though_the_server_was_replaced(line: Line) -> None:
    follower(line, "second", after="first")
    line.add("first", TRAINING)
    server = line.serve()
    trains(server, "first")
    waiting = server.summary("second")
    assert (waiting.status, waiting.stage) == ("queued", "waits for run first")
    assert server.is_needed()

    line.bodies["first"] = FINISHING
    server.control.stop("first")
    stopped = line.serve()
    reaches(stopped, "first", "stopped")
    # Nothing can start now without somebody's doing, so nothing keeps a server here either.
    assert status(stopped, "second") == "queued"
    assert not stopped.is_needed()
    stopped.control.resume("first")
    first = reaches(stopped, "first", "finished")
    second = reaches(stopped, "second", "finished")
    assert (second.started or 0.0) >= (first.ended or 0.0)


@pytest.mark.parametrize("end", ["killed", "cancelled", "gone"])
def test_it_is_ended_when_that_one_never_finishes(line: Line, end: str) -> None:
    line.add("first", TRAINING)
    line.add("waiting", TRAINING)
    before = {"killed": "first", "cancelled": "waiting", "gone": "nobody"}[end]
    follower(line, "second", after=before)
    line.add("third", FINISHING)
    server = line.serve()
    trains(server, "first")
    server.control.cancel("waiting")
    server.control.kill("first")
    told = reaches(server, "second", "failed")
    assert told.exit is not None
    assert told.exit.reason == f"not started: run {before}, which it waited for, is {end}"
    # The others in line are none the worse for it.
    reaches(server, "third", "finished")
