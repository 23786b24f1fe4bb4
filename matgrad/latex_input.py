"""LaTeX to matgrad text, where LaTeX is unambiguous; with the way back from each character of the result.

One pass over the characters with an explicit stack of what is open. Two rules come from print: adjacent letters
are separate variables (`Ax` is `A x`), and a letter before a bracket is a factor (`X(X^TX)^{-1}`), unless it is one
that is customarily a function (`f(x)`, `\\sigma(W x)`). A lower-case function word before its argument stays a word.
What could be read in two ways is an error that offers both.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import Final

from matgrad.errors import Mark, SyntaxProblem
from matgrad.functions import FUNCTION_NAMES
from matgrad.slips import PROBLEM, index_sums


def _names(text: str) -> list[str]:
    return text.split()


_GREEK: Final = {
    **dict(
        zip(
            _names(
                "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon "
                "phi chi psi omega"
            ),
            "αβγδεζηθικλμνξοπρστυφχψω",
            strict=True,
        )
    ),
    **dict(
        zip(
            _names("Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"),
            "ΓΔΘΛΞΠΣΥΦΨΩ",
            strict=True,
        )
    ),
}
# Variant shapes, read as the letter; one text may not use both.
_VARIANTS: Final = {
    "varepsilon": "ε",
    "vartheta": "θ",
    "varphi": "φ",
    "varrho": "ρ",
    "varsigma": "σ",
    "varkappa": "κ",
    "ell": "l",
}
_SPELLED: Final = {letter: name for name, letter in _GREEK.items()}

_WORDS: Final = FUNCTION_NAMES | {"dot", "inner", "solve", "outer"}
_SIZED: Final = frozenset(["eye", "ones", "zeros"])
_BY_LOWER: Final = {name.lower(): name for name in sorted(_WORDS, reverse=True)}
_ALIASES: Final = {"Tr": "tr", "sgn": "sign", "Diag": "diag", "Vec": "vec", "tg": "tan"}
# Names in TABLE that mean something else after a backslash.
_NOT_COMMANDS: Final = frozenset(
    _names("gamma digamma vec sum prod norm abs transpose dot square cross")
)
_FUNCTIONS: Final = {
    **{name: name for name in _WORDS if name.isalpha() and name not in _NOT_COMMANDS},
    **_ALIASES,
}
# Function commands that TeX, amsmath or custom define; `A\inv(B)` is left to be a solve.
_USUAL: Final = frozenset(
    _names(
        "tr Tr trace det ln log exp sin cos tan sinh cosh tanh arcsin arccos arctan max min diag Diag "
        "logdet sgn sign softmax sigmoid"
    )
)

_OPERATORS: Final = {
    "cdot": "·",
    "times": "*",
    "ast": "*",
    "odot": ".*",
    "circ": ".*",
    "oslash": "./",
    "otimes": "⊗",
    "div": "/",
    "colon": ":",
    "backslash": "\\",
}
# In print these bind less than juxtaposition; in matgrad all products associate to the left.
_PRINTED: Final = frozenset(["cdot", "odot", "circ", "oslash", "otimes"])
_SPACES: Final = frozenset(["quad", "qquad", "enspace", "thinspace", "medspace", "thickspace"])
_IGNORED: Final = frozenset(
    _names(
        "displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits strut mathstrut tiny small "
        "allowbreak nobreak relax null"
    )
)
# Commands that only change how their argument looks, and the style they give it.
_WRAPPERS: Final = {
    **dict.fromkeys(_names("mathbf boldsymbol bm pmb symbf mathbfit bold"), "bold"),
    **dict.fromkeys(_names("mathit mathnormal mathop mathbin mathord ensuremath underline"), ""),
    "vec": "arrow over",
    "mathcal": "calligraphic",
    "mathscr": "script",
    "mathfrak": "Fraktur",
}
_SWITCHES: Final = {
    "bf": "bold",
    "bfseries": "bold",
    "boldmath": "bold",
    "rm": "upright",
    "sf": "upright",
    "it": "",
    "cal": "calligraphic",
}
_WORD_COMMANDS: Final = frozenset(
    _names(
        "operatorname mathrm text textrm textup textnormal mathsf textsf mathtt texttt textit textbf "
        "mbox hbox"
    )
)
_ACCENTS: Final = {
    "hat": "hat",
    "widehat": "hat",
    "bar": "bar",
    "overline": "bar",
    "tilde": "tilde",
    "widetilde": "tilde",
    "check": "check",
    "breve": "breve",
}
_SIZES: Final = {
    size + side: side for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")
}
_DELIMITERS: Final = {
    "lvert": ("|", "open"),
    "rvert": ("|", "close"),
    "lVert": ("‖", "open"),
    "rVert": ("‖", "close"),
    "vert": ("|", "either"),
    "mid": ("|", "either"),
    "Vert": ("‖", "either"),
    "lbrack": ("[", ""),
    "rbrack": ("]", ""),
    "lbrace": ("{", ""),
    "rbrace": ("}", ""),
    "langle": ("<", ""),
    "rangle": (">", ""),
}
_CLOSING: Final = {"(": ")", "[": "]", "{": "}", "<": ">", "|": "|", "‖": "‖"}
_MATRICES: Final = {
    **dict.fromkeys(_names("matrix bmatrix pmatrix Bmatrix smallmatrix"), ("", "")),
    "vmatrix": ("|", "|"),
    "Vmatrix": ("‖", "‖"),
}
_PLAIN_ENVIRONMENTS: Final = frozenset(["equation", "equation*", "displaymath", "math"])
# Environments of several lines, of which one is read.
_LINES: Final = frozenset(
    _names(
        "align align* aligned alignat alignat* gather gather* gathered split multline multline* eqnarray eqnarray*"
    )
)
_STRUCTURE: Final = frozenset(
    _names("frac tfrac dfrac cfrac sqrt left right begin end norm abs textcolor color")
)

_SUMS = "write `sum(x)` for the sum of all entries, or `sum(i=1:n, …)` for a sum over an index"
_DERIVATIVE = "give the function itself; `--wrt X` says by what it is differentiated"
_EQUATION = "give one side: the expression that is to be differentiated"
_DOTS = "write the expression out, or use `sum(i=1:n, …)`"
_TRANSPOSE_HELP = "everything is real-valued: write the transpose as `^\\top`"
# Before an unknown function that was declared: its gradient or Jacobian.
_MAP_MARKS: Final = {"nabla": "∇", "partial": "∂"}
# Known LaTeX that matgrad does not read, and what it reads instead.
_UNREAD: Final = {
    "partial": _DERIVATIVE,
    "nabla": _DERIVATIVE,
    "sum": _SUMS,
    "prod": "write `prod(x)` for the product of the entries of a vector",
    **dict.fromkeys(
        ["int", "iint", "oint"],
        "matgrad has no integrals; give the integrand, or declare an unknown function",
    ),
    "lim": "matgrad has no limits; give the expression itself",
    **dict.fromkeys(
        ["sup", "argmax"], "give what is maximized alone; the largest entry of a vector is `max(x)`"
    ),
    **dict.fromkeys(
        ["inf", "argmin", "arg"],
        "give what is minimized alone; the smallest entry of a vector is `min(x)`",
    ),
    "mathbb": "matgrad reads plain letters; only `\\mathbb{1}` (ones) and `\\mathbb{I}` are understood",
    **dict.fromkeys(
        ["dots", "ldots", "cdots", "vdots", "ddots"],
        _DOTS,
    ),
    **dict.fromkeys(
        _names(
            "le leq ge geq ne neq lt gt approx sim equiv in propto to mapsto rightarrow implies iff coloneqq "
            "succeq preceq succ prec leqslant geqslant"
        ),
        _EQUATION,
    ),
    **dict.fromkeys(["pm", "mp"], "write it once with `+` and once with `-`"),
    **dict.fromkeys(["dot", "ddot"], "use another name for the derivative, such as `x_dot`"),
    **dict.fromkeys(["dagger", "ddagger"], "write `^\\top`, or `\\operatorname{pinv}(X)`"),
    **dict.fromkeys(["top", "intercal"], "a transpose stands in an exponent: `X^\\top`"),
    "prime": "a transpose stands in an exponent: `X^\\top`",
    "infty": "only a norm takes it: `\\|x\\|_\\infty`",
    "oplus": "write a stacked matrix, as in `[A, B; C, D]`",
    "star": "write the product as `A B` or `A \\odot B`",
    "bullet": "write the product as `A B` or `A \\odot B`",
    "binom": "matgrad has no binomial coefficients",
    "over": "write `\\frac{a}{b}`",
    "Re": "everything is real-valued: leave it out",
    "Im": "everything is real-valued",
    **dict.fromkeys(
        ["lfloor", "rfloor", "lceil", "rceil"], "matgrad has no rounding: it has no derivative"
    ),
    **dict.fromkeys(["label", "tag", "nonumber", "notag"], "leave it out"),
    **dict.fromkeys(["stackrel", "overset", "underset", "underbrace"], "leave the decoration out"),
}
_KNOWN: Final = frozenset(
    [
        *_GREEK,
        *_VARIANTS,
        *_FUNCTIONS,
        *_OPERATORS,
        *_SPACES,
        *_IGNORED,
        *_WRAPPERS,
        *_SWITCHES,
        *_WORD_COMMANDS,
        *_ACCENTS,
        *_SIZES,
        *_DELIMITERS,
        *_STRUCTURE,
        *_UNREAD,
    ]
)
# Names of matgrad's functions that are evidence of LaTeX only before a brace: `A\vec(B)` is a solve.
_BRACED: Final = frozenset([*(frozenset(_FUNCTIONS) - _USUAL), "norm", "abs", "vec"]) - {"sqrt"}
_EVIDENCE: Final = _KNOWN - _BRACED

# Letters that before a bracket are functions in most papers. All others multiply it.
_CALLABLE: Final = frozenset("fghuvφψσρκlΓΦΨ")

_BLANK = r"(?:\s|\\[,;:!>/ ]|~)*"
_SWITCH = (
    r"\\(?:rm|sf|it|bf|tiny|small|scriptscriptstyle|scriptstyle|textstyle|displaystyle)(?![A-Za-z])"
)
_T = (
    r"(?:\\(?:top|intercal|T|tran|trans|transp|transpose)(?![A-Za-z])"
    r"|\\(?:mathsf|mathrm|mathtt|mathit|mathbf|mathcal|mathbb|text|textsf|textrm|textup|operatorname)"
    r"(?:\s*\{\s*(?:T|\\top|\\intercal)\s*\}|\s+T)"
    r"|[T⊤ᵀ])"
)
_STYLED = rf"{_BLANK}(?:{_SWITCH}{_BLANK})*"
_TRANSPOSE = re.compile(
    rf"\{{{_STYLED}(?:(?P<a>[-−]){_STYLED})?{_T}{_BLANK}\}}|(?:(?P<b>[-−]){_BLANK})?{_T}"
)
_PRIMES = re.compile(
    rf"\\prime(?![A-Za-z])|\{{{_BLANK}(?:\\prime(?![A-Za-z]){_BLANK}|'{_BLANK})+\}}"
)
_BAD_SUPERSCRIPT = re.compile(
    r"\{\s*(?P<a>[*+#]|\\(?:ast|star|dagger|ddagger|perp|circ|mathsf\s*\{\s*H\s*\}|mathrm\s*\{\s*H\s*\}))\s*\}"
    r"|(?P<b>[*+#]|\\(?:ast|star|dagger|ddagger|perp|circ)(?![A-Za-z])|\\(?:mathsf|mathrm)\s*\{\s*H\s*\})"
)
_BRACKETED_INDEX = re.compile(r"\{\s*\(\s*[A-Za-z0-9]+\s*\)\s*\}")
_ENTRYWISE = re.compile(r"\{\s*\\(?:circ|odot)(?![A-Za-z])")
_FUNCTION_POWER = re.compile(r"\{\s*(?P<a>[0-9]+)\s*\}|(?P<b>[0-9])")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
# What the result shows as one character: a command, with its bracket or name, or a whole exponent.
_PIECE = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])\s*(?:\\[A-Za-z]+|\\?.)"
    r"|\\(?:begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+|\\."
    r"|\^\s*(?:\{(?:[^{}]|\{[^{}]*\})*\}|-?\s*(?:\\[A-Za-z]+|\w))"
)
# The head of an optimization problem: `\\min_x`, `\\arg\\max_{w \\ge 0}`, `\\operatorname*{argmin}_x`, `\\underset{x}{\\min}`.
_EXTREMUM = (
    r"(?:\\arg\s*\\?(?:min|max)|\\(?:arg)?(?:min|max)|\\operatorname\*?\s*\{\s*(?:arg\s*)?(?:\\,)?\s*(?:min|max)(?:imize)?\s*\}"
    r"|\\(?:text|mathrm)\s*\{\s*(?:arg\s*)?(?:min|max)(?:imize)?\s*\})"
)
_PROBLEM = re.compile(
    rf"\s*(?:\\underset\s*\{{(?:[^{{}}]|\{{[^{{}}]*\}})*\}}\s*\{{\s*{_EXTREMUM}\s*\}}"
    rf"|{_EXTREMUM}\s*(?:\\limits\s*)?_\s*(?P<sub>\{{(?:[^{{}}]|\{{[^{{}}]*\}})*\}}|\\[A-Za-z]+|\w))"
)
_IN_SCRIPT = re.compile(r"[\^_]\s*\{?\s*\Z")
_LETTERS = re.compile(r"[A-Za-z]+")
_DIGITS = re.compile(r"[0-9]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?", re.ASCII)
_CONSTANT = re.compile(r"\s*(?:\{\s*([01])\s*\}|([01]))")
_LENGTH = re.compile(r"\[\s*-?[\d.]+\s*[a-z]{2}\s*\]")
_ROOT_INDEX = re.compile(r"\s*\[\s*([A-Za-z0-9]+)\s*\]")
_IN_SUBSCRIPT = re.compile(
    r"\\(?:text|textrm|textsf|textup|mathrm|mathsf|mathbf|mathit|mathcal|mathtt|operatorname|boldsymbol|bm|rm|sf)"
    r"(?![A-Za-z])\s*"
)
_POSTFIX: Final = frozenset("^_'’ᵀ⁻⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉")
_NORMS: Final = {
    "1": "_1",
    "2": "_2",
    "F": "_F",
    "f": "_F",
    "Fro": "_F",
    "fro": "_F",
    "star": "_*",
    "nuc": "_*",
    "tr": "_*",
}
_NORM_FUNCTIONS: Final = {
    "infty": "norminf(",
    "inf": "norminf(",
    "op": "specnorm(",
    "spec": "specnorm(",
}
_EXTREMES: Final = {"λ_max": "eigmax", "λ_min": "eigmin", "σ_max": "specnorm"}


def is_latex(text: str) -> bool:
    """Whether the text contains a LaTeX command that this module knows, or stands in dollar signs.

    `A\\b`, with a name that is no command, is the solution of a linear system and not LaTeX.
    """
    start, end = _trimmed(text, 0, len(text))
    for opening, closing in _WRAPPING:
        if end - start > len(opening) and text.startswith(opening, start):
            if text.endswith(closing, start + len(opening), end):
                return True
    at = text.find("\\")
    while at >= 0:
        match = _COMMAND.match(text, at)
        if match is not None:
            if match[1] in _EVIDENCE:
                return True
            if match[1] in _BRACED and text.startswith("{", match.end()):
                return True
            if _IN_SCRIPT.search(text, max(0, at - 8), at):
                return True
            at = text.find("\\", match.end())
        else:
            if text[at + 1 : at + 2] in tuple("|,;:!{}"):
                return True
            at = text.find("\\", at + 2)
    return False


def translate(text: str, functions: Collection[str] = ()) -> tuple[str, list[int]]:
    """Plain matgrad text, and for each of its characters the offset in `text` it came from (and one for the end).

    `functions` are declared names that are functions: before a bracket they are called, not multiplied.
    Raises SyntaxProblem, with marks at characters of `text`.
    """
    return _Translator(text, functions).run()


def original_span(text: str, origins: list[int], start: int, end: int) -> tuple[int, int]:
    """Where in `text` the characters `start:end` of its translation come from, whole commands included.

    Offsets do not always ascend: the subscript of `\\|x\\|^2_2` is written before the power.
    """
    last = len(origins) - 1
    start = max(0, min(start, last))
    inside = origins[start : max(start + 1, min(end, last))]
    final = max(inside)
    piece = _PIECE.match(text, final)
    return min(inside), max(piece.end() if piece is not None else 0, final + 1)


_WRAPPING: Final = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The bounds without white space, and without a full stop or comma at the end."""
    while start < end and text[start].isspace():
        start += 1
    stop = False
    while end > start and (text[end - 1].isspace() or (text[end - 1] in ".," and not stop)):
        stop = stop or text[end - 1] in ".,"
        end -= 1
    return start, end


