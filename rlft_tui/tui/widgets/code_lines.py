"""Source code coloured by Pygments, as runs of named styles."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

Runs = list[tuple[str, str]]
"""(text, name of a palette style); the texts together are the code."""


def highlighted(code: str, language: str) -> Runs:
    """The code's runs; one run of plain code where the language is unknown."""
    lexer = _lexer(language)
    if lexer is None:
        return [(code, "text")]
    runs: Runs = []
    for token, value in lexer.get_tokens(code):
        name = _style_name(token)
        if runs and runs[-1][1] == name:
            runs[-1] = (runs[-1][0] + value, name)
        else:
            runs.append((value, name))
    if "".join(text for text, _ in runs).rstrip("\n") != code.rstrip("\n"):
        return [(code, "text")]
    return runs


@lru_cache(maxsize=64)
def _lexer(language: str) -> Any:
    name = language.strip().strip("{}.").lower()
    if not name or name in ("text", "plain", "txt", "output"):
        return None
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=512)
def _style_name(token: Any) -> str:
    from pygments.token import Comment, Keyword, Literal, Name, Number, Operator, String

    if token in Comment:
        return "comment"
    if token in String:
        return "string"
    if token in Number or token in Literal or token in Keyword.Constant:
        return "number"
    if token in Keyword or token in Operator.Word or token in Name.Tag:
        return "keyword"
    if token in Name.Function or token in Name.Class or token in Name.Builtin or token in Name.Decorator:
        return "name"
    return "text"
