"""Histories in batches, batches on threads: one grid for each batch in flight, the same bytes for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.mc_random import start_history
from ert.dose.kernels.mc_transport import follow

Float = NDArray[np.float64]
STACK = 64


@njit(cache=True, nogil=True)
def run_pencil(
    energy: float, at: Float, direction: Float, first: int, histories: int, seed: np.uint64, scene: Any,  # noqa: ANN401
    tables: Any, score: Float, tally: Float,  # noqa: ANN401
) -> None:  # fmt: skip
    """Histories of electrons that all start at one point in one direction (tests and benchmarks)."""
    rng = np.empty(1, dtype=np.uint64)
    p = np.empty(9)
    stack = np.empty((STACK, 9))
    for history in range(first, first + histories):
        start_history(rng, seed, np.uint64(history))
        p[0] = energy
        p[1], p[2], p[3] = at[0], at[1], at[2]
        p[4], p[5], p[6] = direction[0], direction[1], direction[2]
        p[7], p[8] = 1.0, 0.0
        follow(p, scene, tables, stack, score, tally, rng)
