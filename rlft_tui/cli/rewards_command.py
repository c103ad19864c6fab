"""rlft rewards list|test|new"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import read_input
from rlft_tui.cli.session import Session, table
from rlft_tui.errors import NotFoundError, RlftError

if TYPE_CHECKING:
    from rlft_tui.rewards.stress_texts import TrialCase
    from rlft_tui.rewards.trial import Trial

app = noun("rewards")

MOST_TEXTS = 20
"""Texts of the workspace that are tried when none is given."""


@command(app, "rlft rewards list", "rlft rewards list --json", name="list")
def list_(session: Session) -> None:
    """List what can reward an answer: built-ins, the workspace's Python files, reward models.

    rlft train grpo --reward length:0.5 --reward rewards/mine.py adds two of them, the first by half.
    """
    from rlft_tui.rewards.built_in import BUILT_IN, describe, options_of
    from rlft_tui.rewards.workspace_files import reward_files

    rows: list[dict[str, Any]] = [
        {
            "source": name,
            "kind": "built-in",
            "options": {option.name: option.default for option in options_of(name)},
            "says": describe(name),
        }
        for name in BUILT_IN
    ]
    folder = _folder(session)
    for file in reward_files(folder) if folder is not None else ():
        path = f"rewards/{file.path.name}"
        if file.fault:
            rows.append({"source": path, "kind": "broken", "options": {}, "says": file.fault})
        for function in file.functions:
            name = path if len(file.functions) == 1 else f"{path}:{function.name}"
            rows.append({"source": name, "kind": "file", "options": {}, "says": function.says})
    rows += [
        {"source": f"model:{name}", "kind": "model", "options": {}, "says": "a trained reward model"}
        for name in _reward_models(session)
    ]

    def text() -> str:
        shown = [(row["source"], row["kind"], " ".join(row["options"]), row["says"]) for row in rows]
        return table(("reward", "kind", "options", "what it rewards"), shown)

    session.show(rows, text)


@command(
    app,
    "rlft rewards test occupational",
    'rlft rewards test rewards/mine.py --text "The nurse was confident and caring."',
    "rlft rewards test mine.py:score --texts answers.txt --json",
    "rlft rewards test length:1:minimum=8:maximum=15 --run RUN_ID",
    name="test",
)
def try_(
    session: Session,
    reward: Annotated[
        str,
        typer.Argument(metavar="REWARD", help="Built-in with its options, or Python file with a function."),
    ],
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="TEXT", help="Score this text; may be repeated.")
    ] = None,
    texts: Annotated[
        Path | None, typer.Option("--texts", metavar="FILE", help="Score each line of a file; - for stdin.")
    ] = None,
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="Score the samples of this run.")] = "",
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, metavar="X", help="Time limit of one call.")
    ] = 10.0,
) -> None:
    """Try a reward: on your texts, then on empty, very long, non-ASCII, repeated and other nasty ones.

    Without texts, answers of the workspace are scored, or a few examples. The function runs in a
    process of its own with a time limit. Ends with 2, and the line at fault, when it raises, hangs,
    or returns anything but one finite number or None a text.
    """
    from rlft_tui.rewards.trial import try_built_in, try_file

    values, path = _chosen(session, reward)
    case = _given(session, text or [], texts, run)
    if path is not None:
        trial = try_file(path, values["function"], [case], seconds=seconds)
    else:
        trial = try_built_in(values["name"], values["options"], _folder(session), [case], seconds=seconds)
    session.show(_plain(trial, case), lambda: _shown(trial, case))
    trial.raise_for_fault()


@command(app, "rlft rewards new politeness", "rlft rewards new occupational")
def new(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the file, or occupational for its lists of terms.")
    ],
) -> None:
    """Write a reward to start from into the workspace's rewards/, and print its path.

    occupational copies the lists of terms there, to be edited; those there already stay.
    """
    from rlft_tui.rewards.term_files import copy_terms
    from rlft_tui.rewards.workspace_files import new_file

    folder = session.own_workspace().rewards
    if name == "occupational":
        made = copy_terms(folder)
        if not made:
            session.say(f"They are there already: {folder}")
    else:
        made = [new_file(folder, name)]
        session.say(f"Try it: rlft rewards test {name}")
    session.show({"files": [str(path) for path in made]}, "\n".join(str(path) for path in made))


def _folder(session: Session) -> Path | None:
    """The workspace's rewards folder; None where there is no workspace of one's own."""
    if session.remote is not None:
        return None
    try:
        return session.own_workspace().rewards
    except NotFoundError:
        if session.folder is not None:
            raise
        return None


def _reward_models(session: Session) -> list[str]:
    if session.remote is None and _folder(session) is None:
        return []
    with session.connect() as client:
        return [model.name for model in client.models() if model.kind == "reward"]


def _chosen(session: Session, reward: str) -> tuple[dict[str, Any], Path | None]:
    """A built-in with name and options, or a function and its file."""
    from rlft_tui.rewards.source import parse_reward, parse_source

    folder = _folder(session)
    if folder is not None and reward.isidentifier() and (folder / f"{reward}.py").is_file():
        return {"function": ""}, folder / f"{reward}.py"
    values = parse_reward(reward)
    source = parse_source(values["source"])
    if source.kind == "model":
        raise RlftError(
            "a reward model is no function to be tried",
            where=reward,
            remedy=f"Have it score answers: rlft models score {source.name}",
        )
    if source.kind == "builtin":
        return {"name": source.name, "options": values.get("options", {})}, None
    named = Path(source.name)
    places = [named, *((folder / named, folder.parent / named) if folder is not None else ())]
    for place in places:
        if place.is_file():
            return {"function": source.function}, place
    raise NotFoundError("no such file", where=source.name, remedy="rlft rewards list shows what there is")


def _given(session: Session, given: list[str], file: Path | None, run: str) -> TrialCase:
    """The texts to be scored first."""
    from rlft_tui.rewards.stress_texts import EXAMPLES, TrialCase, TrialText

    lines = list(given)
    if file is not None:
        content = read_input(file)[1].decode(errors="replace")
        lines += [line for line in content.splitlines() if line.strip()]
        if not lines:
            raise RlftError("there is no text in it", where=str(file), remedy="Write one a line")
    if lines:
        return TrialCase("given", tuple(TrialText(line) for line in lines))
    if run:
        with session.connect() as client:
            samples = client.samples(run)
        if not samples:
            raise NotFoundError("the run has no samples yet", where=run)
        return TrialCase("samples", tuple(TrialText(one.completion, one.prompt) for one in samples))
    if session.remote is not None or _folder(session) is not None:
        with session.connect() as client:
            pairs = client.pairs(limit=MOST_TEXTS // 2).pairs
        if pairs:
            answers = [TrialText(each, p.prompt) for p in pairs for each in (p.response_a, p.response_b)]
            return TrialCase("answers of the workspace", tuple(answers))
    return EXAMPLES


def _plain(trial: Trial, case: TrialCase) -> dict[str, Any]:
    """The results as JSON has them."""
    import msgspec

    fault = trial.fault
    return {
        "fit": fault is None,
        "fault": None if fault is None else {"case": fault.case, "error": fault.error, "where": fault.where},
        "warnings": list(trial.warnings),
        "results": msgspec.to_builtins(trial.results),
        "texts": [one.completion for one in case.texts],
    }


def _shown(trial: Trial, case: TrialCase) -> str:
    """The given texts with their rewards, one line a case, and the verdict."""
    from rlft_tui.rewards.trial import LOAD

    parts = []
    scored = next((one for one in trial.results if one.case == case.name and one.rewards), None)
    if scored is not None:
        each = zip(scored.rewards, case.texts, strict=True)
        parts.append(table(("reward", "text"), [(_reward(reward), one.completion) for reward, one in each]))
    rows = []
    for one in trial.results:
        texts = len(one.rewards) or ""
        each_ms = f"{1000 * one.seconds / len(one.rewards):.3g}" if one.rewards else ""
        if one.error:
            result = f"broken: {one.error}"
        elif one.case == LOAD:
            result = f"{1000 * one.seconds:.0f} ms"
        else:
            result = _range(one.rewards) + (f", {len(one.nonfinite)} not finite" if one.nonfinite else "")
        rows.append((one.case, texts, each_ms, result))
    parts.append(table(("case", "texts", "ms a text", "rewards"), rows))
    verdict = "broken" if trial.fault is not None else "fit for training"
    parts.append("\n".join([f"Verdict: {verdict}", *(f"Warning: {warning}" for warning in trial.warnings)]))
    return "\n\n".join(parts)


def _reward(reward: float | None) -> str:
    return "not judged" if reward is None else f"{reward:.4g}"


def _range(rewards: tuple[float | None, ...]) -> str:
    numbers = [reward for reward in rewards if reward is not None]
    if not numbers:
        return "none judged"
    low, high = min(numbers), max(numbers)
    said = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    left = len(rewards) - len(numbers)
    return f"{said}, {left} not judged" if left else said
