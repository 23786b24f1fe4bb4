"""y to dy: d() is pushed inward, one local equation a node, until it stands on the variables alone."""

from __future__ import annotations

from matgrad import expr as ex
from matgrad.errors import Unsupported
from matgrad.expr import Expr
from matgrad.rewrite import LINEAR, Recorder, Replay
from matgrad.steps import DIFFERENTIAL


def expand(y: Expr, recorder: Recorder) -> Expr:
    """The differential dy, of y's shape, in which d() stands on variables of differentiation only.

    Works from the outside inward, as on paper, and visits each node once. Raises Unsupported.
    """
    recorder.enter(DIFFERENTIAL)
    start = ex.diff(y)
    replay = Replay(start)
    seen = {start}
    frontier = [start]
    line_has_major = False
    while frontier:
        if line_has_major and any(_is_major(d.args[0], recorder) for d in frontier):
            recorder.next_line()
            line_has_major = False
        found: list[Expr] = []
        for node in frontier:
            if node.args[0].kind == ex.VAR:
                continue
            after = _local(node, recorder)
            replay.add(recorder.steps[-1])
            line_has_major = line_has_major or _is_major(node.args[0], recorder)
            for below in ex.postorder(after):
                if below.kind == ex.DIFF and below not in seen:
                    seen.add(below)
                    found.append(below)
        frontier = found
    return replay.settle()


def _is_major(e: Expr, recorder: Recorder) -> bool:
    """Whether the differential of e is worth a line of its own."""
    if e.kind == ex.MUL or (e.kind == ex.CALL and e.op == "hadamard"):
        return sum(map(recorder.depends, e.args)) > 1
    return e.kind == ex.CALL and e.op not in LINEAR


def _local(node: Expr, recorder: Recorder) -> Expr:
    """d(N) by one rule, in terms of N's arguments and their differentials."""
    e = node.args[0]
    kind = e.kind
    if kind == ex.ADD:
        return recorder.run("sum-rule", node, node)
    if kind == ex.MUL:
        several = sum(map(recorder.depends, e.args)) > 1
        return recorder.run("product-rule" if several else "constant-factor", node, node)
    if kind == ex.INDEX:
        return recorder.run("entry-rule", node, node)
    if kind == ex.STACK:
        return recorder.run("stack-rule", node, node)
    if kind != ex.CALL:
        raise Unsupported(f"no differential for {kind}")
    op = e.op
    if op == "hadamard":
        return recorder.run("hadamard-product-rule", node, node)
    if op == "apply":
        _, name, order = e.data
        if order == 0:
            return recorder.apply("unknown-function", node, x=e.args[0], f=name)
        return recorder.run("unknown-derivative", node, node)
    if op == "power" and ex.integer(e.args[1]) == 2 and e.args[0].kind == ex.CALL:
        inner = e.args[0]
        if inner.op == "norm2":
            return recorder.apply("squared-norm", node, x=inner.args[0])
        if inner.op == "normF":
            return recorder.apply("squared-frobenius-norm", node, X=inner.args[0])
    return recorder.differential(node)