class _Token:
    """A piece of the result, the characters `at:end` it came from, and how it joins its neighbours.

    `kind`: name, number, func, open, close, bar_open, bar_close, post, power, sign, op, comma.
    """

    __slots__ = (
        "accent",
        "at",
        "callable",
        "constant",
        "end",
        "gap",
        "kind",
        "left",
        "origins",
        "partner",
        "style",
        "sub",
        "text",
        "touch",
    )

    def __init__(self, text: str, kind: str, at: int, end: int) -> None:
        self.text = text
        self.kind = kind
        self.at = at
        self.end = end
        self.origins: list[int] | None = None  # of each character, if not all `at`
        self.gap = False  # white space before it
        self.touch = False  # no space before it, whatever it is
        self.left: _Token | None = None  # the token before it
        self.partner: _Token | None = None  # of a closing bar, the opening one
        self.callable = False
        self.constant = ""  # ones, zeros or eye
        self.style = ""
        self.accent = ""
        self.sub = ""


class _Frame:
    """Something open: its opening token, and what has been read inside."""

    __slots__ = (
        "accent",
        "call",
        "chain",
        "chain_at",
        "chain_from",
        "chain_gap",
        "chain_slash",
        "commas",
        "delimiter",
        "end",
        "funcs",
        "index",
        "kind",
        "left",
        "minus",
        "opener",
        "operands",
        "ops",
        "outer",
        "post",
        "rows",
        "shown",
        "single",
        "style",
        "suffix",
    )

    def __init__(self, kind: str, opener: _Token, end: int, style: str) -> None:
        self.kind = kind
        self.opener = opener
        self.end = end  # of the characters that opened it
        self.style = style
        self.delimiter = ""
        self.left = False  # opened by \left
        self.single = False  # an argument without braces: it ends after one operand
        self.operands = 0
        self.ops = 0
        self.post = 0
        self.funcs = 0
        self.commas = 0
        self.rows = False  # a semicolon
        self.minus = False  # it begins with a minus sign
        self.call = ""  # what stands before its bracket: func, name, or nothing
        self.index = False
        # The factors after a printed operator: where a bracket may go, how many operands stood before them, and
        # for a division where it stands and whether there is white space after the first factor.
        self.chain: _Token | None = None
        self.chain_from = 0
        self.chain_slash = False
        self.chain_at = 0
        self.chain_gap: bool | None = None
        self.suffix: _Token | None = None  # a power to write after the closing bracket
        self.outer: _Token | None = None  # the bracket around a fraction
        self.accent = ""
        self.shown = ""

    def content(self) -> str:
        """What the inside is: empty, function, atom, factor, product, negative, other."""
        if self.commas:
            return "other"
        if self.funcs:
            return "function" if self.funcs == 1 and not (self.operands or self.ops) else "other"
        if self.ops:
            lone = self.minus and self.ops == 1 and self.operands == 1 and not self.post
            return "negative" if lone else "other"
        if self.operands == 0:
            return "empty"
        if self.operands == 1:
            return "factor" if self.post else "atom"
        return "product"

    def merge(self, child: _Frame) -> None:
        """Take over what a group has read whose braces vanish."""
        if not (self.operands or self.ops or self.funcs):
            self.minus = child.minus
        self.operands += child.operands
        self.ops += child.ops
        self.post += child.post
        self.funcs += child.funcs
        self.commas += child.commas


