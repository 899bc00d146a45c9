"""``ert restore``: first a verified copy in a new folder, then, as a step of its own, that copy in the site's place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ert.cli import credentials
from ert.cli.backup import chosen
from ert.cli.check import described
from ert.cli.output import print_json, print_line, progress_bar
from ert.cli.site import JsonOption, PasswordOption, UserOption, need
from ert.cli.wiring import Wiring


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verb to the command."""

    @app.command("restore")
    def restore(
        *,
        to: Annotated[Path, typer.Option("--to", help="Folder of the restored copy; must be new with --from.")],
        source: Annotated[
            str | None, typer.Option("--from", metavar="DIR[@ID]", help="Folder of backups; the newest if no id.")
        ] = None,
        site: Annotated[
            Path | None, typer.Option("--activate", help="Put the copy in the place of this site; needs --reason.")
        ] = None,
        reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the history.")] = "",
        accept_damage: Annotated[
            bool, typer.Option("--accept-damage", help="Restore what there is, even if parts are damaged.")
        ] = False,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Restore a backup into a new folder (--from), or put a restored copy in place (--activate)."""
        if (source is None) == (site is None):
            raise typer.BadParameter("Give either --from DIR[@ID] or --activate SITE_DIR; they are two steps.")
        name = credentials.ask_user(user)
        password = credentials.ask_password("Password", descriptor=password_fd)
        if source is not None:
            _restore(need(wiring), source, to, (name, password), accept_damage=accept_damage, as_json=as_json)
        elif site is not None:
            aside = need(wiring).care().activate(to, site, user_name=name, password=password, reason=reason)
            if as_json:
                print_json({"site": str(site), "kept_aside": None if aside is None else str(aside)})
            else:
                print_line(f"The restored site is in place: {site}.")
                print_line("" if aside is None else f"What was there before was kept: {aside}.")


def _restore(
    wiring: Wiring, source: str, to: Path, who: tuple[str, str], *, accept_damage: bool, as_json: bool
) -> None:
    folder, backup_id = chosen(source)
    with progress_bar() as progress:
        done = wiring.care().restore(
            folder,
            backup_id,
            to=to,
            user_name=who[0],
            password=who[1],
            progress=progress,
            accept_damage=accept_damage,
        )
    if as_json:
        print_json(
            {
                "id": done.backup_id,
                "created": done.created.isoformat(),
                "folder": str(done.folder),
                "findings": [described(f) for f in done.findings],
            }
        )
        return
    print_line(f"Backup {done.backup_id} of {done.created:%Y-%m-%d %H:%M} UTC was restored to {to} and checked.")
    for finding in done.findings:
        print_line(f"{finding.severity.value}: {finding.sentence} [{finding.code} {finding.subject}]")
    print_line(f"Look at it, then: ert restore --to {to} --activate SITE_DIR --reason TEXT")
