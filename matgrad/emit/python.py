"""A derivation as a Python module, for NumPy, JAX or PyTorch."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from matgrad.dims import Dim, dim_text
from matgrad.emit.arrays import term_formula
from matgrad.emit.lower import shape_of
from matgrad.emit.module import (
    PYTHON,
    Function,
    Names,
    Plan,
    arguments_of,
    documentation,
    helpers,
    lowered,
    names_for,
    plan_of,
)
from matgrad.emit.targets import TARGETS, PythonTarget
from matgrad.emit.writer import Code, Writer

if TYPE_CHECKING:
    from matgrad.derive import Derivation

WIDTH = 100


def source(d: Derivation, target: str, product: Derivation | None = None) -> str:
    """The module of a derivation, and of its product with a direction. Raises MatgradError where there is no code."""
    return _Module(plan_of(d, product), TARGETS[target]).text()


def runnable(plan: Plan) -> tuple[dict[str, Callable[..., Any]], Names]:
    """The functions of a plan, and what their arguments are called. The code that is run here has no word of a user's in
    it: variables are `x0`, `x1`, and sizes `n0`, `n1`."""
    directions = [f.direction for f in plan.functions if f.direction]
    inputs = {
        name: f"x{i}" for i, name in enumerate([*(v.data[0] for v in plan.variables), *directions])
    }
    callables = {key: f"f{i}" for i, key in enumerate(plan.callables)}
    sizes = {name: f"n{i}" for i, name in enumerate((*plan.sizes, *plan.indices))}
    sizes |= {v.data[0]: inputs[v.data[0]] for v in plan.variables if v.is_scalar}
    names = Names(inputs, callables, sizes, [])
    text = _Module(plan, TARGETS["numpy"], names).body()
    namespace: dict[str, Any] = {}
    exec(compile(text, "<matgrad>", "exec"), namespace)
    return {f.name: namespace[f.name] for f in plan.functions}, names


class _Module:
    """The text of one module."""

    def __init__(self, plan: Plan, target: PythonTarget, names: Names | None = None) -> None:
        self.plan = plan
        self.target = target
        self.names: Names = names or names_for(plan, PYTHON)
        self.helpers: set[str] = set()
        arrays = [v for v in plan.variables if shape_of(v)] or list(plan.variables)
        target.like_name = self.names.inputs[arrays[0].data[0]] if arrays else target.no_like
        self.arguments = arguments_of(plan, self.names)

    def text(self) -> str:
        """The whole module."""
        return f"{self._docstring()}\n\n{self.body()}"

    def body(self) -> str:
        """The module without what it says about itself."""
        functions = [self._function(f) for f in self.plan.functions]
        checks = self._checks()
        body = "\n\n\n".join([*functions, *checks])
        copied = helpers(self.target.helpers, self.helpers)
        if copied.source:
            body += "\n\n\n" + copied.source
        imports = list(self.target.imports)
        if re.search(r"(?<![\w.])special\.", body):
            imports.append(self.target.special)
        if re.search(r"\bjax\.(scipy|nn|lax)\.", body):
            imports.append("import jax")
        if "jax.scipy.linalg." in body:
            imports.append("import jax.scipy.linalg")
        if re.search(r"(?<!jnp)\bnp\.", body) and self.target.name != "numpy":
            imports.append("import numpy as np")
        if re.search(r"\bmath\.", body):
            imports.append("import math")
        imports += copied.imports
        return f"{_sorted_imports(imports)}\n\n{_CONSTANTS.get(self.target.name, '')}\n{body}\n"

    # --- documentation ----------------------------------------------------------------------------------------------

    def _docstring(self) -> str:
        lines = documentation(self.plan, self.names, self.arguments, "Python")
        text = "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")
        return f'"""{text}\n"""'

    # --- functions --------------------------------------------------------------------------------------------------

    def _function(self, f: Function) -> str:
        _, results, terms = lowered(f)
        names = self.names
        own = {names.inputs[f.direction]} if f.direction else set()
        writer = Writer(self.target, names.inputs, names.sizes, names.callables, names.taken | own)
        codes = writer.write(results)
        self.helpers |= writer.helpers
        codes = [self.target.result(v, c, writer) for v, c in zip(results, codes, strict=True)]
        body = [*writer.lines, f"return {', '.join(_joined(codes))}"]
        used = set(re.findall(r"[^\W\d]\w*", "\n".join(body)))
        given = ", ".join(["*", *self.arguments.names]) if self.arguments.names else ""
        if f.direction:
            given = f"{names.inputs[f.direction]}, {given}" if given else names.inputs[f.direction]
        about = [f.about]
        if f.factors:
            about[0] = (
                "The factors of the derivative."
                if len(results) > 1
                else "The part of the derivative that is not zero, without repetition."
            )
            about += ["", "With C for what is returned, the derivative has the entries", ""]
            shown = [f"C[{i}]" for i in range(len(results))] if len(results) > 1 else ["C"]
            formulas = [term_formula(t, dict(zip(results, shown, strict=True))) for t in terms]
            about += ["    " + "\n    + ".join(formulas)]
        doc = "\n".join(about)
        head = f"def {f.name}({given}):\n"
        head = head if len(head) <= WIDTH else f"def {f.name}(\n    {given},\n):\n"
        lines = ['"""' + doc + ('\n"""' if "\n" in doc else '"""'), *self._checked(used, f), *body]
        return head + textwrap.indent("\n".join(lines), "    ")

    def _checked(self, used: set[str], f: Function) -> list[str]:
        """The call that checks the arguments, with what it returns."""
        arrays = self._arrays()
        lines = []
        if arrays or self.arguments.found:
            returned = arrays + [self.names.sizes[s] for s in self.arguments.found]
            kept = [r if r in used else "_" for r in returned]
            left = ", ".join(kept) + ("," if len(kept) == 1 else "")
            call = f"_arguments({', '.join(arrays)})"
            lines.append(f"{left} = {call}" if any(k != "_" for k in kept) else call)
        if f.direction:
            v = self.names.inputs[f.direction]
            wrt = self.names.inputs[self.plan.wrt[0].data[0]]
            if wrt not in used and lines:
                lines[0] = self._with_kept(wrt, arrays, used)
            lines.append(f"{v} = _direction({v}, {wrt})")
        return lines

    def _direction(self, direction: str) -> str:
        """The function that checks the direction of `hvp`: its sizes come from the variable itself."""
        v, wrt = self.names.inputs[direction], self.plan.wrt[0]
        name, shape = self.names.inputs[wrt.data[0]], shape_of(wrt)
        like = f", {name}" if self.target.like else ""
        lines = [f"def _direction({v}, {name}):"]
        lines.append(f'    """The direction, checked: of the shape of {name}."""')
        if shape:
            lines += self.target.fast_direction(v, name)
        lines.append(f'    {v} = _array("{v}", {v}, {len(shape)}{like})')
        if shape:
            words = self._words(shape)
            lines.append(f'    _expect("{v}", {v}.shape, {name}.shape, "{words}")')
        lines.append(f"    return {v}")
        return "\n".join(lines)

    def _with_kept(self, name: str, arrays: list[str], used: set[str]) -> str:
        returned = arrays + [self.names.sizes[s] for s in self.arguments.found]
        kept = [r if r in used or r == name else "_" for r in returned]
        return f"{', '.join(kept)}{',' if len(kept) == 1 else ''} = _arguments({', '.join(arrays)})"

    def _arrays(self) -> list[str]:
        return [self.names.inputs[v.data[0]] for v in self.plan.variables]

    # --- the check of the arguments ---------------------------------------------------------------------------------

    def _size(self, dim: Dim) -> str:
        writer = Writer(self.target, {}, self.names.sizes, {}, set())
        return writer.size(dim)

    def _shape(self, shape: tuple[Dim, ...]) -> str:
        writer = Writer(self.target, {}, self.names.sizes, {}, set())
        return writer.shape(shape)

    def _words(self, shape: tuple[Dim, ...]) -> str:
        inner = ", ".join(dim_text(d) for d in shape)
        return f"({inner},)" if len(shape) == 1 else f"({inner})"

    def _checks(self) -> list[str]:
        """The functions that check the arguments."""
        plan, names = self.plan, self.names
        arrays = self._arrays()
        directed = any(f.direction for f in plan.functions)
        if not arrays:
            return []
        seen: dict[str, list[tuple[int, int, str]]] = {}
        for s, (name, axis, offset) in self.arguments.found.items():
            seen.setdefault(name, []).append((axis, offset, names.sizes[s]))
        unpack: list[str] = []
        tests: list[
            tuple[str, str, str, str]
        ] = []  # (argument, code of the shape, what it must be, in words)
        for v in plan.variables:
            shape = shape_of(v)
            arg = names.inputs[v.data[0]]
            if not shape:
                continue
            mine = {axis: (offset, size) for axis, offset, size in seen.get(v.data[0], [])}
            targets = [mine[axis][1] if axis in mine else "_" for axis in range(len(shape))]
            if mine:
                left = ", ".join(targets) + ("," if len(targets) == 1 else "")
                unpack.append(f"{left} = {arg}.shape")
                unpack += [f"{size} -= {offset}" for offset, size in mine.values() if offset]
            determined = all(axis in mine for axis in range(len(shape)))
            if not determined:
                tests.append((arg, f"{arg}.shape", self._shape(shape), self._words(shape)))
        asked = {names.sizes[s] for s in self.arguments.sizes} | {
            names.inputs[v.data[0]]
            for v in plan.variables
            if v.is_scalar and v.data[0] in names.sizes
        }
        # What depends on sizes given as arguments is not checked here: they are not known to this function.
        tests = [t for t in tests if not asked & set(re.findall(r"\w+", t[2]))]
        sizes = [names.sizes[s] for s in self.arguments.found]
        returned = ", ".join(arrays + sizes) + ("," if len(arrays + sizes) == 1 else "")
        lines = [f"def _arguments({', '.join(arrays)}):"]
        told = f", and the size{'s' if len(sizes) > 1 else ''} {', '.join(sizes)}" if sizes else ""
        lines.append(f'    """The arguments, checked{told}."""')
        lines += self.target.fast_check(plan, arrays, unpack, tests, returned, names)
        like = self.target.like
        first = next((names.inputs[v.data[0]] for v in plan.variables if shape_of(v)), None)
        for v, arg in zip(plan.variables, arrays, strict=True):
            extra = (
                f", {first}"
                if like and first is not None and arg != first
                else ", None"
                if like
                else ""
            )
            if "integer" in v.data[1]:
                lines.append(f"    {arg} = int({arg})")
            else:
                lines.append(f'    {arg} = _array("{arg}", {arg}, {len(shape_of(v))}{extra})')
        lines += [f"    {line}" for line in unpack]
        lines += [
            f'    _expect("{arg}", {found}, {wanted}, "{words}")'
            for arg, found, wanted, words in tests
        ]
        lines.append(f"    return {returned}")
        directions = [f.direction for f in plan.functions if f.direction]
        parts = ["\n".join(lines), *map(self._direction, directions), self.target.array_check]
        if tests or (directed and any(shape_of(w) for w in plan.wrt)):
            parts.append(_EXPECT)
        return parts


