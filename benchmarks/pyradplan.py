"""The pencil beam against pyRadPlan's: CPU time of a dose of 12 MeV, 10 × 10 cm², on 200 × 160 × 120 voxels of water.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install pyRadPlan==0.5.0 "pydantic==2.13.*"
    python benchmarks/pyradplan.py --peer-python /tmp/peers/bin/python [--pencils-mm 2.5] [--repeats 9]

pyRadPlan has no machine for 12 MeV, but takes one: a double Gaussian whose depth dose is that of our own axis and whose
spread grows to 10 mm, written as a machine file into the peer's package, the only place where it looks. One thread
each. The peer does less (no source, no air gap, no output), and is general where ours is not. What is compared is time;
that the axis doses resemble each other shows that both did the case.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peers import Peer, print_machine, timed

from ert.commissioning.package import read_package
from ert.dose.engine import compute_beam_dose
from ert.dose.geometry import BeamGeometry
from ert.dose.output import rectangle_cm
from ert.dose.tissue import TissueGrid
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.settings import resources_dir

SHAPE, SPACING_CM, SURFACE_ROW, ENERGY_MEV, SIDE_CM = (120, 160, 200), 0.25, 40, 12.0, 10.0
F64 = NDArray[np.float64]

_PEER = """
import importlib.resources
import numpy as np, pymatreader, scipy.io
import SimpleITK as sitk
from pyRadPlan import IonPlan, StructureSet, generate_stf
from pyRadPlan.cst import create_voi
from pyRadPlan.ct import create_ct
from pyRadPlan.dose import calc_dose_forward

machines = importlib.resources.files("pyRadPlan.data.machines")

def write_machine(depth_mm, dose):
    machine = pymatreader.read_mat(str(machines / "VHEE_Generic.mat"))["machine"]
    sigma_mm = 0.5 + 9.5 * np.clip(depth_mm / 50, 0, 1) ** 1.5
    kernel = {"depths": depth_mm, "Z": dose, "weight": np.full_like(depth_mm, 0.05), "offset": 0.0,
              "sigma1": sigma_mm, "sigma2": 2 * sigma_mm, "initFocus": machine["data"]["initFocus"][0],
              "energySpectrum": machine["data"]["energySpectrum"][0]}
    rows = np.zeros((1, 2), dtype=[(name, object) for name in ["energy", *kernel]])
    for n, energy in enumerate((12.0, 12.1)):  # one energy alone is not read back as a list
        rows[0, n]["energy"] = energy
        for name, value in kernel.items():
            rows[0, n][name] = value
    machine["meta"]["machine"] = "ErtBenchmark"
    scipy.io.savemat(str(machines / "VHEE_ErtBenchmark.mat"), {"machine": {"meta": machine["meta"], "data": rows}})

