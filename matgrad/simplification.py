"""Which identities make an expression shorter, and in which order.

Normal form: transposes stand on variables and functions (`matgrad.rewrite.push_transposes`), scalars in front, like
terms added, common factors taken out of sums, inverses cancelled, equal powers joined, `diag(v) w` written `v .* w`.

Cost: the number of symbols (`cost`). Each rule below lowers the cost, or leaves it and moves to the normal form
(`transposes`, `reorder`), which can happen only once to a node: that is why it ends. Every change is a recorded step.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from weakref import WeakKeyDictionary

from matgrad import expr as ex
from matgrad.dims import Dim
from matgrad.errors import MatgradError
from matgrad.expr import Expr, cost
from matgrad.properties import has_property, is_symmetric, push_transposes
from matgrad.rewrite import PROCEDURES, Recorder, Replay, commutes, instance, joined_sums, number_of
from matgrad.steps import Step


def simplify(e: Expr, recorder: Recorder) -> Expr:
    """An equal expression of at most e's cost. Every change is recorded as a step."""
    before = recorder.mark()
    try:
        return _present(_normal(e, recorder), recorder)
    except _Circle:  # no rule is known to lead here; if one does, e stays as it is
        recorder.back_to(before)
        return e


class _Circle(Exception):
    """A form leads back to itself: what was multiplied out is factored again."""


def _normal(e: Expr, recorder: Recorder) -> Expr:
    """The normal form of e, innermost nodes first."""
    done: dict[Expr, Expr] = {}
    becomes: dict[Expr, Expr] = {}
    todo = [e]
    while todo:
        node = todo[-1]
        if node in done:
            todo.pop()
            continue
        if node in becomes:
            done[node] = done[becomes[node]]
            todo.pop()
            continue
        missing = [a for a in node.args if a not in done]
        if missing and (node.kind == ex.MUL or node.op in ("hadamard", "kron")):
            if not any(ex.is_zero(done[a]) for a in node.args if a in done):
                # One at a time, what may be in another first: where one is zero, the others are not there any more.
                todo.append(min(missing, key=cost))
                continue
        elif missing:
            todo.extend(missing)
            continue
        target = ex.rebuild(node, tuple(done.get(a, a) for a in node.args)) if node.args else node
        if target is node:
            target = _improve(node, recorder)
        if target is node:
            done[node] = node
        elif target in becomes and target not in done:
            raise _Circle
        else:
            becomes[node] = target
            todo.append(target)
    return done[e]


MAX_EXPANDED = 150  # symbols of an answer that is multiplied out to see whether it gets shorter


def shortest(e: Expr, recorder: Recorder) -> Expr:
    """`simplify`, or the same of e multiplied out, if that ends in something shorter."""
    start = len(recorder.steps)
    found = simplify(e, recorder)
    if cost(found) > MAX_EXPANDED or not _has_product_of_sums(found):
        return found
    steps = recorder.steps[start:]
    del recorder.steps[start:]
    other = simplify(multiplied_out(e, recorder), recorder)
    if cost(other) < cost(found) and _leads(e, recorder.steps[start:], other):
        return other
    recorder.steps[start:] = steps
    return found


def multiplied_out(e: Expr, recorder: Recorder) -> Expr:
    """The expression simplified, with sums of products instead of products of sums. It may be longer."""
    recorder.forget()
    recorder.keeps_symmetry = True
    found = simplify(e, recorder)
    recorder.keeps_symmetry = False
    recorder.forget()  # what was multiplied out may be factored again
    return found


def _leads(start: Expr, steps: list[Step], end: Expr) -> bool:
    """Whether the steps can be replayed, and lead to `end`."""
    replay = Replay(start)
    try:
        return all(map(replay.follow, steps)) and replay.state is end
    except MatgradError:
        return False


def _has_product_of_sums(e: Expr) -> bool:
    """Whether multiplying out would change e, beyond its outermost product."""
    return any(
        n.kind == ex.ADD
        and any(t.kind == ex.MUL and any(a.kind == ex.ADD for a in t.args) for t in n.args)
        for n in ex.postorder(e)
    )


def simplify_sum(e: Expr, recorder: Recorder) -> Expr:
    """The sum e with its own terms joined; what stands inside the terms is left alone."""
    while e.kind == ex.ADD:
        after = _improve_sum(e, recorder, within=False)
        if after is e:
            return e
        e = after
    for inner in e.args if e.kind == ex.MUL else ():
        if inner.kind == ex.ADD:
            ordered = _order(inner, recorder)
            e = ex.substitute(e, {inner: ordered})
    return e


