"""The README and docs/ say what is so: generated pages, examples, the JSON Schema, the two commands."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def script(name: str) -> ModuleType:
    """A module of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = script("generate")
examples = script("examples")


# --- generated pages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(generate.PAGES))
def test_generated_page_is_not_stale(name: str) -> None:
    """If this fails, run `python docs/generate.py` and look at the difference."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == generate.PAGES[name]()


def test_generate_finds_a_stale_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    page = tmp_path / "rules.md"
    page.write_text(page.read_text(encoding="utf-8") + "more", encoding="utf-8")
    (tmp_path / "functions.md").unlink()
    assert generate.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "rules.md is stale" in said and "functions.md is stale" in said
    assert "json-schema" not in said
    assert generate.main(["--nonsense"]) == 2


# --- examples -----------------------------------------------------------------------------------------------------------

CONSOLE = [block for page in examples.pages() for block in examples.blocks(page, "console")]
PYTHON = [block for page in examples.pages() for block in examples.blocks(page, "pycon")]


def label(block: Any) -> str:
    """`README.md: matgrad diff ...`, for pytest."""
    return f"{block.page.name}: {block.lines[0][:40]}"


def comparable(lines: list[str]) -> list[str]:
    """Lines in which the error that the numeric check measured is not compared: it depends on the machine's arithmetic."""
    return [re.sub(r"(?<=worst relative error )(0|\d+e-\d+)$", "SMALL", line) for line in lines]


@pytest.mark.parametrize("block", CONSOLE, ids=label)
def test_console_example(block: Any) -> None:
    """If this fails because matgrad became better, run `python docs/examples.py` and look at the difference."""
    code = 0
    for example in examples.examples(block):
        printed, code = examples.run(example.command, code)
        assert comparable(example.printed) == comparable([line.rstrip() for line in printed])


def test_there_are_examples() -> None:
    pages = {block.page.name for block in CONSOLE}
    assert {"README.md", "language.md", "functions.md"} <= pages
    assert len(PYTHON) >= 2


def test_comparable_keeps_everything_else() -> None:
    assert comparable(["✓ worst relative error 3e-13"]) == ["✓ worst relative error SMALL"]
    assert comparable(["✓ worst relative error 0.1"]) != comparable(
        ["✓ worst relative error 3e-13"]
    )


@pytest.mark.parametrize("block", PYTHON, ids=label)
def test_python_example(block: Any) -> None:
    text = "\n".join(block.lines) + "\n"
    version = re.search(r">>> sympy.__version__\n'(.*)'", text)
    if version is not None:
        import sympy

        if sympy.__version__ != version[1]:
            pytest.skip(f"the example is about SymPy {version[1]}")
    test = doctest.DocTestParser().get_doctest(text, {}, label(block), str(block.page), 0)
    assert test.examples
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert failed == 0, "".join(said)


def test_an_example_runs_nothing_but_matgrad() -> None:
    with pytest.raises(ValueError, match="not rm"):
        examples.run("rm -rf /")


def test_refresh_writes_what_is_printed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        '- one\n\n  ```console\n  $ matgrad diff "x\'x" -q\n  old\n  $ echo $?\n  ```\n'
        '```console\n$ matgrad diff "x\'A x" --wrt x -q | matgrad diff - --wrt x -q\n```\nend\n',
        encoding="utf-8",
    )
    examples.refresh(page)
    assert page.read_text(encoding="utf-8") == (
        '- one\n\n  ```console\n  $ matgrad diff "x\'x" -q\n  2 x\n  $ echo $?\n  0\n  ```\n'
        "```console\n$ matgrad diff \"x'A x\" --wrt x -q | matgrad diff - --wrt x -q\nA + A'\n```\nend\n"
    )


def test_links_lead_somewhere() -> None:
    for page in [*examples.pages(), ROOT / "CHANGELOG.md"]:
        text = page.read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w-]", "", h.lower().replace(" ", "-"))
            for h in re.findall(r"^#+ (.+)$", text, re.M)
        }
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if target.startswith("http"):
                continue
            path, _, anchor = target.partition("#")
            if path:
                assert (page.parent / path).exists(), f"{page.name}: {target}"
            else:
                assert anchor in headings, f"{page.name}: {target}"


# --- what the pages say about the program -------------------------------------------------------------------------------


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_has_every_option_of_diff() -> None:
    from matgrad.cli import diff

    table = readme().partition("## Options of `matgrad diff EXPR`")[2].partition("\n## ")[0]
    for parameter in diff.params:
        for option in [*parameter.opts, *parameter.secondary_opts]:
            if option.startswith("-") and option != "--check":
                assert f"`{option}" in table, option


