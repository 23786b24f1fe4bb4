"""A user's own gradient code as a claim: `module:function`, which is imported and called with arrays.

This is the one place where matgrad runs code that it did not make, and only because it was asked to.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matgrad import expr as ex
from matgrad.claims import DOUBLE, Precision, as_matrix
from matgrad.derive import Derivation
from matgrad.dims import dim_value
from matgrad.emit.sympy import python_name
from matgrad.errors import MatgradError, Unsupported, UsageError
from matgrad.verify import Point

ARRAYS = ("auto", "numpy", "jax", "torch")

# How results are compared that were computed with fewer digits than the derivative, about a hundred times the last one.
PRECISIONS = {
    "float32": Precision("float32", 1e-5, 1.2e-7),
    "float16": Precision("float16", 5e-2, 1e-3),
    "bfloat16": Precision("bfloat16", 2e-1, 8e-3),
}


def load(spec: str) -> Callable[..., Any]:
    """The function of `module:function` or `path/to/file.py:function`. Imports the module, which runs it."""
    place, colon, name = spec.rpartition(":")
    if not colon or not place or not name:
        raise UsageError(
            f"`{spec}` names no function",
            help="write `--code module:function`, or `file.py:function`",
        )
    module = _module(place)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise UsageError(
            f"`{place}` has no function `{name}`",
            help=f"it has {', '.join(sorted(known)[:8])}" if known else "it defines no functions",
        )
    if not callable(found):
        raise UsageError(f"`{name}` of `{place}` is no function")
    function: Callable[..., Any] = found
    return function


def _module(place: str) -> Any:
    path = Path(place)
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        if path.suffix != ".py":
            return importlib.import_module(place)
        if not path.is_file():
            raise UsageError(f"there is no file `{place}`", help="`--code file.py:function`")
        folder = str(path.resolve().parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module
    except MatgradError:
        raise  # this one, or out of time
    except ModuleNotFoundError as problem:
        if problem.name == place.partition(".")[0] or problem.name == place:
            raise UsageError(
                f"there is no module `{place}`",
                help="run matgrad where `python -c 'import MODULE'` works, or name the file: `file.py:function`",
            ) from None
        raise UsageError(f"importing `{place}` failed: {problem}") from None
    except (Exception, SystemExit) as problem:
        raise UsageError(
            f"importing `{place}` failed: {_said(problem)}", help=_where(problem, place)
        ) from None


def _said(problem: BaseException) -> str:
    first = str(problem).strip().partition("\n")[0].strip()
    return f"{type(problem).__name__}: {first}" if first else type(problem).__name__


def _where(problem: BaseException, place: str) -> str:
    """The last line of the user's code that an exception passed through."""
    if isinstance(problem, SyntaxError):
        return ""  # its message has the line
    frames = [
        f
        for f in traceback.extract_tb(problem.__traceback__)
        if not f.filename.startswith("<frozen") and f.filename != __file__
    ]
    if not frames:
        return ""
    return f"raised in {Path(frames[-1].filename).name}, line {frames[-1].lineno}"


