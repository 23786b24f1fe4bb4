"""The language of design/language.md, sections 1 to 5: what is the same text, what is inferred, what is an error."""

from __future__ import annotations

import pytest

from matgrad import expr as ex
from matgrad.derive import declarations
from matgrad.errors import (
    LimitProblem,
    MatgradError,
    NameProblem,
    ShapeProblem,
    SyntaxProblem,
)
from matgrad.expr import Expr
from matgrad.functions import BY_NAME, DIRECTIONS, NEED_DIRECTION, TABLE
from matgrad.parse import read_name
from matgrad.properties import taken_for_granted
from matgrad.render.text import render
from matgrad.rewrite import without_definitions
from matgrad.shapes import Typed, declare, read, signature


def parsed(text: str, let: str = "") -> Typed:
    """The reading of a text; declarations are separated by `;`."""
    return read(text, declarations([d for d in map(str.strip, let.split(";")) if d]))


def node(text: str, let: str = "") -> Expr:
    return parsed(text, let).expr


def failure(kind: type[MatgradError], text: str, let: str = "") -> MatgradError:
    with pytest.raises(kind) as caught:
        parsed(text, let)
    return caught.value


def underlined(problem: MatgradError, text: str) -> list[str]:
    return [text[m.start : m.end] for m in problem.marks]


XY = "x: vector(n); y: vector(n); z: vector(n)"
AB = "A: matrix(n, n); B: matrix(n, n); C: matrix(n, n); X: matrix(n, n)"
MN = "X: matrix(m, n); Y: matrix(m, n)"
ALL = f"{AB}; {XY}; a: scalar; b: scalar; c: scalar; t: scalar"

# --- the same thing, written in several ways (text, the same as, declarations) ----------------------------------------

SAME: list[tuple[str, str, str]] = [
    # transposes
    ("X^T", "X'", MN),
    ("X^⊤", "X'", MN),
    ("Xᵀ", "X'", MN),
    ("X.T", "X'", MN),
    ("X’", "X'", MN),
    ("X^{T}", "X'", MN),
    ("X^{⊤}", "X'", MN),
    ("transpose(X)", "X'", MN),
    ("X''", "X", MN),
    ("X'''", "X'", MN),
    ("x''", "x", XY),
    ("x^TA x", "x'*A*x", ALL),
    ("x^TAx", "x'*A*x", ""),
    ("a'", "a", ALL),
    # inverses
    ("X^-1", "inv(X)", AB),
    ("X⁻¹", "inv(X)", AB),
    ("X^{-1}", "inv(X)", AB),
    ("X**-1", "inv(X)", AB),
    ("inverse(X)", "inv(X)", AB),
    ("X^(-1)", "inv(X)", AB),
    ("X^-T", "inv(X)'", AB),
    ("X^{-T}", "inv(X)'", AB),
    ("X^{-⊤}", "inv(X)'", AB),
    ("X^-⊤", "inv(X)'", AB),
    ("X⁻ᵀ", "inv(X)'", AB),
    ("X^-2", "inv(X^2)", AB),
    ("inv(a)", "1/a", ALL),
    ("a^-T", "1/a", ALL),
    # powers
    ("X²", "X^2", AB),
    ("X**2", "X^2", AB),
    ("X^{2}", "X^2", AB),
    ("a¹⁰", "a^10", ALL),
    ("a^{b+1}", "a^(b + 1)", ALL),
    ("a**b", "a^b", ALL),
    ("square(x)", "x.^2", XY),
    ("square(a)", "a^2", ALL),
    ("2^-1", "1/2", ""),
    ("a^-b", "a^(-b)", ALL),
    ("a^-1", "1/a", ALL),
    ("a^--1", "a", ALL),
    ("x.^2'", "(x.^2)'", XY),
    ("a - b - c", "(a - b) - c", ALL),
    ("X⁻²", "inv(X^2)", AB),
    ("-a^2", "-(a^2)", ALL),
    ("a^2^3", "(a^2)^3", ALL),
    ("x.^-1", "1./x", XY),
    # products
    ("A@B", "A*B", AB),
    ("A B", "A*B", AB),
    ("A (B)", "A*B", AB),
    ("2 A x", "2*A*x", ALL),
    ("2A", "2*A", AB),
    ("x'A x", "x'*A*x", ALL),
    ("(x+y)(x-y)'", "(x + y)*(x - y)'", XY),
    ("(x+y)'(x-y)", "(x + y)'*(x - y)", XY),
    ("A⊙B", "A.*B", AB),
    ("A∘B", "A.*B", AB),
    ("A⊘B", "A./B", AB),
    ("2.*A", "2*A", AB),
    ("2 .* A", "2*A", AB),
    ("A.*2", "2*A", AB),
    ("A'*B'", "transpose(A)*transpose(B)", AB),
    ("A\\x", "inv(A)*x", ALL),
    ("A\\B", "inv(A)*B", AB),
    ("solve(A, x)", "inv(A)*x", ALL),
    ("a\\x", "x/a", ALL),
    ("A⊗B", "kron(A, B)", AB),
    ("a⊗B", "a*B", ALL),
    ("x·y", "x'*y", XY),
    ("x⋅y", "x'*y", XY),
    ("dot(x, y)", "x'*y", XY),
    ("inner(x, y)", "x'*y", XY),
    ("x'·y'", "x'*y", XY),
    ("x·y'", "x'*y", XY),
    ("x'·y", "x'*y", XY),
    ("A·x", "A*x", ALL),
    ("A·B", "A*B", AB),
    ("a·x", "a*x", ALL),
    ("x·a", "a*x", ALL),
    ("a·b", "a*b", ALL),
    ("A:B", "tr(A'*B)", AB),
    ("x:y", "x'*y", XY),
    ("x':y'", "x'*y", XY),
    ("a:b", "a*b", ALL),
    ("outer(x, y)", "x*y'", XY),
    ("A−B", "A - B", AB),
    ("−x", "-x", XY),
    ("+x", "x", XY),
    ("--x", "x", XY),
    ("A*-x", "-(A*x)", ALL),
    ("1/2*x'A x", "x'*A*x/2", ALL),
    ("1/2 x'x", "x'*x/2", XY),
    ("½ x'x", "x'*x/2", XY),
    ("⅔ a", "2*a/3", ALL),
    ("¼", "1/4", ""),
    (".5 a", "a/2", ALL),
    ("1e2 a", "100*a", ALL),
    ("a/b/c", "a/(b*c)", ALL),
    ("a/b*c", "a*c/b", ALL),
    ("a/2 b", "a*b/2", ALL),
    # broadcasting
    ("x - mean(x)", "x - mean(x)*ones(n)", XY),
    ("1 + exp(x)", "ones(n) + exp(x)", XY),
    ("1./x", "ones(n)./x", XY),
    ("x./2", "x/2", XY),
    ("x - a", "x - a*ones(n)", ALL),
    ("a - x'", "a*ones(n)' - x'", ALL),
    ("X + 1", "X + ones(m, n)", MN),
    ("2.^x", "2.^x", XY),
    # functions without brackets
    ("ln det(X)", "logdet(X)", AB),
    ("ln det X", "logdet(X)", AB),
    ("log det X", "logdet(X)", AB),
    ("log(det(X))", "logdet(X)", AB),
    ("ln|X|", "logdet(X)", AB),
    ("log |X|", "logdet(X)", AB),
    ("ln det (X'X)", "logdet(X'*X)", AB),
    ("tr X", "trace(X)", AB),
    ("sin t", "sin(t)", ALL),
    ("tr X'", "tr(X')", AB),
    ("sin t cos t", "sin(t)*cos(t)", ALL),
    ("√(a)", "sqrt(a)", ALL),
    ("√a", "sqrt(a)", ALL),
    ("√x", "sqrt(x)", XY),
    ("ln a", "log(a)", ALL),
    # bars and norms
    ("|X|", "det(X)", AB),
    ("|a|", "abs(a)", ALL),
    ("|a| + |b|", "abs(a) + abs(b)", ALL),
    ("|A| |B|", "det(A)*det(B)", AB),
    ("|A|*|B|", "det(A)*det(B)", AB),
    ("|a - (|b|)|", "abs(a - abs(b))", ALL),
    ("||x||", "norm2(x)", XY),
    ("‖x‖", "norm2(x)", XY),
    ("norm(x)", "norm2(x)", XY),
    ("‖x‖²", "norm2(x)^2", XY),
    ("||x||^2", "norm2(x)^2", XY),
    ("||x|| ||y||", "norm2(x)*norm2(y)", XY),
    ("‖x‖_2^2", "norm2(x)^2", XY),
    ("‖x‖_{2}", "norm2(x)", XY),
    ("‖x‖₂²", "norm2(x)^2", XY),
    ("‖x‖_1", "norm1(x)", XY),
    ("‖x‖₁", "norm1(x)", XY),
    ("‖x‖_∞", "norminf(x)", XY),
    ("‖x‖_inf", "norminf(x)", XY),
    ("‖x'‖", "norm2(x)", XY),
    ("‖X‖", "normF(X)", MN),
    ("‖X‖_F", "normF(X)", MN),
    ("||X||_F^2", "normF(X)^2", MN),
    ("norm2(X)", "normF(X)", MN),
    ("norm(X)", "normF(X)", MN),
    ("‖X‖_2", "specnorm(X)", MN),
    ("‖X‖_*", "nucnorm(X)", MN),
    ("‖X‖_{*}", "nucnorm(X)", MN),
    ("‖X‖_1", "norm1(X)", MN),
    ("‖X‖_∞", "norminf(X)", MN),
    ("‖a‖", "abs(a)", ALL),
    ("||A*x-y||^2", "norm2(A*x - y)^2", ALL),
    # indices
    ("X[1,:][2]", "X[1,:][2]", MN),
    ("X[:,:]", "X", MN),
    ("X[ i , j ]", "X[i,j]", MN),
    ("x[1]^2", "(x[1])^2", XY),
    ("(x + y)[2]", "(x + y)[2]", XY),
    ("A*x[1]", "x[1]*A", ALL),
    # stacks
    ("[x]", "x", XY),
    ("[A]", "A", AB),
    ("[ a;b ]", "[a; b]", ALL),
    ("2[a; b]", "2*[a; b]", ALL),
    ("A [x, y]", "A*[x, y]", ALL),
    # sums over an index
    ("Σ(i=1:n, x[i]^2)", "sum(i=1:n, x[i]^2)", XY),
    ("sum(i = 1:n, a^i)", "sum(i=1:n, a^i)", f"{XY}; a: scalar"),
    # sizes
    ("len(x)", "n", XY),
    ("len(x')", "n", XY),
    ("rows(X)", "m", MN),
    ("cols(X)", "n", MN),
    ("rows(x)", "n", XY),
    ("sum(x)/n", "sum(x)/len(x)", XY),
    ("len(x)", "3", "x: vector(3)"),
    ("cols(x)", "1", XY),
    # filled and sized constants
    ("x + vector(c)", "x + c", ALL),
    ("X + matrix(c)", "X + c*ones(m, n)", f"{MN}; c: scalar"),
    ("X + matrix(1)", "X + ones(m, n)", MN),
    ("x'ones", "x'*ones(n)", XY),
    ("x + zeros", "x", XY),
    ("x + zeros(n)", "x", XY),
    ("X + zeros(m, n)", "X", MN),
    ("X + I", "X + eye(n)", AB),
    ("I*x", "x", XY),
    ("A*eye(n)", "A", AB),
    ("e_1'*x", "e_1'*x", XY),
    ("pi", "π", ""),
    ("2 pi", "2*π", ""),
    # names
    ("α", "alpha", ""),
    ("alpha x", "α*x", XY),
    ("λ‖x‖²", "lambda*norm2(x)^2", XY),
    ("Sigma", "Σ", ""),
    ("x₁", "x1", ""),
    ("x_{in}", "x_in", ""),
    ("ϵ", "ε", ""),
    ("ϕ", "φ", ""),
    ("gamma", "γ", ""),
    ("t gamma", "t*γ", ALL),
    ("x'Ax", "x'*A*x", ""),
    ("X'AX", "X'*A*X", ""),
    ("tr(AXB)", "tr(A*X*B)", ""),
]  # fmt: skip


