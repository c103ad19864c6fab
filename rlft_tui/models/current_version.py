"""``models/POLICY/current.json``: which model a policy is now, for programs that read no database.

A link ``current`` beside it leads to the version's folder where the model has one. Both are made from the
database: what was decided stands there, and a server that starts writes them again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path

from msgspec.structs import asdict

from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.models.model import Model
from rlft_tui.record import Record

NAME = "current.json"
LINK = "current"
_POLICY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


class Pointer(Record, frozen=True):
    """What stands in ``current.json``."""

    policy: str
    model: str
    """Name in the registry."""
    kind: str
    path: str
    """Weights, or the adapter's folder."""
    base_path: str = ""
    """What an adapter sits on."""
    version: str = ""
    """vN, for a model that has a folder of its own below models/POLICY."""
    run_id: str = ""
    dataset: str = ""
    promoted_at: float = 0.0


def check_policy_name(policy: str) -> None:
    """RlftError unless a folder can be called so."""
    if not _POLICY.fullmatch(policy):
        raise RlftError(
            f"not a policy's name: {policy[:80]!r}",
            remedy="Letters, digits, '-', '_' and '.', beginning with a letter or digit: --policy NAME",
        )


def write_pointer(models: Path, policy: str, model: Model, promoted_at: float) -> Pointer:
    """Point the policy at a model; UnavailableError when that cannot be written."""
    check_policy_name(policy)
    folder = models / policy
    parts = Path(model.path).relative_to(folder).parts if Path(model.path).is_relative_to(folder) else ()
    version = parts[0] if parts and parts[0].startswith("v") else ""
    pointer = Pointer(
        policy,
        model.name,
        model.kind,
        model.path,
        model.base_path,
        version,
        model.run_id,
        model.dataset,
        promoted_at,
    )
    text = json.dumps(asdict(pointer), indent=1) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{NAME}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / NAME)
        _link(folder, version)
    except OSError as error:
        raise UnavailableError(
            f"the current version cannot be written: {error.strerror or error}", where=str(folder)
        ) from None
    return pointer


def read_pointer(models: Path, policy: str) -> Pointer:
    """The policy's current version; NotFoundError when none was promoted."""
    check_policy_name(policy)
    file = models / policy / NAME
    try:
        return Pointer(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotFoundError(
            f"no model was promoted for policy {policy!r}", where=str(file), remedy="rlft loop promote"
        ) from None
    except (ValueError, TypeError) as error:
        raise RlftError(f"not a current version: {error}", where=str(file)) from None


def _link(folder: Path, version: str) -> None:
    """In one step as others see it; no link for a model without a version's folder."""
    link = folder / LINK
    if not version:
        if link.is_symlink():
            link.unlink()
        return
    if link.exists() and not link.is_symlink():
        return  # somebody's own folder of that name
    partial = folder / f".{LINK}.partial"
    with contextlib.suppress(FileNotFoundError):
        partial.unlink()
    os.symlink(version, partial)
    partial.replace(link)
