"""Is it true? Derivatives against central differences of the original expression, at random points.

The expression's own code (`matgrad.emit.numpy`) is evaluated; nothing of the derivation is trusted. Sizes are all
different, and all 1 at one of the points.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from matgrad import expr as ex
from matgrad.dims import Dim, Poly, dim_atoms, dim_value
from matgrad.emit.numpy import compiled
from matgrad.errors import LimitProblem
from matgrad.expr import Expr
from matgrad.steps import Check
from matgrad.trace_form import derivative_shape

if TYPE_CHECKING:
    import numpy as np

POINTS = 5
TOLERANCE = 1e-6  # relative; the differences used are good to about 1e-10
UNRELIABLE = 1e-5  # a point is not used where the differences themselves are not known this well
ATTEMPTS = 40
MAX_ENTRIES = 100  # entries of the variable that are moved, one at a time, at one point
MAX_ELEMENTS = 2_000_000  # of one array that is evaluated

# Sizes for names of dimensions, in order of appearance; the third point has every size 1.
_SIZES = ((3, 4, 2, 5, 6), (4, 2, 5, 3, 6), (1, 1, 1, 1, 1), (2, 3, 4, 6, 5), (5, 3, 2, 4, 6))


class Point(NamedTuple):
    """Random values of variables, sizes of dimension names (and `#i` for an index i), and unknown functions."""

    values: list[Any]
    sizes: dict[str, int]
    functions: dict[str, Any]


def size_names(*roots: Expr) -> list[str]:
    """The names of dimensions in expressions, in order of appearance."""
    names: dict[str, None] = {}
    for e in ex.postorder(*roots):
        for dim in (e.shape.rows, e.shape.cols):
            for atom in dim_atoms(dim):
                names[str(atom)] = None
        for dim in e.data[1:] if e.kind == ex.SUM or e.op == "size" else ():
            for atom in dim_atoms(dim):
                names[str(atom)] = None
    indices = {e.data[0] for e in ex.postorder(*roots) if e.kind == ex.SUM}
    return [name for name in names if name not in indices]


def _least_sizes(*roots: Expr) -> tuple[dict[str, int], dict[str, list[Dim]]]:
    """How large each size must be for the entries that are named, and the range of each named index."""
    least: dict[str, int] = {}
    ranges: dict[str, list[Dim]] = {}
    bound = {e.data[0]: e.data[2] for e in ex.postorder(*roots) if e.kind == ex.SUM}
    for e in ex.postorder(*roots):
        places: list[tuple[int | str | None, Dim]] = []
        if e.kind == ex.INDEX:
            shape = e.args[0].shape
            dims = (
                (shape.rows, shape.cols)
                if len(e.data) == 2
                else (shape.cols if shape.kind == ex.ROW else shape.rows,)
            )
            places = list(zip(e.data, dims, strict=True))
        elif e.kind == ex.CONST and e.op == "basis":
            places = [(e.data[1], e.shape.rows)]
        for at, dim in places:
            if at in bound:
                at = bound[at]  # an index of summation goes up to its last value
                if not isinstance(at, int):
                    continue
            if isinstance(at, int) and isinstance(dim, str):
                least[dim] = max(least.get(dim, 1), at)
            elif isinstance(at, str):
                ranges.setdefault(at, []).append(dim)
    return least, ranges


def choose_sizes(
    number: int, rng: np.random.Generator, *roots: Expr, turned: bool = False
) -> dict[str, int]:
    """Sizes for the point of this number: all different, or all 1, but large enough for every entry named.

    `turned` takes them in the other order, for expressions such as det(X'X) that ask for a tall X.
    """
    least, ranges = _least_sizes(*roots)
    pattern: tuple[int, ...] = _SIZES[number % len(_SIZES)]
    names = size_names(*roots)
    if turned:
        pattern = tuple(reversed(pattern[: len(names)])) or pattern
    sizes = {}
    for i, name in enumerate(names):
        sizes[name] = max(pattern[i % len(pattern)], least.get(name, 1))
    for v in ex.variables(*roots):
        if "integer" in v.data[1]:
            sizes[v.data[0]] = int(rng.integers(2, 6))
    # An array of size n - 1 has an entry too.
    for dim in {d for e in ex.postorder(*roots) for d in e.shape[1:] if isinstance(d, Poly)}:
        while dim_value(dim, sizes) < 1 and max(sizes.values()) < 100:
            for atom in dim_atoms(dim):
                sizes[str(atom)] += 1
    for index, dims in ranges.items():
        if index in sizes:
            continue  # x[n] is the last entry
        sizes["#" + index] = int(rng.integers(1, min(dim_value(d, sizes) for d in dims) + 1))
    return sizes


class SmoothFunction:
    """A smooth function R -> R with all its derivatives, to stand for a declared unknown one."""

    def __init__(self, name: str) -> None:
        code = zlib.crc32(name.encode())
        self.a = 0.7 + (code % 97) / 97
        self.b = (code % 89) / 89
        self.c = 0.3 + (code % 83) / 83

    def __call__(self, t: Any, order: int) -> Any:
        import numpy as np

        wave = self.a**order * np.sin(self.a * t + self.b + order * np.pi / 2)
        square = (self.c * t * t, 2 * self.c * t, 2 * self.c + 0 * t)
        return wave + (square[order] if order < 3 else 0 * t)


def sample(variable: Expr, sizes: dict[str, int], way: int, rng: np.random.Generator) -> Any:
    """A random value of a variable that has its declared properties; `way` says what else it is like."""
    import numpy as np

    m, n = dim_value(variable.shape.rows, sizes), dim_value(variable.shape.cols, sizes)
    properties = variable.data[1]
    kind = variable.shape.kind
    if "integer" in properties:
        return np.float64(sizes[variable.data[0]])
    if kind != ex.MATRIX:
        count = max(m, n)
        value = rng.normal(size=count) * 0.8
        if way in (1, 3) or "positive" in properties:
            value = rng.uniform(0.4, 1.6, size=count)
        return value if kind != ex.SCALAR else np.float64(value[0])
    value = rng.normal(size=(m, n)) * 0.8
    if way == 1:
        value = rng.uniform(0.4, 1.6, size=(m, n))
    if m != n or kind != ex.MATRIX:
        return value
    if "identity" in properties:
        return np.eye(n)
    if "orthogonal" in properties:
        return np.linalg.qr(value)[0]
    if "spd" in properties or way == 3:
        spd = value @ value.T / n + 0.7 * np.eye(n)
        value = np.diag(np.diag(spd)) if "diagonal" in properties else spd
        if "spd" in properties:
            return value
    if way in (1, 2) or "invertible" in properties:
        value = np.eye(n) * 1.5 + 0.5 * value
    if "diagonal" in properties:
        return np.diag(np.diag(value))
    if "symmetric" in properties:
        return (value + value.T) / 2
    if "skew" in properties:
        return (value - value.T) / 2
    if "lower" in properties:
        return np.tril(value)
    if "upper" in properties:
        return np.triu(value)
    return value


def random_point(
    variables: list[Expr],
    functions: dict[str, Any],
    sizes: dict[str, int],
    way: int,
    rng: np.random.Generator,
) -> Point:
    """Random values for the variables."""
    values = [sample(v, sizes, way, rng) for v in variables]
    return Point(values, sizes, functions)


class SmoothMap:
    """A smooth function of a whole vector or matrix, to stand for a declared unknown one."""

    def __init__(self, name: str) -> None:
        self.seed = zlib.crc32(name.encode())

    def __call__(self, x: Any, shape: tuple[int, int]) -> Any:
        import numpy as np

        x = np.asarray(x, dtype=float)
        weights = np.random.default_rng(self.seed).normal(size=(shape[0] * shape[1], x.size))
        return np.sin(weights @ x.reshape(-1) / np.sqrt(x.size) + 0.3).reshape(shape)


def unknown_functions(*roots: Expr) -> dict[str, Any]:
    """A smooth function for each unknown one in expressions, by name."""
    found: dict[str, Any] = {}
    for e in ex.postorder(*roots):
        if e.kind == ex.CALL and e.op in ("apply", "map"):
            name = e.data[1]
            found[name] = SmoothFunction(name) if e.op == "apply" else SmoothMap(name)
    return found


def check_derivative(
    y: Expr,
    derivative: Expr,
    wrt: Expr,
    seed: int = 0,
    assuming: Sequence[tuple[str, Expr]] = (),
) -> Check:
    """Compare a derivative, an array of shape(Y) followed by shape(X), with finite differences of y.

    `derivative` has X's shape for a scalar y, Y's shape for a scalar X, and is the Jacobian for two vectors. Points
    at which an assumption (`invertible`, `nonzero`) does not hold, or a matrix to invert is nearly singular, are not used.
    """
    import numpy as np

    if derivative.shape != derivative_shape(y, wrt):
        return Check(False, POINTS, float("inf"), seed)
    rng = np.random.default_rng(seed)
    variables = ex.variables(y, derivative, wrt)
    functions = unknown_functions(y, derivative)
    at = variables.index(wrt)
    value_of = compiled([y], variables)
    derivative_of = compiled([derivative], variables)
    guard = Guard([y, derivative], assuming, variables)
    worst, points, undefined, ok = 0.0, 0, 0, True
    with np.errstate(all="ignore"):
        for number in range(POINTS):
            for attempt in range(ATTEMPTS):
                sizes = choose_sizes(number, rng, y, derivative, wrt, turned=attempt % 8 > 3)
                _refuse_large((y, derivative), sizes)
                point = random_point(variables, functions, sizes, attempt % 4, rng)
                if not guard.allows(point):
                    continue
                error = _error_at(point, at, value_of, derivative_of)
                if error is None:
                    continue
                if error != error:  # the formula has no value where the expression has one
                    undefined += 1
                    continue
                points += 1
                worst = max(worst, error)
                ok = ok and error <= TOLERANCE
                break
    return Check(ok and points > 0, points, worst, seed, undefined)


def _refuse_large(roots: tuple[Expr, ...], sizes: dict[str, int]) -> None:
    for e in ex.postorder(*roots):
        elements = dim_value(e.shape.rows, sizes) * dim_value(e.shape.cols, sizes)
        if elements > MAX_ELEMENTS:
            raise LimitProblem(
                f"an array of {elements:,} numbers is too large for the numeric check",
                help="name the size, as in `vector(n)`, or leave the check out with `--no-check`",
            )


class Guard:
    """Says at which points expressions may be compared: where what is inverted is well conditioned, and what is assumed
    holds."""

    def __init__(
        self,
        roots: Sequence[Expr],
        assuming: Sequence[tuple[str, Expr]],
        variables: list[Expr],
    ) -> None:
        inverted = [
            e.args[0]
            for e in ex.postorder(*roots)
            if e.kind == ex.CALL and e.op == "inv" and not _has_diff(e)
        ]
        inverted += [e for name, e in assuming if name == "invertible"]
        others = [e for name, e in assuming if name != "invertible"]
        self._count = len(inverted)
        self._values = compiled([*inverted, *others], variables)

    def allows(self, point: Point) -> bool:
        """Whether the point may be used."""
        import numpy as np

        try:
            values = self._values(point.values, point.sizes, point.functions)
            for i, value in enumerate(values):
                array = np.asarray(value)
                if not np.all(np.isfinite(array)):
                    return False
                if i < self._count and array.ndim == 2 and np.linalg.cond(array) > 1e6:
                    return False
                if np.max(np.abs(array), initial=0) < 1e-6:
                    return False
        except (np.linalg.LinAlgError, IndexError):
            return False
        return True


def _error_at(point: Point, at: int, value_of: Any, derivative_of: Any) -> float | None:
    """The relative error of the derivative at a point (NaN if it has no value), or None where the point tells nothing."""
    import numpy as np

    try:
        (base,) = value_of(point.values, point.sizes, point.functions)
        (claimed,) = derivative_of(point.values, point.sizes, point.functions)
    except (np.linalg.LinAlgError, IndexError):
        return None
    if not np.all(np.isfinite(base)):
        return None
    found = finite_difference(point, at, value_of)
    if found is None:
        return None
    expected, uncertainty, places = found
    claimed = np.asarray(claimed, dtype=float)
    if claimed.shape != np.shape(base) + np.shape(point.values[at]):
        return float("inf")
    claimed = claimed.reshape((*np.shape(base), -1))[..., places]
    scale = max(
        float(np.max(np.abs(expected), initial=0)),
        1e-3 * float(np.max(np.abs(base), initial=0)),
        1e-5,  # values near 1 are differenced: what is smaller is rounding noise
    )
    if uncertainty > UNRELIABLE * scale:
        return None
    if not np.all(np.isfinite(claimed)):
        return float("nan")
    return float(np.max(np.abs(claimed - expected), initial=0)) / scale


def finite_difference(point: Point, at: int, value_of: Any) -> tuple[Any, float, list[int]] | None:
    """Partial derivatives by the entries of a variable, how uncertain they are (Richardson extrapolation), and which
    entries those are: all, or MAX_ENTRIES of them, in the last axis of an array of shape(Y) + (number of entries,)."""
    import numpy as np

    x = np.asarray(point.values[at], dtype=float)
    places = list(range(x.size))
    if x.size > MAX_ENTRIES:
        places = [i * (x.size - 1) // (MAX_ENTRIES - 1) for i in range(MAX_ENTRIES)]
    columns = []
    uncertainty = 0.0
    for place in places:

        def moved(h: float, place: int = place) -> Any:
            changed = np.array(x)
            changed.reshape(-1)[place] += h
            values = list(point.values)
            values[at] = changed if x.shape else np.float64(changed)
            (value,) = value_of(values, point.sizes, point.functions)
            return np.asarray(value, dtype=float)

        try:
            differences = [(moved(h) - moved(-h)) / (2 * h) for h in (4e-3, 2e-3, 1e-3)]
        except (np.linalg.LinAlgError, IndexError):
            return None
        first = [(4 * b - a) / 3 for a, b in itertools.pairwise(differences)]
        second = (16 * first[1] - first[0]) / 15
        if not np.all(np.isfinite(second)):
            return None
        uncertainty = max(uncertainty, float(np.max(np.abs(second - first[1]), initial=0)))
        columns.append(second)
    return np.stack(columns, axis=-1), uncertainty, places


def check_lines(
    states: Sequence[Expr], wrt: Expr, seed: int = 0, assuming: Sequence[tuple[str, Expr]] = ()
) -> list[bool]:
    """For each state, whether it agrees with the one before it (the first one: True); [] if no point could be used.

    States that contain differentials are compared to first order in dX: as derivatives in a random direction.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    marks = [True] * len(states)
    used = 0
    with np.errstate(all="ignore"):
        for attempt in range(ATTEMPTS):
            if used == 2:
                break
            values = line_values(states, wrt, assuming, attempt, rng)
            if values is None:
                continue
            used += 1
            scale = max(float(np.max(np.abs(v), initial=0)) for v in values) + 1e-5
            for i in range(1, len(values)):
                a, b = values[i - 1], values[i]
                same = (
                    a.shape == b.shape and float(np.max(np.abs(a - b), initial=0)) <= 1e-6 * scale
                )
                marks[i] = marks[i] and same
    return marks if used else []


_SATURATING = frozenset(["tanh", "sigmoid", "erf", "erfc", "softplus", "gelu", "silu", "exp"])


def line_values(
    states: Sequence[Expr],
    wrt: Expr,
    assuming: Sequence[tuple[str, Expr]],
    attempt: int,
    rng: np.random.Generator,
) -> list[Any] | None:
    """The values of expressions, differentials among them, at one random point; None where they are not defined."""
    import numpy as np

    nodes = ex.postorder(*states)
    differentials = [e for e in nodes if e.kind == ex.DIFF]
    variables = ex.variables(*states, wrt)
    functions = unknown_functions(*states)
    sizes = choose_sizes(attempt % 2, rng, *states, wrt, turned=attempt % 8 > 3)
    point = random_point(variables, functions, sizes, attempt % 4, rng)
    if not Guard(states, assuming, variables).allows(point):
        return None
    saturating = [e.args[0] for e in nodes if e.kind == ex.CALL and e.op in _SATURATING]
    for value in compiled([e for e in saturating if not _has_diff(e)], variables)(*point):
        if not float(np.max(np.abs(value), initial=0)) < 8:
            return None  # 1 - tanh(30)^2 is rounding noise
    moving = variables.index(wrt)
    direction = sample(wrt, sizes, 0, rng)
    inside = compiled([d.args[0] for d in differentials], variables)
    outside = compiled(list(states), [*variables, *differentials])

    def at(h: float) -> list[Any]:
        values = list(point.values)
        values[moving] = values[moving] + h * direction
        return [np.asarray(v, dtype=float) for v in inside(values, sizes, point.functions)]

    def along(changes: list[Any]) -> list[Any]:
        found = outside([*point.values, *changes], sizes, point.functions)
        return [np.asarray(v, dtype=float) for v in found]

    try:
        if not differentials:
            return _finite(along([]))
        slopes = []
        for h in (4e-3, 2e-3, 1e-3):
            plus, minus = at(h), at(-h)
            slopes.append([(a - b) / (2 * h) for a, b in zip(plus, minus, strict=True)])
        changes = []
        for a, b, c in zip(*slopes, strict=True):
            early, late = (4 * b - a) / 3, (4 * c - b) / 3
            best = (16 * late - early) / 15
            size = float(np.max(np.abs(best), initial=0))
            if not float(np.max(np.abs(best - late), initial=0)) <= 1e-7 * (size + 1e-3):
                return None  # the differences themselves are not known well enough here
            changes.append(best)
        results = []
        for h in (1e-3, 5e-4):
            plus, minus = along([h * c for c in changes]), along([-h * c for c in changes])
            results.append([(a - b) / (2 * h) for a, b in zip(plus, minus, strict=True)])
        for a, b in zip(*results, strict=True):
            size = float(np.max(np.abs(b), initial=0))
            if not float(np.max(np.abs(a - b), initial=0)) <= 1e-3 * (size + 1e-3):
                return None  # too near a pole or the edge of a domain
        return _finite([(4 * b - a) / 3 for a, b in zip(*results, strict=True)])
    except (np.linalg.LinAlgError, IndexError):
        return None


def _has_diff(e: Expr) -> bool:
    return any(node.kind == ex.DIFF for node in ex.postorder(e))


def _finite(values: list[Any]) -> list[Any] | None:
    import numpy as np

    return values if all(np.all(np.isfinite(v)) for v in values) else None