@pytest.mark.parametrize("text, same, let", SAME)
def test_the_same_node(text: str, same: str, let: str) -> None:
    assert node(text, let) is node(same, let)


# Text, declarations, how it is read back, its shape, what was assumed, the notes.
INFERRED: list[tuple[str, str, str, str, str, tuple[str, ...]]] = [
    ('norm2(A*x - b)^2', '', 'norm2(A x - b)^2', 'scalar', 'A: matrix(m, n); x: vector(n); b: vector(m)', ()),
    ('‖A x - b‖² + λ‖x‖²', '', 'norm2(A x - b)^2 + λ norm2(x)^2', 'scalar', 'A: matrix(m, n); x: vector(n); b: vector(m); λ: scalar', ()),
    ('sum(log(1 + exp(-y.*(X*w))))', '', 'sum(log(1 + exp(-y .* (X w))))', 'scalar', 'y: vector(m); X: matrix(m, n); w: vector(n)', ()),
    ("(x-μ)'*inv(Σ)*(x-μ)", '', "(x - μ)' Σ^-1 (x - μ)", 'scalar', 'x: vector(n); μ: vector(n); Σ: matrix(n, n)', ()),
    ('x^3*exp(-x)', '', 'x^3 exp(-x)', 'scalar', 'x: scalar', ()),
    ('a*X + b*Y', '', 'a X + b Y', 'matrix(m, n)', 'a: scalar; X: matrix(m, n); b: scalar; Y: matrix(m, n)', ()),
    ("‖X - U V'‖²", '', "norm(X - U V')^2", 'scalar', 'X: matrix(m, n); U: matrix(m, p); V: matrix(n, p)', ()),
    ('expm(t*A)', '', 'expm(t A)', 'matrix(n, n)', 't: scalar; A: matrix(n, n)', ()),
    ("a'X b", '', "a' X b", 'scalar', 'a: vector(m); X: matrix(m, n); b: vector(n)', ()),
    ("x'x/len(x)", '', "x' x/n", 'scalar', 'x: vector(n)', ()),
    ("x'*A*x", '', "x' A x", 'scalar', 'x: vector(n); A: matrix(n, n)', ()),
    ('A\\b', '', 'A^-1 b', 'vector(n)', 'A: matrix(n, n); b: vector(n)', ()),
    ('x[1]', '', 'x[1]', 'scalar', 'x: vector(n)', ()),
    ('a[2]', '', 'a[2]', 'scalar', 'a: vector(n)', ()),
    ('b + x', '', 'b + x', 'vector(n)', 'b: vector(n); x: vector(n)', ()),
    ('y.*x', '', 'y .* x', 'vector(n)', 'y: vector(n); x: vector(n)', ()),
    ('a.*x', '', 'a .* x', 'vector(n)', 'a: vector(n); x: vector(n)', ()),
    ('x.^a', '', 'x.^a', 'vector(n)', 'x: vector(n); a: scalar', ()),
    ('A*x + b', '', 'A x + b', 'vector(m)', 'A: matrix(m, n); x: vector(n); b: vector(m)', ()),
    ("x'x/n", 'x: vector(n)', "x' x/n", 'scalar', '', ()),
    ('X + 1', '', 'X + 1', 'matrix(m, n)', 'X: matrix(m, n)', ('`1` is added to every entry of `X`',)),
    ('X + 1', 'X: matrix(m, n)', 'X + 1', 'matrix(m, n)', '', ('`1` is added to every entry of `X`',)),
    ("X'X", '', "X' X", 'matrix(n, n)', 'X: matrix(m, n)', ()),
    ("x'Ax", '', "x' A x", 'scalar', 'x: vector(n); A: matrix(n, n)', ('Ax is read as A*x',)),
    ("x_0'W1 x_0", '', "x_0' W1 x_0", 'scalar', 'x_0: vector(n); W1: matrix(n, n)', ()),
    ('α x', 'x: vector', 'α x', 'vector(n)', 'α: scalar', ()),
    ('a', '', 'a', 'scalar', 'a: scalar', ()),
    ('x', '', 'x', 'vector(n)', 'x: vector(n)', ()),
    ("α'x", '', "α' x", 'scalar', 'α: vector(n); x: vector(n)', ()),
    ('μ + x', '', 'μ + x', 'vector(n)', 'μ: vector(n); x: vector(n)', ()),
    ('sum(i=1:n, x[i]^2)', '', 'sum(i=1:n, x[i]^2)', 'scalar', 'x: vector(n)', ()),
    ('sum(i=1:3, x[i])', '', 'sum(i=1:3, x[i])', 'scalar', 'x: vector(3)', ()),
    ('sum(i=1:n, a^i)', '', 'sum(i=1:n, a^i)', 'scalar', 'a: scalar; n: scalar', ()),
    ('sum(i=1:n, i*x[i])', '', 'sum(i=1:n, i x[i])', 'scalar', 'x: vector(n)', ()),
    ('sum(i=2:5, x[i])', 'x: vector(5)', 'sum(i=2:5, x[i])', 'scalar', '', ()),
    ('Σ(i=1:n, sum(j=1:m, X[i,j]))', '', 'sum(i=1:n, sum(j=1:m, X[i,j]))', 'scalar', 'X: matrix(n, m)', ()),
    ('u(x)', 'u: vector(m) of vector(n); x: vector(n)', 'u(x)', 'vector(m)', '', ()),
    ('u(x)', 'u: vector(m) of vector(n)', 'u(x)', 'vector(m)', 'x: vector(n)', ()),
    ('g(X)', 'g: scalar of matrix(m, n)', 'g(X)', 'scalar', 'X: matrix(m, n)', ()),
    ('U(X)', 'U: matrix(p, q) of matrix(m, n)', 'U(X)', 'matrix(p, q)', 'X: matrix(m, n)', ()),
    ('f(x)', 'f: elementwise; x: vector(n)', 'f(x)', 'vector(n)', '', ()),
    ("f'(x)", 'f: elementwise; x: vector(n)', "f'(x)", 'vector(n)', '', ()),
    ("f''(x)", 'f: elementwise; x: vector(n)', "f''(x)", 'vector(n)', '', ()),
    ('f(x)', 'f(t) = t; x: vector(n)', 'f(x)', 'vector(n)', '', ()),
    ("f'(x)", 'f(t) = t; x: vector(n)', "f'(x)", 'vector(n)', '', ()),
    ('A B x', '', 'A B x', 'vector(m)', 'A: matrix(m, n); B: matrix(n, p); x: vector(p)', ()),
    ('1\\x', '', 'x', 'vector(n)', 'x: vector(n)', ()),
    ('A[i,:]', 'A: matrix(2, 3)', 'A[i,:]', 'row(3)', '', ()),
    ('A[:,j]', 'A: matrix(2, 3)', 'A[:,j]', 'vector(2)', '', ()),
    ('[A, x]', 'x: vector(2); A: matrix(2, 2)', '[A, x]', 'matrix(2, 3)', '', ()),
    ("[A; x']", 'x: vector(2); A: matrix(2, 2)', "[A; x']", 'matrix(3, 2)', '', ()),
    ("[a, x']", 'x: vector(2); a: scalar', "[a, x']", 'row(3)', '', ()),
    ('[a; x]', 'x: vector(2); a: scalar', '[a; x]', 'vector(3)', '', ()),
    ('[x, x; y, y]', 'x: vector(2); y: vector(3)', '[x, x; y, y]', 'matrix(5, 2)', '', ()),
    ('‖x‖_F', 'x: vector(2)', 'norm2(x)', 'scalar', '', ()),
    ('‖a‖_2', 'a: scalar', 'abs(a)', 'scalar', '', ()),
    ("‖x'‖_1", 'x: vector(2)', "norm1(x')", 'scalar', '', ()),
    ('tr(A)^2 B', 'A: matrix(n, n)', 'tr(A)^2 B', 'matrix(m, p)', 'B: matrix(m, p)', ()),
    ('sin a^2', '', 'sin(a^2)', 'scalar', 'a: scalar', ()),
    ('tr(A) tr(B)', '', 'tr(A) tr(B)', 'scalar', 'A: matrix(n, n); B: matrix(m, m)', ()),
    ('softmax(X, 1)', 'X: matrix(m, n)', 'softmax(X, 1)', 'matrix(m, n)', '', ()),
    ("logsumexp(x')", 'x: vector(n)', 'logsumexp(x)', 'scalar', '', ()),
    ("diag(x')", 'x: vector(n)', 'diag(x)', 'matrix(n, n)', '', ()),
    ('cross(x, y)', '', 'cross(x, y)', 'vector(3)', 'x: vector(3); y: vector(3)', ()),
    ('max(x, y)', '', 'max(x, y)', 'vector(n)', 'x: vector(n); y: vector(n)', ()),
    ('max(x, a)', 'x: vector(2)', 'max(x, a)', 'vector(2)', 'a: vector(2)', ()),
    ('max(a, x)', 'x: vector(2)', 'max(a, x)', 'vector(2)', 'a: vector(2)', ()),
    ('max(X, 1)', 'X: matrix(m, n)', 'max(X, 1)', 'row(n)', '', ()),
    ('max(X, 0)', 'X: matrix(m, n)', 'max(X, zeros(m, n))', 'matrix(m, n)', '', ()),
    ('max(x, 1)', 'x: vector(n)', 'max(x, ones(n))', 'vector(n)', '', ()),
    ('mean(X)', 'X: matrix(m, n)', 'mean(X)', 'scalar', '', ()),
    ('mean(X, 2)', 'X: matrix(m, n)', 'mean(X, 2)', 'vector(m)', '', ()),
    ('polygamma(1, x)', '', 'polygamma(1, x)', 'vector(n)', 'x: vector(n)', ()),
    ('polygamma(1, X)', 'X: matrix(m, n)', 'polygamma(1, X)', 'matrix(m, n)', '', ()),
    ('rows(a)', 'a: scalar', '1', 'scalar', '', ()),
    ('vector(2)', '', '2 ones(n)', 'vector(n)', '', ()),
    ('matrix(2)', '', '2 ones(n, m)', 'matrix(n, m)', '', ()),
    ('vector(2) + x', '', '2 + x', 'vector(n)', 'x: vector(n)', ()),
    ('A*vector(2)', 'A: matrix(m, n)', '2 A ones(n)', 'vector(m)', '', ()),
    ('matrix(2)*x', '', '2 ones(m, n) x', 'vector(m)', 'x: vector(n)', ()),
    ('A·x', '', 'A x', 'vector(m)', 'A: matrix(m, n); x: vector(n)', ()),
    ('outer(x, y)', '', "x y'", 'matrix(n, m)', 'x: vector(n); y: vector(m)', ()),
    ('eye(n)', '', 'I', 'matrix(n, n)', '', ()),
    ("ones(n)'x", '', "ones(n)' x", 'scalar', 'x: vector(n)', ()),
    ('ones(2*n)', '', 'ones(2*n)', 'vector(2*n)', '', ()),
    ('I', '', 'I', 'matrix(n, n)', '', ()),
    ('I + 1', '', 'eye(n) + 1', 'matrix(n, n)', '', ('`1` is added to every entry of `I`; for a multiple of I write `1*I`',)),
    ('I*x', '', 'x', 'vector(n)', 'x: vector(n)', ()),
    ('e_1', '', 'e_1', 'vector(n)', '', ()),
    ("e_1'x", '', "e_1' x", 'scalar', 'x: vector(n)', ()),
    ("e_i'x", '', "e_i' x", 'scalar', 'x: vector(n)', ()),
    ('ones', '', 'ones(n)', 'vector(n)', '', ()),
    ("x'ones", '', "x' ones(n)", 'scalar', 'x: vector(n)', ()),
    ('2', '', '2', 'scalar', '', ()),
    ('n + x[1]', 'x: vector(n)', 'n + x[1]', 'scalar', '', ()),
    ('n*m', 'X: matrix(m, n)', 'n m', 'scalar', '', ()),
    ('Ab', '', 'A b', 'vector(m)', 'A: matrix(m, n); b: vector(n)', ('Ab is read as A*b',)),
    ('ABC', '', 'A B C', 'matrix(m, k)', 'A: matrix(m, n); B: matrix(n, p); C: matrix(p, k)', ('ABC is read as A*B*C',)),
    ('AB', '', 'A B', 'matrix(m, p)', 'A: matrix(m, n); B: matrix(n, p)', ('AB is read as A*B',)),
    ('tr(AB)', '', 'tr(A B)', 'scalar', 'A: matrix(m, n); B: matrix(n, m)', ('AB is read as A*B',)),
    ('S', '', 'S', 'matrix(m, n)', 'S: matrix(m, n)', ()),
    ("x'S x", 'S: spd', "x' S x", 'scalar', 'x: vector(n)', ()),
    ('gamma(x)', '', 'gamma(x)', 'vector(n)', 'x: vector(n)', ()),
    ('gamma', '', 'γ', 'scalar', 'γ: scalar', ()),
    ('gamma x', 'x: vector', 'γ x', 'vector(n)', 'γ: scalar', ('`gamma` is read as the letter γ; the function is `gamma(...)`',)),
    ("beta'x", '', "β' x", 'scalar', 'β: vector(n); x: vector(n)', ()),
    ("x.^2'", '', "(x.^2)'", 'row(n)', 'x: vector(n)', ()),
    ('||A*x-b||^2', '', 'norm2(A x - b)^2', 'scalar', 'A: matrix(m, n); x: vector(n); b: vector(m)', ()),
    ('|x| + |y|', '', 'abs(x) + abs(y)', 'scalar', 'x: scalar; y: scalar', ()),
    ("ln det(X'X)", '', "ln det(X' X)", 'scalar', 'X: matrix(m, n)', ()),
    ('sin x^2', '', 'sin(x^2)', 'scalar', 'x: scalar', ()),
    ('exp(-‖x‖²)', '', 'exp(-norm2(x)^2)', 'scalar', 'x: vector(n)', ()),
    ("x'", '', "x'", 'row(n)', 'x: vector(n)', ()),
    ('x + a', '', 'x + a', 'vector(n)', 'x: vector(n); a: vector(n)', ()),
    ('x - mean(x)', '', 'x - mean(x)', 'vector(n)', 'x: vector(n)', ('`mean(x)` is subtracted from every entry of `x`',)),
    ('n/2 - tr(A)', '', 'n/2 - tr(A)', 'vector(m)', 'n: vector(m); A: matrix(p, p)', ("`tr(A)` is subtracted from every entry of `n/2`; if `n` is a number, declare it: `--let 'n: scalar'`",)),
    ("x' eye x", '', "x' x", 'scalar', 'x: vector(n)', ()),
    ("x'J*x", 'J: identity', "x' x", 'scalar', 'x: vector(n)', ()),
    ('A + a', '', 'A + a', 'matrix(m, n)', 'A: matrix(m, n); a: scalar', ('`a` is added to every entry of `A`',)),
    ('A + a*B', '', 'A + a B', 'matrix(m, n)', 'A: matrix(m, n); a: scalar; B: matrix(m, n)', ()),
    ('x/t', '', 'x/t', 'vector(n)', 'x: vector(n); t: scalar', ()),
    ('x/y', '', 'x/y', 'vector(n)', 'x: vector(n); y: scalar', ()),
    ('a/b', '', 'a/b', 'scalar', 'a: scalar; b: scalar', ()),
    ('x^n', '', 'x^n', 'scalar', 'x: scalar; n: scalar', ()),
    ('x + 2', '', 'x + 2', 'vector(n)', 'x: vector(n)', ()),
    ('kron(x, y)', '', 'kron(x, y)', 'vector(m*n)', 'x: vector(n); y: vector(m)', ()),
    ("kron(x, y')", '', "kron(x, y')", 'matrix(n, m)', 'x: vector(n); y: vector(m)', ()),
    ('kron(x, X)', '', 'kron(x, X)', 'matrix(m*p, n)', 'x: vector(p); X: matrix(m, n)', ()),
    ('vec(X)', '', 'vec(X)', 'vector(m*n)', 'X: matrix(m, n)', ()),
    ('vech(X)', '', 'vech(X)', 'vector((n*n + n)/2)', 'X: matrix(n, n)', ()),
    ("[1, x']", '', "[1, x']", 'row(n + 1)', 'x: vector(n)', ()),
    ("x'A'", '', "x' A'", 'row(m)', 'x: vector(n); A: matrix(m, n)', ()),
    ('W_in x + b_1', '', 'W_in x + b_1', 'vector(m)', 'W_in: matrix(m, n); x: vector(n); b_1: vector(m)', ()),
    ("b'x + c", '', "b' x + c", 'scalar', 'b: vector(n); x: vector(n); c: scalar', ()),
    ("c + x'y", '', "c + x' y", 'scalar', 'c: scalar; x: vector(n); y: vector(n)', ()),
    ('inv(x)', '', '1/x', 'scalar', 'x: scalar', ()),
    ('inv(a)', '', '1/a', 'scalar', 'a: scalar', ()),
    ('transpose(a)', '', "a'", 'row(n)', 'a: vector(n)', ()),
    ('rowsum(X)', '', 'rowsum(X)', 'vector(m)', 'X: matrix(m, n)', ()),
    ('pinv(X)', '', 'pinv(X)', 'matrix(n, m)', 'X: matrix(m, n)', ()),
    ('X.T', '', "X'", 'matrix(n, m)', 'X: matrix(m, n)', ()),
    ('2^k', '', '2^k', 'scalar', 'k: scalar', ()),
    ('2^x', '', '2^x', 'scalar', 'x: scalar', ()),
]  # fmt: skip


