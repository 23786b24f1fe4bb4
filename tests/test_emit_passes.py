"""The passes that make emitted code what an expert would have written, one by one, by the operations that are left."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from emitted import load

from matgrad.derive import declarations, diff, directed
from matgrad.emit.lower import Lowering
from matgrad.emit.module import lowered, plan_of
from matgrad.emit.program import Program, Value, needed
from matgrad.emit.stable import stable
from matgrad.emit.targets import TARGETS
from matgrad.functions import TABLE
from matgrad.render.text import render
from matgrad.shapes import read

LET = "A: matrix(n, n); B: matrix(n, n); X: matrix(m, n); P: spd(n); L: lower(n); D: diagonal(n); x: vector(n); d: vector(n); s: scalar"


def operations(text: str) -> list[Value]:
    """The operations that are left of an expression, arguments first."""
    (e,) = stable(read(text, declarations(LET.split("; "))).expr)
    return needed([Lowering(Program()).lower(e)])


def counted(text: str) -> Counter[str]:
    """How many of each."""
    return Counter(v.op for v in operations(text))


def function(text: str, wrt: str, name: str, *let: str, order: int = 1) -> Counter[str]:
    """The operations of a function of a module."""
    d = diff(text, wrt, list(let), order=order, check=False)
    (found,) = [f for f in plan_of(d, directed(d)).functions if f.name == name]
    return Counter(v.op for v in needed(lowered(found)[1]))


def test_common_subexpressions_once() -> None:
    assert (
        sum(v.op == "call" and v.data[0] == "exp" for v in operations("exp(x)'x + sum(exp(x))"))
        == 1
    )


def test_value_and_derivative_share_work() -> None:
    separate = [
        function("norm2(X*x - y)^2", "x", f, "X: matrix(m, n)")["matvec"]
        for f in ("value", "derivative")
    ]
    together = function("norm2(X*x - y)^2", "x", "value_and_derivative", "X: matrix(m, n)")[
        "matvec"
    ]
    assert separate == [1, 2]
    assert together == 2


@pytest.mark.parametrize(
    ("text", "vectors", "matrices"),
    [("A*B*x", 2, 0), ("x'A*B", 2, 0), ("A*x*x'*B", 2, 0), ("A*B*A", 0, 2), ("X*A*B*A*x", 4, 0)],
)
def test_products_are_associated_by_cost(text: str, vectors: int, matrices: int) -> None:
    found = counted(text)
    assert (found["matvec"], found["matmul"]) == (vectors, matrices)


def test_known_sizes_count() -> None:
    let = ["U: matrix(n, 2)", "V: matrix(2, n)", "W: matrix(n, n)"]
    (e,) = stable(read("U*V*W", declarations(let)).expr)
    (outer,) = [
        v
        for v in needed([Lowering(Program()).lower(e)])
        if v.op == "matmul" and v.shape == ("n", "n")
    ]
    assert outer.args[0].op == "input"  # U (V W)


@pytest.mark.parametrize("text", ["A^-1*x", "x'A^-1", "tr(A^-1*B)", "A^-1*B", "X*A^-1"])
def test_inverses_are_solves(text: str) -> None:
    found = counted(text)
    assert found["solve"] == 1
    assert found["lu"] == 1
    assert not found["inverse"]


@pytest.mark.parametrize(
    ("matrix", "way"), [("P", "cholesky"), ("A", "lu"), ("L", "lower"), ("(X'X + P)", "cholesky")]
)
def test_one_factorization_a_matrix(matrix: str, way: str) -> None:
    found = counted(f"x'*{matrix}^-1*x + x'*{matrix}^-1*d + ln det({matrix})")
    assert found[way] == 1
    assert found["solve"] in (1, 2)
    assert sum(found[f] for f in ("cholesky", "lu", "lower", "upper")) == 1


def test_diagonal_inverses_are_quotients() -> None:
    found = counted("D^-1*x")
    assert found["div"] == 1
    assert not found["lu"] + found["inverse"] + found["diag"]


@pytest.mark.parametrize("text", ["tr(A*B)", "tr(A'B)", "sum(A.*B)", "tr(A*x*x')"])
def test_traces_are_sums_of_products(text: str) -> None:
    found = counted(text)
    assert found["dot"] == 1
    assert not found["matmul"] + found["diagonal"]


@pytest.mark.parametrize(
    "text",
    ["diag(d)*A", "A*diag(d)", "tr(diag(d)*A)", "d*ones(n)' + A", "A + s*eye(n)", "ones(n)'A*ones(n)", "diag(diag(A))*x",
     "kron(A, B)*vec(A*B)", "kron(A, eye(n))*vec(B)"],
)  # fmt: skip
def test_what_only_acts_is_not_formed(text: str) -> None:
    found = counted(text)
    assert not any(found[op] for op in ("diag", "ones", "eye", "kron", "full", "commutation")), (
        found
    )


def test_jacobians_are_arrays_of_factors() -> None:
    for name in ("A*X*B", "X'", "X.*C", "X'X"):
        found = function(name, "X", "derivative", "X: matrix(m, n)")
        assert not any(found[op] for op in ("kron", "commutation", "split")), (name, found)


def test_quadratic_forms_are_two_products() -> None:
    found = counted("x'A x")
    assert (found["matvec"], found["dot"]) == (1, 1)


def test_sums_are_distributed_over_vectors() -> None:
    found = counted("(A + A')*x")
    assert (found["matvec"], found["add"]) == (2, 1)
    assert all(len(v.shape) < 2 for v in operations("(A + A')*x") if v.op == "add")


def test_scalars_go_to_the_smallest_part() -> None:
    assert all(len(v.shape) < 2 for v in operations("s*x*d'") if v.op == "mul")


@pytest.mark.parametrize("text", ["s*A*x*x'*A'", "s*X'*diag(exp(X*x))*X", "3*A*B*x*x'*B'*A'"])
def test_scalars_are_kept_where_half_of_a_product_is_known(text: str) -> None:
    """The second half is the transpose of the first, and the scalar stood in it."""
    expected = load(
        diff(f"tr(({text})*C)", "C", ["s: scalar", "X: matrix(m, n)", "x: vector(n)"]).to("numpy")
    )
    rng = np.random.default_rng(0)
    data = {k: rng.normal(size=(3, 3)) for k in "ABCX"} | {"x": rng.normal(size=3), "s": 2.5}
    wanted = {k for k in data if k in text + "C"}
    d = expected["derivative"](**{k: v for k, v in data.items() if k in wanted})
    A, B, X, x, s = (data[k] for k in "ABXxs")
    meant = {
        "s*A": s * A @ np.outer(x, x) @ A.T,
        "s*X": s * X.T @ np.diag(np.exp(X @ x)) @ X,
        "3*A": 3 * A @ B @ np.outer(x, x) @ B.T @ A.T,
    }
    np.testing.assert_allclose(d, meant[text[:3]].T)


def test_symmetric_products_are_mirrored() -> None:
    (product,) = [v for v in operations("X'*diag(exp(X*x))*X") if v.op == "matmul"]
    assert product.args[0] is product.args[1]


def test_known_transposes_are_not_computed() -> None:
    assert counted("A*B + (A*B)'")["matmul"] == 1


@pytest.mark.parametrize(
    ("text", "stable_text"),
    [
        ("log(1 + exp(x))", "softplus(x)"),
        ("log(1 + x.^2)", "log1p(x.^2)"),
        ("exp(x)./(1 + exp(x))", "sigmoid(x)"),
        ("1./(1 + exp(-x))", "sigmoid(x)"),
        ("exp(s) - 1", "expm1(s)"),
        ("log(sum(exp(x)))", "logsumexp(x)"),
        ("log(det(P))", "ln det(P)"),
    ],
)
def test_stable_functions(text: str, stable_text: str) -> None:
    let = declarations(LET.split("; "))
    assert render(*stable(read(text, let).expr), "matgrad") == render(
        read(stable_text, let).expr, "matgrad"
    )


def test_stable_where_the_formula_overflows() -> None:
    module = load(diff("sum(log(1 + exp(x)))", "x", check=False).to("numpy"))
    value, derivative = module["value_and_derivative"](x=np.array([-1000.0, 0, 1000]))
    assert value == 1000 + np.log(2)
    np.testing.assert_allclose(derivative, [0, 0.5, 1])


def test_hessian_of_factorization() -> None:
    d = diff("norm(T - U*V')^2", "U", order=2)
    module = load(d.to("numpy"))
    rng = np.random.default_rng(0)
    data = {
        "T": rng.normal(size=(5, 4)),
        "U": rng.normal(size=(5, 3)),
        "V": rng.normal(size=(4, 3)),
    }
    core = 2 * data["V"].T @ data["V"]
    np.testing.assert_allclose(module["compressed"](**data), core)
    whole = module["derivative"](**data)
    np.testing.assert_allclose(whole, np.einsum("ik,jl->ijkl", np.eye(5), core))
    v = rng.normal(size=(5, 3))
    np.testing.assert_allclose(module["hvp"](v, **data), np.einsum("ijkl,kl->ij", whole, v))


@pytest.mark.parametrize("target", TARGETS)
def test_every_function_has_code(target: str) -> None:
    handled = {
        "transpose",
        "inv",
        "power",
        "epow",
        "hadamard",
        "tr",
        "det",
        "logdet",
        "sum",
        "norm2",
        "normF",
        "diag",
    }
    handled |= {"diagonal", "dg", "vec", "unvec", "kron"}
    for op in TABLE.keys() - handled:
        value = Value("call", (), (op, ()), (), frozenset())
        assert TARGETS[target].template(value)


def test_a_wrong_shape_is_named() -> None:
    module = load(diff("norm2(A*x - b)^2", "x", check=False).to("numpy"))
    with pytest.raises(ValueError, match=r"b should have the shape \(m,\) = \(3,\), not \(2,\)"):
        module["value"](A=np.ones((3, 2)), x=np.ones(2), b=np.ones(2))
    with pytest.raises(ValueError, match="A should be real, not complex"):
        module["value"](A=np.ones((3, 2)) * 1j, x=np.ones(2), b=np.ones(3))
    with pytest.raises(ValueError, match="A should be a matrix"):
        module["value"](A=np.ones(3), x=np.ones(2), b=np.ones(2))
    assert module["value"](A=[[1, 2]], x=[1, 1], b=[1]) == 4.0


def test_names_that_python_keeps() -> None:
    text = diff("λ*norm2(x)^2", "x", check=False).to("numpy")
    assert "lambda_: number" in text
    assert "λ is lambda_" in text
    assert load(text)["derivative"](lambda_=2.0, x=np.ones(2)).tolist() == [4, 4]


def test_empty_and_single() -> None:
    module = load(diff("norm2(A*x - b)^2", "x", check=False).to("numpy"))
    for m, n in ((0, 3), (3, 0), (1, 1)):
        value, derivative = module["value_and_derivative"](
            A=np.ones((m, n)), x=np.ones(n), b=np.ones(m)
        )
        assert derivative.shape == (n,)
        assert np.ndim(value) == 0


def test_results_are_no_views_of_arguments() -> None:
    module = load(diff("A*x", "x", check=False).to("numpy"))
    A = np.ones((2, 3))
    found = module["derivative"](A=A, x=np.ones(3))
    found[:] = 0
    assert A.sum() == 6


def test_inverses_that_are_formed_are_not_solved_with() -> None:
    text, let = "ln det(S) + tr(S^-1*C)", ("S: spd(n)", "C: symmetric(n)")
    value = function(text, "S", "value", *let)
    assert (value["solve"], value["inverse"], value["cholesky"]) == (1, 0, 1)
    both = function(text, "S", "value_and_derivative", *let)
    assert (both["solve"], both["inverse"], both["matmul"]) == (0, 1, 2)
    square = "A: matrix(n, n)"
    found = function("A^-1 + A^-1*B", "B", "value", square)
    assert (found["solve"], found["inverse"], found["matmul"]) == (0, 1, 1)
    assert function("A^-1*B + B*A^-1", "B", "value", square)["inverse"] == 0
    assert function("A^-1*(A^-1 + B)*x", "x", "value", square)["inverse"] == 0
    # Of a vector a solve is as fast, and more exact.
    assert function("A^-1 + d*x'A^-1", "x", "value", square, "d: vector")["solve"] == 1


def test_outer_products_are_joined() -> None:
    assert counted("x*d' + x*x' + d*d'")["outer"] == 2
    assert counted("x*d' - d*d'")["outer"] == 1
    module = load(diff("tr((x*d' - d*d' + x*x' - d*x')*C)", "C", check=False).to("numpy"))
    x, d = np.array([1.0, 2]), np.array([3.0, -1])
    found = module["derivative"](x=x, d=d, C=np.eye(2))
    np.testing.assert_allclose(found, np.outer(x - d, x + d).T)


def test_signs_are_multiplied_out() -> None:
    text = diff("norm(T - U*V')^2", "U", check=False).to("numpy")
    assert "return 2 * (U.dot(V.T) - T).dot(V)" in text


def test_numpy_code_calls_methods() -> None:
    text = diff("logsumexp(A*x)", "x", check=False).to("numpy")
    assert "v1.max()" in text
    assert "np.max" not in text
    assert "np.outer" not in diff("x'A y", "A", check=False).to("numpy")


def test_directions_are_checked() -> None:
    module = load(diff("x'A x", "x", order=2, check=False).to("numpy"))
    data = {"x": np.ones(2), "A": np.array([[1.0, 2], [3, 4]])}
    assert module["hvp"](np.array([1.0, 0]), **data).tolist() == [2, 5]
    assert module["hvp"]([1, 0], **data).tolist() == [2, 5]
    for wrong in (np.ones(3), np.ones((2, 1)), 1.0):
        with pytest.raises(ValueError, match="v should"):
            module["hvp"](wrong, **data)


def test_new_matrices_are_written_over() -> None:
    let = ["X: matrix(m, n)", "a: vector(m)", "b: vector(n)", "K: matrix(m, m)"]
    text = diff("sum(exp(a*ones(n)' + ones(m)*b' - 2*a*b'))", "a", let, check=False).to("numpy")
    assert "M1 += a[:, None]" in text
    assert "np.exp(M1, out=M1)" in text
    module = load(text)
    a, b = np.array([0.3, -0.2, 1]), np.array([0.5, 2])
    expected = np.exp(a[:, None] + b - 2 * np.outer(a, b))
    kept = a.copy(), b.copy()
    value, derivative = module["value_and_derivative"](a=a, b=b)
    np.testing.assert_allclose(value, expected.sum())
    np.testing.assert_allclose(derivative, (expected * (1 - 2 * b)).sum(axis=1))
    assert np.array_equal(a, kept[0])
    assert np.array_equal(b, kept[1])
    # A matrix that is used twice stays as it is.
    again = load(
        diff(
            "sum((X*X').*(X*X' + b*ones(m)'))",
            "b",
            ["X: matrix(m, n)", "b: vector(m)"],
            check=False,
        ).to("numpy")
    )
    X, d = np.arange(6.0).reshape(2, 3), np.array([1.0, -1])
    np.testing.assert_allclose(again["value"](X=X, b=d), ((X @ X.T) * (X @ X.T + d[:, None])).sum())


def test_a_diagonal_in_a_sum_is_multiplied_apart() -> None:
    found = function(
        "(exp(A) - diag(d))*X", "X", "value", "A: matrix(n, n)", "d: vector(n)", "X: matrix(n, m)"
    )
    assert not found["add_diagonal"] + found["diag"]
    assert found["matmul"] == 1
