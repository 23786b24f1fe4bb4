"""The code emitted for some expressions, as files: a change of code is seen as a diff. It runs under jit, vmap, compile.

    python tests/test_golden.py --write

writes tests/golden/NAME.numpy.py, .jax.py, .torch.py and .m anew.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from emitted import load
from test_emitted_numpy import jax_arrays

from matgrad.derive import Derivation, diff, emitted
from matgrad.dims import dim_value
from matgrad.emit.lower import shape_of
from matgrad.verify import sample

FOLDER = Path(__file__).with_name("golden")
SUFFIXES = {"numpy": ".numpy.py", "jax": ".jax.py", "torch": ".torch.py", "matlab": ".m"}


class Golden(NamedTuple):
    """An expression whose code is kept."""

    text: str
    wrt: str
    let: tuple[str, ...] = ()
    order: int = 1


GOLDEN = {
    "quadratic_form": Golden("x'A x", "x"),
    "least_squares": Golden("norm2(A*x - b)^2", "x"),
    "ridge_hessian": Golden("norm2(A*x - b)^2 + c*norm2(x)^2", "x", ("c: positive",), 2),
    "logistic_regression": Golden("sum(log(1 + exp(X*w)) - y.*(X*w))", "w"),
    "logistic_hessian": Golden("sum(log(1 + exp(X*w)) - y.*(X*w))", "w", (), 2),
    "softmax_regression": Golden("sum(logsumexp(X*W, 2)) - tr(Y'X*W)", "W"),
    "factorization_hessian": Golden("norm(T - U*V')^2", "U", (), 2),
    "two_layers": Golden("norm2(W*tanh(V*x) - y)^2", "V"),
    "logdet_form": Golden("ln det(X'A X)", "X", ("A: spd(m)",)),
    "gaussian_likelihood": Golden("-1/2*ln det(Σ) - 1/2*tr(Σ^-1*C)", "Σ", ("Σ: spd(n)", "C: symmetric(n)")),
    "gaussian_process": Golden("1/2*y'(K + s*I)^-1*y + 1/2*ln det(K + s*I)", "K", ("K: spd(n)", "s: positive")),
    "trace_inverse": Golden("tr(A*X^-1*B)", "X"),
    "triangular_solve": Golden("norm2(L^-1*x)^2", "x", ("L: lower(n)",)),
    "lda_quotient": Golden("(w'A w)/(w'B w)", "w", ("A: symmetric(n)", "B: spd(n)")),
    "kernel_sum": Golden("sum(exp(-g*(diag(X*X')*ones(n)' + ones(n)*diag(X*X')' - 2*X*X')))", "X",
                         ("X: matrix(n, d)", "g: positive")),
    "kronecker": Golden("norm2(kron(A, B)*vec(X))^2", "X", ("A: matrix(p, n)", "B: matrix(q, m)", "X: matrix(m, n)")),
    "matrix_jacobian": Golden("A*X*B", "X"),
    "diagonal_scaling": Golden("tr(A'diag(d)*A)", "d", ("d: vector",)),
    "matrix_exponential": Golden("tr(B*expm(A))", "A"),
    "lambda": Golden("λ*norm1(x) + value'x", "x", ("value: vector",)),
    "finite_sum": Golden("sum(k=1:n, x[k]^k)", "x", ("x: vector(n)",)),
    "symmetric_eigenvalue": Golden("eigmax(S)", "S", ("S: symmetric(n)",)),
}  # fmt: skip


@cache
def derivation(name: str) -> Derivation:
    """The derivation of one of them."""
    text, wrt, let, order = GOLDEN[name]
    return diff(text, wrt, list(let), order=order, check=False)


def code(name: str, target: str) -> str:
    """The code of one of them."""
    return emitted(derivation(name), target, name)


def path(name: str, target: str) -> Path:
    """Its file."""
    return FOLDER / f"{name}{SUFFIXES[target]}"


def data(name: str, space: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
    """Random arguments."""
    rng = np.random.default_rng(seed)
    sizes = {"m": 4, "n": 3, "p": 2, "q": 5, "k": 2, "d": 2, "r": 3}
    found = {}
    for v in derivation(name).typed.variables.values():
        value = sample(
            v, sizes, 2 if len(set(shape_of(v))) == 1 and len(shape_of(v)) == 2 else 0, rng
        )
        found[
            f"{v.data[0]}".replace("λ", "lambda_").replace("Σ", "Sigma").replace("value", "value_")
        ] = value
        assert np.shape(value) == tuple(dim_value(d, sizes) for d in shape_of(v))
    return found


@pytest.mark.parametrize("target", SUFFIXES)
@pytest.mark.parametrize("name", GOLDEN)
def test_code_is_what_is_kept(name: str, target: str) -> None:
    file = path(name, target)
    assert file.read_text(encoding="utf-8") == code(name, target), (
        "python tests/test_golden.py --write"
    )


def test_nothing_else_is_kept() -> None:
    assert {p.name for p in FOLDER.iterdir()} == {path(n, t).name for n in GOLDEN for t in SUFFIXES}


def test_kept_code_passes_ruff() -> None:
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--ignore", "E501", str(FOLDER)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


def functions(name: str, space: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The functions of a module, with the arguments before the named ones."""
    found: dict[str, tuple[Any, ...]] = {
        n: () for n in ("value", "derivative", "value_and_derivative", "compressed") if n in space
    }
    if "hvp" in space:
        wrt = derivation(name).wrt.data[0]
        found["hvp"] = (np.ones_like(data(name, space)[wrt]),)
    return found


