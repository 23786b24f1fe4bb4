"""Formulas with one slip in them: what a formula may have been before a sign, a transpose or a factor went wrong.

Works on syntax trees, so that formulas whose shapes do not fit together are edited too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from matgrad.functions import BY_NAME as FUNCTIONS
from matgrad.parse import Parsed, Syntax, parse, walk

MAX_EDITS = 600

_PRODUCTS = ("mul", "juxtapose")
_NO_FACTORS = ("binding", "all", "number")


class Edit(NamedTuple):
    """A formula after one change. `to_this` says what is wrong with the formula before it, if the changed one is right;
    `from_this` what is wrong with the changed one, if the one before is right."""

    kind: str
    to_this: str
    from_this: str
    parsed: Parsed


def edits(parsed: Parsed) -> Iterator[Edit]:
    """Every formula that is one slip away, the likely ones first."""
    return _made(parsed, _MAKERS)


def exchanges(parsed: Parsed) -> Iterator[Edit]:
    """A formula with two of its names in each other's place."""
    return _made(parsed, (_exchanged,))


def _made(
    parsed: Parsed, makers: tuple[Callable[[Parsed], Iterator[Change]], ...]
) -> Iterator[Edit]:
    count = 0
    for maker in makers:
        for kind, to_this, from_this, root in maker(parsed):
            count += 1
            if count > MAX_EDITS:
                return
            nodes = list(walk(root))[::-1]
            yield Edit(kind, to_this, from_this, Parsed(parsed.text, root, nodes, []))


Change = tuple[str, str, str, Syntax]


def _nodes(parsed: Parsed) -> list[Syntax]:
    """The nodes that may be changed: not the indices, the sizes and the exponents."""
    fixed: set[int] = set()
    for node in parsed.nodes:
        inside: list[Syntax] = []
        if node.kind in ("index", "power", "epow"):
            inside = node.args[1:]
        elif node.kind == "binding" or (
            node.kind == "call" and node.value in ("eye", "ones", "zeros", "I", "K")
        ):
            inside = node.args
        for below in inside:
            fixed.update(id(n) for n in walk(below))
    return [n for n in parsed.nodes if id(n) not in fixed and n.kind not in _NO_FACTORS]


def _with(root: Syntax, changes: dict[int, Syntax]) -> Syntax:
    """A tree in which some nodes are others; what is above them is copied."""
    done: dict[int, Syntax] = {}
    for node in list(walk(root))[::-1]:
        new = changes.get(id(node))
        if new is None:
            args = [done[id(a)] for a in node.args]
            new = node
            if any(a is not b for a, b in zip(args, node.args, strict=True)):
                new = _copy(node, node.kind, args, node.value)
        done[id(node)] = new
    return done[id(root)]


def renamed(parsed: Parsed, names: Mapping[str, str]) -> Parsed:
    """A formula with other names for some of its variables."""
    changes = {
        id(n): Syntax("name", [], n.start, n.end, names[str(n.value)])
        for n in parsed.nodes
        if n.kind == "name" and n.value in names
    }
    root = _with(parsed.root, changes)
    return Parsed(parsed.text, root, list(walk(root))[::-1], [])


def _copy(node: Syntax, kind: str, args: list[Syntax], value: object = None) -> Syntax:
    copy = Syntax(kind, args, node.start, node.end, value)
    copy.grouped = node.grouped
    return copy


_SIGNS = {"mul": "*", "hadamard": ".*", "div": "/", "edivide": "./", "power": "^", "epow": ".^"}
_DOTTED = {"hadamard": "mul", "epow": "power"}
_UNDOTTED = {"div": "edivide", "power": "epow"}


def _mistaken(this: str, other: str) -> tuple[str, str]:
    a, b = _SIGNS[this], _SIGNS[other]
    return f"`{a}` stands where `{b}` is meant", f"`{b}` stands where `{a}` is meant"


def _elementwise(parsed: Parsed) -> Iterator[Change]:
    for node in _nodes(parsed):
        if node.kind in _PRODUCTS and not any(a.kind == "number" for a in node.args):
            new = _copy(node, "hadamard", node.args)
            words = _mistaken("mul", "hadamard")
        elif node.kind in _DOTTED:
            other = _DOTTED[node.kind]
            new = _copy(node, other, node.args)
            words = _mistaken(node.kind, other)
        elif node.kind in _UNDOTTED and not _is_inverse(node):
            other = _UNDOTTED[node.kind]
            new = _copy(node, other, node.args)
            words = _mistaken(node.kind, other)
        else:
            continue
        yield "elementwise", *words, _with(parsed.root, {id(node): new})
    # In a chain of products the one at the end binds last: A*x.*y is (A*x).*y, and A*(x.*y) may be meant.
    for node in _nodes(parsed):
        left = node.args[0] if node.args else node
        if node.kind in (*_PRODUCTS, "hadamard") and left.kind in (*_PRODUCTS, "hadamard"):
            if left.grouped or len(left.args) != 2:
                continue
            for inside, outside in (("mul", "hadamard"), ("hadamard", "mul")):
                inner = _copy(node, inside, [left.args[1], node.args[1]])
                new = _copy(node, outside, [left.args[0], inner])
                said = "`.*` and `*` stand in the wrong place, or brackets are missing"
                yield "elementwise", said, said, _with(parsed.root, {id(node): new})


