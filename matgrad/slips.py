"""What people type from habit: other systems' spellings, and the repair for each. Tables of data and how to read them.

Asked only when a text is wrong already, so that nothing here changes what a valid text means.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import NamedTuple


class Slip(NamedTuple):
    """A malformed snippet: its pattern, what is wrong, and the repair of it, or several that may be meant.

    A repair replaces the snippet, and is shown with the whole text around it, if that can be read. If there is none, or
    none can be read, `words` say what to do.
    """

    pattern: str
    message: str
    repair: str | tuple[str, ...] = ""
    words: str = ""
    latex: bool = True  # it is a slip in LaTeX too

    @property
    def repairs(self) -> tuple[str, ...]:
        """The repairs, if there are any."""
        if isinstance(self.repair, tuple):
            return self.repair
        return (self.repair,) if self.repair else ()


_MODULES = r"(?:np|numpy|jnp|jax|torch|tf|scipy|sp|sympy|math|F|nn|linalg|functional|special)"

_SUMS = "write `sum(i=1:n, x[i]^2)` for a sum over an index, `sum(x)` for that of all entries"
# A sum over an index as it is printed, with its bounds.
INDEX_SUM = (
    r"(?:\\sum|\bsum|[∑Σ])\s*(?:\\limits\s*)?_\s*\{\s*(?P<i>[A-Za-z])\s*=\s*(?P<a>\w+)\s*\}\s*"
    r"\^\s*(?:\{(?P<n>[^{}]*)\}|(?P<m>\w))"
)
_DIRECTED = "mean|max|min|prod|cumsum|softmax|logsoftmax|logsumexp"
_OPERAND = r"(?:\b[A-Za-z]\w*|\([^()]*\))"  # in simple cases

PROBLEM = "the expression is what is to be differentiated, not a problem to solve"

# In order: the first that covers the character at fault is the one that is told.
SLIPS = [
    Slip(
        r"^\s*(?:lambda\s+\w+(?:\s*,\s*\w+)*\s*:|@\s*\([\w\s,]*\)|\(?[\w\s,]+\)?\s*(?:->|=>|↦|→))\s*",
        "a function is given by its formula alone",
        " ",
    ),
    Slip(
        r"^\s*(?:arg\s*)?(?:max|min)(?:imi[sz]e)?(?:_(?:\{[^{}]*\}|\w+))?\s+(?=.*)",
        PROBLEM,
        " ",
    ),
    Slip(INDEX_SUM, "a sum stands in one call, with its range", words=_SUMS),
    Slip(
        r"\bsum_(?:\{[^{}]*\}|\w)(?:\^\S+)?",
        "a sum stands in one call, with its range",
        words=_SUMS,
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
    *(
        Slip(
            rf"\b(?:\w+\.)*(?P<f>{functions})\((?P<x>[^(),]*),\s*(?:axis|dim)\s*=\s*{axis}(?:,\s*keepdims?\s*=\s*\w+)?\)",
            "`axis` and `dim` are not of the language",
            (repair, r"\g<f>(\g<x>)"),
        )
        for functions, axis, repair in (
            ("sum", "0", r"colsum(\g<x>)"),
            ("sum", "(?:1|-1)", r"rowsum(\g<x>)"),
            (_DIRECTED, "0", r"\g<f>(\g<x>, 1)"),
            (_DIRECTED, "(?:1|-1)", r"\g<f>(\g<x>, 2)"),
        )
    ),
    Slip(
        r"\b(?:axis|dim|keepdims|keepdim|ord)\s*=\s*\w+",
        "an argument with a name is not of the language",
        words="`rowsum(X)` is the sum along each row, `colsum(X)` down each column; `softmax(X, 2)` takes the"
        " direction as a number, 1 down the columns and 2 along the rows",
    ),
    Slip(
        r"\b(?:\w+\.)*einsum\(.*\)",
        "a sum over indices is written as a product, or as a sum",
        words="write `A*B`, `A'*B`, `A*B'`, `tr(A*B)`, `sum(A.*B)` or `sum(i=1:n, x[i]^2)`",
    ),
    *(
        Slip(pattern, "the size of a value is a function of it", repair)
        for pattern, repair in (
            (r"(?P<x>[A-Za-z]\w*)\.shape\[0\]", (r"len(\g<x>)", r"rows(\g<x>)")),
            (r"(?P<x>[A-Za-z]\w*)\.size\(0\)", (r"len(\g<x>)", r"rows(\g<x>)")),
            (r"(?P<x>[A-Za-z]\w*)\.(?:shape\[-?1\]|size\(-?1\))", (r"cols(\g<x>)", r"len(\g<x>)")),
            (
                r"(?P<x>[A-Za-z]\w*)\.(?:size\b|shape\b|numel\(\)|length\b)(?:\(\))?",
                (r"len(\g<x>)", r"rows(\g<x>)*cols(\g<x>)"),
            ),
        )
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
        r"\^?\s*(?:\{\s*[⊺┬ᵗ⊤]\s*\}|[⊺┬ᵗ]|(?<!\^)⊤)",
        "a transpose is written `^⊤`, `^T` or `'`",
        "^⊤",
    ),
    Slip(
        r"\b(?P<f>ones|zeros)\(\((?P<n>\w+),\s*1\)\)",
        "sizes stand in the brackets of the function",
        r"\g<f>(\g<n>)",
    ),
    Slip(
        r"\b(?P<f>ones|zeros)\(\((?P<n>[^()]*)\)\)",
        "sizes stand in the brackets of the function",
        r"\g<f>(\g<n>)",
    ),
    Slip(r"\.\*\*", "a power of the entries is written `.^`", ".^"),
    Slip(
        rf"(?P<x>{_OPERAND})(?:\s*\^\s*(?:\{{\s*\+\s*\}}|\+)|⁺)",
        "the pseudo-inverse is a function",
        r"pinv(\g<x>)",
        "write `pinv(X)`",
    ),
    Slip(
        rf"(?P<x>{_OPERAND})\s*\^?\s*\{{?\s*†\s*\}}?",
        "this sign has two meanings",
        words="write `pinv(X)` for the pseudo-inverse, `X'` for the transpose",
    ),
    Slip(
        rf"(?P<x>{_OPERAND})\s*\^\s*(?:\{{\s*[*]\s*\}}|[*])",
        "everything is real here: a transpose is written `'`",
        r"\g<x>'",
        "write `X'`",
    ),
    Slip(r"(?P<x>\b\w+|\([^()]*\))!(?!=)", "matgrad has no factorial", r"gamma(\g<x> + 1)"),
    Slip(
        r"\[(?P<x>\w+)\]_\{?\+\}?|\((?P<y>[^()]*)\)_\{?\+\}?",
        "the positive part is a function",
        r"relu(\g<x>\g<y>)",
    ),
    Slip(
        r"\[(?P<x>\w+)\]_\{?(?P<i>\w)\s*,?\s*(?P<j>\w)\}?",
        "an index stands in square brackets",
        r"\g<x>[\g<i>,\g<j>]",
    ),
    Slip(
        r"\[(?P<x>\w+)\]_\{?(?P<i>\w)\}?",
        "an index stands in square brackets",
        r"\g<x>[\g<i>]",
    ),
    Slip(
        r"\b(?P<x>[^\W\d_]\w*)_\{\s*(?P<i>\w+)\s*,\s*(?P<j>\w+)\s*\}",
        "an index stands in square brackets",
        r"\g<x>[\g<i>,\g<j>]",
    ),
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
        r"\b(?P<f>[a-z]\w+)\s*(?P<k>\^\s*\d+|\^\{\d+\}|[²³])\s*(?:\((?P<x>[^()]*)\)|(?P<y>[A-Za-z]\w*'?))",
        "a power of a function stands after its argument",
        r"\g<f>(\g<x>\g<y>)\g<k>",
    ),
    Slip(r"\bexp\s*\^\s*(?P<x>\w+|\([^()]*\))", "`exp` is a function, not a number", r"exp(\g<x>)"),
    Slip(
        r"\b(?P<x>[A-Za-z]\w*)\(\s*:\s*\)", "all entries as one column are `vec(X)`", r"vec(\g<x>)"
    ),
    Slip(
        r"\b(?P<x>[A-Za-z]\w*)\((?P<i>\s*:[^()]*|[^():]*,\s*:\s*)\)",
        "an index stands in square brackets",
        r"\g<x>[\g<i>]",
    ),
    Slip(
        r"\b(?P<x>[A-Za-z](?:_?\d+)?)\{(?P<i>[\w\s,:+-]+)\}",
        "an index stands in square brackets",
        r"\g<x>[\g<i>]",
    ),
    Slip(
        r"(?P<f>\b[a-z][a-z0-9]+)\s*\{(?P<x>[^{}]*)\}",
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
        r"[≤≥≠≈≡<>]=?|!=",
        "a comparison is not an expression",
        words="give the expression that is to be differentiated alone",
    ),
    Slip(
        r"(?<![\w^_])\{(?P<x>[^{}]*)\}",
        "what belongs together stands in round brackets",
        r"(\g<x>)",
        latex=False,
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

# Functions that are not there for a reason.
ELSEWHERE = {
    "argmax": "it is constant almost everywhere; `max(x)` and `softmax(x)` have derivatives",
    "argmin": "it is constant almost everywhere; `min(x)` has a derivative",
    "rank": "it is constant almost everywhere, and has no derivative",
    "heaviside": "it is constant almost everywhere; `sign(x)` is -1 or 1, `relu(x)` is its integral",
    "eig": "write `eigmax(S)` or `eigmin(S)` of a symmetric matrix",
    "svd": "write `specnorm(X)` for the largest singular value, `nucnorm(X)` for their sum",
    **dict.fromkeys(
        ["grad", "gradient", "jacobian", "hessian", "derivative"],
        "the derivative is what is looked for: give the function alone, and its variable with `--wrt`",
    ),
    "conj": "everything is real here: leave it out",
    "real": "everything is real here: leave it out",
}
# Calls of functions that the language writes in another way: what is meant, with `{0}` and `{1}` for the arguments.
CALLED = {
    "cond": ("specnorm({0})*specnorm(inv({0}))",),
    "var": ("mean(({0} - mean({0})).^2)",),
    "std": ("sqrt(mean(({0} - mean({0})).^2))",),
    "matmul": ("{0}*{1}",),
    "hadamard": ("{0}.*{1}",),
    "multiply": ("{0}.*{1}",),
    "divide": ("{0}./{1}",),
    "add": ("({0} + {1})",),
    "subtract": ("({0} - {1})",),
    "pow": ("{0}.^{1}",),
    "mpower": ("{0}^{1}",),
    "sec": ("1./cos({0})",),
    "csc": ("1./sin({0})",),
    "cot": ("1./tan({0})",),
    "logit": ("log({0}./(1 - {0}))",),
    "hypot": ("sqrt({0}.^2 + {1}.^2)",),
    "cbrt": ("{0}.^(1/3)",),
    "reciprocal": ("1./{0}",),
    "length": ("len({0})",),
    "numel": ("len({0})", "rows({0})*cols({0})"),
    "size": ("len({0})", "rows({0})*cols({0})"),
    "identity": ("eye({0})",),
    "zeros_like": ("zeros(len({0}))", "zeros(rows({0}), cols({0}))"),
    "ones_like": ("ones(len({0}))", "ones(rows({0}), cols({0}))"),
    "sumsq": ("{0}'*{0}", "norm({0})^2"),
    "sse": ("norm({0} - {1})^2",),
    "mse": ("mean(({0} - {1}).^2)",),
}
SIZE_OF = {1: "rows({0})", 2: "cols({0})"}  # `size(X, 1)`
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
    **dict.fromkeys(
        ["frobenius", "frob", "fro", "fnorm", "norm_fro", "frobnorm", "vecnorm"], "norm"
    ),
    **dict.fromkeys(["nuclear", "trace_norm"], "nucnorm"),
    **dict.fromkeys(["spectral", "spectralnorm", "opnorm"], "specnorm"),
    "l1norm": "norm1",
    "l2norm": "norm2",
    "kroneckerproduct": "kron",
    **dict.fromkeys(["expit", "sigm"], "sigmoid"),
    **dict.fromkeys(["maximum", "fmax", "amax"], "max"),
    **dict.fromkeys(["minimum", "fmin", "amin"], "min"),
    "matrixexp": "expm",
    "matrix_exp": "expm",
    "cholesky": "chol",
    "adjugate": "adj",
    "pseudoinverse": "pinv",
    **dict.fromkeys(["eigenvalues", "eigvals", "eigenvalue", "eigh", "eigvalsh"], "eig"),
    **dict.fromkeys(["variance", "cov"], "var"),
    "power": "pow",
    **dict.fromkeys(["matrix_power", "matpow"], "mpower"),
    **dict.fromkeys(["ndims", "shape"], "size"),
    **dict.fromkeys(["mtimes"], "matmul"),
    **dict.fromkeys(["times"], "hadamard"),
    **dict.fromkeys(["plus"], "add"),
    **dict.fromkeys(["minus"], "subtract"),
    **dict.fromkeys(["step", "indicator"], "heaviside"),
}


_KINDS = r"(?P<kind>scalar|vector|matrix|symmetric|spd|diagonal|skew|orthogonal|lower|upper|elementwise|positive)"
_PROPERTY = r"(?P<kind>symmetric|spd|diagonal|skew|orthogonal|lower|upper|invertible)"
_NAME = r"(?P<x>[^\W\d]\w*)"
_REAL = r"\s*(?::|in|∈|\\in)\s*(?:R|ℝ|\\mathbb\{R\})"
_BY = r"\s*(?:x|×|ˣ|,|\*|\\times|by)\s*"

_IS = r"\s*(?:[:=]|\bis\b)?\s*(?:an?\s+)?"
_OF = r"(?:\s+of\s+(?:length|size|dimensions?)\s+|\s+)"
_LISTED = re.compile(r"([^\W\d]\w*(?:(?:\s*,\s*|\s+and\s+)[^\W\d]\w*)+)\s*((?::|∈|in\b|\\in\b).+)")

# Texts that are no declaration, and the one that is meant.
DECLARATIONS = [
    (
        _NAME + _IS + r"(?:symmetric)?[\s,]*positive[\s-]+(?:semi-?)?definite(?:\s+matrix)?",
        r"\g<x>: spd",
    ),
    (
        _NAME + _IS + r"matrix\s*\(\s*(?P<n>\w+)\s*,\s*\w+\s*\)[\s,]*" + _PROPERTY,
        r"\g<x>: \g<kind>(\g<n>)",
    ),
    (_NAME + _IS + _KINDS + r"\s+(?:matrix|vector|scalar|function)", r"\g<x>: \g<kind>"),
    (_NAME + _REAL, r"\g<x>: scalar"),
    (
        _NAME + _REAL + r"\s*\^?\s*[{(]?\s*(?P<m>\w+?)" + _BY + r"(?P<n>\w+)\s*[})]?",
        r"\g<x>: matrix(\g<m>, \g<n>)",
    ),
    (_NAME + _REAL + r"\s*\^?\s*[{(]?\s*(?P<n>\w+)\s*[})]?", r"\g<x>: vector(\g<n>)"),
    (_NAME + _IS + _KINDS, r"\g<x>: \g<kind>"),
    (_KINDS + r"\s+" + _NAME, r"\g<x>: \g<kind>"),
    (_NAME + _IS + _KINDS + r"\s*[(\[{]\s*(?P<n>\w+)\s*[)\]}]?", r"\g<x>: \g<kind>(\g<n>)"),
    (_NAME + _IS + _KINDS + _OF + r"(?P<n>\d+|\w)", r"\g<x>: \g<kind>(\g<n>)"),
    (
        _NAME + _IS + _KINDS + rf"\s*[(\[{{]\s*(?P<m>\w+?)(?:{_BY}|\s+)(?P<n>\w+)\s*[)\]}}]?",
        r"\g<x>: \g<kind>(\g<m>, \g<n>)",
    ),
    (
        _NAME + _IS + _KINDS + _OF + rf"(?P<m>\d+|\w)(?:{_BY}|\s+)(?P<n>\d+|\w)",
        r"\g<x>: \g<kind>(\g<m>, \g<n>)",
    ),
    (
        _NAME + _IS + r"(?P<m>\w+?)" + _BY + r"(?P<n>\w+)(?:\s+matrix)?",
        r"\g<x>: matrix(\g<m>, \g<n>)",
    ),
    (_NAME + r"\s*\(\w+\)\s*:\s*" + _KINDS, r"\g<x>: \g<kind>"),
    (
        _NAME + r"\s*\(\s*(?P<t>\w+)\s*(?:,\s*\w+\s*)*\)\s*:?=\s*(?P<formula>.+)",
        r"\g<x>(\g<t>) = \g<formula>",
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


def declarations_meant(text: str) -> list[list[str]]:
    """What may be meant by a text that is no declaration, the likeliest first: a declaration, or one for each name in it."""
    plain = "".join(
        unicodedata.normalize("NFKC", c)
        if unicodedata.decomposition(c).startswith("<super>")
        else c
        for c in text.strip()
    )
    if len(plain) > 100:
        return []
    head, sign, rest = plain.partition(":")
    plain = head + sign + re.sub(r"[A-Za-z]{2,}", lambda m: KINDS.get(m[0].lower(), m[0]), rest)
    listed = _LISTED.fullmatch(plain)
    names = re.split(r"\s*,\s*|\s+and\s+", listed[1]) if listed else []
    lines = [f"{name}{listed[2]}" for name in names] if listed else [plain]
    meant = [lines] if listed else []
    for pattern, repair in DECLARATIONS:
        found = [re.fullmatch(pattern, line, re.IGNORECASE) for line in lines]
        if all(found):
            meant.append([match.expand(repair) for match in found if match])
    return meant


NEAR = 400  # characters


class Found(NamedTuple):
    """A slip in a text: the characters, what is wrong, what to do, and texts that may be meant, the likeliest first."""

    start: int
    end: int
    message: str
    help: str
    repairs: tuple[str, ...]


def find(text: str, at: int) -> Found | None:
    """The slip at the character `at` of a text that is wrong there; of a long text only what stands near is looked at."""
    if len(text) > NEAR:
        first = max(0, at - NEAR // 2)
        near = find(text[first : first + NEAR], at - first)
        return near and near._replace(start=near.start + first, end=near.end + first, repairs=())
    for slip in SLIPS:
        for m in re.finditer(slip.pattern, text) if slip.latex or "\\" not in text else ():
            if m.start() <= at < m.end():
                alone = _made(slip.repairs[0], m) if slip.repairs else ""
                help = slip.words or (
                    f"write `{alone}`" if alone.strip() else f"leave out `{m.group().strip()}`"
                )
                wholes = [whole for repair in slip.repairs for whole in _wholes(text, m, repair)]
                if m.re.pattern == INDEX_SUM:
                    wholes.append(index_sums(text))
                return Found(m.start(), m.end(), slip.message, help, tuple(filter(None, wholes)))
    return None


def _wholes(text: str, found: re.Match[str], repair: str) -> list[str]:
    """The text with the repair made, wherever the slip is, and with every other slip in it repaired too."""
    here = text[: found.start()] + _made(repair, found) + text[found.end() :]
    same = whole = re.sub(found.re, functools.partial(_made, repair), text)
    for slip in SLIPS:
        if slip.repairs:
            whole = re.sub(slip.pattern, functools.partial(_made, slip.repairs[0]), whole)
    return list(dict.fromkeys(" ".join(t.split()) for t in (whole, same, here)))


def _made(repair: str, found: re.Match[str]) -> str:
    """What stands in the place of a snippet. A repair that begins with `\\L` has the function's name in lower case."""
    lower = repair.startswith("\\L")
    head, bracket, rest = found.expand(repair[2:] if lower else repair).partition("(")
    return ((head.lower() if lower else head) + bracket + rest).strip(" ")


