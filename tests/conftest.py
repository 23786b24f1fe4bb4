"""One thread for linear algebra: the matrices of the tests are small, and tests run beside one another."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
