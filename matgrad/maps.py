"""Unknown functions of a whole value, such as `u: vector(m) of vector(n)`, and their derivatives.

The node of `u(x)` is a CALL with data `("map", name, marks)`, where `marks` is the word of derivative operators in front
of the name, the last one applied first:

- a scalar function of an array has the gradient `∇g(X)`, of the shape of X;
- an array-valued function of an array has the Jacobian `∂U(X)` = ∂vec(U)/∂vec(X)', with a row for each entry of U and a
  column for each entry of X. So the Hessian of g is `∂∇g(X)`, and `∂∂u(x)` is the Jacobian of vec(∂u);
- a function of a scalar has its derivative in its own shape: `g'(t)` for a scalar value, `∂U(t)` for an array.

A derivative is again an unknown function of its argument, so one rule for each pair of kinds is enough for every order.
"""

from __future__ import annotations

from matgrad import expr as ex
from matgrad.dims import dim_mul
from matgrad.expr import Expr, Shape

GRADIENT, JACOBIAN, PRIME = "∇", "∂", "'"
WORDS = {GRADIENT: "grad_", JACOBIAN: "jac_"}  # as one types them without Unicode: `jac_grad_g(x)`


def split(callee: str) -> tuple[str, str]:
    """(name, marks) of `∂∇g` or `g''`."""
    name = callee.strip(GRADIENT + JACOBIAN + PRIME)
    front, _, back = callee.partition(name)
    return name, front + back


def spelled(name: str, marks: str) -> str:
    """`∂∇g` or `g''`: the inverse of `split`."""
    return name + marks if marks.startswith(PRIME) else marks + name


def operator(value: Shape, argument: Shape) -> str:
    """The derivative operator of functions with such values and arguments."""
    if value.kind == ex.SCALAR:
        return PRIME if argument.kind == ex.SCALAR else GRADIENT
    return JACOBIAN


def derivative_shape(value: Shape, argument: Shape) -> Shape:
    """The shape of the derivative of a function with such values and arguments."""
    if argument.kind == ex.SCALAR:
        return value
    if value.kind == ex.SCALAR:
        return argument
    return ex.matrix_shape(dim_mul(value.rows, value.cols), dim_mul(argument.rows, argument.cols))


def applied(name: str, marks: str, value: Shape, argument: Expr) -> Expr:
    """The function `marks name` of an argument; `value` is the shape of what comes out."""
    return ex.call("map", (argument,), value, name, marks)


def differentiated(e: Expr) -> Expr:
    """The derivative of the function of a node, at the same argument."""
    _, name, marks = e.data
    argument = e.args[0]
    mark = operator(e.shape, argument.shape)
    return applied(name, mark + marks, derivative_shape(e.shape, argument.shape), argument)


def rule_name(e: Expr) -> str:
    """The rule of the table for the differential of a node."""
    return f"unknown-{e.shape.kind}-of-{e.args[0].shape.kind}"
