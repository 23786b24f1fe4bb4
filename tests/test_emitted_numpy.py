"""Emitted modules, run and compared with matgrad's own numeric meaning: every worked example, and random expressions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from emitted import load, wrong
from random_expressions import any_problem, lets, seeded
from test_cases import ALL, Statement, derivation, every_statement

from matgrad.cli import main
from matgrad.derive import Derivation, diff
from matgrad.errors import MatgradError
from matgrad.render.text import render

SEEDS = range(40)


def random_derivation(number: int, order: int) -> Derivation | None:
    """The derivation of a random expression; None where there is none."""
    found = any_problem(seeded(number), 1 + number % 2, number % 4 == 3)
    try:
        return diff(
            render(found.expr),
            found.wrt.data[0],
            lets(found.expr, found.wrt),
            order=order,
            check=False,
        )
    except MatgradError:
        return None


@every_statement
def test_every_worked_example(statement: Statement) -> None:
    d = derivation(statement)
    assert not wrong(d, d.to("numpy"))


@pytest.mark.parametrize("number", SEEDS)
def test_random_expressions(number: int) -> None:
    for order in (1, 2):
        d = random_derivation(number, order)
        if d is not None:
            found = wrong(d, d.to("numpy"))
            assert found in ([], ["no point"])


def test_a_wrong_module_is_found() -> None:
    d = diff("x'A x", "x", check=False)
    text = d.to("numpy")
    assert not wrong(d, text)
    assert wrong(d, text.replace("A.dot(x) +", "A.dot(x) -"))


def jax_arrays() -> tuple[Any, Any]:
    """How arguments are made JAX arrays, and results NumPy arrays."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    return (lambda x: x if isinstance(x, int) else jax.numpy.asarray(x)), np.asarray


def torch_tensors() -> tuple[Any, Any]:
    """How arguments are made tensors, and results NumPy arrays."""
    torch = pytest.importorskip("torch")
    to = lambda x: x if isinstance(x, int) else torch.as_tensor(np.array(x))  # noqa: E731
    return to, lambda x: x.detach().numpy()


@every_statement
def test_every_worked_example_in_torch(statement: Statement) -> None:
    to, back = torch_tensors()
    d = derivation(statement)
    assert not wrong(d, d.to("torch"), to=to, back=back)


# JAX takes half a second to start each: one in five here.
@pytest.mark.parametrize("statement", ALL[::5], ids=[f"{s.path}:{s.line}" for s in ALL[::5]])
def test_every_fifth_worked_example_in_jax(statement: Statement) -> None:
    to, back = jax_arrays()
    d = derivation(statement)
    assert not wrong(d, d.to("jax"), to=to, back=back)


@pytest.mark.parametrize("number", range(100, 140))
def test_random_expressions_in_torch(number: int) -> None:
    to, back = torch_tensors()
    for order in (1, 2):
        d = random_derivation(number, order)
        if d is not None:
            assert wrong(d, d.to("torch"), to=to, back=back) in ([], ["no point"])


@pytest.mark.parametrize("number", range(200, 220))
def test_random_expressions_in_jax(number: int) -> None:
    to, back = jax_arrays()
    for order in (1, 2):
        d = random_derivation(number, order)
        if d is not None:
            assert wrong(d, d.to("jax"), to=to, back=back) in ([], ["no point"])


@pytest.mark.parametrize("target", ["jax", "torch"])
def test_complex_arguments_and_wrong_shapes_are_refused(target: str) -> None:
    to, _ = jax_arrays() if target == "jax" else torch_tensors()
    module = load(diff("norm2(A*x - b)^2", "x", order=2, check=False).to(target))
    A, x, b = to(np.ones((3, 2))), to(np.ones(2)), to(np.ones(3))
    assert float(module["value"](A=[[1, 2]], x=[1, 1], b=[1])) == 4
    assert np.asarray(module["hvp"]([1, 0], A=A, x=x, b=b)).tolist() == [6, 6]
    with pytest.raises(ValueError, match="A should be real, not complex"):
        module["value"](A=A * 1j, x=x, b=b)
    with pytest.raises(ValueError, match=r"b should have the shape \(m,\) = \(3,\), not \(2,\)"):
        module["value"](A=A, x=x, b=x)
    with pytest.raises(ValueError, match="A should be a matrix"):
        module["value"](A=x, x=x, b=b)
    with pytest.raises(ValueError, match="v should have the shape"):
        module["hvp"](b, A=A, x=x, b=b)


