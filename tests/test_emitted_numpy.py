"""Emitted NumPy modules: every worked example, run and compared with matgrad's own numeric meaning."""

from __future__ import annotations

from emitted import wrong
from test_cases import Statement, derivation, every_statement


@every_statement
def test_every_worked_example(statement: Statement) -> None:
    d = derivation(statement)
    assert not wrong(d, d.to("numpy"))
