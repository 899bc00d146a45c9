"""How certain a plan's Monte Carlo dose is: standard errors of its beams, added up."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.dose import DoseResult
from ert.domain.identity import read_only
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid

_HIGH_FRAC = 0.5


@attrs.frozen(kw_only=True, eq=False)
class DoseUncertainty:
    """Statistical uncertainty of a plan's dose, one standard deviation.

    Attributes
    ----------
    sigma_gy : float32 [z, y, x] on the dose grid, read-only.
    mean_pct : mean of it over the dose, voxels above half of the maximum (AAPM TG-105); of a single beam the figure
        its computation stopped at.
    histories : of all beams together.
    is_partial : some beams were computed without noise; their engines' errors are not statistical and not in it.
    """

    sigma_gy: NDArray[np.float32] = attrs.field(converter=read_only, repr=False)
    mean_pct: float
    histories: int
    is_partial: bool = False

    def engine_text(self, engine: str) -> str:
        """The engine's name and version with the plan's statistics in place of one beam's."""
        return f"{engine.split(',', 1)[0]}, {self.mean_pct:.2f} %, {self.histories} histories"

    @property
    def sentence(self) -> str:
        """What is said wherever the dose is stated."""
        partial = " The beams of other engines are not in it." if self.is_partial else ""
        return (
            f"Statistical uncertainty {self.mean_pct:.1f} % (one standard deviation, mean over the voxels above half "
            f"of the maximum); {self.histories:,} histories.{partial}"
        )


def shared_sigma(
    results: Sequence[DoseResult], factors: Sequence[float]
) -> dict[str, tuple[VoxelGrid, NDArray[np.float64]]]:
    """Standard errors in Gy of each request that has noise, by its digest; beams that share histories are one.

    Parameters
    ----------
    factors : monitor units of the whole course of each beam.

    Returns
    -------
    Of each request its grid and float64 [z, y, x] on it. They are independent of one another.
    """
    units: dict[str, float] = {}
    for result, factor in zip(results, factors, strict=True):
        if result.statistics is not None:
            units[result.request_digest] = units.get(result.request_digest, 0.0) + factor
    by_request = {r.request_digest: r for r in results}
    return {d: (by_request[d].grid, factor * _sigma(by_request[d])) for d, factor in units.items()}


def plan_uncertainty(
    results: Sequence[DoseResult], mu_per_fraction: Sequence[float], fractions: int, plan_gy: NDArray[np.float32]
) -> DoseUncertainty | None:
    """Uncertainty of the sum of beams; None if no engine had noise.

    Beams with different requests run different histories, so their variances add; two beams with one request share
    their histories, so their errors add. A beam without noise adds dose and no variance.

    Parameters
    ----------
    plan_gy : float32 [z, y, x], the dose of the same beams.
    """
    stated = [r.statistics for r in results if r.statistics is not None]
    if not stated:
        return None
    is_partial = len(stated) != len(results)
    independent = shared_sigma(results, [mu * fractions for mu in mu_per_fraction])
    sigma = in_quadrature([found for _, found in independent.values()])
    is_one_request = len(independent) == 1 and not is_partial
    mean_pct = stated[0].uncertainty_pct if is_one_request else mean_uncertainty_pct(plan_gy, sigma)
    return DoseUncertainty(
        sigma_gy=sigma.astype(np.float32), mean_pct=mean_pct, histories=histories_of(results), is_partial=is_partial
    )


def in_quadrature(sigmas: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Standard error of a sum of independent doses, Gy: the root of the sum of variances, in the order given."""
    variance = np.zeros(sigmas[0].shape, dtype=np.float64)
    for sigma in sigmas:
        variance += sigma**2
    return np.sqrt(variance)


def histories_of(results: Sequence[DoseResult]) -> int:
    """Histories that doses rest on; one answer to a request counts once."""
    unique = {r.request_digest: r.statistics.histories for r in results if r.statistics is not None}
    return sum(unique.values())


def _sigma(result: DoseResult) -> NDArray[np.float64]:
    """Standard error of Gy per MU."""
    if result.statistics is None:
        raise Refused("A dose without its standard errors has no uncertainty.")
    return result.gy_per_mu.astype(np.float64) * result.statistics.relative_sigma


def mean_uncertainty_pct(dose_gy: NDArray[np.float32], sigma_gy: NDArray[np.float64]) -> float:
    """Mean of standard error over dose in percent, voxels above half of the maximum; 0 without dose."""
    is_high = dose_gy > _HIGH_FRAC * float(dose_gy.max())
    return 100.0 * float((sigma_gy[is_high] / dose_gy[is_high]).mean()) if np.any(is_high) else 0.0
