"""`matgrad eval`: values and derivatives on data, files of numbers, and what is said when they do not fit."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import matgrad
from matgrad.cli import main
from matgrad.data import read_data
from matgrad.errors import DataProblem, LimitProblem, UsageError
from matgrad.evaluate import evaluate

A = np.arange(6.0).reshape(3, 2)
B = np.array([1.0, -2, 0.5])
X = np.array([0.5, 2.0])
SQUARE = np.array([[2.0, 1], [0, 3]])
LEAST_SQUARES = "norm2(A*x - b)^2"


def run(*arguments: str) -> Any:
    """The command, without colour."""
    return CliRunner().invoke(main, ["eval", *arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data, which the commands run in."""
    monkeypatch.chdir(tmp_path)
    np.savez("d.npz", A=A, x=X, b=B)
    np.save("A.npy", A)
    np.save("b.npy", B.astype(np.float32))
    Path("d.json").write_text(json.dumps({"A": A.tolist(), "x": X.tolist(), "b": B.tolist()}))
    Path("table.csv").write_text("x, y\n1,2\n3,4\n5,6\n")
    Path("m.csv").write_text("# a comment\n1;2\n3;4\n")
    Path("column.csv").write_text("0.5\n2\n")
    return tmp_path


@pytest.mark.parametrize(
    "data", [["d.npz"], ["d.json"], ["A.npy", "b.npy", "x=column.csv"], ["A=A.npy", "b.npy", "d=3", "x=column.csv"]]
)  # fmt: skip
def test_values_of_every_format(folder: Path, data: list[str]) -> None:
    ran = run(LEAST_SQUARES, "-q", *(f"--data={d}" for d in data))
    assert ran.exit_code == 0
    r = A @ X - B
    assert float(ran.stdout) == pytest.approx(float(r @ r), rel=1e-14)


def test_derivatives() -> None:
    data = {"A": A, "x": X, "b": B}
    first = evaluate(LEAST_SQUARES, data, "x")
    np.testing.assert_allclose(first.results["x"], 2 * A.T @ (A @ X - B))
    assert first.sizes == {"m": 3, "n": 2}
    second = evaluate(LEAST_SQUARES, data, "x", order=2)
    np.testing.assert_allclose(second.results["x"], 2 * A.T @ A)
    v = np.array([1.0, -1])
    product = evaluate(LEAST_SQUARES, {**data, "v": v}, "x", hvp="v")
    np.testing.assert_allclose(product.results[""], 2 * A.T @ A @ v)
    both = evaluate(LEAST_SQUARES, data, ["x", "b"])
    np.testing.assert_allclose(both.results["b"], -2 * (A @ X - B))
    mixed = evaluate("x'A y", {"A": A, "x": B, "y": X}, "x", then="y")
    np.testing.assert_allclose(mixed.results["y"], A)


def test_jacobians_have_the_axes_of_both() -> None:
    found = evaluate("X*X", {"X": SQUARE}, "X").results["X"]
    expected = np.einsum("ik,lj->ijkl", np.eye(2), SQUARE) + np.einsum(
        "ik,jl->ijkl", SQUARE, np.eye(2)
    )
    np.testing.assert_allclose(found, expected)


def test_sizes_and_entries_are_numbers_of_the_data() -> None:
    assert evaluate("x[i]", {"x": X, "i": 2}).results[""] == 2
    assert evaluate("sum(x)/n", {"x": X}, let="x: vector(n)").results[""] == 1.25
    assert evaluate("tr(eye(n)) + c", {"n": 4, "c": 1}).results[""] == 5
    assert evaluate("weight*sum(x)", {"x": X, "weight": 2}).results[""] == 5
    assert evaluate("tr(A^k)", {"A": SQUARE, "k": 3}, let="k: integer").results[
        ""
    ] == pytest.approx(35)


def test_the_data_says_the_kind() -> None:
    assert evaluate("a*x", {"a": SQUARE, "x": X}).results[""].tolist() == [3, 6]
    assert evaluate("b'b", {"b": B}).results[""] == 5.25
    assert evaluate("sum(x)", {"x": X[:, None]}).results[""] == 2.5
    assert evaluate("X", {"X": X[:, None]}).results[""].shape == (2, 1)
    assert evaluate("a*x", {"a": X[None], "x": X}, let="a: row").results[""] == 4.25
    assert evaluate("c*x", {"c": np.array([[2]]), "x": X}, let="c: scalar").results[
        ""
    ].tolist() == [1, 4]
    assert (
        evaluate("sum(x)", {"x": np.array([1, 2], dtype=np.int8)}).results[""].dtype == np.float64
    )


