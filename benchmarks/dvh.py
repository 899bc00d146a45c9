"""Dose–volume histograms against dicompyler-core: time and error on spheres in a linear dose gradient.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install dicompyler-core==0.5.6 "pydicom<3" scikit-image
    python benchmarks/dvh.py --peer-python /tmp/peers/bin/python [--repeats 5] [--fine]

Sphere of 3 cm, contours every 2.5 mm, dose on 100 × 100 × 80 voxels of 2.5 mm, 1 Gy/cm about 30 Gy at the centre. The
truth is the closed form of the volume above u = (D - D0) / (g R), (2 - 3 u + u³) / 4. `--fine` adds dicompyler-core at
an eighth of a pixel with three segments between planes, within the structure's extents, once.

Then spheres of 113 to 0.1 cm³ at ten places each, five along the planes' normal and two across: root mean square of
the errors. "Slabs" is the error in volume against slabs of 2.5 mm with the circles' areas, which is what the contours
tell of a sphere, whoever computes. The peer's D95 and D50 are read from its table by interpolation here: its own `D95`
takes the nearest row, which is 0 Gy where a structure has few points.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import argparse
import itertools
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peers import Peer, print_machine, timed
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ert.analysis.dvh import compute_dvh
from ert.analysis.metrics import dose_at_cc_gy, dose_at_volume_gy
from ert.domain.dvh import Dvh
from ert.domain.structure import Contour, Structure, StructureRole
from ert.geometry.grid import VoxelGrid

RADIUS_CM, CENTRE_GY, GRADIENT_GY_CM = 3.0, 30.0, 1.0
SPACING_CM, SHAPE = 0.25, (80, 100, 100)
VOLUMES_CC = (113.1, 10.0, 1.0, 0.25, 0.1)
PHASES, SHIFTS_X_CM = (0.0, 0.2, 0.4, 0.6, 0.8), (0.0, 0.07)  # of the planes' spacing; across
METRICS = ("volume_cc", "mean_gy", "d95_gy", "d50_gy", "d2cc_gy", "max_gy")

Point = tuple[float, float, float]

_PEER = """
import pydicom
from dicompylercore import dvhcalc

import numpy

read = {}

def load(path):
    if path not in read:
        read[path] = pydicom.dcmread(path)
    return read[path]

def run(structures, dose, fraction, segments):
    part, gy = load(structures), load(dose)
    spacing = 2.5 / fraction if fraction > 1 else None
    began = time.process_time()
    found = dvhcalc.get_dvh(part, gy, 1, interpolation_resolution=spacing,
                            interpolation_segments_between_planes=segments, use_structure_extents=fraction > 1)
    seconds = time.process_time() - began
    above_pct = found.relative_volume.counts
    table = {f"table_d{p}_gy": float(numpy.interp(-p, -above_pct, found.bins[: len(above_pct)])) for p in (95, 50)}
    return {"dvh_s": seconds, "volume_cc": float(found.volume), "mean_gy": float(found.mean),
            "d95_gy": float(found.D95.value), "d50_gy": float(found.D50.value), "d2cc_gy": float(found.D2cc.value),
            "max_gy": float(found.max), **table}
"""


def truth(radius_cm: float = RADIUS_CM, centre_cm: Point = (0.0, 0.0, 0.0)) -> dict[str, float]:
    """The closed form; and the volume of slabs with the circles' areas."""
    volume_cc = 4 / 3 * np.pi * radius_cm**3
    middle_gy = CENTRE_GY + GRADIENT_GY_CM * centre_cm[0]
    u = np.linspace(-1, 1, 200_001)
    above = (2 - 3 * u + u**3) / 4

    def dose(part: float) -> float:
        return middle_gy + GRADIENT_GY_CM * radius_cm * float(np.interp(-part, -above, u))

    doses = (middle_gy, dose(0.95), dose(0.5), dose(2 / volume_cc), middle_gy + GRADIENT_GY_CM * radius_cm)
    slabs_cc = SPACING_CM * np.pi * float(np.sum(radius_cm**2 - (planes_cm(radius_cm, centre_cm) - centre_cm[2]) ** 2))
    return dict(zip((*METRICS, "slabs_cc"), (volume_cc, *doses, slabs_cc), strict=True))


def planes_cm(radius_cm: float, centre_cm: Point) -> NDArray[np.float64]:
    """The slices that meet the sphere."""
    slices = SPACING_CM * (np.arange(SHAPE[0]) - SHAPE[0] / 2)
    return slices[np.abs(slices - centre_cm[2]) < radius_cm - 1e-9]