def _improve(e: Expr, recorder: Recorder) -> Expr:
    """e after one rule, or e if none applies. The arguments of e are simplified already."""
    if e.kind == ex.ADD:
        return _improve_sum(e, recorder)
    if e.kind == ex.MUL:
        return _improve_product(e, recorder)
    if e.kind == ex.SUM:
        return _improve_index_sum(e, recorder)
    if e.kind == ex.STACK and e.data == 1 and e.shape.kind == ex.VECTOR:
        after = recorder.scratch().run("entries-of-product", e, e)
        return recorder.run("entries-of-product", e, e) if cost(after) < cost(e) else e
    if e.kind == ex.INDEX and e.args[0].kind == ex.CONST and e.args[0].op == "basis":
        return recorder.run("basis-entry", e, e)
    if e.kind == ex.INDEX and _is(e.args[0], "transpose") and e.is_scalar and len(e.data) == 2:
        i, j = e.data
        return recorder.apply("entry-of-transpose", e, A=e.args[0].args[0], i=i, j=j)
    if e.kind != ex.CALL:
        return e
    if e.op == "tr" and len(e.args[0].chain) > 1 and e.args[0].coefficient == 1:
        *first, x, row = e.args[0].chain
        if not e.args[0].scalars and (x.shape.kind, row.shape.kind) == (ex.VECTOR, ex.ROW):
            y = ex.transpose(row)
            if first:
                return recorder.apply("trace-of-dyad", e, A=ex.mul(*first), x=x, y=y)
            return recorder.apply("trace-of-outer", e, x=x, y=y)
    if e.op in ("abs", "sign") and e.is_scalar and has_property(e.args[0], "positive"):
        return recorder.apply(f"{e.op}-of-positive", e, x=e.args[0])
    if e.op == "sqrt" and e.is_scalar and _is(e.args[0], "power"):
        base, exponent = e.args[0].args
        if ex.integer(exponent) == 2:
            return recorder.apply("root-of-square", e, x=base)
    if e.op == "det" and e.args[0].op == "eye":
        return recorder.apply("determinant-of-identity", e, A=e.args[0])
    if e.op == "tr" and has_property(e.args[0], "skew"):
        return recorder.apply("skew-has-no-trace", e, A=e.args[0])
    if e.op == "inv" and has_property(e.args[0], "orthogonal"):
        return recorder.apply("orthogonal-inverse", e, Q=e.args[0])
    if e.op == "inv" and _is(e.args[0], "kron"):
        a, b = e.args[0].args
        if a.shape.rows == a.shape.cols and b.shape.rows == b.shape.cols:
            return recorder.apply("kron-inverse", e, A=a, B=b)
    if e.op == "inv" and _is(e.args[0], "diag"):
        return recorder.apply("inverse-of-diag", e, x=e.args[0].args[0])
    if e.op in ("inv", "matpow") and e.args[0].kind == ex.MUL:
        scaled = e.args[0]
        if scaled.coefficient != 1 or scaled.scalars:
            c = ex.mul(ex.num(scaled.coefficient), *scaled.scalars)
            core = ex.mul(*scaled.chain)
            if e.op == "inv":
                return recorder.apply("inverse-scalar", e, c=c, X=core)
            return recorder.run("power-scalar", e, e)
    if e.op == "matpow" and _is(e.args[0], "sqrtm") and ex.integer(e.args[1]) == 2:
        return recorder.apply("sqrtm-square", e, X=e.args[0].args[0])
    if e.op in ("transpose", "inv", "matpow"):
        return recorder.run("transposes", e, e)
    if e.op == "hadamard":
        for rule in (
            _join_elementwise_powers,
            _join_vecs,
            _logistic_factors,
            _quotients,
            _scaled_lines,
        ):
            after = rule(e, recorder)
            if after is not e:
                return after
        return e
    if e.op == "epow" and e.args[0].op == "eye" and (ex.integer(e.args[1]) or 0) > 0:
        return recorder.run("identity-entrywise", e, e)
    if e.op in ("power", "epow"):
        after = _logistic_power(e, recorder)
        if after is not e:
            return after
        if e.op == "power" and e.args[1].kind == ex.NUM and abs(e.args[1].data) == Fraction(1, 2):
            below = "-below" if e.args[1].data < 0 else ""
            return recorder.apply("half-power" + below, e, x=e.args[0])
    if e.op in ("diagonal", "dg", "tril", "triu", "diag"):
        after = _improve_diagonal(e, recorder)
        if after is not e:
            return after
    if e.op in ("dexpm", "dlogm", "dsinm", "dcosm", "sylvester"):
        return recorder.run(f"{e.op}-commuting", e, e)
    if e.op in ("sum", "tr", "mean"):
        after = recorder.run("scalar-out", e, e)
        if after is not e:
            return after
    if e.op == "tr":
        after = _rotate(e, recorder)
        if after is not e:
            return after
    if e.op == "sum" and e.args[0].op != "softmax":
        return _improve_total(e, recorder)
    if e.op == "tr" and e.args[0].op == "eye" and _is_short(e.args[0].shape.rows, e):
        return recorder.apply("trace-of-identity", e, A=e.args[0])
    if e.op == "sign" and number_of(e.args[0]).data < 0 and e.args[0].kind != ex.NUM:
        return recorder.apply("sign-of-negative", e, x=ex.neg(e.args[0]))
    if e.op == "unvec" and _is(e.args[0], "vec") and e.args[0].args[0].shape == e.shape:
        return recorder.apply("unvec-of-vec", e, X=e.args[0].args[0])
    if e.op == "power" and ex.integer(e.args[1]) == 2 and e.args[0].kind == ex.CALL:
        if e.args[0].op == "sqrt":
            return recorder.apply("square-of-root", e, x=e.args[0].args[0])
    if e.op == "sum" and _is(e.args[0], "softmax"):
        return recorder.apply("softmax-total", e, x=e.args[0].args[0])
    if e.op == "log" and _is(e.args[0], "sum") and _is(e.args[0].args[0], "exp"):
        x = e.args[0].args[0].args[0]
        if x.shape.kind == ex.VECTOR:
            return recorder.apply("logsumexp-of-exp", e, x=x)
    if e.op == "log" and _is(e.args[0], "exp"):
        return recorder.apply("log-of-exp", e, x=e.args[0].args[0])
    if e.op == "exp" and _is(e.args[0], "log"):
        return recorder.apply("exp-of-log", e, x=e.args[0].args[0])
    if e.op == "polar" and has_property(e.args[0], "spd"):
        return recorder.apply("polar-of-spd", e, X=e.args[0])
    if e.op == "vec" and e.args[0].coefficient == 1 and not e.args[0].scalars:
        chain = e.args[0].chain
        if len(chain) == 2 and chain[0].shape.kind == ex.VECTOR:
            after = recorder.apply("vec-outer", e, x=chain[0], y=ex.transpose(chain[1]))
            return recorder.run("transposes", after, after)
    if e.op == "kron":
        return _improve_kron(e, recorder)
    if e.op == "diag" and e.args[0].op == "ones":
        return recorder.apply("diag-of-ones", e, x=e.args[0])
    if e.op == "diagonal" and e.args[0].kind == ex.CONST and e.args[0].op == "eye":
        return recorder.apply("diag-of-identity", e, A=e.args[0])
    return e


def _is_short(size: Dim, e: Expr) -> bool:
    """Whether a size as a number is no longer than e, below a fraction bar too: n is, m + n and m n may not be."""
    return ex.cost(ex.power(ex.size(size), ex.num(-1))) <= ex.cost(ex.power(e, ex.num(-1)))


def _improve_diagonal(e: Expr, recorder: Recorder) -> Expr:
    """Functions that take, keep or cut off a diagonal."""
    inside = e.args[0]
    if inside.kind == ex.MUL and (inside.coefficient != 1 or inside.scalars):
        return recorder.run("scalar-out", e, e)
    if e.op == "diagonal":
        if _is(inside, "transpose"):
            return recorder.apply("diagonal-of-transpose", e, X=inside.args[0])
        if _is(inside, "diag"):
            return recorder.apply("diagonal-of-diag", e, x=inside.args[0])
        for i in range(1, len(inside.chain)):
            left, right = inside.chain[:i], inside.chain[i:]
            if left[-1].shape.kind == ex.VECTOR and right[0].shape.kind == ex.ROW:
                x, y = ex.mul(*left), ex.transpose(ex.mul(*right))
                after = recorder.apply("diag-outer", e, x=x, y=y)
                return recorder.run("transposes", after, after)
        return e
    if e.op == "dg":
        if _is(inside, "dg"):
            return recorder.apply("dg-of-dg", e, X=inside.args[0])
        if _is(inside, "triu"):
            return recorder.apply("dg-of-triangle", e, X=inside.args[0])
        if _is(inside, "transpose"):
            return recorder.apply("dg-of-transpose", e, X=inside.args[0])
        if has_property(inside, "diagonal"):
            return recorder.apply("dg-of-diagonal", e, X=inside)
        if len(inside.chain) > 1 and _is(inside.chain[0], "diag"):
            x, rest = inside.chain[0].args[0], ex.mul(*inside.chain[1:])
            return recorder.apply("dg-of-scaled", e, x=x, X=rest)
        if len(inside.chain) > 1 and _is(inside.chain[-1], "diag"):
            x, rest = inside.chain[-1].args[0], ex.mul(*inside.chain[:-1])
            return recorder.apply("dg-of-scaled-columns", e, x=x, X=rest)
        if inside.kind == ex.ADD and len(inside.args) == 2:
            first, second = inside.args
            if push_transposes(ex.transpose(first)) is second:
                return recorder.run("dg-of-pair", e, e)
        if inside.kind == ex.ADD and any(_is(link, "dg") for t in inside.args for link in t.chain):
            first, *others = inside.args
            return recorder.apply("dg-of-sum", e, A=first, B=ex.add(*others))
    if e.op == "tril":
        if has_property(inside, "lower"):
            return recorder.apply("tril-of-lower", e, X=inside)
        if has_property(inside, "upper"):
            return recorder.apply("tril-of-upper", e, X=inside)
    if e.op == "triu":
        if has_property(inside, "upper"):
            return recorder.apply("triu-of-upper", e, X=inside)
        if has_property(inside, "lower"):
            return recorder.apply("triu-of-lower", e, X=inside)
    return e


