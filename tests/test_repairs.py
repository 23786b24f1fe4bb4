"""What an error offers can be read in the place of the text at fault, and is what is meant."""

from __future__ import annotations

import json
import time

import pytest
from test_errors import run

from matgrad.derive import declarations, diff
from matgrad.errors import LimitProblem, MatgradError, NameProblem, ShapeProblem, SyntaxProblem
from matgrad.latex_input import translate
from matgrad.render.problems import problem_text
from matgrad.shapes import declare_all, problem_in, read
from matgrad.slips import calls_meant, declarations_meant, find, legible, meant, respelled


def failure(text: str, let: str = "") -> MatgradError:
    with pytest.raises(MatgradError) as caught:
        read(text, declarations([let] if let else []))
    return caught.value


# A text that is wrong, and what is offered for it.
REPAIRS = [
    ("||x|-|y||", "| |x|-|y||"),
    ("||x - y", "||x - y||"),
    ("exp -x", "exp(-x)"),
    ("2*log -c/2 + 1", "2*log(-c/2) + 1"),
    ("tr(X⊤ A)", "tr(X^⊤ A)"),
    ("tr(X^⊺A)", "tr(X^⊤A)"),
    ("tr(X^{⊺}A)", "tr(X^⊤A)"),
    ("ŷ'x", "y_hat'x"),
    ("ñ'x", "n_tilde'x"),
    ("é*x", "e*x"),
    ("x̄'x", "x_bar'x"),
    ("x̄y'z", "x_bar y'z"),
    ("x̂_1'x", "x_hat1'x"),
    ("α̂*x", "α_hat*x"),
    ("Xⁿ*x + aᵢ*x", "X^n*x + a_i*x"),
    ("x{1}", "x[1]"),
    ("X{1,2}", "X[1,2]"),
    ("sum(x, axis=0)", "sum(x)"),
    ("sum(X, axis=0)", "colsum(X)"),
    ("np.sum(X, axis=1, keepdims=True)", "rowsum(X)"),
    ("mean(X, axis=-1)", "mean(X, 2)"),
    ("softmax(X, dim=0)", "softmax(X, 1)"),
    ("X.shape", "rows(X)*cols(X)"),
    ("tr(X)/X.shape[0]", "tr(X)/rows(X)"),
    ("x'x/x.shape[0]", "x'x/len(x)"),
    ("sum(X)/X.shape[1]", "sum(X)/cols(X)"),
    ("X_{i,j}", "X[i,j]"),
    ("[X]_{ij}", "X[i,j]"),
    ("[x]_i", "x[i]"),
    ("[x]_+", "relu(x)"),
    ("sum((1 - y.*x)_+)", "sum(relu(1 - y.*x))"),
    ("log^2 c", "log(c)^2"),
    ("sin^2(c)", "sin(c)^2"),
    ("tr({X}^{T}A)", "tr((X)^{T}A)"),
    ("{x}", "(x)"),
    ("x'Ax/x'x", "x'Ax/(x'x)"),
    ("x'*A*x/x'*x", "x'*A*x/(x'*x)"),
    ("(x-mu)'Sigma\\(x-mu)", "(x-mu)'*(Sigma\\(x-mu))"),
    ("(x-mu)'*Sigma\\(x-mu)", "(x-mu)'*(Sigma\\(x-mu))"),
    ("tr(X^(1/2))", "tr(sqrtm(X))"),
    ("tr(X^0.5)", "tr(sqrtm(X))"),
    ("tr((A + B)^(-1/2))", "tr(inv(sqrtm(A + B)))"),
    ("length(x)", "len(x)"),
    ("x'x/size(x)", "x'x/len(x)"),
    ("size(X,1)*tr(X)", "rows(X)*tr(X)"),
    ("size(X, 2)*tr(X)", "cols(X)*tr(X)"),
    ("sum(X)/numel(X)", "sum(X)/(rows(X)*cols(X))"),
    ("tr(X*identity(n))", "tr(X*eye(n))"),
    ("frob(X)", "norm(X)"),
    ("vecnorm(x)", "norm(x)"),
    ("matmul(A, B + C)", "A*(B + C)"),
    ("var(x)", "mean((x - mean(x)).^2)"),
    ("sec(c)", "1./cos(c)"),
    ("sum(sec(x))", "sum(1./cos(x))"),
    ("sum(x.**2)", "sum(x.^2)"),
    ("tr(X^+)", "tr(pinv(X))"),
    ("tr(X^{+}A)", "tr(pinv(X)A)"),
    ("tr(X^*A)", "tr(X'A)"),
    ("x!", "gamma(x + 1)"),
    ("xTAx", "x'A x"),
    ("sum(i=1:n x[i])", "sum(i=1:n, x[i])"),
    ("sum(i=1:n*x[i])", "sum(i=1:n, x[i])"),
    ("sum_{i=1}^n x_i^2", "sum(i=1:n, x[i]^2)"),
    ("∑_{i=1}^n (x_i + X_{i i}) - c", "sum(i=1:n, (x[i] + X[i,i])) - c"),
    ("lambda x: x'x", "x'x"),
    ("@(x) x'*x", "x'*x"),
    ("x -> x'x", "x'x"),
    ("f(x) = x'x", "x'x"),
    ("X⁺*A", "pinv(X)*A"),
    ("X^H A", "X' A"),
    ("X**T", "X'"),
    ("Tr(X)", "tr(X)"),
    ("sum(ReLU(x))", "sum(relu(x))"),
    ("maximum(x, 0)", "max(x, 0)"),
    ("zeros_like(x)'x", "zeros(len(x))'x"),
    ("ones((n,1))'x", "ones(n)'x"),
    ("norm(x, 2)^2", "norm2(x)^2"),
    ("norm(X, 2)^2", "specnorm(X)^2"),
    ("c*X[1][2]", "c*X[1,2]"),
    ("sum(X[:])", "sum(vec(X))"),
    (r"\sum_{i=1}^n x_i^2", "sum(i=1:n, x[i]^2)"),
    (r"$c + \sum_{i=1}^{n} \log(x_i)$", r"c + sum(i=1:n, \log(x[i]))"),
    (r"\min_x \|Ax-b\|_2^2", r"\|Ax-b\|_2^2"),
    (r"\underset{x}{\min} \|x\|^2", r"\|x\|^2"),
    (r"\operatorname*{argmin}_{x} \|x\|^2", r"\|x\|^2"),
    (r"\max_{x} c^\top x \quad \text{s.t. } Ax = b", r"c^\top x"),
    (r"\sum_{i=1}^m \sum_{j=1}^{n} X_{ij}^2", "sum(i=1:m, sum(j=1:n, X[i,j]^2))"),
    (r"\log\left(\sum_{i=1}^n \exp(x_i)\right)", r"\log\left(sum(i=1:n, \exp(x[i])) \right)"),
    (r"\mathcal{L}(W) = \|Y - WX\|_F^2", r"\|Y - WX\|_F^2"),
    ("minimize x'x", "x'x"),
    ("sum(X(:).^2)", "sum(vec(X).^2)"),
    ("x'x % the length", "x'x"),
    (r"x^\topA x", r"x^\top A x"),
    (r"\operatorname{tr}(X^{\bot} A)", r"\operatorname{tr}(X^{\top} A)"),
    (r"\begin{align*} f &= x^\top A x \end{align*}", r"x^\top A x"),
]


