"""Functions of one number that are applied to each entry: unknown ones, and those that the user defines.

The node of `f(x)` is a CALL with data `("apply", name, order)`; `order` counts the primes. Where `f(t) = ...` is defined,
the definition stands behind that, so that a node says all that there is to know of it.
"""

from __future__ import annotations

from typing import NamedTuple

from matgrad import expr as ex
from matgrad.expr import Expr


class Defined(NamedTuple):
    """`name(variable) = body`, all scalars."""

    name: str
    variable: Expr
    body: Expr

    @property
    def is_closed(self) -> bool:
        """Whether it speaks of its variable alone. Otherwise it is written out where it stands."""
        return all(v is self.variable for v in ex.variables(self.body))


def applied_entrywise(f: Defined, argument: Expr) -> Expr:
    """What f makes of an argument of any shape, written out."""
    _, variable, body = f
    if argument.is_scalar:
        return ex.substitute(body, {variable: argument})
    done: dict[Expr, Expr] = {variable: argument}
    for node in ex.postorder(body):
        args = tuple(done.get(a, a) for a in node.args)
        if node in done or all(a.is_scalar for a in args):
            done.setdefault(node, node)
        elif node.kind == ex.ADD:
            ones = ex.ones(argument.shape)
            done[node] = ex.add(*(ex.mul(a, ones) if a.is_scalar else a for a in args))
        elif node.kind == ex.MUL:
            done[node] = ex.hadamard(ex.num(node.coefficient), *args)
        elif node.op == "power":
            done[node] = ex.epower(*args)
        else:
            both = broadcast(*args) if len(args) == 2 and node.op != "polygamma" else args
            done[node] = ex.call(node.op, both, argument.shape, *node.data[1:])
    value = done[body]
    return ex.mul(value, ex.ones(argument.shape)) if value.is_scalar else value


def unknown_function(f: str | Defined, order: int, argument: Expr) -> Expr:
    """f, f', f'', ... applied to each entry; f is a name, or a definition."""
    data = (f, order) if isinstance(f, str) else (f.name, order, f)
    return ex.call("apply", (argument,), argument.shape, *data)


def function_in(e: Expr) -> str | Defined:
    """The function that a node applies, without its primes."""
    found: str | Defined = e.data[3] if len(e.data) > 3 else e.data[1]
    return found


def definition_in(e: Expr) -> Defined | None:
    """The definition of the function that a node applies; None for every other node."""
    if e.kind == ex.CALL and e.data[0] == "apply" and len(e.data) > 3:
        found: Defined = e.data[3]
        return found
    return None


def broadcast(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """Two operands of one shape: a scalar beside an array stands there for every entry."""
    if a.is_scalar and not b.is_scalar:
        return ex.mul(a, ex.ones(b.shape)), b
    if b.is_scalar and not a.is_scalar:
        return a, ex.mul(b, ex.ones(a.shape))
    return a, b


def definitions_in(e: Expr) -> tuple[Defined, ...]:
    """The defined functions in an expression, and those that they are defined by."""
    found: dict[Defined, None] = {}
    todo = [e]
    while todo:
        for node in ex.postorder(todo.pop()):
            f = definition_in(node)
            if f is not None and f not in found:
                found[f] = None
                todo.append(f.body)
    return tuple(found)
