"""All alarms of one run, made from its spec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rlft_tui.metrics.alarms.alarm import Alarm, Rule
from rlft_tui.metrics.alarms.chosen_falling import ChosenFalling
from rlft_tui.metrics.alarms.disk_forecast import DiskForecast
from rlft_tui.metrics.alarms.divergence import Divergence
from rlft_tui.metrics.alarms.entropy_collapse import EntropyCollapse
from rlft_tui.metrics.alarms.gradient_spike import GradientSpike
from rlft_tui.metrics.alarms.heldout_falling import HeldOutFalling
from rlft_tui.metrics.alarms.length_drift import LengthDrift
from rlft_tui.metrics.alarms.no_progress import NoProgress
from rlft_tui.metrics.alarms.nonfinite import NonFinite
from rlft_tui.metrics.alarms.repetition import Repetition
from rlft_tui.metrics.alarms.zero_variance import ZeroVariance
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.specs.alarms import (
    DpoAlarms,
    GrpoAlarms,
    KtoAlarms,
    ReferenceAlarms,
    RlooAlarms,
    TextAlarms,
)
from rlft_tui.runs.specs.training import TrainingSpec

TOKEN_KL_ROWS = 5
"""Rows over which a trainer's own noisy estimate is averaged."""


class Alarms:
    """Sees every row of metrics; each alarm is raised once a run.

    ``raised``: names of those that an earlier attempt raised already. Whoever resumes a run that an
    alarm had paused wants it to go on, so the same alarm does not pause it again.
    """

    def __init__(
        self,
        spec: TrainingSpec,
        *,
        steps: int,
        folder: RunFolder | None = None,
        raised: Iterable[str] = (),
    ) -> None:
        self._steps = steps
        self._folder = folder
        self._raised = set(raised)
        self._watch(spec)

    def _watch(self, spec: TrainingSpec) -> None:
        self._spec = spec
        self._nonfinite = NonFinite(spec.alarms.nonfinite)
        self._patience = spec.alarms.nonfinite_patience
        self._rules: tuple[Rule, ...] = (self._nonfinite, *_rules(spec, self._steps, self._folder))

    def change(self, spec: TrainingSpec, rows: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Other limits from now on; ``rows``: all that were logged so far, to compare with.

        An alarm whose own limits or action have changed may be raised once more.
        """
        before, after = self._spec.alarms.model_dump(), spec.alarms.model_dump()
        changed = [name for name, value in after.items() if before.get(name) != value]
        anew = {alarm for name in changed for alarm in alarms_of(name)}
        self._raised -= anew
        self._watch(spec)
        self.replay(rows)

    @property
    def nonfinite(self) -> int:
        """Rows in a row whose loss was NaN or infinite."""
        return self._nonfinite.losses

    @property
    def hopeless(self) -> bool:
        """Whether the loss has not been finite for so long that no weights are left to save."""
        return self._nonfinite.losses >= self._patience

    def replay(self, rows: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """See the rows of earlier attempts, so that a resumed run is compared with its own beginning."""
        for step, values in rows:
            for rule in self._rules:
                if not isinstance(rule, DiskForecast):
                    for _ in rule.observe(step, values):
                        """It was raised then, if it was to be."""

    def observe(self, step: int, values: Mapping[str, float]) -> list[Alarm]:
        """The alarms that this row raises for the first time."""
        new: list[Alarm] = []
        for rule in self._rules:
            for alarm in rule.observe(step, values):
                if alarm.name not in self._raised and alarm.action != "off":
                    self._raised.add(alarm.name)
                    new.append(alarm)
        return new


_ALARMS_OF: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("nonfinite", ("loss not finite", "gradient not finite")),
    ("gradient", ("gradient spike",)),
    ("progress", ("no progress",)),
    ("disk", ("disk",)),
    ("heldout", ("held-out falling",)),
    ("entropy", ("entropy collapse",)),
    ("length", ("length drift",)),
    ("repetition", ("repetition",)),
    ("chosen", ("chosen falling",)),
    ("variance", ("no variance",)),
    ("batch_kl", ("batch kl high", "batch kl critical")),
    ("token_kl", ("token kl high", "token kl critical")),
    ("kl_warning", ("kl high",)),
    ("kl_critical", ("kl critical",)),
    ("kl", ("kl critical", "batch kl critical", "token kl critical")),
)


def alarms_of(setting: str) -> tuple[str, ...]:
    """Names of the alarms that a setting of a spec's alarms decides on."""
    return next((alarms for begin, alarms in _ALARMS_OF if setting.startswith(begin)), ())


def _rules(spec: TrainingSpec, steps: int, folder: RunFolder | None) -> Iterator[Rule]:
    limits = spec.alarms
    yield GradientSpike(limits.gradient_factor, spec.max_grad_norm, limits.gradient)
    yield NoProgress(steps, limits.progress)
    yield HeldOutFalling(limits.heldout_fall, limits.heldout)
    if folder is not None:
        yield DiskForecast(folder, steps=steps, keep=spec.keep_checkpoints, action=limits.disk)
    if isinstance(limits, TextAlarms):
        yield EntropyCollapse(limits.entropy_share, limits.entropy)
        yield LengthDrift(limits.length_factor, limits.length)
        yield Repetition(limits.repetition_share, limits.repetition)
    if isinstance(limits, ReferenceAlarms):
        yield Divergence("kl/sequence", "nats/sequence", limits.kl_warning, limits.kl_critical, limits.kl)
    if isinstance(limits, DpoAlarms):
        yield ChosenFalling(float(getattr(spec, "beta", 0.1)), limits.chosen_fall, limits.chosen)
    if isinstance(limits, KtoAlarms):
        yield Divergence(
            "kl",
            "nats/sequence",
            limits.batch_kl_warning,
            limits.batch_kl_critical,
            limits.kl,
            count=TOKEN_KL_ROWS,
            name="batch kl",
        )
    if isinstance(limits, GrpoAlarms | RlooAlarms):
        yield ZeroVariance(limits.variance_share, limits.variance)
        yield Divergence(
            "kl",
            "nats/token",
            limits.token_kl_warning,
            limits.token_kl_critical,
            limits.kl,
            count=TOKEN_KL_ROWS,
            name="token kl",
        )
