"""What an administrator does with a site as a whole: check it, keep its backups, restore one (port ``SiteCare``)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ert.domain.account import Right
from ert.domain.backup import BackupInfo, Progress, Pruned, Restored, Retention
from ert.domain.record import Finding, Severity
from ert.errors import AuditBroken, BadTag, NotASite, Refused, SchemaTooNew, WrongKey
from ert.storage import schema
from ert.storage.anchors import Anchors
from ert.storage.assembly import SiteOptions, access_to, expect_same_site, make_records
from ert.storage.attempts import Attempts
from ert.storage.backup_folder import BackupFolder, unlock_backups
from ert.storage.blobs import DATA
from ert.storage.check import Checked, check_site
from ert.storage.check_files import blocker
from ert.storage.database import Database
from ert.storage.dialect import schema_version
from ert.storage.opening import DATABASE
from ert.storage.presence import hold
from ert.storage.records import Records, tables_version
from ert.storage.restore import activate, restore
from ert.storage.sites import Sites
from ert.storage.store_file import FILE_NAME
from ert.storage.sweep import quarantine
from ert.storage.unlock import KEYS, Unlocked, unlock_with_password
from ert.storage.users import need_right, read_user

_MARKS = (FILE_NAME, DATABASE, KEYS, DATA)


class SiteCare:
    """Checks and restores sites that nobody need have open.

    Parameters
    ----------
    options : SiteOptions
        Of this workstation.
    """

    def __init__(self, options: SiteOptions | None = None) -> None:
        self._options = options if options is not None else SiteOptions()

    def check(
        self,
        site: Path,
        *,
        user_name: str,
        password: str,
        level: int,
        progress: Progress,
        is_quarantining: bool = False,
    ) -> tuple[Finding, ...]:
        """Verify a site without changing it (check.py); what keeps it from being opened is a finding, too.

        Parameters
        ----------
        site : Path
            Its folder.
        user_name, password : str
            As typed.
        level : int
            0 to 4.
        progress : callable
            Told how far it is.
        is_quarantining : bool
            Move files that no record names, and that are older than a day, to ``quarantine/`` afterwards.

        Raises
        ------
        WrongKey
            User or password are wrong.
        NotPermitted
            Files were to be moved, and the account lacks the feature Facility Configuration.
        DatabaseBusy
            It is locked by somebody else.
        NotASite, SchemaTooNew, StorageFailed
            The check cannot run.
        """
        if not any((site / mark).exists() for mark in _MARKS):
            raise NotASite(f"The folder {site} is not an ERT site.", hint="Give the folder that holds store.json.")
        try:
            unlocked = unlock_with_password(site, login=user_name, password=password, attempts=self._attempts(site))
        except (WrongKey, SchemaTooNew):
            raise
        except (BadTag, NotASite) as exc:
            return (blocker("CHECK-KEYS", exc.sentence, exc.detail),)
        presence = hold(site, unlocked.vault)
        try:
            with _closing_keys(unlocked):
                return self._check(site, unlocked, level, progress, is_quarantining=is_quarantining)
        finally:
            presence.release()

    def backups(self, folder: Path) -> tuple[BackupInfo, ...]:
        """List backups, without keys: as their manifests say, vouched for by nothing."""
        return BackupFolder(folder, None).backups()

    def verify_backup(
        self, folder: Path, backup_id: str, *, user_name: str, password: str, level: int, progress: Progress
    ) -> tuple[str, tuple[Finding, ...]]:
        """Verify a backup, "" for the newest complete one; return its id and what is wrong.

        Raises
        ------
        WrongKey, InvalidSite, NotFound, BadTag, StorageFailed
            The check cannot run.
        """
        unlocked = unlock_backups(folder, login=user_name, password=password)
        with _closing_keys(unlocked):
            found = BackupFolder(folder, unlocked)
            chosen = backup_id or found.newest()
            return chosen, found.verify(chosen, level=level, progress=progress)

    def prune(self, folder: Path, rule: Retention, *, user_name: str, password: str, progress: Progress) -> Pruned:
        """Remove the backups that a rule does not keep (`BackupFolder.prune`).

        It takes the feature Facility Configuration, as the newest good backup has the account: the site itself need
        not be there.

        Raises
        ------
        NotPermitted
            The account lacks it; nothing was removed.
        """
        unlocked = unlock_backups(folder, login=user_name, password=password)
        with _closing_keys(unlocked):
            shelf = BackupFolder(folder, unlocked)
            if not rule.is_empty:
                need_right(shelf.account(unlocked.user_id), Right.CONFIGURE, "Removing backups")
            return shelf.prune(rule, progress)

    def restore(
        self,
        folder: Path,
        backup_id: str,
        *,
        to: Path,
        user_name: str,
        password: str,
        progress: Progress,
        accept_damage: bool = False,
    ) -> Restored:
        """Restore a backup, "" for the newest complete one, into a new folder (`restore`)."""
        if not backup_id:
            unlocked = unlock_backups(folder, login=user_name, password=password)
            with _closing_keys(unlocked):
                backup_id = BackupFolder(folder, unlocked).newest()
        # Its own keys: user, password and epoch as they were then.
        unlocked = unlock_backups(folder, login=user_name, password=password, backup_id=backup_id)
        with _closing_keys(unlocked):
            return restore(
                BackupFolder(folder, unlocked),
                folder,
                unlocked,
                backup_id=backup_id,
                to=to,
                options=self._options,
                accept_damage=accept_damage,
                progress=progress,
            )

    def activate(self, copy: Path, site: Path, *, user_name: str, password: str, reason: str) -> Path | None:
        """Put a restored copy in the place of its site (`activate`); return where the former folder lies now."""
        unlocked = unlock_with_password(copy, login=user_name, password=password, attempts=self._attempts(copy))
        with _closing_keys(unlocked):
            return activate(copy, site, unlocked, reason=reason, options=self._options)

    def accept_restore(self, site: Path, *, user_name: str, password: str, reason: str) -> None:
        """Let this workstation know why a site went back in time; noted in its history and here.

        Raises
        ------
        Refused
            The site did not go back: nothing was noted.
        """
        opened = Sites(self._options).open(site, user_name=user_name, password=password, accept_restore_reason=reason)
        opened.close()
        if not opened.has_accepted_restore:
            raise Refused(
                "This workstation knows no later state of the site: there is nothing to accept, and nothing was noted."
            )

    def _attempts(self, root: Path) -> Attempts:
        return Attempts(root, self._options.anchor_folder, self._options.clock)

    def _check(
        self, site: Path, unlocked: Unlocked, level: int, progress: Progress, *, is_quarantining: bool
    ) -> tuple[Finding, ...]:
        access = access_to(site, unlocked, self._options, may_be_older=True)
        try:
            database = Database(access)
        except SchemaTooNew:
            raise
        except (WrongKey, BadTag, NotASite) as exc:
            return (blocker("CHECK-DATABASE", exc.sentence, exc.detail),)
        try:
            records = make_records(site, unlocked, self._options, database)
            if is_quarantining:
                _expect_quarantine(records, unlocked)
            checked = Checked(
                root=site,
                access=access,
                vault=unlocked.vault,
                records=records,
                anchors=Anchors(self._options.anchor_folder),
            )
            findings = [*_opening_findings(records, unlocked), *check_site(checked, level=level, progress=progress)]
            if is_quarantining:
                findings += _quarantined(site, records, progress)
        finally:
            database.close()
        return tuple(findings)


def _opening_findings(records: Records, unlocked: Unlocked) -> Iterator[Finding]:
    """What the opening protocol compares behind the database's own door."""
    try:
        with records.database.read() as connection:
            expect_same_site(records.trail.read_meta(connection), unlocked.store)
            version = schema_version(connection)
    except (BadTag, NotASite, AuditBroken) as exc:
        yield blocker("CHECK-META", exc.sentence, exc.detail)
        return
    if version < schema.SCHEMA_VERSION:
        yield Finding(
            severity=Severity.NOTE,
            code="CHECK-OLDER",
            sentence="An older version of the program wrote this database; opening the site brings it up to date.",
            subject=f"version {version}",
        )


def _expect_quarantine(records: Records, unlocked: Unlocked) -> None:
    with records.database.read() as connection:
        if tables_version(connection) != schema.MIGRATION_HEAD:
            raise Refused(
                "An older version of the program wrote this database; no file was moved.",
                hint="Sign in to the site once, which brings it up to date, then check again.",
            )
        account = read_user(records, connection, unlocked.user_id).account
    need_right(account, Right.CONFIGURE, "Moving files to quarantine")


def _quarantined(site: Path, records: Records, progress: Progress) -> Iterator[Finding]:
    for name in quarantine(records, site, progress):
        yield Finding(
            severity=Severity.NOTE,
            code="CHECK-QUARANTINED",
            sentence="A file that belongs to no record was moved to quarantine/.",
            subject=name,
        )


@contextlib.contextmanager
def _closing_keys(unlocked: Unlocked) -> Iterator[None]:
    try:
        yield
    finally:
        unlocked.vault.close()
