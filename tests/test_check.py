"""`matgrad check`: claims, code, files; screens, JSON, JUnit, exit codes, the pytest plugin."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import types
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result
from test_docs import SCHEMA, problems

import matgrad
from matgrad.cli import main
from matgrad.errors import MatgradError, NameProblem, Unsupported, UsageError

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


def run(*arguments: str, **options: Any) -> Result:
    environment = {"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": None}
    return CliRunner(env=environment).invoke(main, ["check", *arguments], **options)


# --- claims -------------------------------------------------------------------------------------------------------------


def test_a_right_claim_is_one_line() -> None:
    result = run("x'A x", "--wrt", "x", "--equals", "(A + A') x")
    assert result.exit_code == 0
    assert result.stdout == (
        "✓ right: ∂y/∂x = (A + Aᵀ) x (the same formula, and equal at 20 random points)\n"
    )
    assert result.stderr == ""


def test_a_wrong_claim() -> None:
    result = run("x'A x", "--wrt", "x", "--equals", "2 A x", "--to", "ascii")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "x wrong: right only if A is symmetric"
    assert lines[1].split() == ["claim", "2", "A", "x"]
    assert "dy/dx = (A + A') x" in lines[2]
    assert "of the largest entry, at the worst of 20 random points" in lines[3]
    assert [line.split()[0] for line in lines[4:]] == ["example", "the", "the"]
    assert result.stdout.isascii()


def test_quiet_says_nothing() -> None:
    for claim, code in (("2 x", 0), ("x", 1)):
        result = run("x'x", "--equals", claim, "-q")
        assert (result.stdout, result.exit_code) == ("", code)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["x'A x", "--wrt", "x", "--equals", "A x +"], 2, "the formula ends"),
        (["x'A x", "--wrt", "x", "--equals", "foo x"], 2, "foo"),
        (["x'A x +", "--wrt", "x", "--equals", "A x"], 2, "error"),
        (["x'A x", "--wrt", "z", "--equals", "A x"], 2, "not in the expression"),
        (["x'x", "y'y", "--equals", "2 x"], 2, "one expression"),
        (["x'x", "--wrt", "x"], 2, "`--wrt` is for one claim"),
        (["x'x"], 2, "cannot be read"),
        ([], 2, "Missing argument"),
        (["x'x", "--equals", "2 x", "--code", "m:f"], 2, "two claims"),
        (["x'x", "--equals", "2 x", "--to", "junit"], 2, "for files"),
        (["x'x", "--equals", "2 x", "--let", "x: vectr"], 2, "vectr"),
    ],
    ids=lambda a: " ".join(a) if isinstance(a, list) else None,
)
def test_input_that_is_not_understood(arguments: list[str], code: int, words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert words in result.stderr or words == "the formula ends"
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_standard_input() -> None:
    assert run("-", "--wrt", "x", "--equals", "2 x", input="x'x\n").exit_code == 0
    result = run("-", input="diff x'x wrt x = 2 x\ndiff x'x wrt x = x\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "-:1: ok"


def test_options_of_the_derivative() -> None:
    assert matgrad.check("x'A x", "x", "A + A'", order=2).ok
    assert matgrad.check("x'A y", "x", "A", then="y").ok
    assert matgrad.check("A x", "x", "A'", layout="denominator").ok
    assert not matgrad.check("A x", "x", "A", layout="denominator").ok
    assert matgrad.check("tr(S)", "S", "eye(n)", let="S: symmetric(n)", structured="cookbook").ok
    declared = ["S: symmetric(n)", "B: matrix(n, n)"]
    assert matgrad.check("x'S x", "x", "2 S x", background=declared).ok


def test_sizes_of_the_claim_come_from_where_it_stands() -> None:
    assert matgrad.check("x'x/2", "x", "I", order=2).ok
    assert matgrad.check("sum(x)", "x", "ones").ok
    verdict = matgrad.check("sum(x)", "x", "1")
    assert not verdict.ok
    assert verdict.shape == "the claim is a number, and the derivative is a column of n entries"


def test_a_size_may_have_another_name_in_the_claim() -> None:
    """`n` is the size of something else there, and of nothing in the expression."""
    elsewhere = ["S: symmetric(n)"]
    assert matgrad.check("sum(x)", "x", "ones(n)", background=elsewhere).ok
    assert matgrad.check("x'x", "x", "2*eye(n)", order=2, background=elsewhere).ok
    assert matgrad.check("mean(x)", "x", "ones(n)/n", background=elsewhere).ok
    assert not matgrad.check("mean(x)", "x", "ones(n)", background=elsewhere).ok
    assert not matgrad.check("sum(x)", "x", "zeros(n)", background=elsewhere).ok
    wrong = matgrad.check("sum(A*x)", "x", "A'*ones(n)", let="A: matrix(m, n)")
    assert not wrong.ok
    assert wrong.diagnosis is not None
    assert wrong.diagnosis.kind == "square"


def test_assumptions_are_reported() -> None:
    declared = ["A: matrix(n, n)", "x: vector(n)"]
    verdict = matgrad.check("sum(x.*x)", "x", "2*inv(A)*A*x", let=declared)
    assert verdict.ok
    assert "assuming A is invertible" in str(verdict)
    assert "assuming X is invertible" in str(matgrad.check("det(X)", "X", "det(X)*X^-T"))


def test_a_claim_that_has_no_value_everywhere() -> None:
    verdict = matgrad.check("x'x", "x", "2*exp(log(x))")
    assert not verdict.ok
    assert "no value" in verdict.failure
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.kind in ("domain", "assumption")


def test_names_behind_where_stand_in_the_claim_too(tmp_path: Path) -> None:
    y = "norm2(r)^2 where r = A*x - b"
    for claim in (
        "2*A'*r",
        "2*A'*s where s = r",
        "A'*s where s = A*x - b, t = s",
        "2*A'*(A*x - b)",
    ):
        verdict = matgrad.check(y, "x", claim)
        assert verdict.ok == claim.startswith("2")
    wrong = matgrad.check(y, "x", "2*A*r")
    assert wrong.diagnosis is not None
    assert wrong.diagnosis.repaired == "2 A' (A x - b)"
    assert wrong.claim == "2*A*r"
    assert not matgrad.check(y, "x", "2*A'*r where r = b").ok
    path = tmp_path / "where.matgrad"
    path.write_text(f"diff {y} wrt x = 2*A'*r\n", encoding="utf-8")
    assert run(str(path)).exit_code == 0


def test_a_name_that_the_expression_does_not_have() -> None:
    verdict = matgrad.check("a'*x", "x", "b")
    assert not verdict.ok
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.kind == "name"
    assert verdict.diagnosis.repaired == "a"
    other = matgrad.check("x'*x", "x", "sin(q)").diagnosis
    assert other is None or other.kind != "name"


def test_the_diagonal_alone() -> None:
    for claim in ("softmax(x).*(1 - softmax(x))", "softmax(x) - softmax(x).^2"):
        verdict = matgrad.check("softmax(x)", "x", claim)
        assert verdict.diagnosis is not None
        assert verdict.diagnosis.message.startswith("these are the entries on the diagonal")
    assert matgrad.check("softmax(x)", "x", "softmax(x)").diagnosis is None


def test_a_transpose_is_invertible_with_its_matrix() -> None:
    assert matgrad.check("ln det(X)", "X", "inv(X')").assumptions == ()
    declared = ["A: matrix(n, n)", "B: matrix(n, n)"]
    (one,) = matgrad.check("tr(A*X) + 0*tr(B)", "X", "inv(B')*B'*A'", declared).assumptions
    assert one[0] == "invertible"


def test_nothing_known_explains_it() -> None:
    verdict = matgrad.check("x'x", "x", "sin(x) + 3*exp(x)")
    assert verdict.diagnosis is None
    assert "no known slip explains it" in str(verdict)
    assert verdict.counterexample is not None


def test_python_errors() -> None:
    with pytest.raises(UsageError, match="nothing to compare"):
        matgrad.check("x'x")
    with pytest.raises(NameProblem):
        matgrad.check("x'x", "x", "foo(x)")
    with pytest.raises(UsageError, match="no format"):
        matgrad.check("x'x", "x", "x").to("pdf")


def test_every_page_of_cases_holds() -> None:
    """No right formula of the books is refused."""
    pages = sorted(str(p) for p in (ROOT / "tests" / "cases").glob("*.md"))
    result = run(*pages, "--quiet", "--jobs", "2", "--timeout", "120")
    assert (result.stdout, result.exit_code) == ("", 0)


# --- code ---------------------------------------------------------------------------------------------------------------


def code(name: str) -> str:
    return f"{EXAMPLES / 'gradients.py'}:{name}"


RIDGE = ("1/2*norm2(X*w - t)^2 + c/2*norm2(w)^2", "--wrt", "w")


def test_right_code_and_the_note_that_it_is_run() -> None:
    result = run(*RIDGE, "--code", code("ridge"))
    assert result.exit_code == 0
    assert result.stderr == f"note: --code imports and runs {EXAMPLES / 'gradients.py'}\n"


def test_wrong_code_is_diagnosed() -> None:
    result = run(*RIDGE, "--code", code("ridge_without_half"))
    assert result.exit_code == 1
    assert "the term `c w` is counted twice" in result.stdout
    result = run("tanh(W*x)", "--wrt", "x", "--code", code("jacobian"))
    assert "denominator layout" in result.stdout
    assert "returned an array of shape" in result.stdout
    assert run("sum(tanh(W*x+b))", "--wrt", "W", "--code", code("network")).exit_code == 0


def verdict_on(text: str, wrt: str, function: Any, **options: Any) -> matgrad.Verdict:
    return matgrad.check(text, wrt, code=function, **options)


def test_kinds_of_derivatives_by_code() -> None:
    assert verdict_on("A*x", "x", lambda A: A)
    assert verdict_on("c^3", "c", lambda c: 3 * c**2)
    assert verdict_on("c*A", "c", lambda A, c: A)
    assert verdict_on("X*B", "X", lambda X, B: np.einsum("ik,lj->ijkl", np.eye(len(X)), B))
    assert verdict_on("X*B", "X", lambda X, B: np.kron(B.T, np.eye(len(X))))
    assert verdict_on("X*b", "X", lambda X, b: np.einsum("ik,l->ikl", np.eye(len(X)), b))
    assert verdict_on("x'A x", "x", lambda A: A + A.T, order=2)
    assert verdict_on("sum(x)", "x", lambda n: np.ones(n), let="x: vector(n)")
    assert verdict_on("sum(x)", "x", lambda **known: np.ones(len(known["x"])))
    assert verdict_on("x'S x", "S", lambda x: np.outer(x, x), let="S: symmetric(n)")
    assert not verdict_on(
        "X*B", "X", lambda X, B: np.einsum("ik,jl->ijkl", np.eye(len(X)), B.T * 2)
    )


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda A, x: 2 * A @ x, "assumption"),
        (lambda A, x: -(A + A.T) @ x, "sign"),
        (lambda A, x: A @ x, "term-missing"),
        (lambda A, x: ((A + A.T) @ x)[None, :], "row"),
        (lambda A, x: 1.0001 * (A + A.T) @ x, "factor"),
        (lambda A, x: (2 * A + A.T) @ x, "term-twice"),
    ],
)
def test_code_has_the_same_diagnosis(function: Any, kind: str) -> None:
    verdict = verdict_on("x'A x", "x", function)
    assert not verdict
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.kind == kind


def test_exceptions_of_code_are_reported() -> None:
    def fails(x: Any) -> Any:
        raise ValueError("not today")

    verdict = verdict_on("x'x", "x", fails)
    assert not verdict
    assert "`" in verdict.failure and "raised ValueError: not today" in verdict.failure
    assert "test_check.py" in verdict.failure
    assert "returned nothing" in verdict_on("x'x", "x", lambda x: None).failure
    assert "one array of real numbers is wanted" in verdict_on("x'x", "x", lambda x: "2 x").failure


def test_code_that_does_not_fit() -> None:
    with pytest.raises(UsageError, match="parameter `q`"):
        verdict_on("x'x", "x", lambda q: q)
    with pytest.raises(Unsupported, match="unknown function"):
        verdict_on("sum(f(x))", "x", lambda x: x, let="f: elementwise")


def test_single_precision_is_compared_as_such() -> None:
    verdict = verdict_on("norm2(x)", "x", lambda x: (x / np.linalg.norm(x)).astype(np.float32))
    assert verdict
    assert "note: the code computes with float32: compared to a relative 1e-05" in str(verdict)
    assert "to the precision of float32" in str(verdict)
    half = verdict_on("norm2(x)^2", "x", lambda x: x.astype(np.float32))
    assert half.diagnosis is not None
    assert half.diagnosis.message.startswith("off by the constant factor 1/2:")
    assert not verdict_on("x'x", "x", lambda x: (2.01 * x).astype(np.float32))


class Tensor:
    """As much of a PyTorch tensor as matgrad touches; tests/test_usercode.py has real ones."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.dtype = f"torch.{array.dtype}"

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> Any:
        return self.array


