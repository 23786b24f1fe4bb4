"""The examples in README.md and docs/*.md: runs them, in this process, as a reader would type them.

    python docs/examples.py    write what they print now into the pages

A fenced block marked `console` holds commands after `$ `, each followed by what it prints, standard output and standard
error as they come. Commands are `matgrad ...`, pipes of those, and `echo $?`. tests/test_docs.py compares.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w+)\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S)


class Block(NamedTuple):
    """A fenced block: the page, its kind, where its lines stand in the page, and the lines without indentation."""

    page: Path
    kind: str
    start: int
    end: int
    indent: str
    lines: list[str]


class Example(NamedTuple):
    """A command and the lines that the page says it prints."""

    command: str
    printed: list[str]


def pages() -> list[Path]:
    """The pages that may have examples."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, kind: str) -> Iterator[Block]:
    """The fenced blocks of a kind."""
    for found in FENCE.finditer(page.read_text(encoding="utf-8")):
        if found["kind"] == kind:
            indent = found["indent"]
            lines = [line.removeprefix(indent) for line in found["body"].splitlines()]
            yield Block(page, kind, found.start("body"), found.end("body"), indent, lines)


def examples(block: Block) -> list[Example]:
    """The commands of a console block with what is printed below each."""
    result: list[Example] = []
    for line in block.lines:
        if line.startswith("$ "):
            result.append(Example(line[2:], []))
        else:
            result[-1].printed.append(line)
    return result


def run(command: str, last_code: int = 0) -> tuple[list[str], int]:
    """The lines that a command prints, and its exit code. `last_code` is what `echo $?` says."""
    from click.testing import CliRunner

    from matgrad.cli import main

    if command == "echo $?":
        return [str(last_code)], 0
    stages: list[list[str]] = [[]]
    for word in split(command):
        if word is None:
            stages.append([])
        else:
            stages[-1].append(word)
    environment = {"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": None}
    sent: str | None = None
    for name, *arguments in stages:
        if name != "matgrad":
            raise ValueError(f"an example can run only matgrad, not {name}")
        here = Path.cwd()
        os.chdir(ROOT)  # pages name files as from the root of the repository
        try:
            runner = CliRunner(env=environment)
            result = runner.invoke(main, arguments, input=sent, prog_name="matgrad")
        finally:
            os.chdir(here)
        sent = result.stdout
    return result.output.rstrip("\n").split("\n"), result.exit_code


def split(command: str) -> Iterator[str | None]:
    """The words of a command; None for a pipe between two."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|")
    lexer.commenters = ""
    lexer.whitespace_split = True
    for word in lexer:
        yield None if word == "|" else word


def refresh(page: Path) -> None:
    """Write what the examples of a page print now into the page."""
    text = page.read_text(encoding="utf-8")
    for block in reversed(list(blocks(page, "console"))):
        lines: list[str] = []
        code = 0
        for example in examples(block):
            printed, code = run(example.command, code)
            lines += [f"$ {example.command}", *printed]
        body = "".join(f"{block.indent}{line}".rstrip() + "\n" for line in lines)
        text = text[: block.start] + body + text[block.end :]
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for each in pages():
        refresh(each)
