"""The one error a user is meant to read."""

from __future__ import annotations


class RlftError(Exception):
    """Something the user can put right: what went wrong, where, and the remedy.

    Printed as one line by the command line (exit code 2), shown as a dialog by
    the workbench and sent as ``{"what", "where", "remedy"}`` by the server.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}. {self.remedy}" if self.remedy else line


class NotFoundError(RlftError):
    """A name, id or file that does not exist."""


class ConflictError(RlftError):
    """The request contradicts what is already stored or already running."""


class UnavailableError(RlftError):
    """A process, disk or device that the request needs cannot serve it now."""
