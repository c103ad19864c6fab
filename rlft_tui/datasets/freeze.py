"""Split rows, write them down under their hash, and record the data set."""

from __future__ import annotations

from typing import Any

from rlft_tui.database.connection import Database
from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.datasets.dataset_files import content_hash, encode_rows, write_dataset
from rlft_tui.datasets.datasets_table import add_dataset, require_free_name
from rlft_tui.datasets.selection import Selection
from rlft_tui.datasets.split import split_rows
from rlft_tui.errors import RlftError
from rlft_tui.paths import Workspace


def check_spec(spec: DatasetSpec) -> None:
    """RlftError for settings that make no sense; called before anything slow."""
    if not 0 <= spec.heldout_fraction < 1:
        raise RlftError(
            f"the held-out share is {spec.heldout_fraction:g}", remedy="Give at least 0 and less than 1"
        )
    if not 1 <= spec.min_confidence <= 5:
        raise RlftError(f"the least confidence is {spec.min_confidence}", remedy="Give 1 to 5")
    if spec.max_characters < 0:
        raise RlftError(f"the most characters are {spec.max_characters}", remedy="Give 0 to keep all rows")


def freeze(
    database: Database, workspace: Workspace, spec: DatasetSpec, selection: Selection[Any], *, now: float
) -> Dataset:
    """The data set made of a selection; the one that is already there when the rows are the same.

    Raises ConflictError when the name is taken.
    """
    train, heldout = split_rows(selection.rows, heldout_fraction=spec.heldout_fraction, seed=spec.seed)
    train_file, heldout_file = encode_rows(train), encode_rows(heldout)
    digest = content_hash(train_file, heldout_file)
    folder = workspace.datasets / digest
    dataset = Dataset(
        hash=digest,
        name=spec.name,
        path=str(folder),
        train_rows=len(train),
        heldout_rows=len(heldout),
        created_at=now,
        left_out=selection.left_out,
        kind=spec.kind,
        source=spec.source,
    )
    with database.reader() as connection:
        require_free_name(connection, spec.name, digest)
    # Outside the transaction: a large file must not keep labellers waiting.
    write_dataset(folder, dataset, spec, train_file, heldout_file)
    with database.write(checkpoint=True) as connection:
        return add_dataset(connection, dataset, spec)
