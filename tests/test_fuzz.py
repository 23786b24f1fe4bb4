"""The fuzzer finds what it looks for: benchmarks/fuzz_input.py is given outcomes that are not clean."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from matgrad.errors import InternalError, Mark, MatgradError, SyntaxProblem, Unsupported

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "fuzz_input.py"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_input", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_input"] = module
    spec.loader.exec_module(module)
    return module


fuzz = loaded()
PLACED = SyntaxProblem("wrong", (Mark(0, 1),), "", "x")


@pytest.mark.parametrize(
    "code, out, err, problems",
    [
        (70, "", "error: a bug", (InternalError("a bug"),)),
        (1, "", "Traceback (most recent call last):", ()),
        (2, "", "", ()),
        (0, "2 x", "error: wrong", ()),
        (3, "", "error: wrong", (PLACED,)),
        (2, "", "error: none", (Unsupported("none"),)),
        (2, "", "error: \x1b[31m", (PLACED,)),
        (2, "", "error: \u202e", (PLACED,)),
        (2, "", "error: wrong", (SyntaxProblem("wrong", (), "", "x"),)),
        (2, "", "error: wrong", (SyntaxProblem("wrong", (Mark(1, 1),), "", "x"),)),
        (2, "", "error: wrong", (SyntaxProblem("wrong", (Mark(0, 3),), "", "x"),)),
        (4, "", "error: internal error: MemoryError", ()),
    ],
)
def test_what_is_not_clean_is_found(
    code: int, out: str, err: str, problems: tuple[MatgradError, ...]
) -> None:
    assert list(fuzz.faults(fuzz.Outcome(code, out, err, problems)))


def test_what_is_clean_is_not() -> None:
    assert not list(fuzz.faults(fuzz.Outcome(0, "2 x\n", "", ())))
    assert not list(fuzz.faults(fuzz.Outcome(2, "", "error: wrong\n", (PLACED,))))


def test_a_crash_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr(fuzz.cli, "main", broken)
    kind, found = fuzz.examine(fuzz.Case(["diff", "x"]), 10, False)
    assert kind == "crash"
    assert found


def test_a_seed_gives_the_same_inputs() -> None:
    first, second = random.Random(3), random.Random(3)
    assert [fuzz.sample(first, 5) for _ in range(200)] == [
        fuzz.sample(second, 5) for _ in range(200)
    ]