def index_sums(text: str) -> str:
    """A text with `sum(i=1:n, x[i]^2)` for each printed sum; empty where entries cannot be told from vectors."""
    while len(text) <= NEAR and (printed := list(re.finditer(INDEX_SUM, text))):
        text = _index_sum(text, printed[-1])
    return text


def _index_sum(text: str, found: re.Match[str]) -> str:
    i, a, n = found["i"], found["a"], found["n"] or found["m"]
    depth, end, begun = 0, found.end(), False
    while end < len(text) and depth >= 0:
        c = text[end]
        if depth == 0 and (c in ",=" or (c in "+-−" and begun)):
            break
        depth += (c in "([{") - (c in ")]}")
        if depth < 0:
            break
        begun = begun or not c.isspace()
        end += 1
    end -= len("\\right") if text[:end].endswith("\\right") else 0
    body = text[found.end() : end].strip()
    if not body or re.search(r"['ᵀ⊤‖]|\^\s*\{?\s*(?:\\top|T\b)|\\\||\|\|", body):
        return ""
    body = re.sub(rf"(?<=\w)_(?:{i}(?![A-Za-z0-9])|\{{{i}\}})", f"[{i}]", body)
    body = re.sub(r"(?<=\w)_\{\s*(\w)\s*,?\s*(\w)\s*\}", r"[\1,\2]", body)
    after = f" {text[end:].strip()}" if text[end:].strip() else ""
    return f"{text[: found.start()]}sum({i}={a}:{n}, {body}){after}".strip()


