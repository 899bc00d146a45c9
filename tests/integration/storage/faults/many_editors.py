"""Several processes edit one plan at once, on a slow share, and are killed at random: no edit is lost or doubled.

    python -m tests.integration.storage.faults.many_editors --people 8 --edits 200
    python -m tests.integration.storage.faults.many_editors --people 8 --edits 200 --latency-ms 2 --kills 20
    python -m tests.integration.storage.faults.many_editors --people 4 --edits 10 --no-locks   # must find damage

Each process stands for one person with the plan open. An edit adds one line to the plan's description; who is told
that somebody else was faster puts the line on top of theirs and saves again (as `benchmarks/several_people.py`, which
measures the times). A killed person comes back, looks whether the last edit is there, and goes on. In the end every
acknowledged line must be in the newest revision once, every revision must be there once, and the site must check.

``--latency-ms`` delays every call to the site's folder and every lock (shim.c). ``--no-locks`` lets locks of the
database be granted to everybody, as a badly mounted share does; the figures must then not be clean.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs

from ert.domain.record import Severity
from ert.errors import DatabaseBusy, ErtError, StaleRevision
from tests.integration.storage import samples
from tests.integration.storage.faults import shim
from tests.integration.storage.workshop import workshop

MODULE = "tests.integration.storage.faults.many_editors"
ENDED_AFTER_S = 3600.0
READY, CONFLICT = "ready", "conflict"


@attrs.define
class Tally:
    """What was seen."""

    people: int = 0
    edits: int = 0
    latency_ms: float = 0.0
    kills: int = 0
    acknowledged: int = 0
    conflicts: int = 0
    revisions: int = 0
    lost: int = 0
    doubled: int = 0
    gaps: int = 0
    damaged: int = 0
    failed: int = 0
    seconds: float = 0.0


def line(person: int, number: int) -> str:
    """What one edit adds."""
    return f"p{person}e{number}\n"


def edit(root: Path, plan_id: str, person: int, edits: int, go: Path) -> None:
    """One person: edit after edit; each acknowledged one, and each conflict, is told on standard output."""
    site = samples.open_site(root)
    print(READY, flush=True)
    while not go.exists():
        time.sleep(0.01)
    for number in range(edits):
        while True:
            base = site.plans.load(plan_id)
            if line(person, number) in base.plan.description.splitlines(keepends=True):
                break  # it was saved before this person was killed
            mine = attrs.evolve(base.plan, description=base.plan.description + line(person, number))
            try:
                site.plans.save(mine, base_revision=base.revision)
            except (StaleRevision, DatabaseBusy):
                print(CONFLICT, flush=True)
            else:
                break
        print(number, flush=True)
    site.close()


@attrs.define
class Person:
    """One person's process, started again when it was killed."""

    number: int
    command: list[str]
    environment: dict[str, str]
    out: Path
    process: subprocess.Popen | None = None

    def start(self) -> None:
        """Come, or come back; signed in when this returns, so that all begin together."""
        before = self.told.count(READY) if self.out.exists() else 0
        with self.out.open("ab") as out:
            self.process = subprocess.Popen(self.command, cwd=shim.ROOT, env=self.environment, stdout=out)
        while self.told.count(READY) == before and self.process.poll() is None:
            time.sleep(0.05)

    @property
    def told(self) -> list[str]:
        """Everything told so far, an unfinished line left out."""
        return [text for text in self.out.read_text().split("\n")[:-1] if text]

    @property
    def acknowledged(self) -> set[int]:
        """The edits that were acknowledged so far."""
        return {int(text) for text in self.told if text not in {READY, CONFLICT}}


def run(asked: argparse.Namespace, folder: Path) -> Tally:
    """Let people edit, kill some, judge the site."""
    tally = Tally(people=asked.people, edits=asked.people * asked.edits, latency_ms=asked.latency_ms)
    root = samples.copied_site(folder / "site")
    site = samples.open_site(root)
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0)
    site.close()
    extra = {"SHIM_FOLDER": str(root), "SHIM_LATENCY_US": str(round(1000 * asked.latency_ms))}
    extra |= {"SHIM_NO_LOCKS": "1"} if asked.no_locks else {}
    people = []
    for number in range(asked.people):
        command = [sys.executable, "-m", MODULE, "--person", str(number), "--edits", str(asked.edits)]
        command += ["--site", str(root), "--plan", plan.id, "--go", str(folder / "go")]
        people.append(Person(number, command, shim.environment(extra), folder / f"person-{number}"))
        people[-1].start()
    (folder / "go").touch()
    started = time.monotonic()
    _disturb(people, asked, tally)
    tally.seconds = round(time.monotonic() - started, 1)
    tally.conflicts = sum(person.told.count(CONFLICT) for person in people)
    acknowledged = {(person.number, number) for person in people for number in person.acknowledged}
    tally.acknowledged = len(acknowledged)
    _judge(root, plan.id, acknowledged, tally)
    return tally


def _disturb(people: list[Person], asked: argparse.Namespace, tally: Tally) -> None:
    """Wait until everybody is done; kill somebody each time so many more edits were acknowledged."""
    rng, every = random.Random(asked.seed), max(1, asked.people * asked.edits // (asked.kills + 1))
    give_up = time.monotonic() + ENDED_AFTER_S
    while any(person.process.poll() is None for person in people):
        done = sum(len(person.acknowledged) for person in people)
        if tally.kills < asked.kills and done >= every * (tally.kills + 1):
            victim = rng.choice([person for person in people if person.process.poll() is None])
            time.sleep(rng.uniform(0.0, 0.2))
            victim.process.send_signal(signal.SIGKILL)
            victim.process.wait()
            tally.kills += 1
            victim.start()
        if time.monotonic() > give_up:
            raise SystemExit("the editors did not end")
        time.sleep(0.05)
    tally.failed = sum(person.process.returncode != 0 for person in people)


def _judge(root: Path, plan_id: str, acknowledged: set[tuple[int, int]], tally: Tally) -> None:
    try:
        site = samples.open_site(root)
        newest = site.plans.load(plan_id)
        revisions = [r.revision for r in site.activity.revisions(plan_id)]
        tally.damaged = sum(f.severity is not Severity.NOTE for f in site.check(level=4))
    except ErtError as error:
        print(error, error.detail, file=sys.stderr)
        tally.damaged += 1
        return
    lines = newest.plan.description.splitlines(keepends=True)
    tally.revisions = newest.revision
    tally.lost = len({line(*which) for which in acknowledged} - set(lines))
    tally.doubled = len(lines) - len(set(lines))
    tally.gaps = int(revisions != list(range(newest.revision, 0, -1)))
    site.close()


def main() -> int:
    """Run from the command line; exit 1 when an edit was lost, doubled, or the site was damaged."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-locks", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the site is made")
    for name, kind in (("--person", int), ("--site", Path), ("--plan", str), ("--go", Path)):
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.person is not None:
        edit(asked.site, asked.plan, asked.person, asked.edits, asked.go)
        return 0
    if reason := shim.why_not():
        print(reason, file=sys.stderr)
        return 2
    with workshop(asked.folder) as folder:
        tally = run(asked, folder)
    print(json.dumps(attrs.asdict(tally)))
    return int(bool(tally.lost or tally.doubled or tally.gaps or tally.damaged or tally.failed))


if __name__ == "__main__":
    sys.exit(main())
