"""``ert site provider …``, ``ert site enrol-workstation`` and what belongs to them: signing in through a provider."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from ert.app.account_service import AccountService
from ert.app.identity_service import IdentityService
from ert.app.tissue_library import directly
from ert.cli.output import print_json, print_line, print_table
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, need, opened
from ert.cli.wiring import Wiring
from ert.domain.account import Right
from ert.domain.provider import MAXIMUM_CA_CHARACTERS, ProviderSettings, SigningAlgorithm, Workstation
from ert.errors import NotFound, Refused


def add(site_group: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to ``ert site``."""
    group = typer.Typer(help="The provider people may sign in through (OpenID Connect).", no_args_is_help=True)
    _add_show(group, wiring)
    _add_set(group, wiring)
    _add_test(group, wiring)
    site_group.add_typer(group, name="provider")
    _add_enrol(site_group, wiring)
    _add_list(site_group, wiring)
    _add_remove(site_group, wiring)


@contextmanager
def identity_service(
    wiring: Wiring | None, site: Path, user: str | None, descriptor: int | None
) -> Iterator[tuple[IdentityService, AccountService]]:
    """What an administrator does about signing in, on an opened site."""
    doing = "administer signing in"
    with opened(wiring, site, user, descriptor, right=Right.ADMINISTER, doing=doing) as store:
        accounts = AccountService(store, directly)
        yield accounts.identity, accounts


def _settings_of(service: IdentityService) -> ProviderSettings:
    settings = service.settings()
    if settings is None:
        raise NotFound("This site has no sign-in provider.", hint="Enter one with 'ert site provider set'.")
    return settings


def _described(settings: ProviderSettings) -> dict[str, Any]:
    fields = attrs.asdict(settings, filter=lambda field, _value: field.name != "ca_pem")
    return fields | {
        "algorithm": settings.algorithm.value,
        "certificates": settings.ca_pem.count("BEGIN CERTIFICATE"),
    }


def _print(settings: ProviderSettings, *, as_json: bool) -> None:
    if as_json:
        print_json(_described(settings))
        return
    print_line(f"{settings.name}: {settings.issuer} ({'accepted' if settings.is_on else 'refused'})")
    print_line(f"Client id {settings.client_id}, {settings.algorithm.value}, scopes {' '.join(settings.scopes)}")
    own = settings.ca_pem.count("BEGIN CERTIFICATE")
    print_line(f"Trusts {f'only what the site keeps ({own})' if own else 'the certificates of the operating system'}")
    print_line(f"A sign-in lasts {settings.grace_hours} h while the provider cannot be reached")


