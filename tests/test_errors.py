"""The error corpus: every file of tests/errors/ is a wrong command line and the exact screen that it gets.

    python tests/test_errors.py --write     write the screens again, then read the difference as a user would

A file `tests/errors/<kind>/<what_is_wrong>.txt` has three parts: a line `$ matgrad ...` that can be pasted into a shell
(`$ printf '...' | matgrad ...` where standard input matters), a line `exit N`, and what stands on standard error.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest

from matgrad.cli import main
from matgrad.derive import declarations
from matgrad.errors import Mark, MatgradError, SyntaxProblem
from matgrad.functions import FUNCTION_NAMES
from matgrad.parse import parse
from matgrad.render.problems import problem_text
from matgrad.shapes import Declared, declare, read

ERRORS = Path(__file__).resolve().parent / "errors"
FILES = sorted(ERRORS.glob("*/*.txt"))
CODES = {"syntax": 2, "name": 2, "shape": 2, "usage": 2, "unsupported": 3, "limit": 4}
NAMES = [f"{path.parent.name}/{path.stem}" for path in FILES]

# What the corpus assumes about its surroundings: not a terminal, UTF-8, no wishes about colour.
ENVIRONMENT = {"TERM": "xterm", "LC_ALL": "C.UTF-8"}
UNSET = ("NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING", "MATGRAD_DEBUG")


class Result(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str


def run(
    *arguments: str,
    stdin: bytes | str = b"",
    encoding: str = "utf-8",
    environment: Mapping[str, str] | None = None,
) -> Result:
    """Run matgrad in this process, with streams of its own."""
    sent = stdin.encode() if isinstance(stdin, str) else stdin
    streams = [
        io.TextIOWrapper(io.BytesIO(data), encoding=encoding, errors=errors)
        for data, errors in ((sent, "strict"), (b"", "strict"), (b"", "backslashreplace"))
    ]
    kept = {k: v for k, v in os.environ.items() if k not in UNSET}
    with (
        mock.patch.dict(os.environ, {**kept, **ENVIRONMENT, **(environment or {})}, clear=True),
        mock.patch.multiple(sys, stdin=streams[0], stdout=streams[1], stderr=streams[2]),
    ):
        code: object = 0
        try:
            main(list(arguments), prog_name="matgrad")
        except SystemExit as leaving:
            code = leaving.code
    texts = []
    for stream in streams[1:]:
        stream.flush()
        buffer = stream.buffer
        assert isinstance(buffer, io.BytesIO)
        texts.append(buffer.getvalue().decode(encoding))
    assert code is None or isinstance(code, int)
    return Result(code or 0, *texts)


def printed(text: str) -> bytes:
    """What the shell's printf writes: octal escapes are bytes."""
    escapes = {"n": b"\n", "t": b"\t", "\\": b"\\", "%": b"%"}
    out = b""
    for piece in re.findall(r"\\[0-7]{3}|\\.|%%|[^\\%]+", text):
        if piece[0] == "\\" and len(piece) == 4:
            out += bytes([int(piece[1:], 8)])
        else:
            out += escapes[piece[1]] if piece[0] in "\\%" else piece.encode()
    return out


def split(line: str) -> tuple[list[str], bytes]:
    """The arguments of matgrad and its standard input, from a command line."""
    words = shlex.split(line)
    sent = b""
    if words[0] == "printf":
        sent = printed(words[1])
        words = words[3:]
    assert words[0] == "matgrad", line
    return words[1:], sent


def screen(line: str) -> str:
    """The file for a command line, by running it."""
    arguments, sent = split(line)
    result = run(*arguments, stdin=sent)
    assert result.out == "", line
    return f"$ {line}\nexit {result.code}\n{result.err}"


def command_of(path: Path) -> str:
    """The command line of a file."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert first.startswith("$ "), path
    return first[2:]


def test_the_corpus_has_every_kind() -> None:
    assert {path.parent.name for path in FILES} == set(CODES)
    assert len(FILES) >= 200
    commands = [command_of(path) for path in FILES]
    assert len(set(commands)) == len(commands)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_screen(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert screen(command_of(path)) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_exit_code_is_that_of_its_kind(path: Path) -> None:
    """A wrong input is never an internal error (70), nor a crash (1)."""
    second = path.read_text(encoding="utf-8").split("\n")[1]
    assert second == f"exit {CODES[path.parent.name]}"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_screen_is_fit_for_a_reader(path: Path) -> None:
    """It says what is wrong first, in one line, and is neither a traceback nor Python's own words."""
    _, _, *lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[-1] == ""
    assert lines[0].startswith("error: ")
    text = "\n".join(lines)
    for word in ("Traceback", "Error:", "[Errno", "matgrad.errors", "None", "internal error", "?n"):
        assert word not in text
    assert all(line == line.rstrip() for line in lines)
    assert all(line.startswith(("error: ", "  │", "  = ")) or not line for line in lines[:-1])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e]", text)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_screen_has_a_repair(path: Path) -> None:
    """The last line says what to write, or what would be accepted."""
    assert path.read_text(encoding="utf-8").split("\n")[-2].startswith("  = ")


