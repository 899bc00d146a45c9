"""``ert keys emergency show|seal|withdraw``: the code in the sealed envelope; it opens the window only, no command."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from ert.app.account_service import AccountService
from ert.app.tissue_library import directly
from ert.cli import credentials
from ert.cli.output import print_error, print_json, print_line
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, opened
from ert.cli.wiring import Wiring
from ert.domain.account import Right
from ert.domain.emergency import Envelope, sheet_text

_DOING = "administer emergency access"
SheetOption = Annotated[
    Path | None,
    typer.Option(
        "--sheet-file",
        help="Write the sheet to this new file (readable by its owner only) instead of asking for the code to be typed "
        "back. Print it, then remove the file: it opens the site.",
    ),
]


def add(keys: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the group ``keys``."""
    group = typer.Typer(help="The sealed envelope for emergencies.", no_args_is_help=True)

    @group.command("show")
    def show(
        *, site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """Tell whether there is an envelope, and whether it was opened."""
        with opened(wiring, site, user, password_fd, right=Right.ADMINISTER, doing=_DOING) as store:
            _tell(AccountService(store, directly).emergency.envelope(), as_json=as_json)

    @group.command("seal")
    def seal(
        *,
        site: SiteOption,
        sheet_file: SheetOption = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Make a new code for the envelope; a former one opens nothing once it counts."""
        with opened(wiring, site, user, password_fd, right=Right.ADMINISTER, doing=_DOING) as store:
            service = AccountService(store, directly).emergency
            pending = service.prepare()
            today = dt.datetime.now().astimezone().date()
            sheet = sheet_text(site_name=store.site_name, code=pending.code, sealed_by=store.user_name, sealed_on=today)
            try:
                service.confirm(pending, _typed_back(pending.code, sheet, sheet_file))
            except BaseException:
                pending.discard()
                if sheet_file is not None and sheet_file.is_file():
                    print_error(f"The sheet in '{sheet_file}' opens nothing: its code was not put into use.")
                raise
            _tell(service.envelope(), as_json=as_json)

    @group.command("withdraw")
    def withdraw(
        *, site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """Let no code open the site any more."""
        with opened(wiring, site, user, password_fd, right=Right.ADMINISTER, doing=_DOING) as store:
            service = AccountService(store, directly).emergency
            service.withdraw()
            _tell(service.envelope(), as_json=as_json)

    keys.add_typer(group, name="emergency")


def _typed_back(code: str, sheet: str, sheet_file: Path | None) -> str:
    if sheet_file is not None:
        credentials.write_secret_file(sheet_file, sheet, what="sheet file")
        return code
    print_error("The sheet of the envelope. Copy or print it; the code is shown this once:\n")
    print_error(sheet)
    return credentials.ask_line("Type the code back from the sheet")


def _tell(envelope: Envelope | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"envelope": None if envelope is None else _described(envelope)})
    elif envelope is None:
        print_line("There is no emergency envelope.")
    else:
        sealed = f"Sealed on {envelope.sealed_at.astimezone():%Y-%m-%d at %H:%M} by {envelope.sealed_by}."
        print_line(f"{sealed} {envelope.notice or 'It was not opened since.'}")


def _described(envelope: Envelope) -> dict[str, Any]:
    return {
        "state": envelope.state.value,
        "sealed_at": envelope.sealed_at.isoformat(),
        "sealed_by": envelope.sealed_by,
        "uses": envelope.uses,
        "person": envelope.person,
        "reason": envelope.reason,
        "opened_at": None if envelope.opened_at is None else envelope.opened_at.isoformat(),
        "failed_attempts": envelope.failed_attempts,
    }
