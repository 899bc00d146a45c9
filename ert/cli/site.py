"""``ert site create``, ``ert site accept-restore``, ``ert list``: a site and what is in it (see also provider.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ert.app.permissions import demand
from ert.app.ports import SiteStore
from ert.cli import credentials
from ert.cli.output import print_error, print_json, print_line, print_table, progress_bar
from ert.cli.wiring import Wiring
from ert.domain.account import Right
from ert.domain.database_server import ServerLogin, parse_address
from ert.errors import Refused

SiteOption = Annotated[Path, typer.Option("--site", help="Folder of the site.")]
UserOption = Annotated[str | None, typer.Option("--user", help="User name; asked for if not given.")]
PasswordOption = Annotated[
    int | None, typer.Option("--password-fd", min=0, help="File descriptor whose first line is the password.")
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="Database server that keeps the records, like postgresql://ert@db.clinic.example/ert. The password of its "
        "role is asked for.",
    ),
]
ServerPasswordOption = Annotated[
    int | None,
    typer.Option("--server-password-fd", min=0, help="File descriptor whose first line is the role's password."),
]
AuthorityOption = Annotated[
    Path | None,
    typer.Option(
        "--server-ca", help="Certificates (PEM) that vouch for the server; the system's are trusted if not given."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def need(wiring: Wiring | None) -> Wiring:
    """The wiring; `Refused` where the program runs without its records."""
    if wiring is None:
        raise Refused("This start of the program has no records.", hint="Start it by its command 'ert'.")
    return wiring


@contextmanager
def opened(
    wiring: Wiring | None,
    path: Path,
    user: str | None,
    descriptor: int | None,
    *,
    right: Right = Right.VIEW,
    doing: str = "work with this site",
    password: str | None = None,
) -> Iterator[SiteStore]:
    """An opened site, closed at the end; asks for what was not given, and refuses an account without the right."""
    gateway = need(wiring).gateway()
    if not gateway.is_site(path):
        raise Refused(f"'{path}' is no ERT site.", hint="Make one with: ert site create DIR --name … --admin NAME")
    name = credentials.ask_user(user)
    if password is None:
        password = credentials.ask_password("Password", descriptor=descriptor)
    with closing(gateway.open(path, user_name=name, password=password)) as store:
        demand(store.account, right, doing)
        tell_of_emergency(store)
        yield store


def tell_of_emergency(store: SiteStore) -> None:
    """Tell an administrator of an emergency envelope that was opened or tried, until it is renewed or withdrawn."""
    if Right.ADMINISTER in store.account.rights:
        envelope = store.emergency.envelope()
        if envelope is not None and envelope.notice:
            print_error(f"{envelope.notice} ('ert keys emergency seal', 'ert keys emergency withdraw')")


def server_login(address: str, descriptor: int | None, authority: Path | None) -> ServerLogin:
    """What reaches a database server: its address, its certificates, and the role's password, which is asked for."""
    parsed = parse_address(address)
    try:
        authority_pem = "" if authority is None else authority.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"The certificates in '{authority}' cannot be read.", hint="Give a PEM file.") from error
    password = credentials.ask_password(f"Password of {parsed.text}", descriptor=descriptor)
    return ServerLogin(address=parsed, password=password, authority_pem=authority_pem)