@pytest.mark.parametrize("text, let, shown, shape, assumed, notes", INFERRED)
def test_inference(
    text: str, let: str, shown: str, shape: str, assumed: str, notes: tuple[str, ...]
) -> None:
    found = parsed(text, let)
    assert render(found.expr) == shown
    assert str(found.expr.shape) == shape
    assert "; ".join(f"{name}: {found.variables[name].shape}" for name in found.assumed) == assumed
    assert found.notes == notes


# Kind, text, declarations, message, what is underlined, words of the help.
ERRORS: list[tuple[type[MatgradError], str, str, str, list[str], str]] = [
    (ShapeProblem, 'u(X)', 'u: vector(m) of vector(n)',
     '`u` is a function of a vector(n)', ['X'],
     '`X` is a matrix'),
    (ShapeProblem, 'u(x)', 'u: vector(m) of vector(n); x: vector(p)',
     '`u` is a function of a vector(n)', ['x'],
     '`x` is a vector(p)'),
    (NameProblem, 'u', 'u: vector(m) of vector(n)',
     '`u` is a function; it stands here without its argument', ['u'],
     'write `u(x)`'),
    (ShapeProblem, 'u(x, y)', 'u: vector(m) of vector(n)',
     '`u` takes 1 argument, not 2', ['u(x, y)'],
     'write `u(x)`'),
    (ShapeProblem, 'f(x, y)', 'f: elementwise',
     '`f` takes 1 argument, not 2', ['f(x, y)'],
     'write `f(x)`'),
    (NameProblem, 'f', 'f: elementwise',
     '`f` is a function; it stands here without its argument', ['f'],
     'write `f(x)`'),
    (NameProblem, 'a(x+y)', '',
     '`a` is not a function', ['a'],
     "for a product write `a*(x+y)`; for an unknown function declare it: `--let 'a: elementwise'`"),
    (NameProblem, 'foo', '',
     '`foo` is not a known name', ['foo'],
     "write `f*o*o` for a product, or declare it: `--let 'foo: vector'`"),
    (NameProblem, 'foo + bar', '',
     '`foo` is not a known name', ['foo'],
     "write `f*o*o` for a product, or declare it: `--let 'foo: vector'`"),
    (NameProblem, 'sinn(x)', '',
     'there is no function `sinn`', ['sinn'],
     'write `sin(x)`'),
    (SyntaxProblem, 'cosh + 1', '',
     '`cosh` stands here without an argument', ['cosh'],
     'write `cosh(x)`'),
    (NameProblem, 'XYZW', '',
     '`XYZW` is not a known name', ['XYZW'],
     "write `X*Y*Z*W` for a product, or declare it: `--let 'XYZW: matrix'`"),
    (ShapeProblem, 'x*y', '',
     'two column vectors cannot be multiplied', ['x', 'y'],
     "write `x'*y` (dot product), `x*y'` (outer product) or `x.*y` (entry by entry); for numbers declare `--let 'x: scalar'`"),
    (ShapeProblem, '-x*y', '',
     'two column vectors cannot be multiplied', ['-x', 'y'],
     "write `(-x)'*y` (dot product), `-x*y'` (outer product) or `-x.*y` (entry by entry); for numbers declare `--let 'x: scalar'`"),
    (ShapeProblem, 'x*(y + 2z)', '',
     'two column vectors cannot be multiplied', ['x', '(y + 2z)'],
     "write `x'*(y + 2z)` (dot product), `x*(y + 2z)'` (outer product) or `x.*(y + 2z)` (entry by entry); for numbers declare `--let 'x: scalar'`"),
    (NameProblem, 'sum(i=1:n, x_i^2)', '',
     '`x_i` in a sum over `i` is no entry of `x`', ['x_i'],
     'write `x[i]` for the entry; declare `x_i`, if it is a variable'),
    (NameProblem, 'sum(i=1:n, sum(j=1:m, X_ij))', '',
     '`X_ij` in a sum over `i` is no entry of `X`', ['X_ij'],
     'write `X[i,j]` for the entry; declare `X_ij`, if it is a variable'),
    (ShapeProblem, "x'*y'", '',
     'two row vectors cannot be multiplied', ["x'", "y'"],
     "write `x'*y` (dot product) or `x'.*y'` (entry by entry)"),
    (ShapeProblem, 'x*A', 'A: matrix(m, n); x: vector(m)',
     'a column vector and a matrix cannot be multiplied in this order', ['x', 'A'],
     "did you mean `x'*A`?"),
    (ShapeProblem, 'A*B', 'A: matrix(m, n); B: matrix(m, n)',
     'the sizes do not agree in a product', ['A', 'B'],
     "`A` has n columns and `B` has m rows; did you mean `A'*B` or `A*B'`?"),
    (ShapeProblem, 'A*B', 'A: matrix(2, 3); B: matrix(4, 5)',
     'the sizes do not agree in a product', ['A', 'B'],
     '`A` has 3 columns and `B` has 4 rows'),
    (ShapeProblem, 'A*B', 'A: matrix(m, 1); B: matrix(2, 2)',
     'the sizes do not agree in a product', ['A', 'B'],
     '`A` has 1 column and `B` has 2 rows'),
    (ShapeProblem, "x + y'", 'x: vector(n); y: vector(n)',
     'shapes do not agree in a sum', ['x', "y'"],
     "`x` is a vector(n) and `y'` is a row(n); did you mean `y` instead of `y'`?"),
    (ShapeProblem, "x' + y", 'x: vector(n); y: vector(n)',
     'shapes do not agree in a sum', ["x'", 'y'],
     "`x'` is a row(n) and `y` is a vector(n); did you mean `x` instead of `x'`?"),
    (ShapeProblem, 'A + B', 'A: matrix(m, n); B: matrix(n, m)',
     'shapes do not agree in a sum', ['A', 'B'],
     "`A` is a matrix(m, n) and `B` is a matrix(n, m); did you mean `B'` instead of `B`?"),
    (ShapeProblem, "A + B'", 'A: matrix(m, n); B: matrix(m, n)',
     'shapes do not agree in a sum', ['A', "B'"],
     "`A` is a matrix(m, n) and `B'` is a matrix(n, m); did you mean `B` instead of `B'`?"),
    (ShapeProblem, 'A + B', 'A: matrix(2, 3); B: matrix(4, 3)',
     'shapes do not agree in a sum', ['A', 'B'],
     '`A` is a matrix(2, 3) and `B` is a matrix(4, 3)'),
    (ShapeProblem, 'X/Y', '',
     '`/` divides by a scalar, and `Y` is a matrix', ['Y'],
     'write `X*inv(Y)` or `X./Y` (entry by entry); if `Y` is a number, declare it: '
     "`--let 'Y: scalar'`"),
    (ShapeProblem, 'x/y', 'x: vector; y: vector',
     '`/` divides by a scalar, and `y` is a vector', ['y'],
     'write `x./y` (entry by entry)'),
    (ShapeProblem, 'A/x', 'A: matrix(n, n); x: vector(n)',
     '`/` divides by a scalar, and `x` is a vector(n)', ['x'],
     'divide by a number, such as `norm(x)`'),
    (ShapeProblem, 'x/X', 'X: matrix(n, n); x: vector(n)',
     '`/` divides by a scalar, and `X` is a matrix(n, n)', ['X'],
     'write `x*inv(X)`'),
    (ShapeProblem, 'a/0', '',
     'division by zero', ['0'],
     'write what it is divided by'),
    (ShapeProblem, 'a/-0', '',
     'division by zero', ['-0'],
     'write what it is divided by'),
    (ShapeProblem, 'A\\a', 'A: matrix(n, n); a: scalar',
     '`\\` solves for a vector or a matrix', ['a'],
     ''),
    (ShapeProblem, 'A\\x', 'A: matrix(m, n); x: vector(m)',
     '`\\` solves with a square matrix', ['A'],
     '`A` is a matrix(m, n)'),
    (ShapeProblem, 'A\\x', 'A: matrix(2, 3); x: vector(2)',
     '`\\` solves with a square matrix', ['A'],
     '`A` is a matrix(2, 3)'),
    (ShapeProblem, 'A^2', 'A: matrix(2, 3)',
     'only a square matrix has powers', ['A'],
     '`A` is a matrix(2, 3)'),
    (ShapeProblem, 'A^-1', 'A: matrix(2, 3)',
     'only a square matrix has an inverse', ['A'],
     '`A` is a matrix(2, 3)'),
    (ShapeProblem, 'A^-T', 'A: matrix(2, 3)',
     'only a square matrix has an inverse', ['A'],
     '`A` is a matrix(2, 3)'),
    (ShapeProblem, 'x^-T', 'x: vector(3)',
     'only a square matrix has an inverse', ['x'],
     '`x` is a vector(3)'),
    (ShapeProblem, 'A⁻¹', 'A: matrix(2, 3)',
     'only a square matrix has an inverse', ['A'],
     '`A` is a matrix(2, 3)'),
    (LimitProblem, 'A^10001', 'A: matrix(n, n)',
     'a matrix power of 10001 is too large', ['A^10001'],
     'powers up to 10,000 are read; a name such as `k` stands for any power'),
    (ShapeProblem, 'A^(1/3)', 'A: matrix(n, n)',
     'the power of a matrix is a whole number', ['(1/3)'],
     'write a whole number, or `.^` for powers of the entries'),
    (ShapeProblem, 'A^B', 'A: matrix(n, n)',
     'an exponent is a scalar', ['B'],
     '`B` is a matrix; for entry-by-entry powers write `.^`; if `B` is a number, declare it: `--let \'B: integer\'`'),
    (ShapeProblem, 'a^x', 'x: vector(n)',
     'an exponent is a scalar', ['x'],
     '`x` is a vector(n); for entry-by-entry powers write `.^`'),
    (ShapeProblem, 'x^2', 'x: vector(n)',
     '`x` is a vector(n), and a vector has no power', ['x'],
     "write `x.^2` (entry by entry), `x'*x` (squared length)"),
    (ShapeProblem, 'x²', 'x: vector(n)',
     '`x` is a vector(n), and a vector has no power', ['x'],
     "write `x.^2` (entry by entry), `x'*x` (squared length)"),
    (ShapeProblem, "x'^2", 'x: vector(n)',
     "`x'` is a row(n), and a vector has no power", ["x'"],
     "write `x'.^2` (entry by entry)"),
    (ShapeProblem, 'a[1]', 'a: scalar',
     'a scalar has no entries', ['a'],
     'write `a` alone, or declare it as a vector'),
    (ShapeProblem, 'x[1,2]', 'x: vector(n)',
     'a vector takes 1 index, not 2', ['x'],
     'write `x[i]`'),
    (ShapeProblem, 'A[1]', 'A: matrix(n, n)',
     'a matrix takes 2 indices, not 1', ['A'],
     'write `A[i,j]`, `A[:,j]` or `A[i,:]`'),
    (ShapeProblem, 'x[0]', 'x: vector(n)',
     'an index is a whole number from 1, or a name', ['0'],
     'the first entry is `x[1]`'),
    (ShapeProblem, 'x[1/2]', 'x: vector(n)',
     'an index is a whole number from 1, or a name', ['1/2'],
     'the first entry is `x[1]`'),
    (ShapeProblem, 'x[-1]', 'x: vector(n)',
     'an index is a whole number from 1, or a name', ['-1'],
     'the first entry is `x[1]`'),
    (ShapeProblem, 'x[4]', 'x: vector(3)',
     'there is no entry 4', ['4', 'x'],
     'indices go from 1 to 3'),
    (ShapeProblem, 'A[1,5]', 'A: matrix(2, 3)',
     'there is no entry 5', ['5', 'A'],
     'indices go from 1 to 3'),
    (ShapeProblem, '[a, b; c]', '',
     'the rows of a stack have different numbers of entries', ['[a, b; c]'],
     'they have 2, 1'),
    (ShapeProblem, '[x, y]', 'x: vector(2); y: vector(3)',
     'blocks beside each other have the same number of rows', ['x', 'y'],
     'a `;` puts a block below, a `,` beside'),
    (ShapeProblem, "[x'; y']", 'x: vector(2); y: vector(3)',
     'blocks below each other have the same number of columns', ["x'", "y'"],
     'a `;` puts a block below, a `,` beside'),
    (ShapeProblem, '[x; A]', 'x: vector(2); A: matrix(2, 2)',
     'blocks below each other have the same number of columns', ['x', 'A'],
     'a `;` puts a block below, a `,` beside'),
    (ShapeProblem, '|x|', 'x: vector(2)',
     'bars are the absolute value of a scalar or the determinant of a matrix', ['x'],
     'write `‖x‖` for the length or `abs(x)` entry by entry'),
    (ShapeProblem, "|x'|", 'x: vector(2)',
     'bars are the absolute value of a scalar or the determinant of a matrix', ["x'"],
     "write `‖x'‖` for the length or `abs(x')` entry by entry"),
    (ShapeProblem, '|A|', 'A: matrix(2, 3)',
     'only a square matrix has a determinant', ['A'],
     '`A` is a matrix(2, 3)'),
    (ShapeProblem, '‖x‖_*', 'x: vector(2)',
     'a vector has no norm of this kind', ['x'],
     'the subscripts are 1, 2, F, ∞ and, for a matrix, * (nuclear)'),
    (ShapeProblem, '‖a‖_*', 'a: scalar',
     'a scalar has no norm of this kind', ['a'],
     'the subscripts are 1, 2, F, ∞ and, for a matrix, * (nuclear)'),
    (SyntaxProblem, 'tr A B', '',
     'it is not clear where the argument of `tr` ends', ['tr A B'],
     'write `tr(A B)` or `tr(A)*B`'),
    (SyntaxProblem, 'tr A*B', '',
     'it is not clear where the argument of `tr` ends', ['tr A*B'],
     'write `tr(A*B)` or `tr(A)*B`'),
    (SyntaxProblem, '-tr A B', '',
     'it is not clear where the argument of `tr` ends', ['tr A B'],
     'write `tr(A B)` or `tr(A)*B`'),
    (SyntaxProblem, 'ln det(X)^2', '',
     'it is not clear what the power in `ln det(X)^2` belongs to', ['ln det(X)^2'],
     'write `(ln det(X))^2` or `ln(det(X)^2)`'),
    (SyntaxProblem, 'sin (a)^2', '',
     'it is not clear what the power in `sin (a)^2` belongs to', ['sin (a)^2'],
     'write `(sin (a))^2` or `sin((a)^2)`'),
    (SyntaxProblem, 'ln |X|^2', '',
     'it is not clear what the power in `ln |X|^2` belongs to', ['ln |X|^2'],
     'write `(ln |X|)^2` or `ln(|X|^2)`'),
    (ShapeProblem, 'tr(x)', 'x: vector(2)',
     '`tr` takes a square matrix', ['x'],
     '`x` is a vector(2)'),
    (ShapeProblem, 'tr(A)', 'A: matrix(2, 3)',
     '`tr` takes a square matrix', ['A'],
     '`A` is a matrix(2, 3); a square one has as many rows as columns'),
    (ShapeProblem, 'det(A)', 'A: matrix(2, 3)',
     '`det` takes a square matrix', ['A'],
     '`A` is a matrix(2, 3); a square one has as many rows as columns'),
    (ShapeProblem, 'tr(A, B)', '',
     '`tr` takes 1 argument, not 2', ['tr(A, B)'],
     'write `tr(A*B)` for the trace of a product'),
    (ShapeProblem, 'softmax(X)', 'X: matrix(m, n)',
     '`softmax` of a matrix needs a direction', ['X'],
     'write `softmax(X, 1)` down the columns or `softmax(X, 2)` along the rows'),
    (ShapeProblem, "softmax(x')", 'x: vector(n)',
     '`softmax` takes a vector', ["x'"],
     "`x'` is a row(n)"),
    (ShapeProblem, "cumsum(x')", 'x: vector(n)',
     '`cumsum` takes a vector', ["x'"],
     "`x'` is a row(n)"),
    (ShapeProblem, 'cross(x, y)', 'x: vector(4); y: vector(3)',
     '`cross` takes a vector(3)', ['x'],
     '`x` is a vector(4)'),
    (ShapeProblem, 'max(x, y)', 'x: vector(2); y: vector(3)',
     'shapes do not agree in `max`', ['x', 'y'],
     '`x` is a vector(2) and `y` is a vector(3)'),
    (ShapeProblem, 'len(A)', 'A: matrix(m, n)',
     '`len` takes a vector', ['A'],
     'write `rows(X)` or `cols(X)` of a matrix'),
    (ShapeProblem, 'len(a)', 'a: scalar',
     '`len` takes a vector', ['a'],
     'write `rows(X)` or `cols(X)` of a matrix'),
    (ShapeProblem, 'len(x, y)', '',
     '`len` takes 1 argument, not 2', ['len(x, y)'],
     'write `len(x)`'),
    (ShapeProblem, 'vector(x)', 'x: vector(n)',
     '`vector(c)` takes a scalar', ['x'],
     ''),
    (ShapeProblem, 'dot(x, y)', 'x: vector(2); y: vector(3)',
     'a dot product takes vectors of one size', ['x', 'y'],
     ''),
    (ShapeProblem, 'x·A', 'x: vector(2); A: matrix(2, 2)',
     'a column vector and a matrix cannot be multiplied in this order', ['x', 'A'],
     "did you mean `x'*A`?"),
    (ShapeProblem, 'outer(x, A)', '',
     '`outer` takes two vectors', ['x', 'A'],
     ''),
    (ShapeProblem, 'A:B', 'A: matrix(2, 3); B: matrix(3, 2)',
     '`:` is the Frobenius product of two matrices of one shape', ['A', 'B'],
     "`A` is a matrix(2, 3) and `B` is a matrix(3, 2); did you mean `B'` instead of `B`?"),
    (ShapeProblem, 'A:x', 'A: matrix(2, 3); x: vector(2)',
     '`:` is the Frobenius product of two matrices of one shape', ['A', 'x'],
     '`A` is a matrix(2, 3) and `x` is a vector(2); for the same in each column write `x*ones(n)\'` for `x`'),
    (ShapeProblem, 'kron(A, B, C)', '',
     '`kron` takes 2 arguments, not 3', ['kron(A, B, C)'],
     'write `kron(X, Y)`'),
    (ShapeProblem, 'square(x, y)', '',
     '`square` takes 1 argument, not 2', ['square(x, y)'],
     'write `square(x)`'),
    (SyntaxProblem, 'prod(i=1:n, x[i])', '',
     'a range stands in a sum only', ['prod(i=1:n, x[i])'],
     'write `sum(i=1:n, x[i]^2)`'),
    (SyntaxProblem, 'sum(1:n, x)', '',
     'a range stands in a sum only', ['1:n'],
     'write `sum(i=1:n, x[i]^2)`'),
    (SyntaxProblem, '1:n', '',
     'a range stands in a sum only', ['1:n'],
     'write `sum(i=1:n, x[i]^2)`'),
    (SyntaxProblem, 'sum(i=n, x[i])', '',
     'a range has the form `1:n`', ['n'],
     'write `sum(i=1:n, ...)`'),
    (SyntaxProblem, 'sum(i=1:n)', '',
     'a range stands here without what is summed', ['i=1:n'],
     'write it behind the range and a comma, as in `sum(i=1:n, x[i]^2)`'),
    (ShapeProblem, 'ones(1, 2, 3)', '',
     '`ones` takes one or two sizes, not 3', ['ones(1, 2, 3)'],
     'write `ones(1)`'),
    (ShapeProblem, 'eye(2, 2)', '',
     '`eye` takes one size, not 2', ['eye(2, 2)'],
     'write `eye(2)`'),
    (ShapeProblem, "eye(x')", '',
     'a size is a positive whole number or a name', ["x'"],
     'write, for example, `vector(3)` or `matrix(m, n)`'),
    (ShapeProblem, 'ones(0)', '',
     'a size is a positive whole number or a name', ['0'],
     'write, for example, `vector(3)` or `matrix(m, n)`'),
    (LimitProblem, 'ones(1000001)', '',
     'a size of 1,000,001 is too large', ['1000001'],
     'sizes up to 1,000,000 are read; a name such as `n` stands for any size'),
    (ShapeProblem, "e_5'x", 'x: vector(3)',
     'there is no entry 5', ['e_5'],
     'indices go from 1 to 3'),
    (ShapeProblem, "e_0'x", 'x: vector(3)',
     'there is no entry 0', ['e_0'],
     'indices go from 1: the first basis vector is `e_1`'),
    (ShapeProblem, 'n*m', '',
     'two column vectors cannot be multiplied', ['n', 'm'],
     "write `n'*m` (dot product), `n*m'` (outer product) or `n.*m` (entry by entry); for numbers declare `--let 'n: scalar'`"),
    (SyntaxProblem, "ln det X'X", '',
     'it is not clear where the argument of `det` ends', ["det X'X"],
     "write `ln det(X' X)` or `(ln det(X'))*X`"),
    (NameProblem, 'f x', 'f: elementwise; x: vector(n)',
     '`f` is a function; it stands here without its argument', ['f'],
     'write `f(x)`'),
    (ShapeProblem, 't*x', '',
     'two column vectors cannot be multiplied', ['t', 'x'],
     "write `t'*x` (dot product), `t*x'` (outer product) or `t.*x` (entry by entry); for numbers declare `--let 't: scalar'`"),
    (ShapeProblem, 'colsum(x)', '',
     '`colsum` takes a matrix', ['x'],
     '`x` is a vector'),
    (ShapeProblem, 'pinv(a)', '',
     '`pinv` takes a matrix', ['a'],
     '`a` is a scalar'),
]  # fmt: skip


