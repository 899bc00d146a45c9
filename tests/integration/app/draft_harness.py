"""Kill an editing process at random moments, then prove that the next start finds its edits.

A child process edits a plan through the program's own keeping of edits and writes the number of each edit to a pipe
once it is told that the edit is kept. The parent kills it (SIGKILL) at a random moment, signs in anew and demands: one
draft, whole, not older than the last edit that was told, and the revision in the site untouched.

    python -m tests.integration.app.draft_harness --kills 100

``--sabotage`` tells of edits before they are kept; the harness must then find lost ones, or it proves nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import attrs

from ert.app.edit_session import EditSession
from ert.app.jobs import Jobs
from ert.app.plan_keeping import PlanKeeping
from ert.domain.plan import Plan
from tests.integration.storage import samples

MOST_EDITS = 12


@attrs.define
class Tally:
    """What the kills showed."""

    kills: int = 0
    told: int = 0
    found: int = 0
    lost: int = 0
    damaged: int = 0
    slowest_ms: float = 0.0


def edited(plan: Plan, number: int) -> Plan:
    """The plan after an edit."""
    return attrs.evolve(plan, description=f"edit {number} " + "x" * (number % 97))


def edit_forever(root: Path, drafts: Path, plan_id: str, out: int, *, is_sabotaged: bool) -> None:
    """The child: edit after edit, telling of each that is kept, and how long that took."""
    site = samples.open_site(root, drafts=drafts)
    calls: queue.Queue = queue.Queue()
    stored = site.plans.load(plan_id)
    session = EditSession(stored.plan)
    keeping = PlanKeeping(store=site, jobs=Jobs(calls.put), session=session, stored=stored, publish=lambda: None)
    os.write(out, b"ready 0\n")
    for number in range(1, 1_000_000):
        began = time.monotonic()
        session.apply(f"Edit {number}", lambda plan, number=number: edited(plan, number))
        before = keeping.kept_at
        keeping.edited(f"Edit {number}")
        while not is_sabotaged and keeping.kept_at == before:
            calls.get()()
        os.write(out, f"{number} {1000 * (time.monotonic() - began):.3f}\n".encode())


def run_child(root: Path, drafts: Path, plan_id: str, rng: random.Random, *, is_sabotaged: bool) -> list[bytes]:
    """Fork an editing child, kill it some edits later, return what it told."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            edit_forever(root, drafts, plan_id, writing, is_sabotaged=is_sabotaged)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = [pipe.readline() for _ in range(2 + rng.randrange(MOST_EDITS))]
        time.sleep(rng.uniform(0.0, 0.01))
        os.kill(child, signal.SIGKILL)
        lines += pipe.read().split(b"\n")[:-1]
    _, status = os.waitpid(child, 0)
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        raise SystemExit("the editing child ended by itself")
    return [line.strip() for line in lines[1:]]


def verify(root: Path, drafts: Path, base: Plan, told: list[bytes], tally: Tally) -> None:
    """Sign in again after a kill and judge what is offered."""
    last = int(told[-1].split()[0])
    tally.told += len(told)
    tally.slowest_ms = max(tally.slowest_ms, *(float(line.split()[1]) for line in told))
    site = samples.open_site(root, drafts=drafts)
    try:
        found = site.drafts.left_over()
        tally.damaged += len(found.unreadable) + (site.plans.load(base.id).plan != base)
        if len(found.drafts) != 1:
            tally.lost += 1
            return
        draft = found.drafts[0]
        tally.found += 1
        number = int(draft.plan.description.split()[1])
        tally.lost += number < last
        tally.damaged += draft.plan != edited(base, number) or draft.labels[-1] != f"Edit {number}"
        site.drafts.discard(draft.draft_id)
    finally:
        site.close()


def run(kills: int, *, seed: int = 1, is_sabotaged: bool = False) -> Tally:
    """Kill an editing child `kills` times and return what was found."""
    rng, tally = random.Random(seed), Tally()
    folder = Path(tempfile.mkdtemp(prefix="ert-drafts-"))
    try:
        root, drafts = samples.copied_site(folder / "site"), folder / "drafts"
        site = samples.open_site(root)
        base = samples.plan_of(samples.import_one(site))
        site.plans.save(base, base_revision=0)
        site.close()
        for _ in range(kills):
            told = run_child(root, drafts, base.id, rng, is_sabotaged=is_sabotaged)
            tally.kills += 1
            verify(root, drafts, base, told, tally)
    finally:
        shutil.rmtree(folder)
    return tally


def main() -> int:
    """Run from the command line; exit 1 when an edit was lost or damaged."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sabotage", action="store_true")
    asked = parser.parse_args()
    tally = run(asked.kills, seed=asked.seed, is_sabotaged=asked.sabotage)
    print(json.dumps(attrs.asdict(tally)))
    return int(bool(tally.lost or tally.damaged))


if __name__ == "__main__":
    sys.exit(main())
