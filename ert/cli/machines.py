"""``ert machine``: show a machine, take one into a site, configure it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ert.cli.output import print_json, print_line, print_table
from ert.cli.patients import opened_session
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption
from ert.cli.wiring import Wiring

if TYPE_CHECKING:
    from ert.domain.beam_model import MachinePackage

_HELP = "Machines: show one, take one into a site, configure it."


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    _add_show(group, wiring)
    _add_add(group, wiring)
    _add_configure(group, wiring)
    app.add_typer(group, name="machine")


def _add_show(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("show")
    def show(
        machine: Annotated[str, typer.Argument(help="A machine package; with --site the name of a machine there.")],
        *,
        site: Annotated[Path | None, typer.Option("--site", help="Folder of the site the machine is in.")] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Show energies, applicators, limits and scale of a machine."""
        if site is None:
            from ert.commissioning.package import read_package

            _tell(read_package(Path(machine)), as_json=as_json)
            return
        with opened_session(wiring, site, user, password_fd) as (session, _owner):
            package = session.models.package(machine)
        _tell(package, as_json=as_json)


def _add_add(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("add")
    def add_package(
        package: Annotated[Path, typer.Argument(help="Machine package made by ert commission, or exported.")],
        *,
        site: SiteOption,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Take a machine package into a site; plans made from then on can use it."""
        with opened_session(wiring, site, user, password_fd) as (session, _owner):
            added = session.add_machine(package)
        _tell_short(added, "is in the site", as_json=as_json)


def _add_configure(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("configure")
    def configure(
        machine: Annotated[str, typer.Argument(help="Name of a machine of the site.")],
        configuration: Annotated[Path, typer.Argument(help="Configuration as TOML (docs/machines.md).")],
        *,
        site: SiteOption,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Keep another configuration as the machine's next version; beam models stay as they are."""
        from ert.commissioning.configuration_file import read_configuration

        wanted = read_configuration(configuration)
        with opened_session(wiring, site, user, password_fd) as (session, _owner):
            made = session.configure_machine(session.models.package(machine), wanted)
        _tell_short(made, f"has configuration {made.machine.configuration.revision}", as_json=as_json)


def _tell_short(package: MachinePackage, what: str, *, as_json: bool) -> None:
    if as_json:
        revision = package.machine.configuration.revision
        print_json({"name": package.machine.name, "digest": package.digest, "revision": revision})
    else:
        print_line(f"Machine '{package.machine.name}' {what} (digest {package.digest[:12]}).")


def _tell(package: MachinePackage, *, as_json: bool) -> None:
    from ert.app.machine_service import machine_summary

    summary = machine_summary(package)
    if as_json:
        print_json(summary)
        return
    if summary["is_demo"]:
        print_line("DEMO, not for clinical use")
    print_table(f"Machine '{summary['name']}'", ("", ""), _facts(summary))
    energies = [
        (f"{e['energy_mev']:g}", f"{e['r90_cm']:.2f}", f"{e['r50_cm']:.2f}", f"{e['rp_cm']:.2f}", _span(e["ssd_cm"]),
         *_measured(e), e["model_digest"][:12])
        for e in summary["energies"]
    ]  # fmt: skip
    head = ("MeV", "R90 cm", "R50 cm", "Rp cm", "SSD cm", "Side cm", "Depth cm", "Incidence", "Beam model")
    print_table("Energies", head, energies)
    print_table("Applicators", ("Id", "Opening cm", "Outer box cm", "Face cm", "MeV"), _applicators(summary))
    jaws = [
        (a["id"], energy, *(("",) * 4 if found is None else tuple(f"{v:g}" for v in found)))
        for a in summary["applicators"]
        for energy, found in a["jaws_cm"].items()
    ]
    print_table("Jaws, IEC 61217, cm", ("Applicator", "MeV", "X1", "X2", "Y1", "Y2"), jaws)
    tests = [
        (f"{of['energy_mev']:g}", of["engine"], t["test"], t["description"], t["tolerance"], t["worst"], t["verdict"])
        for of in summary["acceptance"]
        for t in of["tests"]
    ]
    if tests:
        print_table("Acceptance", ("MeV", "Engine", "Test", "What", "Tolerance", "Worst", "Verdict"), tests)


def _measured(energy: dict[str, Any]) -> tuple[str, str, str]:
    """Smallest opening, depths and incidence an energy was measured at."""
    depths, incidence_deg = energy["measured_depth_cm"], energy["verified_incidence_deg"]
    return (
        f"from {energy['smallest_cutout_side_cm']:g}",
        "not stated" if depths is None else _span(depths),
        "not stated" if incidence_deg is None else f"to {incidence_deg:g}°",
    )


def _facts(summary: dict[str, Any]) -> list[tuple[str, ...]]:
    limits = summary["limits"]
    maker = " ".join(summary[k] for k in ("manufacturer", "model_name", "serial_number") if summary[k])
    materials = ", ".join(f"{m['name']} {m['thickness_cm']:g} cm" for m in summary["block_materials"])
    return [
        ("Treatment machine name", summary["treatment_machine_name"]),
        ("Made by", maker or "not stated"),
        ("Configuration", f"{summary['revision']}"),
        ("Scale of the room", summary["scale"]),
        *((f"{axis.capitalize()}, IEC 61217", _span(limits[f"{axis}_deg"], "°")) for axis in _AXES),
        ("SSD", _span(limits["ssd_cm"], " cm")),
        ("Monitor units", _span(limits["mu"])),
        ("Clearance", f"{summary['clearance_cm']:g} cm"),
        ("Insert", f"{summary['insert_thickness_cm']:g} cm {summary['insert_material']}, ends at "
                   f"{summary['insert_distance_cm']:g} cm"),
        ("Cutouts", materials or "not stated"),
        ("Digest", summary["digest"]),
    ]  # fmt: skip


_AXES = ("gantry", "collimator", "couch")


def _span(values: list[float | None], unit: str = "") -> str:
    low, high = values
    if low is None and high is None:
        return "no limit"
    if low is None or high is None:
        return f"at most {high:g}{unit}" if low is None else f"at least {low:g}{unit}"
    return f"{low:g} to {high:g}{unit}"


def _applicators(summary: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            a["id"],
            " × ".join(f"{v:g}" for v in a["opening_cm"]),
            " × ".join(f"{v:g}" for v in a["outer_box_cm"]) + (" (assumed)" if a["is_box_assumed"] else ""),
            f"{a['face_distance_cm']:g}",
            ", ".join(f"{e:g}" for e in a["energies_mev"]) if a["is_available"] else "switched off",
        )
        for a in summary["applicators"]
    ]