def _improve_total(e: Expr, recorder: Recorder) -> Expr:
    """sum(x .* y) is x'y for vectors, and the sum of ones is their number."""
    inside = e.args[0]
    if inside.shape.kind != ex.VECTOR:
        return e
    if inside.op == "ones" and _is_short(inside.shape.rows, e):
        return recorder.apply("sum-of-ones", e, x=inside)
    if _is(inside, "hadamard"):
        first, rest = inside.args[0], ex.hadamard(*inside.args[1:])
        after = recorder.apply("sum-of-product", e, x=first, y=rest)
        return recorder.run("transposes", after, after)
    if inside.kind == ex.ADD and len(inside.args) == 2:
        for x, other in (inside.args, inside.args[::-1]):
            mean = ex.call("mean", (x,), ex.SCALAR_SHAPE)
            if other is ex.mul(ex.num(-1), mean, ex.ones(x.shape)):
                return recorder.apply("sum-of-deviations", e, x=x)
    return e


def _rotate(e: Expr, recorder: Recorder) -> Expr:
    """tr(P^a A P^b) is tr(A P^b P^a); tr(dexpm(P, A) B) is tr(A dexpm(P, B)), for a B that commutes with P."""
    chain = e.args[0].chain
    if len(chain) == 2 and e.args[0].coefficient == 1 and not e.args[0].scalars:
        for link, other in (chain, chain[::-1]):
            if _is(link, "dexpm") and commutes(link.args[0], other):
                if link is not chain[0]:
                    e = recorder.apply("cyclic", e, A=other, B=link)
                return recorder.apply("dexpm-adjoint", e, X=link.args[0], A=link.args[1], B=other)
    if len(chain) < 3 or chain[0].shape.kind != ex.MATRIX or chain[-1].shape.kind != ex.MATRIX:
        return e
    (first, _, turned), (last, _, also) = _matrix_power(chain[0]), _matrix_power(chain[-1])
    if first is not last or turned != also or e.args[0].scalars or e.args[0].coefficient != 1:
        return e
    return recorder.apply("cyclic", e, A=chain[0], B=ex.mul(*chain[1:]))


def _improve_index_sum(e: Expr, recorder: Recorder) -> Expr:
    """What does not depend on the index stands before or behind the sum."""
    name, summand = e.data[0], e.args[0]
    if name not in ex.index_names(summand):
        return recorder.run("constant-sum", e, e)
    return recorder.run("index-sum-constant", e, e)


def _improve_kron(e: Expr, recorder: Recorder) -> Expr:
    """A column and a row in a Kronecker product, in either order, are their outer product."""
    a, b = e.args
    if a.shape.kind == ex.VECTOR and b.shape.kind == ex.ROW:
        after = recorder.apply("kron-outer-left", e, x=a, y=ex.transpose(b))
        return recorder.run("transposes", after, after)
    if a.shape.kind == ex.ROW and b.shape.kind == ex.VECTOR:
        after = recorder.apply("kron-outer-right", e, x=b, y=ex.transpose(a))
        return recorder.run("transposes", after, after)
    if _is(a, "kron") and a.shape.kind == ex.MATRIX:
        c, d = a.args
        if (d.shape.kind, b.shape.kind) == (ex.VECTOR, ex.ROW):
            after = recorder.apply("kron-column-row", e, A=c, x=d, y=ex.transpose(b))
            return recorder.run("transposes", after, after)
        if (d.shape.kind, b.shape.kind) == (ex.ROW, ex.VECTOR):
            after = recorder.apply("kron-row-column", e, A=c, x=b, y=ex.transpose(d))
            return recorder.run("transposes", after, after)
    if _is(b, "kron") and b.shape.kind == ex.MATRIX:
        c, d = b.args
        if a.shape.kind == ex.ROW and c.shape.kind == ex.MATRIX and d.shape.kind == ex.VECTOR:
            after = recorder.apply("kron-row-and-column", e, y=ex.transpose(a), A=c, x=d)
            return recorder.run("transposes", after, after)
        if a.shape.kind == ex.VECTOR and c.shape.kind == ex.MATRIX and d.shape.kind == ex.ROW:
            after = recorder.apply("kron-column-and-row", e, x=a, A=c, y=ex.transpose(d))
            return recorder.run("transposes", after, after)
        if a.shape.kind == ex.ROW and c.shape.kind == ex.VECTOR:
            after = recorder.apply("kron-rows-and-columns", e, y=ex.transpose(a), x=c, A=d)
            return recorder.run("transposes", after, after)
        if a.shape.kind == ex.VECTOR and c.shape.kind == ex.ROW:
            after = recorder.apply("kron-columns-and-rows", e, x=a, y=ex.transpose(c), A=d)
            return recorder.run("transposes", after, after)
    return e


def _scaled_lines(e: Expr, recorder: Recorder) -> Expr:
    """(1 b') .* A is A diag(b), (a 1') .* A is diag(a) A, and diag(x) .* diag(y) is diag(x .* y)."""
    if e.shape.kind != ex.MATRIX:
        return e
    diagonals = [a for a in e.args if _is(a, "diag")]
    if len(diagonals) > 1:
        return recorder.apply("diag-hadamard", e, x=diagonals[0].args[0], y=diagonals[1].args[0])
    for i, a in enumerate(e.args):
        if len(a.chain) < 2 or a.coefficient != 1 or a.scalars:
            continue
        first, last = a.chain[0], a.chain[-1]
        rest = ex.hadamard(*e.args[:i], *e.args[i + 1 :])
        if first.op == "ones" and first.shape.kind == ex.VECTOR:
            b = ex.transpose(ex.mul(*a.chain[1:]))
            after = recorder.apply("scaled-columns", e, A=rest, b=b)
            return recorder.run("transposes", after, after)
        if last.op == "ones" and last.shape.kind == ex.ROW:
            return recorder.apply("scaled-rows", e, A=rest, a=ex.mul(*a.chain[:-1]))
    return e


def _quotients(e: Expr, recorder: Recorder) -> Expr:
    """sin x/cos x, sinh x/cosh x, t/√t, and relu(t) sign(relu(t))."""
    factors = e.args if e.kind == ex.CALL else e.scalars
    for a in factors:
        if _is(a, "sign") and _is(a.args[0], "relu") and a.args[0] in factors:
            return recorder.apply("relu-sign", e, x=a.args[0].args[0])
    for a in factors:
        if _is(a, "sign"):
            size = ex.call("abs", a.args, a.shape)
            if size in factors:
                return recorder.apply("abs-sign", e, x=a.args[0])
            if ex.epower(size, ex.num(-1)) in factors:
                return recorder.apply("sign-over-abs", e, x=a.args[0])
    for a in factors:
        if not (_is(a, "power") or _is(a, "epow")) or a.args[1].kind != ex.NUM:
            continue
        below = a.args[0]
        if a.args[1].data == -1 and below.kind == ex.CALL:
            for above, rule in _TANGENTS.get(below.op, ()):
                top = ex.call(above, below.args, below.shape)
                if top in factors:
                    entrywise = "" if below.is_scalar else "-entrywise"
                    return recorder.apply(rule + entrywise, e, x=below.args[0])
            if _is(below, "sqrt") and below.is_scalar and below.args[0] in factors:
                return recorder.apply("root", e, x=below.args[0])
    return e


_TANGENTS = {"cos": (("sin", "tangent"),), "cosh": (("sinh", "hyperbolic-tangent"),)}


def _join_vecs(e: Expr, recorder: Recorder) -> Expr:
    vecs = [a for a in e.args if _is(a, "vec") and a.args[0].kind != ex.CONST]
    if len(vecs) > 1 and vecs[0].args[0].shape == vecs[1].args[0].shape:
        return recorder.apply("vec-hadamard", e, A=vecs[0].args[0], B=vecs[1].args[0])
    return e