def _is_inverse(node: Syntax) -> bool:
    if node.kind == "power":
        exponent = node.args[1]
        return (
            exponent.kind == "neg"
            and exponent.args[0].kind == "number"
            and exponent.args[0].value == 1
        )
    if node.kind == "superscript":
        return bool(node.value == Fraction(-1))
    return node.kind == "call" and node.value == "inv"


def _wraps(kind: str) -> Callable[[Syntax], Syntax]:
    if kind == "transpose":
        return lambda node: Syntax("transpose", [node], node.start, node.end)
    return lambda node: Syntax("call", [node], node.start, node.end, "inv")


def _factors(parsed: Parsed, kind: str) -> list[Syntax]:
    """What may bear a transpose or an inverse (`kind`): names, calls, and what stands in brackets."""
    bearing = {id(a) for n in parsed.nodes if n.kind == kind == "transpose" for a in n.args}
    return [
        n
        for n in _nodes(parsed)
        if (n.kind in ("name", "call", "index", "power", "superscript") or n.grouped)
        and id(n) not in bearing
    ]


def _source(parsed: Parsed, node: Syntax) -> str:
    text = parsed.text[node.start : node.end]
    return text if len(text) <= 40 else text[:37] + "..."


def _transposes(parsed: Parsed) -> Iterator[Change]:
    yield from _wrapping(parsed, "transpose", _factors(parsed, "transpose"))


def _wrapping(parsed: Parsed, kind: str, factors: list[Syntax]) -> Iterator[Change]:
    wrap = _wraps(kind)
    word = "a transpose" if kind == "transpose" else "an inverse"
    for node, bare in _borne(parsed, kind):
        name = _source(parsed, bare)
        yield (
            kind,
            f"{word} too many, on `{name}`",
            f"{word} is missing on `{name}`",
            _with(parsed.root, {id(node): bare}),
        )
    for node in factors:
        name = _source(parsed, node)
        yield (
            kind,
            f"{word} is missing on `{name}`",
            f"{word} too many, on `{name}`",
            _with(parsed.root, {id(node): wrap(node)}),
        )


def _borne(parsed: Parsed, kind: str) -> list[tuple[Syntax, Syntax]]:
    """The nodes that are a transpose or an inverse of something, with what is left without it."""
    found = []
    for node in _nodes(parsed):
        if node.kind == "inverse_transpose":
            inner = node.args[0]
            rest = _wraps("inverse" if kind == "transpose" else "transpose")(inner)
            found.append((node, rest))
        elif (kind == "transpose" and node.kind == "transpose") or (
            kind == "inverse" and _is_inverse(node)
        ):
            found.append((node, node.args[0]))
    return found


def _inverses(parsed: Parsed) -> Iterator[Change]:
    yield from _wrapping(parsed, "inverse", _factors(parsed, "inverse"))
    # An inverse where a transpose is meant, and the other way round.
    for kind, other in (("inverse", "transpose"), ("transpose", "inverse")):
        for node, bare in _borne(parsed, kind):
            if node.kind == "inverse_transpose":
                continue
            name = _source(parsed, bare)
            yield (
                "inverse",
                f"`{name}` bears an {kind} where a {other} is meant".replace("an t", "a t").replace(
                    "a i", "an i"
                ),
                f"`{name}` bears an {other} where a {kind} is meant".replace("an t", "a t").replace(
                    "a i", "an i"
                ),
                _with(parsed.root, {id(node): _wraps(other)(bare)}),
            )


def _orders(parsed: Parsed) -> Iterator[Change]:
    for node in _nodes(parsed):
        if node.kind not in _PRODUCTS:
            continue
        left, right = node.args
        if left.kind in _PRODUCTS and not left.grouped:
            first, second = left.args
            new = _copy(node, "mul", [_copy(left, "mul", [first, right]), second])
        else:
            second = left
            new = _copy(node, "mul", [right, left])
        a, b = _source(parsed, second), _source(parsed, right)
        words = f"the factors `{a}` and `{b}` stand in the wrong order"
        yield "order", words, words, _with(parsed.root, {id(node): new})


def _exchanged(parsed: Parsed) -> Iterator[Change]:
    """One variable for another one, and the reverse."""
    names = list(dict.fromkeys(str(n.value) for n in _nodes(parsed) if n.kind == "name"))
    for a, b in itertools.combinations(names[:6], 2):
        words = f"`{a}` and `{b}` stand in each other's place"
        yield "order", words, words, renamed(parsed, {a: b, b: a}).root


def _signs(parsed: Parsed) -> Iterator[Change]:
    for node in _nodes(parsed):
        words = ""
        if node.kind in ("add", "sub"):
            new = _copy(node, "sub" if node.kind == "add" else "add", node.args)
            words = f"the sign before `{_source(parsed, node.args[1])}` is wrong"
        elif node.kind == "neg":
            new = node.args[0]
            words = f"the sign before `{_source(parsed, new)}` is wrong"
        if words:
            yield "sign-of-term", words, words, _with(parsed.root, {id(node): new})