@pytest.mark.parametrize("kind, text, let, message, marked, help", ERRORS)
def test_errors(
    kind: type[MatgradError], text: str, let: str, message: str, marked: list[str], help: str
) -> None:
    problem = failure(kind, text, let)
    assert problem.message == message
    assert underlined(problem, text) == marked
    assert problem.help == help


# --- whole numbers: powers of matrices, ranges, entries ---------------------------------------------------------------

K = "X: matrix(n, n); B: matrix(n, n); k: integer; x: vector(n)"


@pytest.mark.parametrize(
    "text, same",
    [
        ("X^-k", "inv(X^k)"),
        ("X^(-k)", "inv(X^k)"),
        ("X**k", "X^k"),
        ("X^{k}", "X^k"),
        ("(X^k)^2", "X^(2*k)"),
        ("(X^2)^k", "X^(2*k)"),
        ("inv(X)^k", "X^-k"),
        ("(X^k)^-1", "X^-k"),
        ("X^(-2*k)", "inv(X^(2*k))"),
        ("X^-(k - 1)", "inv(X^(k - 1))"),
        ("I^k + X", "I + X"),
        ("X^len(x)", "X^n"),
        ("X^rows(X)", "X^n"),
        ("X^-0", "eye(n)"),
    ],
)
def test_powers_of_matrices(text: str, same: str) -> None:
    assert node(text, K) is node(same, K)


