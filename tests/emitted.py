"""Runs emitted modules at random points and compares them with matgrad's own numeric meaning (`compiled`)."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from matgrad import expr as ex
from matgrad.derive import Derivation, directed, direction_like
from matgrad.dims import dim_value
from matgrad.emit.lower import shape_of
from matgrad.emit.module import PYTHON, names_for, plan_of
from matgrad.emit.numpy import compiled
from matgrad.rewrite import without_definitions
from matgrad.verify import Guard, choose_sizes, random_point, unknown_functions

PATTERNS = (0, 3, 1, 2)  # of `choose_sizes`; 2 has every size 1
TOLERANCE = 1e-8


class Case(NamedTuple):
    """The arguments of a module at one point, and what its functions should return."""

    arguments: dict[str, Any]
    expected: dict[str, Any]
    direction: Any


@cache
def plan(d: Derivation) -> Any:
    """The plan of a module, made once."""
    return plan_of(d, directed(d))


def innermost(d: Derivation) -> Derivation:
    """The derivation of the first derivative."""
    while d.inner is not None:
        d = d.inner
    return d


def axes_of(d: Derivation) -> tuple[Any, ...]:
    """The axes of what is differentiated, and of every derivative before the last."""
    steps = [d]
    while steps[0].inner is not None:
        steps.insert(0, steps[0].inner)
    shape = shape_of(steps[0].typed.expr)
    for step in steps[:-1]:
        shape = (*shape, *shape_of(step.wrt))
    return shape


def cases(d: Derivation, seed: int = 0, kept: set[str] = PYTHON, wanted: int = 2) -> list[Case]:
    """Random points at which everything has a value."""
    p = plan(d)
    names = names_for(p, kept)
    base = innermost(d).typed.expr
    roots = [base, *(part.mixed for part in d.parts)]
    whole = [without_definitions(r) for r in roots]
    steps = [d]
    while steps[0].inner is not None:
        steps.insert(0, steps[0].inner)
    whole += [without_definitions(s.mixed) for s in steps]
    directions = [f.outputs[0].expr for f in p.functions if f.direction]
    variables = list(p.variables)
    variables += [v for v in ex.variables(*roots, *directions) if v not in variables]
    for f in p.functions:
        if f.direction and f.direction not in [v.data[0] for v in variables]:
            variables.append(direction_like(d.wrt, f.direction))
    found: list[Case] = []
    rng = np.random.default_rng(seed)
    functions = unknown_functions(*whole, *directions)
    guard = Guard(whole, d.assumptions, variables)
    evaluate = compiled(roots, variables)
    along = compiled(directions, variables)
    rows = axes_of(d)
    for attempt in range(24):
        number = PATTERNS[attempt % 4] if attempt < 12 else PATTERNS[attempt % 3]
        sizes = choose_sizes(number, rng, *roots, *variables, turned=attempt % 8 > 3)
        point = random_point(variables, functions, sizes, attempt // 2 % 4, rng)
        for i, v in enumerate(variables):
            if "integer" in v.data[1]:
                point.values[i] = sizes[v.data[0]] = int(rng.integers(2, 6))
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                if not guard.allows(point):
                    continue
                value, *mixed = evaluate(point.values, sizes, functions)
                product = along(point.values, sizes, functions)
            except (np.linalg.LinAlgError, IndexError):
                continue
        if not all(np.all(np.isfinite(v)) for v in (value, *mixed, *product)):
            continue
        # Where rounding alone changes the results, they say nothing of the code.
        nudged = [_nudged(v, rng) for v in point.values]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                again = [
                    *evaluate(nudged, sizes, functions),
                    *along(nudged, sizes, functions),
                ]
            except (np.linalg.LinAlgError, IndexError):
                continue
        if any(
            same(b, np.asarray(a)) for a, b in zip((value, *mixed, *product), again, strict=True)
        ):
            continue
        by_name = dict(zip([v.data[0] for v in variables], point.values, strict=True))
        arguments = {names.inputs[v.data[0]]: by_name[v.data[0]] for v in p.variables}
        for size in (*p.sizes, *p.indices):
            arguments["#" + names.sizes[size]] = sizes.get("#" + size, sizes.get(size))
        for (name, way), called in names.callables.items():
            arguments[called] = _callable(whole + directions, name, way, functions[name], sizes)
        expected: dict[str, Any] = {"value": np.asarray(value)}
        derivatives = []
        for part, found_value in zip(d.parts, mixed, strict=True):
            cols = () if d.direction is not None else shape_of(part.wrt)
            shape = tuple(dim_value(x, sizes) for x in (*rows, *cols))
            derivatives.append(_as_array(np.asarray(found_value), shape, d, part.wrt))
        expected["derivative"] = tuple(derivatives) if len(derivatives) > 1 else derivatives[0]
        direction = None
        for f, v in zip([f for f in p.functions if f.direction], product, strict=True):
            direction = by_name[f.direction]
            shape = tuple(dim_value(x, sizes) for x in rows)
            expected["hvp"] = (
                np.asarray(v).reshape(shape, order="F") if np.ndim(v) else np.asarray(v)
            )
        found.append(Case(arguments, expected, direction))
        if len(found) == wanted:
            break
    return found


def _nudged(value: Any, rng: Any) -> Any:
    """A value changed by rounding; whole numbers are kept."""
    if isinstance(value, int):
        return value
    return value * (1 + 1e-13 * rng.choice([-1.0, 1.0], size=np.shape(value)))


def _as_array(value: Any, shape: tuple[int, ...], d: Derivation, wrt: ex.Expr) -> Any:
    """∂vec(Y)/∂vec(X)' with the axes of Y and X."""
    if d.direction is not None or d.expression.is_scalar:
        size = int(np.prod(shape))
        return value.reshape(shape, order="F") if value.size == size else value
    if value.size != int(np.prod(shape)):  # by the independent entries
        shape = (*shape[: len(shape) - len(shape_of(wrt))], value.shape[1])
    return value.reshape(shape, order="F")


