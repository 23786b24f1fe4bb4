"""Expression to Python code that builds it in SymPy: `MatrixSymbol`s, scalars as `Symbol`s, unknown functions as `Function`s.

Vectors are n x 1, rows 1 x n. SymPy is not needed to write this. What SymPy's matrix expressions have no counterpart of is
refused.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping

from matgrad import expr as ex
from matgrad.dims import Dim, Poly, dim_atoms, dim_text
from matgrad.errors import LimitProblem, Unsupported
from matgrad.expr import Expr, Shape
from matgrad.parse import GREEK
from matgrad.rewrite import without_definitions
from matgrad.scalar_calculus import NAMES

MAX_SYMBOLS = 20_000  # of an expression that is written on one line

_ASCII = {letter: name for name, letter in GREEK.items()}

# Operations of arrays: how SymPy writes them, given the code of the arguments.
_MATRIX = {
    "transpose": "{0}.T",
    "inv": "{0}.I",
    "matpow": "({0}**({1}))",
    "tr": "sp.Trace({0})",
    "det": "sp.Determinant({0})",
    "logdet": "sp.log(sp.Determinant({0}))",
    "normF": "sp.sqrt(sp.Trace({0}.T*{0}))",
    "norm2": "sp.sqrt(({0}.T*{0})[0, 0])",
    "hadamard": "sp.HadamardProduct({all})",
    "kron": "sp.KroneckerProduct({all})",
    "diag": "sp.DiagMatrix({0})",
    "diagonal": "sp.DiagonalMatrix({0})*sp.OneMatrix({rows}, 1)",
    "sigmoid": "1/(1 + sp.exp(-{0}))",
    "log1p": "sp.log(1 + {0})",
    "expm1": "(sp.exp({0}) - 1)",
    "softplus": "sp.log(1 + sp.exp({0}))",
    "expm": "sp.exp({0})",
}
_ENTRYWISE = {"sigmoid", "log1p", "expm1", "softplus"}


def python_name(name: str) -> str:
    """A name that Python takes: Greek letters are spelled, and words that Python keeps get an underscore."""
    text = _ASCII.get(name[0], name[0]) + name[1:]
    return text + "_" if keyword.iskeyword(text) or text == "sp" else text


def _dim(dim: Dim) -> str:
    return dim_text(dim).replace("^", "**")


def source(named: Mapping[str, Expr]) -> str:
    """A module that gives each expression its name. Raises Unsupported and LimitProblem."""
    roots = {name: without_definitions(e) for name, e in named.items()}
    for e in roots.values():
        if ex.cost(e) > MAX_SYMBOLS:
            raise LimitProblem(
                f"written out, the answer has {ex.cost(e):.3g} symbols",
                help=f"SymPy code of up to {MAX_SYMBOLS} symbols is written",
            )
    nodes = ex.postorder(*roots.values())
    sizes = {str(a): None for e in nodes for d in e.shape[1:] for a in dim_atoms(d)}
    indices = [i for e in nodes for i in _indices(e)]
    lines = ["import sympy as sp", ""]
    lines += [
        f'{python_name(name)} = sp.Symbol("{name}", integer=True, positive=True)'
        for name in dict.fromkeys([*sizes, *indices])
    ]
    lines += [f"{python_name(v.data[0])} = {_symbol(v)}" for v in ex.variables(*roots.values())]
    lines += [
        f'{python_name(name)} = sp.Function("{name}")'
        for name in dict.fromkeys(e.data[1] for e in nodes if e.op == "apply")
    ]
    texts: dict[Expr, str] = {}
    for node in nodes:
        texts[node] = _code(node, [texts[a] for a in node.args])
    if any("(_t" in text for text in texts.values()):
        lines.append('_t = sp.Symbol("_t", real=True)')
    lines += [f"{name} = {texts[e]}" for name, e in roots.items()]
    return "\n".join(lines)


def _indices(e: Expr) -> list[str]:
    data = e.data if e.kind == ex.INDEX else e.data[1:] if e.op == "basis" else ()
    return [i for i in data if isinstance(i, str)]


def _symbol(v: Expr) -> str:
    name = v.data[0]
    if v.is_scalar:
        positive = ", positive=True" if "positive" in v.data[1] else ", real=True"
        return f'sp.Symbol("{name}"{positive})'
    return f'sp.MatrixSymbol("{name}", {_dim(v.shape.rows)}, {_dim(v.shape.cols)})'


def _unsupported(word: str) -> Unsupported:
    return Unsupported(
        f"`{word}` is not written as SymPy code", help="`--to text` or `--to numpy` can write it"
    )


def _code(e: Expr, args: list[str]) -> str:
    kind, shape = e.kind, e.shape
    if kind == ex.NUM:
        value = e.data
        return (
            str(value)
            if value.denominator == 1
            else f"sp.Rational({value.numerator}, {value.denominator})"
        )
    if kind == ex.VAR:
        return python_name(e.data[0])
    if kind == ex.CONST:
        return _constant(e, shape)
    if kind == ex.ADD:
        return f"({' + '.join(args)})"
    if kind == ex.MUL:
        return _product(e, args)
    if kind == ex.INDEX:
        return _entry(e, args[0])
    if kind == ex.STACK:
        return _stack(e, args)
    if kind == ex.CALL:
        return _call(e, args)
    raise _unsupported("sum(i=1:n, ...)" if kind == ex.SUM else kind)


def _constant(e: Expr, shape: Shape) -> str:
    rows, cols = _dim(shape.rows), _dim(shape.cols)
    if e.op == "pi":
        return "sp.pi"
    if e.op == "size":
        return f"({_dim(e.data[1])})" if isinstance(e.data[1], Poly) else _dim(e.data[1])
    if e.op == "eye":
        return f"sp.Identity({rows})"
    if e.op in ("ones", "zeros"):
        return f"sp.{'One' if e.op == 'ones' else 'Zero'}Matrix({rows}, {cols})"
    if e.op == "basis":
        at = e.data[1]
        place = str(at - 1) if isinstance(at, int) else f"{python_name(at)} - 1"
        return f"sp.Identity({rows})[:, {place}]"
    raise _unsupported(e.op)


def _product(e: Expr, args: list[str]) -> str:
    count = e.data[1]
    parts = [_code(ex.num(e.coefficient), [])] if e.coefficient != 1 else []
    parts += args[:count]
    chain = "*".join(args[count:])
    if chain:
        dot = e.chain[0].shape.kind == ex.ROW and e.chain[-1].shape.kind == ex.VECTOR
        parts.append(f"({chain})[0, 0]" if dot else chain)
    return f"({'*'.join(parts)})"


def _entry(e: Expr, base: str) -> str:
    def place(i: int | str | None) -> str:
        if i is None:
            return ":"
        return str(i - 1) if isinstance(i, int) else f"{python_name(i)} - 1"

    kind = e.args[0].shape.kind
    at = [place(i) for i in e.data]
    if len(at) == 1:
        at = ["0", *at] if kind == ex.ROW else [*at, "0"]
    return f"{base}[{', '.join(at)}]"


def _stack(e: Expr, args: list[str]) -> str:
    blocks = [
        f"sp.Matrix([[{code}]])" if a.is_scalar else code
        for code, a in zip(args, e.args, strict=True)
    ]
    rows = [f"[{', '.join(blocks[i : i + e.data])}]" for i in range(0, len(blocks), e.data)]
    return f"sp.BlockMatrix([{', '.join(rows)}])"


def _call(e: Expr, args: list[str]) -> str:
    op, scalar = e.op, e.is_scalar
    if op == "power":
        return f"(({args[0]})**({args[1]}))"
    if op == "group":
        return args[0]
    if op == "apply":
        name, order = python_name(e.data[1]), e.data[2]
        body = f"{name}(_t)" if not order else f"sp.Derivative({name}(_t), _t, {order})"
        if scalar:
            return f"{name}({args[0]})" if not order else f"sp.Subs({body}, _t, {args[0]})"
        return _for_each(body, args[0])
    if op == "epow" and e.args[1].is_scalar and not e.args[0].is_scalar:
        return _for_each(f"_t**({args[1]})", args[0])
    if op == "sum":
        rows, cols = (_dim(d) for d in e.args[0].shape[1:])
        return f"(sp.OneMatrix(1, {rows})*{args[0]}*sp.OneMatrix({cols}, 1))[0, 0]"
    if op in NAMES or op in _ENTRYWISE:
        form = f"sp.{NAMES[op]}({{0}})" if op in NAMES else _MATRIX[op]
        return form.format(args[0]) if scalar else _for_each(form.format("_t"), args[0])
    if op in _MATRIX:
        inner = e.args[0].shape
        return _MATRIX[op].format(*args, all=", ".join(args), rows=_dim(inner.rows))
    raise _unsupported(op.partition(":")[0])


def _for_each(body: str, argument: str) -> str:
    return f"{argument}.applyfunc(sp.Lambda(_t, {body}))"
