"""Emitted code of random expressions: value, derivative, hvp of every target, run and compared with the reference.

    python benchmarks/random_code.py --count 2000 --targets numpy,torch,jax,matlab

Each expression is differentiated once and twice, as in tests/test_emitted_numpy.py, and run in NumPy in any case. JAX and PyTorch have to be installed,
and GNU Octave for MATLAB. Exit code 1 if a result was wrong or anything crashed.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from emitted import wrong
from test_emitted_numpy import jax_arrays, random_derivation, torch_tensors

from matgrad.derive import Derivation
from matgrad.timer import Timer

MEMORY = 8_000_000_000  # bytes that may be used


def derivations(first: int, count: int) -> Iterator[tuple[str, Derivation]]:
    """Seed and order, and the derivation, of those that there are."""
    for number in range(first, first + count):
        for order in (1, 2):
            with Timer(60):
                d = random_derivation(number, order)
            if d is not None:
                yield f"{number}, order {order}", d


def main() -> int:
    """Print what is wrong, and counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", default="numpy,jax,torch,matlab")
    options = parser.parse_args()
    targets = options.targets.split(",")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    ways: dict[str, Any] = {"numpy": (None, None)}
    if "jax" in targets:
        ways["jax"] = jax_arrays()
    if "torch" in targets:
        ways["torch"] = torch_tensors()
    ran, without_point, too_large, bad = 0, 0, 0, 0
    start = time.perf_counter()
    batch: list[tuple[str, Derivation]] = []
    for name, d in derivations(options.seed, options.count):
        ran += 1
        batch.append((name, d))
        for target, (to, back) in ways.items():
            try:
                found = wrong(d, d.to(target), to=to, back=back)
            except MemoryError:
                too_large += 1
                batch.pop()
                break
            except Exception as problem:
                found = [f"{type(problem).__name__}: {problem}"]
            if found == ["no point"]:
                without_point += 1
                break
            if found:
                bad += 1
                print(f"{target}: {d!r}  # {name}: {found[:2]}", flush=True)
    if "matlab" in targets:
        import octave

        with tempfile.TemporaryDirectory() as folder:
            problems = octave.wrong([d for _, d in batch], Path(folder))
        for i, found in problems.items():
            bad += 1
            print(f"matlab: {batch[i][1]!r}  # {batch[i][0]}: {found[:2]}", flush=True)
    seconds = time.perf_counter() - start
    print(
        f"{ran} derivatives of {options.count} expressions, seeds from {options.seed}, {seconds:.0f} s: {', '.join(targets)}"
    )
    print(f"{without_point} without a point, {too_large} over {MEMORY:.0e} bytes, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
