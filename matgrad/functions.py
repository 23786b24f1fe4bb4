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
    domain: str  # which random arguments are fair: any | positive | nonzero | unit | above_one | invertible |
    # right_half_plane (all eigenvalues lie there) | spd
    assumes: str  # what the differential assumes beyond the shapes, a property of the first argument, or ""
    level: str  # how tightly the printed form binds: atom | postfix | product
    plain: str
    unicode: str
    latex: str
    numpy: str
    nonsmooth: str  # where it is not differentiable and what is taken there; "" if it is smooth on its domain
    because: str  # the words beside a step
    proof: tuple[str, ...]  # lines "equation | reason"; each is checked numerically by the tests
    about: str  # one sentence
    source: str
    example: str


_SMOOTH = ""


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
    nonsmooth: str,
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
        nonsmooth=nonsmooth,
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
        nonsmooth=_SMOOTH,
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
        nonsmooth=_SMOOTH,
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
        nonsmooth=_SMOOTH,
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
        nonsmooth=_SMOOTH,
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
        nonsmooth=_SMOOTH,
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
        nonsmooth=_SMOOTH,
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
        nonsmooth=_SMOOTH,
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
        nonsmooth=_SMOOTH,
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
        nonsmooth=_SMOOTH,
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
        nonsmooth=_SMOOTH,
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
        nonsmooth="not differentiable at 0, where the formula has no value",
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
        nonsmooth="not differentiable at 0, where the formula has no value",
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
        nonsmooth=_SMOOTH,
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
        nonsmooth=_SMOOTH,
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
        _SMOOTH,
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
        _SMOOTH,
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
        "not differentiable where an entry is 0; the formula has no value there",
    ),
    elementwise(
        "sin",
        "cos(x)",
        "any",
        "\\sin(<x>)",
        "np.sin({x})",
        ("d(sin(x)) = cos(x).*d(x) | the power series, term by term",),
        "The sine of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "cos",
        "-sin(x)",
        "any",
        "\\cos(<x>)",
        "np.cos({x})",
        ("d(cos(x)) = -sin(x).*d(x) | the power series, term by term",),
        "The cosine of each entry.",
        _SMOOTH,
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
        _SMOOTH,
    ),
    elementwise(
        "abs",
        "sign(x)",
        "nonzero",
        "\\lvert <x> \\rvert",
        "np.abs({x})",
        ("d(abs(x)) = sign(x).*d(x) | x > 0: |x| = x; x < 0: |x| = -x",),
        "The absolute value of each entry.",
        "not differentiable where an entry is 0; 0 is taken there",
    ),
    elementwise(
        "sign",
        "0*x",
        "nonzero",
        "\\operatorname{sign}(<x>)",
        "np.sign({x})",
        ("d(sign(x)) = 0*d(x) | constant on either side of 0",),
        "The sign of each entry: -1, 0 or 1.",
        "not continuous where an entry is 0; as derivative 0 is taken there",
    ),
)

