"""LaTeX as people paste it: what it is read as, where each character came from, and what is refused."""

from __future__ import annotations

import random
import time

import pytest

from matgrad.errors import SyntaxProblem
from matgrad.latex_input import is_latex, original_span, translate
from matgrad.parse import parse

READ = [
    # traces, determinants, quadratic forms
    (r"\operatorname{tr}(X B X^\top)", "tr(X B X')"),
    (r"\operatorname{tr}\left(A\right)", "tr(A)"),
    (r"\operatorname*{tr}(X)", "tr(X)"),
    (r"\operatorname{Tr}\,(X)", "tr(X)"),
    (r"\Tr[AXBX^{\mathsf T}]", "tr(A X B X')"),
    (r"\operatorname{tr}\{X^{-1}A\}", "tr(X^-1 A)"),
    (r"\mathrm{tr}(AX^{-T}B)", "tr(A X^-T B)"),
    (r"\text{tr}\big(A X^{-\top}\big)", "tr(A X^-T)"),
    (r"{\rm tr}(X)", "tr(X)"),
    (r"\mathop{\mathrm{tr}} X", "tr X"),
    (r"tr(A^{\mathsf{T}}B)", "tr(A' B)"),
    (r"\operatorname{log\,det}(X)", "logdet(X)"),
    (r"\ln\det X", "ln det X"),
    (r"\log\det(A+BB^T)", "log det(A+B B')"),
    (r"log\det X", "log det X"),
    (r"\ln|X|", "ln |X|"),
    (r"\left|X\right|", "|X|"),
    (r"\lvert A\rvert\lvert B\rvert", "|A| |B|"),
    (r"|A||B|\alpha", "|A| |B| α"),
    (r"\mid X \mid", "|X|"),
    (r"-\log\det\Sigma-\operatorname{tr}(\Sigma^{-1}S)", "-log det Σ-tr(Σ^-1 S)"),
    (r"-\frac{1}{2}\log\det(2\pi\Sigma)", "-(1/2) log det(2 π Σ)"),
    (r"\frac12 x^\top A x", "(1/2) x' A x"),
    (r"\frac{1}{2}x^TAx", "(1/2) x' A x"),
    (r"(x-\mu)^\top\Sigma^{-1}(x-\mu)", "(x-μ)' Σ^-1 (x-μ)"),
    (r"\frac{x^TAx}{x^Tx}", "(x' A x/(x' x))"),
    (
        r"\tfrac{1}{2}\mathbf{x}^{\mathsf{T}}\mathbf{Q}\mathbf{x}+\mathbf{c}^{\mathsf{T}}\mathbf{x}",
        "(1/2) x' Q x+c' x",
    ),
    (r"X(X^TX)^{-1}X^T", "X (X' X)^-1 X'"),
    # norms
    (r"\|Ax-b\|_2^2", "‖A x-b‖_2^2"),
    (r"\|Ax-b\|^2_2", "‖A x-b‖_2^2"),
    (r"\frac1n\|Xw-y\|^2", "(1/n) ‖X w-y‖^2"),
    (r"\left\|Ax-b\right\|_2^2 + \lambda\|x\|_1", "‖A x-b‖_2^2 + λ ‖x‖_1"),
    (r"\lVert X - UV^\top \rVert_F^2", "‖X - U V'‖_F^2"),
    (r"\bigl\|Ax\bigr\|_{2}", "‖A x‖_2"),
    (r"\|X\|_{\mathrm F}^2", "‖X‖_F^2"),
    (r"\|X\|_*", "‖X‖_*"),
    (r"\|X\|_{*}", "‖X‖_*"),
    (r"\|x\|_\infty", "norminf(x)"),
    (r"\Vert x \Vert", "‖x‖"),
    (r"\norm{Ax-b}_2^2", "‖A x-b‖_2^2"),
    (r"\|x\|\|y\|", "‖x‖ ‖y‖"),
    (r"\left\|x\left\|y\right\|z\right\|", "‖x*‖y‖ z‖"),
    ("$||Ax-b||_2$", "‖A x-b‖_2"),
    # bold letters, ones, accents
    (r"\mathbf{x}^\top\mathbf{A}\mathbf{x}", "x' A x"),
    (r"\boldsymbol{\beta}^{\top} \bm X", "β' X"),
    (r"{\bf x}^T \mathbf y", "x' y"),
    (r"\vec{x}\cdot\vec{y}", "x · y"),
    (
        r"\mathbf{1}^\top\log(\mathbf{1}+\exp(-\mathbf{y}\odot\mathbf{X}\mathbf{w}))",
        "ones' log(ones+exp(-y .* (X w)))",
    ),
    (r"\mathbf{1}_n^T x", "ones(n)' x"),
    (r"\mathbf{1}_{m\times n}", "ones(m, n)"),
    (r"\mathbf{I}+X", "I+X"),
    (r"\mathbb{I} - \lambda I_n", "I - λ eye(n)"),
    (r"\hat{\beta}^T\bar x", "β_hat' x_bar"),
    (r"\tilde W_1", "W_tilde1"),
    # exponents
    (r"\alpha x^{n-1}", "α x^(n-1)"),
    ("$x^{2n}$", "x^(2 n)"),
    ("$x^{-2}$", "x^-2"),
    (r"x^\frac12", "x^(1/2)"),
    (r"X^{-1/2}\alpha", "X^(-1/2) α"),
    (r"X^{\circ 2}", "X.^2"),
    ("$e^{-x}$", "e^-x"),
    (r"x^{T}_{i}\alpha", "x_i' α"),
    (r"x^{\prime}Ax", "x' A x"),
    (r"x' A x \alpha", "x' A x α"),
    (r"x^\mathsf{T}y", "x' y"),
    (r"x^{\rm T}y", "x' y"),
    (r"x^{\scriptscriptstyle \top}y", "x' y"),
    (r"X^{-\intercal}", "X^-T"),
    (r"\alpha X^-T x^-1", "α X^-T x^-1"),
    (r"\sin^2 x + \cos^2\theta", "sin(x)^2 + cos(θ)^2"),
    (r"\sin^2\left(x+y\right)", "sin(x+y)^2"),
    # subscripts and entries
    (r"x_i\,x_{in}\,x_{ij}\,y_{1}", "x_i x_in x_ij y_1"),
    (r"W_{\text{in}}h_\alpha", "W_in h_alpha"),
    (r"\Sigma_k^{-1}", "Σ_k^-1"),
    (r"(AB)_{ij}\alpha", "(A B)[i,j] α"),
    (r"X[i,j]\alpha", "X[i, j] α"),
    (r"\lambda_{\max}(A)", "eigmax(A)"),
    # fractions and roots
    (r"\frac{\ln x}{x+1}", "((ln x)/(x+1))"),
    (r"\frac{\operatorname{tr}(X)}{n}", "(tr(X)/n)"),
    (r"\frac\alpha\beta", "(α/β)"),
    (r"\dfrac{a+b}{c}^2", "((a+b)/c)^2"),
    (r"\frac{1}{1+\exp(-x)}", "(1/(1+exp(-x)))"),
    (r"\frac{\frac{a}{b}}{c}", "((a/b)/c)"),
    (r"\sqrt{x^Tx}", "sqrt(x' x)"),
    (r"\sqrt x", "sqrt(x)"),
    (r"\sqrt2x", "sqrt(2) x"),
    (r"\sqrt{\sqrt{x}}", "sqrt(sqrt(x))"),
    (r"\sqrt[3]{x}^2", "((x)^(1/3))^2"),
    (r"\exp\left(-\frac{\|x-y\|^2}{2\sigma^2}\right)", "exp(-(‖x-y‖^2/(2 σ^2)))"),
    # products in print
    (r"A\otimes B", "A ⊗ B"),
    (r"A\circ B\oslash C", "A .* B ./ C"),
    (r"A \times B", "A * B"),
    (r"A\otimes BC+D", "A ⊗ (B C)+D"),
    (r"y\odot -Xw", "y .* (-X w)"),
    (r"\langle x, y\rangle", "dot(x, y)"),
    ("$abc$", "a b c"),
    (r"2\alpha x1", "2 α x1"),
    (r"1/2 x^\top A x", "1/2 x' A x"),
    (r"1/(2\sigma^2)\|x\|^2", "1/(2 σ^2) ‖x‖^2"),
    # functions and brackets
    (r"W_2\tanh(W_1x+b_1)+b_2", "W_2 tanh(W_1 x+b_1)+b_2"),
    (r"\sigma(Wx+b)", "σ(W x+b)"),
    (r"x(1-x)\alpha(x+y)", "x (1-x) α (x+y)"),
    (r"\operatorname{diag}\left(x\right)A", "diag(x) A"),
    (r"\operatorname{vec}(X)^\top", "vec(X)'"),
    (r"\vec(X)^\top", "vec(X)'"),
    (r"\left[A+B\right]^{-1}[C+D]", "(A+B)^-1 (C+D)"),
    (r"\left\{a+b\right\}c", "(a+b) c"),
    (r"\Bigl(a+b\Bigr)^{2}", "(a+b)^2"),
    (r"\log_2 x+\log_{10}(y)", "log2 x+log10(y)"),
    (r"\max{x,y}", "max(x, y)"),
    (r"\log\left(1+e^{-y\,w^{T}x}\right)", "log(1+e^(-y w' x))"),
    # braces
    (r"\ln{x}", "ln(x)"),
    (r"{a+b}^2\alpha", "(a+b)^2 α"),
    (r"\alpha{b+c}-{d+e}+{f+g}", "α (b+c)-(d+e)+f+g"),
    (r"{x}^2 {\alpha} {}", "x^2 α"),
    (r"{X^T}^{-1}\alpha", "(X')^-1 α"),
    # plain spellings among the commands
    (r"eye(n) + \alpha ones(n)", "eye(n) + α ones(n)"),
    (r"\mathrm{ones}^T\mathrm d", "ones' d"),
    (r"\mathrm{\mathbf{X}}\mathrm{\alpha}", "X α"),
    (r"x.^2\odot y''", "x.^2 .* y''"),
    (r"x^{\prime\prime}\alpha", "x'' α"),
    (r"X.T\alpha", "X.T α"),
    (r"\lbrack a+b\rbrack\big/c", "(a+b)/c"),
    (r"\left\langle x,y\right\rangle", "dot(x, y)"),
    (r"\abs{x}+\norm*{y}", "|x|+‖y‖"),
    (r"\mathbb{1}^T\mathbf 0", "ones' zeros"),
    (r"X[:,j]\alpha X[:]", "X[:, j] α X[:]"),
    (r"\log_e x", "log x"),
    # matrices, spaces, wrappings
    (r"\begin{bmatrix} a & b \\ c & d \end{bmatrix}", "[a, b; c, d]"),
    (r"\det\begin{pmatrix} a & b \\[2pt] c & d \\ \end{pmatrix}", "det [a, b; c, d]"),
    (r"A\begin{bmatrix}x\\y\end{bmatrix}", "A [x; y]"),
    (r"\begin{vmatrix} a & b \\ c & d\end{vmatrix}", "|[a, b; c, d]|"),
    (r"\left[\begin{matrix}a&b\end{matrix}\right]^T", "([a, b])'"),
    (r"a\,b\;c\:d\!x\quad y~z\ X", "a b c d x y z X"),
    ("$x^TAx$", "x' A x"),
    ("$$x^TAx.$$", "x' A x"),
    (r"\[ \ln|X| \].", "ln |X|"),
    (r"\( x^Tx \)", "x' x"),
    (r"\begin{equation*} x^Tx \end{equation*}", "x' x"),
    (r"\displaystyle\varepsilon+\vartheta+\ell", "ε+θ+l"),
    ("α\\odot β + Xᵀ x²", "α .* β + Xᵀ x²"),
]


