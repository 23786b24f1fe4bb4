"""Emitted NumPy code against the best that is written by hand, and against compiled JAX, as ratios of times.

    python benchmarks/eval.py [n ...] [--no-jax] [--only WORD] [--rounds N]

One thread, float64, medians over interleaved runs in one process. Below 1, matgrad is faster. The hand-written functions
return what the emitted one returns, and are compared with it before they are timed; of several, the fastest counts. The
last lines hold the geometric means against their bounds; exit code 1 if one does not hold.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

os.environ.pop("OPENBLAS_CORETYPE", None)
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np  # noqa: E402
from scipy import special  # noqa: E402
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
    ]  # dims of each argument, as "m n"; "S n" for an spd matrix, "+" for a positive number
    best: Callable[..., Any] | tuple[Callable[..., Any], ...]
    order: int = 1
    largest: int = 1000
    largest_jax: int = 1000  # where compiled JAX needs more memory

    @property
    def kind(self) -> str:
        """The bound that the ratio to JAX is held against."""
        if self.what in ("hvp", "compressed"):
            return self.what
        return "gradient" if self.order == 1 else "Hessian"


# (ratio to, kind) -> largest geometric mean.
BOUNDS = {"gradient": 0.75, "Hessian": 0.25, "hvp": 0.5, "compressed": 0.02}
WORDS = {
    "gradient": "gradients",
    "Hessian": "Hessians",
    "hvp": "Hessian-vector products",
    "compressed": "structured Hessian",
}
BY_HAND, WORST = 1.15, 1.5


_sigmoid = special.expit


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


def _logistic_shared(X: Any, w: Any, y: Any) -> Any:
    """One exponential for both, which is faster for long vectors."""
    z = X.dot(w)
    e = np.exp(-np.abs(z))
    value = (np.maximum(z, 0) + np.log1p(e)).sum() - y.dot(z)
    p = np.where(z >= 0, 1, e)
    p /= 1 + e
    p -= y
    return value, p.dot(X)


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


def _gaussian_inverse(S: Any, C: Any) -> Any:
    """By the inverse and products, which run faster than triangular solves."""
    c, _ = dpotrf(S.T, lower=1)
    P = dpotri(c, lower=1)[0]
    P += np.tril(P, -1).T
    M = P.dot(C)
    value = -np.log(c.diagonal()).sum() - 0.5 * M.trace()
    G = M.dot(P)
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
    G = A.T.dot(R)
    G *= 2
    return np.vdot(R, R), G


def _quadratic_hessian(A: Any, x: Any) -> Any:
    return A + A.T


def _quadratic_hvp(A: Any, x: Any, v: Any) -> Any:
    return A.dot(v) + v.dot(A)


def _least_squares_hessian(A: Any, x: Any, b: Any) -> Any:
    H = A.T.dot(A)
    H *= 2
    return H


def _least_squares_hvp(A: Any, x: Any, b: Any, v: Any) -> Any:
    return 2 * A.dot(v).dot(A)


def _ridge_hessian(A: Any, x: Any, b: Any, c: float) -> Any:
    H = A.T.dot(A)
    H *= 2
    H.flat[:: len(x) + 1] += 2 * c
    return H


def _ridge_hvp(A: Any, x: Any, b: Any, c: float, v: Any) -> Any:
    g = A.dot(v).dot(A)
    g += c * v
    g *= 2
    return g


def _softmax_hvp(X: Any, W: Any, Y: Any, v: Any) -> Any:
    Z = X.dot(W)
    Z -= Z.max(axis=1)[:, None]
    P = np.exp(Z, out=Z)
    P /= P.sum(axis=1)[:, None]
    U = X.dot(v)
    U -= np.einsum("ij,ij->i", P, U)[:, None]
    U *= P
    return X.T.dot(U)


def _factorization_hessian(T: Any, U: Any, V: Any) -> Any:
    n, k = U.shape
    H = np.zeros((n, k, n, k))
    np.einsum("ijil->ijl", H)[...] = 2 * V.T.dot(V)
    return H


def _factorization_hvp(T: Any, U: Any, V: Any, v: Any) -> Any:
    return v.dot(2 * V.T.dot(V))


def _network_hvp(W: Any, V: Any, x: Any, y: Any, v: Any) -> Any:
    h = np.tanh(V.dot(x))
    s = 1 - h * h
    dh = s * v.dot(x)
    r = W.dot(h)
    r -= y
    return np.outer(2 * (W.dot(dh).dot(W) * s - 2 * (r.dot(W) * h * dh)), x)


def _lda_hessian(A: Any, B: Any, w: Any) -> Any:
    a, b = A.dot(w), B.dot(w)
    q = w.dot(b)
    f = w.dot(a) / q
    H = B * -f
    H += A
    g = a - f * b
    K = np.outer(b, g * (-2 / q))
    H += K
    H += K.T
    H *= 2 / q
    return H


def _lda_hvp(A: Any, B: Any, w: Any, v: Any) -> Any:
    a, b = A.dot(w), B.dot(w)
    q = w.dot(b)
    f = w.dot(a) / q
    g = a - f * b
    h = A.dot(v) - f * B.dot(v)
    h -= (2 / q) * (g.dot(v) * b + b.dot(v) * g)
    h *= 2 / q
    return h


def _lse_hessian(A: Any, x: Any, b: Any) -> Any:
    z = A.dot(x)
    z += b
    e = np.exp(z - z.max())
    e /= e.sum()
    g = e.dot(A)
    W = np.sqrt(e)[:, None] * A
    H = W.T.dot(W)
    H -= np.outer(g, g)
    return H


def _lse_hvp(A: Any, x: Any, b: Any, v: Any) -> Any:
    z = A.dot(x)
    z += b
    e = np.exp(z - z.max())
    e /= e.sum()
    u = A.dot(v)
    u -= e.dot(u)
    u *= e
    return u.dot(A)


VD = "value_and_derivative"
LOGISTIC = "sum(softplus(X*w)) - y'X w"
SOFTMAX = "sum(logsumexp(X*W,2)) - tr(Y'X*W)"
RIDGE = "norm2(A*x-b)^2 + c*norm2(x)^2"
NETWORK = "norm2(W*tanh(V*x)-y)^2"
QUOTIENT = "(w'A w)/(w'B w)"
MATRICES = ["A: symmetric(n)", "B: spd(n)"]
AX, AXB = {"A": "n n", "x": "n"}, {"A": "n n", "x": "n", "b": "n"}
XWY, TUV = {"X": "n n", "w": "n", "y": "n"}, {"T": "n n", "U": "n 10", "V": "n 10"}
PROBLEMS = [
    Problem("quadratic form", "x'A x", "x", [], "derivative", AX, _quadratic),
    Problem("least squares", "norm2(A*x-b)^2", "x", [], VD, AXB, _least_squares),
    Problem("ridge", RIDGE, "x", [], VD, {**AXB, "c": "+"}, _ridge),
    Problem("logistic regression", LOGISTIC, "w", [], VD, XWY, (_logistic, _logistic_shared)),
    Problem("softmax regression", SOFTMAX, "W", [], VD, {"X": "n n", "W": "n 10", "Y": "n 10"}, _softmax_regression),
    Problem("matrix factorization", "norm(T-U*V')^2", "U", [], "derivative", TUV, _factorization),
    Problem("two layers", NETWORK, "V", [], "derivative", {"W": "n n", "V": "n n", "x": "n", "y": "n"}, _network),
    Problem("ln det(X'A X)", "ln det(X'A X)", "X", ["A: spd"], "derivative", {"A": "S n", "X": "n 10"}, _logdet_form),
    Problem("Gaussian likelihood", "-1/2*ln det(S) - 1/2*tr(inv(S)*C)", "S", ["S: spd(n)", "C: symmetric(n)"], VD, {"S": "S n", "C": "S n"}, (_gaussian, _gaussian_inverse)),
    Problem("Gaussian process", "1/2*y'inv(K+s*I)*y+1/2*logdet(K+s*I)", "K", ["K: spd(n)", "s: positive", "y: vector"], VD, {"K": "S n", "y": "n", "s": "+"}, _gp),
    Problem("tr(A X^-1 B)", "tr(A*X^-1*B)", "X", [], VD, {"A": "n n", "X": "S n", "B": "n n"}, _trace_inverse),
    Problem("ln det(X)", "ln det(X)", "X", [], VD, {"X": "S n"}, _inverse_logdet),
    Problem("LDA quotient", QUOTIENT, "w", MATRICES, "derivative", {"A": "S n", "B": "S n", "w": "n"}, _lda),
    Problem("RBF kernel sum", "sum(exp(-g*(diag(X*X')*ones(n)'+ones(n)*diag(X*X')'-2*X*X')))", "X", ["X: matrix(n,d)", "g: positive"], "derivative", {"X": "n 10", "g": "+"}, _rbf),
    Problem("logsumexp", "logsumexp(A*x+b)", "x", ["b: vector"], VD, AXB, _lse),
    Problem("matrix least squares", "norm(A*X-B)^2", "X", [], VD, {"A": "n n", "X": "n 10", "B": "n 10"}, _frobenius),
    Problem("quadratic form", "x'A x", "x", [], "derivative", AX, _quadratic_hessian, 2),
    Problem("least squares", "norm2(A*x-b)^2", "x", [], "derivative", AXB, _least_squares_hessian, 2),
    Problem("ridge", RIDGE, "x", [], "derivative", {**AXB, "c": "+"}, _ridge_hessian, 2),
    Problem("logistic regression", LOGISTIC, "w", [], "derivative", XWY, _logistic_hessian, 2),
    Problem("matrix factorization", "norm(T-U*V')^2", "U", [], "derivative", TUV, _factorization_hessian, 2, 100),
    Problem("LDA quotient", QUOTIENT, "w", MATRICES, "derivative", {"A": "S n", "B": "S n", "w": "n"}, _lda_hessian, 2),
    Problem("logsumexp", "logsumexp(A*x+b)", "x", ["b: vector"], "derivative", AXB, _lse_hessian, 2),
    Problem("quadratic form", "x'A x", "x", [], "hvp", {**AX, "v": "n"}, _quadratic_hvp, 2),
    Problem("least squares", "norm2(A*x-b)^2", "x", [], "hvp", {**AXB, "v": "n"}, _least_squares_hvp, 2),
    Problem("ridge", RIDGE, "x", [], "hvp", {**AXB, "c": "+", "v": "n"}, _ridge_hvp, 2),
    Problem("logistic regression", LOGISTIC, "w", [], "hvp", {**XWY, "v": "n"}, _logistic_hvp, 2),
    Problem("softmax regression", SOFTMAX, "W", [], "hvp", {"X": "n n", "W": "n 10", "Y": "n 10", "v": "n 10"}, _softmax_hvp, 2),
    Problem("matrix factorization", "norm(T-U*V')^2", "U", [], "hvp", {**TUV, "v": "n 10"}, _factorization_hvp, 2),
    Problem("two layers", NETWORK, "V", [], "hvp", {"W": "n n", "V": "n n", "x": "n", "y": "n", "v": "n n"}, _network_hvp, 2),
    Problem("LDA quotient", QUOTIENT, "w", MATRICES, "hvp", {"A": "S n", "B": "S n", "w": "n", "v": "n"}, _lda_hvp, 2),
    Problem("logsumexp", "logsumexp(A*x+b)", "x", ["b: vector"], "hvp", {**AXB, "v": "n"}, _lse_hvp, 2),
    Problem("matrix factorization", "norm(T-U*V')^2", "U", [], "compressed", TUV, _factorization_core, 2, 1000, 100),
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


def times(functions: list[Callable[[], Any]], seconds: float = 0.4) -> Any:
    """The times of each function, run in turns: a row for each turn."""
    start = time.perf_counter()
    for f in functions:
        f()
    once = (time.perf_counter() - start) / len(functions)
    inner = max(1, int(2e-4 / max(once, 1e-9)))
    runs = min(400, max(9, int(seconds / (inner * once * len(functions)))))
    found = np.empty((runs, len(functions)))
    for run in range(runs):
        for i in range(len(functions))[:: 1 if run % 2 else -1]:
            begin = time.perf_counter()
            for _ in range(inner):
                functions[i]()
            found[run, i] = (time.perf_counter() - begin) / inner
    return found


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


def by_jax(problem: Problem, arguments: dict[str, Any]) -> Callable[[], Any]:
    """The same by jax.grad or jax.hessian of the emitted value, compiled."""
    import jax

    jax.config.update("jax_enable_x64", True)
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


def ratio(functions: list[Callable[[], Any]], rounds: int) -> tuple[float, float]:
    """The median time of the first function, and of its ratio in a turn to the fastest of the others: what else the
    machine does lasts longer than a turn."""
    found = np.concatenate([times(functions) for _ in range(rounds)])
    fastest = 1 + int(np.argmin(np.median(found[:, 1:], axis=0)))
    return float(np.median(found[:, 0])), float(np.median(found[:, 0] / found[:, fastest]))


def mean(ratios: list[float]) -> float:
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(ratios))))


def main() -> int:
    """Print a line for each problem and size, and the geometric means beside their bounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sizes", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--no-jax", action="store_true")
    parser.add_argument("--only", default="", help="problems with this in their name or kind")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    by_hand: list[float] = []
    against_jax: dict[str, list[float]] = {kind: [] for kind in BOUNDS}
    print(f"{'problem':24}{'':12}{'n':>6}{'matgrad':>12}{'/ by hand':>11}{'/ JAX':>9}")
    for problem in PROBLEMS:
        if options.only not in f"{problem.name} {problem.kind}":
            continue
        function = emitted(problem, "numpy")
        best = problem.best if isinstance(problem.best, tuple) else (problem.best,)
        for n in options.sizes:
            if n > problem.largest:
                continue
            rng = np.random.default_rng(n)
            arguments = {k: argument(s, n, rng) for k, s in problem.shapes.items()}
            rest = dict(arguments)
            first = [rest.pop("v")] if problem.what == "hvp" else []
            mine = partial(function, *first, **rest)
            others = [partial(b, **arguments) for b in best]
            for other in others:
                for a, b in zip(leaves(mine()), leaves(other()), strict=True):
                    scale = np.max(np.abs(b))
                    assert np.allclose(a, b, rtol=1e-6, atol=1e-6 * scale), (problem, n)
            own, factor = ratio([mine, *others], options.rounds)
            by_hand.append(factor)
            line = f"{problem.name:24}{problem.kind:12}{n:6}{own * 1e6:10.1f}us{factor:11.2f}"
            if not options.no_jax and n <= problem.largest_jax:
                compiled = by_jax(problem, arguments)
                compiled()
                _, factor = ratio([mine, compiled], options.rounds)
                against_jax[problem.kind].append(factor)
                line += f"{factor:9.3f}"
            print(line, flush=True)
    held = []

    def tell(what: str, found: float, bound: float) -> None:
        held.append(found <= bound)
        print(
            f"{what:50}{found:8.3f}   bound {bound:5.2f}   {'holds' if held[-1] else 'DOES NOT HOLD'}"
        )

    tell("by hand, geometric mean", mean(by_hand), BY_HAND)
    tell("by hand, worst", max(by_hand), WORST)
    for kind, ratios in against_jax.items():
        if ratios:
            tell(f"JAX, {WORDS[kind]}, geometric mean", mean(ratios), BOUNDS[kind])
    print(
        "every bound holds"
        if all(held)
        else f"{held.count(False)} of {len(held)} bounds do not hold"
    )
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