def make_dose() -> tuple[NDArray[np.float32], VoxelGrid]:
    x, y, lowest = (-SPACING_CM * n / 2 for n in reversed(SHAPE))
    grid = VoxelGrid(origin_cm=(x, y, lowest), spacing_cm=(SPACING_CM,) * 3, shape_zyx=SHAPE)
    dose = np.broadcast_to(CENTRE_GY + GRADIENT_GY_CM * (x + grid.axis_centres_cm(0)), SHAPE)
    return np.ascontiguousarray(dose, dtype=np.float32), grid


def make_sphere(radius_cm: float = RADIUS_CM, centre_cm: Point = (0.0, 0.0, 0.0)) -> Structure:
    angle = np.radians(np.arange(360))
    contours = []
    for z in planes_cm(radius_cm, centre_cm):
        # a polygon of the circle's area
        radius = np.sqrt(radius_cm**2 - (z - centre_cm[2]) ** 2) * np.sqrt(np.radians(1) / np.sin(np.radians(1)))
        x, y = centre_cm[0] + radius * np.cos(angle), centre_cm[1] + radius * np.sin(angle)
        contours.append(Contour(points_cm=np.column_stack([x, y, np.full(360, z)])))
    return Structure(number=1, name="sphere", role=StructureRole.OTHER, contours=tuple(contours))


def save(data: Dataset, path: Path) -> str:
    data.SOPInstanceUID = generate_uid()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(path, enforce_file_format=True)
    return str(path)


def write_structures(part: Structure, path: Path) -> str:
    """RTSTRUCT with one structure, for the peer."""
    structures = Dataset()
    structures.SOPClassUID, structures.Modality = "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT"
    item = Dataset()
    item.ROINumber, item.ROIName = 1, part.name
    structures.StructureSetROISequence = [item]
    contours = []
    for contour in part.contours:
        entry = Dataset()
        entry.ContourGeometricType, entry.NumberOfContourPoints = "CLOSED_PLANAR", len(contour.points_cm)
        entry.ContourData = [f"{10 * v:.5f}" for v in contour.points_cm.ravel()]
        contours.append(entry)
    outline = Dataset()
    outline.ReferencedROINumber, outline.ROIDisplayColor, outline.ContourSequence = 1, [255, 0, 0], contours
    structures.ROIContourSequence = [outline]
    observation = Dataset()
    observation.ObservationNumber, observation.ReferencedROINumber, observation.RTROIInterpretedType = 1, 1, "ORGAN"
    structures.RTROIObservationsSequence = [observation]
    return save(structures, path)


def write_dose(dose_gy: NDArray[np.float32], grid: VoxelGrid, path: Path) -> str:
    """RTDOSE of 32 bits, for the peer."""
    dose = Dataset()
    dose.SOPClassUID, dose.Modality = "1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE"
    dose.DoseUnits, dose.DoseType, dose.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    dose.NumberOfFrames, dose.Rows, dose.Columns = grid.shape_zyx
    dose.PixelSpacing, dose.SliceThickness = [10 * SPACING_CM] * 2, 10 * SPACING_CM
    dose.ImagePositionPatient, dose.ImageOrientationPatient = [10 * v for v in grid.origin_cm], [1, 0, 0, 0, 1, 0]
    dose.GridFrameOffsetVector = list(10 * SPACING_CM * np.arange(grid.shape_zyx[0]))
    dose.SamplesPerPixel, dose.PhotometricInterpretation, dose.PixelRepresentation = 1, "MONOCHROME2", 0
    dose.BitsAllocated, dose.BitsStored, dose.HighBit, dose.DoseGridScaling = 32, 32, 31, 1e-6
    dose.PixelData = np.round(dose_gy.astype(np.float64) * 1e6).astype("<u4").tobytes()
    return save(dose, path)


def figures(dvh: Dvh) -> dict[str, float]:
    d2cc_gy = dose_at_cc_gy(dvh, 2.0) if dvh.volume_cc >= 2 else np.nan
    doses = (dvh.mean_gy, dose_at_volume_gy(dvh, 95), dose_at_volume_gy(dvh, 50), d2cc_gy, dvh.max_gy)
    return dict(zip(METRICS, (dvh.volume_cc, *doses), strict=True))


