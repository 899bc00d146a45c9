"""A folder of backups: list them, verify one as thoroughly as the site itself, remove those no rule keeps."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import attrs

from ert.domain.account import Account
from ert.domain.backup import BackupInfo, BackupState, Progress, Pruned, Retention, backups_to_keep, newest_good
from ert.domain.record import Finding, Severity
from ert.errors import BadTag, ErtError, InvalidSite, NotASite, NotFound, Refused, StorageFailed, WrongKey
from ert.storage import backup_format as form
from ert.storage.assembly import SiteOptions, file_access, make_records
from ert.storage.atomic import sync_folder, translated
from ert.storage.backup import FILES_LEVEL, FULL_LEVEL, lock_folder, no_progress, remove_unfinished
from ert.storage.check import Checked, check_site
from ert.storage.check_files import blocker
from ert.storage.database import Database
from ert.storage.opening import DATABASE, opens
from ert.storage.places import expect_own_folders, is_file_itself
from ert.storage.records import Records
from ert.storage.ring import ring_generation
from ert.storage.unlock import KEYS, Unlocked, unlock_with_password
from ert.storage.users import read_user

_LOST_FILE = "A file of this backup is missing, or was changed, cut or replaced."


class BackupFolder:
    """The backups of one site.

    Parameters
    ----------
    folder : Path
        Given to ``ert backup --to``.
    unlocked : Unlocked or None
        The site's keys; None lists without vouching for anything.

    Raises
    ------
    InvalidSite
        It holds something else.
    """

    def __init__(self, folder: Path, unlocked: Unlocked | None) -> None:
        self._folder = folder
        self._unlocked = unlocked
        if unlocked is not None and folder.is_dir() and any(folder.iterdir()):
            form.check_folder_file(folder, unlocked.store.store_id)
        elif not (folder / form.SNAPSHOTS).is_dir() and unlocked is None:
            raise InvalidSite(
                f"The folder {folder} holds no backups of an ERT site.",
                hint="Give the folder that was given to 'ert backup --to'.",
            )

    def backups(self) -> tuple[BackupInfo, ...]:
        """All of them, oldest first; those that cannot be read or are not finished too."""
        return tuple(self._info(name) for name in form.backup_ids(self._folder))

    def manifest(self, backup_id: str) -> form.Manifest:
        """Return a backup's manifest, vouched for.

        Raises
        ------
        NotFound, BadTag, SchemaTooNew, StorageFailed
            It cannot be used.
        """
        manifest, code = form.read_manifest(self._folder, backup_id)
        manifest.check_code(code, self._keys().vault)
        return manifest

    def newest_good(self) -> BackupInfo | None:
        """Return the newest complete backup, None if there is none; reads no more manifests than it must.

        Names are dates: what is dated ahead of this computer's clock is compared with what comes behind it.
        """
        now, found = dt.datetime.now(dt.UTC), []
        for name in reversed(form.backup_ids(self._folder)):
            info = self._info(name)
            if info.is_good:
                found.append(info)
                if info.created is not None and info.created <= now:
                    break
        return newest_good(found)

    def newest(self) -> str:
        """Return the id of the complete backup with the newest content; `NotFound` if there is none."""
        found = newest_good(self.backups())
        if found is None:
            raise NotFound(
                f"There is no complete backup in {self._folder}.", hint="'ert backup list' shows what there is."
            )
        return found.backup_id

    def account(self, user_id: str) -> Account:
        """Return an account as the newest backup has it that counts as good and can be opened.

        Raises
        ------
        Refused
            There is none.
        NotFound
            It knows no such account.
        """
        for name in (b.backup_id for b in self._good_newest_first(self.backups())):
            root = self._folder / form.SNAPSHOTS / name
            try:
                with self._opened(root) as records, records.database.read() as connection:
                    return read_user(records, connection, user_id).account
            except (BadTag, NotASite, WrongKey, StorageFailed):
                continue  # damaged: passed over here as by `prune`
        raise _none_is_good("")

    def verify(
        self, backup_id: str, *, level: int = FULL_LEVEL, progress: Progress = no_progress
    ) -> tuple[Finding, ...]:
        """Compare a backup with its manifest and check it like a site (check.py); empty if nothing is wrong.

        Raises
        ------
        NotFound
            No such backup.
        """
        try:
            manifest = self.manifest(backup_id)
        except BadTag as exc:
            return (blocker("CHECK-MANIFEST", exc.sentence, exc.detail),)
        findings = list(self._compare_parts(manifest))
        if not findings:
            findings += self._check(manifest, level, progress)
        findings += [blocker("CHECK-INCOMPLETE", "The site was damaged when this was made.", f) for f in manifest.flaws]
        return tuple(findings)

    def prune(self, rule: Retention, progress: Progress = no_progress) -> Pruned:
        """Remove what the rule does not keep, and the files nothing else needs.

        Before anything is removed, the newest backup that counts as good is read and compared completely; one that
        fails is passed over, and kept as it is.

        Raises
        ------
        Refused
            The rule keeps nothing, or no backup is good: nothing was removed.
        DatabaseBusy
            A backup is being written.
        """
        if rule.is_empty:
            raise Refused("The rule keeps nothing; no backup was removed.", hint="Give at least one --keep-… number.")
        lock = lock_folder(self._folder)
        try:
            expect_own_folders(self._folder, form.OBJECTS, form.SNAPSHOTS, form.TMP)
            infos, bad = self._trusted(progress)
            keep = backups_to_keep(infos, rule) | bad
            remove = [b.backup_id for b in infos if b.is_good and b.backup_id not in keep]
            remove += self._superseded(infos)
            with translated("removing backups"):
                for backup_id in remove:
                    place = self._folder / form.SNAPSHOTS / backup_id
                    place.rename(place.with_name(f"{backup_id}{form.UNFINISHED}"))
                sync_folder(self._folder / form.SNAPSHOTS)
            remove_unfinished(self._folder)
            freed = self._remove_unreferenced()
        finally:
            lock.release()
        kept = tuple(b.backup_id for b in self.backups())
        return Pruned(removed=tuple(sorted(remove)), kept=kept, freed_bytes=freed)

    def _keys(self) -> Unlocked:
        if self._unlocked is None:
            raise ValueError("a folder opened without keys can only be listed")
        return self._unlocked

    def _keys_of(self, root: Path) -> Unlocked:
        """The keys of the day a backup was made on: they may have been renewed since."""
        keys = self._keys()
        with translated("reading the keys of a backup"):
            rings = [path.read_bytes() for path in (root / KEYS).glob("ring-*.bin")]
        if not rings:
            raise form.damaged_backup(root.name, "no key ring")
        declared = max(ring_generation(ring) for ring in rings)
        vault = keys.vault.of_generation(declared)
        # Made while keys were renewed: the ring still names the old ones, the database has the new ones already.
        if declared < keys.vault.newest and not opens(root / DATABASE, vault.database_key_literal()):
            vault.close()
            vault = keys.vault.of_generation(declared + 1)
        return attrs.evolve(keys, vault=vault)

    @contextlib.contextmanager
    def _opened(self, root: Path) -> Iterator[Records]:
        keys = self._keys_of(root)
        try:
            database = Database(file_access(root, keys, SiteOptions(), may_be_older=True))
            try:
                blobs = form.BackupBlobs(self._folder, keys.vault)
                yield make_records(root, keys, SiteOptions(), database, blobs=blobs)
            finally:
                database.close()
        finally:
            keys.vault.close()

    def _info(self, name: str) -> BackupInfo:
        if name.endswith(form.UNFINISHED):
            return BackupInfo(backup_id=name.removesuffix(form.UNFINISHED), state=BackupState.UNFINISHED)
        try:
            manifest = form.read_manifest(self._folder, name)[0] if self._unlocked is None else self.manifest(name)
        except ErtError:
            return BackupInfo(backup_id=name, state=BackupState.UNREADABLE)
        return manifest.info()

    def _compare_parts(self, manifest: form.Manifest) -> Iterator[Finding]:
        root = self._folder / form.SNAPSHOTS / manifest.backup_id
        for part in manifest.parts:
            if not form.is_whole(root / part.path, part):
                error = form.damaged_file(part.path, "size or SHA-256")
                yield blocker("CHECK-BACKUP", error.sentence, error.detail)

    def _check(self, manifest: form.Manifest, level: int, progress: Progress) -> Iterator[Finding]:
        root = self._folder / form.SNAPSHOTS / manifest.backup_id
        try:
            keys = self._keys_of(root)
        except ErtError as exc:
            yield blocker(exc.code, exc.sentence, exc.detail)
            return
        access = file_access(root, keys, SiteOptions(), may_be_older=True)
        try:
            database = Database(access)
        except ErtError as exc:
            keys.vault.close()
            yield blocker(exc.code, exc.sentence, exc.detail)
            return
        try:
            blobs = form.BackupBlobs(self._folder, keys.vault)
            records = make_records(root, keys, SiteOptions(), database, blobs=blobs)
            checked = Checked(root=root, access=access, vault=keys.vault, records=records, is_site=False)
            for found in check_site(checked, level=level, progress=progress):
                yield attrs.evolve(found, sentence=_LOST_FILE) if found.code == "CHECK-FILE" else found
        finally:
            database.close()
            keys.vault.close()

    def _trusted(self, progress: Progress) -> tuple[tuple[BackupInfo, ...], frozenset[str]]:
        """Return all backups, and those that only seemed good: newer than the newest that really is."""
        infos = self.backups()
        bad: set[str] = set()
        for info in self._good_newest_first(infos):
            findings = self.verify(info.backup_id, level=FILES_LEVEL, progress=progress)
            if all(f.severity is Severity.NOTE for f in findings):
                good = tuple(b for b in infos if b.backup_id not in bad)
                return good, frozenset(bad)
            bad.add(info.backup_id)
        raise _none_is_good(f"{len(bad)} failed")

    @staticmethod
    def _good_newest_first(infos: tuple[BackupInfo, ...]) -> list[BackupInfo]:
        return sorted((b for b in infos if b.is_good), key=lambda b: b.age_key, reverse=True)

    @staticmethod
    def _superseded(infos: tuple[BackupInfo, ...]) -> list[str]:
        """Incomplete backups older than a good one are worth nothing more."""
        good = newest_good(infos)
        if good is None:
            return []
        return [b.backup_id for b in infos if b.state is BackupState.INCOMPLETE and b.age_key < good.age_key]

    def _remove_unreferenced(self) -> int:
        """Remove files that no backup names; none at all while some backup cannot say what it names."""
        expect_own_folders(self._folder, form.OBJECTS, form.SNAPSHOTS)
        needed: set[str] = set()
        try:
            for name in form.backup_ids(self._folder):
                needed |= {part.sha256 for part in form.read_manifest(self._folder, name)[0].files}
        except ErtError:
            return 0
        freed = 0
        with translated("removing unused files of backups"):
            for path in (self._folder / form.OBJECTS).rglob("*.erte"):
                if path.stem not in needed:
                    freed += path.lstat().st_size
                    if is_file_itself(path):
                        path.chmod(0o600)
                    path.unlink()
        return freed


def _none_is_good(detail: str) -> Refused:
    return Refused(
        "No backup in this folder is good; none was removed.",
        hint="Make a new backup first, and look at the disk that holds these.",
        detail=detail,
    )


def unlock_backups(folder: Path, *, login: str, password: str, backup_id: str = "") -> Unlocked:
    """Open the keys kept in a backup folder with a password that was valid when one of the backups was made.

    Parameters
    ----------
    folder : Path
        The backup folder.
    login, password : str
        As typed.
    backup_id : str
        Only this backup's keys; "" tries the newest first.

    Raises
    ------
    WrongKey
        User or password fit none of them.
    InvalidSite, NotFound, BadTag, StorageFailed
        No keys to open.
    """
    if not (folder / form.SNAPSHOTS).is_dir():
        raise InvalidSite(
            f"The folder {folder} holds no backups of an ERT site.",
            hint="Give the folder that was given to 'ert backup --to'.",
        )
    names = [n for n in reversed(form.backup_ids(folder)) if not n.endswith(form.UNFINISHED)]
    if backup_id:
        names = [n for n in names if n == backup_id]
    if not names:
        raise form.no_backup(folder, backup_id) if backup_id else NotFound(f"There is no finished backup in {folder}.")
    first: ErtError | None = None
    for name in names:
        try:
            return unlock_with_password(folder / form.SNAPSHOTS / name, login=login, password=password)
        except ErtError as exc:
            first = exc if first is None or isinstance(exc, WrongKey) else first
    raise first if first is not None else StorageFailed("The keys of the backups cannot be read.")