def test_readme_has_every_exit_code() -> None:
    from matgrad.errors import MatgradError

    codes = {0, 1}
    todo = [MatgradError]
    while todo:
        cls = todo.pop()
        codes.add(cls.code)
        todo.extend(cls.__subclasses__())
    table = readme().partition("| exit code | meaning |")[2].partition("\n\n")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)} == codes


def test_language_page_has_the_limits() -> None:
    from matgrad.chain_rule import MOST
    from matgrad.derive import MAX_SHOWN, MAX_SIMPLIFIED, MAX_WRITTEN
    from matgrad.expr import LARGE, MAX_NUMBER_BITS
    from matgrad.parse import MAX_LENGTH, MAX_NUMBER_DIGITS
    from matgrad.rewrite import _MAX_TERMS, MAX_FACTORS
    from matgrad.shapes import (
        MAX_KRONECKER,
        MAX_NESTED_POWERS,
        MAX_NESTED_STACKS,
        MAX_POWER,
        MAX_PRODUCT,
        MAX_SIZE,
        MAX_SUM,
    )

    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    section = " ".join(page.partition("## Limits")[2].partition("\n## ")[0].split())
    assert f"at most {MAX_LENGTH:,} characters" in section
    assert f"a number {MAX_NUMBER_DIGITS} digits" in section
    assert f"an exponent of {MAX_POWER:,}" in section
    assert f"a size {MAX_SIZE:,}" in section
    assert f"at most {MAX_NUMBER_BITS:,} bits" in section
    assert f"a product has at most {MAX_PRODUCT:,} factors" in section.lower()
    assert f"at most {MAX_FACTORS} factors" in section
    assert f"a Kronecker product {MAX_KRONECKER}" in section
    assert f"at most {MAX_SUM:,} terms" in section
    assert (
        f"at most {MAX_NESTED_STACKS} deep in each other, and powers {MAX_NESTED_POWERS}" in section
    )
    assert f"{MAX_SIMPLIFIED:,} before it is simplified" in section
    assert f"an answer has {MAX_WRITTEN:,} symbols" in section
    assert f"expressions of up to {MAX_SHOWN:,} symbols" in section
    assert f"An expression of more than {LARGE} symbols" in section
    assert f"more than {MOST} factors move" in section
    assert f"at most {_MAX_TERMS} terms" in section