def add(app: typer.Typer, wiring: Wiring | None) -> typer.Typer:
    """Add the verbs to the command; the group ``site`` takes more."""
    group = typer.Typer(help="Make a site: the encrypted folder that holds the records.", no_args_is_help=True)

    @group.callback()
    def _group() -> None:
        """Make a site: the encrypted folder that holds the records."""

    @group.command("create")
    def create(
        folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet, or is empty.")],
        *,
        name: Annotated[str, typer.Option("--name", help="Name of the site, for example the clinic's.")],
        admin: Annotated[str, typer.Option("--admin", help="User name of the administrator.")],
        password_fd: PasswordOption = None,
        recovery_file: Annotated[
            Path | None,
            typer.Option(
                "--recovery-file",
                help="Write the recovery code to this new file (readable by its owner only) instead of asking for it "
                "to be typed back. The file then is the printed copy: move it away from this computer.",
            ),
        ] = None,
        server: ServerOption = None,
        server_password_fd: ServerPasswordOption = None,
        server_ca: AuthorityOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Make a site with one administrator and a recovery code, its records in the folder or on a server."""
        login = None if server is None else server_login(server, server_password_fd, server_ca)
        password = credentials.ask_new_password(descriptor=password_fd)
        pending = (
            need(wiring).gateway().prepare(folder, site_name=name, admin_name=admin, password=password, server=login)
        )
        confirm_code(pending.recovery_code, recovery_file, pending.confirm, pending.discard)
        if as_json:
            print_json({"site": str(folder), "name": name, "admin": admin})
        else:
            print_line(f"The site '{name}' is ready in {folder}.")

    from ert.cli import approval_rule, provider

    _add_accept_restore(group, wiring)
    approval_rule.add(group, wiring)
    provider.add(group, wiring)
    _add_sweep(group, wiring)
    app.add_typer(group, name="site")
    _add_list(app, wiring)
    return group


def _add_accept_restore(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("accept-restore")
    def accept_restore(
        site: SiteOption,
        *,
        reason: Annotated[str, typer.Option("--reason", help="Why the site went back; it goes into the history.")],
        user: UserOption = None,
        password_fd: PasswordOption = None,
    ) -> None:
        """Say, on a workstation that saw a later state, that a restored site is right."""
        if not reason.strip():
            raise Refused("A reason is needed.", hint="Give --reason TEXT.")
        name = credentials.ask_user(user)
        password = credentials.ask_password("Password", descriptor=password_fd)
        need(wiring).care().accept_restore(site, user_name=name, password=password, reason=reason)
        print_line("This workstation accepts the site as it is now; the reason is in its history.")


def _add_sweep(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("sweep")
    def sweep(
        site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """Clear away files of no record now: after a day to trash/, removed after 30 days there."""
        with (
            opened(wiring, site, user, password_fd, right=Right.CONFIGURE, doing="clear away unused files") as store,
            progress_bar() as progress,
        ):
            swept = store.sweep(progress=progress)
        if as_json:
            print_json({"to_trash": list(swept.moved), "removed": swept.removed, "freed_bytes": swept.freed_bytes})
            return
        for name in swept.moved:
            print_line(f"to trash: {name}")
        print_line(
            f"{len(swept.moved)} unused files went to trash/, where they lie for 30 days; {swept.removed} that lay "
            f"there for longer were removed ({swept.freed_bytes / 1e6:.1f} MB)."
        )


def confirm_code(
    code: str, recovery_file: Path | None, confirm: Callable[[str], None], discard: Callable[[], None]
) -> None:
    """Have a recovery code typed back and put into use by `confirm`; leave nothing behind if that fails."""
    is_done = False
    try:
        if recovery_file is not None:
            typed = credentials.write_secret_file(recovery_file, code, what="recovery file")
        else:
            print_error("The recovery code. Print or write it down and keep it away from this computer:\n")
            print_error(f"    {code}\n")
            print_error("Who loses the password and this code loses the data: there is no other way in.")
            typed = credentials.ask_line("Type the recovery code back")
        confirm(typed)
        is_done = True
    finally:
        if not is_done:
            discard()


def _add_list(app: typer.Typer, wiring: Wiring | None) -> None:
    @app.command("list")
    def list_records(
        site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """List patients, courses and plans with their ids."""
        with opened(wiring, site, user, password_fd) as store:
            store.record_event("patients listed")
            patients = [_patient(store, patient.id) for patient in store.patients.patients()]
        if as_json:
            print_json({"patients": patients})
            return
        rows: list[tuple[str, ...]] = [
            (p["name"], p["medical_record_number"], c["name"], plan["name"], str(plan["revision"]), plan["id"])
            for p in patients
            for c in p["courses"] or [{"name": "", "plans": []}]
            for plan in c["plans"] or [{"name": "", "revision": "", "id": c.get("id", "")}]
        ]
        print_table(
            f"{len(patients)} patients", ("Patient", "Record number", "Course", "Plan", "Rev.", "Id of plan"), rows
        )


def _patient(store: SiteStore, patient_id: str) -> dict[str, Any]:
    patient = store.patients.patient(patient_id)
    return {
        "id": patient.id,
        "medical_record_number": patient.medical_record_number,
        "name": patient.display_name,
        "birth_date": None if patient.birth_date is None else patient.birth_date.isoformat(),
        "courses": [
            {"id": course.id, "name": course.name, "plans": _plans(store, course.id)}
            for course in store.patients.courses(patient.id)
        ],
    }


def _plans(store: SiteStore, course_id: str) -> list[dict[str, Any]]:
    return [
        {
            "id": head.plan_id,
            "name": head.name,
            "revision": head.revision,
            "status": head.status.value,
            "saved_by": head.saved_by,
            "saved_at": head.saved_at.isoformat(),
        }
        for head in store.plans.heads(course_id)
    ]
