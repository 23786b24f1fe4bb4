"""Expression to text: `matgrad` (ASCII operators, the user's letters), `ascii`, `unicode`, `latex`.

What `matgrad`, `ascii` and `unicode` print is read back as the same node. Works bottom-up, without recursion.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping, MutableMapping
from fractions import Fraction
from types import MappingProxyType

from matgrad import expr as ex
from matgrad import maps
from matgrad.dims import Dim, Poly, dim_text
from matgrad.expr import Expr, Shape
from matgrad.functions import CONSTANTS, TABLE
from matgrad.parse import GREEK
from matgrad.render.names import products_of, written_factors
from matgrad.shapes import signature, size_values

# How tightly a piece of text binds. A PREFIX is `ln det(X)`, which may end a product but not stand within one;
# an entry `x[1]` can take a power, but not be one: `a^x[1]` is `(a^x)[1]`.
SUM, NEGATIVE, PRODUCT, PREFIX, POSTFIX, INDEXED, ATOM, NAME = range(8)

# Around the text of a marked node; never part of an expression's own text.
MARK_START, MARK_END = "\ue000", "\ue001"

TO_ASCII = {letter: name for name, letter in GREEK.items()} | {"π": "pi"}
_SUPER = str.maketrans(
    "0123456789-mnpkrsluvwxyabcdefghijt*+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵐⁿᵖᵏʳˢˡᵘᵛʷˣʸᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵗ×⁺"
)
_SUB = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def name_text(name: str, style: str) -> str:
    """A variable's name: `α1` is `alpha1`, `α₁` or `\\alpha_{1}`."""
    if style == "matgrad":
        return name
    if style == "ascii":
        return TO_ASCII.get(name[0], name[0]) + name[1:] if name else name
    found = re.fullmatch(r"([^\W\d_]+)(\d*)(?:_(\w+))?", name)
    if found is None:
        return name
    letters, digits, subscript = found.groups()
    if style == "unicode":
        return letters + digits.translate(_SUB) + (f"_{subscript}" if subscript else "")
    head = "\\" + TO_ASCII[letters] if letters in TO_ASCII else letters
    if len(letters) > 1:
        head = f"\\mathrm{{{letters}}}"
    below = ",".join(p for p in (digits, subscript) if p)
    return f"{head}_{{{below}}}" if below else head


def render(
    e: Expr,
    style: str = "matgrad",
    marked: Collection[Expr] = (),
    names: Mapping[Expr, str] = MappingProxyType({}),
) -> str:
    """The text of an expression. The texts of `marked` nodes are put between MARK_START and MARK_END.

    What has one of the `names` is written so, unless it is `e` itself.
    """
    return render_all((e,), style, names, marked)[e]


def render_all(
    roots: Iterable[Expr],
    style: str = "matgrad",
    names: Mapping[Expr, str] = MappingProxyType({}),
    marked: Collection[Expr] = (),
) -> dict[Expr, str]:
    """The texts of several expressions, each as `render` gives it, in one walk over all of them."""
    texts = dict.fromkeys(roots, "")
    called = {node: (name_text(name, style), NAME) for node, name in names.items()}
    products = products_of(names)
    pieces = dict(called)
    for node in ex.postorder(*texts, known=called.keys() - texts.keys()):
        if products and node.kind == ex.MUL:
            scalars, chain = written_factors(node, products)
            text, level = _fraction(node.coefficient, scalars, chain, pieces, style)
        else:
            text, level = _node(node, pieces, style)
        if node in marked:
            text = f"{MARK_START}{text}{MARK_END}"
        pieces[node] = called.get(node) or (text, level)
        if node in texts:
            texts[node] = text
            if _is_identity(node) and node not in marked:
                texts[node] = _identity(node, pieces, style)[0]
            elif node.op == "group":  # no brackets around the whole
                texts[node] = pieces[node.args[0]][0]
    return texts


Pieces = MutableMapping[Expr, "tuple[str, int]"]


def _bracket(text: str, style: str) -> str:
    if style == "latex":
        return f"\\left({text}\\right)"
    return f"({text})"


def _at(e: Expr, level: int, pieces: Pieces, style: str) -> str:
    """The text of e, in brackets unless it binds at least as tightly as `level`."""
    text, own = pieces[e]
    return text if own >= level else _bracket(text, style)