@pytest.mark.parametrize(
    "text, let, integers",
    [
        ("tr(X^k)", "", ["k"]),
        ("tr(X^p)", "", ["p"]),
        ("tr(X^(k - 1))", "", ["k"]),
        ("tr(X^(2 k + p))", "", ["k", "p"]),
        ("k*tr(X^k)", "", ["k"]),
        ("sum(r=0:k-1, X^r*B*X^(k-1-r))", "", ["k"]),
        ("sum(i=1:n, a^i)", "", ["n"]),
        ("sum(i=1:n, x[i])", "", []),
        ("tr(X^n)", "X: matrix(n, n)", []),
        ("sum(i=1:n, X^i)", "X: matrix(n, n)", []),
        ("X.^k", "", []),
    ],
)
def test_integers_are_inferred(text: str, let: str, integers: list[str]) -> None:
    found = parsed(text, let)
    assert [n for n, v in found.variables.items() if "integer" in v.data[1]] == integers
    assert set(integers) <= set(found.assumed)


@pytest.mark.parametrize(
    "text, let",
    [
        ("tr(X^k)", ""), ("X^-k", ""), ("X^-(k - 1)", ""), ("X^(2 k)'", ""), ("X^(-1 - k)", ""),
        ("inv(X^T)", "X: matrix(n, n); T: integer"), ("X^(T)", "X: matrix(n, n); T: integer"),
        ("X^-(T)", "X: matrix(n, n); T: integer"), ("X^(k + p) x", ""),
        ("sum(r=0:k-1, X^r*B*X^(k-1-r))", ""), ("sum(i=1:n, sum(j=1:i, x[j]))", ""),
        ("sum(i=-2:2, a^i)", ""), ("sum(i=1:2*n-1, a^i)", ""), ("ones(n - 1)", ""),
        ("X^k + sum(i=1:k, X^i)", ""), ("sum(i=1:n-1, x[i])", "x: vector(n)"),
    ],
)  # fmt: skip
def test_whole_numbers_are_read_back(text: str, let: str) -> None:
    typed = parsed(text, let)
    kinds = [f"{n}: integer" for n, v in typed.variables.items() if "integer" in v.data[1]]
    shapes = [f"{n}: {v.shape}" for n, v in typed.variables.items() if "integer" not in v.data[1]]
    for style in ("matgrad", "ascii", "unicode"):
        assert node(render(typed.expr, style), "; ".join(kinds + shapes)) is typed.expr
    assert render(typed.expr, "latex")


WHOLE_ERRORS: list[tuple[str, str, str, list[str], str]] = [
    ("X^k", "X: matrix(n, n); k: scalar", "the power of a matrix is a whole number", ["k"],
     "declare it: `--let 'k: integer'`, or `.^` for powers of the entries"),
    ("X^0.5", "", "the power of a matrix is a whole number", ["0.5"], "write `sqrtm(X)`"),
    ("X^(-1/2)", "", "the power of a matrix is a whole number", ["(-1/2)"], "write `inv(sqrtm(X))`"),
    ("X^0.3", "", "the power of a matrix is a whole number", ["0.3"],
     "write a whole number, or `.^` for powers of the entries"),
    ("X^(k/2)", "", "the power of a matrix is a whole number", ["(k/2)"],
     "write a whole number, or `.^` for powers of the entries"),
    ("X^k", "X: matrix(2, 3)", "only a square matrix has powers", ["X"], "`X` is a matrix(2, 3)"),
    ("X^N", "", "an exponent is a scalar", ["N"],
     "`N` is a matrix; for entry-by-entry powers write `.^`; if `N` is a number, declare it: `--let 'N: integer'`"),
    ("sum(i=1:5, x[i])", "x: vector(3)", "there is no entry 5", ["i=1:5", "i"], "indices go from 1 to 3"),
    ("sum(i=1:n+1, x[i])", "x: vector(n)", "there is no entry n + 1", ["i=1:n+1", "i"], "indices go from 1 to n"),
    ("sum(i=0:n, x[i])", "", "there is no entry 0", ["i=0:n", "i"], "indices go from 1 to n"),
    ("sum(i=0:2, X[1,i])", "X: matrix(2, 3)", "there is no entry 0", ["i=0:2", "i"], "indices go from 1 to 3"),
    ("sum(i=1:3, sum(j=1:i, x[j]))", "x: vector(2)", "there is no entry 3", ["j=1:i", "j"], "indices go from 1 to 2"),
    ("sum(i=3:1, x[i])", "", "there is no number from 3 up to 1", ["3:1"],
     "write the smaller number first: `i=1:3`"),
    ("sum(i=1:c, x[i])", "c: scalar", "`c` is not an integer", ["c"], "declare it: `--let 'c: integer'`"),
    ("sum(i=1:x', a^i)", "", "a bound of an index is made of whole numbers and names", ["x'"],
     "write, for example, `sum(i=1:n, ...)` or `sum(i=0:k-1, ...)`"),
    ("x[4] + sum(x.*y)", "y: vector(3)", "there is no entry 4", ["4", "x"], "indices go from 1 to 3"),
    ("x[0]", "", "an index is a whole number from 1, or a name", ["0"], "the first entry is `x[1]`"),
    ("e_0'x", "", "there is no entry 0", ["e_0"], "indices go from 1: the first basis vector is `e_1`"),
    ("ones(1 - 1)", "", "a size is a positive whole number or a name", ["1 - 1"],
     "write, for example, `vector(3)` or `matrix(m, n)`"),
    ("polygamma(x, 1)", "", "the first argument of `polygamma` is a whole number", ["x"],
     "did you mean `polygamma(1, x)`?"),
    ("polygamma(a, x)", "", "the first argument of `polygamma` is a number, not a name", ["a"],
     "write, for example, `polygamma(1, x)`"),
    ("polygamma(-1, x)", "", "the first argument of `polygamma` is a whole number", ["-1"],
     "write, for example, `polygamma(1, x)`"),
]  # fmt: skip


