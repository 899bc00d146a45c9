"""From a backup to a site again: a complete, verified copy in a new folder first; in use only after it was activated.

The copy says in its own history that it is one, and nothing can be saved in it (restored.py). Activating it renames the
former folder aside, never removes it, and lets this workstation know why the site went back in time.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from pathlib import Path

import attrs

from ert.domain.backup import Progress, Restored
from ert.domain.identity import new_id
from ert.domain.record import Finding, Severity
from ert.errors import BadTag, DatabaseBusy, InvalidSite, NotASite, Refused, SchemaTooNew
from ert.storage import backup_format as form
from ert.storage import schema
from ert.storage.anchors import Anchors
from ert.storage.assembly import SiteOptions, access_to, expect_same_site, file_access, make_records
from ert.storage.atomic import make_folders, replace_file, sync_folder, translated
from ert.storage.audit import Head, write_meta
from ert.storage.backup import copy_verified, no_progress
from ert.storage.backup_folder import BackupFolder
from ert.storage.blobs import DATA, TMP, TRASH
from ert.storage.check import Checked, check_site
from ert.storage.database import Database
from ert.storage.dialect import present_tables
from ert.storage.exclusive import release_all
from ert.storage.opening import DATABASE
from ert.storage.presence import FolderLock, exclude
from ert.storage.records import Records
from ert.storage.restored import ACTIVATED, RESTORED, may_be_activated
from ert.storage.site_lock_note import write_note
from ert.storage.store_file import FILE_NAME, read_store_file
from ert.storage.surroundings import expect_outside
from ert.storage.unlock import KEYS, SLOTS, Unlocked
from ert.storage.users import need_administrator

_SITE_MARKS = (FILE_NAME, DATABASE, KEYS, DATA)


def restore(
    backups: BackupFolder,
    source: Path,
    unlocked: Unlocked,
    *,
    backup_id: str,
    to: Path,
    options: SiteOptions,
    accept_damage: bool = False,
    progress: Progress = no_progress,
) -> Restored:
    """Make a complete copy of a site from a backup and check all of it; the folder appears as a whole or not at all.

    Parameters
    ----------
    backups, source : BackupFolder, Path
        Where the backup is.
    unlocked : Unlocked
        The keys.
    backup_id : str
        Which one.
    to : Path
        Must not exist.
    options : SiteOptions
        Of this workstation.
    accept_damage : bool
        Make the copy even if something in it is damaged; the findings say what.
    progress : callable
        Told how far it is; may raise `Cancelled`.

    Raises
    ------
    InvalidSite
        The folder exists.
    BadTag
        The backup is damaged, or the copy does not verify; nothing is left.
    DiskFull, StorageFailed
        Nothing is left.
    """
    with translated("looking at the folder for the restored site"):
        if to.exists() or to.is_symlink():
            raise InvalidSite(f"{to} exists already; nothing was restored there.", hint="Give a new folder.")
        expect_outside(to, "restored")
        to.parent.mkdir(parents=True, exist_ok=True)
    manifest = backups.manifest(backup_id)
    building = to.parent / f".{to.name}.{new_id()}.restoring"
    try:
        with translated("restoring the site"):
            building.mkdir(mode=0o700)
        _copy(source, manifest, building, accept_damage=accept_damage, progress=progress)
        # Above every epoch that was backed up here: what is backed up from the copy on is newer than all of it.
        epoch = 1 + max(unlocked.store.epoch, *(info.epoch for info in backups.backups()))
        findings = _mark_and_check(building, manifest, unlocked, options, progress, epoch=epoch)
        if not accept_damage:
            _expect_sound(backup_id, findings)
        with translated("restoring the site"):
            building.rename(to)
            sync_folder(to.parent)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    created = dt.datetime.fromisoformat(manifest.created_utc)
    return Restored(backup_id=backup_id, created=created, folder=to, findings=findings)


def _expect_sound(backup_id: str, findings: tuple[Finding, ...]) -> None:
    damage = [f for f in findings if f.severity is Severity.BLOCKER]
    if damage:
        raise BadTag(
            f"The backup {backup_id} does not restore to a sound site ({damage[0].sentence}); nothing was kept.",
            hint="Use another backup. If there is none, '--accept-damage' restores what there is.",
            detail=damage[0].subject,
        )


def _copy(source: Path, manifest: form.Manifest, building: Path, *, accept_damage: bool, progress: Progress) -> None:
    for name in (DATA, TMP, TRASH, SLOTS):
        with translated("restoring the site"):
            make_folders(building / name, below=building)
    snapshot = source / form.SNAPSHOTS / manifest.backup_id
    total, done = max(1, sum(part.size for part in (*manifest.parts, *manifest.files))), 0
    for part in (*manifest.parts, *manifest.files):
        progress(0.6 * done / total, "Copying files")
        done += part.size
        target = building / part.path
        is_file = part in manifest.files
        origin = form.object_path(source, part.sha256) if is_file else snapshot / part.path
        with translated("restoring the site"):
            make_folders(target.parent, below=building)
        try:
            copy_verified(origin, target, part, tmp_folder=building / TMP)
        except BadTag:
            if not (accept_damage and is_file):
                raise
            continue
        if not is_file:
            with translated("restoring the site"):
                target.chmod(0o600)


def _mark_and_check(
    building: Path,
    manifest: form.Manifest,
    unlocked: Unlocked,
    options: SiteOptions,
    progress: Progress,
    *,
    epoch: int,
) -> tuple[Finding, ...]:
    """Raise the epoch, note where the copy comes from, and check all of it."""
    access = file_access(building, unlocked, options, may_be_older=True)
    database = Database(access)
    try:
        records = make_records(building, unlocked, attrs.evolve(options, anchor_folder=None), database)
        with database.read() as connection:
            meta = records.trail.read_meta(connection)
            expect_same_site(meta, unlocked.store)
            head = records.trail.head(connection)
        if (head.seq, head.code.hex()) != (manifest.head_seq, manifest.head_h):
            raise form.damaged_backup(manifest.backup_id, "history head differs from manifest")
        store = attrs.evolve(unlocked.store, epoch=epoch)
        with database.write() as connection:
            write_meta(connection, records.guard, records.trail.read_meta(connection) | {"epoch": store.epoch})
            if schema.exclusive_lock.name in present_tables(connection):
                release_all(records, connection)  # who held them works in the site itself
            change = {"backup": manifest.backup_id, "made": manifest.created_utc}
            records.trail.append(connection, RESTORED, record=store.store_id, change=change)
        replace_file(building / FILE_NAME, store.to_json(unlocked.vault), tmp_folder=building / TMP)
        checked = Checked(root=building, access=access, vault=unlocked.vault, records=records)
        return check_site(checked, progress=lambda fraction, text: progress(0.6 + 0.4 * fraction, text))
    finally:
        database.close()


def activate(copy: Path, site: Path, unlocked: Unlocked, *, reason: str, options: SiteOptions) -> Path | None:
    """Put a restored copy in the place of its site; what was there is renamed, not removed: return its new place.

    Parameters
    ----------
    copy : Path
        Made by `restore`; of the same disk as `site`, or `site` itself.
    site : Path
        The site's folder; need not exist.
    unlocked : Unlocked
        The copy's keys.
    reason : str
        Why; noted in the history and by this workstation.
    options : SiteOptions
        Of this workstation.

    Raises
    ------
    Refused
        No reason, not a restored copy, or on another disk.
    InvalidSite
        `site` is something else, or another site.
    DatabaseBusy
        Somebody has one of the two open.
    """
    if not reason.strip():
        raise Refused("A restored copy is activated for a reason only.", hint="Give --reason TEXT.")
    _check_places(copy, site, unlocked)
    note = write_note(unlocked.vault, doing="putting a restored copy in the place of this site", now=options.clock())
    with contextlib.ExitStack() as locks:
        for path in dict.fromkeys((copy, site)):
            if path.exists():
                locks.callback(_excluded(path, note).release)
        aside = _place_aside(copy, site, options)
        head = _note_activation(copy, unlocked, reason, options, kept_aside=aside)
        with translated("putting the restored site in place"):
            if aside is not None:
                site.rename(aside)
            if site.resolve() != copy.resolve():
                copy.rename(site)
            sync_folder(site.parent)
    anchors = Anchors(options.anchor_folder)
    anchors.note_restore(
        unlocked.store.store_id, anchors.remembered(unlocked.store.store_id), head, reason, options.clock()
    )
    anchors.remember(unlocked.store.store_id, head)
    return aside


def _place_aside(copy: Path, site: Path, options: SiteOptions) -> Path | None:
    if not site.exists() or site.resolve() == copy.resolve():
        return None
    aside = site.with_name(f"{site.name}.before-restore-{options.clock():%Y%m%dT%H%M%S.%fZ}")
    if aside.exists():
        raise Refused(f"{aside} exists already; nothing was changed.", hint="Try again in a second.")
    return aside


def _excluded(path: Path, note: bytes) -> FolderLock:
    busy = DatabaseBusy(
        f"Somebody has the site in {path} open; nothing was changed.",
        hint="Have everybody close it, on every workstation, then try again.",
        detail="site.lock is held",
    )
    return exclude(path, busy=busy, note=note)


def _check_places(copy: Path, site: Path, unlocked: Unlocked) -> None:
    with translated("looking at the two folders"):
        is_site_there = site.exists()
        if is_site_there and not any((site / mark).exists() for mark in _SITE_MARKS):
            raise InvalidSite(f"The folder {site} is no ERT site; nothing was changed.", hint="Check the path.")
        if is_site_there and site.is_symlink():
            raise InvalidSite(f"{site} is a link; nothing was changed.", hint="Give the folder it leads to.")
        neighbour = site if is_site_there else site.parent
        if not neighbour.exists() or neighbour.stat().st_dev != copy.stat().st_dev:
            raise Refused(
                f"{copy} does not lie on the same disk as {site}; nothing was changed.",
                hint="Restore to a folder beside the site, then activate that.",
            )
    if not is_site_there:
        return
    try:
        other = read_store_file(site)[0].store_id
    except (NotASite, SchemaTooNew):
        return  # what is there is too damaged to say which site it was; it is kept aside whatever it was
    if other != unlocked.store.store_id:
        raise InvalidSite(f"{site} is another site than {copy}; nothing was changed.", hint="Check both paths.")


def _note_activation(
    copy: Path, unlocked: Unlocked, reason: str, options: SiteOptions, *, kept_aside: Path | None
) -> Head:
    database = Database(access_to(copy, unlocked, options, may_be_older=True))
    try:
        records: Records = make_records(copy, unlocked, attrs.evolve(options, anchor_folder=None), database)
        with database.write() as connection:
            meta = records.trail.read_meta(connection)
            expect_same_site(meta, unlocked.store)
            if not may_be_activated(connection):
                raise Refused(
                    f"{copy} was not made by 'ert restore'; nothing was changed.", hint="Restore a backup first."
                )
            need_administrator(records, connection, unlocked.user_id, "Activating a restored copy")
            change = {"reason": reason, "kept_aside": "" if kept_aside is None else kept_aside.name}
            return records.trail.append(connection, ACTIVATED, record=unlocked.store.store_id, change=change)
    finally:
        database.close()
