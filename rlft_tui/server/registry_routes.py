"""Models beyond their rows: lineage, remarks, what they take, removal, versions of policies.

A model is named in the query, for a hub id has a slash in it.
"""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.evaluations.policy_versions import PolicyVersion
from rlft_tui.models.lineage import Node
from rlft_tui.models.model import Model
from rlft_tui.models.model_files import DiskUse
from rlft_tui.models.models_table import model_by_name
from rlft_tui.models.remarks_table import set_remarks
from rlft_tui.models.removal import Removal
from rlft_tui.record import Record
from rlft_tui.server.replies import Sent, reply
from rlft_tui.server.services import ServicesOf

router = APIRouter(prefix="/registry")


class Remarks(Record, frozen=True):
    """What is to be said of a model; None leaves the note as it is."""

    name: str
    note: str | None = None
    add_tags: tuple[str, ...] = ()
    drop_tags: tuple[str, ...] = ()


@router.get("/lineage", response_model=None)
def lineage(services: ServicesOf, name: str) -> Response:
    """A Node: the model, its children what it was made from, down to the labels."""
    found: Node = services.registry.lineage(name)
    return reply(found)


@router.post("/remarks", response_model=Model)
def remark(services: ServicesOf, remarks: Sent[Remarks]) -> Response:
    with services.database.write() as connection:
        model_by_name(connection, remarks.name)
        set_remarks(connection, remarks.name, note=remarks.note, add=remarks.add_tags, drop=remarks.drop_tags)
        return reply(model_by_name(connection, remarks.name))


@router.get("/removal", response_model=Removal)
def removal(services: ServicesOf, name: str) -> Response:
    """What the removal would do; nothing is touched."""
    return reply(services.registry.removal(name))


@router.post("/remove", response_model=Removal)
def remove(services: ServicesOf, name: str) -> Response:
    """409 when something rests on it."""
    return reply(services.registry.remove(name))


@router.get("/use", response_model=DiskUse)
def use(services: ServicesOf) -> Response:
    return reply(services.registry.disk_use())


@router.get("/versions", response_model=list[PolicyVersion])
def versions(services: ServicesOf, policy: str = "") -> Response:
    return reply(services.registry.versions(policy))