_MORE_ELEMENTWISE = (
    elementwise(
        "log2",
        "1./(log(2)*x)",
        "positive",
        "\\log_2(<x>)",
        "np.log2({x})",
        (
            "log2(x) = log(x)/log(2) | definition",
            "d(log2(x)) = (1./(log(2)*x)).*d(x) | d ln(t) = dt/t",
        ),
        "The logarithm to base 2 of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "log10",
        "1./(log(10)*x)",
        "positive",
        "\\log_{10}(<x>)",
        "np.log10({x})",
        (
            "log10(x) = log(x)/log(10) | definition",
            "d(log10(x)) = (1./(log(10)*x)).*d(x) | d ln(t) = dt/t",
        ),
        "The logarithm to base 10 of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "log1p",
        "1./(1 + x)",
        "positive",
        "\\operatorname{log1p}(<x>)",
        "np.log1p({x})",
        ("log1p(x) = log(1 + x) | definition", "d(log1p(x)) = (1./(1 + x)).*d(x) | chain rule"),
        "log(1 + x) of each entry, accurate for small x.",
        _SMOOTH,
    ),
    elementwise(
        "expm1",
        "exp(x)",
        "any",
        "\\operatorname{expm1}(<x>)",
        "np.expm1({x})",
        ("expm1(x) = exp(x) - 1 | definition", "d(expm1(x)) = exp(x).*d(x) | d exp(t) = exp(t) dt"),
        "exp(x) - 1 of each entry, accurate for small x.",
        _SMOOTH,
    ),
    elementwise(
        "tan",
        "1 + tan(x).^2",
        "positive",
        "\\tan(<x>)",
        "np.tan({x})",
        (
            "tan(x).*cos(x) = sin(x) | definition",
            "d(tan(x)).*cos(x) - tan(x).*sin(x).*d(x) = cos(x).*d(x) | product rule",
            "d(tan(x)) = (1 + tan(x).^2).*d(x) | divide by cos(x)",
        ),
        "The tangent of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "asin",
        "1./sqrt(1 - x.^2)",
        "unit",
        "\\arcsin(<x>)",
        "np.arcsin({x})",
        (
            "sin(asin(x)) = x | definition",
            "sqrt(1 - x.^2).*d(asin(x)) = d(x) | chain rule; cos(asin x) = √(1 - x²)",
        ),
        "The inverse sine of each entry.",
        _SMOOTH,
        aliases=("arcsin",),
    ),
    elementwise(
        "acos",
        "-1./sqrt(1 - x.^2)",
        "unit",
        "\\arccos(<x>)",
        "np.arccos({x})",
        ("asin(x) + acos(x) = pi/2 + 0*x | definition", "d(acos(x)) = -d(asin(x)) | differentiate"),
        "The inverse cosine of each entry.",
        _SMOOTH,
        aliases=("arccos",),
    ),
    elementwise(
        "atan",
        "1./(1 + x.^2)",
        "any",
        "\\arctan(<x>)",
        "np.arctan({x})",
        (
            "tan(atan(x)) = x | definition",
            "(1 + x.^2).*d(atan(x)) = d(x) | d tan(t) = (1 + tan²t) dt",
        ),
        "The inverse tangent of each entry.",
        _SMOOTH,
        aliases=("arctan",),
    ),
    elementwise(
        "sinh",
        "cosh(x)",
        "any",
        "\\sinh(<x>)",
        "np.sinh({x})",
        (
            "sinh(x) = (exp(x) - exp(-x))/2 | definition",
            "d(sinh(x)) = cosh(x).*d(x) | d exp(t) = exp(t) dt",
        ),
        "The hyperbolic sine of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "cosh",
        "sinh(x)",
        "any",
        "\\cosh(<x>)",
        "np.cosh({x})",
        (
            "cosh(x) = (exp(x) + exp(-x))/2 | definition",
            "d(cosh(x)) = sinh(x).*d(x) | d exp(t) = exp(t) dt",
        ),
        "The hyperbolic cosine of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "asinh",
        "1./sqrt(x.^2 + 1)",
        "any",
        "\\operatorname{arsinh}(<x>)",
        "np.arcsinh({x})",
        (
            "sinh(asinh(x)) = x | definition",
            "sqrt(x.^2 + 1).*d(asinh(x)) = d(x) | chain rule; cosh² = 1 + sinh²",
        ),
        "The inverse hyperbolic sine of each entry.",
        _SMOOTH,
        aliases=("arcsinh",),
    ),
    elementwise(
        "acosh",
        "1./sqrt(x.^2 - 1)",
        "above_one",
        "\\operatorname{arcosh}(<x>)",
        "np.arccosh({x})",
        (
            "cosh(acosh(x)) = x | definition",
            "sqrt(x.^2 - 1).*d(acosh(x)) = d(x) | chain rule; sinh² = cosh² - 1",
        ),
        "The inverse hyperbolic cosine of each entry.",
        _SMOOTH,
        aliases=("arccosh",),
    ),
    elementwise(
        "atanh",
        "1./(1 - x.^2)",
        "unit",
        "\\operatorname{artanh}(<x>)",
        "np.arctanh({x})",
        (
            "tanh(atanh(x)) = x | definition",
            "(1 - x.^2).*d(atanh(x)) = d(x) | d tanh(t) = (1 - tanh²t) dt",
        ),
        "The inverse hyperbolic tangent of each entry.",
        _SMOOTH,
        aliases=("arctanh",),
    ),
    elementwise(
        "relu",
        "sign(relu(x))",
        "nonzero",
        "\\operatorname{relu}(<x>)",
        "np.maximum({x}, 0)",
        (
            "relu(x) = (x + abs(x))/2 | definition",
            "d(relu(x)) = sign(relu(x)).*d(x) | d|t| = sign(t) dt",
        ),
        "The positive part of each entry.",
        "not differentiable where an entry is 0; 0 is taken there",
    ),
    elementwise(
        "sigmoid",
        "sigmoid(x).*(1 - sigmoid(x))",
        "any",
        "\\sigma(<x>)",
        "np.exp(-np.logaddexp(0, -{x}))",
        (
            "sigmoid(x) = 1./(1 + exp(-x)) | definition",
            "d(sigmoid(x)) = exp(-x)./(1 + exp(-x)).^2.*d(x) | chain rule",
            "d(sigmoid(x)) = sigmoid(x).*(1 - sigmoid(x)).*d(x) | e⁻ᵗ/(1 + e⁻ᵗ) = 1 - σ(t)",
        ),
        "The logistic function 1/(1 + exp(-x)) of each entry.",
        _SMOOTH,
        aliases=("logistic",),
    ),
    elementwise(
        "softplus",
        "sigmoid(x)",
        "any",
        "\\operatorname{softplus}(<x>)",
        "np.logaddexp(0, {x})",
        (
            "softplus(x) = log(1 + exp(x)) | definition",
            "d(softplus(x)) = sigmoid(x).*d(x) | chain rule",
        ),
        "log(1 + exp(x)) of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "erf",
        "2/sqrt(pi)*exp(-x.^2)",
        "any",
        "\\operatorname{erf}(<x>)",
        "special.erf({x})",
        (
            "d(erf(x)) = 2/sqrt(pi)*exp(-x.^2).*d(x) | erf(x) is 2/√π times the integral of exp(-t²) from 0 to x",
        ),
        "The error function of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "erfc",
        "-2/sqrt(pi)*exp(-x.^2)",
        "any",
        "\\operatorname{erfc}(<x>)",
        "special.erfc({x})",
        ("erfc(x) = 1 - erf(x) | definition", "d(erfc(x)) = -d(erf(x)) | differentiate"),
        "1 - erf(x) of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "gelu",
        "(1 + erf(x/sqrt(2)))/2 + x.*exp(-x.^2/2)/sqrt(2*pi)",
        "any",
        "\\operatorname{gelu}(<x>)",
        "{x}*special.ndtr({x})",
        (
            "gelu(x) = x.*(1 + erf(x/sqrt(2)))/2 | definition",
            "d(gelu(x)) = ((1 + erf(x/sqrt(2)))/2 + x.*exp(-x.^2/2)/sqrt(2*pi)).*d(x) | product rule",
        ),
        "x times the normal distribution function of x (the exact GELU), of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "silu",
        "sigmoid(x) + x.*sigmoid(x).*(1 - sigmoid(x))",
        "any",
        "\\operatorname{silu}(<x>)",
        "{x}*np.exp(-np.logaddexp(0, -{x}))",
        (
            "silu(x) = x.*sigmoid(x) | definition",
            "d(silu(x)) = (sigmoid(x) + x.*sigmoid(x).*(1 - sigmoid(x))).*d(x) | product rule",
        ),
        "x sigmoid(x) of each entry.",
        _SMOOTH,
        aliases=("swish",),
    ),
    elementwise(
        "elu",
        "exp(-relu(-x))",
        "nonzero",
        "\\operatorname{elu}(<x>)",
        "np.where({x} > 0, {x}, np.expm1(np.minimum({x}, 0)))",
        (
            "elu(x) = relu(x) + exp(-relu(-x)) - 1 | definition",
            "d(elu(x)) = exp(-relu(-x)).*d(x) | x > 0: 1; x < 0: exp(x)",
        ),
        "x where it is positive, exp(x) - 1 elsewhere.",
        "not twice differentiable where an entry is 0; 0 is taken there",
    ),
    elementwise(
        "gamma",
        "gamma(x).*digamma(x)",
        "positive",
        "\\Gamma(<x>)",
        "special.gamma({x})",
        (
            "gamma(x) = exp(lgamma(x)) | definition, x > 0",
            "d(gamma(x)) = gamma(x).*digamma(x).*d(x) | chain rule",
        ),
        "The gamma function of each entry.",
        _SMOOTH,
    ),
    elementwise(
        "lgamma",
        "digamma(x)",
        "positive",
        "\\ln\\Gamma(<x>)",
        "special.gammaln({x})",
        ("d(lgamma(x)) = digamma(x).*d(x) | definition of the digamma function",),
        "The logarithm of the gamma function of each entry.",
        _SMOOTH,
        aliases=("gammaln",),
    ),
    elementwise(
        "digamma",
        "polygamma(1, x)",
        "positive",
        "\\psi(<x>)",
        "special.digamma({x})",
        ("d(digamma(x)) = polygamma(1, x).*d(x) | definition of the polygamma function",),
        "The derivative of the logarithm of the gamma function, of each entry.",
        _SMOOTH,
    ),
)


def _named(
    op: str,
    signature: str,
    differential: str,
    *,
    domain: str,
    assumes: str,
    nonsmooth: str,
    latex: str,
    numpy: str,
    because: str,
    proof: tuple[str, ...],
    about: str,
    source: str,
    example: str,
) -> Function:
    """A function written `name(arguments)`. An `op` with a colon has its name from elsewhere: `max:pair` is `max` of two,
    `max:1` that of a matrix along direction 1. `latex` may be "": the name upright."""
    name, _, form = op.partition(":")
    arguments = [f"<{a}>" for a in re.findall(r"(\w+):", signature.partition("->")[0])]
    if form.isdigit():
        arguments.append(form)
    text = f"({', '.join(arguments)})"
    return Function(
        op=op,
        names=() if form else (name,),
        signature=signature,
        differential=differential,
        domain=domain,
        assumes=assumes,
        level="atom",
        plain=name + text,
        unicode=name + text,
        latex=latex or f"\\operatorname{{{name}}}{text}",
        numpy=numpy,
        nonsmooth=nonsmooth,
        because=because,
        proof=proof,
        about=about,
        source=source,
        example=example,
    )


def _linear(
    op: str, signature: str, latex: str, numpy: str, about: str, source: str, example: str
) -> Function:
    """A linear function of its first argument: d passes through."""
    name, _, form = op.partition(":")
    first, *rest = re.findall(r"(\w+):", signature.partition("->")[0])
    after = "".join(f", {a}" for a in [*rest, *([form] if form else [])])
    p = first.replace("a", "p").replace("x", "p").replace("X", "P")
    return _named(
        op,
        signature,
        f"{name}(d({first}){after})",
        domain="any",
        assumes="",
        nonsmooth=_SMOOTH,
        latex=latex,
        numpy=numpy,
        because=f"d {name}({p}{after}) = {name}(d{p}{after})",
        proof=(
            f"{name}({first} + d({first}){after}) - {name}({first}{after})"
            f" = {name}(d({first}){after}) | linear",
        ),
        about=about,
        source=source,
        example=example,
    )


