"""Is it true? Derivatives against central differences of the original expression, at random points.

The expression's own code (`matgrad.emit.numpy`) is evaluated; nothing of the derivation is trusted. Sizes are all
different, and all 1 at one of the points.
"""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from matgrad import expr as ex
from matgrad.definitions import definitions_in
from matgrad.dims import Dim, Poly, dim_atoms, dim_value
from matgrad.emit.numpy import compiled
from matgrad.errors import LimitProblem
from matgrad.expr import Expr
from matgrad.steps import Check
from matgrad.structure import MANIFOLDS, by_vech, structure
from matgrad.trace_form import derivative_shape

if TYPE_CHECKING:
    import numpy as np

POINTS = 5
TOLERANCE = 1e-6  # relative; the differences used are good to about 1e-10
UNRELIABLE = 1e-5  # a point is not used where the differences themselves are not known this well
ATTEMPTS = 40
CONFIRMED = 1e-2  # an error is one where a second look finds it again to this part of it
ROUNDING = 1e5  # units of the last place that rounding errors are taken to add up to, at most
NUDGE = 1e-13  # a relative change of the variables that makes no difference but by rounding
SMALLER = 16  # attempts, after which the values of variables and the differences get smaller
MAX_ENTRIES = 100  # entries of the variable that are moved, one at a time, at one point
MAX_ELEMENTS = 2_000_000  # of one array that is evaluated

# Sizes for names of dimensions, in order of appearance; the third point has every size 1.
_SIZES = ((3, 4, 2, 5, 6), (4, 2, 5, 3, 6), (1, 1, 1, 1, 1), (2, 3, 4, 6, 5), (5, 3, 2, 4, 6))
_LARGEST_SIZE = max(map(max, _SIZES))


class Point(NamedTuple):
    """Random values of variables, sizes of dimension names (and `#i` for an index i), and unknown functions."""

    values: list[Any]
    sizes: dict[str, int]
    functions: dict[str, Any]


def size_names(*roots: Expr) -> list[str]:
    """The names of dimensions in expressions, in order of appearance."""
    names: dict[str, None] = {}
    nodes = ex.postorder(*roots)
    indices = {e.data[0] for e in nodes if e.kind == ex.SUM}
    for e in nodes:
        for dim in (e.shape.rows, e.shape.cols):
            for atom in dim_atoms(dim):
                names[str(atom)] = None
        for dim in e.data[1:] if e.kind == ex.SUM or e.op == "size" else ():
            for atom in dim_atoms(dim):
                # The bound of an inner sum may be the index of an outer one.
                if str(atom) not in indices:
                    names[str(atom)] = None
    return list(names)


def _least_sizes(*roots: Expr) -> tuple[dict[str, int], dict[str, list[Dim]]]:
    """How large each size must be for the entries that are named, and the range of each named index."""
    least: dict[str, int] = {}
    ranges: dict[str, list[Dim]] = {}
    bound = {e.data[0]: e.data[2] for e in ex.postorder(*roots) if e.kind == ex.SUM}
    free = ex.free_indices(*roots)
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
            if at in free:
                ranges.setdefault(str(at), []).append(dim)
            if at in bound:
                at = bound[at]  # an index of summation goes up to its last value
                if not isinstance(at, int):
                    continue
            if isinstance(at, int) and isinstance(dim, str):
                least[dim] = max(least.get(dim, 1), at)
    return least, ranges


def choose_sizes(
    number: int,
    rng: np.random.Generator,
    *roots: Expr,
    turned: bool = False,
    largest: int = _LARGEST_SIZE,
) -> dict[str, int]:
    """Sizes for the point of this number: all different, or all 1, but large enough for every entry named.

    `turned` takes them in the other order, for expressions such as det(X'X) that ask for a tall X. None is above
    `largest` without need.
    """
    least, ranges = _least_sizes(*roots)
    pattern: tuple[int, ...] = tuple(min(n, largest) for n in _SIZES[number % len(_SIZES)])
    names = size_names(*roots)
    if turned:
        pattern = tuple(reversed(pattern[: len(names)])) or pattern
    sizes = {}
    for i, name in enumerate(names):
        sizes[name] = max(pattern[i % len(pattern)], least.get(name, 1))
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