class Code:
    """A function as a claim: its value at points, and what went wrong there."""

    def __init__(
        self, function: Callable[..., Any], d: Derivation, name: str = "", arrays: str = "auto"
    ) -> None:
        self.function = function
        self.name = name or getattr(function, "__qualname__", "the function")
        self.failure = ""  # the first exception
        self.shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None  # first wrong and right
        self.precision = DOUBLE
        self._d = d
        self._make, self._session = _maker(function, arrays)
        self._placed = 0
        self._names = self._parameters()

    def _parameters(self) -> dict[str, str]:
        """The names of variables and sizes that the function takes, and how they are called in the expression.

        Those that it takes by their place only are counted in `_placed`: all of a function wrapped by another one, as
        by `jax.grad`, which counts its arguments."""
        d = self._d
        if d.typed.functions or d.typed.maps:
            raise Unsupported(
                "an unknown function has no values to call code with",
                help="compare the code for one function: `--let 'f(t) = t^2'`",
            )
        known = {_spelled(n): n for n in d.typed.variables}
        sizes = {str(a) for v in d.typed.variables.values() for a in _names_in(v.shape)}
        known = {**{n: n for n in sizes}, **known}
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):
            return {k: n for k, n in known.items() if n in d.typed.variables}
        taken: dict[str, str] = {}
        wrapped = hasattr(self.function, "__wrapped__")
        for p in signature.parameters.values():
            if p.kind is p.VAR_KEYWORD:
                taken = {k: n for k, n in known.items() if n in d.typed.variables} | taken
            elif p.name in known:
                taken[p.name] = known[p.name]
            elif p.default is p.empty and p.kind not in (p.VAR_POSITIONAL,):
                have = ", ".join(_spelled(n) for n in d.typed.variables)
                raise UsageError(
                    f"`{self.name}` has a parameter `{p.name}`, and the expression has no such variable",
                    help=f"it is called with keyword arguments; the expression has {have}",
                )
            else:
                wrapped = False  # what comes behind a gap has a name
                continue
            if p.kind is p.POSITIONAL_ONLY or (wrapped and p.kind is p.POSITIONAL_OR_KEYWORD):
                self._placed += 1
        return taken

    def __call__(self, point: Point, variables: list[ex.Expr]) -> Any:
        """The value at a point, as a matrix; None where the function fails."""
        import numpy as np

        values: Mapping[str, Any] = {
            v.data[0]: x for v, x in zip(variables, point.values, strict=True)
        }
        try:
            with np.errstate(all="ignore"), self._session():
                given = {
                    k: self._make(values[n]) if n in values else point.sizes[n]
                    for k, n in self._names.items()
                }
                placed = [given.pop(k) for k in list(given)[: self._placed]]
                result = self.function(*placed, **given)
        except MatgradError:
            raise  # out of time
        except (Exception, SystemExit) as problem:
            where = _where(problem, self.name)
            return self._failed(
                f"raised {_said(problem)}"
                + (f" ({where.removeprefix('raised ')})" if where else "")
            )
        try:
            array = _array(result)
        except (TypeError, ValueError, RuntimeError):
            return self._failed(f"returned {_kind_of(result)}: one array of real numbers is wanted")
        if not np.all(np.isfinite(np.asarray(array, dtype=float))):
            return self._failed("returned numbers that are infinite or NaN")
        self.precision = _precision(result) or _precision(array) or self.precision
        return self._laid_out(np.asarray(array, dtype=float), point)

    def _failed(self, what: str) -> None:
        """Keep the first failure."""
        self.failure = self.failure or f"`{self.name}` {what}"

    def _laid_out(self, array: Any, point: Point) -> Any:
        """A result of shape `shape(Y) + shape(X)` as the derivative is written: rows as vec(Y), columns as vec(X).

        In the denominator layout it is `shape(X) + shape(Y)`, and the other way round."""
        d = self._d
        y, x = d.expression.shape, d.wrt.shape
        outer, inner = (_sizes(s, point.sizes) for s in (y, x))
        if not (outer and inner):  # a gradient, or a derivative by a number
            wanted = outer or inner
            if array.shape == wanted:
                kind = d.derivative.shape.kind
                if d.layout == "numerator" and d.subject.is_scalar:
                    return array.reshape(-1, 1).T if array.ndim == 1 else array.T
                return as_matrix(array, kind)
        else:
            first, second = (inner, outer) if d.layout == "denominator" else (outer, inner)
            wanted = (*first, *second)
            if len(wanted) > 2 and array.shape in (wanted, (*second, *first)):
                self._keep_shapes(array, wanted)
                if array.shape != wanted:
                    first, second = second, first
                places = [*range(len(wanted))]
                turned = array.transpose(places[: len(first)][::-1] + places[len(first) :][::-1])
                return turned.reshape(_product(first), _product(second))
        self._keep_shapes(array, wanted)
        if array.ndim < 2:
            return (
                array.reshape(1, -1) if d.derivative.shape.kind == ex.ROW else array.reshape(-1, 1)
            )
        return array if array.ndim == 2 else array.reshape(array.shape[0], -1)

    def _keep_shapes(self, array: Any, wanted: tuple[int, ...]) -> None:
        """Keep the first wrong shape."""
        if array.shape != wanted and self.shapes is None:
            self.shapes = array.shape, wanted


