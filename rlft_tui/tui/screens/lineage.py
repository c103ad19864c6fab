"""What a model was made from, as a tree one can walk."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from rlft_tui.models.lineage import Node
from rlft_tui.tui import run_text

GLYPHS = {"model": "◆", "run": "▶", "dataset": "▤", "labels": "✎", "file": "↧", "gone": "?"}
"""The kind of a node is told by shape and by word."""


class LineageScreen(ModalScreen[Node | None]):
    """Gives back the node that was chosen, or nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,l", "leave", "back", id="lineage.back", tooltip="Back to the models"),
        Binding("j", "cursor('down')", "down", show=False, id="lineage.down", tooltip="Next line"),
        Binding("k", "cursor('up')", "up", show=False, id="lineage.up", tooltip="Line before"),
    ]
    DEFAULT_CSS = """
    LineageScreen { align: center middle; background: $background 60%; }
    LineageScreen > Vertical {
        width: 100%; max-width: 120; height: 80%; background: $surface; border: round $primary; padding: 0 1;
    }
    LineageScreen Tree { background: $surface; }
    """

    def __init__(self, root: Node) -> None:
        super().__init__()
        self._root = root

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "What it was made from"
            box.border_subtitle = "enter opens · space folds · esc back"
            tree: Tree[Node] = Tree(_label(self._root), self._root)
            tree.guide_depth = 3
            tree.auto_expand = False
            yield tree

    def on_mount(self) -> None:
        tree = self.query_one(Tree)
        _fill(tree.root, self._root)
        tree.root.expand_all()
        tree.focus()

    @on(Tree.NodeSelected)
    def _chosen(self, event: Tree.NodeSelected[Node]) -> None:
        self.dismiss(event.node.data)

    def action_cursor(self, way: str) -> None:
        tree = self.query_one(Tree)
        tree.action_cursor_down() if way == "down" else tree.action_cursor_up()

    def action_leave(self) -> None:
        self.dismiss(None)


def _fill(above: TreeNode[Node], node: Node) -> None:
    for child in node.children:
        if child.children:
            _fill(above.add(_label(child), child), child)
        else:
            above.add_leaf(_label(child), child)


def _label(node: Node) -> Text:
    text = Text(f"{GLYPHS[node.kind]} ", style="bold" if node.kind == "model" else "none")
    if node.role:
        text.append(f"{node.role} ", style="dim")
    text.append(run_text.plain(node.name))
    if node.about:
        text.append(f"  {run_text.plain(node.about)}", style="dim")
    return text
