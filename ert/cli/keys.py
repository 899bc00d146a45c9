"""``ert keys show|rotate|emergency``: recovery code and keys of a site; passwords are ``ert user``'s."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import attrs
import typer

from ert.cli import credentials
from ert.cli.output import print_json, print_line, progress_bar
from ert.cli.patients import opened_session
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, confirm_code, need
from ert.cli.wiring import Wiring
from ert.domain.site_keys import KeyState
from ert.errors import Refused

RecoveryFileOption = Annotated[
    Path | None,
    typer.Option(
        "--recovery-file",
        help="Write the new recovery code to this new file instead of asking for it to be typed back (recovery-code).",
    ),
]


class What(enum.StrEnum):
    """What can be renewed."""

    RECOVERY_CODE = "recovery-code"
    MASTER = "master"
    DATA = "data"
    FILES = "files"


_HELP = """Renew keys. Killed at any moment, the site opens and the same command goes on.

recovery-code: the printed one, the former one ends; master: the key that wraps all others, after
somebody left who may have kept key files; data: the keys of database and files, after they may have been seen (nobody
may have the site open); files: write what is still under earlier data keys anew, while everybody works.
"""


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""
    from ert.cli import emergency

    group = typer.Typer(help="Keys of a site: how they stand, and renewing them.", no_args_is_help=True)

    @group.command("show")
    def show(
        *, site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """Tell how often keys were renewed, and what is still under earlier ones."""
        with opened_session(wiring, site, user, password_fd) as (session, _):
            _print(session.keys.state(), as_json=as_json)

    @group.command("rotate", help=_HELP)
    def rotate(
        what: Annotated[What, typer.Argument(help="What to renew.")],
        *,
        site: SiteOption,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        recovery_file: RecoveryFileOption = None,
        as_json: JsonOption = False,
    ) -> None:
        if recovery_file is not None and what is not What.RECOVERY_CODE:
            raise typer.BadParameter("--recovery-file goes with 'recovery-code'.")
        if not need(wiring).gateway().is_site(site):
            raise Refused(f"'{site}' is no ERT site.", hint="Give the folder that holds store.json.")
        name = credentials.ask_user(user)
        password = credentials.ask_password("Password", descriptor=password_fd)
        if what is What.DATA:
            with progress_bar() as progress:
                need(wiring).gateway().renew_data_keys(site, user_name=name, password=password, progress=progress)
        _rotate(need(wiring), what, site, (name, password), recovery_file, as_json=as_json)

    emergency.add(group, wiring)
    app.add_typer(group, name="keys")


def _rotate(  # noqa: PLR0917 - what the command line gave
    wiring: Wiring,
    what: What,
    site: Path,
    who: tuple[str, str],
    recovery_file: Path | None,
    *,
    as_json: bool,
) -> None:
    from ert.app.jobs import JobContext

    with opened_session(wiring, site, who[0], None, password=who[1]) as (session, _):
        if what is What.RECOVERY_CODE:
            pending = session.keys.prepare_recovery_code()
            confirm_code(
                pending.code,
                recovery_file,
                lambda typed: session.keys.confirm_recovery_code(pending, typed),
                pending.discard,
            )
        elif what is What.MASTER:
            session.keys.renew_master_key()
        elif what is What.FILES:
            with progress_bar() as progress:
                done = session.keys.renew_files(JobContext(progress))
            if done.damaged:
                raise Refused(
                    f"{done.renewed} files were written anew; {done.damaged} are damaged and stayed as they were.",
                    hint="Run 'ert check', and restore them from a backup.",
                )
        _print(session.keys.state(), as_json=as_json)


def _print(state: KeyState, *, as_json: bool) -> None:
    if as_json:
        print_json(attrs.asdict(state))
        return
    print_line(
        f"Ways in: {state.passwords} passwords, {state.recovery_codes} recovery codes, "
        f"{state.workstations} enrolled workstations, {state.envelopes} emergency envelopes"
    )
    for name in state.unreadable:
        print_line(
            f"A key slot cannot be read and is not counted: {name}. Restore keys/slots/ from a backup, or reset the "
            "password of who cannot sign in any more."
        )
    print_line(f"Master key: ring {state.ring}; data keys: generation {state.generation}")
    if state.is_renewing:
        print_line("A renewal of the data keys was interrupted; finish it with: ert keys rotate data")
    if state.earlier_files:
        megabytes = state.earlier_bytes / 1e6
        print_line(
            f"Files under earlier data keys: {state.earlier_files} ({megabytes:.1f} MB); write them anew with: "
            "ert keys rotate files"
        )
