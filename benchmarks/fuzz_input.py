"""Throws strings at matgrad: random ones, mutations of valid ones, deep, long and hostile ones.

    python benchmarks/fuzz_input.py --count 200000 --seed 0

Each must end in an answer or in a clean error (MatgradError) within the time limit, and what is shown of it must not
carry control characters. Prints counts by outcome; exits 1 at the first other exception, with the string that caused it.
"""

from __future__ import annotations

import argparse
import collections
import random
import signal
import sys
import time
import traceback
import unicodedata

from matgrad.derive import declarations, diff
from matgrad.errors import MatgradError
from matgrad.render.problems import problem_text
from matgrad.render.report import text_report
from matgrad.render.text import MARK_END, MARK_START

VALID = [
    "tr(X*B*X')",
    "x'*A*x",
    "ln det(X'X)",
    "ln|X|",
    "‖A x - b‖² + λ‖x‖²",
    "sum(log(1 + exp(-y.*(X*w))))",
    "(x-μ)'*inv(Σ)*(x-μ)",
    "x[1]^2 + 3*x[2]^4",
    "[x^2; x^3]",
    "[A, B; C, D]*x",
    "f'(x)",
    "δ' f(x)",
    "1/2*x'A x",
    "A\\b",
    "x.^2'",
    "X^-T Y",
    "tr A",
    "|x| + |y|",
    "||A*x-b||^2",
    "X ⊗ Y",
    "A:B",
    "x·y",
    "sum(i=1:n, x[i]^2)",
    "softmax(X, 2)",
    "kron(eye(n), W)",
    "\\frac12 x^\\top A x",
    "\\operatorname{tr}(X B X^\\top)",
    "\\|Ax-b\\|_2^2",
    "det(A X B)",
    "exp(-‖x - y‖²/(2 s^2))",
    "x - mean(x)",
    "max(x, 0)",
    "a**2 + b**-1",
    "2.5e-3*x",
    "diag(x)*A",
]
ALPHABET = (
    "abcefnxyzABXYWΣαλμ0123456789 ()[]{}|‖'\"`*+-/\\^._,:;=<>@#$%&~!?²³⁻¹ᵀ·⊗⊙∘√½∞\t\n\r\x00\x1b\x07"
    "\u202e\u200f\u0301\u200b\ufeff漢字😀é𝐱"
)
WORDS = [
    "tr", "det", "ln", "log", "exp", "sin", "inv", "diag", "norm2", "sum", "I", "ones", "zeros", "eye", "e_1", "pi",
    "gamma", "alpha", "x", "y", "A", "X", "S", "f", "u", "n", "m", "^T", "^-1", "^{-T}", ".*", "./", ".^", "'", "||", "|",
    "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "\\", "2", "0", "1e3", "x[1]", "X[:,1]", "\\frac", "\\left(", "{", "}",
]  # fmt: skip


def mutate(text: str, rng: random.Random) -> str:
    """A valid string with some characters or words changed."""
    characters = list(text)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(characters) + 1)
        way = rng.random()
        if way < 0.3 and characters:
            del characters[at - 1 : at - 1 + rng.randint(1, 3)]
        elif way < 0.6:
            characters.insert(at, rng.choice(ALPHABET))
        elif way < 0.8:
            characters.insert(at, rng.choice(WORDS))
        else:
            other = rng.choice(VALID)
            characters.insert(at, other[: rng.randint(1, len(other))])
    return "".join(characters)


def nested(rng: random.Random) -> str:
    """Something deep or long."""
    n = rng.choice([10, 100, 1000, 5000])
    opening, closing = rng.choice(
        [
            ("(", ")"),
            ("[", "]"),
            ("sin(", ")"),
            ("-", ""),
            ("||", "||"),
            ("tr ", ""),
            ("((", ")"),
            ("{", "}"),
            ("x^(", ")"),
        ]
    )
    core = rng.choice(["x", "X", "x'x", ""])
    if rng.random() < 0.5:
        return opening * n + core + closing * n
    return rng.choice(["x+", "A*", "x'", "x^2", "A ", "sin x ", "X.*"]) * n + core


def sample(rng: random.Random) -> str:
    """One string."""
    way = rng.random()
    if way < 0.62:
        return mutate(rng.choice(VALID), rng)
    if way < 0.82:
        return "".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12)))
    if way < 0.995:
        return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(0, 25)))
    return nested(rng)


class TooSlow(Exception):
    """An input took longer than the limit."""


def outcome(text: str, seconds: int) -> str:
    """What became of one string: `answer`, or the kind of the error."""

    def stop(*_: object) -> None:
        raise TooSlow(text)

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        derivation = diff(
            text, "x", declarations(["f: elementwise"]) and ["f: elementwise"], check=False
        )
        shown = text_report(derivation, "unicode")
        result = "answer"
    except TooSlow:
        return "time limit"
    except MatgradError as problem:
        shown = problem_text(problem)
        result = problem.kind
        if problem.code == 70:
            raise RuntimeError(f"bug reported: {problem.message}") from problem
    finally:
        signal.alarm(0)
    for character in shown:
        hidden = unicodedata.category(character) in ("Cc", "Cf") and character != "\n"
        if hidden and character not in (MARK_START, MARK_END):
            raise RuntimeError(f"control character {character!r} in the output")
    return result


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=20, help="limit for one string")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    counts: collections.Counter[str] = collections.Counter()
    slowest = (0.0, "")
    begin = time.perf_counter()
    for _ in range(options.count):
        text = sample(rng)
        start = time.perf_counter()
        try:
            counts[outcome(text, options.seconds)] += 1
        except Exception:
            print(f"seed {options.seed}: {text[:300]!r} ({len(text)} characters)")
            traceback.print_exc(limit=-6)
            return 1
        slowest = max(slowest, (time.perf_counter() - start, text[:80]))
    total = time.perf_counter() - begin
    for kind, count in counts.most_common():
        print(f"{kind:12} {count:8}")
    print(f"slowest: {slowest[0]:.2f} s, {slowest[1]!r}")
    print(f"{options.count} strings, seed {options.seed}, {total:.0f} s, no crash")
    return 0


if __name__ == "__main__":
    sys.exit(main())
