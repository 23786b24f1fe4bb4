"""What an expression means, said a second time: with JAX, and without a look at `matgrad.emit.numpy`.

Every value is an array of two axes: a scalar is 1 x 1, a vector n x 1, a row 1 x n. So a product is a product of matrices,
and nothing here has to know which kind stands where. `jacobian` is JAX's derivative of that meaning, vec(Y) by vec(X)',
vec stacking columns.

JAX traces a derivative quickly but takes some 30 ms to compile each operation for each shape. Therefore the traced program
(a jaxpr) is carried out with NumPy, operation by operation (`run`), and only what has no counterpart there is left to JAX.
"""

from __future__ import annotations

import inspect
import itertools
import math
import string
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jax
    import jax.numpy as jnp
    import jax.scipy.special as jsp

from matgrad import expr as ex
from matgrad.dims import dim_value
from matgrad.expr import Expr
from matgrad.verify import SmoothFunction, SmoothMap

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

Value = Any  # an array of two axes, of NumPy or JAX


class NotInJax(Exception):
    """An operation that has no meaning here (yet); central differences must do."""


# --- functions that JAX cannot differentiate, made of those that it can -----------------------------------------------


def _expm(X: Value) -> Value:
    """The power series of X/2^6, squared six times."""
    small = X / 2.0**6
    eye = jnp.eye(X.shape[0])
    total = eye
    for k in range(18, 0, -1):
        total = eye + small @ total / k
    for _ in range(6):
        total = total @ total
    return total


def _expm_derivative(X: Value, E: Value) -> Value:
    return jax.jvp(_expm, (X,), (E,))[1]


def _sylvester(A: Value, B: Value, C: Value) -> Value:
    """The X of A X + X B = C."""
    m, n = C.shape
    system = jnp.kron(jnp.eye(n), A) + jnp.kron(B.T, jnp.eye(m))
    return jnp.linalg.solve(system, C.T.reshape(m * n, 1)).reshape(n, m).T


@jax.custom_jvp
def _sqrtm(X: Value) -> Value:
    """The principal square root, by the iteration of Denman and Beavers."""
    root, inverse = X, jnp.eye(X.shape[0])
    for _ in range(24):
        root, inverse = (
            (root + jnp.linalg.inv(inverse)) / 2,
            (inverse + jnp.linalg.inv(root)) / 2,
        )
    return root


@_sqrtm.defjvp
def _sqrtm_jvp(primals: Any, tangents: Any) -> Any:
    root = _sqrtm(primals[0])
    return root, _sylvester(root, root, tangents[0])


def _logm(X: Value) -> Value:
    """8 log(X^(1/8)); log(Y) is the integral of (Y - I)(I + t (Y - I))^-1 for t from 0 to 1 (Gauss and Legendre)."""
    eye = jnp.eye(X.shape[0])
    change = _sqrtm(_sqrtm(_sqrtm(X))) - eye
    nodes, weights = np.polynomial.legendre.leggauss(24)
    below = jnp.linalg.inv(eye + ((nodes + 1) / 2)[:, None, None] * change)
    return 8 * change @ jnp.sum(weights[:, None, None] / 2 * below, axis=0)


def _sin_and_cos(X: Value) -> tuple[Value, Value]:
    """The exponential of [0, X; -X, 0] is [cos X, sin X; -sin X, cos X]."""
    n = X.shape[0]
    zero = jnp.zeros((n, n))
    both = _expm(jnp.block([[zero, X], [-X, zero]]))
    return both[:n, n:], both[:n, :n]


def _adjugate(X: Value) -> Value:
    n = X.shape[0]
    if n == 1:
        return jnp.ones((1, 1))
    without = [np.delete(np.eye(n), i, axis=0) for i in range(n)]
    minors = jnp.stack([without[j] @ X @ without[i].T for i in range(n) for j in range(n)])
    signs = np.array([[(-1.0) ** (i + j) for j in range(n)] for i in range(n)])
    return signs * jnp.linalg.det(minors).reshape(n, n)


def _polar(X: Value) -> Value:
    left, s, right = jnp.linalg.svd(X, full_matrices=False)
    return (left * (s > 1e-11 * s[0])) @ right


def _eigenvector(X: Value, which: int) -> Value:
    """A unit eigenvector of a symmetric matrix, its largest entry by absolute value positive."""
    v = jnp.linalg.eigh(X)[1][:, which:] if which < 0 else jnp.linalg.eigh(X)[1][:, :1]
    first = _first_largest(jnp.abs(v), 0)
    return v * jnp.sign(jnp.sum(first * v))


def _right_singular(X: Value) -> Value:
    right = X.T @ _eigenvector(X @ X.T, -1)
    return right / jnp.sqrt(jnp.sum(right * right))


