"""The command line: what it prints, where, in which colours, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_errors import ENVIRONMENT, UNSET, Result, run

import matgrad
from matgrad import expr as ex
from matgrad.rulebook import entries
from matgrad.simplification import shortest

CHECK = re.compile(
    r"✓ agrees with finite differences at 5 random points, worst relative error (0|[1-9]e-\d+)"
)
ESCAPE = "\x1b"


def lines(*arguments: str, **options: Any) -> list[str]:
    """The lines on standard output of a run that has to succeed and to say nothing else."""
    result = run(*arguments, **options)
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith("\n")
    return result.out[:-1].split("\n")


def answer(*arguments: str, **options: Any) -> str:
    """The one line that `diff -q` prints."""
    (line,) = lines("diff", *arguments, "-q", **options)
    return line


def process(
    command: str, environment: dict[str, str] | None = None, sent: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command in which `matgrad` is this checkout's."""
    kept = {k: v for k, v in os.environ.items() if k not in UNSET}
    real = f"{shlex.quote(sys.executable)} -m matgrad "
    return subprocess.run(
        re.sub(r"\bmatgrad (?=diff|rules|--)", lambda _: real, command),
        shell=True,
        input=sent,
        capture_output=True,
        timeout=60,
        env={**kept, **ENVIRONMENT, **(environment or {})},
    )


# --- the screen ---------------------------------------------------------------------------------------------------------


def test_first_example_of_the_design() -> None:
    *rest, check = lines("diff", "tr(X*B*X')", "--wrt", "X")
    assert rest == [
        "y = tr(X B Xᵀ)                           where X ∈ ℝᵐˣⁿ, B ∈ ℝⁿˣⁿ",
        "",
        "dy = tr(dX B Xᵀ + X B dXᵀ)               product rule",
        "   = tr(dX B Xᵀ) + tr(X B dXᵀ)           trace is linear",
        "   = tr(B Xᵀ dX) + tr(X B dXᵀ)           tr(P Q) = tr(Q P)",
        "   = tr(B Xᵀ dX) + tr(Bᵀ Xᵀ dX)          tr(P) = tr(Pᵀ), tr(P Q) = tr(Q P)",
        "   = tr((B + Bᵀ) Xᵀ dX)                  collect terms in dX",
        "",
        "∂y/∂X = X (B + Bᵀ)                       dy = tr(Dᵀ dX) gives D, m×n",
    ]
    assert CHECK.fullmatch(check)


SEEDS: list[tuple[list[str], str, str]] = [
    (["w'x", "--wrt", "x"], "w", "n×1"),
    (["x'*A*x", "--wrt", "x"], "(A + A') x", "n×1"),
    (
        ["x[1]^2 + 3*x[2]^4", "--wrt", "x", "--let", "x: vector(2)"],
        "[2 x[1]; 12 x[2]^3]",
        "2×1",
    ),
    (["tr(X*B*X')", "--wrt", "X"], "X (B + B')", "m×n"),
    (["tr(A*X^-1)", "--wrt", "X"], "-(X^-1 A X^-1)'", "n×n"),
    (["ln det(X)", "--wrt", "X"], "X^-T", "n×n"),
    (["ln|X|", "--wrt", "X"], "X^-T", "n×n"),
    (["[x^2; x^3]", "--wrt", "x", "--let", "x: scalar"], "[2 x; 3 x^2]", "2×1"),
    (["A*x", "--wrt", "x"], "A", "m×n"),
    (["A*x", "--wrt", "x", "--layout", "denominator"], "A'", "n×m"),
    (["x", "--wrt", "x"], "I", "n×n"),
    (["f(x)", "--wrt", "x", "--let", "f: elementwise"], "diag(f'(x))", "n×n"),
    (
        ["δ' f(x)", "--wrt", "x", "--let", "f: elementwise", "--let", "δ: vector"],
        "δ .* f'(x)",
        "n×1",
    ),
]
each_seed = pytest.mark.parametrize(
    ("arguments", "expected", "shape"), SEEDS, ids=[" ".join(s[0]) for s in SEEDS]
)


@each_seed
def test_answers_of_the_seeds(arguments: list[str], expected: str, shape: str) -> None:
    assert answer(*arguments) == expected


