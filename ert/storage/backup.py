"""Making a backup of a site that may be in use: database first, then every file it names, then the manifest.

The copy of the database is one consistent state (SQLite's online backup under a read transaction). Files are written
once and never changed, so everything the copy names is still there; what the backup folder has already is read and
compared, not copied again. Only the manifest, and the renaming that follows, make it a backup: whatever kills the
program before leaves a folder named ``<id>.unfinished``, which the next backup removes.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from ert.domain.backup import BackupInfo, Progress
from ert.domain.record import Severity
from ert.errors import BadTag, DatabaseBusy, InvalidSite, Refused, StorageFailed
from ert.storage import backup_format as form
from ert.storage import exclusive, schema
from ert.storage.assembly import SiteOptions, file_access, make_records, records_of_this_thread
from ert.storage.atomic import (
    make_folders,
    make_folders_to,
    replace_file,
    sync_folder,
    translated,
    write_all,
    write_new_file,
)
from ert.storage.backup_format import Part
from ert.storage.check import Checked, check_site
from ert.storage.database import Database
from ert.storage.dialect import schema_version
from ert.storage.exclusive import BACKUPS, Heart, Lease
from ert.storage.opening import DATABASE
from ert.storage.places import expect_own_folders, open_regular
from ert.storage.presence import FolderLock, exclude
from ert.storage.records import FILES, Records, stored_file
from ert.storage.store_file import FILE_NAME, app_version
from ert.storage.surroundings import expect_outside
from ert.storage.unlock import KEYS, SLOTS, Unlocked

DATABASE_LEVEL = 2
FILES_LEVEL = 3
FULL_LEVEL = 4
_KEY_TRIES = 5
_MAXIMUM_KEY_FILE_BYTES = 1024 * 1024


def no_progress(_done_frac: float, _text: str) -> None:
    """Where nobody watches."""


@frozen(kw_only=True)
class _Job:
    folder: Path
    site_root: Path
    unlocked: Unlocked
    backup_id: str
    created: dt.datetime
    lock: FolderLock
    records: Records
    lease: Lease | None

    @property
    def building(self) -> Path:
        return self.folder / form.SNAPSHOTS / f"{self.backup_id}{form.UNFINISHED}"


class PendingBackup:
    """A backup whose database is copied; used by one thread, which need not be the one that began it."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        self._is_over = False

    def finish(self, *, level: int = FILES_LEVEL, progress: Progress = no_progress) -> BackupInfo:
        """Copy the files that are new, verify everything, write the manifest.

        Parameters
        ----------
        level : int
            3: the database is checked, every file is read in the backup and its SHA-256 compared; 4: it is decrypted.
        progress : callable
            Told how far it is; may raise `Cancelled`.

        Raises
        ------
        DiskFull, StorageFailed, BadTag
            There is no new backup; earlier ones are as they were.
        """
        try:
            with _records_of_site(self._job) as records:
                return _finish(self._job, level, _with_signs_of_life(self._job, records, progress))
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what is not a backup yet and let others write; does nothing after `finish`."""
        if self._is_over:
            return
        self._is_over = True
        shutil.rmtree(self._job.building, ignore_errors=True)
        self._job.lock.release()
        if self._job.lease is not None:
            with _records_of_site(self._job) as records:
                exclusive.try_release(records, self._job.lease)


def begin_backup(
    folder: Path, *, site_root: Path, unlocked: Unlocked, records: Records, now: dt.datetime
) -> PendingBackup:
    """Copy database and keys of an opened site into a backup folder, which is made if there is none.

    Raises
    ------
    InvalidSite, Refused
        The folder holds something else, or lies in the site; the site is a restored copy.
    DatabaseBusy
        Another backup is being written there.
    LockHeld
        The unused files of the site are being cleared away.
    DiskFull, StorageFailed, BadTag
        There is no new backup.
    """
    if records.is_restored_copy:
        raise Refused("A restored copy is not backed up.", hint="Activate it first, or back up the site itself.")
    _prepare_folder(folder, site_root, unlocked)
    lock = lock_folder(folder)
    try:
        lease = _keep_files(records)
    except BaseException:
        lock.release()
        raise
    job = _Job(
        folder=folder,
        site_root=site_root,
        unlocked=unlocked,
        backup_id=f"{now:%Y%m%dT%H%M%S-%fZ}",
        created=now,
        lock=lock,
        records=records,
        lease=lease,
    )
    pending = PendingBackup(job)
    try:
        remove_unfinished(folder)
        with translated("making a backup"):
            job.building.mkdir(mode=0o700)
        _copy_state(job, records)
    except BaseException:
        pending.discard()
        raise
    return pending


def _keep_files(records: Records) -> Lease | None:
    """Have nobody clear away files until the backup has them; where nothing can be saved, nobody here can."""
    if records.read_only_reason:
        return None
    lease = exclusive.take(records, *BACKUPS, doing="making a backup of the site", against=(FILES,))
    records.leases.pop(lease.scope)  # it is the backup's, whose thread is another one
    return lease


def _records_of_site(job: _Job) -> contextlib.AbstractContextManager[Records]:
    return records_of_this_thread(job.site_root, job.unlocked, SiteOptions(), job.records)


def _with_signs_of_life(job: _Job, records: Records, progress: Progress) -> Progress:
    if job.lease is None:
        return progress
    heart = Heart(records, job.lease)

    def watched(done_frac: float, text: str) -> None:
        heart.beat()
        progress(done_frac, text)

    return watched


def lock_folder(folder: Path) -> FolderLock:
    """Keep other writers out of a backup folder."""
    busy = DatabaseBusy(
        f"Another backup is being written to or removed from {folder}.",
        hint="Wait until it has ended, then try again.",
        detail="backup.lock is held",
    )
    return exclude(folder, name=form.LOCK, busy=busy)


def remove_unfinished(folder: Path) -> None:
    """Remove what interrupted backups left; only under the folder's lock. Raises `InvalidSite` behind a link."""
    expect_own_folders(folder, form.SNAPSHOTS, form.TMP)
    with translated("removing an unfinished backup"):
        for name in form.backup_ids(folder):
            if name.endswith(form.UNFINISHED):
                shutil.rmtree(folder / form.SNAPSHOTS / name)
        for path in (folder / form.TMP).iterdir():
            path.unlink()


