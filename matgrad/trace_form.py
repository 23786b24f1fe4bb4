"""dy to trace form: each term is brought to tr(M dX) (m dx for a vector x, c dt for a scalar t), and what stands before
dX is collected; the derivative is read off.

dy is linear in dX, so a term is a chain of linear operations around dX. They are taken off from the outside, each by
the adjoint identity of its operation, a rule of the table: `tril-trace` takes tril out of a trace, `tril-vec` turns
vec(tril(X)) into a matrix times vec(X), and `cumsum-product` writes a cumulative sum as a product. A matrix-valued Y is
differentiated as vec(Y), a row as a column (`subject`), so that what is left is M vec(dX) or M dx.
The layout conventions are stated here and nowhere else.
"""

from __future__ import annotations

from matgrad import expr as ex
from matgrad.differential import function_name
from matgrad.dims import dim_mul
from matgrad.errors import InternalError, Unsupported
from matgrad.expr import Expr
from matgrad.rewrite import Recorder, split_term, template
from matgrad.rules import TABLE as RULES
from matgrad.steps import TRACE

LAYOUTS = ("mixed", "denominator", "numerator")


def trace_form(dy: Expr, recorder: Recorder) -> list[Expr]:
    """The terms of dy, each of them `c tr(M dX)`, `m dx`, `M dx` or `C dt`. Raises Unsupported."""
    recorder.enter(TRACE)
    done: list[Expr] = []
    todo = [dy]
    while todo:
        term = todo.pop()
        if term.kind == ex.ADD:
            todo.extend(reversed(term.args))
            continue
        if not recorder.depends(term):
            if not ex.is_zero(term):
                term = recorder.run("zero", term, term)
            if ex.is_zero(term):
                continue
            raise InternalError("a term of the differential does not contain dX")
        steps = len(recorder.steps)
        recorder.next_line()
        while True:
            if not recorder.depends(term):
                todo.append(term)
                break
            after = _one_step(term, recorder)
            if after is term:
                after = recorder.run("transposes", term, term)
            if after is term and not _is_final(term, recorder):
                after = _scalar_out(term, recorder)
            if after is term:
                done.append(term)
                break
            if after.kind == ex.ADD:
                todo.extend(reversed(after.args))
                break
            term = after
        if len(recorder.steps) == steps:
            recorder.line -= 1
    return done


def _is_final(term: Expr, recorder: Recorder) -> bool:
    """Whether a term is a factor times dX, vec(dX) or a trace of that."""
    form = term
    if term.kind == ex.MUL and not (term.chain and recorder.depends(term.chain[-1])):
        form = next((s for s in term.scalars if recorder.depends(s)), term)
    factor, leaf, _ = split_term(form, recorder.depends)
    return variable_of(leaf) is not None and not recorder.depends(factor)


def _scalar_out(term: Expr, recorder: Recorder) -> Expr:
    """C dt, for a term that is linear in a number dt. Raises Unsupported: other terms have no closed form."""
    if not _moves_scalar(term, recorder):
        raise _stuck(split_term(term, recorder.depends)[1])
    return recorder.run("scalar-differential", term, term)


def variable_of(leaf: Expr) -> Expr | None:
    """X for dX, vec(dX), and for the transpose of a row dX; else None."""
    if leaf.kind == ex.CALL and (
        leaf.op == "vec" or (leaf.op == "transpose" and leaf.shape.kind == ex.VECTOR)
    ):
        leaf = leaf.args[0]
    return leaf.args[0] if leaf.kind == ex.DIFF else None


def _is_leaf(e: Expr) -> bool:
    """Whether e is dx, or the transpose of a row dx."""
    return e.kind == ex.DIFF or (e.op == "transpose" and e.args[0].kind == ex.DIFF)


def _moves_scalar(term: Expr, recorder: Recorder) -> bool:
    """Whether what moves in a term is a number dt."""
    if len({v.is_scalar for v in recorder.wrt}) == 1:
        return recorder.wrt[0].is_scalar
    moving = {ex.diff(v): v for v in recorder.wrt}
    return all(moving[e].is_scalar for e in ex.postorder(term) if e in moving)


