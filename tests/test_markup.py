"""Reports as Markdown and as HTML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

import matgrad
from matgrad.cli import main
from matgrad.render import markup
from matgrad.render.report import html_report, plain, rows
from matgrad.render.text import MARK_END, MARK_START

EXPRESSIONS = [
    ("tr(X*B*X')", "X", ()),
    ("tr(A*inv(X))", "X", ()),
    ("x'S x", "S", ("S: symmetric(n)",)),
    ("A*X*B", "X", ()),
    ("sum(f(x))", "x", ("f: elementwise",)),
    ("sum(relu(A*x + 1))", "x", ()),
]


def page(fragment: str) -> ElementTree.Element:
    """The fragment as a tree; it is well-formed XML, too."""
    return ElementTree.fromstring(f"<div>{fragment}</div>")


@pytest.mark.parametrize("steps", ["brief", "full", "none"])
@pytest.mark.parametrize(("y", "x", "let"), EXPRESSIONS, ids=[e[0] for e in EXPRESSIONS])
def test_html_says_what_the_text_says(y: str, x: str, let: tuple[str, ...], steps: str) -> None:
    d = matgrad.diff(y, x, let)
    root = page(html_report(d, "unicode", steps))
    said = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    wanted = [
        [row.label, f"= {plain(row.text)}" if row.text else "", row.reason.replace("`", "")]
        for row in rows(d, "unicode", steps)
        if row.label or row.text or row.reason
    ]
    assert said == wanted
    below = ["".join(p.itertext()) for p in root.findall("p")]
    text = d.to("text").splitlines()
    assert below == [line.replace("`", "") for line in text[len(text) - len(below) :]]
    assert below[-1].startswith("✓ agrees")


def test_html_shows_what_changed_and_what_was_checked() -> None:
    d = matgrad.diff("tr(X*B*X')", "X")
    changed = ["".join(m.itertext()) for m in page(d.to("html")).iter("mark")]
    assert "tr(dX B Xᵀ) + tr(X B dXᵀ)" in changed
    result = CliRunner().invoke(
        main, ["diff", "tr(X*B*X')", "--wrt", "X", "--to", "html", "--steps", "full"]
    )
    reasons = ["".join(row[2].itertext()) for row in page(result.stdout).iter("tr")]
    assert sum(reason.startswith("✓ ") for reason in reasons) == len(reasons) - 1


def test_signs_are_escaped() -> None:
    line = ("a<b", f"x {MARK_START}& y{MARK_END}", "`--let 'a<b'`", "✓")
    fragment = markup.html([line, ("", "", "", ""), line], ["a < b & `c`"])
    root = page(fragment)
    assert len(root.findall(".//tbody")) == 2
    assert ["".join(cell.itertext()) for cell in next(root.iter("tr"))] == [
        "a<b",
        "= x & y",
        "✓ --let 'a<b'",
    ]
    assert [m.text for m in root.iter("mark")] == ["& y", "& y"]
    assert [c.text for c in root.iter("code")] == ["--let 'a<b'"] * 2 + ["c"]
    text = markup.markdown("x", ["a_b * c < d but `a_b * c`"])
    assert text == "$$\nx\n$$\n\na\\_b \\* c \\< d but `a_b * c`"


def test_markdown() -> None:
    d = matgrad.diff("x'S x", "S", "S: symmetric(n)")
    text = d.to("markdown")
    assert text.startswith(f"$$\n{d.to('latex')}\n$$\n\n")
    below = text.split("\n$$\n\n")[1].split("\n\n")
    assert (
        below[-1]
        == "✓ agrees with finite differences at 5 random points, worst relative error 3e-13"
    )
    assert below[0].startswith("note: the gradient among symmetric matrices")
    inverse = matgrad.diff("det(X)", "X").to("markdown")
    assert inverse.count("invertible") == 1


def test_simplifications_too() -> None:
    s = matgrad.simplify("A*X*B + A*Y*B")
    assert ["".join(r[1].itertext()) for r in page(s.to("html")).iter("tr")] == [
        "= A X B + A Y B",
        "= A (X + Y) B",
    ]
    assert s.to("markdown").startswith(f"$$\n{s.to('latex')}\n$$\n\n✓ equal at")
    for form in ("html", "markdown"):
        result = CliRunner().invoke(main, ["simplify", "A*X*B + A*Y*B", "--to", form])
        assert result.stdout == s.to(form) + "\n"


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_files_and_plain_terminals(form: str, tmp_path: Path) -> None:
    path = tmp_path / "answer"
    command = ["diff", "x'x", "--to", form]
    result = CliRunner().invoke(main, [*command, "-o", str(path)])
    assert (result.stdout, result.exit_code) == ("", 0)
    assert path.read_text(encoding="utf-8") == matgrad.diff("x'x").to(form) + "\n"
    simple = CliRunner(env={"TERM": "dumb"}).invoke(main, command).stdout
    assert simple.isascii()
    assert "ok: agrees with finite differences" in simple
    assert CliRunner().invoke(main, [*command, "-q"]).stdout == "2 x\n"