@each_seed
def test_reports_of_the_seeds(arguments: list[str], expected: str, shape: str) -> None:
    """A line for y, one or more for dy, one or more for the derivative, its size, and the check."""
    report = lines("diff", *arguments)
    assert report[0].startswith(("y = ", "f = ", "Y = "))
    assert "where " in report[0]
    assert report.count("") == 2
    first, second = (i for i, line in enumerate(report) if not line)
    assert first == 1
    assert second > 2
    assert report[2].startswith("dy = ")
    assert report[second + 1].startswith("∂y/∂")
    assert any(line.endswith(f", {shape}") or f", {shape} (" in line for line in report)
    assert CHECK.fullmatch(report[-1])
    for line in report[2:-1]:
        assert not line or re.search(r"\S {2,}\S", line), f"no reason beside: {line}"


@each_seed
def test_json_of_the_seeds(arguments: list[str], expected: str, shape: str) -> None:
    body = json.loads("\n".join(lines("diff", *arguments, "--to", "json")))
    assert body["derivative"]["matgrad"] == expected
    assert body["derivative"]["shape"] == shape


def test_the_answer_says_its_layout() -> None:
    *_, mixed, _ = lines("diff", "A*x", "--wrt", "x")
    assert mixed == (
        "∂y/∂x = A                                "
        "dy = J dx gives the Jacobian J, m×n (mixed layout: rows as y, columns as x)"
    )
    *_, first, second, _ = lines("diff", "A*x", "--wrt", "x", "--layout", "denominator")
    assert first == mixed
    assert second == (
        "      = Aᵀ                               denominator layout: its transpose, n×m"
    )
    *_, first, second, _ = lines("diff", "a'x", "--wrt", "x", "--layout", "numerator")
    assert first.startswith("∂y/∂x = a  ")
    assert second == (
        "      = aᵀ                               numerator layout: its transpose, 1×n"
    )


def test_layouts_that_agree() -> None:
    assert answer("x'A x", "--wrt", "x", "--layout", "denominator") == "(A + A') x"
    assert answer("A x", "--wrt", "x", "--layout", "numerator") == "A"
    assert answer("tr(A X)", "--wrt", "X", "--layout", "numerator") == "A"


def test_numerator_layout_is_simplified_too() -> None:
    assert answer("x'A x", "--wrt", "x", "--layout", "numerator") == "x' (A + A')"


# --- steps --------------------------------------------------------------------------------------------------------------


def test_steps_none() -> None:
    *rest, check = lines("diff", "x'A x", "--wrt", "x", "--steps", "none")
    assert rest == [
        "y = xᵀ A x                               where x ∈ ℝⁿ, A ∈ ℝⁿˣⁿ",
        "∂y/∂x = (A + Aᵀ) x                       dy = Dᵀ dx gives D, n×1",
    ]
    assert CHECK.fullmatch(check)


def test_steps_brief_is_the_default() -> None:
    brief = lines("diff", "x'A x", "--wrt", "x", "--steps", "brief")
    assert brief == lines("diff", "x'A x", "--wrt", "x")
    assert brief[2:5] == [
        "dy = dxᵀ A x + xᵀ A dx                   product rule",
        "   = xᵀ Aᵀ dx + xᵀ A dx                  a scalar equals its transpose",
        "   = xᵀ (A + Aᵀ) dx                      collect terms in dx",
    ]


def test_steps_full_has_one_rule_a_line_and_verifies_each() -> None:
    full = lines("diff", "x'A x", "--wrt", "x", "--steps", "full")
    assert full[2:9] == [
        "dy = d(xᵀ) A x + xᵀ A dx                 ✓ product rule",
        "   = dxᵀ A x + xᵀ A dx                   ✓ d(Pᵀ) = (dP)ᵀ",
        "   = (A x)ᵀ dx + xᵀ A dx                 ✓ a scalar equals its transpose",
        "   = xᵀ Aᵀ dx + xᵀ A dx                  ✓ (P Q)ᵀ = Qᵀ Pᵀ",
        "   = (xᵀ Aᵀ + xᵀ A) dx                   ✓ collect terms in dx",
        "   = xᵀ (Aᵀ + A) dx                      ✓ take out a common factor",
        "   = xᵀ (A + Aᵀ) dx                      ✓ reorder",
    ]


@each_seed
def test_every_full_step_of_the_seeds_is_verified(
    arguments: list[str], expected: str, shape: str
) -> None:
    full = lines("diff", *arguments, "--steps", "full")
    steps = [line for line in full[2:-1] if line and "layout: " not in line.split("✓")[0]]
    assert all("✓" in line or line.endswith("   definition") for line in steps)
    assert "✗" not in "\n".join(full)


