"""Two people as two processes, taken step by step: the test says who does what next, so that every order can be forced.

A person is a forked process that opens sites of its own. It does one action at a time; an action may stop at a gate, a
named place within the program's own code, until it is let go on. Nothing waits for time to pass.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import attrs

from ert.domain.plan import Plan
from ert.domain.release import MachineRelease
from ert.errors import ErtError
from ert.storage import backup, exclusive, plans, records, renewal, restore, sweep
from ert.storage.assembly import SiteOptions
from ert.storage.blobs import ORPHAN_AGE_S
from ert.storage.exclusive import plan_scope
from ert.storage.file_renewal import earlier_files, renew_file
from ert.storage.maintenance import SiteCare
from ert.storage.presence import FolderLock
from ert.storage.records import Saving
from ert.storage.site import Site
from ert.storage.sites import Sites
from ert.storage.store_file import SANDBOX
from tests.integration.storage import samples

WHO = {"user_name": samples.LOGIN, "password": samples.PASSWORD}
SIGNED = "plan signed"
Said = tuple[str, str]


class Person:
    """Somebody at another workstation.

    Parameters
    ----------
    late_s : float
        What this person's clock is ahead by.
    without : tuple of str
        What of the program is taken out: names in `BYPASSES`.
    """

    def __init__(self, *, late_s: float = 0.0, without: tuple[str, ...] = ()) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_live, args=(theirs, late_s, without), daemon=True)
        self._process.start()
        theirs.close()

    def do(self, action: str, *arguments: Any) -> Said:
        """Begin an action; return ("done", result), ("refused", class and sentence) or ("at", gate)."""
        self._pipe.send((action, arguments))
        return self._pipe.recv()

    def go_on(self) -> Said:
        """Leave the gate; return as `do`."""
        self._pipe.send(("go on", ()))
        return self._pipe.recv()

    def leave(self) -> None:
        """End the process."""
        self._pipe.send(("leave", ()))
        self._process.join()


@attrs.define
class Desk:
    """What a person has before them."""

    pipe: Connection
    late_s: float
    site: Site | None = None
    plan: Plan | None = None
    revision: int = 0
    lease: exclusive.Lease | None = None
    package: str = ""

    def gate(self, label: str) -> None:
        """Wait here until told to go on."""
        self.pipe.send(("at", label))
        self.pipe.recv()

    def clock(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.late_s)


def _live(pipe: Connection, late_s: float, without: tuple[str, ...]) -> None:
    for name in without:
        BYPASSES[name]()
    desk = Desk(pipe=pipe, late_s=late_s)
    while True:
        action, arguments = pipe.recv()
        if action == "leave":
            return
        try:
            answer = ("done", str(ACTIONS[action](desk, *arguments)))
        except ErtError as error:
            answer = ("refused", f"{type(error).__name__}: {error}")
        pipe.send(answer)


# ---- actions -----------------------------------------------------------------------------------------------------


def open_site(desk: Desk, root: str, plan_id: str = "") -> None:
    options = SiteOptions(clock=desk.clock, busy_timeout_ms=2000)
    desk.site = Sites(options, kind=SANDBOX, kdf=samples.FAST).open(Path(root), **WHO)
    if plan_id:
        stored = desk.site.plans.load(plan_id)
        desk.plan, desk.revision = stored.plan, stored.revision


def close_site(desk: Desk) -> None:
    desk.site.close()


def edit(desk: Desk, name: str) -> str:
    """Save an edit on top of what was loaded; between the files and the transaction is a gate."""
    stored = desk.site.plans.save(
        samples.renamed(desk.plan, name), base_revision=desk.revision, doses=[samples.dose(f"{desk.revision:064x}")]
    )
    desk.plan, desk.revision = stored.plan, stored.revision
    return str(stored.revision)


def rename(desk: Desk, name: str) -> str:
    """The smallest edit, without a dose."""
    stored = desk.site.plans.save(samples.renamed(desk.plan, name), base_revision=desk.revision)
    desk.plan, desk.revision = stored.plan, stored.revision
    return str(stored.revision)


def edit_slowly(desk: Desk, name: str) -> str:
    """The same, asleep for two days between its files and its transaction."""
    with _asleep(desk, is_old=True):
        return edit(desk, name)


def approve(desk: Desk) -> str:
    """Sign what was looked at last."""
    signed = samples.approve(desk.site, desk.plan, samples.doses_to_approve(), revision=desk.revision)
    desk.revision = signed.revision
    return str(signed.revision)


def approve_slowly(desk: Desk) -> str:
    """The same; there is a gate between its files and its transaction."""
    with _asleep(desk, is_old=False):
        return approve(desk)


@contextlib.contextmanager
def _asleep(desk: Desk, *, is_old: bool) -> Iterator[None]:
    real = Saving.transaction

    def asleep(save: Saving):
        for stored in save.files if is_old else ():
            _grow_old(desk.site.records.blobs.place(stored))
        desk.gate("files written")
        return real(save)

    Saving.transaction = asleep
    try:
        yield
    finally:
        Saving.transaction = real


def lock_plan(desk: Desk) -> int:
    desk.lease = desk.site.locks.take_plan(desk.plan.id, doing="signing a plan")
    return desk.lease.token


def look_at_plan(desk: Desk) -> None:
    stored = desk.site.plans.load(desk.plan.id)
    desk.plan, desk.revision = stored.plan, stored.revision


def sign_plan(desk: Desk) -> None:
    """What a signature is made of: a record that names the revision that was looked at, under the plan's lock."""
    with desk.site.records.transaction() as connection:
        exclusive.fence(desk.site.records, connection, plan_scope(desk.plan.id))
        change = {"signed": desk.revision}
        desk.site.records.trail.append(connection, SIGNED, record=desk.plan.id, change=change)