_CALCULUS = "definition"
_HIGHAM = "Higham, Functions of Matrices (2008)"
_MAGNUS = "Magnus & Neudecker"

_VECTOR_FUNCTIONS = (
    _named(
        "polygamma",
        "k: whole, x: array -> array",
        "polygamma(k + 1, x).*d(x)",
        domain="positive",
        assumes="",
        nonsmooth=_SMOOTH,
        latex="\\psi^{(<k>)}(<x>)",
        numpy="special.polygamma(int({k}), {x})",
        because="d ψ⁽ᵏ⁾(t) = ψ⁽ᵏ⁺¹⁾(t) dt",
        proof=("d(polygamma(k, x)) = polygamma(k + 1, x).*d(x) | definition",),
        about="The k-th derivative of the digamma function, of each entry.",
        source="DLMF 5.15",
        example="sum(polygamma(1, x))",
    ),
    _named(
        "max:pair",
        "x: array, y: array -> array",
        "(1 + sign(x - y))/2.*d(x) + (1 - sign(x - y))/2.*d(y)",
        domain="any",
        assumes="",
        nonsmooth="not differentiable where two entries are equal; half of each is taken there",
        latex="\\max(<x>, <y>)",
        numpy="np.maximum({x}, {y})",
        because="d max(s, t) is ds or dt",
        proof=(
            "max(x, y) = (x + y + abs(x - y))/2 | definition",
            "d(max(x, y)) = (1 + sign(x - y))/2.*d(x) + (1 - sign(x - y))/2.*d(y) | d|t| = sign(t) dt",
        ),
        about="The larger of two, entry by entry.",
        source=_CALCULUS,
        example="sum(max(x, y))",
    ),
    _named(
        "min:pair",
        "x: array, y: array -> array",
        "(1 - sign(x - y))/2.*d(x) + (1 + sign(x - y))/2.*d(y)",
        domain="any",
        assumes="",
        nonsmooth="not differentiable where two entries are equal; half of each is taken there",
        latex="\\min(<x>, <y>)",
        numpy="np.minimum({x}, {y})",
        because="d min(s, t) is ds or dt",
        proof=(
            "min(x, y) = (x + y - abs(x - y))/2 | definition",
            "d(min(x, y)) = (1 - sign(x - y))/2.*d(x) + (1 + sign(x - y))/2.*d(y) | d|t| = sign(t) dt",
        ),
        about="The smaller of two, entry by entry.",
        source=_CALCULUS,
        example="sum(min(x, y))",
    ),
    _named(
        "logsumexp",
        "x: vector(n) -> scalar",
        "softmax(x)'*d(x)",
        domain="any",
        assumes="",
        nonsmooth=_SMOOTH,
        latex="",
        numpy="np.logaddexp.reduce({x})",
        because="d logsumexp(p) = softmax(p)ᵀ dp",
        proof=(
            "logsumexp(x) = log(sum(exp(x))) | definition",
            "d(logsumexp(x)) = sum(exp(x).*d(x))/sum(exp(x)) | chain rule",
            "d(logsumexp(x)) = softmax(x)'*d(x) | softmax(p) = exp(p)/sum(exp(p))",
        ),
        about="log(sum(exp(x))), without overflow.",
        source=_CALCULUS,
        example="logsumexp(A*x)",
    ),
    _named(
        "softmax",
        "x: vector(n) -> vector(n)",
        "softmax(x).*d(x) - softmax(x)*(softmax(x)'*d(x))",
        domain="any",
        assumes="",
        nonsmooth=_SMOOTH,
        latex="",
        numpy="np.exp({x} - np.logaddexp.reduce({x}))",
        because="d softmax(p) = s ∘ dp - s sᵀ dp, s = softmax(p)",
        proof=(
            "softmax(x) = exp(x)/sum(exp(x)) | definition",
            "d(softmax(x)) = softmax(x).*d(x) - softmax(x)*(softmax(x)'*d(x)) | quotient rule",
        ),
        about="exp(x)/sum(exp(x)).",
        source=_CALCULUS,
        example="y'*softmax(x)",
    ),
    _named(
        "logsoftmax",
        "x: vector(n) -> vector(n)",
        "d(x) - ones(n)*(softmax(x)'*d(x))",
        domain="any",
        assumes="",
        nonsmooth=_SMOOTH,
        latex="",
        numpy="{x} - np.logaddexp.reduce({x})",
        because="d logsoftmax(p) = dp - 1 softmax(p)ᵀ dp",
        proof=(
            "logsoftmax(x) = x - logsumexp(x) | definition",
            "d(logsoftmax(x)) = d(x) - ones(n)*(softmax(x)'*d(x)) | d logsumexp(p) = softmax(p)ᵀ dp",
        ),
        about="x - logsumexp(x).",
        source=_CALCULUS,
        example="y'*logsoftmax(x)",
    ),
    _named(
        "prod",
        "x: vector(n) -> scalar",
        "prod(x)*(1./x)'*d(x)",
        domain="nonzero",
        assumes="free of zeros",
        nonsmooth=_SMOOTH,
        latex="",
        numpy="np.prod({x})",
        because="d prod(p) = prod(p) (1 ⊘ p)ᵀ dp",
        proof=("d(prod(x)) = prod(x)*(1./x)'*d(x) | product rule, each factor once",),
        about="The product of the entries.",
        source=_CALCULUS,
        example="prod(x)",
    ),
    _named(
        "norm1",
        "x: array -> scalar",
        "sum(sign(x).*d(x))",
        domain="nonzero",
        assumes="",
        nonsmooth="not differentiable where an entry is 0; 0 is taken there",
        latex="\\lVert <x> \\rVert_1",
        numpy="np.sum(np.abs({x}))",
        because="d‖p‖₁ = sum(sign(p) ∘ dp)",
        proof=(
            "norm1(x) = sum(abs(x)) | definition",
            "d(norm1(x)) = sum(sign(x).*d(x)) | d|t| = sign(t) dt",
        ),
        about="The sum of the absolute values of the entries.",
        source=_CALCULUS,
        example="norm1(x)",
    ),
    _named(
        "norminf",
        "x: array -> scalar",
        "sum(indmax(abs(x)).*sign(x).*d(x))",
        domain="nonzero",
        assumes="",
        nonsmooth="not differentiable where several entries are largest in absolute value;"
        " they share equally there",
        latex="\\lVert <x> \\rVert_\\infty",
        numpy="np.max(np.abs({x}))",
        because="d‖p‖∞ = sign(pᵢ) dpᵢ, i = where |p| is largest",
        proof=(
            "norminf(x) = max(abs(x)) | definition",
            "d(norminf(x)) = sum(indmax(abs(x)).*d(abs(x))) | d max(p) = dpᵢ, i = where p is largest",
            "d(norminf(x)) = sum(indmax(abs(x)).*sign(x).*d(x)) | d|t| = sign(t) dt",
        ),
        about="The largest absolute value of the entries.",
        source=_CALCULUS,
        example="norminf(x)",
    ),
    _named(
        "max",
        "x: array -> scalar",
        "sum(indmax(x).*d(x))",
        domain="any",
        assumes="",
        nonsmooth="not differentiable where several entries are largest; they share equally there",
        latex="\\max(<x>)",
        numpy="np.max({x})",
        because="d max(p) = dpᵢ, i = where p is largest",
        proof=(
            "max(x) = sum(indmax(x).*x) | definition of indmax",
            "d(max(x)) = sum(indmax(x).*d(x)) | the place stays the same nearby",
        ),
        about="The largest entry.",
        source=_CALCULUS,
        example="max(x)",
    ),
    _named(
        "min",
        "x: array -> scalar",
        "sum(indmax(-x).*d(x))",
        domain="any",
        assumes="",
        nonsmooth="not differentiable where several entries are smallest; they share equally there",
        latex="\\min(<x>)",
        numpy="np.min({x})",
        because="d min(p) = dpᵢ, i = where p is smallest",
        proof=(
            "min(x) = -max(-x) | definition",
            "d(min(x)) = sum(indmax(-x).*d(x)) | d max(p) = dpᵢ, i = where p is largest",
        ),
        about="The smallest entry.",
        source=_CALCULUS,
        example="min(x)",
    ),
    _named(
        "indmax",
        "x: array -> array",
        "0*d(x)",
        domain="any",
        assumes="",
        nonsmooth="not continuous where several entries are largest; as derivative 0 is taken there",
        latex="",
        numpy="support.indmax({x})",
        because="indmax is constant nearby",
        proof=("d(indmax(x)) = 0*d(x) | the place stays the same nearby",),
        about="1 where the largest entry is, 0 elsewhere; several largest share it equally.",
        source=_CALCULUS,
        example="y'*indmax(x)",
    ),
    _linear(
        "mean",
        "x: array -> scalar",
        "",
        "np.mean({x})",
        "The mean of the entries.",
        _CALCULUS,
        "mean(x)",
    ),
    _linear(
        "cumsum",
        "x: vector(n) -> vector(n)",
        "",
        "np.cumsum({x})",
        "The sums of the first 1, 2, ... entries.",
        _CALCULUS,
        "y'*cumsum(x)",
    ),
    _named(
        "cross",
        "x: vector(3), y: vector(3) -> vector(3)",
        "cross(d(x), y) + cross(x, d(y))",
        domain="any",
        assumes="",
        nonsmooth=_SMOOTH,
        latex="<x> \\times <y>",
        numpy="np.cross({x}, {y})",
        because="d(p × q) = dp × q + p × dq",
        proof=(
            "cross(x + d(x), y + d(y)) - cross(x, y) - cross(d(x), d(y)) = cross(d(x), y) + cross(x, d(y))"
            " | expand; the last term is of second order",
        ),
        about="The cross product of two vectors of three entries.",
        source=_CALCULUS,
        example="a'*cross(x, y)",
    ),
    _linear(
        "rowsum",
        "X: matrix(m, n) -> vector(m)",
        "",
        "np.sum({X}, axis=1)",
        "The sums of the rows, a column.",
        _CALCULUS,
        "a'*rowsum(X)",
    ),
    _linear(
        "colsum",
        "X: matrix(m, n) -> row(n)",
        "",
        "np.sum({X}, axis=0)",
        "The sums of the columns, a row.",
        _CALCULUS,
        "colsum(X)*b",
    ),
)


