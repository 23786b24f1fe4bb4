"""The import budget: what a command does not need, it does not load."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

DIFF = ("-m", "matgrad", "diff", "ln det(X)", "--wrt", "X")


def loaded(*arguments: str, **environment: str) -> set[str]:
    """The top-level packages that a Python process loads; its standard output is a pipe."""
    settings = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**settings, "PYTHONIOENCODING": "utf-8", **environment},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout
    rows = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {row.rpartition("|")[2].strip().partition(".")[0] for row in rows}


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["diff", "--help"]])
def test_help_loads_neither_numbers_nor_colours_nor_the_grammar(command: list[str]) -> None:
    modules = loaded("-m", "matgrad", *command)
    assert modules & {"numpy", "scipy", "sympy", "rich", "lark"} == set()
    assert {"matgrad", "click"} <= modules


def test_importing_the_package_loads_nothing_else() -> None:
    modules = loaded("-c", "import matgrad; print(matgrad.__version__)")
    assert modules & {"numpy", "scipy", "sympy", "rich", "lark", "click"} == set()


def test_the_answer_alone_needs_no_numbers() -> None:
    modules = loaded(*DIFF, "-q", "--no-check")
    assert modules & {"numpy", "scipy", "sympy", "rich", "lark"} == set()
    before = loaded("-c", "print('an editable installation may load some of these')")
    assert modules & {"dataclasses", "pathlib", "logging", "json", "random"} <= before


def test_steps_without_check_need_no_numbers() -> None:
    assert loaded(*DIFF, "--no-check") & {"numpy", "scipy", "sympy", "rich"} == set()


def test_the_rule_book_needs_no_numbers() -> None:
    assert loaded("-m", "matgrad", "rules") & {"numpy", "scipy", "sympy", "rich"} == set()


@pytest.mark.parametrize("options", [[], ["--steps", "full"], ["--to", "json"]])
def test_piped_output_needs_no_colours(options: list[str]) -> None:
    modules = loaded(*DIFF, *options)
    assert modules & {"scipy", "sympy", "rich"} == set()
    assert "numpy" in modules


def test_colour_needs_no_rich() -> None:
    assert loaded(*DIFF, FORCE_COLOR="1") & {"scipy", "sympy", "rich"} == set()


def test_what_these_tests_look_for_is_seen_when_it_is_there() -> None:
    seen = loaded("-c", "import json, lark, rich, sympy; print()")
    assert seen >= {"lark", "rich", "sympy", "dataclasses", "pathlib", "logging", "json", "random"}
