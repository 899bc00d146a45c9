"""How certain a plan's Monte Carlo dose is: standard errors of its beams, added up."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.dose import DoseResult
from ert.domain.identity import read_only
from ert.errors import Refused

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
    """

    sigma_gy: NDArray[np.float32] = attrs.field(converter=read_only, repr=False)
    mean_pct: float
    histories: int

    def engine_text(self, engine: str) -> str:
        """The engine's name and version with the plan's statistics in place of one beam's."""
        return f"{engine.split(',', 1)[0]}, {self.mean_pct:.2f} %, {self.histories} histories"

    @property
    def sentence(self) -> str:
        """What is said wherever the dose is stated."""
        return (
            f"Statistical uncertainty {self.mean_pct:.1f} % (one standard deviation, mean over the voxels above half "
            f"of the maximum); {self.histories:,} histories."
        )


def plan_uncertainty(
    results: Sequence[DoseResult], mu_per_fraction: Sequence[float], fractions: int, plan_gy: NDArray[np.float32]
) -> DoseUncertainty | None:
    """Uncertainty of the sum of beams; None if no engine had noise.

    Beams with different requests run different histories, so their variances add; two beams with one request share
    their histories, so their errors add.

    Parameters
    ----------
    plan_gy : float32 [z, y, x], the dose of the same beams.

    Raises
    ------
    Refused
        If only some of the beams state their errors.
    """
    stated = [r.statistics for r in results if r.statistics is not None]
    if not stated:
        return None
    if len(stated) != len(results):
        raise Refused("Only some of the beams state how certain their dose is.", hint="Compute the dose again.")
    factors: dict[str, float] = {}
    by_request = {r.request_digest: r for r in results}
    for result, mu in zip(results, mu_per_fraction, strict=True):
        factors[result.request_digest] = factors.get(result.request_digest, 0.0) + mu * fractions
    variance = np.zeros(plan_gy.shape, dtype=np.float64)
    for digest, factor in factors.items():
        variance += (factor * _sigma(by_request[digest])) ** 2
    sigma = np.sqrt(variance)
    mean_pct = stated[0].uncertainty_pct if len(factors) == 1 else _mean_pct(plan_gy, sigma)
    unique = [s for r in by_request.values() if (s := r.statistics) is not None]
    return DoseUncertainty(
        sigma_gy=sigma.astype(np.float32), mean_pct=mean_pct, histories=sum(s.histories for s in unique)
    )


def _sigma(result: DoseResult) -> NDArray[np.float64]:
    """Standard error of Gy per MU."""
    if result.statistics is None:
        raise Refused("A dose without its standard errors has no uncertainty.")
    return result.gy_per_mu.astype(np.float64) * result.statistics.relative_sigma


def _mean_pct(dose_gy: NDArray[np.float32], sigma_gy: NDArray[np.float64]) -> float:
    is_high = dose_gy > _HIGH_FRAC * float(dose_gy.max())
    return 100.0 * float((sigma_gy[is_high] / dose_gy[is_high]).mean()) if np.any(is_high) else 0.0