def test_torch_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = types.ModuleType("torch")
    torch.float64 = "double"  # type: ignore[attr-defined]
    torch.tensor = lambda array, dtype: Tensor(array)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert verdict_on("x'x", "x", lambda x: Tensor(2 * x.array), arrays="torch")

    namespace = {"torch": torch, "Tensor": Tensor}
    function = types.FunctionType(_twice.__code__, namespace)
    assert verdict_on("x'x", "x", function)  # found out by what the module imports


def _twice(x: Any) -> Any:
    return Tensor(2 * x.array)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nowhere_at_all:f", "no module `nowhere_at_all`"),
        ("f", "names no function"),
        ("nothing.py:f", "there is no file"),
        (code("nothing"), "has no function `nothing`"),
        ("BROKEN:f", "importing"),
        ("EXITS:f", "failed: SystemExit: 5"),
        ("SYNTAX:f", "failed: SyntaxError: "),
        ("MISSING:f", "failed: No module named 'not_there_at_all'"),
        ("NUMBER:f", "is no function"),
    ],
)
def test_code_that_cannot_be_loaded(spec: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1/0\n", encoding="utf-8")
    for name, code in (
        ("EXITS", "raise SystemExit(5)"),
        ("SYNTAX", "x = ("),
        ("MISSING", "import not_there_at_all"),
        ("NUMBER", "f = 3"),
    ):
        (tmp_path / f"{name.lower()}.py").write_text(code + "\n", encoding="utf-8")
        spec = spec.replace(name, str(tmp_path / f"{name.lower()}.py"))
    result = run("x'x", "--code", spec.replace("BROKEN", str(tmp_path / "broken.py")))
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_what_code_prints_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "loud_gradient.py").write_text(
        "def f(x):\n    print('hello')\n    return 2*x\n", encoding="utf-8"
    )
    result = run("x'x", "--code", f"{tmp_path / 'loud_gradient.py'}:f", "--to", "json")
    assert json.loads(result.stdout)["verdict"] == "right"
    assert "hello" in result.stderr


