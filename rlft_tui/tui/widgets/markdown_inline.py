"""Inline Markdown as styled text, and the parser that both levels share.

HTML is text here, links are shown with their address and never followed, and
mathematics between $…$, $$…$$, \\(…\\) and \\[…\\] is not Markdown: ``maths_text`` writes it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from rlft_tui.tui.widgets.harmless import harmless
from rlft_tui.tui.widgets.maths_text import maths_text
from rlft_tui.tui.widgets.palette import CODE, EMPHASIS, FAINT, LINK, MATHS, STRIKE, STRONG, Palette
from rlft_tui.tui.widgets.styled_lines import Piece

_MATHS = re.compile(
    r"\$\$(?:[^$\\]|\\.)+\$\$|\\\((?:[^\\]|\\(?!\)).)+?\\\)|\\\[(?:[^\\]|\\(?!\]).)+?\\\]"
    r"|\$(?![\s\d]|\$)(?:[^`$\\\n]|\\.)*?[^`\s\\$]\$(?!\w)"
    r"|\$\d(?:[^`$\\\n]|\\.)*?[\\^_={}](?:[^`$\\\n]|\\.)*?\$(?!\w)",
    re.DOTALL,
)
_ENVIRONMENT = re.compile(r"\\begin\{((?:align|gather|equation|multline|eqnarray)\*?)\}")
_MARKS = {"strong": STRONG, "em": EMPHASIS, "s": STRIKE, "link": LINK}


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """CommonMark with tables, strikethrough and mathematics, HTML off."""
    made = MarkdownIt("commonmark", {"html": False, "maxNesting": 40}).enable(["table", "strikethrough"])
    made.inline.ruler.before("escape", "maths", _maths)
    made.inline.ruler.before("emphasis", "product", _product)
    made.block.ruler.before(
        "fence", "maths_block", _maths_block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    # Reference definitions would vanish from the text, and an answer must be seen whole.
    made.block.ruler.disable("reference")
    return made


def _product(state: StateInline, silent: bool) -> bool:
    """The star of 3*2*1 and a*b*c: emphasis to CommonMark, which would take it out of a correct answer."""
    at = state.pos
    if state.src[at] != "*" or not 0 < at < state.posMax - 1:
        return False
    around = state.src[at - 1] + state.src[at + 1]
    if not (around.isascii() and around.isalnum()):
        return False
    if not silent:
        state.push("text", "", 0).content = "*"
    state.pos += 1
    return True


def _maths(state: StateInline, silent: bool) -> bool:
    before = state.src[state.pos - 1] if state.pos else ""
    if state.src[state.pos] not in "$\\" or (state.src[state.pos] == "$" and before.isalnum()):
        return False
    found = _MATHS.match(state.src, state.pos, min(state.posMax, state.pos + 1_000))
    if found is None:
        return False
    if not silent:
        token = state.push("maths_inline", "", 0)
        token.content = found.group()
    state.pos = found.end()
    return True


def _maths_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Lines from one that opens with $$, \\[ or \\begin{align} up to the one that closes it."""
    if state.is_code_block(start):
        return False
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    close = {"$$": "$$", "\\[": "\\]"}.get(line[:2])
    if (environment := _ENVIRONMENT.match(line)) is not None:
        close = f"\\end{{{environment[1]}}}"
    if close is None or (environment is None and close in line[2:]):
        return False
    for last in range(start + (environment is None), min(end, start + 60)):
        text = state.src[state.bMarks[last] + state.tShift[last] : state.eMarks[last]]
        if not text:
            return False
        if text.rstrip().endswith(close):
            if not silent:
                token = state.push("maths_block", "", 0)
                token.content = state.getLines(start, last + 1, state.blkIndent, False)
                token.map = [start, last + 1]
                state.line = last + 1
            return True
    return False


def inline_pieces(token: Token, palette: Palette, base: str = "text", marks: int = 0) -> list[Piece]:
    """The children of an inline token as pieces in the style ``base``."""
    pieces: list[Piece] = []
    style = palette.style
    targets: list[tuple[str, int]] = []
    for child in token.children or ():
        kind = child.type
        if kind == "text":
            pieces.append((child.content, style(base, marks)))
        elif kind in ("softbreak", "hardbreak"):
            pieces.append(("\n", style(base, marks)))
        elif kind == "code_inline":
            pieces.append((child.content.replace("\n", " "), style(base, marks | CODE)))
        elif kind == "maths_inline":
            pieces.append((maths_text(child.content), style(base, marks | MATHS)))
        elif kind == "link_open":
            targets.append((str(child.attrs.get("href", "")), len(pieces)))
            marks |= LINK
        elif kind == "link_close":
            marks &= ~LINK
            target, since = targets.pop()
            if target and target != "".join(text for text, _ in pieces[since:]):
                pieces.append((f" ({target})", style(base, marks | FAINT)))
        elif kind == "image":
            pieces.append((f"[image: {child.content}]", style(base, marks | LINK)))
            if source := str(child.attrs.get("src", "")):
                pieces.append((f" ({source})", style(base, marks | FAINT)))
        elif child.nesting:
            mark = _MARKS.get(kind.rsplit("_", 1)[0], 0)
            marks = marks | mark if child.nesting > 0 else marks & ~mark
        else:
            pieces.append((child.content, style(base, marks)))
    if "&" in token.content:  # entities such as &#x202e; are only now what they stand for
        return [(harmless(text), style) for text, style in pieces]
    return pieces