WRONG_DATA = [
    ({"A": A, "x": B, "b": B}, "the data does not agree about the size n: `A` has 2 columns, and `x` has 3 entries"),
    ({"A": A, "x": X}, "there is no data for `b`"),
    ({"A": A, "x": X, "b": 1.0}, "`b` is a vector here, and the data is a number"),
    ({"A": A, "x": X, "b": [1, np.nan, 2]}, "`b` holds NaN at [2]"),
    ({"A": A, "x": X, "b": [1, np.inf, -np.inf]}, "`b` holds an infinite number at [2], and 1 more"),
    ({"A": A, "x": X, "b": B + 1j}, "`b` has complex numbers"),
    ({"A": A, "x": X, "b": ["p", "q", "r"]}, "`b` is of the type <U1"),
    ({"A": np.ones((2, 2, 2)), "x": X, "b": B}, "`A` has 3 axes"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), WRONG_DATA)
def test_data_that_does_not_fit(data: dict[str, Any], message: str) -> None:
    with pytest.raises(DataProblem) as problem:
        evaluate(LEAST_SQUARES, data)
    assert problem.value.message == message
    assert problem.value.code == 2


DECLARED = [
    ("S: symmetric", SQUARE, "`S` is declared symmetric, and the data is not: `S[1, 2]` is 1"),
    ("S: diagonal", SQUARE, "`S` is declared diagonal, and the data is not: `S[1, 2]` is 1"),
    ("S: skew", SQUARE, "`S` is declared skew, and the data is not: `S[1, 1]` is 2"),
    ("S: lower", SQUARE, "`S` is declared lower, and the data is not: `S[1, 2]` is 1"),
    ("S: upper", SQUARE.T, "`S` is declared upper, and the data is not: `S[2, 1]` is 1"),
    ("S: orthogonal", SQUARE, "`S` is declared orthogonal, and the data is not: `S[1, 1]` is 2"),
    ("S: spd", np.diag([1.0, -1]), "`S` is declared spd, and the data is not: its smallest eigenvalue is -1"),
    ("S: matrix(3, 3)", SQUARE, "`S` is a matrix of 2×2 in the data, and should be a matrix of 3×3"),
]  # fmt: skip


@pytest.mark.parametrize(("let", "data", "message"), DECLARED)
def test_declarations_hold_of_the_data(let: str, data: Any, message: str) -> None:
    with pytest.raises(DataProblem) as problem:
        evaluate("tr(S)", {"S": data}, let=let)
    assert problem.value.message == message


def test_declarations_that_hold() -> None:
    turn = np.array([[0.0, 1], [-1, 0]])
    for let, data in (("symmetric", np.eye(2) + 1), ("diagonal", np.eye(2)), ("skew", turn), ("lower", SQUARE.T),
                      ("upper", SQUARE), ("orthogonal", turn), ("spd", np.eye(2) + 1)):  # fmt: skip
        assert evaluate("tr(S*B)", {"S": data, "B": SQUARE}, let=f"S: {let}").results[
            ""
        ] == np.trace(data @ SQUARE)


OTHER = [
    ("f(c)", {"c": 2}, "f: elementwise", "`f` is an unknown function, which has no value"),
    ("tr(eye(n))*c", {"c": 2}, [], "`n` is a size that no array shows"),
    ("tr(eye(n))*c", {"c": 2, "n": 1.5}, [], "`n` is a size, a whole number from 1 on"),
    ("x[i]", {"x": X}, [], "`i` is an entry that no array shows"),
    ("x[i]", {"x": X, "i": 3}, [], "an entry that the expression takes is not in the data"),
    ("tr(A^k)", {"A": SQUARE, "k": 2.5}, "k: integer", "`k` is a whole number here, and the data is 2.5"),
    ("log(s)", {"s": 0}, "s: positive", "`s` is declared positive, and the data has 0"),
    ("log(c)", {"c": -1}, [], "the result is not a number at this data"),
    ("log(x)", {"x": [0, 1]}, "x: vector", "1 of 2 entries of the result are infinite at this data"),
    ("A^-1*x", {"A": np.ones((2, 2)), "x": X}, [], "there is no value at this data: a matrix to be inverted is singular"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "data", "let", "message"), OTHER)
def test_what_has_no_value(text: str, data: dict[str, Any], let: Any, message: str) -> None:
    with pytest.raises(DataProblem) as problem:
        evaluate(text, data, let=let)
    assert problem.value.message == message


def test_limits() -> None:
    with pytest.raises(LimitProblem, match="the result has 812,250,000 entries"):
        evaluate(
            "X.*Y",
            {"X": np.ones((300, 95)), "Y": np.ones((300, 95))},
            "X",
            check=False,
        )


