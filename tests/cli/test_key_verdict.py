"""Verdicts by key at a real pseudo-terminal."""

from __future__ import annotations

import os
import select

from rlft_tui.cli.key_verdict import forget_keys, read_key


def test_keys_typed_before_the_question_are_no_verdict() -> None:
    person, terminal = os.openpty()
    with os.fdopen(terminal) as stream:
        os.write(person, b"31\n")
        assert select.select([stream], [], [], 10)[0], "the keys have arrived"
        forget_keys(stream)
        assert not select.select([stream], [], [], 0)[0]
        os.write(person, b"2")
        assert read_key(stream) == "2"
    os.close(person)