def one_sphere(peer: Peer | None, folder: Path, repeats: int, *, fine: bool) -> None:
    """Time and errors of the large sphere, both sides in turn."""
    dose_gy, grid = make_dose()
    part = make_sphere()
    ours = partial(compute_dvh, part, dose_gy, grid)
    ours()  # compiled or read from its cache
    files = {
        "structures": write_structures(part, folder / "sphere.dcm"),
        "dose": write_dose(dose_gy, grid, folder / "dose.dcm"),
    }
    rows: dict[str, tuple[list[float], dict[str, float]]] = {"ERT": ([], {})}
    modes = {"dicompyler-core": (1, 0), "  1/8 pixel": (8, 3)}
    for n in range(repeats):
        seconds, dvh = timed(ours)
        rows["ERT"] = ([*rows["ERT"][0], seconds], figures(dvh))
        for name, (fraction, segments) in modes.items():
            if peer and (fraction == 1 or (fine and n == 0)):
                answer = peer.run(**files, fraction=fraction, segments=segments)
                rows[name] = ([*rows.get(name, ([], {}))[0], answer["dvh_s"]], answer)
    true = truth()
    print(f"{'':16s}{'CPU ms':>10s}" + "".join(f"{m:>12s}" for m in METRICS))
    print(f"{'closed form':26s}" + "".join(f"{true[m]:12.3f}" for m in METRICS))
    for name, (times, found) in rows.items():
        print(f"{name:16s}{1e3 * min(times):10.2f}" + "".join(f"{found[m]:12.3f}" for m in METRICS))
        print(f"{'   error':26s}" + "".join(f"{found[m] - true[m]:+12.3f}" for m in METRICS))
    for name, (times, _) in list(rows.items())[1:]:
        print(f"ratio of CPU times, {name.strip()} / ERT: {min(times) / min(rows['ERT'][0]):.0f}")


def many_spheres(peer: Peer | None, folder: Path) -> None:
    """Root mean square errors over places, sphere by sphere, and the ratio of the least times."""
    dose_gy, grid = make_dose()
    dose_file = write_dose(dose_gy, grid, folder / "dose.dcm")
    columns = ("CPU ms", "volume %", "slabs %", "mean Gy", "D95 Gy", "D50 Gy")
    print(f"\n{'cm³':>7s}  {'':16s}" + "".join(f"{c:>10s}" for c in columns))
    for volume_cc in VOLUMES_CC:
        radius_cm = (3 * volume_cc / (4 * np.pi)) ** (1 / 3)
        rows: dict[str, list[list[float]]] = {}
        for shift_cm, phase in itertools.product(SHIFTS_X_CM, PHASES):
            place = (shift_cm, 1.6 * shift_cm, phase * SPACING_CM)
            true, part = truth(radius_cm, place), make_sphere(radius_cm, place)
            seconds, dvh = timed(partial(compute_dvh, part, dose_gy, grid))
            found = {"ERT": figures(dvh) | {"dvh_s": seconds}}
            if peer:
                path = write_structures(part, folder / f"{volume_cc} {place}.dcm")
                answer = peer.run(structures=path, dose=dose_file, fraction=1, segments=0)
                found["dicompyler-core"] = answer | {m: answer[f"table_{m}"] for m in ("d95_gy", "d50_gy")}
            for name, values in found.items():
                volumes = [100 * (values["volume_cc"] / true[v] - 1) for v in ("volume_cc", "slabs_cc")]
                doses = [values[m] - true[m] for m in METRICS[1:4]]
                rows.setdefault(name, []).append([values["dvh_s"], *volumes, *doses])
        least_ms = {name: 1e3 * min(row[0] for row in part_rows) for name, part_rows in rows.items()}
        for name, part_rows in rows.items():
            rms = np.sqrt(np.mean(np.square(part_rows), axis=0))[1:]
            print(f"{volume_cc:7.2f}  {name:16s}{least_ms[name]:10.2f}" + "".join(f"{v:10.4f}" for v in rms))
        if peer:
            print(f"{'':9s}ratio of CPU times: {least_ms['dicompyler-core'] / least_ms['ERT']:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peer-python", type=Path, help="a Python with dicompyler-core; without it only ERT is measured"
    )
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--fine", action="store_true", help="the peer at an eighth of a pixel, once")
    arguments = parser.parse_args()
    print_machine()
    peer = Peer(arguments.peer_python, _PEER) if arguments.peer_python else None
    with tempfile.TemporaryDirectory() as folder:
        one_sphere(peer, Path(folder), arguments.repeats, fine=arguments.fine)
        many_spheres(peer, Path(folder))
    if peer:
        peer.close()
    print_machine()


if __name__ == "__main__":
    main()
