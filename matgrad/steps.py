"""What a derivation did: each step an instance of a rule, in its place, and the whole in order.

Only `matgrad.rewrite.Recorder` makes steps.
"""

from __future__ import annotations

from typing import NamedTuple

from matgrad.expr import Expr

# The phases of a derivation. The lines of the first two are equal to dy, those of the last to dy/dX.
DIFFERENTIAL = "differential"  # d(...) moves inward until it stands on variables
TRACE = "trace"  # dX moves to the end
DERIVATIVE = "derivative"  # what stands before dX, simplified


class Step(NamedTuple):
    """`before` became `after`, because `left -> right` is an instance of a rule and `left` stands in `before`."""

    rule: str
    before: Expr
    after: Expr
    left: Expr
    right: Expr
    bindings: tuple[tuple[str, object], ...]
    phase: str
    line: int  # steps of one line are shown together in a brief derivation
    assuming: tuple[tuple[str, Expr], ...]  # properties that could not be proved
    part: int  # in the last phase: the number of the variable whose derivative is simplified


class Line(NamedTuple):
    """One displayed line: what the quantity is equal to now, the steps that led here, and their reasons."""

    phase: str
    state: Expr
    steps: tuple[Step, ...]
    reasons: tuple[str, ...]


class Check(NamedTuple):
    """The outcome of a numeric check: `points` tried, `worst_relative_error` among them."""

    ok: bool
    points: int
    worst_relative_error: float
    seed: int
    undefined: int = 0  # points at which the formula has no value, and the expression has one
