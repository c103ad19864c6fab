"""Trying a reward: what is broken is found, with its line, in a process that cannot take us down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rlft_tui.errors import RlftError
from rlft_tui.rewards import trial
from rlft_tui.rewards.stress_texts import EXAMPLES, STRESS, TrialCase, TrialText
from rlft_tui.rewards.trial import LOAD, Trial, try_built_in, try_file
from tests.conftest import is_alive, wait_for


def trial_of(folder: Path, body: str, *, seconds: float = 2.0) -> Trial:
    """A file with a function ``reward`` of that body, tried on the examples."""
    path = folder / "mine.py"
    path.write_text(f"import os, sys, time\ndef reward(prompts, completions, answer, **columns):\n{body}\n")
    return try_file(path, "", [EXAMPLES], seconds=seconds)


def fault(trial: Trial) -> str:
    with pytest.raises(RlftError) as caught:
        trial.raise_for_fault()
    return str(caught.value)


def test_a_sound_function_is_tried_on_every_text(tmp_path: Path) -> None:
    found = trial_of(
        tmp_path,
        "    print('talking')\n"
        "    assert all(a == '42' for a in answer) and columns['trainer_state'] is None\n"
        "    columns['log_extra']('x', answer); columns['log_metric']('y', 1.0)\n"
        "    return [len(c[-1]['content']) / 1e6 if c[-1]['content'] else None for c in completions]",
    )
    found.raise_for_fault()
    assert found.warnings == ()
    assert [one.case for one in found.results] == [LOAD, EXAMPLES.name, *(case.name for case in STRESS)]
    empty = next(one for one in found.results if one.case == "empty")
    assert empty.rewards == (None, None)


@pytest.mark.parametrize("output", ["", ", stdout=-3, stderr=-3"], ids=["shared", "closed"])
def test_what_it_leaves_running_is_ended_with_it(tmp_path: Path, output: str) -> None:
    pids = tmp_path / "pids"
    found = trial_of(
        tmp_path,
        "    import subprocess\n"
        f"    child = subprocess.Popen(['sleep', '600']{output})\n"
        f"    with open({str(pids)!r}, 'a') as f: f.write(f'{{child.pid}}\\n')\n"
        "    return [0.0 for c in completions]",
    )
    assert found.fault is None
    left = [int(line) for line in pids.read_text().split()]
    assert left
    wait_for(lambda: not any(is_alive(pid) for pid in left), "the children's end")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    return [1 / len(c[-1]['content']) for c in completions]", "mine.py:3: ZeroDivisionError"),
        ("    return 1.0", "mine.py:2: returned a float where a list"),
        ("    [0.0 for c in completions]", "Is its return statement missing?"),
        ("    return [0.0]", "returned 1 rewards for 5 texts (on examples)"),
        ("    return ['good' for c in completions]", "reward 1 is a str"),
        ("    return [float('nan') for c in completions]", "NaN or an infinity as reward of text 1"),
        ("    sys.exit(3)", "ended its process"),
        ("    os.kill(os.getpid(), 9)", "ended its process (SIGKILL)"),
        ("    raise ValueError('caf\\u00e9\\nsecond line')", "ValueError: café (on examples)"),
    ],
)
def test_a_broken_one_is_found(tmp_path: Path, body: str, said: str) -> None:
    assert said in fault(trial_of(tmp_path, body))


@pytest.mark.parametrize(
    "body",
    [
        "    while True: pass",
        "    time.sleep(60)",
        "    try:\n        while True: pass\n    except BaseException:\n        time.sleep(60)",
    ],
)
def test_one_that_does_not_end_is_ended_at_its_line(tmp_path: Path, body: str) -> None:
    found = trial_of(tmp_path, body, seconds=0.3)
    assert re.search(r"mine\.py:[3-6]: did not end in the time it has \(on examples\)", fault(found))
    assert len(found.results) == 2


def test_a_file_that_cannot_be_loaded_is_a_fault_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def reward(**x): return []\nimport nothing_of_that_name\n")
    found = try_file(path, "", [])
    assert [one.case for one in found.results] == [LOAD]
    assert "mine.py:2: cannot be loaded: ModuleNotFoundError" in fault(found)


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        ("    return [0.5 for c in completions]", "nothing to learn from"),
        ("    return [None for c in completions]", "every reward was None"),
        ("    return [time.perf_counter() for c in completions]", "other rewards the second time"),
        ("    return [float(n) for n in range(len(completions))]", "depends on the texts beside it"),
        ("    time.sleep(0.01); return [len(c[-1]['content']) for c in completions]", "slow: 0.01"),
    ],
)
def test_what_is_odd_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, warning: str
) -> None:
    monkeypatch.setattr(trial, "SLOW_SECONDS", 0.009)
    found = trial_of(tmp_path, body, seconds=5.0)
    found.raise_for_fault()
    assert warning in " ".join(found.warnings)


def test_a_built_in_is_tried_with_its_options() -> None:
    case = TrialCase("given", (TrialText("one two three"),))
    found = try_built_in("length", {"minimum": 3, "maximum": 3}, None, [case])
    found.raise_for_fault()
    assert found.results[1].rewards == (1.0,)
    slow = try_built_in("regex", {"pattern": "(a|a)+b"}, None, [], seconds=0.5)
    assert "reward regex: did not end in the time it has" in fault(slow)
