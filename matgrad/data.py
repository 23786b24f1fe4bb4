"""Files of numbers -> arrays by name: .npz, .npy, .csv, JSON. Nothing is unpickled.

NumPy is imported by the functions that need it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from matgrad.errors import DataProblem, LimitProblem, UsageError
from matgrad.parse import read_name

Array = Any

MAX_BYTES = 2_000_000_000  # of a file
FORMATS = (".npz", ".npy", ".csv", ".json")


def read_data(specs: Iterable[str]) -> dict[str, Array]:
    """The arrays of several `FILE`, `NAME=FILE` or `NAME=NUMBER`, by the names of variables. Raises DataProblem."""
    found: dict[str, Array] = {}
    origin: dict[str, str] = {}
    for spec in specs:
        for name, array in _read(spec).items():
            if name in found:
                raise DataProblem(
                    f"`{name}` is in {origin[name]} and in {spec}",
                    help="leave out one of them, or give one another name: `--data NAME=FILE`",
                )
            found[name] = array
            origin[name] = spec
    return found


def _read(spec: str) -> dict[str, Array]:
    name, equals, place = spec.partition("=")
    if not equals or os.path.exists(spec):
        return _read_file(spec, "")
    asked = _variable(name)
    if not asked:
        raise DataProblem(
            f"`{name}` is no name of a variable", help="write `--data NAME=FILE`, as in `A=a.csv`"
        )
    try:
        number = float(place)
    except ValueError:
        return _read_file(place, asked)
    return {asked: checked(number, asked, spec)}


def _read_file(place: str, asked: str) -> dict[str, Array]:
    path = Path(place)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DataProblem(
            f"`{place}` is of no format that is read",
            help=f"the formats are {', '.join(FORMATS)}; a number is given as `--data c=2.5`",
        )
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise LimitProblem(
                f"`{place}` has {size:,} bytes", help=f"files of up to {MAX_BYTES:,} bytes are read"
            )
        raw = path.read_bytes()
    except OSError as problem:
        reason = (problem.strerror or "no reason given").lower()
        raise DataProblem(
            f"`{place}` cannot be read: {reason}", help="`--data` takes the name of a file"
        ) from None
    if not raw:
        raise DataProblem(f"`{place}` is empty")
    arrays = _READERS[suffix](raw, place)
    if asked:
        if len(arrays) > 1 and suffix == ".csv":
            import numpy as np

            return {asked: np.column_stack(list(arrays.values()))}
        if len(arrays) != 1:
            raise DataProblem(
                f"`{place}` has {len(arrays)} arrays, not one for `{asked}`",
                help=f"leave out `{asked}=`: they have names of their own, {', '.join(list(arrays)[:6])}",
            )
        arrays = {asked: next(iter(arrays.values()))}
    found: dict[str, Array] = {}
    for name, array in arrays.items():
        known = _variable(name or path.stem)
        if not known:
            raise DataProblem(
                f"`{name or path.stem}` of `{place}` is no name of a variable",
                help=f"write `--data NAME={place}`" if not name else "rename it in the file",
            )
        found[known] = checked(array, known, place)
    return found


def _variable(text: str) -> str:
    """The variable that a text names, or nothing."""
    name = read_name(text)
    return name if re.fullmatch(r"[^\W\d]\w*", name) else ""


# --- formats ------------------------------------------------------------------------------------------------------------


def _npz(raw: bytes, place: str) -> dict[str, Array]:
    import zipfile

    import numpy as np

    if not raw.startswith(b"PK"):
        raise _broken(place, "NumPy archive")
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as problem:
        raise _broken(place, "NumPy archive", problem) from None


def _npy(raw: bytes, place: str) -> dict[str, Array]:
    import numpy as np

    if not raw.startswith(b"\x93NUMPY"):
        raise _broken(place, "NumPy array")
    try:
        return {"": np.load(io.BytesIO(raw), allow_pickle=False)}
    except (ValueError, OSError, EOFError) as problem:
        raise _broken(place, "NumPy array", problem) from None


def _broken(place: str, what: str, problem: Exception | None = None) -> DataProblem:
    if "allow_pickle" in str(problem):
        return DataProblem(
            f"`{place}` holds Python objects, which are not loaded: they can run code",
            help="save arrays of numbers, `numpy.save(file, array.astype(float))`",
        )
    return DataProblem(
        f"`{place}` is no {what}", help="write it with `numpy.save` or `numpy.savez`"
    )


def _csv(raw: bytes, place: str) -> dict[str, Array]:
    """A matrix; with a first line of names, a vector for each column."""
    import numpy as np

    text = _text(raw, place)
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    lines = [(i, line) for i, line in lines if not line.lstrip().startswith("#")]
    if not lines:
        raise DataProblem(f"`{place}` has no numbers")
    first = lines[0][1]
    mark = next((m for m in (",", ";", "\t") if m in first), None)
    rows: list[tuple[int, list[str]]] = []
    for number, line in lines:
        cells = next(csv.reader([line], delimiter=mark)) if mark else line.split()
        rows.append((number, [c.strip() for c in cells]))
    width = len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width:
            raise DataProblem(
                f"{place}:{number}: {len(cells)} numbers, and {width} in the first line",
                help="every line has the same number of columns",
            )
    head = rows[0][1] if not any(map(_is_number, rows[0][1])) else None
    body = rows[1:] if head else rows
    if not body:
        raise DataProblem(f"`{place}` has names and no numbers")
    numbers: list[list[float]] = []
    for number, cells in body:
        for column, cell in enumerate(cells, 1):
            if not _is_number(cell):
                said = f"`{cell}` is no number" if cell else "a number is missing"
                raise DataProblem(
                    f"{place}:{number}: {said}, in column {column}",
                    help="numbers are written as 1.5 or 2e-3, with commas between them",
                )
        numbers.append([float(c) for c in cells])
    array = np.array(numbers)
    if head is None:
        return {"": array}
    if len(set(head)) < len(head):
        raise DataProblem(
            f"{place}:{rows[0][0]}: a name stands twice", help="columns have names of their own"
        )
    return dict(zip(head, array.T.copy(), strict=True))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _json(raw: bytes, place: str) -> dict[str, Array]:
    """An object of names and nested lists, or one nested list."""
    text = _text(raw, place)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as problem:
        raise DataProblem(
            f"{place}:{problem.lineno}: this is no JSON, from character {problem.colno} on: {problem.msg.lower()}",
            help='write an object, as in {"A": [[1, 2], [3, 4]], "x": [1, 2]}',
        ) from None
    except RecursionError:
        raise LimitProblem(f"`{place}` is nested too deeply") from None
    if not isinstance(content, dict):
        return {"": _nested(content, place, "it")}
    if not content:
        raise DataProblem(f"`{place}` has no numbers")
    return {name: _nested(value, place, f"`{name}`") for name, value in content.items()}


def _nested(value: Any, place: str, name: str) -> Array:
    import numpy as np

    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        raise DataProblem(
            f"in `{place}`, {name} is no array: its rows are not of one length",
            help="write the rows of a matrix as lists of one length, [[1, 2], [3, 4]]",
        ) from None
    if array.dtype.kind not in "biuf":
        raise DataProblem(
            f"in `{place}`, {name} is not made of numbers",
            help="write numbers and nested lists of numbers",
        )
    return array


def _text(raw: bytes, place: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise DataProblem(
            f"`{place}` is not UTF-8 (byte {problem.start + 1})", help="save it as UTF-8"
        ) from None


_READERS = {".npz": _npz, ".npy": _npy, ".csv": _csv, ".json": _json}


# --- numbers ------------------------------------------------------------------------------------------------------------


def checked(value: Any, name: str, place: str) -> Array:
    """An array of finite float64. Raises DataProblem."""
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        said = "complex numbers" if array.dtype.kind == "c" else f"the type {array.dtype}"
        raise DataProblem(
            f"`{name}` is of {said}" if array.dtype.kind != "c" else f"`{name}` has {said}",
            help="matgrad computes with real numbers",
        )
    if array.ndim > 2:
        raise DataProblem(
            f"`{name}` has {array.ndim} axes", help="variables are numbers, vectors and matrices"
        )
    array = array.astype(np.float64)
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        at = ", ".join(str(i + 1) for i in bad[0])
        what = "NaN" if np.isnan(array[tuple(bad[0])]) else "an infinite number"
        where = f" at [{at}]" if at else ""
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise DataProblem(
            f"`{name}` holds {what}{where}{more}", help=f"fill or remove them in {place}"
        )
    return array


# --- writing ------------------------------------------------------------------------------------------------------------


def write_data(place: str, arrays: Mapping[str, Array]) -> None:
    """Write arrays to a .npy, .npz or .csv file, in full. Raises UsageError."""
    import numpy as np

    suffix = Path(place).suffix.lower()
    if suffix not in (".npy", ".npz", ".csv"):
        raise UsageError(
            f"`{place}` is of no format that is written",
            help=f"the formats are {', '.join(FORMATS)}",
        )
    if suffix != ".npz" and len(arrays) > 1:
        raise UsageError(
            f"there are several results, and `{place}` has room for one", help="write `-o FILE.npz`"
        )
    array = next(iter(arrays.values()))
    if suffix == ".csv" and array.ndim > 2:
        raise UsageError(
            f"an array of {array.ndim} axes is no table", help="write it with `-o FILE.npy`"
        )
    try:
        with open(place, "wb") as file:
            if suffix == ".npz":
                np.savez(file, **{name or "value": a for name, a in arrays.items()})
            elif suffix == ".npy":
                np.save(file, array, allow_pickle=False)
            else:
                np.savetxt(file, np.atleast_1d(array), "%.17g", ",")
    except OSError as problem:
        raise UsageError(
            f"`{place}` cannot be written: {(problem.strerror or 'no reason given').lower()}",
            help="`-o` takes the name of a file in a folder that exists",
        ) from None
