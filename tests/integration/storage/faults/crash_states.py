"""Cut the power at every moment of a day's work: every content of the disk that may be left is made and judged.

    python -m tests.integration.storage.faults.crash_states                    # 3,000 states
    python -m tests.integration.storage.faults.crash_states --states 200
    python -m tests.integration.storage.faults.crash_states --without-flushes  # must find most states broken

A process keeps drafts, saves plan revisions with doses (one too long for a cell of the database), imports a patient,
signs a machine package and adds a machine; the interposer (shim.c) writes down every call, SQLCipher's among them, with
its data, and every acknowledgement. For each moment, what was not flushed by then is kept, lost, kept in part or in
another order (oplog.py). Each state becomes a folder in which the site is opened and judged: I1 to I4 of judge.py, and
the unsaved edit that was kept.

``--without-flushes`` takes all flushes out of the log: what the program would leave if it made none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from ert.domain.record import Severity
from ert.errors import ErtError
from tests.integration.storage import samples
from tests.integration.storage.faults import shim
from tests.integration.storage.faults.operations import PACKAGE, Made, add_patient
from tests.integration.storage.faults.oplog import History, disk_at, history_of, marks, pending, read_disk, write_disk
from tests.integration.storage.faults.run_one import furnished, shared_out
from tests.integration.storage.faults.scene import Scene, load_everything
from tests.integration.storage.workshop import workshop

MODULE = "tests.integration.storage.faults.crash_states"
MOST_STATES = 3000
SUBSETS = 4


@attrs.define
class Tally:
    """What was seen."""

    steps: int = 0
    flushes: int = 0
    moments: int = 0
    possible: int = 0
    states: int = 0
    broken: int = 0
    lost: int = 0
    damaged: int = 0
    draft_lost: int = 0
    seconds: float = 0.0
    examples: list[str] = attrs.field(factory=list)


@attrs.frozen
class State:
    """One content of the disk: everything before a step but for what is lost, and half of what is torn."""

    until: int
    lost: frozenset[int]
    torn: frozenset[int] = frozenset()


def plan_at(revision: int):
    """The plan as every process knows it; the third revision is too long for a cell."""
    return samples.renamed(Made.long if revision == 3 else Made.plan, f"revision {revision}")


def work(scene: Scene) -> None:
    """The day that is written down; every mark is an acknowledgement."""
    site = scene.open()
    journal = site.drafts.begin()
    for revision in (2, 3, 4):
        plan = plan_at(revision)
        journal.keep(plan, base_revision=revision - 1, labels=["Name"])
        shim.mark(f"kept {revision}")
        site.plans.save(plan, base_revision=revision - 1, doses=[samples.dose(f"{revision:064x}", seed=revision)])
        shim.mark(f"saved {revision}")
        journal.clear()
        shim.mark(f"cleared {revision}")
    add_patient(site, Made.other, Made.other_course, Made.other_image, Made.other_structures)
    shim.mark("imported")
    site.releases.save(Made.release, base_revision=0)
    shim.mark("released")
    site.machines.add(name="LINAC 2", digest="ee" * 32, content=PACKAGE[1:])
    shim.mark("added")


def written_down(scene: Scene, log: Path) -> History:
    """Let a process do the work, and return the steps it made."""
    before = read_disk(scene.folder)
    child = os.fork()
    if child == 0:
        try:
            handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            shim.log_to(scene.folder, handle)
            work(scene)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError("the work was not done to its end")
    history = history_of(before, log.read_bytes(), scene.folder)
    if disk_at(history, len(history.steps), frozenset()) != read_disk(scene.folder):
        raise RuntimeError("the log does not give what lies on the disk: a call is missing")
    return history


def possible(history: History, *, is_flushing: bool) -> Iterator[State]:
    """Every moment with: all kept, nothing kept, each one lost, each one kept alone, each one torn, some at random.

    Without flushes nearly everything is unsure nearly always, so only with nothing kept and with some at random.
    """
    rng = random.Random(1)
    for until in range(1, len(history.steps) + 1):
        unsure = pending(history, until, is_flushing=is_flushing)
        everything = frozenset(unsure)
        yield from _of_each(history, until, unsure) if is_flushing else (State(until, everything),)
        for _ in range(SUBSETS if len(unsure) > 1 else 0):
            yield State(until, frozenset(n for n in unsure if rng.random() < 0.5))


def _of_each(history: History, until: int, unsure: list[int]) -> Iterator[State]:
    everything = frozenset(unsure)
    yield State(until, frozenset())
    yield State(until, everything)
    for number in unsure:
        yield State(until, frozenset({number}))
        yield State(until, everything - {number})
    for number in (n for n in unsure[-8:] if getattr(history.steps[n], "kind", "") == "data"):
        yield State(until, frozenset(), frozenset({number}))


def chosen(history: History, tally: Tally, count: int, *, is_flushing: bool) -> list[State]:
    """So many of the states, none of them twice, the same ones each time; without flushes random losses only."""
    states = list(possible(history, is_flushing=is_flushing))
    if not is_flushing:
        states = [s for s in states if len(s.lost) > 1 and s.until > len(history.steps) // 4]
    random.Random(2).shuffle(states)
    tally.possible = len(states)
    found: dict[bytes, State] = {}
    for state in states:
        if len(found) >= count:
            break
        disk = disk_at(history, state.until, state.lost, state.torn)
        told = "|".join(marks(history, state.until))
        digest = hashlib.blake2b(told.encode())
        for path, content in sorted(disk.items()):
            digest.update(path.encode() + b"\0" + hashlib.blake2b(content or b"").digest())
        found.setdefault(digest.digest(), state)
    return list(found.values())


def judge(scene: Scene, told: list[str]) -> list[str]:
    """What is broken in a state; `told` is what was acknowledged by then."""
    acknowledged = [int(text.split()[1]) for text in told if text.startswith("saved")]
    try:
        site = scene.open()
    except ErtError as error:
        return [f"lost: the site does not open: {error.sentence} ({error.detail})"]
    try:
        newest = site.plans.head(Made.plan.id).revision
        broken = [f"lost: revision {r}" for r in acknowledged if r > newest]
        found = {who.medical_record_number for who in site.patients.patients()}
        broken += ["lost: the import"] if "imported" in told and "0815" not in found else []
        broken += ["lost: the release"] if "released" in told and not site.releases.history() else []
        broken += ["lost: the machine"] if "added" in told and len(site.machines.packages()) < 2 else []
        broken += [f"damaged: {f.code} {f.subject}" for f in site.check() if f.severity is not Severity.NOTE]
        load_everything(site, but=Made.plan.id)
        if (
            site.plans.load(Made.plan.id, 1).plan != Made.plan
            or site.plans.dose(Made.plan.id, samples.dose().request_digest) is None
        ):
            broken.append("damaged: revision 1 is not what was saved")
        for revision in range(2, newest + 1):
            is_right = site.plans.load(Made.plan.id, revision).plan == plan_at(revision)
            dose = site.plans.dose(Made.plan.id, f"{revision:064x}")
            if not is_right or dose != samples.dose(f"{revision:064x}", seed=revision):
                broken.append(f"damaged: revision {revision} is not what was saved")
        broken += _lost_draft(site, told)
    except ErtError as error:
        return [f"damaged: {type(error).__name__} {error.sentence} ({error.detail})"]
    finally:
        site.close()
    return broken


def _lost_draft(site, told: list[str]) -> list[str]:
    found = site.drafts.left_over()
    broken = [f"draft: cannot be read: {name}" for name in found.unreadable]
    if told and told[-1].startswith("kept"):
        wanted = {f"revision {told[-1].split()[1]}"}
        if {draft.plan.name for draft in found.drafts} != wanted:
            broken.append(f"draft: {wanted} was kept and is not offered")
    return broken


def judged(history: History, states: list[State], folder: Path, worker: int, workers: int) -> dict:
    """One worker's share of the states."""
    tally, scene = Tally(), Scene(folder / f"state-{worker}")
    for state in states[worker::workers]:
        write_disk(disk_at(history, state.until, state.lost, state.torn), scene.folder)
        told = marks(history, state.until)
        broken = judge(scene, told)
        shutil.rmtree(scene.folder)
        tally.states += 1
        tally.broken += bool(broken)
        tally.lost += any(text.startswith("lost") for text in broken)
        tally.damaged += any(text.startswith("damaged") for text in broken)
        tally.draft_lost += any(text.startswith("draft") for text in broken)
        if broken:
            tally.examples.append(
                f"after step {state.until} ({told[-1:]}), lost {sorted(state.lost)[:5]}: {broken[:2]}"
            )
    return attrs.asdict(tally)


