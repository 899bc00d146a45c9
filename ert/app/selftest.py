"""Self-test of the dose engines: small doses with known answers, before an engine's first dose of every process.

It finds machine code that does not do what it did when the answers were stored (a damaged cache of compiled kernels, a
changed numerical library, a faulty processor), and compiles what the first dose of a new computer needs. The answers
lie beside the demo machine they were computed with; `tools/build_demo_machine.py` writes them.
"""

from __future__ import annotations

import functools
import json
import logging
import time
from pathlib import Path

import attrs
import numpy as np

from ert.analysis.dvh import compute_dvh
from ert.commissioning.package import read_package
from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import BeamModel, MachinePackage
from ert.domain.dose import DoseResult, plan_dose_gy
from ert.domain.image import CtImage, DensityOverride
from ert.domain.materials import default_ct_curve, material_named
from ert.domain.monte_carlo_model import MonteCarloSettings
from ert.domain.structure import Contour, Structure, StructureRole, StructureSet
from ert.dose.engine import compute_beam_dose
from ert.dose.geometry import BeamGeometry
from ert.dose.output import rectangle_cm
from ert.dose.threads import kernel_threads
from ert.dose.tissue import build_tissue
from ert.errors import SelfTestFailed
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.geometry.resample import sample_at
from ert.settings import resources_dir

_LOG = logging.getLogger(__name__)
_GRID = VoxelGrid(origin_cm=(-4.75, -0.75, -4.75), spacing_cm=(0.5, 0.5, 0.5), shape_zyx=(20, 16, 20))
_BONE = (slice(None), slice(3, 5), slice(10, 13))
_GANTRIES_DEG = {Algorithm.PENCIL_BEAM: (0.0, 20.0), Algorithm.PBRA: (20.0,), Algorithm.MONTE_CARLO: (20.0,)}
_ENERGY_MEV = 12.0
_TOLERANCE_FRAC = 1e-5
_ONE_ROUND = MonteCarloSettings(max_histories=1)

Known = dict[str, dict[str, list[float]]]
"""Of each engine and gantry angle: given dose and dose of every third voxel, cGy/MU."""


@attrs.frozen(kw_only=True)
class SelfTest:
    """What the self-test found: the largest deviation over the largest dose, and how long it took."""

    worst_frac: float
    seconds: float


def known_answers_file() -> Path:
    """Where the stored answers lie."""
    return resources_dir() / "demo_machine" / "known_doses.json"


def sample_doses(package: MachinePackage, algorithm: Algorithm) -> dict[str, list[float]]:
    """Given dose and dose of every third voxel, cGy/MU, of a cutout on water with bone, for each gantry angle."""
    found = {}
    for gantry_deg in _GANTRIES_DEG[algorithm]:
        result = _dose(package, package.model(_ENERGY_MEV), gantry_deg, algorithm)
        given_gy = result.given_dose_gy_per_mu or 0.0  # the Monte Carlo knows none
        values = [given_gy, *result.gy_per_mu[::3, ::3, ::3].ravel().tolist()]
        found[f"gantry {gantry_deg:g}"] = [100.0 * float(v) for v in values]
    return found


def known_doses(package: MachinePackage) -> Known:
    """The answers as they are stored: `sample_doses` of every engine."""
    return {algorithm.value: sample_doses(package, algorithm) for algorithm in Algorithm}


def _box(number: int, name: str, role: StructureRole, half_cm: float, top_cm: float) -> Structure:
    corners = [(-half_cm, top_cm), (half_cm, top_cm), (half_cm, 6.5), (-half_cm, 6.5)]
    planes = _GRID.origin_cm[2] + _GRID.axis_centres_cm(2)
    contours = tuple(Contour(points_cm=np.array([(x, y, z) for x, y in corners])) for z in planes)
    return Structure(number=number, name=name, role=role, contours=contours)


