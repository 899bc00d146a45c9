"""Cutout factors from measured inserts: a smooth surface over width and length of the equivalent ellipse."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.identity import read_only
from ert.errors import OutsideModel
from ert.geometry.opening import convex_hull, signed_distance_cm

Float = NDArray[np.float64]
LEAST_INSERTS = 8
_SPREAD = 0.05  # prior standard deviation of ln factor
_LENGTH = 1.0  # correlation length in ln width and ln length: a factor e in size
_REPEAT = 0.005  # standard deviation between two makings and measurements of one cutout
_HULL_CM = 0.05


def _row() -> Float:
    row: Float = attrs.field(converter=read_only, eq=attrs.cmp_using(eq=np.array_equal), repr=False)
    return row


@attrs.frozen(kw_only=True)
class InsertModel:
    """Gaussian process of ln(cutout factor) in (ln width, ln length) with a constant mean of its own.

    Prior standard deviation 5 %, squared-exponential correlation of length 1 in both logarithms, noise 0.5 % or what
    was stated for a point if that is more; the mean is the generalised least squares one (ordinary kriging). The three
    numbers are fixed for all machines, so that nothing is tuned to the few points of one (Rasmussen and Williams,
    Gaussian Processes for Machine Learning, 2006, eq. 2.41, 5.12). Two exact consequences are used: predictive standard
    deviation and leave-one-out residuals.

    Attributes
    ----------
    width_cm, length_cm, factor : the measured points, (n,).
    inverse, weights : projected inverse covariance (n, n), and that times ln factor.
    leave_one_out : predicted over measured minus 1 of each point from all others.
    """

    width_cm: Float = _row()
    length_cm: Float = _row()
    factor: Float = _row()
    inverse: Float = _row()
    weights: Float = _row()
    mean: Float = _row()
    leave_one_out: Float = _row()

    @property
    def leave_one_out_sigma(self) -> Float:
        """Standard deviation of the leave-one-out residuals, array ()."""
        return np.asarray(np.std(self.leave_one_out, ddof=1))

    def predict(self, *, width_cm: float, length_cm: float) -> tuple[float, float]:
        """Cutout factor of an equivalent ellipse and its relative standard deviation.

        The deviation is the larger of the process's own and the leave-one-out one.

        Raises
        ------
        OutsideModel
            The ellipse lies outside the convex hull of the measured widths and lengths by more than 0.05 cm.
        """
        self._require_inside(width_cm, length_cm)
        at = np.log([[width_cm, length_cm]])
        known = np.log(np.stack([self.width_cm, self.length_cm], axis=1))
        cross = _covariance(at, known)[0]
        value = float(self.mean[0] + cross @ self.weights)
        one = 1.0 - cross @ self.inverse @ np.ones(len(known))
        total = float(np.ones(len(known)) @ self.inverse @ np.ones(len(known)))
        variance = _SPREAD**2 - cross @ self.inverse @ cross + one**2 / total
        sigma = max(float(np.sqrt(max(variance, 0.0))), float(self.leave_one_out_sigma))
        return float(np.exp(value)), sigma

    def _require_inside(self, width_cm: float, length_cm: float) -> None:
        points = np.stack([self.width_cm, self.length_cm], axis=1)
        inside = float(signed_distance_cm(convex_hull(points), [(width_cm, length_cm)])[0])
        if inside < -_HULL_CM:
            raise OutsideModel(
                f"The opening ({width_cm:.2f} cm wide, {length_cm:.2f} cm long) lies outside the {len(points)} "
                f"measured inserts ({self.width_cm.min():.2f}–{self.width_cm.max():.2f} cm wide, "
                f"{self.length_cm.min():.2f}–{self.length_cm.max():.2f} cm long).",
                hint="Measure this cutout.",
            )


def _covariance(a: Float, b: Float) -> Float:
    squared = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
    return np.asarray(_SPREAD**2 * np.exp(-0.5 * squared / _LENGTH**2))


def fit_insert_model(
    width_cm: ArrayLike, length_cm: ArrayLike, factor: ArrayLike, relative_sigma: ArrayLike = 0.0
) -> InsertModel:
    """The surface through measured cutout factors of ONE machine, energy, applicator and SSD.

    Parameters
    ----------
    width_cm, length_cm : of the equivalent ellipses, (n,).
    factor : dose with the cutout over dose with the open applicator, (n,); not its inverse.
    relative_sigma : standard deviation of each, or of all.

    Raises
    ------
    OutsideModel
        Fewer than 8 inserts, or all of one size.
    """
    width, length = np.asarray(width_cm, dtype=np.float64), np.asarray(length_cm, dtype=np.float64)
    values = np.log(np.asarray(factor, dtype=np.float64))
    if len(values) < LEAST_INSERTS:
        raise OutsideModel(
            f"{len(values)} inserts were measured; a smooth table needs {LEAST_INSERTS}.", hint="Measure more inserts."
        )
    if len(convex_hull(np.stack([width, length], axis=1))) < 3:
        raise OutsideModel("The measured inserts do not span an area of widths and lengths.", hint="Measure others.")
    points = np.log(np.stack([width, length], axis=1))
    noise = np.maximum(np.broadcast_to(np.asarray(relative_sigma, dtype=np.float64), values.shape), _REPEAT)
    inverse = np.asarray(np.linalg.inv(_covariance(points, points) + np.diag(noise**2)), dtype=np.float64)
    ones = np.ones(len(values))
    mean = float(ones @ inverse @ values) / float(ones @ inverse @ ones)
    projected = inverse - np.outer(inverse @ ones, ones @ inverse) / float(ones @ inverse @ ones)
    return InsertModel(
        width_cm=width,
        length_cm=length,
        factor=np.exp(values),
        inverse=inverse,
        weights=inverse @ (values - mean),
        mean=np.array([mean]),
        leave_one_out=np.expm1(-(projected @ values) / np.diag(projected)),
    )
