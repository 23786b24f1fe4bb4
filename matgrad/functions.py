"""TABLE: one record per named function or operator. Adding a row is all it takes to add a function.

Formulas are strings in matgrad's own language, parsed when first needed; `d(X)` is the differential of an argument.
The rule book, the checks and the printers all read this table.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Function(NamedTuple):
    """What matgrad knows about one function. No field has a default: a forgotten one fails at import.

    In `plain`, `unicode`, `latex`, `<X>` stands for an argument, and `<X^>` for an argument that gets brackets unless
    it is at least as tight as a postfix operator. In `numpy`, `{X}` stands for the argument's code.
    """

    op: str  # the name inside expressions, unique
    names: tuple[str, ...]  # what a user may type before a bracket
    signature: str  # shapes, as in "X: matrix(n, n) -> scalar"
    differential: str  # d(op(...)), a sum with one term for each d(argument)
    domain: str  # which random arguments are fair: any | positive | nonzero | invertible | spd
    assumes: str  # what the differential assumes beyond the shapes, a property of the first argument, or ""
    level: str  # how tightly the printed form binds: atom | postfix | product
    plain: str
    unicode: str
    latex: str
    numpy: str
    because: str  # the words beside a step
    proof: tuple[str, ...]  # lines "equation | reason"; each is checked numerically by the tests
    about: str  # one sentence
    source: str
    example: str


def _call(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(f'<{a}>' for a in arguments)})"


def _elementwise_reason(name: str, derivative: str) -> str:
    """`d tanh(t) = (1 - tanh(t)^2) dt`, from the derivative in x."""
    in_t = re.sub(
        r"\bx\b", "t", derivative.replace(".*", "*").replace(".^", "^").replace("./", "/")
    )
    if in_t.startswith("1/"):
        return f"d {name}(t) = dt/{in_t[2:]}"
    return f"d {name}(t) = {f'({in_t})' if ' ' in in_t else in_t} dt"


def elementwise(
    name: str,
    derivative: str,
    domain: str,
    latex: str,
    numpy: str,
    proof: tuple[str, ...],
    about: str,
    *,
    aliases: tuple[str, ...] = (),
) -> Function:
    """The record of a function R -> R applied to each entry, from its derivative as an expression in x."""
    return Function(
        op=name,
        names=(name, *aliases),
        signature="x: array -> array",
        differential=f"({derivative}).*d(x)",
        domain=domain,
        assumes="",
        level="atom",
        plain=_call(name, "x"),
        unicode=_call(name, "x"),
        latex=latex,
        numpy=numpy,
        because=_elementwise_reason(name, derivative),
        proof=proof,
        about=about,
        source="Magnus & Neudecker, ch. 8, sec. 8 (Hadamard chain rule)",
        example=f"sum({name}(x))",
    )


_ENTRY = "entry by entry, the derivative of a function of one variable"

_OPERATORS = (
    Function(
        op="transpose",
        names=("transpose",),
        signature="X: matrix(m, n) -> matrix(n, m)",
        differential="d(X)'",
        domain="any",
        assumes="",
        level="postfix",
        plain="<X^>'",
        unicode="<X^>ᵀ",
        latex="<X^>^\\top",
        numpy="{X}.T",
        because="d(Pᵀ) = (dP)ᵀ",
        proof=("(X + d(X))' - X' = d(X)' | transposing is linear",),
        about="The transpose.",
        source="Magnus & Neudecker, ch. 8, eq. (15)",
        example="tr(X*B*X')",
    ),
    Function(
        op="inv",
        names=("inv", "inverse"),
        signature="X: matrix(n, n) -> matrix(n, n)",
        differential="-inv(X)*d(X)*inv(X)",
        domain="invertible",
        assumes="",
        level="postfix",
        plain="<X^>^-1",
        unicode="<X^>⁻¹",
        latex="<X^>^{-1}",
        numpy="np.linalg.inv({X})",
        because="d(P⁻¹) = -P⁻¹ dP P⁻¹",
        proof=(
            "X*inv(X) = eye(n) | definition of the inverse",
            "d(X)*inv(X) + X*d(inv(X)) = zeros(n, n) | product rule; d(I) = 0",
            "X*d(inv(X)) = -d(X)*inv(X) | move one term to the other side",
            "d(inv(X)) = -inv(X)*d(X)*inv(X) | multiply by X⁻¹ from the left",
        ),
        about="The inverse of a square matrix.",
        source="Matrix Cookbook (2012), eq. 40; Magnus & Neudecker, ch. 8, eq. (17)",
        example="tr(A*X^-1)",
    ),
    Function(
        op="matpow",
        names=(),
        signature="X: matrix(n, n), k: scalar -> matrix(n, n)",
        differential="d(X^(k - 1))*X + X^(k - 1)*d(X)",
        domain="any",
        assumes="",
        level="postfix",
        plain="<X^>^<k^>",
        unicode="<X^>^<k^>",
        latex="<X^>^{<k>}",
        numpy="np.linalg.matrix_power({X}, {k})",
        because="d(Pᵏ) = d(Pᵏ⁻¹) P + Pᵏ⁻¹ dP",
        proof=(
            "X^k = X^(k - 1)*X | definition of the power",
            "d(X^k) = d(X^(k - 1))*X + X^(k - 1)*d(X) | product rule",
        ),
        about="A positive whole power of a square matrix.",
        source="Matrix Cookbook (2012), eq. 90",
        example="tr(X^3)",
    ),
    Function(
        op="power",
        names=(),
        signature="x: scalar, y: scalar -> scalar",
        differential="y*x^(y - 1)*d(x) + x^y*log(x)*d(y)",
        domain="positive",
        assumes="",
        level="postfix",
        plain="<x^>^<y^>",
        unicode="<x^>^<y^>",
        latex="<x^>^{<y>}",
        numpy="{x}**{y}",
        because="d(tᵏ) = k tᵏ⁻¹ dt",
        proof=(
            "x^y = exp(y*log(x)) | definition of the power",
            "d(x^y) = x^y*(y*d(x)/x + log(x)*d(y)) | chain rule and product rule",
            "d(x^y) = y*x^(y - 1)*d(x) + x^y*log(x)*d(y) | multiply out",
        ),
        about="A scalar to a scalar power.",
        source="calculus",
        example="x^3",
    ),
    Function(
        op="epow",
        names=(),
        signature="x: array, y: array -> array",
        differential="(y.*x.^(y - 1)).*d(x) + (x.^y.*log(x)).*d(y)",
        domain="positive",
        assumes="",
        level="postfix",
        plain="<x^>.^<y^>",
        unicode="<x^>.^<y^>",
        latex="<x^>^{\\circ <y>}",
        numpy="{x}**{y}",
        because="d(tᵏ) = k tᵏ⁻¹ dt, entry by entry",
        proof=(
            "x.^y = exp(y.*log(x)) | definition of the power",
            "d(x.^y) = x.^y.*(y.*d(x)./x + log(x).*d(y)) | chain rule and product rule",
            "d(x.^y) = (y.*x.^(y - 1)).*d(x) + (x.^y.*log(x)).*d(y) | multiply out",
        ),
        about="The power of each entry.",
        source="calculus, entry by entry",
        example="sum(x.^3)",
    ),
    Function(
        op="hadamard",
        names=(),
        signature="x: array, y: array -> array",
        differential="d(x).*y + x.*d(y)",
        domain="any",
        assumes="",
        level="product",
        plain="<x^> .* <y^>",
        unicode="<x^> ∘ <y^>",
        latex="<x^> \\odot <y^>",
        numpy="{x}*{y}",
        because="product rule",
        proof=(
            "(x + d(x)).*(y + d(y)) - x.*y - d(x).*d(y) = d(x).*y + x.*d(y) | expand; the last term is of second order",
        ),
        about="The entry-by-entry (Hadamard) product.",
        source="Magnus & Neudecker, ch. 8, eq. (14)",
        example="sum(x.*y)",
    ),
)

_MATRIX = (
    Function(
        op="tr",
        names=("tr", "trace"),
        signature="X: matrix(n, n) -> scalar",
        differential="tr(d(X))",
        domain="any",
        assumes="",
        level="atom",
        plain="tr(<X>)",
        unicode="tr(<X>)",
        latex="\\operatorname{tr}(<X>)",
        numpy="np.trace({X})",
        because="d tr(P) = tr(dP)",
        proof=("tr(X + d(X)) - tr(X) = tr(d(X)) | the trace is linear",),
        about="The trace: the sum of the diagonal entries.",
        source="Magnus & Neudecker, ch. 8, eq. (16)",
        example="tr(X*B*X')",
    ),
    Function(
        op="det",
        names=("det",),
        signature="X: matrix(n, n) -> scalar",
        differential="det(X)*tr(inv(X)*d(X))",
        domain="invertible",
        assumes="invertible",
        level="atom",
        plain="det(<X>)",
        unicode="det(<X>)",
        latex="\\det(<X>)",
        numpy="np.linalg.det({X})",
        because="d det(P) = det(P) tr(P⁻¹ dP)",
        proof=(
            "det(X + d(X)) = det(X)*det(eye(n) + inv(X)*d(X)) | det(A B) = det(A) det(B)",
            "d(det(X)) = det(X)*tr(inv(X)*d(X)) | det(I + E) = 1 + tr(E) up to second order:"
            " expand by permutations; all but the identity touch two entries off the diagonal",
        ),
        about="The determinant.",
        source="Matrix Cookbook (2012), eq. 41; Magnus & Neudecker, ch. 8, eq. (22) (Jacobi's formula)",
        example="det(X)",
    ),
    Function(
        op="logdet",
        names=("logdet",),
        signature="X: matrix(n, n) -> scalar",
        differential="tr(inv(X)*d(X))",
        domain="spd",
        assumes="",
        level="atom",
        plain="ln det(<X>)",
        unicode="ln det(<X>)",
        latex="\\ln\\det(<X>)",
        numpy="np.linalg.slogdet({X})[1]",
        because="d ln det(P) = tr(P⁻¹ dP)",
        proof=(
            "logdet(X) = log(det(X)) | definition",
            "d(logdet(X)) = d(det(X))/det(X) | d ln(t) = dt/t",
            "d(logdet(X)) = det(X)*tr(inv(X)*d(X))/det(X) | d det(P) = det(P) tr(P⁻¹ dP)",
            "d(logdet(X)) = tr(inv(X)*d(X)) | cancel det(X)",
        ),
        about="The logarithm of the determinant, where that is positive.",
        source="Matrix Cookbook (2012), eq. 43; Boyd & Vandenberghe, Convex Optimization, A.4.1",
        example="ln det(X)",
    ),
    Function(
        op="sum",
        names=("sum",),
        signature="X: array -> scalar",
        differential="sum(d(X))",
        domain="any",
        assumes="",
        level="atom",
        plain="sum(<X>)",
        unicode="sum(<X>)",
        latex="\\operatorname{sum}(<X>)",
        numpy="np.sum({X})",
        because="d sum(P) = sum(dP)",
        proof=("sum(X + d(X)) - sum(X) = sum(d(X)) | a sum is linear",),
        about="The sum of all entries.",
        source="definition",
        example="sum(exp(x))",
    ),
    Function(
        op="norm2",
        names=("norm2", "norm"),
        signature="x: vector(n) -> scalar",
        differential="x'*d(x)/norm2(x)",
        domain="nonzero",
        assumes="nonzero",
        level="atom",
        plain="norm2(<x>)",
        unicode="‖<x>‖",
        latex="\\lVert <x> \\rVert",
        numpy="np.linalg.norm({x})",
        because="d‖p‖ = pᵀ dp / ‖p‖",
        proof=(
            "norm2(x)^2 = x'*x | definition",
            "2*norm2(x)*d(norm2(x)) = 2*x'*d(x) | product rule; xᵀ dx = dxᵀ x",
            "d(norm2(x)) = x'*d(x)/norm2(x) | divide by 2 ‖x‖",
        ),
        about="The Euclidean norm of a vector.",
        source="Matrix Cookbook (2012), eq. 129",
        example="norm2(A*x - b)",
    ),
    Function(
        op="normF",
        names=("normF", "norm2", "norm"),
        signature="X: matrix(m, n) -> scalar",
        differential="tr(X'*d(X))/norm(X)",
        domain="nonzero",
        assumes="nonzero",
        level="atom",
        plain="norm(<X>)",
        unicode="‖<X>‖",
        latex="\\lVert <X> \\rVert_F",
        numpy="np.linalg.norm({X})",
        because="d‖P‖ = tr(Pᵀ dP) / ‖P‖",
        proof=(
            "norm(X)^2 = tr(X'*X) | definition",
            "2*norm(X)*d(norm(X)) = 2*tr(X'*d(X)) | product rule; tr(dPᵀ P) = tr(Pᵀ dP)",
            "d(norm(X)) = tr(X'*d(X))/norm(X) | divide by 2 ‖X‖",
        ),
        about="The Frobenius norm of a matrix.",
        source="Matrix Cookbook (2012), eq. 132",
        example="norm(X - B)",
    ),
    Function(
        op="diag",
        names=("diag",),
        signature="x: vector(n) -> matrix(n, n)",
        differential="diag(d(x))",
        domain="any",
        assumes="",
        level="atom",
        plain="diag(<x>)",
        unicode="diag(<x>)",
        latex="\\operatorname{diag}(<x>)",
        numpy="np.diag({x})",
        because="d diag(p) = diag(dp)",
        proof=("diag(x + d(x)) - diag(x) = diag(d(x)) | diag is linear",),
        about="The diagonal matrix with the entries of a vector.",
        source="definition",
        example="tr(A*diag(x))",
    ),
    Function(
        op="diagonal",
        names=("diag",),
        signature="X: matrix(n, n) -> vector(n)",
        differential="diag(d(X))",
        domain="any",
        assumes="",
        level="atom",
        plain="diag(<X>)",
        unicode="diag(<X>)",
        latex="\\operatorname{diag}(<X>)",
        numpy="np.diag({X})",
        because="d diag(P) = diag(dP)",
        proof=("diag(X + d(X)) - diag(X) = diag(d(X)) | diag is linear",),
        about="The diagonal of a square matrix, as a vector.",
        source="definition",
        example="a'*diag(X)",
    ),
)

_ELEMENTWISE = (
    elementwise(
        "exp",
        "exp(x)",
        "any",
        "\\exp(<x>)",
        "np.exp({x})",
        ("d(exp(x)) = exp(x).*d(x) | the power series, term by term",),
        "The exponential of each entry.",
    ),
    elementwise(
        "log",
        "1./x",
        "positive",
        "\\ln(<x>)",
        "np.log({x})",
        (
            "exp(log(x)) = x | definition",
            "x.*d(log(x)) = d(x) | chain rule, d exp(t) = exp(t) dt",
            "d(log(x)) = (1./x).*d(x) | divide by x",
        ),
        "The natural logarithm of each entry.",
        aliases=("ln",),
    ),
    elementwise(
        "sqrt",
        "1./(2*sqrt(x))",
        "positive",
        "\\sqrt{<x>}",
        "np.sqrt({x})",
        (
            "sqrt(x).^2 = x | definition",
            "2*sqrt(x).*d(sqrt(x)) = d(x) | product rule",
            "d(sqrt(x)) = (1./(2*sqrt(x))).*d(x) | divide by 2 √x",
        ),
        "The square root of each entry.",
    ),
    elementwise(
        "sin",
        "cos(x)",
        "any",
        "\\sin(<x>)",
        "np.sin({x})",
        ("d(sin(x)) = cos(x).*d(x) | the power series, term by term",),
        "The sine of each entry.",
    ),
    elementwise(
        "cos",
        "-sin(x)",
        "any",
        "\\cos(<x>)",
        "np.cos({x})",
        ("d(cos(x)) = -sin(x).*d(x) | the power series, term by term",),
        "The cosine of each entry.",
    ),
    elementwise(
        "tanh",
        "1 - tanh(x).^2",
        "any",
        "\\tanh(<x>)",
        "np.tanh({x})",
        (
            "tanh(x).*(exp(2*x) + 1) = exp(2*x) - 1 | definition",
            "d(tanh(x)).*(exp(2*x) + 1) + 2*tanh(x).*exp(2*x).*d(x) = 2*exp(2*x).*d(x) | product rule",
            "d(tanh(x)) = 2*(1 - tanh(x)).*exp(2*x)./(exp(2*x) + 1).*d(x) | solve for d tanh(x)",
            "d(tanh(x)) = (1 - tanh(x).^2).*d(x) | 2 e²ˣ/(e²ˣ + 1) = 1 + tanh(x)",
        ),
        "The hyperbolic tangent of each entry.",
    ),
    elementwise(
        "abs",
        "sign(x)",
        "nonzero",
        "\\lvert <x> \\rvert",
        "np.abs({x})",
        ("d(abs(x)) = sign(x).*d(x) | x > 0: |x| = x; x < 0: |x| = -x",),
        "The absolute value of each entry.",
    ),
    elementwise(
        "sign",
        "0*x",
        "nonzero",
        "\\operatorname{sign}(<x>)",
        "np.sign({x})",
        ("d(sign(x)) = 0*d(x) | constant on either side of 0",),
        "The sign of each entry: -1, 0 or 1.",
    ),
)

TABLE: dict[str, Function] = {f.op: f for f in (*_OPERATORS, *_MATRIX, *_ELEMENTWISE)}

BY_NAME: dict[str, tuple[Function, ...]] = {}
for _function in TABLE.values():
    for _name in _function.names:
        BY_NAME[_name] = (*BY_NAME.get(_name, ()), _function)

# Names with a meaning of their own before a bracket, beside the functions of the table: sized constants.
SIZED_CONSTANTS = ("eye", "ones", "zeros")

FUNCTION_NAMES = frozenset(BY_NAME)