def _number(value: Fraction, style: str) -> tuple[str, int]:
    if value.denominator == 1:
        return str(value.numerator), ATOM if value >= 0 else NEGATIVE
    if style == "latex":
        sign = "-" if value < 0 else ""
        return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}", (
            ATOM if value > 0 else NEGATIVE
        )
    return f"{value.numerator}/{value.denominator}", PRODUCT if value > 0 else NEGATIVE


def _node(e: Expr, pieces: Pieces, style: str) -> tuple[str, int]:
    kind = e.kind
    if kind == ex.NUM:
        return _number(e.data, style)
    if kind == ex.VAR:
        return name_text(e.data[0], style), NAME
    if kind == ex.CONST:
        return _constant(e, style)
    if kind == ex.ADD:
        return _sum(e, pieces, style), SUM
    if kind == ex.MUL:
        return _product(e, pieces, style)
    if kind == ex.STACK:
        return _stack(e, pieces, style), ATOM
    if kind == ex.INDEX:
        at = ",".join(":" if i is None else str(i) for i in e.data)
        base = _at(e.args[0], INDEXED, pieces, style)
        return (f"{base}_{{{at}}}" if style == "latex" else f"{base}[{at}]"), INDEXED
    if kind == ex.SUM:
        name, first, last = (str(d) if isinstance(d, str) else dim_text(d) for d in e.data)
        inside, level = pieces[e.args[0]]
        if style == "latex":
            inside = inside if level > NEGATIVE else _bracket(inside, style)
            return f"\\sum_{{{name}={first}}}^{{{last}}} {inside}", PRODUCT
        span = f"{first}:{last}".replace(" ", "")  # `0:k-1`
        return f"sum({name}={span}, {inside})", ATOM
    if kind == ex.DIFF:
        text, level = pieces[e.args[0]]
        mark = "\\mathrm{d}" if style == "latex" else "d"
        return mark + (text if level == NAME else _bracket(text, style)), ATOM
    return _call(e, pieces, style)


_CONSTANTS = {constant.op: constant for constant in CONSTANTS.values()}


def _constant(e: Expr, style: str) -> tuple[str, int]:
    op = e.op
    if op == "pi":
        return {"latex": "\\pi", "ascii": "pi"}.get(style, "π"), ATOM
    if op == "size":
        text = dim_text(e.data[1])
        return text, SUM if isinstance(e.data[1], Poly) else ATOM
    if op == "index":
        return str(e.data[1]), ATOM
    if op == "basis":
        at = str(e.data[1])
        return (f"e_{{{at}}}" if style == "latex" else f"e_{at}"), ATOM
    record = _CONSTANTS[op]
    if op not in ("ones", "zeros"):
        sizes = [dim_text(d) for d in e.data[1:] or (e.shape.rows,)]
        if style != "latex":
            return f"{record.name}({', '.join(sizes)})", ATOM
        form = record.latex
        for name, text in zip("mn" if len(sizes) > 1 else "n", sizes, strict=True):
            form = form.replace(f"<{name}>", text.replace("*", " "))
        return form, ATOM
    rows, cols = dim_text(e.shape.rows), dim_text(e.shape.cols)
    if style == "latex":
        return record.latex + ("^\\top" if e.shape.kind == ex.ROW else ""), POSTFIX
    if e.shape.kind == ex.VECTOR:
        return f"{op}({rows})", ATOM
    if e.shape.kind == ex.ROW:
        return f"{op}({cols})" + ("ᵀ" if style == "unicode" else "'"), POSTFIX
    return f"{op}({rows}, {cols})", ATOM


def _is_ones(e: Expr) -> bool:
    chain = e.chain
    return len(chain) == 1 and chain[0].kind == ex.CONST and chain[0].op == "ones"


def _is_identity(e: Expr) -> bool:
    chain = e.chain
    return len(chain) == 1 and chain[0].kind == ex.CONST and chain[0].op == "eye"