def _shrink(attempt: int) -> float:
    return float(0.3 ** (attempt // SMALLER))


def sample(variable: Expr, sizes: dict[str, int], way: int, rng: np.random.Generator) -> Any:
    """A random value of a variable that has its declared properties; `way` says what else it is like.

    There are four ways, again and again; from way 16 on they give smaller values, for arguments that must not be large.
    """
    import numpy as np

    shrink, way = _shrink(way), way % 4
    m, n = dim_value(variable.shape.rows, sizes), dim_value(variable.shape.cols, sizes)
    properties = variable.data[1]
    kind = variable.shape.kind
    if kind != ex.MATRIX:
        count = max(m, n)
        value = rng.normal(size=count) * 0.8
        if way in (1, 3) or "positive" in properties:
            value = rng.uniform(0.4, 1.6, size=count)
        return shrink * value if kind != ex.SCALAR else np.float64(shrink * value[0])
    value = rng.normal(size=(m, n)) * 0.8
    if way == 1:
        value = rng.uniform(0.4, 1.6, size=(m, n))
    if "orthonormal" in properties and m < n:
        return np.full((m, n), np.nan)  # there is none
    if "identity" in properties:
        return np.eye(n)
    if properties & set(MANIFOLDS):
        return np.linalg.qr(value)[0]
    if m != n:
        return shrink * value
    return shrink * _square(value, properties, way)


def _square(value: Any, properties: frozenset[str], way: int) -> Any:
    """A square matrix made to have properties."""
    import numpy as np

    n = len(value)
    if "spd" in properties or (way == 3 and "skew" not in properties):
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


def _sample_motion(
    variable: Expr, value: Any, sizes: dict[str, int], rng: np.random.Generator
) -> Any:
    """A random direction in which a variable may move at a value."""
    if structure(variable) in MANIFOLDS:
        return _tangent(value, rng.normal(size=value.shape))
    return sample(variable, sizes, 0, rng)


def nudged(point: Point, variables: list[Expr], seed: int = 0, size: float = NUDGE) -> Point:
    """A point as near as makes no difference but by rounding."""
    import numpy as np

    rng = np.random.default_rng(7 + seed)
    fixed = {"integer", "identity"}
    values = [
        value
        if fixed & variable.data[1]
        else value * (1 + size * rng.choice([-1.0, 1.0], size=np.shape(value)))
        for value, variable in zip(point.values, variables, strict=True)
    ]
    return point._replace(values=values)


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
    """A smooth function of a whole value with all its derivatives, to stand for a declared unknown one.

    Each entry of the value is the sine of a random linear form. The derivative of order k has, in the order of vec, an
    entry for each entry of the value and each k-tuple of entries of the argument; `shape` says how they are arranged.
    """

    def __init__(self, name: str) -> None:
        self.seed = zlib.crc32(name.encode())

    def __call__(self, x: Any, shape: tuple[int, int], order: int = 0) -> Any:
        import numpy as np

        x = np.asarray(x, dtype=float)
        count = shape[0] * shape[1] // x.size**order
        weights = np.random.default_rng(self.seed).normal(size=(count, x.size)) / np.sqrt(x.size)
        phase = weights @ x.reshape(-1, order="F") + np.linspace(0.3, 1.1, count)
        result = np.sin(phase + order * np.pi / 2)
        for _ in range(order):
            result = result[..., None] * weights.reshape(count, *[1] * (result.ndim - 1), x.size)
        return result.reshape(shape, order="F")


def unknown_functions(*roots: Expr) -> dict[str, Any]:
    """A smooth function for each unknown one in expressions, by name."""
    found: dict[str, Any] = {}
    bodies = [f.body for root in roots for f in definitions_in(root)]
    for e in ex.postorder(*roots, *bodies):
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
    structured: str = "subspace",
    tangent: bool = False,
) -> Check:
    """Compare a derivative with finite differences of y, a `subject` of matgrad.trace_form.

    `derivative` has X's shape for a scalar y, y's shape for a scalar X; else it is the matrix ∂y/∂vec(X)ᵀ. A structured
    X moves in its structure, and the derivative has to lie there. Points at which an assumption (`invertible`,
    `nonzero`) does not hold, or a matrix to invert is nearly singular, are not used. `tangent` says that y is a gradient on
    the Stiefel manifold, whose change is projected on the tangent space.
    """
    kind = structure(wrt)
    if derivative.shape != derivative_shape(y, wrt, by_vech(wrt, y, structured)):
        return Check(False, 0, float("inf"), seed)

    return _check(
        y,
        derivative,
        wrt,
        seed,
        assuming,
        functools.partial(_look, kind, structured == "cookbook", tangent),
    )


def check_direction(
    y: Expr,
    product: Expr,
    wrt: Expr,
    direction: Expr,
    seed: int = 0,
    assuming: Sequence[tuple[str, Expr]] = (),
) -> Check:
    """Compare a product of the derivative of y with a direction with the difference of y along that direction."""
    from matgrad.emit.numpy import compiled

    direction_of = compiled([direction], ex.variables(y, product, wrt, direction))
    look = functools.partial(_look_along, direction_of)
    return _check(y, product, wrt, seed, assuming, look, (direction,))


def _check(
    y: Expr,
    derivative: Expr,
    wrt: Expr,
    seed: int,
    assuming: Sequence[tuple[str, Expr]],
    look: Callable[..., Look | None],
    more: tuple[Expr, ...] = (),
) -> Check:
    import numpy as np

    rng = np.random.default_rng(seed)
    roots = (y, derivative, wrt, *more)
    variables = ex.variables(*roots)
    functions = unknown_functions(y, derivative)
    programs = variables.index(wrt), compiled([y], variables), compiled([derivative], variables)
    guard = Guard([y, derivative], assuming, variables)
    worst, points, undefined, ok = 0.0, 0, 0, True
    telling = 0  # points at which not every size is 1: agreement of numbers alone proves too little
    named = bool(size_names(*roots))
    with np.errstate(all="ignore"):
        for number in range(POINTS):
            for attempt in range(ATTEMPTS):
                sizes = _moderate_sizes(number, rng, *roots, turned=attempt % 8 > 3)
                point = random_point(variables, functions, sizes, attempt, rng)
                stretch = _shrink(attempt)
                found = look(point, *programs, stretch) if guard.allows(point, stretch) else None
                if found is None or found.uncertainty > UNRELIABLE * found.scale:
                    continue
                if not np.all(np.isfinite(found.claimed)):
                    undefined += 1
                    continue
                error = found.error
                if error > TOLERANCE * found.scale:
                    if error < rounding(derivative, variables, point):
                        continue
                    again = look(nudged(point, variables), *programs, 1.7 * stretch)
                    if again is None or not again.away_from(found) < CONFIRMED * error:
                        continue
                points += 1
                telling += not named or any(size > 1 for size in sizes.values())
                worst = max(worst, error / found.scale)
                ok = ok and error <= TOLERANCE * found.scale
                break
    if ok and not telling:
        points = 0
    return Check(ok and points > 0, points, worst, seed, undefined)


def rounding(e: Expr, variables: list[Expr], point: Point) -> float:
    """How large rounding errors in the value of e can be: those of the largest number on the way to it."""
    import numpy as np

    nodes = ex.postorder(e)
    bound = {n.data[0] for n in nodes if n.kind == ex.SUM}
    open_indices = ex.open_indices(nodes)
    parts = compiled([n for n in nodes if not open_indices[n] & bound], variables)
    largest = max(float(np.max(np.abs(v), initial=0)) for v in parts(*point))
    return ROUNDING * float(np.finfo(float).eps) * largest


def _moderate_sizes(
    number: int, rng: np.random.Generator, *roots: Expr, turned: bool
) -> dict[str, int]:
    """Sizes for a point, smaller ones where some array would be too large. Raises LimitProblem."""
    shapes = {e.shape for e in ex.postorder(*roots)}
    for largest in range(_LARGEST_SIZE, 1, -1):
        sizes = choose_sizes(number, rng, *roots, turned=turned, largest=largest)
        elements = max(dim_value(s.rows, sizes) * dim_value(s.cols, sizes) for s in shapes)
        if elements <= MAX_ELEMENTS:
            return sizes
    raise LimitProblem(
        f"an array of {elements:,} numbers is too large for the numeric check",
        help="name the size, as in `vector(n)`, or leave the check out with `--no-check`",
    )


class Guard:
    """Says at which points expressions may be compared: where what is inverted is well conditioned, what is assumed
    holds, and eigenvalues and singular values that a function picks out stand apart from their neighbours."""

    def __init__(
        self,
        roots: Sequence[Expr],
        assuming: Sequence[tuple[str, Expr]],
        variables: list[Expr],
    ) -> None:
        nodes = ex.postorder(*roots)
        bound = {e.data[0] for e in nodes if e.kind == ex.SUM}
        open_indices = ex.open_indices(nodes)
        wanted = list(assuming)
        for e in nodes:
            condition = _CONDITIONS.get(e.op) if e.kind == ex.CALL else None
            if e.op in ("power", "epow") and e.args[1].kind == ex.NUM and e.args[1].data < 0:
                condition = "not near 0"  # what is small below a bar makes rounding errors large
            if condition is None or _has_diff(e) or open_indices[e] & bound:
                continue
            if e.op in _SIGNED:  # the sign is that of the largest entry
                wanted.append(("sizes apart", e))
            wanted.append((condition, _ARGUMENTS.get(e.op, _first)(*e.args)))
        self._conditions = [condition for condition, _ in wanted]
        self._values = compiled([e for _, e in wanted], variables)

    def allows(self, point: Point, stretch: float = 1.0) -> bool:
        """Whether the point may be used, for differences of this width."""
        import numpy as np

        try:
            values = self._values(point.values, point.sizes, point.functions)
            for condition, value in zip(self._conditions, values, strict=True):
                array = np.asarray(value)
                if not np.all(np.isfinite(array)):
                    return False
                if np.max(np.abs(array), initial=0) > _LARGEST.get(condition, np.inf):
                    return False
                if condition in _KINKS:
                    distances = np.abs(_KINKS[condition](array))  # what is exactly 0 stays so
                    if not np.all((distances == 0) | (distances > stretch * MARGIN)):
                        return False
                elif array.ndim == 2 and not _holds(condition, array):
                    return False
                if np.max(np.abs(array), initial=0) < 1e-6 and condition in _NOT_ZERO:
                    return False
        except (np.linalg.LinAlgError, IndexError):
            return False
        return True


# What must hold of the argument of a function where derivatives are compared.
_CONDITIONS = {
    "inv": "invertible",
    "apply": "moderate",
    "sylvester": "invertible",
    "eigmax": "eigenvalues apart",
    "eigmin": "eigenvalues apart",
    "eigvecmax": "eigenvalues apart",
    "eigvecmin": "eigenvalues apart",
    "specnorm": "largest singular value apart",
    "lsv": "largest singular value apart",
    "rsv": "largest singular value apart",
    "nucnorm": "of constant rank",
    "polar": "of constant rank",
    **dict.fromkeys(("tanh", "sigmoid", "erf", "erfc"), "unsaturated"),
    **dict.fromkeys(("abs", "sign", "relu", "elu", "norm1"), "not near 0"),
    **dict.fromkeys(("max:pair", "min:pair"), "apart"),
    **{
        f"{op}{way}": f"extremes apart{way}"
        for op in ("max", "min", "indmax")
        for way in ("", ":1", ":2")
    },
    "norminf": "sizes apart",
}
# How large the argument may be: an unknown function is a wave here, and differences jump over it; 1 - tanh(30)^2 is noise.
_LARGEST = {"moderate": 50.0, "unsaturated": 8.0}


def _first(argument: Expr, *_: Expr) -> Expr:
    return argument


def _pair_gap(x: Expr, y: Expr) -> Expr:
    return ex.sub(x, y)


def _sylvester_operator(A: Expr, B: Expr, _: Expr) -> Expr:
    """vec(A X + X B) by vec(X)."""
    eye_m, eye_n = ex.eye(A.shape.rows), ex.eye(B.shape.rows)
    return ex.add(ex.kron(eye_n, A), ex.kron(ex.transpose(B), eye_m))


# What the condition is asked of, where it is not the first argument.
_ARGUMENTS: dict[str, Callable[..., Expr]] = {
    "max:pair": _pair_gap,
    "min:pair": _pair_gap,
    "sylvester": _sylvester_operator,
}
_SIGNED = frozenset(["eigvecmax", "eigvecmin", "lsv", "rsv"])
_NOT_ZERO = frozenset(["invertible", "nonzero", "free of zeros", "largest singular value apart"])


MARGIN = 0.05  # how far from a kink differences are taken


def _zeros_apart(array: Any) -> Any:
    return array


def _gaps(array: Any, axis: int | None = None) -> Any:
    """The distances of the smallest and of the largest value to the next."""
    import numpy as np

    lines = array.reshape(1, -1) if axis is None or array.ndim < 2 else np.moveaxis(array, axis, -1)
    found = np.diff(np.sort(lines, axis=-1), axis=-1)
    return found[..., [0, -1]] if found.shape[-1] else found


# For each condition about kinks, what must be exactly 0 or not near it.
_KINKS: dict[str, Callable[..., Any]] = {
    "not near 0": _zeros_apart,
    "apart": _zeros_apart,
    "extremes apart": _gaps,
    "extremes apart:1": functools.partial(_gaps, axis=0),
    "extremes apart:2": functools.partial(_gaps, axis=1),
    "sizes apart": lambda array: _gaps(abs(array)),
}


def _holds(condition: str, array: Any) -> bool:
    """Whether a matrix has a property clearly enough for differences to be taken there."""
    import numpy as np

    if condition == "invertible":
        return bool(np.linalg.cond(array) <= 1e6)
    if condition == "eigenvalues apart":
        found = np.linalg.eigvalsh((array + array.T) / 2)
        return bool(np.all(np.diff(found) > MARGIN * np.max(np.abs(found), initial=0)))
    if condition == "largest singular value apart":
        found = np.linalg.svd(array, compute_uv=False)
        return bool(found[0] - found[1:2].sum() > 1e-3 * found[0])
    if condition == "of constant rank":
        found = np.linalg.svd(array, compute_uv=False)
        return bool(np.all((found > 1e-3 * found[0]) | (found <= 1e-12 * found[0])))
    return True


def _values(point: Point, *programs: Any) -> list[Any] | None:
    """The values of compiled expressions at a point, as arrays; None where they are not defined."""
    import numpy as np

    try:
        return [
            np.asarray(program(point.values, point.sizes, point.functions)[0], dtype=float)
            for program in programs
        ]
    except (np.linalg.LinAlgError, IndexError):
        return None


class Look(NamedTuple):
    """What one point says: the differences of y along some motions and what the derivative claims they are."""

    expected: Any
    claimed: Any
    outside: float  # how far the derivative is from lying in the structure of the variable
    uncertainty: float  # of the differences
    scale: float  # what an error is measured against

    @property
    def error(self) -> float:
        """How far the claim is off."""
        return max(_gap(self.claimed, self.expected), self.outside)

    def away_from(self, other: Look) -> float:
        """How far a second look is from the first."""
        return _gap(self.claimed, other.claimed) + _gap(self.expected, other.expected)


def _gap(a: Any, b: Any) -> float:
    import numpy as np

    return float(np.max(np.abs(a - b), initial=0))


def _look(
    kind: str,
    cookbook: bool,
    tangent: bool,
    point: Point,
    moving: int,
    value_of: Any,
    derivative_of: Any,
    stretch: float,
) -> Look | None:
    """The derivative at a point and the differences there; None where y has no value."""
    import numpy as np

    values = _values(point, value_of, derivative_of)
    if values is None or not np.all(np.isfinite(values[0])):
        return None
    base, claimed = values
    start = np.asarray(point.values[moving])
    motions, places = _motions(start, kind)
    found = finite_difference(point, moving, value_of, motions, kind, stretch)
    if found is None:
        return None
    expected, uncertainty = found
    if tangent:
        changes = expected.T.reshape(-1, *start.shape[::-1])
        expected = _columns([_tangent(start, c.T) for c in changes], start.size)
    outside = 0.0
    if start.ndim == 0:
        along = claimed[..., None]
    elif cookbook and kind == "symmetric" and base.ndim:
        along = claimed  # one column for each entry on and below the diagonal, by columns
    elif base.ndim:
        entries = not kind or (cookbook and kind == "skew")
        along = claimed[:, places] if entries else claimed @ _columns(motions, start.size)
    elif kind and not cookbook:
        along = np.array([np.sum(claimed * e) for e in motions])
    else:
        along = claimed.T.reshape(-1)[places]
    if kind and start.ndim and not (cookbook and base.ndim):
        outside = _outside(claimed, start, kind, cookbook)
    return Look(expected, along, outside, uncertainty, _scale(expected, base))


def _look_along(
    direction_of: Any,
    point: Point,
    moving: int,
    value_of: Any,
    product_of: Any,
    stretch: float,
) -> Look | None:
    """A product with a direction, and the difference along it; None where y has no value."""
    import numpy as np

    values = _values(point, value_of, product_of, direction_of)
    if values is None or not np.all(np.isfinite(values[0])):
        return None
    direction = np.asarray(values[2], dtype=float)
    found = finite_difference(point, moving, value_of, [direction], "", stretch)
    if found is None:
        return None
    expected, uncertainty = found
    return Look(expected[..., 0], values[1], 0.0, uncertainty, _scale(expected, values[0]))


def _scale(expected: Any, base: Any) -> float:
    """What an error is measured against."""
    import numpy as np

    return max(
        float(np.max(np.abs(expected), initial=0)),
        1e-3 * float(np.max(np.abs(base), initial=0)),
        1e-5,  # values near 1 are differenced: what is smaller is rounding noise
    )


def _columns(motions: list[Any], size: int) -> Any:
    """vec of each motion, as the columns of a matrix."""
    import numpy as np

    if not motions:
        return np.zeros((size, 0))
    return np.stack([e.T.reshape(-1) for e in motions], axis=-1)


def _motions(start: Any, kind: str) -> tuple[list[Any], list[int]]:
    """The directions in which a variable is moved, a basis of its structure in the order of its independent entries
    (MAX_ENTRIES of them, of a large one), and the places of those entries in vec(X). For an orthogonal matrix they are
    more than a basis of its tangent space."""
    import numpy as np

    if start.ndim < 2:
        count = start.size
        chosen = range(count) if count <= MAX_ENTRIES else np.linspace(0, count - 1, MAX_ENTRIES)

        motions = []
        for k in map(int, chosen):
            row = np.zeros(count)
            row[k] = 1.0
            motions.append(row.reshape(start.shape))
        return motions, [int(k) for k in chosen]
    m, n = start.shape
    pairs = [(i, j) for j in range(n) for i in range(m)]
    if kind in ("symmetric", "lower"):
        pairs = [(i, j) for i, j in pairs if i >= j]
    elif kind == "skew":
        pairs = [(i, j) for i, j in pairs if i > j]
    elif kind == "upper":
        pairs = [(i, j) for i, j in pairs if i <= j]
    elif kind == "diagonal":
        pairs = [(i, j) for i, j in pairs if i == j]
    if len(pairs) > MAX_ENTRIES:
        pairs = [pairs[int(k)] for k in np.linspace(0, len(pairs) - 1, MAX_ENTRIES)]
    motions = []
    for i, j in pairs:
        e = np.zeros((m, n))
        e[i, j] = 1.0
        if kind == "symmetric":
            e[j, i] = 1.0
        if kind == "skew":
            e[j, i] = -1.0
        motions.append(_tangent(start, e) if kind in MANIFOLDS else e)
    return motions, [i + m * j for i, j in pairs]


def _outside(claimed: Any, start: Any, kind: str, cookbook: bool) -> float:
    """How far a derivative by a structured variable is from lying in the structure itself."""
    import numpy as np

    def projected(d: Any) -> Any:
        if kind == "symmetric":
            return (d + d.T) / 2
        if kind == "skew":
            return (d - d.T) / 2
        if kind in MANIFOLDS:
            return _tangent(start, d)
        if kind == "diagonal":
            return np.diag(np.diag(d))
        return np.tril(d) if kind == "lower" else np.triu(d)

    shape = start.shape[::-1]
    arrays = [claimed] if claimed.shape == start.shape else [r.reshape(shape).T for r in claimed]
    return max((float(np.max(np.abs(a - projected(a)), initial=0)) for a in arrays), default=0.0)


def _moved(start: Any, motion: Any, h: float, kind: str) -> Any:
    """A variable moved by h in a direction; an orthogonal matrix to the polar factor of that, which is orthogonal."""
    import numpy as np

    if kind not in MANIFOLDS:
        return start + h * motion
    left, _, right = np.linalg.svd(start + h * motion, full_matrices=False)
    return left @ right


def _tangent(start: Any, motion: Any) -> Any:
    """The part of a motion in the tangent space of the Stiefel manifold."""
    inner = start.T @ motion
    return motion - start @ (inner + inner.T) / 2


def finite_difference(
    point: Point,
    moving: int,
    value_of: Any,
    motions: list[Any],
    kind: str,
    stretch: float,
) -> tuple[Any, float] | None:
    """Directional derivatives along the motions, in the last axis, and how uncertain they are (Richardson
    extrapolation)."""
    import numpy as np

    start = np.asarray(point.values[moving], dtype=float)
    values = list(point.values)
    columns = []
    uncertainty = 0.0
    steps = [stretch * h for h in (4e-3, 2e-3, 1e-3)]

    def at(motion: Any, h: float) -> Any:
        values[moving] = _moved(start, motion, h, kind)
        (value,) = value_of(values, point.sizes, point.functions)
        return np.asarray(value, dtype=float)

    for motion in motions:
        try:
            differences = [(at(motion, h) - at(motion, -h)) / (2 * h) for h in steps]
        except (np.linalg.LinAlgError, IndexError):
            return None
        first = [(4 * b - a) / 3 for a, b in itertools.pairwise(differences)]
        second = (16 * first[1] - first[0]) / 15
        if not np.all(np.isfinite(second)):
            return None
        uncertainty = max(uncertainty, float(np.max(np.abs(second - first[1]), initial=0)))
        columns.append(second)
    if not columns:  # a structure without freedom: skew of order 1
        (value,) = value_of(point.values, point.sizes, point.functions)
        return np.zeros((*np.shape(value), 0)), 0.0
    return np.stack(columns, axis=-1), uncertainty


def check_lines(
    states: Sequence[Expr],
    wrt: tuple[Expr, ...],
    seed: int = 0,
    assuming: Sequence[tuple[str, Expr]] = (),
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


def check_equal(
    a: Expr, b: Expr, seed: int = 0, assuming: Sequence[tuple[str, Expr]] = ()
) -> Check:
    """Whether two expressions of one shape have the same values at random points."""
    import numpy as np

    rng = np.random.default_rng(seed)
    worst, used = 0.0, 0
    with np.errstate(all="ignore"):
        for attempt in range(ATTEMPTS):
            if used == POINTS:
                break
            values = line_values([a, b], (), assuming, attempt, rng)
            if values is not None:
                used += 1
                worst = max(worst, _gap(*values) / _scale(*values))
    return Check(worst <= TOLERANCE, used, worst, seed)


def line_values(
    states: Sequence[Expr],
    wrt: tuple[Expr, ...],
    assuming: Sequence[tuple[str, Expr]],
    attempt: int,
    rng: np.random.Generator,
) -> list[Any] | None:
    """The values of expressions, differentials among them, at one random point; None where they are not defined."""
    import numpy as np

    variables = ex.variables(*states, *wrt)
    functions = unknown_functions(*states)
    sizes = choose_sizes(attempt % 2, rng, *states, *wrt, turned=attempt % 8 > 3)
    states = [_written_out(s, sizes) for s in states]
    nodes = ex.postorder(*states)
    differentials = [e for e in nodes if e.kind == ex.DIFF]
    point = random_point(variables, functions, sizes, attempt, rng)
    if not Guard(states, assuming, variables).allows(point):
        return None
    directions = [_sample_motion(v, point.values[variables.index(v)], sizes, rng) for v in wrt]
    inside = compiled([d.args[0] for d in differentials], variables)
    outside = compiled(list(states), [*variables, *differentials])

    def at(h: float) -> list[Any]:
        values = list(point.values)
        for v, direction in zip(wrt, directions, strict=True):
            i = variables.index(v)
            values[i] = values[i] + h * direction
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


def _written_out(e: Expr, sizes: dict[str, int]) -> Expr:
    """Sums over an index with differentials inside, written out: each differential is then one change."""
    while True:
        sums: dict[Expr, Expr] = {}
        for node in ex.postorder(e):
            if node.kind != ex.SUM or not _has_diff(node):
                continue
            name, *bounds = node.data
            if not all(a in sizes for bound in bounds for a in dim_atoms(bound)):
                continue  # a bound with an index around it: that sum comes first
            first, last = (dim_value(bound, sizes) for bound in bounds)
            terms = [ex.at_index(node.args[0], name, i) for i in range(first, last + 1)]
            sums[node] = ex.add(*terms) if terms else ex.zeros(node.shape)
        if not sums:
            return e
        e = ex.substitute(e, sums)


def _has_diff(e: Expr) -> bool:
    return any(node.kind == ex.DIFF for node in ex.postorder(e))


def _finite(values: list[Any]) -> list[Any] | None:
    import numpy as np

    return values if all(np.all(np.isfinite(v)) for v in values) else None
