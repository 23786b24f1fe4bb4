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
    domain: str  # which random arguments are fair: any | positive | nonzero | unit | above_one | invertible | spd
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
    ),
    elementwise(
        "log1p",
        "1./(1 + x)",
        "positive",
        "\\operatorname{log1p}(<x>)",
        "np.log1p({x})",
        ("log1p(x) = log(1 + x) | definition", "d(log1p(x)) = (1./(1 + x)).*d(x) | chain rule"),
        "log(1 + x) of each entry, accurate for small x.",
    ),
    elementwise(
        "expm1",
        "exp(x)",
        "any",
        "\\operatorname{expm1}(<x>)",
        "np.expm1({x})",
        ("expm1(x) = exp(x) - 1 | definition", "d(expm1(x)) = exp(x).*d(x) | d exp(t) = exp(t) dt"),
        "exp(x) - 1 of each entry, accurate for small x.",
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
        "The positive part of each entry; its derivative at 0 is taken as 0.",
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
    ),
    elementwise(
        "erfc",
        "-2/sqrt(pi)*exp(-x.^2)",
        "any",
        "\\operatorname{erfc}(<x>)",
        "special.erfc({x})",
        ("erfc(x) = 1 - erf(x) | definition", "d(erfc(x)) = -d(erf(x)) | differentiate"),
        "1 - erf(x) of each entry.",
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
    ),
    elementwise(
        "lgamma",
        "digamma(x)",
        "positive",
        "\\ln\\Gamma(<x>)",
        "special.gammaln({x})",
        ("d(lgamma(x)) = digamma(x).*d(x) | definition of the digamma function",),
        "The logarithm of the gamma function of each entry.",
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
    ),
)


def _plain(
    op: str,
    signature: str,
    numpy: str,
    about: str,
    latex: str,
    source: str,
    example: str,
    *,
    names: tuple[str, ...] | None = None,
    differential: str = "",
    domain: str = "any",
    because: str = "",
    proof: tuple[str, ...] = (),
    plain: str = "",
) -> Function:
    """A function written `op(arguments)`; an empty differential says that matgrad has none yet."""
    arguments = re.findall(r"(\w+):", signature.partition("->")[0])
    name = op.partition(":")[0]
    text = plain or _call(name, *arguments)
    return Function(
        op=op,
        names=(name,) if names is None else names,
        signature=signature,
        differential=differential,
        domain=domain,
        assumes="",
        level="atom",
        plain=text,
        unicode=text,
        latex=latex or f"\\operatorname{{{name}}}({', '.join(f'<{a}>' for a in arguments)})",
        numpy=numpy,
        because=because or f"d {name}",
        proof=proof,
        about=about,
        source=source,
        example=example,
    )


_CALCULUS = "definition"
_HIGHAM = "Higham, Functions of Matrices (2008)"