FILES = [
    ("empty.csv", b"", "`empty.csv` is empty"),
    ("words.csv", b"1,2\n3,four\n", "words.csv:2: `four` is no number, in column 2"),
    ("gap.csv", b"1,2\n3,\n", "gap.csv:2: a number is missing, in column 2"),
    ("ragged.csv", b"1,2\n3\n", "ragged.csv:2: 1 numbers, and 2 in the first line"),
    ("names.csv", b"x,y\n", "`names.csv` has names and no numbers"),
    ("twice.csv", b"x,x\n1,2\n", "twice.csv:1: a name stands twice"),
    ("nothing.csv", b"\n# 1\n", "`nothing.csv` has no numbers"),
    ("latin.csv", b"1,2\xe9\n", "`latin.csv` is not UTF-8 (byte 4)"),
    ("broken.json", b'{"x": [1,', "broken.json:1: this is no JSON, from character 10 on: expecting value"),
    ("words.json", b'{"x": ["a"]}', "in `words.json`, `x` is not made of numbers"),
    ("ragged.json", b'{"x": [[1], [1, 2]]}', "in `ragged.json`, `x` is no array: its rows are not of one length"),
    ("object.json", b"{}", "`object.json` has no numbers"),
    ("broken.npy", b"nothing", "`broken.npy` is no NumPy array"),
    ("cut.npy", b"\x93NUMPY\x01\x00", "`cut.npy` is no NumPy array"),
    ("cut.npz", b"PK\x03\x04abc", "`cut.npz` is no NumPy archive"),
    ("x.txt", b"1", "`x.txt` is of no format that is read"),
    ("no-name.csv", b"1,2", "`no-name` of `no-name.csv` is no name of a variable"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), FILES, ids=[f[0] for f in FILES])
def test_files_that_are_no_data(folder: Path, name: str, content: bytes, message: str) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(DataProblem) as problem:
        read_data([name])
    assert problem.value.message == message
    ran = run("sum(x)", "--data", name)
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith(f"error: {message}\n")


def test_pickles_are_not_loaded(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (Path("trapped"),))

    np.save("x.npy", np.array([Trap(), 1], dtype=object), allow_pickle=True)
    np.savez("x.npz", x=np.array([Trap(), 1], dtype=object))
    Path("p.npy").write_bytes(Path("x.npy").read_bytes().replace(b"\x93NUMPY", b"\x80\x04NPY"))
    for name in ("x.npy", "x.npz", "p.npy"):
        with pytest.raises(DataProblem):
            read_data([f"x={name}"])
    assert not Path("trapped").exists()