def test_full_steps_show_what_is_collected() -> None:
    """No line of a full derivation is skipped: from two equal terms to their sum."""
    full = "\n".join(lines("diff", "(x - y)'(x - y)", "--wrt", "x", "--steps", "full"))
    assert "collect terms in dx" in full


def test_full_steps_without_check_have_no_ticks() -> None:
    full = lines("diff", "x'A x", "--wrt", "x", "--steps", "full", "--no-check")
    assert "✓" not in "\n".join(full)
    assert full[-1] == "      = (A + Aᵀ) x                       reorder"


def test_no_check() -> None:
    report = lines("diff", "x'A x", "--wrt", "x", "--no-check")
    assert report[-1] == "∂y/∂x = (A + Aᵀ) x                       dy = Dᵀ dx gives D, n×1"


# --- from the definition ------------------------------------------------------------------------------------------------


def test_from_definition_of_a_quadratic_form() -> None:
    report = lines("diff", "x'A x", "--wrt", "x", "--from-definition")
    assert report[2] == (
        "dy = (x + dx)ᵀ A (x + dx) - xᵀ A x       definition: dy = y(x + dx) - y(x), to first order"
    )
    product = next(i for i, line in enumerate(report) if "dxᵀ A dx" in line)
    assert report[product] == "   = xᵀ A x + xᵀ A dx + dxᵀ A x + dxᵀ A dx - xᵀ A x"
    assert report[product + 1].strip() == "multiply out"
    dropped = next(line for line in report if "higher order in dx" in line)
    assert dropped.startswith("   = xᵀ A dx + dxᵀ A x   ")
    assert report[-2].startswith("∂y/∂x = (A + Aᵀ) x   ")


def test_from_definition_of_a_trace() -> None:
    report = lines("diff", "tr(X*B*X')", "--wrt", "X", "--from-definition")
    assert report[2] == "dy = tr((X + dX) B (X + dX)ᵀ) - tr(X B Xᵀ)"
    assert report[3].strip() == "definition: dy = y(X + dX) - y(X), to first order"
    assert any("tr(dX B dXᵀ)" in line for line in report)
    assert report[-2].startswith("∂y/∂X = X (B + Bᵀ)   ")
    assert CHECK.fullmatch(report[-1])


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [(["tr(A*X^-1)", "--wrt", "X"], "inv"), (["ln det(X)", "--wrt", "X"], "logdet")],
)
def test_from_definition_of_what_is_no_polynomial(arguments: list[str], culprit: str) -> None:
    report = lines("diff", *arguments, "--from-definition")
    assert (
        "note: the expression is not a polynomial in the variable, because of "
        f"`{culprit}`; the derivation starts from named differentials instead"
    ) in report
    assert f"= {answer(*arguments)}".replace("^-1", "⁻¹").replace("^-T", "⁻ᵀ").replace(
        ")'", ")ᵀ"
    ) in "\n".join(report)


@each_seed
def test_from_definition_of_the_seeds(arguments: list[str], expected: str, shape: str) -> None:
    result = run("diff", *arguments, "--from-definition", "-q")
    assert (result.code, result.out) == (0, expected + "\n")
    polynomial = "ln" not in arguments[0] and "^-1" not in arguments[0] and "f(" not in arguments[0]
    assert ("not a polynomial" in result.err) is not polynomial


# --- formats ------------------------------------------------------------------------------------------------------------


def test_ascii() -> None:
    report = lines("diff", "tr(X*B*X')", "--wrt", "X", "--to", "ascii")
    assert report[:9] == [
        "y = tr(X B X')                           where X in R^(m x n), B in R^(n x n)",
        "",
        "dy = tr(dX B X' + X B dX')               product rule",
        "   = tr(dX B X') + tr(X B dX')           trace is linear",
        "   = tr(B X' dX) + tr(X B dX')           tr(P Q) = tr(Q P)",
        "   = tr(B X' dX) + tr(B' X' dX)          tr(P) = tr(P'), tr(P Q) = tr(Q P)",
        "   = tr((B + B') X' dX)                  collect terms in dX",
        "",
        "dy/dX = X (B + B')                       dy = tr(D' dX) gives D, m x n",
    ]
    assert report[9].startswith("ok: agrees with finite differences at 5 random points, ")


