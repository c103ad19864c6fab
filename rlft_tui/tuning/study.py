"""One study on disk: its spec, its state, and Optuna's journal of trials.

Everything stands in ``studies/NAME``; whoever opens it next goes on from there. The sampler is made
anew for every trial with a seed of the trial's own, so that a study draws the same settings however
often its server was started. Optuna is imported here and nowhere else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from rlft_tui.errors import ConflictError, NotFoundError, UnavailableError
from rlft_tui.record import Record
from rlft_tui.runs.spec_toml import read_toml
from rlft_tui.tuning.study_spec import Choice, StudySpec, is_whole, parse_study, spaces
from rlft_tui.tuning.study_view import Study, StudyDetail, StudyStatus, StudyTrial, TrialState

if TYPE_CHECKING:
    import optuna

STOPPED = "stopped with the study"
_STATES: dict[str, TrialState] = {
    "RUNNING": "running",
    "WAITING": "running",
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
}


class OpenTrial(Record, frozen=True):
    """A trial that is under way."""

    number: int
    run_id: str
    params: dict[str, Any]


class StudyFolder:
    """``studies/NAME``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spec = parse_study(read_toml(root / "study.toml"), where=str(root / "study.toml"))
        self._study: optuna.Study | None = None

    @classmethod
    def create(cls, studies: Path, spec: StudySpec) -> StudyFolder:
        """A new study; ConflictError when there is one of that name."""
        require_optuna()
        root = studies / spec.name
        if root.exists():
            raise ConflictError(
                f"there is a study called {spec.name}",
                remedy=f"Go on with it: rlft tune resume {spec.name}; or give another name",
            )
        try:
            root.mkdir(parents=True)
            content = tomli_w.dumps(spec.model_dump(mode="json", exclude_none=True))
            (root / "study.toml").write_text(content, encoding="utf-8")
        except OSError as error:
            raise UnavailableError(
                f"the study cannot be written: {error.strerror}", where=str(root)
            ) from None
        made = cls(root)
        made.set_status("running", created=time.time())
        return made

    # state
    @property
    def name(self) -> str:
        return self.root.name

    @property
    def status(self) -> StudyStatus:
        return self._state().get("status", "stopped")  # type: ignore[no-any-return]

    def set_status(self, status: StudyStatus, *, error: str = "", created: float | None = None) -> None:
        state = {**self._state(), "status": status, "error": error}
        if created is not None:
            state["created"] = created
        partial = self.root / "state.partial"
        partial.write_text(json.dumps(state), encoding="utf-8")
        partial.replace(self.root / "state.json")

    def _state(self) -> dict[str, Any]:
        try:
            found = json.loads((self.root / "state.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def extend(self, trials: int) -> None:
        """Want so many trials more."""
        self.spec = self.spec.model_copy(update={"trials": self.spec.trials + trials})
        content = tomli_w.dumps(self.spec.model_dump(mode="json", exclude_none=True))
        partial = self.root / "study.partial"
        partial.write_text(content, encoding="utf-8")
        partial.replace(self.root / "study.toml")

    # trials
    def open_trials(self) -> list[OpenTrial]:
        """Those that are under way, with all their settings chosen."""
        optuna = require_optuna()
        running = self._trials((optuna.trial.TrialState.RUNNING,))
        return [self._opened(one.number, one._trial_id) for one in running]

    def ask(self) -> OpenTrial:
        """Begin one more trial."""
        study = self._opened_study()
        study.sampler = self._sampler(len(study.get_trials(deepcopy=False)))
        trial = study.ask()
        return self._opened(trial.number, trial._trial_id)

    def report(self, number: int, values: Sequence[tuple[int, float]]) -> bool:
        """Tell values by step, those told before passed over; whether the trial should end early."""
        trial = self._trial(number)
        known = self._opened_study().get_trials(deepcopy=False)[number].intermediate_values
        for step, value in values:
            if step not in known:
                trial.report(value, step)
        return bool(trial.should_prune())

    def mark_pruned(self, number: int) -> None:
        """Remember that its run was asked to end."""
        self._trial(number).set_user_attr("pruned", True)

    def was_pruned(self, number: int) -> bool:
        return bool(self._opened_study().get_trials(deepcopy=False)[number].user_attrs.get("pruned"))

    def count_resume(self, number: int) -> int:
        """Remember that its run is gone on with; how often that was, this time included."""
        trials = self._opened_study().get_trials(deepcopy=False)
        times = int(trials[number].user_attrs.get("resumed", 0)) + 1
        self._trial(number).set_user_attr("resumed", times)
        return times

    def tell(self, number: int, state: TrialState, value: float | None = None, reason: str = "") -> None:
        """End a trial."""
        optuna = require_optuna()
        states = optuna.trial.TrialState
        if reason:
            self._trial(number).set_user_attr("reason", reason)
        ended = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[state]
        self._opened_study().tell(number, value if state == "complete" else None, state=ended)

    def put_back_stopped(self) -> int:
        """Queue the settings of trials that were stopped with the study; how many."""
        optuna = require_optuna()
        study = self._opened_study()
        repeated = {one.user_attrs.get("again_of") for one in self._trials()}
        again = [
            one
            for one in self._trials((optuna.trial.TrialState.FAIL,))
            if one.user_attrs.get("reason") == STOPPED and one.number not in repeated
        ]
        for one in again:
            study.enqueue_trial(one.params, user_attrs={"again_of": one.number})
        return len(again)

    def counts(self) -> dict[TrialState, int]:
        """Trials by state; one that was stopped and put back counts as its repetition alone."""
        found: dict[TrialState, int] = {"running": 0, "complete": 0, "pruned": 0, "failed": 0}
        for one in self._trials():
            if one.state.name != "WAITING":
                found[_STATES[one.state.name]] += 1
        return found

    def failed_in_a_row(self) -> int:
        """Trials that failed since the last one that did not, newest first."""
        count = 0
        for one in reversed(self._trials()):
            if one.state.name == "FAIL" and one.user_attrs.get("reason") != STOPPED:
                count += 1
            elif one.state.name in ("COMPLETE", "PRUNED"):
                break
        return count

    # told
    def summary(self) -> Study:
        counts, state = self.counts(), self._state()
        best = None
        complete = [one for one in self._viewed() if one.state == "complete" and one.value is not None]
        if complete:
            sign = 1 if self.spec.towards == "minimize" else -1
            best = min(complete, key=lambda one: sign * (one.value or 0.0))
        return Study(
            name=self.name,
            status=self.status,
            method=self.spec.method,
            metric=self.spec.metric,
            direction=self.spec.towards,
            trials=self.spec.trials,
            complete=counts["complete"],
            pruned=counts["pruned"],
            failed=counts["failed"],
            running=counts["running"],
            created=float(state.get("created", 0.0)),
            best=best,
            error=str(state.get("error", "")),
        )

    def detail(self) -> StudyDetail:
        return StudyDetail(self.summary(), tuple(self._viewed()), self._importance())

    def _viewed(self) -> list[StudyTrial]:
        return [
            _viewed(one, self.run_id(one.number)) for one in self._trials() if one.state.name != "WAITING"
        ]

    def run_id(self, number: int) -> str:
        """Of a trial's run: the same for the same trial, so that it is never started twice."""
        return f"{self.name}-t{number:03d}"

    def _importance(self) -> dict[str, float]:
        """By PED-ANOVA (Watanabe et al. 2023); empty while it cannot be told."""
        optuna = require_optuna()
        done = [one for one in self._trials() if one.state.name == "COMPLETE"]
        if len(done) < 4 or len({one.value for one in done}) < 2:
            return {}
        try:
            found = optuna.importance.get_param_importances(
                self._opened_study(), evaluator=optuna.importance.PedAnovaImportanceEvaluator()
            )
        except (ValueError, RuntimeError, ZeroDivisionError):
            return {}
        return {name: float(share) for name, share in found.items()}

    # Optuna
    def _opened_study(self) -> optuna.Study:
        if self._study is None:
            require_optuna()
            import optuna
            from optuna.storages import JournalStorage
            from optuna.storages.journal import JournalFileBackend

            optuna.logging.set_verbosity(optuna.logging.WARNING)
            storage = JournalStorage(JournalFileBackend(str(self.root / "journal.log")))
            pruning = self.spec.pruning
            pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
            if pruning.pruner == "median":
                pruner = optuna.pruners.MedianPruner(
                    n_startup_trials=pruning.startup_trials, n_warmup_steps=pruning.warmup_steps
                )
            self._study = optuna.create_study(
                study_name=self.name,
                storage=storage,
                direction=self.spec.towards,
                pruner=pruner,
                load_if_exists=True,
            )
        return self._study

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        require_optuna()
        import optuna

        seed = (self.spec.seed * 1_000_003 + number) % 2**32
        if self.spec.sampler == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        startup = min(10, max(3, self.spec.trials // 3))
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=startup, constant_liar=self.spec.parallel > 1
        )

    def _trials(self, states: tuple[Any, ...] | None = None) -> list[optuna.trial.FrozenTrial]:
        return self._opened_study().get_trials(deepcopy=False, states=states)

    def _trial(self, number: int) -> optuna.Trial:
        require_optuna()
        import optuna

        study = self._opened_study()
        return optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)

    def _opened(self, number: int, trial_id: int) -> OpenTrial:
        """Choose what is not chosen yet: a server may have been killed in between."""
        optuna = require_optuna()
        study = self._opened_study()
        study.sampler = self._sampler(number)
        trial = optuna.Trial(study, trial_id)
        chosen: dict[str, Any] = {}
        for path, space in spaces(self.spec):
            name = ".".join(path)
            if isinstance(space, Choice):
                chosen[name] = trial.suggest_categorical(name, space.values)
            elif is_whole(self.spec, path):
                step = int(space.step or 1)
                chosen[name] = trial.suggest_int(
                    name, int(space.low), int(space.high), step=step, log=space.log
                )
            else:
                chosen[name] = trial.suggest_float(
                    name, space.low, space.high, step=space.step, log=space.log
                )
        return OpenTrial(number, self.run_id(number), chosen)


def study_folders(studies: Path) -> dict[str, Path]:
    """Every study by name."""
    if not studies.is_dir():
        return {}
    return {path.name: path for path in sorted(studies.iterdir()) if (path / "study.toml").is_file()}


def find_study(studies: Path, name: str) -> Path:
    """The folder of a study; NotFoundError with the nearest name."""
    import difflib

    known = study_folders(studies)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, list(known), n=1)
    remedy = f"Did you mean {near[0]}?" if near else "Begin one: rlft tune SPEC.toml"
    raise NotFoundError(f"no study called {name!r}", remedy=remedy)


def require_optuna() -> Any:
    """The package; UnavailableError with the remedy where it is not installed."""
    try:
        import optuna
    except ImportError:
        raise UnavailableError(
            "a search of settings needs Optuna", remedy="pip install 'rlft_tui[tune]'"
        ) from None
    return optuna


def _viewed(one: optuna.trial.FrozenTrial, run_id: str) -> StudyTrial:
    steps = one.intermediate_values
    last = max(steps, default=0)
    value = one.value if one.state.name == "COMPLETE" else steps.get(last)
    return StudyTrial(
        number=one.number,
        state=_STATES[one.state.name],
        params=dict(one.params),
        run_id=run_id,
        value=value,
        step=last,
        reason=str(one.user_attrs.get("reason", "")),
        started=one.datetime_start.timestamp() if one.datetime_start else 0.0,
        ended=one.datetime_complete.timestamp() if one.datetime_complete else None,
    )
