"""The command line: arguments in, colours and exit codes out. Nothing else prints."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from matgrad import __version__
from matgrad.errors import InternalError, MatgradError, SyntaxProblem, UsageError
from matgrad.timer import Timer

if TYPE_CHECKING:
    from matgrad.derive import Derivation
    from matgrad.files import Outcome
    from matgrad.simplified import Simplification

REPORT = "please report this, with the command and `matgrad --version`"


# What click says in words of its own.
CLICK_WORDS = {"a valid integer range": "a whole number", "a valid float range": "a number"}


class Cli(click.Group):
    """The group of commands; every error leaves with its own exit code and without a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and turn what goes wrong with the arguments into a message on standard error."""
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices gain nothing from more
        given = args[0] if args else kwargs.pop("args", None)
        arguments = list(sys.argv[1:] if given is None else given)
        kwargs["standalone_mode"] = False
        try:
            result = super().main(self.with_minus(arguments), *args[1:], **kwargs)
        except click.exceptions.NoArgsIsHelpError as problem:
            click.echo(problem.format_message())
            sys.exit(2)
        except click.UsageError as problem:
            command = problem.ctx.command_path if problem.ctx else "matgrad"
            help = f"`{command} --help` shows what there is"
            message = problem.format_message().rstrip(".")
            for words, plain in CLICK_WORDS.items():
                message = message.replace(words, plain)
            if message.startswith("No such command") and not arguments[0].isalpha():
                help = 'an expression stands behind a command, as in `matgrad diff "x\'x" --wrt x`'
            elif message.startswith("Got unexpected extra argument"):
                help = "put the expression in quotes, and the variable behind `--wrt`"
            error = UsageError(message, help=help)
            sys.exit(fail(error, wants_json(arguments)))
        except click.Abort:
            sys.exit(130)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(0)
        sys.exit(result if isinstance(result, int) else 0)

    def with_minus(self, arguments: list[str]) -> list[str]:
        """The arguments with an expression that begins with a minus behind `--`, so that it is not an option."""
        command = self.commands.get(arguments[0]) if arguments else None
        if command is None:
            return arguments
        taking = {o for p in command.params if _takes_value(p) for o in p.opts}
        known = {o for p in command.params for o in p.opts} | {"-h", "-"}
        for argument in arguments:
            if "-" + argument in known and argument not in known and len(argument) > 2:
                raise click.UsageError(f"No such option '{argument}'. Did you mean '-{argument}'?")
        end = arguments.index("--") if "--" in arguments else len(arguments)
        options, expressions = arguments[:1], arguments[end + 1 :]
        for before, argument in itertools.pairwise(arguments[:end]):
            minus = argument[:1] == "-" and argument[1:2] != "-" and argument not in known
            option = argument[:2] in taking  # -oFILE
            expression = minus and not option and before not in taking
            (expressions if expression else options).append(argument)
        return [*options, "--", *expressions] if expressions else options


def _takes_value(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and not parameter.is_flag


def wants_json(arguments: list[str]) -> bool:
    """Whether arguments that could not be understood ask for JSON."""
    return "--to=json" in arguments or any(
        pair == ("--to", "json") for pair in itertools.pairwise(arguments)
    )


def use_unicode(stream: Any) -> bool:
    """Whether a stream can show mathematics."""
    encoding = (getattr(stream, "encoding", None) or "ascii").lower()
    return "utf" in encoding and os.environ.get("TERM") not in ("dumb", "linux")


def use_colour(stream: Any) -> bool:
    """Whether a stream wants colour: NO_COLOR and FORCE_COLOR first, then whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR") not in (None, "", "0"):
        return True
    return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"


def fail(problem: MatgradError, as_json: bool = False) -> int:
    """Show an error and return its exit code."""
    from matgrad.render.problems import error_object, problem_text

    if problem.code == 70 and not problem.help:
        problem.help = REPORT
    if as_json:
        import json

        first, *others = map(error_object, (problem, *problem.others))
        body = {"matgrad": __version__, "error": first} | ({"others": others} if others else {})
        click.echo(json.dumps(body, ensure_ascii=not use_unicode(sys.stdout), indent=2))
    text = problem_text(problem, use_unicode(sys.stderr))
    if use_colour(sys.stderr):
        head, _, rest = text.partition("\n")
        text = click.style(head, fg="red", bold=True) + ("\n" + rest if rest else "")
    click.echo(text, err=True, color=use_colour(sys.stderr))
    return problem.code