ASCII = [
    ["x'A x", "--wrt", "x", "--steps", "full"],
    ["δ' f(x)", "--wrt", "x", "--let", "f: elementwise", "--let", "δ: vector"],
    ["‖Σ*x - μ‖²", "--wrt", "x", "--let", "μ: vector"],
    ["sum(X + α)", "--wrt", "X"],
    ["ln|X|", "--wrt", "X", "--from-definition"],
    ["A*x₁", "--wrt", "x₁", "--layout", "denominator"],
    ["[x²; x³]", "--wrt", "x", "--let", "x: scalar"],
    ["sqrt(x'x)", "--wrt", "x"],
    ["tr((X'*X)^-1)", "--wrt", "X", "--steps", "full"],
]


@pytest.mark.parametrize("arguments", ASCII, ids=[" ".join(a) for a in ASCII])
def test_ascii_is_ascii(arguments: list[str]) -> None:
    text = "\n".join(lines("diff", *arguments, "--to", "ascii"))
    assert text.isascii()
    assert "?" not in text, "a letter without a spelling in ASCII"


def test_latex() -> None:
    assert lines("diff", "x'A x", "--wrt", "x", "--to", "latex") == [
        r"\begin{aligned}",
        r"y &= x^\top A x && \text{where $x \in \mathbb{R}^{n}, A \in \mathbb{R}^{n \times n}$} \\",
        r"\mathrm{d}y &= \mathrm{d}x^\top A x + x^\top A \mathrm{d}x && \text{product rule} \\",
        r" &= x^\top A^\top \mathrm{d}x + x^\top A \mathrm{d}x"
        r" && \text{a scalar equals its transpose} \\",
        r" &= x^\top \left(A + A^\top\right) \mathrm{d}x && \text{collect terms in dx} \\",
        r"\frac{\partial y}{\partial x} &= \left(A + A^\top\right) x"
        r" && \text{dy = D' dx gives D, n x 1}",
        r"\end{aligned}",
    ]


def test_matgrad_format_is_the_quiet_answer() -> None:
    assert lines("diff", "x'A x", "--wrt", "x", "--to", "matgrad") == ["(A + A') x"]


def test_json() -> None:
    text = "\n".join(
        lines("diff", "x'S x", "--wrt", "x", "--let", "S: symmetric(n)", "--to", "json")
    )
    body = json.loads(text)
    assert list(body)[:10] == [
        "matgrad",
        "expression",
        "wrt",
        "order",
        "layout",
        "variables",
        "derivative",
        "steps",
        "check",
        "assumptions",
    ]
    assert body["matgrad"] == matgrad.__version__
    assert body["expression"] == "x'S x"
    assert (body["wrt"], body["order"], body["layout"]) == ("x", 1, "mixed")
    assert body["variables"] == {
        "x": {"kind": "vector", "shape": ["n"], "properties": [], "declared": False},
        "S": {
            "kind": "matrix",
            "shape": ["n", "n"],
            "properties": ["symmetric"],
            "declared": True,
        },
    }
    assert body["derivative"] == {
        "text": "2 S x",
        "matgrad": "2 S x",
        "latex": "2 S x",
        "shape": "n×1",
    }
    assert body["notes"] == []
    assert body["check"].keys() == {"ok", "points", "worst_relative_error", "seed"}
    assert (body["check"]["ok"], body["check"]["points"], body["check"]["seed"]) == (True, 5, 0)
    assert 0 <= body["check"]["worst_relative_error"] < 1e-6
    book = entries()
    for step in body["steps"]:
        assert {"text", "latex", "rule", "statement"} <= step.keys()
        assert book[step["rule"]].statement == step["statement"]
    assert body["steps"][-1]["text"] == "∂y/∂x = 2 S x"


def test_json_without_check() -> None:
    body = json.loads("\n".join(lines("diff", "x'x", "--wrt", "x", "--no-check", "--to", "json")))
    assert body["check"] is None


def test_json_of_a_failure() -> None:
    result = run("diff", "A*x", "--let", "A: matrix(2, 3)", "--let", "x: vector(2)", "--to", "json")
    assert result.code == 2
    assert json.loads(result.out) == {
        "matgrad": matgrad.__version__,
        "error": {
            "code": "shape",
            "message": "the sizes do not agree in a product",
            "span": {"start": 0, "end": 1},
            "help": "`A` has 3 columns and `x` has 2 rows; did you mean `A'*x`?",
        },
    }
    assert result.err.startswith("error: the sizes do not agree in a product\n")