def _first_largest(X: Value, axis: int) -> Value:
    """1 at the first largest entry of each line, 0 elsewhere."""
    largest = 1.0 * (jnp.max(X, axis=axis, keepdims=True) == X)
    count = _running(X.shape[axis])
    before = count @ largest if axis == 0 else largest @ count.T
    return largest * (before == 1)


def _share(X: Value, axis: int) -> Value:
    """1 at the largest entry of each line, 0 elsewhere; several largest share it equally."""
    largest = 1.0 * (jnp.max(X, axis=axis, keepdims=True) == X)
    return largest / jnp.sum(largest, axis=axis, keepdims=True)


def _spectral_norm(X: Value) -> Value:
    gram = X.T @ X if X.shape[0] >= X.shape[1] else X @ X.T
    return jnp.sqrt(jnp.linalg.eigvalsh(gram)[-1])


# --- functions, by the names of the table -----------------------------------------------------------------------------


def _scalar(x: Value) -> Value:
    return jnp.reshape(x, (1, 1))


def _vec(X: Value) -> Value:
    return X.T.reshape(-1, 1)


def _vech(X: Value) -> Value:
    n = X.shape[0]
    kept = [j * n + i for j in range(n) for i in range(j, n)]
    return np.eye(n * n)[kept] @ _vec(X)


def _softmax(X: Value, axis: int) -> Value:
    powers = jnp.exp(X - jnp.max(X, axis=axis, keepdims=True))
    return powers / jnp.sum(powers, axis=axis, keepdims=True)


def _logsumexp(X: Value, axis: int | None = None) -> Value:
    top = jax.lax.stop_gradient(jnp.max(X, axis=axis, keepdims=True))
    return top + jnp.log(jnp.sum(jnp.exp(X - top), axis=axis, keepdims=True))


def _running(n: int) -> Value:
    return np.tril(np.ones((n, n)))


def _product(X: Value, axis: int) -> Value:
    count = X.shape[axis]
    parts = [X[i : i + 1, :] if axis == 0 else X[:, i : i + 1] for i in range(count)]
    total = parts[0]
    for part in parts[1:]:
        total = total * part
    return total


def _power(x: Value, y: Value) -> Value:
    return jnp.power(x, y)


def _whole_power(x: Value, k: int) -> Value:
    return jax.lax.integer_pow(x, k) if k else jnp.ones_like(x)


def _matrix_power(X: Value, k: int) -> Value:
    base = X if k >= 0 else jnp.linalg.inv(X)
    total = jnp.eye(X.shape[0])
    for _ in range(abs(k)):
        total = total @ base
    return total


def _cross(x: Value, y: Value) -> Value:
    a, b, c = (x[i : i + 1] for i in range(3))
    return (
        jnp.concatenate(
            [
                jnp.concatenate([0 * a, -c, b], 1),
                jnp.concatenate([c, 0 * a, -a], 1),
                jnp.concatenate([-b, a, 0 * a], 1),
            ]
        )
        @ y
    )


def _polygamma(k: Value, x: Value) -> Value:
    order = int(np.asarray(k)[0, 0])
    return jsp.digamma(x) if order == 0 else jsp.polygamma(order, x)


def _gamma(x: Value) -> Value:
    return jnp.where(x > 0, jnp.exp(jsp.gammaln(x)), jnp.nan)  # of positive numbers


def _unvec(a: Value, rows: int, cols: int) -> Value:
    return a.reshape(cols, rows).T


Meaning = Callable[..., Value]

