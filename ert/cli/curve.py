"""``ert curve list|show|add|export|withdraw``: the CT curves of a site."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from ert.app.curve_files import read_curve_file, write_curve_file
from ert.app.tissue_library import TissueLibrary, directly
from ert.cli.output import print_error, print_json, print_line, print_result, print_table
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, opened
from ert.cli.wiring import Wiring
from ert.domain.ct_curve import SiteCtCurve, curve_problems
from ert.domain.library import LibraryEntry
from ert.domain.materials import default_ct_curve
from ert.errors import NotFound, Refused

_HELP = "CT curves: from CT number to density, stopping and scattering power."
NameArgument = Annotated[str, typer.Argument(help="Name of the curve.")]
RevisionOption = Annotated[int | None, typer.Option("--revision", min=1, help="Version; the newest if not given.")]


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    _add_list(group, wiring)
    _add_show(group, wiring)
    _add_add(group, wiring)
    _add_export(group, wiring)
    _add_withdraw(group, wiring)
    app.add_typer(group, name="curve")


def _add_list(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("list")
    def list_curves(
        site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """List the CT curves with their newest versions."""
        with opened(wiring, site, user, password_fd) as store:
            curves = TissueLibrary(store, directly).curves
        if as_json:
            print_json({"curves": [_described(entry) for entry in curves]})
            return
        rows = [
            (e.value.name, str(e.revision), _state(e), e.value.scanner, f"{e.value.kvp}", f"{e.value.measured_on}",
             e.value.author, e.value.curve.digest[:12])
            for e in curves
        ]  # fmt: skip
        head = ("Name", "Version", "State", "Scanner", "kV", "Measured", "Author", "Digest")
        print_table(f"{len(curves)} CT curves", head, rows)


def _add_show(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("show")
    def show(
        name: NameArgument,
        *,
        site: SiteOption,
        revision: RevisionOption = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Show one version of a CT curve with its points and what is suspicious in it."""
        with opened(wiring, site, user, password_fd) as store:
            entry = _version(TissueLibrary(store, directly), name, revision)
        problems = _problems(entry.value)
        if as_json:
            points = [attrs.asdict(point) for point in entry.value.curve.points]
            print_json({**_described(entry), "points": points, "warnings": problems})
            return
        for label, value in _described(entry).items():
            print_line(f"{label:<12}{value}")
        rows = [
            (f"{p.hu:g}", f"{p.density_g_cm3:g}", f"{p.relative_stopping:g}", f"{p.relative_scattering:g}")
            for p in entry.value.curve.points
        ]
        print_table("Points", ("HU", "Density g/cm3", "Stopping", "Scattering"), rows)
        _warn(problems)


def _add_add(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("add")
    def add_curve(
        file: Annotated[Path, typer.Argument(help="CSV with the columns of the shipped curve.")],
        *,
        site: SiteOption,
        name: Annotated[str, typer.Option("--name", help="Name of the curve; it does not change.")],
        scanner: Annotated[str, typer.Option("--scanner", help="Which scanner it was measured on.")],
        kvp: Annotated[int, typer.Option("--kvp", help="Tube voltage, kV.")],
        measured_on: Annotated[str, typer.Option("--date", help="When it was measured, YYYY-MM-DD.")],
        author: Annotated[
            str | None, typer.Option("--author", help="Who answers for it; the user if not given.")
        ] = None,
        note: Annotated[str, typer.Option("--note", help="Phantom, method, anything to know.")] = "",
        is_new_version: Annotated[
            bool, typer.Option("--new-version", help="Save as the next version of the curve of that name.")
        ] = False,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Check a CT curve and store it, as a new one or as the next version of one."""
        table, date = read_curve_file(file, name=name.strip()), _date(measured_on)
        with opened(wiring, site, user, password_fd) as store:
            library = TissueLibrary(store, directly)
            value = SiteCtCurve(
                curve=table, scanner=scanner, kvp=kvp, measured_on=date, author=author or store.user_name, note=note
            )
            entry = _store(library, value, is_new_version=is_new_version)
        problems = _problems(entry.value)
        if as_json:
            print_json({**_described(entry), "warnings": problems})
        else:
            print_line(f"CT curve '{entry.value.name}', version {entry.revision}, was stored.")
            _warn(problems)


def _add_export(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("export")
    def export(
        name: NameArgument,
        *,
        site: SiteOption,
        out: Annotated[Path, typer.Option("--out", help="CSV file to write; it must not exist.")],
        revision: RevisionOption = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Write one version of a CT curve as CSV."""
        with opened(wiring, site, user, password_fd) as store:
            entry = _version(TissueLibrary(store, directly), name, revision)
        write_curve_file(out, entry.value.curve)
        sentence = f"CT curve '{entry.value.name}', version {entry.revision}, was written to {out}."
        print_result({**_described(entry), "file": str(out)}, sentence, as_json=as_json)


def _add_withdraw(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("withdraw")
    def withdraw(
        name: NameArgument,
        *,
        site: SiteOption,
        reason: Annotated[str, typer.Option("--reason", help="Why it must not be used any more.")],
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Keep a CT curve from being chosen; plans made with it keep it and are warned of."""
        with opened(wiring, site, user, password_fd) as store:
            library = TissueLibrary(store, directly)
            entry = library.withdraw_curve(library.curve_named(name).value.id, reason)
        print_result(_described(entry), f"CT curve '{entry.value.name}' is withdrawn.", as_json=as_json)


def _store(library: TissueLibrary, value: SiteCtCurve, *, is_new_version: bool) -> LibraryEntry[SiteCtCurve]:
    if not is_new_version:
        return library.save_curve(value, base_revision=0)
    newest = library.curve_named(value.name)
    table = attrs.evolve(value.curve, name=newest.value.name)
    return library.save_curve(attrs.evolve(value, id=newest.value.id, curve=table), base_revision=newest.revision)


def _version(library: TissueLibrary, name: str, revision: int | None) -> LibraryEntry[SiteCtCurve]:
    newest = library.curve_named(name)
    if revision is None:
        return newest
    for entry in library.curve_history(newest.value.id):
        if entry.revision == revision:
            return entry
    raise NotFound(f"CT curve '{newest.value.name}' has no version {revision}; its newest is {newest.revision}.")


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        raise Refused(f"'{text}' is no date.", hint="Write it as YYYY-MM-DD.") from None


def _problems(value: SiteCtCurve) -> list[str]:
    return [p.sentence for p in curve_problems(value.curve.points, usual=default_ct_curve())]


def _warn(problems: list[str]) -> None:
    for sentence in problems:
        print_error(f"warning: {sentence}")


def _state(entry: LibraryEntry[SiteCtCurve]) -> str:
    return entry.state.value.lower().replace("_", " ")


def _described(entry: LibraryEntry[SiteCtCurve]) -> dict[str, Any]:
    value = entry.value
    return {
        "name": value.name,
        "id": value.id,
        "version": entry.revision,
        "state": _state(entry),
        "scanner": value.scanner,
        "kvp": value.kvp,
        "measured_on": value.measured_on.isoformat(),
        "author": value.author,
        "note": value.note,
        "saved_by": entry.saved_by,
        "saved_at": entry.saved_at.isoformat(),
        "digest": value.curve.digest,
    }