@pytest.mark.parametrize(("latex", "plain"), READ, ids=[latex for latex, _ in READ])
def test_read_as(latex: str, plain: str) -> None:
    assert is_latex(latex) or "\\" not in latex
    result, origins = translate(latex)
    assert result == plain
    assert len(origins) == len(result) + 1
    assert origins[-1] == len(latex)
    parse(result)


@pytest.mark.parametrize(
    "text",
    [
        r"\ln x",
        r"\frac12",
        r"\|x\|",
        r"\left(x\right)",
        r"\alpha",
        r"2\,x",
        "$x$",
        r"\(x\)",
        r"A\mu",
        r"\vec{x}",
        r"\inv{X}",
    ],
)
def test_is_latex(text: str) -> None:
    assert is_latex(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x'A x",
        r"A\b",
        r"A\(B + C)",
        r"A\ b",
        r"A\inv(B)",
        r"A\vec(B)",
        r"A\norm(x)",
        r"A\lnx",
        "A\\",
        r"A\\b",
        "$",
        "x^{-1}",
        r"A\[x; y]",
    ],
)
def test_is_not_latex(text: str) -> None:
    assert not is_latex(text)


def test_declared_functions_are_called() -> None:
    assert translate(r"r(\alpha) + U(X) + r'(x)", {"r", "U"})[0] == "r(α) + U(X) + r'(x)"
    assert translate(r"\alpha r(x)")[0] == "α r (x)"