MEANINGS: dict[str, Meaning] = {
    # operators
    "transpose": lambda X: X.T,
    "inv": jnp.linalg.inv,
    "hadamard": lambda *factors: math.prod(factors[1:], start=factors[0]),
    "kron": jnp.kron,
    # a number made of an array
    "tr": lambda X: _scalar(jnp.sum(X * np.eye(X.shape[0]))),
    "det": lambda X: _scalar(jnp.linalg.det(X)),
    "logdet": lambda X: _scalar(jnp.linalg.slogdet(X)[1]),
    "sum": lambda X: _scalar(jnp.sum(X)),
    "mean": lambda X: _scalar(jnp.sum(X) / X.size),
    "norm2": lambda x: _scalar(jnp.sqrt(jnp.sum(x * x))),
    "normF": lambda X: _scalar(jnp.sqrt(jnp.sum(X * X))),
    "norm1": lambda x: _scalar(jnp.sum(jnp.abs(x))),
    "norminf": lambda x: _scalar(jnp.max(jnp.abs(x))),
    "nucnorm": lambda X: _scalar(jnp.sum(jnp.linalg.svd(X, compute_uv=False))),
    "specnorm": lambda X: _scalar(_spectral_norm(X)),
    "eigmax": lambda X: _scalar(jnp.linalg.eigvalsh(X)[-1]),
    "eigmin": lambda X: _scalar(jnp.linalg.eigvalsh(X)[0]),
    "max": lambda x: _scalar(jnp.max(x)),
    "min": lambda x: _scalar(jnp.min(x)),
    "logsumexp": _logsumexp,
    "prod": lambda x: _product(x, 0),
    # an array made of an array
    "diag": lambda x: x * np.eye(x.shape[0]),
    "diagonal": lambda X: (X * np.eye(X.shape[0])) @ np.ones((X.shape[0], 1)),
    "dg": lambda X: X * np.eye(X.shape[0]),
    "vec": _vec,
    "vech": _vech,
    "tril": lambda X: X * np.tril(np.ones(X.shape)),
    "triu": lambda X: X * np.triu(np.ones(X.shape)),
    "softmax": lambda x: _softmax(x, 0),
    "logsoftmax": lambda x: x - _logsumexp(x, 0),
    "cumsum": lambda x: _running(x.shape[0]) @ x,
    "rowsum": lambda X: X @ np.ones((X.shape[1], 1)),
    "colsum": lambda X: np.ones((1, X.shape[0])) @ X,
    "cross": _cross,
    # functions of matrices
    "pinv": jnp.linalg.pinv,
    "adj": _adjugate,
    "expm": _expm,
    "dexpm": _expm_derivative,
    "logm": _logm,
    "dlogm": lambda X, E: jax.jvp(_logm, (X,), (E,))[1],
    "dsinm": lambda X, E: jax.jvp(_sin_and_cos, (X,), (E,))[1][0],
    "dcosm": lambda X, E: jax.jvp(_sin_and_cos, (X,), (E,))[1][1],
    "sqrtm": _sqrtm,
    "sylvester": _sylvester,
    "sinm": lambda X: _sin_and_cos(X)[0],
    "cosm": lambda X: _sin_and_cos(X)[1],
    "chol": jnp.linalg.cholesky,
    "polar": _polar,
    "eigvecmax": lambda X: _eigenvector(X, -1),
    "eigvecmin": lambda X: _eigenvector(X, 0),
    "lsv": lambda X: _eigenvector(X @ X.T, -1),
    "rsv": _right_singular,
    "indmax": lambda x: _share(x.reshape(1, -1), 1).reshape(x.shape),
    # entry by entry
    "exp": jnp.exp,
    "log": jnp.log,
    "sqrt": jnp.sqrt,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "tanh": jnp.tanh,
    "asinh": lambda x: jnp.log(x + jnp.sqrt(x * x + 1)),
    "acosh": lambda x: jnp.log(x + jnp.sqrt(x * x - 1)),
    "atanh": lambda x: (jnp.log(1 + x) - jnp.log(1 - x)) / 2,
    "abs": jnp.abs,
    "sign": jnp.sign,
    "log2": lambda x: jnp.log(x) / math.log(2),
    "log10": lambda x: jnp.log(x) / math.log(10),
    "log1p": jnp.log1p,
    "expm1": jnp.expm1,
    "relu": lambda x: jnp.where(x > 0, x, 0.0),
    "sigmoid": lambda x: (1 + jnp.tanh(x / 2)) / 2,
    "softplus": lambda x: jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x))),
    "erf": jsp.erf,
    "erfc": jsp.erfc,
    "gelu": lambda x: x * (1 + jsp.erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x * (1 + jnp.tanh(x / 2)) / 2,
    "elu": lambda x: jnp.where(x > 0, x, jnp.expm1(jnp.where(x > 0, 0.0, x))),
    "gamma": _gamma,
    "lgamma": jsp.gammaln,
    "digamma": jsp.digamma,
    "polygamma": _polygamma,
    "max:pair": jnp.maximum,
    "min:pair": jnp.minimum,
}

# Along the columns (1) or the rows (2) of a matrix: the axis is 0 or 1.
DIRECTED: dict[str, Callable[[Value, int], Value]] = {
    "softmax": _softmax,
    "logsoftmax": lambda X, axis: X - _logsumexp(X, axis),
    "logsumexp": _logsumexp,
    "cumsum": lambda X, axis: _running(X.shape[0]) @ X if axis == 0 else X @ _running(X.shape[1]).T,
    "prod": _product,
    "mean": lambda X, axis: jnp.sum(X, axis=axis, keepdims=True) / X.shape[axis],
    "indmax": lambda X, axis: _share(X, axis),
    "max": lambda X, axis: jnp.max(X, axis=axis, keepdims=True),
    "min": lambda X, axis: jnp.min(X, axis=axis, keepdims=True),
}


# --- expressions ------------------------------------------------------------------------------------------------------

Indices = Mapping[str, int]


