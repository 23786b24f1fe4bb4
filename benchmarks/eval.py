"""Emitted NumPy code against the best that is written by hand, and against compiled JAX, as ratios of times.

    python benchmarks/eval.py [n ...] [--no-jax]

One thread, float64, medians of interleaved runs in one process. Below 1, matgrad is faster. The hand-written functions
return what the emitted one returns; both are compared before they are timed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.pop("OPENBLAS_CORETYPE", None)
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np  # noqa: E402
from scipy.linalg.lapack import dgetrf, dgetri, dgetrs, dpotrf, dpotri, dpotrs  # noqa: E402

from matgrad import diff  # noqa: E402


class Problem(NamedTuple):
    """An expression, what is computed of it, and the best a person writes for that."""

    name: str
    text: str
    wrt: str
    let: list[str]
    what: str  # derivative | value_and_derivative | hvp | compressed
    shapes: dict[
        str, str
    ]  # dims of each argument, as "m n"; "+" before for positive, "S n" for spd
    best: Callable[..., Any]
    order: int = 1
    largest: int = 1000


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def _quadratic(A: Any, x: Any) -> Any:
    return A.dot(x) + x.dot(A)


def _least_squares(A: Any, x: Any, b: Any) -> Any:
    r = A.dot(x)
    r -= b
    return r.dot(r), 2 * r.dot(A)


def _ridge(A: Any, x: Any, b: Any, c: float) -> Any:
    r = A.dot(x)
    r -= b
    g = r.dot(A)
    g += c * x
    g *= 2
    return r.dot(r) + c * x.dot(x), g


def _logistic(X: Any, w: Any, y: Any) -> Any:
    z = X.dot(w)
    return np.logaddexp(0, z).sum() - y.dot(z), (_sigmoid(z) - y).dot(X)


def _logistic_hessian(X: Any, w: Any, y: Any) -> Any:
    p = _sigmoid(X.dot(w))
    W = np.sqrt(p * (1 - p))[:, None] * X
    return W.T.dot(W)


def _logistic_hvp(X: Any, w: Any, y: Any, v: Any) -> Any:
    p = _sigmoid(X.dot(w))
    p *= 1 - p
    p *= X.dot(v)
    return p.dot(X)


def _softmax_regression(X: Any, W: Any, Y: Any) -> Any:
    Z = X.dot(W)
    top = Z.max(axis=1)
    E = np.exp(Z - top[:, None])
    s = E.sum(axis=1)
    value = (np.log(s) + top).sum() - np.vdot(Y, Z)
    E /= s[:, None]
    E -= Y
    return value, X.T.dot(E)


def _factorization(T: Any, U: Any, V: Any) -> Any:
    R = U.dot(V.T)
    R -= T
    G = R.dot(V)
    G *= 2
    return G


def _factorization_core(T: Any, U: Any, V: Any) -> Any:
    C = V.T.dot(V)
    C *= 2
    return C


def _network(W: Any, V: Any, x: Any, y: Any) -> Any:
    h = np.tanh(V.dot(x))
    r = W.dot(h)
    r -= y
    return np.outer(2 * r.dot(W) * (1 - h * h), x)


def _logdet_form(A: Any, X: Any) -> Any:
    B = A.dot(X)
    c, _ = dpotrf(X.T.dot(B), lower=1)
    return 2 * dpotrs(c, B.T, lower=1)[0].T


def _gaussian(S: Any, C: Any) -> Any:
    c, _ = dpotrf(S.T, lower=1)
    M = dpotrs(c, C.T, lower=1)[0]
    value = -np.log(c.diagonal()).sum() - 0.5 * M.trace()
    P = dpotri(c, lower=1)[0]
    P += np.tril(P, -1).T
    G = dpotrs(c, M.T, lower=1)[0]
    G -= P
    G *= 0.5
    return value, G


def _gp(K: Any, y: Any, s: float) -> Any:
    A = K.copy()
    A.flat[:: len(A) + 1] += s
    c, _ = dpotrf(A.T, lower=1)
    a = dpotrs(c, y, lower=1)[0]
    value = 0.5 * y.dot(a) + np.log(c.diagonal()).sum()
    P = dpotri(c, lower=1)[0]
    P += np.tril(P, -1).T
    P -= np.outer(a, a)
    P *= 0.5
    return value, P


def _trace_inverse(A: Any, B: Any, X: Any) -> Any:
    f, p, _ = dgetrf(X.T)
    S = dgetrs(f, p, B, trans=1)[0]
    return np.einsum("ij,ji->", A, S), -dgetrs(f, p, S.dot(A).T)[0]


def _inverse_logdet(X: Any) -> Any:
    f, p, _ = dgetrf(X.T)
    return np.log(np.abs(f.diagonal())).sum(), dgetri(f, p)[0]


def _lda(A: Any, B: Any, w: Any) -> Any:
    a, b = A.dot(w), B.dot(w)
    q = w.dot(b)
    return (2 / q) * (a - (w.dot(a) / q) * b)


def _rbf(X: Any, g: float) -> Any:
    s = np.einsum("ij,ij->i", X, X)
    K = X.dot(X.T)
    K *= 2
    K -= s[:, None]
    K -= s
    K *= g
    np.exp(K, out=K)
    G = K.dot(X)
    G -= K.sum(axis=1)[:, None] * X
    G *= 4 * g
    return G


def _lse(A: Any, x: Any, b: Any) -> Any:
    z = A.dot(x)
    z += b
    top = z.max()
    e = np.exp(z - top)
    s = e.sum()
    return np.log(s) + top, (e / s).dot(A)


def _frobenius(A: Any, X: Any, B: Any) -> Any:
    R = A.dot(X)
    R -= B
    return np.vdot(R, R), 2 * A.T.dot(R)


VD = "value_and_derivative"
PROBLEMS = [
    Problem("quadratic form", "x'A x", "x", [], "derivative", {"A": "n n", "x": "n"}, _quadratic),
    Problem("least squares", "norm2(A*x-b)^2", "x", [], VD, {"A": "n n", "x": "n", "b": "n"}, _least_squares),
    Problem("ridge", "norm2(A*x-b)^2 + c*norm2(x)^2", "x", [], VD, {"A": "n n", "x": "n", "b": "n", "c": "+"}, _ridge),
    Problem("logistic regression", "sum(softplus(X*w)) - y'X w", "w", [], VD, {"X": "n n", "w": "n", "y": "n"}, _logistic),
    Problem("logistic Hessian", "sum(softplus(X*w)) - y'X w", "w", [], "derivative", {"X": "n n", "w": "n", "y": "n"}, _logistic_hessian, 2),
    Problem("logistic hvp", "sum(softplus(X*w)) - y'X w", "w", [], "hvp", {"X": "n n", "w": "n", "y": "n", "v": "n"}, _logistic_hvp, 2),
    Problem("softmax regression", "sum(logsumexp(X*W,2)) - tr(Y'X*W)", "W", [], VD, {"X": "n n", "W": "n 10", "Y": "n 10"}, _softmax_regression),
    Problem("matrix factorization", "norm(T-U*V')^2", "U", [], "derivative", {"T": "n n", "U": "n 10", "V": "n 10"}, _factorization),
    Problem("factorization core", "norm(T-U*V')^2", "U", [], "compressed", {"T": "n n", "U": "n 10", "V": "n 10"}, _factorization_core, 2),
    Problem("two layers", "norm2(W*tanh(V*x)-y)^2", "V", [], "derivative", {"W": "n n", "V": "n n", "x": "n", "y": "n"}, _network),
    Problem("ln det(X'A X)", "ln det(X'A X)", "X", ["A: spd"], "derivative", {"A": "S n", "X": "n 10"}, _logdet_form),
    Problem("Gaussian likelihood", "-1/2*ln det(S) - 1/2*tr(inv(S)*C)", "S", ["S: spd(n)", "C: symmetric(n)"], VD, {"S": "S n", "C": "S n"}, _gaussian),
    Problem("Gaussian process", "1/2*y'inv(K+s*I)*y+1/2*logdet(K+s*I)", "K", ["K: spd(n)", "s: positive", "y: vector"], VD, {"K": "S n", "y": "n", "s": "+"}, _gp),
    Problem("tr(A X^-1 B)", "tr(A*X^-1*B)", "X", [], VD, {"A": "n n", "X": "S n", "B": "n n"}, _trace_inverse),
    Problem("ln det(X)", "ln det(X)", "X", [], VD, {"X": "S n"}, _inverse_logdet),
    Problem("LDA quotient", "(w'A w)/(w'B w)", "w", ["A: symmetric(n)", "B: spd(n)"], "derivative", {"A": "S n", "B": "S n", "w": "n"}, _lda),
    Problem("RBF kernel sum", "sum(exp(-g*(diag(X*X')*ones(n)'+ones(n)*diag(X*X')'-2*X*X')))", "X", ["X: matrix(n,d)", "g: positive"], "derivative", {"X": "n 10", "g": "+"}, _rbf),
    Problem("logsumexp", "logsumexp(A*x+b)", "x", ["b: vector"], VD, {"A": "n n", "x": "n", "b": "n"}, _lse),
    Problem("matrix least squares", "norm(A*X-B)^2", "X", [], VD, {"A": "n n", "X": "n 10", "B": "n 10"}, _frobenius),
]  # fmt: skip


def argument(spec: str, n: int, rng: np.random.Generator) -> Any:
    """A random argument."""
    if spec == "+":
        return 0.7
    dims = [n if d in ("n", "S") else int(d) for d in spec.split()]
    if spec.startswith("S"):
        A = rng.normal(size=(n, n))
        return A @ A.T / n + np.eye(n)
    return rng.normal(size=dims) / np.sqrt(n)


def median_times(functions: list[Callable[[], Any]], seconds: float = 0.4) -> list[float]:
    """The median time of each function, run in turns."""
    start = time.perf_counter()
    for f in functions:
        f()
    once = (time.perf_counter() - start) / len(functions)
    inner = max(1, int(2e-4 / max(once, 1e-9)))
    runs = min(400, max(7, int(seconds / (inner * once * len(functions)))))
    found: list[list[float]] = [[] for _ in functions]
    for run in range(runs):
        pairs = list(zip(functions, found, strict=True))
        for f, times in pairs[:: 1 if run % 2 else -1]:
            begin = time.perf_counter()
            for _ in range(inner):
                f()
            times.append((time.perf_counter() - begin) / inner)
    return [float(np.median(t)) for t in found]


def leaves(result: Any) -> list[Any]:
    """The arrays of a result."""
    return [np.asarray(r) for r in (result if isinstance(result, tuple) else (result,))]


def emitted(problem: Problem, target: str) -> Callable[..., Any]:
    """The function that matgrad writes."""
    text = diff(problem.text, problem.wrt, problem.let, order=problem.order).to(target)
    space: dict[str, Any] = {}
    exec(text, space)
    function: Callable[..., Any] = space[problem.what]
    return function


def by_jax(problem: Problem, arguments: dict[str, Any]) -> Callable[[], Any] | None:
    """The same by jax.grad or jax.hessian of the emitted value, compiled."""
    import jax

    jax.config.update("jax_enable_x64", True)
    if problem.what == "compressed":
        return None
    space: dict[str, Any] = {}
    exec(diff(problem.text, problem.wrt, problem.let, check=False).to("jax"), space)
    value = space["value"]
    given = {k: jax.numpy.asarray(v) for k, v in arguments.items()}
    direction = given.pop("v", None) if problem.what == "hvp" else None
    names = list(given)
    at = names.index(problem.wrt)

    def plain(*values: Any) -> Any:
        return value(**dict(zip(names, values, strict=True)))

    if problem.what == "hvp":

        def product(v: Any, *values: Any) -> Any:
            def gradient(x: Any) -> Any:
                return jax.grad(plain, at)(*values[:at], x, *values[at + 1 :])

            return jax.jvp(gradient, (values[at],), (v,))[1]

        compiled = jax.jit(product)
        return lambda: jax.block_until_ready(compiled(direction, *given.values()))
    if problem.order == 2:
        function = jax.hessian(plain, at)
    elif problem.what == VD:
        function = jax.value_and_grad(plain, at)
    else:
        function = jax.grad(plain, at)
    compiled = jax.jit(function)
    return lambda: jax.block_until_ready(compiled(*given.values()))


def main() -> None:
    """Print a line for each problem and size, and the geometric means."""
    with_jax = "--no-jax" not in sys.argv
    sizes = [int(a) for a in sys.argv[1:] if a.isdigit()] or [10, 100, 1000]
    by_hand: list[float] = []
    against_jax: list[float] = []
    print(f"{'problem':24}{'n':>6}{'matgrad':>12}{'/ by hand':>11}{'/ JAX':>9}")
    for problem in PROBLEMS:
        function = emitted(problem, "numpy")
        for n in sizes:
            if n > problem.largest:
                continue
            rng = np.random.default_rng(n)
            arguments = {k: argument(s, n, rng) for k, s in problem.shapes.items()}
            rest = dict(arguments)
            v = rest.pop("v", None)
            mine = (lambda: function(v, **rest)) if v is not None else (lambda: function(**rest))  # noqa: B023
            best = lambda: problem.best(**arguments)  # noqa: B023, E731
            for a, b in zip(leaves(mine()), leaves(best()), strict=True):
                assert np.allclose(a, b, rtol=1e-6, atol=1e-6 * np.max(np.abs(b))), (
                    problem.name,
                    n,
                )
            times = median_times([mine, best])
            other = by_jax(problem, arguments) if with_jax else None
            by_hand.append(times[0] / times[1])
            line = f"{problem.name:24}{n:6}{times[0] * 1e6:10.1f}us{by_hand[-1]:11.2f}"
            if other is not None:
                other()
                both = median_times([mine, other])
                against_jax.append(both[0] / both[1])
                line += f"{against_jax[-1]:9.2f}"
            print(line, flush=True)
    print(
        f"geometric mean / by hand: {np.exp(np.mean(np.log(by_hand))):.3f}, worst {max(by_hand):.2f}"
    )
    if against_jax:
        print(f"geometric mean / JAX: {np.exp(np.mean(np.log(against_jax))):.3f}")


if __name__ == "__main__":
    main()
