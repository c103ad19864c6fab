"""A stream of server-sent events (WHATWG HTML, 9.2.6), as far as providers use them."""

from __future__ import annotations

from collections.abc import Iterator


class EventReader:
    """Takes a stream's bytes as they come; gives an event at the empty line behind it.

    A last event without that line counts as not sent.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._kind = ""
        self._data: list[str] = []

    def take(self, received: bytes) -> Iterator[tuple[str, str]]:
        """(kind, data) of the events that are whole by now; those without data are left out."""
        self._rest += received
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            text = line.rstrip(b"\r").decode("utf-8", "replace")
            if not text:
                if self._data:
                    yield self._kind, "\n".join(self._data)
                self._kind, self._data = "", []
                continue
            name, _, value = text.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                self._data.append(value)
            elif name == "event":
                self._kind = value