def evaluate(
    root: Expr,
    values: Mapping[Expr, Value],
    sizes: Mapping[str, int],
    indices: Indices | None = None,
) -> Value:
    """The value of an expression at values (of two axes) of its variables; `sizes` as in `matgrad.verify`."""
    known: dict[Expr, Value] = dict(values)
    indices = indices or {}
    todo: list[tuple[Expr, bool]] = [(root, False)]
    while todo:
        node, ready = todo.pop()
        if node in known:
            continue
        if node.kind == ex.SUM:
            name, first, last = node.data
            places = range(dim_value(first, dict(sizes)), dim_value(last, dict(sizes)) + 1)
            total: Value = jnp.zeros(_size(node, sizes))
            for place in places:
                inner = evaluate(node.args[0], values, sizes, {**indices, name: place})
                total = total + inner
            known[node] = total
        elif ready or not node.args:
            known[node] = _value(node, [known[a] for a in node.args], sizes, indices)
        else:
            todo.append((node, True))
            todo.extend((a, False) for a in node.args)
    return known[root]


def _size(e: Expr, sizes: Mapping[str, int]) -> tuple[int, int]:
    return dim_value(e.shape.rows, sizes), dim_value(e.shape.cols, sizes)


def _value(e: Expr, args: list[Value], sizes: Mapping[str, int], indices: Indices) -> Value:
    if e.kind == ex.NUM:
        return np.full((1, 1), float(e.data))
    if e.kind == ex.CONST:
        return _constant(e, sizes, indices)
    if e.kind == ex.ADD:
        return sum(args[1:], start=args[0])
    if e.kind == ex.MUL:
        count = e.data[1]
        total: Value = np.full((1, 1), float(e.data[0]))
        for factor in args[:count]:
            total = total * factor
        if args[count:]:
            chain = args[count]
            for factor in args[count + 1 :]:
                chain = chain @ factor
            total = total * chain
        return total
    if e.kind == ex.STACK:
        rows = [jnp.concatenate(args[i : i + e.data], axis=1) for i in range(0, len(args), e.data)]
        return jnp.concatenate(rows, axis=0)
    if e.kind == ex.INDEX:
        return _entry(e, args[0], sizes, indices)
    if e.kind == ex.CALL:
        return _called(e, args, sizes)
    raise NotInJax(e.kind)


def _place(at: int | str, sizes: Mapping[str, int], indices: Indices) -> int:
    """An index, counted from 0."""
    if isinstance(at, int):
        return at - 1
    return (indices[at] if at in indices else sizes["#" + at]) - 1


def _entry(e: Expr, x: Value, sizes: Mapping[str, int], indices: Indices) -> Value:
    places = [slice(None) if at is None else _place(at, sizes, indices) for at in e.data]
    if len(places) == 1:
        places = [0, places[0]] if e.args[0].shape.kind == ex.ROW else [places[0], 0]
    kept = [p if isinstance(p, slice) else slice(p, p + 1) for p in places]
    if any(isinstance(p, int) and p >= n for p, n in zip(places, x.shape, strict=True)):
        raise IndexError
    return x[kept[0], kept[1]]


def _constant(e: Expr, sizes: Mapping[str, int], indices: Indices) -> Value:
    rows, cols = _size(e, sizes)
    if e.op == "eye":
        return np.eye(rows)
    if e.op == "ones":
        return np.ones((rows, cols))
    if e.op == "zeros":
        return np.zeros((rows, cols))
    if e.op == "basis":
        value = np.zeros((rows, 1))
        value[_place(e.data[1], sizes, indices), 0] = 1.0
        return value
    if e.op == "pi":
        return np.full((1, 1), math.pi)
    if e.op == "size":
        return np.full((1, 1), float(dim_value(e.data[1], sizes)))
    if e.op == "index":
        return np.full((1, 1), float(_place(e.data[1], sizes, indices) + 1))
    if e.op in LINEAR:
        return LINEAR[e.op](*(dim_value(d, dict(sizes)) for d in e.data[1:]))
    raise NotInJax(e.op)


def _arrangement(rows: int, cols: int, arranged: Callable[[Value], Value]) -> Value:
    """The matrix of a linear operation on arrays of this size: K vec(X) = vec(arranged(X))."""
    units = np.eye(rows * cols).reshape(rows * cols, cols, rows)
    return np.stack([np.asarray(arranged(u.T)).T.reshape(-1) for u in units], axis=1)


def _duplication(n: int) -> Value:
    places = [(i, j) for j in range(n) for i in range(j, n)]
    symmetric = np.zeros((n, n, len(places)))
    for k, (i, j) in enumerate(places):
        symmetric[i, j, k] = symmetric[j, i, k] = 1.0
    return symmetric.reshape(n * n, -1)


def _elimination(n: int) -> Value:
    return np.eye(n * n)[[j * n + i for j in range(n) for i in range(j, n)]]