# --- products -----------------------------------------------------------------------------------------------------------


def _improve_product(e: Expr, recorder: Recorder) -> Expr:
    if e.coefficient == -1 and not e.scalars and len(e.chain) == 1 and e.chain[0].kind == ex.ADD:
        if any(number_of(t).data < 0 for t in e.chain[0].args):
            return recorder.run("expand", e, e)  # -(A - B) is B - A
    if recorder.keeps_symmetry and len(e.chain) > 1 and not is_symmetric(e):
        after = recorder.run("expand", e, e)
        if after is not e:
            return after
    for rule in (
        _cancel_inverse,
        _known_runs,
        _softmax_factors,
        _join_divisors,
        _join_powers,
        _join_matrix_powers,
        _apply_diagonal,
        _kronecker,
        _duplication,
        _fold_dot,
        _logistic_factors,
        _quotients,
        _blocks,
        _selection,
        _multiply_out,
    ):
        after = rule(e, recorder)
        if after is not e:
            return after
    return e


def _cancel_inverse(e: Expr, recorder: Recorder) -> Expr:
    chain = e.chain
    for left, right in itertools.pairwise(chain):
        if left is ex.transpose(right):
            if has_property(right, "orthogonal"):
                return recorder.apply("orthogonal-left", e, Q=right)
            if has_property(right, "orthonormal"):
                return recorder.apply("orthonormal-columns", e, Q=right)
            if has_property(left, "orthogonal"):
                return recorder.apply("orthogonal-right", e, Q=left)
    for i, link in enumerate(chain):
        if link.kind != ex.CALL or link.op not in ("inv", "transpose"):
            continue
        if link.op == "inv":
            base, suffix = link.args[0], ""
            run = base.chain if base.coefficient == 1 and base.kind == ex.MUL else (base,)
        else:
            inner = link.args[0]
            if inner.kind != ex.CALL or inner.op != "inv":
                continue
            base, suffix = inner.args[0], "-transposed"
            turned = ex.transpose(base)
            run = (turned,)
        if base.kind == ex.MUL and base.scalars:
            continue
        if chain[i + 1 : i + 1 + len(run)] == run:
            return recorder.apply("cancel-left" + suffix, e, A=base)
        if i >= len(run) and chain[i - len(run) : i] == run:
            return recorder.apply("cancel-right" + suffix, e, A=base)
        if not suffix:
            after = _cancel_part(e, i, base, recorder)
            if after is not e:
                return after
        else:
            after = recorder.run("cancel-transposed", e, e)
            if after is not e:
                return after
    return e


def _softmax_factors(e: Expr, recorder: Recorder) -> Expr:
    """exp(x)/sum(exp(x)) is softmax(x)."""
    for s in e.scalars:
        if _is(s, "power") and ex.integer(s.args[1]) == -1 and _is(s.args[0], "sum"):
            exponential = s.args[0].args[0]
            if _is(exponential, "exp") and exponential in e.chain:
                if exponential.shape.kind == ex.VECTOR:
                    return recorder.apply("softmax-of-exp", e, x=exponential.args[0])
    return e


def _join_divisors(e: Expr, recorder: Recorder) -> Expr:
    """1/(c (1 + a/c)) as 1/(c + a), where that is shorter."""
    below = [s for s in e.scalars if _is(s, "power") and ex.integer(s.args[1]) == -1]
    for s, t in itertools.permutations(below, 2):
        c, total = s.args[0], t.args[0]
        if total.kind == ex.ADD and any(_divides(c, u) for u in total.args):
            a, b = total.args[0], ex.add(*total.args[1:])
            joined = _tried(ex.add(ex.mul(c, a), ex.mul(c, b)), recorder)
            if cost(joined) < cost(c) + cost(total):
                return recorder.apply("divisor-into-sum", e, a=a, b=b, c=c)
    return e


def _divides(c: Expr, term: Expr) -> bool:
    """Whether a term is divided by c."""
    return any(x is c for x, _ in _divisors(term))


# Runs of factors that are shorter otherwise, by the function of X in them.
_RUNS = {
    "pinv": (
        "penrose-1",
        "penrose-2",
        "penrose-3",
        "penrose-4",
        "pinv-columns",
        "pinv-rows",
        "pinv-transposed-columns",
        "pinv-transposed-rows",
    ),
    "chol": ("cholesky", "cholesky-inverse"),
}


def _known_runs(e: Expr, recorder: Recorder) -> Expr:
    for link in e.chain:
        while link.op in ("transpose", "inv"):
            link = link.args[0]
        if link.op == "chol" and not has_property(link.args[0], "spd"):
            continue  # of another matrix it is the factor of (X + X')/2
        for rule in _RUNS.get(link.op, ()):
            left = instance(rule, {"X": link.args[0]})[0]
            run = left.chain
            if push_transposes(left) is not left or left is not ex.mul(*run):
                continue  # written otherwise, as of a stack, a symmetric matrix or c I: it does not stand like this
            for i in range(len(e.chain) - len(run) + 1):
                if e.chain[i : i + len(run)] == run:
                    return recorder.apply(rule, e, X=link.args[0])
    return e


def _cancel_part(e: Expr, i: int, base: Expr, recorder: Recorder) -> Expr:
    """B (A B)^-1 and (A B)^-1 A, for square A and B."""
    chain, run = e.chain, base.chain
    for count in range(len(run) - 1, 0, -1):
        first, last = ex.mul(*run[:-count]), ex.mul(*run[-count:])
        if i >= count and chain[i - count : i] == run[-count:]:
            if last.shape.rows == last.shape.cols:
                return recorder.apply("cancel-last", e, A=first, B=last)
        first, last = ex.mul(*run[:count]), ex.mul(*run[count:])
        if chain[i + 1 : i + 1 + count] == run[:count]:
            if first.shape.rows == first.shape.cols:
                return recorder.apply("cancel-first", e, A=first, B=last)
    return e


def _power_parts(s: Expr) -> tuple[Expr, Expr]:
    if s.kind == ex.CALL and s.op == "power":
        return s.args[0], s.args[1]
    return s, ex.ONE


def _join_powers(e: Expr, recorder: Recorder) -> Expr:
    factors = list(e.scalars)
    if e.is_scalar and e.chain:
        factors.append(ex.mul(*e.chain))
    if len(factors) < 2:
        return e
    seen: dict[Expr, Expr] = {}
    for s in factors:
        base, exponent = _power_parts(s)
        if base in seen:
            return recorder.apply("powers", e, x=base, a=seen[base], b=exponent)
        seen[base] = exponent
    return e


def _join_matrix_powers(e: Expr, recorder: Recorder) -> Expr:
    for left, right in itertools.pairwise(e.chain):
        if left.shape.kind != ex.MATRIX:
            continue
        (base, a, turned), (other, b, also) = _matrix_power(left), _matrix_power(right)
        if base is other and turned == also:
            rule = "matrix-powers-transposed" if turned else "matrix-powers"
            return recorder.apply(rule, e, A=base, a=a, b=b)
    return e


def _matrix_power(link: Expr) -> tuple[Expr, Expr, bool]:
    """(A, k, is it transposed) for a factor A^k or (A^k)'."""
    turned = link.kind == ex.CALL and link.op == "transpose"
    inner = link.args[0] if turned else link
    sign = 1
    if inner.kind == ex.CALL and inner.op == "inv":
        inner, sign = inner.args[0], -1
    if inner.kind == ex.CALL and inner.op == "matpow":
        return inner.args[0], ex.mul(ex.num(sign), inner.args[1]), turned
    return inner, ex.num(sign), turned


