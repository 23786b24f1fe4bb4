"""y to dy: d() is pushed inward, one local equation a node, until it stands on the variables alone."""

from __future__ import annotations

from matgrad import expr as ex
from matgrad import maps
from matgrad.definitions import definition_in, function_in
from matgrad.errors import Unsupported
from matgrad.expr import Expr
from matgrad.functions import TABLE as FUNCTIONS
from matgrad.rewrite import (
    LINEAR,
    PROCEDURES,
    Recorder,
    Replay,
    not_polynomial,
    template,
    terms_by_degree,
    without_definitions,
)
from matgrad.steps import DIFFERENTIAL

ALL_POWERS = 65  # from this exponent on, d(X^k) is written as a sum over an index


def expand(y: Expr, recorder: Recorder) -> Expr:
    """The differential dy, of y's shape, in which d() stands on variables of differentiation only.

    Works from the outside inward, as on paper, and visits each node once. Raises Unsupported.
    """
    recorder.enter(DIFFERENTIAL)
    start = ex.diff(y)
    replay = Replay(start)
    seen = {start}
    frontier = [start]
    while frontier:
        # d passes through linear operations first; then every rule that deserves a line is applied once.
        frontier = _expand_all(frontier, False, replay, seen, recorder)
        recorder.next_line() if frontier else None
        frontier = _expand_all(frontier, True, replay, seen, recorder)
    return replay.settle()


def _expand_all(
    frontier: list[Expr], major: bool, replay: Replay, seen: set[Expr], recorder: Recorder
) -> list[Expr]:
    """Expand the differentials of one importance, the small ones as far as they go; returns those that remain."""
    remaining: list[Expr] = []
    todo = list(reversed(frontier))
    while todo:
        node = todo.pop()
        inner = node.args[0]
        if inner.kind == ex.VAR and recorder.depends(inner):
            continue
        if not major and _is_major(inner, recorder):
            remaining.append(node)
            continue
        after = _local(node, recorder)
        replay.add(recorder.steps[-1])
        found = [e for e in ex.postorder(after) if e.kind == ex.DIFF and e not in seen]
        seen.update(found)
        if major:
            remaining.extend(found)
        else:
            todo.extend(reversed(found))
    return remaining


def expand_by_definition(y: Expr, recorder: Recorder) -> tuple[Expr | None, str]:
    """dy as the first-order part of y(X + dX) - y(X), for y polynomial in X; or None, and why not."""
    recorder.enter(DIFFERENTIAL)
    start = ex.diff(y)
    if y.kind == ex.VAR:
        return start, ""  # y(x + dx) - y(x) is dx
    y = without_definitions(y)
    squares = [e for e in ex.postorder(y) if _squared_norm(e) and recorder.depends(e)]
    without = dict.fromkeys(squares, ex.ONE)
    rest = ex.substitute(y, without)
    inside = [e.args[0].args[0] for e in squares]
    for part in (rest, *inside):
        obstacle = not_polynomial(part, recorder.depends)
        if obstacle is not None:
            name = function_name(obstacle)
            raised = obstacle.op in ("power", "epow") and (ex.integer(obstacle.args[1]) or 0) > 0
            if raised or obstacle.op in ("det", "matpow"):  # polynomials that would fill the page
                return None, f"is not multiplied out, because of `{name}`"
            return None, f"is not a polynomial in the variable, because of `{name}`"
    start = write_definitions(start, recorder)
    for e in squares:
        vector = e.args[0].op == "norm2"
        if vector:
            start = recorder.apply("norm-square", start, x=e.args[0].args[0])
        else:
            start = recorder.apply("frobenius-square", start, X=e.args[0].args[0])
    recorder.next_line()
    change = PROCEDURES["definition"](start, recorder.depends)
    expanded = PROCEDURES["multiply-out"](change, recorder.depends)
    if terms_by_degree(change) is None or terms_by_degree(expanded) is None:
        return None, "has too many terms when multiplied out"
    recorder.run("definition", start, start)
    recorder.next_line()
    recorder.run("multiply-out", change, change)
    recorder.next_line()
    return recorder.run("first-order", expanded, expanded), ""


