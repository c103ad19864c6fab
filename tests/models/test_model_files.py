"""What models take, their removal, and the file that names a policy's current version."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest
from msgspec.structs import replace

from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.models.current_version import read_pointer, write_pointer
from rlft_tui.models.model import Model
from rlft_tui.models.model_files import (
    bytes_once,
    files_below,
    freed_bytes,
    own_folder,
    parameters_in,
    place_of,
)
from rlft_tui.models.removal import rests_on, settle_removals, taken_away


def weights(path: Path, shape: tuple[int, ...]) -> Path:
    """A safetensors file with one tensor of zeros."""
    count = 4
    for side in shape:
        count *= side
    header = json.dumps(
        {"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": shape, "data_offsets": [0, count]}}
    ).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(count))
    return path


def test_hard_links_count_once_and_free_nothing(tmp_path: Path) -> None:
    run, version = tmp_path / "run", tmp_path / "version"
    file = weights(run / "model.safetensors", (8, 4))
    version.mkdir()
    os.link(file, version / "model.safetensors")
    (version / "results.json").write_text("{}")
    (version / "link").symlink_to(file)
    size = file.stat().st_size
    assert bytes_once([*files_below(run), *files_below(version)]) == size + 2
    assert freed_bytes(version) == 2, "the weights stay with the run"
    file.unlink()
    assert freed_bytes(version) == size + 2
    assert parameters_in(version) == 32


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, struct.pack("<Q", 4) + b"null", struct.pack("<Q", 2) + b"{"]
)
def test_a_damaged_weights_file_has_no_known_size(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    assert parameters_in(tmp_path) == 0


def test_where_a_model_lies(tmp_path: Path) -> None:
    models = tmp_path / "models"
    version = Model("support-v4", "base", str(models / "support" / "v4" / "policy"))
    Path(version.path).mkdir(parents=True)
    assert own_folder(version, models) == models / "support" / "v4"
    assert place_of(version, tmp_path) == "workspace"
    assert place_of(replace(version, path="/nowhere/at/all"), tmp_path) == "gone"
    assert place_of(replace(version, path="org/name"), tmp_path) == "hub"
    assert place_of(replace(version, path="/tmp"), tmp_path / "models") == "elsewhere"


def test_what_rests_on_a_model(tmp_path: Path) -> None:
    base = Model("base", "base", str(tmp_path / "base"), current_of="support")
    by_name = Model("dpo-1", "adapter", "/x", base="base", base_path="/moved")
    by_path = Model("dpo-2", "adapter", "/y", base="renamed", base_path=str(tmp_path / "base"))
    other = Model("dpo-3", "adapter", "/z", base="based", base_path=str(tmp_path / "based"))
    assert rests_on(base, tmp_path / "base", (base, by_name, by_path, other)) == [
        "model dpo-1 sits on it",
        "model dpo-2 sits on it",
        "it is the current version of policy support",
    ]


def test_a_removal_that_fails_puts_everything_back(tmp_path: Path) -> None:
    folder = weights(tmp_path / "model" / "w.safetensors", (2,)).parent

    def fails() -> None:
        with taken_away(folder):
            assert not folder.exists()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "w.safetensors"]
    with taken_away(folder):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_server_left_half_removed_is_settled(tmp_path: Path) -> None:
    for name in ("kept", "gone"):
        weights(tmp_path / f".deleted-{name}~12ab34cd" / "w.safetensors", (2,))
    settle_removals([tmp_path], lambda folder: folder.name == "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_current_version_is_named_on_the_disk(tmp_path: Path) -> None:
    version = Model("support-v4", "base", str(tmp_path / "support" / "v4" / "policy"), run_id="dpo-1")
    Path(version.path).mkdir(parents=True)
    with pytest.raises(NotFoundError, match="rlft loop promote"):
        read_pointer(tmp_path, "support")
    made = write_pointer(tmp_path, "support", version, 5.0)
    assert (made.version, made.model, made.promoted_at) == ("v4", "support-v4", 5.0)
    assert read_pointer(tmp_path, "support") == made
    assert (tmp_path / "support" / "current" / "policy").samefile(version.path)
    adapter = Model("dpo-1", "adapter", "/runs/dpo-1/model", "base", "/cache/base", "dpo-1")
    assert write_pointer(tmp_path, "support", adapter, 6.0).base_path == "/cache/base"
    assert not (tmp_path / "support" / "current").is_symlink(), "an adapter has no version's folder"
    write_pointer(tmp_path, "support", version, 7.0)
    assert os.readlink(tmp_path / "support" / "current") == "v4"


@pytest.mark.parametrize("policy", ["", "..", "a/b", "/etc", "a\0b", "x" * 81])
def test_a_policy_that_cannot_be_a_folder_is_refused(tmp_path: Path, policy: str) -> None:
    with pytest.raises(RlftError, match="not a policy's name"):
        write_pointer(tmp_path, policy, Model("m", "base", "/m"), 1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_pointer_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "support").write_text("a file where the folder should be")
    with pytest.raises(UnavailableError, match="cannot be written"):
        write_pointer(tmp_path, "support", Model("m", "base", "/m"), 1.0)