def run(path, pencils_mm):
    case = np.load(path)
    write_machine(case["depth_mm"], case["depth_dose"])
    nz, ny, nx = case["hu"].shape
    step = float(case["spacing_mm"])
    hu = sitk.GetImageFromArray(case["hu"])
    hu.SetSpacing((step,) * 3)
    hu.SetOrigin([-(n - 1) * step / 2 for n in (nx, ny, nz)])
    def mask(values):
        image = sitk.GetImageFromArray(values.astype(np.uint8))
        image.CopyInformation(hu)
        return image
    ct = create_ct(cube_hu=hu)
    vois = [create_voi(voi_type="TARGET", name="field", ct_image=ct, mask=mask(case["field"])),
            create_voi(voi_type="EXTERNAL", name="body", ct_image=ct, mask=mask(case["hu"] > -500))]
    cst = StructureSet(vois=vois, ct_image=ct)
    plan = IonPlan(radiation_mode="VHEE", machine="ErtBenchmark")
    plan.prop_stf = {"gantry_angles": [0.0], "couch_angles": [0.0], "bixel_width": pencils_mm, "energy": 12.0,
                     "add_margin": False, "iso_center": np.array([case["entry_mm"]])}
    plan.prop_dose_calc = {"engine": "HongPB", "dose_grid": {"resolution": dict.fromkeys("xyz", step)}}
    stf = generate_stf(ct, cst, plan)
    began = time.process_time()
    found = calc_dose_forward(ct, cst, stf, plan, np.ones(stf.total_number_of_bixels))
    seconds = time.process_time() - began
    dose = found["physical_dose"]
    dose = sitk.GetArrayFromImage(dose[0] if isinstance(dose, list) else dose)
    axis = dose[nz // 2 - 1 : nz // 2 + 1, :, nx // 2 - 1 : nx // 2 + 1].mean(axis=(0, 2))
    return {"dose_s": seconds, "pencils": int(stf.total_number_of_bixels), "axis": axis.tolist()}
"""


def water() -> TissueGrid:
    """Air above row 40, water below."""
    nz, ny, nx = SHAPE
    origin_cm = tuple(-(n - 1) / 2 * SPACING_CM for n in (nx, ny, nz))
    grid = VoxelGrid(origin_cm=origin_cm, spacing_cm=(SPACING_CM,) * 3, shape_zyx=SHAPE)
    values = np.full(SHAPE, 0.0012, dtype=np.float32)
    values[:, SURFACE_ROW:, :] = 1.0
    return TissueGrid(grid=grid, density_g_cm3=values, relative_stopping=values, relative_scattering=values)


def surface_cm(tissue: TissueGrid) -> float:
    """Where the water begins, along y."""
    return tissue.grid.origin_cm[1] + (SURFACE_ROW - 0.5) * SPACING_CM


def axis_of(dose: NDArray[np.float32]) -> F64:
    """Dose along the beam in the middle of the field, highest 1."""
    nz, _, nx = SHAPE
    axis = dose[nz // 2 - 1 : nz // 2 + 1, :, nx // 2 - 1 : nx // 2 + 1].astype(float).mean(axis=(0, 2))
    return axis / axis.max()


def write_case(path: Path, tissue: TissueGrid, axis: F64) -> None:
    """What the peer reads."""
    nz, _, nx = SHAPE
    half = round(SIDE_CM / SPACING_CM / 2)
    field = np.zeros(SHAPE, dtype=bool)
    field[nz // 2 - half : nz // 2 + half, SURFACE_ROW : SURFACE_ROW + 2, nx // 2 - half : nx // 2 + half] = True
    below = axis[SURFACE_ROW:]
    np.savez(
        path,
        hu=np.where(tissue.density_g_cm3 > 0.5, 0.0, -1000.0).astype(np.float32),
        field=field,
        spacing_mm=10 * SPACING_CM,
        entry_mm=np.array([0.0, 10 * surface_cm(tissue), 0.0]),
        depth_mm=10 * SPACING_CM * (np.arange(len(below)) + 0.5),
        depth_dose=np.maximum(below, 1e-4),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, required=True)
    parser.add_argument("--pencils-mm", type=float, default=2.5)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    print_machine()
    package, tissue = read_package(resources_dir() / "demo_machine" / "package"), water()
    machine = package.machine
    frame = BeamFrame(
        isocentre_cm=(0.0, surface_cm(tissue), 0.0), gantry_deg=0.0, collimator_deg=0.0, couch_deg=0.0,
        patient_position="HFS", sad_cm=machine.sad_cm,
    )  # fmt: skip
    applicator = next(a for a in machine.applicators if a.opening_x_cm >= SIDE_CM)
    geometry = BeamGeometry(
        frame=frame, outline_cm=rectangle_cm(SIDE_CM, SIDE_CM), applicator=applicator,
        insert_distance_cm=machine.insert_distance_cm,
    )  # fmt: skip
    model = package.model(ENERGY_MEV)
    once = partial(compute_beam_dose, tissue=tissue, geometry=geometry, model=model, dose_grid=tissue.grid)
    axis = axis_of(once().gy_per_mu)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.npz"
        write_case(path, tissue, axis)
        before = [timed(once)[0] for _ in range(arguments.repeats)]
        peer = Peer(arguments.peer_python, _PEER)
        found = peer.run(path=str(path), pencils_mm=arguments.pencils_mm)
        peer.close()
        after = [timed(once)[0] for _ in range(arguments.repeats)]
    ours_s, theirs_s = min(before + after), found["dose_s"]
    theirs = np.asarray(found["axis"]) / max(found["axis"])
    inside = slice(SURFACE_ROW + 2, SURFACE_ROW + 16)
    worst = 100 * float(np.abs(theirs - axis)[inside].max())
    print(f"ERT pencil beam   {1e3 * ours_s:9.1f} ms CPU (least of {2 * arguments.repeats})")
    print(f"pyRadPlan         {theirs_s:9.1f} s CPU, {found['pencils']} pencils of {arguments.pencils_mm} mm")
    print(f"ratio             {theirs_s / ours_s:9.0f}")
    print(f"depth dose on the axis differs by at most {worst:.1f} % of its maximum, 0.5 to 4 cm deep")


if __name__ == "__main__":
    main()
