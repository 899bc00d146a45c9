"""``ert site move`` and ``ert site reconnect``: where the records of a site lie, and how their server is reached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ert.app.ports import SiteGateway
from ert.cli import credentials
from ert.cli.output import print_json, print_line, progress_bar
from ert.cli.site import (
    AuthorityOption,
    JsonOption,
    PasswordOption,
    ServerOption,
    ServerPasswordOption,
    UserOption,
    need,
    server_login,
)
from ert.cli.wiring import Wiring
from ert.errors import Refused

FolderArgument = Annotated[Path, typer.Argument(help="Folder of the site.")]


def add(group: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to ``ert site``."""
    _add_move(group, wiring)
    _add_reconnect(group, wiring)


def _add_move(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("move")
    def move(
        folder: FolderArgument,
        *,
        server: ServerOption = None,
        to_folder: Annotated[
            bool, typer.Option("--to-folder", help="Move them from the server to the folder.")
        ] = False,
        server_password_fd: ServerPasswordOption = None,
        server_ca: AuthorityOption = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Move the records to a database server, or back into the folder; nobody may have the site open.

        Files stay in the folder. Everything is copied, compared value by value and verified before it is used; what
        was left is kept under another name.
        """
        if (server is None) is not to_folder:
            raise typer.BadParameter("Give either --server URL or --to-folder.")
        gateway = _gateway_of(wiring, folder)
        login = None if server is None else server_login(server, server_password_fd, server_ca)
        name = credentials.ask_user(user)
        password = credentials.ask_password("Password", descriptor=password_fd)
        with progress_bar() as progress:
            if login is None:
                kept = gateway.move_to_folder(folder, user_name=name, password=password, progress=progress)
                text = f"The records lie in {folder} again; the server keeps the former ones as schema {kept}."
                done: dict[str, object] = {"site": str(folder), "database": "folder", "kept": kept}
            else:
                rows = gateway.move_to_server(
                    folder, user_name=name, password=password, server=login, progress=progress
                )
                text = f"{rows} records were moved to {login.address.text} and verified there."
                done = {"site": str(folder), "database": login.address.text, "records": rows}
        if as_json:
            print_json(done)
        else:
            print_line(text)


def _add_reconnect(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("reconnect")
    def reconnect(
        folder: FolderArgument,
        *,
        server: ServerOption = None,
        server_password_fd: ServerPasswordOption = None,
        server_ca: AuthorityOption = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
    ) -> None:
        """Tell a site the present address and password of the server that keeps its records."""
        if server is None:
            raise typer.BadParameter("Give --server URL.")
        gateway = _gateway_of(wiring, folder)
        login = server_login(server, server_password_fd, server_ca)
        name = credentials.ask_user(user)
        password = credentials.ask_password("Password", descriptor=password_fd)
        gateway.reconnect(folder, user_name=name, password=password, server=login)
        print_line(f"The site in {folder} uses {login.address.text}.")


def _gateway_of(wiring: Wiring | None, folder: Path) -> SiteGateway:
    gateway = need(wiring).gateway()
    if not gateway.is_site(folder):
        raise Refused(f"'{folder}' is no ERT site.", hint="Give the folder that holds store.json.")
    return gateway