def test_the_examples_of_the_help_page_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = [line.strip() for line in run("--help").stdout.splitlines()]
    commands = [shlex.split(line)[2:] for line in lines if line.startswith("matgrad check ")]
    assert len(commands) == 4
    for arguments in commands:
        assert run(*arguments).exit_code == 0, arguments


# --- files --------------------------------------------------------------------------------------------------------------


def test_the_appendix_holds() -> None:
    result = run(str(EXAMPLES / "appendix.matgrad"))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "24 statements: 24 ok"


def test_the_screen_of_the_mistakes() -> None:
    """Refresh: (cd examples && matgrad check mistakes.matgrad > mistakes.txt)"""
    import os

    here = Path.cwd()
    os.chdir(EXAMPLES)
    try:
        result = run("mistakes.matgrad")
    finally:
        os.chdir(here)
    assert result.exit_code == 1
    assert result.stdout == (EXAMPLES / "mistakes.txt").read_text(encoding="utf-8")


def test_jobs_change_nothing() -> None:
    path = str(EXAMPLES / "mistakes.matgrad")
    assert run(path, "--jobs", "2").stdout == run(path).stdout


def test_exit_codes_of_files(tmp_path: Path) -> None:
    right, wrong, broken = "diff x'x wrt x = 2 x\n", "diff x'x wrt x = x\n", "diff x'x\n"
    for text, expected in (
        (right, 0),
        (right + wrong, 1),
        (right + broken, 2),
        (wrong + broken, 1),
        ("", 0),
    ):
        (tmp_path / "a.matgrad").write_text(text, encoding="utf-8")
        result = run(str(tmp_path / "a.matgrad"))
        assert result.exit_code == expected, text
    assert "no statements" in result.stderr
    (tmp_path / "b.matgrad").write_bytes(b"diff \xff")
    assert "not UTF-8" in run(str(tmp_path / "b.matgrad")).stderr