def test_json_of_a_wrong_option() -> None:
    """Whoever asked for JSON gets JSON, whatever is wrong."""
    result = run("diff", "x'x", "--to", "json", "--layout", "nabla")
    assert result.code == 2
    assert json.loads(result.out)["error"]["code"] == "usage"


# --- input --------------------------------------------------------------------------------------------------------------


def test_standard_input() -> None:
    assert answer("-", "--wrt", "x", stdin="x'A x\n") == "(A + A') x"
    assert answer("-", "--wrt", "x", stdin="  x'A x\n  + b'x  \n\n") == "(A + A') x + b"
    assert answer("-", "--wrt", "α", stdin="α^2") == "2 α"
    assert answer("-", "--wrt", "x", stdin=b"x'A x\r\n + b'x\r\n") == "(A + A') x + b"


def test_standard_input_with_a_byte_order_mark() -> None:
    assert answer("-", "--wrt", "x", stdin=b"\xef\xbb\xbfx'A x\r\n") == "(A + A') x"


def test_empty_standard_input() -> None:
    result = run("diff", "-", "--wrt", "x", stdin="\n")
    assert (result.code, result.out) == (2, "")
    assert result.err == 'error: there is no expression\n  = write one, as in "x\'A x"\n'


def test_pipe_gives_the_hessian() -> None:
    found = process("""matgrad diff "x'A x" --wrt x -q | matgrad diff - --wrt x""")
    assert (found.returncode, found.stderr) == (0, b"")
    *rest, check = found.stdout.decode().splitlines()
    assert rest == [
        "y = (A + Aᵀ) x                           where A ∈ ℝⁿˣⁿ, x ∈ ℝⁿ",
        "",
        "dy = (A + Aᵀ) dx                         constants come out of d",
        "",
        "∂y/∂x = A + Aᵀ                           "
        "dy = J dx gives the Jacobian J, n×n (mixed layout: rows as y, columns as x)",
    ]
    assert CHECK.fullmatch(check)


@each_seed
def test_answers_pipe_into_the_next_command(
    arguments: list[str], expected: str, shape: str
) -> None:
    """What prints, parses: the answer as the input of a second run never ends in a syntax or shape error."""
    let = [a for i, a in enumerate(arguments) if "--let" in (a, arguments[i - 1])]
    variable = arguments[2]
    result = run("diff", "-", "--wrt", variable, "-q", *let, stdin=expected)
    assert result.code in (0, 2, 3)
    if result.code == 2:
        assert result.err.startswith(f"error: the variable `{variable}` is not in the expression")


def test_order_two_is_the_pipe() -> None:
    assert answer("x'A x", "--wrt", "x", "--order", "2") == "A + A'"
    assert answer("x^4", "--wrt", "x", "--let", "x: scalar", "--order", "3") == "24 x"


def test_order_two_speaks_of_the_expression_that_was_given() -> None:
    """With y = x'A x above it, A + A' is not ∂y/∂x."""
    report = lines("diff", "x'A x", "--wrt", "x", "--order", "2")
    assert "xᵀ A x" in report[0]
    assert not any(line.startswith("∂y/∂x = A + Aᵀ") for line in report)


def test_let_file(tmp_path: Path) -> None:
    file = tmp_path / "let.txt"
    file.write_text("# shapes\nlet S: symmetric(n)   # square\n\nb: vector(n)\n", encoding="utf-8")
    found = answer("x'S x + b'x", "--wrt", "x", "--let-file", str(file))
    assert found == "2 S x + b"
    # A declaration of the file and one of the command line of the same name are two declarations.
    result = run("diff", "x'S x", "--wrt", "x", "--let-file", str(file), "--let", "S: spd")
    assert result.code == 2
    assert result.err.startswith("error: `S` is declared twice\n")


def test_wrt_is_optional_with_one_variable() -> None:
    assert answer("ln det(X)") == "X^-T"


@pytest.mark.parametrize(
    ("expression", "wrt", "expected"),
    [
        ("α^2", "alpha", "2 α"),
        ("alpha^2", "α", "2 α"),
        ("x₁'x₁", "x1", "2 x1"),
        ("x1'x1", "x₁", "2 x1"),
        ("x_{in}'x_in", " x_in ", "2 x_in"),
    ],
)
def test_wrt_takes_every_spelling_of_a_name(expression: str, wrt: str, expected: str) -> None:
    assert answer(expression, "--wrt", wrt) == expected


