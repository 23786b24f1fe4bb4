"""Derivatives of random expressions, counted by what came of them.

    python benchmarks/random_derivatives.py --count 2000 --seed 0

Each expression is differentiated, checked against finite differences, replayed, and its lines compared with one
another (see `examine` in tests/random_expressions.py). Exit code 1 if an answer was wrong or anything crashed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from random_expressions import POLYNOMIAL, examine, problem, seeded

from matgrad.functions import TABLE


def main() -> int:
    """Count the outcomes; show the shortest failing expressions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=int, default=3, help="levels of the expressions")
    parser.add_argument("--show", type=int, default=3, help="failing expressions for each reason")
    parser.add_argument(
        "--from-definition", action="store_true", help="polynomials by y(X + dX) - y(X)"
    )
    options = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    examples: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    functions = POLYNOMIAL if options.from_definition else tuple(TABLE)
    start = time.perf_counter()
    for number in range(options.seed, options.seed + options.count):
        found = problem(seeded(number), 1 + number % options.budget, functions)
        outcome = examine(found, options.from_definition)
        counts[outcome] += 1
        examples[outcome].append(f"{found!r}  # {number}")
    seconds = time.perf_counter() - start
    totals: Counter[str] = Counter()
    for (kind, _), count in counts.items():
        totals[kind] += count
    print(f"{options.count} derivatives in {seconds:.1f} s, seeds from {options.seed}")
    for kind in ("ok", "unsupported", "unchecked", "wrong", "crash"):
        print(f"{totals[kind]:7} {kind}")
        for (its_kind, reason), count in counts.most_common():
            if its_kind != kind or kind == "ok":
                continue
            print(f"{count:11} {reason}")
            for text in sorted(examples[its_kind, reason], key=len)[: options.show]:
                print(f"            {text}")
    return 1 if totals["wrong"] or totals["crash"] else 0


if __name__ == "__main__":
    sys.exit(main())
