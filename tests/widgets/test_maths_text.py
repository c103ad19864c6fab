"""Formulas become text that can be read; what cannot be read stays as it was written."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.tui.widgets.maths_text import DEEPEST, MOST, maths_text
from tests.widgets.texts import harmful

READS = {
    r"$x_i^2 + y_{i+1}$": "xᵢ² + yᵢ₊₁",
    r"$\frac{a+b}{2c}$": "(a+b)/(2c)",
    r"$\frac12x$": "1/2 x",
    r"$\frac{-b \pm \sqrt{b^2-4ac}}{2a}$": "(-b ± √(b²-4ac))/(2a)",
    r"$\frac{\partial f}{\partial x}$": "∂f/∂x",
    r"$\sqrt[3]{8} = 2$": "³√8 = 2",
    r"$e^{-x^2/2}$": "e^(-x²/2)",
    r"$\sum_{i=1}^{n} i = \frac{n(n+1)}{2}$": "∑ᵢ₌₁ⁿ i = n(n+1)/2",
    r"$\int_0^\infty e^{-x}\,dx=1$": "∫₀^∞ e⁻ˣ dx = 1",
    r"$\max_{a \in A} Q(s,a)$": "max_(a ∈ A) Q(s,a)",
    r"$O(n\log n)$": "O(n log n)",
    r"$\log_2(x)+\sin\theta$": "log₂(x)+sin θ",
    r"$A = \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}^{-1}$": "A = (1 2; 3 4)⁻¹",
    r"$f(x) = \begin{cases} x & \text{if } x \ge 0 \\ -x & \text{else} \end{cases}$": (
        "f(x) = { x, if x ≥ 0; -x, else"
    ),
    "$$\n\\begin{aligned} a &= b \\\\ &= c \\end{aligned}\n$$": "a = b\n= c",
    r"\(\mathcal{L}_{\text{DPO}}(\pi_\theta;\pi_{\mathrm{ref}})\)": "ℒ_DPO(π_θ;π_ref)",
    r"\[\mathbb{R}^n \to \mathbb{R}\]": "ℝⁿ → ℝ",
    r"$\hat{y} \neq \vec v$": "ŷ ≠ v⃗",
    r"$X^\top X,\ 90^\circ,\ f''(x)$": "XᵀX, 90°, f″(x)",
    r"$50\%$": "50%",
    r"$50% of it$": "50% of it",
    r"$\mystery{x} + 1$": r"\mystery x + 1",
    r"$x^$": "x^",
}


@pytest.mark.parametrize("source", READS)
def test_a_formula_reads_as_text(source: str) -> None:
    assert maths_text(source) == READS[source]


@pytest.mark.parametrize(
    "source",
    [
        r"$\frac{1$",
        r"$\begin{matrix} 1$",
        r"$\frac$",
        "$" + "{" * (DEEPEST + 1) + "}" * (DEEPEST + 1) + "$",
        "$" + r"\frac" * 300 + "$",
        "$" + r"\alpha" * MOST + "$",
        "$$",
        "$ $",
    ],
)
def test_what_cannot_be_read_stays_as_written(source: str) -> None:
    assert maths_text(source) == source


_PARTS = st.sampled_from(
    [r"\frac", r"\sqrt[", r"\left(", r"\begin{array}{c}", r"\end{array}", r"\begin{x}", "{", "}", "^", "_",
     "&", r"\\", "%", "\n", "~", "'",
     r"\hat", r"\not", r"\text", r"\verb|", "x", "1", " ", "\x1b", "\u202e", "é",
     r"\input{/etc/passwd}", r"\def\a{\a\a}",
     r"\operatorname", r"\sum", r"\log", "[", "]", r"\substack", r"\binom"]
)  # fmt: skip


@given(st.lists(_PARTS, max_size=60).map("".join))
def test_any_formula_gives_some_text_that_is_harmless(body: str) -> None:
    text = maths_text(f"${body}$")
    assert text
    assert text == f"${body}$" or harmful(text.replace("\n", "")) == ""


@pytest.mark.parametrize(
    "part",
    ["{", "{a}", r"\frac", r"\frac12", r"\begin{array}{c}", r"\sqrt[", "x^", r"x_{\alpha^2}", "\\\\", r"\log",
     r"\left(", "=", "(", r"\sum_(", "%\n", r"\hat "],
)  # fmt: skip
def test_hostile_formulas_cost_milliseconds(part: str) -> None:
    for characters in (MOST - 20, 1_000_000):
        begin = time.process_time()
        maths_text(f"${part * (characters // len(part))}$")
        assert time.process_time() - begin < 0.25