@pytest.mark.parametrize("text, repair", REPAIRS, ids=[text for text, _ in REPAIRS])
def test_repair(text: str, repair: str) -> None:
    problem = failure(text)
    assert f"`{repair}`" in problem.help
    assert problem_in(repair, {}) is None
    assert problem.text == text
    assert all(0 <= m.start < m.end <= len(text) + 1 for m in problem.marks)


def test_of_two_brackets_either_may_be_wrong() -> None:
    assert failure("x'[x)").help == "write `x'[x]` or `x'(x)`"
    assert failure("(x]").help == "write `(x)` or `[x]`"
    assert failure("(x + y))'x").help == "write `(x + y)'x` or `((x + y))'x`"


def test_a_repair_that_cannot_be_read_is_not_offered() -> None:
    assert failure("x'(y]z)*)").help != "write `x'(y)z)*)`"
    assert "`" not in failure("x'x*()").help


def test_a_repair_that_leaves_another_error_is_offered_if_none_leaves_none() -> None:
    assert failure("foo^2 + x{1}").help == "write `foo^2 + x[1]`"


def test_a_long_text_is_not_repeated() -> None:
    text = " + ".join(["x'x"] * 30) + " + x{1}"
    assert failure(text).help == "write `x[1]`"


@pytest.mark.parametrize(
    "text",
    [
        "x" * 20_000 + " $",
        "x" + " " * 20_000 + "$",
        "x!" * 9_000,
        "sum_" * 9_000,
        "ŷ" * 20_000,
        ")(" * 9_000,
        r"\sum_{i=1}^n x_i + " * 900,
        "x_" * 9_000 + "$",
        "1/x'" * 300 + "x",
    ],
    ids=["word", "blanks", "factorials", "sums", "accents", "brackets", "latex", "scripts", "rows"],
)
def test_long_texts_that_are_wrong_are_told_soon(text: str) -> None:
    start = time.process_time()
    failure(text)
    assert time.process_time() - start < 10


