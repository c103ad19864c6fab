"""Identifiers are made by the client, so that a retried request is idempotent."""

from __future__ import annotations

import secrets
import time
import uuid

import uuid_utils

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def new_id() -> str:
    """A UUIDv7 in canonical text form: sorts by creation time."""
    return str(uuid_utils.uuid7())


def derived_id(*parts: str) -> str:
    """A UUIDv5 that is the same for the same parts, for rows made twice by a resumed job."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\x1f".join(parts)))


def new_run_id(method: str, now: float | None = None) -> str:
    """A run id a person can type: method, date, time and four random letters."""
    stamp = time.strftime("%m%d-%H%M", time.localtime(now))
    tail = "".join(secrets.choice(_ALPHABET) for _ in range(4))
    return f"{method}-{stamp}-{tail}"
