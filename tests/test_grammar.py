"""The parser's tables are those of the grammar, and they run as Lark runs the grammar."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedToken

from matgrad import lalr
from matgrad.functions import TABLE as FUNCTION_TABLE
from matgrad.grammar_tables import RULES, STARTS, STATES, TERMINALS
from matgrad.parse import _tokens
from matgrad.rules import TABLE as RULE_TABLE

GRAMMAR = Path(__file__).resolve().parent.parent / "grammar"


def maker() -> Any:
    """grammar/tables.py as a module."""
    spec = importlib.util.spec_from_file_location("tables", GRAMMAR / "tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_grammar() -> None:
    """If this fails, run `python grammar/tables.py`."""
    tables = maker()
    assert tables.TABLES.read_text(encoding="utf-8") == tables.source()


def test_every_state_and_every_rule_is_used() -> None:
    used = set(STARTS.values()) | {to for row in STATES for to in row.values()}
    assert {to for to in used if to >= 0} == set(range(len(STATES)))
    assert {~to for to in used if to < 0} == set(range(len(RULES)))


@pytest.fixture(scope="module")
def lark() -> Lark:
    text = (GRAMMAR / "matgrad.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="basic", start=[*STARTS, "bar_tokens"])


TEXTS = [
    "A*x + 2.5e3 - -b",
    "X^-T X' (x + y)(x - y)'",
    "[a, b; c, d]*{x}^{-1}",
    "x.^2 ./ y .* z ⊗ w · v @ u",
    "½ √ ‖x‖_2 |a|",
    "a:b\\c / d = 1 -> ;",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_those_of_lark(text: str, lark: Lark) -> None:
    ours = [(t.type, t.text, t.start, t.end) for t in lalr.tokens_of(text)]
    theirs = [(t.type, str(t), t.start_pos, t.end_pos) for t in lark.lex(text)]
    assert ours == theirs


def test_a_character_that_begins_no_token() -> None:
    with pytest.raises(lalr.UnknownCharacter) as found:
        lalr.tokens_of("x + ?")
    assert found.value.at == 4


def tree_of(start: str, kinds: list[str], lark: Lark) -> tuple[Any, Any]:
    """What both parsers make of the types of tokens, as nested tuples; their complaint where they have one."""
    ours: Any
    theirs: Any
    try:
        given = [lalr.Token(k, k, i, i + 1) for i, k in enumerate(kinds)]
        found = lalr.parse_tokens(given, start, lambda rule, parts: (rule, *parts))
        ours = plain(found)
    except lalr.UnexpectedToken as problem:
        ours = problem.at, sorted(problem.expected)
    state = lark.parse_interactive("", start=start).parser_state
    at = 0
    try:
        for kind in kinds:
            state.feed_token(Token(kind, kind))
            at += 1
        theirs = plain(state.feed_token(Token("$END", ""), True))
    except UnexpectedToken as problem:
        theirs = at, sorted(problem.expected)
    return ours, theirs


def plain(tree: Any) -> Any:
    if isinstance(tree, Tree):
        return (str(tree.data), *(plain(c) for c in tree.children))
    if isinstance(tree, tuple):
        return (tree[0], *(plain(c) for c in tree[1:]))
    return tree.type


def sentences() -> list[tuple[str, list[str]]]:
    """Start symbols and types of tokens: the statements, signatures and differentials of matgrad's tables."""
    texts = [("rule", rule.statement) for rule in RULE_TABLE.values()]
    texts += [("signature", f.signature) for f in FUNCTION_TABLE.values()]
    texts += [("expression", f.differential) for f in FUNCTION_TABLE.values() if f.differential]
    texts += [("declaration", where) for r in RULE_TABLE.values() for where in r.where.split(";")]
    return [(start, [t.type for t in _tokens(text, (), [])]) for start, text in texts]


def test_trees_are_those_of_lark(lark: Lark) -> None:
    """For sentences, and for sentences with one token changed, left out or put in."""
    source = random.Random(0)
    terminals = sorted({name for row in STATES for name in row if name.isupper()} - {"$END"})
    trees = complaints = 0
    for start, kinds in sentences():
        at = source.randrange(len(kinds))
        wrong = [source.choice(terminals)][: source.randrange(2)]
        for given in (kinds, [*kinds[:at], *wrong, *kinds[at + source.randrange(2) :]]):
            ours, theirs = tree_of(start, given, lark)
            assert ours == theirs, given
            trees += isinstance(ours[0], str)
            complaints += isinstance(ours[0], int)
    assert trees > 800 and complaints > 300


def test_patterns_are_tried_in_the_order_of_the_table() -> None:
    names = [name for name, _ in TERMINALS]
    assert names.index("INVERSE_TRANSPOSE") < names.index("POWER")
    assert [t.type for t in lalr.tokens_of("^-T ^-")] == ["INVERSE_TRANSPOSE", "POWER", "MINUS"]
