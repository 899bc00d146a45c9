"""Writing assembled curves as a beam data folder, version 1, with a record of where every number came from."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ert.commissioning.beam_data import FORMAT, INDEX_NAME, read_beam_data
from ert.commissioning.curve_files import refuse
from ert.commissioning.scans.assemble import FieldCurve, depth_of_maximum_cm
from ert.commissioning.scans.machine_file import MachineFile
from ert.commissioning.scans.scan import CROSSLINE, ScanFile

RECORD_NAME = "record.json"
_RECORD_FORMAT = 1


def require_free(path: Path) -> None:
    """Refuse a folder that exists and is not empty: beam data are never overwritten."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise refuse(f"'{path}'", "it exists already.", "Name a new folder; beam data are never overwritten.")


def write_folder(
    path: Path, curves: Sequence[FieldCurve], machine_file: MachineFile, files: Sequence[ScanFile]
) -> dict[str, FieldCurve]:
    """Write the folder whole or not at all; it is read back as `ert commission` will read it before it gets its name.

    Parameters
    ----------
    curves : all curves of complete energies.

    Returns
    -------
    dict
        The curve in each file written, by its path in the folder.

    Raises
    ------
    InvalidBeamData
        The folder exists and is not empty.
    """
    require_free(path)
    energies = sorted({c.energy_mev for c in curves})
    named = _named(curves)
    outputs = {f"{_folder(e)}/output_factors.csv": _outputs(e, curves, machine_file) for e in energies}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".beam-data-") as place:
        folder = Path(place) / "beam_data"
        for energy in energies:
            (folder / _folder(energy)).mkdir(parents=True)
        texts = {name: _csv(item) for name, item in named.items()} | outputs
        texts[INDEX_NAME] = _index(named, machine_file, energies)
        texts[RECORD_NAME] = _record(named, machine_file, files)
        for name, text in texts.items():
            _write(folder / name, text)
        read_beam_data(folder)
        if path.exists():
            path.rmdir()
        folder.replace(path)
    return named


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _folder(energy_mev: float) -> str:
    return f"{energy_mev:05.2f}".rstrip("0").rstrip(".") + "MeV" if energy_mev % 1 else f"{energy_mev:02.0f}MeV"


def _named(curves: Sequence[FieldCurve]) -> dict[str, FieldCurve]:
    """Each curve by its file; a number tells apart applicators whose ids differ in signs only."""
    named: dict[str, FieldCurve] = {}
    for item in curves:
        name, number = _file_name(item), 1
        while name in named:
            number += 1
            name = _file_name(item).replace(".csv", f"_{number}.csv")
        named[name] = item
    return named


def _file_name(item: FieldCurve) -> str:
    applicator = "".join(c if c.isalnum() else "_" for c in item.field.applicator_id)
    field = f"{applicator}_{item.field.cutout}"
    if item.curve.is_in_air:
        return f"{_folder(item.energy_mev)}/in_air_{field}_{_distance_cm(item):g}.csv"
    field = f"{field}_ssd{item.field.ssd_cm:g}"
    if item.curve.is_depth_dose:
        return f"{_folder(item.energy_mev)}/depth_dose_{field}.csv"
    letter = "x" if item.curve.curve == CROSSLINE else "y"
    return f"{_folder(item.energy_mev)}/profile_{letter}_{field}_{_depth(item)}cm.csv"


def _depth(item: FieldCurve) -> str:
    return f"{item.curve.depth_cm:.4f}".rstrip("0").rstrip(".")


def _distance_cm(item: FieldCurve) -> float:
    """Of a profile in air: from the nominal source to the detector."""
    return round(item.field.ssd_cm + (item.curve.depth_cm or 0.0), 4)


def _csv(item: FieldCurve) -> str:
    curve = item.curve
    first = "depth_cm" if curve.is_depth_dose else "position_cm"
    if curve.is_in_air:
        second = f"fluence_{_distance_cm(item):g}"
    else:
        second = "dose_cgy_per_mu" if curve.is_depth_dose else f"dose_{_depth(item)}cm"
    rows = [f"{p:.10g},{v:.10g}" for p, v in zip(curve.position_cm, curve.value, strict=True)]
    return "\n".join([f"{first},{second}", *rows]) + "\n"