def _prepare_folder(folder: Path, site_root: Path, unlocked: Unlocked) -> None:
    site, place = site_root.resolve(), folder.resolve()
    if site == place or site in place.parents or place in site.parents:
        raise InvalidSite(
            "Backups cannot lie in the site's own folder, nor around it.", hint="Choose a folder on another disk."
        )
    expect_outside(folder, "backed up")
    with translated("preparing the backup folder"):
        # A first backup killed before it had said whose folder this is leaves tmp/ alone.
        is_new = not folder.exists() or (folder.is_dir() and {p.name for p in folder.iterdir()} <= {form.TMP})
        if is_new:
            make_folders_to(folder)
            (folder / form.TMP).mkdir(mode=0o700, exist_ok=True)
            form.write_folder_file(folder, unlocked.vault)
    if not is_new and not folder.is_dir():
        raise InvalidSite(f"{folder} is no folder.", hint="Choose a folder for the backups.")
    form.check_folder_file(folder, unlocked.store.store_id)
    with translated("preparing the backup folder"):
        for name in (form.TMP, form.OBJECTS, form.SNAPSHOTS):
            make_folders(folder / name, below=folder)


def _copy_state(job: _Job, records: Records) -> None:
    """Copy the database and the key files so that they belong together: again if a password changed meanwhile.

    The copy is an encrypted file whatever keeps the rows of the site, and its ``store.json`` says so.
    """
    for _ in range(_KEY_TRIES):
        before = _key_files(job.site_root)
        records.database.copy_into(job.building / DATABASE)
        if _key_files(job.site_root) == before:
            break
        with translated("making a backup"):
            (job.building / DATABASE).unlink()
    else:
        raise StorageFailed("The site's keys kept changing while it was copied.", hint="Try again.")
    with translated("making a backup"):
        make_folders(job.building / SLOTS, below=job.building)
        if job.unlocked.store.database is not None:
            before[FILE_NAME] = job.unlocked.store.in_folder().to_json(job.unlocked.vault)
        for name, data in before.items():
            replace_file(job.building / name, data, tmp_folder=job.folder / form.TMP)


def _key_files(root: Path) -> dict[str, bytes]:
    with translated("reading the site's keys"):
        paths = [root / FILE_NAME, *sorted((root / KEYS).glob("ring-*.bin")), *sorted((root / SLOTS).glob("*.json"))]
        return {path.relative_to(root).as_posix(): _whole(path) for path in paths}


def _whole(path: Path) -> bytes:
    with open_regular(path) as source:
        return source.read(_MAXIMUM_KEY_FILE_BYTES)