def _identity(e: Expr, pieces: Pieces, style: str) -> tuple[str, int]:
    """A multiple of the identity where its size is known: `2 I`, not `2 eye(n)`."""
    if e.kind != ex.MUL:
        return "I", ATOM
    return _fraction(
        e.coefficient, e.scalars, e.chain, ChainMap({e.chain[0]: ("I", ATOM)}, pieces), style
    )


def _says_size(e: Expr) -> bool:
    """Whether the text of a matrix says how large it is, so that `I` may stand beside it."""
    if _is_ones(e):
        return False  # in a sum it is a number
    ends = [a.args[0] if a.op == "transpose" else a for a in (e.chain[0], e.chain[-1])]
    return not any(a.kind == ex.CONST and a.op in ("eye", "basis") for a in ends)


def _sum(e: Expr, pieces: Pieces, style: str) -> str:
    parts = []
    plain = any(not _is_ones(t) for t in e.args) and not e.is_scalar
    sized = e.shape.kind == ex.MATRIX and any(map(_says_size, e.args))
    for i, term in enumerate(e.args):
        text, level = pieces[term]
        if plain and _is_ones(term) and style != "latex":
            # Two numbers in front would be added to each other before they meet a vector or a matrix.
            if i or not _is_ones(e.args[1]):
                text, level = _scalar_of_ones(term, pieces, style)
        elif sized and _is_identity(term):
            text, level = _identity(term, pieces, style)
        negative = level == NEGATIVE
        if negative and text.startswith("-"):
            text = text[1:].lstrip() if i else text
        elif negative and MARK_START in text[:1]:
            text = text.replace("-", "", 1).replace(MARK_START + " ", MARK_START, 1) if i else text
        elif level < NEGATIVE:
            text = _bracket(text, style)
        if i:
            parts.append(" - " if negative else " + ")
        parts.append(text)
    return "".join(parts)


def _scalar_of_ones(term: Expr, pieces: Pieces, style: str) -> tuple[str, int]:
    """`c` for c*ones: beside a vector or a matrix, a scalar is added to each entry."""
    if term.kind != ex.MUL:
        return "1", ATOM
    if not term.scalars:
        return _number(term.coefficient, style)
    if term.coefficient == 1 and len(term.scalars) == 1:
        text, level = pieces[term.scalars[0]]
        return (text, level) if level > NEGATIVE else (_bracket(text, style), ATOM)
    return _fraction(term.coefficient, term.scalars, (), pieces, style)


def _product(e: Expr, pieces: Pieces, style: str) -> tuple[str, int]:
    return _fraction(e.coefficient, e.scalars, e.chain, pieces, style)


def _fraction(
    coefficient: Fraction,
    scalars: tuple[Expr, ...],
    chain: tuple[Expr, ...],
    pieces: Pieces,
    style: str,
) -> tuple[str, int]:
    above: list[str] = []
    below: list[str] = []
    if abs(coefficient.numerator) != 1:
        above.append(str(abs(coefficient.numerator)))
    if coefficient.denominator != 1:
        below.append(str(coefficient.denominator))
    behind: list[str] = []  # dt, behind everything else
    for s in scalars:
        if s.kind == ex.DIFF:
            behind.append(_at(s, POSTFIX, pieces, style))
        elif ex.is_divisor(s) and s.op == "power":
            base, exponent = s.args[0], -s.args[1].data
            if exponent == 1:
                below.append(_at(base, POSTFIX, pieces, style))
            else:
                below.append(
                    _power_text(_at(base, INDEXED, pieces, style), ex.num(exponent), pieces, style)[
                        0
                    ]
                )
        else:
            above.append(_at(s, POSTFIX, pieces, style))
    # `2 a .* b` is 2 (a .* b): a single elementwise product needs no brackets behind scalars.
    alone = len(chain) == 1 and chain[0].op in ("hadamard", "epow") and not below
    if alone and above and _only_divides(chain[0]) and pieces[chain[0]][0].startswith("1"):
        above.append(pieces[chain[0]][0][2:])  # `2 ./ x` for 2 (1 ./ x)
    else:
        above.extend(_at(c, PRODUCT if alone else POSTFIX, pieces, style) for c in chain)
    above.extend(behind)
    if scalars and above and not below and not chain and not behind:
        above[-1] = _at(scalars[-1], PREFIX, pieces, style)
    if not above:
        above.append("1")
    top = " ".join(above)
    if below:
        bottom = " ".join(below)
        if style == "latex":
            top = f"\\frac{{{top}}}{{{bottom}}}"
        else:
            top = f"{top}/{_bracket(bottom, style) if len(below) > 1 else bottom}"
    if coefficient < 0:
        return f"-{top}", NEGATIVE
    return top, PRODUCT