_EXPECT = '''def _expect(name, found, expected, meaning):
    """Raise ValueError for an array of another shape."""
    if tuple(found) != tuple(expected):
        raise ValueError(
            f"{name} should have the shape {meaning} = {tuple(expected)}, not {tuple(found)}"
        )'''

_CONSTANTS = {"numpy": "_FLOAT64 = np.dtype(np.float64)\n\n"}


def _joined(codes: list[Code]) -> list[str]:
    return [c.text for c in codes]


def _sorted_imports(imports: list[str]) -> str:
    """Imports as ruff wants them: the standard library first, each group in order."""
    merged: dict[str, set[str]] = {}
    plain: set[str] = set()
    for line in imports:
        found = re.fullmatch(r"from (\S+) import (.+)", line)
        if found:
            merged.setdefault(found[1], set()).update(n.strip() for n in found[2].split(","))
        else:
            plain.add(line)

    def key(line: str) -> tuple[bool, str]:
        return (line.startswith("from"), line.split()[1])

    lines = plain | {f"from {m} import {', '.join(sorted(n))}" for m, n in merged.items()}
    standard = sorted((x for x in lines if x.split()[1] in ("math", "warnings")), key=key)
    others = sorted((x for x in lines if x not in standard), key=key)
    return "\n\n".join("\n".join(group) for group in (standard, others) if group)
