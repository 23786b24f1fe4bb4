"""matgrad: matrix gradients, step by step and numerically checked.

>>> import matgrad
>>> print(matgrad.diff("tr(X*B*X')", wrt="X"))
X (B + B')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from matgrad.derive import Derivation, diff
    from matgrad.errors import MatgradError
    from matgrad.evaluate import Evaluation
    from matgrad.evaluate import evaluate as eval  # noqa: A004 - the name of the command
    from matgrad.simplified import Simplification, simplify
    from matgrad.verdict import Verdict, check

__all__ = [
    "Derivation",
    "Evaluation",
    "MatgradError",
    "Simplification",
    "Verdict",
    "__version__",
    "check",
    "diff",
    "eval",
    "simplify",
]


def __getattr__(name: str) -> Any:
    """Load the engine when it is first asked for, so that importing the package costs nothing."""
    if name in ("Derivation", "diff"):
        from matgrad import derive

        return getattr(derive, name)
    if name in ("Evaluation", "eval"):
        from matgrad import evaluate

        return evaluate.evaluate if name == "eval" else evaluate.Evaluation
    if name in ("Simplification", "simplify"):
        from matgrad import simplified

        return getattr(simplified, name)
    if name in ("Verdict", "check"):
        from matgrad import verdict

        return getattr(verdict, name)
    if name == "MatgradError":
        from matgrad.errors import MatgradError

        return MatgradError
    raise AttributeError(f"module 'matgrad' has no attribute {name!r}")
