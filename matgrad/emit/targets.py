"""How each language writes the operations of a program: one table a language, and a function for what needs more.

Functions of matgrad's table bring their own templates; helpers (a name after `support.`) are copied into the module from
the language's file of helpers.
"""

from __future__ import annotations

from matgrad.dims import dim_text
from matgrad.emit.module import Names, Plan
from matgrad.emit.program import Value, needed
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
    "outer": ("np.outer({0}, {1})", ATOM),
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


class PythonTarget(WithFunctions):
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
        self.like = like  # whether `_array` is given another array to be like

    def size(self, text: str) -> str:
        """`/` divides whole numbers, `^` is a power."""
        return text.replace("^", "**").replace("/", "//")

    def template(self, value: Value) -> str:
        """The template of a call."""
        found: str = getattr(TABLE[value.data[0]], self.name)
        return found

    def filled(self, key: str, args: list[Code], **words: str) -> Code:
        """A template of the table with code in it."""
        text, level = self.table[key]
        return Code(text.format(*args, **words), level)

    def code(self, value: Value, args: list[Code], writer: Writer) -> Code:
        """The code of an operation."""
        special = getattr(self, f"_{value.op.replace(' ', '_')}", None)
        if special is not None:
            found: Code = special(value, args, writer)
        elif value.op in self.table:
            found = self.filled(value.op, args, shape=writer.shape(value.shape))
        else:
            raise InternalError(f"no {self.name} code for {value.op}")
        if "support." in found.text:
            writer.helpers.update(_helper_names(found.text))
            found = Code(found.text.replace("support.", "_"), found.level)
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

    def _expand(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        axes, ndim = value.data
        at = ", ".join(":" if i in axes else "None" for i in range(ndim))
        return Code(f"{args[0]:0}[{at}]")

    def _matmul(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        sides = [
            self.filled("transpose", [a]) if turned else a
            for a, turned in zip(args, value.data, strict=True)
        ]
        return self.filled("matmul", sides)

    def _matvec(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return self.filled("matvec:turned" if value.data[0] else "matvec", args)

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

    def _full(self, value: Value, args: list[Code], writer: Writer) -> Code:
        shape = writer.shape(value.shape)
        inner = value.args[0]
        if inner.op == "number" and inner.data[0] in (0, 1):
            return self.filled("ones" if inner.data[0] else "zeros", args, shape=shape)
        return self.filled("broadcast" if inner.shape else "full", args, shape=shape)

    _zeros = _ones = lambda self, value, args, writer: self.filled(
        value.op, args, shape=writer.shape(value.shape)
    )

    def _eye(self, value: Value, args: list[Code], writer: Writer) -> Code:
        return self.filled("eye", args, n=writer.size(value.data[0]))

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

    def _constant_matrix(self, value: Value, args: list[Code], writer: Writer) -> Code:
        sizes = [writer.size(d) for d in value.data]
        return self.filled(value.op, args, **dict(zip("mn", sizes, strict=False)))

    _commutation = _duplication = _elimination = _constant_matrix

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
            code.text if a.shape else self.filled("one entry", [code]).text
            for a, code in zip(value.args, args, strict=True)
        ]
        return self.filled("concatenate", args, each=", ".join(each))

    def _block(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        columns = value.data[0]
        texts = [a.text for a in args]
        rows = [f"[{', '.join(texts[i : i + columns])}]" for i in range(0, len(texts), columns)]
        return self.filled("block", args, blocks=", ".join(rows))

    def _solve(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        turned = " turned" if value.data[0] else ""
        return self.filled(f"solve:{value.args[0].op}{turned}", args)

    def _inverse(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return self.filled(f"inverse:{value.args[0].op}", args)

    def _logdet(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return self.filled(f"logdet:{value.args[0].op}", args)

    def _det(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return self.filled(f"det:{value.args[0].op}", args)

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


class NumpyTarget(PythonTarget):
    """NumPy: a short way through the checks for arrays of float64."""

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


def _helper_names(text: str) -> list[str]:
    import re

    return re.findall(r"support\.(\w+)", text)


_NUMPY_ARRAY = '''def _array(name, value, axes):
    """The value as an array of floats with this number of axes."""
    array = np.asarray(value)
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

TARGETS: dict[str, PythonTarget] = {t.name: t for t in (NUMPY,)}
