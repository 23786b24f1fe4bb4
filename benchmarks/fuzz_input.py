"""Throws input at matgrad: random, mutations of what is valid or nearly so, deep, long and hostile.

    python benchmarks/fuzz_input.py --count 200000 --seed 0

Each input is a whole command line (expression, `--wrt`, `--let`, output format, standard input) and goes through the
whole of the program: parsing, shapes, derivative, report, and for some the numeric check and a process of its own. It
must end in an answer or in a clean error. Counted by outcome; what is not clean is printed, and the exit code is then 1:

- a traceback, an internal error, exit code 70, or a code that is not that of the error's kind;
- more than 1 GiB of memory, or more time than the limit given to the program and two seconds;
- a control character, an escape sequence or a mark of writing direction in what is printed;
- an error of syntax, name or shape that does not say where, or says it outside of the text.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import itertools
import os
import random
import re
import resource
import shlex
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from matgrad import cli
from matgrad.errors import MatgradError
from matgrad.functions import FUNCTION_NAMES

TESTS = Path(__file__).resolve().parent.parent / "tests"
MEMORY = 1 << 30
CODES = {"syntax": 2, "name": 2, "shape": 2, "usage": 2, "unsupported": 3, "limit": 4}
PLACED = ("syntax", "name", "shape")  # errors that say where

VALID = [
    "r'r/2 where r = A*x - b", "sum(h.^2) where z = W*x + b, h = tanh(z)",
    "tr(X*B*X')", "x'*A*x", "ln det(X'X)", "ln|X|", "‖A x - b‖² + λ‖x‖²", "sum(log(1 + exp(-y.*(X*w))))",
    "(x-μ)'*inv(Σ)*(x-μ)", "x[1]^2 + 3*x[2]^4", "[x^2; x^3]", "[A, B; C, D]*x", "f'(x)", "δ' f(x)", "1/2*x'A x", "A\\b",
    "x.^2'", "X^-T Y", "tr A", "|x| + |y|", "||A*x-b||^2", "X ⊗ Y", "A:B", "x·y", "sum(i=1:n, x[i]^2)", "softmax(X, 2)",
    "kron(eye(n), W)", "\\frac12 x^\\top A x", "\\operatorname{tr}(X B X^\\top)", "\\|Ax-b\\|_2^2", "det(A X B)",
    "exp(-‖x - y‖²/(2 s^2))", "x - mean(x)", "max(x, 0)", "a**2 + b**-1", "2.5e-3*x", "diag(x)*A", "√(x'x)", "½ x'x",
    "\\left\\| X w - y \\right\\|^2", "\\log\\det(A+BB^T)", "$$\\sum_{i=1}^{n} x_i^2$$", "tr(X^k)", "X[i,:]*X[:,j]",
]  # fmt: skip
LETS = [
    "x: vector(n)", "X: matrix(m, n)", "S: symmetric(n)", "f: elementwise", "f(t) = t^2*exp(-t)", "A: matrix(3, 4)",
    "u: vector(m) of vector(n)", "x: scalar", "x: positive", "Q: orthogonal", "X: spd", "I: identity(n)", "n: scalar",
]  # fmt: skip
ALPHABET = (
    "abcefnxyzABXYWΣαλμ0123456789 ()[]{}|‖'\"`*+-/\\^._,:;=<>@#$%&~!?²³⁻¹ᵀ·⊗⊙∘√½∞\t\n\r\x1b\x07\x7f\x9b"
    "\u202e\u2066\u200f\u0301\u200b\ufeff漢字😀é𝐱\ue000\U000e0041\udcff\ud800"
)
WORDS = [
    "tr", "det", "ln", "log", "exp", "sin", "inv", "diag", "norm2", "sum", "I", "ones", "zeros", "eye", "e_1", "pi",
    "gamma", "alpha", "x", "y", "A", "X", "S", "f", "u", "n", "m", "^T", "^-1", "^{-T}", ".*", "./", ".^", "'", "||", "|",
    "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "\\", "2", "0", "1e3", "x[1]", "X[:,1]", "\\frac", "\\left(", "{", "}",
    "\\begin{pmatrix}", "\\end{pmatrix}", "\\text{", "\\sum_{i=1}^n", "_{", "^{", "\\right|", "&", "\\\\", "\x1b[31m",
]  # fmt: skip

OPTIONS = [
    ["--to", "json"], ["--to", "latex"], ["--to", "ascii"], ["-q"], ["--steps", "full"], ["--steps", "none"],
    ["--from-definition"], ["--order", "2"], ["--layout", "denominator"], ["--layout", "numerator"],
]  # fmt: skip
NAMES = sorted(FUNCTION_NAMES)


class Case(NamedTuple):
    """A command line without the word `matgrad`, and what stands on standard input."""

    arguments: list[str]
    sent: bytes = b""

    def __str__(self) -> str:
        shown = shlex.join(self.arguments)
        shown = shown if len(shown) < 600 else f"{shown[:300]} ... {shown[-100:]}"
        return ascii(shown)[1:-1] + (f"   with {self.sent[:200]!r} on stdin" if self.sent else "")


def seeds() -> tuple[list[str], list[str]]:
    """(Expressions, declarations): the lists above, the worked examples and the error corpus."""
    expressions, lets = list(VALID), list(LETS)
    for path in sorted(TESTS.glob("cases/*.md")):
        text = path.read_text(encoding="utf-8")
        expressions += re.findall(r"^diff (.+?) wrt ", text, re.MULTILINE)
        lets += re.findall(r"^let ([^#\n]+)", text, re.MULTILINE)
    for path in sorted(TESTS.glob("errors/*/*.txt")):
        words = shlex.split(path.read_text(encoding="utf-8").split("\n", 1)[0])
        if words[1:3] == ["matgrad", "diff"]:
            expressions.append(words[3])
        lets += [b for a, b in itertools.pairwise(words) if a == "--let"]
    return expressions, lets


EXPRESSIONS, DECLARATIONS = seeds()


def mutate(text: str, others: list[str], rng: random.Random) -> str:
    """A string with some characters or words changed."""
    characters = list(text)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(characters) + 1)
        way = rng.random()
        if way < 0.3 and characters:
            del characters[max(at - 1, 0) : at - 1 + rng.randint(1, 3)]
        elif way < 0.55:
            characters.insert(at, rng.choice(ALPHABET))
        elif way < 0.8:
            characters.insert(at, rng.choice(WORDS))
        elif way < 0.9 and characters:
            end = rng.randint(at, len(characters))
            characters[at:at] = characters[at:end] * rng.randint(1, 3)
        else:
            other = rng.choice(others)
            characters.insert(at, other[: rng.randint(1, len(other))] if other else "")
    return "".join(characters)


def nested(rng: random.Random) -> str:
    """Something deep or long."""
    n = rng.choice([10, 30, 100, 300, 1000, 5000])
    opening, closing = rng.choice(
        [
            ("(", ")"), ("[", "]"), ("sin(", ")"), ("-", ""), ("||", "||"), ("|", "|"), ("tr ", ""), ("((", ")"), ("{", "}"),
            ("x^(", ")"), ("2^(", ")"), ("[1; ", "]"), ("x'*(", ")"), ("A\\(", ")"), ("inv(", ")"), ("\\frac{1}{", "}"),
            ("\\left(", "\\right)"), ("1/(", ")"), ("x[", "]"), ("f(", ")"), ("\\sqrt{", "}"), ("x.^(", ")"), ("kron(A, ", ")"),
        ]
    )  # fmt: skip
    core = rng.choice(["x", "X", "x'x", ""])
    if rng.random() < 0.5:
        return opening * n + core + closing * n
    part = rng.choice(
        ["x+", "A*", "x'", "x^2", "A ", "sin x ", "X.*", "x*", "X^2*", "\\alpha ", "^T", "²", "\n", "x[1]+", "a^"]
    )  # fmt: skip
    return part * rng.choice([n, 40 * n]) + core


def replaced(text: str, rng: random.Random) -> str:
    """A string with some of its names, numbers and operators exchanged: mostly still grammatical."""
    pieces = re.split(r"([A-Za-z]+|[0-9]+|\.\*|\./|[-+*/])", text)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(pieces))
        piece = pieces[at]
        if piece.isalpha() and len(piece) > 1:
            pieces[at] = rng.choice(NAMES)
        elif piece.isalpha():
            pieces[at] = rng.choice("abxyABXn") if rng.random() < 0.8 else rng.choice(NAMES) + " x"
        elif piece.isdigit():
            pieces[at] = rng.choice(["0", "1", "2", "3", "-1", "17", "1/2", "k"])
        elif piece in ("+", "-", "*", "/", ".*", "./"):
            pieces[at] = rng.choice(["+", "-", "*", "/", ".*", "./", "'*", " "])
    return "".join(pieces)


def expression(rng: random.Random) -> str:
    """An expression, or what stands where one should."""
    way = rng.random()
    if way < 0.35:
        return mutate(rng.choice(EXPRESSIONS), EXPRESSIONS, rng)
    if way < 0.7:
        return replaced(rng.choice(EXPRESSIONS), rng)
    if way < 0.8:
        return "".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12)))
    if way < 0.9:
        return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(0, 25)))
    if way < 0.995:
        return rng.choice(EXPRESSIONS)
    return nested(rng)


def sample(rng: random.Random, seconds: float) -> Case:
    """One command line."""
    text = expression(rng)
    arguments, sent = ["diff", text], b""
    if rng.random() < 0.15:
        sent = text.encode("utf-8", "surrogateescape" if "\ud800" not in text else "surrogatepass")
        if rng.random() < 0.3:
            at = rng.randrange(len(sent) + 1)
            noise = bytes(rng.randrange(256) for _ in range(rng.randint(1, 4)))
            sent = sent[:at] + noise + sent[at:]
        arguments[1] = "-"
    if rng.random() < 0.9:
        inside = re.findall(r"\b[A-Za-zα-ω]\b", text) if rng.random() < 0.8 else []
        wrt = rng.choice(inside or ["x", "X", "A", "alpha", "f", "x[1]", "Σ"])
        arguments += ["--wrt", mutate(wrt, WORDS, rng) if rng.random() < 0.05 else wrt]
    declared = set()
    while rng.random() < 0.4:
        let = rng.choice(DECLARATIONS)
        if let[:1] not in declared or rng.random() < 0.05:
            arguments += ["--let", mutate(let, DECLARATIONS, rng) if rng.random() < 0.2 else let]
            declared.add(let[:1])
    if rng.random() < 0.4:
        arguments += rng.choice(OPTIONS)
    if rng.random() < 0.8:
        arguments += ["--no-check"]
    return Case([*arguments, "--timeout", f"{seconds:g}"], sent)


class Stream(io.TextIOWrapper):
    """A standard stream in memory."""

    def __init__(self, sent: bytes = b"") -> None:
        self.raw_bytes = io.BytesIO(sent)
        super().__init__(self.raw_bytes, encoding="utf-8", errors="backslashreplace")

    def text(self) -> str:
        """What was written."""
        self.flush()
        return self.raw_bytes.getvalue().decode()


class Outcome(NamedTuple):
    """What became of a command line: its exit code, what it printed, and the errors that it showed."""

    code: int
    out: str
    err: str
    problems: tuple[MatgradError, ...]


def run_here(case: Case) -> Outcome:
    """In this process; an exception that leaves the program goes through."""
    problems: list[MatgradError] = []
    shown = cli.fail

    def fail(problem: MatgradError, as_json: bool = False) -> int:
        problems.extend((problem, *problem.others))
        return shown(problem, as_json)

    streams = Stream(case.sent), Stream(), Stream()
    code: object = 0
    with (
        mock.patch.object(cli, "fail", fail),
        mock.patch.multiple(sys, stdin=streams[0], stdout=streams[1], stderr=streams[2]),
    ):
        try:
            cli.main(case.arguments, prog_name="matgrad")
        except SystemExit as leaving:
            code = leaving.code
    assert code is None or isinstance(code, int)
    return Outcome(code or 0, streams[1].text(), streams[2].text(), tuple(problems))


def run_apart(case: Case, seconds: float) -> Outcome:
    """In a process of its own, as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "matgrad", *case.arguments],
        input=case.sent,
        capture_output=True,
        timeout=seconds + 5,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode(), ())