def _join_elementwise_powers(e: Expr, recorder: Recorder) -> Expr:
    seen: dict[Expr, Expr] = {}
    for a in e.args:
        base, exponent = a, ex.ONE
        if a.kind == ex.CALL and a.op == "epow" and a.args[1].kind == ex.NUM:
            base, exponent = a.args
        if base in seen:
            return recorder.apply("elementwise-powers", e, x=base, a=seen[base], b=exponent)
        seen[base] = exponent
    return e


def _apply_diagonal(e: Expr, recorder: Recorder) -> Expr:
    chain = e.chain
    if chain and chain[-1].shape.kind == ex.VECTOR:
        for i in range(len(chain) - 2, -1, -1):
            if chain[i].kind == ex.CALL and chain[i].op == "diag":
                return recorder.apply(
                    "diag-times", e, x=chain[i].args[0], y=ex.mul(*chain[i + 1 :])
                )
    return e


def _kronecker(e: Expr, recorder: Recorder) -> Expr:
    """Products of Kronecker products, commutation matrices and vec."""
    for left, right in itertools.pairwise(e.chain):
        if _is(left, "kron"):
            a, b = left.args
            if _is(right, "kron"):
                c, d = right.args
                if a.shape.cols == c.shape.rows and b.shape.cols == d.shape.rows:
                    after = ex.kron(ex.mul(a, c), ex.mul(b, d))
                    if cost(after) <= cost(left) + cost(right):
                        return recorder.apply("mixed-product", e, A=a, B=b, C=c, D=d)
            if right.op == "commutation" and right.shape.rows == right.shape.cols:
                if right.data[1:] == (a.shape.cols, b.shape.cols):
                    return recorder.apply("commutation", e, A=b, B=a)
            if _is(right, "vec"):
                x = right.args[0]
                if (b.shape.cols, a.shape.cols) == (x.shape.rows, x.shape.cols):
                    after = recorder.apply("vec-kron", e, A=b, X=x, B=ex.transpose(a))
                    return recorder.run("transposes", after, after)
        if _is(left, "kron") and right.shape.kind == ex.MATRIX:
            a, b = left.args
            if a.shape.kind == ex.VECTOR and b.op == "eye":
                return recorder.apply("column-kron-identity", e, x=a, A=right)
            if a.op == "eye" and b.shape.kind == ex.VECTOR:
                return recorder.apply("identity-kron-column", e, x=b, A=right)
        if _is(right, "kron") and left.shape.kind == ex.MATRIX:
            a, b = right.args
            if a.shape.kind == ex.ROW and b.op == "eye":
                return recorder.apply("row-kron-identity", e, x=ex.transpose(a), A=left)
            if a.op == "eye" and b.shape.kind == ex.ROW:
                return recorder.apply("identity-kron-row", e, x=ex.transpose(b), A=left)
        if left.op == "commutation" and _is(right, "vec"):
            if left.data[1:] == (right.args[0].shape.rows, right.args[0].shape.cols):
                after = recorder.apply("commutation-vec", e, X=right.args[0])
                return recorder.run("transposes", after, after)
        if _is(left, "diag") and _is(right, "diag"):
            return recorder.apply("diag-diag", e, x=left.args[0], y=right.args[0])
    return e


def _duplication(e: Expr, recorder: Recorder) -> Expr:
    """L D is I, and between D' and D a Kronecker product may be swapped, so that like terms are added."""
    for left, right in itertools.pairwise(e.chain):
        if left.op == "elimination" and right.op == "duplication":
            return recorder.apply("elimination-duplication", e, S=ex.eye(right.data[1]))
    after = recorder.run("duplication-commutation", e, e)
    return after if after is not e else recorder.run("duplication-kron", e, e)


def _selection(e: Expr, recorder: Recorder) -> Expr:
    """A Kronecker product of which the entries (i, i), (j, j) are taken."""
    chain = e.chain
    for i in range(len(chain) - 4):
        middle = chain[i + 2]
        if _is(middle, "kron") and middle.shape.kind == ex.MATRIX:
            a, b = middle.args
            n = a.shape.rows
            if not a.shape == b.shape == ex.matrix_shape(n, n):
                continue
            pick = ex.call("diag", (ex.vec(ex.eye(n)),), middle.shape)
            column = ex.kron(ex.ones(ex.vector_shape(n)), ex.eye(n))
            row = ex.kron(ex.ones(ex.row_shape(n)), ex.eye(n))
            if chain[i : i + 5] == (row, pick, middle, pick, column):
                return recorder.apply("selected-kron", e, A=a, B=b)
    return e


def _blocks(e: Expr, recorder: Recorder) -> Expr:
    """A row of blocks times a column of blocks that fit, or times ones, where that is not longer."""
    chain = e.chain
    for i, (row, column) in enumerate(itertools.pairwise(chain)):
        if not _is_row_of_blocks(row):
            continue
        if column.kind == ex.STACK and column.data == 1 and len(column.args) == row.data:
            pairs = list(zip(row.args, column.args, strict=True))
            if all(a.shape.cols == b.shape.rows for a, b in pairs):
                total = ex.add(*(ex.mul(a, b) for a, b in pairs))
                if cost(ex.mul(*chain[:i], total, *chain[i + 2 :])) <= cost(ex.mul(*chain)):
                    return recorder.run("block-product", e, ex.mul(row, column))
        if column.op == "ones" and column.shape.kind == ex.VECTOR and len(chain) == 2:
            if not any(a.shape.kind == ex.VECTOR for a in row.args):
                return recorder.run("block-sum", e, ex.mul(row, column))
    return e


def _is_row_of_blocks(e: Expr) -> bool:
    return e.kind == ex.STACK and e.data == len(e.args) and e.shape.kind == ex.MATRIX


def _exponent_in_one_plus(e: Expr) -> Expr | None:
    """x of 1 + exp(x)."""
    if e.kind != ex.ADD or len(e.args) != 2:
        return None
    one, other = e.args if _is(e.args[1], "exp") else e.args[::-1]
    ones = one is ex.ONE or (one.kind == ex.CONST and one.op == "ones")
    return other.args[0] if ones and _is(other, "exp") else None


def _logistic_power(e: Expr, recorder: Recorder) -> Expr:
    """(1 + exp(x))^-k is sigmoid(-x)^k."""
    k = ex.integer(e.args[1])
    x = _exponent_in_one_plus(e.args[0])
    if x is None or k is None or k >= 0:
        return e
    return recorder.run("logistic-scalar" if e.is_scalar else "logistic-entrywise", e, e)


def _logistic_factors(e: Expr, recorder: Recorder) -> Expr:
    """exp(x) sigmoid(-x) is sigmoid(x); 1 - sigmoid(x) is sigmoid(-x), where sigmoid(x) is not a factor beside it."""
    factors = e.args if e.kind == ex.CALL else e.scalars
    for a in factors:
        if _is(a, "exp"):
            mirrored = ex.call("sigmoid", (ex.neg(a.args[0]),), a.shape)
            for b in factors:
                if b is mirrored:
                    return recorder.apply("logistic-complement", e, x=a.args[0])
                if (_is(b, "power") or _is(b, "epow")) and b.args[0] is mirrored:
                    if ex.integer(b.args[1]) == 2:
                        return recorder.apply("logistic-complement-squared", e, x=a.args[0])
        if a.kind == ex.ADD and len(a.args) == 2:
            for one, other in (a.args, a.args[::-1]):
                logistic = ex.mul(ex.num(-1), other)
                if not _is(logistic, "sigmoid") or logistic in factors:
                    continue
                if one is ex.ONE:
                    return recorder.apply("logistic-mirror", e, x=logistic.args[0])
                if one.kind == ex.CONST and one.op == "ones":
                    return recorder.apply("logistic-mirror-entrywise", e, x=logistic.args[0])
    return e