def lock_machines(desk: Desk) -> int:
    desk.lease = desk.site.locks.take_machines(doing="signing the release of a machine")
    return desk.lease.token


def unlock(desk: Desk) -> None:
    desk.site.locks.release(desk.lease)


def look_at_machines(desk: Desk) -> None:
    desk.package = desk.site.machines.packages()[-1].decode()


def configure(desk: Desk, version: str) -> None:
    desk.site.machines.add(name="LINAC 1", digest=version.encode().hex() * 8, content=version.encode())


def release_machine(desk: Desk) -> None:
    made = MachineRelease(
        package_digest=desk.package, machine_name="LINAC 1", version=1, model_digests=("ab" * 32,), ranges=("",),
        statement="measured",
    )  # fmt: skip
    desk.site.releases.save(made, base_revision=0)


def clear_away(desk: Desk) -> str:
    """Sweep; there is a gate when unused files were looked for, and one behind each few that were moved."""
    real = sweep.referenced_paths

    def known(found):
        paths = real(found)
        desk.gate("files looked at")
        return paths

    sweep.referenced_paths = known
    try:
        return str(len(desk.site.sweep().moved))
    finally:
        sweep.referenced_paths = real


def back_up(desk: Desk, folder: str) -> str:
    """Back up; there is a gate when the database is copied and no file yet."""
    pending = desk.site.start_backup(Path(folder))
    desk.gate("database copied")
    info = pending.finish()
    return "good" if info.is_good else f"incomplete: {info.flaws}"


def renew_files(desk: Desk) -> str:
    """Write every file anew; those of before are of no record then, and two days old."""
    found = earlier_files(desk.site.records, -1)
    for stored in found:
        renew_file(desk.site.records, stored)
        _grow_old(desk.site.records.blobs.place(stored))
    return str(len(found))


def activate(desk: Desk, copy: str, site: str) -> str:
    """Put a restored copy in place; there is a gate just before the folders change their names."""
    real = restore._note_activation

    def noting(*arguments: Any, **named: Any):
        head = real(*arguments, **named)
        desk.gate("about to exchange")
        return head

    restore._note_activation = noting
    try:
        return str(SiteCare().activate(Path(copy), Path(site), reason="drill", **WHO))
    finally:
        restore._note_activation = real


def renew_keys(desk: Desk, root: str) -> None:
    """Put new data keys into use; there is a gate when everybody is kept out."""
    real = renewal._renew_data_keys

    def renewing(*arguments: Any):
        desk.gate("alone")
        real(*arguments)

    renewal._renew_data_keys = renewing
    try:
        Sites().renew_data_keys(Path(root), progress=lambda _f, _t: None, **WHO)
    finally:
        renewal._renew_data_keys = real


def _grow_old(path: Path) -> None:
    import os

    stamp = path.stat().st_mtime - 2 * ORPHAN_AGE_S
    os.utime(path, (stamp, stamp))


ACTIONS: dict[str, Callable[..., Any]] = {
    action.__name__: action
    for action in (
        open_site, close_site, edit, rename, edit_slowly, approve, approve_slowly, lock_plan,
        look_at_plan, sign_plan, lock_machines, unlock,
        look_at_machines, configure, release_machine, clear_away, back_up, renew_files, activate, renew_keys,
    )
}  # fmt: skip


# ---- what a negative control takes out ---------------------------------------------------------------------------


def _no_fences() -> None:
    for module in ("exclusive", "plans", "machines", "library", "sweep"):
        place = __import__(f"ert.storage.{module}", fromlist=["fence"])
        if hasattr(place, "fence"):
            place.fence = lambda *_: None
    sweep.exclusive.fence = lambda *_: None


def _no_look_at_revisions() -> None:
    """The last one wins: every save says that it knows the newest revision."""
    real = plans.PlanRepository.save

    def save(self, plan, *, base_revision, **given):
        return real(self, plan, base_revision=self.head(plan.id).revision, **given)

    plans.PlanRepository.save = save


def _no_look_at_files() -> None:
    records.Records.expect_files = lambda *_: None


def _no_second_look() -> None:
    sweep._named_by_now = lambda *_: set()


def _no_lock_on_files() -> None:
    backup._keep_files = lambda _records: None


def _no_look_at_the_version() -> None:
    records._expect_own_schema = lambda _connection: None


def _no_exclusion() -> None:
    restore.exclude = lambda *_, **__: FolderLock(None)


def _no_frozen_plans() -> None:
    """Nobody looks whether the plan is approved; the triggers are taken out of the site by whoever tests this."""
    plans.refuse_locked = lambda _head: None
    plans.expect_transition = lambda _before, _after: None


def _first_version() -> None:
    """Not a control: a program of the first tables, with today's look at the version of the tables."""
    import pytest

    samples.as_first_version(pytest.MonkeyPatch())


BYPASSES: dict[str, Callable[[], None]] = {
    "fences": _no_fences,
    "look at revisions": _no_look_at_revisions,
    "look at files": _no_look_at_files,
    "second look": _no_second_look,
    "lock on files": _no_lock_on_files,
    "look at the version": _no_look_at_the_version,
    "exclusion": _no_exclusion,
    "frozen plans": _no_frozen_plans,
    "later tables": _first_version,
}
assert plans.fence is exclusive.fence