def offered(path: Path) -> list[tuple[str, str]]:
    """What a screen says to write, each with the line of its error: what is quoted in the last lines, if it is whole."""
    found, error = [], ""
    for line in path.read_text(encoding="utf-8").split("\n")[2:]:
        if line.startswith("error: "):
            error = line
        elif line.startswith("  = "):
            for text in re.findall("`([^`]+)`", line):
                part = text.startswith(("^", "_", "\\right", "\\end", "matgrad ", "MATGRAD"))
                if re.search(r"\w", text) and not part and not re.search(r"\.\.\.|…", text):
                    found.append((error, text))
    return found


def lets_of(text: str) -> list[str]:
    """The declarations of an option that is ready to paste."""
    words = shlex.split(text)
    return [b for a, b in itertools.pairwise(words) if a == "--let"]


def without_wrong_lets(arguments: list[str]) -> list[str]:
    """A command line without the declarations that are none."""
    wrong = {
        i
        for i, (option, value) in enumerate(itertools.pairwise(arguments))
        if option == "--let" and declare_or_none(value) is None
    }
    return [a for i, a in enumerate(arguments) if i not in wrong and i - 1 not in wrong]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_what_is_offered_can_be_pasted(path: Path) -> None:
    """An expression that a screen says to write is one, and a declaration that it offers changes the screen."""
    arguments, sent = split(command_of(path))
    declared = {d.name for d in map(declare_or_none, lets_of(shlex.join(arguments))) if d}
    for error, text in offered(path):
        if text.startswith("--let "):
            added = [w for let in lets_of(text) for w in ("--let", let)]
            assert all(declare(let) for let in lets_of(text))
            right = without_wrong_lets(arguments)
            if "stands in a declaration" in error:  # and is to be left out where it stands
                continue
            assert error not in run(*right, *added, stdin=sent).err.split("\n"), text
        elif not text.startswith("-") and text not in FUNCTION_NAMES:
            parse(text, "expression", declared, declared)


PRODUCTS = [path for path in FILES if "_product" in path.stem or "_times_" in path.stem]


@pytest.mark.parametrize("path", PRODUCTS, ids=[path.stem for path in PRODUCTS])
def test_the_repair_of_a_product_mends_it(path: Path) -> None:
    """What is offered for two factors, put in their place, has not the same error."""
    arguments, sent = split(command_of(path))
    text = sent.decode().strip() if arguments[1] == "-" else arguments[1]
    declared = declarations(lets_of(shlex.join(arguments)))
    problem = problem_of(text, declared)
    if problem is None:
        pytest.skip("the text itself is right")
    start, end = min(m.start for m in problem.marks), max(m.end for m in problem.marks)
    for repair in re.findall("(?:did you mean|write|or|,) `([^`]+)`(?! instead)", problem.help):
        again = problem_of(text[:start] + repair + text[end:], declared)
        assert again is None or again.message != problem.message, repair


def problem_of(text: str, declared: dict[str, Declared]) -> MatgradError | None:
    """What is wrong with an expression."""
    try:
        read(text, declared)
    except MatgradError as problem:
        return problem
    return None


def declare_or_none(text: str) -> Declared | None:
    """A declaration, if it is one."""
    try:
        return declare(text)
    except MatgradError:
        return None


JSON_FILES = [
    path
    for path in FILES
    if path.parent.name != "usage" and command_of(path).startswith("matgrad diff")
]


@pytest.mark.parametrize("path", JSON_FILES, ids=[f"{p.parent.name}/{p.stem}" for p in JSON_FILES])
def test_json_says_the_same(path: Path) -> None:
    """With --to json there is one object on standard output; the screen and the code stay."""
    arguments, _ = split(command_of(path))
    result = run(*arguments, "--to", "json")
    text = path.read_text(encoding="utf-8")
    _, second, *lines = text.split("\n")
    assert f"exit {result.code}" == second
    assert result.err == "\n".join(lines)
    body = json.loads(result.out)
    assert body.keys() - {"others"} == {"matgrad", "error"}
    assert len(body.get("others", [])) == text.count("\nerror: ") - 1
    assert body["error"].keys() == {"code", "message", "span", "help"}
    assert body["error"]["code"] == path.parent.name
    assert lines[0].startswith(f"error: {body['error']['message']}")
    span = body["error"]["span"]
    if any("│" in line for line in lines):
        assert 0 <= span["start"] < span["end"]
    else:
        assert span is None