def faults(outcome: Outcome) -> Iterator[str]:
    """What is not clean about an outcome."""
    code, out, err, problems = outcome
    if code not in (0, 2, 3, 4):
        yield f"exit code {code}"
    for word in ("Traceback", "internal error", "recursion", "MemoryError", "Exception ignored"):
        if word in err:
            yield f"`{word}` on standard error"
    if (code == 0) == ("error:" in err):
        yield "the exit code and standard error do not agree"
    for character in set(out + err) - {"\n"}:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            yield f"the character {character!r} is printed"
    if problems and CODES.get(problems[0].kind) != code:
        yield f"exit code {code} for an error of kind {problems[0].kind}"
    for problem in problems:
        if problem.kind in PLACED and not problem.marks and problem.text.strip():
            yield f"no place is given: {problem.message}"
        for mark in problem.marks:
            if not 0 <= mark.start < mark.end <= len(problem.text) + 1:
                yield f"{mark} is outside of the text ({len(problem.text)}): {problem.message}"


def examine(case: Case, seconds: float, apart: bool) -> tuple[str, list[str]]:
    """(What it ended in, what is not clean about it)."""
    start = time.perf_counter()
    try:
        outcome = run_apart(case, seconds) if apart else run_here(case)
    except subprocess.TimeoutExpired:
        return "hang", ["no end"]
    except Exception as problem:
        return "crash", [f"{type(problem).__name__}: {problem}"]
    found = list(faults(outcome))
    spent = time.perf_counter() - start
    if spent > seconds + 2 + apart:
        found.append(f"{spent:.1f} seconds")
    kinds = {0: "answer", 2: "wrong input", 3: "unsupported", 4: "limit"}
    kind = outcome.problems[0].kind if outcome.problems else kinds.get(outcome.code, "crash")
    if "no answer within" in outcome.err:
        kind = "out of time"
    return kind + (" (own process)" if apart else ""), found


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """At most a gibibyte more than now, for this process and those that it starts."""
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def fuzz(count: int, seed: int, seconds: float, apart: int) -> int:
    """Run `count` inputs, every `apart`-th in its own process. Prints what is found; returns the number of faults."""
    rng = random.Random(seed)
    counts: collections.Counter[str] = collections.Counter()
    slowest: list[tuple[float, str]] = []
    bad = 0
    begin = time.perf_counter()
    for number in range(count):
        case = sample(rng, seconds)
        alone = apart > 0 and number % apart == apart - 1
        if alone and any("\0" in a or "\ud800" in a for a in case.arguments):
            alone = False  # no system call takes these
        start = time.perf_counter()
        kind, found = examine(case, seconds, alone)
        counts[kind] += 1
        if found or kind.startswith("out of time"):
            bad += bool(found)
            print(f"{number}: {kind}: {'; '.join(found)}\n    {case}", flush=True)
        slowest = sorted([*slowest, (time.perf_counter() - start, str(case)[:120])], reverse=True)[
            :5
        ]
    for kind, times in counts.most_common():
        print(f"{kind:28} {times:8}")
    for spent, shown in slowest:
        print(f"slow: {spent:.2f} s  {shown}")
    spent = time.perf_counter() - begin
    print(f"{count} inputs, seed {seed}, {spent:.0f} s: {bad} not clean")
    return bad


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10, help="the `--timeout` of each")
    parser.add_argument(
        "--apart", type=int, default=500, help="every N-th in its own process; 0: none"
    )
    options = parser.parse_args()
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    import numpy  # noqa: F401  (before the memory is counted)

    with little_memory():
        return 1 if fuzz(options.count, options.seed, options.seconds, options.apart) else 0


if __name__ == "__main__":
    sys.exit(main())