def test_a_file_that_cannot_be_read_does_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / "right.matgrad").write_text("diff x'x wrt x = 2 x\n", encoding="utf-8")
    (tmp_path / "bytes.matgrad").write_bytes(b"diff \xff")
    names = [str(tmp_path / name) for name in ("bytes.matgrad", "none.matgrad", "right.matgrad")]
    result = run(*names, str(tmp_path))
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert lines[0] == f"{names[0]}:1: error: `{names[0]}` is not UTF-8"
    assert f"{names[1]}:1: error: `{names[1]}` cannot be read: no such file or directory" in lines
    assert f"{names[2]}:1: ok" in lines
    assert lines[-1] == "4 statements: 1 ok, 3 errors"
    assert run(names[1]).stdout == ""


def test_a_wrong_declaration_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "a.matgrad"
    path.write_text(
        "let x: vektor(n)\nlet 3: scalar\ndiff x'x wrt x = 2 x\ndiff foo(x) wrt x = 1\n",
        encoding="utf-8",
    )
    lines = run(str(path)).stdout.splitlines()
    heads = [line.removeprefix(f"{path}:")[:9] for line in lines if line.startswith(str(path))]
    assert heads == ["1: error:", "2: error:", "3: ok", "4: error:"]
    assert "      = declare it, if it is an unknown function: `let foo: elementwise`" in lines


