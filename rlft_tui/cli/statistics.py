"""The long form of ``rlft labels stats``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlft_tui.record import Record

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.evaluations.stopping_rule import Separation
    from rlft_tui.labels.agreement import Agreement
    from rlft_tui.labels.bias import Bias
    from rlft_tui.labels.label_stats import LabelStats
    from rlft_tui.labels.pace import Pace


class FullStatistics(Record, frozen=True):
    """What ``--full`` adds."""

    pace: Pace
    bias: Bias
    agreement: Agreement
    separations: tuple[Separation, ...]

    def added_to(self, counted: LabelStats) -> dict[str, Any]:
        """The counts as they are without ``--full``, and a key for each section."""
        from msgspec.structs import asdict

        sections = ("pace", "bias", "agreement", "separations")
        return {**asdict(counted), **{name: getattr(self, name) for name in sections}}

    def text(self) -> str:
        """As the Statistics screen has it."""
        from rlft_tui.tui.statistics_text import (
            agreement_lines,
            bias_lines,
            pace_lines,
            plain,
            separation_lines,
        )

        parts = (
            ("pace", pace_lines(self.pace)),
            ("what verdicts lean to", bias_lines(self.bias)),
            ("agreement", agreement_lines(self.agreement)),
            ("models", separation_lines(self.separations)),
        )
        shown = (
            f"\n\n{title}\n" + "\n".join(f"  {plain(line)}" for line in lines)
            for title, lines in parts
            if lines
        )
        return "".join(shown)


def full_statistics(client: WorkspaceClient, labeler: str) -> FullStatistics:
    """Ask for every section."""
    return FullStatistics(
        client.pace(labeler=labeler),
        client.bias(labeler=labeler),
        client.agreement(labeler=labeler),
        client.separations(),
    )
