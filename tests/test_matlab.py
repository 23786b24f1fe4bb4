"""Emitted MATLAB code, run in GNU Octave: every worked example, every function, random expressions; names and checks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from octave import OCTAVE, needs_octave, shaped, wrong
from test_cases import ALL, derivation
from test_emitted_numpy import random_derivation

from matgrad.derive import Derivation, diff, emitted
from matgrad.emit import matlab
from matgrad.errors import MatgradError, UsageError
from matgrad.functions import TABLE


@needs_octave
def test_every_worked_example(tmp_path: Path) -> None:
    found = wrong([derivation(s) for s in ALL], tmp_path)
    assert {f"{ALL[i].path}:{ALL[i].line}": p for i, p in found.items()} == {}


def derived(text: str, wrt: str) -> Derivation | None:
    """A derivation; None where there is none."""
    try:
        return diff(text, wrt, check=False)
    except MatgradError:
        return None


@needs_octave
def test_every_function(tmp_path: Path) -> None:
    examples = [(f.example, "X" if "X" in f.example else "x") for f in TABLE.values()]
    derivations = [d for e in examples if (d := derived(*e)) is not None]
    assert len(derivations) > 0.9 * len(TABLE)
    found = wrong(derivations, tmp_path)
    assert {repr(derivations[i]): p for i, p in found.items()} == {}


@needs_octave
def test_random_expressions(tmp_path: Path) -> None:
    tried = [random_derivation(number, order) for number in range(1000, 1150) for order in (1, 2)]
    derivations = [d for d in tried if d is not None]
    assert len(derivations) > 200
    found = wrong(derivations, tmp_path)
    assert {repr(derivations[i]): p for i, p in found.items()} == {}


@needs_octave
def test_several_variables_directions_rows_and_functions(tmp_path: Path) -> None:
    row, unknown = ["r: row(n)"], ["f: elementwise", "g: scalar of vector(n)"]
    derivations = [
        diff("norm2(A*x - b)^2", ["x", "A"], check=False),
        diff("x'A x", "x", hvp="v", check=False),
        diff("norm2(r*A)^2", "r", row, check=False),
        diff("norm2(r*A)^2", "r", row, order=2, check=False),
        diff("c*r", "c", row, check=False),
        diff("r*A", "r", row, check=False),
        diff("sum(f(A*x)) + g(x)", "x", unknown, order=2, check=False),
        diff("sum(k=1:n, k*x[k]^2) + x[i]", "x", ["x: vector(n)"], check=False),
        diff("X*X", "X", check=False),
        diff("c^2", "c", order=2, check=False),
    ]
    assert wrong(derivations, tmp_path, wanted=4) == {}


@needs_octave
def test_a_wrong_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    d = diff("sum(sin(x))", check=False)
    assert wrong([d], tmp_path / "right") == {}
    monkeypatch.setitem(matlab._FUNCTIONS, "cos", "sin({x})")
    (problems,) = wrong([d], tmp_path / "wrong").values()
    assert any("derivative: off by" in p for p in problems)


def run(folder: Path, text: str) -> str:
    """What Octave prints."""
    command = [str(OCTAVE), "--no-init-file", "-q", "--eval", text]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    said = [line for line in ran.stderr.splitlines() if "preparing to exit" not in line]
    assert said == []  # but for what some builds of Octave 7 say when they end
    return ran.stdout.strip()


CHECKS = [
    ("f.value('A', ones(3, 2) * 1i, 'x', ones(2, 1), 'b', ones(3, 1))", "A should be real, not complex"),
    ("f.value('A', ones(3, 2), 'x', ones(2, 1))", "the argument b is missing; the arguments are A, x, b"),
    ("f.value('A', ones(3, 2), 'x', ones(2, 1), 'c', 1)", "c is no argument; the arguments are A, x, b"),
    ("f.value(ones(3, 2))", "the arguments are pairs of a name and a value, of A, x, b"),
    ("f.value('A', ones(3, 2), 'x', ones(2, 1), 'b', ones(1, 3))", "b should have the shape (m, 1) = (3, 1), not (1, 3)"),
    ("f.value('A', ones(3, 2), 'x', ones(2, 1), 'b', ones(2, 1))", "b should have the shape (m, 1) = (3, 1), not (2, 1)"),
]  # fmt: skip


@needs_octave
def test_arguments_are_checked(tmp_path: Path) -> None:
    d = diff("norm2(A*x - b)^2", "x", check=False)
    (tmp_path / "residual.m").write_text(emitted(d, "matlab", "residual"))
    for call, message in CHECKS:
        text = f"f = residual(); try; {call}; catch e; disp(e.message); end"
        assert run(tmp_path, text) == message
    whole = "f = residual(); y = f.value('A', int8([1, 2]), 'x', [1; 1], 'b', true); disp([y, isa(y, 'double')])"
    assert run(tmp_path, whole).split() == ["4", "1"]
    single = "f = residual(); y = f.value('A', single([1, 2]), 'x', single([1; 1]), 'b', single(1)); disp(class(y))"
    assert run(tmp_path, single) == "single"


@needs_octave
def test_names_that_matlab_keeps(tmp_path: Path) -> None:
    let = ["i: scalar", "sum: vector(n)", "end: vector(n)"]
    d = diff(
        "i*sum'x + value'x + checked_1'x",
        "x",
        [*let, "value: vector", "checked_1: vector"],
        check=False,
    )
    text = emitted(d, "matlab", "names")
    for name in ("i", "sum", "value"):
        assert f"{name} is {name}_" in text
    (tmp_path / "names.m").write_text(text)
    call = "f = names(); disp(f.derivative('i_', 2, 'sum_', [1; 2], 'x', [1; 1], 'value_', [1; 1], 'checked_1', [0; 1])')"
    assert run(tmp_path, call).split() == ["3", "6"]


def test_the_name_of_the_file() -> None:
    d = diff("x'x", check=False)
    assert emitted(d, "matlab", "gradient").startswith("function f = gradient()")
    assert d.to("matlab").startswith(f"function f = {matlab.NAME}()")
    for name in ("1st", "a-b", "end", "sum"):
        with pytest.raises(UsageError, match="is no name for a MATLAB function"):
            emitted(d, "matlab", name)


def test_every_function_has_code() -> None:
    written_out = {"transpose", "inv", "power", "epow", "hadamard", "tr", "det", "logdet", "sum", "norm2", "normF", "diag",
                   "diagonal", "dg", "vec", "unvec", "kron"}  # fmt: skip
    written_out |= {
        op for op in TABLE if op.partition(":")[0] in ("softmax", "logsoftmax", "logsumexp")
    }
    assert TABLE.keys() - written_out <= matlab._FUNCTIONS.keys()


def test_shapes_of_arrays() -> None:
    assert shaped(2.0).shape == (1, 1)
    assert shaped(np.ones(3)).shape == (3, 1)
    assert shaped(np.ones(3), row=True).shape == (1, 3)
    assert shaped(np.ones((2, 3, 1, 1))).shape == (2, 3)
