"""The rewards of a run: their sum, what is kept for the log, and faults in a user's function."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.datasets.rows import PromptRow
from rlft_tui.errors import RlftError
from rlft_tui.jobs.reward_functions import RunRewards, try_rewards
from rlft_tui.runs.specs.base import ModelSource
from rlft_tui.runs.specs.rewards import RewardPart
from tests.conftest import wait_for


class CountsWords:
    """Stands in for a trained reward model."""

    def score(self, conversations: list[list[dict[str, str]]]) -> list[float]:
        return [float(len(turns) + len(turns[-1]["content"].split())) for turns in conversations]


def answers(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "assistant", "content": text}] for text in texts]


def prompts(count: int) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": f"Question {number}"}] for number in range(count)]


class Told:
    """A run's rewards, and what they complained about."""

    def __init__(
        self, folder: Path, *parts: str | dict[str, Any], file: str = "", seconds: float = 60.0
    ) -> None:
        self.said: list[tuple[str, str]] = []
        (folder / "rewards").mkdir(exist_ok=True)
        (folder / "rewards" / "mine.py").write_text(file)
        self.rewards = RunRewards(
            tuple(RewardPart.model_validate(part) for part in parts),
            folder / "rewards",
            load_model=lambda source: CountsWords(),
            tell=lambda name, what: self.said.append((name, what)),
            seconds=seconds,
        )

    def totals(self, *texts: str, **columns: list[Any]) -> list[float | None]:
        given = self.rewards.reward(
            prompts(len(texts)), answers(*texts), [[0] * len(text) for text in texts], columns
        )
        return [one.total for one in given]


def test_rewards_are_weighted_and_added(tmp_path: Path) -> None:
    told = Told(
        tmp_path,
        "length:2:minimum=2:maximum=2",
        {"source": "model:judge", "weight": 0.5, "model": {"name": "judge", "path": "/m"}},
    )
    assert told.rewards.names == ("length", "judge")
    # The model sees the question and the answer: two turns, and the answer's words.
    assert told.totals("one two", "one") == [2 * 1.0 + 0.5 * 4, 2 * 0.5 + 0.5 * 3]


def test_what_no_reward_judges_has_none_and_one_part_may_be_missing(tmp_path: Path) -> None:
    told = Told(tmp_path, "exact-answer")
    assert told.totals("4", "5", answer=["4", None]) == [1.0, None]
    both = Told(tmp_path, "exact-answer", "length:minimum=1")
    (first, second) = both.rewards.reward(prompts(2), answers("4", "5"), [[1], [1]], {"answer": ["4", None]})
    assert (first.total, second.total) == (2.0, 1.0)
    assert second.parts == {"exact-answer": None, "length": 1.0}


def test_functions_have_names_of_their_own_and_keep_what_they_gave(tmp_path: Path) -> None:
    told = Told(
        tmp_path,
        *("mine.py:even", "mine.py:odd", "length"),
        file="even = lambda completions, **x: [2.0] * len(completions)\n"
        "odd = lambda completions, answer, **x: [float(a) for a in answer]\n",
    )
    functions = told.rewards.functions()
    assert [function.__name__ for function in functions] == ["mine.even", "mine.odd", "length"]
    batch = {"prompts": prompts(2), "completions": answers("a", "b"), "completion_ids": [[1], [2]]}
    for function in functions:
        function(**batch, answer=["1", "3"], trainer_state=None)
    assert told.rewards.last.parts == {
        "mine.even": (2.0, 2.0),
        "mine.odd": (1.0, 3.0),
        "length": (0.1, 0.1),
    }
    assert told.rewards.last.token_ids == [[1], [2]]
    # Rewarding other answers in between, as held-out measures do, leaves that alone.
    told.totals("c", "d", answer=["5", "7"])
    assert told.rewards.last.parts["mine.odd"] == (1.0, 3.0)