class _Way(NamedTuple):
    """Words and formulas for a direction: 1 down the columns, 2 along the rows."""

    number: str
    axis: str
    line: str  # the shape of one number for each column, or for each row
    total: str  # the function that sums in this direction
    spread: str  # what repeats such a line, before and after it
    words: str


_WAYS = (
    _Way("1", "0", "row(n)", "colsum", "ones(m)*{}", "down the columns"),
    _Way("2", "1", "vector(m)", "rowsum", "{}*ones(n)'", "along the rows"),
)


def _directed(way: _Way) -> tuple[Function, ...]:
    """The functions of a matrix in one direction. `S` stands for softmax(X), `{S}` for its text."""
    k, axis, words = way.number, way.axis, way.words
    total, spread = way.total, way.spread.format

    def name(op: str) -> str:
        return f"{op}:{k}"

    def signature(result: str) -> str:
        return f"X: matrix(m, n) -> {result}"

    same, line = signature("matrix(m, n)"), signature(way.line)
    soft = f"softmax(X, {k})"
    mean = spread(f"{total}({soft}.*d(X))")
    return (
        _named(
            name("softmax"),
            same,
            f"{soft}.*d(X) - {soft}.*({mean})",
            domain="any",
            assumes="",
            nonsmooth=_SMOOTH,
            latex="",
            numpy=f"np.exp({{X}} - np.logaddexp.reduce({{X}}, axis={axis}, keepdims=True))",
            because=f"softmax {words}: dS = S ∘ dP - S ∘ (its sums {words})",
            proof=(
                f"{soft}.*({spread(f'{total}(exp(X))')}) = exp(X) | definition",
                f"d({soft}).*({spread(f'{total}(exp(X))')})"
                f" + {soft}.*({spread(f'{total}(exp(X).*d(X))')}) = exp(X).*d(X) | product rule",
                f"d({soft}) = {soft}.*d(X) - {soft}.*({mean}) | divide by the sums of exp(P)",
            ),
            about=f"The softmax {words}.",
            source=_CALCULUS,
            example=f"sum(softmax(X, {k}).^2)",
        ),
        _named(
            name("logsoftmax"),
            same,
            f"d(X) - {mean}",
            domain="any",
            assumes="",
            nonsmooth=_SMOOTH,
            latex="",
            numpy=f"{{X}} - np.logaddexp.reduce({{X}}, axis={axis}, keepdims=True)",
            because=f"d logsoftmax(P) = dP - (sums of softmax(P) ∘ dP {words})",
            proof=(
                f"logsoftmax(X, {k}) = log({soft}) | definition",
                f"d(logsoftmax(X, {k})) = d({soft})./{soft} | d ln(t) = dt/t",
                f"d(logsoftmax(X, {k})) = d(X) - {mean} | the differential of softmax",
            ),
            about=f"The logarithm of the softmax {words}.",
            source=_CALCULUS,
            example=f"sum(logsoftmax(X, {k}))",
        ),
        _named(
            name("logsumexp"),
            line,
            f"{total}({soft}.*d(X))",
            domain="any",
            assumes="",
            nonsmooth=_SMOOTH,
            latex="",
            numpy=f"np.logaddexp.reduce({{X}}, axis={axis})",
            because=f"d logsumexp(P) = sums of softmax(P) ∘ dP {words}",
            proof=(
                f"logsumexp(X, {k}) = log({total}(exp(X))) | definition",
                f"d(logsumexp(X, {k})) = {total}(exp(X).*d(X))./{total}(exp(X)) | chain rule",
                f"d(logsumexp(X, {k})) = {total}({soft}.*d(X)) | softmax(P) = exp(P) ⊘ sums of exp(P)",
            ),
            about=f"The logarithm of the sum of exponentials {words}.",
            source=_CALCULUS,
            example=f"sum(logsumexp(X, {k}))",
        ),
        _linear(
            name("cumsum"),
            same,
            "",
            f"np.cumsum({{X}}, axis={axis})",
            f"The running sums {words}.",
            _CALCULUS,
            f"sum(cumsum(X, {k}))",
        ),
        _named(
            name("prod"),
            line,
            f"prod(X, {k}).*{total}(d(X)./X)",
            domain="nonzero",
            assumes="free of zeros",
            nonsmooth=_SMOOTH,
            latex="",
            numpy=f"np.prod({{X}}, axis={axis})",
            because=f"d prod(P) = prod(P) ∘ (sums of dP ⊘ P {words})",
            proof=(
                f"d(prod(X, {k})) = prod(X, {k}).*{total}(d(X)./X) | product rule, each factor once",
            ),
            about=f"The products {words}.",
            source=_CALCULUS,
            example=f"sum(prod(X, {k}))",
        ),
        _linear(
            name("mean"),
            line,
            "",
            f"np.mean({{X}}, axis={axis})",
            f"The means {words}.",
            _CALCULUS,
            f"sum(mean(X, {k}))",
        ),
        _named(
            name("max"),
            line,
            f"{total}(indmax(X, {k}).*d(X))",
            domain="any",
            assumes="",
            nonsmooth="not differentiable where several entries of a line are largest; they share equally there",
            latex="",
            numpy=f"np.max({{X}}, axis={axis})",
            because=f"d max(P) = dPᵢⱼ where P is largest {words}",
            proof=(
                f"max(X, {k}) = {total}(indmax(X, {k}).*X) | definition of indmax",
                f"d(max(X, {k})) = {total}(indmax(X, {k}).*d(X)) | the places stay the same nearby",
            ),
            about=f"The largest entries {words}.",
            source=_CALCULUS,
            example=f"sum(max(X, {k}))",
        ),
        _named(
            name("min"),
            line,
            f"{total}(indmax(-X, {k}).*d(X))",
            domain="any",
            assumes="",
            nonsmooth="not differentiable where several entries of a line are smallest; they share equally there",
            latex="",
            numpy=f"np.min({{X}}, axis={axis})",
            because=f"d min(P) = dPᵢⱼ where P is smallest {words}",
            proof=(
                f"min(X, {k}) = -max(-X, {k}) | definition",
                f"d(min(X, {k})) = {total}(indmax(-X, {k}).*d(X)) | the differential of max",
            ),
            about=f"The smallest entries {words}.",
            source=_CALCULUS,
            example=f"sum(min(X, {k}))",
        ),
        _named(
            name("indmax"),
            same,
            "0*d(X)",
            domain="any",
            assumes="",
            nonsmooth="not continuous where several entries of a line are largest; as derivative 0 is taken there",
            latex="",
            numpy=f"support.indmax_along({{X}}, {axis})",
            because="indmax is constant nearby",
            proof=(f"d(indmax(X, {k})) = 0*d(X) | the places stay the same nearby",),
            about=f"1 where the largest entry is {words}, 0 elsewhere; several largest share it equally.",
            source=_CALCULUS,
            example=f"tr(A'*indmax(X, {k}))",
        ),
    )