def _one_step(term: Expr, recorder: Recorder) -> Expr:
    """The term after one identity, or the term itself when it has its final form."""
    inner = term
    if term.kind == ex.MUL:
        for s in term.scalars:
            if recorder.depends(s):
                inner = s
                break
        else:
            inner = ex.mul(*term.chain)
    if inner.is_scalar:
        after = _scalar_step(term, inner, recorder)
        if after is not term or term.is_scalar:
            return after
    if inner is not term and inner.is_scalar:
        return _scalar_beside_array(term, inner, recorder)
    return _array_step(term, inner, recorder)


# --- terms that are scalars -------------------------------------------------------------------------------------------


def _scalar_step(term: Expr, inner: Expr, recorder: Recorder) -> Expr:
    """One identity on the scalar factor `inner` of the term that contains dX."""
    if inner.kind == ex.DIFF:
        return term
    if inner.kind == ex.MUL:
        return _dot_step(term, inner, recorder)
    if inner.kind == ex.ADD:
        return recorder.run("distribute", term, term)
    if inner.kind == ex.INDEX:
        return _entry_step(term, inner, recorder)
    if inner.kind == ex.SUM:
        return _index_sum_step(term, inner, recorder)
    if inner.op == "tr":
        return _trace_step(term, inner, recorder)
    if inner.op == "sum":
        return _sum_step(term, inner, recorder)
    if inner.op == "mean":
        if inner.args[0].shape.kind == ex.VECTOR:
            return recorder.apply("mean-vector", term, x=inner.args[0])
        if inner.args[0].shape.kind == ex.ROW:
            return _push(recorder.apply("mean-row", term, x=ex.transpose(inner.args[0])), recorder)
        if inner.args[0].shape.kind == ex.MATRIX:
            return recorder.apply("mean-matrix", term, X=inner.args[0])
    raise _stuck(inner)


def _moving_link(chain: tuple[Expr, ...], recorder: Recorder) -> int:
    return next(i for i, link in enumerate(chain) if recorder.depends(link))


def _dot_step(term: Expr, inner: Expr, recorder: Recorder) -> Expr:
    """row ... vector, with dX in it."""
    chain = inner.chain
    at = _moving_link(chain, recorder)
    link = chain[at]
    kind = link.shape.kind
    if kind == ex.VECTOR:
        y = ex.mul(*chain[:at])
        if link.shape.kind == ex.VECTOR and _is_leaf(link):
            return term
        if link.kind == ex.CALL and link.op == "hadamard":
            ordered = _commuted(term, link, recorder)
            if ordered is not term:
                return ordered
            a, x = _hadamard_parts(link, recorder)
            result = recorder.apply("hadamard-dot", term, y=ex.transpose(y), a=a, x=x)
            return _push(result, recorder)
        if link.kind == ex.CALL and link.op == "vec":
            inside = link.args[0]
            if inside.kind == ex.ADD:
                return recorder.run("distribute", term, link)
            if _needs_vec(inside, recorder):
                return _vec_step(term, link, recorder)
        if link.kind == ex.CALL and f"{link.op}-dot" in RULES:
            swapped = _moving_last(term, link, recorder)
            if swapped is not None:
                return swapped
            return _by_position(f"{link.op}-dot", term, (ex.transpose(y), *link.args), recorder)
        return _link_step(term, link, recorder)
    if kind == ex.ROW:
        if link.kind != ex.DIFF and not (link.kind == ex.CALL and link.op == "transpose"):
            return _link_step(term, link, recorder)
        x = ex.mul(*chain[1:])
        result = recorder.apply("scalar-transpose", term, y=ex.transpose(link), x=x)
        return _push(result, recorder)
    if link.kind in (ex.ADD, ex.SUM):
        return _link_step(term, link, recorder)
    before, after = ex.mul(*chain[:at]), ex.mul(*chain[at + 1 :])
    return recorder.apply("scalar-trace", term, y=ex.transpose(before), X=link, x=after)


