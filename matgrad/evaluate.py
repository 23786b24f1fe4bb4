"""The value of an expression, or its derivative, on data: by the NumPy code that `--to numpy` emits."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from matgrad import expr as ex
from matgrad.data import Array, checked
from matgrad.derive import Derivation, declarations, diff
from matgrad.dims import Dim, Poly, dim_atoms, dim_text, dim_value
from matgrad.emit.lower import shape_of
from matgrad.emit.module import Plan, plan_of, plan_of_value
from matgrad.emit.python import runnable
from matgrad.errors import DataProblem, LimitProblem, Unsupported, UsageError
from matgrad.expr import Expr
from matgrad.shapes import Typed, default_kinds, read

MAX_ENTRIES = 200_000_000  # of a result
ROUNDING = 1e-8  # how well data has to have a declared property, relative to its largest entry


class Evaluation(NamedTuple):
    """Numbers: one array for `value`, and for `derivative` one for each variable."""

    text: str  # the expression
    wrt: tuple[str, ...]
    order: int
    results: dict[str, Array]  # by variable; the value has the name ""
    sizes: dict[str, int]
    notes: tuple[str, ...]


def evaluate(
    text: str,
    data: Mapping[str, Any],
    wrt: str | list[str] | tuple[str, ...] | None = None,
    let: str | list[str] | tuple[str, ...] = (),
    order: int = 1,
    then: str | list[str] | tuple[str, ...] | None = None,
    hvp: str | None = None,
    structured: str = "subspace",
    check: bool = True,
    background: str | list[str] | tuple[str, ...] = (),
) -> Evaluation:
    """The value of an expression on data, or with `wrt` its derivative: arrays of shape(Y) + shape(X).

    `data` has a number or an array for each variable; a name that is not declared is of the kind that its array has. Sizes
    come from the data; one that no array shows is given as a number of its name. The other arguments are those of `diff`.

    Raises MatgradError: DataProblem where the data does not fit the expression.
    """
    arrays = {name: checked(value, name, "the data") for name, value in data.items()}
    declared = [*([let] if isinstance(let, str) else let)]
    behind = [*([background] if isinstance(background, str) else background)]
    known = declarations([*behind, *declared])
    behind += [d for n, a in arrays.items() if n not in known and (d := _declaration(n, a))]
    if not wrt and (order > 1 or then or hvp is not None):
        raise UsageError(
            "a derivative is by a variable", help="add `--wrt X`; without it, the value is computed"
        )
    derivation: Derivation | None = None
    if wrt:
        derivation = diff(
            text,
            wrt,
            declared,
            "mixed",
            order,
            check,
            0,
            False,
            then,
            hvp,
            structured,
            False,
            behind,
        )
        if derivation.entry is not None:
            raise Unsupported(
                "the derivative by one entry is not evaluated",
                help=f"evaluate that by `{derivation.wrt.data[0]}`, and take the entry",
            )
        first = derivation
        while first.inner is not None:
            first = first.inner
        typed, plan = first.typed, plan_of(derivation)
        wanted = "hvp" if derivation.direction is not None else "derivative"
    else:
        typed = read(text, declarations([*behind, *declared]))
        plan, wanted = plan_of_value(typed), "value"
    function = next(f for f in plan.functions if f.name == wanted)
    plan = plan._replace(functions=(function,))
    sizes = bound(plan, typed, derivation, arrays)
    for o in function.outputs:
        _limited(o.rows + o.cols, sizes, o.cols != ())
    results = _computed(plan, wanted, arrays, sizes)
    names = [v.data[0] for v in plan.wrt] if wanted == "derivative" else [""]
    notes = tuple(typed.notes if derivation is None else derivation.notes)
    unused = [
        n for n in arrays if n not in {v.data[0] for v in _variables(plan, derivation)} | set(sizes)
    ]
    if unused:
        notes = (
            *notes,
            f"the data has {', '.join(f'`{n}`' for n in unused)}, which the expression has not",
        )
    return Evaluation(
        typed.text,
        tuple(v.data[0] for v in plan.wrt),
        derivation.order if derivation is not None else 0,
        dict(zip(names, results, strict=True)),
        sizes,
        notes,
    )


def _declaration(name: str, array: Array) -> str:
    """What an array says about the kind of a name that is not declared: a column is a vector if the letter says so. A
    number may be a size or an entry, and is a variable only where the name says nothing itself."""
    if array.ndim == 0:
        return f"{name}: scalar" if len(name) > 1 and name.isalpha() else ""
    if array.ndim == 1 or (array.shape[1] == 1 and default_kinds(name) != (ex.MATRIX,)):
        return f"{name}: vector"
    return f"{name}: matrix"


def _variables(plan: Plan, derivation: Derivation | None) -> list[Expr]:
    found = list(plan.variables)
    if derivation is not None and derivation.direction is not None:
        found.append(derivation.direction)
    return found


# --- sizes --------------------------------------------------------------------------------------------------------------


def bound(
    plan: Plan, typed: Typed, derivation: Derivation | None, arrays: dict[str, Array]
) -> dict[str, int]:
    """The sizes that the data has. Arrays get the number of axes that their variable has. Raises DataProblem."""
    if plan.callables or typed.functions or typed.maps:
        names = [name for name, _ in plan.callables] or [
            *typed.functions,
            *(m[0] for m in typed.maps),
        ]
        raise DataProblem(
            f"`{names[0]}` is an unknown function, which has no value",
            help=f"define it: `--let '{names[0]}(t) = t^2*exp(-t)'`",
        )
    variables = _variables(plan, derivation)
    missing = [v.data[0] for v in variables if v.data[0] not in arrays]
    if missing:
        there = f"the data has {', '.join(arrays)}" if arrays else "there is no data"
        raise DataProblem(
            f"there is no data for {', '.join(f'`{n}`' for n in missing)}",
            help=f"{there}; add `--data {missing[0]}=FILE`, or a number",
        )
    seen: dict[str, tuple[int, str]] = {}
    for v in variables:
        _in_kind(v, arrays)
    for offset in (False, True):
        for v in variables:
            for axis, dim in enumerate(shape_of(v)):
                _bind(v, axis, dim, arrays[v.data[0]].shape[axis], seen, offset)
    for name in (*plan.sizes, *plan.indices):
        if name not in seen and name in arrays:
            value = arrays[name]
            if value.ndim or value != int(value) or value < 1:
                raise DataProblem(f"`{name}` is a size, a whole number from 1 on")
            seen[name] = (int(value), f"`{name}` is {int(value)}")
        elif name not in seen:
            what = "an entry" if name in plan.indices else "a size"
            raise DataProblem(
                f"`{name}` is {what} that no array shows", help=f"add `--data {name}=5`"
            )
    sizes = {name: size for name, (size, _) in seen.items()}
    for v in variables:
        found = arrays[v.data[0]].shape
        expected = tuple(dim_value(d, sizes) for d in shape_of(v))
        if found != expected:
            sizes_of = ", ".join(map(dim_text, shape_of(v)))
            raise DataProblem(
                f"`{v.data[0]}` is {_shown(found)} in the data, and should be {_shown(expected)}",
                help=f"its declared shape is ({sizes_of})",
            )
        _has_properties(v, arrays[v.data[0]])
    return sizes


def _shown(shape: tuple[int, ...]) -> str:
    return f"a vector of {shape[0]}" if len(shape) == 1 else f"a matrix of {shape[0]}×{shape[1]}"


def _in_kind(v: Expr, arrays: dict[str, Array]) -> None:
    """Give an array the axes of its variable: a column of a table is a vector."""
    name = v.data[0]
    array = arrays[name]
    axes = len(shape_of(v))
    if axes == 0 and array.size == 1:
        array = array.reshape(())
    elif axes == 1 and array.ndim == 2:
        across = array.shape[0] if v.shape.kind == ex.ROW else array.shape[1]
        if across == 1:
            array = array.reshape(-1)
    if array.ndim != axes:
        kind = {0: "a number", 1: "a vector", 2: "a matrix"}[axes]
        shown = _shown(array.shape) if array.ndim else "a number"
        word = v.shape.kind if axes else "scalar"
        other = {0: "scalar", 1: "vector", 2: "matrix"}[array.ndim]
        raise DataProblem(
            f"`{name}` is {kind} here, and the data is {shown}",
            help=f"declare it, `--let '{name}: {other}'`, or give data for a {word}",
        )
    arrays[name] = array


def _bind(
    v: Expr, axis: int, dim: Dim, size: int, seen: dict[str, tuple[int, str]], offset: bool
) -> None:
    """What an axis of an array says about a size: n itself, and n + 1 afterwards."""
    less = 0
    if isinstance(dim, Poly):
        atoms = dim_atoms(dim)
        if (
            not offset
            or len(atoms) != 1
            or set(dim.terms) - {(atoms[0],), ()}
            or dim.terms.get((atoms[0],)) != 1
        ):
            return
        less = int(dim.terms.get((), 0))
        dim = atoms[0]
        if str(dim) in seen:
            return
    if isinstance(dim, int) or offset != bool(less):
        return
    name = v.data[0]
    what = {1: "entries"}.get(len(shape_of(v)), ("rows", "columns")[axis])
    words = f"`{name}` has {size} {what}"
    known = seen.setdefault(str(dim), (size - less, words))
    if known[0] != size - less:
        raise DataProblem(
            f"the data does not agree about the size {dim}: {known[1]}, and {words}",
            help=f"`{name}` should be ({', '.join(dim_text(d) for d in shape_of(v))})",
        )


# --- declared properties ------------------------------------------------------------------------------------------------


def _has_properties(v: Expr, array: Array) -> None:
    """Raise DataProblem for data that is not what was declared of it: the derivative would be wrong."""
    import numpy as np

    name, properties = v.data[0], v.data[1]
    scale = float(np.max(np.abs(array), initial=0)) * ROUNDING

    def demand(word: str, difference: Any) -> None:
        off = np.argwhere(~(np.abs(difference) <= max(scale, 1e-300)))
        if word in properties and len(off):
            at = tuple(off[0])
            place = ", ".join(str(i + 1) for i in at)
            raise DataProblem(
                f"`{name}` is declared {word}, and the data is not: `{name}[{place}]` is {array[at]:.6g}",
                help=f"leave out the declaration of `{name}`, or mend the data",
            )

    if "orthonormal" in properties:
        scale = ROUNDING
        demand("orthonormal", array.T @ array - np.eye(array.shape[1]))
    if array.ndim == 2 and array.shape[0] == array.shape[1] and properties:
        n = len(array)
        demand("identity", array - np.eye(n))
        demand("diagonal", array - np.diag(np.diag(array)))
        demand("symmetric", array - array.T)
        demand("skew", array + array.T)
        demand("lower", np.triu(array, 1))
        demand("upper", np.tril(array, -1))
        if "orthogonal" in properties:
            scale = ROUNDING
            demand("orthogonal", array.T @ array - np.eye(n))
        if "spd" in properties:
            lowest = np.argmin(np.linalg.eigvalsh(array)) if n else 0
            if n and np.linalg.eigvalsh(array)[lowest] <= 0:
                raise DataProblem(
                    f"`{name}` is declared spd, and the data is not: its smallest eigenvalue is"
                    f" {np.linalg.eigvalsh(array)[lowest]:.3g}",
                    help=f"declare `{name}: symmetric`, or mend the data",
                )
    if array.size and "positive" in properties and np.min(array) <= 0:
        raise DataProblem(f"`{name}` is declared positive, and the data has {np.min(array):.6g}")
    if array.size and "integer" in properties and np.any(array != np.round(array)):
        raise DataProblem(f"`{name}` is a whole number here, and the data is {float(array):.6g}")


# --- numbers ------------------------------------------------------------------------------------------------------------


def _limited(shape: tuple[Dim, ...], sizes: dict[str, int], derivative: bool) -> None:
    total = 1
    for d in shape:
        total *= dim_value(d, sizes)
    if total > MAX_ENTRIES:
        raise LimitProblem(
            f"the result has {total:,} entries",
            help="`--wrt X --hvp v` gives a second derivative times a direction"
            if derivative
            else f"results of up to {MAX_ENTRIES:,} entries are computed",
        )


def _computed(
    plan: Plan, wanted: str, arrays: dict[str, Array], sizes: dict[str, int]
) -> list[Array]:
    import numpy as np

    functions, names = runnable(plan)
    arguments: dict[str, Any] = {}
    for v in plan.variables:
        value = arrays[v.data[0]]
        number = int(value) if "integer" in v.data[1] else float(value) if v.is_scalar else value
        arguments[names.inputs[v.data[0]]] = number
    function = functions[wanted]
    code = function.__code__
    taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    for name in (*plan.sizes, *plan.indices):
        if names.sizes[name] in taken:
            arguments[names.sizes[name]] = sizes[name]
    direction = [arrays[f.direction] for f in plan.functions if f.direction]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = function(*direction, **arguments)
        except np.linalg.LinAlgError as problem:
            raise DataProblem(
                f"there is no value at this data: {problem}",
                help="look at the rank and the condition number of the matrices",
            ) from None
        except IndexError:
            raise DataProblem("an entry that the expression takes is not in the data") from None
        except MemoryError:
            raise LimitProblem("the computation does not fit into memory") from None
    results = [
        np.asarray(r, dtype=np.float64) for r in (found if isinstance(found, tuple) else (found,))
    ]
    for result in results:
        bad = int(np.count_nonzero(~np.isfinite(result)))
        if bad:
            what = (
                "the result is"
                if result.ndim == 0
                else f"{bad} of {result.size} entries of the result are"
            )
            kind = "not a number" if np.isnan(result).any() else "infinite"
            raise DataProblem(
                f"{what} {kind} at this data",
                help="a function is outside of its domain, such as log at 0, or a number is too large",
            )
    return results
