"""How time, memory and length grow with the size of an expression.

    python benchmarks/scaling.py [largest n, 4096] [largest n of second derivatives, 256]

Each family of `families.py`, each size in a process of its own: the seconds of processor time for reading (text to typed
expression), deriving (with simplification), printing (`-q`) and code (`--to numpy`), the memory of all that, and the number of
characters of the answer. `x` is the exponent of the growth, the slope of a straight line through the logarithms of the upper half
of the sizes (the lower half measures what a call costs anyhow). SymPy's time for the derivative of the same expression stands
beside it, where it has an answer within ten seconds.
"""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import time
from typing import Any

STAGES = ("read", "derive", "print", "code", "memory", "length")
BOUND, SECOND = 1.2, 2.2
SECONDS = 300  # that one process may take


def measure(name: str, n: int, order: int) -> dict[str, float]:
    """The stages of one expression, in this process."""
    import resource

    from families import FAMILIES

    from matgrad import diff
    from matgrad.derive import declarations
    from matgrad.emit import python
    from matgrad.render.report import answer_text
    from matgrad.shapes import read

    small = FAMILIES[name](2)
    python.source(diff(small.text, small.wrt, list(small.let), check=False), "numpy", None)
    text, wrt, let = FAMILIES[name](n)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = [time.process_time()]
    read(text, declarations(list(let)))
    times.append(time.process_time())
    d = diff(text, wrt, list(let), order=order, check=False)
    times.append(time.process_time())
    answer = answer_text(d)
    times.append(time.process_time())
    if order == 1:
        python.source(d, "numpy", None)
    times.append(time.process_time())
    reading, deriving, printing, code = (b - a for a, b in itertools.pairwise(times))
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / 1024
    values = (reading, max(deriving - reading, 0.0), printing, code, memory, float(len(answer)))
    return dict(zip(STAGES, values, strict=True))


def sympy_time(name: str, n: int) -> float:
    """SymPy's `.diff` of the same expression, for the families that it has words for."""
    import sympy
    from sympy import MatrixSymbol, Trace

    k = sympy.Symbol("k", integer=True, positive=True)
    X, x = MatrixSymbol("X", k, k), MatrixSymbol("x", k, 1)
    A = [MatrixSymbol(f"A{i}", k, k) for i in range(n)]
    if name == "tr(A1 X A2 X ... An X)":
        e, wrt = Trace(sympy.MatMul(*(f for a in A for f in (a, X)))), X
    elif name == "x'A1 x + ... + x'An x":
        e, wrt = sympy.MatAdd(*(x.T * a * x for a in A)), x
    else:
        raise SystemExit("SymPy: not written")
    start = time.process_time()
    e.diff(wrt)
    return time.process_time() - start


def apart(*arguments: str, seconds: float = SECONDS) -> Any:
    """What this file prints for some arguments, in a process of its own; None if it fails or takes too long."""
    try:
        done = subprocess.run(
            [sys.executable, __file__, *arguments], capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout) if done.returncode == 0 else None


def exponent(sizes: list[int], values: list[float]) -> float:
    """The slope of the logarithms, over the upper half of the sizes."""
    kept = [(math.log(n), math.log(v)) for n, v in zip(sizes, values, strict=True) if v > 0][
        -max(3, (len(sizes) + 1) // 2) :
    ]
    if len(kept) < 2:
        return 0.0
    mx, my = (sum(column) / len(kept) for column in zip(*kept, strict=True))
    above = sum((x - mx) * (y - my) for x, y in kept)
    return above / sum((x - mx) ** 2 for x, _ in kept)


def table(order: int, largest: int, bound: float) -> tuple[int, int, float]:
    """Print the growth of every family; returns how many exponents keep to the bound, how many there are, the worst."""
    from families import FAMILIES

    sizes = [2**i for i in range(1, 20) if 2**i <= largest]
    kept = total = 0
    worst = 0.0
    stages = [s for s in STAGES if order == 1 or s in ("derive", "print")]
    print(f"\norder {order}, n = {sizes[0]} ... {sizes[-1]}; at the largest n, and x, the exponent")
    print(f"{'family':28}" + "".join(f"{s:>10} {'x':>5}" for s in stages) + f"{'SymPy s (n)':>16}")
    for name in FAMILIES:
        found = [apart("one", name, str(n), str(order)) for n in sizes]
        sizes_done = [n for n, f in zip(sizes, found, strict=True) if f is not None]
        done = [f for f in found if f is not None]
        row = f"{name:28}"
        for stage in stages:
            values = [f[stage] for f in done]
            x = exponent(sizes_done, values)
            small = stage != "length" and values[-1] < (20 if stage == "memory" else 0.1)
            total += 1
            good = len(done) == len(sizes) and (small or x <= bound)
            kept += good
            worst = max(worst, 0.0 if small else x)
            row += f"{values[-1]:10.2f} {'-' if small else f'{x:.2f}':>5}"
        other = ""
        if order == 1:
            for n in (4, 16, 64):
                seconds = apart("sympy", name, str(n), seconds=20)
                if seconds is None or seconds > 10:
                    break
                other = f"{seconds:.2f} ({n})"
        missing = "" if len(done) == len(sizes) else f"  stopped at n = {sizes_done[-1]}"
        print(row + f"{other:>16}{missing}", flush=True)
    return kept, total, worst


def main(arguments: list[str]) -> int:
    """Print the tables; 1 if an exponent is over its bound."""
    if arguments[:1] == ["one"]:
        print(json.dumps(measure(arguments[1], int(arguments[2]), int(arguments[3]))))
        return 0
    if arguments[:1] == ["sympy"]:
        print(json.dumps(sympy_time(arguments[1], int(arguments[2]))))
        return 0
    largest_sizes = [*map(int, arguments), *(4096, 256)[len(arguments) :]]
    first, second = largest_sizes
    kept, total, worst = table(1, first, BOUND)
    also, more, largest = table(2, second, SECOND)
    print("seconds, megabytes, characters; - is too little to measure")
    print(
        f"{kept} of {total} exponents at most {BOUND} (worst {worst:.2f}), second derivatives"
        f" {also} of {more} at most {SECOND} (worst {largest:.2f})"
    )
    return 0 if kept == total and also == more else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
