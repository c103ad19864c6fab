"""One streamed comparison, read in a thread of its own and fetched a frame at a time."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.server.answers import GenerateRequest, StreamedText


class AnswerStream:
    """Starts at once. The thread is a daemon: leaving the workbench never waits for a model to load."""

    def __init__(self, client: WorkspaceClient, request: GenerateRequest) -> None:
        self.error: RlftError | None = None
        self._client = client
        self._request = request
        self._pieces: deque[StreamedText] = deque()
        self._left = threading.Event()
        self._ended = threading.Event()
        threading.Thread(target=self._read, name="answer-stream", daemon=True).start()

    def take(self) -> list[StreamedText]:
        """What arrived since the last call."""
        taken: list[StreamedText] = []
        while self._pieces:
            taken.append(self._pieces.popleft())
        return taken

    @property
    def ended(self) -> bool:
        """Nothing more will come; what has come may still be taken."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """Leave the stream at its next piece, which stops the generation."""
        self._left.set()

    def _read(self) -> None:
        try:
            for piece in self._client.generate(self._request):
                if self._left.is_set():
                    break
                self._pieces.append(piece)
        except RlftError as error:
            self.error = error
        finally:
            self._ended.set()