# Accents over a letter, and the subscript that says the same. Others are left out.
ACCENTS = {
    "\u0302": "hat",
    "\u0304": "bar",
    "\u0305": "bar",
    "\u0303": "tilde",
    "\u0307": "dot",
    "\u030c": "check",
}


def meant(character: str) -> str:
    """What a character that the language does not have looks like, in it; empty if there is nothing."""
    if character in MEANT:
        return MEANT[character]
    kind, _, code = unicodedata.decomposition(character).partition(" ")
    if kind in ("<super>", "<sub>") and " " not in code and chr(int(code, 16)).isalnum():
        return ("^" if kind == "<super>" else "_") + chr(int(code, 16))
    letter, *accents = list(unicodedata.normalize("NFD", character))
    if accents and _is_letter(letter) and all(map(unicodedata.combining, accents)):
        return letter + "".join(f"_{ACCENTS[a]}" for a in accents if a in ACCENTS)
    plain = unicodedata.normalize("NFKC", character)
    if plain != character and plain.isascii() and plain.isprintable() and plain.strip():
        return plain
    return ""


def _is_letter(character: str) -> bool:
    return (character.isascii() and character.isalpha()) or "Α" <= character <= "ω"


def respelled(text: str, characters: Collection[str]) -> str:
    """The text with these characters in the spelling of the language, as far as it has one."""
    found = ""
    for c in text:
        if c not in characters:
            found += c
        elif unicodedata.combining(c):
            found += f"_{ACCENTS[c]}" if c in ACCENTS else ""
        else:
            found += meant(c) or c
    found = re.sub(r"(_[a-z]+)_\{?(\w+)\}?", r"\1\2", found)  # one subscript
    found = re.sub(r"_(\w)((?:_\w)+)", lambda m: "_" + m.group().replace("_", ""), found)
    return re.sub(r"(_(?:hat|bar|tilde|dot|check))(?=[^\W\d_])", r"\1 ", found)