# What the marked part of the result came from.
ORIGINS = [
    (r"\alpha + \beta", "β", r"\beta"),
    (r"\alpha\beta", "α", r"\alpha"),
    (r"\operatorname{tr}(X)", "tr", "tr"),
    (r"\ln\det X", "det", r"\det"),
    (r"x_{in}^2", "x_in", "x_{in"),
    (r"x^{n-1} y", "n-1", "n-1"),
    (r"X^{-\top} Y", "^-T", r"^{-\top}"),
    (r"X^{\mathsf{T}} Y", "'", r"^{\mathsf{T}}"),
    (r"\frac{a+b}{c}", "a+b", "a+b"),
    (r"\|x\|^2_2 + y", "_2", "_2"),
    (r"\left\|x\right\| + y", "‖", r"\left\|"),
    (r"\left\|x\right\| + y", "x‖", r"x\right\|"),
    (r"Ax\,By", "B", "B"),
    (r"A\odot B", ".*", r"\odot"),
    (r"\mathbf{1}^T x", "ones", r"\mathbf{1}"),
    (r"\begin{bmatrix} a & b \end{bmatrix}", "b", "b"),
    (r"\begin{bmatrix} a & b \end{bmatrix}", "[", r"\begin{bmatrix}"),
    (r"$x + \mathbf{y}$", "y", "y"),
    (r"2.5\log10", "2.5", "2.5"),
]