def _outputs(energy_mev: float, curves: Sequence[FieldCurve], machine_file: MachineFile) -> str:
    """Outputs of an energy whose depth of maximum is known; the others are named as missing."""
    lines = ["applicator,cutout,ssd_cm,depth_of_maximum_cm,output_cgy_per_mu,relative_sigma"]
    for output in machine_file.outputs:
        if output.energy_mev != energy_mev:
            continue
        depth_cm = depth_of_maximum_cm(output, curves)
        if depth_cm is None:
            continue
        f = output.field
        sigma = 0.01 if output.relative_sigma is None else output.relative_sigma
        lines.append(f"{f.applicator_id},{f.cutout},{f.ssd_cm:.10g},{depth_cm:.10g},{output.cgy_per_mu:.10g},{sigma:g}")
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _index(named: dict[str, FieldCurve], machine_file: MachineFile, energies: Sequence[float]) -> str:
    m, reference = machine_file.machine, machine_file.reference
    lines = [
        f"format = {FORMAT}",
        f"name = {_text(m.name)}",
        f"origin = {_text(machine_file.origin)}",
        "", "[machine]",
        f"sad_cm = {m.sad_cm!r}",
        f"insert_downstream_face_cm = {m.insert_distance_cm!r}",
        f"insert_thickness_cm = {m.insert_thickness_cm!r}",
        f"insert_material = {_text(m.insert_material)}",
        "", "[reference]",
        f"applicator = {_text(reference.applicator_id)}",
        f"cutout = {_text(reference.cutout)}",
        f"ssd_cm = {reference.ssd_cm!r}",
        'depth = "maximum"',
        f"output_cgy_per_mu = {machine_file.reference_cgy_per_mu!r}",
    ]  # fmt: skip
    for a in m.applicators:
        lines += ["", "[[applicator]]", f"id = {_text(a.id)}"]
        lines += [f"opening_x_cm = {a.opening_x_cm!r}", f"opening_y_cm = {a.opening_y_cm!r}"]
    for energy in energies:
        lines += ["", "[[energy]]", f"nominal_mev = {energy!r}"]
    for energy in energies:
        lines += _entry(f"{_folder(energy)}/output_factors.csv", "output_factors", energy)
    for name, item in named.items():
        lines += _curve_entry(name, item)
    return "\n".join(lines) + "\n"


def _entry(name: str, kind: str, energy_mev: float) -> list[str]:
    return ["", "[[file]]", f"path = {_text(name)}", f"kind = {_text(kind)}", f"energy_mev = {energy_mev!r}"]


def _curve_entry(name: str, item: FieldCurve) -> list[str]:
    curve = item.curve
    in_water = "depth_dose" if curve.is_depth_dose else "profile"
    kind = "in_air_profile" if curve.is_in_air else in_water
    lines = _entry(name, kind, item.energy_mev)
    lines += [f"applicator = {_text(item.field.applicator_id)}", f"cutout = {_text(item.field.cutout)}"]
    if curve.is_in_air:
        lines.append(f"distances_cm = [{_distance_cm(item)!r}]")
    else:
        lines.append(f"ssd_cm = {item.field.ssd_cm!r}")
    if kind == "profile":
        lines += [f"axis = {_text(curve.curve)}", f"depths_cm = [{_depth(item)}]"]
    return [*lines, "history = [", *(f"  {_text(sentence)}," for sentence in curve.history), "]"]


def _record(named: dict[str, FieldCurve], machine_file: MachineFile, files: Sequence[ScanFile]) -> str:
    """Where every curve came from: the scanner file's digest, the raw numbers, every step."""
    digests = {f.name: f.digest for f in files}
    record: dict[str, Any] = {
        "format": _RECORD_FORMAT,
        "machine_file": machine_file.name,
        "scanner_files": [{"file": f.name, "format": f.file_format, "sha256": f.digest} for f in files],
        "curves": [_curve_record(name, item, digests) for name, item in named.items()],
    }
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _curve_record(name: str, item: FieldCurve, digests: dict[str, str]) -> dict[str, Any]:
    scan = item.curve.scan
    stated = ("energy_mev", "applicator", "field_x_cm", "field_y_cm", "ssd_cm", "depth_cm", "unit", "detector",
              "detector_kind", "detector_radius_cm", "medium")  # fmt: skip
    return {
        "path": name,
        "scanner_file": scan.file,
        "sha256": digests[scan.file],
        "curve": scan.index,
        "line": scan.line,
        "stated": {key: getattr(scan, key) for key in stated},
        "history": list(item.curve.history),
        "raw_positions_cm": " ".join(f"{v:.10g}" for v in scan.positions_cm),
        "raw_values": " ".join(f"{v:.10g}" for v in scan.values),
    }