def test_nan_counts_as_not_judged_and_is_told_once(tmp_path: Path) -> None:
    told = Told(
        tmp_path,
        "mine.py",
        file="def mine(completions, **x):\n"
        "    return [float(c[0]['content'] or 'nan') for c in completions]\n",
    )
    assert told.totals("1", "", "inf") == [1.0, None, None]
    assert told.totals("", "2") == [None, 2.0]
    ((name, what),) = told.said
    assert name == "mine"
    assert "NaN or an infinity" in what
    with pytest.raises(RlftError, match="every reward of a batch is NaN or infinite"):
        told.totals("", "")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "    x = 1\n    return [1 / 0 for c in completions]",
            "mine.py:3: ZeroDivisionError: division by zero",
        ),
        ("    return [1.0]", "returned 1 rewards for 2 texts (reward mine)"),
        ("    return ['good', 'bad']", "reward 1 is a str where a number"),
    ],
)
def test_a_fault_names_reward_and_line(tmp_path: Path, body: str, said: str) -> None:
    told = Told(tmp_path, "mine.py", file=f"def mine(completions, **x):\n{body}\n")
    with pytest.raises(RlftError) as caught:
        told.totals("a", "b")
    assert said in str(caught.value)


def test_a_run_whose_file_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(RlftError, match="no such file"):
        Told(tmp_path, "other.py")
    with pytest.raises(RlftError, match="folder is not known"):
        Told(tmp_path, "model:judge")


def test_models_are_loaded_by_their_source(tmp_path: Path) -> None:
    seen: list[ModelSource] = []

    def load(source: ModelSource) -> CountsWords:
        seen.append(source)
        return CountsWords()

    source = ModelSource(name="judge", path="/base", adapter="/judge")
    part = RewardPart(source="model:judge", model=source)
    RunRewards((part,), tmp_path, load_model=load)
    assert seen == [source]


def test_a_fault_is_found_before_any_model_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "rewards"
    folder.mkdir()
    (folder / "mine.py").write_text(
        "def mine(completions, hint, **x):\n    return [float(h) for h in hint]\n"
    )
    rows = [
        PromptRow([{"role": "user", "content": "?"}], columns={"hint": text}) for text in ("1", "two", "3")
    ]
    parts = tuple(RewardPart.model_validate(part) for part in ("mine.py", "length", "model:judge"))
    try_rewards(parts, folder, rows[:1])
    try_rewards(parts, folder, [])
    with pytest.raises(RlftError) as caught:
        try_rewards(parts, folder, rows)
    assert "mine.py:2: ValueError" in str(caught.value)


def test_a_reward_that_asks_to_exit_is_a_fault_with_its_line(tmp_path: Path) -> None:
    told = Told(tmp_path, "rewards/mine.py", file="import sys\ndef mine(**x):\n    sys.exit(0)\n")
    with pytest.raises(RlftError, match=r"SystemExit: 0 \(reward mine\)") as caught:
        told.totals("x")
    assert caught.value.where.endswith("rewards/mine.py:3")
    assert [path.name for path in (tmp_path / "rewards").iterdir() if path.is_file()] == ["mine.py"]


@pytest.mark.parametrize("waits", ["time.sleep(60)", "[None for _ in iter(int, 1)]"])
def test_a_reward_that_hangs_is_ended_and_named_with_line_step_and_remedy(tmp_path: Path, waits: str) -> None:
    file = f"""import time
def mine(completions, **x):
    try:
        {waits}
    except Exception:
        return []
"""
    told = Told(tmp_path, "mine.py", file=file, seconds=0.05)
    told.rewards.step = 7
    with pytest.raises(RlftError) as caught:
        told.totals("x")
    assert caught.value.what == "it did not return within 0.05 s at step 7 (reward mine)"
    assert caught.value.where.endswith("mine.py:4")
    assert "reward_seconds" in caught.value.remedy


def test_a_file_that_hangs_while_it_is_loaded_is_ended(tmp_path: Path) -> None:
    with pytest.raises(RlftError, match=r"mine\.py:2: it was not loaded within 0\.05 s"):
        Told(tmp_path, "mine.py", file="import time\ntime.sleep(60)\ndef mine(**x): ...\n", seconds=0.05)


def test_an_alarm_clock_that_was_set_before_goes_on_after_a_reward(tmp_path: Path) -> None:
    rung: list[int] = []
    handler = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    before = signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        told = Told(tmp_path, "mine.py", file="def mine(completions, **x): return [1.0] * len(completions)\n")
        assert told.totals("x") == [1.0]
        wait_for(lambda: bool(rung), "the alarm that was set before")
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *before)