def test_a_reading_is_reported() -> None:
    report = lines("diff", "x'Ax", "--wrt", "x")
    assert "note: Ax is read as A*x" in report
    quiet = run("diff", "x'Ax", "--wrt", "x", "-q")
    assert quiet == Result(0, "(A + A') x\n", "note: Ax is read as A*x\n")


# --- output -------------------------------------------------------------------------------------------------------------


def test_output_file(tmp_path: Path) -> None:
    file = tmp_path / "answer.txt"
    assert run("diff", "x'A x", "--wrt", "x", "-o", str(file)) == Result(0, "", "")
    assert file.read_text(encoding="utf-8") == run("diff", "x'A x", "--wrt", "x").out


def test_output_file_has_no_colour(tmp_path: Path) -> None:
    file = tmp_path / "answer.txt"
    run("diff", "x'A x", "-o", str(file), "--wrt", "x", environment={"FORCE_COLOR": "1"})
    assert ESCAPE not in file.read_text(encoding="utf-8")


def test_no_file_on_failure(tmp_path: Path) -> None:
    file = tmp_path / "answer.txt"
    assert run("diff", "x'A +", "-o", str(file)).code == 2
    assert not file.exists()


def test_no_escape_codes_when_piped() -> None:
    found = process("""matgrad diff "x'A x" --wrt x; matgrad diff "x'A +"; matgrad rules""")
    assert b"\x1b" not in found.stdout + found.stderr
    assert b"\xee\x80" not in found.stdout + found.stderr  # the marks of what changed


def test_force_color() -> None:
    coloured = lines("diff", "x'A x", "--wrt", "x", environment={"FORCE_COLOR": "1"})
    assert coloured[2].startswith(f"dy = {ESCAPE}[")
    assert coloured[-1].startswith(f"{ESCAPE}[32m✓")
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured]
    assert plain == lines("diff", "x'A x", "--wrt", "x")


def test_force_color_of_errors() -> None:
    result = run("diff", "x'A +", environment={"FORCE_COLOR": "1"})
    assert result.err.startswith(f"{ESCAPE}[31m")
    assert re.sub(r"\x1b\[[0-9;]*m", "", result.err) == run("diff", "x'A +").err


@pytest.mark.parametrize("options", [["-q"], ["--to", "json"], ["--to", "latex"]])
def test_force_color_leaves_data_alone(options: list[str]) -> None:
    arguments = ["diff", "x'A x", "--wrt", "x", *options]
    assert lines(*arguments, environment={"FORCE_COLOR": "1"}) == lines(*arguments)


def test_no_color_wins() -> None:
    both = {"FORCE_COLOR": "1", "NO_COLOR": "1"}
    assert ESCAPE not in run("diff", "x'A x", "--wrt", "x", environment=both).out
    assert ESCAPE not in run("diff", "x'A +", environment=both).err