def test_json_of_files_fits_the_schema(tmp_path: Path) -> None:
    result = run(str(EXAMPLES / "mistakes.matgrad"), "--to", "json")
    value = json.loads(result.stdout)
    assert problems(value, SCHEMA["$defs"]["checked"]) == []
    assert value["summary"] == {"ok": 0, "wrong": 10, "error": 2}
    assert value["statements"][0]["line"] == 7
    output = tmp_path / "out.json"
    result = run(str(EXAMPLES / "mistakes.matgrad"), "--to", "json", "-o", str(output))
    assert result.stdout == ""
    assert json.loads(output.read_text(encoding="utf-8"))["summary"] == value["summary"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["x'x", "--equals", "2 x"],
        ["x'x", "--equals", "x"],
        ["x'A x", "--wrt", "x", "--equals", "x'A"],
        ["x'A x", "--wrt", "x", "--equals", "x*A"],
        ["x'x", "--equals", "2*exp(log(x))"],
        ["c^2", "--equals", "c"],
        [*RIDGE, "--code", code("ridge_without_half")],
    ],
    ids=lambda a: " ".join(a),
)
def test_json_of_a_verdict_fits_the_schema(arguments: list[str]) -> None:
    value = json.loads(run(*arguments, "--to", "json").stdout)
    assert problems(value, SCHEMA) == []
    assert problems(value, SCHEMA["$defs"]["verdict"]) == []


