"""The pass that writes what loses digits, or overflows, as functions that do not: softplus, sigmoid, logsumexp, log1p, ...

`exp(x)` is not computed where a larger function has it inside: log(1 + exp(x)) is softplus(x) for every x.
"""

from __future__ import annotations

from fractions import Fraction

from matgrad import expr as ex
from matgrad.expr import Expr


def stable(*roots: Expr) -> tuple[Expr, ...]:
    """The expressions, equal ones, in stable functions."""
    done: dict[Expr, Expr] = {}
    for node in ex.postorder(*roots):
        args = tuple(done[a] for a in node.args)
        done[node] = _stable(ex.rebuild(node, args) if args else node)
    return tuple(done[r] for r in roots)


def _stable(e: Expr) -> Expr:
    if e.kind == ex.CALL and e.op == "log":
        return _log(e)
    if e.kind == ex.CALL and e.op in ("power", "epow"):
        return _power(e)
    if e.kind == ex.ADD:
        return _sum(e)
    if e.op == "hadamard" or (e.kind == ex.MUL and e.is_scalar):
        return _product(e)
    return e


def _like(op: str, e: Expr) -> Expr:
    return ex.call(op, (e,), e.shape)


def _one(e: Expr) -> bool:
    return e is ex.ONE or (e.kind == ex.CONST and e.op == "ones")


def _exponent(e: Expr) -> Expr | None:
    """x of exp(x)."""
    return e.args[0] if e.kind == ex.CALL and e.op == "exp" else None


def _one_plus(e: Expr) -> Expr | None:
    """u of 1 + u."""
    if e.kind != ex.ADD or not any(map(_one, e.args)):
        return None
    rest = list(e.args)
    rest.remove(next(t for t in rest if _one(t)))
    return ex.add(*rest)


def _log(e: Expr) -> Expr:
    inside = e.args[0]
    if inside.kind == ex.CALL and inside.op == "det":
        return ex.call("logdet", inside.args, ex.SCALAR_SHAPE)
    if inside.kind == ex.CALL and inside.op == "sum":
        x = _exponent(inside.args[0])
        if x is not None and x.shape.kind == ex.VECTOR:
            return ex.call("logsumexp", (x,), ex.SCALAR_SHAPE)
    u = _one_plus(inside)
    if u is None:
        return e
    x = _exponent(u)
    return _like("log1p", u) if x is None else _like("softplus", x)


def _denominator(e: Expr) -> tuple[Expr, int] | None:
    """(b, k) of b^-k, a whole k."""
    if e.kind == ex.CALL and e.op in ("power", "epow"):
        k = ex.integer(e.args[1])
        if k is not None and k < 0:
            return e.args[0], -k
    return None


def _power(e: Expr) -> Expr:
    """1/(1 + exp(x)) is sigmoid(-x)."""
    found = _denominator(e)
    u = _one_plus(found[0]) if found else None
    x = _exponent(u) if u is not None else None
    if found is None or x is None:
        return e
    falling = _like("sigmoid", ex.neg(x))
    return falling if found[1] == 1 else _to(falling, found[1])


def _to(e: Expr, k: int) -> Expr:
    return ex.power(e, ex.num(k)) if e.is_scalar else ex.epower(e, ex.num(k))


def _base(e: Expr) -> tuple[Expr, int]:
    """(b, k) of b^k, a whole k > 0."""
    if e.kind == ex.CALL and e.op in ("power", "epow"):
        k = ex.integer(e.args[1])
        if k is not None and k > 0:
            return e.args[0], k
    return e, 1


def _product(e: Expr) -> Expr:
    """exp(x).*sigmoid(-x) is sigmoid(x), and exp(x)./sum(exp(x)) is softmax(x)."""
    factors = list(e.args)
    by_base = {b: (i, k) for i, (b, k) in enumerate(map(_base, factors))}
    changed = False
    for i, factor in enumerate(factors):
        base, k = _base(factor)
        x = _exponent(base)
        if x is None:
            continue
        j, times = by_base.get(_like("sigmoid", ex.neg(x)), (-1, 0))
        if times == k and j >= 0:
            factors[i], factors[j] = _to(_like("sigmoid", x), k), ex.ones(x.shape)
            changed = True
    if not changed:
        return e
    if e.kind == ex.MUL:
        return ex.mul(ex.num(e.coefficient), *factors)
    return ex.hadamard(*factors)


def _sum(e: Expr) -> Expr:
    """exp(x) - 1 is expm1(x)."""
    ones = [t for t in e.args if t.coefficient == Fraction(-1) and _one(ex.neg(t))]
    grown = [t for t in e.args if _exponent(t) is not None]
    if not ones and e.is_scalar:
        ones = [t for t in e.args if t is ex.num(-1)]
    if len(ones) != 1 or len(grown) != 1:
        return e
    rest = [t for t in e.args if t is not ones[0] and t is not grown[0]]
    return ex.add(*rest, _like("expm1", grown[0].args[0]))