@pytest.mark.parametrize("target", ["jax", "torch"])
def test_functions_of_whole_numbers(target: str) -> None:
    """`jax.nn.sigmoid(1)` is an error."""
    to, back = jax_arrays() if target == "jax" else torch_tensors()
    let = ["x: vector(n)"]
    for text in ("x'sigmoid(ones(n))", "tanh(n)*softplus(2)*sum(x)", "sum(polygamma(1, x.^2 + 1))"):
        d = diff(text, "x", let, check=False)
        assert wrong(d, d.to(target), to=to, back=back) == []


def test_gelu_in_torch_needs_torch_only() -> None:
    assert "import torch" in diff("sum(gelu(x))", "x", check=False).to("torch").splitlines()


TEXTS = [
    ("norm2(A*x - b)^2", "x", 1),
    ("ln det(X'A X)", "X", 1),
    ("norm(T - U*V')^2", "U", 2),
    ("tr(A*X^-1*B)", "X", 1),
    ("sum(log(1 + exp(X*w)))", "w", 2),
]


@pytest.mark.parametrize(("text", "wrt", "order"), TEXTS)
def test_jax_jit_vmap_and_jacobian(text: str, wrt: str, order: int) -> None:
    """The modules run under jit and vmap, and give what jax.jacobian makes of their values."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    d = diff(text, wrt, order=order, check=False)
    space = load(d.to("jax"))
    rng = np.random.default_rng(0)
    sizes = {"m": 4, "n": 4, "p": 3, "q": 2, "k": 3}
    data = {}
    for name, v in d.typed.variables.items():
        dims = [sizes.get(str(s), 3) for s in v.shape[1:] if s != 1]
        data[name] = jax.numpy.asarray(
            rng.normal(size=dims) + (np.eye(*dims) * 3 if len(dims) == 2 else 0)
        )

    def value(x: Any) -> Any:
        return space["value"](**{**data, wrt: x})

    expected = jax.jacobian(value) if order == 1 else jax.hessian(value)
    found = jax.jit(space["derivative"])(**data)
    np.testing.assert_allclose(found, expected(data[wrt]), rtol=1e-9, atol=1e-9)
    batch = jax.numpy.stack([data[wrt], 2 * data[wrt]])
    mapped = jax.vmap(lambda x: space["derivative"](**{**data, wrt: x}))(batch)
    np.testing.assert_allclose(mapped[0], found, rtol=1e-9, atol=1e-9)


def test_torch_keeps_the_type_and_works_in_func() -> None:
    torch = pytest.importorskip("torch")
    space = load(diff("norm2(A*x - b)^2", "x", check=False).to("torch"))
    data = {"A": torch.ones(3, 2), "x": torch.ones(2), "b": torch.ones(3)}
    value, derivative = space["value_and_derivative"](**data)
    assert value.dtype == derivative.dtype == torch.float32
    expected = torch.func.grad(lambda x: space["value"](**{**data, "x": x}))(data["x"])
    assert torch.allclose(derivative, expected)
    both = torch.func.vmap(lambda x: space["derivative"](**{**data, "x": x}))(torch.ones(5, 2))
    assert both.shape == (5, 2)


@pytest.mark.parametrize("target", ["numpy", "jax", "torch"])
def test_modules_pass_ruff(target: str, tmp_path: Path) -> None:
    cases = [*TEXTS, ("expm(X) + logm(X)", "X", 1), ("sum(erf(x))", "x", 2), ("prod(x)", "x", 1)]
    cases += [("det(X)", "X", 1), ("tr(X^k)", "X", 1), ("f(A*x)", "x", 1), ("pinv(X)", "X", 1)]
    for i, (text, wrt, order) in enumerate(cases):
        let = (
            ["f: elementwise"] * ("f(" in text)
            + ["k: integer"] * ("^k" in text)
            + ["X: matrix(n, n)"] * ("m(X)" in text)
        )
        (tmp_path / f"m{i}.py").write_text(
            diff(text, wrt, let, order=order, check=False).to(target)
        )
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--ignore", "E501", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("target", ["numpy", "jax", "torch"])
def test_command_line(target: str, tmp_path: Path) -> None:
    file = tmp_path / "gradient.py"
    ran = CliRunner().invoke(main, ["diff", "x'A x", "--wrt", "x", "--to", target, "-o", str(file)])
    assert ran.exit_code == 0
    assert file.read_text() == diff("x'A x", "x").to(target)