def main_inside(asked: argparse.Namespace) -> Tally:
    """Do it; this process has the interposer loaded."""
    tally, started = Tally(), time.monotonic()
    is_flushing = not asked.without_flushes
    with workshop(asked.folder) as folder:
        history = written_down(furnished(folder), folder / "calls.log")
        states = chosen(history, tally, asked.states, is_flushing=is_flushing)
        tally.steps = len(history.steps)
        tally.flushes = sum(not hasattr(step, "kind") for step in history.steps)
        tally.moments = len({state.until for state in states})
        work_of = lambda worker: judged(history, states, folder, worker, asked.workers)  # noqa: E731 - named for the call
        for part in shared_out(asked.workers, work_of):
            tally.examples += part["examples"]
            for name in ("states", "broken", "lost", "damaged", "draft_lost"):
                setattr(tally, name, getattr(tally, name) + part[name])
    tally.seconds = round(time.monotonic() - started, 1)
    return tally


def main() -> int:
    """Run from the command line; exit 1 when a state is broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--states", type=int, default=MOST_STATES)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where states are made")
    parser.add_argument("--without-flushes", action="store_true")
    parser.add_argument("--examples", type=int, default=5)
    asked = parser.parse_args()
    if not shim.is_loaded():
        return shim.run_module(MODULE, sys.argv[1:])
    tally = main_inside(asked)
    print(*tally.examples[: asked.examples], sep="\n", file=sys.stderr)
    print(json.dumps({k: v for k, v in attrs.asdict(tally).items() if k != "examples"}))
    return int(bool(tally.broken))


if __name__ == "__main__":
    sys.exit(main())