def _is(e: Expr, op: str) -> bool:
    return e.kind == ex.CALL and e.op == op


def _fold_dot(e: Expr, recorder: Recorder) -> Expr:
    chain = e.chain
    if len(chain) < 2 or not e.is_scalar:
        return e
    first, rest = chain[0], ex.mul(*chain[1:])
    if first.kind == ex.CONST and first.op == "ones":
        return recorder.apply("dot-ones", e, x=rest)
    if first.kind == ex.CALL and first.op == "transpose":
        inner = first.args[0]
        last = chain[-1]
        if inner.op == last.op == "basis" and len(chain) > 2:
            A = ex.mul(*chain[1:-1])
            return recorder.apply("entry-of-matrix", e, A=A, i=inner.data[1], j=last.data[1])
        if inner.kind == ex.CONST and inner.op == "basis":
            return recorder.apply("entry-of", e, x=rest, i=inner.data[1])
        if len(chain) == 2 and last.kind == ex.CONST and last.op == "basis":
            return recorder.apply("entry-of-transposed", e, y=inner, i=last.data[1])
        if len(chain) == 2 and last.op == "ones":
            return recorder.apply("ones-dot", e, x=inner)
        if len(chain) == 2:
            return _quotient_dot(e, inner, last, recorder)
    return e


def _quotient_dot(e: Expr, left: Expr, right: Expr, recorder: Recorder) -> Expr:
    """(a ./ x)'x is sum(a), and so is x'(a ./ x)."""
    for quotient, x in ((left, right), (right, left)):
        below = ex.epower(x, ex.num(-1))
        if _is(quotient, "hadamard") and below in quotient.args:
            rest = list(quotient.args)
            rest.remove(below)
            if quotient is right:
                e = recorder.apply("scalar-transpose", e, y=left, x=right)
                e = recorder.run("transposes", e, e)
            return recorder.apply("quotient-dot", e, a=ex.hadamard(*rest), x=x)
    return e


# --- sums -----------------------------------------------------------------------------------------------------------------


def _improve_sum(e: Expr, recorder: Recorder, within: bool = True) -> Expr:
    if recorder.keeps_symmetry:
        for t in e.args:
            if t.kind == ex.MUL and len(t.chain) == 1 and t.chain[0].kind == ex.ADD:
                return recorder.run("expand", e, t)
    for rule in (
        _add_numbers,
        _like_terms,
        _basis_sum,
        _common_divisor,
        _factor_scalar,
        _join_scalars,
        _factor_sides,
        _factor_entrywise,
        _join_diagonals,
        _join_index_sums,
        _join_krons,
        _mix_logistics,
        _over_inverse,
    ):
        after = rule(e, recorder)
        if after is not e:
            return after
    after = _multiply_out(e, recorder) if within else e
    return after if after is not e else _order(e, recorder)


def _core(term: Expr) -> Expr:
    """A term without its number."""
    if term.kind == ex.NUM:
        return ex.ONE
    return ex.mul(*term.args) if term.kind == ex.MUL and term.coefficient != 1 else term


def _add_numbers(e: Expr, recorder: Recorder) -> Expr:
    if sum(t.kind == ex.NUM for t in e.args) > 1:
        return recorder.run("add-numbers", e, e)
    return e


def _like_terms(e: Expr, recorder: Recorder) -> Expr:
    seen: dict[Expr, Expr] = {}
    for term in e.args:
        core = _core(term)
        other = seen.get(core)
        if other is not None:
            return recorder.apply("like-terms", e, a=number_of(other), b=number_of(term), X=core)
        seen[core] = term
    for core in list(seen):
        if core.kind == ex.SUM:
            turned = recorder.scratch().run("index-sum-reverse", core, core)
            if turned is not core and turned in seen:
                return recorder.run("index-sum-reverse", e, core)
    if e.is_scalar:
        for term in e.args:
            if term.chain and len(term.chain) > 1:
                run = ex.mul(*term.chain)
                turned = push_transposes(ex.mul(*(ex.transpose(c) for c in reversed(term.chain))))
                if turned is run or cost(turned) > cost(run):
                    continue
                twin = ex.mul(*term.scalars, turned)
                if twin in seen:
                    y, x = ex.transpose(term.chain[0]), ex.mul(*term.chain[1:])
                    after = recorder.apply("scalar-transpose", e, y=y, x=x)
                    return recorder.run("transposes", after, after)
    return e


def _basis_sum(e: Expr, recorder: Recorder) -> Expr:
    if e.shape.kind not in (ex.VECTOR, ex.ROW):
        return e
    row = e.shape.kind == ex.ROW
    n = e.shape.cols if row else e.shape.rows
    if not isinstance(n, int) or n > 16:
        return e
    for t in e.args:
        chain = t.chain
        if len(chain) != 1:
            return e
        vector = chain[0].args[0] if row and chain[0].op == "transpose" else chain[0]
        if vector.op != "basis" or not isinstance(vector.data[1], int):
            return e
    return recorder.run("basis-stack", e, e)


def _factor_scalar(e: Expr, recorder: Recorder) -> Expr:
    return recorder.run("factor-scalar", e, e)


def _factor_sides(e: Expr, recorder: Recorder) -> Expr:
    """A common run of factors on the left, or on the right, of two terms."""
    if recorder.keeps_symmetry:
        return e  # A x x' + x x'A shows that it is symmetric
    terms = e.args
    for side, rule in ((0, "factor-left"), (-1, "factor-right")):
        groups: dict[Expr, list[Expr]] = {}
        for t in terms:
            if t.chain:
                groups.setdefault(t.chain[side], []).append(t)
        for group in groups.values():
            for s, t in _pairs(group):
                run = _common_run(s.chain, t.chain, side)
                while run:
                    if ex.mul(*run).chain != run:  # a row and a column in it make a number
                        run = run[:-1] if side == 0 else run[1:]
                        continue
                    a = _shared(s, t, run)
                    b, c = _rest(s, a, side), _rest(t, a, side)
                    if side == 0 and not (_put_back(a, b, s) and _put_back(a, c, t)):
                        break
                    if side == -1 and not (_put_back(b, a, s) and _put_back(c, a, t)):
                        break
                    after = ex.mul(a, ex.add(b, c)) if side == 0 else ex.mul(ex.add(b, c), a)
                    # At equal cost the product is preferred, unless it brings in an identity matrix.
                    gain = cost(ex.add(s, t)) - cost(after)
                    if gain > 0 or (gain == 0 and not (_has_identity(b) or _has_identity(c))):
                        return recorder.apply(rule, e, A=a, B=b, C=c)
                    run = run[:-1] if side == 0 else run[1:]
    return e


def _put_back(a: Expr, b: Expr, e: Expr) -> bool:
    """Whether a times b is e again: p r q s' without p is a number r q times s', which p does not stand beside."""
    return ex.mul(a, b).chain == e.chain


def _join_scalars(e: Expr, recorder: Recorder) -> Expr:
    """a X + b X as (a + b) X, for scalars a and b, where that is not longer."""
    groups: dict[tuple[Expr, ...], list[Expr]] = {}
    for t in e.args:
        if t.kind == ex.MUL:
            groups.setdefault(t.chain, []).append(t)
    for group in groups.values():
        for s, t in _pairs(group):
            shared = _shared(s, t, s.chain)
            if shared.kind == ex.NUM:
                continue
            a, b = _scalar_rest(s, shared), _scalar_rest(t, shared)
            if cost(ex.mul(ex.add(a, b), shared)) <= cost(ex.add(s, t)):
                return recorder.apply("like-terms", e, a=a, b=b, X=shared)
    return e


