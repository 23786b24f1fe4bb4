"""How each language writes the operations of a program: one table a language, and a function for what needs more.

Functions of matgrad's table bring their own templates; helpers (a name after `support.`) are copied into the module from
the language's file of helpers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from matgrad.dims import dim_text
from matgrad.emit.module import Names, Plan
from matgrad.emit.program import Size, Value, needed
from matgrad.emit.writer import (
    ATOM,
    MINUS,
    POWER,
    PRODUCT,
    SUM,
    Code,
    WithFunctions,
    Writer,
    levelled,
    number_code,
)
from matgrad.errors import InternalError
from matgrad.functions import TABLE

# Operations of one or two operands: a template, and how tightly it binds. A key with `:` is for a variant.
_ARITHMETIC = {
    "add": ("{0:4} + {1:3}", SUM),
    "sub": ("{0:4} - {1:3}", SUM),
    "mul": ("{0:3} * {1:2}", PRODUCT),
    "div": ("{0:3} / {1:2}", PRODUCT),
    "neg": ("-{0:1}", MINUS),
    "pow": ("{0:0} ** {1:1}", POWER),
    "square": ("{0:0} ** 2", POWER),
}

_NUMPY = _ARITHMETIC | {
    "pi": ("np.pi", ATOM),
    "transpose": ("{0:0}.T", ATOM),
    "matmul": ("{0:0}.dot({1})", ATOM),
    "matvec": ("{0:0}.dot({1})", ATOM),
    "matvec:turned": ("{1:0}.dot({0})", ATOM),
    "dot:1": ("{0:0}.dot({1})", ATOM),
    "dot:2": ("np.vdot({0}, {1})", ATOM),
    "dot:turned": ("np.einsum('ij,ji->', {0}, {1})", ATOM),
    "outer": ("{0:0}[:, None] * {1:2}", PRODUCT),
    "sum": ("{0:0}.sum()", ATOM),
    "sum:axis": ("{0:0}.sum(axis={axis})", ATOM),
    "norm": ("np.sqrt(np.vdot({0}, {0}))", ATOM),
    "row_dots": ("np.einsum('ij,ij->i', {0}, {1})", ATOM),
    "diagonal": ("{0:0}.diagonal()", ATOM),
    "diag": ("np.diag({0})", ATOM),
    "eye": ("np.eye({n})", ATOM),
    "zeros": ("np.zeros({shape})", ATOM),
    "ones": ("np.ones({shape})", ATOM),
    "full": ("np.full({shape}, {0}, dtype=float)", ATOM),
    "broadcast": ("np.broadcast_to({0}, {shape})", ATOM),
    "reshape": ("np.reshape({0}, {shape})", ATOM),
    "vec": ("{0:0}.T.reshape(-1)", ATOM),
    "unvec": ("{0:0}.reshape({n}, {m}).T", ATOM),
    "permute": ("{0:0}.transpose({axes})", ATOM),
    "split": ("{0:0}.reshape({back}).transpose({axes})", ATOM),
    "kron": ("np.kron({0}, {1})", ATOM),
    "basis": ("np.eye({n})[{at}]", ATOM),
    "commutation": ("support.commutation({m}, {n})", ATOM),
    "duplication": ("support.duplication({m})", ATOM),
    "elimination": ("support.elimination({m})", ATOM),
    "concatenate": ("np.concatenate([{each}])", ATOM),
    "one entry": ("[{0}]", ATOM),
    "block": ("np.block([{blocks}])", ATOM),
    "cholesky": ("support.cholesky({0})", ATOM),
    "lu": ("support.lu({0})", ATOM),
    "lower": ("{0}", ATOM),
    "upper": ("{0}", ATOM),
    "solve:cholesky": ("support.cholesky_solve({0}, {1})", ATOM),
    "solve:lu": ("support.lu_solve({0}, {1})", ATOM),
    "solve:lu turned": ("support.lu_solve({0}, {1}, turned=True)", ATOM),
    "solve:lower": ("support.lower_solve({0}, {1})", ATOM),
    "solve:lower turned": ("support.lower_solve({0}, {1}, turned=True)", ATOM),
    "solve:upper": ("support.upper_solve({0}, {1})", ATOM),
    "solve:upper turned": ("support.upper_solve({0}, {1}, turned=True)", ATOM),
    "inverse:cholesky": ("support.cholesky_inverse({0})", ATOM),
    "inverse:lu": ("support.lu_inverse({0})", ATOM),
    "inverse:lower": ("support.lower_inverse({0})", ATOM),
    "inverse:upper": ("support.upper_inverse({0})", ATOM),
    "logdet:cholesky": ("2 * np.log({0:0}.diagonal()).sum()", PRODUCT),
    "logdet:lu": ("np.log(np.abs({0:0}[0].diagonal())).sum()", ATOM),
    "logdet:lower": ("np.log(np.abs({0:0}.diagonal())).sum()", ATOM),
    "logdet:upper": ("np.log(np.abs({0:0}.diagonal())).sum()", ATOM),
    "det:lu": ("support.lu_det({0})", ATOM),
    "copy": ("{0:0}.copy()", ATOM),
    "float": ("np.float64({0})", ATOM),
}


class TableTarget(WithFunctions):
    """A language with a table of templates; operations that need more have a method of their name."""

    table: Mapping[str, tuple[str, int]] = {}
    helper = "_{}"  # what a helper of this name is called in a module
    like_name = ""  # an argument whose type of numbers constants take

    def shape_text(self, shape: Size, writer: Writer) -> str:
        """The dimensions of an array, as functions that make one want them."""
        return writer.shape(shape)

    def filled(self, key: str, args: list[Code], **words: str) -> Code:
        """A template of the table with code in it."""
        text, level = self.table[key]
        words = {k: w[1:-1] if k in ("m", "n") and w[:1] == "(" else w for k, w in words.items()}
        return Code(text.format(*args, **{"like": self.like_name, **words}), level)

    def code(self, value: Value, args: list[Code], writer: Writer) -> Code:
        """The code of an operation."""
        special = getattr(self, f"_{value.op.replace(' ', '_')}", None)
        if special is not None:
            found: Code = special(value, args, writer)
        elif value.op in self.table:
            found = self.filled(value.op, args, shape=self.shape_text(value.shape, writer))
        else:
            raise InternalError(f"no {self.name} code for {value.op}")
        names = re.findall(r"support\.(\w+)", found.text)
        if names:
            writer.helpers.update(names)
            text = re.sub(r"support\.(\w+)", lambda m: self.helper.format(m.group(1)), found.text)
            found = Code(text, found.level)
        return found

    def _number(self, value: Value, _args: list[Code], _writer: Writer) -> Code:
        return number_code(value.data[0])

    def _size(self, value: Value, _args: list[Code], writer: Writer) -> Code:
        return Code(writer.size(value.data[0]))

    def _input(self, value: Value, _args: list[Code], writer: Writer) -> Code:
        return Code(writer.inputs[value.data[0]])

    def _index(self, value: Value, _args: list[Code], writer: Writer) -> Code:
        return Code(writer.indices[value.data[0]])

    def _free_index(self, value: Value, _args: list[Code], writer: Writer) -> Code:
        return Code(writer.sizes[value.data[0]])

    def _matmul(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        sides = [
            self.filled("transpose", [a]) if turned else a
            for a, turned in zip(args, value.data, strict=True)
        ]
        return self.filled("matmul", sides)

    def _matvec(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return self.filled("matvec:turned" if value.data[0] else "matvec", args)

    def _full(self, value: Value, args: list[Code], writer: Writer) -> Code:
        shape = self.shape_text(value.shape, writer)
        inner = value.args[0]
        if inner.op == "number" and inner.data[0] in (0, 1):
            return self.filled("ones" if inner.data[0] else "zeros", args, shape=shape)
        return self.filled("broadcast" if inner.shape else "full", args, shape=shape)

    _zeros = _ones = lambda self, value, args, writer: self.filled(
        value.op, args, shape=self.shape_text(value.shape, writer)
    )

    def _eye(self, value: Value, args: list[Code], writer: Writer) -> Code:
        return self.filled("eye", args, n=writer.size(value.data[0]))

    def _constant_matrix(self, value: Value, args: list[Code], writer: Writer) -> Code:
        sizes = [writer.size(d) for d in value.data]
        return self.filled(value.op, args, **dict(zip("mn", sizes, strict=False)))

    _commutation = _duplication = _elimination = _constant_matrix

    def _solve(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        turned = " turned" if value.data[0] else ""
        return self.filled(f"solve:{value.args[0].op}{turned}", args)

    def _inverse(self, value: Value, args: list[Code], writer: Writer) -> Code:
        return self.filled(f"inverse:{value.args[0].op}", args, n=writer.size(value.shape[0]))

    def _logdet(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return self.filled(f"logdet:{value.args[0].op}", args)

    def _det(self, value: Value, args: list[Code], writer: Writer) -> Code:
        n = writer.size(value.args[0].shape[0])
        return self.filled(f"det:{value.args[0].op}", args, n=n)

    def _apply(self, value: Value, args: list[Code], writer: Writer) -> Code:
        return Code(f"{writer.functions[value.data]}({args[0]})")

    _map = _apply

    def _call(self, value: Value, args: list[Code], writer: Writer) -> Code:
        from matgrad.shapes import signature

        op, sizes = value.data
        marked, level = levelled(self.template(value))
        names = [name for name, _ in signature(op).parameters if name not in dict(sizes)]
        words = dict(zip(names, args, strict=True))
        dims = {name: Code(writer.size(dim)) for name, dim in sizes}
        return Code(marked.format(**words, **dims), level)


class PythonTarget(TableTarget):
    """NumPy, JAX and PyTorch differ in a table of templates and in few statements."""

    def __init__(
        self,
        name: str,
        table: dict[str, tuple[str, int]],
        imports: tuple[str, ...],
        special: str,
        helpers: str,
        array_check: str,
        like: bool = False,
    ) -> None:
        self.name = name
        self.table = table
        self.imports = imports
        self.special = special  # the import of special functions
        self.helpers = helpers  # the file of helpers
        self.array_check = array_check  # the source of `_array`, which makes an argument an array
        self.no_like = {
            "jax": "jnp.zeros(())",
            "torch": "torch.zeros((), dtype=torch.float64)",
        }.get(name, "")
        self.like = like  # whether `_array` is given another array to be like

    def size(self, text: str) -> str:
        """`/` divides whole numbers, `^` is a power."""
        return text.replace("^", "**").replace("/", "//")

    def _expand(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        axes, ndim = value.data
        at = ", ".join(":" if i in axes else "None" for i in range(ndim))
        return Code(f"{args[0]:0}[{at}]")

    def _dot(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        x, y = value.args
        if len(x.shape) == 1:
            return self.filled("dot:1", args)
        for i, a in enumerate((x, y)):
            if a.op == "transpose":
                plain = Code(args[i].text[:-2]) if args[i].text.endswith(".T") else None
                if plain is not None:
                    return self.filled("dot:turned", [plain, args[1 - i]])
        return self.filled("dot:2", args)

    def _sum(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        axis = value.data[0]
        if axis is None:
            return self.filled("sum", args)
        return self.filled("sum:axis", args, axis=str(axis))

    def _place(self, at: int | str, writer: Writer) -> str:
        if isinstance(at, int):
            return str(at - 1)
        return f"{writer.index_names.get(at) or writer.sizes[at]} - 1"

    def _basis(self, value: Value, args: list[Code], writer: Writer) -> Code:
        n, at = value.data
        return self.filled("basis", args, n=writer.size(n), at=self._place(at, writer))

    def _entry(self, value: Value, args: list[Code], writer: Writer) -> Code:
        at = ", ".join(":" if i is None else self._place(i, writer) for i in value.data[0])
        return Code(f"{args[0]:0}[{at}]")

    def _reshape(self, value: Value, args: list[Code], writer: Writer) -> Code:
        inner = [_real(value.args[0], args[0])]
        return self.filled("reshape", inner, shape=writer.shape(value.shape))

    def _unvec(self, value: Value, args: list[Code], writer: Writer) -> Code:
        m, n = (writer.size(d) for d in value.shape)
        return self.filled("unvec", args, m=m, n=n)

    def _permute(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return self.filled("permute", args, axes=", ".join(map(str, value.data[0])))

    def _split(self, value: Value, args: list[Code], writer: Writer) -> Code:
        """The columns of a matrix of vecs are stacked: the first axis of each side runs fastest."""
        rows, cols = value.data
        r, c = len(rows), len(cols)
        axes = [*reversed(range(r)), *reversed(range(r, r + c))]
        back = ", ".join(writer.size(d) for d in (*reversed(rows), *reversed(cols)))
        return self.filled("split", args, back=back, axes=", ".join(map(str, axes)))

    def _concatenate(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        each = [
            code.text if a.shape else self.filled("one entry", [_real(a, code)]).text
            for a, code in zip(value.args, args, strict=True)
        ]
        return self.filled("concatenate", args, each=", ".join(each))

    def _block(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        columns = value.data[0]
        texts = [a.text for a in args]
        rows = [f"[{', '.join(texts[i : i + columns])}]" for i in range(0, len(texts), columns)]
        return self.filled("block", args, blocks=", ".join(rows))

    # --- statements -------------------------------------------------------------------------------------------------

    def loop(
        self, name: str, value: Value, body: list[str], summand: Code, writer: Writer
    ) -> list[str]:
        """The lines of a sum over an index."""
        number, _, first, last = value.data
        start = dim_text(first) if isinstance(first, int) else writer.size(first)
        zero = (
            "0.0"
            if not value.shape
            else self.filled("zeros", [], shape=writer.shape(value.shape)).text
        )
        return [
            f"{name} = {zero}",
            f"for {writer.indices[number]} in range({start}, {writer.size(last)} + 1):",
            *("    " + line for line in body),
            f"    {name} = {name} + {summand:4}",
        ]

    def _add_diagonal(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return args[0]

    def _scatter(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return args[0]

    def assigned(self, name: str, value: Value, code: Code, writer: Writer) -> list[str]:
        """The lines that give a value its name."""
        if value.op == "add_diagonal":
            d = writer.codes[value.args[1]]
            owned = code.text not in writer.taken and not _is_view(value.args[0])
            return self.added_to_diagonal(name, value, code, d, owned, writer)
        if value.op == "scatter":
            return self.scattered(name, value, code, writer)
        return super().assigned(name, value, code, writer)

    def added_to_diagonal(
        self, name: str, value: Value, code: Code, d: Code, owned: bool, writer: Writer
    ) -> list[str]:
        """The lines of a matrix plus a diagonal."""
        n = writer.size(value.shape[0])
        return [
            f"{name} = {code.text if owned else f'{code:0}.copy()'}",
            f"{name}.flat[:: {n} + 1] += {d.text}",
        ]

    def scattered(self, name: str, value: Value, code: Code, writer: Writer) -> list[str]:
        """The lines of an array that is zero but where axes agree."""
        letters = "".join("ijklpqrs"[i] for i in value.data[0])
        distinct = "".join(dict.fromkeys(letters))
        inner = "".join(sorted(distinct))
        zeros = self.filled("zeros", [], shape=writer.shape(value.shape)).text
        return [f"{name} = {zeros}", f"np.einsum('{letters}->{inner}', {name})[...] = {code.text}"]

    def result(self, value: Value, code: Code, writer: Writer) -> Code:
        """A value as it is returned: an array of its own, no view of an argument, and no whole number."""
        if not value.shape:
            constant = not any(v.op in ("input", "apply", "map") for v in needed([value]))
            return self.filled("float", [code]) if constant else code
        if _is_view(value):
            return self.filled("copy", [code])
        return code

    def fast_check(
        self,
        plan: Plan,
        arrays: list[str],
        unpack: list[str],
        tests: list[tuple[str, str, str, str]],
        returned: str,
        names: Names,
    ) -> list[str]:
        """Lines that return at once where the arguments are as they should be."""
        return []

    def fast_direction(self, v: str, name: str) -> list[str]:
        """Lines that return at once where a direction is as it should be."""
        return []


_IN_PLACE = frozenset(
    f"np.{name}({{x}})"
    for name in [
        "exp",
        "log",
        "sqrt",
        "sin",
        "cos",
        "tanh",
        "abs",
        "log1p",
        "expm1",
        "sinh",
        "cosh",
    ]
)


_UPDATES = {"add": "+=", "sub": "-=", "mul": "*="}
_FRESH = frozenset(["add", "sub", "mul", "div", "neg", "matmul", "outer", "call"])

# Methods of arrays, where functions of NumPy would take another microsecond to call them.
_NUMPY_FUNCTIONS = {
    name: f"{{x}}.{method}()"
    for name, method in {"max": "max", "min": "min", "prod": "prod", "cumsum": "cumsum"}.items()
} | {
    f"{name}:{way}": f"{{X}}.{name}(axis={way - 1})"
    for name in ("max", "min", "prod", "cumsum")
    for way in (1, 2)
}
_NUMPY_FUNCTIONS |= {"sigmoid": "special.expit({x})", "silu": "{x}*special.expit({x})"}


class NumpyTarget(PythonTarget):
    """NumPy: a short way through the checks for arrays of float64, and functions of large arrays in place."""

    def template(self, value: Value) -> str:
        """The template of a call."""
        return _NUMPY_FUNCTIONS.get(value.data[0]) or TABLE[value.data[0]].numpy

    def code(self, value: Value, args: list[Code], writer: Writer) -> Code:
        """The code of an operation; a matrix that was made for it alone is written over where NumPy would make another:
        in functions, and where a vector or a column is broadcast."""
        if len(value.shape) != 2:
            return super().code(value, args, writer)
        if value.op == "call" and len(args) == 1 and self.template(value) in _IN_PLACE:
            if self._owned(value, 0, writer):
                name = self._held(value, 0, args, writer)
                writer.lines.append(f"{self.template(value)[:-4]}{name}, out={name})")
                return Code(name)
        elif value.op in _UPDATES:
            other = [a.shape not in ((), value.shape) for a in value.args]
            held = [a in writer.held for a in value.args]
            for i in (0, 1) if value.op != "sub" else (0,):
                if (held[i] or other[1 - i]) and self._owned(value, i, writer):
                    name = self._held(value, i, args, writer)
                    writer.lines.append(f"{name} {_UPDATES[value.op]} {args[1 - i].text}")
                    return Code(name)
        return super().code(value, args, writer)

    def _owned(self, value: Value, i: int, writer: Writer) -> bool:
        """Whether an argument is a matrix that nothing else uses."""
        inner = value.args[i]
        return (
            inner.op in _FRESH
            and inner.shape == value.shape
            and inner not in writer.named
            and writer.counts[inner] == 1
            and inner.loops == value.loops
        )

    def _held(self, value: Value, i: int, args: list[Code], writer: Writer) -> str:
        """The name of an argument that is written over."""
        inner = value.args[i]
        writer.held.add(value)
        if inner in writer.held:
            return args[i].text
        name = writer.fresh(value)
        writer.lines.append(f"{name} = {args[i].text}")
        return name

    def fast_check(
        self,
        plan: Plan,
        arrays: list[str],
        unpack: list[str],
        tests: list[tuple[str, str, str, str]],
        returned: str,
        names: Names,
    ) -> list[str]:
        """Lines that return at once where the arguments are as they should be."""
        proper = [a for v, a in zip(plan.variables, arrays, strict=True) if not v.is_scalar]
        both = [(v, a) for v, a in zip(plan.variables, arrays, strict=True) if v.is_scalar]
        numbers = [a for v, a in both if "integer" not in v.data[1]]
        counts = [a for v, a in both if "integer" in v.data[1]]
        if not proper:
            return []
        checks = [f"{found} == {wanted}" for _, found, wanted, _ in tests]
        checks.append(f"{' is '.join(f'{a}.dtype' for a in proper)} is _FLOAT64")
        checks += [f"type({c}) is float" for c in numbers]
        checks += [f"type({c}) is int" for c in counts]
        lines = ["    try:", *(f"        {line}" for line in unpack)]
        if len(" and ".join(checks)) < 80:
            lines.append(f"        if {' and '.join(checks)}:")
        else:
            lines += ["        if (", f"            {checks[0]}"]
            lines += [f"            and {c}" for c in checks[1:]]
            lines.append("        ):")
        lines += [
            f"            return {returned}",
            "    except (AttributeError, ValueError):",
            "        pass",
        ]
        return lines

    def fast_direction(self, v: str, name: str) -> list[str]:
        """Lines that return at once where a direction is as it should be."""
        return [
            "    try:",
            f"        if {v}.dtype is _FLOAT64 and {v}.shape == {name}.shape:",
            f"            return {v}",
            "    except AttributeError:",
            "        pass",
        ]


def _is_view(value: Value) -> bool:
    """Whether code may give the memory of something else."""
    views = (
        "transpose",
        "expand",
        "entry",
        "permute",
        "reshape",
        "unvec",
        "vec",
        "split",
        "diagonal",
        "lower",
        "upper",
    )
    if value.op == "input":
        return True
    if value.op == "full":
        return bool(value.args[0].shape)
    return value.op in views and (
        value.op == "diagonal" or _is_view(value.args[0]) or len(value.args[0].shape) > 0
    )


def _real(value: Value, code: Code) -> Code:
    """The code of a number that is no whole number to the language."""
    if value.op == "number":
        return Code(repr(float(value.data[0])))
    return Code(f"float({code.text})") if value.op in ("size", "index", "free index") else code


_NUMPY_ARRAY = '''def _array(name, value, axes):
    """The value as an array of floats with this number of axes."""
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise ValueError(f"{name} should be real, not complex")
    if array.dtype.kind != "f":
        array = array.astype(float)
    if array.ndim != axes:
        kind = ("a number", "a vector (one axis)", "a matrix (two axes)")[axes]
        raise ValueError(f"{name} should be {kind}, not an array of shape {array.shape}")
    return array if axes else array[()]'''

NUMPY = NumpyTarget(
    "numpy",
    _NUMPY,
    ("import numpy as np",),
    "from scipy import special",
    "support.py",
    _NUMPY_ARRAY,
)

# --- JAX ----------------------------------------------------------------------------------------------------------------

_PRODUCTS = {
    "matmul": ("{0:3} @ {1:2}", PRODUCT),
    "matvec": ("{0:3} @ {1:2}", PRODUCT),
    "matvec:turned": ("{1:3} @ {0:2}", PRODUCT),  # v @ A: XLA is slow at A.T @ v
    "dot:1": ("{0:3} @ {1:2}", PRODUCT),
}


def _solves(solve: str, name: str, flags: dict[str, str]) -> dict[str, tuple[str, int]]:
    """The entries of `solve` for one factorization."""
    return {f"solve:{name}{key}": (solve.format(flag=flag), ATOM) for key, flag in flags.items()}


_JAX = {key: (text.replace("np.", "jnp."), level) for key, (text, level) in _NUMPY.items()}
_JAX |= _PRODUCTS
_JAX |= {
    "outer": ("jnp.outer({0}, {1})", ATOM),
    "dot:2": ("jnp.vdot({0}, {1})", ATOM),
    "dot:turned": ("jnp.vdot({0:0}.T, {1})", ATOM),
    "norm": ("jnp.linalg.norm({0})", ATOM),
    "eye": ("jnp.eye({n}, dtype={like}.dtype)", ATOM),
    "zeros": ("jnp.zeros({shape}, dtype={like}.dtype)", ATOM),
    "ones": ("jnp.ones({shape}, dtype={like}.dtype)", ATOM),
    "full": ("jnp.full({shape}, {0}, dtype={like}.dtype)", ATOM),
    "basis": ("jnp.eye({n}, dtype={like}.dtype)[{at}]", ATOM),
    "one entry": ("jnp.reshape({0}, 1)", ATOM),
    "cholesky": ("jnp.linalg.cholesky({0})", ATOM),
    "lu": ("jax.scipy.linalg.lu_factor({0})", ATOM),
    "inverse:cholesky": (
        "jax.scipy.linalg.cho_solve(({0}, True), jnp.eye({n}, dtype={like}.dtype))",
        ATOM,
    ),
    "inverse:lu": ("jax.scipy.linalg.lu_solve({0}, jnp.eye({n}, dtype={like}.dtype))", ATOM),
    "inverse:lower": (
        "jax.scipy.linalg.solve_triangular({0}, jnp.eye({n}, dtype={like}.dtype), lower=True)",
        ATOM,
    ),
    "inverse:upper": (
        "jax.scipy.linalg.solve_triangular({0}, jnp.eye({n}, dtype={like}.dtype))",
        ATOM,
    ),
    "det:lu": (
        "jnp.prod({0:0}[0].diagonal()) * (1 - 2 * (jnp.sum({0:0}[1] != jnp.arange({n})) % 2))",
        PRODUCT,
    ),
    "float": ("jnp.asarray({0}, dtype=float)", ATOM),
    "copy": ("{0}", ATOM),
}
_JAX |= _solves("jax.scipy.linalg.cho_solve(({{0}}, True), {{1}})", "cholesky", {"": ""})
_JAX |= _solves(
    "jax.scipy.linalg.lu_solve({{0}}, {{1}}{flag})", "lu", {"": "", " turned": ", trans=1"}
)
_TRIANGULAR = "jax.scipy.linalg.solve_triangular({{0}}, {{1}}{flag})"
_JAX |= _solves(_TRIANGULAR, "lower", {"": ", lower=True", " turned": ", lower=True, trans=1"})
_JAX |= _solves(_TRIANGULAR, "upper", {"": "", " turned": ", trans=1"})

# Functions that JAX does not write as NumPy does.
_JAX_FUNCTIONS = {
    "sigmoid": "jax.nn.sigmoid({x})",
    "silu": "jax.nn.silu({x})",
    "softmax": "jax.nn.softmax({x})",
    "softmax:1": "jax.nn.softmax({X}, axis=0)",
    "softmax:2": "jax.nn.softmax({X}, axis=1)",
    "logsoftmax": "jax.nn.log_softmax({x})",
    "logsoftmax:1": "jax.nn.log_softmax({X}, axis=0)",
    "logsoftmax:2": "jax.nn.log_softmax({X}, axis=1)",
    "logsumexp": "jax.nn.logsumexp({x})",
    "logsumexp:1": "jax.nn.logsumexp({X}, axis=0)",
    "logsumexp:2": "jax.nn.logsumexp({X}, axis=1)",
    "polygamma": "special.polygamma({k}, {x})",
    "eigmax": "jnp.linalg.eigvalsh({X})[-1]",
    "eigmin": "jnp.linalg.eigvalsh({X})[0]",
    "pinv": "jnp.linalg.pinv({X}, 1e-11)",
    "chol": "jnp.linalg.cholesky({X})",
    "expm": "jax.scipy.linalg.expm({X})",
    "dexpm": "support.frechet(jax.scipy.linalg.expm, {X}, {E})",
    "dlogm": "support.frechet(support.logm, {X}, {E})",
    "dsinm": "support.frechet(support.sinm, {X}, {E})",
    "dcosm": "support.frechet(support.cosm, {X}, {E})",
    "nucnorm": "jnp.sum(jnp.linalg.svd({X}, compute_uv=False))",
    "specnorm": "jnp.linalg.svd({X}, compute_uv=False)[0]",
}

_JAX_ARRAY = '''def _array(name, value, axes):
    """The value as an array of floats with this number of axes."""
    array = jnp.asarray(value)
    if jnp.iscomplexobj(array):
        raise ValueError(f"{name} should be real, not complex")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(float)
    if array.ndim != axes:
        kind = ("a number", "a vector (one axis)", "a matrix (two axes)")[axes]
        raise ValueError(f"{name} should be {kind}, not an array of shape {array.shape}")
    return array'''


class FunctionalTarget(PythonTarget):
    """JAX and PyTorch: nothing is changed in place."""

    functions: dict[str, str] = {}

    def template(self, value: Value) -> str:
        """The template of a call."""
        return self.functions[value.data[0]]

    def added_to_diagonal(
        self, name: str, value: Value, code: Code, d: Code, owned: bool, writer: Writer
    ) -> list[str]:
        """The lines of a matrix plus a diagonal."""
        if value.args[1].shape:
            return [f"{name} = {code:4} + {self.filled('diag', [d]):3}"]
        eye = self.filled("eye", [], n=writer.size(value.shape[0]))
        return [f"{name} = {code:4} + {d:3} * {eye:2}"]

    def scattered(self, name: str, value: Value, code: Code, writer: Writer) -> list[str]:
        """The lines of an array that is zero but where axes agree: a product with identities."""
        axes = value.data[0]
        first = {a: axes.index(a) for a in axes}
        repeated = [i for i, a in enumerate(axes) if first[a] != i]
        factors = []
        if value.args[0].shape:
            at = ", ".join("None" if i in repeated else ":" for i in range(len(axes)))
            factors.append(f"{code:0}[{at}]")
        else:
            factors.append(f"{code:3}")
        for i in repeated:
            eye = self.filled("eye", [], n=writer.size(value.shape[i]))
            at = ", ".join(":" if j in (first[axes[i]], i) else "None" for j in range(len(axes)))
            factors.append(f"{eye:0}[{at}]")
        missing = [a for a in first if list(axes).count(a) == 1]
        product = Code(" * ".join(factors), PRODUCT)
        if missing:  # an axis that no factor has
            return [
                f"{name} = {self.filled('broadcast', [product], shape=writer.shape(value.shape)).text}"
            ]
        return [f"{name} = {product.text}"]


class JaxTarget(FunctionalTarget):
    """JAX: what it does not write otherwise it writes as NumPy does."""

    functions = _JAX_FUNCTIONS

    def template(self, value: Value) -> str:
        """The template of a call: that of NumPy, unless there is one of its own."""
        op = value.data[0]
        return self.functions.get(op) or TABLE[op].numpy.replace("np.", "jnp.")


JAX = JaxTarget(
    "jax",
    _JAX,
    ("import jax.numpy as jnp",),
    "from jax.scipy import special",
    "support_jax.py",
    _JAX_ARRAY,
)

# --- PyTorch ------------------------------------------------------------------------------------------------------------

_LIKE = "dtype={like}.dtype, device={like}.device"
_TORCH = _ARITHMETIC | _PRODUCTS
_TORCH |= {
    "pi": ("math.pi", ATOM),
    "transpose": ("{0:0}.T", ATOM),
    "dot:2": ("torch.sum({0:3} * {1:2})", ATOM),
    "dot:turned": ("torch.sum({0:0}.T * {1:2})", ATOM),
    "outer": ("torch.outer({0}, {1})", ATOM),
    "sum": ("torch.sum({0})", ATOM),
    "sum:axis": ("torch.sum({0}, {axis})", ATOM),
    "norm": ("torch.linalg.norm({0})", ATOM),
    "row_dots": ("torch.sum({0:3} * {1:2}, 1)", ATOM),
    "diagonal": ("torch.diagonal({0})", ATOM),
    "diag": ("torch.diag({0})", ATOM),
    "eye": (f"torch.eye({{n}}, {_LIKE})", ATOM),
    "zeros": (f"torch.zeros({{shape}}, {_LIKE})", ATOM),
    "ones": (f"torch.ones({{shape}}, {_LIKE})", ATOM),
    "full": (f"torch.as_tensor({{0}}, {_LIKE}).expand({{shape}})", ATOM),
    "broadcast": ("{0:0}.expand({shape})", ATOM),
    "reshape": ("torch.reshape({0}, {shape})", ATOM),
    "vec": ("{0:0}.T.reshape(-1)", ATOM),
    "unvec": ("{0:0}.reshape({n}, {m}).T", ATOM),
    "permute": ("{0:0}.permute({axes})", ATOM),
    "split": ("{0:0}.reshape({back}).permute({axes})", ATOM),
    "kron": ("torch.kron({0:0}.contiguous(), {1:0}.contiguous())", ATOM),
    "basis": (f"torch.eye({{n}}, {_LIKE})[{{at}}]", ATOM),
    "commutation": ("support.commutation({m}, {n}, {like})", ATOM),
    "duplication": ("support.duplication({m}, {like})", ATOM),
    "elimination": ("support.elimination({m}, {like})", ATOM),
    "concatenate": ("torch.cat([{each}])", ATOM),
    "one entry": (f"torch.as_tensor({{0}}, {_LIKE}).reshape(1)", ATOM),
    "block": ("torch.cat([{rows}])", ATOM),
    "cholesky": ("torch.linalg.cholesky({0})", ATOM),
    "lu": ("torch.linalg.lu_factor({0})", ATOM),
    "lower": ("{0}", ATOM),
    "upper": ("{0}", ATOM),
    "inverse:cholesky": ("torch.cholesky_inverse({0})", ATOM),
    "inverse:lu": (f"torch.linalg.lu_solve(*{{0:0}}, torch.eye({{n}}, {_LIKE}))", ATOM),
    "inverse:lower": (
        f"torch.linalg.solve_triangular({{0}}, torch.eye({{n}}, {_LIKE}), upper=False)",
        ATOM,
    ),
    "inverse:upper": (
        f"torch.linalg.solve_triangular({{0}}, torch.eye({{n}}, {_LIKE}), upper=True)",
        ATOM,
    ),
    "logdet:cholesky": ("2 * torch.sum(torch.log(torch.diagonal({0})))", PRODUCT),
    "logdet:lu": ("torch.sum(torch.log(torch.abs(torch.diagonal({0:0}[0]))))", ATOM),
    "logdet:lower": ("torch.sum(torch.log(torch.abs(torch.diagonal({0}))))", ATOM),
    "logdet:upper": ("torch.sum(torch.log(torch.abs(torch.diagonal({0}))))", ATOM),
    "det:lu": (
        "torch.prod(torch.diagonal({0:0}[0]))"
        " * (1 - 2 * (torch.sum({0:0}[1] != torch.arange(1, {n} + 1, device={like}.device)) % 2))",
        PRODUCT,
    ),
    "copy": ("{0:0}.clone()", ATOM),
    "float": (f"torch.as_tensor({{0}}, {_LIKE})", ATOM),
}
for _name, _solve in {
    "cholesky": "torch.cholesky_solve({1}, {0})",
    "lu": "torch.linalg.lu_solve(*{0:0}, {1})",
    "lu turned": "torch.linalg.lu_solve(*{0:0}, {1}, adjoint=True)",
    "lower": "torch.linalg.solve_triangular({0}, {1}, upper=False)",
    "lower turned": "torch.linalg.solve_triangular({0:0}.T, {1}, upper=True)",
    "upper": "torch.linalg.solve_triangular({0}, {1}, upper=True)",
    "upper turned": "torch.linalg.solve_triangular({0:0}.T, {1}, upper=False)",
}.items():
    _TORCH[f"solve:{_name}"] = (_solve, ATOM)

_SAME = "exp log sqrt sin cos tanh abs sign log2 log10 log1p expm1 tan asin acos atan sinh cosh asinh acosh atanh relu sigmoid"
_TORCH_FUNCTIONS = {name: f"torch.{name}({{x}})" for name in _SAME.split()} | {
    "matpow": "torch.linalg.matrix_power({X}, {k})",
    "softplus": "torch.logaddexp({x}, torch.zeros_like({x}))",
    "erf": "torch.erf({x})",
    "erfc": "torch.erfc({x})",
    "gelu": "{x}*torch.special.ndtr({x})",
    "silu": "torch.nn.functional.silu({x})",
    "elu": "torch.nn.functional.elu({x})",
    "gamma": "torch.where({x} > 0, 1.0, torch.where(torch.floor({x}) % 2 == 0, 1.0, -1.0))*torch.exp(torch.lgamma({x}))",
    "lgamma": "torch.lgamma({x})",
    "digamma": "torch.digamma({x})",
    "polygamma": "torch.polygamma({k}, {x})",
    "max:pair": "torch.maximum({x}, {y})",
    "min:pair": "torch.minimum({x}, {y})",
    "logsumexp": "torch.logsumexp({x}, 0)",
    "softmax": "torch.softmax({x}, 0)",
    "logsoftmax": "torch.log_softmax({x}, 0)",
    "prod": "torch.prod({x})",
    "norm1": "torch.sum(torch.abs({x}))",
    "norminf": "torch.amax(torch.abs({x}))",
    "max": "torch.amax({x})",
    "min": "torch.amin({x})",
    "indmax": "support.indmax({x})",
    "mean": "torch.mean({x})",
    "cumsum": "torch.cumsum({x}, 0)",
    "cross": "torch.linalg.cross({x}, {y})",
    "rowsum": "torch.sum({X}, 1)",
    "colsum": "torch.sum({X}, 0)",
    "eigmax": "torch.linalg.eigvalsh(({X} + {X}.T) / 2)[-1]",
    "eigmin": "torch.linalg.eigvalsh(({X} + {X}.T) / 2)[0]",
    "specnorm": "torch.linalg.svdvals({X})[0]",
    "nucnorm": "torch.sum(torch.linalg.svdvals({X}))",
    "pinv": "torch.linalg.pinv({X}, rtol=1e-11)",
    "chol": "torch.linalg.cholesky(({X} + {X}.T) / 2)",
    "expm": "torch.linalg.matrix_exp({X})",
    "dexpm": "support.frechet(torch.linalg.matrix_exp, {X}, {E})",
    "dlogm": "support.frechet(support.logm, {X}, {E})",
    "dsinm": "support.frechet(support.sinm, {X}, {E})",
    "dcosm": "support.frechet(support.cosm, {X}, {E})",
    "sylvester": "support.sylvester({A}, {B}, {C})",
    "tril": "torch.tril({X})",
    "triu": "torch.triu({X})",
    "vech": "{X}.T[torch.triu_indices(len({X}), len({X})).unbind()]",
}
_TORCH_FUNCTIONS |= {
    name: f"support.{name}({{X}})"
    for name in [
        "eigvecmax",
        "eigvecmin",
        "lsv",
        "rsv",
        "polar",
        "adj",
        "logm",
        "sinm",
        "cosm",
        "sqrtm",
    ]
}
for _way, _axis in ((1, 0), (2, 1)):
    _TORCH_FUNCTIONS |= {
        f"softmax:{_way}": f"torch.softmax({{X}}, {_axis})",
        f"logsoftmax:{_way}": f"torch.log_softmax({{X}}, {_axis})",
        f"logsumexp:{_way}": f"torch.logsumexp({{X}}, {_axis})",
        f"cumsum:{_way}": f"torch.cumsum({{X}}, {_axis})",
        f"prod:{_way}": f"torch.prod({{X}}, {_axis})",
        f"mean:{_way}": f"torch.mean({{X}}, {_axis})",
        f"max:{_way}": f"torch.amax({{X}}, {_axis})",
        f"min:{_way}": f"torch.amin({{X}}, {_axis})",
        f"indmax:{_way}": f"support.indmax_along({{X}}, {_axis})",
    }

_TORCH_ARRAY = '''def _array(name, value, axes, like):
    """The value as a tensor of floats with this number of axes."""
    if not isinstance(value, torch.Tensor):
        if isinstance(like, torch.Tensor) and like.is_floating_point():
            value = torch.as_tensor(value, dtype=like.dtype, device=like.device)
        else:
            value = torch.as_tensor(value, dtype=torch.float64)
    if value.is_complex():
        raise ValueError(f"{name} should be real, not complex")
    if not value.is_floating_point():
        value = value.to(torch.float64)
    if value.ndim != axes:
        kind = ("a number", "a vector (one axis)", "a matrix (two axes)")[axes]
        raise ValueError(f"{name} should be {kind}, not a tensor of shape {tuple(value.shape)}")
    return value'''


class TorchTarget(FunctionalTarget):
    """PyTorch: numbers that come from no argument are made tensors where a function wants one."""

    functions = _TORCH_FUNCTIONS

    def _call(self, value: Value, args: list[Code], writer: Writer) -> Code:
        made = []
        skipped = 1 if value.data[0] == "polygamma" else 0
        for i, (a, code) in enumerate(zip(value.args, args, strict=True)):
            plain = not a.shape and i >= skipped and value.data[0] != "matpow"
            if plain and not any(v.op in ("input", "apply", "map", "entry") for v in needed([a])):
                code = self.filled("float", [code])
            made.append(code)
        return super()._call(value, made, writer)

    def _solve(self, value: Value, args: list[Code], writer: Writer) -> Code:
        """A vector is a matrix of one column while it is solved for."""
        if len(value.shape) == 2:
            return super()._solve(value, args, writer)
        column = Code(f"{args[1]:0}[:, None]")
        return Code(f"{super()._solve(value, [args[0], column], writer):0}[:, 0]")

    def _block(self, value: Value, args: list[Code], writer: Writer) -> Code:
        columns = value.data[0]
        texts = [a.text for a in args]
        rows = [
            f"torch.cat([{', '.join(texts[i : i + columns])}], 1)"
            for i in range(0, len(texts), columns)
        ]
        return self.filled("block", args, rows=", ".join(rows))

    def _reshape(self, value: Value, args: list[Code], writer: Writer) -> Code:
        if not value.args[0].shape:
            args = [self.filled("float", args)]
        return self.filled("reshape", args, shape=writer.shape(value.shape))


TORCH = TorchTarget(
    "torch",
    _TORCH,
    ("import torch",),
    "",
    "support_torch.py",
    _TORCH_ARRAY,
    like=True,
)

TARGETS: dict[str, PythonTarget] = {t.name: t for t in (NUMPY, JAX, TORCH)}