def test_what_has_two_meanings_is_not_decided() -> None:
    assert (
        failure("tr(X^†)").help == "write `pinv(X)` for the pseudo-inverse, `X'` for the transpose"
    )
    # The rows of X, or the entries of x?
    assert "…" in failure(r"\sum_{i=1}^n (y_i - w^\top x_i)^2").help


@pytest.mark.parametrize(
    "text, word", [("alhpa*x", "alpha"), ("sigam*x", "sigma"), ("lamda*x'x", "lambda")]
)
def test_misspelt_letters(text: str, word: str) -> None:
    assert failure(text).help.startswith(f"did you mean `{word}`? Otherwise write ")


def test_a_comparison_is_no_definition() -> None:
    assert failure("x == y").help == "give the side that is to be differentiated"


def test_a_largest_entry_is_no_problem_to_solve() -> None:
    assert "all entries" in failure(r"\max_i x_i").help


def test_misspelt_declared_name() -> None:
    assert failure("wieght'x", "weight: vector").help.startswith("did you mean `weight`?")


# --- everything at once --------------------------------------------------------------------------------------------------


def told(problem: MatgradError) -> list[tuple[str, list[str]]]:
    """The messages of an error and its others, with what they underline."""
    problems = (problem, *problem.others)
    return [(p.message, [p.text[m.start : m.end] for m in p.marks]) for p in problems]


def test_unknown_characters_and_names() -> None:
    assert told(failure("foo + bar(x) + ŷ + ñ*ŷ")) == [
        ("`ŷ` is not a character of the language", ["ŷ", "ŷ"]),
        ("`ñ` is not a character of the language", ["ñ"]),
        ("`foo` is not a known name", ["foo"]),
        ("there is no function `bar`", ["bar"]),
    ]


def test_a_comment_is_no_expression() -> None:
    assert told(failure("x'x # the length")) == [("a comment is allowed in files only", ["#"])]


def test_many_unknown_characters_end() -> None:
    problem = failure("".join(map(chr, range(0x4E00, 0x4E00 + 100))))
    assert len(told(problem)) == 20


def test_brackets() -> None:
    assert told(failure("x))((")) == [
        ("`)` closes nothing", [")", ")"]),
        ("`(` is not closed", ["(", "("]),
    ]


def test_one_name_is_told_once() -> None:
    assert told(failure("foo*x + foo*x + foo")) == [("`foo` is not a known name", ["foo"] * 3)]


def test_declarations_and_the_expression() -> None:
    with pytest.raises(MatgradError) as caught:
        diff("bar*x'y", "x", ["x: vec tor", "y: bla", "x: vector", "x: vector"])
    assert [message for message, _ in told(caught.value)] == [
        "this is not a declaration",
        "`bla` is not a kind of value",
        "`x` is declared twice",
        "`bar` is not a known name",
    ]


def test_a_name_with_a_wrong_declaration_is_not_unknown_too() -> None:
    with pytest.raises(MatgradError) as caught:
        diff("x'x + foo", "x", ["foo: bla"])
    assert [message for message, _ in told(caught.value)] == ["`bla` is not a kind of value"]
    with pytest.raises(MatgradError) as caught:
        diff("x'y +", "x", ["foo: bla"])
    assert len(told(caught.value)) == 2


# --- lines ---------------------------------------------------------------------------------------------------------------


def test_two_lines_are_two_expressions() -> None:
    problem = failure("x'x\nx'A x\nx")
    assert problem.message == "there are 3 expressions here, each in its own line"
    assert [m.start for m in problem.marks] == [4, 10]
    assert "such as `x'x`" in problem.help


@pytest.mark.parametrize(
    "text", ["x'x +\ny'x", "x'x\n+ y'x", "(x'x\n)", "tr(A\nB)", "h'h\nwhere h = x", "x'x\n"]
)
def test_an_expression_may_go_on_in_the_next_line(text: str) -> None:
    assert problem_in(text, {}) is None


def test_lines_in_latex_are_blanks() -> None:
    assert problem_in("\\frac{1}{2}\n\\|x\\|^2", {}) is None