_OPERAND_END: Final = frozenset(["name", "number", "close", "bar_close", "post"])
_OPERAND_START: Final = frozenset(["name", "mark", "number", "func", "open", "bar_open"])
# What has been completed: nothing, an operand, or a group whose contents joined the frame around it.
_NOTHING, _OPERAND, _MERGED = 0, 1, 2
_NEEDS: Final = {
    "frac1": ("`\\frac` needs two arguments", "write `\\frac{a}{b}`"),
    "frac2": ("`\\frac` needs two arguments", "write `\\frac{a}{b}`"),
    "nth": ("`\\sqrt` needs an argument", "write `\\sqrt[3]{x}`"),
    "sqrt": ("`\\sqrt` needs an argument", "write `\\sqrt{x}`"),
    "exp": ("the exponent is missing", "write it in braces, as in `x^{2}`"),
}


class _Translator:
    """One reading of one text: `out` is what is written, `stack` what is open, `last` the token before."""

    def __init__(self, text: str, functions: Collection[str]) -> None:
        self.text = text
        self.functions = functions
        self.pos = self.start = 0
        self.end = len(text)
        self.out: list[_Token] = []
        self.last: _Token | None = None
        self.gap = False
        self.skip: dict[int, int] = {}  # characters that were read ahead of their turn
        self.braces: dict[int, int] = {}
        self.open_bars = 0
        self.power: _Token | None = None  # of `\sin^2`, until the bracket after it
        root = _Frame("root", _Token("", "open", 0, 0), 0, "")
        self.stack = [root]

    # -- the whole text ---------------------------------------------------------------------------------------

    def run(self) -> tuple[str, list[int]]:
        text = self.text
        self.start, self.end = self.unwrapped()
        self.refuse_problem()
        self.pos = self.start
        self.match_braces()
        while self.pos < self.end:
            skipped = self.skip.pop(self.pos, None)
            if skipped is not None:
                self.pos = skipped
                continue
            c = text[self.pos]
            if c.isspace() or c == "~":
                self.gap = True
                self.pos += 1
                continue
            if self.stack[-1].single and (
                c in _POSTFIX or not (c == "\\" or c.isalpha() or _is_digit(c) or c == ".")
            ):
                raise self.argument_missing(self.stack[-1])
            if c == "\\":
                self.command()
            elif c.isascii() and c.isalpha():
                self.letters()
            elif _is_digit(c) or (c == "." and _is_digit(text[self.pos + 1 : self.pos + 2])):
                self.number()
            else:
                self.character(c)
        frame = self.stack[-1]
        if frame.single:
            raise self.argument_missing(frame)
        if frame.kind != "root":
            closer = self.closer(frame)
            raise self.problem(
                f"a closing `{closer}` is missing",
                [
                    Mark(frame.opener.at, frame.end, f"`{frame.shown}` opens here"),
                    Mark(self.end, self.end + 1, "it ends here"),
                ],
                f"add `{closer}`",
            )
        self.end_chain()
        self.check_styles()
        return self.written()

    def refuse_problem(self) -> None:
        """`\\min_x f`, whose objective is to be given; a subscript that is an index of entries is something else."""
        found = _PROBLEM.match(self.text, self.start, self.end)
        if found is None:
            return
        below = _subscript_word(found["sub"] or "")
        if below and re.search(rf"_\{{?{re.escape(below)}\b", self.text[found.end() : self.end]):
            return
        problem = self.problem(PROBLEM, [Mark(self.start, found.end())], "give the objective alone")
        objective = re.split(
            r"\\q?quad|\\(?:text|mathrm)\s*\{\s*s", self.text[found.end() : self.end]
        )[0]
        problem.repairs = ((objective.strip(),),)
        raise problem

    def unwrapped(self) -> tuple[int, int]:
        """The bounds of the formula, without dollar signs and their like."""
        text = self.text
        start, end = _trimmed(text, 0, len(text))
        for opening, closing in _WRAPPING:
            if text.startswith(opening, start, end):
                inside = start + len(opening)
                if not text.endswith(closing, inside, end):
                    raise self.problem(
                        f"`{opening}` is not closed",
                        [Mark(start, inside, "opens here")],
                        f"add `{closing}` at the end, or leave `{opening}` out",
                    )
                return _trimmed(text, inside, end - len(closing))
        return start, end

    def match_braces(self) -> None:
        """Pair the braces, other than `\\{` and `\\}`."""
        text, opened, at = self.text, [], self.pos
        while at < self.end:
            c = text[at]
            if c == "\\":
                at += 1
            elif c == "{":
                opened.append(at)
            elif c == "}":
                if not opened:
                    raise self.problem(
                        "`}` closes nothing",
                        [Mark(at, at + 1)],
                        "leave it out, or open the brace before it",
                    )
                self.braces[opened.pop()] = at
            at += 1
        if opened:
            raise self.problem(
                "a closing `}` is missing",
                [
                    Mark(opened[-1], opened[-1] + 1, "`{` opens here"),
                    Mark(self.end, self.end + 1, "it ends here"),
                ],
                "add `}`",
            )

    def written(self) -> tuple[str, list[int]]:
        """The tokens with the spaces between them, and the origin of each character."""
        pieces: list[str] = []
        origins: list[int] = []
        before: _Token | None = None
        gap = False
        for token in self.out:
            gap = gap or token.gap
            if not token.text:
                continue
            if before is not None and _spaced(before, token, gap):
                pieces.append(" ")
                origins.append(before.end)
            pieces.append(token.text)
            where = token.origins
            if where is None:
                where = [token.at] * len(token.text)
                if len(where) > 1:
                    where[-1] = max(token.at, token.end - 1)
            origins.extend(where)
            before, gap = token, False
        origins.append(len(self.text))
        return "".join(pieces), origins

    def check_styles(self) -> None:
        """Print tells `x` from bold `x`; one text that uses both means two variables."""
        seen: dict[str, _Token] = {}
        for token in self.out:
            if token.kind != "name" or token.constant:
                continue
            first = seen.setdefault(token.text, token)
            if first.style != token.style:
                one, two = (f"{t.style} `{t.text}`".strip() for t in (first, token))
                raise self.problem(
                    f"{one} and {two} differ in print, and would be one name here",
                    [Mark(first.at, first.end, "this one"), Mark(token.at, token.end, "and this")],
                    "write both alike, or give one of them another letter",
                )

    def problem(self, message: str, marks: list[Mark], help: str = "") -> SyntaxProblem:
        return SyntaxProblem(message, tuple(marks), help, self.text)

    # -- tokens and frames ------------------------------------------------------------------------------------

    def put(self, text: str, kind: str, at: int, end: int) -> _Token:
        token = _Token(text, kind, at, end)
        frame = self.stack[-1]
        if frame.chain is not None and frame.chain_gap is None and kind in _OPERAND_START:
            if frame.operands == frame.chain_from + 1:
                divided = self.last is not None and self.last.kind == "close"
                frame.chain_gap = self.gap or divided or kind == "bar_open"
        token.gap, self.gap = self.gap, False
        token.left = self.last
        self.out.append(token)
        if text:
            self.last = token
        return token

    def operator(self, text: str, at: int, end: int, printed: bool) -> None:
        """A binary operator; after a printed one, what is juxtaposed belongs together: `y ⊙ Xw` is y ⊙ (Xw)."""
        frame = self.stack[-1]
        waiting = frame.chain is not None and frame.operands == frame.chain_from
        sign = text in "+-−" and waiting
        if not sign:
            self.end_chain()
        if text in "-−" and not (frame.operands or frame.ops or frame.funcs):
            frame.minus = True
        frame.ops += 1
        self.put(text, "op", at, end)
        if (printed or text == "/") and not sign:
            frame.chain = self.put("", "open", end, end)
            frame.chain.gap = printed
            frame.chain_from, frame.chain_at = frame.operands, at
            frame.chain_slash, frame.chain_gap = text == "/", None

    def end_chain(self) -> None:
        """End the factors that followed a printed operator, in brackets if there is more than one."""
        frame = self.stack[-1]
        chain, last = frame.chain, self.last
        frame.chain = None
        if chain is None or last is None or frame.operands - frame.chain_from < 2:
            return
        if frame.chain_slash:
            if frame.chain_gap is False:
                raise self.problem(
                    "a division with a product after it can be read in two ways",
                    [Mark(frame.chain_at, max(last.end, frame.chain_at + 1))],
                    "write `\\frac{a}{b c}` or `\\frac{a}{b} c`; with a space, `1/2 x`, the rest is multiplied",
                )
            return
        chain.text = "("
        gap, self.gap = self.gap, False
        self.put(")", "close", last.end, last.end)
        self.gap = gap

    def push(self, kind: str, opener: _Token, end: int, shown: str) -> _Frame:
        frame = _Frame(kind, opener, end, self.stack[-1].style)
        frame.shown = shown
        self.stack.append(frame)
        return frame

    def argument(self, kind: str, at: int, shown: str) -> _Frame:
        """Open the argument of a command: a group, or the one operand that follows."""
        after = self.blank(self.pos)
        if after >= self.end:
            opener = self.put("", "open", at, self.pos)
            raise self.argument_missing(self.push(kind, opener, self.pos, shown))
        braced = self.text[after] == "{"
        self.pos = after + 1 if braced else after
        opener = self.put("", "open", after if braced else at, after + 1 if braced else after)
        frame = self.push(kind, opener, self.pos if braced else max(at + 1, after), shown)
        frame.single = not braced
        if braced:
            frame.shown = "{"
        return frame

    def argument_missing(self, frame: _Frame) -> SyntaxProblem:
        message, help = _NEEDS.get(
            frame.kind, (f"`{frame.shown}` needs an argument", "write it in braces")
        )
        at = min(self.pos, self.end)
        marks = [Mark(frame.opener.at, max(frame.end, frame.opener.at + 1), "this")]
        if at < self.end:
            marks.append(Mark(at, at + 1, "stands where an argument was expected"))
        return self.problem(message, marks, help)

    def operand(self, end: int) -> None:
        """An operand is complete; close the arguments without braces that it completes."""
        self.settle(_OPERAND, end)

    def settle(self, result: int, end: int) -> None:
        while result != _NOTHING:
            frame = self.stack[-1]
            if result == _OPERAND:
                frame.operands += 1
            if not frame.single:
                return
            if frame.content() in ("empty", "function"):
                raise self.argument_missing(frame)
            self.stack.pop()
            result = self.finish(frame, end)

    def finish(self, frame: _Frame, end: int) -> int:
        """End an argument or group; `end` is after its last character."""
        content = frame.content()
        close = end if frame.single else end - 1
        if frame.kind in ("frac1", "frac2", "sqrt", "nth", "exp"):
            if content in ("empty", "function"):
                self.pos = close
                raise self.argument_missing(frame)
        if frame.kind == "frac1":
            bracket = content not in ("atom", "factor", "product", "negative")
            self.bracket(frame, bracket, close, end)
            self.put("/", "op", close, end)
            self.pos = end
            second = self.argument("frac2", frame.outer.at if frame.outer else close, "\\frac")
            second.outer = frame.outer
            return _NOTHING
        if frame.kind == "frac2":
            self.bracket(frame, content not in ("atom", "factor"), close, end)
            self.put(")", "close", close, end)
            outer = frame.outer
            if outer is not None and outer.left is not None and outer.left.kind == "func":
                outer.touch = not self.postfix_follows(end)
            return _OPERAND
        if frame.kind == "sqrt":
            self.put(")", "close", close, end)
            return _OPERAND
        if frame.kind == "nth":
            self.put(f")^(1/{frame.accent}))", "close", close, end)
            return _OPERAND
        if frame.kind == "exp":
            self.bracket(frame, content not in ("atom", "negative"), close, end)
            return _NOTHING
        if frame.kind == "accent":
            self.accented(frame, content)
        bracket = content != "empty" and self.needs_brackets(frame, content, end)
        self.bracket(frame, bracket, close, end)
        if bracket:
            left = frame.opener.left
            if left is not None and left.kind == "func" and not self.postfix_follows(end):
                frame.opener.touch = True
                self.stack[-1].funcs -= 1
            return _OPERAND
        self.stack[-1].merge(frame)
        return _NOTHING if content == "empty" else _MERGED

    def bracket(self, frame: _Frame, wanted: bool, close: int, end: int) -> None:
        if wanted:
            frame.opener.text = "("
            self.put(")", "close", close, end)

    def needs_brackets(self, frame: _Frame, content: str, end: int) -> bool:
        """Whether a brace group must be written in brackets to stay one thing."""
        if content == "function":
            return False
        left = frame.opener.left
        postfix = self.postfix_follows(end)
        if left is not None and left.kind == "func" and frame.kind == "brace":
            return not (content == "atom" and postfix)
        if content == "atom":
            return False
        if postfix:
            return True
        if content == "factor":
            return False
        loose = left is None or left.kind in ("open", "bar_open", "comma")
        loose = loose or (left is not None and left.kind == "op" and left.text in "+=")
        if content == "product":
            tight_operator = left is not None and left.kind == "op" and left.text not in "+-−="
            return tight_operator or (left is not None and left.kind == "func")
        return not (loose and self.loose_right(end))

    def accented(self, frame: _Frame, content: str) -> None:
        name = self.last
        if content != "atom" or name is None or name.kind != "name" or name.accent or name.constant:
            raise self.problem(
                f"`\\{frame.shown}` stands over more than one letter",
                [Mark(frame.opener.at, frame.end)],
                "matgrad reads it over a single letter, as in `\\hat{x}`, as the name `x_hat`",
            )
        name.accent = frame.accent
        self.spell(name, name.text.partition("_")[0], name.sub, frame.opener.at)

    def spell(self, name: _Token, base: str, sub: str, at: int) -> None:
        """Write a name with its accent and subscript; the new characters come from `at`."""
        tail = name.accent + sub
        text = f"{base}_{tail}" if tail else base
        old = name.origins or [name.at] * len(name.text)
        name.origins = old[: len(base)] + [at] * (len(text) - len(base))
        name.text, name.sub = text, sub

    # -- looking ahead ----------------------------------------------------------------------------------------

    def blank(self, at: int) -> int:
        """The first character from `at` that is not some kind of space."""
        text = self.text
        while at < self.end:
            if text[at].isspace() or text[at] == "~":
                at += 1
            elif text[at] == "\\" and text[at + 1 : at + 2] in tuple(",;:!>/ "):
                at += 2
            else:
                break
        return min(at, self.end)

    def postfix_follows(self, at: int) -> bool:
        at = self.blank(at)
        return at < self.end and self.text[at] in _POSTFIX

    def loose_right(self, at: int) -> bool:
        """Whether nothing binds tighter than a sum after `at`."""
        at = self.blank(at)
        if at >= self.end or self.text[at] in ")]},;+-−=&":
            return True
        if self.text[at] != "\\":
            return False
        match = _COMMAND.match(self.text, at)
        if match is None:
            return self.text[at + 1 : at + 2] in ("\\", "}")
        return match[1] in ("right", "end", "rvert", "rVert")

    # -- letters, words, numbers ------------------------------------------------------------------------------

    def name(self, letter: str, at: int, end: int, style: str | None = None) -> _Token:
        token = self.put(letter, "name", at, end)
        token.style = self.stack[-1].style if style is None else style
        if token.style == "upright":
            token.style = ""
        token.callable = letter in _CALLABLE or letter in self.functions
        if letter == "I":
            token.constant = "eye"
        return token

    def function(self, name: str, at: int, end: int) -> None:
        if self.stack[-1].single:
            raise self.argument_missing(self.stack[-1])
        self.put(name, "func", at, end)
        self.stack[-1].funcs += 1

    def letters(self) -> None:
        """A run of letters: a function word, or one variable for each letter."""
        text, at, frame = self.text, self.pos, self.stack[-1]
        if frame.single:
            self.pos = at + 1
            self.name(text[at], at, at + 1)
            self.operand(at + 1)
            return
        match = _LETTERS.match(text, at, self.end)
        assert match is not None
        digits = _DIGITS.match(text, match.end(), self.end)
        end = digits.end() if digits else match.end()
        run = text[at:end]
        if len(run) > 1 and (run in _WORDS or run in self.functions or run in _SIZED):
            if run in _SIZED or run in self.functions:
                token = self.copied(at, end)
                token.callable = True
                token.constant = run if run in _SIZED else ""
                self.pos = end
                self.operand(end)
                return
            if self.argument_follows(end) or frame.style == "upright":
                self.pos = end
                self.function(run, at, end)
                self.last_origins(at)
                return
        for i in range(at, match.end()):
            frame.operands += i > at
            self.name(text[i], i, i + 1)
        self.pos = match.end()
        if digits and self.last is not None:
            # `x1` is a name, in plain text and here.
            self.last.text += digits[0]
            self.last.origins = list(range(match.end() - 1, end))
            self.last.end = self.pos = end
            self.last.constant = ""
        self.operand(self.pos)

    def copied(self, at: int, end: int) -> _Token:
        token = self.put(self.text[at:end], "name", at, end)
        token.origins = list(range(at, end))
        return token

    def last_origins(self, at: int) -> None:
        token = self.last
        assert token is not None
        token.origins = list(range(at, at + len(token.text)))

    def argument_follows(self, at: int) -> bool:
        """Whether a word of letters ends where an argument begins."""
        text = self.text
        after = self.blank(at)
        if after >= self.end:
            return False
        c = text[after]
        if c == "\\":
            match = _COMMAND.match(text, after)
            if match is None:
                return text[after + 1 : after + 2] in ("|", "{")
            return match[1] not in _OPERATORS and match[1] not in ("right", "end")
        return c in "({[|‖" or (after > at and c.isalnum())

    def number(self) -> None:
        at, frame = self.pos, self.stack[-1]
        if frame.single:
            end = at + 1
            if self.text[at] == ".":
                raise self.argument_missing(frame)
        else:
            match = _NUMBER.match(self.text, at, self.end)
            assert match is not None
            end = match.end()
        token = self.put(self.text[at:end], "number", at, end)
        token.origins = list(range(at, end))
        self.pos = end
        self.operand(end)

    def word(self, at: int, command: str) -> None:
        """`\\operatorname{tr}`, `\\mathrm{tr}`, `\\text{...}`: words as they stand."""
        text = self.text
        if text.startswith("*", self.pos):
            self.pos += 1
        start = self.blank(self.pos)
        if start >= self.end or text[start] != "{":
            # `\mathrm d`: one letter.
            self.argument("wrap", at, "\\" + command)
            return
        close = self.braces[start]
        if text.find("{", start + 1, close) >= 0:
            self.argument("wrap", at, "\\" + command).style = "upright"
            return
        raw = re.sub(
            r"\\[,;:! ]|~|\\rm(?![A-Za-z])|\\limits(?![A-Za-z])", " ", text[start + 1 : close]
        )
        pieces = raw.replace("-", " ").split()
        if not pieces or not all(p.isascii() and p.isalnum() and p[0].isalpha() for p in pieces):
            if command in ("text", "mbox", "hbox", "operatorname"):
                raise self.problem(
                    f"`\\{command}{{…}}` holds no name",
                    [Mark(at, close + 1)],
                    "write a function there, as in `\\operatorname{tr}(X)`, and leave remarks out",
                )
            # `\mathrm{\alpha}`, `\mathrm{1}`: a change of looks.
            self.argument("wrap", at, "\\" + command)
            return
        joined = "".join(pieces)
        if len(pieces) > 1 and _known_word(joined):
            pieces = [joined]
        where = start + 1
        self.pos = close + 1
        for piece in pieces:
            found = text.find(piece, where, close)
            where = found + len(piece) if found >= 0 else where
            first = found if found >= 0 else start + 1
            known = _known_word(piece)
            if known and len(piece) > 1 and piece not in self.functions:
                self.function(known, first, close + 1)
                if found >= 0 and len(known) == len(piece):
                    self.last_origins(first)
                continue
            token = self.name(piece, first, close + 1, "")
            if len(piece) > 1:
                token.origins = list(range(first, first + len(piece)))
                token.callable = True
                token.constant = piece if piece in _SIZED else ""
            self.operand(close + 1)

    # -- single characters ------------------------------------------------------------------------------------

    def character(self, c: str) -> None:
        text, at = self.text, self.pos
        two = text[at : at + 2]
        if c == "{":
            self.pos += 1
            self.push("brace", self.put("", "open", at, at + 1), at + 1, "{")
        elif c == "}":
            self.close_brace(at)
        elif c == "^" or two in (".^", "**"):
            self.superscript(1 if c == "^" else 2)
        elif c == "_":
            self.pos = self.subscript(at)
        elif c in "([":
            self.pos += 1
            self.open(c, at, at + 1, False)
        elif c in ")]":
            self.pos += 1
            self.close(c, at, at + 1, False)
        elif two == "||" and not self.closes_bar("|"):
            self.pos += 2
            self.bar("‖", at, at + 2, "either", False)
        elif c in "|‖":
            self.pos += 1
            self.bar(c, at, at + 1, "either", False)
        elif c in "'’ᵀ" or c in _POSTFIX or (two == ".T" and not text[at + 2 : at + 3].isalnum()):
            length = 2 if two == ".T" else 1
            self.pos += length
            self.put(two if length == 2 else c, "post", at, at + length)
            self.stack[-1].post += 1
        elif c in ",;":
            self.pos += 1
            self.end_chain()
            self.put(c, "comma", at, at + 1)
            self.stack[-1].commas += 1
            self.stack[-1].rows |= c == ";"
        elif c == "&":
            self.separator(at, at + 1, ",")
        elif c == "$":
            raise self.problem(
                "a dollar sign stands inside the formula",
                [Mark(at, at + 1)],
                "leave the dollar signs out; give one formula at a time",
            )
        elif c.isalpha():
            self.pos += 1
            self.name(c, at, at + 1)
            self.operand(at + 1)
        else:
            length = 2 if two in (".*", "./", "->") else 1
            self.pos += length
            self.operator(text[at : at + length], at, at + length, False)

    def separator(self, at: int, end: int, written: str) -> None:
        """`&` or `\\\\`: only inside a matrix."""
        frame = self.stack[-1]
        shown = self.text[at:end]
        if frame.kind == "environment" and frame.delimiter == "lines":
            self.pos, self.gap = end, True
            goes_on = re.compile(r"(?:\s|&)*(?:[-+−]|\\end)").match(self.text, end)
            if written == "," or goes_on is not None:
                return  # the last line, or one that goes on in the next
            raise self.several_lines(frame)
        if frame.kind != "matrix":
            marks = [Mark(at, end)]
            if frame.kind != "root":
                marks.insert(0, Mark(frame.opener.at, frame.end, "this is still open"))
            raise self.problem(
                f"`{shown}` stands outside a matrix",
                marks,
                "it separates the entries in `\\begin{bmatrix} a & b \\\\ c & d \\end{bmatrix}`",
            )
        self.pos = end
        if written == ";":
            length = _LENGTH.match(self.text, self.blank(end), self.end)
            if length is not None:
                self.pos = length.end()
            ahead = self.blank(self.pos)
            match = _COMMAND.match(self.text, ahead, self.end)
            if match is not None and match[1] == "end":
                return  # a last, empty row
        self.end_chain()
        self.put(written, "comma", at, end)
        frame.commas += 1

    def several_lines(self, frame: _Frame) -> SyntaxProblem:
        """`\\begin{align} a \\\\ b \\end{align}`: one line is to be given."""
        inside = self.text[frame.end : self.text.find("\\end", frame.end)]
        lines = [line.strip() for line in inside.split("\\\\") if line.strip()]
        sides = [re.sub(r"&|^[^=]*=(?!.*=)", "", line).strip() for line in lines]
        problem = self.problem(
            f"there are {len(lines)} lines in `{frame.shown}`",
            [Mark(frame.opener.at, frame.end)],
            "give one of them, and its right side alone",
        )
        problem.repairs = tuple((side,) for side in sides[:2])
        return problem

    def close_brace(self, at: int) -> None:
        frame = self.stack[-1]
        self.pos = at + 1
        if frame.kind == "bar" and frame.shown.startswith(("\\norm", "\\abs")):
            self.bar(frame.delimiter, at, at + 1, "close", False)
            return
        if frame.kind in ("delim", "bar", "matrix", "root", "environment"):
            raise self.mismatch(frame, "}", at, at + 1)
        self.end_chain()
        self.stack.pop()
        self.settle(self.finish(frame, at + 1), at + 1)

    def closer(self, frame: _Frame) -> str:
        """What would close a frame, as one writes it."""
        if frame.kind in ("matrix", "environment"):
            return frame.shown.replace("\\begin", "\\end", 1)
        if frame.kind in ("delim", "bar"):
            if frame.shown.startswith(("\\norm", "\\abs")):
                return "}"
            written = {"}": "\\}", ">": "\\rangle", "‖": "\\|"}
            closing = _CLOSING[frame.delimiter]
            closing = written.get(closing, closing)
            if frame.shown in ("\\lvert", "\\lVert"):
                closing = frame.shown.replace("l", "r", 1)
            return ("\\right" if frame.left else "") + closing
        return "}"

    def mismatch(self, frame: _Frame, shown: str, at: int, end: int) -> SyntaxProblem:
        if frame.kind == "root":
            return self.problem(
                f"`{shown}` closes nothing",
                [Mark(at, end)],
                "leave it out, or open the bracket before it",
            )
        closer = self.closer(frame)
        return self.problem(
            f"`{shown}` does not close `{frame.shown}`",
            [
                Mark(frame.opener.at, frame.end, "opened here"),
                Mark(at, end, f"`{closer}` was expected"),
            ],
            f"write `{closer}` before it, or leave it out",
        )

    # -- brackets and bars ------------------------------------------------------------------------------------

    def open(self, delimiter: str, at: int, end: int, left: bool) -> None:
        before, gap = self.last, self.gap
        written = {"{": "(", "<": "dot("}.get(delimiter, delimiter)
        opener = self.put(written, "open", at, end)
        frame = self.push("delim", opener, end, self.text[at:end])
        frame.delimiter, frame.left = delimiter, left
        if before is None:
            return
        if before.kind == "func":
            if delimiter != "<":
                opener.touch, frame.call = True, "func"
            frame.suffix, self.power = self.power, None
        elif before.kind == "name" and not gap and delimiter == "(":
            if before.callable:
                opener.touch, frame.call = True, "name"
            else:
                frame.call = "maybe"
        elif before.kind in _OPERAND_END and delimiter == "[" and not left and not gap:
            frame.index = True
        elif before.kind == "post" and not gap and delimiter == "(":
            base: _Token | None = before
            while base is not None and base.text in ("'", "’"):
                base = base.left
            if base is not None and base.kind == "name" and base.text in self.functions:
                opener.touch, frame.call = True, "name"

    def close(self, delimiter: str, at: int, end: int, left: bool) -> None:
        frame = self.stack[-1]
        shown = self.text[at:end]
        if frame.kind != "delim" or _CLOSING[frame.delimiter] != delimiter or frame.left != left:
            raise self.mismatch(frame, shown, at, end)
        self.end_chain()
        self.stack.pop()
        written = ")"
        if frame.delimiter == "[":
            listed = frame.commas > 0 or self.last_is_colon(frame)
            if frame.index and (listed or frame.content() == "atom"):
                frame.opener.touch, written = not frame.rows, "]"
            elif listed and not frame.call:
                written = "]"
            else:
                frame.opener.text = "("
        if frame.call == "maybe" and frame.commas:
            frame.opener.touch, frame.call = True, "name"
        self.put(written, "close", at, end)
        parent = self.stack[-1]
        if frame.suffix is not None:
            power = frame.suffix
            token = self.put(power.text, "post", power.at, power.end)
            token.origins = power.origins
        if frame.call == "func":
            parent.funcs -= 1
        elif frame.call == "name" or (frame.index and frame.opener.touch):
            parent.operands -= 1
        self.operand(end)

    def last_is_colon(self, frame: _Frame) -> bool:
        """Whether the bracket holds a lone `:`, as in `X[:]`."""
        return (
            frame.ops == 1
            and not frame.operands
            and self.last is not None
            and self.last.text == ":"
        )

    def closes_bar(self, kind: str) -> bool:
        frame, last = self.stack[-1], self.last
        return (
            frame.kind == "bar"
            and frame.delimiter == kind
            and not frame.left
            and not frame.shown.startswith(("\\norm", "\\abs"))
            and last is not None
            and last.kind in _OPERAND_END
            and last is not frame.opener
        )

    def bar(self, kind: str, at: int, end: int, side: str, left: bool) -> None:
        """A bar of a determinant or absolute value, or of a norm."""
        frame, last = self.stack[-1], self.last
        if side == "either":
            side = "close" if self.closes_bar(kind) else "open"
        if side == "open":
            if self.open_bars and last is not None and last.kind in _OPERAND_END:
                # A bar after an operand would close the bar that is open.
                self.put("*", "op", at, at)
                frame.ops += 1
            opener = self.put(kind, "bar_open", at, end)
            inner = self.push("bar", opener, end, self.text[at:end])
            inner.delimiter, inner.left = kind, left
            self.open_bars += 1
            return
        if frame.kind != "bar" or frame.delimiter != kind or frame.left != left:
            raise self.mismatch(frame, self.text[at:end], at, end)
        self.end_chain()
        self.stack.pop()
        self.open_bars -= 1
        token = self.put(kind, "bar_close", at, end)
        token.partner = frame.opener
        self.operand(end)

    def delimiter(self) -> tuple[str, str, int]:
        """The bracket or bar after `\\left` or `\\big`: what, which side it says, and where it ends."""
        text, at = self.text, self.pos
        while at < self.end and text[at].isspace():
            at += 1
        if at >= self.end:
            return "", "", at
        if text[at] != "\\":
            return text[at], "either" if text[at] in "|‖" else "", at + 1
        match = _COMMAND.match(text, at, self.end)
        if match is not None:
            what, side = _DELIMITERS.get(match[1], ("", ""))
            return what, side, match.end()
        second = text[at + 1 : at + 2]
        if second == "|":
            return "‖", "either", at + 2
        return (second if second in ("{", "}") else ""), "", at + 2

    def left_right(self, at: int, command: str) -> None:
        what, _, end = self.delimiter()
        end = min(end, self.end)
        shown = self.text[at:end]
        what = {"⟨": "<", "⟩": ">"}.get(what, what)
        opening = command == "left"
        if what not in (tuple("([{<|‖") if opening else tuple(")]}>|‖")):
            raise self.problem(
                f"`\\{command}` stands before no {'opening' if opening else 'closing'} bracket",
                [Mark(at, max(end, at + len(command) + 1))],
                "write `\\left(` … `\\right)`, or the same with `[ ]`, `\\{ \\}`, `|` or `\\|`",
            )
        frame = self.stack[-1]
        if not opening and not frame.left:
            if frame.kind == "root" or not any(f.left for f in self.stack):
                raise self.problem(
                    f"`{shown}` has no `\\left`",
                    [Mark(at, end)],
                    "write `\\left` before the bracket that it closes, or leave `\\right` out",
                )
            raise self.mismatch(frame, shown, at, end)
        self.pos = end
        if what in "|‖":
            self.bar(what, at, end, "open" if opening else "close", True)
        elif opening:
            self.open(what, at, end, True)
        else:
            self.close(what, at, end, True)

    def sized(self, at: int, command: str) -> None:
        """`\\bigl(` is `(`."""
        what, side, end = self.delimiter()
        hint = _SIZES[command]
        if what in ("|", "‖") and what:
            side = {"l": "open", "r": "close"}.get(hint, side)
            self.pos = end
            self.bar(what, at, end, side, False)
        elif what in ("(", "[", "{", "<"):
            self.pos = end
            self.open(what, at, end, False)
        elif what in (")", "]", "}", ">"):
            self.pos = end
            self.close(what, at, end, False)
        elif what != "/":
            raise self.problem(
                f"`\\{command}` stands before no bracket",
                [Mark(at, self.pos)],
                "leave it out",
            )

    # -- exponents and subscripts -----------------------------------------------------------------------------

    def superscript(self, length: int) -> None:
        text, at, last = self.text, self.pos, self.last
        start = self.blank(at + length)
        if last is not None and last.kind == "func" and self.last_is_open():
            self.function_power(at, start)
            return
        if last is None or last.kind not in _OPERAND_END:
            raise self.problem(
                f"nothing stands before `{text[at : at + length]}`",
                [Mark(at, at + length)],
                "write what is raised, as in `X^{-1}`",
            )
        transpose = _TRANSPOSE.match(text, start, self.end) if length == 1 else None
        primes = _PRIMES.match(text, start, self.end) if length == 1 else None
        bad = _BAD_SUPERSCRIPT.match(text, start, self.end)
        after = self.token_end(start)
        if transpose is not None:
            after = transpose.end()
        subscript = self.blank(after)
        if subscript < self.end and text[subscript] == "_":
            # `\|x\|^2_2`: the subscript belongs to the base, and is written first.
            self.skip[subscript] = self.subscript(subscript)
        self.stack[-1].post += 1
        if transpose is not None:
            if last.kind == "post" and last.text in "'’" and text[last.at] in "'’":
                raise self.problem(
                    "a prime is a transpose, and another one stands behind it",
                    [Mark(last.at, transpose.end())],
                    "leave one of them out; a name with a prime is written with a subscript, as in `x_1`",
                )
            self.pos = transpose.end()
            negative = transpose["a"] or transpose["b"]
            self.put("^-T" if negative else "'", "post", at, self.pos)
            return
        if primes is not None:
            self.pos = primes.end()
            count = primes[0].count("\\prime") + primes[0].count("'")
            self.put("'" * count, "post", at, self.pos)
            return
        if bad is not None:
            what = bad["a"] or bad["b"]
            help = _TRANSPOSE_HELP
            if what in ("+", "\\dagger"):
                help = "write the pseudo-inverse as `\\operatorname{pinv}(X)`, the transpose as `^\\top`"
            elif what in ("*", "\\ast", "\\star"):
                help += "; a name may have a star below: `x_*`"
            raise self.problem(f"`^{what}` has no single meaning", [Mark(at, bad.end())], help)
        if _BRACKETED_INDEX.match(text, start, self.end):
            raise self.problem(
                "an exponent in brackets may be an index or a power",
                [Mark(at, self.token_end(start))],
                "write an index below, as in `x_{k}`, and a power without brackets, as in `x^{k}`",
            )
        sign = start
        entrywise = length == 2 and text[at] == "."
        marker = _ENTRYWISE.match(text, start, self.end)
        self.put(".^" if entrywise or marker else "^", "power", at, at + length)
        self.gap = False
        self.pos = start
        if start < self.end and text[start] in "-−":
            self.put("-", "sign", start, start + 1)
            sign = self.pos = start + 1
        self.one_digit(at, sign)
        frame = self.argument("exp", at, "^")
        if marker is not None:
            self.pos = marker.end()
            if self.blank(self.pos) >= self.braces[start]:
                raise self.argument_missing(frame)

    def last_is_open(self) -> bool:
        """Whether the function that was read last still has no argument."""
        return self.out[-1] is self.last or not self.out[-1].text

    def one_digit(self, at: int, start: int) -> None:
        """`x^12` prints as x¹2: ask for braces."""
        text = self.text
        if _is_digit(text[start : start + 1]) and _is_digit(text[start + 1 : start + 2]):
            digits = _DIGITS.match(text, start, self.end)
            end = digits.end() if digits else start + 1
            whole = text[at + 1 : end].strip()
            raise self.problem(
                f"`^{whole}` prints as a power of one digit and a factor",
                [Mark(at, end)],
                f"write `^{{{whole}}}`, or a space after the first digit",
            )

    def token_end(self, at: int) -> int:
        """Where the argument of a script that begins at `at` ends."""
        text = self.text
        if at < self.end and text[at] in "-−":
            at = self.blank(at + 1)
        if at >= self.end:
            return at
        if text[at] == "{":
            return self.braces[at] + 1
        match = _COMMAND.match(text, at, self.end)
        return match.end() if match is not None else at + 1

    def function_power(self, at: int, start: int) -> None:
        """`\\sin^2(x)` is `sin(x)^2`."""
        text, func = self.text, self.last
        assert func is not None
        match = _FUNCTION_POWER.match(text, start, self.end)
        name = func.text
        help = f"write `\\left(\\{name} x\\right)^{{2}}`, with the power after the bracket"
        end = self.token_end(start)
        if match is None:
            if text[start:end].strip("{} ") in ("-1", "−1"):
                help = f"write `1/{name}(x)`, or the inverse function by its name"
            raise self.problem(
                f"an exponent stands on the function `{name}`", [Mark(at, end)], help
            )
        self.one_digit(at, start)
        digits = match["a"] or match["b"]
        power = _Token("^" + digits, "post", at, match.end())
        first = match.start("a") if match["a"] else match.start("b")
        power.origins = [at, *range(first, first + len(digits))]
        after = self.blank(match.end())
        if text.startswith("(", after) or _COMMAND_OPEN.match(text, after, self.end):
            self.pos, self.power = after, power
            self.gap = False
            return
        letter, letter_end = self.letter(after)
        following = self.blank(letter_end)
        if letter and (self.loose_right(following) or text[following] in "*/·⊙"):
            self.pos = letter_end
            opener = self.put("(", "open", after, after)
            opener.touch = True
            self.name(letter, after, letter_end)
            self.put(")", "close", letter_end - 1, letter_end)
            token = self.put(power.text, "post", power.at, power.end)
            token.origins = power.origins
            self.stack[-1].funcs -= 1
            self.operand(letter_end)
            return
        raise self.problem(
            f"what `\\{name}^{digits}` applies to is not clear",
            [Mark(func.at, match.end())],
            f"write brackets: `\\{name}^{digits}(x)`",
        )

    def letter(self, at: int) -> tuple[str, int]:
        """The letter at a position, Latin or Greek, and where it ends."""
        text = self.text
        if at >= self.end:
            return "", at
        match = _COMMAND.match(text, at, self.end)
        if match is not None:
            return _GREEK.get(match[1], ""), match.end()
        return (text[at] if text[at].isalpha() else ""), at + 1

    def subscript(self, at: int) -> int:
        """Attach the subscript at `at` to what stands before it; returns where it ends."""
        text, last = self.text, self.last
        start = self.blank(at + 1)
        end = self.token_end(start)
        if start >= self.end:
            raise self.problem(
                "the subscript is missing", [Mark(at, at + 1)], "write it, as in `x_{i}`"
            )
        braced = text[start] == "{"
        if not braced and (wrapped := _IN_SUBSCRIPT.match(text, start, self.end)):
            end = self.token_end(wrapped.end())
        raw = text[start + 1 : end - 1] if braced else text[start:end]
        sub = _subscript_word(raw)
        mark = [Mark(at, end)]
        if last is None or (last.kind not in _OPERAND_END and last.kind != "func"):
            raise self.problem(
                "nothing stands before `_`", mark, "write a name before it, as in `x_{i}`"
            )
        if last.kind == "func":
            self.function_subscript(last, sub, at, end)
            return end
        if last.kind == "bar_close":
            self.norm_subscript(last, sub, raw, at, end)
            return end
        if last.kind == "close" and self.text[last.at : last.end].endswith(("rangle", "⟩")):
            if sub not in ("F", "Fro", "fro", "2"):
                raise self.problem(
                    "this inner product is not known",
                    mark,
                    "`\\langle A, B \\rangle` is tr(A'B); for a weighted one write `x^\\top M y`",
                )
            return end
        if last.kind == "close":
            indices = sub.split(",") if "," in sub else list(sub) if len(sub) == 2 else [sub]
            if not all(i.isascii() and i.isalnum() for i in indices) or len(indices) > 2:
                raise self.problem(
                    "a subscript on a bracket is an index or two",
                    mark,
                    "write `(A x)_i` or `(A B)_{ij}`",
                )
            written = "[" + ",".join(indices) + "]"
            token = self.put(written, "close", at, end)
            token.touch = True
            return end
        if last.kind != "name" or last.sub:
            what = "a number" if last.kind == "number" else "this"
            raise self.problem(
                f"a subscript cannot stand after {what}",
                mark,
                "a subscript is part of a name and follows it directly, as in `x_1^2`",
            )
        if last.constant and not last.accent:
            sizes = re.fullmatch(r"([A-Za-z0-9]+)\\times([A-Za-z0-9]+)", "".join(raw.split()))
            size = f"{sizes[1]}, {sizes[2]}" if sizes else sub if _is_size(sub) else ""
            if size:
                if sizes and last.constant == "eye":
                    size = sizes[1]
                head = last.constant
                last.text = f"{head}({size})"
                last.origins = [last.at] * len(head) + [at] * (len(size) + 2)
                last.end, last.sub = end, sub or size
                return end
        if not (sub and sub.isascii() and sub.isalnum()):
            help = "a subscript is letters and digits, and part of the name"
            if "," in sub:
                help = f"write `{last.text}[{sub}]` for an entry, `{last.text}_{{{sub.replace(',', '')}}}` for a name"
            elif re.search(r"[+-]", sub):
                help = f"{help}; write `{last.text}[{sub}]` for an entry"
            raise self.problem("the subscript is not part of a name", mark, help)
        last.constant = ""
        base = last.text.partition("_")[0]
        self.spell(last, base, sub, at)
        if raw == sub and last.origins is not None:
            inside = start + 1 if braced else start
            last.origins[-len(sub) :] = range(inside, inside + len(sub))
        last.end = end
        extreme = _EXTREMES.get(last.text)
        after = self.blank(end)
        if extreme and (text.startswith("(", after) or _COMMAND_OPEN.match(text, after, self.end)):
            last.kind, last.text, last.origins = "func", extreme, None
            frame = self.stack[-1]
            frame.operands -= 1
            frame.funcs += 1
        return end

    def function_subscript(self, func: _Token, sub: str, at: int, end: int) -> None:
        if func.text == "log" and sub in ("2", "10"):
            func.text += sub
            func.origins = [*(func.origins or [func.at] * 3), *([at] * len(sub))]
            func.end = end
            return
        if func.text == "log" and sub == "e":
            func.end = end
            return
        problem = self.problem(
            f"a subscript stands on the function `{func.text}`",
            [Mark(at, end)],
            f"leave it out: `{func.text}` is over all entries of its argument",
        )
        if func.text == "log":
            problem.help = "write `\\log(x)/\\log(b)` for another base"
        raise problem

    def norm_subscript(self, bar: _Token, sub: str, raw: str, at: int, end: int) -> None:
        if bar.text == "‖" and sub in _NORMS:
            self.put(_NORMS[sub], "post", at, end)
            return
        if bar.text == "‖" and sub in _NORM_FUNCTIONS and bar.partner is not None:
            opener = bar.partner
            opener.text, opener.kind, opener.origins = _NORM_FUNCTIONS[sub], "open", None
            bar.text, bar.kind, bar.partner = ")", "close", None
            bar.end = end
            return
        if bar.text == "|":
            if sub in _NORMS:
                raise self.problem(
                    "a subscript stands on single bars",
                    [Mark(at, end)],
                    "write a norm with double bars, as in `\\|x\\|_2`",
                )
            raise self.problem(
                "a subscript cannot stand after bars", [Mark(at, end)], "leave it out"
            )
        shown = raw.strip() or "…"
        help = "matgrad reads `\\|x\\|_1`, `_2`, `_F`, `_*` and `_\\infty`"
        if sub[:1].isupper() or "\\" in raw or "^" in raw:
            help += f"; for a weighted norm write `x^\\top {shown} x`"
        raise self.problem("this norm is not known", [Mark(at, end)], help)

    # -- commands ---------------------------------------------------------------------------------------------

    def command(self) -> None:
        text, at = self.text, self.pos
        match = _COMMAND.match(text, at, self.end)
        if match is None:
            self.symbol(at)
            return
        name, end = match[1], match.end()
        frame = self.stack[-1]
        self.pos = end
        if name in _SPACES:
            self.gap = True
        elif name in _IGNORED:
            pass
        elif name in _GREEK or name in _VARIANTS:
            variant = name in _VARIANTS
            style = frame.style + (" script" if name == "ell" else " variant" if variant else "")
            self.name(_GREEK.get(name) or _VARIANTS[name], at, end, style.strip())
            self.operand(end)
        elif name in ("frac", "tfrac", "dfrac", "cfrac"):
            outer = self.put("(", "open", at, end)
            self.argument("frac1", at, "\\" + name).outer = outer
        elif name == "sqrt":
            self.root(at, end)
        elif name == "vec" and text.startswith(("(", "\\left"), self.blank(end)):
            self.function("vec", at, end)
        elif name in ("textcolor", "color"):
            start = self.blank(end)
            if not text.startswith("{", start):
                raise self.problem(
                    f"`\\{name}` needs a colour", [Mark(at, end)], f"write `\\{name}{{red}}`"
                )
            self.pos = self.braces[start] + 1
            if name == "textcolor":
                self.argument("wrap", at, "\\textcolor")
        elif name in _WRAPPERS or name == "mathbb":
            self.wrapper(at, name)
        elif name in _ACCENTS:
            accent = self.argument("accent", at, name)
            accent.accent, accent.shown = _ACCENTS[name], name
        elif name in _WORD_COMMANDS:
            self.word(at, name)
        elif name in _SWITCHES:
            frame.style = _SWITCHES[name]
        elif frame.single:
            if name in _KNOWN:
                self.pos = at
                raise self.argument_missing(frame)
            raise self.unknown(name, at, end)
        elif name in _FUNCTIONS:
            self.function(_FUNCTIONS[name], at, end)
        elif name in _OPERATORS:
            self.gap = True
            self.operator(_OPERATORS[name], at, end, name in _PRINTED)
            self.gap = True
        elif name in ("left", "right"):
            self.left_right(at, name)
        elif name in _SIZES:
            self.sized(at, name)
        elif name in ("norm", "abs"):
            self.norm(at, name)
        elif name in _DELIMITERS:
            what, side = _DELIMITERS[name]
            if side:
                self.bar(what, at, end, side, False)
            elif what in "([{<":
                self.open(what, at, end, False)
            else:
                self.close(what, at, end, False)
        elif name == "begin":
            self.begin(at)
        elif name == "end":
            self.finish_environment(at)
        elif name in _MAP_MARKS and self.functions:
            self.put(_MAP_MARKS[name], "mark", at, end)
        elif name in _UNREAD:
            problem = self.problem(
                f"`\\{name}` is not something matgrad reads", [Mark(at, end)], _UNREAD[name]
            )
            if name == "sum":
                problem.repairs = ((index_sums(text[self.start : self.end]),),)
            raise problem
        else:
            raise self.unknown(name, at, end)

    def symbol(self, at: int) -> None:
        """A command of one character that is no letter."""
        c = self.text[at + 1 : at + 2] if at + 1 < self.end else ""
        end = min(at + 2, self.end)
        self.pos = end
        if c and (c in ",;:!>/" or c.isspace()):
            self.gap = True
        elif self.stack[-1].single:
            self.pos = at
            raise self.argument_missing(self.stack[-1])
        elif c == "|":
            self.bar("‖", at, end, "either", False)
        elif c == "{":
            self.open("{", at, end, False)
        elif c == "}":
            self.close("}", at, end, False)
        elif c == "\\":
            self.separator(at, end, ";")
        elif c and c in "()[]":
            raise self.problem(
                f"`\\{c}` stands inside the formula",
                [Mark(at, end)],
                "leave it out; give one formula at a time",
            )
        else:
            raise self.problem(
                "a backslash stands before no command",
                [Mark(at, end)],
                "leave it out; for the solution of A x = b write `A^{-1} b`",
            )

    def unknown(self, name: str, at: int, end: int) -> SyntaxProblem:
        help = "write a function as `\\operatorname{name}`"
        close = difflib.get_close_matches(name, sorted(_KNOWN), 1, 0.7) if len(name) < 40 else []
        heads = [name[:i] for i in range(min(len(name), 20) - 1, 1, -1) if name[:i] in _KNOWN]
        meant = ""
        if _IN_SCRIPT.search(self.text, max(0, at - 8), at) and not heads:
            meant, help = "\\top", "the transpose is `^\\top`"
        elif len(name) == 1:
            help = f"for the solution of A x = {name} write `A^{{-1}} {name}`"
        elif close and not (
            heads and (name[len(heads[0]) :].isupper() or len(name) <= len(heads[0]) + 1)
        ):
            meant = f"\\{close[0]}"
            help = f"did you mean `{meant}`?"
        elif heads:
            meant = f"\\{heads[0]} {name[len(heads[0]) :]}"
            help = f"a command goes on to its last letter: did you mean `{meant}`?"
        shown = name if len(name) <= 40 else name[:40] + "…"
        problem = self.problem(
            f"`\\{shown}` is not a command that matgrad knows",
            [Mark(at, end, "unknown command")],
            help,
        )
        if meant:
            problem.repairs = ((self.text[:at] + meant + self.text[end:],),)
        return problem

    def root(self, at: int, end: int) -> None:
        index = _ROOT_INDEX.match(self.text, end, self.end)
        if index is None and self.text.startswith("[", self.blank(end)):
            raise self.problem(
                "the index of the root is not a number or a letter",
                [Mark(at, self.blank(end) + 1)],
                "write it as a power, as in `x^{1/3}`",
            )
        if index is None:
            self.put("sqrt(", "open", at, end)
            self.argument("sqrt", at, "\\sqrt")
            return
        self.pos = index.end()
        self.put("((", "open", at, end)
        self.argument("nth", at, "\\sqrt").accent = index[1]

    def wrapper(self, at: int, name: str) -> None:
        """`\\mathbf{x}` is `x`; `\\mathbf{1}` is the vector of ones."""
        text = self.text
        constant = _CONSTANT.match(text, self.pos, self.end)
        if constant is not None and name != "mathcal":
            digit = constant[1] or constant[2]
            self.pos = constant.end()
            written = "ones" if digit == "1" else "zeros"
            token = self.put(written, "name", at, self.pos)
            token.constant = written
            self.operand(self.pos)
            return
        if name == "mathbb":
            identity = re.compile(r"\s*(?:\{\s*I\s*\}|\s+I)").match(text, self.pos, self.end)
            if identity is None:
                raise self.problem(
                    "`\\mathbb` is not something matgrad reads",
                    [Mark(at, self.pos)],
                    _UNREAD["mathbb"],
                )
            self.pos = identity.end()
            self.name("I", at, self.pos, "")
            self.operand(self.pos)
            return
        frame = self.argument("wrap", at, "\\" + name)
        if _WRAPPERS[name]:
            frame.style = _WRAPPERS[name]

    def norm(self, at: int, name: str) -> None:
        """`\\norm{x}` and `\\abs{x}`, which many papers define."""
        if self.text.startswith("*", self.pos):
            self.pos += 1
        start = self.blank(self.pos)
        if not self.text.startswith("{", start):
            raise self.problem(
                f"`\\{name}` needs an argument", [Mark(at, self.pos)], f"write `\\{name}{{x}}`"
            )
        self.pos = start + 1
        self.bar("‖" if name == "norm" else "|", at, start + 1, "open", False)

    def environment(self, at: int) -> tuple[str, int]:
        start = self.blank(self.pos)
        if not self.text.startswith("{", start):
            raise self.problem(
                f"`{self.text[at : self.pos]}` needs the name of an environment",
                [Mark(at, self.pos)],
                "write `\\begin{bmatrix}` … `\\end{bmatrix}`",
            )
        close = self.braces[start]
        return self.text[start + 1 : close].strip(), close + 1

    def begin(self, at: int) -> None:
        name, end = self.environment(at)
        self.pos = end
        if name in _LINES:
            opener = self.put("", "open", at, end)
            self.push("environment", opener, end, f"\\begin{{{name}}}").delimiter = "lines"
            return
        if name in _PLAIN_ENVIRONMENTS:
            self.push("environment", self.put("", "open", at, end), end, f"\\begin{{{name}}}")
            return
        if name not in _MATRICES:
            help = "write a matrix as `\\begin{bmatrix} a & b \\\\ c & d \\end{bmatrix}`"
            close = difflib.get_close_matches(name, [*_MATRICES], 1, 0.7)
            if close:
                help = f"did you mean `\\begin{{{close[0]}}}`?"
            raise self.problem(
                f"the environment `{name}` is not something matgrad reads",
                [Mark(at, end)],
                help,
            )
        opener = self.put(_MATRICES[name][0] + "[", "open", at, end)
        self.push("matrix", opener, end, f"\\begin{{{name}}}")

    def finish_environment(self, at: int) -> None:
        name, end = self.environment(at)
        frame = self.stack[-1]
        if frame.kind not in ("matrix", "environment") or frame.shown != f"\\begin{{{name}}}":
            raise self.mismatch(frame, f"\\end{{{name}}}", at, end)
        self.pos = end
        self.end_chain()
        self.stack.pop()
        if frame.kind == "environment":
            self.stack[-1].merge(frame)
            return
        self.put("]" + _MATRICES[name][1], "close", at, end)
        self.operand(end)


