"""Results of `eval`: numbers as text, as tables and as JSON."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from matgrad import __version__
from matgrad.errors import UsageError

if TYPE_CHECKING:
    from matgrad.evaluate import Evaluation

MAX_ROWS = 20  # that are shown of an array
MAX_COLUMNS = 10
MAX_BLOCKS = 6  # matrices that are shown of an array of more than two axes
_MORE = {True: ("…", "⋮"), False: ("...", "...")}


def evaluation_text(found: Evaluation, style: str) -> str:
    """What was computed, and its entries to six digits; of a large array the first ones."""
    unicode = style == "unicode"
    lines: list[str] = []
    for name, array in found.results.items():
        left = _left(found, name, unicode)
        if array.ndim == 0:
            lines.append(f"{left} = {array:.10g}")
            continue
        size = ("×" if unicode else "x").join(map(str, array.shape))
        lines.append(f"{left}, {size}:" if array.ndim > 1 else f"{left}, {size} entries:")
        lines += [f"  {line}".rstrip() for line in _shown(array, unicode)]
        if array.ndim > 2 or array.shape[0] > MAX_ROWS or array.shape[-1] > MAX_COLUMNS:
            lines.append("all of it: `-o FILE.npy`, or `--to json`")
    return "\n".join(lines)


def _left(found: Evaluation, name: str, unicode: bool) -> str:
    if not found.wrt:
        return "y"
    d = "∂" if unicode else "d"
    if not name:
        return f"{d}²y/{d}{found.wrt[0]}² v" if unicode else f"d2y/d{found.wrt[0]}2 v"
    if found.order == 1:
        return f"{d}y/{d}{name}"
    power = "²³⁴⁵⁶⁷⁸"[found.order - 2] if unicode else str(found.order)
    return f"{d}{power}y/{d}{name}{power}"


def _shown(array: Any, unicode: bool) -> list[str]:
    """The lines of an array; one of more than two axes as matrices."""
    across, down = _MORE[unicode]
    if array.ndim > 2:
        lines = []
        places = itertools.product(*(range(n) for n in array.shape[:-2]))
        for at in itertools.islice(places, MAX_BLOCKS):
            lines.append(f"[{', '.join(str(i + 1) for i in at)}, :, :]")
            lines += [f"  {line}" for line in _shown(array[at], unicode)]
        blocks = 1
        for n in array.shape[:-2]:
            blocks *= n
        return [*lines, down] if blocks > MAX_BLOCKS else lines
    rows = array.reshape(len(array), -1)
    cells = [[f"{x:.6g}" for x in row[:MAX_COLUMNS]] for row in rows[:MAX_ROWS]]
    if array.ndim == 2 and array.shape[1] > MAX_COLUMNS:
        cells = [[*row, across] for row in cells]
    width = max((len(c) for row in cells for c in row), default=0)
    lines = ["  ".join(c.rjust(width) for c in row) for row in cells]
    return [*lines, down] if len(array) > MAX_ROWS else lines


def evaluation_table(found: Evaluation) -> str:
    """The numbers alone, in full: a number, a line for each entry, or a line of comma-separated numbers for each row."""
    if len(found.results) > 1:
        raise UsageError(
            "there are several results", help="`--to json` has them all, as does `-o FILE.npz`"
        )
    (array,) = found.results.values()
    if array.ndim > 2:
        raise UsageError(
            f"an array of {array.ndim} axes is no table",
            help="`--to json` has it, as does `-o FILE.npy`",
        )
    if array.ndim == 0:
        return repr(float(array))
    return "\n".join(",".join(map(repr, row)) for row in array.reshape(len(array), -1).tolist())


def evaluation_json(found: Evaluation) -> str:
    """One object: what was computed, and nested lists."""
    lists = {name: array.tolist() for name, array in found.results.items()}
    result = lists if len(lists) > 1 else next(iter(lists.values()))
    content: dict[str, Any] = {"matgrad": __version__, "expression": found.text}
    if found.wrt:
        content |= {"wrt": list(found.wrt), "order": found.order, "derivative": result}
    else:
        content |= {"value": result}
    return json.dumps(
        {**content, "sizes": found.sizes, "notes": list(found.notes)}, ensure_ascii=True
    )
