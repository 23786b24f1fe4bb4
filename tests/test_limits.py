"""Beyond a stated limit: exit code 4, what to do about it, soon, and in little memory (docs/language.md, "Limits")."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from typing import Any

import pytest

from matgrad.errors import LimitProblem
from matgrad.parse import MAX_LENGTH
from matgrad.shapes import MAX_PRODUCT, MAX_SUM
from matgrad.timer import Timer

GIGABYTE = 1 << 30

BEYOND = {
    "length": ("x" * (MAX_LENGTH + 1), "characters"),
    "terms": ("+".join(["x"] * (MAX_SUM + 2)), "terms"),
    "factors": ("*".join(["c"] * (MAX_PRODUCT + 2)), "factors"),
    "exponent": ("tr(X^1000000)", "stands for any power"),
    "negative exponent": ("tr(X^-1000000)", "stands for any power"),
    "integer": ("9^9^9^9*x'x", "named scalar"),
    "digits": ("9" * 500 + "*x'x", "digits"),
    "exponent of ten": ("1e99999*x'x", "exponents from"),
    "size": ("sum(ones(9999999)) + c", "sizes up to"),
    "powers in each other": ("c^" * 40 + "c", "name of their own"),
    "stacks in each other": ("[" * 60 + "x" + "; x]" * 60, "one after the other"),
}


def limited() -> None:
    """What a process may take: one gigabyte."""
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTE, GIGABYTE))


def run(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "matgrad", "diff", "-", "-q", *options],
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=limited,
        timeout=120,
    )


@pytest.mark.parametrize("what", BEYOND)
def test_beyond_a_limit(what: str) -> None:
    text, help = BEYOND[what]
    done = run(text)
    assert done.returncode == 4, done.stderr[:300]
    assert done.stdout == ""
    assert help in done.stderr


def test_nesting_is_no_limit() -> None:
    """As deep as a text can be."""
    depth = MAX_LENGTH // 2 - 10
    assert run("(" * depth + "x" + ")" * depth, "--no-check").stdout == "I\n"


def test_out_of_time() -> None:
    """Soon after the time is over: starting Python is in the second that is allowed here, too."""
    text = "sum(" + "tanh(W*" * 9000 + "x" + ")" * 9001
    start = time.perf_counter()
    done = run(text, "--timeout", "0.5", "--wrt", "x")
    assert done.returncode == 4
    assert "--timeout" in done.stderr
    assert time.perf_counter() - start < 0.5 + 5  # on a machine that has other things to do


def test_memory_of_a_large_expression() -> None:
    text = "sum(" + "tanh(W*" * 1000 + "x" + ")" * 1001
    done = run(text, "--no-check", "--wrt", "x", "--timeout", "100")
    assert done.returncode == 0
    assert " where " in done.stdout


def test_the_time_is_not_lost_while_a_node_is_forgotten() -> None:
    """What is raised in the callback of a weak reference is printed and swallowed; the timer tries again."""
    timer = Timer(20)
    space: dict[str, Any] = {"__name__": "weakref", "timer": timer, "frame": sys._getframe}
    exec("def remove():\n    return timer.stop(14, frame())", space)
    with pytest.raises(LimitProblem), timer:
        assert space["remove"]() is None
        time.sleep(5)
