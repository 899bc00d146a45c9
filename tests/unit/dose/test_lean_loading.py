"""Kernels are loaded from the cache without scipy and without parsed instructions, and can still be compiled around."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import json, sys
import ert.dose.threads
from numba import njit
from ert.dose.kernels.lattice import level_of

alone = level_of(6.0)
overload = next(iter(level_of.overloads.values()))
is_packed = overload.library._shared_module is None
before = "scipy.linalg" in sys.modules

@njit
def around(sigma):
    return 10 * level_of(sigma)

print(json.dumps({
    "alone": alone, "around": around(25.0), "hits": sum(level_of.stats.cache_hits.values()), "packed": is_packed,
    "scipy before": before, "scipy": "scipy.linalg" in sys.modules,
}))
"""


def _run(cache: Path) -> dict[str, object]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, check=True, capture_output=True, text=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a second process found, which did not compile the kernel but loaded it."""
    cache = tmp_path_factory.mktemp("kernels")
    assert _run(cache)["hits"] == 0
    return _run(cache)


def test_a_kernel_comes_from_the_cache_and_keeps_no_parsed_instructions(loaded: dict[str, object]) -> None:
    assert loaded["hits"] == 1
    assert loaded["packed"] is True


def test_a_function_around_a_loaded_kernel_is_compiled_and_computes(loaded: dict[str, object]) -> None:
    # the pitch may be doubled while it stays at or below a third of sigma: 6 = 3 · 2, 25 ≥ 3 · 8
    assert loaded["alone"] == 1
    assert loaded["around"] == 30


def test_kernels_bring_no_library_of_linear_algebra(loaded: dict[str, object]) -> None:
    assert loaded["scipy before"] is False
    assert loaded["scipy"] is False
