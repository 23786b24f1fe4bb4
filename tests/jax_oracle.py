"""Derivatives as a user gets them (`matgrad.derive.diff` of a text), against JAX and central differences.

`examine` counts as wrong only what a second witness confirms: JAX and central differences of JAX's values must agree with
one another, and matgrad with neither. What is wrong on one side of an edge (`relu` at 0, eigenvalues that meet) or
beyond the precision of the numbers is not counted.
"""

from __future__ import annotations

import re
import signal
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from jax_meaning import Meant, NotInJax, evaluate, traced, two_axes
from random_expressions import Outcome, Problem, lets

from matgrad import expr as ex
from matgrad.derive import Derivation, diff
from matgrad.dims import dim_value
from matgrad.emit.numpy import compiled
from matgrad.errors import CheckFailed, LimitProblem, MatgradError, Unsupported
from matgrad.expr import Expr
from matgrad.render.text import render
from matgrad.verify import Guard, choose_sizes, random_point, rounding, unknown_functions

KINDS = ("ok", "unsupported", "limit", "unchecked", "wrong", "crash")
SECONDS = 10.0
TOLERANCE = 1e-6
POINTS = 12  # at most; one that tells is enough
PATTERNS = (0, 3, 1, 2)  # of `choose_sizes`; 2 has every size 1
MAX_NUMBERS = 300_000  # of the derivative at one point


