"""Several processes edit one plan at the same time: nothing may be lost, and who is second must be told at once.

Usage::

    python benchmarks/several_people.py [--people 8] [--edits 200] [--pause-ms 0] [--site DIR] [--sabotage] [--server]

Each process stands for one person with the plan open. An edit adds one line to the plan's description and is saved
with the revision it began with. Who was second is told `StaleRevision` (timed as "told", from the save on); the process
then does what the conflict dialog does: it compares both sides (timed as "compared", from the save to the comparison
that is shown), keeps its own edit on top, saves again. Behind it all, every acknowledged edit is looked for in the
newest revision, and every revision must be there once, in order. Without a pause between edits (drawn evenly from 0 to
twice the given one) everybody collides with everybody all the time, which no clinic does; with one it is people at
work.

``--sabotage`` saves without asking which revision is the newest (the last one wins); the count of lost edits must then
not be 0, or the count proves nothing. Where DIR is on decides what is measured; it must not exist.

``--server`` keeps the rows on a PostgreSQL server of its own, which flushes what it acknowledges.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ert.app.plan_history import PlanHistory
from ert.app.tissue_library import directly
from ert.domain.plan import Plan
from ert.domain.record import Severity
from ert.errors import StaleRevision
from ert.storage.site import Site
from tests.integration.storage import samples
from tests.integration.storage.postgres import PostgresServer, binaries

_PATIENCE_S = 3600.0


def mark(person: int, number: int) -> str:
    """The line that one edit adds."""
    return f"p{person}e{number}\n"


def with_mark(plan: Plan, person: int, number: int) -> Plan:
    """The plan after an edit: one more line."""
    return attrs.evolve(plan, description=plan.description + mark(person, number))


@attrs.frozen
class Task:
    """What one person does."""

    root: Path
    plan_id: str
    person: int
    edits: int
    pause_ms: float
    is_sabotaged: bool


def work(task: Task, start: Any, out: Any) -> None:  # noqa: ANN401 - multiprocessing's barrier and queue
    """One person: edit after edit; reports what was acknowledged and how long saves and conflicts took."""
    site = samples.open_site(task.root)
    plan_id, person, is_sabotaged = task.plan_id, task.person, task.is_sabotaged
    history = PlanHistory(site, directly)
    saves_s: list[float] = []
    told_s: list[float] = []
    conflicts_s: list[float] = []
    told = 0
    rng = random.Random(person)
    start.wait()
    for number in range(task.edits):
        time.sleep(rng.uniform(0.0, 2.0 * task.pause_ms / 1000.0))
        base = site.plans.load(plan_id)
        mine = with_mark(base.plan, person, number)
        if is_sabotaged:
            time.sleep(0.002)  # the gap in which others save
            base = attrs.evolve(base, revision=site.plans.head(plan_id).revision)
        while True:
            began = time.monotonic()
            try:
                base = site.plans.save(mine, base_revision=base.revision)
            except StaleRevision:
                told_s.append(time.monotonic() - began)
                conflict = history.conflict(mine, base_revision=base.revision)
                conflicts_s.append(time.monotonic() - began)
                if is_sabotaged:
                    base = conflict.theirs
                else:
                    base, mine = conflict.theirs, with_mark(conflict.theirs.plan, person, number)
            else:
                saves_s.append(time.monotonic() - began)
                told += 1
                break
    site.close()
    out.put({"person": person, "told": told, "saves_s": saves_s, "told_s": told_s, "conflicts_s": conflicts_s})


def judge(root: Path, plan_id: str, people: int, edits: int) -> dict[str, int]:
    """What the site holds in the end."""
    site = samples.open_site(root)
    newest = site.plans.load(plan_id)
    lines = newest.plan.description.split("\n")[:-1]
    wanted = {mark(p, n).strip() for p in range(people) for n in range(edits)}
    revisions = [r.revision for r in site.activity.revisions(plan_id)]
    findings = [f for f in site.check(level=2) if f.severity is not Severity.NOTE]
    site.close()
    return {
        "revisions": newest.revision,
        "lost": len(wanted - set(lines)),
        "doubled": len(lines) - len(set(lines)),
        "gaps": int(revisions != list(range(newest.revision, 0, -1))),
        "damaged": len(findings),
    }


def prepare(root: Path) -> str:
    """A site with one plan; its id."""
    samples.copied_site(root)
    site: Site = samples.open_site(root)
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0)
    site.close()
    return plan.id


def run(people: int, edits: int, root: Path, *, pause_ms: float = 0.0, is_sabotaged: bool = False) -> dict[str, Any]:
    """Let people edit, judge the site, return the figures."""
    plan_id = prepare(root)
    # The figures begin when everybody stands ready; forked, people need not import the program once each before that.
    processes = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    start, out = processes.Barrier(people + 1), processes.Queue()
    crowd = [
        processes.Process(target=work, args=(Task(root, plan_id, person, edits, pause_ms, is_sabotaged), start, out))
        for person in range(people)
    ]
    for process in crowd:
        process.start()
    start.wait(timeout=_PATIENCE_S)
    began = time.monotonic()
    reports = [out.get(timeout=_PATIENCE_S) for _ in crowd]
    took_s = time.monotonic() - began
    for process in crowd:
        process.join()
    saves, tellings, conflicts = (
        sorted(s for report in reports for s in report[kind]) for kind in ("saves_s", "told_s", "conflicts_s")
    )
    return {
        "people": people,
        "edits": people * edits,
        "acknowledged": sum(report["told"] for report in reports),
        **judge(root, plan_id, people, edits),
        "conflicts": len(conflicts),
        "seconds": round(took_s, 1),
        "commits_per_s": round(len(saves) / took_s, 1),
        **spread("save", saves),
        **spread("told", tellings),
        **spread("compared", conflicts),
    }


def spread(name: str, sorted_s: list[float]) -> dict[str, float]:
    """The median, the 99th percentile and the slowest of durations, in milliseconds."""
    if not sorted_s:
        return {}
    found = {"p50": statistics.median(sorted_s), "p99": sorted_s[int(0.99 * (len(sorted_s) - 1))], "max": sorted_s[-1]}
    return {f"{name}_{kind}_ms": round(1000 * value, 1) for kind, value in found.items()}


@contextlib.contextmanager
def rows_on_server(*, is_wanted: bool) -> Iterator[None]:
    """Let sites be made on a server as a clinic would run it."""
    if not is_wanted:
        yield
        return
    programs = binaries()
    if programs is None:
        raise SystemExit("the server programs of PostgreSQL are not installed (Debian: postgresql)")
    honest = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
    samples.OnServer.server = PostgresServer.start(programs, settings=honest)
    try:
        yield
    finally:
        samples.OnServer.server.remove()
        samples.OnServer.server = None


def main() -> int:
    """Run from the command line; exit 1 when an edit was lost."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--pause-ms", type=float, default=0.0)
    parser.add_argument("--site", type=Path)
    parser.add_argument("--sabotage", action="store_true")
    parser.add_argument("--server", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ert-people-") as folder, rows_on_server(is_wanted=asked.server):
        root = asked.site if asked.site is not None else Path(folder) / "site"
        figures = run(asked.people, asked.edits, root, pause_ms=asked.pause_ms, is_sabotaged=asked.sabotage)
    print(json.dumps(figures))
    return int(bool(figures["lost"] or figures["doubled"] or figures["gaps"] or figures["damaged"]))


if __name__ == "__main__":
    sys.exit(main())