def _spelled(name: str) -> str:
    return name if name == "sp" else python_name(name)


def _names_in(shape: ex.Shape) -> list[str]:
    return [n for n in shape[1:] if isinstance(n, str)]


def _sizes(shape: ex.Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of an array for a value."""
    m, n = (dim_value(k, sizes) for k in shape[1:])
    return {ex.SCALAR: (), ex.VECTOR: (m,), ex.ROW: (n,)}.get(shape.kind, (m, n))


def _product(sizes: tuple[int, ...]) -> int:
    count = 1
    for k in sizes:
        count *= k
    return count


def _kind_of(result: Any) -> str:
    if result is None:
        return "nothing (None)"
    kind = str(getattr(result, "dtype", ""))
    if "complex" in kind:
        return "complex numbers"
    return f"an array of type {kind}" if kind else f"a {type(result).__name__}"


def _precision(result: Any) -> Precision | None:
    """The precision of a result of few digits, of NumPy, JAX or PyTorch."""
    return PRECISIONS.get(str(getattr(result, "dtype", "")).removeprefix("torch."))


def _array(result: Any) -> Any:
    """A result as a NumPy array of real numbers; also that of JAX, and of PyTorch with a gradient attached.

    Raises TypeError, ValueError or RuntimeError for anything else, a tuple of arrays too."""
    import numpy as np

    if hasattr(result, "detach"):
        result = result.detach().cpu()
        result = result.float().numpy() if str(result.dtype) == "torch.bfloat16" else result.numpy()
    if result is None or (isinstance(result, tuple) and any(np.ndim(part) for part in result)):
        raise TypeError("nothing, or a tuple of arrays")
    array = np.asarray(result)
    if array.dtype.kind == "O":
        array = array.astype(float)
    if array.dtype.kind not in "fiub" and "float" not in str(array.dtype):
        raise TypeError(str(array.dtype))
    return array


Session = Callable[[], contextlib.AbstractContextManager[Any]]


def _maker(function: Callable[..., Any], arrays: str) -> tuple[Callable[[Any], Any], Session]:
    """What makes an argument, a fresh array of the library that the function works with; and what it is called in."""
    import numpy as np

    if arrays not in ARRAYS:
        raise UsageError(
            f"there are no arrays `{arrays}`", help=f"the kinds are {', '.join(ARRAYS)}"
        )
    if arrays == "auto":
        used = _libraries(function)
        arrays = next((a for a in ("torch", "jax") if a in used), "numpy")
    if arrays == "numpy":
        return lambda x: float(x) if np.ndim(x) == 0 else np.array(x), contextlib.nullcontext
    try:
        library = importlib.import_module(arrays)
    except ImportError:
        raise UsageError(
            f"{arrays} is not installed",
            help="`--arrays numpy` calls the function with NumPy arrays",
        ) from None
    if arrays == "torch":
        double = library.float64
        return lambda x: library.tensor(np.array(x), dtype=double), contextlib.nullcontext
    # JAX computes in single precision unless it is told otherwise.
    return lambda x: library.numpy.asarray(np.array(x)), lambda: library.enable_x64(True)


def _libraries(function: Callable[..., Any]) -> set[str]:
    """The libraries that the names in a function's module come from."""
    values = getattr(inspect.unwrap(function), "__globals__", {}).values()
    names = (getattr(v, "__name__" if inspect.ismodule(v) else "__module__", None) for v in values)
    return {str(n).partition(".")[0] for n in names}