def of_keywords(function: Any, first: list[Any]) -> Any:
    """A function of a dictionary of the named arguments."""
    return lambda named: function(*first, **named)


def flat(result: Any) -> list[Any]:
    """The arrays of a result."""
    return [np.asarray(r) for r in (result if isinstance(result, tuple) else (result,))]


def close(found: Any, expected: Any) -> None:
    """Compare the results of two functions."""
    for a, b in zip(flat(found), flat(expected), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", GOLDEN)
def test_jax_jit_and_vmap(name: str) -> None:
    to, _ = jax_arrays()
    import jax

    reference, space = load(code(name, "numpy")), load(code(name, "jax"))
    given = [data(name, space, seed) for seed in (0, 1)]
    for function, first in functions(name, space).items():
        expected = [reference[function](*first, **g) for g in given]
        called = [to(a) for a in first]
        named = [{k: to(v) for k, v in g.items()} for g in given]
        compiled = jax.jit(space[function])
        close(compiled(*called, **named[0]), expected[0])
        stacked = {k: to(np.stack([g[k] for g in given])) for k in given[0]}
        mapped = jax.vmap(of_keywords(space[function], called))(stacked)
        for i in (0, 1):
            close(tuple(r[i] for r in flat(mapped)), expected[i])


@pytest.mark.parametrize("name", GOLDEN)
def test_torch_type_compile_and_vmap(name: str) -> None:
    """Results have the type of the arguments; a function is one graph; vmap and jacrev go through it."""
    torch = pytest.importorskip("torch")
    reference, space = load(code(name, "numpy")), load(code(name, "torch"))
    given = [data(name, space, seed) for seed in (0, 1)]
    for function, first in functions(name, space).items():
        expected = [reference[function](*first, **g) for g in given]
        named = [{k: torch.as_tensor(v) for k, v in g.items()} for g in given]
        called = [torch.as_tensor(a) for a in first]
        close(space[function](*called, **named[0]), expected[0])
        single = {k: v.float() for k, v in named[0].items()}
        result = space[function](*[c.float() for c in called], **single)
        for r in result if isinstance(result, tuple) else (result,):
            assert r.dtype == torch.float32
            assert r.device.type == "cpu"
        meta = {k: v.to("meta") for k, v in named[0].items()}
        result = space[function](*[c.to("meta") for c in called], **meta)
        results = result if isinstance(result, tuple) else (result,)
        assert all(r.device.type == "meta" for r in results)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch._dynamo.reset()
            whole = torch.compile(space[function], backend="eager", fullgraph=True)
            close(whole(*called, **named[0]), expected[0])
        stacked = {k: torch.as_tensor(np.stack([g[k] for g in given])) for k in given[0]}
        mapped = torch.func.vmap(of_keywords(space[function], called))(stacked)
        for i in (0, 1):
            close(tuple(r[i] for r in flat(mapped)), expected[i])


def write() -> None:
    """Write every file anew."""
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.iterdir():
        file.unlink()
    for name in GOLDEN:
        for target in SUFFIXES:
            path(name, target).write_text(code(name, target), encoding="utf-8")


if __name__ == "__main__":
    assert sys.argv[1:] == ["--write"], __doc__
    write()