def _only_divides(e: Expr) -> bool:
    """Whether an elementwise product is 1 ./ x or 1 ./ x ./ y."""
    factors = e.args if e.op == "hadamard" else (e,)
    return all(map(ex.is_divisor, factors))


def _power_text(
    base: str, exponent: Expr, pieces: Pieces, style: str, dot: str = "", sign: str = ""
) -> tuple[str, int]:
    """base ^ exponent; `dot` makes it entry by entry. A `sign` of `-` stands in front of the exponent."""
    if exponent.kind == ex.NUM:
        value = -exponent.data if sign else exponent.data
        text = _number(value, style)[0]
        if style == "unicode" and not dot and value.denominator == 1:
            return base + text.translate(_SUPER), POSTFIX
        if style != "latex" and value.denominator != 1:
            text = f"({text})"
    elif style == "latex":
        text = sign + (_at(exponent, PRODUCT, pieces, style) if sign else pieces[exponent][0])
    else:
        text = _at(exponent, ATOM, pieces, style)
        if text.startswith(("T", "⊤")):  # `^T` is a transpose, whatever follows
            text = f"({text})"
        text = sign + text
    if style == "latex":
        circle = "\\circ " if dot else ""
        return f"{base}^{{{circle}{text}}}", POSTFIX
    return f"{base}{dot}^{text}", POSTFIX


def _call(e: Expr, pieces: Pieces, style: str) -> tuple[str, int]:
    op, args = e.op, e.args
    if op == "apply":
        name, order = e.data[1:3]
        inside = pieces[args[0]][0]
        return f"{name_text(name, style)}{chr(39) * order}" + _bracket(inside, style), ATOM
    if op == "epow" and ex.is_divisor(e):
        return _hadamard(e, pieces, style)
    if op == "power" and ex.is_divisor(e):
        return _fraction(Fraction(1), (e,), (), pieces, style)
    if op in ("power", "epow", "matpow"):
        base = _at(args[0], INDEXED, pieces, style)
        return _power_text(base, args[1], pieces, style, "." if op == "epow" else "")
    if op == "inv":
        if args[0].op == "matpow" and pieces[args[0]][1] != NAME:
            base = _at(args[0].args[0], INDEXED, pieces, style)
            return _power_text(base, args[0].args[1], pieces, style, sign="-")
        return _power_text(_at(args[0], INDEXED, pieces, style), ex.num(-1), pieces, style)
    if op == "transpose":
        inner = args[0]
        plain = inner.op == "inv" and inner.args[0].op != "matpow"
        if plain and pieces[inner][1] != NAME:
            base = _at(inner.args[0], INDEXED, pieces, style)
            suffix = {"unicode": "⁻ᵀ", "latex": "^{-\\top}"}.get(style, "^-T")
            return base + suffix, POSTFIX
        base = _at(inner, INDEXED, pieces, style)
        return base + {"unicode": "ᵀ", "latex": "^\\top"}.get(style, "'"), POSTFIX
    if op == "hadamard":
        return _hadamard(e, pieces, style)
    if op == "group":
        return _bracket(pieces[args[0]][0], style), ATOM
    if op == "map":
        return _map_text(e.data[1], e.data[2], style) + _bracket(pieces[args[0]][0], style), ATOM
    if op == "kron" and style in ("unicode", "latex"):
        times = " ⊗ " if style == "unicode" else " \\otimes "
        return times.join(_at(a, POSTFIX, pieces, style) for a in args), PRODUCT
    return _function(e, pieces, style)


def _map_text(name: str, marks: str, style: str) -> str:
    """The name of an unknown function of a whole value, with its derivative operators: `∂∇g`, `jac_grad_g`, `g''`."""
    text = name_text(name, style)
    if marks.startswith(maps.PRIME):
        return text + marks
    if style == "unicode":
        return marks + text
    if style == "latex":
        words = {maps.GRADIENT: "\\nabla ", maps.JACOBIAN: "\\partial "}
        return "".join(words[m] for m in marks) + text
    return "".join(maps.WORDS[m] for m in marks) + text