def _factor_entrywise(e: Expr, recorder: Recorder) -> Expr:
    """a .* b + a .* c as a .* (b + c), and c a counts as a .* (c 1), where that is shorter."""
    if e.is_scalar or len(e.args) > 8:
        return e
    for s, t in _pairs(list(e.args)):
        for a in _entrywise_factors(s):
            if a in _entrywise_factors(t):
                b, c = _without(s, a), _without(t, a)
                if cost(ex.hadamard(a, ex.add(b, c))) < cost(ex.add(s, t)):
                    return recorder.apply("factor-hadamard", e, a=a, b=b, c=c)
    return e


def _entrywise_factors(t: Expr) -> tuple[Expr, ...]:
    if len(t.chain) != 1:
        return ()
    (array,) = t.chain
    return array.args if _is(array, "hadamard") else (array,)


def _without(t: Expr, a: Expr) -> Expr:
    rest = list(_entrywise_factors(t))
    rest.remove(a)
    scalars = t.scalars if t.kind == ex.MUL else ()
    return ex.mul(ex.num(t.coefficient), *scalars, ex.hadamard(ex.ones(t.shape), *rest))


def _join_diagonals(e: Expr, recorder: Recorder) -> Expr:
    """diag(x) + diag(y) as diag(x + y), triu(X) + tril(X) - dg(X) as X, cos² + sin² as 1."""
    found = [t.args[0] for t in e.args if _is(t, "diag")]
    if len(found) > 1:
        return recorder.apply("diag-sum", e, x=found[0], y=found[1])
    for t in e.args:
        if _is(t, "triu"):
            x = t.args[0]
            lower = ex.call("tril", (x,), x.shape)
            twice = ex.neg(ex.call("dg", (x,), x.shape))
            if lower in e.args and twice in e.args:
                return recorder.apply("triangles-of-symmetric", e, X=x)
        if _is(t, "power") and _is(t.args[0], "cos") and ex.integer(t.args[1]) == 2:
            x = t.args[0].args[0]
            if ex.power(ex.call("sin", (x,), x.shape), ex.num(2)) in e.args:
                return recorder.apply("pythagoras", e, x=x)
    return e


def _join_index_sums(e: Expr, recorder: Recorder) -> Expr:
    """Sums over one range as one, where that is shorter."""
    if len(e.args) > 8:
        return e
    for s, t in _pairs(list(e.args)):
        joined = joined_sums(s, t)
        if joined is not None:
            after = _tried(joined, recorder)
            if cost(after) < cost(ex.add(s, t)):
                return recorder.run("index-sum-join", e, ex.add(s, t))
    return e


def _join_krons(e: Expr, recorder: Recorder) -> Expr:
    """A ⊗ C + B ⊗ C as (A + B) ⊗ C, where that is shorter."""
    if recorder.keeps_symmetry or len(e.args) > 8:
        return e
    for s, t in _pairs([u for u in e.args if len(u.chain) == 1 and _is(u.chain[0], "kron")]):
        (a, c), (b, d) = s.chain[0].args, t.chain[0].args
        for left, same in ((True, c is d), (False, a is b)):
            x, y, shared = (a, b, c) if left else (c, d, a)
            if not same or x.shape != y.shape:
                continue
            if shared.shape.kind != ex.MATRIX and any(_is(k, "kron") for k in (*x.chain, *y.chain)):
                continue  # a row and a column have to meet first
            x, y = ex.mul(_scalars_of(s), x), ex.mul(_scalars_of(t), y)
            inner = _tried(ex.add(x, y), recorder)
            after = ex.kron(inner, shared) if left else ex.kron(shared, inner)
            if cost(after) < cost(ex.add(s, t)):
                side = "left" if left else "right"
                return recorder.apply(f"kron-sum-{side}", e, A=x, B=y, C=shared)
    return e


def _mix_logistics(e: Expr, recorder: Recorder) -> Expr:
    """a σ(-x) + b σ(x) as a + (b - a) σ(x), where that is shorter."""
    if len(e.args) > 8:
        return e
    for s, t in itertools.permutations(e.args, 2):
        for logistic in _all_factors(t):
            if not _is(logistic, "sigmoid"):
                continue
            z = logistic.args[0]
            mirrored = ex.call("sigmoid", (ex.neg(z),), z.shape)
            if mirrored not in _all_factors(s):
                continue
            a, b = _rest_of_factors(s, mirrored), _rest_of_factors(t, logistic)
            mixed = ex.add(a, ex.hadamard(ex.sub(b, a), logistic))
            after = _tried(mixed, recorder)
            if cost(after) < cost(ex.add(s, t)):
                return recorder.apply("logistic-mixture", e, x=a, y=b, z=z)
    return e


def _all_factors(t: Expr) -> tuple[Expr, ...]:
    """The factors of a number, or of an array entry by entry."""
    return t.scalars if t.is_scalar else _entrywise_factors(t)


def _rest_of_factors(t: Expr, a: Expr) -> Expr:
    if not t.is_scalar:
        return _without(t, a)
    rest = list(t.scalars)
    rest.remove(a)
    chain = (ex.mul(*t.chain),) if t.chain else ()
    return ex.mul(ex.num(t.coefficient), *rest, *chain)


def _over_inverse(e: Expr, recorder: Recorder) -> Expr:
    """A B^-1 + c I as (A + c B) B^-1, where that is shorter; with B^-1 on the left, or transposed, too."""
    identities = [t for t in e.args if len(t.chain) == 1 and t.chain[0].op == "eye"]
    for one in identities[:1]:
        c = _scalars_of(one)
        for t in e.args:
            for side, left in ((-1, "right"), (0, "left")):
                if len(t.chain) < 2:
                    continue
                link = t.chain[side]
                turned = link.op == "transpose" and link.args[0].op == "inv"
                if link.op != "inv" and not turned:
                    continue
                base = (link.args[0] if turned else link).args[0]
                rest = t.chain[:-1] if side else t.chain[1:]
                a = ex.mul(_scalars_of(t), *rest)
                b = ex.transpose(base) if turned else base
                inner = _tried(push_transposes(ex.add(a, ex.mul(c, b))), recorder)
                after = ex.mul(inner, link) if side else ex.mul(link, inner)
                if cost(after) < cost(ex.add(t, one)):
                    rule = f"over-inverse-{left}" + ("-transposed" if turned else "")
                    after = recorder.apply(rule, e, A=a, B=base, c=c)
                    return recorder.run("transposes", after, after)
    return e


MOST_TERMS = 8  # of a sum that is multiplied out, and in it
MAX_MULTIPLIED = 60  # symbols of a sum that is multiplied out to see whether terms cancel

_cancelling: WeakKeyDictionary[Expr, bool] = WeakKeyDictionary()