def _by_position(rule: str, term: Expr, values: tuple[Expr, ...], recorder: Recorder) -> Expr:
    """Apply a rule to values in the order of its declarations."""
    names = [d.name for d in template(rule).where]
    return recorder.apply(rule, term, **dict(zip(names, values, strict=True)))


def _moving_last(term: Expr, link: Expr, recorder: Recorder) -> Expr | None:
    """For an antisymmetric product of two, the term with what moves as the second factor; None if it is that already."""
    if f"{link.op}-swap" in RULES and recorder.depends(link.args[0]):
        return _by_position(f"{link.op}-swap", term, link.args, recorder)
    return None


# Operations whose place in a trace is settled by this module, not by a rule of the name OP-trace.
_IN_TRACE = frozenset(["hadamard", "diag", "transpose"])


def _needs_vec(e: Expr, recorder: Recorder) -> bool:
    """Whether a linear operation has no adjoint identity for traces, so that it is written with vec."""
    while e.kind == ex.MUL:
        links = [link for link in e.chain if recorder.depends(link)]
        if not links:
            return False  # a scalar factor moves
        e = links[0]
    if e.kind != ex.CALL or e.op in _IN_TRACE:
        return False
    return f"{e.op}-trace" not in RULES and f"{e.op}-product" not in RULES


def _push(term: Expr, recorder: Recorder) -> Expr:
    """Write transposes of products out, factor by factor."""
    return recorder.run("transposes", term, term)


def _commuted(term: Expr, link: Expr, recorder: Recorder) -> Expr:
    """The term with the moving factor of an elementwise product behind the constant ones."""
    return recorder.run("commute", term, link)


def _hadamard_parts(e: Expr, recorder: Recorder) -> tuple[Expr, Expr]:
    """The constant factors of an elementwise product, and the one that contains dX."""
    fixed = [a for a in e.args if not recorder.depends(a)]
    moving = [a for a in e.args if recorder.depends(a)]
    return ex.hadamard(*fixed), ex.hadamard(*moving)


def _scaled(e: Expr) -> tuple[Expr, Expr] | None:
    """(c, A) for an array written c A with a scalar or a number c."""
    if e.kind != ex.MUL or (e.coefficient == 1 and not e.scalars):
        return None
    return ex.mul(ex.num(e.coefficient), *e.scalars), ex.mul(*e.chain)


def _trace_step(term: Expr, inner: Expr, recorder: Recorder) -> Expr:
    inside = inner.args[0]
    if inside.kind == ex.ADD:
        return recorder.run("trace-sum", term, inner)
    scaled = _scaled(inside)
    if scaled is not None:
        return recorder.apply("trace-scalar", term, c=scaled[0], A=scaled[1])
    chain = inside.chain
    inner_dot = _inner_dot(chain)
    if inner_dot is not None:
        i, j = inner_dot
        x, z = ex.mul(*chain[:i]), ex.mul(*chain[i + 1 : j + 1])
        return recorder.apply("dot-behind", term, x=x, y=ex.transpose(chain[i]), z=z)
    at = _moving_link(chain, recorder)
    link = chain[at]
    if link.kind == ex.ADD:
        if at == len(chain) - 1 and at == 0:
            return recorder.run("trace-sum", term, inner)
        return recorder.run("distribute", term, inside)
    if link.kind == ex.CALL and link.op == "transpose":
        return _push(recorder.apply("trace-transpose", term, A=inside), recorder)
    if link.shape.kind == ex.ROW and at > 0:
        return recorder.apply("cyclic", term, A=ex.mul(*chain[:at]), B=ex.mul(*chain[at:]))
    if at < len(chain) - 1:
        return recorder.apply(
            "cyclic", term, A=ex.mul(*chain[: at + 1]), B=ex.mul(*chain[at + 1 :])
        )
    if link.kind == ex.DIFF:
        return term
    front = ex.mul(*chain[:-1]) if len(chain) > 1 else ex.eye(link.shape.rows)
    if link.kind == ex.CALL and link.op == "hadamard":
        ordered = _commuted(term, link, recorder)
        if ordered is not term:
            return ordered
        b, x = _hadamard_parts(link, recorder)
        return _push(recorder.apply("hadamard-trace", term, A=front, B=b, X=x), recorder)
    if link.kind == ex.CALL and link.op == "kron":
        return _kron_in_trace(term, chain, recorder)
    if link.kind == ex.CALL and (link.op == "diag" or f"{link.op}-trace" in RULES):
        return _push(
            _by_position(f"{link.op}-trace", term, (front, *link.args), recorder), recorder
        )
    if link.kind == ex.CALL and _needs_vec(link, recorder):
        return recorder.apply("trace-vec", term, A=front, X=link)
    return _link_step(term, link, recorder)


