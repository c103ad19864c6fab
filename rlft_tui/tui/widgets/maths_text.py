"""LaTeX mathematics as Unicode text: xᵢ², (a + b)/c, [1 2; 3 4].

pylatexenc parses the formula and knows the symbols; how scripts, fractions, roots and
matrices read in one line is decided here. What cannot be read, or is nested so deep that
nobody could, stays as it was written: docs/decisions/010.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from rlft_tui.tui.widgets.harmless import harmless

MOST = 1_500
"""Characters of a formula that is rendered; a longer one stays as it is."""
DEEPEST = 12
"""Brackets and environments within one another."""

_CLOSERS = {"$$": "$$", "$": "$", "\\(": "\\)", "\\[": "\\]"}
_SIMPLE = re.compile(r"[A-Za-z0-9 .,:;!()|/+\-]+")
_SUPER = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδθφχ⊤′",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᶿᵠᵡᵀ′",
        strict=True,
    )
)
_SUB = dict(
    zip("0123456789+-−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True)
)
_RAISED = {"∘": "°", "*": "*", "†": "†", "‡": "‡"}
_RELATION = re.compile(r"(?<=\S) *([±=≠≈≡≤≥<>∈∉⊂⊆→←↔⇒⇐⇔∼≃≅∝≪≫↦⟶⟹⟺]) *(?=\S)")
_ATOM = re.compile(
    r"[∂∇]?(?:[^\W_]|[0-9.]+|[A-Za-z]+)(?:_\w+|[′⁰¹²³⁴-₎ₐ-ₜᵢ-ᵪᴬ-ᵡⁱⁿⱼⱽ\u0300-\u036f\u20d7])*|d[a-z]"
)
_BRACKETS = {
    "matrix": ("[", "]"), "pmatrix": ("(", ")"), "bmatrix": ("[", "]"), "Bmatrix": ("{", "}"),
    "vmatrix": ("|", "|"), "Vmatrix": ("‖", "‖"), "smallmatrix": ("[", "]"), "array": ("[", "]"),
    "cases": ("{ ", ""), "dcases": ("{ ", ""), "rcases": ("", " }"),
}  # fmt: skip
_ACCENTS = {
    "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303", "bar": "\u0304",
    "overline": "\u0305", "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7", "check": "\u030c",
}  # fmt: skip
_STYLES = ("mathbb", "mathcal", "mathscr", "mathfrak")
_ONE_ARGUMENT = (
    *_ACCENTS, *_STYLES, "operatorname", "operatorname*", "text", "textrm", "textbf", "textit", "textsf",
    "texttt", "mbox", "mathrm", "mathbf", "mathit", "mathsf", "mathtt", "boldsymbol", "bm", "pmb", "boxed",
    "underbrace", "overbrace", "underline", "substack", "pmod", "tag", "label", "phantom", "not", "hspace",
    "vspace", "color", "xrightarrow", "xleftarrow",
)  # fmt: skip
_TWO_ARGUMENTS = (
    "frac", "dfrac", "tfrac", "cfrac", "nicefrac", "binom", "dbinom", "tbinom", "overset", "underset",
    "stackrel", "textcolor",
)  # fmt: skip
_DROPPED = frozenset((
    "left", "right", "middle", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr",
    "Biggl", "Biggr", "displaystyle", "textstyle", "scriptstyle", "limits", "nolimits", "nonumber", "notag",
    "hline", "!", "/", "tag", "label", "phantom", "hspace", "vspace", "color",
))  # fmt: skip
_NAMES = frozenset((
    "arccos", "arcsin", "arctan", "arg", "argmax", "argmin", "cos", "cosh", "cot", "deg", "det", "dim", "exp",
    "gcd", "inf", "ker", "lim", "liminf", "limsup", "ln", "log", "max", "min", "mod", "Pr", "sin", "sinh",
    "sup", "tan", "tanh",
))  # fmt: skip
_SYMBOLS = {
    ",": " ", ";": " ", ":": " ", " ": " ", ">": " ", "quad": "  ", "qquad": "  ", "\\": "\n", "implies": "⟹",
    "iff": "⟺", "to": "→", "gets": "←", "mid": " | ", "vert": "|", "lvert": "|", "rvert": "|", "|": "‖",
    "Vert": "‖", "lVert": "‖", "rVert": "‖", "prime": "′", "dots": "…", "ldots": "…", "cdots": "⋯",
    "cdot": "·", "top": "⊤", "circ": "∘", "ast": "*", "lbrace": "{", "rbrace": "}", "ne": "≠", "le": "≤",
    "ge": "≥", "land": "∧", "lor": "∨", "neg": "¬", "lnot": "¬", "colon": ":", "bmod": " mod ",
}  # fmt: skip
_RAISED_OR_LOWERED = r"(?:[\^_](?:[^\s(]|\([^()\n]*\))|[⁰-₎ₐ-ₜᵢ-ᵪᴬ-ᵡⁱⁿ²³¹ⱼⱽ])*+"
_HAIR, _THIN, _QUOTIENT = "\u200a", "\u2009", "\u2008"
"""Stand before a function's name or a fraction, after the one and after the other, until it is known what
comes there."""
_APPLIED = re.compile(rf"{_THIN}({_RAISED_OR_LOWERED})(?=[(\[]|(.?))")
_PLAIN = {ord("\n"): " ", ord("'"): "′"}
_UNSPACED = {ord(_HAIR): "", ord(_THIN): " ", ord(_QUOTIENT): ""}
_BIG = re.compile(rf"([∑∏∫∬∮⋃⋂]{_RAISED_OR_LOWERED})(?=[^\s{_THIN}])")


def maths_text(source: str) -> str:
    """A formula, with its delimiters, as readable text; several lines where it has several rows.

    Returns ``source`` where that is too long, too deep or not LaTeX. Never raises.
    """
    body = source.strip()
    for opener, closer in _CLOSERS.items():
        if body.startswith(opener) and body.endswith(closer) and len(body) >= len(opener + closer):
            body = body[len(opener) : -len(closer)].strip()
            break
    if _SIMPLE.fullmatch(body):
        return body
    if not body or len(body) > MOST or _depth(body) > DEEPEST:
        return source
    return _rendered(body) or source


def _depth(body: str) -> int:
    """How deep a formula may nest: a macro or script without a bracket nests what follows it, too."""
    deepest = depth = chain = 0
    for mark in re.findall(r"\\begin\b|\\end\b|\\[A-Za-z]+|\\.|[{}^_]|[^\s{}^_\\]+", body):
        if mark in ("{", "\\begin"):
            depth, chain = depth + 1, 0
        elif mark in ("}", "\\end"):
            depth, chain = max(0, depth - 1), 0
        else:
            chain = chain + 1 if (mark[0] == "\\" and mark[1:] in _TAKING) or mark in "^_" else 0
        deepest = max(deepest, depth + chain)
    return deepest


_TAKING = frozenset((*_ONE_ARGUMENT, *_TWO_ARGUMENTS, "sqrt"))


@lru_cache(maxsize=1024)
def _rendered(body: str) -> str:
    from pylatexenc.latexwalker import LatexWalker

    parsing, symbol = _language()
    try:
        nodes = LatexWalker(body, latex_context=parsing, tolerant_parsing=False).get_latex_nodes()[0]
        text = _Writer(symbol).written(nodes)
    except Exception:  # whatever the parser makes of what anybody may have written
        return ""
    rows = [_RELATION.sub(r" \1 ", " ".join(row.split())) for row in _spaced(text).split("\n")]
    return harmless(unicodedata.normalize("NFC", "\n".join(row for row in rows if row)))


@lru_cache(maxsize=1)
def _language() -> tuple[Any, Callable[[str], str | None]]:
    """How many arguments a macro takes, and what a macro without any stands for."""
    from pylatexenc.latex2text import get_default_latex_context_db as symbols
    from pylatexenc.latexwalker import get_default_latex_context_db as parsing
    from pylatexenc.macrospec import EnvironmentSpec, MacroSpec

    context = parsing()
    macros = [MacroSpec(name, "{") for name in _ONE_ARGUMENT] + [
        MacroSpec(name, "{{") for name in _TWO_ARGUMENTS
    ]
    alone = [MacroSpec(name, "") for name in ("input", "include", "\\", *_NAMES)]
    context.add_context_category(
        "formula",
        macros=[*macros, *alone, MacroSpec("sqrt", "[{")],
        environments=[EnvironmentSpec("array", "{"), EnvironmentSpec("alignedat", "{")],
        prepend=True,
    )
    known = symbols()

    def symbol(name: str) -> str | None:
        found = known.get_macro_spec(name)
        text = getattr(found, "simplify_repl", None)
        return text if isinstance(text, str) and text and "%" not in text else None

    return context, symbol


def _spaced(text: str) -> str:
    """Spaces where a reader needs them: around names and fractions, and after a sum with its bounds."""
    text = _BIG.sub(r"\1 ", _APPLIED.sub(_applied, text))
    text = re.sub(rf"{_QUOTIENT}(?=[\w(\[√∑∏∫∂∇])", " ", text).replace(_QUOTIENT, "")
    text = re.sub(rf"(?<![\w)\]]){_HAIR}", "", text)
    return re.sub(r"(?<=[(\[]) +| +(?=[)\]])", "", text)


def _applied(found: re.Match[str]) -> str:
    """A function's scripts, then a space unless a bracket follows."""
    return found[1] + (" " if found[2] or found[1].endswith(")") else "")