LINEAR: dict[str, Callable[..., Value]] = {
    "commutation": lambda m, n: _arrangement(m, n, lambda X: X.T),
    "duplication": _duplication,
    "elimination": _elimination,
}


def _called(e: Expr, args: list[Value], sizes: Mapping[str, int]) -> Value:
    op = e.op
    if op in ("power", "epow"):
        k = ex.integer(e.args[1])
        return _power(*args) if k is None else _whole_power(args[0], k)
    if op == "matpow":
        return _matrix_power(args[0], round(float(np.asarray(args[1])[0, 0])))
    if op == "apply":
        return _smooth(SmoothFunction(e.data[1]), e.data[2], args[0])
    if op == "map":
        return _smooth_map(e, args[0], sizes)
    name, _, way = op.partition(":")
    if way in ("1", "2") and name in DIRECTED:
        return DIRECTED[name](args[0], int(way) - 1)
    if op == "unvec":
        return _unvec(args[0], *_size(e, sizes))
    if op not in MEANINGS:
        raise NotInJax(op)
    return MEANINGS[op](*args)


def _smooth(f: SmoothFunction, order: int, t: Value) -> Value:
    """What stands for an unknown function: sin(a t + b) + c t^2, and its derivatives."""
    wave = f.a**order * jnp.sin(f.a * t + f.b + order * math.pi / 2)
    square = [f.c * t * t, 2 * f.c * t, 2 * f.c + 0 * t]
    return wave + square[order] if order < 3 else wave


def _smooth_map(e: Expr, x: Value, sizes: Mapping[str, int]) -> Value:
    """What stands for an unknown function of a whole array."""
    if e.data[2:] not in ((), ("",)):
        raise NotInJax("a derivative of an unknown function")
    rows, cols = _size(e, sizes)
    f = SmoothMap(e.data[1])
    count = rows * cols
    weights = np.random.default_rng(f.seed).normal(size=(count, x.size)) / math.sqrt(x.size)
    if "order" in inspect.signature(f.__call__).parameters:
        flat = jnp.sin(weights @ _vec(x) + np.linspace(0.3, 1.1, count)[:, None])
        return flat.reshape(cols, rows).T
    return jnp.sin(weights @ x.reshape(-1, 1) + 0.3).reshape(rows, cols)


def two_axes(e: Expr, value: Any) -> Any:
    """The value of e as NumPy code has it (scalars without axes, vectors with one) as an array of two axes."""
    array = np.asarray(value, dtype=float)
    if e.shape.kind == ex.VECTOR:
        return array.reshape(-1, 1)
    return array.reshape(1, -1) if e.shape.kind in (ex.ROW, ex.SCALAR) else array


# --- derivatives ------------------------------------------------------------------------------------------------------


class Meant:
    """The meaning of y as a function of one variable, the others being fixed: its value and its derivatives.

    `project` (a matrix, or None) restricts changes of the variable to a subspace: derivatives are along it.
    """

    def __init__(
        self,
        y: Expr,
        wrt: Expr,
        values: Mapping[Expr, Any],
        sizes: Mapping[str, int],
        project: Any = None,
    ) -> None:
        self.shape = _size(wrt, sizes)
        self.at = np.asarray(two_axes(wrt, values[wrt]).T.reshape(-1))
        fixed = {v: two_axes(v, value) for v, value in values.items() if v is not wrt}

        def flat(x: Value) -> Value:
            """vec(X) -> vec(Y)."""
            X = x.reshape(self.shape[1], self.shape[0]).T
            Y = evaluate(y, {**fixed, wrt: X}, sizes)
            return jnp.asarray(Y).T.reshape(-1)

        def first(x: Value) -> Value:
            """vec of the derivative, itself an array of shape(Y) and shape(X)."""
            J = jax.jacobian(flat)(x)
            return (J if project is None else J @ project).T.reshape(-1)

        self._project = project
        self._flat, self._first = flat, first

    def value(self, at: Any = None) -> Any:
        """vec(Y)."""
        return traced(self._flat, self.at if at is None else at)

    def jacobian(self, order: int = 1, at: Any = None) -> Any:
        """vec(Y) by vec(X)'; of order 2, the derivative of that: vec(J) by vec(X)'."""
        x = self.at if at is None else at
        if order == 1:
            J = traced(jax.jacobian(self._flat), x)
        else:
            J = traced(jax.jacfwd(self._first), x)
        return J if self._project is None else J @ self._project

    def differences(self, order: int = 1) -> tuple[Any, float]:
        """The same by central differences (of values, or of JAX's first derivative), and how sure they are."""

        def f(x: Any) -> Any:
            if order == 1:
                return self.value(x)
            return self.jacobian(1, x).T.reshape(-1)

        found, doubt = central_differences(f, self.at)
        return (found if self._project is None else found @ self._project), doubt