_VECTOR_FUNCTIONS = (
    _plain(
        "polygamma",
        "k: whole, x: array -> array",
        "special.polygamma(int({k}), {x})",
        "The k-th derivative of the digamma function, of each entry.",
        "\\psi^{(<k>)}(<x>)",
        "DLMF 5.15",
        "sum(polygamma(1, x))",
        domain="positive",
        differential="polygamma(k + 1, x).*d(x)",
        because="d ψ⁽ᵏ⁾(t) = ψ⁽ᵏ⁺¹⁾(t) dt",
        proof=("d(polygamma(k, x)) = polygamma(k + 1, x).*d(x) | definition",),
    ),
    _plain(
        "max:pair",
        "x: array, y: array -> array",
        "np.maximum({x}, {y})",
        "The larger of two, entry by entry.",
        "\\max(<x>, <y>)",
        _CALCULUS,
        "sum(max(x, y))",
        names=(),
        plain="max(<x>, <y>)",
        differential="(1 + sign(x - y))/2.*d(x) + (1 - sign(x - y))/2.*d(y)",
        because="d max(s, t) is ds or dt",
        proof=(
            "max(x, y) = (x + y + abs(x - y))/2 | definition",
            "d(max(x, y)) = (1 + sign(x - y))/2.*d(x) + (1 - sign(x - y))/2.*d(y) | d|t| = sign(t) dt",
        ),
    ),
    _plain(
        "min:pair",
        "x: array, y: array -> array",
        "np.minimum({x}, {y})",
        "The smaller of two, entry by entry.",
        "\\min(<x>, <y>)",
        _CALCULUS,
        "sum(min(x, y))",
        names=(),
        plain="min(<x>, <y>)",
        differential="(1 - sign(x - y))/2.*d(x) + (1 + sign(x - y))/2.*d(y)",
        because="d min(s, t) is ds or dt",
        proof=(
            "min(x, y) = (x + y - abs(x - y))/2 | definition",
            "d(min(x, y)) = (1 - sign(x - y))/2.*d(x) + (1 + sign(x - y))/2.*d(y) | d|t| = sign(t) dt",
        ),
    ),
    _plain(
        "logsumexp",
        "x: vector(n) -> scalar",
        "np.logaddexp.reduce({x})",
        "log(sum(exp(x))), without overflow.",
        "",
        _CALCULUS,
        "logsumexp(A*x)",
        differential="softmax(x)'*d(x)",
        because="d logsumexp(p) = softmax(p)ᵀ dp",
        proof=(
            "logsumexp(x) = log(sum(exp(x))) | definition",
            "d(logsumexp(x)) = sum(exp(x).*d(x))/sum(exp(x)) | chain rule",
            "d(logsumexp(x)) = softmax(x)'*d(x) | softmax(p) = exp(p)/sum(exp(p))",
        ),
    ),
    _plain(
        "softmax",
        "x: vector(n) -> vector(n)",
        "np.exp({x} - np.logaddexp.reduce({x}))",
        "exp(x)/sum(exp(x)).",
        "",
        _CALCULUS,
        "y'*softmax(x)",
        differential="softmax(x).*d(x) - softmax(x)*(softmax(x)'*d(x))",
        because="d softmax(p) = s ∘ dp - s sᵀ dp, s = softmax(p)",
        proof=(
            "softmax(x) = exp(x)/sum(exp(x)) | definition",
            "d(softmax(x)) = softmax(x).*d(x) - softmax(x)*(softmax(x)'*d(x)) | quotient rule",
        ),
    ),
    _plain(
        "logsoftmax",
        "x: vector(n) -> vector(n)",
        "{x} - np.logaddexp.reduce({x})",
        "x - logsumexp(x).",
        "",
        _CALCULUS,
        "y'*logsoftmax(x)",
        differential="d(x) - ones(n)*(softmax(x)'*d(x))",
        because="d logsoftmax(p) = dp - 1 softmax(p)ᵀ dp",
        proof=(
            "logsoftmax(x) = x - logsumexp(x) | definition",
            "d(logsoftmax(x)) = d(x) - ones(n)*(softmax(x)'*d(x)) | d logsumexp(p) = softmax(p)ᵀ dp",
        ),
    ),
    _plain(
        "prod",
        "x: vector(n) -> scalar",
        "np.prod({x})",
        "The product of the entries.",
        "",
        _CALCULUS,
        "prod(x)",
        domain="nonzero",
        differential="prod(x)*(1./x)'*d(x)",
        because="d prod(p) = prod(p) (1 ⊘ p)ᵀ dp",
        proof=("d(prod(x)) = prod(x)*(1./x)'*d(x) | product rule, each factor once",),
    ),
    _plain(
        "norm1",
        "x: array -> scalar",
        "np.sum(np.abs({x}))",
        "The sum of the absolute values of the entries.",
        "\\lVert <x> \\rVert_1",
        _CALCULUS,
        "norm1(x)",
        domain="nonzero",
        differential="sum(sign(x).*d(x))",
        because="d‖p‖₁ = sum(sign(p) ∘ dp)",
        proof=(
            "norm1(x) = sum(abs(x)) | definition",
            "d(norm1(x)) = sum(sign(x).*d(x)) | d|t| = sign(t) dt",
        ),
    ),
    _plain(
        "norminf",
        "x: array -> scalar",
        "np.max(np.abs({x}))",
        "The largest absolute value of the entries.",
        "\\lVert <x> \\rVert_\\infty",
        _CALCULUS,
        "norminf(x)",
    ),
    _plain(
        "max",
        "x: array -> scalar",
        "np.max({x})",
        "The largest entry.",
        "\\max(<x>)",
        _CALCULUS,
        "max(x)",
    ),
    _plain(
        "min",
        "x: array -> scalar",
        "np.min({x})",
        "The smallest entry.",
        "\\min(<x>)",
        _CALCULUS,
        "min(x)",
    ),
    _plain(
        "mean",
        "x: array -> scalar",
        "np.mean({x})",
        "The mean of the entries.",
        "",
        _CALCULUS,
        "mean(x)",
        differential="mean(d(x))",
        because="d mean(p) = mean(dp)",
        proof=("mean(x + d(x)) - mean(x) = mean(d(x)) | the mean is linear",),
    ),
    _plain(
        "cumsum",
        "x: vector(n) -> vector(n)",
        "np.cumsum({x})",
        "The sums of the first 1, 2, ... entries.",
        "",
        _CALCULUS,
        "y'*cumsum(x)",
    ),
    _plain(
        "cross",
        "x: vector(3), y: vector(3) -> vector(3)",
        "np.cross({x}, {y})",
        "The cross product of two vectors of three entries.",
        "<x> \\times <y>",
        _CALCULUS,
        "a'*cross(x, y)",
    ),
    _plain(
        "rowsum",
        "X: matrix(m, n) -> vector(m)",
        "np.sum({X}, axis=1)",
        "The sums of the rows, a column.",
        "",
        _CALCULUS,
        "a'*rowsum(X)",
    ),
    _plain(
        "colsum",
        "X: matrix(m, n) -> row(n)",
        "np.sum({X}, axis=0)",
        "The sums of the columns, a row.",
        "",
        _CALCULUS,
        "colsum(X)*b",
    ),
)


