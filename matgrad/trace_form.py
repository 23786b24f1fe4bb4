"""dy to trace form: each term is brought to tr(M dX) (m dx for a vector x, c dt for a scalar t), and what stands before
dX is collected; the derivative is read off.

dy is linear in dX, so a term is a chain of linear operations around dX. They are taken off from the outside, each by
the adjoint identity of its operation, a rule of the table. The layout conventions are stated here and nowhere else.
"""

from __future__ import annotations

from matgrad import expr as ex
from matgrad.differential import function_name
from matgrad.errors import InternalError, Unsupported
from matgrad.expr import Expr
from matgrad.rewrite import Recorder, split_term
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
            if after is term:
                _require_final(term, recorder)
                done.append(term)
                break
            if after.kind == ex.ADD:
                todo.extend(reversed(after.args))
                break
            term = after
        if len(recorder.steps) == steps:
            recorder.line -= 1
    return done


def _require_final(term: Expr, recorder: Recorder) -> None:
    """A term that no identity applies to must have the final form; else matgrad has no closed form."""
    form = term
    if term.kind == ex.MUL and not (term.chain and recorder.depends(term.chain[-1])):
        form = next((s for s in term.scalars if recorder.depends(s)), term)
    factor, leaf, _ = split_term(form, recorder.depends)
    if leaf.kind != ex.DIFF or recorder.depends(factor):
        raise _stuck(leaf)


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
        if link.kind == ex.DIFF:
            return term
        if link.kind == ex.CALL and link.op == "hadamard":
            ordered = _commuted(term, link, recorder)
            if ordered is not term:
                return ordered
            a, x = _hadamard_parts(link, recorder)
            result = recorder.apply("hadamard-dot", term, y=ex.transpose(y), a=a, x=x)
            return _push(result, recorder)
        if link.kind == ex.CALL and link.op == "diagonal":
            return recorder.apply("diagonal-dot", term, y=ex.transpose(y), X=link.args[0])
        return _link_step(term, link, recorder)
    if kind == ex.ROW:
        if link.kind != ex.DIFF and not (link.kind == ex.CALL and link.op == "transpose"):
            return _link_step(term, link, recorder)
        x = ex.mul(*chain[1:])
        result = recorder.apply("scalar-transpose", term, y=ex.transpose(link), x=x)
        return _push(result, recorder)
    if link.kind == ex.ADD:
        return recorder.run("distribute", term, inner)
    before, after = ex.mul(*chain[:at]), ex.mul(*chain[at + 1 :])
    return recorder.apply("scalar-trace", term, y=ex.transpose(before), X=link, x=after)


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
    if link.kind == ex.CALL and link.op == "diag":
        return recorder.apply("diag-trace", term, A=front, x=link.args[0])
    return _link_step(term, link, recorder)


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
    if link.shape.kind == ex.ROW and link.kind not in (ex.INDEX, ex.STACK):
        after = recorder.run("transposes", term, link)
        if after is not term:
            return after
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
        return after if after is not term else _link_step(term, link.args[0], recorder)
    if link.kind == ex.CALL and link.op in ("diag", "diagonal"):
        inside = link.args[0]
        if inside.kind == ex.ADD:
            return recorder.run("distribute", term, link)
        if inside.kind == ex.MUL and (inside.coefficient != 1 or inside.scalars):
            return recorder.run("linear-scalar", term, link)
    if link.kind == ex.CALL and link.op in ("hadamard", "diag", "diagonal", "transpose"):
        for a in link.args:
            if recorder.depends(a):
                if a.kind == ex.ADD:
                    return recorder.run("distribute", term, link)
                if a.kind == ex.DIFF:
                    break
                if a.kind == ex.CALL and a.op == "transpose":
                    after = recorder.run("transposes", term, a)
                    if after is not term or a.args[0].kind == ex.DIFF:
                        return after if after is not term else _refuse(link)
                    a = a.args[0]
                # What is inside is brought to its own final form first.
                after = _inside(term, a, recorder)
                if after is not term:
                    return after
    raise _stuck(link)


def _refuse(e: Expr) -> Expr:
    raise _stuck(e)


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
        help="derivatives of this kind need Kronecker products, which matgrad does not write yet",
    )


# --- terms that are vectors or matrices ---------------------------------------------------------------------------------


def _scalar_beside_array(term: Expr, inner: Expr, recorder: Recorder) -> Expr:
    """b (m dx) is written b m dx; B dt has its final form."""
    chain = ex.mul(*term.chain)
    if inner.kind == ex.DIFF:
        return term
    if chain.shape.kind != ex.VECTOR:
        raise _stuck(inner)
    if inner.kind == ex.CALL:
        raise Unsupported(
            "the derivative of a vector by a matrix is not written yet",
            help="differentiate its entries one by one, as in `(A*x)[i]`",
        )
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
    if recorder.wrt[0].is_scalar:
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
        if link.kind == ex.DIFF:
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
            raise Unsupported(
                "the derivative of a vector by a matrix is not written yet",
                help="differentiate its entries one by one, as in `(A*x)[i]`",
            )
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
        raise Unsupported(
            "the derivative of a matrix by a vector is not written yet",
            help="differentiate a column or an entry of it",
        )
    # The factors behind x are a row times ... times a vector.
    y, z = rest[0], ex.mul(*rest[1:])
    x = ex.mul(*chain[: at + 1])
    return recorder.apply("dot-behind", term, x=x, y=ex.transpose(y), z=z)


def _factors_out(link: Expr, recorder: Recorder) -> bool:
    """Whether a stack is [A dx; B dx] or made of multiples of dt."""
    leaf = recorder.wrt[0]
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
    """The sum of the terms of dy as one: tr(M dX), M dx or M dt."""
    if not terms:
        return ex.zeros(dy.shape)
    total = ex.add(*terms)
    recorder.next_line()
    return recorder.run("collect", total, total) if len(terms) > 1 else total


def derivative_shape(y: Expr, wrt: Expr) -> ex.Shape:
    """The shape of a derivative in the mixed layout."""
    if y.is_scalar:
        return wrt.shape
    if wrt.is_scalar:
        return y.shape
    return ex.matrix_shape(y.shape.rows, wrt.shape.rows)
