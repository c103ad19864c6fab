"""Uploaded files, spooled to disk so that a large one does not fill the memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from rlft_tui.errors import UnavailableError
from rlft_tui.server.services import services_of


async def spooled(request: Request) -> AsyncIterator[Path]:
    """The request's body as a file, removed after the answer."""
    folder = services_of(request).workspace.root / "incoming"
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="upload-") as file:
            async for block in request.stream():
                file.write(block)
            file.flush()
            yield Path(file.name)
    except OSError as error:
        raise UnavailableError(
            f"the upload could not be kept ({error.strerror})",
            where=str(folder),
            remedy="Free disk space; nothing was imported",
        ) from None


def remove_leftovers(root: Path) -> None:
    """Uploads of a server that was killed."""
    for path in (root / "incoming").glob("upload-*"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


Upload = Annotated[Path, Depends(spooled)]