def _moved(parsed: Parsed) -> Iterator[Change]:
    """A transpose, or an inverse, that stands on the wrong factor."""
    for kind in ("transpose", "inverse"):
        wrap = _wraps(kind)
        for node, bare in _borne(parsed, kind):
            below = {id(n) for n in walk(node)}
            for other in _factors(parsed, kind):
                if id(other) in below or id(node) in {id(n) for n in walk(other)}:
                    continue
                a, b = _source(parsed, bare), _source(parsed, other)
                words = f"the {kind} stands on the wrong factor: on `{{}}` instead of `{{}}`"
                if a == b:
                    words = f"the {kind} stands on the wrong one of the factors `{a}`"
                yield (
                    kind,
                    words.format(a, b),
                    words.format(b, a),
                    _with(parsed.root, {id(node): bare, id(other): wrap(other)}),
                )


def _terms(parsed: Parsed) -> Iterator[Change]:
    for node in _nodes(parsed):
        if node.kind not in ("add", "sub"):
            continue
        for at in (1, 0):
            left = node.args[1 - at]
            if at == 0 and node.kind == "sub":
                left = Syntax("neg", [left], left.start, left.end)
            name = _source(parsed, node.args[at])
            yield (
                "term",
                f"the term `{name}` is too many",
                f"the term `{name}` is missing",
                _with(parsed.root, {id(node): left}),
            )


def _extra(parsed: Parsed) -> Iterator[Change]:
    """A factor that stands there and should not."""
    for node in _nodes(parsed):
        if node.kind not in (*_PRODUCTS, "hadamard", "div", "edivide"):
            continue
        for at in (1, 0):
            if at == 0 and node.kind in ("div", "edivide"):
                continue
            name = _source(parsed, node.args[at])
            what = "divisor" if node.kind in ("div", "edivide") else "factor"
            yield (
                "factor",
                f"the {what} `{name}` is too many",
                f"the {what} `{name}` is missing",
                _with(parsed.root, {id(node): node.args[1 - at]}),
            )
    for node in _nodes(parsed):
        if node.kind in ("power", "epow") and node.args[1].kind == "number":
            exponent = node.args[1]
            if exponent.value.denominator == 1 and exponent.value > 1:
                less = Syntax("number", [], exponent.start, exponent.end, exponent.value - 1)
                name = _source(parsed, node)
                yield (
                    "factor",
                    f"the exponent of `{name}` is too large by one",
                    f"the exponent of `{name}` is too small by one",
                    _with(parsed.root, {id(exponent): less}),
                )


def _diagonals(parsed: Parsed) -> Iterator[Change]:
    """A vector where the diagonal matrix of its entries is meant, and the reverse."""

    def diag(node: Syntax) -> Syntax:
        return Syntax("call", [node], node.start, node.end, "diag")

    missing, many = "`diag` is missing around `{}`", "`diag` is too many around `{}`"
    for node in _nodes(parsed):
        if node.kind == "call" and node.value == "diag":
            (inner,) = node.args
            name = _source(parsed, inner)
            root = _with(parsed.root, {id(node): inner})
            yield "diag", many.format(name), missing.format(name), root
            continue
        if node.kind == "hadamard":
            for at in (0, 1):
                args = [diag(a) if i == at else a for i, a in enumerate(node.args)]
                name = _source(parsed, node.args[at])
                new = _copy(node, "mul", args)
                words = "`.*` does not multiply each row or column: `diag` is missing around `{}`"
                yield (
                    "diag",
                    words.format(name),
                    many.format(name),
                    _with(parsed.root, {id(node): new}),
                )
        if node.kind not in ("neg", "add", "sub"):
            name = _source(parsed, node)
            root = _with(parsed.root, {id(node): diag(node)})
            yield "diag", missing.format(name), many.format(name), root


def _underived(parsed: Parsed) -> Iterator[Change]:
    """A function where its derivative is meant."""
    end = ".*d(x)"
    for node in _nodes(parsed):
        if node.kind != "call" or len(node.args) != 1:
            continue
        name = str(node.value)
        found = FUNCTIONS.get(name, ())
        if not found:  # one that was declared
            new = _copy(node, "call", node.args, name + "'")
        elif len(found) == 1 and found[0].differential.endswith(end):
            derivative = parse(found[0].differential.removesuffix(end), declared={"x"})
            places = {id(n): node.args[0] for n in derivative.nodes if n.kind == "name"}
            new = _with(derivative.root, places)
        else:
            continue
        root = _with(parsed.root, {id(node): new})
        name = _source(parsed, node)
        words = f"`{name}` stands where its derivative is meant"
        yield "derivative", words, f"the derivative of `{name}` stands where it is meant", root


_MAKERS = (
    _elementwise, _transposes, _inverses, _orders, _signs, _moved, _terms, _extra, _diagonals, _underived,
)  # fmt: skip
