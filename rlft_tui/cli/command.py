"""How a command is declared: the options that all share, and examples in its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rlft_tui.cli.grouped_help import GroupedCommand
from rlft_tui.cli.options import RunId, RunIds
from rlft_tui.cli.session import Session
from rlft_tui.errors import RlftError

Body = Callable[..., None]

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        metavar="DIR",
        help="Workspace to work on [default: $RLFT_WORKSPACE, else found upwards from here]",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def noun(name: str) -> typer.Typer:
    """The commands of one noun (or a command that is its own noun)."""
    return typer.Typer(name=name, rich_markup_mode=None, add_completion=False)


def command(
    app: typer.Typer,
    *examples: str,
    name: str | None = None,
    more: Sequence[inspect.Parameter] = (),
    json: bool = True,
    pass_on: bool = False,
) -> Callable[[Body], Body]:
    """Register a function whose first parameter is the Session.

    ``--workspace`` and ``--json`` are added to its own options, ``more`` too: those
    reach the function through its ``**values``. With ``pass_on`` flags that it does not know
    are words for its last argument.
    """

    def register(body: Body) -> Body:
        own = [
            parameter
            for parameter in inspect.signature(body, eval_str=True).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ][1:]
        parameters = [
            inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
            *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *more)),
            _shared("workspace", WorkspaceOption, None),
            *([_shared("json", JsonOption, False)] if json else []),
        ]

        singles = [parameter.name for parameter in own if parameter.annotation == RunId]
        lists = [parameter.name for parameter in own if parameter.annotation == RunIds]

        def run(ctx: typer.Context, workspace: Path | None, json: bool = False, **values: Any) -> None:
            outer = ctx.find_object(Session) or Session()
            session = inner_session(outer, workspace, json)
            try:
                for name in singles:
                    values[name] = session.whole_run_id(values[name])
                for name in lists:
                    values[name] = [session.whole_run_id(run_id) for run_id in values[name]]
                body(session, **values)
            except RlftError as error:
                error.what = session.repeatable(error.what)
                error.remedy = session.repeatable(error.remedy)
                raise

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__ = body.__doc__
        app.command(
            name or body.__name__.rstrip("_"),
            cls=GroupedCommand,
            epilog=_epilog(examples),
            short_help=_first_line(body),
            context_settings={"ignore_unknown_options": True} if pass_on else None,
        )(run)
        return body

    return register


def inner_session(outer: Session, workspace: Path | None, json: bool) -> Session:
    """The command's own options before those of ``rlft`` itself."""
    remote = None if workspace is not None else outer.remote
    return Session(workspace or outer.folder, json or outer.json, remote)


def _shared(name: str, annotation: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _first_line(body: Body) -> str:
    """The first paragraph whole, for the list of commands: the formatter would cut it in the middle."""
    return " ".join((inspect.getdoc(body) or "").partition("\n\n")[0].split())


def _epilog(examples: Sequence[str]) -> str:
    """Examples one a line; \\b keeps the help formatter from wrapping them together."""
    heading = "Example:" if len(examples) == 1 else "Examples:"
    return "\n".join(["\b", heading, *(f"  {example}" for example in examples)])
