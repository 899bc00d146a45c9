"""Kill a saving process at random moments, then prove that nothing acknowledged is lost and nothing is damaged.

A child process saves plan revisions with doses as fast as it can and writes each acknowledged revision to a pipe. The
parent kills it (SIGKILL) after a random time, opens the site and demands: every acknowledged revision is there, every
revision is complete with its dose, the whole-site check finds nothing but orphans.

    python -m tests.integration.storage.kill_harness --kills 100

``--sabotage`` breaks the save protocol on purpose; the harness must then find damage, or it proves nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import attrs

from ert.domain.plan import Plan
from ert.domain.record import Severity
from ert.errors import ErtError
from ert.storage import atomic, blobs
from ert.storage.plans import PlanRepository
from ert.storage.records import Records
from tests.integration.storage import samples
from tests.integration.storage.workshop import workshop

KILLS_PER_SITE = 10
MOST_SAVES = 4
FIRST_SAVE_S = 0.05
SABOTAGES = ("acknowledge-first", "rows-first")


@attrs.define
class Tally:
    """What the kills showed."""

    kills: int = 0
    acknowledged: int = 0
    revisions: int = 0
    lost: int = 0
    corrupt: int = 0
    with_orphans: int = 0
    with_hot_journal: int = 0
    seconds: float = 0.0


def plan_at(base: Plan, revision: int) -> Plan:
    """The plan as every process knows it for a revision; every seventh is too long for a database cell."""
    plan = samples.renamed(base, f"revision {revision}")
    return plan if revision % 7 else samples.lengthened(plan)


def dose_at(revision: int):
    """The dose that belongs to a revision."""
    return samples.dose(f"{revision:064x}", seed=revision)


def save_forever(root: Path, base: Plan, out: int, sabotage: str | None) -> None:
    """The child: save revision after revision, acknowledging each."""
    after_commit = _sabotaged() if sabotage == "rows-first" else lambda _saving_s: None
    site = samples.open_site(root)
    found = {head.plan_id: head.revision for head in site.plans.heads(base.course_id)}
    revision = found.get(base.id, 0)
    os.write(out, b"ready\n")
    while True:
        if sabotage == "acknowledge-first":
            os.write(out, f"{revision + 1}\n".encode())
        started = time.monotonic()
        _save(site.plans, plan_at(base, revision + 1), revision)
        after_commit(time.monotonic() - started)
        revision += 1
        os.write(out, f"{revision}\n".encode())


def _save(plans: PlanRepository, plan: Plan, base_revision: int) -> None:
    stored = plans.save(plan, base_revision=base_revision, doses=[dose_at(base_revision + 1)])
    if stored.revision != base_revision + 1:
        raise SystemExit("a save acknowledged another revision")


def _sabotaged() -> Callable[[float], None]:
    """Leave new files unnamed until their rows are committed: the order that a save must not have.

    They stay so for three times as long as the save took, so that most kills fall into the gap on any disk.
    """
    waiting: list[tuple[Path, Path]] = []
    Records.expect_files = lambda *_: None  # type: ignore[method-assign]

    def write_later(path, write, *, tmp_folder, mode=0o600):
        tmp = tmp_folder / f"{path.name}.part"
        result = atomic._write_synced(tmp, write)
        waiting.append((tmp, path))
        return result

    def rename_all(saving_s):
        time.sleep(3.0 * saving_s)
        while waiting:
            tmp, path = waiting.pop()
            tmp.rename(path)

    blobs.write_new_file = write_later
    blobs.BlobStore.check_cipher = lambda _self, _stored: None
    PlanRepository._stored = lambda _self, row: samples_stored(row)
    return rename_all


def samples_stored(row):
    """Skip reading back what the sabotaged order has not written yet."""
    return attrs.make_class("Stored", ["revision"])(row["rev"])


def run_child(root: Path, base: Plan, sabotage: str | None, rng: random.Random) -> list[int]:
    """Fork a saving child, kill it some saves later at a random moment of a save, return what it acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            save_forever(root, base, writing, sabotage)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        first = _lines(pipe, 1 + rng.randrange(MOST_SAVES), rng)
        os.kill(child, signal.SIGKILL)
        lines = first + pipe.read().split(b"\n")[:-1]
    _, status = os.waitpid(child, 0)
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        raise SystemExit("the saving child ended by itself")
    return [int(line) for line in lines[1:]]


def _lines(pipe: BinaryIO, count: int, rng: random.Random) -> list[bytes]:
    """Wait for some lines, then for a random part of the time one more would take."""
    lines, interval_s = [], FIRST_SAVE_S
    for _ in range(count):
        started = time.monotonic()
        lines.append(pipe.readline().strip())
        interval_s = time.monotonic() - started if len(lines) > 1 else FIRST_SAVE_S
    time.sleep(rng.uniform(0.0, 1.2 * interval_s))
    return lines


def verify(root: Path, base: Plan, acknowledged: list[int], before: int, tally: Tally) -> int:
    """Open the site after a kill and judge it; return its newest revision."""
    tally.with_hot_journal += (root / "site.db-journal").exists()
    site = samples.open_site(root)
    try:
        newest = max((head.revision for head in site.plans.heads(base.course_id)), default=0)
        tally.lost += len([revision for revision in acknowledged if revision > newest])
        tally.corrupt += sum(not _is_complete(site.plans, base, r) for r in range(before + 1, newest + 1))
        findings = site.check()
    finally:
        site.close()
    tally.corrupt += any(f.severity is not Severity.NOTE for f in findings)
    tally.with_orphans += any(f.severity is Severity.NOTE for f in findings)
    tally.revisions += newest - before
    return newest


def _is_complete(plans: PlanRepository, base: Plan, revision: int) -> bool:
    try:
        stored = plans.load(base.id, revision)
        dose = plans.dose(base.id, f"{revision:064x}")
    except ErtError:
        return False
    return dose == dose_at(revision) and stored.plan == plan_at(base, revision)


def run(kills: int, *, seed: int = 1, sabotage: str | None = None, place: Path | None = None) -> Tally:
    """Kill a saving child `kills` times and return what was found; sites lie in `place`, in memory if it is None."""
    rng = random.Random(seed)
    tally = Tally()
    started = time.monotonic()
    with workshop(place) as folder:  # what is killed leaves the page cache as it is: memory does as well as a disk
        for kill in range(kills):
            if kill % KILLS_PER_SITE == 0:
                root, newest = samples.copied_site(folder / f"site-{kill}"), 0
                base = _prepare(root)
            acknowledged = run_child(root, base, sabotage, rng)
            tally.kills += 1
            tally.acknowledged += len(acknowledged)
            newest = verify(root, base, acknowledged, newest, tally)
    tally.seconds = round(time.monotonic() - started, 1)
    return tally


def _prepare(root: Path) -> Plan:
    site = samples.open_site(root)
    try:
        return samples.plan_of(samples.import_one(site))
    finally:
        site.close()


def main() -> int:
    """Run from the command line; exit 1 when something was lost or damaged."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sabotage", choices=SABOTAGES)
    parser.add_argument("--folder", type=Path, help="where sites are made")
    asked = parser.parse_args()
    tally = run(asked.kills, seed=asked.seed, sabotage=asked.sabotage, place=asked.folder)
    print(json.dumps(attrs.asdict(tally)))
    return int(bool(tally.lost or tally.corrupt))


if __name__ == "__main__":
    sys.exit(main())
