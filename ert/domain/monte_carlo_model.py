"""What the Monte Carlo needs of a machine's beam, how long it runs, and what it says about its own uncertainty."""

from __future__ import annotations

import hashlib

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.identity import ADDED_LATER, read_only
from ert.errors import Refused

Float = NDArray[np.float64]
DEFAULT_UNCERTAINTY_PCT = 2.0
LEAST_UNCERTAINTY_PCT, MOST_UNCERTAINTY_PCT = 0.5, 3.0
DEFAULT_MAX_HISTORIES = 400_000_000
DEFAULT_SEED = 20_240_601


def _row(value: ArrayLike) -> Float:
    array = np.array(value, dtype=np.float64)
    if array.ndim != 1 or not np.all(np.isfinite(array)):
        raise Refused("A table of a Monte Carlo source must be a row of finite numbers.")
    return read_only(array)


def _table() -> Float:
    table: Float = attrs.field(converter=_row, eq=attrs.cmp_using(eq=np.array_equal), repr=False)
    return table


@attrs.frozen(kw_only=True)
class MonteCarloModel:
    """Electrons on the upstream face of the insert, and the insert (docs/physics/monte_carlo.md, "Source").

    Attributes
    ----------
    electrons_per_cm2_mu : planar fluence on the axis at the insert's upstream face.
    spectrum_edges_mev, spectrum_share : energy bins and the share of electrons in each; shares sum to 1.
    core_angle_rad : projected angular spread about the fan of the virtual source, RMS.
    wide_frac, wide_angle_rad : share of electrons with an additional spread, and that spread; if it is
        above 0.2 rad, they are those of the lowest energies: what scatters an electron so widely also takes energy.
    slow_below_mev, slow_angle_rad : all other electrons below this energy, and their projected spread about the fan,
        RMS, in place of the core's: what has met a collimator has lost energy and is spread more.
    virtual_sad_cm : virtual electron source to isocentre.
    off_axis, off_axis_limit_cm : as in `ert.domain.beam_model.SourceModel`.
    photons_per_electron, photon_angle_rad : contaminant photons above 0.2 MeV, with the spectrum of thin-target
        bremsstrahlung of the electrons, over the same area, and their projected spread about the fan.
    irradiated_margin_cm : how far beyond the applicator's opening electrons reach the insert, isocentre plane.
    insert_thickness_cm, insert_medium, insert_density_g_cm3 : the metal around the opening; walls parallel to the axis.
    tables_digest : of the tables the source was fitted with.
    """

    electrons_per_cm2_mu: float
    spectrum_edges_mev: Float = _table()
    spectrum_share: Float = _table()
    core_angle_rad: float
    wide_frac: float
    wide_angle_rad: float
    virtual_sad_cm: float
    off_axis: tuple[float, float]
    off_axis_limit_cm: float
    photons_per_electron: float
    photon_angle_rad: float
    irradiated_margin_cm: float
    insert_thickness_cm: float
    insert_medium: str
    insert_density_g_cm3: float
    tables_digest: str
    slow_below_mev: float = attrs.field(default=0.0, metadata=ADDED_LATER)
    slow_angle_rad: float = attrs.field(default=0.0, metadata=ADDED_LATER)

    def __attrs_post_init__(self) -> None:
        edges, share = self.spectrum_edges_mev, self.spectrum_share
        if len(edges) != len(share) + 1 or np.any(np.diff(edges) <= 0) or edges[0] <= 0:
            raise Refused("The spectrum of a Monte Carlo source needs rising bins, one more edge than shares.")
        if np.any(share < 0) or abs(float(share.sum()) - 1.0) > 1e-9:  # noqa: PLR2004
            raise Refused("The spectrum of a Monte Carlo source must be non-negative and sum to one.")

    @property
    def mean_energy_mev(self) -> float:
        """Mean energy on the insert."""
        edges = self.spectrum_edges_mev
        return float(np.dot(self.spectrum_share, 0.5 * (edges[1:] + edges[:-1])))


SEED_DIGITS = 15  # of a digest, hexadecimal: 60 bits


@attrs.frozen(kw_only=True)
class MonteCarloSettings:
    """When to stop, and which random numbers.

    Attributes
    ----------
    uncertainty_pct : mean relative standard error over voxels above half of the maximum, one standard deviation.
    max_histories : stops there even if the uncertainty is not reached; the result says so.
    seed : of all histories.
    threads : 0 for all processors; the result does not depend on it.
    """

    uncertainty_pct: float = DEFAULT_UNCERTAINTY_PCT
    max_histories: int = DEFAULT_MAX_HISTORIES
    seed: int = DEFAULT_SEED
    threads: int = 0

    def __attrs_post_init__(self) -> None:
        if not LEAST_UNCERTAINTY_PCT <= self.uncertainty_pct <= MOST_UNCERTAINTY_PCT:
            raise Refused(
                f"The Monte Carlo's uncertainty must be {LEAST_UNCERTAINTY_PCT:g} to {MOST_UNCERTAINTY_PCT:g} %, "
                f"not {self.uncertainty_pct:g} %."
            )
        if self.max_histories <= 0 or not 0 <= self.seed < 2**63 or self.threads < 0:
            raise Refused("Histories must be above zero, seed and threads not negative.")


def beam_settings(settings: MonteCarloSettings, beam_number: int) -> MonteCarloSettings:
    """The settings of one beam of a plan that was given one seed: a stream of random numbers of its own.

    With one stream for all, beams would scatter together, and their errors would not add as variances.
    """
    text = f"{settings.seed} beam {beam_number}".encode("ascii")
    return attrs.evolve(settings, seed=int(hashlib.sha256(text).hexdigest()[:SEED_DIGITS], 16))


def _errors(value: ArrayLike) -> NDArray[np.float32]:
    array = np.asarray(value)
    if array.dtype != np.float32 or not np.all(np.isfinite(array)) or np.any(array < 0):
        raise Refused("Standard errors of a dose must be 32-bit floats, finite and not negative.")
    return read_only(array)


@attrs.frozen(kw_only=True, eq=False)
class DoseStatistics:
    """How certain a Monte Carlo dose is.

    Attributes
    ----------
    relative_sigma : float32 [z, y, x] on the dose grid, standard error over dose; 0 where there is no dose.
    uncertainty_pct : mean of it over voxels above half of the maximum.
    histories, seed, batches : what was run.
    """

    relative_sigma: NDArray[np.float32] = attrs.field(converter=_errors, repr=False)
    uncertainty_pct: float
    histories: int
    seed: int
    batches: int