class _Writer:
    """Writes parsed nodes as text."""

    def __init__(self, symbol: Callable[[str], str | None]) -> None:
        self._symbol = symbol

    def written(self, nodes: Sequence[Any]) -> str:
        """The nodes one after the other, with what follows ``^`` and ``_`` raised and lowered."""
        parts: list[str] = []
        script = ""
        for node in nodes:
            pieces: list[str | None] = [None]
            if hasattr(node, "chars"):
                pieces = list(re.split(r"([\^_])", node.chars.translate(_PLAIN)))
            for piece in pieces:
                if piece is not None and piece in ("^", "_"):
                    script = piece
                    continue
                if piece is None:
                    text = self._one(node)
                elif script and (piece := piece.lstrip()):
                    parts.append(_script(script, piece[0]))
                    script, text = "", piece[1:]
                else:
                    text = piece
                if script and text:
                    text, script = _script(script, text), ""
                parts += [text] if text else []
        return "".join(parts) + script

    def _one(self, node: Any) -> str:
        kind = type(node).__name__
        if kind == "LatexGroupNode":
            text = self.written(node.nodelist)
            return text if node.delimiters[0] == "{" else f"{node.delimiters[0]}{text}{node.delimiters[1]}"
        if kind == "LatexMacroNode":
            return self._macro(node.macroname, list(node.nodeargd.argnlist or ()))
        if kind == "LatexEnvironmentNode":
            return self._environment(node.environmentname, node.nodelist)
        if kind == "LatexSpecialsNode":
            marks = str(node.specials_chars)
            return {"&": " ", "~": " ", "''": "″"}.get(marks, marks)
        return str(node.latex_verbatim()).replace("\n", " ")

    def _macro(self, name: str, nodes: list[Any]) -> str:
        if name in _DROPPED:
            return ""
        if name in _NAMES:
            return f"{_HAIR}{name}{_THIN}"
        if name in _SYMBOLS:
            return _SYMBOLS[name]
        texts = ["" if node is None else self.written([node]) for node in nodes]
        if name == "sqrt":
            index = self.written(nodes[0].nodelist) if nodes[0] is not None else ""
            return (_script("^", index) if index else "") + "√" + _bracketed(texts[1])
        if name in _TWO_ARGUMENTS:
            return self._two(name, *texts)
        if name in _ACCENTS:
            return texts[0] + _ACCENTS[name] if len(texts[0]) == 1 else f"{name}({texts[0]})"
        if name in _STYLES:
            return _styled(name, texts[0])
        if name == "operatorname":
            return f"{_HAIR}{texts[0]}{_THIN}"
        if name == "pmod":
            return f" (mod {texts[0]})"
        if name.startswith("x") and name.endswith("arrow"):
            return f" {'→' if 'right' in name else '←'}({texts[0]}) "
        if name == "substack":
            return texts[0].replace("\n", ", ")
        if name == "not":
            return unicodedata.normalize("NFC", texts[0][:1] + "\u0338" + texts[0][1:])
        if name in _ONE_ARGUMENT:
            return texts[0]
        found = self._symbol(name)
        if found is not None:
            return found
        return name if len(name) == 1 else f"\\{name} "

    def _two(self, name: str, first: str, second: str) -> str:
        if name.endswith("frac"):
            return f"{_HAIR}{_bracketed(first, product=True)}/{_bracketed(second)}{_QUOTIENT}"
        if name.endswith("binom"):
            return f"C({first}, {second})"
        if name == "underset":
            return second + _script("_", first)
        return second if name == "textcolor" else second + _script("^", first)

    def _environment(self, name: str, nodes: Sequence[Any]) -> str:
        rows = self._rows(nodes)
        name = name.rstrip("*")
        if name not in _BRACKETS:
            return "\n" + "\n".join(" ".join(cells) for cells in rows) + "\n"
        opener, closer = _BRACKETS[name]
        between = ", " if "cases" in name else " "
        return opener + "; ".join(between.join(filter(None, cells)) for cells in rows) + closer

    def _rows(self, nodes: Sequence[Any]) -> list[list[str]]:
        rows: list[list[list[Any]]] = [[[]]]
        for node in nodes:
            if getattr(node, "macroname", "") == "\\":
                rows.append([[]])
            elif getattr(node, "specials_chars", "") == "&":
                rows[-1].append([])
            else:
                rows[-1][-1].append(node)
        texts = [[self.written(cell).strip() for cell in row] for row in rows]
        return [row for row in texts if any(row)]