_COMMAND_OPEN: Final = re.compile(r"\\(?:left|[bB]igg?l?)(?![A-Za-z])\s*\(")


def _known_word(word: str) -> str:
    """The function that a word names, in whatever capitals; or nothing."""
    if word in _WORDS:
        return word
    return _ALIASES.get(word) or _BY_LOWER.get(word.lower(), "")


def _is_digit(c: str) -> bool:
    return c.isascii() and c.isdigit()


def _is_size(sub: str) -> bool:
    return sub.isascii() and (sub.isdigit() or (len(sub) == 1 and sub.isalpha()))


def _subscript_word(raw: str) -> str:
    """The letters and digits of a subscript; other characters are kept, for the message."""
    raw = _IN_SUBSCRIPT.sub("", raw)
    raw = re.sub(r"\\[,;:! ]|[\s{}~]", "", raw)
    raw = {"*": "star", "\\ast": "star", "\\star": "star"}.get(raw, raw)

    def spelled(match: re.Match[str]) -> str:
        known = match[1] in _GREEK or match[1] in (
            "max",
            "min",
            "infty",
            "ell",
            "det",
            "exp",
            "log",
        )
        return match[1] if known else match[0]

    raw = _COMMAND.sub(spelled, raw)
    return "".join(_SPELLED.get(c, c) for c in raw)


def _spaced(before: _Token, token: _Token, gap: bool) -> bool:
    """Whether a space stands between two pieces of the result."""
    if before.text[-1] == "|" and token.text[0] == "|":
        return True
    if token.touch or token.kind in ("post", "power", "close", "bar_close", "sign"):
        return False
    if before.kind in ("open", "bar_open", "power", "sign", "mark"):
        return False
    if token.kind == "comma":
        return False
    if before.kind == "comma":
        return True
    if before.kind == "op" or token.kind == "op":
        return gap
    return True
