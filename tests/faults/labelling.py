"""A labeller that never stops, and what it was told is stored."""

from __future__ import annotations

import threading

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.errors import RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Preference


class Labeller:
    """Sends verdicts from a thread; ``acknowledged`` holds the ids the server answered for."""

    def __init__(self, client: WorkspaceClient, pairs: list[str], name: str = "ada") -> None:
        self.acknowledged: list[str] = []
        self.errors: list[RlftError] = []
        self._client = client
        self._pairs = pairs
        self._name = name
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._label)

    def __enter__(self) -> Labeller:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _label(self) -> None:
        for pair in self._pairs:
            if self._ended.is_set():
                return
            one = Preference(new_id(), pair, self._name, "b", time_spent_ms=5)
            try:
                self._client.add_label(one)
            except RlftError as error:
                self.errors.append(error)
            else:
                self.acknowledged.append(one.id)


def stored_ids(client: WorkspaceClient) -> list[str]:
    """Ids of all current verdicts, as often as they are stored."""
    return [one.id for one in client.labels(limit=1_000_000)]
