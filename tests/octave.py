"""Runs emitted MATLAB files in GNU Octave, many in one process, and compares them with matgrad's own numeric meaning."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from emitted import TOLERANCE, Case, cases, keywords, load, plan, same

from matgrad import expr as ex
from matgrad.derive import Derivation, emitted
from matgrad.emit.matlab import KEPT
from matgrad.emit.module import PYTHON, names_for

OCTAVE = shutil.which("octave-cli")
needs_octave = pytest.mark.skipif(OCTAVE is None, reason="GNU Octave is not installed")
BATCH = 400  # files that one process runs

# Every case: a file, the arguments as pairs, the calls of unknown functions with what they give, a direction.
_DRIVER = """
warning('off', 'all');
data = load('data.mat');
names = fieldnames(data);
for k = 1:numel(names)
  c = data.(names{k});
  found = struct();
  try
    f = feval(c.file);
    given = c.arguments;
    for i = 1:2:numel(c.calls)
      given = [given, {c.calls{i}, @(x) looked_up(c.calls{i + 1}, x)}];
    end
    parts = fieldnames(f);
    for i = 1:numel(parts)
      results = cell(1, c.outputs.(parts{i}));
      if strcmp(parts{i}, 'hvp')
        [results{:}] = f.hvp(c.direction, given{:});
      else
        [results{:}] = f.(parts{i})(given{:});
      end
      found.(parts{i}) = results;
    end
  catch problem
    found.error = problem.message;
  end
  all_found.(names{k}) = found;
end
save('-v7', 'found.mat', '-struct', 'all_found');
"""
_LOOKED_UP = """function y = looked_up(calls, x)
  best = inf;
  for i = 1:2:numel(calls)
    if isequal(size(calls{i}), size(x)) && (isempty(x) || max(abs(calls{i}(:) - x(:))) < best)
      best = max([0; abs(calls{i}(:) - x(:))]);
      y = calls{i + 1};
    end
  end
  if ~(best < 1e-6)
    error('a function is called where it was not before');
  end
end
"""


def shaped(value: Any, row: bool = False) -> Any:
    """An array as MATLAB has it: two axes at least, vectors as columns, no axes of size 1 at the end."""
    array = np.asarray(value, dtype=float)
    if array.ndim < 2:
        return array.reshape((1, -1) if row else (-1, 1))
    dims = list(array.shape)
    while len(dims) > 2 and dims[-1] == 1:
        dims.pop()
    return array.reshape(dims)


class _Recorder:
    """A function that keeps what it was called with."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.calls: list[Any] = []

    def __call__(self, x: Any) -> Any:
        y = self.function(x)
        self.calls += [shaped(x), shaped(y)]
        return y


def _cells(values: Sequence[Any]) -> Any:
    found = np.empty(len(values), dtype=object)
    for i, v in enumerate(values):
        found[i] = v
    return found


class Prepared:
    """One file at one point: what Octave is given, and what it should find: what the NumPy module finds."""

    def __init__(self, d: Derivation, case: Case, file: str) -> None:
        p = plan(d)
        numpy, matlab = names_for(p, PYTHON), names_for(p, KEPT)
        rows = {numpy.inputs[v.data[0]] for v in p.variables if v.shape.kind == ex.ROW}
        # What the arguments of the NumPy module are called in the file.
        called = {numpy.inputs[k]: matlab.inputs[k] for k in numpy.inputs}
        called |= {numpy.callables[k]: matlab.callables[k] for k in numpy.callables}
        called |= {numpy.sizes[k]: matlab.sizes[k] for k in numpy.sizes}
        space = load(d.to("numpy"))
        wanted = keywords(space["value"])
        arguments = {k.removeprefix("#"): v for k, v in case.arguments.items()}
        arguments = {
            k: _Recorder(v) if callable(v) else v for k, v in arguments.items() if k in wanted
        }
        self.expected: dict[str, list[Any]] = {}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for f in p.functions:
                found = space[f.name](*([case.direction] if f.direction else []), **arguments)
                found = list(found) if isinstance(found, tuple) else [found]
                turned = [o.expr.shape.kind == ex.ROW and not f.factors for o in f.outputs]
                turned += [False] * (len(found) - len(turned))
                self.expected[f.name] = [shaped(r, t) for r, t in zip(found, turned, strict=True)]
        given, calls = [], []
        for name, value in arguments.items():
            if isinstance(value, _Recorder):
                calls += [called[name], _cells(value.calls)]
            else:
                given += [called[name], shaped(value, name in rows)]
        self.data: dict[str, Any] = {
            "file": file,
            "arguments": _cells(given),
            "calls": _cells(calls),
            "outputs": {k: float(len(v)) for k, v in self.expected.items()},
        }
        if case.direction is not None:
            self.data["direction"] = shaped(case.direction, p.wrt[0].shape.kind == ex.ROW)

    def wrong(self, found: Any) -> list[str]:
        """What is wrong with the results."""
        if "error" in (found.dtype.names or ()):
            return [str(found["error"][0, 0][0])]
        problems = []
        for name, expected in self.expected.items():
            results = found[name][0, 0].reshape(-1)
            for result, e in zip(results, expected, strict=True):
                if np.iscomplexobj(result):
                    problems.append(f"{name}: complex")
                    continue
                result = result.astype(float)
                if result.shape != e.shape:
                    problems.append(f"{name}: shape {result.shape} for {e.shape}")
                    continue
                problem = same(result, e, TOLERANCE)
                problems += [f"{name}: {problem}"] * bool(problem)
        return problems


def wrong(
    derivations: Sequence[Derivation], folder: Path, wanted: int = 2, seed: int = 0
) -> dict[int, list[str]]:
    """What is wrong with the files of derivations, by their number; run in as few processes as `BATCH` allows."""
    problems: dict[int, list[str]] = {}
    for start in range(0, len(derivations), BATCH):
        here = folder / str(start)
        here.mkdir(parents=True)
        prepared: dict[str, tuple[int, Prepared]] = {}
        for i in range(start, min(start + BATCH, len(derivations))):
            d = derivations[i]
            (here / f"emitted_{i}.m").write_text(
                emitted(d, "matlab", f"emitted_{i}"), encoding="utf-8"
            )
            for at, case in enumerate(cases(d, seed, wanted=wanted)):
                prepared[f"c{i}_{at}"] = (i, Prepared(d, case, f"emitted_{i}"))
        scipy.io.savemat(
            here / "data.mat", {k: p.data for k, (_, p) in prepared.items()}, long_field_names=True
        )
        (here / "looked_up.m").write_text(_LOOKED_UP)
        (here / "driver.m").write_text(_DRIVER)
        ran = subprocess.run(
            [str(OCTAVE), "--no-init-file", "-q", "driver.m"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert (here / "found.mat").exists(), ran.stdout + ran.stderr
        found = scipy.io.loadmat(here / "found.mat")
        for key, (i, p) in prepared.items():
            problems.setdefault(i, []).extend(p.wrong(found[key]))
    assert problems, "there is no point at which anything has a value"
    return {i: p for i, p in problems.items() if p}