def central_differences(f: Callable[[Any], Any], at: Any) -> tuple[Any, float]:
    """The Jacobian of f, extrapolated (Richardson), and the difference that the last extrapolation made."""
    columns, doubt = [], 0.0
    for place in range(at.size):
        slopes = []
        for h in (4e-3, 2e-3, 1e-3):
            plus, minus = np.array(at), np.array(at)
            plus[place] += h
            minus[place] -= h
            slopes.append((f(plus) - f(minus)) / (2 * h))
        early, late = ((4 * b - a) / 3 for a, b in itertools.pairwise(slopes))
        best = (16 * late - early) / 15
        doubt = max(doubt, float(np.max(np.abs(best - late), initial=0)))
        columns.append(best)
    return np.stack(columns, axis=1), doubt


# --- carrying out a traced program with NumPy -------------------------------------------------------------------------


def traced(f: Callable[[Any], Any], x: Any) -> Any:
    """f(x): traced by JAX, carried out with NumPy."""
    program = jax.make_jaxpr(f)(x)
    with np.errstate(all="ignore"):
        (result,) = run(program.jaxpr, [np.asarray(c) for c in program.consts], [np.asarray(x)])
    return np.asarray(result)


def run(jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a jaxpr."""
    known: dict[Any, Any] = {}
    known.update(zip(jaxpr.constvars, consts, strict=True))
    known.update(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> Any:
        return atom.val if hasattr(atom, "val") else known[atom]

    for eqn in jaxpr.eqns:
        args = [read(a) for a in eqn.invars]
        name = eqn.primitive.name
        rule = RULES.get(name)
        if rule is not None:
            found = [rule(*args, **eqn.params)]
        elif name in INLINED:
            inner = eqn.params[INLINED[name]]
            if hasattr(inner, "jaxpr"):
                found = run(inner.jaxpr, inner.consts, args)
            else:
                found = run(inner, [], args)
        elif name in SEVERAL:
            found = SEVERAL[name](*args, **eqn.params)
        else:
            UNKNOWN[name] = UNKNOWN.get(name, 0) + 1
            bound = eqn.primitive.get_bind_params(eqn.params)
            functions, params = bound if isinstance(bound, tuple) else ((), bound)
            found = eqn.primitive.bind(*functions, *args, **params)
            found = found if eqn.primitive.multiple_results else [found]
            found = [np.asarray(a) for a in found]
        known.update(zip(eqn.outvars, found, strict=True))
    return [read(a) for a in jaxpr.outvars]


UNKNOWN: dict[str, int] = {}  # how often an operation was left to JAX

INLINED = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}

Rule = Callable[..., Any]


def _plain(f: Callable[..., Any]) -> Rule:
    return lambda *args, **_: f(*args)


def _broadcast_in_dim(x: Any, *, shape: Any, broadcast_dimensions: Any, **_: Any) -> Any:
    middle = [1] * len(shape)
    for axis, to in enumerate(broadcast_dimensions):
        middle[to] = np.shape(x)[axis]
    return np.broadcast_to(np.reshape(x, middle), shape)


def _dot_general(a: Any, b: Any, *, dimension_numbers: Any, **_: Any) -> Any:
    (ac, bc), (ab, bb) = dimension_numbers
    letters = iter(string.ascii_letters)
    left: list[str] = [next(letters) for _ in a.shape]
    right: list[str] = [next(letters) for _ in b.shape]
    for i, j in [*zip(ac, bc, strict=True), *zip(ab, bb, strict=True)]:
        right[j] = left[i]
    result = [left[i] for i in ab]
    result += [c for i, c in enumerate(left) if i not in ac and i not in ab]
    result += [c for j, c in enumerate(right) if j not in bc and j not in bb]
    return np.einsum(f"{''.join(left)},{''.join(right)}->{''.join(result)}", a, b)


def _slice(x: Any, *, start_indices: Any, limit_indices: Any, strides: Any) -> Any:
    steps = strides or [1] * len(start_indices)
    return x[tuple(slice(*s) for s in zip(start_indices, limit_indices, steps, strict=True))]


def _pad(x: Any, fill: Any, *, padding_config: Any) -> Any:
    inner = [
        n + max(n - 1, 0) * gap for n, (_, _, gap) in zip(x.shape, padding_config, strict=True)
    ]
    wide = np.full(inner, fill, dtype=x.dtype)
    wide[tuple(slice(None, None, gap + 1) for _, _, gap in padding_config)] = x
    if any(low < 0 or high < 0 for low, high, _ in padding_config):
        cut = tuple(
            slice(max(-low, 0), n - max(-high, 0))
            for n, (low, high, _) in zip(inner, padding_config, strict=True)
        )
        wide = wide[cut]
    around = [(max(low, 0), max(high, 0)) for low, high, _ in padding_config]
    return np.pad(wide, around, constant_values=fill)


def _iota(*, dtype: Any, shape: Any, dimension: int, **_: Any) -> Any:
    line = np.arange(shape[dimension], dtype=dtype)
    middle = [1] * len(shape)
    middle[dimension] = shape[dimension]
    return np.broadcast_to(line.reshape(middle), shape)


def _triangular_solve(
    a: Any,
    b: Any,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    unit_diagonal: bool,
    **_: Any,
) -> Any:
    a = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        eye = np.eye(a.shape[-1])
        a = a * (1 - eye) + eye
    if transpose_a:
        a = np.swapaxes(a, -1, -2)
    try:
        if left_side:
            return np.linalg.solve(a, b)
        turned = np.linalg.solve(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2))
        return np.swapaxes(turned, -1, -2)
    except np.linalg.LinAlgError:
        return np.full(b.shape, np.nan)


def _lu(x: Any, **_: Any) -> list[Any]:
    n = x.shape[-1]
    factors, pivots, orders = np.empty(x.shape), np.empty(x.shape[:-1], int), []
    for place in np.ndindex(x.shape[:-2]):
        if np.all(np.isfinite(x[place])):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                factors[place], pivots[place] = scipy.linalg.lu_factor(x[place])
        else:
            factors[place], pivots[place] = np.nan, np.arange(n)
        order = np.arange(n)
        for i, j in enumerate(pivots[place]):
            order[[i, j]] = order[[j, i]]
        orders.append(order)
    return [
        factors,
        pivots.astype(np.int32),
        np.reshape(orders, x.shape[:-1]).astype(np.int32),
    ]


def _gather(x: Any, at: Any, *, dimension_numbers: Any, slice_sizes: Any, **_: Any) -> Any:
    """Slices of x, one for each index vector (the last axis of `at`); indices are in range."""
    d = dimension_numbers
    gone = {*d.collapsed_slice_dims, *d.operand_batching_dims}
    kept = [n for axis, n in enumerate(slice_sizes) if axis not in gone]
    found = np.empty((*at.shape[:-1], *kept), dtype=x.dtype)
    for place in np.ndindex(at.shape[:-1]):
        starts = [0] * x.ndim
        for axis, start in zip(d.start_index_map, at[place], strict=True):
            starts[axis] = min(max(int(start), 0), x.shape[axis] - slice_sizes[axis])
        for axis, batch in zip(d.operand_batching_dims, d.start_indices_batching_dims, strict=True):
            starts[axis] = place[batch]
        cut = x[tuple(slice(a, a + n) for a, n in zip(starts, slice_sizes, strict=True))]
        found[place] = cut.reshape(kept)
    last = list(range(len(place_axes := at.shape[:-1]), found.ndim))
    return np.moveaxis(found, last, d.offset_dims) if place_axes else found


def _sort(*xs: Any, dimension: int, num_keys: int, **_: Any) -> list[Any]:
    if num_keys != 1:
        raise NotInJax("sort by several keys")
    order = np.argsort(xs[0], axis=dimension, kind="stable")
    return [np.take_along_axis(x, order, dimension) for x in xs]


def _split(x: Any, *, sizes: Any, axis: int) -> list[Any]:
    return np.split(x, np.cumsum(sizes)[:-1], axis=axis)


def _eigh(x: Any, *, lower: bool, subset_by_index: Any = None, **_: Any) -> list[Any]:
    if subset_by_index is not None or not np.all(np.isfinite(x)):
        return [np.full(x.shape, np.nan), np.full(x.shape[:-1], np.nan)]
    values, vectors = np.linalg.eigh(x, UPLO="L" if lower else "U")
    return [vectors, values]


def _svd(x: Any, *, full_matrices: bool, compute_uv: bool, **_: Any) -> list[Any]:
    if not np.all(np.isfinite(x)):
        raise NotInJax("svd of what is not finite")
    if not compute_uv:
        return [np.linalg.svd(x, compute_uv=False)]
    u, s, vt = np.linalg.svd(x, full_matrices=full_matrices)
    return [s, u, vt]


def _cond(index: Any, *args: Any, branches: Any, **_: Any) -> list[Any]:
    taken = branches[int(index)]
    return run(taken.jaxpr, taken.consts, args)


def _cholesky(x: Any, **_: Any) -> Any:
    try:
        return np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        return np.full(x.shape, np.nan)


def _custom_linear_solve(*args: Any, const_lengths: Any, jaxprs: Any, **_: Any) -> list[Any]:
    lengths = list(const_lengths)
    starts = [0, *itertools.accumulate(lengths)]
    at = type(const_lengths)._fields.index("solve")
    consts = list(args[starts[at] : starts[at + 1]])
    inner = jaxprs.solve
    return run(inner.jaxpr, inner.consts, [*consts, *args[starts[-1] :]])


def _select_n(which: Any, *cases: Any) -> Any:
    if np.ndim(which) == 0:
        return cases[int(which)]
    return np.where(which, cases[1], cases[0]) if which.dtype == bool else np.choose(which, cases)


def _reduce(f: Callable[..., Any]) -> Rule:
    return lambda x, *, axes, **_: f(x, axis=tuple(axes))


def _running_along(f: Callable[..., Any]) -> Rule:
    def rule(x: Any, *, axis: int, reverse: bool) -> Any:
        return np.flip(f(np.flip(x, axis), axis=axis), axis) if reverse else f(x, axis=axis)

    return rule


RULES: dict[str, Rule] = {
    **{
        name: _plain(f)
        for name, f in {
            "add": np.add,
            "add_any": np.add,
            "sub": np.subtract,
            "mul": np.multiply,
            "div": np.divide,
            "neg": np.negative,
            "max": np.maximum,
            "min": np.minimum,
            "pow": np.power,
            "rem": np.fmod,
            "exp": np.exp,
            "exp2": np.exp2,
            "log": np.log,
            "log1p": np.log1p,
            "expm1": np.expm1,
            "sqrt": np.sqrt,
            "rsqrt": lambda x: 1 / np.sqrt(x),
            "sin": np.sin,
            "cos": np.cos,
            "tan": np.tan,
            "asin": np.arcsin,
            "acos": np.arccos,
            "atan": np.arctan,
            "atan2": np.arctan2,
            "sinh": np.sinh,
            "cosh": np.cosh,
            "tanh": np.tanh,
            "asinh": np.arcsinh,
            "acosh": np.arccosh,
            "atanh": np.arctanh,
            "logistic": scipy.special.expit,
            "abs": np.abs,
            "sign": np.sign,
            "square": np.square,
            "floor": np.floor,
            "erf": scipy.special.erf,
            "erfc": scipy.special.erfc,
            "lgamma": scipy.special.gammaln,
            "digamma": scipy.special.digamma,
            "zeta": scipy.special.zeta,
            "polygamma": scipy.special.polygamma,
            "eq": np.equal,
            "ne": np.not_equal,
            "lt": np.less,
            "le": np.less_equal,
            "gt": np.greater,
            "ge": np.greater_equal,
            "and": np.bitwise_and,
            "or": np.bitwise_or,
            "xor": np.bitwise_xor,
            "not": lambda x: ~np.asarray(x),
            "is_finite": np.isfinite,
            "select_n": _select_n,
            "copy": lambda x: x,
            "copy_p": lambda x: x,
            "stop_gradient": lambda x: x,
            "clamp": lambda low, x, high: np.clip(x, low, high),
        }.items()
    },
    "integer_pow": lambda x, *, y: np.power(x, float(y)) if y < 0 else np.power(x, y),
    "convert_element_type": lambda x, *, new_dtype, **_: np.asarray(x).astype(new_dtype),
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": lambda x, *, new_sizes, **_: np.reshape(x, new_sizes),
    "squeeze": lambda x, *, dimensions: np.squeeze(x, tuple(dimensions)),
    "expand_dims": lambda x, *, dimensions: np.expand_dims(x, tuple(dimensions)),
    "transpose": lambda x, *, permutation: np.transpose(x, permutation),
    "concatenate": lambda *xs, dimension: np.concatenate(xs, axis=dimension),
    "rev": lambda x, *, dimensions: np.flip(x, tuple(dimensions)),
    "slice": _slice,
    "gather": _gather,
    "pad": _pad,
    "iota": _iota,
    "dot_general": _dot_general,
    "reduce_sum": _reduce(np.sum),
    "reduce_max": _reduce(np.max),
    "reduce_min": _reduce(np.min),
    "reduce_prod": _reduce(np.prod),
    "reduce_and": _reduce(np.all),
    "reduce_or": _reduce(np.any),
    "cumsum": _running_along(np.cumsum),
    "cumprod": _running_along(np.cumprod),
    "stack": lambda *xs, axis: np.stack(xs, axis=axis),
    "platform_index": lambda *, platforms: next(
        i for i, names in enumerate(platforms) if names is None or "cpu" in names
    ),
    "triangular_solve": _triangular_solve,
    "cholesky": _cholesky,
}
SEVERAL: dict[str, Callable[..., list[Any]]] = {
    "lu": _lu,
    "custom_linear_solve": _custom_linear_solve,
    "split": _split,
    "sort": _sort,
    "unstack": lambda x, *, axis: list(np.moveaxis(x, axis, 0)),
    "eigh": _eigh,
    "svd": _svd,
    "cond": _cond,
}
