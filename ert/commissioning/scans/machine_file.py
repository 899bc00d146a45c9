"""The TOML a physicist writes beside the scans: machine, outputs, what the scanner files do not state, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import attrs

from ert.commissioning.curve_files import make_field, refuse
from ert.commissioning.index_tables import Section, read_field, read_machine, read_toml, table, tables
from ert.commissioning.measured import Field
from ert.commissioning.scans import mcc, omnipro, rfa300
from ert.commissioning.scans.scan import CROSSLINE, INLINE, Scan
from ert.domain.machine import Machine

FORMAT = 1
_TOP = (
    "format",
    "name",
    "origin",
    "machine",
    "reference",
    "applicator",
    "output",
    "scan",
    "axes",
    "scans",
    "processing",
)
_AXES = {"rfa300": (rfa300.FORMAT, ("x", "y")), "omnipro": (omnipro.FORMAT, (CROSSLINE, INLINE)),
         "mcc": (mcc.FORMAT, (CROSSLINE, INLINE))}  # fmt: skip
_HINTS = (
    "file",
    "curves",
    "energy_mev",
    "applicator",
    "cutout",
    "ssd_cm",
    "depth_cm",
    "detector",
    "medium",
    "leave_out",
)


@attrs.frozen(kw_only=True)
class MeasuredOutput:
    """Output of one field at its depth of maximum; depth and uncertainty where the physicist gave them."""

    energy_mev: float
    field: Field
    cgy_per_mu: float
    depth_of_maximum_cm: float | None
    relative_sigma: float | None


@attrs.frozen(kw_only=True)
class Hint:
    """What the physicist says about scans: of files whose name fits the pattern, of all or some of their curves."""

    where: str
    pattern: str
    curves: tuple[int, ...]
    values: Mapping[str, Any]
    is_left_out: bool

    def fits(self, scan: Scan) -> bool:
        """Whether it speaks of this scan."""
        return fnmatchcase(scan.file, self.pattern) and (not self.curves or scan.index in self.curves)


@attrs.frozen(kw_only=True)
class Processing:
    """What is done to the curves; nothing unless asked for.

    Attributes
    ----------
    chamber_radius_cm : cavity radius of cylindrical chambers, where the file does not state it; for the next.
    is_effective_point : shift cylindrical chambers' depths by half the cavity radius.
    background : constant signal to subtract, in the scan's unit.
    """

    is_effective_point: bool = False
    chamber_radius_cm: float | None = None
    background: float | None = None
    is_centred: bool = False
    resample_cm: float | None = None
    is_ionisation: bool = False
    is_smoothed: bool = False
    is_symmetrised: bool = False


@attrs.frozen(kw_only=True)
class MachineFile:
    """The whole file. `axes`: for (format, tank axis) the curve kind and sign along IEC 61217 beam's-eye axes."""

    name: str
    origin: str
    machine: Machine
    reference: Field
    reference_cgy_per_mu: float
    outputs: tuple[MeasuredOutput, ...]
    hints: tuple[Hint, ...]
    axes: Mapping[tuple[str, str], tuple[str, float]]
    is_size_of_open_applicator: bool
    processing: Processing

    def output_of(self, energy_mev: float, field: Field) -> MeasuredOutput | None:
        """The measured output of a field."""
        return next((o for o in self.outputs if o.energy_mev == energy_mev and o.field == field), None)


def read_machine_file(path: Path) -> MachineFile:
    """Read the file.

    Raises
    ------
    InvalidBeamData
        Not there, no TOML, a key missing, unknown or of the wrong kind; two outputs of one field.
    """
    name = path.name
    tree = read_toml(path, name, absent=f"there is no {name}.")
    Section(tree, name).allow_only(*_TOP)
    if tree.get("format") != FORMAT:
        raise refuse(name, f"format is {tree.get('format')!r}, not {FORMAT}.", "Write 'format = 1' at the top.")
    rows = tables(tree, "output", name)
    energies = tuple(sorted({s.number("energy_mev") for s in rows}))
    machine = read_machine(tree, name, energies)
    reference = table(tree, "reference", name)
    outputs = tuple(_output(s, machine) for s in rows)
    for k, output in enumerate(outputs):
        if any(o.energy_mev == output.energy_mev and o.field == output.field for o in outputs[:k]):
            raise refuse(rows[k].where, f"the output of {output.field.name} is given twice.", "Keep one of them.")
    return MachineFile(
        name=name,
        origin=str(tree.get("origin", "")),
        machine=machine,
        reference=read_field(reference, machine),
        reference_cgy_per_mu=reference.number("output_cgy_per_mu"),
        outputs=outputs,
        hints=tuple(_hint(s, machine) for s in tables(tree, "scan", name, is_required=False)),
        axes=_axes(tree, name),
        is_size_of_open_applicator=_means_open(tree, name),
        processing=_processing(tree, name),
    )


