"""``ert backup`` and ``ert backup list|verify|prune``: copies of a site that may be in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ert.cli import credentials
from ert.cli.check import FULL_LEVEL, LevelOption, tell
from ert.cli.output import print_error, print_json, print_line, print_table, progress_bar
from ert.cli.site import JsonOption, PasswordOption, UserOption, need, opened
from ert.cli.wiring import Wiring
from ert.domain.account import Right
from ert.domain.backup import BackupInfo, Pruned, Retention
from ert.errors import Refused

FILES_LEVEL = 3
_MB = 1e6
FolderArgument = Annotated[Path, typer.Argument(help="Folder of backups.")]
LastOption = Annotated[int, typer.Option("--keep-last", min=0, help="Keep so many of the newest.")]
DailyOption = Annotated[int, typer.Option("--keep-daily", min=0, help="Keep the newest of so many days.")]
WeeklyOption = Annotated[int, typer.Option("--keep-weekly", min=0, help="Keep the newest of so many weeks.")]
MonthlyOption = Annotated[int, typer.Option("--keep-monthly", min=0, help="Keep the newest of so many months.")]


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help="Back up a site, and look after its backups.", invoke_without_command=True)
    _add_backup(group, wiring)
    _add_list(group, wiring)
    _add_verify(group, wiring)
    _add_prune(group, wiring)
    app.add_typer(group, name="backup")


def chosen(text: str) -> tuple[Path, str]:
    """Folder and id of ``DIR[@ID]``; the id is "" if none is given."""
    path = Path(text)
    if path.is_dir() or "@" not in path.name:
        return path, ""
    folder, _, backup_id = text.rpartition("@")
    return Path(folder), backup_id


def _add_backup(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.callback()
    def backup(
        context: typer.Context,
        *,
        site: Annotated[Path | None, typer.Option("--site", help="Folder of the site.")] = None,
        to: Annotated[Path | None, typer.Option("--to", help="Folder of backups on another disk.")] = None,
        level: Annotated[
            int, typer.Option("--level", min=FILES_LEVEL, max=FULL_LEVEL, help="4 also decrypts every file.")
        ] = FILES_LEVEL,
        keep_last: LastOption = 0,
        keep_daily: DailyOption = 0,
        keep_weekly: WeeklyOption = 0,
        keep_monthly: MonthlyOption = 0,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Back up a site while it is in use: verified, and only what is new is copied. Then remove old backups."""
        if context.invoked_subcommand is not None:
            return
        if site is None or to is None:
            raise typer.BadParameter("Give --site DIR and --to BACKUP_DIR, or one of list, verify, prune.")
        rule = Retention(keep_last=keep_last, keep_daily=keep_daily, keep_weekly=keep_weekly, keep_monthly=keep_monthly)
        pruned = None
        right, doing = (Right.VIEW, "make a backup") if rule.is_empty else (Right.CONFIGURE, "remove old backups")
        with (
            opened(wiring, site, user, password_fd, right=right, doing=doing) as store,
            progress_bar() as progress,
        ):
            info = store.start_backup(to).finish(level=level, progress=progress)
            store.record_event("backup made", detail=info.backup_id)
            if info.is_good and not rule.is_empty:
                pruned = store.backups(to).prune(rule, progress)
        _tell_made(info, pruned, as_json=as_json)


def _tell_made(info: BackupInfo, pruned: Pruned | None, *, as_json: bool) -> None:
    if as_json:
        print_json(_described(info) | {"removed": [] if pruned is None else list(pruned.removed)})
    else:
        print_line(
            f"Backup {info.backup_id}: {info.file_count} files, {info.total_bytes / _MB:.1f} MB, "
            f"{info.new_bytes / _MB:.1f} MB of them new; verified (level {info.verified_level})."
        )
        if pruned is not None:
            _tell_pruned(pruned)
    if not info.is_good:
        print_error(
            f"ert: The site was damaged already ({info.flaws[0]}); this backup is incomplete. Run 'ert check' and call "
            "physics."
        )
        raise typer.Exit(1)


def _add_list(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("list")
    def list_backups(folder: FolderArgument, *, as_json: JsonOption = False) -> None:
        """List backups as their manifests say; 'ert backup verify' vouches for one."""
        found = need(wiring).care().backups(folder)
        if as_json:
            print_json({"backups": [_described(info) for info in found]})
            return
        rows = [
            (
                info.backup_id,
                info.state.value,
                str(info.file_count),
                f"{info.total_bytes / _MB:.1f}",
                f"{info.new_bytes / _MB:.1f}",
                str(info.verified_level or ""),
            )
            for info in found
        ]
        print_table(f"{len(rows)} backups", ("Id (UTC)", "State", "Files", "MB", "New MB", "Level"), rows)


def _add_verify(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("verify")
    def verify(
        source: Annotated[str, typer.Argument(metavar="DIR[@ID]", help="Folder of backups; the newest if no id.")],
        *,
        level: LevelOption = FULL_LEVEL,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Verify a backup: manifest, database, history, every file."""
        folder, backup_id = chosen(source)
        name = credentials.ask_user(user)
        password = credentials.ask_password("Password", descriptor=password_fd)
        with progress_bar() as progress:
            verified, findings = (
                need(wiring)
                .care()
                .verify_backup(folder, backup_id, user_name=name, password=password, level=level, progress=progress)
            )
        facts = {"folder": str(folder), "id": verified, "level": level}
        sound, damaged = f"Backup {verified} is sound.", f"Backup {verified} is DAMAGED."
        tell(findings, facts, as_json=as_json, sound=sound, damaged=damaged)


def _add_prune(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("prune")
    def prune(
        folder: FolderArgument,
        *,
        keep_last: LastOption = 0,
        keep_daily: DailyOption = 0,
        keep_weekly: WeeklyOption = 0,
        keep_monthly: MonthlyOption = 0,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Remove backups no rule keeps; the newest good one is verified first and always kept."""
        rule = Retention(keep_last=keep_last, keep_daily=keep_daily, keep_weekly=keep_weekly, keep_monthly=keep_monthly)
        if rule.is_empty:
            raise Refused("Without a rule every backup would be removed.", hint="Give at least one --keep-… number.")
        name = credentials.ask_user(user)
        password = credentials.ask_password("Password", descriptor=password_fd)
        with progress_bar() as progress:
            pruned = need(wiring).care().prune(folder, rule, user_name=name, password=password, progress=progress)
        if as_json:
            removed, kept = list(pruned.removed), list(pruned.kept)
            print_json({"removed": removed, "kept": kept, "freed_bytes": pruned.freed_bytes})
        else:
            _tell_pruned(pruned)


def _tell_pruned(pruned: Pruned) -> None:
    print_line(
        f"Removed {len(pruned.removed)} old backups ({pruned.freed_bytes / _MB:.1f} MB of files), "
        f"kept {len(pruned.kept)}."
    )


def _described(info: BackupInfo) -> dict[str, Any]:
    return {
        "id": info.backup_id,
        "state": info.state.value,
        "created": None if info.created is None else info.created.isoformat(),
        "files": info.file_count,
        "bytes": info.total_bytes,
        "new_bytes": info.new_bytes,
        "verified_level": info.verified_level,
        "flaws": list(info.flaws),
    }
