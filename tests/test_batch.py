"""`matgrad batch` and `matgrad repl`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from matgrad.batch import Item, Setting, items, settle, settle_all
from matgrad.errors import MatgradError, UsageError
from matgrad.session import HELP, Session
from matgrad.statements import request


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "matgrad", *arguments],
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=120,
    )


# --- batch --------------------------------------------------------------------------------------------------------------


LINES = """x'A x wrt x
# a comment

x +
A*B wrt A, B
floor(x)
ln det(X)
"""


def test_an_object_a_line_in_order() -> None:
    done = run("batch", text=LINES)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [f["line"] for f in found] == [1, 4, 5, 6, 7]
    assert found[0]["derivatives"] == [{"wrt": "x", "matgrad": "(A + A') x", "shape": "vector(n)"}]
    assert [d["wrt"] for d in found[2]["derivatives"]] == ["A", "B"]
    assert found[1]["error"]["code"] == "syntax"
    assert found[3]["error"]["code"] == "name"
    assert found[4]["derivatives"][0]["matgrad"] == "X^-T"
    assert done.returncode == 2
    assert done.stderr == ""


def test_several_processes_keep_the_order() -> None:
    text = "".join(f"{i}*x'x wrt x\n" for i in range(2, 120))
    one, two = run("batch", text=text), run("batch", "--jobs", "2", text=text)
    assert one.stdout == two.stdout
    assert one.returncode == two.returncode == 0
    assert len(one.stdout.splitlines()) == 118


def test_options_hold_for_every_line(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("x'S x\nA*x\n", encoding="utf-8")
    done = run("batch", str(file), "--wrt", "x", "--let", "S: symmetric", "--layout", "denominator")
    found = [json.loads(line)["derivatives"][0]["matgrad"] for line in done.stdout.splitlines()]
    assert found == ["2 S x", "A'"]
    assert done.returncode == 0


def test_answers_are_checked_on_request() -> None:
    item = Item(1, "tr(X*B*X') wrt X")
    assert settle(item, Setting())[0]["check"] is None
    assert settle(item, Setting(check=True))[0]["check"] == {"ok": True, "points": 5}


def test_the_exit_code_is_the_largest() -> None:
    assert run("batch", text="x'x\n").returncode == 0
    assert run("batch", text="tr(X^100000)\nx'x\nx+\n").returncode == 4
    assert run("batch", text="").returncode == 0
    gone = run("batch", "/no/such/file")
    assert gone.returncode == 2
    assert "cannot be read" in gone.stderr


def test_what_is_not_utf8_is_an_error_of_its_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "matgrad", "batch"],
        input=b"x'x\n\xff x\ny'y\n",
        capture_output=True,
        timeout=60,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in f for f in found] == [False, True, False]


def test_a_line_that_takes_too_long_is_given_up() -> None:
    slow = "sum(" + "tanh(W*" * 400 + "x" + ")" * 401
    (first, code), (second, fine) = settle_all(
        items([slow, "x'x wrt x"]), Setting(("x",), timeout=0.05)
    )
    assert first["error"]["code"] == "limit"
    assert (code, fine) == (4, 0)
    assert "derivatives" in second


def test_an_internal_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("matgrad.batch.diff", broken)
    found, code = settle(Item(1, "x'x"), Setting())
    assert code == 70
    assert "oops" in found["error"]["message"]


# --- repl ---------------------------------------------------------------------------------------------------------------


def test_declarations_are_kept() -> None:
    session = Session("ascii")
    assert session.answer("let S: symmetric") == ""
    assert "2 S x" in session.answer("x'S x wrt x")
    assert session.answer("let") == "S: symmetric"
    assert session.answer("let S: spd") == ""
    assert session.answer("let") == "S: spd"
    assert session.answer("forget S") == ""
    assert "(S + S') x" in session.answer("x'S x wrt x")
    with pytest.raises(MatgradError):
        session.answer("forget S")
    with pytest.raises(MatgradError):
        session.answer("let n: whatever")


def test_steps_are_shown_as_asked() -> None:
    session = Session("ascii")
    brief = session.answer("x'A x wrt x")
    assert "product rule" in brief
    assert session.answer("steps none") == ""
    assert "product rule" not in session.answer("x'A x wrt x")
    with pytest.raises(MatgradError):
        session.answer("steps all")


def test_words_of_the_session() -> None:
    session = Session("ascii")
    assert session.answer("") == session.answer("# nothing") == ""
    assert session.answer("help") == session.answer(":help") == HELP
    assert not session.is_over
    session.answer("quit")
    assert session.is_over


def test_errors_do_not_end_a_session() -> None:
    done = run("repl", text="let S: symmetric\nx'S x wrt x\nfoo bar\nx'x\nquit\nnever read\n")
    assert done.returncode == 0
    assert "2 S x" in done.stdout
    assert "2 x" in done.stdout
    assert "`let foo: vector`" in done.stderr
    assert "never" not in done.stdout + done.stderr


def test_what_stands_behind_wrt() -> None:
    assert request("x'A x wrt x, A") == ("x'A x", ("x", "A"))
    assert request("tr(X*X)  wrt X[1, 2] X[i,j]") == ("tr(X*X)", ("X[1, 2]", "X[i,j]"))
    assert request("x'x") == ("x'x", ())
    (entry, _), (open_, code) = (
        settle(Item(1, text), Setting()) for text in ("tr(X*X) wrt X[1, 2]", "x'A x")
    )
    assert entry["derivatives"] == [{"wrt": "X[1,2]", "matgrad": "2 X[2,1]", "shape": "scalar"}]
    assert (open_["error"]["help"], code) == ("add `wrt x`", 2)
    with pytest.raises(UsageError) as problem:
        Session().answer("x'A x")
    assert problem.value.help == "add `wrt x`"