_SQUARE = "X: matrix(n, n) -> matrix(n, n)"
_DIRECTION = "X: matrix(n, n), E: matrix(n, n) -> matrix(n, n)"
_DOUBLE = "[X, E; zeros(n, n), X]"


def _matrix_function(
    name: str, domain: str, latex: str, about: str, because: str
) -> tuple[Function, Function]:
    """A function of a square matrix given by a power series, and its Fréchet derivative in the direction E."""
    frechet = f"d{name}"
    first, last = "[eye(n), zeros(n, n)]", "[zeros(n, n); eye(n)]"
    along = f"{first}*{frechet}({_DOUBLE}, [d(X), zeros(n, n); zeros(n, n), d(X)])*{last}"
    doubled = _DOUBLE.replace("E", "d(X)")
    return (
        _named(
            name,
            _SQUARE,
            f"{frechet}(X, d(X))",
            domain=domain,
            assumes="",
            nonsmooth=_SMOOTH,
            latex=latex,
            numpy=f"support.{name}({{X}})",
            because=f"d {name}(P) = {frechet}(P, dP)",
            proof=(
                f"{name}({doubled}) = [{name}(X), {frechet}(X, d(X)); zeros(n, n), {name}(X)] | {because}",
                f"d({name}(X)) = {frechet}(X, d(X)) | the block above the diagonal of [P, dP; 0, P]ᵏ is d(Pᵏ)",
            ),
            about=about,
            source=f"{_HIGHAM}, sec. 3.1 and th. 3.6",
            example=f"tr(A*{name}(X))",
        ),
        _named(
            frechet,
            _DIRECTION,
            f"{frechet}(X, d(E)) + {along}",
            domain=domain,
            assumes="",
            nonsmooth=_SMOOTH,
            latex="",
            numpy=f"support.{frechet}({{X}}, {{E}})",
            because=f"{frechet}(P, E) is a block of {name}([P, E; 0, P])",
            proof=(
                f"{frechet}(X, E) = {first}*{name}({_DOUBLE})*{last} | definition",
                f"d({frechet}(X, E)) = {first}*{frechet}({_DOUBLE}, [d(X), d(E); zeros(n, n), d(X)])*{last}"
                f" | d {name}(P) = {frechet}(P, dP)",
                f"{first}*{frechet}({_DOUBLE}, [zeros(n, n), d(E); zeros(n, n), zeros(n, n)])*{last}"
                f" = {frechet}(X, d(E)) | linear in E, which stands there once",
                f"d({frechet}(X, E)) = {frechet}(X, d(E)) + {along} | add the two",
            ),
            about=f"The Fréchet derivative of {name} at X in the direction E: {name}(X + t E) by t at t = 0.",
            source=f"{_HIGHAM}, sec. 3.1 and th. 3.6; Mathias (1996)",
            example=f"tr(A*{frechet}(X, E))",
        ),
    )


_MATRIX_FUNCTIONS = (
    *_matrix_function("expm", "any", "e^{<X>}", "The matrix exponential.", "power series"),
    *_matrix_function(
        "logm",
        "right_half_plane",
        "",
        "The principal matrix logarithm.",
        "power series at I, continued",
    ),
    *_matrix_function("sinm", "any", "", "The matrix sine.", "power series"),
    *_matrix_function("cosm", "any", "", "The matrix cosine.", "power series"),
    _named(
        "sqrtm",
        _SQUARE,
        "sylvester(sqrtm(X), sqrtm(X), d(X))",
        domain="right_half_plane",
        assumes="invertible",
        nonsmooth=_SMOOTH,
        latex="<X^>^{1/2}",
        numpy="support.sqrtm({X})",
        because="P½ d(P½) + d(P½) P½ = dP",
        proof=(
            "sqrtm(X)*sqrtm(X) = X | definition",
            "sqrtm(X)*d(sqrtm(X)) + d(sqrtm(X))*sqrtm(X) = d(X) | product rule",
            "d(sqrtm(X)) = sylvester(sqrtm(X), sqrtm(X), d(X)) | definition of sylvester",
        ),
        about="The principal matrix square root.",
        source=f"{_HIGHAM}, sec. 6.1",
        example="tr(A*sqrtm(X))",
    ),
    _named(
        "sylvester",
        "A: matrix(m, m), B: matrix(n, n), C: matrix(m, n) -> matrix(m, n)",
        "sylvester(A, B, d(C)) + sylvester(A, B, -d(A)*sylvester(A, B, C))"
        " + sylvester(A, B, -sylvester(A, B, C)*d(B))",
        domain="right_half_plane",
        assumes="",
        nonsmooth=_SMOOTH,
        latex="",
        numpy="support.sylvester({A}, {B}, {C})",
        because="A dZ + dZ B = dC - dA Z - Z dB, Z = sylvester(A, B, C)",
        proof=(
            "A*sylvester(A, B, C) + sylvester(A, B, C)*B = C | definition",
            "A*d(sylvester(A, B, C)) + d(sylvester(A, B, C))*B"
            " = d(C) - d(A)*sylvester(A, B, C) - sylvester(A, B, C)*d(B) | product rule",
            "d(sylvester(A, B, C)) = sylvester(A, B, d(C) - d(A)*sylvester(A, B, C)"
            " - sylvester(A, B, C)*d(B)) | definition",
            "d(sylvester(A, B, C)) = sylvester(A, B, d(C)) + sylvester(A, B, -d(A)*sylvester(A, B, C))"
            " + sylvester(A, B, -sylvester(A, B, C)*d(B)) | linear in the last argument",
        ),
        about="The matrix Z with A Z + Z B = C.",
        source=f"{_HIGHAM}, sec. B.14",
        example="sum(sylvester(X, B, C))",
    ),
)