def _directed(name: str, result: str, numpy: str, about: str) -> tuple[Function, Function]:
    """The two forms of a function along the columns (1) or the rows (2) of a matrix."""
    ways = []
    for way, axis, line, words in (
        (1, 0, "row(n)", "down the columns"),
        (2, 1, "vector(m)", "along the rows"),
    ):
        shape = "matrix(m, n)" if result == "matrix" else line
        ways.append(
            _plain(
                f"{name}:{way}",
                f"X: matrix(m, n) -> {shape}",
                numpy.replace("AXIS", str(axis)),
                f"{about} {words}.",
                f"\\operatorname{{{name}}}(<X>, {way})",
                _CALCULUS,
                f"sum({name}(X, {way}))",
                names=(),
                plain=f"{name}(<X>, {way})",
            )
        )
    return ways[0], ways[1]


_DIRECTED = (
    *_directed(
        "softmax",
        "matrix",
        "np.exp({X} - np.logaddexp.reduce({X}, axis=AXIS, keepdims=True))",
        "The softmax",
    ),
    *_directed(
        "logsoftmax",
        "matrix",
        "{X} - np.logaddexp.reduce({X}, axis=AXIS, keepdims=True)",
        "The logarithm of the softmax",
    ),
    *_directed(
        "logsumexp",
        "line",
        "np.logaddexp.reduce({X}, axis=AXIS)",
        "The logarithm of the sum of exponentials",
    ),
    *_directed("cumsum", "matrix", "np.cumsum({X}, axis=AXIS)", "The running sums"),
    *_directed("prod", "line", "np.prod({X}, axis=AXIS)", "The products"),
    *_directed("mean", "line", "np.mean({X}, axis=AXIS)", "The means"),
    *_directed("max", "line", "np.max({X}, axis=AXIS)", "The largest entries"),
    *_directed("min", "line", "np.min({X}, axis=AXIS)", "The smallest entries"),
)

_SQUARE = "X: matrix(n, n) -> matrix(n, n)"

