"""A derivation -> a module of source: value, derivative, value_and_derivative, and for second derivatives hvp, compressed.

Each function is a program of its own (`matgrad.emit.lower`), so that it computes what it returns and nothing else.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import keyword
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from matgrad import __version__
from matgrad import expr as ex
from matgrad.chain_rule import grouped
from matgrad.dims import Poly, dim_atoms, dim_text
from matgrad.emit.arrays import Term, compressed_terms, derivative_array
from matgrad.emit.lower import Lowering, formed_inverses, shape_of
from matgrad.emit.program import Program, Size, Value
from matgrad.emit.stable import stable
from matgrad.expr import Expr
from matgrad.maps import WORDS
from matgrad.parse import GREEK
from matgrad.rewrite import without_definitions
from matgrad.structure import by_vech

if TYPE_CHECKING:
    from matgrad.derive import Derivation
    from matgrad.shapes import Typed

_ASCII = {letter: name for name, letter in GREEK.items()}


class Output(NamedTuple):
    """What a function returns: an expression, and the array it is."""

    expr: Expr
    rows: Size
    cols: Size
    jacobian: (
        bool  # whether it is a matrix ∂vec(Y)/∂vec(X)', to be returned with the axes of Y and X
    )


class Function(NamedTuple):
    """One function of a module."""

    name: str
    about: str
    outputs: tuple[Output, ...]
    direction: str = ""  # the positional argument of `hvp`
    notes: tuple[str, ...] = ()
    factors: bool = False  # `compressed`: the factors of the output


class Plan(NamedTuple):
    """What a module is made of, before a language writes it."""

    text: str  # of the expression
    answer: str
    wrt: tuple[Expr, ...]
    variables: tuple[Expr, ...]
    callables: tuple[
        tuple[str, object], ...
    ]  # unknown functions: (name, number of primes or marks)
    functions: tuple[Function, ...]
    sizes: tuple[str, ...]  # names of dimensions
    indices: tuple[str, ...]  # names of entries, `i` of x[i]
    assumptions: tuple[str, ...]


def plan_of(d: Derivation, product: Derivation | None = None) -> Plan:
    """What the module of a derivation contains; `product` is that of a second derivative times a direction."""
    from matgrad.render.text import render

    chain = [d]
    while chain[0].inner is not None:
        chain.insert(0, chain[0].inner)
    base = chain[0].typed.expr
    shape = shape_of(base)
    value = Output(base if chain[0].named is None else grouped(base), shape, (), False)
    last = chain[-1]
    steps = chain[:-1]
    for step, then in itertools.pairwise(chain):
        shape = (
            *shape,
            *((then.mixed.shape.rows,) if then.by_vech_twice else _axes_by(step, step.wrt)),
        )
    derivatives = tuple(_output(last, p.mixed, shape, _axes_by(last, p.wrt)) for p in last.parts)
    functions: list[Function] = []
    names = ", ".join(p.wrt.data[0] for p in last.parts)
    functions.append(Function("value", "The value.", (value,)))
    direction = ""
    if last.direction is not None:
        direction = last.direction.data[0]
        out = _output(last, last.mixed, shape, ())
        functions.append(
            Function(
                "hvp",
                f"The Hessian times a direction {direction} of {names}'s shape.",
                (out,),
                direction,
            )
        )
    else:
        word = "derivative" if last.order == 1 else f"derivative of order {last.order}"
        about = f"The {word} by {names}."
        functions.append(Function("derivative", about, derivatives))
        functions.append(
            Function("value_and_derivative", "Both, with shared work.", (value, *derivatives))
        )
        same = all(step.wrt is last.wrt for step in steps)
        if last.order == 2 and same and last.inner is not None:
            if product is not None and product.direction is not None:
                direction = product.direction.data[0]
                out = _output(product, product.mixed, shape, ())
                about = f"The second derivative times a direction {direction} of {names}'s shape."
                functions.append(Function("hvp", about, (out,), direction))
            lowering = Lowering(Program())
            (whole,) = stable(last.mixed)
            found = derivatives[0]
            terms = (
                None
                if last.wrt.is_scalar
                else compressed_terms(lowering, whole, found.rows, found.cols)
            )
            if terms is not None:
                functions.append(
                    Function("compressed", "The factors of the derivative.", (found,), factors=True)
                )
    answer = (
        "; ".join(render(p.derivative, "matgrad") for p in last.parts)
        if ex.cost(last.derivative) < 400
        else ""
    )
    variables = tuple(v for v in last.typed.variables.values() if v.data[0] != direction)
    return _plan(
        render(base, "matgrad"),
        answer,
        tuple(p.wrt for p in last.parts),
        variables,
        tuple(functions),
        tuple(f"{render(e, 'matgrad')} is {name}" for name, e in d.assumptions),
    )


def plan_of_value(typed: Typed) -> Plan:
    """What a module contains that computes a value only."""
    value = Output(typed.expr, shape_of(typed.expr), (), False)
    function = Function("value", "The value.", (value,))
    return _plan(typed.text, "", (), tuple(typed.variables.values()), (function,), ())


def _plan(
    text: str,
    answer: str,
    wrt: tuple[Expr, ...],
    variables: tuple[Expr, ...],
    functions: tuple[Function, ...],
    assumptions: tuple[str, ...],
) -> Plan:
    """A plan, with the unknown functions, sizes and entries that its functions need."""
    roots = [o.expr for f in functions for o in f.outputs]
    plain = [without_definitions(r) for r in stable(*roots)]
    nodes = ex.postorder(*plain, *variables)
    callables = dict.fromkeys(
        (n.data[1], n.data[2]) for n in nodes if n.kind == ex.CALL and n.op in ("apply", "map")
    )
    sizes: dict[str, None] = {}
    for n in nodes:
        dims = [n.shape.rows, n.shape.cols]
        dims += (
            [x for x in n.data[1:] if n.kind == ex.SUM or n.op == "size"]
            if n.kind in (ex.SUM, ex.CONST) and n.op in (ex.SUM, "size")
            else []
        )
        for dim in dims:
            for atom in dim_atoms(dim):
                sizes[str(atom)] = None
    bound = {n.data[0] for n in nodes if n.kind == ex.SUM}
    names_of = {v.data[0] for v in variables}
    free = sorted(ex.free_indices(*plain))
    return Plan(
        text,
        answer,
        wrt,
        variables,
        tuple(callables),
        functions,
        tuple(s for s in sizes if s not in bound and s not in names_of),
        tuple(i for i in free if i not in sizes),
        assumptions,
    )


def _axes_by(d: Derivation, wrt: Expr) -> Size:
    """The axes that a derivative by a variable adds: those of the variable, or one for its independent entries."""
    by_entries = by_vech(wrt, d.subject, d.options.structured) and d.direction is None
    return (d.shape_by(wrt).cols,) if by_entries else shape_of(wrt)


def _output(d: Derivation, mixed: Expr, rows: Size, cols: Size) -> Output:
    jacobian = d.direction is None and not d.expression.is_scalar and not d.wrt.is_scalar
    if d.direction is not None:
        # A second derivative of a Jacobian, times a direction, is of the Jacobian's shape.
        below = d.inner
        jacobian = below is not None and not below.expression.is_scalar and not below.wrt.is_scalar
        if jacobian and below is not None:
            return Output(mixed, rows[: -len(shape_of(below.wrt))], shape_of(below.wrt), True)
        return Output(mixed, rows, cols, False)
    if not jacobian and mixed.shape.kind == ex.MATRIX and d.inner is not None and len(rows) > 2:
        return Output(mixed, rows, cols, True)
    return Output(mixed, rows, cols, jacobian)


def lowered(function: Function) -> tuple[Program, list[Value], list[Term]]:
    """The program of a function, its results, and the terms that they are the factors of, if they are."""
    program = Program()
    lowering = Lowering(program)
    roots = stable(*(o.expr for o in function.outputs))
    lowering.inverted = formed_inverses(*roots)
    results: list[Value] = []
    if function.factors:
        o = function.outputs[0]
        terms = compressed_terms(lowering, roots[0], o.rows, o.cols)
        assert terms is not None
        for t in terms:
            results += [f.value for f in t.factors if f.value not in results]
        return program, results, terms
    for o, root in zip(function.outputs, roots, strict=True):
        if o.jacobian and not (root.kind == ex.CONST and root.op == "zeros"):
            results.append(
                derivative_array(lowering, root, o.rows, o.cols)
                if len(o.rows) + len(o.cols) > 2
                else lowering.lower(root)
            )
        elif root.kind == ex.CONST and root.op == "zeros":
            results.append(lowering.filled(lowering.number(0), (*o.rows, *o.cols)))
        else:
            results.append(lowering.lower(root))
    return program, results, []


# --- names --------------------------------------------------------------------------------------------------------------


def ascii_name(name: str) -> str:
    """Greek letters spelled out."""
    return "".join(_ASCII.get(c, c) for c in name)


def callable_name(name: str, way: object) -> str:
    """What the argument for an unknown function, or a derivative of it, is called: f, df, d2f; g, grad_g, jac_grad_g."""
    if isinstance(way, int):
        return name if not way else f"d{name}" if way == 1 else f"d{way}{name}"
    marks = str(way)
    if marks.startswith("'"):
        return f"d{name}" if len(marks) == 1 else f"d{len(marks)}{name}"
    return "".join(WORDS[m] for m in marks) + name


FUNCTIONS = ("value", "derivative", "value_and_derivative", "hvp", "compressed")
PYTHON = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *FUNCTIONS}
PYTHON |= {"np", "jnp", "jax", "torch", "special", "scipy", "math", "warnings"}


class Names(NamedTuple):
    """What things are called in the code."""

    inputs: dict[str, str]
    callables: dict[tuple[str, object], str]
    sizes: dict[str, str]
    renamed: list[str]

    @property
    def taken(self) -> set[str]:
        """Every name in use."""
        return {*self.inputs.values(), *self.callables.values(), *self.sizes.values()}


def names_for(plan: Plan, kept: set[str]) -> Names:
    """Names that the language takes and that are all different; `kept` are those it keeps for itself."""
    taken: set[str] = set(kept)
    renamed: list[str] = []

    def fresh(wanted: str, shown: str) -> str:
        name = ascii_name(wanted)
        while name in taken:
            name += "_"
        taken.add(name)
        if name != shown and name.endswith("_"):
            renamed.append(f"{shown} is {name}")
        return name

    inputs = {v.data[0]: fresh(v.data[0], v.data[0]) for v in plan.variables}
    for f in plan.functions:
        if f.direction:
            inputs[f.direction] = fresh(f.direction, f.direction)
    callables = {
        (name, way): fresh(callable_name(name, way), callable_name(ascii_name(name), way))
        for name, way in plan.callables
    }
    sizes = {name: fresh(name, name) for name in (*plan.sizes, *plan.indices)}
    sizes |= {v.data[0]: inputs[v.data[0]] for v in plan.variables if v.is_scalar}
    return Names(inputs, callables, sizes, renamed)


def found_sizes(plan: Plan) -> dict[str, tuple[str, int, int]]:
    """Where each size is seen: the variable, the axis, and what is added to the size there."""
    found: dict[str, tuple[str, int, int]] = {}
    for offset in (False, True):
        for v in plan.variables:
            for axis, dim in enumerate(shape_of(v)):
                if isinstance(dim, str) and not offset:
                    found.setdefault(dim, (v.data[0], axis, 0))
                elif isinstance(dim, Poly) and offset:
                    atoms = dim_atoms(dim)
                    if (
                        len(atoms) == 1
                        and dim.terms.get((atoms[0],)) == 1
                        and set(dim.terms) <= {(atoms[0],), ()}
                    ):
                        found.setdefault(
                            str(atoms[0]), (v.data[0], axis, int(dim.terms.get((), 0)))
                        )
    return found


class Asked(NamedTuple):
    """The arguments of a module's functions: where sizes are seen, and which sizes and entries are arguments themselves."""

    found: dict[str, tuple[str, int, int]]
    sizes: list[str]
    names: list[str]


