"""Data sets: freeze, list, show."""

from __future__ import annotations

import time

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.datasets import datasets_table
from rlft_tui.datasets.build_dataset import build_dataset
from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.server.replies import reply
from rlft_tui.server.services import ServicesOf

router = APIRouter()


@router.post("/datasets", response_model=Dataset)
def build(services: ServicesOf, spec: DatasetSpec) -> Response:
    return reply(build_dataset(services.database, services.workspace, spec, now=time.time()))


@router.get("/datasets", response_model=list[Dataset])
def list_datasets(services: ServicesOf) -> Response:
    with services.database.reader() as connection:
        return reply(datasets_table.list_datasets(connection))


@router.get("/datasets/{name_or_hash:path}", response_model=Dataset)
def show(services: ServicesOf, name_or_hash: str) -> Response:
    with services.database.reader() as connection:
        return reply(datasets_table.dataset_by_name(connection, name_or_hash))
