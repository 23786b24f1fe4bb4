"""A derivation as a MATLAB file that GNU Octave runs too: a function that returns a struct of functions.

Vectors are columns and rows are rows outside; inside, as in the program, both have one axis and are columns.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from matgrad import expr as ex
from matgrad.dims import Dim, dim_text
from matgrad.emit.arrays import term_formula
from matgrad.emit.module import (
    FUNCTIONS,
    Asked,
    Function,
    Names,
    Plan,
    arguments_of,
    documentation,
    lowered,
    names_for,
    plan_of,
)
from matgrad.emit.program import Size, Value
from matgrad.emit.targets import TableTarget
from matgrad.emit.writer import ATOM, MINUS, POWER, PRODUCT, SUM, Code, Writer
from matgrad.errors import UsageError

if TYPE_CHECKING:
    from matgrad.derive import Derivation

NAME = "matgrad_code"  # of the main function, where no file says another
WIDTH = 100

_TABLE = {
    "add": ("{0:4} + {1:3}", SUM),
    "sub": ("{0:4} - {1:3}", SUM),
    "mul": ("{0:3} * {1:2}", PRODUCT),
    "mul:arrays": ("{0:3} .* {1:2}", PRODUCT),
    "div": ("{0:3} / {1:2}", PRODUCT),
    "div:arrays": ("{0:3} ./ {1:2}", PRODUCT),
    "neg": ("-{0:1}", MINUS),
    "pow": ("{0:0} ^ {1:0}", POWER),
    "pow:arrays": ("{0:0} .^ {1:0}", POWER),
    "square": ("{0:0} ^ 2", POWER),
    "square:arrays": ("{0:0} .^ 2", POWER),
    "pi": ("pi", ATOM),
    "transpose": ("{0:0}'", ATOM),
    "matmul": ("{0:3} * {1:2}", PRODUCT),
    "matvec": ("{0:3} * {1:2}", PRODUCT),
    "matvec:turned": ("{0:0}' * {1:2}", PRODUCT),
    "dot:1": ("{0:0}' * {1:2}", PRODUCT),
    "dot:2": ("sum(sum({0:3} .* {1:2}))", ATOM),
    "outer": ("{0:3} * {1:0}'", PRODUCT),
    "norm": ("norm({0})", ATOM),
    "norm:2": ("norm({0}, 'fro')", ATOM),
    "row_dots": ("sum({0:3} .* {1:2}, 2)", ATOM),
    "diagonal": ("diag({0})", ATOM),
    "diag": ("diag({0})", ATOM),
    "eye": ("eye({n})", ATOM),
    "zeros": ("zeros({shape})", ATOM),
    "ones": ("ones({shape})", ATOM),
    "full": ("{0:3} * ones({shape})", PRODUCT),
    "broadcast": ("{0:3} .* ones({shape})", PRODUCT),
    "reshape": ("reshape({0}, {shape})", ATOM),
    "vec": ("reshape({0}, [], 1)", ATOM),
    "unvec": ("reshape({0}, {shape})", ATOM),
    "split": ("reshape({0}, {shape})", ATOM),
    "permute": ("permute({0}, [{axes}])", ATOM),
    "kron": ("kron({0}, {1})", ATOM),
    "basis": ("double((1:{n})' == {at})", ATOM),
    "commutation": ("support.commutation({m}, {n})", ATOM),
    "duplication": ("support.duplication({m})", ATOM),
    "elimination": ("support.elimination({m})", ATOM),
    "cholesky": ("chol({0}, 'lower')", ATOM),
    "lu": ("lu({0})", ATOM),
    "lower": ("{0}", ATOM),
    "upper": ("{0}", ATOM),
    "solve:cholesky": ("{0:0}' \\ ({0:0} \\ {1:2})", PRODUCT),
    "solve:lower": ("{0:0} \\ {1:2}", PRODUCT),
    "solve:lower turned": ("{0:0}' \\ {1:2}", PRODUCT),
    "solve:upper": ("{0:0} \\ {1:2}", PRODUCT),
    "solve:upper turned": ("{0:0}' \\ {1:2}", PRODUCT),
    "inverse:cholesky": ("{0:0}' \\ ({0:0} \\ eye({n}))", PRODUCT),
    "inverse:lower": ("{0:0} \\ eye({n})", PRODUCT),
    "inverse:upper": ("{0:0} \\ eye({n})", PRODUCT),
    "logdet:cholesky": ("2 * sum(log(diag({0})))", PRODUCT),
    "logdet:lower": ("sum(log(abs(diag({0}))))", ATOM),
    "logdet:upper": ("sum(log(abs(diag({0}))))", ATOM),
    # The factors of P A = L U, by their names.
    "solve:lu": ("{U} \\ ({L} \\ ({P} * {1:2}))", PRODUCT),
    "solve:lu turned": ("{P}' * ({L}' \\ ({U}' \\ {1:2}))", PRODUCT),
    "inverse:lu": ("{U} \\ ({L} \\ {P})", PRODUCT),
    "logdet:lu": ("sum(log(abs(diag({U}))))", ATOM),
    "det:lu": ("det({P}) * prod(diag({U}))", PRODUCT),
}

_SAME = "exp log sqrt sin cos tanh abs sign log2 log10 log1p expm1 tan asin acos atan sinh cosh asinh acosh atanh"
_SAME += " erf erfc gamma"
_FUNCTIONS = {name: f"{name}({{x}})" for name in _SAME.split()} | {
    "matpow": "({X}^{k})",
    "relu": "max({x}, 0)",
    "sigmoid": "1 ./ (1 + exp(-{x}))",
    "softplus": "max({x}, 0) + log1p(exp(-abs({x})))",
    "gelu": "{x} .* erfc(-{x} / sqrt(2)) / 2",
    "silu": "{x} ./ (1 + exp(-{x}))",
    "elu": "max({x}, 0) + expm1(min({x}, 0))",
    "lgamma": "support.lgamma({x})",
    "digamma": "support.psi(0, {x})",
    "polygamma": "support.psi({k}, {x})",
    "max:pair": "max({x}, {y})",
    "min:pair": "min({x}, {y})",
    "prod": "prod({x})",
    "norm1": "sum(abs({x}))",
    "norminf": "max(abs({x}))",
    "max": "max({x})",
    "min": "min({x})",
    "mean": "mean({x})",
    "indmax": "support.indmax({x})",
    "cumsum": "cumsum({x})",
    "cross": "cross({x}, {y})",
    "rowsum": "sum({X}, 2)",
    "colsum": "sum({X}, 1)'",
    "eigmax": "max(eig(({X} + {X}') / 2))",
    "eigmin": "min(eig(({X} + {X}') / 2))",
    "specnorm": "norm({X})",
    "nucnorm": "sum(svd({X}))",
    "pinv": "pinv({X}, 1e-11 * norm({X}))",
    "chol": "chol(({X} + {X}') / 2, 'lower')",
    "expm": "expm({X})",
    "logm": "logm({X})",
    "sqrtm": "sqrtm({X})",
    "sinm": "imag(expm(1i * {X}))",
    "cosm": "real(expm(1i * {X}))",
    "dexpm": "support.frechet(@expm, {X}, {E})",
    "dlogm": "support.frechet(@logm, {X}, {E})",
    "dsinm": "support.frechet(@(Z) imag(expm(1i * Z)), {X}, {E})",
    "dcosm": "support.frechet(@(Z) real(expm(1i * Z)), {X}, {E})",
    "sylvester": "sylvester({A}, {B}, {C})",
    "tril": "tril({X})",
    "triu": "triu({X})",
    "vech": "support.vech({X})",
}
_FUNCTIONS |= {
    f"{name}:{way}": template.format(way=way, turned="'" if way == 1 else "")
    for name, template in {
        "cumsum": "cumsum({{X}}, {way})",
        "prod": "prod({{X}}, {way}){turned}",
        "mean": "mean({{X}}, {way}){turned}",
        "max": "max({{X}}, [], {way}){turned}",
        "min": "min({{X}}, [], {way}){turned}",
        "indmax": "support.indmax_along({{X}}, {way})",
    }.items()
    for way in (1, 2)
}
_FUNCTIONS |= {
    name: f"support.{name}({{X}})"
    for name in ["eigvecmax", "eigvecmin", "lsv", "rsv", "polar", "adj"]
}
# Functions of all entries that MATLAB takes column by column: once more for a matrix.
_OF_ALL = {
    "norm1": "sum(sum(abs({x})))",
    "norminf": "max(max(abs({x})))",
    "max": "max(max({x}))",
    "min": "min(min({x}))",
    "mean": "mean(mean({x}))",
}

_HELPERS = {
    found.group(1): found.group(0).strip()
    for found in re.finditer(
        r"^function (?:[^=\n]+= )?(\w+)\(.*?^end$",
        Path(__file__).with_name("support_matlab.m").read_text(encoding="utf-8"),
        re.M | re.S,
    )
}

_KEYWORDS = """break case catch classdef continue else elseif end for function global if otherwise parfor persistent
return spmd switch try while do until endfor endfunction endif endswitch endwhile end_try_catch unwind_protect
unwind_protect_cleanup end_unwind_protect arguments methods properties events enumeration import"""
_BUILTINS = """i j I J e pi eps inf Inf nan NaN NA ans varargin varargout nargin nargout true false error size numel
double single complex struct cell char class"""
KEPT = {*_KEYWORDS.split(), *_BUILTINS.split(), *_HELPERS, *FUNCTIONS}
KEPT |= {
    name
    for template in [*(t for t, _ in _TABLE.values()), *_FUNCTIONS.values(), *_OF_ALL.values()]
    for name in re.findall(r"[A-Za-z]\w*", re.sub(r"\{[^}]*\}|support\.\w+", "", template))
    if len(name) > 1
}


class MatlabTarget(TableTarget):
    """MATLAB: elementwise operators have a dot, an expression has to be named before an entry of it is taken."""

    name = "matlab"
    comment = "%"
    table = _TABLE
    helper = "{}_"
    statements = frozenset(["cholesky", "lu", "loop", "scatter", "add_diagonal", "apply", "map"])

    def shape_text(self, shape: Size, writer: Writer) -> str:
        """`m, n`, of a vector `n, 1`."""
        sizes = [writer.size(d).removeprefix("(").removesuffix(")") for d in shape]
        return ", ".join(sizes if len(sizes) > 1 else [*sizes, "1"])

    def template(self, value: Value) -> str:
        """The template of a call."""
        op = value.data[0]
        if op in _OF_ALL and len(value.args[0].shape) == 2:
            return _OF_ALL[op]
        return _FUNCTIONS[op]

    def _held(self, value: Value, code: Code, writer: Writer) -> str:
        """A name for code that entries are taken of."""
        if re.fullmatch(r"[A-Za-z]\w*", code.text):
            return code.text
        name = writer.fresh(value)
        writer.lines.append(f"{name} = {code.text};")
        return name

    def _entrywise(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        scalar = [not a.shape for a in value.args]
        simple = {"mul": any(scalar), "div": scalar[-1]}.get(value.op, all(scalar))
        return self.filled(value.op if simple else f"{value.op}:arrays", args)

    _mul = _div = _pow = _square = _entrywise

    def _norm(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return self.filled("norm:2" if len(value.args[0].shape) == 2 else "norm", args)

    def _dot(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        if len(value.args[0].shape) == 1:
            return self.filled("dot:1", args)
        if all(re.fullmatch(r"[A-Za-z]\w*", a.text) for a in args):
            return Code(f"{args[0].text}(:)' * {args[1].text}(:)", PRODUCT)
        return self.filled("dot:2", args)

    def _sum(self, value: Value, args: list[Code], writer: Writer) -> Code:
        axis, ndim = value.data[0], len(value.args[0].shape)
        x = args[0].text
        if axis is None:
            return Code(
                {1: f"sum({x})", 2: f"sum(sum({x}))"}.get(ndim, f"sum(reshape({x}, [], 1))")
            )
        total = f"sum({x}, {axis + 1})"
        if ndim == 2:
            return Code(total if axis else f"{total}'")
        return Code(f"reshape({total}, {self.shape_text(value.shape, writer)})")

    def _expand(self, value: Value, args: list[Code], writer: Writer) -> Code:
        axes, ndim = value.data
        if axes == (0,) and ndim == 2:
            return args[0]
        if axes == (1,) and ndim == 2:
            if args[0].text.endswith(", 1)'"):  # sums of columns, which were a row
                return Code(args[0].text[:-1])
            return self.filled("transpose", args)
        shape = self.shape_text(value.shape, writer)
        return Code(f"reshape({args[0].text}, {shape})")

    def _entry(self, value: Value, args: list[Code], writer: Writer) -> Code:
        held = self._held(value.args[0], args[0], writer)
        places = value.data[0]
        at = ", ".join(":" if i is None else self._place(i, writer) for i in places)
        return Code(f"{held}({at})" + "'" * (len(places) == 2 and places[1] is None))

    def _place(self, at: int | str, writer: Writer) -> str:
        return str(at) if isinstance(at, int) else writer.index_names.get(at) or writer.sizes[at]

    def _basis(self, value: Value, args: list[Code], writer: Writer) -> Code:
        n, at = value.data
        return self.filled("basis", args, n=writer.size(n), at=self._place(at, writer))

    def _permute(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        return self.filled("permute", args, axes=", ".join(str(a + 1) for a in value.data[0]))

    def _concatenate(self, _value: Value, args: list[Code], _writer: Writer) -> Code:
        return Code(f"[{'; '.join(a.text for a in args)}]")

    def _block(self, value: Value, args: list[Code], _writer: Writer) -> Code:
        columns = value.data[0]
        texts = [a.text for a in args]
        rows = [", ".join(texts[i : i + columns]) for i in range(0, len(texts), columns)]
        return Code(f"[{'; '.join(rows)}]")

    def filled(self, key: str, args: list[Code], **words: str) -> Code:
        """A template of the table with code in it; an LU factorization is three names."""
        if key.endswith((":lu", ":lu turned")):
            words |= dict(zip("LUP", args[0].text.split(", "), strict=True))
        return super().filled(key, args, **words)

    # --- statements -------------------------------------------------------------------------------------------------

    def loop(
        self, name: str, value: Value, body: list[str], summand: Code, writer: Writer
    ) -> list[str]:
        """The lines of a sum over an index."""
        number, _, first, last = value.data
        start = dim_text(first) if isinstance(first, int) else writer.size(first)
        zero = f"zeros({self.shape_text(value.shape, writer)})" if value.shape else "0"
        return [
            f"{name} = {zero};",
            f"for {writer.indices[number]} = {start}:{writer.size(last)}",
            *("  " + line for line in body),
            f"  {name} = {name} + {summand:4};",
            "end",
        ]

    def _add_diagonal(self, _value: Value, args: list[Code], _writer: Writer) -> Code:
        return args[0]

    _scatter = _add_diagonal

    def fresh(self, value: Value, writer: Writer) -> str:
        """A new name; three of them for an LU factorization."""
        if value.op == "lu":
            return ", ".join(writer.fresh_name(letter, numbered=True) for letter in "LUP")
        return writer.fresh(value)

    def assigned(self, name: str, value: Value, code: Code, writer: Writer) -> list[str]:
        """The lines that give a value its name."""
        if value.op == "lu":
            return [f"[{name}] = {code.text};"]
        if value.op == "add_diagonal":
            n = writer.size(value.shape[0])
            d = writer.codes[value.args[1]]
            turned = f"{d:0}'" if value.args[1].shape else f"{d:3}"
            diagonal = f"{name}(1:{n} + 1:end)"
            return [f"{name} = {code.text};", f"{diagonal} = {diagonal} + {turned};"]
        if value.op == "scatter":
            return [f"{name} = {self._scattered(value, code, writer)};"]
        return [f"{name} = {code.text};"]

    def _scattered(self, value: Value, code: Code, writer: Writer) -> str:
        """An array that is zero but where axes agree: a product with identities."""
        axes = value.data[0]
        first = {a: axes.index(a) for a in axes}
        sizes = [self.shape_text((d, 1), writer).removesuffix(", 1") for d in value.shape]

        def shaped(text: str, kept: set[int]) -> str:
            dims = [sizes[i] if i in kept else "1" for i in range(len(axes))]
            return f"reshape({text}, {', '.join(dims)})"

        repeated = [i for i, a in enumerate(axes) if first[a] != i]
        covered = {i for i, a in enumerate(axes) if list(axes).count(a) > 1}
        inner = value.args[0]
        text = f"{code:3}"
        if (
            inner.shape
        ):  # its axes are those of the distinct letters, in order; some may be of size 1
            places = [i for i in range(len(axes)) if i not in repeated]
            kept = {i for i, d in zip(places, inner.shape, strict=True) if d == value.shape[i]}
            covered |= kept
            whole = writer.codes[inner.args[0]] if inner.op == "expand" else code
            text = shaped(whole.text, kept)
        factors = [text, *(shaped(f"eye({sizes[i]})", {first[axes[i]], i}) for i in repeated)]
        if len(covered) < len(axes):
            factors.append(f"ones({self.shape_text(value.shape, writer)})")
        return " .* ".join(factors)


TARGET = MatlabTarget()


def source(d: Derivation, product: Derivation | None = None, name: str = NAME) -> str:
    """The file of a derivation, and of its product with a direction. Raises MatgradError where there is no code."""
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name in KEPT:
        raise UsageError(
            f"`{name}` is no name for a MATLAB function",
            help="name the file as the function is to be called: letters, digits and _, as in `gradient.m`",
        )
    plan = plan_of(d, product)
    return _File(plan, name).text()


class _File:
    """The text of one file."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan = plan
        self.name = name
        self.names: Names = names_for(plan, {*KEPT, name})
        self.arguments: Asked = arguments_of(plan, self.names)
        self.helpers = {"arguments_", "number_"} if self.arguments.names else set()

    def text(self) -> str:
        """The whole file: the main function, one for each result, the check of the arguments, helpers."""
        functions = [self._function(f) for f in self.plan.functions]
        if self.arguments.names:
            functions.append(self._checks())
        return "\n\n".join([self._main(), *functions, *self._copied()]) + "\n"

    def _main(self) -> str:
        lines = documentation(self.plan, self.names, self.arguments, "MATLAB")
        given = ", ".join(f"'{n}', {n}" for n in self.arguments.names)
        first = (
            "value_and_derivative" if "derivative" in self._functions() else self._functions()[-1]
        )
        out = "[y, D]" if first == "value_and_derivative" else "p"
        before = "" if first == "value_and_derivative" else "v" + (", " if given else "")
        lines[-1:] = [
            f"f = {self.name}(); {out} = f.{first}({before}{given})",
            "Vectors are columns. Runs in MATLAB (R2016b or later) and in GNU Octave.",
            lines[-1],
        ]
        return "\n".join(
            [
                f"function f = {self.name}()",
                *(f"  % {line}".rstrip() for line in lines),
                *(f"  f.{name} = @{name};" for name in self._functions()),
                "end",
            ]
        )

    def _functions(self) -> list[str]:
        return [f.name for f in self.plan.functions]

    def _function(self, f: Function) -> str:
        _, results, terms = lowered(f)
        names = self.names
        own = {names.inputs[f.direction]} if f.direction else set()
        writer = Writer(TARGET, names.inputs, names.sizes, names.callables, names.taken | own)
        codes = [c.text for c in writer.write(results)]
        self.helpers |= {f"{h}_" for h in writer.helpers}
        about = f.about
        formulas: list[str] = []
        if f.factors:
            outputs = [writer.fresh_name("C", numbered=len(results) > 1) for _ in results]
            shown = dict(zip(results, outputs, strict=True))
            about = "The factors of the derivative, which has the entries"
            formulas = [term_formula(t, shown, "()", "1") for t in terms]
        else:
            letters = ["D"] * len(results)
            if f.name.startswith("value"):
                letters[0] = "y"
            many = letters.count("D") > 1
            outputs = [writer.fresh_name(x, numbered=many and x == "D") for x in letters]
            codes = [
                f"({c})'" if len(v.shape) == 1 and o.expr.shape.kind == ex.ROW else c
                for c, v, o in zip(codes, results, f.outputs, strict=True)
            ]
        left = outputs[0] if len(outputs) == 1 else f"[{', '.join(outputs)}]"
        given = [names.inputs[f.direction]] if f.direction else []
        given += ["varargin"] if self.arguments.names else []
        lines = [f"% {about}", *(f"%   {'+ ' if i else ''}{t}" for i, t in enumerate(formulas))]
        body = [*writer.lines, *(f"{o} = {c};" for o, c in zip(outputs, codes, strict=True))]
        lines += self._checked(f, set(re.findall(r"[A-Za-z]\w*", "\n".join(body))))
        head = f"function {left} = {f.name}({', '.join(given)})"
        return "\n".join([head, *(f"  {line}" for line in _folded([*lines, *body])), "end"])

    def _checked(self, f: Function, used: set[str]) -> list[str]:
        """The lines that take the arguments, and the direction."""
        if not self.arguments.names:
            return []
        returned = self._returned()
        wrt = self.names.inputs[self.plan.wrt[0].data[0]]
        needed = used | ({wrt} if f.direction else set())
        kept = [r if r in needed else "~" for r in returned]
        while kept and kept[-1] == "~":
            kept.pop()
        left = f"[{', '.join(kept)}] = " if len(kept) > 1 else f"{kept[0]} = " if kept else ""
        lines = [f"{left}checked_(varargin);"]
        if f.direction:
            v = self.names.inputs[f.direction]
            self.helpers.add("expect_")
            row = self.plan.wrt[0].shape.kind == ex.ROW
            size = f"size({wrt}')" if row else f"size({wrt})"
            lines.append(f"expect_('{v}', {v}, {size}, 'of {wrt}');")
            lines += [f"{v} = {v}';"] * row
        return lines

    def _returned(self) -> list[str]:
        return [*self.arguments.names, *(self.names.sizes[s] for s in self.arguments.found)]

    def _checks(self) -> str:
        """The function that takes the arguments by their names and checks their shapes."""
        plan, names = self.plan, self.names
        shown = self.arguments.names
        lines = ["% The arguments by their names, checked, and the sizes that they show."]
        listed = ", ".join(f"'{n}'" for n in shown)
        left = f"[{', '.join(shown)}]" if len(shown) > 1 else shown[0]
        lines.append(f"{left} = arguments_({{{listed}}}, given);")
        for size, (variable, axis, offset) in self.arguments.found.items():
            v = next(v for v in plan.variables if v.data[0] == variable)
            place = 2 if v.shape.kind == ex.ROW else axis + 1
            less = f" - {offset}" if offset else ""
            lines.append(f"{names.sizes[size]} = size({names.inputs[variable]}, {place}){less};")
        writer = Writer(TARGET, {}, names.sizes, {}, set())
        for v in plan.variables:
            self.helpers.add("expect_")
            name = names.inputs[v.data[0]]
            dims: list[Dim] = [v.shape.rows, v.shape.cols]
            expected = TARGET.shape_text(tuple(dims), writer)
            words = ", ".join(map(dim_text, dims))
            lines.append(f"expect_('{name}', {name}, [{expected}], '({words})');")
            if v.shape.kind == ex.ROW:
                lines.append(f"{name} = {name}';")
        returned = self._returned()
        out = f"[{', '.join(returned)}]" if len(returned) > 1 else returned[0]
        head = f"function {out} = checked_(given)"
        return "\n".join([head, *(f"  {line}" for line in _folded(lines)), "end"])

    def _copied(self) -> list[str]:
        """The helpers that are called, with those they call."""
        todo = list(self.helpers)
        chosen: set[str] = set()
        while todo:
            name = todo.pop()
            if name not in chosen:
                chosen.add(name)
                todo += [n for n in re.findall(r"\w+_(?=\()", _HELPERS[name]) if n in _HELPERS]
        return [text for name, text in _HELPERS.items() if name in chosen]


def _folded(lines: list[str]) -> list[str]:
    """Long lists of names on several lines."""
    found = []
    for line in lines:
        if len(line) > WIDTH and line.startswith("[") and "] = " in line:
            left, _, right = line.partition("] = ")
            names = left[1:].split(", ")
            groups = [", ".join(names[i : i + 10]) for i in range(0, len(names), 10)]
            line = "[" + ", ...\n  ".join(groups) + "] = " + right
        found += line.split("\n")
    return found