def _kron_in_trace(term: Expr, chain: tuple[Expr, ...], recorder: Recorder) -> Expr:
    """tr(... (A ⊗ B)) with dX in A or B, the last factor."""
    link = chain[-1]
    a, b = link.args
    if len(chain) == 1:
        if a.shape.rows == a.shape.cols and b.shape.rows == b.shape.cols:
            return recorder.apply("trace-kron", term, A=a, B=b)
        return recorder.apply("trace-vec", term, A=ex.eye(link.shape.rows), X=link)
    left = chain[-2]
    if left.op == "transpose" and left.args[0].op == "kron":
        return _push(term, recorder)
    if left.op == "inv" and left.args[0].op == "kron":
        c, d = left.args[0].args
        if c.shape.rows == c.shape.cols and d.shape.rows == d.shape.cols:
            return recorder.apply("kron-inverse", term, A=c, B=d)
    if left.kind == ex.CALL and left.op == "kron":
        c, d = left.args
        if c.shape.cols == a.shape.rows and d.shape.cols == b.shape.rows:
            return recorder.apply("mixed-product", term, A=c, B=d, C=a, D=b)
    return recorder.apply("trace-vec", term, A=ex.mul(*chain[:-1]), X=link)


def _index_sum_step(term: Expr, link: Expr, recorder: Recorder) -> Expr:
    """A sum over an index, with dX in its summand: the summand is brought to its final form, and dX comes out."""
    summand = link.args[0]
    if term is not link:
        return recorder.run("index-sum-out", term, term)
    if summand.kind == ex.ADD:
        return recorder.run("distribute", term, link)
    after = _inside(term, summand, recorder)
    if after is not term:
        return after
    after = recorder.run("index-sum-factor", term, link)
    return after if after is not term else _fallback(term, link, recorder)


def _inner_dot(chain: tuple[Expr, ...]) -> tuple[int, int] | None:
    """Where a row and the next vector behind it stand in a product x y' ... z w': a scalar in the middle."""
    row = None
    for i, link in enumerate(chain):
        if link.shape.kind == ex.ROW:
            row = i
        elif link.shape.kind == ex.VECTOR and row is not None:
            return row, i
    return None


def _sum_step(term: Expr, inner: Expr, recorder: Recorder) -> Expr:
    inside = inner.args[0]
    if inside.kind == ex.ADD:
        return recorder.run("sum-sum", term, inner)
    scaled = _scaled(inside)
    if scaled is not None:
        return recorder.apply("sum-scalar", term, c=scaled[0], X=scaled[1])
    if inside.shape.kind == ex.ROW:
        return _push(recorder.apply("sum-row", term, x=ex.transpose(inside)), recorder)
    if inside.kind == ex.CALL and f"sum-{inside.op}" in RULES:
        return _by_position(f"sum-{inside.op}", term, inside.args, recorder)
    hadamard = inside.kind == ex.CALL and inside.op == "hadamard"
    if hadamard:
        ordered = _commuted(term, inside, recorder)
        if ordered is not term:
            return ordered
    if inside.shape.kind == ex.VECTOR:
        if hadamard:
            a, x = _hadamard_parts(inside, recorder)
            return recorder.apply("sum-dot", term, a=a, x=x)
        return recorder.apply("sum-ones-vector", term, x=inside)
    if hadamard:
        a, x = _hadamard_parts(inside, recorder)
        return _push(recorder.apply("sum-trace", term, A=a, X=x), recorder)
    return recorder.apply("sum-ones-matrix", term, X=inside)


