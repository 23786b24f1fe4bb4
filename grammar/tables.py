"""Write matgrad/grammar_tables.py: the tables of the LALR(1) parser, made from matgrad.lark by Lark.

python grammar/tables.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lark import Lark
from lark.parsers.lalr_analysis import Shift

GRAMMAR = Path(__file__).resolve().parent / "matgrad.lark"
TABLES = GRAMMAR.parent.parent / "matgrad" / "grammar_tables.py"
START = ("expression", "declaration", "signature", "rule", "equation")

HEAD = '''"""The parser's tables. Made from grammar/matgrad.lark by `python grammar/tables.py`; do not edit."""

# Types of tokens and their patterns; the first that matches is taken.
TERMINALS = (
{terminals}
)
IGNORED = {ignored!r}

# For each rule: what it makes, the name of the node that it builds, and the number of its parts. Without a name, one
# part stands for itself, and several are the elements of a repetition.
RULES = (
{rules}
)

# The first state and the last, for each start symbol.
STARTS = {starts!r}
ENDS = {ends!r}

# In each state, for each terminal and rule: the next state, or ~r to reduce by rule r.
STATES: tuple[dict[str, int], ...] = (
{states}
)
'''


def source() -> str:
    """The text of matgrad/grammar_tables.py. The states are numbered in the order in which they are met from START."""
    lark = Lark(
        GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        lexer="basic",
        start=[*START, "bar_tokens"],
    )
    table = lark.parser.parser._parse_table
    numbers: dict[Any, int] = {}
    rules: dict[Any, int] = {}
    order = [table.start_states[name] for name in START]
    for state in order:
        if state in numbers:
            continue
        numbers[state] = len(numbers)
        for _, (action, target) in sorted(table.states[state].items()):
            if action is Shift:
                order.append(target)
            else:
                rules.setdefault(target, len(rules))
    states = []
    for state in numbers:
        row = sorted(table.states[state].items())
        states.append(
            {name: numbers[to] if action is Shift else ~rules[to] for name, (action, to) in row}
        )
    lexer = lark._build_lexer()
    return HEAD.format(
        terminals="\n".join(
            f"    ({t.name!r}, {t.pattern.to_regexp()!r})," for t in lexer.terminals
        ),
        ignored=tuple(sorted(lexer.ignore_types)),
        rules="\n".join(f"    {_rule(rule)!r}," for rule in rules),
        starts={name: numbers[table.start_states[name]] for name in START},
        ends={name: numbers[table.end_states[name]] for name in START},
        states="\n".join(f"    {row!r}," for row in states),
    )


def _rule(rule: Any) -> tuple[str, str, int]:
    origin, count = str(rule.origin.name), len(rule.expansion)
    passed_on = (rule.options.expand1 and count == 1) or origin.startswith("_")
    return origin, rule.alias or ("" if passed_on else origin), count


if __name__ == "__main__":
    TABLES.write_text(source(), encoding="utf-8")
