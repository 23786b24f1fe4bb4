"""Derivatives of random expressions of all operations, counted by what came of them.

    python benchmarks/random_derivatives.py --count 20000 --order 1 --jobs 2

Each expression is written as text, differentiated by `matgrad.derive.diff`, checked against central differences, and its
value and derivative are compared with JAX's (tests/jax_oracle.py). With `--promises`, the derivation is replayed and
its lines are compared with one another instead (`examine` in tests/random_expressions.py). An expression has 10 s.
Exit code 1 if an answer was wrong or anything crashed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import random_expressions
from random_expressions import POLYNOMIAL, Outcome, any_problem, problem, seeded

from matgrad.functions import TABLE

KINDS = ("ok", "unsupported", "limit", "unchecked", "wrong", "crash")
BATCH = 500  # expressions of one process: what it holds is given back when it ends
PATIENCE = 180.0  # seconds without an answer, after which a process is ended


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--count", type=int, default=1000)
    add("--seed", type=int, default=0)
    add("--budget", type=int, default=3, help="levels of the expressions")
    add("--order", type=int, default=1, choices=(1, 2))
    add("--jax", action=argparse.BooleanOptionalAction, default=True, help="compare with JAX")
    add("--structured", action="store_true", help="by symmetric, triangular, … matrices")
    add("--jobs", type=int, default=1, help="processes at a time")
    add("--seconds", type=float, default=10.0, help="for one expression")
    add("--show", type=int, default=3, help="expressions shown for each reason")
    add("--promises", action="store_true", help="replay and compare lines, without JAX")
    add("--from-definition", action="store_true", help="the same, polynomials by y(X + dX) - y(X)")
    add("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def outcomes(options: argparse.Namespace) -> Iterator[tuple[int, str, Outcome]]:
    """Seed, expression and outcome, one after the other."""
    for number in range(options.seed, options.seed + options.count):
        budget = 1 + number % options.budget
        if options.promises or options.from_definition:
            functions = POLYNOMIAL if options.from_definition else tuple(TABLE)
            found = problem(seeded(number), budget, functions)
            outcome = random_expressions.examine(found, options.from_definition)
        else:
            import jax_oracle

            found = any_problem(seeded(number), budget, options.structured)
            outcome = jax_oracle.examine(found, options.order, options.jax, number, options.seconds)
        yield number, repr(found), outcome


class Tally:
    """Counts by outcome, and expressions for each."""

    def __init__(self) -> None:
        self.counts: Counter[Outcome] = Counter()
        self.examples: defaultdict[Outcome, list[str]] = defaultdict(list)
        self.lock = threading.Lock()

    def add(self, number: int, text: str, outcome: Outcome) -> None:
        """Count one."""
        with self.lock:
            self.counts[outcome] += 1
            self.examples[outcome].append(f"{text}  # {number}")

    def of(self, kind: str) -> int:
        """How many outcomes of a kind there are."""
        return sum(count for outcome, count in self.counts.items() if outcome.kind == kind)


def batch(options: argparse.Namespace, first: int, count: int, tally: Tally) -> None:
    """Let processes take `count` expressions; one that ends early or hangs costs the expression at which it did."""
    own = [a for a in sys.argv[1:] if a not in ("--worker",)]
    at, end = first, first + count
    while at < end:
        command = [
            sys.executable,
            __file__,
            *own,
            "--worker",
            f"--seed={at}",
            f"--count={end - at}",
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        alarm = threading.Timer(PATIENCE, process.kill)
        alarm.start()
        for line in process.stdout:
            try:
                number, text, kind, reason = json.loads(line)
            except ValueError:  # cut off, when the process was ended
                break
            tally.add(number, text, Outcome(kind, reason))
            at = number + 1
            alarm.cancel()
            alarm = threading.Timer(PATIENCE, process.kill)
            alarm.start()
        alarm.cancel()
        if process.wait() != 0 or at < end:
            reason = f"the process ended with code {process.returncode}"
            tally.add(at, f"seed {at}", Outcome("crash", reason))
            at += 1


def spread(options: argparse.Namespace) -> Tally:
    """All expressions, by several processes at a time."""
    tally = Tally()
    end = options.seed + options.count
    starts = iter(range(options.seed, end, BATCH))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                first = next(starts, None)
            if first is None:
                return
            batch(options, first, min(BATCH, end - first), tally)

    threads = [threading.Thread(target=work) for _ in range(options.jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def main() -> int:
    """Count the outcomes; show the shortest expressions of each."""
    options = arguments()
    if options.worker:
        for number, text, (kind, reason) in outcomes(options):
            print(json.dumps([number, text, kind, reason]), flush=True)
        return 0
    start = time.perf_counter()
    tally = spread(options)
    seconds = time.perf_counter() - start
    what = f"derivatives of order {options.order}" if options.order > 1 else "derivatives"
    print(f"{options.count} {what} in {seconds:.1f} s, seeds from {options.seed}")
    for kind in KINDS:
        print(f"{tally.of(kind):7} {kind}")
        for outcome, count in tally.counts.most_common():
            if outcome.kind != kind or not outcome.reason:
                continue
            print(f"{count:11} {outcome.reason}")
            for text in sorted(tally.examples[outcome], key=len)[: options.show]:
                print(f"            {text}")
    return 1 if tally.of("wrong") or tally.of("crash") else 0


if __name__ == "__main__":
    sys.exit(main())