@pytest.mark.parametrize(("latex", "part", "original"), ORIGINS)
def test_origins(latex: str, part: str, original: str) -> None:
    result, origins = translate(latex)
    at = result.index(part)
    start, end = original_span(latex, origins, at, at + len(part))
    assert latex[start:end] == original


def test_every_letter_comes_from_itself() -> None:
    latex = r"\operatorname{tr}(X_{in} B) + \frac{c}{d}\left[e + f\right]^{g} + x_1 y12"
    result, origins = translate(latex)
    for character, origin in zip(result, origins, strict=False):
        if character.isalnum():
            assert latex[origin] == character


def test_the_end_of_the_text() -> None:
    assert translate("") == ("", [0])
    assert original_span("", [0], 0, 1) == (0, 1)
    result, origins = translate(r"\alpha")
    assert original_span(r"\alpha", origins, len(result), len(result) + 1) == (6, 7)


# text, part of the message, the marked characters, part of the help
REFUSED = [
    (r"\opertorname{tr}(X)", "not a command", [r"\opertorname"], r"`\operatorname`"),
    (r"x + \lnx", "not a command", [r"\lnx"], r"`\ln x`"),
    (r"\detX", "not a command", [r"\detX"], r"`\det X`"),
    (r"A\b + \ln c", "not a command", [r"\b"], "A^{-1} b"),
    (r"\ln x \zzz", "not a command", [r"\zzz"], r"\operatorname"),
    (r"\ln x \?", "no command", [r"\?"], "leave it out"),
    (r"x^{2", "closing `}`", ["{", ""], "add `}`"),
    (r"\ln x}", "`}` closes nothing", ["}"], "leave it out"),
    (r"\ln x)", "`)` closes nothing", [")"], "leave it out"),
    (r"\ln(x", "closing `)`", ["(", ""], "add `)`"),
    (r"{(a}", "`}` does not close `(`", ["(", "}"], "`)`"),
    (r"({a)}", "`)` does not close `{`", ["{", ")"], "`}`"),
    (r"\frac{a}", "two arguments", [r"\frac{a}"], r"\frac{a}{b}"),
    (r"\frac", "two arguments", [r"\frac"], r"\frac{a}{b}"),
    (r"\frac1+2", "two arguments", [r"\frac1", "+"], r"\frac{a}{b}"),
    (r"\frac{a}{}+1", "two arguments", ["{", "}"], r"\frac{a}{b}"),
    (r"\frac{\ln}{2}", "two arguments", ["{", "}"], r"\frac{a}{b}"),
    (r"\sqrt+2", "needs an argument", [r"\sqrt", "+"], r"\sqrt{x}"),
    (r"\sqrt[a+b]{x}", "index of the root", [r"\sqrt["], "x^{1/3}"),
    (r"\left(A+B", r"closing `\right)`", [r"\left(", ""], r"\right)"),
    (r"\left(A+B)", r"does not close `\left(`", [r"\left(", ")"], r"\right)"),
    (r"A+B\right)", r"has no `\left`", [r"\right)"], r"`\left`"),
    (r"\left(A\right]", "does not close", [r"\left(", r"\right]"], r"\right)"),
    (r"\left. x", "no opening bracket", [r"\left."], r"\left("),
    (r"\bigl x", "no bracket", [r"\bigl"], "leave it out"),
    (r"\begin{bmatrix} a & b", r"\end{bmatrix}", [r"\begin{bmatrix}", ""], r"\end{bmatrix}"),
    (
        r"\begin{bmatrix} a \end{pmatrix}",
        "does not close",
        [r"\begin{bmatrix}", r"\end{pmatrix}"],
        r"\end{bmatrix}",
    ),
    (r"\begin{bmatrx} a\end{bmatrx}", "environment", [r"\begin{bmatrx}"], r"\begin{bmatrix}"),
    (r"\begin{array}{cc} a\end{array}", "environment", [r"\begin{array}"], r"\begin{bmatrix}"),
    (r"\begin x", "needs the name", [r"\begin"], r"\begin{bmatrix}"),
    (r"\end{bmatrix}", "closes nothing", [r"\end{bmatrix}"], "leave it out"),
    (r"\alpha & b", "outside a matrix", ["&"], r"\begin{bmatrix}"),
    (r"\alpha \\ b", "outside a matrix", [r"\\"], r"\begin{bmatrix}"),
    (r"\frac{\partial f}{\partial x}", r"`\partial`", [r"\partial"], "--wrt"),
    (r"\nabla f", r"`\nabla`", [r"\nabla"], "--wrt"),
    (r"\sum_i x_i", r"`\sum`", [r"\sum"], "sum(i=1:n"),
    (r"\int x", r"`\int`", [r"\int"], "no integrals"),
    (r"\mathbb{R}", r"`\mathbb`", [r"\mathbb"], "plain letters"),
    (r"x \in A", r"`\in`", [r"\in"], "one side"),
    ("$x^12$", "one digit", ["^12"], "^{12}"),
    ("$x^{(k)}$", "index or a power", ["^{(k)}"], "x_{k}"),
    (r"X^\dagger", "no single meaning", [r"^\dagger"], "pinv"),
    ("$X^*$", "no single meaning", ["^*"], r"^\top"),
    (r"X^{\mathrm{H}}", "no single meaning", [r"^{\mathrm{H}}"], r"^\top"),
    (r"\|x", r"closing `\|`", [r"\|", ""], r"`\|`"),
    (r"\lVert x", r"`\rVert`", [r"\lVert", ""], r"\rVert"),
    (r"\|x\|_p", "norm is not known", ["_p"], r"\|x\|_1"),
    (r"\|x\|_A^2", "norm is not known", ["_A"], r"x^\top A x"),
    ("$|x|_2$", "single bars", ["_2"], r"\|x\|_2"),
    ("$x_{i,j}$", "subscript", ["_{i,j}"], "x[i,j]"),
    ("$x_{n+1}$", "subscript", ["_{n+1}"], "x[n+1]"),
    (r"2_3\alpha", "after a number", ["_3"], "part of a name"),
    (r"_2\alpha", "nothing stands before", ["_2"], "x_{i}"),
    (r"\alpha_", "subscript is missing", ["_"], "x_{i}"),
    (r"^2\alpha", "nothing stands before", ["^"], "X^{-1}"),
    (r"\alpha^", "exponent is missing", ["^"], "braces"),
    (r"\alpha^{}", "exponent is missing", ["{", "}"], "braces"),
    (r"\sin^{-1}(x)", "exponent stands on the function", ["^{-1}"], "1/sin(x)"),
    (r"\sin^2 xy", "not clear", [r"\sin^2"], r"\sin^2(x)"),
    (r"\log_b x", "subscript stands on the function", ["_b"], r"\log(x)/\log(b)"),
    (r"\max_i x_i", "subscript stands on the function", ["_i"], "all entries"),
    (r"\mathbf{x}^Tx", "differ in print", ["x", "x"], "another letter"),
    (r"\epsilon + \varepsilon", "differ in print", [r"\epsilon", r"\varepsilon"], "alike"),
    (r"\hat{xy}", "more than one letter", ["{"], "x_hat"),
    (r"x^2/2\sigma^2", "two ways", [r"/2\sigma^2"], r"\frac{a}{b c}"),
    ("$x^2", "`$` is not closed", ["$"], "add `$`"),
    (r"\alpha $ b", "dollar", ["$"], "one formula"),
    (r"\alpha \( b", "inside the formula", [r"\("], "one formula"),
    (r"\text{if }\{1\}\text{+}", "holds no name", [r"\text{+}"], "remarks"),
    (r"\mathbf", "needs an argument", [r"\mathbf"], "braces"),
    (r"\frac.5", "two arguments", [r"\frac", "."], r"\frac{a}{b}"),
    (r"\begin{equation}x\\end", "outside a matrix", [r"\begin{equation}", r"\\"], "entries"),
    (r"\|x\|_2_3", "cannot stand after this", ["_3"], "part of a name"),
    (r"\sin^12(x)", "one digit", ["^12"], "^{12}"),
    (r"(x)_{a+b}\alpha", "index or two", ["_{a+b}"], "(A B)_{ij}"),
    (r"|x|_a\alpha", "after bars", ["_a"], "leave it out"),
    (r"\frac\|x\|2", "two arguments", [r"\frac", "\\"], r"\frac{a}{b}"),
    (r"\frac\zzz2", "not a command", [r"\zzz"], r"\operatorname"),
    (r"\norm x", "needs an argument", [r"\norm"], r"\norm{x}"),
]