def _script(mark: str, text: str) -> str:
    """Raised or lowered if every character has such a form, else after the mark."""
    text = text.strip().translate(_UNSPACED).strip()
    table = _SUPER if mark == "^" else _SUB
    close = re.sub(r"\s*([+−=-])\s*", r"\1", text)
    if close and all(one in table for one in close):
        return "".join([table[one] for one in close])
    if mark == "^" and text in _RAISED:
        return _RAISED[text]
    return f"{mark}{text}" if len(text) == 1 or (mark == "_" and text.isalnum()) else f"{mark}({text})"


def _bracketed(text: str, *, product: bool = False) -> str:
    """The text in brackets unless it is one thing, or factors only where a product needs none."""
    text = text.translate(_UNSPACED).strip()
    if _ATOM.fullmatch(text) or _is_enclosed(text):
        return text
    outside = text
    while product and (inner := re.sub(r"\([^()]*\)", "", outside)) != outside:
        outside = inner
    if product and not re.search(r"[\s+\-−±=<>≤≥,/]", outside):
        return text
    return f"({text})"


def _is_enclosed(text: str) -> bool:
    """Whether the first bracket closes with the last character."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for place, mark in enumerate(text):
        depth += (mark == "(") - (mark == ")")
        if not depth:
            return place == len(text) - 1
    return False


def _styled(name: str, text: str) -> str:
    from pylatexenc.latex2text import fmt_math_text_style

    style = {"mathbb": "doublestruck", "mathfrak": "fraktur"}.get(name, "script")
    return str(fmt_math_text_style(text, style))
