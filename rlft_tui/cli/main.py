"""``rlft``: the command tree and how it ends.

Start-up is part of the interface, so nothing is imported here that ``--version`` and
``--help`` can do without: each noun's module is loaded when its command is called.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

from typer.core import TyperGroup
from typer.exceptions import TyperException

from rlft_tui.cli.command import WorkspaceOption
from rlft_tui.cli.lean_typer import typer
from rlft_tui.cli.session import BROKEN_PIPE, Session, mute_stdout
from rlft_tui.errors import RlftError
from rlft_tui.garbage import collect_rarely

NOUNS: dict[str, str] = {
    "init": "Make a workspace.",
    "doctor": "Tell what works on this machine, and the remedy for what does not.",
    "demo": "Open a workspace with prompts, pairs and a model in it, or go round the whole loop.",
    "prompts": "Prompts: import, list.",
    "pairs": "Pairs of answers to be compared: import, list, generate.",
    "label": "Open the workbench on the Label screen.",
    "labels": "Verdicts: add, better, list, stats, export, undo, queue, gold, reliability, labelers, arms.",
    "feedback": "Scores of single answers: add, list, export, undo.",
    "rankings": "Orders of several answers: import, list, undo.",
    "data": "Frozen training sets, from labels or files: build, import, list, check, export.",
    "generate": "Complete prompts with a model, many times each, to CSV, JSON lines or Parquet.",
    "train": "Train a model: sft, reward, dpo, kto, ppo, grpo, rloo, presets.",
    "tune": "Search the settings of a run: start, show, stop, resume.",
    "runs": "Runs: list, show, logs, follow, watch, rm, stop, pause, cancel, kill, move, set, resume, clone, "
    "compare, tag, import.",
    "rewards": "Rewards for answers: list, test, new.",
    "models": "Models: list, pull, show, score, ratings, export, exports, lineage, versions, note, tag, du, "
    "rm, ab.",
    "providers": "Models elsewhere, over OpenAI's or Anthropic's protocol: list, models.",
    "loop": "Rounds: a run's result against its parent, judged blind: show, promote, reject, next, pairs.",
    "export": "Write a model out as safetensors, GGUF, ONNX or adapter, and prove it.",
    "eval": "Evaluations: run, list, show, items, report, texts, suites, check.",
    "judge": "Models that judge answers: run, show, calls, calibrate, rubrics.",
    "chat": "Talk to a model, in the terminal or through a pipe.",
    "compare": "Have two to four models answer prompts, side by side, and judge them.",
    "backup": "Copy the workspace's data to a new folder in backups/.",
    "restore": "Put a backup back in place of the workspace's data.",
    "server": "The workspace's server: status, stop, restart, token.",
    "serve": "Let other machines label in this workspace, through a TCP port and a token.",
}
"""Every noun in the order of the help, with its one line there."""


class NounGroup(TyperGroup):
    """The root: its commands are modules, loaded when called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(NOUNS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load_noun(cmd_name) if cmd_name in NOUNS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # The names are all that the base class needs for "did you mean".
        self.commands = dict.fromkeys(NOUNS, None)  # type: ignore[assignment]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(NOUNS.items()))


def load_noun(name: str) -> Any:
    """The Typer command or group of one noun."""
    module = importlib.import_module(f"rlft_tui.cli.{name}_command")
    loaded = typer.main.get_command(module.app)
    loaded.name = name
    if isinstance(loaded, TyperGroup):
        loaded.help = NOUNS[name]
    return loaded


root = typer.Typer(
    name="rlft",
    cls=NounGroup,
    rich_markup_mode=None,
    invoke_without_command=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="\b\nExamples:\n  rlft init my-project\n  rlft -w my-project\n  rlft labels stats --json",
)


def _print_version(asked: bool) -> None:
    if asked:
        from rlft_tui.version import VERSION

        sys.stdout.write(f"rlft {VERSION}\n")
        raise typer.Exit


@root.callback()
def _rlft(
    ctx: typer.Context,
    workspace: WorkspaceOption = None,
    connect: Annotated[
        str | None,
        typer.Option(
            "--connect",
            metavar="URL",
            help="Workspace of another machine, where rlft serve runs [default: $RLFT_CONNECT]",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="TOKEN", help="What rlft server token prints [default: $RLFT_TOKEN]"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Preference learning in one terminal: label, train, watch, compare.

    Without a command it opens the workbench.
    """
    ctx.obj = session = _surroundings(workspace, connect, token)
    if ctx.invoked_subcommand is None:
        from rlft_tui.cli.workbench import open_workbench

        open_workbench(session)


def _surroundings(workspace: Path | None, connect: str | None, token: str | None) -> Session:
    if connect and workspace is not None:
        raise RlftError("--workspace and --connect name two workspaces", remedy="Give one of them")
    if workspace is not None or not (connect or token or os.environ.get("RLFT_CONNECT")):
        return Session(workspace)
    from rlft_tui.client.remote_place import chosen_place

    return Session(None, remote=chosen_place(connect, token))


def main(arguments: list[str] | None = None) -> None:
    """The console script: runs one command and exits with its code.

    0 well · 1 failed (a run, a check, or a fault of the program) · 2 the user can put it right,
    one line on stderr · 130 interrupted · 141 nobody reads stdout any more.
    """
    collect_rarely()
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # started with that stream closed
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not end the command.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # typer validates with pydantic, which would search every installed package for plugins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        code = run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        mute_stdout()
        code = BROKEN_PIPE
    except OSError as error:  # what is buffered meets a full disk only now
        code = _refuse(_no_room(error) or f"standard output: {error.strerror}")
        mute_stdout()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command; its exit code. Errors are printed, never raised."""
    try:
        result = typer.main.get_command(root).main(arguments, prog_name="rlft", standalone_mode=False)
    except RlftError as error:
        return _refuse(str(error))
    except TyperException as error:
        return _refuse(_usage_line(error))
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, UnicodeEncodeError) and (unread := [one for one in arguments if _is_torn(one)]):
            return _refuse(f"not UTF-8: {unread[0]}. Only names of files may be other bytes")
        if isinstance(error, OSError) and (line := _no_room(error)):
            return _refuse(line)
        return _save_fault(error)
    return result if isinstance(result, int) else 0


_NO_ROOM = {
    errno.ENOSPC: "Free some space, or write to another disk",
    errno.EDQUOT: "Free some space, or write to another disk",
    errno.EROFS: "Nothing can be written there: name another place",
}
"""Remedies for what the system refuses."""


def _no_room(error: OSError) -> str:
    """What is said of a disk that takes nothing more; nothing for any other error."""
    where = f"{error.filename}: " if error.filename else ""
    remedy = _NO_ROOM.get(error.errno or 0)
    return f"{where}{error.strerror}. {remedy}" if remedy else ""


def _is_torn(argument: str) -> bool:
    """Whether it holds bytes that are no UTF-8; Python stands half a surrogate pair for each."""
    return any("\udc80" <= character <= "\udcff" for character in argument)


def _refuse(line: str) -> int:
    from rlft_tui.tui.widgets.harmless import harmless_line

    sys.stderr.write(harmless_line(" ".join(line.split())) + "\n")
    return 2


def _usage_line(error: TyperException) -> str:
    message = error.format_message().strip().replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    names = context.command.list_commands(context) if isinstance(context.command, TyperGroup) else []
    if message == "Missing command." and names:
        message = f"Missing command: one of {', '.join(names)}."
    end = "" if message.endswith((".", "?", "!")) else "."
    return f"{context.command_path}: {message}{end} Try: {context.command_path} --help"


def _save_fault(error: Exception) -> int:
    """One line that names the fault and the file with its traceback."""
    import tempfile
    import traceback

    from rlft_tui.paths import cache_folder

    name = f"fault-{time.strftime('%Y%m%d-%H%M%S')}-{type(error).__name__}.txt"
    text = f"rlft {' '.join(sys.argv[1:])}\n{''.join(traceback.format_exception(error))}"
    saved = ""
    for folder in (cache_folder() / "faults", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        saved = f" The traceback is in {folder / name}"
        break
    _refuse(f"a fault in rlft: {type(error).__name__}: {error}.{saved}")
    return 1


if __name__ == "__main__":
    main()