def _callable(roots: list[Any], name: str, way: Any, function: Any, sizes: dict[str, int]) -> Any:
    if isinstance(way, int):
        return lambda x: function(x, way)
    node = next(e for e in ex.postorder(*roots) if e.op == "map" and e.data[1:] == (name, way))
    shape = (dim_value(node.shape.rows, sizes), dim_value(node.shape.cols, sizes))

    def mapped(x: Any) -> Any:
        value = function(x, shape, len(way))
        kind = node.shape.kind
        return (
            value[0, 0] if kind == ex.SCALAR else value if kind == ex.MATRIX else value.reshape(-1)
        )

    return mapped


def load(text: str) -> dict[str, Any]:
    """The names of a module."""
    space: dict[str, Any] = {}
    exec(compile(text, "<emitted>", "exec"), space)
    return space


def same(found: Any, expected: Any, tolerance: float = TOLERANCE) -> str:
    """What is wrong with a result, or nothing."""
    if isinstance(expected, tuple):
        if not isinstance(found, tuple) or len(found) != len(expected):
            return f"{type(found)} for {len(expected)} derivatives"
        return "; ".join(
            filter(None, (same(a, b, tolerance) for a, b in zip(found, expected, strict=True)))
        )
    found = np.asarray(found)
    if found.dtype != np.float64:
        return f"dtype {found.dtype}"
    if found.shape != expected.shape:
        return f"shape {found.shape} for {expected.shape}"
    scale = float(np.max(np.abs(expected), initial=0)) + 1e-3
    error = float(np.max(np.abs(found - expected), initial=0)) / scale
    return "" if error <= tolerance else f"off by {error:.1e}"


def wrong(d: Derivation, text: str, seed: int = 0, to: Any = None, back: Any = None) -> list[str]:
    """What is wrong with a module: each function, at two points. `to` and `back` convert arrays and callables."""
    space = load(text)
    problems: list[str] = []
    points = cases(d, seed)
    if not points:
        return ["no point"]
    to = to or (lambda x: x)
    back = back or (lambda x: x)

    def converted(results: Any) -> Any:
        return tuple(map(back, results)) if isinstance(results, tuple) else back(results)

    for case in points:
        arguments = {}
        for k, v in case.arguments.items():
            if not k.startswith("#"):
                arguments[k] = (lambda f: lambda x: to(f(back(x))))(v) if callable(v) else to(v)
        wanted = keywords(space["value"])
        arguments |= {
            k[1:]: v for k, v in case.arguments.items() if k.startswith("#") and k[1:] in wanted
        }
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            problems.append(same(converted(space["value"](**arguments)), case.expected["value"]))
            if "derivative" in space:
                expected = case.expected["derivative"]
                problems.append(same(converted(space["derivative"](**arguments)), expected))
                both = converted(space["value_and_derivative"](**arguments))
                rest = both[1] if not isinstance(expected, tuple) else both[1:]
                problems.append(same((both[0], rest)[1], expected))
                problems.append(same(both[0], case.expected["value"]))
            if "hvp" in space:
                found = converted(space["hvp"](to(case.direction), **arguments))
                problems.append(
                    "hvp: " * bool(same(found, case.expected["hvp"]))
                    + same(found, case.expected["hvp"])
                )
    return [p for p in problems if p]


def keywords(function: Any) -> set[str]:
    """The names of a function's arguments."""
    return set(
        function.__code__.co_varnames[
            : function.__code__.co_argcount + function.__code__.co_kwonlyargcount
        ]
    )