@pytest.mark.parametrize("text, let, message, marked, help", WHOLE_ERRORS)
def test_errors_of_whole_numbers(
    text: str, let: str, message: str, marked: list[str], help: str
) -> None:
    problem = failure(MatgradError, text, let)
    assert (problem.message, underlined(problem, text), problem.help) == (message, marked, help)


# --- sizes that agree part by part, sizes of 1 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, let, shapes, noted",
    [
        ("tr([A, B; C, D])", "", "A: matrix(m, m); B: matrix(m, n); C: matrix(n, m); D: matrix(n, n)", True),
        ("det([A, B; C, D])", "", "A: matrix(m, m); B: matrix(m, n); C: matrix(n, m); D: matrix(n, n)", True),
        ("inv([A,B;C,D])", "", "A: matrix(m, m); B: matrix(m, n); C: matrix(n, m); D: matrix(n, n)", True),
        ("det([A, B; C, D])", "B: matrix(p, k)", "A: matrix(p, p); B: matrix(p, k); C: matrix(k, p); D: matrix(k, k)", True),
        ("det([A, B; B', D])", "", "A: matrix(m, m); B: matrix(m, n); D: matrix(n, n)", False),
        ("tr([A, B; C, D])", "A: matrix(2, 3)", "A: matrix(2, 3); B: matrix(2, n); C: matrix(n + 1, 3); D: matrix(n + 1, n)", False),
        ("tr([c, x'; y, A])", "", "c: scalar; x: vector(n); y: vector(n); A: matrix(n, n)", False),
        ("[x; y]'*[u; v]", "", "x: vector(n); y: vector(m); u: vector(n); v: vector(m)", True),
        ("[A,B;C,D]*[x;y]", "", "A: matrix(m, n); B: matrix(m, p); C: matrix(k, n); D: matrix(k, p); x: vector(n); y: vector(p)", True),
        ("vec(X)'*vec(A)", "", "X: matrix(m, n); A: matrix(m, n)", True),
        ("vec(X)'*vec(A)", "X: matrix(p, k)", "X: matrix(p, k); A: matrix(p, k)", True),
        ("vec(X) + vec(A)", "A: matrix(p, k)", "X: matrix(p, k); A: matrix(p, k)", True),
        ("vech(X)'*vech(A)", "", "X: matrix(n, n); A: matrix(n, n)", True),
        ("tr(kron(A, B))", "", "A: matrix(n, n); B: matrix(m, m)", True),
        # vec(B X A') = (A ⊗ B) vec(X)
        ("kron(A, B)*vec(X) - vec(B*X*A')", "", "A: matrix(m, n); B: matrix(p, k); X: matrix(k, n)", True),
        ("x'A x", "x: vector(1)", "x: vector(1); A: matrix(1, 1)", False),
        ("x'x", "x: vector(1)", "x: vector(1)", False),
        ("A x", "A: matrix(1, n)", "A: matrix(1, n); x: vector(n)", False),
        ("A B", "A: matrix(m, 1)", "A: matrix(m, 1); B: matrix(1, n)", False),
        ("x*A", "x: vector(m); A: matrix(1, n)", "x: vector(m); A: matrix(1, n)", False),
    ],
)  # fmt: skip
def test_sizes(text: str, let: str, shapes: str, noted: bool) -> None:
    found = parsed(text, let)
    assert "; ".join(f"{name}: {v.shape}" for name, v in found.variables.items()) == shapes
    assert any("part by part" in note for note in found.notes) == noted


@pytest.mark.parametrize("let", ["c: vector(1)", "c: matrix(1, 1)", "c: row(1)"])
def test_one_entry_is_not_a_scalar(let: str) -> None:
    """What an expression means for one size it means for each."""
    assert failure(ShapeProblem, "a/c", f"{let}; a: scalar").message.startswith("`/` divides by a")
    assert failure(ShapeProblem, "a^c", f"{let}; a: scalar").message == "an exponent is a scalar"


@pytest.mark.parametrize("other", ["X", "x", "x'"])
@pytest.mark.parametrize("op", ["+", "-", ".*"])
def test_ones_take_the_shape_of_their_neighbour(op: str, other: str) -> None:
    let = f"{MN}; x: vector(n)"
    ones = {"X": "ones(m, n)", "x": "ones(n)", "x'": "ones(n)'"}[other]
    assert node(f"{other} {op} ones", let) is node(f"{other} {op} {ones}", let)
    assert node(f"ones {op} {other}", let) is node(f"{ones} {op} {other}", let)


# --- more of the language, and what it is not -------------------------------------------------------------------------

MORE_SAME: list[tuple[str, str, str]] = [
    # transposes and inverses
    ("X.'", "X'", MN), ("x.'y", "x'*y", XY), ("X ^T", "X'", MN), ("X '", "X'", MN), ("(X)'", "X'", MN),
    ("X.T@X", "X'*X", MN), ("(X Y')^T", "(X*Y')'", MN), ("transpose(x)", "x'", XY), ("transpose(x')", "x", XY),
    ("transpose X", "X'", MN), ("x*transpose(x)", "x*x'", XY), ("X^−1", "inv(X)", AB), ("X**(-1)", "inv(X)", AB),
    ("X^-1'", "inv(X)'", AB), ("X'^-1", "inv(X')", AB), ("X'⁻¹", "inv(X')", AB), ("(X^-1)^T", "inv(X)'", AB),
    ("X³", "X^3", AB), ("X^3'", "(X^3)'", AB), ("X^1", "X", AB), ("X^0 + A", "I + A", AB),
    # numbers and signs
    ("2. x", "2*x", XY), ("2. * X", "2*X", MN), ("2.*X", "2*X", MN), ("2.'", "2", ""), ("2.5e1 a", "25*a", ALL),
    ("a^½", "a^(1/2)", ALL), ("a^.5", "a^(1/2)", ALL), ("a^1/2", "a/2", ALL), ("−2x", "-2*x", XY), ("a--b", "a + b", ALL),
    ("2*-x", "-2*x", XY), ("- - x", "x", XY), ("½x'x", "x'*x/2", XY), ("⅓a", "a/3", ALL),
    # products
    ("2 A\\x", "inv(2*A)*x", ALL), ("A\\B\\x", "inv(inv(A)*B)*x", ALL), ("2 A:B", "tr((2*A)'*B)", AB), ("A:B C", "tr(A'*B)*C", AB),
    ("A B:C", "tr((A*B)'*C)", AB), ("2(x+y)'", "2*(x + y)'", XY), ("1/a b", "b/a", ALL), ("a/(b c)", "a/(b*c)", ALL),
    ("[x] ", "x", XY), ("[a,b;c,t]\\[a;b]", "inv([a, b; c, t])*[a; b]", ALL),
    # bars
    ("|A||B|", "det(A)*det(B)", AB), ("|a-|b||", "abs(a - abs(b))", ALL), ("|A||B||C|", "det(A)*det(B)*det(C)", AB),
    ("|a ||x|| b|", "abs(a*norm2(x)*b)", ALL), ("|a - ||x|| |", "abs(a - norm2(x))", ALL), ("-|a|", "-abs(a)", ALL),
    ("|x'x|", "abs(x'*x)", XY), ("a|b|", "a*abs(b)", ALL), ("|‖x‖|", "abs(norm2(x))", XY), ("|a||b|", "abs(a)*abs(b)", ALL),
    # functions without brackets
    ("2 sin t cos t", "2*sin(t)*cos(t)", ALL), ("2 tr A", "2*tr(A)", AB), ("½ ln det A", "logdet(A)/2", AB), ("tr A - B", "tr(A) - B", AB),
    ("2 (tr A) B", "2*tr(A)*B", AB), ("x ln a", "log(a)*x", ALL), ("a/ln b", "a/log(b)", ALL), ("tr A^2", "tr(A^2)", AB), ("tr A^-1", "tr(inv(A))", AB),
    ("gamma x", "γ*x", XY),
    # sizes as numbers, and numbers as sizes
    ("ones(len(x))'x", "ones(n)'*x", XY), ("eye(rows(X)) + A", "I + A", AB), ("X - ones(rows(X), cols(X))", "X - 1", MN),
    ("sum(i=1:len(x), x[i])", "sum(i=1:n, x[i])", XY), ("sum(i=1:rows(X), X[i,1])", "sum(i=1:m, X[i,1])", MN),
    ("zeros(len(x) + 1)", "zeros(n + 1)", XY), ("len(x)*x", "n*x", XY), ("rows(X)*cols(X)", "m*n", MN), ("tr(X'X)/rows(X)", "tr(X'*X)/m", MN),
    ("n'x", "n*x", XY), ("1/len(x)*sum(x)", "sum(x)/n", XY),
    ("sum(i = 1 : n, x[i])", "sum(i=1:n, x[i])", XY), ("sum(i=1:n-1, x[i])", "sum(i=1:(n - 1), x[i])", XY),
    ("sum(i=2-1:n, x[i])", "sum(i=1:n, x[i])", XY), ("sum(i=1:2*n, a)", "sum(i=1:2 n, a)", ALL),
    # functions declared
    ("f(x)", "x.^2/2", f"f(s) = s^2/2; {XY}"), ("f(x+y)", "(x + y).^2.*exp(-(x + y))", f"f(t) = t^2*exp(-t); {XY}"),
    ("f(x)", "max(x, 0)", f"f(t) = max(t, 0); {XY}"), ("f(x)", "abs(x)", f"f(t) = |t|; {XY}"), ("f(x)", "x + π", f"f(t) = t + pi; {XY}"),
    ("f(x)", "2*ones(n)", f"f(t) = 2; {XY}"), ("f(x)", "gamma(x)", f"f(t) = gamma(t); {XY}"), ("f(X)", "sqrt(X)", f"f(t) = √t; {MN}"),
    ("σ(x)", "sigmoid(x)", f"σ(t) = sigmoid(t); {XY}"),
]  # fmt: skip


@pytest.mark.parametrize("text, same, let", MORE_SAME)
def test_more_of_the_same(text: str, same: str, let: str) -> None:
    assert without_definitions(node(text, let)) is node(same, let)