def test_names_of_files_and_numbers(folder: Path) -> None:
    assert read_data(["c=2.5"])["c"] == 2.5
    assert read_data(["sigma=2"])["σ"] == 2
    assert list(read_data(["table.csv"])) == ["x", "y"]
    assert read_data(["Z=table.csv"])["Z"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert read_data(["m.csv"])["m"].tolist() == [[1, 2], [3, 4]]
    for specs, message in (
        (["d.npz", "x=1"], "`x` is in d.npz and in x=1"),
        (["x=d.npz"], "`d.npz` has 3 arrays, not one for `x`"),
        (["x=missing.npy"], "`missing.npy` cannot be read: no such file or directory"),
        (["2x=1"], "`2x` is no name of a variable"),
        (["c=nan"], "`c` holds NaN"),
    ):
        with pytest.raises(DataProblem) as problem:
            read_data(specs)
        assert problem.value.message == message


def test_what_is_printed(folder: Path) -> None:
    assert run(LEAST_SQUARES, "--data", "d.npz").stdout == "y = 214.25\n"
    gradient = run(LEAST_SQUARES, "--data", "d.npz", "--wrt", "x").stdout
    assert gradient == "∂y/∂x, 2 entries:\n  128\n  171\n"
    ascii = run(
        LEAST_SQUARES, "--data", "d.npz", "--wrt", "x", "--order", "2", "--to", "ascii"
    ).stdout
    assert ascii.splitlines() == ["d2y/dx2, 2x2:", "  40  52", "  52  70"]
    product = run(
        LEAST_SQUARES, "--data", "d.npz", "--data", "v=column.csv", "--wrt", "x", "--hvp", "v"
    ).stdout
    assert product.splitlines()[0] == "∂²y/∂x² v, 2 entries:"
    table = run("A'A", "--data", "d.npz", "-q")
    assert table.stdout == "20.0,26.0\n26.0,35.0\n"
    assert table.stderr == "note: the data has `x`, `b`, which the expression has not\n"
    several = run(LEAST_SQUARES, "--data", "d.npz", "--wrt", "x", "--wrt", "b")
    assert [line.split(",")[0] for line in several.stdout.splitlines() if "entries" in line] == [
        "∂y/∂x",
        "∂y/∂b",
    ]
    blocks = run("X*X", "--data", "X=m.csv", "--wrt", "X").stdout
    assert blocks.startswith("∂y/∂X, 2×2×2×2:\n  [1, 1, :, :]\n    2  3\n    2  0\n")


def test_large_arrays_are_cut(folder: Path) -> None:
    np.save("X.npy", np.ones((30, 12)))
    lines = run("X", "--data", "X.npy").stdout.splitlines()
    assert len(lines) == 23
    assert lines[1].split() == ["1"] * 10 + ["…"]
    assert lines[-1] == "all of it: `-o FILE.npy`, or `--to json`"
    assert len(run("X'", "--data", "X.npy", "-q").stdout.splitlines()) == 12


def test_json_and_files(folder: Path) -> None:
    found = json.loads(run(LEAST_SQUARES, "--data", "d.npz", "--wrt", "x", "--to", "json").stdout)
    assert found["derivative"] == [128, 171]
    assert (found["wrt"], found["order"], found["sizes"]) == (["x"], 1, {"m": 3, "n": 2})
    assert json.loads(run("x'x", "--data", "d.npz", "--to", "json").stdout)["value"] == 4.25
    both = ["--data", "d.npz", "--wrt", "x", "--wrt", "A"]
    assert list(json.loads(run(LEAST_SQUARES, *both, "--to", "json").stdout)["derivative"]) == [
        "x",
        "A",
    ]
    for name in ("g.npy", "g.csv", "g.npz", "g.json"):
        assert run(LEAST_SQUARES, "--data", "d.npz", "--wrt", "x", "-o", name).stdout == ""
    assert np.load("g.npy").tolist() == [128, 171]
    assert np.load("g.npz")["x"].tolist() == [128, 171]
    assert read_data(["g.csv"])["g"].ravel().tolist() == [128, 171]
    assert json.loads(Path("g.json").read_text())["derivative"] == [128, 171]
    assert run(LEAST_SQUARES, *both, "-o", "both.npz").exit_code == 0
    assert np.load("both.npz")["A"].shape == (3, 2)
    error = json.loads(run("x'y", "--data", "d.npz", "--to", "json").stdout)["error"]
    assert error["code"] == "data"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x'x", "--data", "d.npz", "-o", "g.txt"], "`g.txt` is of no format that is written"),
        (["x'b", "--data", "b.npy", "--data", "x=b.npy", "--wrt", "x", "--wrt", "b", "-o", "g.npy"],
         "there are several results, and `g.npy` has room for one"),
        (["x'b", "--data", "b.npy", "--data", "x=b.npy", "--wrt", "x", "--wrt", "b", "-q"], "there are several results"),
        (["X*X", "--data", "X=m.csv", "--wrt", "X", "-o", "g.csv"], "an array of 4 axes is no table"),
        (["X*X", "--data", "X=m.csv", "--wrt", "X", "-q"], "an array of 4 axes is no table"),
        (["x'x", "--data", "d.npz", "-o", "nowhere/g.npy"], "`nowhere/g.npy` cannot be written: no such file or directory"),
        (["x'x", "--data", "d.npz", "--order", "2"], "a derivative is by a variable"),
    ],
)  # fmt: skip
def test_wrong_usage(folder: Path, arguments: list[str], message: str) -> None:
    ran = run(*arguments)
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"error: {message}\n")


def test_examples_of_the_help_page_work(folder: Path) -> None:
    np.savez("data.npz", A=A, x=X, b=B)
    np.savetxt("a.csv", SQUARE, delimiter=",")
    np.savetxt("x.csv", X)
    page = run("--help").stdout.splitlines()
    examples = [line.strip() for line in page if line.startswith("  matgrad eval ")]
    assert len(examples) == 3
    for example in examples:
        ran = run(*shlex.split(example)[2:])
        assert (ran.exit_code, ran.stderr) == (0, "")
    assert Path("gradient.npy").exists()


def test_python() -> None:
    found = matgrad.eval("x'x", {"x": [1, 2]}, wrt="x")
    assert isinstance(found, matgrad.Evaluation)
    assert found.results["x"].tolist() == [2, 4]
    with pytest.raises(UsageError):
        matgrad.eval("x'x", {"x": [1, 2]}, order=2)