def _add_show(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("show")
    def show(
        *, site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """Show the provider."""
        with identity_service(wiring, site, user, password_fd) as (service, _):
            _print(_settings_of(service), as_json=as_json)


def _add_set(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("set")
    def set_provider(
        *,
        site: SiteOption,
        name: Annotated[str | None, typer.Option("--name", help="What the button says.")] = None,
        issuer: Annotated[str | None, typer.Option("--issuer", help="Address, as the provider states it.")] = None,
        client_id: Annotated[str | None, typer.Option("--client-id", help="What ERT is called there.")] = None,
        algorithm: Annotated[SigningAlgorithm | None, typer.Option("--algorithm", help="Of its signatures.")] = None,
        scope: Annotated[list[str] | None, typer.Option("--scope", help="May be given several times.")] = None,
        name_claim: Annotated[str | None, typer.Option("--name-claim", help="Claim with a person's name.")] = None,
        ca_file: Annotated[
            Path | None, typer.Option("--ca-file", help="PEM certificates to be trusted; '-' for the system's.")
        ] = None,
        grace_hours: Annotated[int | None, typer.Option("--grace-hours", help="Without the provider.")] = None,
        on: Annotated[bool | None, typer.Option("--on/--off", help="Whether sign-ins are accepted.")] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Enter a provider, or change what is given here."""
        given: dict[str, Any] = {
            "name": name,
            "issuer": issuer,
            "client_id": client_id,
            "algorithm": algorithm,
            "scopes": tuple(scope) if scope else None,
            "user_claim": name_claim,
            "ca_pem": _pem(ca_file),
            "grace_hours": grace_hours,
            "is_on": on,
        }
        changes = {field: value for field, value in given.items() if value is not None}
        with identity_service(wiring, site, user, password_fd) as (service, _):
            before = service.settings()
            missing = [f"--{f.replace('_', '-')}" for f in ("name", "issuer", "client_id") if f not in changes]
            if before is None and missing:
                raise Refused(f"A new provider needs {', '.join(missing)}.")
            after = ProviderSettings(**changes) if before is None else attrs.evolve(before, **changes)
            service.save_settings(after)
            _print(after, as_json=as_json)


def _pem(path: Path | None) -> str | None:
    if path is None or str(path) == "-":
        return None if path is None else ""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refused(f"The file '{path}' cannot be read: {error.strerror}.") from error
    if len(data) > MAXIMUM_CA_CHARACTERS or not data.isascii():
        raise Refused(f"The file '{path}' holds no PEM certificates.", hint="Give the authority's certificate.")
    return data.decode("ascii")


def _add_test(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("test")
    def test(*, site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None) -> None:
        """Ask the provider for its description and keys."""
        client = need(wiring).identity()
        if client is None:
            raise Refused("This installation cannot talk to a provider.", hint="Install ERT with its extra 'identity'.")
        with identity_service(wiring, site, user, password_fd) as (service, _):
            settings = _settings_of(service)
        client.probe(settings)
        print_line(f"{settings.name} answers, and has keys for {settings.algorithm.value}.")


def _add_enrol(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("enrol-workstation")
    def enrol(
        *,
        site: SiteOption,
        name: Annotated[
            str | None, typer.Option("--name", help="Its name in the list; the computer's by default.")
        ] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Keep a key of the site in the key store of this workstation, for this user of the operating system."""
        with identity_service(wiring, site, user, password_fd) as (service, _):
            workstation = service.enrol_workstation(name or socket.gethostname()[:64])
        if as_json:
            print_json(_listed(workstation))
        else:
            print_line(f"'{workstation.name}' is enrolled: people may sign in through the provider here.")


def _listed(workstation: Workstation) -> dict[str, Any]:
    return attrs.asdict(workstation) | {"enrolled_at": workstation.enrolled_at.isoformat()}


def _add_list(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("workstations")
    def workstations(
        *, site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """List the workstations whose key store opens the site."""
        with identity_service(wiring, site, user, password_fd) as (service, _):
            found = service.workstations()
        if as_json:
            print_json({"workstations": [_listed(w) for w in found]})
            return
        rows = [
            (w.name, f"{w.enrolled_at:%Y-%m-%d %H:%M} UTC", w.enrolled_by, "yes" if w.is_here else "", w.id)
            for w in found
        ]
        print_table(f"{len(rows)} workstations", ("Workstation", "Enrolled", "By", "This one", "Id"), rows)


def _add_remove(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("remove-workstation")
    def remove(
        workstation: Annotated[str, typer.Argument(help="Its id, or its name if only one has it.")],
        *,
        site: SiteOption,
        user: UserOption = None,
        password_fd: PasswordOption = None,
    ) -> None:
        """Take a workstation's key away; renew the master key if its key store may have been copied."""
        with identity_service(wiring, site, user, password_fd) as (service, _):
            found = [w for w in service.workstations() if workstation in {w.id, w.name}]
            if len(found) != 1:
                raise NotFound(
                    f"{len(found) or 'No'} workstations are called '{workstation}'.",
                    hint="'ert site workstations' lists them; give the id.",
                )
            service.remove_workstation(found[0].id)
        print_line(f"'{found[0].name}' was removed: its key store opens nothing any more.")