def _extreme(name: str, word: str) -> tuple[Function, Function]:
    """The largest or smallest eigenvalue, and its eigenvector."""
    value, vector = f"eig{name}(X)", f"eigvec{name}(X)"
    shifted = f"({value}*eye(n) - (X + X')/2)"
    change = "((d(X) + d(X)')/2)"
    inverse = f"pinv{shifted}"
    source = f"{_MAGNUS}, ch. 8, sec. 9"
    repeated = f"not differentiable where the {word} eigenvalue is repeated"
    return (
        _named(
            f"eig{name}",
            "X: symmetric(n) -> scalar",
            f"{vector}'*d(X)*{vector}",
            domain="any",
            assumes="",
            nonsmooth=f"{repeated}; one of its eigenvectors is taken there",
            latex=f"\\lambda_{{\\{name}}}(<X>)",
            numpy=f"support.eig{name}({{X}})",
            because="dλ = vᵀ dP v, P v = λ v",
            proof=(
                f"{value} = {vector}'*X*{vector} | P v = λ v, vᵀ v = 1",
                f"{vector}'*d({vector}) = 0 | vᵀ v = 1",
                f"d({value}) = 2*{value}*{vector}'*d({vector}) + {vector}'*d(X)*{vector} | product rule; P v = λ v",
                f"d({value}) = {vector}'*d(X)*{vector} | vᵀ dv = 0",
            ),
            about=f"The {word} eigenvalue of a symmetric matrix, of (X + X')/2 for any other.",
            source=source,
            example=value,
        ),
        _named(
            f"eigvec{name}",
            "X: matrix(n, n) -> vector(n)",
            f"{inverse}*{change}*{vector}",
            domain="any",
            assumes="",
            nonsmooth=f"{repeated}; its sign jumps where two entries are largest in absolute value",
            latex=f"v_{{\\{name}}}(<X>)",
            numpy=f"support.eigvec{name}({{X}})",
            because="dv = (λ I - P)⁺ dP v, P v = λ v",
            proof=(
                f"{shifted}*{vector} = zeros(n) | definition",
                f"{shifted}*d({vector}) = {change}*{vector} - d({value})*{vector} | product rule",
                f"{inverse}*{vector} = zeros(n) | a symmetric matrix and its pseudoinverse have one null space",
                f"{inverse}*{shifted}*d({vector}) = d({vector}) | a projection; vᵀ dv = 0 as vᵀ v = 1",
                f"d({vector}) = {inverse}*{change}*{vector} | multiply by the pseudoinverse",
            ),
            about=f"The unit eigenvector of the {word} eigenvalue of (X + X')/2,"
            " its largest entry by absolute value positive.",
            source=source,
            example=f"a'*{vector}",
        ),
    )


