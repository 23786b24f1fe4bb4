"""Expression to NumPy source: one assignment a node, no expression twice.

Scalars are floats, vectors and rows one-dimensional arrays, matrices two-dimensional ones. The source is made of the
function table's templates and of names made here, never of text that a user typed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from matgrad import expr as ex
from matgrad.definitions import definition_in
from matgrad.dims import Dim, dim_text
from matgrad.errors import InternalError
from matgrad.expr import Expr
from matgrad.functions import CONSTANTS, TABLE
from matgrad.rewrite import written_out
from matgrad.shapes import signature, size_values

MAX_NESTED = 30  # factors of one product in one line of code


class Program:
    """Assignments that compute expressions: `lines` of source, and the name that holds each node."""

    def __init__(self, inputs: Mapping[Expr, str]) -> None:
        self.lines: list[str] = []
        self.names: dict[Expr, str] = dict(inputs)
        self._indices: dict[str, str] = {}
        self._counter = itertools.count()

    def add(self, root: Expr) -> str:
        """Emit what is missing to compute `root`; returns the name of its value."""
        for node in _needed(root, self.names):
            if definition_in(node) is not None and node not in self.names:
                self.names[node] = self.add(written_out(node))
            elif node not in self.names:
                name = f"t{next(self._counter)}"
                if node.kind == ex.SUM:
                    self._loop(node, name)
                elif node.kind == ex.MUL and len(node.chain) > MAX_NESTED:
                    self._long_product(node, name)
                else:
                    code = _code(node, [self.names[a] for a in node.args], self._indices)
                    self.lines.append(f"{name} = {code}")
                self.names[node] = name
        return self.names[root]

    def _long_product(self, e: Expr, name: str) -> None:
        """A product of many factors in groups, so that the code does not nest too deeply."""
        chain = e.chain
        groups = [ex.mul(*chain[i : i + MAX_NESTED]) for i in range(0, len(chain), MAX_NESTED)]
        parts = [(self.add(g), g.shape.kind) for g in groups]
        code, kind = parts[0]
        for right, right_kind in parts[1:]:
            code, kind = _pair(code, kind, right, right_kind)
            step = f"{name}_{len(self.lines)}"
            self.lines.append(f"{step} = {code}")
            code = step
        outer = [self.add(ex.num(e.coefficient)), *(self.add(x) for x in e.scalars)]
        self.lines.append(f"{name} = {_joined([*outer, code], '*')}")

    def _loop(self, e: Expr, name: str) -> None:
        """The assignments of a sum over an index; what is computed inside is not known outside."""
        index, first, last = e.data
        # What speaks of an index of the same name outside is something else inside.
        inner = Program({n: v for n, v in self.names.items() if index not in ex.index_names(n)})
        inner._counter = self._counter
        inner._indices = {**self._indices, index: f"i{next(self._counter)}"}
        summand = inner.add(e.args[0])
        self.lines.append(f"{name} = {_filled('zeros', e, self._indices)}")
        start, stop = (_size(d, self._indices) for d in (first, last))
        self.lines.append(f"for {inner._indices[index]} in range({start}, {stop} + 1):")
        self.lines.extend("    " + line for line in inner.lines)
        self.lines.append(f"    {name} = {name} + {summand}")


def _needed(root: Expr, known: Mapping[Expr, str]) -> list[Expr]:
    """The nodes to compute, arguments first, stopping at known ones and at sums over an index."""
    order: list[Expr] = []
    seen: set[Expr] = set(known)
    todo: list[tuple[Expr, bool]] = [(root, False)]
    while todo:
        node, ready = todo.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            todo.append((node, True))
            if node.kind != ex.SUM:
                todo.extend((a, False) for a in node.args)
    return order


def _size(dim: Dim, indices: Mapping[str, str]) -> str:
    """A dimension as code over a dictionary `sizes`, and over the indices of the loops around it."""
    import re

    text = dim_text(dim).replace("/", "//")
    return re.sub(r"[^\W\d]\w*", lambda m: indices.get(m.group()) or f"sizes[{m.group()!r}]", text)


def _filled(function: str, e: Expr, indices: Mapping[str, str]) -> str:
    """An array of ones or zeros of e's shape."""
    rows, cols = _size(e.shape.rows, indices), _size(e.shape.cols, indices)
    if e.is_scalar:
        return {"zeros": "0.0", "ones": "1.0"}[function]
    shape = {ex.VECTOR: rows, ex.ROW: cols}.get(e.shape.kind, f"({rows}, {cols})")
    return f"np.{function}({shape})"


