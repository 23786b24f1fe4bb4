"""The reader of statements: `.matgrad` files and the fenced blocks of Markdown."""

from __future__ import annotations

import pytest

from matgrad.statements import Broken, Statement, read_statements


def read(text: str, path: str = "page.md") -> list[Statement | Broken]:
    return list(read_statements(text, path))


def test_markdown() -> None:
    first, second = read(
        "prose: diff x wrt x = 1\n"
        "```matgrad\n"
        "let S: symmetric(n)   # square\n"
        "\n"
        "# a remark\n"
        "diff x'S x wrt x = 2 S x   # (81)\n"
        "let S: matrix(n, n)\n"
        "let f: elementwise\n"
        "```\n"
        "```python\n"
        "diff = 3\n"
        "```\n"
        "```matgrad\n"
        "diff f(x'S x) wrt x = f'(x'S x) (S + S') x\n"
        "```\n"
    )
    assert first == Statement("page.md", 6, ("S: symmetric(n)",), "x'S x", "x", "2 S x", "(81)")
    assert isinstance(second, Statement)
    assert second.line == 14
    assert second.let == ("S: matrix(n, n)", "f: elementwise")
    assert (second.expression, second.claim) == ("f(x'S x)", "f'(x'S x) (S + S') x")


def test_second_derivatives_and_words_of_a_block() -> None:
    twice, mixed, cookbook, layout = read(
        "```matgrad\n"
        "hessian x'x wrt x = 2*eye(n)   # twice\n"
        "diff x'A y wrt x then y = A\n"
        "```\n"
        "```matgrad cookbook\n"
        "let S: symmetric(n)\n"
        "diff tr(S) wrt S = eye(n)\n"
        "```\n"
        "~~~matgrad denominator\n"
        "diff A x wrt x=A'\n"
        "~~~\n"
    )
    assert twice == Statement("page.md", 2, (), "x'x", "x", "2*eye(n)", "twice", 2)
    assert mixed == Statement("page.md", 3, (), "x'A y", "x", "A", "", 2, "y")
    assert isinstance(cookbook, Statement)
    assert isinstance(layout, Statement)
    assert (cookbook.order, cookbook.then, cookbook.structured) == (1, "", "cookbook")
    assert (layout.layout, layout.structured, layout.wrt, layout.claim) == (
        "denominator",
        "",
        "x",
        "A'",
    )
    assert [s.text for s in (twice, mixed, layout) if isinstance(s, Statement)] == [
        "hessian x'x wrt x = 2*eye(n)",
        "diff x'A y wrt x then y = A",
        "diff A x wrt x = A'",
    ]


def test_a_matgrad_file_has_statements_everywhere() -> None:
    items = read("let f(t) = t^2\ndiff f(c) wrt c = 2 c\n", "a.matgrad")
    assert items == [Statement("a.matgrad", 2, ("f(t) = t^2",), "f(c)", "c", "2 c")]
    assert read("diff x'x wrt x = 2 x\n", "a.md") == []


def test_other_blocks_are_left_alone() -> None:
    inside = "````text\n```matgrad\ndiff x wrt x = 1\n```\n````\n```\ndiff x wrt x = 1\n```\n"
    assert read(inside) == []
    assert read("```matgrad-like\nnonsense\n```\n") == []
    (indented,) = read("- item\n  ```matgrad\n  diff x'x wrt x = 2 x\n  ```\n")
    assert isinstance(indented, Statement)
    assert indented.line == 3


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ("dif x wrt x = 1", "write `diff"),
        ("diff x = 1", "by which variable"),
        ("diff x wrt x", "say what it should be"),
        ("let S", "let NAME: KIND"),
        ("x'x", "write `diff"),
        ("diff x wrt x 1", "say what it should be"),
        ("hessian x", "by which variable"),
        ("hessian x wrt x then y = 1", "mixed second derivative"),
    ],
)
def test_broken_lines(line: str, help: str) -> None:
    broken, good = read(f"```matgrad\n{line}\ndiff x'x wrt x = 2 x\n```\n")
    assert isinstance(broken, Broken)
    assert (broken.line, broken.text) == (2, line)
    assert "neither" in broken.problem.message
    assert help in broken.problem.help
    assert isinstance(good, Statement)


def test_an_unknown_word_behind_matgrad() -> None:
    (broken,) = read("```matgrad cook\ndiff x'x wrt x = 2 x\n```\n")
    assert isinstance(broken, Broken)
    assert broken.line == 1
    assert "`cook`" in broken.problem.message
