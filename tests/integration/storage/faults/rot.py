"""Flip bits in a site and swap its files and rows: the whole-site check must see all of it, and nothing may be used.

    python -m tests.integration.storage.faults.rot --files 100 --flips 2000   # bit rot
    python -m tests.integration.storage.faults.rot --files 100 --swaps 2000   # files, keys and rows that trade places

*Bit rot*: one bit in each file of the site, then in so many random places of the database, its files, its key files
and ``store.json``. *Swaps*: two files of records; a file of another site with the same record; pages of the database;
key files; rows of one table, cells of two rows, by somebody who has the database key and takes the triggers away.

Each change is judged twice. *Detected*: `ert check` at level 4 names it, or cannot run and says why. *Used*: a user who
opens the site and reads every plan, dose, image and machine is never given anything but what was kept: the digest of
all of it is as before, or there is an error. A change the check missed is always read; of the others every one, or with
``--read-every N`` every Nth (reading takes three quarters of the time).

``--blind`` leaves the guards of SQLCipher alone in place (no codes of rows and no files are looked at); changes must
then go unnoticed, or the figures prove nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import attrs
import sqlalchemy as sa
import sqlcipher3

from ert.domain.identity import digest_of
from ert.domain.record import Severity
from ert.errors import ErtError, SignInLocked
from ert.storage import blobs, fields, schema
from ert.storage.opening import DATABASE
from ert.storage.site import Site
from ert.storage.unlock import unlock_with_password
from tests.integration.storage import samples
from tests.integration.storage.faults.operations import PACKAGE
from tests.integration.storage.faults.run_one import shared_out
from tests.integration.storage.faults.scene import WHO, Scene, quiet
from tests.integration.storage.workshop import workshop

PAGE_BYTES = 4096
FILES_OF_A_PATIENT = 3
TOLD_EVERY = 100
Change = Callable[[Path, random.Random], str]


@attrs.define
class Tally:
    """What was seen.

    Attributes
    ----------
    harmless : changes that changed nothing (two rows alike).
    missed : not named by the check.
    read : changes after which everything was read as a user would: so many in turn, and each one that was missed.
    silently_used : a user was given something else than what was kept.
    """

    files: int = 0
    database_pages: int = 0
    changes: int = 0
    harmless: int = 0
    missed: int = 0
    read: int = 0
    silently_used: int = 0
    seconds: float = 0.0
    kinds: dict[str, int] = attrs.field(factory=dict)
    examples: list[str] = attrs.field(factory=list)


def filled(scene: Scene, files: int) -> None:
    """A site with at least so many encrypted files: patients with plans and doses, and machines."""
    samples.make_site(scene.root)  # with an id and keys of its own
    site = scene.open()
    seed = 0
    while len(list((scene.root / "data").rglob("*.erte"))) < files:
        seed += 1
        plan = samples.plan_of(samples.import_one(site, seed=seed, number=f"{seed:04d}"))
        site.plans.save(plan, base_revision=0, doses=[samples.dose(f"{seed:064x}", seed=seed)])
        site.plans.save(samples.renamed(plan, f"plan {seed}"), base_revision=1)
        if seed % FILES_OF_A_PATIENT == 0:
            site.machines.add(name=f"LINAC {seed}", digest=f"{seed:064x}", content=PACKAGE + bytes([seed]))
    site.close()


def digest_of_everything(site: Site) -> str:
    """Read everything as a user would, and return one digest of all of it."""
    seen = hashlib.sha256()

    def note(*values: object) -> None:
        seen.update(repr(values).encode())

    for who in sorted(site.patients.patients(), key=lambda p: p.medical_record_number):
        note(who)
        for course in site.patients.courses(who.id):
            note(course.id, site.patients.image(course.image_id).digest)
            note(digest_of(site.patients.structure_set(course.structure_set_id)))
            for head in site.plans.heads(course.id):
                note(head.name, head.revision)
                for revision in range(1, head.revision + 1):
                    note(site.plans.load(head.plan_id, revision).plan.digest)
    with site.records.database.read() as connection:
        doses = connection.execute(sa.select(schema.dose.c.plan, schema.dose.c.request_digest)).all()
    for plan_id, request in sorted(tuple(row) for row in doses):
        dose = site.plans.dose(plan_id, request)
        note(plan_id, request, None if dose is None else hashlib.sha256(dose.gy_per_mu.tobytes()).hexdigest())
    note(*site.machines.packages())
    return seen.hexdigest()


def is_used(scene: Scene, wanted: str) -> bool:
    """Whether a user is given anything but what was kept."""
    try:
        site = scene.open()
    except ErtError:
        return False
    try:
        return digest_of_everything(site) != wanted
    except ErtError:
        return False
    finally:
        site.close()


def is_detected(scene: Scene) -> bool:
    """Whether the check at level 4 names something, or cannot run for what it found."""
    try:
        found = scene.care.check(scene.root, level=4, progress=quiet, **WHO)
    except SignInLocked:
        raise  # it would be detected for what happened before
    except ErtError:
        return True
    return any(f.severity is not Severity.NOTE for f in found)


@contextlib.contextmanager
def blind() -> Iterator[None]:
    """Look at no code of rows and files: what is left is SQLCipher's own."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(fields.FieldGuard, "check_row", return_value=None))
        stack.enter_context(mock.patch.object(blobs.BlobStore, "check_cipher", return_value=None))
        stack.enter_context(mock.patch.object(blobs.BlobStore, "read", _unread))
        yield


