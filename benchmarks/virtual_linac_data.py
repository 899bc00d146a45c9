"""A beam data folder as a physicist would measure it, from doses of a virtual linac (``virtual_linac.py``).

The format, the files and the depths of profiles are those of the folder of reference doses: depth doses on the axis,
crossline profiles at 0.5 cm, at the maximum, R90, R50 and 1 cm beyond the practical range, outputs, profiles in air.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from ert.analysis.depth import DepthQuantities, depth_quantities
from ert.domain.beam_model import MachinePackage
from ert.domain.machine import Machine
from ert.domain.monte_carlo_model import MonteCarloModel
from ert.dose.geometry import BeamGeometry
from ert.dose.kernels.mc_air import run_air
from ert.dose.monte_carlo_source import source_numbers
from ert.dose.monte_carlo_tables import kernel_tables, monte_carlo_tables
from ert.dose.output import rectangle_cm
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid

Array = np.ndarray
AXIS_CM = 0.1  # of the field's width: half side of the square that a depth dose is the mean of, at most 0.8 cm
AIR_DISTANCES_CM = (95.1, 100.0, 105.0, 110.0)
AIR_REACH_CM, AIR_BIN_CM, AIR_STRIP_CM = 20.0, 0.25, 1.0
AIR_RUNS, AIR_HISTORIES, AIR_SEED = 10, 40_000, 101


def axis_line(field: Mapping[str, Array], width_cm: float) -> tuple[Array, Array, Array]:
    """Depth, dose and standard error on the axis: a mean over voxels where the beam is flat."""
    step = float(field["x"][1] - field["x"][0])
    half = max(step, step * round(min(AXIS_CM * width_cm, 0.8) / step))
    near = [np.abs(0.5 * (field[k][1:] + field[k][:-1])) < half for k in "yx"]
    dose, sigma = (field[k][:, near[0]][:, :, near[1]].reshape(len(field["z"]) - 1, -1) for k in ("dose", "sigma"))
    # Mirror images are copies of each other: they do not make the mean surer.
    independent = max(dose.shape[1] / float(field["copies"]), 1.0)
    error = np.sqrt((sigma**2).mean(axis=1) / independent)
    return 0.5 * (field["z"][1:] + field["z"][:-1]), dose.mean(axis=1), error


def quantities(field: Mapping[str, Array], width_cm: float) -> tuple[DepthQuantities, float]:
    """Depths and maximum of a field's axis, read through its noise, and the relative noise at the maximum."""
    depth, dose, error = axis_line(field, width_cm)
    found = depth_quantities(depth, dose, sigma=error, needs_tail=False)
    near = np.abs(depth - found.depth_of_maximum_cm) < 0.3  # noqa: PLR2004 - three points of 2 mm
    return found, float(np.mean(error[near]) / found.maximum)


def _rows(path: Path, header: Sequence[str], columns: Sequence[Array], digits: Sequence[int]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in zip(*columns, strict=True):
            writer.writerow(
                [f"{max(v, 0.0) if n else v:.{d}f}" for n, (v, d) in enumerate(zip(row, digits, strict=True))]
            )


def _write_profiles(
    path: Path, field: Mapping[str, Array], depths_cm: Sequence[float], width_cm: float, scale: float
) -> None:
    """Crossline profiles: means over a strip about the axis, linear between the planes next to a depth."""
    centres = {k: 0.5 * (field[k][1:] + field[k][:-1]) for k in "xyz"}
    step = float(field["y"][1] - field["y"][0])
    strip = np.abs(centres["y"]) < max(step, step * round(min(AXIS_CM * width_cm, 0.8) / step))
    rows = field["dose"][:, strip].mean(axis=1)
    errors = np.sqrt((field["sigma"][:, strip] ** 2).mean(axis=1) / max(0.5 * np.count_nonzero(strip), 1.0))
    header, columns = ["position_cm"], [centres["x"]]
    for depth in depths_cm:
        at = min(int(np.searchsorted(centres["z"], depth)), len(centres["z"]) - 1)
        part = (depth - centres["z"][at - 1]) / (centres["z"][at] - centres["z"][at - 1])
        for name, plane in (("dose", rows), ("sigma", errors)):
            header.append(f"{name}_{depth:.2f}cm")
            columns.append(scale * ((1.0 - part) * plane[at - 1] + part * plane[at]))
    _rows(path, header, columns, [2] + [6] * (len(columns) - 1))


def _write_air(path: Path, source: MonteCarloModel, machine: Machine) -> None:
    """Electron fluence across the open 10 × 10 applicator in air, for one on the axis of the insert."""
    applicator = machine.applicator("A10")
    frame = BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=0.0, collimator_deg=0.0, couch_deg=0.0, patient_position="HFS",
        sad_cm=machine.sad_cm,
    )  # fmt: skip
    geometry = BeamGeometry(
        frame=frame, outline_cm=rectangle_cm(10.0, 10.0), applicator=applicator,
        insert_distance_cm=machine.insert_distance_cm,
    )  # fmt: skip
    nowhere = VoxelGrid(origin_cm=(0.0, 0.0, 0.0), spacing_cm=(1.0, 1.0, 1.0), shape_zyx=(1, 1, 1))
    tables = monte_carlo_tables()
    numbers = source_numbers(attrs.evolve(source, photons_per_electron=0.0), tables, geometry, nowhere)
    lookup = kernel_tables(tables, np.ones(tables.photon.shape[1]))
    planes = machine.sad_cm - np.array(AIR_DISTANCES_CM)
    runs = np.zeros((AIR_RUNS, len(planes), round(AIR_REACH_CM / AIR_BIN_CM)))
    for number, fluence in enumerate(runs):
        run_air(
            number * AIR_HISTORIES, AIR_HISTORIES, np.uint64(AIR_SEED), numbers.source, numbers.numbers, numbers.metals,
            lookup, planes, AIR_STRIP_CM, AIR_BIN_CM, fluence,
        )  # fmt: skip
    runs /= AIR_HISTORIES * 4 * 2.0 * AIR_STRIP_CM * AIR_BIN_CM
    header, columns = ["position_cm"], [(np.arange(runs.shape[2]) + 0.5) * AIR_BIN_CM]
    for number, distance in enumerate(AIR_DISTANCES_CM):
        header += [f"fluence_{distance:.1f}", f"sigma_{distance:.1f}"]
        columns += [runs[:, number].mean(axis=0), runs[:, number].std(axis=0, ddof=1) / np.sqrt(AIR_RUNS)]
    _rows(path, header, columns, [3] + [5] * (len(columns) - 1))