@pytest.mark.parametrize(
    "environment",
    [
        {"TERM": "dumb"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["dumb", "ascii", "C"],
)
def test_surroundings_without_unicode(environment: dict[str, str]) -> None:
    found = process("matgrad diff - --wrt x", environment, "α'x".encode())
    text = found.stdout.decode("ascii")
    assert text.startswith("y = alpha' x ")
    assert "\ndy/dx = alpha " in text
    assert process("matgrad diff - -q", environment, "α^2".encode()).stdout == b"2 alpha\n"
    wrong = process("""matgrad diff "x'A +" """, environment)
    assert wrong.stderr.isascii()
    assert b"  | x'A +\n  |     ^\n" in wrong.stderr
    rules = process("matgrad rules inverse", environment)
    assert rules.returncode == 0
    assert rules.stdout.isascii()


def test_greek_argument_in_the_c_locale() -> None:
    found = process('matgrad diff "α^2" --wrt α -q', {"LC_ALL": "C"})
    assert (found.returncode, found.stderr) == (0, b"")
    assert found.stdout.decode() in ("2 α\n", "2 alpha\n")


def test_a_reader_that_leaves_early() -> None:
    found = process("matgrad rules | head -1")
    assert found.returncode == 0
    assert found.stderr == b""
    assert found.stdout == b"Differentials\n"


# --- exit codes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ["diff", "x'x"]),
        (2, ["diff", "x' +"]),
        (2, ["diff", "foo'x", "--wrt", "x"]),
        (2, ["diff", "x*x"]),
        (2, ["diff"]),
        (2, ["nonsense"]),
        (3, ["diff", "tr(X^k)", "--wrt", "k"]),
        (4, ["diff", "tr(X^100000)"]),
    ],
)
def test_exit_codes(code: int, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.code == code
    assert bool(result.out) is (code == 0)
    assert bool(result.err) is (code != 0)


def test_timeout() -> None:
    # In a process of its own: an alarm that goes off inside the coverage tracer would leave its lock held.
    command = "matgrad diff \"tr((A + X'*C*X)^-1*(X'*B*X))\" --wrt X --timeout 0.001"
    result = process(command)
    assert (result.returncode, result.stdout) == (4, b"")
    assert result.stderr.decode() == (
        "error: no answer within 0.001 seconds\n  = give more time with `--timeout SECONDS`\n"
    )


def test_timeout_is_not_felt_by_the_next_run() -> None:
    assert answer("x'A x", "--wrt", "x", "--timeout", "20") == "(A + A') x"


@pytest.mark.parametrize("options", [[], ["-q"], ["--to", "latex"], ["--to", "json"]])
def test_a_wrong_answer_is_never_printed(
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "matgrad.derive.shortest", lambda e, recorder: ex.mul(ex.num(2), shortest(e, recorder))
    )
    result = run("diff", "x'A x", "--wrt", "x", *options)
    assert result.code == 70
    assert "A + A" not in result.out
    assert re.fullmatch(
        r"error: the derivative found is off by 1\.0e\+00 at a random point\n"
        r"  = this is a bug of matgrad; please report the command, with the version\n",
        result.err,
    )


def test_an_internal_error_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("matgrad.derive.shortest", broken)
    result = run("diff", "x'A x", "--wrt", "x")
    assert result == Result(
        70,
        "",
        "error: internal error: KeyError: 'x'\n"
        "  = please report this, with the command and `matgrad --version`\n",
    )


def test_seed_is_reproducible() -> None:
    def error(seed: str) -> float:
        arguments = ["diff", "tr(A*X^-1)", "--wrt", "X", "--to", "json", "--seed", seed]
        check = json.loads("\n".join(lines(*arguments)))["check"]
        assert check["seed"] == int(seed)
        return float(check["worst_relative_error"])

    assert error("7") == error("7")
    assert len({error("7"), error("8"), error("9")}) > 1


# --- rules --------------------------------------------------------------------------------------------------------------


def test_rule_of_the_inverse() -> None:
    assert lines("rules", "inverse") == [
        "d:inv",
        "  d(X^-1) = -inv(X)*d(X)*inv(X)",
        "",
        "  where   X: invertible(n)",
        "  reason  d(P⁻¹) = -P⁻¹ dP P⁻¹",
        "  source  Matrix Cookbook (2012), eq. 40; Magnus & Neudecker, ch. 8, eq. (17)",
        "",
        "  proof",
        "    X*inv(X) = eye(n)                         definition of the inverse",
        "    d(X)*inv(X) + X*d(inv(X)) = zeros(n, n)   product rule; d(I) = 0",
        "    X*d(inv(X)) = -d(X)*inv(X)                move one term to the other side",
        "    d(inv(X)) = -inv(X)*d(X)*inv(X)           multiply by X⁻¹ from the left",
    ]


def test_rule_of_the_log_determinant() -> None:
    shown = lines("rules", "logdet")
    assert shown[:2] == ["d:logdet", "  d(logdet(X)) = tr(inv(X)*d(X))"]
    assert "  proof" in shown
    assert shown[-1].endswith("   cancel det(X)")


@pytest.mark.parametrize("name", list(entries()))
def test_every_rule_is_complete(name: str) -> None:
    shown = lines("rules", name)
    assert shown[0] == name
    for word in ("  where   ", "  reason  ", "  source  ", "  proof"):
        (line,) = [s for s in shown if s.startswith(word)]
        assert word == "  proof" or line.removeprefix(word).strip()


def test_rules_lists_all() -> None:
    shown = lines("rules")
    assert shown[0] == "Differentials"
    names = {line.split()[0] for line in shown if line.startswith("  ")}
    assert names == set(entries())


def test_rules_nonsense() -> None:
    result = run("rules", "zzz")
    assert result == Result(
        2, "", "error: there is no rule `zzz`\n  = `matgrad rules` lists them all\n"
    )
    close = run("rules", "invers")
    assert close.err.endswith("  = did you mean `inverse`?\n")


# --- help ---------------------------------------------------------------------------------------------------------------


def test_version() -> None:
    assert lines("--version") == [f"matgrad, version {matgrad.__version__}"]


def examples(help: list[str]) -> list[str]:
    """The commands that a help page shows."""
    return [line.strip() for line in help if line.startswith("  matgrad ")]


WITH_EXAMPLES: list[list[str]] = [[], ["diff"], ["hessian"], ["eval"], ["rules"]]


@pytest.mark.parametrize("command", WITH_EXAMPLES, ids=lambda c: c[0] if c else "matgrad")
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(command: list[str], option: str) -> None:
    page = lines(*command, option)
    assert page[0].startswith(" ".join(["Usage: matgrad", *command]))
    assert len(examples(page)) >= 2
    assert all(len(line) <= 100 for line in page)


@pytest.mark.parametrize(
    "example",
    dict.fromkeys(
        example for command in WITH_EXAMPLES for example in examples(lines(*command, "-h"))
    ),
)
def test_examples_of_the_help_pages_work(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = {"A": np.diag([1.0, 2.0, 3.0]), "x": np.ones(3), "b": np.zeros(3)}
    np.savez("data.npz", **{name: v for name, v in numbers.items() if name in example})
    for name in ("A", "x"):
        np.savetxt(f"{name.lower()}.csv", numbers[name], delimiter=",")
    sent = ""
    for stage in example.split(" | "):
        name, *arguments = shlex.split(stage)
        assert name == "matgrad"
        result = run(*arguments, stdin=sent)
        assert (result.code, result.err) == (0, "")
        sent = result.out
        if "-o" in arguments:
            sent = Path(arguments[arguments.index("-o") + 1]).name
    assert sent


def test_help_without_a_command() -> None:
    result = run()
    assert result.code == 2
    assert "Usage: matgrad" in result.out + result.err


def test_module() -> None:
    found = process("matgrad --version")
    assert (found.returncode, found.stderr) == (0, b"")
    assert found.stdout.decode() == f"matgrad, version {matgrad.__version__}\n"


def test_expression_that_begins_with_a_minus() -> None:
    assert lines("diff", "-1/2*x'x", "--wrt", "x", "-q") == ["-x"]
    assert lines("diff", "-w'x", "--wrt", "x", "-q") == ["-w"]
    assert lines("diff", "-q", "--wrt", "x", "-ln(w'x)") == ["-w/(w' x)"]


def test_no_value_at_a_complex_power() -> None:
    report = lines("diff", "(-2)^(1/2)*c", "--wrt", "c")
    assert report[-1].startswith("not checked: no random point was found")


def test_long_products_and_large_sizes() -> None:
    assert lines("diff", f"tr({'*'.join(['X'] * 200)})", "-q") == ["200 (X^199)'"]
    assert lines("diff", "x'x", "--let", "x: vector(5000)", "-q") == ["2 x"]
    result = run("diff", "tr(X'X)", "--let", "X: matrix(100000, 100000)")
    assert result.code == 4
    assert "too large for the numeric check" in result.err


def test_each_bad_line_of_a_file_of_declarations(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("x: vector\ny: vektor(n)\nA: matrix(1, 2, 3)\n", encoding="utf-8")
    result = run("diff", "x'x", "--let-file", str(file))
    assert result.code == 2
    assert f"{file}:2: `vektor` is not a kind of value" in result.err
    assert f"{file}:3: `matrix` takes 2 sizes, not 3" in result.err


def test_reason_of_a_power_says_what_moves() -> None:
    assert any("d(cᵗ) = cᵗ ln(c) dt" in line for line in lines("diff", "2^x"))
    assert any("d(tᵏ) = k tᵏ⁻¹ dt" in line for line in lines("diff", "x^2"))


def test_squared_norm_from_the_definition() -> None:
    report = lines("diff", "norm2(A*x - b)^2", "--wrt", "x", "--from-definition")
    assert any("multiply out" in line for line in report)
    assert any("2 Aᵀ (A x - b)" in line for line in report)


@pytest.mark.parametrize(
    ("polynomial", "wrt"), [("x^9", "x"), ("det(X)", "X"), ("tr(X^9)", "X"), ("sum((A*y).^9)", "y")]
)
def test_a_polynomial_too_long_to_multiply_out_is_not_denied(polynomial: str, wrt: str) -> None:
    report = "\n".join(lines("diff", polynomial, "--wrt", wrt, "--from-definition"))
    assert "is not multiplied out, because of" in report
    assert "is not a polynomial" not in report
