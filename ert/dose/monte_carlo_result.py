"""The Monte Carlo as a dose engine: a `DoseResult` with its statistics."""

from __future__ import annotations

import time
from collections.abc import Callable

from ert.domain.beam_model import BeamModel
from ert.domain.dose import NUMERICS_VERSION, DoseResult
from ert.domain.monte_carlo_model import DoseStatistics, MonteCarloSettings
from ert.domain.monte_carlo_run import RunWatch
from ert.domain.plan import DoseTo
from ert.dose.geometry import BeamGeometry
from ert.dose.measured_depth import check_depth
from ert.dose.monte_carlo import simulate
from ert.dose.tissue import TissueGrid
from ert.dose.water import given_dose_gy_per_mu
from ert.errors import OutsideModel
from ert.geometry.grid import VoxelGrid

ENGINE = f"monte-carlo {NUMERICS_VERSION}"


def engine_text(statistics: DoseStatistics) -> str:
    """Name, version and statistics, as stored, printed and exported: fits the 64 characters of a DICOM description."""
    return f"{ENGINE}, {statistics.uncertainty_pct:.2f} %, {statistics.histories} histories"


def monte_carlo_dose(
    *,
    tissue: TissueGrid,
    geometry: BeamGeometry,
    model: BeamModel,
    dose_grid: VoxelGrid,
    ssd_cm: float,
    warnings: tuple[str, ...],
    request_digest: str,
    dose_to: DoseTo,
    settings: MonteCarloSettings | None,
    progress: Callable[[float], None] | None,
    check: Callable[[], None] | None,
    watch: RunWatch | None = None,
) -> DoseResult:
    """Monte Carlo dose of a beam that was found inside what the model was commissioned for.

    Raises
    ------
    OutsideModel
        The machine's energy was not commissioned for the Monte Carlo, or the beam misses the dose grid.
    """
    if model.monte_carlo is None:
        raise OutsideModel(
            f"{model.label} was not commissioned for the Monte Carlo.",
            hint="Commission the machine again with this version of ERT, or choose another algorithm.",
        )
    began, settings = time.perf_counter(), settings or MonteCarloSettings()
    gy_per_mu, statistics = simulate(
        tissue=tissue,
        geometry=geometry,
        model=model.monte_carlo,
        dose_grid=dose_grid,
        settings=settings,
        is_to_medium=dose_to is DoseTo.MEDIUM,
        progress=progress,
        check=check,
        watch=watch,
    )
    notes = check_depth(model, geometry, tissue, dose_grid, gy_per_mu)
    if statistics.uncertainty_pct > settings.uncertainty_pct:
        notes.append(
            f"The Monte Carlo stopped at {statistics.histories} histories with an uncertainty of "
            f"{statistics.uncertainty_pct:.1f} % instead of {settings.uncertainty_pct:g} %."
        )
    return DoseResult(
        request_digest=request_digest,
        grid=dose_grid,
        gy_per_mu=gy_per_mu,
        engine=engine_text(statistics),
        dose_to=dose_to.value,
        ssd_cm=ssd_cm,
        given_dose_gy_per_mu=given_dose_gy_per_mu(model, geometry, ssd_cm),
        seconds=time.perf_counter() - began,
        warnings=(*tissue.warnings, *warnings, *notes),
        statistics=statistics,
    )
