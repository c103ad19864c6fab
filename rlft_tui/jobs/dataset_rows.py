"""Hugging Face data sets to JSON lines and back, in a process of its own because it needs ``datasets``.

``python -m rlft_tui.jobs.dataset_rows read SOURCE TARGET.jsonl [SPLIT]``: SOURCE is a folder
that save_to_disk or a download made, or an id on the hub.
``python -m rlft_tui.jobs.dataset_rows write SOURCE.jsonl FOLDER``: FOLDER must not exist.
The last line of stdout is the number of rows. Exit code 2 and one last line on stderr
when it cannot be done.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from rlft_tui.errors import NotFoundError, RlftError, UnavailableError

_BATCH = 1000
_MOST_FILES = 10_000
"""In a folder that is read as a data set: the library looks at each, and says nothing meanwhile."""
_USAGE = "usage: python -m rlft_tui.jobs.dataset_rows read SOURCE TARGET [SPLIT] | write SOURCE FOLDER"


def main(arguments: list[str]) -> int:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    try:
        if arguments[:1] == ["read"] and len(arguments) in (3, 4):
            rows = read(arguments[1], Path(arguments[2]), arguments[3] if len(arguments) == 4 else "")
        elif arguments[:1] == ["write"] and len(arguments) == 3:
            rows = write(Path(arguments[1]), Path(arguments[2]))
        else:
            raise RlftError(_USAGE)
    except RlftError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{error.filename or arguments[-1]}: {error.strerror or error}\n")
        return 2
    sys.stdout.write(f"{rows}\n")
    return 0


def read(source: str, target: Path, split: str = "") -> int:
    """Write every row of a data set (or of one split) as a line of JSON; how many there were."""
    rows = 0
    with target.open("wb") as stream:
        for part in _parts(source, split):
            for batch in part.with_format("arrow").iter(batch_size=_BATCH):
                lines = [orjson.dumps(row, default=_plain) + b"\n" for row in batch.to_pylist()]
                stream.write(b"".join(lines))
                rows += len(lines)
    return rows


def write(source: Path, folder: Path) -> int:
    """Save the lines of a JSON lines file as a data set that ``load_from_disk`` reads; their number."""
    datasets = _library()
    with tempfile.TemporaryDirectory(prefix="rlft-dataset-") as cache:
        try:
            found = datasets.Dataset.from_json(str(source), cache_dir=cache, keep_in_memory=False)
            found.save_to_disk(str(folder))
        except (ValueError, TypeError, datasets.exceptions.DatasetsError) as error:
            raise RlftError(f"not rows of one data set ({_first_line(error)})", where=str(source)) from None
        return len(found)


def _parts(source: str, split: str) -> list[Any]:
    """The splits of a data set."""
    datasets = _library()
    folder = Path(source).expanduser()
    try:
        if folder.is_dir() and any((folder / name).is_file() for name in ("state.json", "dataset_dict.json")):
            found = datasets.load_from_disk(str(folder))
        else:
            if folder.is_dir():
                _check_size(folder)
            found = datasets.load_dataset(str(folder) if folder.is_dir() else source)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        if folder.is_dir():
            raise RlftError(
                f"no data set that can be read ({_first_line(error)})",
                where=source,
                remedy="Name a folder made by save_to_disk, or the file itself",
            ) from None
        raise UnavailableError(
            f"the data set cannot be fetched from the hub ({_first_line(error)})",
            where=source,
            remedy="Check the id and the connection, or download it and name the folder",
        ) from None
    splits = found if isinstance(found, dict) else {"": found}
    if not split:
        return list(splits.values())
    if split not in splits:
        raise NotFoundError(
            f"no split {split!r}", where=source, remedy=f"There are: {', '.join(splits) or 'none'}"
        )
    return [splits[split]]


def _check_size(folder: Path) -> None:
    files = itertools.chain.from_iterable(names for _, _, names in os.walk(folder))
    if next(itertools.islice(files, _MOST_FILES, None), None) is not None:
        raise RlftError(
            f"a folder of more than {_MOST_FILES:,} files",
            where=str(folder),
            remedy="Name the folder of the data set itself, or its file",
        )


def _library() -> Any:
    try:
        import datasets
    except ImportError:
        raise UnavailableError(
            "reading and writing Hugging Face data sets needs the training packages",
            remedy="pip install 'rlft_tui[train]'",
        ) from None
    return datasets


def _plain(value: Any) -> Any:
    """What JSON has no form for: pictures and other binary columns are no text to compare."""
    return None if isinstance(value, bytes) else str(value)


def _first_line(error: Exception) -> str:
    lines: Iterator[str] = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)[:300]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
