"""The state of `matgrad repl`: declarations that are kept, and how answers are shown."""

from __future__ import annotations

from matgrad.derive import declarations, diff
from matgrad.errors import UsageError
from matgrad.render.report import text_report
from matgrad.statements import request
from matgrad.timer import Timer

HELP = """x'A x wrt x         the derivative; `wrt x` may be left out if there is only one variable
let S: symmetric    a declaration, kept until the end
forget S            no longer
let                 what is declared
steps full          one rule a line; also `steps brief`, `steps none`
help                this text
quit                the end (or Ctrl-D)"""

STEPS = ("brief", "full", "none")


class Session:
    """What a line is answered with depends on the lines before it."""

    def __init__(self, style: str = "unicode", width: int = 100, timeout: float = 30.0) -> None:
        self.style = style
        self.width = width
        self.timeout = timeout
        self.steps = "brief"
        self.declared: dict[str, str] = {}
        self.is_over = False

    def answer(self, line: str) -> str:
        """The answer to a line; "" where there is nothing to say. Raises MatgradError."""
        line = line.strip()
        word, _, rest = line.removeprefix(":").partition(" ")
        rest = rest.strip()
        if not line or line.startswith("#"):
            return ""
        if word in ("quit", "exit") and not rest:
            self.is_over = True
            return ""
        if word == "help" and not rest:
            return HELP
        if word == "let":
            return self._declare(rest)
        if word == "forget":
            return self._forget(rest)
        if word == "steps" and rest:
            return self._show(rest)
        expression, wrt = request(line.removeprefix("diff "))
        with Timer(self.timeout):
            try:
                derivation = diff(expression, wrt or None, background=list(self.declared.values()))
            except UsageError as problem:
                problem.help = problem.help.replace("add `--wrt ", "add `wrt ")
                raise
            return text_report(derivation, self.style, self.steps, self.width, None)

    def _declare(self, text: str) -> str:
        if not text:
            return "\n".join(self.declared.values())
        name = next(iter(declarations(text)))
        others = [t for n, t in self.declared.items() if n != name]
        declarations([*others, text])  # that they agree
        self.declared[name] = text
        return ""

    def _forget(self, name: str) -> str:
        if name not in self.declared:
            known = ", ".join(self.declared) or "nothing"
            raise UsageError(f"`{name}` is not declared", help=f"declared: {known}")
        del self.declared[name]
        return ""

    def _show(self, steps: str) -> str:
        if steps not in STEPS:
            raise UsageError(f"`{steps}` is no way to show steps", help=f"write {', '.join(STEPS)}")
        self.steps = steps
        return ""
