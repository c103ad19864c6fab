"""Data sets: freeze labels, import files, list, show, prove before a launch."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec.structs import asdict

from rlft_tui.datasets import datasets_table
from rlft_tui.datasets.build_dataset import build_dataset
from rlft_tui.datasets.dataset import Dataset, DatasetCheck, DatasetImport, DatasetSpec
from rlft_tui.datasets.derive import METHOD_OF
from rlft_tui.datasets.import_dataset import import_dataset
from rlft_tui.record import Record
from rlft_tui.runs.machine import look_at_machine
from rlft_tui.server.launch_check import check_data, check_launch
from rlft_tui.server.replies import Sent, decode, reply
from rlft_tui.server.services import ServicesOf
from rlft_tui.server.uploads import Upload

router = APIRouter()


class Question(Record, frozen=True):
    """What ``rlft data check`` asks."""

    dataset: str
    model: str
    """Name of the model whose tokenizer it is."""
    method: str = ""
    """Empty for the one that data of this kind is mostly for."""
    max_length: int = 512
    room: int = 0
    """Tokens that an answer needs behind a prompt."""
    batch_size: int = 0
    rows: int = 3
    """How many are shown in full."""


@router.post("/datasets", response_model=Dataset)
def build(services: ServicesOf, spec: Sent[DatasetSpec]) -> Response:
    return reply(build_dataset(services.database, services.workspace, spec, now=time.time()))


@router.post("/datasets/import", response_model=DatasetImport)
def import_file(services: ServicesOf, upload: Upload, name: str, spec: str) -> Response:
    """The body is the file; its ``name`` tells how it is encoded, ``spec`` is a DatasetSpec in JSON."""
    asked = decode(spec.encode(), DatasetSpec)
    return reply(import_dataset(services.database, services.workspace, asked, name, upload, now=time.time()))


@router.post("/datasets/check", response_model=DatasetCheck)
def check(services: ServicesOf, question: Sent[Question]) -> Response:
    """What is wrong with a data set for a method, and what the trainer will see."""
    asked = asdict(question)
    if not asked["method"]:
        with services.database.reader() as connection:
            kind = datasets_table.dataset_by_name(connection, question.dataset).kind
        asked["method"] = METHOD_OF[kind]
    return reply(check_data(services.database, **asked))


@router.post("/datasets/launch-check", response_model=DatasetCheck)
def before_a_launch(services: ServicesOf, values: dict[str, Any]) -> Response:
    """The same for the values that a launch takes."""
    return reply(check_launch(services.database, values, look_at_machine()))


@router.get("/datasets", response_model=list[Dataset])
def list_datasets(services: ServicesOf) -> Response:
    with services.database.reader() as connection:
        return reply(datasets_table.list_datasets(connection))


@router.get("/datasets/{name_or_hash:path}", response_model=Dataset)
def show(services: ServicesOf, name_or_hash: str, method: str = "") -> Response:
    """With a method, ``latest`` is the newest that it can be trained on."""
    with services.database.reader() as connection:
        if method:
            return reply(datasets_table.dataset_for(connection, name_or_hash, method))
        return reply(datasets_table.dataset_by_name(connection, name_or_hash))