MORE_SHAPES: list[tuple[str, str, str]] = [
    ("u(x)'u(x)", "u: vector(m) of vector(n)", "scalar"), ("u(x)'", "u: vector(m) of vector(n)", "row(m)"),
    ("g(2 X) + 1", "g: scalar of matrix(m, n)", "scalar"), ("U(X)*y", "U: matrix(p, q) of matrix(m, n)", "vector(p)"),
    ("u(u(x))", "u: vector(n) of vector(n)", "vector(n)"), ("r(x)", "r: row(m) of vector(n)", "row(m)"),
    ("u(A*x)", "u: vector(m) of vector(n); A: matrix(n, p)", "vector(m)"), ("u(X[:,1])", "u: vector(m) of vector(n)", "vector(m)"),
    ("f(f(x))", "f: elementwise", "vector(n)"), ("f'(x)'f(x)", "f: elementwise", "scalar"), ("f''(A x)", "f: elementwise", "vector(m)"),
    ("f(x)'", "f: elementwise", "row(n)"), ("f(X)", "f: elementwise", "matrix(m, n)"), ("f(x')", "f: elementwise", "row(n)"),
    ("f(a)", "f: elementwise", "scalar"), ("f(1)", "f: elementwise", "scalar"),
    ("Q'Q x", "Q: orthogonal(n)", "vector(n)"), ("K x", "K: skew", "vector(n)"), ("L U x", "L: lower; U: upper", "vector(n)"),
    ("D*X", "D: diagonal; X: matrix(m, n)", "matrix(m, n)"), ("J x", "J: identity", "vector(n)"), ("w.^a", "w: positive(n)", "vector(n)"),
    ("r x", "r: row", "scalar"), ("x r", "r: row(m)", "matrix(n, m)"), ("[r; x']", "r: row(3)", "matrix(2, 3)"),
    ("e_i'x", "", "scalar"), ("X e_j", "", "vector(m)"), ("e_1'X e_2", "", "scalar"), ("e_i e_j' + X", "", "matrix(m, n)"),
    ("sum(i=1:n, e_i'x)", "x: vector(n)", "scalar"), ("sum(i=1:n, e_i e_i')", "", "matrix(n, n)"), ("sum(i=1:3, e_i)", "", "vector(3)"),
    ("sum(i=1:3, A^i)", "", "matrix(n, n)"), ("sum(k=0:3, A^k/gamma(k+1))", "", "matrix(n, n)"), ("sum(j=1:n, A[:,j])", "", "vector(m)"),
    ("sum(i=1:n, A[i,:])", "", "row(m)"), ("sum(i=1:n, sum(j=i:n, X[i,j]))", "", "scalar"), ("x[n]", "x: vector(n)", "scalar"),
    ("kron(I, W)*x", "W: matrix(2, 2); x: vector(6)", "vector(6)"), ("kron(W, I)*x", "W: matrix(2, 3); x: vector(6)", "vector(4)"),
    ("ones'A*ones", "", "scalar"), ("ones*ones'", "", "matrix(n, m)"), ("X - ones*mean(X, 1)", "", "matrix(m, n)"),
    ("X - mean(X, 2)*ones'", "", "matrix(m, n)"), ("x./sum(x)", "", "vector(n)"), ("X./sum(X)", "", "matrix(m, n)"),
    ("[x^2; x^3]", "", "vector(2)"), ("[[a,b];[c,d]]", "", "matrix(2, 2)"), ("[A, x; x', a]", "", "matrix(n + 1, n + 1)"),
    ("colsum(X)*x", "", "scalar"), ("rowsum(X)'x", "", "scalar"), ("vech(X)", "", "vector((n*n + n)/2)"), ("cross(x, y)'z", "", "scalar"),
    ("softmax(A x)", "", "vector(m)"), ("cumsum(X, 2)", "", "matrix(m, n)"), ("logsumexp(X, 2)", "", "vector(m)"), ("prod(X, 1)", "", "row(n)"),
    ("diag(A B)", "", "vector(m)"), ("diag(x)*X", "", "matrix(m, n)"), ("pinv(X)*x", "", "vector(n)"), ("polygamma(2, X)", "", "matrix(m, n)"),
]  # fmt: skip


@pytest.mark.parametrize("text, let, shape", MORE_SHAPES)
def test_more_shapes(text: str, let: str, shape: str) -> None:
    typed = parsed(text, let)
    assert str(typed.expr.shape) == shape
    declared = "; ".join(
        f"{n}: {v.shape}" for n, v in typed.variables.items() if n in typed.assumed
    )
    for style in ("matgrad", "ascii", "unicode"):
        assert (
            node(render(typed.expr, style), "; ".join(p for p in (let, declared) if p))
            is typed.expr
        )


# Text, declarations, the message, what is underlined, a part of the help.
MORE_ERRORS: list[tuple[str, str, str, list[str], str]] = [
    ("[1 2]", "", "a number stands behind a factor", ["1 2"], "or `[1, 2]` for two entries"),
    ("x 2", "", "a number stands behind a factor", ["x 2"], "write `x*2`"),
    ("x [1]", "", "a blank stands between `x` and `[1]`", ["x [1]"], "write `x[1]` for an entry, or `x*1`"),
    ("X^T2", "", "a number stands behind a factor", ["X^T2"], "write `X^T*2`"),
    ("x[1:2]", "", "a range stands in a sum only", ["1:2"], "as in `[x[1]; x[2]]`"),
    ("x[end]", "", "an index is a whole number from 1, or a name", ["end"], "`x[n]` with `--let 'x: vector(n)'`"),
    ("1:5", "", "a range stands in a sum only", ["1:5"], "write `sum(i=1:n, x[i]^2)`"),
    ("sum(x[i], i=1:n)", "", "the range of a sum comes first", ["i=1:n"], "write `sum(i=1:n, x[i])`"),
    ("2 tr A B", "", "it is not clear where the argument of `tr` ends", ["tr A B"], "`tr(A B)` or `tr(A)*B`"),
    ("tr A .* B", "", "it is not clear where the argument of `tr` ends", ["tr A .* B"], "`tr(A.*B)` or `tr(A).*B`"),
    ("tr A\\b", "", "it is not clear where the argument of `tr` ends", ["tr A\\b"], "`tr(A\\b)` or `tr(A)\\b`"),
    ("tr A:B", "", "it is not clear where the argument of `tr` ends", ["tr A:B"], "`tr(A:B)` or `tr(A):B`"),
    ("2 ln det X Y", "", "it is not clear where the argument of `det` ends", ["det X Y"], "`ln det(X Y)` or `(ln det(X))*Y`"),
    ("A\\b'", "", "a matrix and a row vector cannot be multiplied in this order", ["A", "b'"], "did you mean `A\\b`?"),
    ("eye(a)", "a: scalar", "`a` is not an integer", ["a"], "declare it: `--let 'a: integer'`"),
    ("ones(tr(X))", "", "a size is a positive whole number or a name", ["tr(X)"], ""),
    ("kron(I, W)", "", "nothing here says how large `I` is", ["I"], "write `eye(n)`"),
    ("[x; ones]", "", "nothing here says how large `ones` is", ["ones"], "declare `ones` or what it meets"),
    ("kron(I, W)*x", "W: matrix(2, 2); x: vector(7)", "the sizes do not agree in a product", ["kron(I, W)", "x"], "has 7 rows"),
    ("softmax(x, 1)", "", "only a matrix has directions, and this is a vector", ["x"], "write `softmax(x)`"),
    ("mean(a, 1)", "", "only a matrix has directions, and this is a scalar", ["a"], "write `mean(a)`"),
    ("mean(X, 3)", "", "a direction is 1 or 2", ["3"], "write `mean(X, 1)`"),
    ("sum(X, 1)", "", "`sum` takes 1 argument, not 2", ["sum(X, 1)"], "`colsum(X)` down the columns or `rowsum(X)`"),
    ("polygamma(x)", "", "`polygamma` takes 2 arguments, not 1", ["polygamma(x)"], "write `polygamma(k, x)`"),
    ("u(x)", "u: vector(m) of matrix(m, n)", "`u` is a function of a matrix(m, n)", ["x"], "`x` is a vector"),
    ("u'(x)", "u: vector(m) of vector(n)", "a function to vectors or matrices has a Jacobian, `∂u(x)`", ["u'(x)"], "for the transpose"),
    ("u(x) + u(y)", "u: vector of vector; x: vector(2); y: vector(3)", "`u` is a function of a vector(2)", ["y"], "`y` is a vector(3)"),
    ("f(x, y)", "f: elementwise", "`f` takes 1 argument, not 2", ["f(x, y)"], ""),
    ("Σ(x)", "", "`Σ` is not a function", ["Σ"], "for the sum of all entries write `sum(...)`"),
    ("A:B", "A: matrix(2, 3); B: matrix(4, 5)", "`:` is the Frobenius product of two matrices of one shape", ["A", "B"], "`A` is a matrix(2, 3)"),
]  # fmt: skip


@pytest.mark.parametrize("text, let, message, marked, help", MORE_ERRORS)
def test_more_errors(text: str, let: str, message: str, marked: list[str], help: str) -> None:
    problem = failure(MatgradError, text, let)
    assert (problem.message, underlined(problem, text)) == (message, marked)
    assert help in problem.help


@pytest.mark.parametrize(
    "let, message, help",
    [
        ("X: array", "`array` is not a kind of value", "the kinds are scalar"),
        ("k: whole", "`whole` is not a kind of value", "the kinds are scalar"),
        ("g: scalar of index", "`index` is not a kind of value", "the kinds are scalar"),
        ("x: vec(n)", "`vec` is not a kind of value", "write `--let 'x: vector(n)'`"),
        ("X: mat(m, n)", "`mat` is not a kind of value", "write `--let 'X: matrix(m, n)'`"),
        ("S: sym(n)", "`sym` is not a kind of value", "did you mean `symmetric`?"),
        ("f: elementwise(n)", "`elementwise` takes no size", "write `f: elementwise`"),
        ("k: integer(n)", "`integer` takes no size", "write `k: integer`"),
        ("x: vector(n); n: scalar", "`n` is a size in `x: vector(n)`", "or write `n: integer`"),
        ("x: vector(x)", "`x` is a size in `x: vector(x)`", ""),
        ("x: vector(-1)", "a size is a positive whole number or a name", ""),
        ("x: vector(0.5)", "a size is a positive whole number or a name", ""),
        ("x: vector(1 - 2)", "a size is a positive whole number or a name", ""),
    ],
)
def test_declarations_that_are_wrong(let: str, message: str, help: str) -> None:
    problem = failure(MatgradError, "1", let)
    assert problem.message == message
    assert help in problem.help


def test_declarations_with_blanks() -> None:
    assert declare(" X : matrix ( m , n ) ").shape == declare("X: matrix(m, n)").shape
    assert declare("u: vector (m) of vector (n)").argument == ex.vector_shape("n")
    assert declare("x: vector(n - 1)").shape.rows == declare("x: vector(n-1)").shape.rows


# --- notes and repairs ------------------------------------------------------------------------------------------------


def test_declarations_that_are_not_used() -> None:
    import matgrad

    def notes(let: list[str], background: str = "") -> list[str]:
        return matgrad.diff(
            "x_1'*A*x_1", "x_1", let=let, background=background or (), check=False
        ).notes

    assert notes(["A: matrix(n, n)"]) == []
    assert notes(["B: matrix"]) == ["`B` is declared, and the expression has no `B`"]
    assert notes(["x1: vector"]) == [
        "`x1` is declared, and the expression has no `x1`; did you mean `x_1`?"
    ]
    assert notes(["a: matrix"])[0].endswith("did you mean `A`?")
    assert notes(["n: integer", "x_1: vector(n)"]) == []
    assert notes(["f: elementwise"]) == ["`f` is declared, and the expression has no `f`"]
    assert notes([], "B: matrix") == []
    assert matgrad.diff("sum(f'(x))", let="f: elementwise", check=False).notes == []


def test_e_is_a_name() -> None:
    note = "`e` is read as a variable; the exponential function is `exp(...)`"
    assert parsed("e^-t").notes == (note,)
    assert parsed("e^-t", "e: scalar").notes == ()
    assert parsed("e*t").notes == ()


@pytest.mark.parametrize(
    "text, message, marked, help",
    [
        (r"\sigma(W x)", "`σ` is not a function", [r"\sigma"],
         "if it is `sigmoid`, declare `--let 'σ(t) = sigmoid(t)'`; for a product write `\\sigma \\cdot (W x)`;"
         " for an unknown function declare it: `--let 'σ: elementwise'`"),
        ("a(x+y)", "`a` is not a function", ["a"],
         "for a product write `a*(x+y)`; for an unknown function declare it: `--let 'a: elementwise'`"),
        ("tr2(X)", "there is no function `tr2`", ["tr2"], "did you mean `tr(X)^2` or `tr(X^2)`?"),
        ("tr2(X+A)", "there is no function `tr2`", ["tr2"], "did you mean `tr(X+A)^2` or `tr((X+A)^2)`?"),
        ("log3(x)", "there is no function `log3`", ["log3"], "did you mean `log`?"),
        ("tr(I + 1)", "nothing here says how large `I` is", ["I"],
         "write `eye(n)`; a number beside it does not say"),
    ],
)  # fmt: skip
def test_repairs(text: str, message: str, marked: list[str], help: str) -> None:
    problem = failure(MatgradError, text)
    assert (problem.message, underlined(problem, text), problem.help) == (message, marked, help)