def _code(e: Expr, args: list[str], indices: Mapping[str, str]) -> str:
    kind = e.kind
    if kind == ex.NUM:
        value = e.data
        exact = value.denominator == 1
        return (
            f"np.float64({float(value)!r})"
            if exact
            else f"np.float64({value.numerator}/{value.denominator})"
        )
    if kind == ex.CONST:
        return _constant(e, indices)
    if kind == ex.ADD:
        return _joined(args, " + ")
    if kind == ex.MUL:
        return _product(e, args)
    if kind == ex.STACK:
        return _stack(e, args)
    if kind == ex.INDEX:
        at = ", ".join(":" if i is None else _index(i, indices) for i in e.data)
        return f"{args[0]}[{at}]"
    if kind != ex.CALL:
        raise InternalError(f"no code for {kind}")
    if e.op == "apply":
        return f"functions[{e.data[1]!r}]({args[0]}, {e.data[2]})"
    if e.op == "map":
        _, name, marks = e.data
        shape = f"({_size(e.shape.rows, indices)}, {_size(e.shape.cols, indices)})"
        flat = {ex.SCALAR: "[0, 0]", ex.MATRIX: ""}.get(e.shape.kind, ".reshape(-1)")
        order = f", {len(marks)}" if marks else ""
        return f"functions[{name!r}]({args[0]}, {shape}{order}){flat}"
    if e.op == "hadamard":
        return _joined(args, "*")
    if e.op == "group":
        return args[0]
    if e.op == "kron":
        return _kronecker(e, args)
    if e.op == "matpow":
        return TABLE["matpow"].numpy.format(X=args[0], k=f"int({args[1]})")
    names = [name for name, _ in signature(e.op).parameters]
    sizes = {name: _size(dim, indices) for name, dim in size_values(e).items()}
    return TABLE[e.op].numpy.format(**dict(zip(names, args, strict=True)), **sizes)


def _index(i: int | str, indices: Mapping[str, str]) -> str:
    if isinstance(i, int):
        return str(i - 1)
    # The name of a size means the last entry; any other name is an entry that is chosen at random.
    return f"{indices[i]} - 1" if i in indices else f"sizes.get({'#' + i!r}, sizes.get({i!r})) - 1"


_CODE = {constant.op: constant.numpy for constant in CONSTANTS.values()}


def _constant(e: Expr, indices: Mapping[str, str]) -> str:
    if e.op == "pi":
        return "np.pi"
    if e.op == "size":
        return f"float({_size(e.data[1], indices)})"
    if e.op == "index":
        name = e.data[1]
        return f"float({indices[name]})" if name in indices else f"float(sizes[{'#' + name!r}])"
    rows = _size(e.shape.rows, indices)
    if e.op == "basis":
        return f"np.eye({rows})[{_index(e.data[1], indices)}]"
    if e.op in ("ones", "zeros"):
        return _filled(e.op, e, indices)
    sizes = [_size(d, indices) for d in e.data[1:]]
    names = dict(zip("mn" if len(sizes) > 1 else "n", sizes, strict=False))
    return _CODE[e.op].format(**{"n": rows, **names})


