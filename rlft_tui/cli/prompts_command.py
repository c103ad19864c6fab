"""rlft prompts import|list"""

from __future__ import annotations

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.import_text import show_report
from rlft_tui.cli.options import Category, InputFile, Limit, Offset, Search, read_input
from rlft_tui.cli.session import Session, table
from rlft_tui.counted import plural

app = noun("prompts")


@command(app, "rlft prompts import prompts.jsonl", "rlft prompts import prompts.csv --json", name="import")
def import_(session: Session, file: InputFile) -> None:
    """Import prompts from JSONL, CSV, Parquet or plain text.

    A row has prompt (or instruction, or messages that end with a user turn) and, if any,
    category; in plain text a line is a prompt. Every bad line is listed with its number and
    reason; the good ones are stored together.
    """
    from rlft_tui.cli.import_source import refuse_empty

    name, content = read_input(file)
    refuse_empty(content, str(file))
    with session.connect() as client:
        show_report(session, client.import_prompts(name, content), "prompts", "prompt")


@command(app, "rlft prompts list --category advice", name="list")
def list_(
    session: Session, search: Search = "", category: Category = "", offset: Offset = 0, limit: Limit = 100
) -> None:
    """List prompts."""
    with session.connect() as client:
        page = client.prompts(offset=offset, limit=limit, search=search, category=category)
    session.show(
        {"total": page.total, "prompts": page.prompts},
        lambda: table(
            ("id", "category", "prompt"),
            [(prompt.id, prompt.category, prompt.prompt) for prompt in page.prompts],
        ),
    )
    session.say(f"{len(page.prompts)} of {page.total} {plural(page.total, 'prompt')}")