_MATRIX_FUNCTIONS = (
    _plain(
        "nucnorm",
        "X: matrix(m, n) -> scalar",
        "np.linalg.norm({X}, 'nuc')",
        "The nuclear norm: the sum of the singular values.",
        "\\lVert <X> \\rVert_*",
        _HIGHAM,
        "nucnorm(X)",
    ),
    _plain(
        "specnorm",
        "X: matrix(m, n) -> scalar",
        "np.linalg.norm({X}, 2)",
        "The spectral norm: the largest singular value.",
        "\\lVert <X> \\rVert_2",
        _HIGHAM,
        "specnorm(X)",
    ),
    _plain(
        "eigmax",
        "X: symmetric(n) -> scalar",
        "np.linalg.eigvalsh({X})[-1]",
        "The largest eigenvalue of a symmetric matrix.",
        "\\lambda_{\\max}(<X>)",
        "Magnus & Neudecker, ch. 8, sec. 9",
        "eigmax(X)",
        domain="spd",
    ),
    _plain(
        "eigmin",
        "X: symmetric(n) -> scalar",
        "np.linalg.eigvalsh({X})[0]",
        "The smallest eigenvalue of a symmetric matrix.",
        "\\lambda_{\\min}(<X>)",
        "Magnus & Neudecker, ch. 8, sec. 9",
        "eigmin(X)",
        domain="spd",
    ),
    _plain(
        "pinv",
        "X: matrix(m, n) -> matrix(n, m)",
        "np.linalg.pinv({X})",
        "The Moore-Penrose inverse.",
        "<X>^+",
        "Golub & Pereyra (1973)",
        "tr(A*pinv(X))",
    ),
    _plain(
        "adj",
        _SQUARE,
        "np.linalg.det({X})*np.linalg.inv({X})",
        "The adjugate: det(X) inv(X) where X is invertible.",
        "",
        "Magnus & Neudecker, ch. 8, sec. 5",
        "tr(A*adj(X))",
        domain="invertible",
    ),
    _plain(
        "expm",
        _SQUARE,
        "linalg.expm({X})",
        "The matrix exponential.",
        "e^{<X>}",
        _HIGHAM,
        "tr(expm(X))",
    ),
    _plain(
        "logm",
        _SQUARE,
        "np.real(linalg.logm({X}))",
        "The principal matrix logarithm.",
        "",
        _HIGHAM,
        "tr(logm(X))",
        domain="spd",
    ),
    _plain(
        "sqrtm",
        _SQUARE,
        "np.real(linalg.sqrtm({X}))",
        "The principal matrix square root.",
        "<X^>^{1/2}",
        _HIGHAM,
        "tr(sqrtm(X))",
        domain="spd",
    ),
    _plain("sinm", _SQUARE, "linalg.sinm({X})", "The matrix sine.", "", _HIGHAM, "tr(sinm(X))"),
    _plain("cosm", _SQUARE, "linalg.cosm({X})", "The matrix cosine.", "", _HIGHAM, "tr(cosm(X))"),
    _plain(
        "chol",
        "X: spd(n) -> matrix(n, n)",
        "np.linalg.cholesky({X})",
        "The lower Cholesky factor L of X = L L'.",
        "",
        "Murray (2016)",
        "sum(chol(X))",
        domain="spd",
    ),
    _plain(
        "dg",
        _SQUARE,
        "np.diag(np.diag({X}))",
        "X with its entries off the diagonal set to zero.",
        "",
        _CALCULUS,
        "tr(A*dg(X))",
    ),
    _plain(
        "tril",
        _SQUARE,
        "np.tril({X})",
        "The lower triangle of X, zeros elsewhere.",
        "",
        _CALCULUS,
        "sum(tril(X))",
    ),
    _plain(
        "triu",
        _SQUARE,
        "np.triu({X})",
        "The upper triangle of X, zeros elsewhere.",
        "",
        _CALCULUS,
        "sum(triu(X))",
    ),
    _plain(
        "vec",
        "X: matrix(m, n) -> vector(m*n)",
        "{X}.T.reshape(-1)",
        "The columns of X, one below the other.",
        "",
        "Magnus & Neudecker, ch. 2, sec. 4",
        "a'*vec(X)",
    ),
    _plain(
        "vech",
        "X: matrix(n, n) -> vector(n*(n + 1)/2)",
        "{X}.T[np.triu_indices(len({X}))]",
        "The columns of the lower triangle of X, one below the other.",
        "",
        "Magnus & Neudecker, ch. 3, sec. 8",
        "sum(vech(X))",
    ),
    _plain(
        "kron",
        "X: matrix(m, n), Y: matrix(p, q) -> matrix(m*p, n*q)",
        "np.kron({X}, {Y})",
        "The Kronecker product.",
        "<X^> \\otimes <Y^>",
        "Magnus & Neudecker, ch. 2, sec. 2",
        "sum(kron(X, Y))",
    ),
)

TABLE: dict[str, Function] = {
    f.op: f
    for f in (
        *_OPERATORS,
        *_MATRIX,
        *_ELEMENTWISE,
        *_MORE_ELEMENTWISE,
        *_VECTOR_FUNCTIONS,
        *_DIRECTED,
        *_MATRIX_FUNCTIONS,
    )
}

BY_NAME: dict[str, tuple[Function, ...]] = {}
for _function in TABLE.values():
    for _name in _function.names:
        BY_NAME[_name] = (*BY_NAME.get(_name, ()), _function)

# Names for an operator: `dot(x, y)` is `x·y`. The values are kinds of syntax nodes.
OPERATOR_NAMES = {
    "dot": "dot",
    "inner": "dot",
    "solve": "solve",
    "kron": "kronecker",
    "outer": "outer",
    "square": "square",
    "transpose": "transpose",
}

# Functions of one matrix that take a direction as second argument, `softmax(X, 2)`; those in the second list mean
# nothing for a matrix without it.
DIRECTIONS = frozenset(op.partition(":")[0] for op in TABLE if op.endswith((":1", ":2")))
NEED_DIRECTION = DIRECTIONS - {"max", "min", "mean"}

# The size of a value: rows, columns, entries of a vector.
SIZES = ("len", "rows", "cols")

# Names with a meaning of their own before a bracket, beside the functions of the table: sized constants.
SIZED_CONSTANTS = ("eye", "ones", "zeros")
FILLED = ("vector", "matrix")  # every entry is the scalar

FUNCTION_NAMES = frozenset(BY_NAME) | frozenset(OPERATOR_NAMES)
