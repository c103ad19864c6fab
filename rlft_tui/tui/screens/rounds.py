"""The rounds of the loop: who is judged against whom, how it stands, and the decision."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from msgspec.structs import replace
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from rlft_tui.counted import counted
from rlft_tui.evaluations.round_standing import NextRound, RoundStanding
from rlft_tui.evaluations.round_text import advice, data_text, judged_text, rate_text, stage_text
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow, fitting, table_head, table_line
from rlft_tui.tui.screens.watching import WatchedListScreen
from rlft_tui.tui.widgets.cells import wrapped

LOOK_SECONDS = 2.0
MORE_PAIRS = 20
"""How many further pairs one key asks for."""
COLUMNS: tuple[tuple[str, int], ...] = (
    ("model", 20),
    ("against", 13),
    ("win rate, 95 %", 16),
    ("judged", 7),
    ("state", 14),
    ("data", 18),
    ("judges", 16),
    ("begun", 9),
)


class RoundsScreen(WatchedListScreen):
    """Rounds and A/B tests, newest first; below, what the one under the cursor comes to."""

    KEY = "rounds"
    HELP = (
        "After a training run its result and what it would replace answer prompts it was not trained on. "
        "The win rate counts people's verdicts on those pairs; its interval holds however often one looks."
    )
    AUTO_FOCUS = LIST = "#rounds"
    KEPT_BACK = frozenset({"promote", "reject", "more"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "judge", "judge", id="rounds.judge", tooltip="Label its pairs, blind"),
        Binding("p", "promote", "promote", id="rounds.promote", tooltip="Make its model the current version"),
        Binding("x", "reject", "reject", id="rounds.reject", tooltip="Keep what there was"),
        Binding(
            "n", "next", "next round", id="rounds.next", tooltip="Freeze the labels, open the launch form"
        ),
        Binding("a", "more", "more pairs", id="rounds.more", tooltip=f"{MORE_PAIRS} pairs on new prompts"),
        Binding("o", "open_run", "its run", id="rounds.run", tooltip="Open the run that made the model"),
        Binding("w", "app.show_screen('models')", "models", id="rounds.models", tooltip="The models"),
    ]
    DEFAULT_CSS = """
    RoundsScreen #rounds { height: 1fr; }
    RoundsScreen #detail { height: 6; padding: 0 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.rounds: tuple[RoundStanding, ...] = ()

    def body(self) -> Iterable[Widget]:
        yield ListPane(empty="reading rounds …", id="rounds")
        yield Static("", id="detail")

    async def look(self) -> float:
        self.rounds = await self.bench.link.call(lambda client: client.rounds(""))
        self.show()
        return LOOK_SECONDS

    # drawing
    def draw(self) -> None:
        now = time.time()
        columns = fitting(COLUMNS, self.size.width)
        self.pane.show(
            [ListRow(one.round.id, _row(one, columns, now)) for one in self.rounds],
            table_head(columns),
            empty="No rounds yet: a training run begins one (l on Runs)",
        )
        self._show_detail()

    def _show_detail(self) -> None:
        one, text = self.selected, Text()
        if one is not None:
            width = self.size.width - 2
            lines = [each for line in detail_lines(one) for each in wrapped(run_text.plain(line), width)]
            text = Text("\n".join(lines[:6]))
        self.say("#detail", text)

    @property
    def selected(self) -> RoundStanding | None:
        key = self.pane.key
        return next((one for one in self.rounds if one.round.id == key), None)

    @on(ListPane.Moved)
    def _moved(self) -> None:
        self._show_detail()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("judge", "promote", "reject", "more", "next", "open_run"):
            one = self.selected if self.is_mounted else None
            if one is None:
                return False
            return {
                "open_run": bool(one.round.run_id),
                "next": one.round.kind == "round",
                "reject": not one.is_current,
            }.get(action, True)
        return super().check_action(action, parameters)

    # actions
    @on(ListPane.Chosen)
    def action_judge(self) -> None:
        """The label screen on the round's pairs: those between its models, where several runs made them."""
        if (one := self.selected) is None:
            return
        if not one.pairs:
            self.notify(run_text.plain(advice(one)), timeout=5, markup=False)
            return
        self.bench.queue_view = replace(
            self.bench.queue_view,
            models=(one.round.opponent, one.round.model),
            category="",
            source=f"run:{one.pairs_runs[0]}" if len(one.pairs_runs) == 1 else "",
            search="",
        )
        self.bench.show_screen("label")

    def action_promote(self) -> None:
        from rlft_tui.tui.screens.agree import AgreeScreen

        if (one := self.selected) is None:
            return
        round_id, labeler = one.round.id, self.bench.settings.labeler
        policy = one.round.policy
        lines = [
            advice(one),
            f"{one.round.model} becomes the current version of {policy}; the next round begins with it."
            if policy
            else f"{one.round.model} becomes the current version of its policy.",
        ]

        def answered(yes: bool | None) -> None:
            if yes:
                self.call(
                    lambda client: client.promote(round_id, labeler=labeler), self._decided, retry=False
                )

        self.bench.push_screen(AgreeScreen(lines, title="Promote?", agree="y promotes"), answered)

    def action_reject(self) -> None:
        from rlft_tui.tui.screens.agree import AgreeScreen

        if (one := self.selected) is None:
            return
        round_id, labeler = one.round.id, self.bench.settings.labeler

        def answered(yes: bool | None) -> None:
            if yes:
                self.call(lambda client: client.reject(round_id, labeler=labeler), self._decided, retry=False)

        lines = [advice(one), f"{one.round.opponent} stays. The model itself is kept."]
        self.bench.push_screen(AgreeScreen(lines, title="Reject?", agree="y rejects"), answered)

    def _decided(self, one: RoundStanding) -> None:
        self.notify(run_text.plain(f"{one.round.model}: {stage_text(one)}"), timeout=4, markup=False)
        self.look_now()

    def action_more(self) -> None:
        if (one := self.selected) is None:
            return
        round_id = one.round.id

        def queued(after: RoundStanding) -> None:
            runs = after.pairs_runs[-1:]
            self.notify(f"{''.join(runs)} makes up to {MORE_PAIRS} more pairs", timeout=4, markup=False)
            self.look_now()

        self.call(lambda client: client.more_pairs(round_id, MORE_PAIRS), queued, retry=False)

    def action_next(self) -> None:
        """Freeze today's labels, then the launch form as the last run left it, from the current version."""
        if (one := self.selected) is None:
            return
        round_id = one.round.id
        self.notify("Building the next data set …", timeout=2, markup=False)
        self.call(lambda client: client.next_round(round_id), self._launch, group="next", retry=False)

    def _launch(self, found: NextRound) -> None:
        rows = found.dataset.train_rows + found.dataset.heldout_rows
        name = found.dataset.name or found.dataset.hash
        new = "built" if found.is_new else "has the same labels as before"
        self.notify(run_text.plain(f"Data set {name} {new}: {counted(rows, 'row')}"), timeout=6, markup=False)
        self.bench.show_screen(
            "launch",
            method=found.method,
            clone=found.clone,
            model=found.model,
            dataset=found.dataset.hash,
        )

    def action_open_run(self) -> None:
        if (one := self.selected) is not None and one.round.run_id:
            self.bench.show_screen("monitor", run_id=one.round.run_id)