INDEX = """format = 1
name = "Virtual linac"
origin = "ERT's own Monte Carlo, benchmarks/virtual_linac.py; no measured data"

[machine]
sad_cm = 100.0
insert_downstream_face_cm = 95.0
insert_thickness_cm = 1.5
insert_material = "cerrobend"
insert_walls = "straight"

[reference]
applicator = "A10"
cutout = "open"
ssd_cm = 100.0
depth = "maximum"
output_cgy_per_mu = 1.0
"""


def _file(path: str, kind: str, energy_mev: float, case: Mapping[str, Any] | None = None, more: str = "") -> str:
    text = f'\n[[file]]\npath = "{path}"\nkind = "{kind}"\nenergy_mev = {energy_mev:g}\n{more}'
    if case is not None:
        text += f'applicator = "A{case["applicator_cm"]:02d}"\ncutout = "{_cutout(case)}"\nssd_cm = {case["ssd_cm"]}\n'
    return text


def _cutout(case: Mapping[str, Any]) -> str:
    width, height = case["field_cm"]
    return "open" if width == height == case["applicator_cm"] else f"{width}x{height}"


def write_beam_data(
    out: Path, package: MachinePackage,
    measured: Mapping[float, tuple[MonteCarloModel, Sequence[tuple[Mapping[str, Any], Mapping[str, Array]]], float]],
) -> None:  # fmt: skip
    """Write the folder.

    Parameters
    ----------
    measured : by nominal energy, MeV: its source, each measured case with its doses, and their factor to cGy/MU.
    """
    index = INDEX + "".join(
        f'\n[[applicator]]\nid = "{a.id}"\nopening_x_cm = {a.opening_x_cm}\nopening_y_cm = {a.opening_y_cm}\n'
        for a in package.machine.applicators
    )
    index += "".join(f"\n[[energy]]\nnominal_mev = {e:g}\n" for e in measured)
    for energy, (source, fields, scale) in measured.items():
        folder = f"{energy:02g}MeV"
        (out / folder).mkdir(parents=True, exist_ok=True)
        outputs = []
        for case, field in fields:
            width = float(min(case["field_cm"]))
            name = case["name"].removeprefix(f"{folder}_")
            depth, dose, error = axis_line(field, width)
            _rows(
                out / folder / f"depth_dose_{name}.csv", ("depth_cm", "dose_cgy_per_mu", "sigma_cgy_per_mu"),
                (depth, scale * dose, scale * error), (2, 6, 6),
            )  # fmt: skip
            found, noise = quantities(field, width)
            depths = sorted({
                0.5, *(round(v, 2) for v in (found.depth_of_maximum_cm, found.r90_cm, found.r50_cm, found.rp_cm + 1.0))
            })  # fmt: skip
            _write_profiles(out / folder / f"profile_x_{name}.csv", field, depths, width, scale)
            index += _file(f"{folder}/depth_dose_{name}.csv", "depth_dose", energy, case)
            more = f'axis = "crossline"\ndepths_cm = {depths}\n'
            index += _file(f"{folder}/profile_x_{name}.csv", "profile", energy, case, more)
            outputs.append(
                f"A{case['applicator_cm']:02d},{_cutout(case)},{case['ssd_cm']},{found.depth_of_maximum_cm:.3f},"
                f"{scale * found.maximum:.5f},{noise:.5f}\n"
            )
        header = "applicator,cutout,ssd_cm,depth_of_maximum_cm,output_cgy_per_mu,relative_sigma\n"
        (out / folder / "output_factors.csv").write_text(header + "".join(outputs), encoding="utf-8")
        index += _file(f"{folder}/output_factors.csv", "output_factors", energy)
        _write_air(out / folder / "in_air_10x10_open.csv", source, package.machine)
        air = 'applicator = "A10"\ncutout = "open"\n'
        index += _file(f"{folder}/in_air_10x10_open.csv", "in_air_profile", energy, more=air)
    (out / "beam_data.toml").write_text(index, encoding="utf-8")
