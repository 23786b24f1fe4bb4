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
from matgrad.grammar_tables import RULES, STARTS, STATES, TERMINALS

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


def test_trees_are_those_of_lark(lark: Lark) -> None:
    """Random walks through the tables, most of which end in a sentence of the language; and wrong tokens."""
    source = random.Random(0)
    terminals = sorted({n for row in STATES for n in row if n.isupper()} - {"$END"})
    sentences = complaints = 0
    for _ in range(300):
        start = source.choice(list(STARTS))
        kinds: list[str] = []
        for _ in range(source.randrange(1, 25)):
            wrong = source.random() < 0.02
            allowed = terminals if wrong else next_kinds(start, kinds)
            if not allowed:
                break
            kinds.append(source.choice(allowed))
        for _ in range(40):  # to the end of a sentence, where there is none yet
            allowed = next_kinds(start, kinds)
            closing = [k for k in CLOSING if k in allowed]
            if "$END" in expected(start, kinds) or not allowed:
                break
            operand = "NAME" in allowed and "TRANSPOSE" not in allowed
            kinds.append("NAME" if operand or not closing else closing[0])
        ours, theirs = tree_of(start, kinds, lark)
        assert ours == theirs, kinds
        sentences += isinstance(ours[0], str)
        complaints += isinstance(ours[0], int)
    assert sentences > 50 and complaints > 20


CLOSING = ("RPAR", "RSQB", "RBRACE", "BAR_CLOSE", "NORM_CLOSE", "LPAR", "COLON", "ARROW", "EQUALS")


def expected(start: str, kinds: list[str]) -> set[str]:
    """The types of tokens that may come next."""
    given = [lalr.Token(k, k, 0, 0) for k in (*kinds, "NOTHING")]
    with pytest.raises(lalr.UnexpectedToken) as found:
        lalr.parse_tokens(given, start, lambda rule, parts: rule)
    return found.value.expected if found.value.at == len(kinds) else set()


def next_kinds(start: str, kinds: list[str]) -> list[str]:
    return sorted(expected(start, kinds) - {"$END"})


def test_patterns_are_tried_in_the_order_of_the_table() -> None:
    names = [name for name, _ in TERMINALS]
    assert names.index("INVERSE_TRANSPOSE") < names.index("POWER")
    assert [t.type for t in lalr.tokens_of("^-T ^-")] == ["INVERSE_TRANSPOSE", "POWER", "MINUS"]
