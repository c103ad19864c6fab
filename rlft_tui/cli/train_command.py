"""rlft train sft|reward|dpo|kto|ppo|grpo|rloo|…, and rlft train presets"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Follow, Now, SpecFile
from rlft_tui.cli.session import Session, write_data
from rlft_tui.cli.spec_flags import given_values, parameters
from rlft_tui.runs.run_spec import SPECS, TRAINING_METHODS

app = noun("train")

_EXAMPLES: dict[str, tuple[str, ...]] = {
    "sft": (
        "rlft train sft --preset quick --follow",
        "rlft train sft --dataset answers --quantization nf4 --optimizer paged_adamw_8bit --max-steps 400",
    ),
    "reward": (
        "rlft train reward --preset quick --follow",
        "rlft train reward --dataset first-round --max-steps 200 --output-name judge",
    ),
    "dpo": (
        "rlft train dpo --preset quick --follow",
        "rlft train dpo --dataset first-round --max-steps 80 --lora-r 32",
        "rlft train dpo --spec dpo.toml --seed 1 --toml",
    ),
    "kto": (
        "rlft train kto --preset quick --follow",
        "rlft train kto --dataset thumbs --desirable-weight 1.3 --max-steps 200",
    ),
    "grpo": (
        "rlft train grpo --preset quick --reward length --follow",
        "rlft train grpo --reward model:judge --reward length:0.2 --max-steps 200",
    ),
    "rloo": (
        "rlft train rloo --preset quick --reward length --follow",
        "rlft train rloo --reward rewards/mine.py --generations 8 --max-steps 200",
    ),
    "ppo": (
        "rlft train ppo --preset quick --follow",
        "rlft train ppo --reward model:judge --max-steps 200",
    ),
}
_HELP: dict[str, str] = {
    "sft": "Train on answers as they are: supervised fine-tuning.",
    "reward": "Train a reward model on verdicts: it gives an answer a score.",
    "dpo": "Train on verdicts by direct preference optimisation (Rafailov et al. 2023).",
    "kto": "Train on answers judged good or bad (Ethayarajh et al. 2024).",
    "grpo": "Train against rewards by group relative policy optimisation (Shao et al. 2024).",
    "rloo": "Train against rewards by REINFORCE leave-one-out (Ahmadian et al. 2024).",
    "ppo": "Train against rewards by proximal policy optimisation (Schulman et al. 2017).",
}
_MORE = """\
Prints the run's id first. The run goes on when this command, the workbench or the connection
ends. The data is checked first, as by rlft data check: errors stop the launch, warnings need a
yes (--yes, or an answer at the terminal). --model defaults to the workspace's default model,
--dataset to the newest that fits. Flags go before --spec, --spec before --clone, --clone before
--preset."""

DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Take a few real steps, throw them away, say what the whole would take."),
]
Preset = Annotated[
    str,
    typer.Option("--preset", metavar="NAME", help="Begin with a preset: rlft train presets shows them."),
]
Clone = Annotated[str, typer.Option("--clone", metavar="RUN", help="Begin with the settings of this run.")]
Toml = Annotated[
    bool, typer.Option("--toml", help="Print every setting with its meaning as TOML; start nothing.")
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Launch in spite of what the check of the data warns of.")
]
After = Annotated[
    str, typer.Option("--after", metavar="RUN", help="Wait in line until this run has finished.")
]


def _add(method: str) -> None:
    """The command of one method."""

    def train(
        session: Session,
        preset: Preset = "",
        clone: Clone = "",
        spec: SpecFile = None,
        toml: Toml = False,
        dry_run: DryRun = False,
        follow: Follow = False,
        now: Now = False,
        after: After = "",
        yes: Yes = False,
        **given: Any,
    ) -> None:
        if dry_run:
            try_out(session, launch_values(session, method, given, preset=preset, clone=clone, spec=spec))
            return
        start(
            session,
            method,
            given,
            preset=preset,
            clone=clone,
            spec=spec,
            toml=toml,
            follow=follow,
            now=now,
            after=after,
            yes=yes,
        )

    train.__doc__ = f"{_HELP.get(method) or SPECS[method].__doc__}\n\n{_MORE}"
    examples = _EXAMPLES.get(method) or (f"rlft train {method} --preset quick --follow",)
    command(app, *examples, name=method, more=parameters(method))(train)


for _method in TRAINING_METHODS:
    _add(_method)


def start(
    session: Session,
    method: str,
    given: dict[str, Any],
    *,
    preset: str = "",
    clone: str = "",
    spec: Path | None = None,
    toml: bool = False,
    follow: bool = False,
    now: bool = False,
    after: str = "",
    yes: bool = False,
) -> None:
    """Launch a training run once it is proved, or print what it would be asked to do."""
    from rlft_tui.cli.launch_proof import prove
    from rlft_tui.cli.run_progress import finish_launch
    from rlft_tui.runs.launch_values import complete
    from rlft_tui.runs.spec_toml import write_toml

    values = launch_values(session, method, given, preset=preset, clone=clone, spec=spec)
    if toml:
        values.pop("id")
        if session.json:
            session.show(complete(method, values), "")
        else:
            write_data(write_toml(method, values))
        return
    with session.connect() as client:
        prove(session, client, values, yes=yes)
        run = client.launch({**values, "now": now, "after": after})
        finish_launch(session, client, run, follow=follow)


def try_out(session: Session, values: dict[str, Any]) -> None:
    """Print what the run would take; the estimate stays with the same run when it is launched."""
    import msgspec

    from rlft_tui.cli.session import duration, fields
    from rlft_tui.runs.estimate_text import estimate_lines

    stages: list[str] = []

    def said(stage: str) -> None:
        if stages[-1:] != [stage]:
            stages.append(stage)
            session.say(stage)

    with session.connect() as client:
        estimate = client.dry_run(values, said)
    session.show(msgspec.to_builtins(estimate), lambda: fields(estimate_lines(estimate, duration)))


def launch_values(
    session: Session,
    method: str,
    given: dict[str, Any],
    *,
    preset: str = "",
    clone: str = "",
    spec: Path | None = None,
) -> dict[str, Any]:
    """Checked values of a run, with the workspace's defaults and an id, as ``client.launch`` takes them."""
    from rlft_tui.ids import new_run_id
    from rlft_tui.runs.launch_values import check_values, layered
    from rlft_tui.runs.spec_toml import read_toml

    settings = session.settings()
    former = None
    if clone:
        with session.connect() as client:
            former = client.run_spec(clone)
    values = layered(
        method,
        preset_name=preset,
        clone=former,
        file=read_toml(spec) if spec else None,
        file_name=str(spec or ""),
        flags=given_values(method, given),
    )
    values.setdefault("model", settings.default_model)
    values.setdefault("dataset", "latest")
    values.setdefault("threads", settings.threads)
    values.setdefault("id", new_run_id(method))
    check_values(values, where=str(spec) if spec else f"rlft train {method}")
    return values


@command(app, "rlft train presets", "rlft train presets dpo --json")
def presets(
    session: Session,
    method: Annotated[
        str, typer.Argument(metavar="[METHOD]", help="Only of this method.", show_default=False)
    ] = "",
) -> None:
    """Show what each preset sets, beside the method's own defaults."""
    from rlft_tui.cli.preset_text import preset_page
    from rlft_tui.errors import RlftError
    from rlft_tui.runs.presets.read_presets import PRESETS, preset

    if method and method not in TRAINING_METHODS:
        raise RlftError(
            f"no training method {method!r}",
            where="rlft train presets",
            remedy=f"Methods: {', '.join(TRAINING_METHODS)}",
        )
    chosen = [method] if method else list(TRAINING_METHODS)
    value = {each: {name: preset(each, name).values for name in PRESETS} for each in chosen}
    session.show(value, lambda: "\n\n".join(preset_page(each) for each in chosen))