def _dose(package: MachinePackage, model: BeamModel, gantry_deg: float, algorithm: Algorithm) -> DoseResult:
    """One dose along the whole path a plan's dose takes: CT, contours, override, tissue, beam, histogram."""
    hu = np.zeros(_GRID.shape_zyx, dtype=np.int16)
    hu[_BONE] = 1000
    image = CtImage(
        id="self-test", grid=_GRID, hu=hu, frame_of_reference_uid="1", study_instance_uid="1", series_instance_uid="1",
        sop_instance_uids=("1",) * _GRID.shape_zyx[0], patient_position="HFS",
    )  # fmt: skip
    body = _box(1, "BODY", StructureRole.EXTERNAL, 3.2, 0.0)
    bolus = _box(2, "Bolus", StructureRole.BOLUS, 1.5, -0.5)
    structures = StructureSet(
        id="self-test", label="self-test", frame_of_reference_uid="1", sop_instance_uid="1", structures=(body, bolus)
    )
    override = DensityOverride(structure_number=2, material=material_named("water"))
    tissue = build_tissue(image, external=body, structures=structures, curve=default_ct_curve(), overrides=(override,))
    machine = package.machine
    frame = BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=gantry_deg, collimator_deg=0.0, couch_deg=0.0,
        patient_position=image.patient_position, sad_cm=machine.sad_cm,
    )  # fmt: skip
    geometry = BeamGeometry(
        frame=frame, outline_cm=rectangle_cm(4.0, 5.0), applicator=machine.applicator("A10"),
        insert_distance_cm=machine.insert_distance_cm,
    )  # fmt: skip
    result = compute_beam_dose(
        tissue=tissue, geometry=geometry, model=model, dose_grid=_GRID, algorithm=algorithm, monte_carlo=_ONE_ROUND
    )
    course_gy = plan_dose_gy([result], [1.0], 1)
    compute_dvh(body, course_gy, _GRID)
    sample_at(course_gy, _GRID, np.zeros((1, 3)))
    return result


def run_self_test(
    package: MachinePackage | None = None,
    *,
    algorithm: Algorithm = Algorithm.PENCIL_BEAM,
    known: Known | None = None,
) -> SelfTest:
    """Compute the known doses of an engine and compare.

    Parameters
    ----------
    package, known : the demo machine and its stored answers if not given.
    algorithm : the engine.

    Raises
    ------
    SelfTestFailed
        A dose differs by more than 1e-5 of the largest, or the answers cannot be read.
    """
    began = time.perf_counter()
    kernel_threads()  # before anything else starts them: later they cannot be told from others
    if package is None:
        package = read_package(resources_dir() / "demo_machine" / "package")
    wanted = (read_known_doses() if known is None else known).get(algorithm.value, {})
    computed = sample_doses(package, algorithm)
    if computed.keys() != wanted.keys() or any(len(computed[k]) != len(wanted[k]) for k in wanted):
        raise SelfTestFailed("The stored doses of the self-test do not belong to this version.", hint="Install again.")
    largest = max(max(values) for values in wanted.values())
    worst = max(float(np.abs(np.subtract(computed[k], wanted[k])).max()) for k in wanted) / largest
    if not worst <= _TOLERANCE_FRAC:
        raise SelfTestFailed(
            f"The dose engine {algorithm.value} gives wrong doses ({100 * worst:.3g} % of the maximum off). "
            "No dose is computed with it.",
            hint="Run `ert selftest --fresh`, which compiles the engines anew. If it fails again, call physics.",
        )
    found = SelfTest(worst_frac=worst, seconds=time.perf_counter() - began)
    _LOG.info("self-test of %s: worst %.1e, %.2f s", algorithm.value, found.worst_frac, found.seconds)
    return found


def read_known_doses() -> Known:
    """The stored answers; `SelfTestFailed` if they cannot be read."""
    try:
        tree = json.loads(known_answers_file().read_text(encoding="ascii"))
        return {
            str(engine): {str(name): [float(v) for v in values] for name, values in answers.items()}
            for engine, answers in tree.items()
        }
    except (OSError, ValueError, AttributeError, TypeError) as exc:
        raise SelfTestFailed(
            "The stored doses of the self-test cannot be read.", hint="Install ERT again.", detail=repr(exc)
        ) from exc


@functools.cache
def require_tested_engine(algorithm: Algorithm) -> SelfTest:
    """Run the self-test of an engine once in this process; every dose for a patient asks for it first.

    Raises
    ------
    SelfTestFailed
        As `run_self_test`; it is tried again with the next dose, never skipped.
    """
    return run_self_test(algorithm=algorithm)