def _hadamard(e: Expr, pieces: Pieces, style: str) -> tuple[str, int]:
    times = {"unicode": " ∘ ", "latex": " \\odot "}.get(style, " .* ")
    divide = {"unicode": " ⊘ ", "latex": " \\oslash "}.get(style, " ./ ")
    factors = (e,) if e.op == "epow" else e.args
    above = [a for a in factors if not ex.is_divisor(a)]
    below = [a for a in factors if ex.is_divisor(a)]
    sized = [a for a in factors if _says_size(a) or _is_ones(a)]
    if sized and e.shape.kind == ex.MATRIX:
        pieces = ChainMap({a: ("I", ATOM) for a in e.args if a.op == "eye"}, pieces)
    text = times.join(_at(a, POSTFIX, pieces, style) for a in above)
    if not above:
        text = "1"
    for a in below:
        base, exponent = a.args[0], -a.args[1].data
        if exponent == 1:
            text += divide + _at(base, POSTFIX, pieces, style)
        else:
            base_text = _at(base, INDEXED, pieces, style)
            text += divide + _power_text(base_text, ex.num(exponent), pieces, style, ".")[0]
    return text, PRODUCT


def _function(e: Expr, pieces: Pieces, style: str) -> tuple[str, int]:
    record = TABLE[e.op]
    form = {"unicode": record.unicode, "latex": record.latex}.get(style, record.plain)
    for (name, _), argument in zip(signature(e.op).parameters, e.args, strict=True):
        form = form.replace(f"<{name}>", pieces[argument][0])
        if f"<{name}^>" in form:
            form = form.replace(f"<{name}^>", _at(argument, POSTFIX, pieces, style))
    for name, dim in size_values(e).items():
        form = form.replace(f"<{name}>", dim_text(dim))
    if " " in record.plain.partition("(")[0]:
        return form, PREFIX
    return form, {"atom": ATOM, "postfix": POSTFIX}.get(record.level, PRODUCT)


def _stack(e: Expr, pieces: Pieces, style: str) -> str:
    texts = [pieces[a][0] for a in e.args]
    rows = [texts[i : i + e.data] for i in range(0, len(texts), e.data)]
    if style == "latex":
        inside = " \\\\ ".join(" & ".join(row) for row in rows)
        return f"\\begin{{bmatrix}} {inside} \\end{{bmatrix}}"
    return "[" + "; ".join(", ".join(row) for row in rows) + "]"


# --- shapes -------------------------------------------------------------------------------------------------------------


def _dims(shape: Shape) -> list[Dim]:
    if shape.kind == ex.SCALAR:
        return []
    return [shape.rows] if shape.kind == ex.VECTOR else [shape.rows, shape.cols]


def space_text(shape: Shape, style: str) -> str:
    """The space that values of a shape live in: `ℝᵐˣⁿ`, `R^(m x n)`, `\\mathbb{R}^{m \\times n}`."""
    dims = [dim_text(d) for d in _dims(shape)]
    if style == "latex":
        raised = " \\times ".join(dims)
        return "\\mathbb{R}" + (f"^{{{raised}}}" if dims else "")
    if style != "unicode":
        return "R" + (f"^{dims[0]}" if len(dims) == 1 else f"^({' x '.join(dims)})" if dims else "")
    joined = "x".join(dims)
    raised = joined.translate(_SUPER)
    if all(c in _RAISED for c in raised):
        return "ℝ" + raised
    return "ℝ^(" + "×".join(dims) + ")" if len(dims) > 1 else f"ℝ^({dims[0]})"


_RAISED = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹ᵐⁿᵖᵏʳˢˡᵘᵛʷˣʸᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵗ")


def shape_label(shape: Shape, style: str) -> str:
    """`m×n`, `n`, or `scalar`."""
    dims = [dim_text(d) for d in _dims(shape)]
    times = {"unicode": "×", "latex": " \\times "}.get(style, " x ")
    if not dims:
        return "scalar"
    return times.join(dims if len(dims) > 1 else [dims[0], "1"])
