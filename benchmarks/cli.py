"""How long whole commands take, as ratios to `python -c "import sympy"` in the same run.

    python benchmarks/cli.py [rounds]

Every command runs as a process of its own, in turn, and the medians are compared. The output goes to a pipe; "colour" asks for
colour all the same. Install matgrad as a user does: in an editable installation Python itself starts 10 ms later.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

ANSWER = ("-m", "matgrad", "diff", "ln det(X)", "--wrt", "X")
PARSE = "from matgrad.parse import parse; parse('ln det(X)')"
COLOUR = {"FORCE_COLOR": "1"}

# name -> (arguments of Python, environment, the largest ratio allowed)
COMMANDS: dict[str, tuple[tuple[str, ...], dict[str, str], float | None]] = {
    "import sympy": (("-c", "import sympy"), {}, None),
    "a bare Python": (("-c", ""), {}, None),
    "import click": (("-c", "import click"), {}, None),
    "import click, rich": (("-c", "import click, rich.console"), {}, None),
    "import click, lark": (("-c", "import click, lark"), {}, None),
    "import numpy": (("-c", "import numpy"), {}, None),
    "matgrad's parser": (("-c", PARSE), {}, None),
    "matgrad --help": (("-m", "matgrad", "--help"), {}, 0.18),
    "diff -q --no-check": ((*ANSWER, "-q", "--no-check"), {}, 0.30),
    "diff, steps only": ((*ANSWER, "--no-check"), {}, None),
    "diff, steps, colour, check": (ANSWER, COLOUR, 0.65),
}


def main(rounds: int = 15) -> int:
    """Print the table; 1 if a bound is exceeded."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    settings = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    settings.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled once, as in every installation
    for number in range(rounds + 1):
        for name, (arguments, environment, _) in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments],
                env={**settings, **environment},
                stdout=subprocess.DEVNULL,
                check=True,
            )
            if number:  # the first round compiles
                times[name].append(time.perf_counter() - start)
    base = statistics.median(times["import sympy"])
    print(f"{'command':28} {'ms':>7} {'ratio':>7} {'bound':>7}")
    over = []
    for name, (_, _, bound) in COMMANDS.items():
        median = statistics.median(times[name])
        ratio = median / base
        print(f"{name:28} {median * 1e3:7.1f} {ratio:7.3f} {bound if bound else '':>7}")
        if bound is not None and ratio > bound:
            over.append(name)
    bounded = sum(bound is not None for _, _, bound in COMMANDS.values())
    print(f"{bounded - len(over)} of {bounded} commands within their bounds, {rounds} rounds")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
