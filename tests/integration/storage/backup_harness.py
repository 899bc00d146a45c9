"""Back up a site that other processes save to as fast as they can; kill backups at random moments; prove what is left.

    python -m tests.integration.storage.backup_harness --live 6 --editors 8 --saves 100   # each restored and checked
    python -m tests.integration.storage.backup_harness --kills 20    # SIGKILL while a backup is made

``--sabotage`` completes backups before their files are there; the kills must then show it, or they prove nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import attrs

from ert.domain.backup import BackupState
from ert.domain.identity import new_id
from ert.domain.plan import Plan
from ert.domain.record import Severity
from ert.errors import ErtError
from ert.storage import backup
from ert.storage.maintenance import SiteCare
from tests.integration.storage import kill_harness, samples

WHO = {"user_name": samples.LOGIN, "password": samples.PASSWORD}
DOSES_BEFORE = 30


@attrs.define
class Tally:
    """What was seen."""

    backups: int = 0
    editors: int = 0
    acknowledged: int = 0
    saved_during: int = 0
    least_saved_during: int = 0
    behind: int = 0
    damaged: int = 0
    incomplete_revisions: int = 0
    kills: int = 0
    unfinished: int = 0
    lost_backups: int = 0
    seconds: float = 0.0


def quiet(_fraction, _text):
    """Nobody watches."""


@attrs.define
class Editor:
    """One process that saves a plan of its own, revision after revision, as fast as it can."""

    base: Plan
    child: int
    reading: int
    rest: bytes = b""
    acknowledged: int = 0

    @classmethod
    def start(cls, root: Path, base: Plan) -> Editor:
        """Fork it; signed in when this returns."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reading)
                kill_harness.save_forever(root, base, writing, None)
            finally:
                os._exit(1)
        os.close(writing)
        os.read(reading, 6)
        os.set_blocking(reading, False)
        return cls(base, child, reading)

    def look(self) -> int:
        """The newest revision it was told is saved."""
        try:
            while data := os.read(self.reading, 65536):
                self.rest += data
        except BlockingIOError:
            pass
        *lines, self.rest = self.rest.split(b"\n")
        self.acknowledged = max([self.acknowledged, *(int(line) for line in lines if line.isdigit())])
        return self.acknowledged

    def end(self) -> None:
        """Kill it; one that ended by itself did no work."""
        os.kill(self.child, signal.SIGKILL)
        _, status = os.waitpid(self.child, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            raise SystemExit("an editor ended by itself")
        self.look()


def run_live(count: int, *, editors: int = 1, saves: int = 1, place: Path | None = None) -> Tally:
    """Back up `count` times beside saving processes; restore and check every backup.

    Parameters
    ----------
    editors : how many processes save, each a plan of its own.
    saves : how many more must have been acknowledged before the next backup begins.
    place : where it all lies; None for the folder of temporary files.
    """
    tally, started = Tally(editors=editors), time.monotonic()
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="ert-live-", dir=place))
    root = samples.copied_site(folder / "site")
    first = kill_harness._prepare(root)
    bases = [first, *(attrs.evolve(first, id=new_id(), name=f"plan {n}") for n in range(1, editors))]
    people = [Editor.start(root, base) for base in bases]
    promised: dict[str, list[int]] = {}
    during = []
    try:
        for _ in range(count):
            wanted = sum(person.acknowledged for person in people) + saves
            while sum(person.look() for person in people) < wanted:
                time.sleep(0.01)
            before = [person.acknowledged for person in people]
            site = samples.open_site(root)
            made = site.start_backup(folder / "backups").finish()
            site.close()
            during.append(sum(person.look() for person in people) - sum(before))
            promised[made.backup_id] = before
            tally.damaged += not made.is_good
    finally:
        for person in people:
            person.end()
    tally.acknowledged = sum(person.acknowledged for person in people)
    tally.saved_during, tally.least_saved_during = sum(during), min(during)
    for backup_id, acknowledged in promised.items():
        _judge(folder, backup_id, list(zip(bases, acknowledged, strict=True)), tally)
    shutil.rmtree(folder)
    tally.seconds = round(time.monotonic() - started, 1)
    return tally


def _judge(folder: Path, backup_id: str, promised: list[tuple[Plan, int]], tally: Tally) -> None:
    tally.backups += 1
    to = folder / f"restored-{tally.backups}"
    try:
        done = SiteCare().restore(folder / "backups", backup_id, to=to, progress=quiet, **WHO)
    except ErtError as error:
        print(backup_id, error, error.detail, file=sys.stderr)
        tally.damaged += 1
        return
    tally.damaged += any(f.severity is not Severity.NOTE for f in done.findings)
    site = samples.open_site(to)
    try:
        heads = {head.plan_id: head.revision for head in site.plans.heads(promised[0][0].course_id)}
        for base, acknowledged in promised:
            newest = heads.get(base.id, 0)
            tally.behind += newest < acknowledged
            revisions = range(max(1, acknowledged - 2), newest + 1)
            tally.incomplete_revisions += sum(not kill_harness._is_complete(site.plans, base, r) for r in revisions)
    finally:
        site.close()
    shutil.rmtree(to)


