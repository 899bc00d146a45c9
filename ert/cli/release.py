"""``ert release list|sign|withdraw``: which machine packages of a site a physicist has released."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ert.app.ports import SiteStore
from ert.app.release_book import ReleaseBook
from ert.app.tissue_library import directly
from ert.cli.output import print_json, print_result, print_table
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, opened
from ert.cli.wiring import Wiring
from ert.domain.beam_model import MachinePackage
from ert.domain.release import range_sentence
from ert.errors import NotFound

_SHORT = 12
DigestArgument = Annotated[str, typer.Argument(help="Digest of the package, or its first 12 characters.")]


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help="Release machine packages for clinical planning.", no_args_is_help=True)
    _add_list(group, wiring)
    _add_sign(group, wiring)
    _add_withdraw(group, wiring)
    app.add_typer(group, name="release")


def _packages(store: SiteStore) -> tuple[MachinePackage, ...]:
    from ert.commissioning.package import package_from_bytes

    return tuple(package_from_bytes(content) for content in store.machines.packages())


def _chosen(store: SiteStore, digest: str) -> MachinePackage:
    """The one package whose digest begins so."""
    found = [p for p in _packages(store) if len(digest) >= _SHORT and p.digest.startswith(digest)]
    if len(found) != 1:
        raise NotFound(f"This site has no machine package {digest}.", hint="'ert release list' names them.")
    return found[0]


def _named(package: MachinePackage) -> str:
    return f"'{package.machine.name}', {package.digest[:_SHORT]}"


def _described(package: MachinePackage, book: ReleaseBook) -> dict[str, Any]:
    standing = book.standing(package)
    entry = standing.entry
    return {
        "machine": package.machine.name,
        "package_digest": package.digest,
        "energies_mev": [m.energy_mev for m in package.models],
        "state": standing.state.value,
        "version": None if entry is None else entry.value.version,
        "by": None if entry is None else entry.saved_by,
        "at": None if entry is None else entry.saved_at.isoformat(),
        "statement": None if entry is None else entry.value.statement,
    }


def _add_list(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("list")
    def list_releases(
        site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """List the machine packages of a site and how they stand."""
        with opened(wiring, site, user, password_fd) as store:
            book = ReleaseBook(store, directly)
            packages = _packages(store)
            rows = [_described(package, book) for package in packages]
            texts = [book.standing(package).text for package in packages]
        if as_json:
            print_json({"packages": rows})
            return
        table = [
            (row["machine"], row["package_digest"][:_SHORT], ", ".join(f"{e:g}" for e in row["energies_mev"]), text)
            for row, text in zip(rows, texts, strict=True)
        ]
        print_table(f"{len(table)} machine packages", ("Machine", "Digest", "MeV", "Release"), table)


def _add_sign(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("sign")
    def sign(
        digest: DigestArgument,
        *,
        site: SiteOption,
        statement: Annotated[str, typer.Option("--statement", help="What was checked, against what, and limits.")],
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Release a machine package in your name."""
        with opened(wiring, site, user, password_fd) as store:
            book, package = ReleaseBook(store, directly), _chosen(store, digest)
            entry = book.release(package, statement)
            described = _described(package, book)
        first = f"{_named(package)}: released as version {entry.value.version}."
        print_result(described, "\n".join([first, *map(range_sentence, package.models)]), as_json=as_json)


def _add_withdraw(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("withdraw")
    def withdraw(
        digest: DigestArgument,
        *,
        site: SiteOption,
        reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the history.")],
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Take a release back."""
        with opened(wiring, site, user, password_fd) as store:
            book, package = ReleaseBook(store, directly), _chosen(store, digest)
            book.withdraw(package.digest, reason)
            described = _described(package, book)
        print_result(described, f"{_named(package)}: the release is withdrawn.", as_json=as_json)