# One screen of each kind in a real process: streams, codes and locale are the system's.
REAL = [
    "shape/a_times_x",
    "name/unknown_function",
    "syntax/missing_bracket",
    "unsupported/by_an_integer",
    "limit/long_number",
    "usage/stdin_is_not_utf8",
]


@pytest.mark.parametrize("name", REAL)
def test_screen_in_a_process_of_its_own(name: str) -> None:
    text = (ERRORS / f"{name}.txt").read_text(encoding="utf-8")
    arguments, sent = split(command_of(ERRORS / f"{name}.txt"))
    kept = {k: v for k, v in os.environ.items() if k not in UNSET}
    done = subprocess.run(
        [sys.executable, "-m", "matgrad", *arguments],
        input=sent,
        capture_output=True,
        timeout=60,
        env={**kept, **ENVIRONMENT},
    )
    assert done.stdout == b""
    _, second, rest = text.split("\n", 2)
    assert f"exit {done.returncode}" == second
    assert done.stderr.decode() == rest


# --- where the strokes stand --------------------------------------------------------------------------------------------


def columns(text: str, start: int, end: int) -> list[str]:
    """The input and the strokes of a problem with one mark, without the bar."""
    problem = SyntaxProblem("wrong", (Mark(start, end),), text=text)
    return [row.removeprefix("  │ ") for row in problem_text(problem).split("\n")[1:]]


def test_strokes_stand_under_the_characters() -> None:
    assert columns("x + yy", 4, 6) == ["x + yy", "    ──"]


def test_a_tab_is_shown_as_four_spaces() -> None:
    assert columns("\tx", 1, 2) == ["    x", "    ─"]


def test_a_wide_character_takes_two_columns() -> None:
    assert columns("漢x", 1, 2) == ["漢x", "  ─"]
    assert columns("漢x", 0, 1) == ["漢x", "──"]


def test_a_combining_character_takes_none() -> None:
    assert columns("x\u0301 + y", 5, 6) == ["x\u0301 + y", "    ─"]


def test_a_combining_character_itself_is_marked_with_its_letter() -> None:
    assert columns("x\u0301 + y", 1, 2) == ["x\u0301 + y", "─"]


def test_a_character_that_would_act_on_the_terminal_is_replaced() -> None:
    assert columns("x\x1b[31m", 1, 2) == ["x\ufffd[31m", " ─"]
    assert columns("\u202ex", 1, 2) == ["\ufffdx", " ─"]


def test_only_the_line_at_fault_of_a_long_text() -> None:
    text = "x'x +\n" * 40 + "y +"
    assert columns(text, len(text) - 1, len(text)) == ["y +", "  ─"]


def test_a_long_line_is_cut_around_the_mark() -> None:
    text = "a + " * 100 + "% + " + "b + " * 100
    line, strokes = columns(text, 400, 401)
    assert len(line) <= 130
    assert line[strokes.index("─")] == "%"


def test_ascii_screens_are_ascii() -> None:
    result = run(
        "diff", "A*x", "--let", "A: matrix(2, 3)", "--let", "x: vector(2)", encoding="ascii"
    )
    assert result == Result(
        2,
        "",
        "error: the sizes do not agree in a product\n"
        "  | A*x\n"
        "  | ^ ^\n"
        "  | matrix(2, 3)\n"
        "  |   vector(2)\n"
        "  = `A` has 3 columns and `x` has 2 rows; did you mean `A'*x`?\n",
    )


# --- limits that no file shows ------------------------------------------------------------------------------------------


def test_input_over_the_length_limit() -> None:
    result = run("diff", "-", "--wrt", "x", stdin="x + " * 50_001 + "x")
    assert result.code == 4
    assert result.out == ""
    assert result.err == (
        "error: the input is 200,005 characters long\n"
        "  = matgrad reads expressions of up to 200,000 characters\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000 + "x" + ")" * 20_000,
        "-" * 20_000 + "x",
        "sin(" * 5_000 + "x",
        "x'" + "'" * 20_000,
        "[" * 5_000,
        "|" * 3_000,
    ],
    ids=["brackets", "signs", "unclosed", "transposes", "stacks", "bars"],
)
def test_deep_nesting_is_no_recursion_error(text: str) -> None:
    result = run("diff", "-", "--wrt", "x", "--no-check", "-q", stdin=text)
    assert result.code in (0, 2, 3, 4)
    assert "recursion" not in result.err.lower()


def write() -> None:
    """Write every screen again."""
    here = os.getcwd()
    for path in FILES:
        os.chdir(path.parent)
        path.write_text(screen(command_of(path)), encoding="utf-8")
    os.chdir(here)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python tests/test_errors.py --write")
    write()
