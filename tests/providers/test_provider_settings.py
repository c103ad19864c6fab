"""``[providers.NAME]`` in rlft.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.config import read_settings
from rlft_tui.errors import RlftError

SECRET = "sk-ant-verysecret"


def settings_file(folder: Path, lines: str) -> Path:
    path = folder / "rlft.toml"
    path.write_text(lines)
    return path


def test_a_provider_is_read_with_its_defaults(tmp_path: Path) -> None:
    text = '[providers.claude]\nkind = "anthropic"\nmodel = "m"\nkey_env = "CLAUDE_KEY"\n'
    one = read_settings(settings_file(tmp_path, text)).providers["claude"]
    assert (one.address, one.model, one.is_local) == ("https://api.anthropic.com", "m", False)
    local = '[providers.near]\nkind = "openai"\nurl = "http://127.0.0.1:11434/v1/"\n'
    one = read_settings(settings_file(tmp_path, local)).providers["near"]
    assert (one.address, one.is_local) == ("http://127.0.0.1:11434/v1", True)


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (f'key = "{SECRET}"', "unknown setting 'key'.*key_env"),
        (f'key_env = "{SECRET}"', "not the name of an environment variable"),
        ('url = "ftp://x"', "not an http:// or https:// address"),
        ('url = "http://x y/"', "not an http:// or https:// address"),
        (f'url = "https://me:{SECRET}@host/v1"', "a user, password or query"),
        (f'url = "https://host/v1?key={SECRET}"', "a user, password or query"),
        ("timeout_seconds = 0.0", "timeout_seconds"),
        ('kind = "cohere"', "kind"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_a_key_never_shown(
    tmp_path: Path, lines: str, line: str
) -> None:
    kind = "" if lines.startswith("kind") else 'kind = "openai"\n'
    with pytest.raises(RlftError, match=line) as raised:
        read_settings(settings_file(tmp_path, f"[providers.far]\n{kind}{lines}\n"))
    assert SECRET not in str(raised.value)