def write_definitions(e: Expr, recorder: Recorder) -> Expr:
    """The expression without functions that the user defined: they and their derivatives are written out, recorded."""
    while True:
        those = [n for n in ex.postorder(e) if definition_in(n) is not None]
        if not those:
            return e
        node = those[-1]  # no other one is around it
        rule = "write-out" if node.data[2] == 0 else "derivative-by-sympy"
        recorder.next_line()
        after = recorder.run(rule, node, node)
        if after is node:
            after = recorder.run("derivative-by-rules", node, node)
        recorder.next_line()
        e = ex.substitute(e, {node: after})


def _squared_norm(e: Expr) -> bool:
    """Whether e is ‖p‖²."""
    if e.kind != ex.CALL or e.op != "power" or ex.integer(e.args[1]) != 2:
        return False
    return e.args[0].kind == ex.CALL and e.args[0].op in ("norm2", "normF")


def function_name(e: Expr) -> str:
    """The name that a user knows a node's operation by."""
    if e.kind == ex.CALL and e.op == "map":
        return maps.spelled(*e.data[1:])
    if e.kind == ex.CALL and e.op == "apply":
        return str(e.data[1])
    if e.kind == ex.CALL and e.op in FUNCTIONS:
        names = FUNCTIONS[e.op].names
        return (
            names[0]
            if names
            else {"epow": ".^", "hadamard": ".*", "power": "^", "matpow": "^"}.get(
                e.op, e.op.partition(":")[0]
            )
        )
    return {ex.STACK: "[ ; ]", ex.INDEX: "[ ]", ex.SUM: "sum(i=1:n, ...)"}.get(e.kind, e.kind)


def _is_major(e: Expr, recorder: Recorder) -> bool:
    """Whether the differential of e is worth a line of its own."""
    if e.kind == ex.MUL or (e.kind == ex.CALL and e.op == "hadamard"):
        return sum(map(recorder.depends, e.args)) > 1
    return e.kind == ex.CALL and e.op not in LINEAR


def _local(node: Expr, recorder: Recorder) -> Expr:
    """d(N) by one rule, in terms of N's arguments and their differentials."""
    e = node.args[0]
    kind = e.kind
    if not recorder.depends(e):
        return recorder.run("constant", node, node)
    if kind == ex.ADD:
        return recorder.run("sum-rule", node, node)
    if kind == ex.MUL:
        several = sum(map(recorder.depends, e.args)) > 1
        return recorder.run("product-rule" if several else "constant-factor", node, node)
    if kind == ex.INDEX:
        return recorder.run("entry-rule", node, node)
    if kind == ex.STACK:
        return recorder.run("stack-rule", node, node)
    if kind == ex.SUM:
        return recorder.run("index-sum-rule", node, node)
    if kind != ex.CALL:
        raise Unsupported(f"matgrad has no differential of `{function_name(e)}` yet")
    op = e.op
    if op == "hadamard":
        return recorder.run("hadamard-product-rule", node, node)
    if op == "apply":
        if e.data[2] == 0:
            return recorder.apply("unknown-function", node, x=e.args[0], f=function_in(e))
        return recorder.run("unknown-derivative", node, node)
    if op == "map":
        rule = maps.rule_name(e)
        names = [d.name for d in template(rule).where]  # the argument, then the function
        return recorder.apply(rule, node, **dict(zip(names, (e.args[0], e), strict=True)))
    if op == "power" and ex.integer(e.args[1]) == 2 and e.args[0].kind == ex.CALL:
        inner = e.args[0]
        if inner.op == "norm2":
            return recorder.apply("squared-norm", node, x=inner.args[0])
        if inner.op == "normF":
            return recorder.apply("squared-frobenius-norm", node, X=inner.args[0])
    if op == "matpow" and (ex.integer(e.args[1]) or ALL_POWERS) >= ALL_POWERS:
        return recorder.run("matrix-power", node, node)
    if op == "det" and recorder.adjugate:
        return recorder.apply("determinant-adjugate", node, X=e.args[0])
    if op not in FUNCTIONS or not FUNCTIONS[op].differential:
        raise Unsupported(f"matgrad has no differential of `{function_name(e)}` yet")
    return recorder.differential(node)
