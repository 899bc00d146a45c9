"""Beam data as a job: scanner files and a machine file → beam data folder and a table of what was and was not used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from ert.analysis.depth import depth_quantities
from ert.commissioning.scans.assemble import Assembly, FieldCurve, assemble
from ert.commissioning.scans.folder import require_free, write_folder
from ert.commissioning.scans.machine_file import MachineFile, read_machine_file
from ert.commissioning.scans.missing import recommended, required
from ert.commissioning.scans.read import read_scan_file, scan_paths
from ert.commissioning.scans.scan import RefusedScan, ScanFile
from ert.errors import InvalidBeamData, StorageFailed

_TOLD = 2


def build_beam_data(
    scans: Sequence[Path],
    *,
    machine: Path,
    out: Path,
    is_ionisation: bool = False,
    is_smoothed: bool = False,
    is_symmetrised: bool = False,
    show: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Read scanner files, assemble and write a beam data folder.

    Parameters
    ----------
    scans : scanner files and folders of them.
    machine : TOML of the physicist (`ert.commissioning.scans.machine_file`).
    out : folder to write; must not exist, or be empty.
    is_ionisation, is_smoothed, is_symmetrised : steps asked for, beside those of the machine file.
    show : called with the summary before anything is written, also when nothing will be.

    Returns
    -------
    dict
        machine, folder, recognised (one entry a curve), refused, missing, left_out energies, warnings, depths.

    Raises
    ------
    InvalidBeamData
        The machine file cannot be used, the folder is taken, or no energy has all it needs. Nothing was written then.
    StorageFailed
        The folder cannot be written.
    """
    require_free(out)
    machine_file = read_machine_file(machine)
    files, refused = _read(scans)
    processing = attrs.evolve(
        machine_file.processing,
        is_ionisation=is_ionisation,
        is_smoothed=is_smoothed,
        is_symmetrised=is_symmetrised,
    )
    made = assemble(files, machine_file, processing)
    made = attrs.evolve(made, refused=(*refused, *made.refused))
    energies = machine_file.machine.energies_mev
    lacking = {energy: required(made, machine_file, energy) for energy in energies}
    complete = [energy for energy in energies if not lacking[energy]]
    summary = _summary(made, machine_file, lacking)
    if show is not None:
        show(summary)
    if not complete:
        raise InvalidBeamData(_why_nothing(lacking), hint=_what_to_do(made.refused))
    try:
        written = write_folder(out, [c for c in made.curves if c.energy_mev in complete], machine_file, files)
    except OSError as error:
        raise StorageFailed(f"The beam data cannot be written: {error.strerror}.", detail=repr(error)) from error
    return {**summary, "folder": str(out), "files": sorted(written)}


def _read(arguments: Sequence[Path]) -> tuple[list[ScanFile], list[RefusedScan]]:
    """Every file that can be read, and a refusal for every other one."""
    files: list[ScanFile] = []
    refused: list[RefusedScan] = []
    paths = scan_paths(arguments)
    if not paths:
        raise InvalidBeamData("There are no scanner files in what was named.", hint="Name files, or a folder of them.")
    for path, name in paths:
        try:
            file = read_scan_file(path, name)
        except InvalidBeamData as error:
            refused.append(RefusedScan(file=name, index=0, line=0, reason=error.sentence, todo=error.hint))
            continue
        if any(f.name == file.name for f in files):
            refused.append(
                RefusedScan(
                    file=file.name,
                    index=0,
                    line=0,
                    reason=f"{path}: another file has the same name.",
                    todo="Rename one: the record names files.",
                )
            )
            continue
        files.append(file)
    return files, refused


def _why_nothing(lacking: dict[float, list[str]]) -> str:
    told = "; ".join(f"{energy:g} MeV lacks {' and '.join(what)}" for energy, what in lacking.items())
    return f"No energy can be commissioned: {told}."


def _what_to_do(refused: Sequence[RefusedScan]) -> str:
    """The first refusals: they tell what the machine file should add."""
    if not refused:
        return "Measure it."
    told = " ".join(f"{r.reason} {r.todo}" for r in refused[:_TOLD])
    return f"Refused curves and files: {len(refused)}. {told}"


def _summary(made: Assembly, machine_file: MachineFile, lacking: dict[float, list[str]]) -> dict[str, Any]:
    complete = [energy for energy, what in lacking.items() if not what]
    return {
        "machine": machine_file.machine.name,
        "folder": None,
        "recognised": [_curve(c) for c in sorted(made.curves, key=_place)],
        "refused": [attrs.asdict(r) for r in made.refused],
        "left_out": [{"energy_mev": e, "lacks": what} for e, what in lacking.items() if what],
        "missing": [
            {"energy_mev": e, "missing": what} for e in complete if (what := recommended(made, machine_file, e))
        ],
        "warnings": list(made.warnings),
        "energies": [{"energy_mev": e, "reference_r50_cm": _r50_cm(made, machine_file, e)} for e in complete],
    }


def _place(item: FieldCurve) -> tuple[float, str, int]:
    """Order of the table: by energy, then as in the files."""
    return (item.energy_mev, item.curve.scan.file, item.curve.scan.index)


def _r50_cm(made: Assembly, machine_file: MachineFile, energy_mev: float) -> float:
    curve = next(c.curve for c in made.of(energy_mev) if c.field == machine_file.reference and c.curve.is_depth_dose)
    return depth_quantities(curve.position_cm, curve.value).r50_cm


def _curve(item: FieldCurve) -> dict[str, Any]:
    scan = item.curve.scan
    return {
        "file": scan.file,
        "curve": scan.index,
        "format": scan.file_format,
        "kind": f"{item.curve.curve} in air" if item.curve.is_in_air else item.curve.curve,
        "energy_mev": item.energy_mev,
        "applicator": item.field.applicator_id,
        "cutout": item.field.cutout,
        "ssd_cm": item.field.ssd_cm,
        "depth_cm": item.curve.depth_cm,
        "points": len(item.curve.value),
        "history": list(item.curve.history),
    }
