"""One derivative inside one process, from the text to the simplified answer, beside SymPy's `.diff`; and `matgrad batch`.

    python benchmarks/symbolic.py [rounds]

The expressions are those of textbooks that SymPy differentiates; both are given what they need already made: a text to
matgrad, an expression object to SymPy. Caches are what they are in a program that has run for a while: matgrad's tables are
parsed, SymPy's cache is cleared before each call, as each derivative is asked for once. Medians of interleaved rounds of
processor time, which other work on the machine disturbs less than the clock.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import sympy
from sympy import Inverse, MatrixSymbol, Symbol, Trace, sin
from sympy.core.cache import clear_cache

from matgrad import diff

m, n = sympy.symbols("m n", integer=True, positive=True)
A, B, X = MatrixSymbol("A", n, n), MatrixSymbol("B", n, n), MatrixSymbol("X", n, n)
C, Y = MatrixSymbol("C", m, n), MatrixSymbol("Y", m, n)
a, b, x = MatrixSymbol("a", n, 1), MatrixSymbol("b", n, 1), MatrixSymbol("x", n, 1)
c = Symbol("c")
LET = ["A: matrix(n, n)", "B: matrix(n, n)", "X: matrix(n, n)", "C: matrix(m, n)"]
LET += ["Y: matrix(m, n)", "a: vector(n)", "b: vector(n)", "x: vector(n)", "c: scalar"]

# (matgrad's text, the variable, SymPy's expression)
SET: list[tuple[str, str, Any]] = [
    ("a'*x", "x", a.T * x),
    ("x'*x", "x", x.T * x),
    ("A*x", "x", A * x),
    ("x'*A*x", "x", x.T * A * x),
    ("a'*x*x'*b", "x", a.T * x * x.T * b),
    ("(A*x)'*(A*x)", "x", (A * x).T * (A * x)),
    ("a'*X*b", "X", a.T * X * b),
    ("a'*X'*b", "X", a.T * X.T * b),
    ("a'*X*a", "X", a.T * X * a),
    ("a'*X'*X*b", "X", a.T * X.T * X * b),
    ("a'*X^-1*b", "X", a.T * Inverse(X) * b),
    ("tr(X)", "X", Trace(X)),
    ("tr(A*X)", "X", Trace(A * X)),
    ("tr(X*A)", "X", Trace(X * A)),
    ("tr(A*X*B)", "X", Trace(A * X * B)),
    ("tr(A*X'*B)", "X", Trace(A * X.T * B)),
    ("tr(X'*A)", "X", Trace(X.T * A)),
    ("tr(X*X)", "X", Trace(X * X)),
    ("tr(X*B*X')", "X", Trace(X * B * X.T)),
    ("tr(X'*B*X)", "X", Trace(X.T * B * X)),
    ("tr(B*X*X')", "X", Trace(B * X * X.T)),
    ("tr(A*X*B*X)", "X", Trace(A * X * B * X)),
    ("tr(A*X*B*X')", "X", Trace(A * X * B * X.T)),
    ("tr(A*X^-1*B)", "X", Trace(A * Inverse(X) * B)),
    ("tr(X^-1*A)", "X", Trace(Inverse(X) * A)),
    ("tr(Y'*Y)", "Y", Trace(Y.T * Y)),
    ("tr((Y - C)'*(Y - C))", "Y", Trace((Y - C).T * (Y - C))),
    ("c*tr(A*X)", "X", c * Trace(A * X)),
    ("sin(tr(A*X))", "X", sin(Trace(A * X))),
]


def timed(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def ours(text: str, wrt: str) -> None:
    """From the text to the simplified answer, with the declarations that the expression needs."""
    names = {d[0] for d in LET if d[0] in text}
    diff(text, wrt, [d for d in LET if d[0] in names], check=False)


def theirs(e: Any, wrt: Any) -> None:
    clear_cache()
    e.diff(wrt)


def batch(count: int, jobs: int) -> float:
    """Derivatives a second of `matgrad batch`, the start of the process left out."""
    lines = [f"{text} wrt {wrt}" for text, wrt, _ in SET]
    command = [sys.executable, "-m", "matgrad", "batch", "-", "--jobs", str(jobs)]
    times = []
    for number in (len(lines), count):
        text = "\n".join(lines[i % len(lines)] for i in range(number))
        start = os.times()
        clock = time.perf_counter()
        subprocess.run(
            command, input=text, text=True, encoding="utf-8", stdout=subprocess.DEVNULL, check=True
        )
        spent = os.times()
        used = spent.children_user + spent.children_system
        used -= start.children_user + start.children_system
        times.append(used if jobs == 1 else time.perf_counter() - clock)
    return (count - len(lines)) / (times[1] - times[0])


def main(rounds: int = 15) -> int:
    """Print the table; 1 if a bound is exceeded."""
    matgrad: dict[str, list[float]] = {text: [] for text, _, _ in SET}
    other: dict[str, list[float]] = {text: [] for text, _, _ in SET}
    variables = {"X": X, "x": x, "Y": Y}
    for number in range(rounds + 1):
        for text, wrt, e in SET:
            us, them = timed(lambda: ours(text, wrt)), timed(lambda: theirs(e, variables[wrt]))  # noqa: B023
            if number:
                matgrad[text].append(us)
                other[text].append(them)
    print(f"{'expression':24} {'matgrad ms':>11} {'SymPy ms':>9} {'ratio':>7}")
    ratios = []
    for text, _, _ in SET:
        us, them = statistics.median(matgrad[text]), statistics.median(other[text])
        ratios.append(us / them)
        print(f"{text:24} {us * 1e3:11.3f} {them * 1e3:9.3f} {us / them:7.3f}")
    one, two = batch(3000, 1), batch(3000, 2)
    print(
        f"\nmatgrad batch: {one:.0f} derivatives a second of one core; --jobs 2: {two:.0f} a second of the clock"
    )
    median = statistics.median(ratios)
    verdict = "within" if median <= 1 / 40 and one >= 1000 else "over"
    print(
        f"median 1/{1 / median:.0f} of SymPy (bound 1/40), batch {one:.0f}/s (bound 1000/s): {verdict}"
    )
    return 0 if verdict == "within" else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
