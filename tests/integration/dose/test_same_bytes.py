"""One and two threads give the same bytes for six plans, and the comparison sees a changed one.

Other processors are the heavier command's (same_bytes.py): compiling everything anew takes minutes.
"""

from __future__ import annotations

import hashlib

import numba
import numpy as np
import pytest

from tests.integration.dose import same_bytes
from tests.integration.dose.same_bytes import PLANS


@pytest.mark.parametrize("plan", PLANS)
def test_one_and_two_threads_give_the_same_bytes(plan):
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("this process was started with one thread")
    one, two = (same_bytes.dose(plan, threads) for threads in (1, 2))
    assert np.count_nonzero(one) > 10_000
    assert hashlib.sha256(one.tobytes()).hexdigest() == hashlib.sha256(two.tobytes()).hexdigest()


def test_the_least_difference_of_one_voxel_is_found(tmp_path):
    dose = np.linspace(0.1, 1.0, 24, dtype=np.float32).reshape(2, 3, 4)
    other = dose.copy()
    other[1, 2, 3] = np.nextafter(other[1, 2, 3], np.float32(2.0))
    for kind, last in (("host", dose), ("generic", other)):
        (tmp_path / kind).mkdir()
        np.save(tmp_path / kind / "PBRA water, 1 threads.npy", dose)
        np.save(tmp_path / kind / "PBRA water, 2 threads.npy", last)
    (found,) = same_bytes.differences(["host", "generic"], ["PBRA water"], tmp_path)
    assert (found["kind"], found["threads"], found["voxels"]) == ("generic", 2, 1)
    assert found["largest_of_maximum"] == pytest.approx(2.0**-23)
