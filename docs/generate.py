"""Write the pages that are made from matgrad's tables: rules.md, functions.md and json-schema.json.

python docs/generate.py            rewrite them
python docs/generate.py --check    change nothing; exit 1 if one of them is stale
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))  # the tables of this checkout, whatever is installed

from matgrad import __version__, diff  # noqa: E402
from matgrad.diagnose import KINDS  # noqa: E402
from matgrad.errors import MatgradError, Unsupported  # noqa: E402
from matgrad.functions import BY_NAME, CONSTANTS, OPERATOR_NAMES, TABLE, Constant, Function  # noqa: E402
from matgrad.render.text import render  # noqa: E402
from matgrad.rulebook import Entry, entries  # noqa: E402
from matgrad.shapes import read  # noqa: E402
from matgrad.trace_form import LAYOUTS  # noqa: E402

HEAD = "<!-- Made by `python docs/generate.py` from {source}. Change that, not this page. -->"

STAGES = {
    "differential": (
        "Differentials",
        "d() moves inward, from the whole expression to the variable. The rules named `d:…` are"
        " the differentials of the functions in [functions.md](functions.md).",
    ),
    "definition": (
        "From the definition",
        "What `--from-definition` uses for an expression that is a polynomial in the variable.",
    ),
    "trace": (
        "To trace form",
        "dX moves to the end of each term. `transposes` also serves everywhere else.",
    ),
    "vector": ("Vectors", "dx moves to the end of a term that is itself a vector."),
    "collect": ("Collecting and reading off", "What stands before dX is the derivative."),
    "simplify": (
        "Simplification",
        "Each of these lowers the cost of an expression or moves it to the normal form"
        " (see [architecture.md](architecture.md)).",
    ),
}

# How the names of operators are called.
CALLS = {
    "dot": "dot(x, y)",
    "inner": "inner(x, y)",
    "outer": "outer(x, y)",
    "solve": "solve(A, b)",
    "square": "square(x)",
    "kron": "kron(A, B)",
}


# --- the rule book ------------------------------------------------------------------------------------------------------


def rules_page() -> str:
    """docs/rules.md: every rule with its statement, conditions, words, source and proof."""
    book = entries()
    missing = {e.stage for e in book.values()} - set(STAGES)
    if missing:
        raise SystemExit(f"docs/generate.py has no heading for the stage {', '.join(missing)}")
    parts = [
        HEAD.format(source="matgrad/rules.py and matgrad/functions.py"),
        "# The rules",
        f"The {len(book)} rules that derivations are made of. A statement is written in matgrad's"
        " own language and is what the engine applies; it holds for all values of its names that"
        " have the shapes and properties after *where*. The words after *shown as* stand beside a"
        " step. `matgrad rules NAME` prints one of them.",
    ]
    for stage, (title, about) in STAGES.items():
        parts += [f"## {title}", about]
        parts += [rule_section(e) for e in book.values() if e.stage == stage]
    return "\n\n".join(parts) + "\n"


def rule_section(e: Entry) -> str:
    """One rule."""
    left, _, right = e.statement.partition(" -> ")
    lines = [
        f"### {e.name}",
        "",
        "```text",
        f"{left} = {right}",
        "```",
        "",
        f"- where: {code(e.where)}",
        f"- shown as: {e.because}",
        f"- source: {e.source}",
    ]
    if e.proof:
        steps = [line.partition(" | ") for line in e.proof]
        width = min(max(len(formula) for formula, _, _ in steps), 60)
        lines += ["- proof:", "", "  ```text"]
        lines += [f"  {formula:{width}}   {why}".rstrip() for formula, _, why in steps]
        lines.append("  ```")
    else:
        lines.append("- proof: none; it follows from the definitions")
    return "\n".join(lines)


# --- the function table -------------------------------------------------------------------------------------------------


def functions_page() -> str:
    """docs/functions.md: what is known about each function and operator of the table."""
    functions = list(TABLE.values())
    rows = [
        "| | typed as | signature | differential | checked where |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| [{f.op}](#{anchor(f.op)}) | {typed_as(f)} | {code(f.signature)}"
        f" | {code(f.differential)} | {f.domain.replace('_', ' ')} |"
        for f in functions
    ]
    parts = [
        HEAD.format(source="matgrad/functions.py"),
        "# The functions",
        f"The {len(functions)} functions and operators of the table, each with its differential, beside"
        " sums, products, indexing and stacking, whose differentials are rules of"
        " [rules.md](rules.md). `array` is a scalar, vector, row or matrix: such a function works"
        " entry by entry, or on all entries. *Checked where* says which arguments the tests of"
        " the table evaluate it at.",
        "\n".join(rows),
    ]
    rows = ["| typed as | shape | | in LaTeX |", "| --- | --- | --- | --- |"]
    rows += [constant_row(c, text) for c in CONSTANTS.values() for text in c.signatures]
    parts += [
        "## Constants with sizes",
        "A size is a number, a name, a sum or product of those, or `rows(X)`, `cols(X)`, `len(x)`."
        " A variable may be called K, D or L all the same: the constant is meant where a bracket with"
        " sizes follows directly.",
        "\n".join(rows),
    ]
    rows = ["| typed as | is |", "| --- | --- |"]
    rows += [
        f"| {code(CALLS[name])} | {code(render(read(CALLS[name]).expr))} |"
        for name in OPERATOR_NAMES
        if name not in BY_NAME
    ]
    parts += [
        "## Names of operators",
        "These are read as operators that stand above, and printed as those.",
        "\n".join(rows),
    ]
    parts += ["## One by one", *(function_section(f) for f in functions)]
    return "\n\n".join(parts) + "\n"


def constant_row(c: Constant, text: str) -> str:
    """One way to give a constant its sizes."""
    sizes, _, shape = text.partition(" -> ")
    typed = f"{c.name}({sizes.replace(': size', '')})"
    return f"| {code(typed)} | {code(shape)} | {c.about} | {code(written(c.latex))} |"


def function_section(f: Function) -> str:
    """One function, with its example differentiated."""
    forms = dict.fromkeys((code(written(f.plain)), code(written(f.unicode))))
    lines = [
        f"### {f.op}",
        "",
        f.about,
        "",
        f"- printed: {' or '.join(forms)}; in LaTeX {code(written(f.latex))}",
        f"- NumPy: `{f.numpy}`",
        f"- source: {f.source}",
    ]
    if f.assumes:
        lines.append(f"- its differential assumes that the argument is {f.assumes}")
    if f.nonsmooth:
        lines.append(f"- {f.nonsmooth}")
    return "\n".join([*lines, *example(f)])


def example(f: Function) -> list[str]:
    """The lines of a function's example, with its derivative."""
    wrt = "X" if "X" in f.example else "x"
    let = ("x: scalar",) if "x: scalar" in f.signature else ()
    try:
        answer = diff(f.example, wrt, let=let, check=False)
    except Unsupported:
        return [f"- example: {code(f.example)} (no derivative yet)"]
    declared = "".join(f' --let "{d}"' for d in let)
    command = f'$ matgrad diff "{f.example}" --wrt {wrt}{declared} -q'
    notes = [f"  note: {note}" for note in answer.notes]
    return ["- example:", "", "  ```console", f"  {command}", f"  {answer}", *notes, "  ```"]