def test_two_answers_piped() -> None:
    out = run("diff", "x'y", "--wrt", "x", "--wrt", "y", "-q").out
    result = run("diff", "-", "--wrt", "x", stdin=out)
    assert result.code == 2
    assert result.err.startswith("error: there are 2 expressions here, each in its own line\n")


# --- a minus in front ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["-foo'x", "--wrt", "x"],
        ["--wrt", "x", "-foo'x"],
        ["--wrt", "x", "--", "-foo'x"],
        ["--to=json", "-foo'x", "--wrt=x"],
    ],
)
def test_the_place_behind_a_minus(arguments: list[str]) -> None:
    result = run("diff", "--to", "json", *arguments)
    assert json.loads(result.out)["error"]["span"] == {"start": 1, "end": 4}
    assert "│ -foo'x\n  │  ─┬─\n" in result.err


# --- declarations ----------------------------------------------------------------------------------------------------------

DECLARATIONS = [
    ("x ∈ ℝⁿ", "x: vector(n)"),
    ("X ∈ ℝᵐˣⁿ", "X: matrix(m, n)"),
    ("X in R^{n x n}", "X: matrix(n, n)"),
    ("X: Rmxn", "X: matrix(m, n)"),
    ("c ∈ ℝ", "c: scalar"),
    ("S: positive definite", "S: spd"),
    ("S is a symmetric positive definite matrix", "S: spd"),
    ("x vector(n)", "x: vector(n)"),
    ("x = vector(n)", "x: vector(n)"),
    ("X: matrix(m×n)", "X: matrix(m, n)"),
    ("X: matrix m n", "X: matrix(m, n)"),
    ("X: n by n matrix", "X: matrix(n, n)"),
    ("S: matrix(n,n) symmetric", "S: symmetric(n)"),
    ("f(t,s) = t*s", "f(t) = t*s"),
    ("f(t) := t^2", "f(t) = t^2"),
    ("x is a vector of length 3", "x: vector(3)"),
    ("c: positive number", "c: positive"),
    ("S: PSD", "S: spd"),
    ("f(x): elementwise", "f: elementwise"),
]


@pytest.mark.parametrize("text, repair", DECLARATIONS, ids=[text for text, _ in DECLARATIONS])
def test_declaration(text: str, repair: str) -> None:
    with pytest.raises(MatgradError) as caught:
        declare_all([text])
    assert caught.value.help == f"write `--let '{repair}'`"
    assert declare_all([repair])


def test_two_names_in_one_declaration() -> None:
    with pytest.raises(SyntaxProblem) as caught:
        declare_all(["x, y ∈ ℝ^n"])
    assert caught.value.help == "write `--let 'x: vector(n)' --let 'y: vector(n)'`"


def test_no_declaration_is_guessed_from_anything() -> None:
    assert declarations_meant("x: vec tor") == []
    assert declarations_meant("x" * 101 + ": vector") == []
    with pytest.raises(SyntaxProblem, match="not a declaration") as caught:
        declare_all(["x ~ y"])
    assert "a name, a colon and a kind" in caught.value.help


# --- what is read now ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, plain",
    [
        (r"\begin{align} x^\top A x \end{align}", "x' A x"),
        (r"\begin{aligned} & x^\top A x \\ \end{aligned}", "x' A x"),
        (r"\begin{align*} & x^\top A x \\ &+ x^\top x \end{align*}", "x' A x + x' x"),
        (r"\textcolor{red}{x}^\top x", "x' x"),
        (r"{\color{blue} x}^\top x", "x' x"),
        (r"\langle A, B \rangle_F", "dot(A, B)"),
        (r"A\backslash b", "A \\ b"),
    ],
)
def test_latex(text: str, plain: str) -> None:
    assert translate(text)[0] == plain
    assert read(text).expr is read(plain).expr


@pytest.mark.parametrize(
    "text, message, help",
    [
        (
            r"\begin{align} f &= x^\top A x \\ g &= x^\top x \end{align}",
            r"there are 2 lines in `\begin{align}`",
            r"write `x^\top A x` or `x^\top x`",
        ),
        (
            r"x'^\top y",
            "a prime is a transpose, and another one stands behind it",
            "leave one of them out; a name with a prime is written with a subscript, as in `x_1`",
        ),
        (
            "W^{(1)}x",
            "an exponent in brackets may be an index or a power",
            "write an index below, as in `x_1`, and a power without brackets, as in `x^2`",
        ),
        (r"\langle A, B \rangle_M", "this inner product is not known", ""),
        (r"\textcolor x", r"`\textcolor` needs a colour", r"write `\textcolor{red}`"),
    ],
)
def test_latex_errors(text: str, message: str, help: str) -> None:
    problem = failure(text)
    assert problem.message == message
    assert help in problem.help


