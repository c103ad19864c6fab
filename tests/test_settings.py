"""One setting is written into rlft.toml and everything else in it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.config import Settings, create_workspace, keep_setting, read_settings
from rlft_tui.errors import RlftError


def test_a_setting_takes_the_place_of_its_commented_line(tmp_path: Path) -> None:
    path = create_workspace(tmp_path / "w").settings
    before = path.read_text().splitlines()
    keep_setting(path, "strengths", True)
    keep_setting(path, "layout", "left-hand")
    assert read_settings(path) == Settings(strengths=True, layout="left-hand")
    after = path.read_text().splitlines()
    assert len(after) == len(before)
    assert [line for line in after if line not in before] == ['layout = "left-hand"', "strengths = true"]
    keep_setting(path, "strengths", False)
    assert read_settings(path) == Settings(layout="left-hand")


@pytest.mark.parametrize(
    "text",
    [
        "",
        'labeler = "ada"',
        'labeler = "ada"\n\n[keymap]\n"label.skip" = "x"\n',
        "strengths = false # no\n[keymap]\n",
    ],
)
def test_a_setting_finds_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rlft.toml"
    path.write_text(text)
    before = read_settings(path)
    keep_setting(path, "strengths", True)
    after = read_settings(path)
    assert after.strengths is True
    assert (after.labeler, after.keymap) == (before.labeler, before.keymap)


def test_what_cannot_be_kept_is_said_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rlft.toml"
    with pytest.raises(RlftError, match="strengths was not kept"):
        keep_setting(path, "strengths", True)
    for text in ("broken = [", 'theme = """\nstrengths = 1\n"""\n'):
        path.write_text(text)
        with pytest.raises(RlftError, match="strengths was not kept"):
            keep_setting(path, "strengths", True)
        assert path.read_text() == text


def test_an_unknown_layout_is_refused_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rlft.toml"
    path.write_text('layout = "two-hands"\n')
    with pytest.raises(RlftError, match="layout"):
        read_settings(path)


def test_each_labeller_keeps_a_choice_of_their_own(tmp_path: Path) -> None:
    path = create_workspace(tmp_path / "w").settings
    keep_setting(path, "strengths_of", {"ada": True})
    keep_setting(path, "strengths_of", {"b\"en o'": False})
    keep_setting(path, "strengths", True)
    keep_setting(path, "strengths_of", {"ada": False})
    settings = read_settings(path)
    assert settings.strengths_of == {"ada": False, "b\"en o'": False}
    assert [settings.asks_strength(name) for name in ("ada", "carol")] == [False, True]
