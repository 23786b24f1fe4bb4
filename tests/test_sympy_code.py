"""`--to sympy`: the code that is printed, run, and evaluated at numbers, has the value of the answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import matgrad
from matgrad import expr as ex
from matgrad.emit.numpy import compiled
from matgrad.emit.sympy import python_name
from matgrad.errors import Unsupported

SIZES = {"m": 3, "n": 2, "p": 4}

CASES = [
    ("norm2(A*x - b)^2", "x", []),
    ("x'A x + c*sum(x)", "x", ["x: vector(n)"]),
    ("ln det(S)", "S", ["S: matrix(n, n)"]),
    ("tr(A*X^-1*B)", "X", []),
    ("norm(X - A)", "X", ["X: matrix(m, n)"]),
    ("sum(exp(A*x).^2)", "x", []),
    ("norm2(x)", "x", ["x: vector(n)"]),
    ("tr(X^3)", "X", []),
    ("c^3*sin(c)/(1 + λ)", "c", []),
    ("sum(sigmoid(A*x))", "x", []),
    ("a'x + x[2]", "x", ["x: vector(n)", "a: vector(n)"]),
    ("A*x", "x", ["A: matrix(m, n)"]),
    ("diag(x)*a", "x", ["x: vector(n)", "a: vector(n)"]),
    ("sum(f(x))", "x", ["f(t) = t^2*exp(-t)", "x: vector(n)"]),
    ("A*X*B", "X", ["A: matrix(p, m)", "X: matrix(m, n)", "B: matrix(n, m)"]),
    ("X[i,j]^2", "X", ["X: matrix(m, n)"]),
    ("sum(x.*y)", "x", ["x: vector(n)", "y: vector(n)"]),
    ("2*π*c + e_1'*x", "c", ["x: vector(n)"]),
]


@pytest.mark.parametrize("text, wrt, let", CASES)
def test_the_code_has_the_value_of_the_answer(text: str, wrt: str, let: list[str]) -> None:
    import sympy

    d = matgrad.diff(text, wrt, let)
    space: dict[str, Any] = {}
    exec(compile(d.to("sympy"), "<sympy>", "exec"), space)
    variables = ex.variables(d.derivative)
    names = [str(a) for e in ex.postorder(d.derivative) for a in e.shape[1:] if isinstance(a, str)]
    sizes = {name: SIZES.get(name, 2) for name in dict.fromkeys(names)} | {"#i": 2, "#j": 1}
    rng = np.random.default_rng(2)
    numbers: dict[Any, Any] = {
        sympy.Symbol(k, integer=True, positive=True): v for k, v in sizes.items() if k[0] != "#"
    }
    numbers |= {sympy.Symbol(k, integer=True, positive=True): sizes["#" + k] for k in "ij"}
    values = []
    found = space["derivative"]
    arrays = {}
    for v in variables:
        rows, cols = (sizes.get(str(x), x) for x in v.shape[1:])
        value = rng.uniform(0.5, 1.5, size=(rows, cols)) + np.eye(rows, cols)
        values.append(
            value.reshape(-1)
            if v.shape.kind == ex.VECTOR
            else value
            if v.shape.kind == ex.MATRIX
            else value[0, 0]
        )
        arrays[space[python_name(v.data[0])]] = value
    found = sympy.sympify(found).subs(numbers)
    for symbol, value in arrays.items():
        there = symbol.subs(numbers) if hasattr(symbol, "shape") else symbol
        found = found.subs(there, sympy.Matrix(value) if hasattr(symbol, "shape") else value[0, 0])
    result = found.doit()
    result = result.as_explicit() if hasattr(result, "as_explicit") else result
    result = np.array(
        sympy.N(result).tolist() if hasattr(result, "tolist") else float(sympy.N(result)),
        dtype=float,
    )
    (expected,) = compiled([d.derivative], variables)(values, sizes, {})
    assert np.allclose(result.reshape(np.shape(expected)), expected)


def test_several_variables_and_names_that_python_keeps() -> None:
    code = matgrad.diff("λ*x'y", ["x", "λ"], ["x: vector(n)"]).to("sympy")
    assert 'lambda_ = sp.Symbol("λ", real=True)\n' in code
    assert "derivative_x = " in code
    assert "derivative_lambda_ = " in code


def test_unknown_functions() -> None:
    code = matgrad.diff("f(c)^2", "c", ["f: elementwise"]).to("sympy")
    assert 'f = sp.Function("f")\n' in code
    space: dict[str, Any] = {}
    exec(code, space)
    assert "Subs(Derivative(f(_t), _t), _t, c)" in str(space["derivative"])


@pytest.mark.parametrize(
    "text, let", [("g(x)", ["g: scalar of vector(n)"]), ("sum(cumsum(x).^3)", [])]
)
def test_what_has_no_counterpart_is_refused(text: str, let: list[str]) -> None:
    with pytest.raises(Unsupported, match="is not written as SymPy code"):
        matgrad.diff(text, "x", let).to("sympy")
