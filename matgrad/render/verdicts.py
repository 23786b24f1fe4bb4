"""Verdicts of `matgrad check` as text, JSON and JUnit XML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from matgrad.render.problems import clean
from matgrad.render.report import derivative_label, to_ascii, value_text_of, with_where
from matgrad.render.text import render, shape_label

if TYPE_CHECKING:
    from matgrad.files import Outcome
    from matgrad.verdict import Verdict

MARGIN = 12


# --- numbers ------------------------------------------------------------------------------------------------------------


def numbers_text(value: Any, digits: int = 4) -> str:
    """A number, vector or matrix of numbers in the notation of the language."""
    dimension = getattr(value, "ndim", 0)
    if dimension == 0:
        return _digits(float(value), digits)
    if dimension == 1:
        return "[" + "; ".join(_digits(float(x), digits) for x in value) + "]"
    return matrix_text(value, digits)


def matrix_text(array: Any, digits: int = 4) -> str:
    """A matrix of numbers in the notation of the language; one entry as a number."""
    if array.shape == (1, 1):
        return _digits(float(array[0, 0]), digits)
    return "[" + "; ".join(", ".join(_digits(float(x), digits) for x in row) for row in array) + "]"


def _digits(x: float, digits: int) -> str:
    text = f"{x:.{digits}g}"
    return "0" if text == "-0" else text


def told_apart(a: Any, b: Any) -> tuple[str, str]:
    """Two matrices with as many digits as it takes to see that they differ."""
    for digits in (4, 6, 8, 10, 12, 15):
        first, second = matrix_text(a, digits), matrix_text(b, digits)
        if first != second:
            break
    return first, second


# --- text ---------------------------------------------------------------------------------------------------------------


def verdict_text(v: Verdict, style: str = "unicode") -> str:
    """One line for a right claim; for a wrong one what is wrong with it, the derivative and a counterexample."""
    if v.ok:
        # What is noted of the code belongs to the verdict; the rest was said of the expression.
        own = [n for n in v.notes if v.code and n not in v.derivation.notes]
        return "\n".join([right_line(v, style), *(f"note: {_words(n, style)}" for n in own)])
    d = v.derivation
    cross = "✗" if style == "unicode" else "x"
    lines = [f"{cross} wrong: {_words(summary(v), style)}"]

    def row(label: str, *texts: str) -> None:
        for i, text in enumerate(texts):
            lines.append(f"  {label if i == 0 else '':<{MARGIN}}{text}")

    if v.shape and summary(v) != v.shape:
        row("shape", _words(v.shape, style))
    row("claim", clean(v.claim).strip())
    label = derivative_label(d, style)
    size = shape_label(d.derivative.shape, style)
    right = with_where(d.derivative, d.names, style)
    row("derivative", f"{label} = {right}" + (f"   ({size})" if size else ""))
    if v.diagnosis is not None and v.diagnosis.repaired and v.claim_expr is None:
        row("repaired", v.diagnosis.repaired)
    off = off_text(v)
    if off:
        row("off by", off)
    if v.failure and v.failure != summary(v):
        row("also", _words(v.failure, style))
    for other in v.diagnoses[1:]:
        row("or", _words(other.message, style))
    example = v.counterexample
    if example is not None:
        given = ", ".join(f"{n} = {numbers_text(x)}" for n, x in example.values.items())
        if example.claimed is None:
            true = matrix_text(example.expected)
            row("example", f"{given}:", f"the derivative is {true}, and the claim has no value")
        else:
            true, claimed = told_apart(example.expected, example.claimed)
            row("example", f"{given}:", f"the derivative is {true}", f"the claim is      {claimed}")
    lines += [f"note: {_words(n, style)}" for n in v.notes]
    return "\n".join(lines)


def _words(text: str, style: str) -> str:
    return to_ascii(text) if style == "ascii" else text


def right_line(v: Verdict, style: str = "unicode") -> str:
    """`✓ right: ∂y/∂X = X (B + Bᵀ), at 20 random points`."""
    tick = "✓" if style == "unicode" else "ok:"
    d = v.derivation
    what = with_where(d.derivative, d.names, style)
    under = assumption_words(v, style)
    points = f"{v.points} random point{'s' if v.points != 1 else ''}"
    how = {"equal": f"the same formula, and equal at {points}"}.get(
        v.symbolic, f"equal at {points}"
    )
    if v.precision:
        how += f", to the precision of {v.precision}"
    if not v.points:
        how = "the same formula; no random point was found at which it is defined"
    if v.code:
        return (
            f"{tick} right{under}: {v.claim} computes {derivative_label(d, style)} = {what} ({how})"
        )
    return f"{tick} right{under}: {derivative_label(d, style)} = {what} ({how})"


def assumption_words(v: Verdict, style: str = "unicode") -> str:
    """`, assuming X is invertible`."""
    parts = []
    for name, e in v.assumptions:
        text = render(e, style)
        word = {"nonzero": "≠ 0" if style == "unicode" else "is not 0"}.get(name, f"is {name}")
        parts.append(f"{text} {word}")
    return f", assuming {' and '.join(parts)}" if parts else ""


def summary(v: Verdict) -> str:
    """What is wrong, in one line."""
    if v.diagnosis is not None:
        return v.diagnosis.message
    return v.failure or v.shape or "no known slip explains it"


def off_text(v: Verdict) -> str:
    """How far off the claim is."""
    worst = v.worst_relative_error
    if v.shape or v.failure or not worst or worst == float("inf"):
        return ""
    return f"{value_text_of(worst)} of the largest entry, at the worst of {v.points} random points"


# --- JSON ---------------------------------------------------------------------------------------------------------------


def verdict_object(v: Verdict) -> dict[str, Any]:
    """The verdict as one JSON object (see docs/json-schema.json)."""
    from matgrad import __version__
    from matgrad.render.report import json_derivative

    d = v.derivation
    first = d
    while first.inner is not None:
        first = first.inner
    worst = v.worst_relative_error
    example = v.counterexample
    return {
        "matgrad": __version__,
        "verdict": "right" if v.ok else "wrong",
        "expression": first.typed.text or render(first.expression),
        "wrt": d.wrt.data[0],
        "order": d.order,
        "layout": d.layout,
        "claim": v.claim,
        "code": v.code,
        "derivative": json_derivative(d, d.parts[0]),
        "points": v.points,
        "worst_relative_error": worst if worst < float("inf") else None,
        "normal_forms": v.symbolic,
        "assumptions": [f"{render(e, 'unicode')} is {name}" for name, e in v.assumptions],
        "message": "" if v.ok else summary(v),
        "diagnoses": [
            {"kind": x.kind, "message": x.message, "repaired": x.repaired or None}
            for x in v.diagnoses
        ],
        "shape": v.shape or None,
        "failure": v.failure or None,
        "counterexample": {
            "values": {n: _json_numbers(x) for n, x in example.values.items()},
            "derivative": _json_numbers(example.expected),
            "claim": None if example.claimed is None else _json_numbers(example.claimed),
        }
        if example is not None
        else None,
        "seed": v.seed,
        "notes": list(v.notes),
    }


def _json_numbers(value: Any) -> Any:
    """Numbers as nested lists; what JSON cannot hold as null."""
    listed = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(listed, list):
        return [_json_numbers(x) for x in listed]
    return listed if abs(listed) < float("inf") else None


def verdict_json(v: Verdict, ascii_only: bool = False) -> str:
    """`verdict_object` as text."""
    import json

    return json.dumps(verdict_object(v), ensure_ascii=ascii_only, indent=2)


FORMATS: dict[str, Callable[[Verdict], str]] = {
    "text": verdict_text,
    "ascii": lambda v: verdict_text(v, "ascii"),
    "json": verdict_json,
}


# --- files --------------------------------------------------------------------------------------------------------------


def outcome_lines(o: Outcome, verbose: bool) -> list[str]:
    """`FILE:LINE: ok`, or what is wrong; `verbose` adds the report of a wrong claim, indented."""
    if o.status == "ok":
        return [f"{o.path}:{o.line}: ok{o.message}"]
    lines = [f"{o.path}:{o.line}: {o.status}: {o.message}"]
    if verbose:
        lines += [f"    {line}".rstrip() for line in o.report.splitlines()[1:]]
    return lines


def summary_line(outcomes: Sequence[Outcome]) -> str:
    """`12 statements: 10 ok, 1 wrong, 1 error`."""
    counts = {s: sum(o.status == s for o in outcomes) for s in ("ok", "wrong", "error")}
    parts = [
        f"{n} {s}{'s' if s == 'error' and n > 1 else ''}"
        for s, n in counts.items()
        if n or s == "ok"
    ]
    return f"{len(outcomes)} statement{'s' if len(outcomes) != 1 else ''}: {', '.join(parts)}"


def outcomes_json(outcomes: Sequence[Outcome], ascii_only: bool = False) -> str:
    """Every outcome as one JSON object (see docs/json-schema.json)."""
    import json

    from matgrad import __version__

    body = {
        "matgrad": __version__,
        "statements": [
            {
                "file": o.path,
                "line": o.line,
                "statement": o.text,
                "status": o.status,
                "message": o.message.removeprefix(", "),
                "seconds": round(o.seconds, 3),
                "verdict": o.verdict,
                "error": o.error,
            }
            for o in outcomes
        ],
        "summary": {s: sum(o.status == s for o in outcomes) for s in ("ok", "wrong", "error")},
    }
    return json.dumps(body, ensure_ascii=ascii_only, indent=2)


def outcomes_junit(outcomes: Sequence[Outcome]) -> str:
    """JUnit XML: a test suite for each file, a test case for each statement."""
    from xml.sax.saxutils import escape, quoteattr

    files: dict[str, list[Outcome]] = {}
    for o in outcomes:
        files.setdefault(o.path, []).append(o)
    lines = ['<?xml version="1.0" encoding="utf-8"?>']
    lines.append(f"<testsuites {_counts(outcomes)}>")
    for path, inside in files.items():
        lines.append(f"  <testsuite name={quoteattr(_xml(path))} {_counts(inside)}>")
        for o in inside:
            name = quoteattr(_xml(f"{o.line}: {o.text}"))
            head = (
                f"    <testcase classname={quoteattr(_xml(path))} name={name}"
                f' file={quoteattr(_xml(path))} line="{o.line}" time="{o.seconds:.3f}"'
            )
            if o.status == "ok":
                lines.append(head + "/>")
                continue
            tag = "failure" if o.status == "wrong" else "error"
            message = quoteattr(_xml(o.message))
            lines.append(head + ">")
            lines.append(f"      <{tag} message={message}>{escape(_xml(o.report))}</{tag}>")
            lines.append("    </testcase>")
        lines.append("  </testsuite>")
    lines.append("</testsuites>")
    return "\n".join(lines)


def _counts(outcomes: Sequence[Outcome]) -> str:
    failures = sum(o.status == "wrong" for o in outcomes)
    errors = sum(o.status == "error" for o in outcomes)
    seconds = sum(o.seconds for o in outcomes)
    return f'tests="{len(outcomes)}" failures="{failures}" errors="{errors}" time="{seconds:.3f}"'


def _xml(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(
        c
        if c in "\t\n" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
        else "\ufffd"
        for c in text
    )
