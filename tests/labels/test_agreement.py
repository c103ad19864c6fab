"""Agreement as published tables have it, and its bounds."""

from __future__ import annotations

import math
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.database.connection import open_database
from rlft_tui.labels.agreement import accuracy_ceiling, cohen, fleiss, krippendorff_alpha, self_agreement
from rlft_tui.labels.agreement_table import agreement
from rlft_tui.labels.preference import Choice, Preference
from rlft_tui.labels.preferences_table import insert_operations
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.paths import Workspace
from tests.conftest import make_pairs

FLEISS_1971 = (
    "00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 "
    "00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006"
)
"""30 patients, 6 psychiatrists, 5 diagnoses: how many gave each."""
CHOICES = st.sampled_from(["a", "b", "tie"])


def items(*counts: tuple[int, ...]) -> dict[tuple[int, ...], int]:
    return dict(Counter(counts))


def coded(*coders: str) -> dict[tuple[int, ...], int]:
    """Items as a table of Krippendorff's has them: a line a coder, * where one is missing."""
    values = sorted({value for coder in coders for value in coder if value != "*"})
    return items(*(tuple(column.count(value) for value in values) for column in zip(*coders, strict=True)))


def test_cohens_kappa_by_hand() -> None:
    # Cohen: 20 and 15 on the diagonal, 5 and 10 off it; 0.7 observed, 0.5 by chance.
    one = cohen("x", "y", {("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15})
    assert one.agreed.rate == 0.7
    assert one.kappa == pytest.approx(0.4)


@pytest.mark.parametrize("met", [("a", "a"), ("a", "b")])
def test_of_one_item_there_is_no_kappa(met: tuple[str, str]) -> None:
    one = cohen("x", "y", {met: 1})
    assert (one.agreed.n, one.kappa, one.ci95) == (1, None, None)


def test_cohens_kappa_with_its_interval_as_in_fleiss_levin_and_paik() -> None:
    # Statistical Methods for Rates and Proportions, table 18.1: kappa .68, standard error .087.
    cells = {"pp": 75, "pn": 1, "po": 4, "np": 5, "nn": 4, "no": 1, "oo": 10}
    one = cohen("A", "B", {(key[0], key[1]): count for key, count in cells.items()})
    assert one.kappa == pytest.approx(0.676, abs=1e-3)
    assert one.ci95 is not None
    assert (one.ci95[1] - one.ci95[0]) / 2 / 1.96 == pytest.approx(0.0877, abs=2e-3)


def test_fleiss_own_table_of_1971() -> None:
    table = [tuple(map(int, row)) for row in FLEISS_1971.split()]
    assert [sum(column) for column in zip(*table, strict=True)] == [26, 26, 30, 55, 43]
    assert fleiss(items(*table)) == pytest.approx(0.430, abs=5e-4)


def test_krippendorffs_own_examples() -> None:
    # Computing Krippendorff's Alpha-Reliability (2011): B, two values; C, four observers, nominal.
    assert krippendorff_alpha(coded("0100000010", "1110010000")) == pytest.approx(0.095, abs=5e-4)
    observers = ("123321412***", "1233224125*3", "*3332342251*", "12332441251*")
    assert krippendorff_alpha(coded(*observers)) == pytest.approx(0.743, abs=5e-4)


def test_without_the_package_the_rest_is_there_and_says_how_to_get_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "krippendorff", None)
    found = judged(workspace, {("ada", 0): "a", ("bob", 0): "a", ("ada", 1): "b", ("bob", 1): "a"})
    assert found.alpha is None
    assert found.notes == ("Krippendorff's alpha needs a package: pip install 'rlft_tui[agreement]'",)
    assert found.fleiss is not None


@given(st.lists(st.tuples(CHOICES, CHOICES), min_size=1, max_size=60))
def test_either_labeller_may_come_first_and_kappa_has_bounds(met: list[tuple[str, str]]) -> None:
    one = cohen("x", "y", Counter(met))
    other = cohen("y", "x", Counter((second, first) for first, second in met))
    assert one.agreed == other.agreed
    if one.kappa is None:
        assert len(met) == 1 or len({value for both in met for value in both}) == 1
        return
    assert other.kappa == pytest.approx(one.kappa)
    assert -1 - 1e-9 <= one.kappa <= 1 + 1e-9
    assert one.ci95 is not None
    assert one.ci95[0] - 1e-9 <= one.kappa <= one.ci95[1] + 1e-9


@given(st.lists(st.lists(CHOICES, min_size=2, max_size=5), min_size=1, max_size=40))
def test_all_kappas_agree_on_what_is_full_agreement(given: list[list[str]]) -> None:
    counts = items(*(tuple(one.count(value) for value in ("a", "b", "tie")) for one in given))
    kappa, alpha = fleiss(counts), krippendorff_alpha(counts)
    if len({value for one in given for value in one}) == 1:
        assert kappa is None
        assert alpha is None
        return
    assert kappa is not None
    assert alpha is not None
    assert kappa <= 1
    assert alpha <= 1
    unanimous = all(len(set(one)) == 1 for one in given)
    assert (kappa == pytest.approx(1)) == unanimous == (alpha == pytest.approx(1))


def test_a_labeller_who_is_right_with_chance_p_agrees_with_itself_accordingly() -> None:
    assert accuracy_ceiling(1.0) == 1.0
    assert accuracy_ceiling(0.5) == 0.5
    assert accuracy_ceiling(0.9**2 + 0.1**2) == pytest.approx(0.9)
    assert accuracy_ceiling(0.4) is None
    assert self_agreement(0, 0, 0, 0).ceiling is None
    assert self_agreement(9, 1, 0, 10).same.rate == 0.9


def judged(workspace: Workspace, verdicts: dict[tuple[str, int], Choice], labeler: str = ""):  # type: ignore[no-untyped-def]
    sources = {"judge": "judge"}
    with open_database(workspace) as database:
        with database.write() as connection:
            add_pairs(connection, make_pairs(10))
            insert_operations(
                connection,
                [
                    Preference(
                        f"{name}-{n}",
                        f"pair-{n}",
                        name,
                        choice,
                        source=sources.get(name, "human"),
                        created_at=1.0,
                    )
                    for (name, n), choice in verdicts.items()
                ],
            )
        with database.reader() as connection:
            return agreement(connection, labeler)


def test_labellers_are_compared_on_the_pairs_they_share(workspace: Workspace) -> None:
    verdicts: dict[tuple[str, int], Choice] = {
        **{("ada", n): "a" if n % 2 else "b" for n in range(8)},
        **{("bob", n): "a" for n in range(4)},
        **{("judge", n): "a" if n % 2 else "tie" for n in range(6)},
    }
    found = judged(workspace, verdicts)
    assert found.pairs_judged_twice == 6
    assert [(one.first, one.second, one.agreed.count, one.agreed.n) for one in found.between] == [
        ("ada", "judge", 3, 6),
        ("ada", "bob", 2, 4),
        ("bob", "judge", 2, 4),
    ]
    assert (found.decided.count, found.decided.n) == (2 + 3 + 2, 4 + 3 + 2)
    (source,) = found.sources
    assert (source.first, source.second, source.agreed.count, source.agreed.n) == ("human", "judge", 5, 10)
    assert found.alpha is not None
    assert found.fleiss is not None
    assert not math.isnan(found.alpha)


def test_nothing_shared_is_no_agreement(workspace: Workspace) -> None:
    found = judged(workspace, {("ada", 0): "a", ("bob", 1): "a"})
    assert (found.pairs_judged_twice, found.between, found.fleiss, found.alpha) == (0, (), None, None)
    assert found.notes == ()
    assert found.decided.rate is None