@pytest.mark.parametrize(("text", "message", "marked", "help"), REFUSED)
def test_refused(text: str, message: str, marked: list[str], help: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        translate(text)
    problem = caught.value
    assert problem.kind == "syntax"
    assert problem.text == text
    assert message in problem.message
    assert [text[m.start : m.end] for m in problem.marks] == marked
    assert help in problem.help


DEPTH = 20_000
DEEP = {
    "braces": "{" * DEPTH + r"\alpha" + "}" * DEPTH,
    "brackets": "(" * DEPTH + r"\alpha" + ")" * DEPTH,
    "left-right": r"\left(" * DEPTH + "x" + r"\right)" * DEPTH,
    "fractions": r"\frac{" * DEPTH + "x" + "}{y}" * DEPTH,
    "roots": r"\sqrt" * DEPTH + " x",
    "exponents": r"\alpha x^{" + "x^{" * DEPTH + "2" + "}" * (DEPTH + 1),
    "matrices": r"\begin{bmatrix}" * DEPTH + "x" + r"\end{bmatrix}" * DEPTH,
    "bold": r"\mathbf{" * DEPTH + "x" + "}" * DEPTH,
    "words": r"\mathrm{" * DEPTH + "x" + "}" * DEPTH,
    "spaces": r"\alpha" + " " * DEPTH * 5 + "^" + " " * DEPTH * 5 + "{" + " " * DEPTH * 5 + "T }",
    "terms": r"\alpha x_{i}^{2} + " * DEPTH + "1",
    "letters": "x" * DEPTH * 5 + r"\alpha",
    "products": r"x\odot Xy + " * DEPTH + "1",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_deep_and_large(text: str) -> None:
    start = time.perf_counter()
    result, origins = translate(text)
    assert len(origins) == len(result) + 1
    assert is_latex(text)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("text", [r"\|" * DEPTH, r"x_{" * DEPTH + "}" * DEPTH, "\\" + "a" * DEPTH])
def test_deep_and_wrong(text: str) -> None:
    with pytest.raises(SyntaxProblem):
        translate(text)


PIECES = str.split(
    r"a x X I T \alpha \Sigma 1 12 .5 + - * / \ ( ) [ ] { } { } ^ _ | \| ‖ , ; & ' ² ᵀ $ ~ = "
    r"\frac \sqrt \mathbf \hat \mathrm{tr} \text{in} \operatorname{foo} \ln \det \sin^2 \odot \cdot \left( \right) "
    r"\left| \right| \lVert \rVert \begin{bmatrix} \end{bmatrix} \\ \, \{ \} \[ \sum \zzz ^T ^{-1} _{i} {x} tr( det"
)


def test_random_pieces_are_read_or_refused() -> None:
    chance = random.Random(3)
    for _ in range(20_000):
        text = "".join(chance.choices([*PIECES, " "], k=chance.randint(1, 12)))
        is_latex(text)
        try:
            result, origins = translate(text)
        except SyntaxProblem as problem:
            assert problem.text == text
            assert all(0 <= m.start < m.end <= len(text) + 1 for m in problem.marks)
        else:
            assert len(origins) == len(result) + 1
            assert all(0 <= origin <= len(text) for origin in origins)