def _entry_step(term: Expr, inner: Expr, recorder: Recorder) -> Expr:
    base, at = inner.args[0], inner.data
    if base.shape.kind == ex.VECTOR:
        return recorder.apply("vector-entry", term, x=base, i=at[0])
    if base.shape.kind == ex.ROW:
        return recorder.apply("row-entry", term, x=ex.transpose(base), i=at[0])
    return recorder.apply("matrix-entry", term, X=base, i=at[0], j=at[1])


def _link_step(term: Expr, link: Expr, recorder: Recorder) -> Expr:
    """One identity on a link of a product that holds wherever the link stands."""
    if link.kind == ex.ADD:
        return recorder.run("distribute", term, _product_with(term, link))
    if link.kind == ex.SUM:
        return _index_sum_step(term, link, recorder)
    if link.shape.kind == ex.ROW and link.kind not in (ex.INDEX, ex.STACK):
        after = recorder.run("transposes", term, link)
        if after is not term:
            return after
        for row in ex.postorder(link):  # X[i,:] is (Xᵀ e_i)ᵀ, which can be turned
            if row.kind == ex.INDEX and row.shape.kind == ex.ROW:
                return recorder.apply("matrix-row", term, X=row.args[0], i=row.data[0])
    if link.kind == ex.STACK:
        if _factors_out(link, recorder):
            return _stack_factor(term, link, recorder)
        return recorder.run("blocks", term, link)
    if link.kind == ex.INDEX:
        base, at = link.args[0], link.data
        if at[0] is None:
            return recorder.apply("matrix-column", term, X=base, j=at[1])
        return recorder.apply("matrix-row", term, X=base, i=at[0])
    if link.kind == ex.CALL and link.op == "transpose" and link.args[0].kind != ex.DIFF:
        after = recorder.run("transposes", term, link)
        if after is not term:
            return after
        if link.shape.kind == ex.MATRIX and not _moves_scalar(link, recorder):
            return _fallback(term, link, recorder)
        return _link_step(term, link.args[0], recorder)
    if link.kind == ex.CALL:
        after = _inside_link(term, link, recorder)
        if after is not term:
            return after
        swapped = _moving_last(term, link, recorder)
        if swapped is not None:
            return swapped
        if f"{link.op}-product" in RULES:
            return _by_position(f"{link.op}-product", term, link.args, recorder)
        if link.op == "vec":
            return _vec_step(term, link, recorder)
    return _fallback(term, link, recorder)


def _inside_link(term: Expr, link: Expr, recorder: Recorder) -> Expr:
    """The term after one identity on what a linear function is applied to, or the term itself."""
    for a in link.args:
        if not recorder.depends(a):
            continue
        if a.kind == ex.ADD:
            return recorder.run("distribute", term, link)
        if a.kind == ex.SUM:
            return recorder.run("index-sum-out", term, term)
        if a.kind == ex.MUL and (a.coefficient != 1 or a.scalars):
            return recorder.run("linear-scalar", term, link)
        if a.kind == ex.CALL and a.op == "transpose" and a.args[0].kind != ex.DIFF:
            after = recorder.run("transposes", term, a)
            if after is not term:
                return after
        if _moves_scalar(a, recorder):  # C dt, so that dt comes out
            after = _inside(term, a, recorder)
            if after is not term:
                return after
    return term


def _fallback(term: Expr, link: Expr, recorder: Recorder) -> Expr:
    """The identity that holds for every linear operation: vec of it is a matrix times vec of what it is applied to."""
    if _moves_scalar(term, recorder):
        return _scalar_out(term, recorder)
    if link.kind == ex.CALL and link.shape.kind == ex.VECTOR:
        rule = _vec_rule(link, recorder)
        if rule is not None:
            return _push(_by_position(rule, term, link.args, recorder), recorder)
    if link.shape.kind == ex.MATRIX:
        product = _product_with(term, link)
        chain = product.chain
        if link in chain and chain[-1].shape.kind == ex.VECTOR:
            at = chain.index(link)
            front = ex.mul(*chain[:at]) if at else ex.eye(link.shape.rows)
            result = recorder.apply("matrix-vec", term, A=front, X=link, b=ex.mul(*chain[at + 1 :]))
            return _push(result, recorder)
    raise _stuck(link)


