"""A run's completions as one file: ``python -m rlft_tui.jobs.completions_output RUN_DIR FILE FORMAT``.

CSV, JSON lines or Parquet, by prompt and index. The file appears whole or not at all.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.jobs.generate import read_prompts
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import read_spec
from rlft_tui.runs.specs.completions import CompletionsSpec
from rlft_tui.runs.specs.generate import GenerationPrompt
from rlft_tui.runs.specs.rewards import reward_names
from rlft_tui.samples.completion import Completion, sorted_completions
from rlft_tui.samples.completion_files import columns_of, pieces, row_of

_ROWS = 10_000
"""Of a Parquet row group."""


def write_output(
    folder: RunFolder,
    spec: CompletionsSpec,
    prompts: Sequence[GenerationPrompt],
    target: Path,
    form: str,
) -> None:
    """Write what the run has so far; RlftError when the file cannot be written."""
    columns = columns_of(reward_names(spec.rewards), candidates=spec.keep_all)
    ranks = {prompt.id: rank for rank, prompt in enumerate(prompts)}
    found = sorted_completions(folder.completions, ranks)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        try:
            if form == "parquet":
                _write_parquet(partial, found, columns)
            else:
                with partial.open("xb") as stream:
                    stream.writelines(pieces(found, form, columns))
                    stream.flush()
                    os.fsync(stream.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"the output cannot be written: {error.strerror or error}",
            where=str(target),
            remedy=f"The run has the completions: rlft generate --from {folder.id} --output FILE",
        ) from None


def _write_parquet(path: Path, found: Iterator[Completion], columns: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds: dict[str, Any] = {
        **dict.fromkeys(("index", "candidate", "tokens", "seed"), pa.int64()),
        "kept": pa.bool_(),
    }
    schema = pa.schema(
        (name, kinds.get(name, pa.float64() if name.startswith("reward") else pa.string()))
        for name in columns
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        rows = (row_of(one, columns) for one in found)
        for group in iter(lambda: [row for _, row in zip(range(_ROWS), rows, strict=False)], []):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def main(arguments: list[str]) -> int:
    if len(arguments) != 3:
        sys.stderr.write("usage: python -m rlft_tui.jobs.completions_output RUN_DIR FILE FORMAT\n")
        return 2
    folder = RunFolder(Path(arguments[0]))
    try:
        spec = read_spec(folder.spec)
        if not isinstance(spec, CompletionsSpec):
            raise RlftError(f"a {spec.method} run has no completions", where=folder.id)
        prompts = read_prompts(folder.root / spec.prompts)
        write_output(folder, spec, prompts, Path(arguments[1]), arguments[2])
    except RlftError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