_SPECTRAL = (
    *_extreme("max", "largest"),
    *_extreme("min", "smallest"),
    _named(
        "specnorm",
        "X: matrix(m, n) -> scalar",
        "lsv(X)'*d(X)*rsv(X)",
        domain="any",
        assumes="",
        nonsmooth="not differentiable where the largest singular value is repeated or 0;"
        " one pair of its singular vectors is taken there",
        latex="\\lVert <X> \\rVert_2",
        numpy="np.linalg.norm({X}, 2)",
        because="dσ = uᵀ dP v, P v = σ u",
        proof=(
            "specnorm(X) = lsv(X)'*X*rsv(X) | P v = σ u, uᵀ u = 1",
            "lsv(X)'*d(lsv(X)) = 0 | uᵀ u = 1",
            "rsv(X)'*d(rsv(X)) = 0 | vᵀ v = 1",
            "d(specnorm(X)) = specnorm(X)*lsv(X)'*d(lsv(X)) + lsv(X)'*d(X)*rsv(X)"
            " + specnorm(X)*rsv(X)'*d(rsv(X)) | product rule; P v = σ u, Pᵀ u = σ v",
            "d(specnorm(X)) = lsv(X)'*d(X)*rsv(X) | two terms are 0",
        ),
        about="The spectral norm: the largest singular value.",
        source=f"{_MAGNUS}, ch. 8, sec. 9; Watson (1992)",
        example="specnorm(X)",
    ),
    _named(
        "lsv",
        "X: matrix(m, n) -> vector(m)",
        "pinv(eigmax(X*X')*eye(m) - X*X')*(d(X)*X' + X*d(X)')*lsv(X)",
        domain="any",
        assumes="",
        nonsmooth="not differentiable where the largest singular value is repeated;"
        " its sign jumps where two entries are largest in absolute value",
        latex="",
        numpy="support.lsv({X})",
        because="du = (σ² I - P Pᵀ)⁺ d(P Pᵀ) u",
        proof=(
            "X*X'*lsv(X) = eigmax(X*X')*lsv(X) | P v = σ u, Pᵀ u = σ v",
            "(eigmax(X*X')*eye(m) - X*X')*d(lsv(X)) = d(X*X')*lsv(X) - d(eigmax(X*X'))*lsv(X) | product rule",
            "d(lsv(X)) = pinv(eigmax(X*X')*eye(m) - X*X')*(d(X)*X' + X*d(X)')*lsv(X)"
            " | as for an eigenvector of P Pᵀ",
        ),
        about="The leading left singular vector, its largest entry by absolute value positive.",
        source=f"{_MAGNUS}, ch. 8, sec. 9",
        example="a'*lsv(X)",
    ),
    _named(
        "rsv",
        "X: matrix(m, n) -> vector(n)",
        "pinv(eigmax(X'*X)*eye(n) - X'*X)*(d(X)'*X + X'*d(X))*rsv(X)",
        domain="any",
        assumes="",
        nonsmooth="not differentiable where the largest singular value is repeated or 0;"
        " its sign is that which goes with lsv",
        latex="",
        numpy="support.rsv({X})",
        because="dv = (σ² I - Pᵀ P)⁺ d(Pᵀ P) v",
        proof=(
            "rsv(X) = X'*lsv(X)/specnorm(X) | definition",
            "X'*X*rsv(X) = eigmax(X'*X)*rsv(X) | P v = σ u, Pᵀ u = σ v",
            "(eigmax(X'*X)*eye(n) - X'*X)*d(rsv(X)) = d(X'*X)*rsv(X) - d(eigmax(X'*X))*rsv(X) | product rule",
            "d(rsv(X)) = pinv(eigmax(X'*X)*eye(n) - X'*X)*(d(X)'*X + X'*d(X))*rsv(X)"
            " | as for an eigenvector of Pᵀ P",
        ),
        about="The leading right singular vector: X' lsv(X)/specnorm(X).",
        source=f"{_MAGNUS}, ch. 8, sec. 9",
        example="a'*rsv(X)",
    ),
    _named(
        "nucnorm",
        "X: matrix(m, n) -> scalar",
        "tr(polar(X)'*d(X))",
        domain="any",
        assumes="of constant rank",
        nonsmooth="not differentiable where the rank changes; polar(X), a subgradient, is taken there",
        latex="\\lVert <X> \\rVert_*",
        numpy="np.linalg.norm({X}, 'nuc')",
        because="d‖P‖⁎ = tr(Wᵀ dP), W = polar(P)",
        proof=(
            "nucnorm(X) = tr(polar(X)'*X) | P = U S Vᵀ, W = U Vᵀ: Wᵀ P = V S Vᵀ",
            "tr(d(polar(X))'*X) = 0 | W is largest in this product among all of its kind",
            "d(nucnorm(X)) = tr(polar(X)'*d(X)) | product rule",
        ),
        about="The nuclear norm: the sum of the singular values.",
        source="Watson, Characterization of the subdifferential of some matrix norms (1992)",
        example="nucnorm(X)",
    ),
    _named(
        "polar",
        "X: matrix(m, n) -> matrix(m, n)",
        "polar(X)*sylvester(polar(X)'*X + eye(n) - polar(X)'*polar(X),"
        " polar(X)'*X + eye(n) - polar(X)'*polar(X),"
        " polar(X)'*d(X)*polar(X)'*polar(X) - polar(X)'*polar(X)*d(X)'*polar(X))"
        " + (eye(m) - polar(X)*polar(X)')*d(X)*pinv(X)*polar(X)"
        " + polar(X)*pinv(X)*d(X)*(eye(n) - polar(X)'*polar(X))",
        domain="any",
        assumes="of constant rank",
        nonsmooth="not continuous where the rank changes",
        latex="",
        numpy="support.polar({X})",
        because="W = polar(P): W Wᵀ P = P, Wᵀ P = Pᵀ W",
        proof=(
            "polar(X)'*X = X'*polar(X) | P = U S Vᵀ, W = U Vᵀ: both are H = V S Vᵀ",
            "polar(X)*polar(X)'*polar(X) = polar(X) | Uᵀ U = I, Vᵀ V = I",
            "(eye(m) - polar(X)*polar(X)')*d(polar(X)) = (eye(m) - polar(X)*polar(X)')*d(X)*pinv(X)*polar(X)"
            " | (I - W Wᵀ) P = 0 and P⁺ W = H⁺",
            "d(polar(X))*(eye(n) - polar(X)'*polar(X)) = polar(X)*pinv(X)*d(X)*(eye(n) - polar(X)'*polar(X))"
            " | the same for Pᵀ",
            "polar(X)'*polar(X)*(polar(X)'*X*d(polar(X))'*polar(X) + d(polar(X))'*polar(X)*polar(X)'*X)"
            "*polar(X)'*polar(X) = polar(X)'*polar(X)*d(X)'*polar(X) - polar(X)'*d(X)*polar(X)'*polar(X)"
            " | d(Wᵀ P) = d(Pᵀ W); Wᵀ dW is skew within the row space",
            "d(polar(X)) = polar(X)*sylvester(polar(X)'*X + eye(n) - polar(X)'*polar(X),"
            " polar(X)'*X + eye(n) - polar(X)'*polar(X),"
            " polar(X)'*d(X)*polar(X)'*polar(X) - polar(X)'*polar(X)*d(X)'*polar(X))"
            " + (eye(m) - polar(X)*polar(X)')*d(X)*pinv(X)*polar(X)"
            " + polar(X)*pinv(X)*d(X)*(eye(n) - polar(X)'*polar(X)) | the three parts together",
        ),
        about="The polar factor U V' of the singular value decomposition X = U S V', of its positive singular values.",
        source=f"{_HIGHAM}, ch. 8; Kenney & Laub (1991)",
        example="tr(A'*polar(X))",
    ),
    _named(
        "pinv",
        "X: matrix(m, n) -> matrix(n, m)",
        "-pinv(X)*d(X)*pinv(X) + pinv(X)*pinv(X)'*d(X)'*(eye(m) - X*pinv(X))"
        " + (eye(n) - pinv(X)*X)*d(X)'*pinv(X)'*pinv(X)",
        domain="any",
        assumes="of constant rank",
        nonsmooth="not continuous where the rank changes",
        latex="<X^>^+",
        numpy="support.pinv({X})",
        because="d(P⁺) = -P⁺ dP P⁺ + P⁺ P⁺ᵀ dPᵀ (I - P P⁺) + (I - P⁺ P) dPᵀ P⁺ᵀ P⁺",
        proof=(
            "pinv(X)*X*pinv(X) = pinv(X) | definition",
            "d(pinv(X)) = d(pinv(X)*X)*pinv(X) + pinv(X)*d(X*pinv(X)) - pinv(X)*d(X)*pinv(X) | product rule",
            "d(X*pinv(X)) = (eye(m) - X*pinv(X))*d(X)*pinv(X) + pinv(X)'*d(X)'*(eye(m) - X*pinv(X))"
            " | a projection on the column space",
            "d(pinv(X)*X) = pinv(X)*d(X)*(eye(n) - pinv(X)*X) + (eye(n) - pinv(X)*X)*d(X)'*pinv(X)'"
            " | a projection on the row space",
            "d(pinv(X)) = -pinv(X)*d(X)*pinv(X) + pinv(X)*pinv(X)'*d(X)'*(eye(m) - X*pinv(X))"
            " + (eye(n) - pinv(X)*X)*d(X)'*pinv(X)'*pinv(X) | P P⁺ P = P, P⁺ P P⁺ = P⁺",
        ),
        about="The Moore-Penrose inverse.",
        source="Golub & Pereyra (1973), th. 4.3; Magnus & Neudecker, ch. 8, sec. 5",
        example="tr(A*pinv(X))",
    ),
    _named(
        "adj",
        _SQUARE,
        "det(X)*(tr(inv(X)*d(X))*inv(X) - inv(X)*d(X)*inv(X))",
        domain="invertible",
        assumes="invertible",
        nonsmooth=_SMOOTH,
        latex="",
        numpy="support.adj({X})",
        because="d adj(P) = det(P) (tr(P⁻¹ dP) P⁻¹ - P⁻¹ dP P⁻¹)",
        proof=(
            "adj(X) = det(X)*inv(X) | where X is invertible",
            "d(adj(X)) = d(det(X))*inv(X) + det(X)*d(inv(X)) | product rule",
            "d(adj(X)) = det(X)*(tr(inv(X)*d(X))*inv(X) - inv(X)*d(X)*inv(X))"
            " | d det(P) = det(P) tr(P⁻¹ dP), d(P⁻¹) = -P⁻¹ dP P⁻¹",
        ),
        about="The adjugate, the transposed matrix of cofactors: det(X) inv(X) where X is invertible.",
        source=f"{_MAGNUS}, ch. 8, sec. 6",
        example="tr(A*adj(X))",
    ),
    _named(
        "chol",
        "X: spd(n) -> matrix(n, n)",
        "chol(X)*(tril(inv(chol(X))*(d(X) + d(X)')*inv(chol(X))') - dg(inv(chol(X))*d(X)*inv(chol(X))'))/2",
        domain="spd",
        assumes="",
        nonsmooth=_SMOOTH,
        latex="",
        numpy="support.chol({X})",
        because="L⁻¹ dL is the lower half of L⁻¹ dP L⁻ᵀ, P = L Lᵀ",
        proof=(
            "chol(X)*chol(X)' = (X + X')/2 | definition",
            "d(chol(X))*chol(X)' + chol(X)*d(chol(X))' = (d(X) + d(X)')/2 | product rule",
            "inv(chol(X))*d(chol(X)) + (inv(chol(X))*d(chol(X)))' = inv(chol(X))*(d(X) + d(X)')*inv(chol(X))'/2"
            " | multiply by L⁻¹ and L⁻ᵀ",
            "inv(chol(X))*d(chol(X)) = (tril(inv(chol(X))*(d(X) + d(X)')*inv(chol(X))')"
            " - dg(inv(chol(X))*d(X)*inv(chol(X))'))/2 | a lower triangular matrix and its transpose:"
            " the lower half, of the diagonal one half",
            "d(chol(X)) = chol(X)*(tril(inv(chol(X))*(d(X) + d(X)')*inv(chol(X))')"
            " - dg(inv(chol(X))*d(X)*inv(chol(X))'))/2 | multiply by L",
        ),
        about="The lower Cholesky factor L of X = L L', of (X + X')/2 if X is not symmetric.",
        source="Murray, Differentiation of the Cholesky decomposition (2016)",
        example="sum(chol(X))",
    ),
)