def _unread(_self: blobs.BlobStore, stored: blobs.StoredFile) -> bytearray:
    return bytearray(stored.length)


def flip(path: Path, rng: random.Random) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    _write(path, data)


def _write(path: Path, data: bytes | bytearray) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def kept_files(root: Path) -> list[Path]:
    """Every file of a site that holds something."""
    keys = [p for p in (root / "keys").rglob("*") if p.is_file() and p.suffix in {".bin", ".json"}]
    return [root / "store.json", root / DATABASE, *sorted(keys), *sorted((root / "data").rglob("*.erte"))]


def flip_somewhere(root: Path, rng: random.Random) -> str:
    """One bit: half of the time in the database, else in any file."""
    files = kept_files(root)
    path = root / DATABASE if rng.random() < 0.5 else rng.choice(files)
    flip(path, rng)
    return f"flip in {path.suffix}"


def swap_files(root: Path, rng: random.Random) -> str:
    """Two encrypted files trade places."""
    first, second = rng.sample(sorted((root / "data").rglob("*.erte")), 2)
    data, other = first.read_bytes(), second.read_bytes()
    _write(first, other)
    _write(second, data)
    return "swap of files"


def swap_pages(root: Path, rng: random.Random) -> str:
    """Two pages of the database trade places."""
    data = bytearray((root / DATABASE).read_bytes())
    a, b = (PAGE_BYTES * n for n in rng.sample(range(len(data) // PAGE_BYTES), 2))
    data[a : a + PAGE_BYTES], data[b : b + PAGE_BYTES] = data[b : b + PAGE_BYTES], data[a : a + PAGE_BYTES]
    _write(root / DATABASE, data)
    return "swap of pages"


def swap_keys(root: Path, rng: random.Random) -> str:
    """Two key files, or a key file and ``store.json``, trade places."""
    keys = [p for p in kept_files(root) if p.suffix in {".bin", ".json"}]
    first, second = rng.sample(keys, 2)
    data, other = first.read_bytes(), second.read_bytes()
    _write(first, other)
    _write(second, data)
    return "swap of key files"


@attrs.frozen
class Insider:
    """Somebody with the database key, but none of the others."""

    key: str

    def _run(self, root: Path, act: Callable[[sqlcipher3.Connection], str]) -> str:
        connection = sqlcipher3.connect(str(root / DATABASE), isolation_level=None)
        try:
            connection.execute(f'PRAGMA key = "{self.key}"')
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
            made = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")]
            for name in names:
                connection.execute(f'DROP TRIGGER "{name}"')
            done = act(connection)
            for statement in made:
                connection.execute(statement)
            return done
        finally:
            connection.close()

    def swap_cells(self, root: Path, rng: random.Random) -> str:
        """A column of two rows of one table trades places."""
        tables = ("patient", "image", "course", "plan", "plan_revision", "dose", "machine", "file", "history")
        table = schema.metadata.tables[rng.choice(tables)]
        key = next(iter(table.primary_key.columns)).name
        column = rng.choice([c.name for c in table.c if c.name != key])

        def act(connection: sqlcipher3.Connection) -> str:
            ids = [row[0] for row in connection.execute(f'SELECT "{key}" FROM "{table.name}"')]  # noqa: S608
            if len(ids) < 2:  # noqa: PLR2004 - a swap takes two
                return ""
            one, two = rng.sample(ids, 2)
            read = f'SELECT "{column}" FROM "{table.name}" WHERE "{key}" = ?'  # noqa: S608
            a, b = (connection.execute(read, (row,)).fetchone()[0] for row in (one, two))
            if a == b:
                return ""
            write = f'UPDATE "{table.name}" SET "{column}" = ? WHERE "{key}" = ?'  # noqa: S608
            try:
                connection.execute("BEGIN")
                connection.execute(write, (b, one))
                connection.execute(write, (a, two))
                connection.execute("COMMIT")
            except sqlcipher3.IntegrityError:
                connection.execute("ROLLBACK")
                return ""
            return f"swap of {table.name} cells"

        return self._run(root, act)

    def swap_rows(self, root: Path, rng: random.Random) -> str:
        """Two rows of one table trade their ids, everything else stays."""
        table = schema.metadata.tables[
            rng.choice(("plan_revision", "dose", "file", "machine", "structure_set_revision"))
        ]

        def act(connection: sqlcipher3.Connection) -> str:
            ids = [row[0] for row in connection.execute(f'SELECT uuid FROM "{table.name}"')]  # noqa: S608
            if len(ids) < 2:  # noqa: PLR2004 - a swap takes two
                return ""
            one, two = rng.sample(ids, 2)
            write = f'UPDATE "{table.name}" SET uuid = ? WHERE uuid = ?'  # noqa: S608
            connection.execute("BEGIN")
            for new, old in (("between", one), (one, two), (two, "between")):
                connection.execute(write, (new, old))
            connection.execute("COMMIT")
            return f"swap of {table.name} rows"

        return self._run(root, act)


@attrs.frozen
class Stranger:
    """Another site with the same records: its files, database and keys in the place of this one's."""

    other: Path

    def swap_sites(self, root: Path, rng: random.Random) -> str:
        """One file of the other site takes the place of a file of its kind."""
        path = rng.choice(kept_files(root))
        same = [p for p in kept_files(self.other) if p.suffix == path.suffix and p.name[:4] == path.name[:4]]
        candidates = same or [p for p in kept_files(self.other) if p.suffix == path.suffix]
        data = rng.choice(candidates).read_bytes()
        if data == path.read_bytes():
            return ""
        _write(path, data)
        return "file of another site"


def judge(tally: Tally, scene: Scene, change: Change, rng: random.Random, wanted: str, *, is_to_be_read: bool) -> None:
    """Make one change to a copy of the site, and judge what check and user see."""
    changed = Scene(scene.folder / "changed")  # a workstation of its own, which remembers nothing of the others
    shutil.copytree(scene.root, changed.root)
    try:
        kind = change(changed.root, rng)
        tally.changes += 1
        if not kind:
            tally.harmless += 1
            return
        tally.kinds[kind] = tally.kinds.get(kind, 0) + 1
        is_missed = not is_detected(changed)
        is_read = is_missed or is_to_be_read
        is_given = is_read and is_used(changed, wanted)
        tally.missed += is_missed
        tally.read += is_read
        tally.silently_used += is_given
        if is_missed or is_given:
            tally.examples.append(f"{kind}: missed {is_missed}, used {is_given}")
    finally:
        shutil.rmtree(changed.folder)


def _part(scene: Scene, changes: list[tuple[int, Change]], wanted: str, asked: argparse.Namespace) -> dict:
    tally = Tally()
    with blind() if asked.blind else contextlib.nullcontext():
        for done, (number, change) in enumerate(changes, start=1):
            is_to_be_read = number % asked.read_every == 0
            judge(tally, scene, change, random.Random(number), wanted, is_to_be_read=is_to_be_read)
            if done % TOLD_EVERY == 0:
                print(json.dumps(attrs.asdict(tally)), file=sys.stderr, flush=True)
    return attrs.asdict(tally)


def changes_of(asked: argparse.Namespace, scene: Scene, other: Scene) -> list[Change]:
    """What is asked for."""
    vault = unlock_with_password(scene.root, login=samples.LOGIN, password=samples.PASSWORD).vault
    insider, stranger = Insider(vault.database_key_literal()), Stranger(other.root)
    made: list[Change] = []
    if asked.flips:
        names = [path.relative_to(scene.root) for path in kept_files(scene.root)]
        made += [lambda root, rng, name=name: (flip(root / name, rng), "flip in each file")[1] for name in names]
        made += [flip_somewhere] * asked.flips
    swaps = (swap_files, swap_pages, swap_keys, insider.swap_cells, insider.swap_rows, stranger.swap_sites)
    made += [swaps[number % len(swaps)] for number in range(asked.swaps)]
    random.Random(1).shuffle(made)
    return made


def main() -> int:
    """Run from the command line; exit 1 when a change was missed or used."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--flips", type=int, default=0)
    parser.add_argument("--swaps", type=int, default=0)
    parser.add_argument("--read-every", type=int, default=1, help="how many changes go by for one that a user reads")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where sites are made")
    parser.add_argument("--blind", action="store_true")
    asked = parser.parse_args()
    total, started = Tally(), time.monotonic()
    with workshop(asked.folder) as folder:
        scenes = [Scene(folder / name) for name in ("one", "two")]
        for scene in scenes:
            scene.folder.mkdir()
            filled(scene, asked.files)
        site = scenes[0].open()
        wanted = digest_of_everything(site)
        site.close()
        total.files = len(kept_files(scenes[0].root))
        total.database_pages = (scenes[0].root / DATABASE).stat().st_size // PAGE_BYTES
        changes = list(enumerate(changes_of(asked, *scenes)))

        def share(worker: int) -> dict:
            mine = scenes[0].copied(folder / f"worker-{worker}")
            return _part(mine, changes[worker :: asked.workers], wanted, asked)

        for found in shared_out(asked.workers, share):
            for name in ("changes", "harmless", "missed", "read", "silently_used"):
                setattr(total, name, getattr(total, name) + found[name])
            total.examples += found["examples"]
            for kind, count in found["kinds"].items():
                total.kinds[kind] = total.kinds.get(kind, 0) + count
    total.seconds = round(time.monotonic() - started, 1)
    print(*total.examples[:10], sep="\n", file=sys.stderr)
    print(json.dumps({k: v for k, v in attrs.asdict(total).items() if k != "examples"}))
    return int(bool(total.missed or total.silently_used))


if __name__ == "__main__":
    sys.exit(main())