def _vec_rule(e: Expr, recorder: Recorder) -> str | None:
    """The rule that writes vec of a linear operation as a matrix times vec of what it is applied to."""
    name = f"{e.op}-vec"
    if len(e.args) == 2 and f"{name}-left" in RULES:
        return f"{name}-left" if recorder.depends(e.args[0]) else f"{name}-right"
    return name if name in RULES else None


def _vec_step(term: Expr, link: Expr, recorder: Recorder) -> Expr:
    """vec(F), with dX in F."""
    inside = link.args[0]
    after = _inside_link(term, link, recorder)
    if after is not term:
        return after
    if inside.kind == ex.DIFF:
        return term
    if inside.kind == ex.MUL:
        chain = inside.chain
        at = _moving_link(chain, recorder)
        f = chain[at]
        if f.kind == ex.ADD:
            return recorder.run("distribute", term, inside)
        if f.kind == ex.SUM:
            return recorder.run("index-sum-out", term, term)
        inner_dot = _inner_dot(chain)
        if inner_dot is not None:
            i, j = inner_dot
            x, z = ex.mul(*chain[:i]), ex.mul(*chain[i + 1 : j + 1])
            return recorder.apply("dot-behind", term, x=x, y=ex.transpose(chain[i]), z=z)
        cut = _outer_cut(chain)
        if cut is not None:
            side = "left" if at < cut else "right"
            x, y = ex.mul(*chain[:cut]), ex.mul(*chain[cut:])
            return _push(
                recorder.apply(f"outer-vec-{side}", term, x=x, y=ex.transpose(y)), recorder
            )
        front = ex.mul(*chain[:at]) if at else ex.eye(f.shape.rows)
        back = ex.mul(*chain[at + 1 :]) if at < len(chain) - 1 else ex.eye(f.shape.cols)
        result = recorder.apply("product-vec", term, A=front, X=f, B=back)
        return _push(result, recorder)
    if inside.kind == ex.STACK:
        return recorder.run("blocks", term, inside)
    if inside.kind == ex.CALL:
        after = _inside_link(term, inside, recorder)
        if after is not term:
            return after
        if inside.op == "hadamard":
            ordered = _commuted(term, inside, recorder)
            if ordered is not term:
                return ordered
            parts = _hadamard_parts(inside, recorder)
            return recorder.apply("hadamard-vec", term, A=parts[0], X=parts[1])
        if f"{inside.op}-product" in RULES:
            return _by_position(f"{inside.op}-product", term, inside.args, recorder)
        rule = _vec_rule(inside, recorder)
        if rule is not None:
            return _push(_by_position(rule, term, inside.args, recorder), recorder)
    raise _stuck(inside)


def _inside(term: Expr, part: Expr, recorder: Recorder) -> Expr:
    """The term after one identity on a part of it that is a term of its own, or the term itself."""
    outermost = recorder.focus is None
    if outermost:
        recorder.focus = term
    before = recorder.focus
    try:
        _one_step(part, recorder)
        after = recorder.focus
    finally:
        if outermost:
            recorder.focus = None
    assert after is not None
    return after if after is not before else term


def _product_with(term: Expr, link: Expr) -> Expr:
    """The innermost product of the term that has the link in its chain."""
    for node in ex.postorder(term):
        if node.kind == ex.MUL and link in node.chain:
            return node
    return term


def _stuck(e: Expr) -> Unsupported:
    return Unsupported(
        f"`{function_name(e)}` stands in the way of a closed form here",
        help="this is a gap in matgrad; please report the command",
    )


# --- terms that are vectors or matrices ---------------------------------------------------------------------------------