def test_inverse_transpose_in_brackets() -> None:
    assert read("tr(X^(-T) A)").expr is read("tr(X^-T A)").expr
    assert read("tr(X^(T) A)").expr is read("tr(X' A)").expr
    # A name that was declared is itself.
    t = declarations(["T: scalar", "c: scalar"])
    assert set(read("c^(-T)", t).variables) == set(read("c^(T)", t).variables) == {"c", "T"}


def test_the_derivative_of_an_offered_form_is_right() -> None:
    """The quotient is not only read: its derivative is that of the Rayleigh quotient."""
    d = diff(failure("x'Ax/x'x").help.split("`")[1], "x", seed=3)
    assert d.check is not None
    assert (d.check.ok, d.check.points) == (True, 5)


# --- single messages -------------------------------------------------------------------------------------------------------


def test_a_hidden_function() -> None:
    problem = failure("tr(X)", "tr: matrix(n, n)")
    assert isinstance(problem, NameProblem)
    assert problem.message == "`tr` is declared, which hides the function of this name"


def test_a_variable_that_is_a_size() -> None:
    with pytest.raises(NameProblem) as caught:
        diff("ones(x)", "x")
    assert [(m.start, m.end, m.label) for m in caught.value.marks] == [(5, 6, "a size")]


@pytest.mark.parametrize("power", ["^3", "^-1", "^c"])
def test_only_the_square_of_a_vector_may_be_its_length(power: str) -> None:
    problem = failure(f"x{power}", "x: vector")
    assert problem.help == f"write `x.{power}` (entry by entry)"
    assert "x'*x" in failure("x^2", "x: vector").help


@pytest.mark.parametrize(
    "text, message", [("1e999*x", "a number is too large"), ("1e-999*x", "a number is too small")]
)
def test_exponents_of_ten(text: str, message: str) -> None:
    problem = failure(text)
    assert isinstance(problem, LimitProblem)
    assert problem.message == message


@pytest.mark.parametrize("text", ["x" * 3000 + "*y", "f" * 3000 + "(x)", "y + Foo" + "x" * 300])
def test_a_long_name_is_cut(text: str) -> None:
    screen = problem_text(failure(text))
    assert max(map(len, screen.split("\n"))) < 200


def test_every_blank_is_shown_as_one() -> None:
    text = "x'x\u00a0+\u3000foo\r\n+ x"
    assert "│ x'x + foo\n" in problem_text(failure(text))


def test_polygamma_takes_a_number() -> None:
    problem = failure("polygamma(k, x)", "k: integer")
    assert isinstance(problem, ShapeProblem)
    assert problem.message == "the first argument of `polygamma` is a number, not a name"


def test_notes() -> None:
    assert "`a^b^c` is read as `(a^b)^c`" in read("a^b^c").notes
    assert not read("(a^b)^c").notes
    assert any("is read as a product" in note for note in read("f'(x)").notes)
    assert "`x^t` is a power; the transpose is `x'`" in read("x^t*c").notes
    assert not any("is read as a product" in note for note in read("x'(y)").notes)


# --- the parts -------------------------------------------------------------------------------------------------------------


def test_characters() -> None:
    assert [meant(c) for c in "ŷñéⁿᵢ×ж"] == ["y_hat", "n_tilde", "e", "^n", "_i", "*", ""]
    assert respelled("x̂y + ŷ_{1}", "\u0302ŷ") == "x_hat y + y_hat1"
    assert respelled("aᵢⱼ", "ᵢⱼ") == "a_ij"
    assert legible("é + ⟂ # no", "é⟂#") == "x +       "


def test_calls() -> None:
    assert calls_meant("power", ["x + y", "2"]) == ("((x + y).^2)",)
    assert calls_meant("matrix_power", ["X", "2"]) == ("(X^2)",)
    assert calls_meant("size", ["X", "3"]) == ()
    assert calls_meant("numel", ["x", "y"]) == ()
    assert calls_meant("eigenvalues", ["X"]) == ()


def test_a_size_named_as_a_subscript_is_not_marked() -> None:
    with pytest.raises(NameProblem) as caught:
        diff(r"\hat{y}^\top \bar{x}", "x")
    assert [m.label for m in caught.value.marks] == ["no `x` in it"]


def test_a_slip_that_can_only_be_left_out() -> None:
    found = find("x'x /* the length */", 5)
    assert found is not None
    assert found.help == "leave out `/* the length */`"
    assert found.repairs[0] == "x'x"
