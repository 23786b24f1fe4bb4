"""Derivatives of functions of one number, by SymPy: expression -> SymPy's objects -> derivative -> expression.

No text is evaluated: both translations go node by node, by the tables below. SymPy is imported when a derivative is
asked for, and not before.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from matgrad import expr as ex
from matgrad.expr import Expr
from matgrad.shapes import apply_function

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SIMPLIFIED = 150  # operations of a derivative that SymPy is asked to make shorter

# Operations that SymPy has, with its names for them. It knows their derivatives for real arguments.
NAMES = {
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "asin",
    "acos": "acos",
    "atan": "atan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "asinh": "asinh",
    "acosh": "acosh",
    "atanh": "atanh",
    "abs": "Abs",
    "sign": "sign",
    "erf": "erf",
    "erfc": "erfc",
    "gamma": "gamma",
    "lgamma": "loggamma",
    "digamma": "digamma",
}


class Untranslatable(Exception):
    """Something that one of the two languages has no word for."""


def derivative(body: Expr, variable: Expr, order: int) -> Expr | None:
    """The derivative of a scalar by a scalar variable, as short as SymPy makes it; None if it cannot be translated."""
    return _derivative(body, variable, order)


@functools.lru_cache(maxsize=256)
def _derivative(body: Expr, variable: Expr, order: int) -> Expr | None:
    import sympy

    try:
        t = sympy.Symbol("t", real=True)
        found = sympy.diff(to_sympy(body, {variable: t}), t, order)
        forms: list[Callable[[Any], Any]] = [lambda d: d]
        if found.count_ops() <= MAX_SIMPLIFIED:
            forms += [sympy.simplify, sympy.factor_terms, sympy.expand]
    except (Untranslatable, RecursionError):
        return None
    best: Expr | None = None
    for form in forms:
        try:
            written = from_sympy(form(found), {t: variable})
        except (Untranslatable, RecursionError):
            continue
        if best is None or ex.cost(written) < ex.cost(best):
            best = written
    return best


def to_sympy(e: Expr, symbols: dict[Expr, Any]) -> Any:
    """A scalar expression as SymPy's object. Raises Untranslatable."""
    import sympy

    done: dict[Expr, Any] = dict(symbols)
    for node in ex.postorder(e):
        if node in done:
            continue
        args = [done[a] for a in node.args]
        if node.kind == ex.NUM:
            done[node] = sympy.Rational(node.data.numerator, node.data.denominator)
        elif node is ex.PI:
            done[node] = sympy.pi
        elif node.kind == ex.ADD:
            done[node] = sympy.Add(*args)
        elif node.kind == ex.MUL and node.data[1] == len(args):
            value = node.coefficient
            done[node] = sympy.Mul(sympy.Rational(value.numerator, value.denominator), *args)
        elif node.kind == ex.CALL and node.op in ("power", "epow"):
            done[node] = sympy.Pow(*args)
        elif node.kind == ex.CALL and node.op in NAMES:
            done[node] = getattr(sympy, NAMES[node.op])(*args)
        else:
            raise Untranslatable(node.op)
    return done[e]


def from_sympy(found: Any, variables: dict[Any, Expr]) -> Expr:
    """SymPy's object as a scalar expression. Raises Untranslatable."""
    import sympy

    names = {getattr(sympy, name): op for op, name in NAMES.items() if op != "sqrt"}
    done: dict[Any, Expr] = dict(variables)
    for node in sympy.postorder_traversal(found):
        if node in done:
            continue
        args = [done[a] for a in node.args]
        if node.is_Rational:
            done[node] = ex.num(Fraction(int(node.p), int(node.q)))
        elif node is sympy.pi:
            done[node] = ex.PI
        elif node is sympy.E:
            done[node] = apply_function("exp", (ex.ONE,))
        elif node.is_Add:
            done[node] = ex.add(*args)
        elif node.is_Mul:
            done[node] = ex.mul(*args)
        elif node.is_Pow:
            done[node] = _power(*args)
        elif node.func is sympy.polygamma:  # the derivative of order args[0] of digamma
            digamma = args[0] is ex.ZERO
            op = "digamma" if digamma else "polygamma"
            done[node] = apply_function(op, (args[1],) if digamma else (args[0], args[1]))
        elif node.func in names:
            done[node] = apply_function(names[node.func], tuple(args))
        else:
            raise Untranslatable(str(node.func))
    return done[found]


def _power(base: Expr, exponent: Expr) -> Expr:
    """A power; a square root is written as one."""
    half = Fraction(1, 2)
    if exponent.kind == ex.NUM and abs(exponent.data) == half:
        root = apply_function("sqrt", (base,))
        return root if exponent.data == half else ex.power(root, ex.num(-1))
    return ex.power(base, exponent)