class OutOfTime(BaseException):
    """The time for one expression is over."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises OutOfTime inside, after so much processor time; does nothing where there is no alarm."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def examine(
    found: Problem, order: int = 1, with_jax: bool = True, seed: int = 0, seconds: float = SECONDS
) -> Outcome:
    """Differentiate, and compare with JAX and with central differences."""
    try:
        with time_limit(seconds), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _examine(found, order, with_jax, seed)
    except OutOfTime:
        return Outcome("limit", f"not done after {seconds:g} s")


def _examine(found: Problem, order: int, with_jax: bool, seed: int) -> Outcome:
    name = found.wrt.data[0]
    try:
        derivation = diff(
            render(found.expr), wrt=name, let=lets(found.expr, found.wrt), order=order, seed=seed
        )
    except Unsupported as refusal:
        return Outcome("unsupported", refusal.message)
    except LimitProblem as limit:
        return Outcome("limit", limit.message.partition(",")[0][:60])
    except CheckFailed as wrong:
        return Outcome("wrong", "check: " + wrong.message.partition("off by")[0])
    except MatgradError as problem:
        if "how large" in problem.message:
            return Outcome("unchecked", "the text alone does not say how large `I` is")
        if problem.message == "division by zero":
            return Outcome("unsupported", "a divisor is found to be zero")
        return Outcome("crash", f"reading: {type(problem).__name__}: {problem.message[:60]}")
    except Exception as crash:  # whatever it is, it is a finding
        return Outcome("crash", _summary(crash))
    checks = [d.check for d in _orders(derivation)]
    checked = all(c is not None and c.points for c in checks)
    if not with_jax:
        return (
            Outcome("ok", "") if checked else Outcome("unchecked", "no random point could be used")
        )
    try:
        outcome = against_jax(found, derivation, order, seed)
    except NotInJax as missing:
        outcome = Outcome("ok", f"by differences alone: {missing}")
    except Exception as crash:
        return Outcome("crash", f"oracle: {_summary(crash)}")
    if outcome.kind == "unchecked" and checked:
        return Outcome("ok", "by differences alone: no point where JAX could be used")
    if outcome.reason.startswith("by differences alone") and not checked:
        return Outcome("unchecked", "no random point could be used")
    return outcome


def _orders(derivation: Derivation) -> list[Derivation]:
    """The derivations of every order, the first one first."""
    found = [derivation]
    while found[0].inner is not None:
        found.insert(0, found[0].inner)
    return found


def _summary(crash: Exception) -> str:
    frame = traceback.extract_tb(crash.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.name}"
    return f"{type(crash).__name__} in {where}: {str(crash)[:60]}"


def projection(wrt: Expr, value: Any) -> Any:
    """The matrix that projects vec(G) on the subspace of a structured variable (None: there is no structure).

    For an orthogonal matrix, on the tangent space at its value: G - X (X'G + G'X)/2.
    """
    properties = wrt.data[1]
    if wrt.shape.kind != ex.MATRIX or not properties - {"invertible"}:
        return None
    n = value.shape[0]

    def of_matrix(G: Any) -> Any:
        if "orthogonal" in properties:
            return G - value @ (value.T @ G + G.T @ value) / 2
        if "diagonal" in properties:
            return np.diag(np.diag(G))
        if "symmetric" in properties:
            return (G + G.T) / 2
        if "skew" in properties:
            return (G - G.T) / 2
        if "lower" in properties:
            return np.tril(G)
        return np.triu(G) if "upper" in properties else G

    columns = [of_matrix(e.reshape(n, n).T).T.reshape(-1) for e in np.eye(n * n)]
    return np.stack(columns, axis=1)


def against_jax(found: Problem, derivation: Derivation, order: int, seed: int) -> Outcome:
    """Values and derivatives at a random point, by matgrad's NumPy code and by JAX."""
    y, wrt = found.expr, found.wrt
    orders = _orders(derivation)
    answers = [d.mixed for d in orders]
    expressions = [orders[0].expression, *answers]
    if expressions[0].shape != y.shape:
        if expressions[0].shape.kind == y.shape.kind and "I" in re.findall(r"\w+", render(y)):
            return Outcome("unchecked", "the text alone does not say how large `I` is")
        return Outcome("wrong", "the text is read as an expression of another shape")
    variables = ex.variables(*expressions, y, wrt)
    functions = unknown_functions(*expressions)
    code = compiled(expressions, variables)
    assuming = [a for d in orders for a in d.assumptions]
    guard = Guard(expressions, assuming, variables)
    rng = np.random.default_rng(seed)
    suspicion = Outcome("unchecked", "no point where JAX could be used")
    for attempt in range(POINTS):
        number = PATTERNS[(seed + attempt) % len(PATTERNS)]
        with np.errstate(all="ignore"):
            sizes = choose_sizes(number, rng, *expressions, y, wrt, turned=attempt % 8 > 3)
            point = random_point(variables, functions, sizes, attempt % 4, rng)
            if _numbers(y, wrt, sizes, order) > MAX_NUMBERS or not guard.allows(point):
                continue
            try:
                values = code(point.values, sizes, functions)
            except (np.linalg.LinAlgError, IndexError):
                continue
            if not np.all(np.isfinite(values[0])):
                continue
            outcome = _at_point(y, wrt, expressions, values, variables, point, order)
        if outcome is None:
            continue
        if outcome.kind == "ok":
            return outcome
        suspicion = outcome
        if outcome.kind == "wrong":
            return outcome
    return suspicion


def _numbers(y: Expr, wrt: Expr, sizes: dict[str, int], order: int) -> int:
    def count(e: Expr) -> int:
        return dim_value(e.shape.rows, sizes) * dim_value(e.shape.cols, sizes)

    return int(count(y) * count(wrt) ** order)


