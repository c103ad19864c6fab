"""The tree from a model back to the labels."""

from __future__ import annotations

from rlft_tui.datasets.dataset import Dataset
from rlft_tui.models.lineage import Origin, Records, lineage, lines, made_from
from rlft_tui.models.model import Model

BASE = Model("base", "base", "/cache/base")
FIRST = Model("support-v20", "base", "/m/v20", run_id="dpo-1", dataset="aaa")
SECOND = Model("dpo-2", "adapter", "/r/2", "support-v20", "/m/v20", "dpo-2", "bbb", tags=("long",))
REWARD = Model("judge", "reward", "/r/3", "base", "/cache/base", "reward-1", "ccc")
DATA = {
    "aaa": Dataset("aaa", "first", "/d/a", 15, 5, 1.0, {"tie": 3}),
    "bbb": Dataset("bbb", "", "/d/b", 1500, 500, 1.0, source="answers.jsonl", kind="sft"),
}
ORIGINS = {
    "dpo-1": Origin("dpo-1", "dpo · 40 steps · finished", "base", "aaa"),
    "dpo-2": Origin("dpo-2", "ppo · 9 steps · finished", "support-v20", "bbb", ("judge",), "dpo-1"),
}


def records(*models: Model) -> Records:
    return Records(
        models={one.name: one for one in models},
        datasets=DATA,
        origin=ORIGINS.get,
        labels=lambda dataset: ("18 by ada", "2 by judge:tiny"),
    )


def drawn(found: Records, name: str) -> list[str]:
    return [
        f"{branch}{node.kind} {node.name}: {node.about}".rstrip(": ")
        for branch, node in lines(lineage(found, name))
    ]


def test_from_the_second_round_back_to_the_labels_and_the_base() -> None:
    assert drawn(records(BASE, FIRST, SECOND, REWARD), "dpo-2") == [
        "model dpo-2: adapter · #long",
        "└─ run dpo-2: ppo · 9 steps · finished · cloned from dpo-1",
        "   ├─ model support-v20: whole model",
        "   │  └─ run dpo-1: dpo · 40 steps · finished",
        "   │     ├─ model base: whole model",
        "   │     └─ dataset first aaa: preference · 15 + 5 held-out rows",
        "   │        └─ labels labels: 18 by ada, 2 by judge:tiny · left out: 3 tie",
        "   ├─ dataset bbb: sft · 1,500 + 500 held-out rows",
        "   │  └─ file answers.jsonl: imported",
        "   └─ model judge: reward model",
        "      └─ gone reward-1: the run was deleted",
        "         ├─ gone ccc: the data set is not here",
        "         └─ model base: whole model",
    ]
    assert made_from((BASE, FIRST, SECOND, REWARD), "base") == ("judge",)


def test_a_model_that_is_gone_and_one_that_comes_from_itself_end_the_tree() -> None:
    assert drawn(records(SECOND), "dpo-2")[2] == "   ├─ gone support-v20: not in the registry"
    ORIGINS["loop"] = Origin("loop", "sft", "loop", "")
    own = Model("loop", "base", "/l", run_id="loop")
    assert drawn(records(own), "loop") == [
        "model loop: whole model",
        "└─ run loop: sft",
        "   └─ model loop: whole model · see above",
    ]