def _scalar_beside_array(term: Expr, inner: Expr, recorder: Recorder) -> Expr:
    """b (m dx) is written b m dx, b tr(M dX) as b vec(Mᵀ)ᵀ vec(dX); B dt has its final form."""
    chain = ex.mul(*term.chain)
    if inner.kind == ex.DIFF:
        return term
    if chain.shape.kind != ex.VECTOR:
        raise _stuck(inner)
    if inner.kind == ex.CALL:
        factor, leaf, _ = split_term(inner, recorder.depends)
        return _push(recorder.apply("trace-vector", term, M=factor, X=leaf, b=chain), recorder)
    y, x = ex.mul(*inner.chain[:-1]), inner.chain[-1]
    return recorder.apply("scalar-vector", term, y=ex.transpose(y), x=x, b=chain)


def _array_step(term: Expr, inner: Expr, recorder: Recorder) -> Expr:
    """One identity on a term whose value is a vector or a matrix, dX somewhere in its chain."""
    chain = inner.chain
    at = _moving_link(chain, recorder)
    link = chain[at]
    kind = link.shape.kind
    if link.kind == ex.ADD:
        if len(chain) == 1:
            return recorder.run("distribute", term, term)
        return recorder.run("distribute", term, inner)
    if link.kind == ex.SUM:
        return _index_sum_step(term, link, recorder)
    if _moves_scalar(link, recorder):
        return _link_step(term, link, recorder)
    if kind == ex.VECTOR and at < len(chain) - 1:
        return _turn_behind(term, chain, at, recorder)
    if kind == ex.ROW and at > 0 and chain[-1].shape.kind == ex.VECTOR:
        head, tail = ex.mul(*chain[:at]), ex.mul(*chain[at + 1 :])
        if link.kind == ex.DIFF or link.op == "transpose":
            result = recorder.apply(
                "dot-behind-transpose", term, x=head, y=ex.transpose(link), z=tail
            )
            return _push(result, recorder)
        return _link_step(term, link, recorder)
    if kind == ex.VECTOR:
        if _is_leaf(link):
            return term
        if link.kind == ex.CALL and link.op == "hadamard":
            ordered = _commuted(term, link, recorder)
            if ordered is not term:
                return ordered
            a, x = _hadamard_parts(link, recorder)
            if x.kind != ex.CALL or x.op != "hadamard":
                return recorder.apply("hadamard-diag", term, a=a, x=x)
        if link.kind == ex.CALL and link.op == "diagonal":
            inside = link.args[0]
            if inside.kind == ex.MUL and not inside.scalars and inside.coefficient == 1:
                cut = _outer_cut(inside.chain)
                if cut is not None:
                    x, y = ex.mul(*inside.chain[:cut]), ex.mul(*inside.chain[cut:])
                    return recorder.apply("diag-outer", term, x=x, y=ex.transpose(y))
        return _link_step(term, link, recorder)
    if kind == ex.MATRIX and chain[-1].shape.kind == ex.VECTOR:
        tail = ex.mul(*chain[at + 1 :])
        if link.kind == ex.DIFF:
            return _fallback(term, link, recorder)
        if link.kind == ex.CALL and link.op == "diag":
            inside = link.args[0]
            if inside.kind != ex.ADD and not (inside.kind == ex.MUL and inside.scalars):
                return recorder.apply("diag-swap", term, x=inside, b=tail)
        if link.kind == ex.CALL and link.op == "hadamard":
            ordered = _commuted(term, link, recorder)
            if ordered is not term:
                return ordered
            a, m = _hadamard_parts(link, recorder)
            if m.kind == ex.MUL and not m.scalars and m.coefficient == 1:
                cut = _outer_cut(m.chain)
                middle = _moving_link(m.chain, recorder)
                inner = m.chain[middle]
                if inner.kind == ex.CALL and inner.op == "diag":
                    return _diag_in_hadamard(term, a, m, middle, tail, recorder)
                if cut is not None:
                    x, y = ex.mul(*m.chain[:cut]), ex.mul(*m.chain[cut:])
                    return recorder.apply(
                        "hadamard-outer", term, A=a, x=x, y=ex.transpose(y), z=tail
                    )
        return _link_step(term, link, recorder)
    return _link_step(term, link, recorder)


