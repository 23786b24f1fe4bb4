"""The emitted NumPy code against direct NumPy and SciPy, for every kind of node."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special
import scipy.stats

from matgrad import expr as ex
from matgrad.derive import declarations
from matgrad.emit.numpy import compiled
from matgrad.errors import InternalError
from matgrad.functions import TABLE
from matgrad.shapes import read

SIZES = {"m": 3, "n": 4, "#i": 2, "#j": 3, "q": 3}
LET = declarations(
    [
        "a: scalar", "b: scalar", "x: vector(n)", "y: vector(n)", "z: vector(m)", "u: vector(3)",
        "v: vector(3)", "r: row(n)", "s: row(m)", "A: matrix(n, n)", "B: matrix(n, n)",
        "P: spd(n)", "X: matrix(m, n)", "Y: matrix(m, n)", "C: matrix(n, 1)", "R: matrix(1, n)",
        "k: vector(1)", "h: row(1)", "f: elementwise", "g: vector(m) of vector(n)",
        "H: matrix(m, m) of matrix(n, n)", "q: integer",
    ]
)  # fmt: skip

_rng = np.random.default_rng(7)
_spd = _rng.normal(size=(4, 4))
VALUES: dict[str, Any] = {
    "a": 0.7, "b": 1.3, "q": 3.0,
    "x": _rng.uniform(0.2, 0.8, 4), "y": _rng.uniform(0.2, 0.8, 4), "z": _rng.normal(size=3),
    "u": _rng.normal(size=3), "v": _rng.normal(size=3),
    "r": _rng.normal(size=4), "s": _rng.normal(size=3),
    "A": _rng.normal(size=(4, 4)) + 3 * np.eye(4), "B": _rng.normal(size=(4, 4)),
    "P": _spd @ _spd.T + np.eye(4), "X": _rng.normal(size=(3, 4)), "Y": _rng.normal(size=(3, 4)),
    "C": _rng.normal(size=(4, 1)), "R": _rng.normal(size=(1, 4)),
    "k": _rng.normal(size=1), "h": _rng.normal(size=1),
}  # fmt: skip
FUNCTIONS = {
    "f": lambda t, order: (t**3, 3 * t**2, 6 * t)[order],
    "g": lambda t, shape: np.full(shape, t.sum()).reshape(-1),
    "H": lambda t, shape: np.full(shape, t.sum()),
}


def value(text: str) -> Any:
    """The value of a text by the emitted code."""
    e = read(text, LET).expr
    variables = ex.variables(e)
    (found,) = compiled([e], variables)([VALUES[v.data[0]] for v in variables], SIZES, FUNCTIONS)
    return found


def direct(code: str) -> Any:
    """The value of Python code, in which vectors are columns and rows are rows of two dimensions."""
    names = {
        name: v
        if np.ndim(v) != 1
        else np.reshape(v, (1, -1) if name in ("r", "s", "h") else (-1, 1))
        for name, v in VALUES.items()
    }
    return eval(code, {"np": np, "math": math, "f": lambda t: t**3, **names})


def check(text: str, expected: Any) -> None:
    """The emitted code gives an array of the kind of the node, with these entries."""
    e = read(text, LET).expr
    found = np.asarray(value(text))
    dimensions = {"scalar": 0, "vector": 1, "row": 1, "matrix": 2}[e.shape.kind]
    assert found.ndim == dimensions
    expected = np.asarray(expected, dtype=float)
    if dimensions == 2:
        assert found.shape == expected.shape
    np.testing.assert_allclose(found.reshape(-1), expected.reshape(-1), rtol=1e-11, atol=1e-12)


# --- products of every pair of kinds ----------------------------------------------------------------------------------

PRODUCTS = [
    ("a*b", "a*b"), ("a*x", "a*x"), ("a*r", "a*r"), ("a*X", "a*X"), ("2*a*x/3", "2*a*x/3"),
    ("-x", "-x"), ("-2/3*X", "-2/3*X"), ("r*x", "r@x"), ("x'*y", "x.T@y"), ("x*r", "x@r"),
    ("z*r", "z@r"), ("x*y'", "x@y.T"), ("r*A", "r@A"), ("r*A*x", "r@A@x"), ("A*x", "A@x"),
    ("X*x", "X@x"), ("A*B", "A@B"), ("X*A", "X@A"), ("X*A*x", "X@A@x"), ("s*X", "s@X"),
    ("s*X*A", "s@X@A"), ("x*R", "x@R"), ("z*R", "z@R"), ("z*R*A", "z@R@A"), ("A*x*R", "A@x@R"),
    ("C*r", "C@r"), ("A*C*r", "A@C@r"), ("C*R", "C@R"), ("R*C", "R@C"), ("R*x", "R@x"),
    ("C*k", "C@k"), ("C*k*r", "C@k@r"), ("r*C", "r@C"), ("h*R", "h@R"), ("k*h", "k@h"),
    ("x*h", "x@h"), ("x*R*y", "x@R@y"), ("r*C*R*x", "r@C@R@x"),
    ("x*r*y", "x@r@y"), ("x*y'*A", "x@y.T@A"), ("A*x*r*B", "A@x@r@B"), ("x*r*x*r", "x@r@x@r"),
    ("(r*x)*A", "(r@x)*A"), ("(x'*y)*(r*x)", "(x.T@y)*(r@x)"), ("A*B*A*x", "A@B@A@x"),
    ("a*A*x*b", "a*b*A@x"), ("C*R*C", "C@R@C"), ("z*R*x", "z@R@x"), ("x*R*C", "x@R@C"),
    ("R*A*C", "R@A@C"), ("k*R*A", "k@R@A"), ("R'*h", "R.T@h"), ("C'*x*r", "C.T@x@r"),
]  # fmt: skip


@pytest.mark.parametrize("text, code", PRODUCTS)
def test_products(text: str, code: str) -> None:
    check(text, direct(code))


@pytest.mark.parametrize(
    "text, code",
    [
        ("a + b", "a + b"), ("x + y", "x + y"), ("x - 2*y", "x - 2*y"), ("X + Y", "X + Y"),
        ("x + a", "x + a"), ("X - 1", "X - 1"), ("r - a", "r - a"), ("x'", "x.T"), ("r'", "r.T"),
        ("X'", "X.T"), ("x.*y", "x*y"), ("X.*Y", "X*Y"), ("r.*x'", "r*x.T"), ("x./y", "x/y"),
        ("1./x", "1/x"), ("x.^2", "x**2"), ("x.^a", "x**a"), ("2.^x", "2**x"), ("x.^y", "x**y"),
        ("a^b", "a**b"), ("a^-2", "a**-2"), ("1/3", "1/3"), ("pi", "math.pi"),
        ("A^3", "A@A@A"), ("A^-1", "np.linalg.inv(A)"), ("A^-2", "np.linalg.inv(A@A)"),
        ("A^-T", "np.linalg.inv(A).T"), ("A\\x", "np.linalg.solve(A, x)"),
        ("f(x)", "x**3"), ("f'(x)", "3*x**2"), ("f''(X)", "6*X"), ("f(a)", "a**3"),
        ("g(x)", "np.full(3, x.sum())"), ("H(A)", "np.full((3, 3), A.sum())"),
        ("A:B", "np.trace(A.T@B)"), ("x:y", "(x.T@y)"), ("outer(x, z)", "x@z.T"),
        ("A + I", "A + np.eye(4)"), ("eye(3)", "np.eye(3)"), ("ones(n)", "np.ones(4)"),
        ("ones(n)'", "np.ones(4)"), ("ones(m, n)", "np.ones((3, 4))"), ("zeros(3)", "np.zeros(3)"),
        ("zeros(m, 2)", "np.zeros((3, 2))"), ("vec(X) + 1", "X.T.reshape(-1) + 1"),
        ("ones(2*n + 1)", "np.ones(9)"), ("X + matrix(a)", "X + a"), ("x + vector(b)", "x + b"),
        ("len(x)", "4"), ("rows(X)", "3"), ("cols(X)", "4"), ("sum(x)/n", "x.mean()"),
        ("m*n", "12"),
        # whole numbers
        ("A^q", "A@A@A"), ("A^-q", "np.linalg.inv(A@A@A)"), ("A^(q - 1)", "A@A"), ("A^(2 q)", "np.linalg.matrix_power(A, 6)"),
        ("A^(1 - q)", "np.linalg.inv(A@A)"), ("A^n", "np.linalg.matrix_power(A, 4)"), ("a*q", "3*a"), ("A.^q", "A**3"),
        ("sum(i=1:q, A^i)", "A + A@A + A@A@A"), ("sum(i=0:q-1, A^i)", "np.eye(4) + A + A@A"),
        ("sum(i=0:q-1, A^i*B*A^(q-1-i))", "B@A@A + A@B@A + A@A@B"), ("sum(i=-1:1, a^i)", "1/a + 1 + a"),
        ("sum(i=4:q, x)", "0*x"), ("sum(i=4:q, X)", "0*X"), ("sum(i=4:q, a)", "0"), ("sum(i=q:q+1, x')", "2*x.T"),
        ("sum(i=1:n, sum(j=1:i, x[j]))", "(x[:, 0]*np.array([4, 3, 2, 1])).sum()"),
        ("sum(i=1:n, sum(j=i:n, x[j]))", "(x[:, 0]*np.array([1, 2, 3, 4])).sum()"),
        ("sum(i=1:n, i*e_i'*x)", "(x[:, 0]*np.array([1, 2, 3, 4])).sum()"), ("x[n]", "x[3]"), ("e_n'*x", "x[3]"),
        ("X[m,n]", "X[2, 3]"), ("X + ones", "X + 1"), ("ones - r", "1 - r"), ("zeros.*X", "0*X"),
        ("ones(len(x) + 1)", "np.ones(5)"), ("sum(i=1:len(x)-1, x[i])", "x[:3].sum()"), ("zeros(n - 1)", "np.zeros(3)"),
        # entries
        ("x[2]", "x[1]"), ("r[3]", "r[0, 2]"), ("X[2,3]", "X[1, 2]"), ("X[:,4]", "X[:, 3]"),
        ("X[3,:]", "X[2, :]"), ("x[i]", "x[1]"), ("X[i,j]", "X[1, 2]"), ("X[:,j]", "X[:, 2]"),
        ("X[i,:]", "X[1, :]"), ("(A*x)[1]", "(A@x)[0]"), ("x + e_2", "x + np.eye(4)[:, [1]]"),
        ("e_i'*x", "x[1]"), ("X*e_3", "X[:, 2]"),
        # sums over an index
        ("sum(i=1:n, x[i]^2)", "(x**2).sum()"), ("sum(i=1:3, i)", "6"), ("sum(i=2:4, a^i)", "a**2 + a**3 + a**4"),
        ("sum(i=1:m, sum(j=1:n, X[i,j]*i))", "(X.sum(axis=1)*np.array([1, 2, 3])).sum()"),
        ("sum(i=1:n, A[:,i]*x[i])", "A@x"), ("sum(i=1:n, a*x[i])*sum(x)", "a*x.sum()**2"),
        ("sum(i=1:n, A[:,i]*A[:,i]')", "A@A.T"), ("sum(i=1:m, e_i'*z)", "VALUES") ,
    ],
)  # fmt: skip
def test_other_nodes(text: str, code: str) -> None:
    check(text, VALUES["z"].sum() if code == "VALUES" else direct(code))


STACKS = [
    ("[a; b]", "[[a], [b]]"), ("[a, b]", "[[a, b]]"), ("[a, b; b, a]", "[[a, b], [b, a]]"),
    ("[x; z]", "[[x], [z]]"), ("[x; a; z]", "[[x], [np.array([[a]])], [z]]"),
    ("[r, s]", "[[r, s]]"), ("[a, r]", "[[np.array([[a]]), r]]"), ("[x, y]", "[[x, y]]"),
    ("[r; x']", "[[r], [x.T]]"), ("[A, B]", "[[A, B]]"), ("[A; X]", "[[A], [X]]"),
    ("[A, x]", "[[A, x]]"), ("[A; r]", "[[A], [r]]"), ("[A, x; r, a]", "[[A, x], [r, np.array([[a]])]]"),
    ("[X, z; A, y]", "[[X, z], [A, y]]"), ("[x, C]", "[[x, C]]"), ("[r; R]", "[[r], [R]]"),
    ("[x, x; z, z]", "[[x, x], [z, z]]"), ("[A, eye(n); zeros(n, n), B]", "[[A, np.eye(4)], [np.zeros((4, 4)), B]]"),
]  # fmt: skip


@pytest.mark.parametrize("text, blocks", STACKS)
def test_stacks(text: str, blocks: str) -> None:
    rows = [[np.atleast_2d(block) for block in row] for row in direct(blocks)]
    check(text, np.block(rows))


# --- the function table -----------------------------------------------------------------------------------------------

_phi = scipy.stats.norm.cdf
INDEPENDENT: dict[str, Callable[..., Any]] = {
    "exp": lambda t: math.e**t, "log": lambda t: np.log2(t) / np.log2(math.e),
    "sqrt": lambda t: t**0.5, "sin": lambda t: np.imag(np.exp(1j * t)),
    "cos": lambda t: np.real(np.exp(1j * t)), "tan": lambda t: np.sin(t) / np.cos(t),
    "tanh": lambda t: (np.exp(2 * t) - 1) / (np.exp(2 * t) + 1),
    "abs": lambda t: np.sqrt(t * t), "sign": lambda t: t / np.abs(t),
    "log2": lambda t: np.log(t) / np.log(2), "log10": lambda t: np.log(t) / np.log(10),
    "log1p": lambda t: np.log(1 + t), "expm1": lambda t: np.exp(t) - 1,
    "asin": lambda t: np.arctan2(t, np.sqrt(1 - t * t)),
    "acos": lambda t: np.arctan2(np.sqrt(1 - t * t), t), "atan": lambda t: np.arctan2(t, 1),
    "sinh": lambda t: (np.exp(t) - np.exp(-t)) / 2, "cosh": lambda t: (np.exp(t) + np.exp(-t)) / 2,
    "asinh": lambda t: np.log(t + np.sqrt(t * t + 1)),
    "acosh": lambda t: np.log(t + np.sqrt(t * t - 1)),
    "atanh": lambda t: np.log((1 + t) / (1 - t)) / 2, "relu": lambda t: (t + np.abs(t)) / 2,
    "sigmoid": lambda t: 1 / (1 + np.exp(-t)), "softplus": lambda t: np.log(1 + np.exp(t)),
    "erf": lambda t: 2 * _phi(t * np.sqrt(2)) - 1, "erfc": lambda t: 2 * _phi(-t * np.sqrt(2)),
    "gelu": lambda t: t * _phi(t), "silu": lambda t: t / (1 + np.exp(-t)),
    "elu": lambda t: np.where(t > 0, t, np.exp(t) - 1),
    "gamma": lambda t: np.vectorize(math.gamma)(t), "lgamma": lambda t: np.vectorize(math.lgamma)(t),
    "digamma": lambda t: scipy.special.polygamma(0, t),
    "polygamma": lambda t: scipy.special.zeta(2, t),
    "max:pair": lambda s, t: (s + t + np.abs(s - t)) / 2,
    "min:pair": lambda s, t: (s + t - np.abs(s - t)) / 2,
    "logsumexp": scipy.special.logsumexp, "softmax": scipy.special.softmax,
    "logsoftmax": scipy.special.log_softmax, "prod": lambda t: math.prod(t.tolist()),
    "norm1": lambda t: abs(t).sum(), "norminf": lambda t: max(abs(t).flat),
    "max": lambda t: max(t.flat), "min": lambda t: min(t.flat),
    "mean": lambda t: t.sum() / t.size, "sum": lambda t: math.fsum(t.flat),
    "cumsum": lambda t: np.tri(len(t)) @ t,
    "cross": lambda s, t: [s[1]*t[2] - s[2]*t[1], s[2]*t[0] - s[0]*t[2], s[0]*t[1] - s[1]*t[0]],
    "rowsum": lambda t: t @ np.ones(t.shape[1]), "colsum": lambda t: np.ones(t.shape[0]) @ t,
    "softmax:1": lambda t: scipy.special.softmax(t, axis=0),
    "softmax:2": lambda t: scipy.special.softmax(t, axis=1),
    "logsoftmax:1": lambda t: scipy.special.log_softmax(t, axis=0),
    "logsoftmax:2": lambda t: scipy.special.log_softmax(t, axis=1),
    "logsumexp:1": lambda t: scipy.special.logsumexp(t, axis=0),
    "logsumexp:2": lambda t: scipy.special.logsumexp(t, axis=1),
    "cumsum:1": lambda t: np.tri(len(t)) @ t, "cumsum:2": lambda t: t @ np.tri(t.shape[1]).T,
    "prod:1": lambda t: [math.prod(c) for c in t.T], "prod:2": lambda t: [math.prod(c) for c in t],
    "mean:1": lambda t: t.sum(axis=0) / len(t), "mean:2": lambda t: t.sum(axis=1) / t.shape[1],
    "max:1": lambda t: [max(c) for c in t.T], "max:2": lambda t: [max(c) for c in t],
    "min:1": lambda t: [min(c) for c in t.T], "min:2": lambda t: [min(c) for c in t],
    "transpose": lambda t: np.swapaxes(t, 0, 1), "inv": lambda t: np.linalg.solve(t, np.eye(len(t))),
    "tr": lambda t: sum(t[i, i] for i in range(len(t))),
    "det": lambda t: math.prod(np.linalg.eigvals(t)).real,
    "logdet": lambda t: np.log(np.linalg.det(t)),
    "norm2": lambda t: math.hypot(*t), "normF": lambda t: math.hypot(*t.flat),
    "diag": lambda t: np.eye(len(t)) * t, "diagonal": lambda t: [t[i, i] for i in range(len(t))],
    "nucnorm": lambda t: scipy.linalg.svdvals(t).sum(), "specnorm": lambda t: scipy.linalg.svdvals(t)[0],
    "eigmax": lambda t: max(np.linalg.eigvals(t).real), "eigmin": lambda t: min(np.linalg.eigvals(t).real),
    "pinv": lambda t: t.T @ np.linalg.inv(t @ t.T),
    "adj": lambda t: [[(-1)**(i + j)*np.linalg.det(np.delete(np.delete(t, j, 0), i, 1))
                       for j in range(len(t))] for i in range(len(t))],
    "expm": lambda t: sum((np.linalg.matrix_power(t, k) / math.factorial(k) for k in range(80)), 0 * t),
    "logm": lambda t: _spectral(t, np.log), "sqrtm": lambda t: _spectral(t, np.sqrt),
    "sinm": lambda t: np.imag(scipy.linalg.expm(1j * t)), "cosm": lambda t: np.real(scipy.linalg.expm(1j * t)),
    "chol": lambda t: scipy.linalg.cholesky(t, lower=True), "dg": lambda t: t * np.eye(len(t)),
    "tril": lambda t: t * np.tri(len(t)), "triu": lambda t: t * np.tri(len(t)).T,
    "vec": lambda t: t.flatten(order="F"),
    "vech": lambda t: np.concatenate([t[i:, i] for i in range(len(t))]),
    "kron": lambda s, t: np.block([[entry * t for entry in row] for row in s]),
    "unvec": lambda t, m, n: t.reshape((int(m), int(n)), order="F"),
    "indmax": lambda t: t == t.max(), "indmax:1": lambda t: t == t.max(axis=0),
    "indmax:2": lambda t: t == t.max(axis=1, keepdims=True),
    "dexpm": lambda t, e: scipy.linalg.expm_frechet(t, e, compute_expm=False),
    "dsinm": lambda t, e: scipy.linalg.expm_frechet(1j * t, 1j * e, compute_expm=False).imag,
    "dcosm": lambda t, e: scipy.linalg.expm_frechet(1j * t, 1j * e, compute_expm=False).real,
    "dlogm": lambda t, e: _divided_differences(t, e, np.log, lambda s: 1 / s),
    "sylvester": lambda a, b, c: np.linalg.solve(
        np.kron(np.eye(len(b)), a) + np.kron(b.T, np.eye(len(a))), c.flatten(order="F")
    ).reshape(c.shape, order="F"),
    "polar": lambda t: np.linalg.inv(_spectral(t @ t.T, np.sqrt)) @ t,
    "eigvecmax": lambda t: _by_powers(t), "eigvecmin": lambda t: _by_powers(np.linalg.inv(t)),
    "lsv": lambda t: _by_powers(t @ t.T),
    "rsv": lambda t: t.T @ _by_powers(t @ t.T) / np.linalg.norm(t.T @ _by_powers(t @ t.T)),
}  # fmt: skip


def _spectral(t: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    values, vectors = np.linalg.eigh(t)
    return (vectors * function(values)) @ vectors.T


def _divided_differences(t: Any, e: Any, function: Any, slope: Any) -> np.ndarray:
    """The derivative of a function of a symmetric matrix in a direction (Daleckii and Krein)."""
    values, vectors = np.linalg.eigh(t)
    ratios = [
        [slope(a) if a == b else (function(a) - function(b)) / (a - b) for b in values]
        for a in values
    ]
    return vectors @ (np.array(ratios) * (vectors.T @ e @ vectors)) @ vectors.T


def _by_powers(t: np.ndarray) -> np.ndarray:
    """The eigenvector of the largest eigenvalue, by repeated squaring."""
    for _ in range(20):
        t = t @ t / np.linalg.norm(t)
    column = t[:, np.argmax(np.abs(np.diag(t)))]
    return column / np.linalg.norm(column) * np.sign(column[np.argmax(np.abs(column))])


# Arguments of a function; without a word, those that its signature asks for.
ARGUMENTS = {
    "polygamma": "1, x",
    "max:pair": "x, y",
    "min:pair": "x, y",
    "acosh": "1 + x",
    "cross": "u, v",
    "kron": "X, A",
    "unvec": "vec(X), m, n",
    "sylvester": "X*X', A, X",
}
ARGUMENTS |= dict.fromkeys(
    [
        "transpose",
        "normF",
        "rowsum",
        "colsum",
        "nucnorm",
        "specnorm",
        "pinv",
        "vec",
        "polar",
        "lsv",
        "rsv",
    ],
    "X",
)
ARGUMENTS |= dict.fromkeys(["dexpm", "dsinm", "dcosm"], "A, B")
ARGUMENTS |= dict.fromkeys(["dlogm"], "P, B")
ARGUMENTS |= dict.fromkeys(
    ["inv", "tr", "det", "diagonal", "adj", "expm", "sinm", "cosm", "dg", "tril", "triu", "vech"],
    "A",
)
ARGUMENTS |= dict.fromkeys(
    ["logdet", "eigmax", "eigmin", "eigvecmax", "eigvecmin", "logm", "sqrtm", "chol"], "P"
)


def test_every_function_has_a_formula() -> None:
    assert TABLE.keys() - INDEPENDENT.keys() == {"matpow", "power", "epow", "hadamard"}


@pytest.mark.parametrize("op", INDEPENDENT)
def test_functions(op: str) -> None:
    name, _, way = op.partition(":")
    shown = ARGUMENTS.get(op, "X" if way in ("1", "2") else "x")
    call = f"{TABLE[op].names[0] if TABLE[op].names else name}({shown}{f', {way}' if way in ('1', '2') else ''})"
    given = [np.asarray(value(t)) for t in shown.split(", ") if t != "1"]
    found = np.asarray(value(call))
    expected = np.asarray(INDEPENDENT[op](*given))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("op", ["exp", "tanh", "abs", "relu", "elu", "silu", "erf", "softplus"])
def test_functions_of_the_entries_of_every_kind(op: str) -> None:
    for argument in ("a", "-a", "r", "z", "X", "-X"):
        given = np.asarray(value(argument))
        found = np.asarray(value(f"{op}({argument})"))
        assert found.shape == given.shape
        np.testing.assert_allclose(found, INDEPENDENT[op](given), rtol=1e-10, atol=1e-12)


def test_what_has_no_code() -> None:
    x = ex.var("x", ex.vector_shape("n"))
    with pytest.raises(InternalError, match="no code for"):
        compiled([ex.diff(x)], [x])


def test_no_inputs() -> None:
    (found,) = compiled([read("2*pi", LET).expr], [])([], {}, {})
    assert found == 2 * math.pi


def test_one_expression_is_computed_once() -> None:
    e = read("sum(exp(x)) + sum(exp(x).*x)", LET).expr
    calls: list[float] = []

    class Counted(np.ndarray):
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
            if ufunc is np.exp:
                calls.append(1)
            plain = [np.asarray(i) for i in inputs]
            return getattr(ufunc, method)(*plain, **options)

    compiled([e], ex.variables(e))([VALUES["x"].view(Counted)], SIZES, {})
    assert len(calls) == 1