def anchor(heading: str) -> str:
    """What a link to a heading says after `#`."""
    return re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))


def typed_as(f: Function) -> str:
    """The names before a bracket, or the operator."""
    return ", ".join(code(name) for name in f.names) if f.names else code(written(f.plain))


def written(form: str) -> str:
    """A printed form without the marks around its arguments: `<X^>'` is `X'`."""
    return form.replace("^>", ">").replace("<", "").replace(">", "")


def code(text: str) -> str:
    """Text in the type of code, fit for a table."""
    return "`" + text.replace("|", "\\|") + "`"


# --- JSON Schema --------------------------------------------------------------------------------------------------------


def error_kinds() -> list[str]:
    """The kinds of every error that matgrad raises, from its classes."""
    kinds: set[str] = set()
    todo = list(MatgradError.__subclasses__())
    while todo:
        cls = todo.pop()
        kinds.add(cls.kind)
        todo.extend(cls.__subclasses__())
    return sorted(kinds)


def record(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object with exactly these members."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def listed(item: dict[str, Any]) -> dict[str, Any]:
    """The schema of a list."""
    return {"type": "array", "items": item}


def json_schema() -> str:
    """docs/json-schema.json: what `--to json` prints."""
    text = {"type": "string"}
    count = {"type": "integer", "minimum": 0}
    version = {"type": "string", "pattern": "^[0-9]+[.][0-9]+[.][0-9]+"}
    dimension = {
        "description": "a size: a number, or a name or formula such as n or m + n",
        "oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "minLength": 1}],
    }
    variable = record(
        {
            "kind": {"enum": ["scalar", "vector", "row", "matrix"]},
            "shape": {**listed(dimension), "maxItems": 2},
            "properties": listed(text),
            "declared": {
                "type": "boolean",
                "description": "false: the kind was found from the name and the expression",
            },
        }
    )
    step = record(
        {
            "text": text,
            "latex": text,
            "rule": {"type": "string", "pattern": "^(d:)?[A-Za-z0-9-]+$"},
            "statement": {"type": "string", "description": "the rule, in matgrad's language"},
            "because": text,
        }
    )
    check = record(
        {
            "ok": {"type": "boolean"},
            "points": count,
            "worst_relative_error": {"type": "number", "minimum": 0},
            "seed": {"type": "integer"},
        }
    )
    formula = record({"text": text, "matgrad": text, "latex": text, "shape": text})
    formula["properties"]["where"] = {
        "description": "what the names of long subexpressions in it stand for; left out if there are none",
        **listed(record({"name": text, "text": text, "matgrad": text, "latex": text})),
        "minItems": 1,
    }
    answer = record(
        {
            "matgrad": version,
            "expression": text,
            "wrt": text,
            "order": {"type": "integer", "minimum": 1},
            "layout": {"enum": list(LAYOUTS)},
            "variables": {"type": "object", "additionalProperties": {"$ref": "#/$defs/variable"}},
            "derivative": formula,
            "steps": listed({"$ref": "#/$defs/step"}),
            "check": {
                "description": "null with --no-check",
                "oneOf": [{"$ref": "#/$defs/check"}, {"type": "null"}],
            },
            "assumptions": listed(text),
            "notes": listed(text),
        }
    )
    span = record({"start": count, "end": count})
    problem = record(
        {
            "code": {"enum": error_kinds()},
            "message": text,
            "span": {
                "description": "character offsets in the text at fault, or null",
                "oneOf": [{"$ref": "#/$defs/span"}, {"type": "null"}],
            },
            "help": text,
        }
    )
    failure = record({"matgrad": version, "error": {"$ref": "#/$defs/problem"}})
    failure["properties"]["others"] = {
        "description": "what else is wrong with the same input; left out if nothing is",
        **listed({"$ref": "#/$defs/problem"}),
        "minItems": 1,
    }
    nothing = {"type": "null"}
    maybe_text = {"oneOf": [text, nothing]}
    simplification = record(
        {
            "matgrad": version,
            "expression": text,
            "variables": answer["properties"]["variables"],
            "simplified": formula,
            "steps": listed({"$ref": "#/$defs/step"}),
            **{key: answer["properties"][key] for key in ("check", "assumptions", "notes")},
        }
    )
    verdict = record(
        {
            "matgrad": version,
            "verdict": {"enum": ["right", "wrong"]},
            "expression": text,
            "wrt": text,
            "order": {"type": "integer", "minimum": 1},
            "layout": {"enum": list(LAYOUTS)},
            "claim": {"type": "string", "description": "the formula, or the name of the code"},
            "code": {"type": "boolean"},
            "derivative": formula,
            "points": count,
            "worst_relative_error": {
                "description": "null where the claim has another shape, or no value",
                "oneOf": [{"type": "number", "minimum": 0}, nothing],
            },
            "normal_forms": {"enum": ["equal", "different", "open"]},
            "assumptions": listed(text),
            "message": {"type": "string", "description": "what is wrong, in one line"},
            "diagnoses": {
                "description": "the ways in which the claim may have gone wrong, the simplest first",
                **listed(
                    record(
                        {
                            "kind": {"enum": sorted(KINDS)},
                            "message": text,
                            "repaired": maybe_text,
                        }
                    )
                ),
            },
            "shape": maybe_text,
            "failure": maybe_text,
            "counterexample": {
                "description": "numbers: a scalar as one, a vector as a list, a matrix as a list of rows;"
                " derivative and claim are matrices, a column for a vector",
                "oneOf": [
                    record(
                        {
                            "values": {"type": "object"},
                            "derivative": {"type": "array"},
                            "claim": {"oneOf": [{"type": "array"}, nothing]},
                        }
                    ),
                    nothing,
                ],
            },
            "seed": {"type": "integer"},
            "notes": listed(text),
        }
    )
    checked = record(
        {
            "matgrad": version,
            "statements": listed(
                record(
                    {
                        "file": text,
                        "line": {"type": "integer", "minimum": 1},
                        "statement": text,
                        "status": {"enum": ["ok", "wrong", "error"]},
                        "message": text,
                        "seconds": {"type": "number", "minimum": 0},
                        "verdict": {"oneOf": [{"$ref": "#/$defs/verdict"}, nothing]},
                        "error": {"oneOf": [{"$ref": "#/$defs/problem"}, nothing]},
                    }
                )
            ),
            "summary": record({"ok": count, "wrong": count, "error": count}),
        }
    )
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:matgrad:json:{__version__}",
        "title": f"What matgrad {__version__} prints with --to json",
        "description": "Made by `python docs/generate.py`. One object: an answer, a simplification, what went"
        " wrong (the exit code is then not 0), the verdict on a claim, or those on the statements of files.",
        "oneOf": [
            {"$ref": f"#/$defs/{name}"}
            for name in ("answer", "simplification", "failure", "verdict", "checked")
        ],
        "$defs": {
            "answer": answer,
            "simplification": simplification,
            "failure": failure,
            "verdict": verdict,
            "checked": checked,
            "problem": problem,
            "variable": variable,
            "step": step,
            "check": check,
            "span": span,
        },
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


PAGES = {"rules.md": rules_page, "functions.md": functions_page, "json-schema.json": json_schema}


def stale() -> list[str]:
    """The generated pages that differ from what would be written now."""
    found = []
    for name, make in PAGES.items():
        page = DOCS / name
        if not page.is_file() or page.read_text(encoding="utf-8") != make():
            found.append(name)
    return found


def main(arguments: list[str]) -> int:
    """Write the pages, or look whether they are as they should be."""
    if arguments == ["--check"]:
        old = stale()
        for name in old:
            print(f"docs/{name} is stale: run `python docs/generate.py`", file=sys.stderr)
        return 1 if old else 0
    if arguments:
        print("usage: python docs/generate.py [--check]", file=sys.stderr)
        return 2
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