def _finish(job: _Job, level: int, progress: Progress) -> BackupInfo:
    access = file_access(job.building, job.unlocked, SiteOptions())
    database = Database(access)
    try:
        blobs = form.BackupBlobs(job.folder, job.unlocked.vault)
        records = make_records(job.building, job.unlocked, SiteOptions(), database, blobs=blobs)
        files, flaws, new_bytes = _copy_files(job, records, progress)
        checked = Checked(
            root=job.building, access=access, vault=job.unlocked.vault, records=records, anchors=None, is_site=False
        )
        wanted = FULL_LEVEL if level >= FULL_LEVEL else DATABASE_LEVEL
        found = check_site(checked, level=wanted, progress=lambda _f, text: progress(0.95, text))
        known = {flaw.split(": ")[1] for flaw in flaws}
        flaws += [
            f"{f.code}: {f.subject}"
            for f in found
            if f.severity is Severity.BLOCKER and f.subject.split(": ")[0] not in known
        ]
        with database.read() as connection:
            head = records.trail.head(connection)
            version = schema_version(connection)
    finally:
        database.close()
    progress(0.98, "Writing the manifest")
    parts = tuple(_parts(job.building))
    manifest = form.Manifest(
        backup_id=job.backup_id,
        store_id=job.unlocked.store.store_id,
        created_utc=job.created.isoformat(),
        app_version=app_version(),
        schema_version=version,
        epoch=job.unlocked.store.epoch,
        head_seq=head.seq,
        head_h=head.code.hex(),
        verified_level=max(FILES_LEVEL, wanted),
        new_bytes=new_bytes + sum(part.size for part in parts),
        parts=parts,
        files=tuple(files),
        flaws=tuple(flaws),
    )
    _complete(job, manifest)
    return manifest.info()


def _copy_files(job: _Job, records: Records, progress: Progress) -> tuple[list[Part], list[str], int]:
    """Bring every file that a row names into the folder; return them, what the site had lost, and the bytes added."""
    with records.database.read() as connection:
        rows = records.rows(connection, schema.file, order="path")
    total, done, new_bytes = max(1, sum(row["size"] for row in rows)), 0, 0
    files: list[Part] = []
    flaws: list[str] = []
    for row in rows:
        progress(0.9 * done / total, "Copying files")
        done += row["size"]
        stored = stored_file(row, records.store_id)
        part = Part(path=stored.path, size=stored.size, sha256=stored.sha256_cipher.hex())
        try:
            new_bytes += _bring(job, part)
        except BadTag:
            flaws.append(f"CHECK-FILE: {part.path}")
        else:
            files.append(part)
    return files, flaws, new_bytes


def _bring(job: _Job, part: Part) -> int:
    """Make sure that a file is whole in the backup folder; return the bytes written."""
    place = form.object_path(job.folder, part.sha256)
    if form.is_whole(place, part):
        return 0
    with translated("writing to the backup folder"):
        make_folders(place.parent, below=job.folder)
        if place.exists():
            make_folders(job.folder / form.DAMAGED, below=job.folder)
            place.rename(job.folder / form.DAMAGED / f"{part.sha256}.{secrets.token_hex(4)}")
    copy_verified(job.site_root / part.path, place, part, tmp_folder=job.folder / form.TMP)
    if not form.is_whole(place, part):
        raise StorageFailed(
            "The backup folder does not keep what is written to it; there is no new backup.",
            hint="Check that disk, or use another one.",
            detail=f"{part.path}: read back differs",
        )
    return part.size


def copy_verified(source: Path, target: Path, part: Part, *, tmp_folder: Path) -> None:
    """Copy a file that must have the size and SHA-256 of `part`; all of it or nothing, read-only.

    Raises
    ------
    BadTag
        The source is missing, cannot be read, or is not what `part` says.
    DiskFull, StorageFailed
        Writing failed.
    """
    digest = hashlib.sha256()

    def write(out: BinaryIO) -> None:
        with form.reading(source) as read:
            size = 0
            while block := read():
                size += len(block)
                if size > part.size:  # nobody knows how long it goes on
                    break
                digest.update(block)
                write_all(out, block)
        if size != part.size or digest.hexdigest() != part.sha256:
            raise form.damaged_file(part.path, "size or SHA-256")

    write_new_file(target, write, tmp_folder=tmp_folder, mode=0o400)


def _parts(building: Path) -> Iterator[Part]:
    with translated("reading back the backup"):
        for path in sorted(p for p in building.rglob("*") if p.is_file()):
            name = path.relative_to(building).as_posix()
            yield Part(path=name, size=path.stat().st_size, sha256=form.sha256_of(path))


def _complete(job: _Job, manifest: form.Manifest) -> None:
    """Write the manifest, give the backup its name, and read back that it is there."""
    data = manifest.to_json(job.unlocked.vault)
    replace_file(job.building / form.MANIFEST, data, tmp_folder=job.folder / form.TMP)
    final = job.folder / form.SNAPSHOTS / job.backup_id
    with translated("finishing the backup"):
        sync_folder(job.building)
        job.building.rename(final)
        sync_folder(final.parent)
    found, code = form.read_manifest(job.folder, job.backup_id)
    found.check_code(code, job.unlocked.vault)