@pytest.mark.parametrize(
    "text, let, assumed",
    [
        ("eigmax(X)", "", ["symmetric"]),
        ("eigmin(A B)", "", ["symmetric"]),
        ("eigmax(A + A')", "", []),
        ("eigmax(X'X)", "", []),
        ("eigmax(S)", "S: symmetric", []),
        ("eigmin(P)", "P: spd", []),
        ("chol(P)", "P: spd", []),
        ("sum(chol(X))", "", ["spd"]),
        ("sum(chol(S))", "S: symmetric", ["spd"]),
        ("det(X)", "", []),
    ],
)
def test_what_functions_take_for_granted(text: str, let: str, assumed: list[str]) -> None:
    assert [word for word, _ in taken_for_granted(node(text, let))] == assumed


@pytest.mark.parametrize(
    "latex, name",
    [
        (r"\Sigma", "Σ"), ("x_{0}", "x_0"), ("x_0", "x_0"), ("$x_0$", "x_0"), (r"\mathbf{x}", "x"),
        (r"\hat{\beta}", "β_hat"), (r"\hat\beta_1", "β_hat1"), ("alpha", "α"), (r" \alpha ", "α"),
        (r"\mathbf W", "W"), (r"W_{\text{in}}", "W_in"),
    ],
)  # fmt: skip
def test_names_in_options(latex: str, name: str) -> None:
    assert read_name(latex) == name
    assert declare(f"{latex}: matrix(2, 2)").name == name


def test_declarations_in_latex() -> None:
    sigma = r"\sigma(\tau) = \frac{1}{1 + \exp(-\tau)}"
    assert without_definitions(node("σ(x)", sigma)) is node("1./(1 + exp(-x))")
    assert declare(r"\sigma: elementwise").role == "elementwise"
    assert declare(r"\Sigma: spd(n)").properties[0] == "spd"


# --- the function table -----------------------------------------------------------------------------------------------

# Variables for the parameters of a signature, by their shape.
_ARGUMENTS = {"scalar": "a", "vector(n)": "x", "vector(3)": "u", "array": "x"}


def arguments(op: str) -> str:
    """Arguments for a function of the table, with the direction if it takes one."""
    letters = []
    taken: set[str] = set()
    for name, shape in signature(op).parameters:
        if op == "polygamma" and name == "k":
            letters.append("1")
            continue
        pool = {"scalar": "ab", "vector": "xy", "array": "xy", "matrix": "AB"}[shape.kind]
        if shape.kind == "vector" and shape.rows == 3:
            pool = "uv"
        if shape.kind == "matrix" and shape.rows != shape.cols:
            pool = "XY"
        elif shape.kind == "matrix" and shape.rows == "m":
            pool = "C"
        letter = next(c for c in pool if c not in taken)
        taken.add(letter)
        letters.append(letter)
    letters += ["n", "1"][: len(signature(op).sizes)]
    return ", ".join(letters + ([op[-1]] if op.endswith((":1", ":2")) else []))


TABLE_LET = (
    "a: scalar; b: scalar; x: vector(n); y: vector(n); u: vector(3); v: vector(3);"
    "A: matrix(n, n); B: matrix(n, n); C: matrix(m, m); X: matrix(m, n); Y: matrix(m, n)"
)
CALLS = [
    (name, f.op)
    for f in TABLE.values()
    for name in (f.names or ((f.op.partition(":")[0],) if ":" in f.op else ()))
]


@pytest.mark.parametrize("name, op", CALLS)
def test_each_function_under_each_name(name: str, op: str) -> None:
    text = f"{name}({arguments(op)})"
    found = node(text, TABLE_LET)
    assert found.kind == ex.CALL
    assert found.op == op
    assert found.args == tuple(
        node(part, TABLE_LET) for part in arguments(op).split(", ")[: len(signature(op).parameters)]
    )
    result = signature(op).result
    assert found.shape.kind == (result.kind if result.kind != "array" else "vector")
    for style in ("matgrad", "ascii", "unicode"):
        assert node(render(found, style), TABLE_LET) is found
    assert render(found, "latex")


def test_every_row_has_a_name_or_a_direction_or_an_operator() -> None:
    nameless = {f.op for f in TABLE.values() if not f.names and ":" not in f.op}
    assert nameless == {"matpow", "power", "epow", "hadamard"}
    assert {op.partition(":")[0] for op in TABLE if op.endswith((":1", ":2"))} == DIRECTIONS


@pytest.mark.parametrize("name", sorted(DIRECTIONS))
def test_directions(name: str) -> None:
    for way in (1, 2):
        found = node(f"{name}(X, {way})", "X: matrix(m, n)")
        assert found.op == f"{name}:{way}"
        assert found.args == (node("X", "X: matrix(m, n)"),)
        kept = name in ("softmax", "logsoftmax", "cumsum", "indmax")
        assert str(found.shape) == (
            "matrix(m, n)" if kept else ("row(n)" if way == 1 else "vector(m)")
        )
    if name in NEED_DIRECTION:
        problem = failure(ShapeProblem, f"{name}(X)", "X: matrix(m, n)")
        assert problem.message == f"`{name}` of a matrix needs a direction"
        assert problem.help == (
            f"write `{name}(X, 1)` down the columns or `{name}(X, 2)` along the rows"
        )
    else:
        assert node(f"{name}(X)", "X: matrix(m, n)").is_scalar is not kept


@pytest.mark.parametrize(
    "text, expected",
    [
        ("tr(a)", "a"), ("det(a)", "a"), ("sum(x')", "sum(x')"), ("transpose(a)", "a"),
        ("logdet(a)", "log(a)"), ("norm(a)", "abs(a)"), ("norm2(a)", "abs(a)"), ("inv(a)", "1/a"),
        ("norm2(x')", "norm2(x)"), ("prod(x')", "prod(x)"), ("logsumexp(x')", "logsumexp(x)"),
        ("diag(x')", "diag(x)"), ("ln(det(A))", "logdet(A)"), ("|a|", "abs(a)"),
        ("kron(a, X)", "a*X"), ("x'⊗y'", "kron(x', y')"), ("X⊗x'", "kron(X, x')"),
    ],
)  # fmt: skip
def test_functions_of_other_kinds(text: str, expected: str) -> None:
    assert node(text, TABLE_LET) is node(expected, TABLE_LET)


# --- declarations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, shape, properties",
    [
        ("X: matrix(m, n)", "matrix(m, n)", ""),
        ("A: matrix(3, 4)", "matrix(3, 4)", ""),
        ("x: vector(n)", "vector(n)", ""),
        ("x: vector(2*n + 1)", "vector(2*n + 1)", ""),
        ("r: row(n)", "row(n)", ""),
        ("c: scalar", "scalar", ""),
        ("k: integer", "scalar", "integer"),
        ("s: positive", "scalar", "nonzero positive"),
        ("w: positive(n)", "vector(n)", "positive"),
        ("S: symmetric(n)", "matrix(n, n)", "symmetric"),
        ("P: spd(n)", "matrix(n, n)", "invertible spd symmetric"),
        ("D: diagonal(n)", "matrix(n, n)", "diagonal lower symmetric upper"),
        ("K: skew(n)", "matrix(n, n)", "skew"),
        ("Q: orthogonal(n)", "matrix(n, n)", "invertible orthogonal"),
        ("L: lower(n)", "matrix(n, n)", "lower"),
        ("U: upper(n)", "matrix(n, n)", "upper"),
        ("M: invertible(n)", "matrix(n, n)", "invertible"),
        ("I: identity(n)", "matrix(n, n)", "diagonal identity invertible orthogonal spd symmetric"),
    ],
)
def test_declarations(text: str, shape: str, properties: str) -> None:
    found = declare(text)
    assert found.name == text[0]
    assert found.role == "variable"
    assert str(found.shape) == shape
    assert " ".join(sorted(found.properties)) == properties


def test_declared_functions() -> None:
    assert declare("f: elementwise").role == "elementwise"
    u = declare("u: vector(m) of vector(n)")
    assert (u.role, str(u.shape), str(u.argument)) == ("map", "vector(m)", "vector(n)")
    f = declare("f(alpha) = alpha^2")
    assert f.role == "definition"
    assert f.definition is not None
    assert f.definition[0] == "α"
    assert declare("alpha_1: scalar").name == "α_1"


@pytest.mark.parametrize("kind", ["symmetric", "vector", "matrix", "spd", "row"])
def test_sizes_may_be_left_out(kind: str) -> None:
    known = declare(f"Z: {kind}")
    assert "?" in str(known.shape)
    assert node("Z + Z", f"Z: {kind}").shape.kind == known.shape.kind


@pytest.mark.parametrize(
    "text, message, help",
    [
        ("x: vector(m, n)", "`vector` takes one size, not 2", "write `vector(n)`"),
        ("X: matrix(n)", "`matrix` takes 2 sizes, not 1", "write `matrix(m, n)`"),
        ("S: spd(m, n)", "`spd` takes one size, not 2", "write `spd(n)`"),
        ("c: scalar(n)", "`scalar` takes no size",
         "write `c: scalar`, or `c: vector(n)` for several numbers"),
        ("x: vectr(n)", "`vectr` is not a kind of value", "did you mean `vector`?"),
        ("x: vector(0)", "a size is a positive whole number or a name",
         "write, for example, `vector(3)` or `matrix(m, n)`"),
        ("x: vector(n^2)", "a size is a positive whole number or a name",
         "write, for example, `vector(3)` or `matrix(m, n)`"),
        ("x: vector(2000000)", "a size of 2,000,000 is too large",
         "sizes up to 1,000,000 are read; a name such as `n` stands for any size"),
        ("x", "this is not a declaration",
         "a declaration is a name, a colon and a kind, as in `x: vector(n)` or `f: elementwise`"),
    ],
)  # fmt: skip
def test_wrong_declarations(text: str, message: str, help: str) -> None:
    with pytest.raises(MatgradError) as caught:
        declare(text)
    assert caught.value.message == message
    assert help in caught.value.help


def test_many_sizes_get_names() -> None:
    found = parsed(" + ".join(f"tr(A{i}'A{i})" for i in range(1, 8)))
    sizes = {str(d) for v in found.variables.values() for d in (v.shape.rows, v.shape.cols)}
    assert len(sizes) == 14
    assert {"m", "n", "n1", "n2"} <= sizes


def test_names_of_functions() -> None:
    assert BY_NAME["diag"] == (TABLE["diag"], TABLE["diagonal"])
    assert BY_NAME["norm"] == (TABLE["norm2"], TABLE["normF"])


@pytest.mark.parametrize(
    "text, let, shown",
    [
        ("[c; x] + y", "c: scalar; y: vector(5)", "x: vector(4)"),
        ("y + [x; c]", "c: scalar; y: vector(5)", "x: vector(4)"),
        ("[x; z] - y", "z: vector(m); y: vector(m + n)", "x: vector(n)"),
    ],
)
def test_sizes_of_parts_of_a_stack(text: str, let: str, shown: str) -> None:
    x = parsed(text, let).variables["x"]
    assert f"x: {x.shape}" == shown


def test_a_stack_that_is_too_long() -> None:
    problem = failure(ShapeProblem, "[c; c; x] + y", "c: scalar; y: vector(2)")
    assert problem.message == "shapes do not agree in a sum"