def legible(text: str, characters: Collection[str]) -> str:
    """The text with a letter or a blank for each of these characters, so that the rest of it can be read."""
    blank = {c: "x" if c.isalpha() else " " for c in characters}
    end = min((text.index(c) for c in "#%" if c in characters), default=len(text))  # a comment
    return "".join(blank.get(c, c) for c in text[:end]).ljust(len(text))


def other_name(name: str) -> str:
    """What to write for a function that the language does not have under this name; empty if nothing is known."""
    lower = name.lower()
    known = OTHERWISE.get(lower, lower)
    if known in CALLED:
        return "write " + " or ".join(f"`{form.format('x', 'y')}`" for form in CALLED[known])
    return ELSEWHERE.get(known) or (f"did you mean `{known}`?" if known != lower else "")


def calls_meant(name: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """What is meant by a call of a function that the language does not have under this name, as expressions."""
    lower = name.lower()
    known = OTHERWISE.get(lower, lower)
    tight = [a if re.fullmatch(r"\w+|\w+\([^()]*\)", a) else f"({a})" for a in arguments]
    if known == "size" and len(arguments) == 2:
        form = SIZE_OF.get(int(arguments[1]) if arguments[1] in ("1", "2") else 0)
        return (form.format(arguments[0]),) if form else ()
    forms = CALLED.get(known, ())
    if forms and 1 + ("{1}" in forms[0]) == len(arguments):
        found = (form.format(*tight) for form in forms)
        calls = (re.sub(r"\((\([^()]*\))\)", r"\1", call) for call in found)
        atom = r"\w+\((?:[^()]|\([^()]*\))*\)"
        return tuple(c if re.fullmatch(atom, c) else f"({c})" for c in calls)
    return (
        (f"{known}({', '.join(arguments)})",) if known not in {lower, *ELSEWHERE, *CALLED} else ()
    )