def _product(e: Expr, args: list[str]) -> str:
    count = e.data[1]
    parts = []
    if e.coefficient != 1:
        value = e.coefficient
        number = (
            f"{value.numerator}"
            if value.denominator == 1
            else f"({value.numerator}/{value.denominator})"
        )
        parts.append(number)
    parts.extend(args[:count])
    links = list(zip(args[count:], (a.shape.kind for a in e.chain), strict=True))
    if links:
        # A vector at the end is multiplied from the right, anything else from the left.
        if links[-1][1] == ex.VECTOR:
            code, kind = links[-1]
            for left, left_kind in reversed(links[:-1]):
                code, kind = _pair(left, left_kind, code, kind)
        else:
            code, kind = links[0]
            for right, right_kind in links[1:]:
                code, kind = _pair(code, kind, right, right_kind)
        parts.append(code if len(links) == 1 else f"({code})")
    return _joined(parts, "*")


def _joined(parts: list[str], sign: str) -> str:
    """A sum or a product of many parts in groups: Python's own parser recurses on the depth of `a*b*c*...`."""
    while len(parts) > MAX_NESTED:
        parts = [
            f"({sign.join(parts[i : i + MAX_NESTED])})" for i in range(0, len(parts), MAX_NESTED)
        ]
    return sign.join(parts)


def _pair(a: str, s: str, b: str, t: str) -> tuple[str, str]:
    """The code and the kind of a product of two factors."""
    if s == ex.SCALAR or t == ex.SCALAR:
        return f"{a}*{b}", t if s == ex.SCALAR else s
    if s == ex.VECTOR:
        if t == ex.ROW:
            return f"np.outer({a}, {b})", ex.MATRIX
        return f"{a}[:, None] @ {b}", ex.MATRIX
    if t == ex.ROW:
        return f"{a} @ {b}[None, :]", ex.MATRIX
    if s == ex.ROW:
        return f"({a} @ {b})", ex.SCALAR if t == ex.VECTOR else ex.ROW
    return f"({a} @ {b})", ex.VECTOR if t == ex.VECTOR else ex.MATRIX


def _kronecker(e: Expr, args: list[str]) -> str:
    if len({a.shape.kind for a in e.args}) == 1:
        return TABLE["kron"].numpy.format(X=args[0], Y=args[1])
    suffix = {ex.VECTOR: "[:, None]", ex.ROW: "[None, :]"}
    x, y = (c + suffix.get(a.shape.kind, "") for c, a in zip(args, e.args, strict=True))
    return TABLE["kron"].numpy.format(X=x, Y=y)


def _stack(e: Expr, args: list[str]) -> str:
    if e.shape.kind != ex.MATRIX:
        parts = [f"np.atleast_1d({a})" for a in args]
        return f"np.concatenate([{', '.join(parts)}])"
    shaped = []
    for a, block in zip(args, e.args, strict=True):
        suffix = {
            ex.SCALAR: "np.reshape({}, (1, 1))",
            ex.VECTOR: "{}[:, None]",
            ex.ROW: "{}[None, :]",
        }
        shaped.append(suffix.get(block.shape.kind, "{}").format(a))
    rows = ["[" + ", ".join(shaped[i : i + e.data]) + "]" for i in range(0, len(shaped), e.data)]
    return f"np.block([{', '.join(rows)}])"


def compiled(roots: list[Expr], inputs: list[Expr]) -> Callable[..., list[Any]]:
    """A function of (values of the inputs, sizes by name, unknown functions by name) to the values of the roots."""
    import numpy as np

    program = Program({e: f"x{i}" for i, e in enumerate(inputs)})
    results = [program.add(root) for root in roots]
    body = "".join(f"    {line}\n" for line in program.lines)
    arguments = "".join(f"x{i}, " for i in range(len(inputs)))
    source = (
        f"def evaluate(values, sizes, functions):\n"
        f"    ({arguments}) = values\n{body}    return [{', '.join(results)}]\n"
    )
    if not inputs:
        source = source.replace("    () = values\n", "")
    namespace: dict[str, Any] = {"np": np}
    if "special." in source:
        import scipy.special

        namespace["special"] = scipy.special
    if "support." in source:
        from matgrad.emit import support

        namespace["support"] = support
    exec(
        compile(source, "<matgrad>", "exec"), namespace
    )  # source made from tables and generated names only
    function: Callable[..., list[Any]] = namespace["evaluate"]
    return function