def tables_of_language() -> list[list[list[str]]]:
    """The tables of docs/language.md: rows of cells, the heading first."""
    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    found = re.findall(r"(?:^\|.*\|\n)+", page, re.M)
    return [
        [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        for table in found
    ]


def test_every_operator_of_the_language_page_is_read() -> None:
    from matgrad.shapes import read

    (table,) = (t for t in tables_of_language() if "level" in t[0][0])
    snippets = [s for row in table[2:] for cell in row[1:3] for s in re.findall("`([^`]+)`", cell)]
    assert len(snippets) > 30
    for snippet in snippets:
        read(snippet)


def test_what_the_language_page_says_has_no_derivative_has_none() -> None:
    """If this fails, matgrad learned something: take the row out of the page."""
    import matgrad
    from matgrad.errors import Unsupported

    (table,) = (t for t in tables_of_language() if "expression" in t[0][0])
    for row in table[2:]:
        expression, wrt = (cell.strip("`") for cell in row[:2])
        with pytest.raises(Unsupported):
            matgrad.diff(expression, wrt, let=re.findall("`([^`]+)`", row[2]))


def test_the_language_page_has_every_kind_of_declaration() -> None:
    from matgrad.shapes import declare

    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    (table,) = (t for t in tables_of_language() if t[0][0] == "declaration")
    for row in table[2:]:
        for text in re.findall("`([^`]+)`", row[0]):
            declare(text)
    written = " ".join(row[0] for row in table)
    from matgrad.shapes import _PLAIN_KINDS, _SQUARE_PROPERTIES

    for word in {*_PLAIN_KINDS, *_SQUARE_PROPERTIES, "positive", "elementwise"} - {"array"}:
        assert word in written, word
    assert "## LaTeX" in page


def test_the_changelog_counts_the_functions() -> None:
    from matgrad.functions import TABLE

    text = " ".join((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    assert f"{len(TABLE)} functions and operators, all of them with their derivatives" in text


def modules_of_architecture() -> list[str]:
    """The modules that docs/architecture.md lists, in its order."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("| module | what it does |")[2].partition("\n\n")[0]
    first_cells = re.findall(r"^\|([^|]*)\|", table, re.M)
    return re.findall(r"`([\w/]+)\.py`", " ".join(first_cells))


def test_architecture_page_names_every_module() -> None:
    package = ROOT / "matgrad"
    present = {p.relative_to(package).with_suffix("").as_posix() for p in package.rglob("*.py")}
    named = modules_of_architecture()
    assert sorted(named) == sorted(p for p in present if not p.rpartition("/")[2].startswith("__"))


def test_a_module_imports_only_from_those_above_it() -> None:
    """As docs/architecture.md says. Imports for type checkers only are left out."""
    order = modules_of_architecture()
    for place, name in enumerate(order):
        tree = ast.parse((ROOT / "matgrad" / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("matgrad"):
                base = (node.module or "").split(".")[1:]
                wanted = {"/".join(base), *("/".join([*base, a.name]) for a in node.names)}
                assert wanted & set(order) <= set(order[:place]), f"{name} imports {wanted}"


# --- the two commands ---------------------------------------------------------------------------------------------------


def commands() -> list[str]:
    section = readme().partition("## Two commands\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)\n```$", section, re.M | re.S)


def test_readme_has_two_commands_of_one_line() -> None:
    first, second = commands()
    for command in (first, second):
        assert "\n" not in command
        assert command.startswith("python3 -m venv .venv")
        assert "sudo" not in command and "--break-system-packages" not in command
    assert first.endswith("""matgrad diff "tr(X*B*X')" --wrt X""")
    assert "pip install --quiet -e '.[test]'" in second and second.endswith("pytest")


def test_ci_runs_the_commands_of_the_readme() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "test_command=$(readme_command 2)" in text and 'bash -c "$test_command"' in text
    assert "main_command=$(readme_command 1)" in text and 'bash -c "$main_command"' in text
    assert 'inside = ($0 == "## Two commands")' in text
    for needed in (
        "--cov-fail-under=95",
        "ruff",
        "format --check",
        "mypy",
        "--strict matgrad",
        "docs/generate.py --check",
        "pip wheel",
    ):
        assert needed in text, needed


# --- JSON ---------------------------------------------------------------------------------------------------------------

SCHEMA = json.loads((ROOT / "docs" / "json-schema.json").read_text(encoding="utf-8"))

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description"}


def problems(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """What keeps a value from being valid. Knows the keywords of JSON Schema that ours uses, and refuses others."""
    found: list[str] = []
    for keyword, wanted in schema.items():
        if keyword in ANNOTATIONS:
            continue
        if keyword == "$ref":
            found += problems(value, SCHEMA["$defs"][wanted.removeprefix("#/$defs/")], at)
        elif keyword == "type":
            right = isinstance(value, TYPES[wanted])
            if isinstance(value, bool) and wanted != "boolean":
                right = False
            if not right:
                found.append(f"{at} is no {wanted}")
        elif keyword == "enum":
            if value not in wanted:
                found.append(f"{at} is {value!r}, not one of {wanted}")
        elif keyword == "oneOf":
            choices = [problems(value, choice, at) for choice in wanted]
            if sum(not c for c in choices) != 1:
                found.append(f"{at} fits not exactly one choice: {choices}")
        elif keyword == "properties":
            for name, inner in wanted.items():
                if isinstance(value, dict) and name in value:
                    found += problems(value[name], inner, f"{at}.{name}")
        elif keyword == "required":
            if isinstance(value, dict):
                found += [f"{at}.{name} is missing" for name in wanted if name not in value]
        elif keyword == "additionalProperties":
            for name in value if isinstance(value, dict) else ():
                if name in schema.get("properties", {}):
                    continue
                if wanted is False:
                    found.append(f"{at}.{name} is not described")
                else:
                    found += problems(value[name], wanted, f"{at}.{name}")
        elif keyword == "items":
            for i, item in enumerate(value if isinstance(value, list) else ()):
                found += problems(item, wanted, f"{at}[{i}]")
        elif keyword == "minItems":
            if isinstance(value, list) and len(value) < wanted:
                found.append(f"{at} has fewer than {wanted} items")
        elif keyword == "maxItems":
            if isinstance(value, list) and len(value) > wanted:
                found.append(f"{at} has more than {wanted} items")
        elif keyword == "minLength":
            if isinstance(value, str) and len(value) < wanted:
                found.append(f"{at} is shorter than {wanted}")
        elif keyword == "minimum":
            if isinstance(value, (int, float)) and not value >= wanted:
                found.append(f"{at} is less than {wanted}")
        elif keyword == "pattern":
            if isinstance(value, str) and not re.search(wanted, value):
                found.append(f"{at} does not match {wanted}")
        else:
            raise NotImplementedError(keyword)
    return found


def json_of(arguments: list[str]) -> tuple[Any, int]:
    """The object that a command prints on standard output, read strictly, and the exit code."""
    from click.testing import CliRunner

    from matgrad.cli import main

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    result = CliRunner().invoke(main, ["diff", *arguments, "--to", "json"])
    return json.loads(result.stdout, parse_constant=refuse), result.exit_code


@pytest.mark.parametrize(
    "arguments",
    [
        ["tr(X*B*X')", "--wrt", "X"],
        ["x'x"],
        ["A*x", "--wrt", "x", "--layout", "denominator"],
        ["x'A x", "--wrt", "x", "--order", "2"],
        ["x'A x", "--wrt", "x", "--from-definition"],
        ["ln det X", "--from-definition"],
        ["det(X)"],
        ["c^3"],
        ["[x^2; x^3]", "--let", "x: scalar"],
        ["x[1]^2 + 3*x[2]^4", "--let", "x: vector(2)"],
        ["δ' f(x)", "--wrt", "x", "--let", "f: elementwise", "--let", "δ: vector"],
        ["sum([x; y])", "--wrt", "x"],
        ["x'S x", "--wrt", "x", "--let", "S: spd(n)", "--no-check"],
        ["sum(tanh(W*x + b))", "--wrt", "W", "--steps", "none"],
        ["x'Ax", "--wrt", "x", "--seed", "7"],
        ["\\frac{1}{2} x^\\top A x", "--wrt", "x"],
        ["c*sum(i=1:n, x[i]^2)", "--wrt", "c", "--let", "x: vector(n)"],
        ["f(c)", "--wrt", "c", "--let", "f(t) = t^2*exp(-t)"],
        ["A:B + sum(A)/rows(A)", "--wrt", "A"],
    ],
    ids=lambda a: " ".join(a),
)
def test_json_answer_fits_the_schema(arguments: list[str]) -> None:
    value, code = json_of(arguments)
    assert problems(value, SCHEMA) == []
    assert problems(value, SCHEMA["$defs"]["answer"]) == []
    assert (value["check"] is None) == ("--no-check" in arguments)
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["x'*(A"], "syntax", 2),
        (["foo*x", "--wrt", "x"], "name", 2),
        (["x*x"], "shape", 2),
        (["x'y"], "usage", 2),
        (["tr(X^k)", "--wrt", "k"], "unsupported", 3),
        (["tr(X^10001)"], "limit", 4),
        (["x'x", "--let", "x: vectr"], "name", 2),
        (["x'x", "--nonsense"], "usage", 2),
        (["foo'*bar"], "name", 2),
        (["x'x*2^5000"], "limit", 4),
        (["\\foo{x}"], "syntax", 2),
    ],
    ids=lambda a: " ".join(a) if isinstance(a, list) else str(a),
)
def test_json_error_fits_the_schema(arguments: list[str], kind: str, code: int) -> None:
    value, left = json_of(arguments)
    assert problems(value, SCHEMA) == []
    assert value["error"]["code"] == kind
    assert left == code
    assert ("others" in value) == (arguments == ["foo'*bar"])


def test_schema_names_every_kind_of_error() -> None:
    kinds = SCHEMA["$defs"]["problem"]["properties"]["code"]["enum"]
    assert {"usage", "syntax", "name", "shape", "unsupported", "limit", "bug"} <= set(kinds)


def test_the_validator_finds_faults() -> None:
    value, _ = json_of(["x'x"])
    faults: list[tuple[str, Any]] = [
        ("wrt", 3),
        ("order", 0),
        ("order", True),
        ("layout", "sideways"),
        ("matgrad", "one"),
        ("check", {"ok": True}),
        ("variables", {"x": {**value["variables"]["x"], "shape": ["n", "n", "n"]}}),
        ("variables", {"x": {**value["variables"]["x"], "shape": [""]}}),
        ("steps", [{"text": "dy"}]),
        ("surprise", 1),
    ]
    for name, wrong in faults:
        assert problems({**value, name: wrong}, SCHEMA) != [], name
    assert problems({k: v for k, v in value.items() if k != "steps"}, SCHEMA) != []
    with pytest.raises(NotImplementedError):
        problems(value, {"contains": 1})