def _optional(tree: Mapping[str, Any], key: str, file: str) -> Section:
    return table({key: {}, **tree}, key, file)


def _output(s: Section, machine: Machine) -> MeasuredOutput:
    s.allow_only("energy_mev", "applicator", "cutout", "ssd_cm", "cgy_per_mu", "depth_of_maximum_cm", "relative_sigma")
    return MeasuredOutput(
        energy_mev=s.number("energy_mev"),
        field=read_field(s, machine),
        cgy_per_mu=s.number("cgy_per_mu"),
        depth_of_maximum_cm=s.number_or_none("depth_of_maximum_cm"),
        relative_sigma=s.number_or_none("relative_sigma"),
    )


def _hint(s: Section, machine: Machine) -> Hint:
    s.allow_only(*_HINTS)
    curves = s.values.get("curves", [])
    if not isinstance(curves, list) or not all(isinstance(c, int) and not isinstance(c, bool) for c in curves):
        raise refuse(s.where, f"'curves' must be a list of numbers, found {curves!r}.", "Write for instance [1, 2].")
    values: dict[str, Any] = {k: s.number(k) for k in ("energy_mev", "ssd_cm", "depth_cm") if k in s.values}
    values |= {k: s.text(k) for k in ("applicator", "cutout", "detector", "medium") if k in s.values}
    if ("applicator" in values) != ("cutout" in values):
        raise refuse(s.where, "'applicator' and 'cutout' belong together.", 'Give both; cutout = "open" for none.')
    if "applicator" in values:
        make_field(values["applicator"], values["cutout"], values.get("ssd_cm", machine.sad_cm), machine, s.where)
    return Hint(
        where=s.where,
        pattern=s.text("file"),
        curves=tuple(curves),
        values=values,
        is_left_out=s.is_set("leave_out"),
    )


def _axes(tree: Mapping[str, Any], file: str) -> dict[tuple[str, str], tuple[str, float]]:
    section = _optional(tree, "axes", file)
    section.allow_only(*_AXES)
    found: dict[tuple[str, str], tuple[str, float]] = {}
    for key in section.values:
        file_format, names = _AXES[key]
        s = table(section.values, key, f"{file} [axes]")
        s.allow_only(*names)
        given = {axis: s.text(axis) for axis in names}
        if sorted(text.lstrip("-") for text in given.values()) != [CROSSLINE, INLINE]:
            raise refuse(
                s.where,
                "its axes are not one 'crossline' and one 'inline'.",
                "Put a '-' in front of one that runs against IEC 61217.",
            )
        for axis, text in given.items():
            found[file_format, axis] = (text.lstrip("-"), -1.0 if text.startswith("-") else 1.0)
    return found


def _means_open(tree: Mapping[str, Any], file: str) -> bool:
    s = _optional(tree, "scans", file)
    s.allow_only("field_size_is_open_applicator")
    return s.is_set("field_size_is_open_applicator")


def _processing(tree: Mapping[str, Any], file: str) -> Processing:
    s = _optional(tree, "processing", file)
    s.allow_only("effective_point", "chamber_radius_cm", "background", "centre", "resample_cm")
    return Processing(
        is_effective_point=s.is_set("effective_point"),
        chamber_radius_cm=s.number_or_none("chamber_radius_cm"),
        background=s.number_or_none("background"),
        is_centred=s.is_set("centre"),
        resample_cm=s.number_or_none("resample_cm"),
    )
