"""Variables whose entries are not free: symmetric, skew, diagonal, triangular, orthogonal matrices.

dX is then in a subspace (the tangent space), and so is the gradient: of all D with dy = tr(Dᵀ dX) the one that lies in
it (Magnus & Neudecker, ch. 3; Edelman, Arias & Smith 1998 for orthogonal matrices). Each projection is a rule of the
table, `symmetric-trace` and so on.
"""

from __future__ import annotations

from matgrad import expr as ex
from matgrad.expr import Expr
from matgrad.properties import has_property, is_symmetric, push_transposes
from matgrad.rewrite import Recorder, split_term

STRUCTURED = ("subspace", "cookbook")

_KINDS = (
    "identity",
    "diagonal",
    "symmetric",
    "skew",
    "orthogonal",
    "orthonormal",
    "lower",
    "upper",
)
MANIFOLDS = ("orthogonal", "orthonormal")  # not linear: the tangent space is another one at each X


def structure(variable: Expr) -> str:
    """The structure that a variable was declared to have, or ""."""
    declared = variable.data[1]
    if "spd" in declared and "diagonal" not in declared:
        return "symmetric"
    return next((kind for kind in _KINDS if kind in declared), "")


def convention_notes(
    variables: tuple[Expr, ...], convention: str, jacobian: bool, hessian: bool
) -> list[str]:
    """Which derivative the answer is, for each structured variable; and the other one, where they differ.

    `hessian` says that it is a Hessian by vech(X), or on the Stiefel manifold.
    """
    notes = []
    for v in variables:
        kind, x = structure(v), v.data[0]
        if hessian and kind in MANIFOLDS:
            notes.append(
                f"the Riemannian Hessian on the Stiefel manifold {x}ᵀ {x} = I in the Euclidean metric, P J P;"
                " J is the Jacobian of the gradient, P the projection on the tangent space"
            )
            continue
        if hessian:
            notes.append(
                f"by vech({x}), the independent entries of the symmetric {x}, D(n)ᵀ H D(n) (cookbook convention);"
                " H is the Hessian among symmetric matrices, or that by free entries"
            )
            continue
        word = "Jacobian" if jacobian else "gradient"
        free = f"{'J' if jacobian else 'G'} being that by free entries"
        if kind in ("symmetric", "skew"):
            sign = "+" if kind == "symmetric" else "-"
            whole = f"J (I {sign} K)/2" if jacobian else f"(G {sign} Gᵀ)/2"
            entries = "G + Gᵀ - I ∘ G" if kind == "symmetric" else "G - Gᵀ"
            other = entries
            by = f"by the independent entries of the {kind} {x}"
            if jacobian and kind == "symmetric":
                entries, by = (
                    "J D(n)",
                    f"by vech({x}), the independent entries of the symmetric {x}",
                )
                other = f"that {by}, {entries}"
            elif jacobian:
                other = entries = "J (I - K)"
            if convention == "cookbook":
                notes.append(
                    f"{by}, {entries} (cookbook convention);"
                    f" the {word} among {kind} matrices is {whole}, {free}"
                )
            else:
                notes.append(
                    f"the {word} among {kind} matrices, {whole} (subspace convention);"
                    f" `--structured cookbook` gives {other}, {free}"
                )
        elif kind in MANIFOLDS and jacobian:
            notes.append(f"the Jacobian on the tangent space of the Stiefel manifold {x}ᵀ {x} = I")
        elif kind in MANIFOLDS:
            formula = f"(G - {x} Gᵀ {x})/2"
            if kind == "orthonormal":
                formula = f"G - {x} ({x}ᵀ G + Gᵀ {x})/2"
            notes.append(
                f"the Riemannian gradient on the Stiefel manifold {x}ᵀ {x} = I in the Euclidean metric, {formula}, {free};"
                f" in the canonical metric it is G - {x} Gᵀ {x}"
            )
        elif kind:
            among = {"lower": "lower triangular", "upper": "upper triangular"}.get(kind, kind)
            notes.append(f"the {word} among {among} matrices; other entries of {x} stay zero")
    return notes


def by_vech(variable: Expr, subject: Expr, convention: str) -> bool:
    """Whether a derivative is one by vech(X): of an array, by the independent entries of a symmetric matrix."""
    return convention == "cookbook" and not subject.is_scalar and structure(variable) == "symmetric"


def gradient_by_vech(gradient: Expr) -> Expr:
    """D'vec(G), the derivatives by vech(X), of the gradient G among symmetric matrices."""
    duplication = ex.duplication(gradient.shape.rows)
    return ex.mul(ex.transpose(duplication), ex.vec(gradient))


def restricted(total: Expr, recorder: Recorder, convention: str) -> Expr:
    """The trace form with what stands before each structured dX projected to its subspace.

    By independent entries (`cookbook`), symmetric and skew matrices have a reading-off of their own.
    """
    for term in total.args if total.kind == ex.ADD else (total,):
        if not recorder.depends(term):
            continue
        inner = next((s for s in term.scalars if recorder.depends(s)), term)
        factor, leaf, _ = split_term(inner, recorder.depends)
        inside = leaf.args[0] if leaf.kind == ex.CALL else leaf
        variable = inside.args[0]
        kind = structure(variable)
        if convention == "cookbook" and kind in ("symmetric", "skew"):
            continue
        if not kind or (leaf is inside and _lies_in(factor, kind)):
            continue
        recorder.next_line()
        rule = f"{kind}-trace" if leaf is inside else f"{kind}-in-vec"
        bindings = {"A": factor, "X": variable if kind in MANIFOLDS else inside}
        after = recorder.apply(rule, term, **bindings)
        total = _replaced(total, term, after)
    return total


def _replaced(total: Expr, term: Expr, after: Expr) -> Expr:
    if total is term:
        return after
    return ex.add(*(after if t is term else t for t in total.args))


def _lies_in(factor: Expr, kind: str) -> bool:
    """Whether M of tr(M dX) is proved to lie in the (transposed) subspace already."""
    if kind == "symmetric":
        return is_symmetric(factor)
    if kind == "skew":
        return push_transposes(ex.transpose(factor)) is push_transposes(ex.neg(factor))
    if kind in MANIFOLDS:
        return False
    turned = {"lower": "upper", "upper": "lower"}.get(kind, kind)
    return has_property(factor, turned)