def _diag_in_hadamard(
    term: Expr, a: Expr, m: Expr, at: int, tail: Expr, recorder: Recorder
) -> Expr:
    """(A .* (B diag(x) C)) z with dx in x."""
    link = m.chain[at]
    size = link.shape.rows
    before = ex.mul(*m.chain[:at]) if at else ex.eye(size)
    after = ex.mul(*m.chain[at + 1 :]) if at + 1 < len(m.chain) else ex.eye(size)
    x = link.args[0]
    if x.kind == ex.ADD or (x.kind == ex.MUL and (x.scalars or x.coefficient != 1)):
        return _link_step(term, link, recorder)
    result = recorder.apply("hadamard-diag-product", term, A=a, B=before, x=x, C=after, z=tail)
    return _push(result, recorder)


def _outer_cut(chain: tuple[Expr, ...]) -> int | None:
    """Where a product is cut into a vector and a row, or None."""
    for i in range(1, len(chain)):
        if chain[i - 1].shape.kind == ex.VECTOR and chain[i].shape.kind == ex.ROW:
            return i
    return None


def _turn_behind(term: Expr, chain: tuple[Expr, ...], at: int, recorder: Recorder) -> Expr:
    """x y' z with dx in the vector x: the scalar y' z goes in front."""
    rest = chain[at + 1 :]
    if rest[-1].shape.kind != ex.VECTOR:
        raise _stuck(chain[at])
    # The factors behind x are a row times ... times a vector.
    y, z = rest[0], ex.mul(*rest[1:])
    x = ex.mul(*chain[: at + 1])
    return recorder.apply("dot-behind", term, x=x, y=ex.transpose(y), z=z)


def _factors_out(link: Expr, recorder: Recorder) -> bool:
    """Whether a stack is [A dx; B dx] or made of multiples of dt."""
    moving = {e for e in ex.postorder(link) if e.kind == ex.DIFF and e.args[0] in recorder.wrt}
    if len(moving) != 1:
        return False
    leaf = moving.pop()
    return leaf.is_scalar or (leaf.shape.kind == ex.VECTOR and link.shape.kind == ex.VECTOR)


def _stack_factor(term: Expr, link: Expr, recorder: Recorder) -> Expr:
    """[A dx; B dx] is [A; B] dx, once each block has that form."""
    for block in link.args:
        if not recorder.depends(block):
            continue
        for part in block.args if block.kind == ex.ADD else (block,):
            after = _inside(term, part, recorder)
            if after is not term:
                return after
        if block.kind == ex.ADD:
            return recorder.run("collect", term, block)
    return recorder.run("stack-factor", term, link)


# --- collecting and reading off -----------------------------------------------------------------------------------------


def collect(dy: Expr, terms: list[Expr], recorder: Recorder) -> Expr:
    """The sum of the terms of dy with one term a variable: tr(M dX), M dx, M vec(dX) or M dt."""
    if not terms:
        return ex.zeros(dy.shape)
    total = ex.add(*terms)
    recorder.next_line()
    return recorder.run("collect", total, total) if len(terms) > 1 else total


def subject(y: Expr, wrt: tuple[Expr, ...]) -> Expr:
    """What is differentiated for Y: vec(Y) for a matrix, the column for a row, if a variable is not a number; else Y."""
    if all(v.is_scalar for v in wrt):
        return y
    if y.shape.kind == ex.MATRIX:
        return ex.vec(y)
    return ex.transpose(y) if y.shape.kind == ex.ROW else y


def derivative_shape(y: Expr, wrt: Expr, by_vech: bool = False) -> ex.Shape:
    """The shape of the derivative of a `subject` in the mixed layout; `by_vech` says that it is one by vech(X)."""
    if y.is_scalar:
        return wrt.shape
    if wrt.is_scalar:
        return y.shape
    entries = dim_mul(wrt.shape.rows, wrt.shape.cols)
    if by_vech:
        entries = ex.duplication(wrt.shape.rows).shape.cols
    return ex.matrix_shape(y.shape.rows, entries)
