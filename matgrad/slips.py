"""What people type from habit: other systems' spellings, and the repair for each. Tables of data and how to read them.

Asked only when a text is wrong already, so that nothing here changes what a valid text means.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import NamedTuple


class Slip(NamedTuple):
    """A malformed snippet: its pattern, what is wrong, and the repair of it.

    The repair replaces the snippet, and is shown with the whole text around it. If there is none, `words` say what to do.
    """

    pattern: str
    message: str
    repair: str = ""
    words: str = ""


_MODULES = r"(?:np|numpy|jnp|jax|torch|tf|scipy|sp|sympy|math|F|nn|linalg|functional|special)"

# In order: the first that covers the character at fault is the one that is told.
SLIPS = [
    Slip(
        r"\bsum_(?:\{[^{}]*\}|\w)(?:\^\S+)?",
        "a sum stands in one call, with its range",
        words="write `sum(i=1:n, x[i]^2)` for a sum over an index, `sum(x)` for that of all entries",
    ),
    Slip(r"\.\.\.?(?=\w)", "a range is written with a colon", ":"),
    Slip(r"/\*.*?\*/|//.*", "a comment is allowed in files only", " "),
    Slip(
        r"\bd/d\w+",
        "the derivative is not written out in the expression",
        words="give the function alone, and the variable with `--wrt x`",
    ),
    Slip(
        r"\bwhere\b.*",
        "what a name is stands in a declaration",
        words="leave it out here, and declare the names: `--let 'x: vector(n)'`",
    ),
    Slip(r"\b1_\{?(?P<n>\w)\}?", "the vector of ones is `ones(n)`", r"ones(\g<n>)"),
    Slip(r"\b0_\{?(?P<n>\w)\}?", "the vector of zeros is `zeros(n)`", r"zeros(\g<n>)"),
    Slip(
        r"\bnorm\((?P<x>[^()]*)\)_\{?(?P<k>1|2)\}?",
        "the kind of norm is in the function's name",
        r"norm\g<k>(\g<x>)",
    ),
    Slip(r"(?<=\))_\{?(?P<i>\w)\}?", "an index stands in square brackets", r"[\g<i>]"),
    Slip(
        r"\b(?:\w+\.)*(?:sum|mean)\((?P<x>[^(),]*),\s*(?:axis|dim)\s*=\s*(?:1|-1)\)",
        "`axis=1` is not of the language",
        r"rowsum(\g<x>)",
    ),
    Slip(
        r"\b(?:\w+\.)*sum\((?P<x>[^(),]*),\s*(?:axis|dim)\s*=\s*0\)",
        "`axis=0` is not of the language",
        r"colsum(\g<x>)",
    ),
    Slip(
        r"\b(?:axis|dim|keepdims|keepdim|ord)\s*=\s*\w+",
        "an argument with a name is not of the language",
        words="`rowsum(X)` is the sum along each row, `colsum(X)` down each column; `softmax(X, 2)` takes the"
        " direction as a number, 1 down the columns and 2 along the rows",
    ),
    Slip(
        r"\b(?:" + _MODULES + r"\.)+(?:matmul|mm|mv|multi_dot)\((?P<a>[^(),]*),\s*(?P<b>[^(),]*)\)",
        "a product of matrices is written `*`",
        r"\g<a>*\g<b>",
    ),
    Slip(
        r"\b(?:" + _MODULES + r"\.)+(?:multiply|mul)\((?P<a>[^(),]*),\s*(?P<b>[^(),]*)\)",
        "a product entry by entry is written `.*`",
        r"\g<a>.*\g<b>",
    ),
    Slip(
        r"\b(?:" + _MODULES + r"\.)+(?=\w)",
        "a function stands here without the name of its module",
        " ",
    ),
    Slip(
        r"(?P<x>[A-Za-z]\w*(?:\.T)?)\.(?:transpose|t)\(\)",
        "a transpose is written `'`",
        r"\g<x>'",
    ),
    Slip(
        r"(?P<x>[A-Za-z]\w*(?:\.T)?)\.inverse\(\)",
        "an inverse is written `inv(...)`",
        r"inv(\g<x>)",
    ),
    Slip(
        r"(?P<x>[A-Za-z]\w*(?:\.T)?)\.(?:matmul|mm|mv)\((?P<y>[^()]*)\)",
        "a product is written `*`",
        r"\g<x>*\g<y>",
    ),
    Slip(
        r"(?P<x>[A-Za-z]\w*(?:\.T)?)\.(?P<f>[a-z]\w*)\((?P<y>[^()]+)\)",
        "a function stands before its arguments",
        r"\g<f>(\g<x>, \g<y>)",
    ),
    Slip(
        r"(?P<x>[A-Za-z]\w*(?:\.T)?)\.(?P<f>\w+)\(\)",
        "a function stands before its argument",
        r"\g<f>(\g<x>)",
    ),
    Slip(r"\.'", "a transpose is written `'` alone", "'"),
    Slip(
        r"\b(?P<f>[A-Z][A-Za-z]+)" + r"\[(?P<inside>[^()\[\]]*)\]",
        "the argument of a function stands in round brackets",
        r"\L\g<f>(\g<inside>)",
    ),
    Slip(r"\^\s*\\?\\[Tt](?![A-Za-z])", "a transpose is written `^T` or `'`", "^T"),
    Slip(
        r"(?<=[\w\])'])[ ]*\.[ ]*(?!T\b)(?=[A-Za-z(])",
        "`.` is not a product here",
        "*",
    ),
    Slip(
        r"\bnorm\((?P<x>[^(),]*),\s*['\"]fro['\"]\)",
        "the kind of norm is in the function's name",
        r"norm(\g<x>)",
    ),
    Slip(
        r"\b(?P<f>[a-z]\w+)\s*\^?\s*-\s*1\s*\((?P<x>[^()]*)\)",
        "an inverse function has a name of its own",
        words="write `asin(x)`, `acos(x)`, `atan(x)`, ... for the inverse functions, and `1/sin(x)` for the reciprocal",
    ),
    Slip(
        r"\b(?P<f>[a-z]\w+)\s*(?P<k>\^\s*\d+|\^\{\d+\}|[²³])\s*\((?P<x>[^()]*)\)",
        "a power of a function stands after its argument",
        r"\g<f>(\g<x>)\g<k>",
    ),
    Slip(r"\bexp\s*\^\s*(?P<x>\w+|\([^()]*\))", "`exp` is a function, not a number", r"exp(\g<x>)"),
    Slip(
        r"\b(?P<x>[A-Za-z]\w*)\((?P<i>\s*:[^()]*|[^():]*,\s*:\s*)\)",
        "an index stands in square brackets",
        r"\g<x>[\g<i>]",
    ),
    Slip(
        r"(?P<f>\b[a-z][a-z0-9]*)\s*\{(?P<x>[^{}]*)\}",
        "the argument of a function stands in round brackets",
        r"\g<f>(\g<x>)",
    ),
    Slip(
        r"(?<=[|‖])(?:_\{?\w*\}?|[₀-₉ₚ])",
        "there is no norm of this kind",
        words="the norms are `‖x‖` (length), `‖x‖_1`, `‖x‖_2`, `‖x‖_∞` and for a matrix `‖X‖_F`, `‖X‖_2`, `‖X‖_*`",
    ),
    Slip(
        r"[⟨<](?P<x>[^⟨⟩<>,]*),\s*(?P<y>[^⟨⟩<>,]*)[⟩>]",
        "an inner product is written `x'*y`, or `A:B` for matrices",
        r"inner(\g<x>, \g<y>)",
    ),
    Slip(
        r"∈\s*(?:R|ℝ)?.*",
        "what a name is stands in a declaration",
        words="leave it out here, and declare the name: `--let 'x: vector(n)'`",
    ),
    Slip(
        r"[≤≥≠≈≡<>!]=?",
        "a comparison is not an expression",
        words="give the expression that is to be differentiated alone",
    ),
    Slip(
        r"[∇∂]",
        "the derivative is not written out in the expression",
        words="give the function alone, and the variable with `--wrt x`",
    ),
    Slip(
        r"[∑∏∫]",
        "sums are written with their range, products and integrals not at all",
        words="write `sum(i=1:n, x[i]^2)`; `sum(x)` and `prod(x)` are over all entries",
    ),
]

# Characters that look like, or are meant as, one of the language.
MEANT = {
    **dict.fromkeys("‘´′`＇", "'"),
    **dict.fromkeys("×•∙∗✕⨯", "*"),
    **dict.fromkeys("÷∕⁄", "/"),
    **dict.fromkeys("–—‐‑‒", "-"),
    "∥": "‖",
    **dict.fromkeys("∣❘", "|"),
    **dict(zip("асеорхуАВСЕНКМОРТХ", "aceopxyABCEHKMOPTX", strict=True)),  # Cyrillic
}

# Functions that people look for under other names, or that are not there for a reason.
ELSEWHERE = {
    "argmax": "it is constant almost everywhere; `max(x)` and `softmax(x)` have derivatives",
    "argmin": "it is constant almost everywhere; `min(x)` has a derivative",
    "rank": "it is constant almost everywhere, and has no derivative",
    "heaviside": "it is constant almost everywhere; `sign(x)` is -1 or 1, `relu(x)` is its integral",
    "eig": "write `eigmax(S)` or `eigmin(S)` of a symmetric matrix",
    "svd": "write `specnorm(X)` for the largest singular value, `nucnorm(X)` for their sum",
    "cond": "write `specnorm(X)*specnorm(inv(X))`",
    "var": "write `mean((x - mean(x)).^2)`",
    "std": "write `sqrt(mean((x - mean(x)).^2))`",
    "matmul": "write `A*B`",
    "hadamard": "write `A.*B`",
    "multiply": "write `A.*B`",
    "pow": "write `x^k`, or `x.^k` for each entry",
    "sec": "write `1/cos(x)`",
    "csc": "write `1/sin(x)`",
    "cot": "write `1/tan(x)`",
    "logit": "write `log(x/(1 - x))`",
    "hypot": "write `sqrt(x^2 + y^2)`",
    "cbrt": "write `x^(1/3)`",
    "conj": "everything is real here: leave it out",
    "real": "everything is real here: leave it out",
}
# Calls with a number of arguments that a function does not take, and what is meant by them.
CALLS = {
    (
        "sum",
        2,
    ): "write `rowsum(X)` for the sum along each row, `colsum(X)` for the one down each column",
    (
        "norm",
        2,
    ): "the kind of norm is in the name: `norm1(x)`, `norm2(x)`, `norminf(x)`, `norm(X)` (Frobenius), `specnorm(X)`, `nucnorm(X)`",
    ("max", 3): "write `max(x, max(y, z))`, or `max([x; y; z])` for the largest entry of all",
    ("min", 3): "write `min(x, min(y, z))`, or `min([x; y; z])` for the smallest entry of all",
    ("sum", 3): "write `sum(i=1:n, x[i])` for a sum over an index",
    ("sum", 4): "write `sum(i=1:n, x[i])` for a sum over an index",
    ("tr", 2): "write `tr(A*B)` for the trace of a product",
    ("trace", 2): "write `tr(A*B)` for the trace of a product",
    ("log", 2): "write `log(x)/log(b)` for the logarithm to the base b",
}
# Other spellings of functions of the language.
OTHERWISE = {
    "determinant": "det",
    "diagonal": "diag",
    "inverse": "inv",
    "total": "sum",
    "average": "mean",
    "logdeterminant": "logdet",
    "slogdet": "logdet",
    "lambda_max": "eigmax",
    "lambda_min": "eigmin",
    "frobenius": "norm",
    "kroneckerproduct": "kron",
    "expit": "sigmoid",
    "matrixexp": "expm",
    "matrix_exp": "expm",
    "cholesky": "chol",
    "adjugate": "adj",
    "pseudoinverse": "pinv",
    **dict.fromkeys(["eigenvalues", "eigvals", "eigenvalue", "eigh", "eigvalsh"], "eig"),
    **dict.fromkeys(["variance", "cov"], "var"),
    **dict.fromkeys(["power", "matrix_power"], "pow"),
    **dict.fromkeys(["step", "indicator"], "heaviside"),
}


_KINDS = r"(?P<kind>scalar|vector|matrix|symmetric|spd|diagonal|skew|orthogonal|lower|upper|elementwise|positive)"
_NAME = r"(?P<x>[^\W\d]\w*)"
_REAL = r"\s*(?::|in|∈|\\in)\s*(?:R|ℝ|\\mathbb\{R\})"
_BY = r"\s*(?:x|×|,|\*|\\times|by)\s*"

# Texts that are no declaration, and the one that is meant.
DECLARATIONS = [
    (_NAME + r"\s*:\s*" + _KINDS + r"\s+(?:matrix|vector|scalar)", r"\g<x>: \g<kind>"),
    (_NAME + _REAL, r"\g<x>: scalar"),
    (_NAME + _REAL + r"\s*\^?\s*[{(]?(?P<n>\w+)[})]?", r"\g<x>: vector(\g<n>)"),
    (
        _NAME + _REAL + r"\s*\^?\s*[{(]?(?P<m>\w+?)" + _BY + r"(?P<n>\w+)[})]?",
        r"\g<x>: matrix(\g<m>, \g<n>)",
    ),
    (_NAME + r"\s*[:= ]\s*(?:an?\s+)?" + _KINDS, r"\g<x>: \g<kind>"),
    (_KINDS + r"\s+" + _NAME, r"\g<x>: \g<kind>"),
    (_NAME + r"\s*[:= ]\s*" + _KINDS + r"\s*[\s\[{](?P<n>\w+)[\]}]?", r"\g<x>: \g<kind>(\g<n>)"),
    (
        _NAME + r"\s*[:= ]\s*" + _KINDS + r"\s*\[(?P<m>\w+),\s*(?P<n>\w+)\]",
        r"\g<x>: \g<kind>(\g<m>, \g<n>)",
    ),
    (
        _NAME + r"\s*:\s*(?P<m>\w+)" + _BY + r"(?P<n>\w+)(?:\s+matrix)?",
        r"\g<x>: matrix(\g<m>, \g<n>)",
    ),
    (_NAME + r"\s*:\s*(?:symmetric)?[\s,]*positive[\s-]+(?:semi-?)?definite", r"\g<x>: spd"),
    (_NAME + r"\s*\(\w+\)\s*:\s*" + _KINDS, r"\g<x>: \g<kind>"),
    (
        _NAME + r",\s*(?P<y>[^\W\d]\w*)\s*:\s*(?P<rest>.+)",
        r"\g<x>: \g<rest>' --let '\g<y>: \g<rest>",
    ),
]
# Other words for kinds.
KINDS = {
    **dict.fromkeys(
        ["number", "real", "float", "double", "int", "integer", "R", "constant"], "scalar"
    ),
    **dict.fromkeys(["function", "fn", "func", "map"], "elementwise"),
    **dict.fromkeys(["column", "array1d", "vec"], "vector"),
    **dict.fromkeys(["mat", "square", "tensor"], "matrix"),
    **dict.fromkeys(["psd", "posdef", "pd", "positivedefinite"], "spd"),
    **dict.fromkeys(["antisymmetric", "skewsymmetric", "skew_symmetric"], "skew"),
    **dict.fromkeys(["rotation", "unitary", "orthonormal"], "orthogonal"),
    **dict.fromkeys(["triangular", "lowertriangular", "lower_triangular"], "lower"),
    **dict.fromkeys(["uppertriangular", "upper_triangular"], "upper"),
    "diag": "diagonal",
}
# Words of programming languages.
KEYWORDS = frozenset(
    [
        "for",
        "in",
        "if",
        "else",
        "return",
        "def",
        "import",
        "from",
        "let",
        "where",
        "and",
        "or",
        "not",
        "print",
        "diff",
    ]
)


def declaration(text: str) -> str:
    """The declaration that is meant by a text that is none; empty if nothing is known."""
    for pattern, repair in DECLARATIONS:
        found = re.fullmatch(pattern, text.strip(), re.IGNORECASE)
        if found:
            return found.expand(repair)
    return ""


class Found(NamedTuple):
    """A slip in a text: the characters, what is wrong, and what to do."""

    start: int
    end: int
    message: str
    help: str


def find(text: str, at: int) -> Found | None:
    """The slip at the character `at` of a text that is wrong there."""
    for slip in SLIPS:
        for m in re.finditer(slip.pattern, text):
            if m.start() <= at < m.end():
                help = slip.words or _whole(text, m, slip.repair)
                return Found(m.start(), m.end(), slip.message, help)
    return None


def _whole(text: str, found: re.Match[str], repair: str) -> str:
    """The text with the repair made, and every other slip in it repaired too; of a long text, the snippet alone."""
    whole = re.sub(found.re, functools.partial(_made, repair), text)
    for slip in SLIPS:
        if slip.repair:
            whole = re.sub(slip.pattern, functools.partial(_made, slip.repair), whole)
    whole = " ".join(whole.split())
    if len(whole) <= 80:
        return f"write `{whole}`"
    alone = _made(repair, found)
    return f"write `{alone}`" if alone else f"leave out `{found.group()}`"


def _made(repair: str, found: re.Match[str]) -> str:
    """What stands in the place of a snippet. A repair that begins with `\\L` has the function's name in lower case."""
    lower = repair.startswith("\\L")
    head, bracket, rest = found.expand(repair[2:] if lower else repair).partition("(")
    return ((head.lower() if lower else head) + bracket + rest).strip(" ")


def meant(character: str) -> str:
    """The character of the language that another one looks like; empty if there is none."""
    return MEANT.get(character) or (
        plain
        if (plain := unicodedata.normalize("NFKC", character)) != character
        and len(plain) == 1
        and plain.isascii()
        and plain.isprintable()
        and plain.strip()
        else ""
    )


def other_name(name: str) -> str:
    """What to write for a function that the language does not have under this name; empty if nothing is known."""
    lower = name.lower()
    known = OTHERWISE.get(lower, lower)
    return ELSEWHERE.get(known) or (f"did you mean `{known}`?" if known != lower else "")
