"""`matgrad batch`: one expression a line in, one JSON object a line out, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from matgrad.derive import Derivation, diff
from matgrad.errors import InternalError, MatgradError
from matgrad.render.problems import error_object
from matgrad.render.report import answer_texts
from matgrad.render.text import render
from matgrad.statements import request
from matgrad.timer import Timer


class Setting(NamedTuple):
    """What holds for every line."""

    wrt: tuple[str, ...] = ()
    let: tuple[str, ...] = ()
    order: int = 1
    layout: str = "mixed"
    structured: str = "subspace"
    check: bool = False
    seed: int = 0
    timeout: float = 30.0


class Item(NamedTuple):
    """A line with something on it."""

    number: int
    text: str


def items(lines: Iterable[str]) -> Iterator[Item]:
    """The lines that hold an expression: not blank, and not comments."""
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("\ufeff")
        if text and not text.startswith("#"):
            yield Item(number, text)


def settle(item: Item, setting: Setting) -> tuple[dict[str, Any], int]:
    """The object for one line, and the exit code that it would have alone. Never raises but to stop the program."""
    expression, wrt = request(item.text)
    head: dict[str, Any] = {"line": item.number, "expression": expression}
    try:
        with Timer(setting.timeout):
            derivation = diff(
                expression,
                wrt or setting.wrt or None,
                background=setting.let,
                order=setting.order,
                layout=setting.layout,
                structured=setting.structured,
                check=setting.check,
                seed=setting.seed,
            )
            return head | _answer(derivation), 0
    except MatgradError as problem:
        problem.help = problem.help.replace("add `--wrt ", "add `wrt ")
        found = problem
    except Exception as problem:
        found = InternalError(f"internal error: {type(problem).__name__}: {problem}")
    return head | {"error": error_object(found)}, found.code


def _answer(d: Derivation) -> dict[str, Any]:
    derivatives = [
        {"wrt": render(d.entry or part.wrt), "matgrad": text, "shape": str(part.derivative.shape)}
        for part, text in zip(d.parts, answer_texts(d), strict=True)
    ]
    check = d.check
    return {
        "derivatives": derivatives,
        "notes": list(d.notes),
        "check": check and {"ok": check.ok, "points": check.points},
    }


def settle_all(
    found: Iterable[Item], setting: Setting, jobs: int = 1
) -> Iterator[tuple[dict[str, Any], int]]:
    """The objects in the order of the lines, by several processes if `jobs` is more than 1."""
    if jobs <= 1:
        for item in found:
            yield settle(item, setting)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_settle_one, ((item, setting) for item in found), chunksize=32)


def _settle_one(task: tuple[Item, Setting]) -> tuple[dict[str, Any], int]:
    return settle(*task)
