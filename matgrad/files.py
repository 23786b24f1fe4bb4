"""`matgrad check FILE...`: every statement of files, one outcome each, whatever happens to the others."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from matgrad.errors import InternalError, LimitProblem, MatgradError, UsageError
from matgrad.statements import Broken, Statement, read_statements
from matgrad.timer import Timer

OK, WRONG, ERROR = "ok", "wrong", "error"
MAX_BYTES = 20_000_000


class Setting(NamedTuple):
    """What holds for every statement that does not say otherwise."""

    layout: str = "mixed"
    structured: str = "subspace"
    seed: int = 0
    timeout: float = 30.0
    style: str = "unicode"


class Outcome(NamedTuple):
    """What came of one statement: its `status` (ok, wrong, error), one line, the whole report, and both for JSON."""

    path: str
    line: int
    text: str
    status: str
    message: str
    report: str
    code: int  # the exit code that it would have alone
    seconds: float
    verdict: dict[str, Any] | None
    error: dict[str, Any] | None


def read_file(path: str) -> list[Statement | Broken]:
    """The statements of a file, of standard input for `-`. Raises UsageError if it cannot be read."""
    if path == "-":
        if sys.stdin is None:
            raise UsageError("there is no standard input to read")
        return read_bytes(sys.stdin.buffer.read(MAX_BYTES + 1), "-", markdown=False)
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise UsageError(
            f"`{path}` cannot be read: {(problem.strerror or 'no reason given').lower()}",
            help="`matgrad check` takes files, or an expression with `--equals` or `--code`",
        ) from None
    return read_bytes(raw, path)


def read_bytes(raw: bytes, path: str, markdown: bool | None = None) -> list[Statement | Broken]:
    """The statements of the bytes of a file."""
    if len(raw) > MAX_BYTES:
        raise LimitProblem(f"`{path}` is larger than {MAX_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"`{path}` is not UTF-8", help="save it as UTF-8") from None
    return list(read_statements(text, path, markdown, _problem_of))


def read_files(paths: Sequence[str]) -> list[Statement | Broken]:
    """The statements of several files. One that cannot be read does not stop the others; if it is the only one, it raises
    UsageError or LimitProblem."""
    if len(paths) == 1:
        return read_file(paths[0])
    return [item for path in paths for item in _read_or_broken(path)]


def _read_or_broken(path: str) -> Sequence[Statement | Broken]:
    try:
        return read_file(path)
    except MatgradError as problem:
        return [Broken(path, 1, "", problem)]


def _problem_of(declaration: str) -> MatgradError | None:
    from matgrad.shapes import declare

    try:
        declare(declaration)
    except MatgradError as problem:
        return problem
    return None


def settle(item: Statement | Broken, setting: Setting = Setting()) -> Outcome:  # noqa: B008
    """The outcome of one statement. Never raises but to stop the program."""
    start = time.perf_counter()
    try:
        if isinstance(item, Broken):
            raise item.problem
        with Timer(setting.timeout):
            return _checked(item, setting, start)
    except MatgradError as problem:
        return _failed(item, problem, setting, start)
    except RecursionError:
        return _failed(item, InternalError("recursion limit reached"), setting, start)
    except Exception as problem:
        words = f"internal error: {type(problem).__name__}: {problem}"
        return _failed(item, InternalError(words), setting, start)


def _checked(item: Statement, setting: Setting, start: float) -> Outcome:
    from matgrad.render.verdicts import (
        assumption_words,
        right_line,
        summary,
        verdict_object,
        verdict_text,
    )
    from matgrad.verdict import check_statement

    v = check_statement(item, setting.layout, setting.structured, setting.seed)
    message = assumption_words(v, setting.style) if v.ok else summary(v)
    report = right_line(v, setting.style) if v.ok else verdict_text(v, setting.style)
    seconds = time.perf_counter() - start
    return Outcome(
        item.path, item.line, item.text, OK if v.ok else WRONG, message, report,
        0 if v.ok else 1, seconds, verdict_object(v), None,
    )  # fmt: skip


def _failed(
    item: Statement | Broken, problem: MatgradError, setting: Setting, start: float
) -> Outcome:
    from matgrad.render.problems import clean, error_object, problem_text

    for one in (problem, *problem.others):
        one.help = re.sub(r"`--let '([^`]+)'`", r"`let \1`", one.help)  # as files have it
    return Outcome(
        item.path, item.line, item.text, ERROR, clean(problem.message),
        problem_text(problem, setting.style == "unicode"), problem.code,
        time.perf_counter() - start, None, error_object(problem),
    )  # fmt: skip


def settle_all(
    items: Sequence[Statement | Broken], setting: Setting, jobs: int = 1
) -> Iterator[Outcome]:
    """The outcomes in the order of the statements, by several processes if `jobs` is more than 1."""
    if jobs <= 1 or len(items) < 2:
        for item in items:
            yield settle(item, setting)
        return
    from concurrent.futures import ProcessPoolExecutor

    count = min(jobs, len(items))
    chunk = max(1, min(16, len(items) // (4 * count)))
    with ProcessPoolExecutor(count) as pool:
        yield from pool.map(_settle_one, [(i, setting) for i in items], chunksize=chunk)


def _settle_one(task: tuple[Statement | Broken, Setting]) -> Outcome:
    return settle(*task)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 if every statement holds; 70 for a bug of matgrad, else 1 if one is false, else that of the worst error."""
    codes = {o.code for o in outcomes}
    if 70 in codes:
        return 70
    if any(o.status == WRONG for o in outcomes):
        return 1
    return max(codes, default=0)