def read_text(text: str) -> str:
    """The expression itself, from standard input if it is `-`."""
    if text != "-":
        return text
    if sys.stdin is None:
        raise UsageError("there is no standard input to read", help="give the expression itself")
    raw = sys.stdin.buffer.read(2_000_000)
    try:
        return raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError as problem:
        raise SyntaxProblem(
            f"standard input is not UTF-8 (byte {problem.start + 1})",
            help="save or send the text as UTF-8",
        ) from None


def read_declarations(let_file: str | None) -> list[str]:
    """The declarations of --let-file."""
    found: list[str] = []
    if let_file is not None:
        try:
            with open(let_file, encoding="utf-8") as file:
                content = file.read()
        except OSError as problem:
            raise UsageError(
                f"`{let_file}` cannot be read: {(problem.strerror or 'no reason given').lower()}",
                help="`--let-file` takes the name of a text file with one declaration a line",
            ) from None
        except UnicodeDecodeError:
            raise UsageError(f"`{let_file}` is not UTF-8", help="save it as UTF-8") from None
        found += _checked_lines(let_file, content)
    return found


def _checked_lines(name: str, content: str) -> list[str]:
    """The declarations of a file; what is wrong with any of them is told with its line."""
    from matgrad.shapes import declare

    found: list[str] = []
    problems: list[MatgradError] = []
    for number, line in enumerate(content.splitlines(), 1):
        line = line.partition("#")[0].strip().removeprefix("let ").strip()
        if not line:
            continue
        try:
            declare(line)
        except MatgradError as problem:
            problem.message = f"{name}:{number}: {problem.message}"
            problems.append(problem)
        found.append(line)
    if problems:
        problems[0].others = tuple(problems[1:])
        raise problems[0]
    return found


