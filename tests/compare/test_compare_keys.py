"""The keys of Compare in every layout that ships."""

from __future__ import annotations

import pytest
from textual.binding import Binding

from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.compare_keys import COMPARE_BINDINGS, COMPARE_LAYOUTS, COMPARE_MODES
from rlft_tui.tui.keymap import check_keymap
from rlft_tui.tui.label_keys import LAYOUTS, MODES, in_layout
from rlft_tui.tui.screens.base import WorkbenchScreen


def test_every_layout_of_label_has_its_keys_here() -> None:
    assert set(COMPARE_LAYOUTS) == set(LAYOUTS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_two_actions_that_can_be_done_at_once_share_a_key(layout: str) -> None:
    own = COMPARE_LAYOUTS[layout]
    places = {"compare": in_layout([*COMPARE_BINDINGS, *WorkbenchScreen.BINDINGS], layout)}
    assert check_keymap(own, places, MODES | COMPARE_MODES).problems == ()
    keys: dict[str, list[str]] = {}
    for binding in Binding.make_bindings(places["compare"]):
        assert binding.id is not None
        given = own[binding.id].split(",") if binding.id in own else [binding.key]
        for key in given:
            if binding.id not in keys.setdefault(key, []):
                keys[key].append(binding.id)
    modes = MODES | COMPARE_MODES
    for key, names in keys.items():
        apart = [modes.get(name, "") for name in names]
        assert len(set(apart)) == len(apart), (layout, key, names)
    assert "ctrl+p" not in keys, "the palette's"
    assert RlftApp.COMMAND_PALETTE_BINDING == "ctrl+p"
