"""What a dose from a cache costs beside computing it: the demo patient's beam on three grids.

Usage::

    python benchmarks/dose_cache.py [--repeats N]

Times are CPU seconds of this process, the least of N, with compiled kernels. ``patient`` is what comes before the first
beam of an opened plan (density and stopping power of every voxel); a hit needs neither that nor the engine.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from ert.app.demo import run_demo
from ert.app.jobs import JobContext, Jobs
from ert.app.session import SiteSession
from ert.domain.plan import DoseGridSpec
from ert.settings import CacheSettings
from ert.storage.site import SiteOptions
from ert.storage.sites import Sites


def least_cpu_s(fn: Callable[[], object], repeats: int) -> float:
    """CPU time of the fastest of some runs."""
    times = []
    for _ in range(repeats):
        begin_s = time.process_time()
        fn()
        times.append(time.process_time() - begin_s)
    return min(times)


def measure(session: SiteSession, plan_id: str, spacing_cm: float, repeats: int) -> str:
    """One line of the table."""
    workspace = session.open_plan(plan_id)
    workspace.cancel_dose()
    plan = attrs.evolve(workspace.plan, dose_grid=DoseGridSpec(spacing_cm=spacing_cm))
    service, caches = workspace._dose_service, session.caches  # noqa: SLF001
    (item,) = service.requests(plan)

    def compute() -> object:
        return service._compute_one(plan, item, JobContext(), 0.0, 1.0)  # noqa: SLF001

    def prepare() -> None:
        service._tissue = None  # noqa: SLF001
        service.tissue(plan)

    result = compute()
    prepared_s = least_cpu_s(prepare, repeats)
    computed_s = least_cpu_s(compute, repeats)

    def put() -> None:
        caches.clear()
        caches.put(result)

    put_s = least_cpu_s(put, repeats)
    hit_s = least_cpu_s(lambda: caches.get(result.request_digest), repeats)
    found = caches.get(result.request_digest)
    if found is None or hashlib.sha256(found.gy_per_mu).digest() != hashlib.sha256(result.gy_per_mu).digest():
        raise SystemExit("the cache did not give the same bytes back")
    size = caches.size_bytes()
    workspace.close()
    raw = result.gy_per_mu.nbytes
    return (
        f"{spacing_cm:5.2f} {raw / 4e6:8.2f} {raw / 1e6:7.1f} {size / 1e6:7.1f} {prepared_s:8.3f} "
        f"{computed_s:8.3f} {put_s:6.3f} {hit_s:6.3f} {(prepared_s + computed_s) / hit_s:6.1f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory(prefix="ert-cache-") as place:
        settings = CacheSettings(folder=str(Path(place) / "doses"))
        gateway = Sites(SiteOptions(cache_settings=lambda: settings), kind="sandbox")
        demo = run_demo(gateway, Path(place) / "demo")
        jobs = Jobs(lambda call: call())
        user, password = demo.credentials
        session = SiteSession.open(gateway, jobs, demo.site_path, user_name=user, password=password)
        print("   cm  Mvoxels      MB on disk  patient  compute    put    hit  ratio")
        for spacing_cm in (0.25, 0.15, 0.1):
            print(measure(session, demo.plan_id, spacing_cm, repeats), flush=True)
        session.close()
        jobs.shutdown()


if __name__ == "__main__":
    main()