def _multiply_out(e: Expr, recorder: Recorder) -> Expr:
    """Products of sums multiplied out, where that makes terms cancel."""
    if recorder.keeps_symmetry or recorder.trying or cost(e) > MAX_MULTIPLIED:
        return e
    near = (e, *e.args, *(a for t in e.args for a in t.args))
    if any(a.kind == ex.ADD and len(a.args) > MOST_TERMS for a in near):
        return e
    known = _cancelling.get(e)
    if known is None:
        known = False
        if e.kind == ex.ADD or _may_cancel(e):
            after = PROCEDURES["multiply-out-terms"](e, recorder.depends)
            scratch = recorder.scratch()
            scratch.trying = True
            sign = (
                e.kind == ex.MUL
            )  # -(a - b) c stays: b - a is no other residual, but for one symbol
            known = after is not e and _cost_of_normal(after, scratch) + sign < cost(e)
        _cancelling[e] = known
    if not known:
        return e
    before = recorder.mark()
    recorder.trying = True
    try:
        found = _normal(recorder.run("multiply-out-terms", e, e), recorder)
    except _Circle:  # parts of e went another way before
        found = e
    recorder.trying = False
    if cost(found) >= cost(e):
        recorder.back_to(before)
        return e
    return found


def _cost_of_normal(e: Expr, scratch: Recorder) -> float:
    try:
        return cost(_normal(e, scratch))
    except _Circle:
        return math.inf


MAX_TRIALS = 2  # what is tried is simplified, and more may be tried in that


def _tried(e: Expr, recorder: Recorder) -> Expr:
    """What e is simplified to, to see whether a rule would make something shorter."""
    return _normal(e, recorder.scratch()) if recorder.trials < MAX_TRIALS else e


def _may_cancel(e: Expr) -> bool:
    """Whether a product has a sum in it, and something else that its terms may cancel with."""
    sums = [
        a for a in e.args if a.kind == ex.ADD or (a.op == "transpose" and a.args[0].kind == ex.ADD)
    ]
    return len(sums) > 1 or (bool(sums) and len(e.chain) > 1)


def _common_divisor(e: Expr, recorder: Recorder) -> Expr:
    """Two terms over powers of one divisor as one quotient, where that is shorter."""
    if len(e.args) > 8:
        return e
    for s, t in _pairs([u for u in e.args if u.kind == ex.MUL or _is(u, "power")]):
        for x, j in _divisors(s):
            for other, k in _divisors(t):
                if x is not other or j == k:
                    continue
                (low, p), (high, q) = ((s, j), (t, k)) if j < k else ((t, k), (s, j))
                a, b = _numerator(low, x, p), _numerator(high, x, q)
                shared = ex.mul(*a.chain) if a.chain and not e.is_scalar else ex.ONE
                if a.chain != b.chain and not e.is_scalar:
                    continue
                a, b = (a, b) if e.is_scalar else (_scalars_of(a), _scalars_of(b))
                above = _tried(ex.add(ex.mul(a, ex.power(x, ex.num(q - p))), b), recorder)
                after = ex.mul(above, ex.power(x, ex.num(-q)), shared)
                if cost(after) < cost(ex.add(s, t)):
                    return recorder.apply(
                        "common-divisor", e, a=a, b=b, x=x, j=ex.num(p), k=ex.num(q), A=shared
                    )
    return e


def _divisors(t: Expr) -> list[tuple[Expr, int]]:
    """The divisors of a term, with their exponents, above 0."""
    found = []
    for s in t.scalars:
        k = ex.integer(s.args[1]) if _is(s, "power") else None
        if k is not None and k < 0:
            found.append((s.args[0], -k))
    return found


def _numerator(t: Expr, x: Expr, k: int) -> Expr:
    """A term without its divisor x^k."""
    scalars = list(t.scalars)
    scalars.remove(ex.power(x, ex.num(-k)))
    links = (ex.mul(*t.chain),) if t.chain else ()
    return ex.mul(ex.num(t.coefficient), *scalars, *links)


def _scalars_of(t: Expr) -> Expr:
    return ex.mul(ex.num(t.coefficient), *t.scalars) if t.kind == ex.MUL else ex.ONE


def _scalar_rest(t: Expr, shared: Expr) -> Expr:
    """The scalars and the number of a term that it does not share with another of the same chain."""
    scalars = list(t.scalars)
    for x in shared.scalars:
        scalars.remove(x)
    return ex.mul(ex.num(t.coefficient / shared.coefficient), *scalars)


def _has_identity(e: Expr) -> bool:
    return any(link.kind == ex.CONST and link.op == "eye" for link in e.chain)


def _pairs(group: list[Expr]) -> Iterator[tuple[Expr, Expr]]:
    """The pairs of a small group; the neighbours in a large one."""
    if len(group) > 8:
        return itertools.pairwise(group)
    return itertools.combinations(group, 2)


def _shared(s: Expr, t: Expr, run: tuple[Expr, ...]) -> Expr:
    """What two terms have in common: a run of factors, scalars, and the number if it is the same."""
    left = list(t.scalars) if t.kind == ex.MUL else []
    scalars = []
    for x in s.scalars if s.kind == ex.MUL else ():
        if x in left:
            left.remove(x)
            scalars.append(x)
    number = ex.num(s.coefficient) if s.coefficient == t.coefficient else ex.ONE
    return ex.mul(number, *scalars, ex.mul(*run))


def _common_run(a: tuple[Expr, ...], b: tuple[Expr, ...], side: int) -> tuple[Expr, ...]:
    count = 0
    for x, y in zip(a if side == 0 else reversed(a), b if side == 0 else reversed(b), strict=False):
        if x is not y:
            break
        count += 1
    return a[:count] if side == 0 else a[len(a) - count :]


def _rest(t: Expr, shared: Expr, side: int) -> Expr:
    """What is left of a term without what it shares with another, on one side."""
    count = len(shared.chain)
    chain = t.chain[count:] if side == 0 else t.chain[: len(t.chain) - count]
    scalars = list(t.scalars) if t.kind == ex.MUL else []
    for x in shared.scalars if shared.kind == ex.MUL else ():
        scalars.remove(x)
    number = ex.num(t.coefficient / shared.coefficient)
    if chain:
        return ex.mul(number, *scalars, ex.mul(*chain))
    end = shared.chain[-1] if side == 0 else shared.chain[0]
    if end.shape.kind == (ex.VECTOR if side == 0 else ex.ROW):
        return ex.mul(number, *scalars)
    size = end.shape.cols if side == 0 else end.shape.rows
    return ex.mul(number, *scalars, ex.eye(size))


def _order(e: Expr, recorder: Recorder) -> Expr:
    """P before P', and a term without a minus sign first."""
    terms = e.args
    if e.shape.kind == ex.MATRIX and e.shape.rows == e.shape.cols:
        turned = {push_transposes(ex.transpose(t)): i for i, t in enumerate(terms)}
        for i, t in enumerate(terms):
            j = turned.get(t)
            if j is not None and j > i and cost(terms[j]) < cost(t):
                return recorder.apply("reorder", e, A=t, B=terms[j])
    if number_of(terms[0]).data < 0:
        for t in terms[1:]:
            if number_of(t).data > 0:
                return recorder.apply("reorder", e, A=terms[0], B=t)
    return e


# --- the last touch -------------------------------------------------------------------------------------------------------


def _present(e: Expr, recorder: Recorder) -> Expr:
    """(Q P)' for P' Q' where that is shorter, and ones(m, n) for 1 1'."""
    if e.shape.kind == ex.MATRIX and e.chain:
        core = ex.mul(*e.chain)
        if [(link.op, link.shape.kind) for link in core.chain] == _OUTER_ONES:
            column, row = core.chain
            return recorder.apply("outer-ones", e, x=column, y=ex.transpose(row))
        turned = push_transposes(ex.transpose(core))
        # Only to a form that stays: a step that was taken is taken again where it can be.
        if cost(turned) + 2 < cost(core) and simplify(turned, recorder.scratch()) is turned:
            return recorder.run("one-transpose", e, core)
    return e


_OUTER_ONES = [("ones", ex.VECTOR), ("ones", ex.ROW)]