def detail_lines(one: RoundStanding) -> list[str]:
    """What stands below the list about one round."""
    parts = [f"policy {one.round.policy}" if one.round.policy else "A/B test"]
    parts += [f"{one.method} run {one.round.run_id}"] if one.round.run_id else []
    parts += [f"data {data_text(one)}"] if one.round.dataset else []
    lines = [advice(one), " · ".join(parts)]
    score = one.people
    counts = [f"{score.wins:,} won · {score.losses:,} lost · {score.ties:,} tied"] if score.n else []
    counts += [f"judges {rate_text(one.judges)} of {one.judges.n:,}"] if one.judges else []
    lines += [" · ".join(counts)] if counts else []
    if one.decided_by:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.decided_at))
        lines.append(
            f"decided {when} by {one.decided_by}" + (f": {one.decision_note}" * bool(one.decision_note))
        )
    return lines


def _row(one: RoundStanding, columns: tuple[tuple[str, int], ...], now: float) -> Text:
    mark = {"told": "bold", "judging": "bold"}.get(one.stage, "")
    current = "● " if one.is_current else ""
    return table_line(
        columns,
        {
            "model": (current + one.round.model, ""),
            "against": (one.round.opponent, "dim"),
            "win rate, 95 %": (rate_text(one.people), ""),
            "judged": (judged_text(one), ""),
            "state": (stage_text(one).partition(",")[0], mark),
            "data": (data_text(one) if one.round.dataset else "A/B test", "dim"),
            "judges": (rate_text(one.judges), "dim"),
            "begun": (run_text.ago(one.round.created_at, now), ""),
        },
    )
