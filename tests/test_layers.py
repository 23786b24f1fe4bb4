"""The order of the modules: each imports from those above it only, in functions too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import matgrad

PACKAGE = Path(matgrad.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# The way of the data, from the top. A package stands for all of its modules.
ORDER = [
    "errors",
    "timer",
    "statements",
    "dims",
    "expr",
    "maps",
    "definitions",
    "functions",
    "rules",
    "steps",
    "slips",
    "latex_input",
    "grammar_tables",
    "lalr",
    "parse",
    "shapes",
    "scalar_calculus",
    "properties",
    "rulebook",
    "rewrite",
    "structure",
    "differential",
    "trace_form",
    "simplification",
    "chain_rule",
    "render",
    "emit",
    "verify",
    "derive",
    "data",
    "evaluate",
    "simplified",
    "edits",
    "claims",
    "diagnose",
    "usercode",
    "verdict",
    "files",
    "cli",
    "pytest_plugin",
    "__main__",
]
# The package itself holds the version, which anyone may read; it loads the engine when that is asked for.
ROOT = "__init__"
EXCEPTIONS = {
    (ROOT, "derive"),
    (ROOT, "errors"),
    (ROOT, "evaluate"),
    (ROOT, "simplified"),
    (ROOT, "verdict"),
}
# Names for type checkers only, never imported when the program runs.
FOR_TYPES_ONLY = {
    (ROOT, "derive"),
    (ROOT, "errors"),
    (ROOT, "evaluate"),
    (ROOT, "simplified"),
    (ROOT, "verdict"),
    ("render.numbers", "evaluate"),
    ("render.report", "derive"),
    ("render.report", "simplified"),
    ("render.simplified", "simplified"),
    ("cli", "simplified"),
    ("render.verdicts", "files"),
    ("render.verdicts", "verdict"),
    ("cli", "derive"),
    ("emit.module", "derive"),
    ("emit.module", "shapes"),
    ("emit.matlab", "derive"),
    ("emit.python", "derive"),
    ("cli", "files"),
    ("pytest_plugin", "statements"),
}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(path: Path) -> list[tuple[str, int, bool]]:
    """Every module that a file imports, anywhere, with the line and whether it is for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    quiet = {id(n) for block in ast.walk(tree) if is_type_checking(block) for n in ast.walk(block)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno, id(node) in quiet) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = full.removeprefix("matgrad.") in FILES
                found.append((full if is_module else node.module, node.lineno, id(node) in quiet))
    return found


def layer(module: str) -> int:
    """The place of a module of matgrad, named without `matgrad.`."""
    return -1 if module == ROOT else ORDER.index(module.partition(".")[0])


def inner_imports(name: str) -> list[tuple[str, int, bool]]:
    """The modules of matgrad that one imports, named without `matgrad.`; the package itself is ROOT."""
    return [
        (ROOT if module == "matgrad" else module.removeprefix("matgrad."), line, quiet)
        for module, line, quiet in imports(FILES[name])
        if module == "matgrad" or module.startswith("matgrad.")
    ]


def test_every_module_has_a_place() -> None:
    assert {name.partition(".")[0] for name in FILES} - {ROOT} == set(ORDER)


@pytest.mark.parametrize("name", FILES)
def test_imports_go_upwards(name: str) -> None:
    own = name.removesuffix(".__init__")
    below = [
        f"{own} imports {module} in line {line}"
        for module, line, quiet in inner_imports(name)
        if not quiet
        and layer(module) >= layer(own)
        and module.partition(".")[0] != own.partition(".")[0]
        and (own, module) not in EXCEPTIONS
    ]
    assert below == []


def test_no_exception_is_superfluous() -> None:
    used = {(n, m) for n in FILES for m, _, quiet in inner_imports(n) if not quiet}
    assert used >= EXCEPTIONS


def test_imports_for_types_are_listed() -> None:
    assert {(n, m) for n in FILES for m, _, quiet in inner_imports(n) if quiet} == FOR_TYPES_ONLY


def test_modules_of_a_package_do_not_go_round() -> None:
    """Among the modules of one package there is an order too."""
    for package in ("render", "emit"):
        inside = {n for n in FILES if n.startswith(f"{package}.")}
        uses = {n: {m for m, _, _ in inner_imports(n)} & inside for n in inside}
        while ready := {n for n, needed in uses.items() if not needed}:
            uses = {n: needed - ready for n, needed in uses.items() if n not in ready}
        assert uses == {}


# Who may import what from outside.
OUTSIDE = {
    "click": {"cli"},
    "rich": {"cli"},
    "numpy": {
        "verify",
        "emit.numpy",
        "emit.support",
        "emit.support_jax",
        "emit.support_torch",
        "data",
        "evaluate",
        "claims",
        "diagnose",
        "usercode",
    },
    "pytest": {"pytest_plugin"},
    "sympy": {"scalar_calculus"},
}


@pytest.mark.parametrize("library", OUTSIDE)
def test_library_is_used_in_its_place_only(library: str) -> None:
    users = {
        name
        for name, path in FILES.items()
        for module, _, _ in imports(path)
        if module.partition(".")[0] == library
    }
    assert users <= OUTSIDE[library]
    assert users


HEAVY = {"numpy", "scipy", "sympy", "rich"}
# What emitted code calls: only loaded by the function that runs such code.
RUN_TIME = {"emit.support", "emit.support_jax", "emit.support_torch"}


@pytest.mark.parametrize("name", [n for n in FILES if n not in RUN_TIME])
def test_heavy_libraries_are_imported_inside_functions(name: str) -> None:
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    at_once = [n for n in tree.body if not is_type_checking(n)]
    loaded = {
        module.partition(".")[0]
        for node in at_once
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for module in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
    }
    assert loaded & HEAVY == set()
    names = {
        f"{node.module}.{alias.name}".removeprefix("matgrad.")
        for node in at_once
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert names & RUN_TIME == set()


@pytest.mark.parametrize("name", [n for n in FILES if n != "cli"])
def test_only_the_command_line_prints(name: str) -> None:
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    spoken = [
        f"line {node.lineno}"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id in ("print", "input"))
        or (isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr", "echo"))
    ]
    assert spoken == []


def test_errors_imports_nothing() -> None:
    assert {m for m, _, _ in imports(FILES["errors"])} == {"__future__", "typing"}
