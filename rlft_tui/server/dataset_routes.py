"""Data sets: freeze labels, import files, list, show, prove before a launch."""

from __future__ import annotations

import time

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.datasets import datasets_table
from rlft_tui.datasets.build_dataset import build_dataset
from rlft_tui.datasets.dataset import Dataset, DatasetImport, DatasetSpec
from rlft_tui.datasets.import_dataset import import_dataset
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import ServicesOf
from rlft_tui.server.uploads import Upload

router = APIRouter()


@router.post("/datasets", response_model=Dataset)
def build(services: ServicesOf, spec: DatasetSpec) -> Response:
    return reply(build_dataset(services.database, services.workspace, spec, now=time.time()))


@router.post("/datasets/import", response_model=DatasetImport)
def import_file(services: ServicesOf, upload: Upload, name: str, spec: str) -> Response:
    """The body is the file; its ``name`` tells how it is encoded, ``spec`` is a DatasetSpec in JSON."""
    asked = decode(spec.encode(), DatasetSpec)
    return reply(import_dataset(services.database, services.workspace, asked, name, upload, now=time.time()))


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