def run_kills(kills: int, *, seed: int, sabotage: bool) -> Tally:
    """Kill backups of a growing site; after each kill, every finished backup must verify, and none may vanish."""
    rng, tally, started = random.Random(seed), Tally(), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="ert-backup-kill-"))
    root = samples.copied_site(folder / "site")
    base = kill_harness._prepare(root)
    site = samples.open_site(root)
    shelf = site.backups(folder / "backups")
    known: set[str] = set()
    revision, duration_s = 0, 0.0
    for kill in range(kills):
        for _ in range(DOSES_BEFORE if kill == 0 else 6):
            site.plans.save(kill_harness.plan_at(base, revision + 1), base_revision=revision, doses=_doses(revision))
            revision += 1
        if kill == 0:
            known.add(site.start_backup(folder / "backups").finish().backup_id)
            begun = time.monotonic()
            known.add(site.start_backup(folder / "backups").finish().backup_id)
            duration_s = time.monotonic() - begun
        _kill_one(root, folder / "backups", rng.uniform(0.0, 4.0 * duration_s), sabotage=sabotage)
        tally.kills += 1
        infos = shelf.backups()
        finished = {b.backup_id for b in infos if b.state is BackupState.COMPLETE}
        tally.unfinished += any(b.state is BackupState.UNFINISHED for b in infos)
        tally.lost_backups += len(known - finished)
        for backup_id in sorted(finished - known):
            tally.damaged += bool(shelf.verify(backup_id, level=3, progress=quiet))
        known |= finished
    tally.damaged += sum(bool(shelf.verify(b, level=3, progress=quiet)) for b in sorted(known))
    made = site.start_backup(folder / "backups").finish()
    tally.damaged += bool(shelf.verify(made.backup_id, level=4, progress=quiet))
    tally.damaged += any(b.state is BackupState.UNFINISHED for b in shelf.backups())
    tally.backups = len(shelf.backups())
    site.close()
    shutil.rmtree(folder)
    tally.seconds = round(time.monotonic() - started, 1)
    return tally


def run_restore_kills(kills: int, *, seed: int) -> Tally:
    """Kill restores at random moments; a folder that is there must be a complete, sound copy."""
    rng, tally, started = random.Random(seed), Tally(), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="ert-restore-kill-"))
    root = samples.copied_site(folder / "site")
    base = kill_harness._prepare(root)
    site = samples.open_site(root)
    for revision in range(DOSES_BEFORE):
        site.plans.save(kill_harness.plan_at(base, revision + 1), base_revision=revision, doses=_doses(revision))
    site.start_backup(folder / "backups").finish()
    site.close()
    (folder / "out").mkdir()
    begun = time.monotonic()
    _restore(folder, "first")
    duration_s = time.monotonic() - begun
    for kill in range(kills):
        child = os.fork()
        if child == 0:
            try:
                for number in range(1000):
                    _restore(folder, f"copy-{kill}-{number}")
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0.1, 1.5) * duration_s)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        tally.kills += 1
    found = sorted((folder / "out").iterdir())
    tally.unfinished = sum(path.name.startswith(".") for path in found)
    for path in (p for p in found if not p.name.startswith(".")):
        tally.backups += 1
        tally.damaged += bool(SiteCare().check(path, level=4, progress=quiet, **WHO))
    shutil.rmtree(folder)
    tally.seconds = round(time.monotonic() - started, 1)
    return tally


def _restore(folder: Path, name: str) -> None:
    SiteCare().restore(folder / "backups", "", to=folder / "out" / name, progress=quiet, **WHO)


def _doses(revision: int):
    return [kill_harness.dose_at(revision + 1)]


def _kill_one(root: Path, folder: Path, after_s: float, *, sabotage: bool) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if sabotage:
                _complete_first(after_s)
            site = samples.open_site(root)
            os.write(writing, b"x")
            while True:
                site.start_backup(folder).finish()
        finally:
            os._exit(1)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        raise SystemExit("the backup child ended by itself")


def _complete_first(after_s: float) -> None:
    """Break the order: the backup gets its name before its files are there."""
    bring, complete, waiting = backup._bring, backup._complete, []

    def bring_later(job, part):
        waiting.append((job, part))
        return 0

    def complete_first(job, manifest):
        complete(job, manifest)
        time.sleep(after_s + 0.05)
        while waiting:
            bring(*waiting.pop())

    backup._bring, backup._complete = bring_later, complete_first


def main() -> int:
    """Run from the command line; exit 1 when a backup was lost, damaged, or behind what was acknowledged."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--live", type=int, default=0)
    parser.add_argument("--editors", type=int, default=1, help="how many processes save meanwhile")
    parser.add_argument("--saves", type=int, default=1, help="how many saves between two backups, at least")
    parser.add_argument("--folder", type=Path, help="where it all lies")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--restore-kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sabotage", action="store_true")
    asked = parser.parse_args()
    if asked.live:
        tally = run_live(asked.live, editors=asked.editors, saves=asked.saves, place=asked.folder)
    elif asked.restore_kills:
        tally = run_restore_kills(asked.restore_kills, seed=asked.seed)
    else:
        tally = run_kills(asked.kills, seed=asked.seed, sabotage=asked.sabotage)
    print(json.dumps(attrs.asdict(tally)))
    return int(bool(tally.behind or tally.damaged or tally.incomplete_revisions or tally.lost_backups))


if __name__ == "__main__":
    sys.exit(main())