def arguments_of(plan: Plan, names: Names) -> Asked:
    """The arguments: variables, sizes that no variable shows, unknown functions."""
    found = {name: place for name, place in found_sizes(plan).items() if name in plan.sizes}
    sizes = [s for s in (*plan.sizes, *plan.indices) if s not in found]
    shown = [names.inputs[v.data[0]] for v in plan.variables]
    shown += [names.sizes[s] for s in sizes]
    shown += names.callables.values()
    return Asked(found, sizes, shown)


# --- documentation ------------------------------------------------------------------------------------------------------


def documentation(plan: Plan, names: Names, asked: Asked, language: str) -> list[str]:
    """What a module says about itself: the formula, each argument, what was renamed and assumed."""
    lines = [
        f"y = {plan.text} and its derivative by {', '.join(v.data[0] for v in plan.wrt)}.",
        "",
    ]
    if plan.answer:
        lines += [*_wrapped(f"derivative: {plan.answer}"), ""]
    for v in plan.variables:
        lines.append(f"{names.inputs[v.data[0]]}: {_described(v, language)}")
    for s in asked.sizes:
        what = "an entry, counted from 1" if s in plan.indices else "a size"
        lines.append(f"{names.sizes[s]}: {what}")
    for (name, way), shown in names.callables.items():
        lines += _wrapped(f"{shown}: {_callable_words(name, way)}")
    for f in plan.functions:
        if f.direction:
            lines.append(
                f"{names.inputs[f.direction]} (of hvp): a direction, of the shape of {plan.wrt[0].data[0]}"
            )
    if names.renamed:
        lines += _wrapped(
            f"Renamed, because {language} keeps the name: {', '.join(names.renamed)}."
        )
    for assumption in plan.assumptions:
        lines += _wrapped(f"Assuming that {assumption}.")
    return [*lines, "", f"Written by matgrad {__version__}."]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 96, subsequent_indent="    ", break_long_words=False) or [text]