_ARRANGED = (
    _linear(
        "dg",
        _SQUARE,
        "",
        "np.diag(np.diag({X}))",
        "X with its entries off the diagonal set to zero.",
        f"{_MAGNUS}, ch. 1, sec. 2",
        "tr(A*dg(X))",
    ),
    _linear(
        "tril",
        _SQUARE,
        "",
        "np.tril({X})",
        "The lower triangle of X, zeros elsewhere.",
        _CALCULUS,
        "tr(A*tril(X))",
    ),
    _linear(
        "triu",
        _SQUARE,
        "",
        "np.triu({X})",
        "The upper triangle of X, zeros elsewhere.",
        _CALCULUS,
        "tr(A*triu(X))",
    ),
    _linear(
        "vec",
        "X: matrix(m, n) -> vector(m*n)",
        "",
        "{X}.T.reshape(-1)",
        "The columns of X, one below the other.",
        f"{_MAGNUS}, ch. 2, sec. 4",
        "a'*vec(X)",
    ),
    _linear(
        "unvec",
        "a: vector(m*n), m: size, n: size -> matrix(m, n)",
        "\\operatorname{unvec}_{<m>,<n>}(<a>)",
        "{a}.reshape({n}, {m}).T",
        "The m x n matrix A with vec(A) = a: the columns of A stand one below the other in a.",
        f"{_MAGNUS}, ch. 2, sec. 4",
        "tr(B*unvec(x, m, n))",
    ),
    _linear(
        "vech",
        "X: matrix(n, n) -> vector(n*(n + 1)/2)",
        "",
        "{X}.T[np.triu_indices(len({X}))]",
        "The columns of the lower triangle of X, one below the other.",
        f"{_MAGNUS}, ch. 3, sec. 8",
        "sum(vech(X))",
    ),
    _named(
        "kron",
        "X: matrix(m, n), Y: matrix(p, q) -> matrix(m*p, n*q)",
        "kron(d(X), Y) + kron(X, d(Y))",
        domain="any",
        assumes="",
        nonsmooth=_SMOOTH,
        latex="<X^> \\otimes <Y^>",
        numpy="np.kron({X}, {Y})",
        because="d(P ⊗ Q) = dP ⊗ Q + P ⊗ dQ",
        proof=(
            "kron(X + d(X), Y + d(Y)) - kron(X, Y) - kron(d(X), d(Y)) = kron(d(X), Y) + kron(X, d(Y))"
            " | expand; the last term is of second order",
        ),
        about="The Kronecker product.",
        source=f"{_MAGNUS}, ch. 2, sec. 2 and ch. 8, eq. (13)",
        example="sum(kron(X, Y))",
    ),
)


class Constant(NamedTuple):
    """A constant matrix whose sizes stand in the brackets after its name. No field has a default."""

    op: str  # what it is called inside expressions
    name: str  # before the bracket
    signatures: tuple[str, ...]  # one for each number of sizes
    latex: str
    numpy: str  # with {m}, {n} for the code of the sizes, {shape} for that of the shape
    about: str
    source: str


CONSTANTS: dict[str, Constant] = {
    c.name: c
    for c in (
        Constant(
            op="eye",
            name="eye",
            signatures=("n: size -> matrix(n, n)",),
            latex="I",
            numpy="np.eye({n})",
            about="The identity matrix.",
            source=_CALCULUS,
        ),
        Constant(
            op="ones",
            name="ones",
            signatures=("n: size -> vector(n)", "m: size, n: size -> matrix(m, n)"),
            latex="\\mathbf{1}",
            numpy="np.ones({shape})",
            about="Ones everywhere.",
            source=_CALCULUS,
        ),
        Constant(
            op="zeros",
            name="zeros",
            signatures=("n: size -> vector(n)", "m: size, n: size -> matrix(m, n)"),
            latex="0",
            numpy="np.zeros({shape})",
            about="Zeros everywhere.",
            source=_CALCULUS,
        ),
        Constant(
            op="commutation",
            name="K",
            signatures=("m: size, n: size -> matrix(m*n, m*n)",),
            latex="K_{<m>,<n>}",
            numpy="support.commutation({m}, {n})",
            about="The commutation matrix: vec(X') = K(m, n)*vec(X) for every X with m rows and n columns.",
            source=f"{_MAGNUS}, ch. 3, sec. 7",
        ),
        Constant(
            op="duplication",
            name="D",
            signatures=("n: size -> matrix(n*n, n*(n + 1)/2)",),
            latex="D_{<n>}",
            numpy="support.duplication({n})",
            about="The duplication matrix: vec(S) = D(n)*vech(S) for every symmetric S with n rows.",
            source=f"{_MAGNUS}, ch. 3, sec. 8",
        ),
        Constant(
            op="elimination",
            name="L",
            signatures=("n: size -> matrix(n*(n + 1)/2, n*n)",),
            latex="L_{<n>}",
            numpy="support.elimination({n})",
            about="The elimination matrix: vech(X) = L(n)*vec(X) for every X with n rows and columns.",
            source="Magnus & Neudecker, The elimination matrix (1980)",
        ),
    )
}

TABLE: dict[str, Function] = {
    f.op: f
    for f in (
        *_OPERATORS,
        *_MATRIX,
        *_ELEMENTWISE,
        *_MORE_ELEMENTWISE,
        *_VECTOR_FUNCTIONS,
        *(f for pair in zip(*map(_directed, _WAYS), strict=True) for f in pair),
        *_SPECTRAL,
        *_MATRIX_FUNCTIONS,
        *_ARRANGED,
    )
}

BY_NAME: dict[str, tuple[Function, ...]] = {}
for _function in TABLE.values():
    for _name in _function.names:
        BY_NAME[_name] = (*BY_NAME.get(_name, ()), _function)

# Names for an operator: `dot(x, y)` is `x·y`. The values are kinds of syntax nodes.
OPERATOR_NAMES = {
    "dot": "inner",
    "inner": "inner",
    "solve": "solve",
    "kron": "kronecker",
    "outer": "outer",
    "square": "square",
    "transpose": "transpose",
}

# Functions of one matrix that take a direction as second argument, `softmax(X, 2)`; those in the second list mean
# nothing for a matrix without it.
DIRECTIONS = frozenset(op.partition(":")[0] for op in TABLE if op.endswith((":1", ":2")))
NEED_DIRECTION = frozenset(
    name for name in DIRECTIONS if all("array" not in f.signature for f in BY_NAME[name])
)

# Functions whose last arguments are sizes, as in `unvec(a, m, n)`, and how many arguments stand before those.
SIZED_FUNCTIONS = {
    name: f.signature.count(":") - f.signature.count(": size")
    for f in TABLE.values()
    if ": size" in f.signature
    for name in f.names
}

# The size of a value: rows, columns, entries of a vector.
SIZES = ("len", "rows", "cols")

# Names with a meaning of their own before a bracket, beside the functions of the table: CONSTANTS, and arrays that
# have the same scalar everywhere.
FILLED = ("vector", "matrix")  # every entry is the scalar

FUNCTION_NAMES = frozenset(BY_NAME) | frozenset(OPERATOR_NAMES)