def test_json_of_a_failure_fits_the_schema() -> None:
    result = run("x'x", "--equals", "foo x", "--to", "json")
    assert problems(json.loads(result.stdout), SCHEMA["$defs"]["failure"]) == []


def test_junit() -> None:
    result = run(
        str(EXAMPLES / "mistakes.matgrad"), str(EXAMPLES / "appendix.matgrad"), "--to", "junit"
    )
    root = ElementTree.fromstring(result.stdout)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("36", "10", "2")
    assert [s.get("tests") for s in root] == ["12", "24"]
    case = root[0][0]
    assert case.get("line") == "7"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "right only if A is symmetric"
    assert "example" in (failure.text or "")
    assert len(root.findall(".//error")) == 2


def test_a_statement_out_of_time(tmp_path: Path) -> None:
    path = tmp_path / "slow.matgrad"
    path.write_text("diff x'x wrt x = 2 x\n", encoding="utf-8")
    result = run(str(path), "--timeout", "0.0001")
    assert result.exit_code == 4
    assert "no answer within" in result.stdout


def test_progress_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from matgrad import cli

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with cli._progress(cli.LONG) as advance:
            advance()
        assert bool(stream.getvalue()) == shown
    monkeypatch.setattr(sys, "stderr", Terminal())
    with cli._progress(cli.LONG - 1) as advance:
        advance()
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


# --- the pytest plugin --------------------------------------------------------------------------------------------------


def pytest_on(*arguments: str) -> subprocess.CompletedProcess[str]:
    installed = any(e.name == "matgrad" for e in entry_points(group="pytest11"))
    plugin = [] if installed else ["-p", "matgrad.pytest_plugin"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        timeout=300,
    )


def test_pytest_collects_statements() -> None:
    done = pytest_on("--matgrad", "-v", "examples/mistakes.matgrad", "examples/appendix.matgrad")
    assert done.returncode == 1
    assert "12 failed, 24 passed" in done.stdout
    assert "✗ wrong: right only if A is symmetric" in done.stdout
    assert "examples/mistakes.matgrad::7" in done.stdout
    assert "Traceback" not in done.stdout


def test_pytest_leaves_files_alone_without_the_option() -> None:
    done = pytest_on("examples/appendix.matgrad")
    assert "24 passed" not in done.stdout


def test_errors_are_matgrad_errors() -> None:
    for bad in ("x'*(", "x'y", "q(x)"):
        with pytest.raises(MatgradError):
            matgrad.check(bad, None, "x")


def test_a_claim_may_speak_of_the_value() -> None:
    """`y` in a claim is what the report calls y: the expression, unless it has a variable of that name."""
    assert matgrad.check("softmax(W*x)", "x", "(diag(y) - y*y') W").ok
    right = matgrad.check("exp(-norm2(x - z)^2)", "x", "-2*y*(x - z)")
    assert right.ok and not right.assumptions
    wrong = matgrad.check("softmax(W*x)", "x", "(diag(y) + y*y') W")
    assert not wrong.ok
    assert "(diag(y) + y*y') W\n" in str(wrong)
    assert not matgrad.check("y'*tanh(x)", "x", "y - y.*tanh(x)").ok
    assert matgrad.check("norm2(r)^2 where r = A*x - b", "x", "2*A'*r + 0*y*x").ok
    assert matgrad.check("exp(s) where s = x'*x", "x", "2*y*t where t = x").ok