def _described(v: Expr, language: str) -> str:
    """`spd matrix, shape (n, n)`."""
    words = " ".join(sorted(v.data[1])) + " " if v.data[1] else ""
    if v.is_scalar:
        return f"{words}number"
    dims = [v.shape.rows, v.shape.cols] if language == "MATLAB" else shape_of(v)
    inner = ", ".join(dim_text(d) for d in dims)
    return f"{words}{v.shape.kind}, shape ({inner}{',' if len(dims) == 1 else ''})"


def _callable_words(name: str, way: object) -> str:
    if isinstance(way, int):
        order = (
            "" if not way else f"derivative number {way} of " if way > 1 else "the derivative of "
        )
        return f"a function of an array, entry by entry: {order}{name}"
    if not way:
        return f"a function: {name}"
    return (
        f"a function: the derivative {way}{name}; a Jacobian is a matrix with a row for each entry of the value"
        " and a column for each entry of the argument, both in the order of stacked columns"
    )


# --- helpers ------------------------------------------------------------------------------------------------------------


class Helpers(NamedTuple):
    """Functions copied from a file of helpers: their source, and the imports they need."""

    source: str
    imports: list[str]


def helpers(file: str, wanted: set[str]) -> Helpers:
    """The functions of a file of helpers, with those they call, under names that begin with an underscore."""
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    tree = ast.parse(text)
    parts: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            parts[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            parts[node.targets[0].id] = node
    chosen: set[str] = set()
    todo = list(wanted)
    while todo:
        name = todo.pop()
        if name in chosen or name not in parts:
            continue
        chosen.add(name)
        todo += [n.id for n in ast.walk(parts[name]) if isinstance(n, ast.Name)]
    chosen.discard("Array")
    imports: dict[str, None] = {}
    rename = {name: name if name.startswith("_") else f"_{name}" for name in chosen}
    texts = []
    for name, node in parts.items():
        if name not in chosen:
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                imports[ast.unparse(inner)] = None
        texts.append(ast.unparse(ast.fix_missing_locations(_Copied(rename).visit(node))))
    return Helpers("\n\n\n".join(texts), list(imports))


class _Copied(ast.NodeTransformer):
    """A helper as it stands in a module: without annotations and imports, under its other name."""

    def __init__(self, rename: dict[str, str]) -> None:
        self.rename = rename

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.rename.get(node.name, node.name)
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.rename.get(node.id, node.id)
        return node