def show(text: str, output: str | None) -> None:
    """Write a result to standard output or to a file, with colour where that is wanted."""
    from matgrad.render.text import MARK_END, MARK_START

    plain = text.replace(MARK_START, "").replace(MARK_END, "")
    if output is not None:
        try:
            with open(output, "w", encoding="utf-8") as file:
                file.write(plain + "\n")
        except OSError as problem:
            raise UsageError(
                f"`{output}` cannot be written: {(problem.strerror or 'no reason given').lower()}",
                help="`-o` takes the name of a file in a folder that exists",
            ) from None
        return
    if use_colour(sys.stdout) and text is not plain:
        _show_colour(text)
        return
    try:
        click.echo(plain, color=False)
        sys.stdout.flush()
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        click.echo(plain.encode(encoding, "backslashreplace").decode(encoding), color=False)
    except BrokenPipeError:
        raise
    except (OSError, AttributeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is closed"
        raise UsageError(f"standard output cannot be written: {reason}") from None


def _show_colour(text: str) -> None:
    """The report with what changed in colour, and the check line in green."""
    from matgrad.render.text import MARK_END, MARK_START

    for line in text.split("\n"):
        shown = ""
        depth = 0
        for piece in _split_marks(line):
            if piece == MARK_START:
                depth += 1
            elif piece == MARK_END:
                depth -= 1
            else:
                style = {"fg": "cyan", "bold": True} if depth else _line_style(line)
                shown += click.style(piece, **style) if style else piece
        click.echo(shown, color=True)


def _line_style(line: str) -> dict[str, Any]:
    """Green for what holds, red for what does not."""
    if line.startswith(("✓", "ok:")):
        return {"fg": "green"}
    if line.startswith(("✗", "x wrong")):
        return {"fg": "red", "bold": True}
    return {}


def _split_marks(line: str) -> list[str]:
    import re

    from matgrad.render.text import MARK_END, MARK_START

    return [p for p in re.split(f"([{MARK_START}{MARK_END}])", line) if p]


@click.group(
    cls=Cli,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 a claim is wrong (check), 2 wrong input, 3 no derivative, 4 over a limit,"
    " 70 a bug of matgrad.",
)
@click.version_option(__version__, prog_name="matgrad")
def main() -> None:
    """Matrix gradients, derived step by step and numerically checked.

    \b
    matgrad diff "tr(X*B*X')" --wrt X
    matgrad diff "ln det(X)" -q
    matgrad check "x'A x" --wrt x --equals "(A + A') x"
    matgrad eval "log(c)/c" --data c=2.5 --wrt c
    matgrad rules inverse
    """


_DECLARATIONS = "Declarations: 'X: matrix(m, n)', 'x: vector(n)', 'c: scalar', 'S: symmetric(n)', 'f: elementwise'."


def derivative_options(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and the options of `diff` and `hessian`."""
    options = (
        click.argument("expression", metavar="EXPR"),
        click.option(
            "--wrt",
            multiple=True,
            metavar="X",
            help="The variable; optional if there is only one; repeatable.",
        ),
        click.option(
            "--let",
            multiple=True,
            metavar="DECL",
            help="A declaration, such as 'A: matrix(m, n)'; repeatable.",
        ),
        click.option(
            "--let-file", metavar="FILE", help="Read declarations from a file, one a line."
        ),
        click.option(
            "--then",
            multiple=True,
            metavar="Y",
            help="After --wrt X: the mixed second derivative by X and Y; again: the third.",
        ),
        click.option(
            "--hvp",
            metavar="V",
            help="The Hessian times a direction V, without forming the Hessian.",
        ),
        click.option(
            "--layout",
            type=click.Choice(["mixed", "denominator", "numerator"]),
            default="mixed",
            help="How Jacobians and gradients are laid out.",
        ),
        click.option(
            "--structured",
            type=click.Choice(["subspace", "cookbook"]),
            default="subspace",
            help="By a symmetric matrix: the gradient in that subspace, or by independent entries.",
        ),
        click.option(
            "--steps",
            type=click.Choice(["brief", "full", "none"]),
            default="brief",
            help="Steps as in a textbook, one rule a line (each verified), or none.",
        ),
        click.option("--from-definition", is_flag=True, help="Start from y(X + dX) - y(X)."),
        click.option(
            "--adjugate", is_flag=True, help="Write d det(X) = tr(adj(X) dX), for singular X too."
        ),
        click.option(
            "--to",
            type=click.Choice(
                [
                    "text",
                    "ascii",
                    "latex",
                    "markdown",
                    "html",
                    "json",
                    "matgrad",
                    "sympy",
                    "numpy",
                    "jax",
                    "torch",
                    "matlab",
                ]
            ),
            default="text",
            help="The output format.",
        ),
        click.option(
            "-q", "--quiet", is_flag=True, help="The answer alone, in matgrad's own syntax."
        ),
        click.option("--check/--no-check", default=True, help="Verify the answer numerically."),
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            default=0,
            metavar="N",
            help="Seed of the random points.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, max=1e6, min_open=True),
            default=30.0,
            metavar="SECONDS",
            help="Give up after this long.",
        ),
        click.option(
            "-o", "--output", metavar="FILE", help="Write there instead of standard output."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@main.command(epilog=_DECLARATIONS)
@derivative_options
@click.option(
    "--order", type=click.IntRange(1, 8), default=1, metavar="N", help="The N-th derivative."
)
def diff(**options: Any) -> None:
    """The derivative of EXPR, step by step. EXPR of - reads standard input, all of it as one expression.

    \b
    matgrad diff "tr(X*B*X')" --wrt X
    matgrad diff "x'S x" --wrt x --let "S: symmetric"
    matgrad diff "x'A x" --wrt x -q | matgrad diff - --wrt x
    """
    _differentiate(**options)


@main.command(epilog=_DECLARATIONS)
@derivative_options
def hessian(**options: Any) -> None:
    """The second derivative of EXPR, step by step: `diff` with --order 2.

    \b
    matgrad hessian "x'A x" --wrt x
    matgrad hessian "‖T - U V'‖²" --wrt U
    matgrad hessian "log(1 + exp(a'x))" --wrt x --hvp v
    """
    second = bool(options["then"]) or options["hvp"] is not None
    _differentiate(**options, order=1 if second else 2)


def _differentiate(
    expression: str,
    wrt: tuple[str, ...],
    let: tuple[str, ...],
    let_file: str | None,
    steps: str,
    to: str,
    quiet: bool,
    check: bool,
    seed: int,
    timeout: float,
    output: str | None,
    **options: Any,
) -> None:
    """Derive, show, and end with the exit code."""
    from matgrad.derive import diff as derive

    with _exit_codes(to == "json" and not quiet):
        with Timer(timeout):
            derivation = derive(
                read_text(expression),
                wrt or None,
                let,
                check=check,
                seed=seed,
                background=read_declarations(let_file),
                **options,
            )
            text = _formatted(derivation, to, quiet, steps, check, seed, output)
        show(text, output)
        if quiet:
            _tell_notes(derivation)


def _tell_notes(found: Derivation | Simplification) -> None:
    """The notes beside an answer that stands alone."""
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    if found.check is not None and not found.check.points:
        click.echo("note: the answer could not be checked", err=True)


@contextlib.contextmanager
def _exit_codes(as_json: bool) -> Iterator[None]:
    """Show what goes wrong, and leave with its exit code."""
    try:
        yield
    except MatgradError as problem:
        sys.exit(fail(problem, as_json))
    except RecursionError:
        sys.exit(fail(InternalError("recursion limit reached"), as_json))
    except Exception as problem:
        if os.environ.get("MATGRAD_DEBUG"):
            raise
        sys.exit(
            fail(InternalError(f"internal error: {type(problem).__name__}: {problem}"), as_json)
        )


def _formatted(
    d: Derivation, to: str, quiet: bool, steps: str, check: bool, seed: int, output: str | None
) -> str:
    """The text to print."""
    if quiet or to == "matgrad":
        from matgrad.render.report import answer_text

        return answer_text(d, "matgrad" if use_unicode(sys.stdout) else "ascii")
    if to == "json":
        from matgrad.render.report import json_report

        return json_report(d, ascii_only=not use_unicode(sys.stdout))
    if to == "latex":
        from matgrad.render.report import derivation_latex

        return derivation_latex(d, steps)
    if to in ("sympy", "numpy", "jax", "torch"):
        return d.to(to).rstrip("\n")
    if to == "matlab":
        from pathlib import Path

        from matgrad.derive import emitted

        return emitted(d, to, Path(output).stem if output else "").rstrip("\n")
    from matgrad.render.report import html_report, markdown_report, text_report

    style = "unicode" if to != "ascii" and use_unicode(sys.stdout) else "ascii"
    if to == "markdown":
        return markdown_report(d, style, steps)
    marks = None
    if steps == "full" and check:
        from matgrad.derive import verify_lines

        marks = verify_lines(d, seed)
    if to == "html":
        return html_report(d, style, steps, marks)
    return text_report(d, style, steps, screen_width(), marks)


def screen_width() -> int:
    """The characters on a line."""
    import shutil

    width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
    return max(width, 40)


@main.command(epilog=_DECLARATIONS)
@derivative_options
def simplify(**options: Any) -> None:
    """The shortest form equal to EXPR that matgrad finds, step by step. EXPR of - reads standard input.

    \b
    matgrad simplify "A*X*B + A*Y*B"
    matgrad simplify "tr(A'*B) + sum(A.*B)"
    matgrad simplify "x'Q'Q x" --let "Q: orthogonal" -q
    """
    _simplify(**options)


# What `simplify` shares with `diff`: all but what is about derivatives, and code.
_ABOUT_ANY = [
    "expression",
    "let",
    "let_file",
    "steps",
    "to",
    "quiet",
    "check",
    "seed",
    "timeout",
    "output",
    "help",
]
simplify.params = [p for p in simplify.params if p.name in _ABOUT_ANY]
for _parameter in simplify.params:
    if _parameter.name == "to":
        _parameter.type = click.Choice(
            ["text", "ascii", "latex", "markdown", "html", "json", "matgrad", "sympy"]
        )


def _simplify(
    expression: str,
    let: tuple[str, ...],
    let_file: str | None,
    steps: str,
    to: str,
    quiet: bool,
    check: bool,
    seed: int,
    timeout: float,
    output: str | None,
) -> None:
    """Simplify, show, and end with the exit code."""
    from matgrad.simplified import simplify as simplified
    from matgrad.simplified import verify_lines

    with _exit_codes(to == "json" and not quiet):
        with Timer(timeout):
            background = read_declarations(let_file)
            found = simplified(read_text(expression), let, check, seed, background)
            unicode = use_unicode(sys.stdout)
            from matgrad.render import simplified as render
            from matgrad.render.report import assumption_lines

            if quiet or to == "matgrad":
                text = render.answer_text(found, "matgrad" if unicode else "ascii")
            elif to == "json":
                text = render.json_report(found, ascii_only=not unicode)
            elif to == "latex":
                text = render.latex_report(found, steps)
            elif to == "sympy":
                text = found.to(to).rstrip("\n")
            elif to == "markdown":
                text = render.markdown_report(found, "unicode" if unicode else "ascii", steps)
            else:
                marks = verify_lines(found, seed) if steps == "full" and check else None
                style = "unicode" if to != "ascii" and unicode else "ascii"
                if to == "html":
                    text = render.html_report(found, style, steps, marks)
                else:
                    text = render.text_report(found, style, steps, screen_width(), marks)
        show(text, output)
        if quiet:
            for line in assumption_lines(found, "unicode" if use_unicode(sys.stderr) else "ascii"):
                click.echo(f"note: {line}", err=True)
            _tell_notes(found)


@main.command(epilog=_DECLARATIONS)
@click.argument("targets", metavar="EXPR | FILE...", nargs=-1, required=True)
@click.option("--wrt", metavar="X", help="The variable; optional if there is only one.")
@click.option("--equals", metavar="CLAIM", help="The derivative that you found: an expression.")
@click.option(
    "--code",
    metavar="MODULE:FUNCTION",
    help="Your code for it, or FILE.py:FUNCTION. This imports the module, that is: runs it.",
)
@click.option(
    "--arrays",
    type=click.Choice(["auto", "numpy", "jax", "torch"]),
    default="auto",
    help="What --code is called with; auto looks at what its module imports.",
)
@click.option("--let", multiple=True, metavar="DECL", help="A declaration; repeatable.")
@click.option("--let-file", metavar="FILE", help="Read declarations from a file, one a line.")
@click.option(
    "--order", type=click.IntRange(1, 8), default=1, metavar="N", help="The N-th derivative."
)
@click.option("--then", metavar="Y", help="The mixed second derivative by X and Y.")
@click.option(
    "--layout",
    type=click.Choice(["mixed", "denominator", "numerator"]),
    default="mixed",
    help="The layout that the claim is in.",
)
@click.option(
    "--structured",
    type=click.Choice(["subspace", "cookbook"]),
    default="subspace",
    help="By a symmetric matrix: the gradient in that subspace, or by independent entries.",
)
@click.option(
    "--to",
    type=click.Choice(["text", "ascii", "json", "junit"]),
    default="text",
    help="The output format; junit for files only.",
)
@click.option("-q", "--quiet", is_flag=True, help="The exit code, and for files what is wrong.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="Check files by N processes.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, metavar="N", help="Seed of the random points."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, max=1e6, min_open=True),
    default=30.0,
    metavar="SECONDS",
    help="Give up after this long (on each statement).",
)
@click.option("-o", "--output", metavar="FILE", help="Write there instead of standard output.")
def check(targets: tuple[str, ...], **options: Any) -> None:
    """Whether a derivative is right; if not, how it is wrong. Exit code 0: right, 1: wrong.

    \b
    matgrad check "x'A x" --wrt x --equals "(A + A') x"
    matgrad check "x'S x" --wrt x --equals "2 S x" --let "S: symmetric"
    matgrad check "sum(tanh(W*x + b))" --wrt W --code examples/gradients.py:network
    matgrad check docs/check.md examples/appendix.matgrad --jobs 2

    FILE is a .matgrad file, one statement a line, or Markdown with fenced blocks marked matgrad:

    \b
    let S: symmetric(n)              # a declaration
    diff x'S x wrt x = 2 S x         # a statement
    hessian x'S x wrt x = 2 S        # the second derivative
    diff x'A y wrt x then y = A      # the mixed one

    --code imports the module that you name and calls the function with keyword arguments, one array for each variable.
    """
    claimed = options["equals"] is not None or options["code"] is not None
    as_json = options["to"] == "json"
    try:
        if claimed:
            code = _check_claim(targets, **options)
        else:
            code = _check_files(targets, **options)
    except MatgradError as problem:
        code = fail(problem, as_json)
    except RecursionError:
        code = fail(InternalError("recursion limit reached"), as_json)
    except BrokenPipeError:
        raise
    except Exception as problem:
        if os.environ.get("MATGRAD_DEBUG"):
            raise
        words = f"internal error: {type(problem).__name__}: {problem}"
        code = fail(InternalError(words), as_json)
    sys.exit(code)


def _check_claim(
    targets: tuple[str, ...],
    wrt: str | None,
    let: tuple[str, ...],
    let_file: str | None,
    to: str,
    quiet: bool,
    jobs: int,
    timeout: float,
    output: str | None,
    **options: Any,
) -> int:
    """Check one claim, show the verdict, and return the exit code."""
    if len(targets) > 1:
        raise UsageError(
            "a claim is about one expression",
            help='put it in quotes: `matgrad check "x\'A x" --wrt x --equals "2 A x"`',
        )
    if to == "junit":
        raise UsageError("`--to junit` is for files", help="`--to json` is for one claim too")
    if options["code"] is not None and ":" in options["code"]:
        click.echo(f"note: --code imports and runs {options['code'].rpartition(':')[0]}", err=True)
    from matgrad.verdict import check as judge

    declared = read_declarations(let_file)
    # What the user's code prints is not a result.
    with Timer(timeout), contextlib.redirect_stdout(sys.stderr):
        verdict = judge(read_text(targets[0]), wrt, let=list(let), background=declared, **options)
    if not quiet:
        from matgrad.render.verdicts import verdict_json, verdict_text

        unicode = use_unicode(sys.stdout)
        if to == "json":
            show(verdict_json(verdict, not unicode), output)
        else:
            style = "unicode" if to == "text" and unicode else "ascii"
            show(verdict_text(verdict, style), output)
    return 0 if verdict.ok else 1


def _check_files(
    targets: tuple[str, ...],
    wrt: str | None,
    let: tuple[str, ...],
    let_file: str | None,
    to: str,
    quiet: bool,
    jobs: int,
    output: str | None,
    seed: int,
    timeout: float,
    layout: str,
    structured: str,
    **options: Any,
) -> int:
    """Check every statement of files, a line each, and return the exit code."""
    from matgrad.files import Setting, exit_code, read_files, settle_all

    idle = [
        f"--{n}"
        for n, v in (("wrt", wrt), ("let", let), ("let-file", let_file), ("then", options["then"]))
        if v
    ]
    idle += ["--order"] if options["order"] > 1 else []
    if idle:
        raise UsageError(
            f"`{idle[0]}` is for one claim, and there is none: `{targets[0]}` is taken for a file",
            help="add the claim with `--equals CLAIM` or `--code MODULE:FUNCTION`",
        )
    items = read_files(targets)
    unicode = use_unicode(sys.stdout) and to != "ascii"
    setting = Setting(layout, structured, seed, timeout, "unicode" if unicode else "ascii")
    outcomes: list[Outcome] = []
    lines: list[str] = []
    live = to in ("text", "ascii") and output is None
    with _progress(len(items)) as advance:
        for outcome in settle_all(items, setting, jobs):
            outcomes.append(outcome)
            advance()
            if to in ("text", "ascii"):
                new = _outcome_lines(outcome, quiet)
                lines += new
                if live and new:
                    show("\n".join(new), None)
    if to == "json":
        from matgrad.render.verdicts import outcomes_json

        show(outcomes_json(outcomes, not use_unicode(sys.stdout)), output)
    elif to == "junit":
        from matgrad.render.verdicts import outcomes_junit

        show(outcomes_junit(outcomes), output)
    else:
        from matgrad.render.verdicts import summary_line

        last = [] if quiet and exit_code(outcomes) == 0 else [summary_line(outcomes)]
        if not live:
            show("\n".join([*lines, *last]), output)
        elif last:
            show(last[0], None)
    if not items:
        click.echo("note: there are no statements in the files", err=True)
    return exit_code(outcomes)


def _outcome_lines(outcome: Outcome, quiet: bool) -> list[str]:
    from matgrad.render.verdicts import outcome_lines

    if quiet:
        return outcome_lines(outcome, False) if outcome.status != "ok" else []
    return outcome_lines(outcome, True)


LONG = 20  # statements for which progress is shown


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, for many statements and where that is a terminal."""
    if total < LONG or sys.stderr is None or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("checking"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()
    ) as bar:
        task = bar.add_task("checking", total=total)
        yield lambda: bar.advance(task)


@main.command("eval", epilog=_DECLARATIONS)
@click.argument("expression", metavar="EXPR")
@click.option(
    "--data",
    multiple=True,
    metavar="FILE",
    help="Numbers: FILE (.npz, .npy, .csv, .json), NAME=FILE or NAME=NUMBER; repeatable.",
)
@click.option("--wrt", multiple=True, metavar="X", help="Compute the derivative by X; repeatable.")
@click.option("--let", multiple=True, metavar="DECL", help="A declaration; repeatable.")
@click.option("--let-file", metavar="FILE", help="Read declarations from a file, one a line.")
@click.option(
    "--order", type=click.IntRange(1, 8), default=1, metavar="N", help="The N-th derivative."
)
@click.option("--then", multiple=True, metavar="Y", help="The mixed second derivative by X and Y.")
@click.option("--hvp", metavar="V", help="The Hessian times a direction V, which the data has too.")
@click.option(
    "--structured",
    type=click.Choice(["subspace", "cookbook"]),
    default="subspace",
    help="By a symmetric matrix: the gradient in that subspace, or by independent entries.",
)
@click.option(
    "--to", type=click.Choice(["text", "ascii", "json"]), default="text", help="The output format."
)
@click.option("-q", "--quiet", is_flag=True, help="The numbers alone, in full.")
@click.option("--check/--no-check", default=True, help="Verify the derivative numerically.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, max=1e6, min_open=True),
    default=30.0,
    metavar="SECONDS",
    help="Give up after this long.",
)
@click.option("-o", "--output", metavar="FILE", help="Write there: .npy, .npz, .csv or .json.")
def evaluate(
    expression: str,
    data: tuple[str, ...],
    wrt: tuple[str, ...],
    let: tuple[str, ...],
    let_file: str | None,
    to: str,
    quiet: bool,
    timeout: float,
    output: str | None,
    **options: Any,
) -> None:
    """The value of EXPR on data; with --wrt, its derivative. EXPR of - reads standard input.

    \b
    matgrad eval "norm2(A*x - b)^2" --data data.npz
    matgrad eval "norm2(A*x - b)^2" --data data.npz --wrt x -o gradient.npy
    matgrad eval "x'A x" --data A=a.csv --data x=x.csv --wrt x --order 2
    """
    as_json = to == "json" and not quiet
    try:
        with Timer(timeout):
            from matgrad.data import read_data, write_data
            from matgrad.evaluate import evaluate as compute

            found = compute(
                read_text(expression),
                read_data(data),
                list(wrt) or None,
                list(let),
                background=read_declarations(let_file),
                **options,
            )
        if output is not None and not output.endswith(".json"):
            write_data(output, found.results)
        else:
            from matgrad.render.numbers import evaluation_json, evaluation_table, evaluation_text

            style = "unicode" if to == "text" and use_unicode(sys.stdout) else "ascii"
            if as_json or output is not None:
                text = evaluation_json(found)
            else:
                text = evaluation_table(found) if quiet else evaluation_text(found, style)
            show(text, output)
        for note in found.notes if not as_json else ():
            click.echo(f"note: {note}", err=True)
    except MatgradError as problem:
        sys.exit(fail(problem, as_json))
    except RecursionError:
        sys.exit(fail(InternalError("recursion limit reached"), as_json))
    except Exception as problem:
        if os.environ.get("MATGRAD_DEBUG"):
            raise
        words = f"internal error: {type(problem).__name__}: {problem}"
        sys.exit(fail(InternalError(words), as_json))


@main.command()
@click.argument("name", required=False)
def rules(name: str | None) -> None:
    """The rules, or one with its statement, conditions, reason, proof and source.

    \b
    matgrad rules
    matgrad rules inverse
    """
    from matgrad.render.rulebook import book_text, entry_text
    from matgrad.rulebook import entries, find

    unicode = use_unicode(sys.stdout)
    try:
        text = book_text(entries()) if name is None else entry_text(find(name))
        if not unicode:
            from matgrad.render.report import to_ascii

            text = to_ascii(text)
        show(text, None)
    except MatgradError as problem:
        sys.exit(fail(problem))