def _at_point(
    y: Expr,
    wrt: Expr,
    expressions: list[Expr],
    values: list[Any],
    variables: list[Expr],
    point: Any,
    order: int,
) -> Outcome | None:
    """What the point tells; None if nothing."""
    at = dict(zip(variables, point.values, strict=True))
    project = projection(wrt, at[wrt])
    try:
        meant = Meant(y, wrt, at, point.sizes, project)
        value = meant.value()
    except (IndexError, np.linalg.LinAlgError):
        return None
    claimed = two_axes(expressions[0], values[0]).T.reshape(-1)
    if not np.all(np.isfinite(value)):
        return None
    if not _close(claimed, value, 1e-8):
        # Is it noise? A change of the last digits of x must not do the same.
        noise = np.max(np.abs(meant.value(meant.at * (1 + 1e-13)) - value), initial=0)
        if np.max(np.abs(claimed - value), initial=0) > 1e4 * noise:
            return Outcome("wrong", "value: the NumPy code and JAX differ")
        return None
    shapes = [expressions[0].shape]
    for d, answer in enumerate(expressions[1:], start=1):
        if "orthogonal" in wrt.data[1] and d > 1:
            break
        try:
            J = meant.jacobian(d)
        except np.linalg.LinAlgError:
            return None
        if not np.all(np.isfinite(J)):
            return None
        got = two_axes(answer, values[d])
        expected = arranged(J, shapes[-1], wrt, point.sizes)
        shapes.append(answer.shape)
        if got.shape != expected.shape:
            return Outcome("wrong", f"order {d}: the derivative has another shape than JAX's")
        if not np.all(np.isfinite(got)):
            if np.all(np.isfinite(meant.differences(d)[0])):
                return Outcome(
                    "unchecked", f"order {d}: the formula has no finite value at a point"
                )
            return None
        if not _close(got, expected, TOLERANCE):
            gap = float(np.max(np.abs(got - expected), initial=0))
            noise = rounding(answer, variables, point)
            if gap > noise and _confirmed(meant, d, J, got, expected):
                return Outcome("wrong", f"order {d}: JAX has another derivative")
            return None
        told = _own_meaning(answer, got, at, point.sizes)
        if told is not None:
            return Outcome("wrong", f"order {d}: {told}")
    return Outcome("ok", "")


def _close(a: Any, b: Any, tolerance: float) -> bool:
    scale = max(float(np.max(np.abs(b), initial=0)), 1e-5)
    return float(np.max(np.abs(a - b), initial=0)) <= tolerance * scale


def _confirmed(meant: Meant, order: int, J: Any, got: Any, expected: Any) -> bool:
    """Whether central differences stand with JAX, clearly, where matgrad says something else."""
    found, doubt = meant.differences(order)
    if not np.all(np.isfinite(found)):
        return False
    gap = float(np.max(np.abs(got - expected), initial=0))
    return float(np.max(np.abs(found - J), initial=0)) + doubt < 0.1 * gap


def _own_meaning(answer: Expr, got: Any, at: dict[Expr, Any], sizes: dict[str, int]) -> str | None:
    """The answer itself, evaluated by JAX, must be what its NumPy code says."""
    values = {v: two_axes(v, value) for v, value in at.items()}
    try:
        value = np.asarray(evaluate_plain(answer, values, sizes))
    except (NotInJax, IndexError, np.linalg.LinAlgError):
        return None
    if value.shape == got.shape and (_close(got, value, 1e-6) or not np.all(np.isfinite(value))):
        return None
    return "the NumPy code of the answer and JAX differ"


def evaluate_plain(e: Expr, values: dict[Expr, Any], sizes: dict[str, int]) -> Any:
    """The value by JAX without a derivative."""
    variables = list(values)
    if not variables:
        return evaluate(e, {}, sizes)
    first = variables[0]

    def f(x: Any) -> Any:
        return evaluate(e, {**values, first: x}, sizes) + 0.0 * x.sum()

    return traced(f, values[first])


def arranged(J: Any, shape: ex.Shape, wrt: Expr, sizes: dict[str, int]) -> Any:
    """vec(Y) by vec(X)' as the array that the derivative is: X's shape, Y's shape, or the Jacobian itself."""
    if shape.kind == ex.SCALAR:
        rows, cols = (dim_value(d, sizes) for d in wrt.shape[1:])
        return J.reshape(cols, rows).T
    if wrt.is_scalar:
        rows, cols = (dim_value(d, sizes) for d in shape[1:])
        return J.reshape(cols, rows).T
    return J
