"""The other programs' formats that a run is logged in: off unless its spec names them.

The rows are those of the event log, held-out measures and samples' figures included. Nothing is sent
anywhere by TensorBoard and trackio; W&B sends where the user has logged in (see wandb_run.py). The
libraries' own usage reports are off.
"""

from __future__ import annotations

from rlft_tui.errors import RlftError
from rlft_tui.jobs.metric_sink import MetricSink
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.specs.training import TrainingSpec


def open_trackers(spec: TrainingSpec, folder: RunFolder) -> list[MetricSink]:
    """One for each name in ``spec.trackers``; RlftError when its package is not there."""
    return [_open(name, spec, folder) for name in spec.trackers]


def _open(name: str, spec: TrainingSpec, folder: RunFolder) -> MetricSink:
    # Each package is imported only where it was asked for.
    try:
        if name == "tensorboard":
            from rlft_tui.jobs.trackers.tensorboard_files import TensorBoardFiles

            return TensorBoardFiles(folder.root / "tensorboard")
        if name == "wandb":
            from rlft_tui.jobs.trackers.wandb_run import WandbRun

            return WandbRun(spec, folder.root)
        from rlft_tui.jobs.trackers.trackio_run import TrackioRun

        return TrackioRun(spec, folder.root)
    except ImportError as error:
        raise RlftError(
            f"the tracker {name} cannot be loaded: {error}", remedy="pip install 'rlft_tui[trackers]'"
        ) from None
