"""A synthetic left chest wall after mastectomy, as functions of position.

Shapes are quadrics evaluated with + − × ÷ and √ only, which IEEE 754 rounds alike everywhere: the demo patient has the
same bytes on every machine. Lengths in cm, patient LPS: x to the left, y posterior, z superior; the body's axis is at
x = y = 0.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
BODY_X_CM, BODY_Y_CM = 16.5, 10.5
_CAVITY_X_CM, _CAVITY_Y_CM, _CAVITY_Y0_CM = 13.6, 8.2, -0.4
_RIB_PITCH_CM, _RIB_DROP_CM, _RIB_HALF_CM = 2.6, 4.5, 0.55


@attrs.frozen(kw_only=True)
class Anatomy:
    """Signed fields on a slice or volume: positive inside, roughly cm near the surface."""

    body: Field
    cavity: Field
    lung_left: Field
    lung_right: Field
    heart: Field
    target: Field


def _ellipsoid(x: Field, y: Field, z: Field, centre: tuple[float, ...], radii: tuple[float, ...]) -> Field:
    """Roughly the distance to an ellipsoid's surface, positive inside."""
    q = np.sqrt(
        ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 + ((z - centre[2]) / radii[2]) ** 2
    )
    return (1.0 - q) * min(radii)


def _radial(x: Field, y: Field, a: float | Field, b: float | Field, y0: float) -> Field:
    """Distance to an elliptic cylinder's surface along the ray from its axis, positive inside."""
    dy = y - y0
    r = np.sqrt(x * x + dy * dy) + 1e-9
    q = np.sqrt((x / a) ** 2 + (dy / b) ** 2) + 1e-9
    return r / q - r


def anatomy(x: Field, y: Field, z: Field) -> Anatomy:
    """Fields of all structures at the given points (broadcast together)."""
    taper = 1.0 - 0.0006 * z * z
    trunk = _radial(x, y, BODY_X_CM * taper, BODY_Y_CM * taper, 0.0)
    breast = _ellipsoid(x, y, z, (-8.0, -8.6, -2.0), (6.0, 4.6, 7.0))
    body = np.maximum(trunk, breast)
    cavity = _radial(x, y, _CAVITY_X_CM * taper, _CAVITY_Y_CM * taper, _CAVITY_Y0_CM)
    heart = _ellipsoid(x, y, z, (3.0, -2.6, -3.0), (5.2, 4.4, 5.6))
    mediastinum = 1.0 - np.sqrt((x / 3.0) ** 2 + (y / 9.5) ** 2)
    diaphragm = z + 7.0 + 0.03 * ((np.abs(x) - 7.0) ** 2 + y * y)
    lung = np.minimum(np.minimum(cavity - 0.2, -3.0 * mediastinum), np.minimum(-heart - 0.1, diaphragm))
    side_left, side_right = x - 0.0, 0.0 - x
    band = np.minimum(x - 1.5, -y - 0.42 * x)
    height = np.minimum(z + 6.2, 6.4 - z)
    wall = np.minimum(trunk - 0.3, 0.1 - cavity)
    target = np.minimum(wall, np.minimum(band, height))
    return Anatomy(
        body=body,
        cavity=cavity,
        lung_left=np.minimum(lung, side_left),
        lung_right=np.minimum(lung, side_right),
        heart=heart,
        target=target,
    )


def _bones(x: Field, y: Field, z: Field, shapes: Anatomy, hu: NDArray[np.int32]) -> None:
    """Ribs (descending forwards in the wall around the cavity), sternum, vertebrae; written into ``hu``."""
    outside = -shapes.cavity
    forward = (_CAVITY_Y0_CM + _CAVITY_Y_CM - y) / (2.0 * _CAVITY_Y_CM)
    level = (z + _RIB_DROP_CM * forward) / _RIB_PITCH_CM
    rib = np.minimum(_RIB_HALF_CM - np.abs(level - np.rint(level)) * _RIB_PITCH_CM, 0.45 - np.abs(outside - 0.65))
    hu[rib > 0] = 700
    hu[rib > 0.18] = 250
    sternum = np.minimum(0.5 - np.abs(y + 9.35), np.minimum(1.7 - np.abs(x), z + 6.5))
    hu[sternum > 0] = 550
    hu[sternum > 0.18] = 220
    vertebra = 1.9 - np.sqrt(x * x + (y - 5.6) ** 2)
    hu[vertebra > 0] = 600
    hu[vertebra > 0.25] = 280
    arch = np.minimum(1.5 - np.sqrt(x * x + (y - 7.9) ** 2), np.sqrt(x * x + (y - 7.9) ** 2) - 0.9)
    hu[arch > 0] = 500
    hu[np.sqrt(x * x + (y - 7.9) ** 2) < 0.9] = 30


def ct_numbers(x: Field, y: Field, z: Field) -> NDArray[np.int32]:
    """CT numbers, HU, without blur and noise, of the points (broadcast together)."""
    x, y, z = np.broadcast_arrays(x, y, z)
    shapes = anatomy(x, y, z)
    hu = np.full(shapes.body.shape, -1000, dtype=np.int32)
    inside = shapes.body > 0
    hu[inside] = 42
    hu[inside & (shapes.body < 0.7)] = -95
    gland = inside & (shapes.body >= 0.7) & (shapes.cavity < -2.3) & (y < -5.0) & (x < 0)
    hu[gland] = -40
    hu[inside & (shapes.body < 0.15)] = 20
    hu[(shapes.lung_left > 0) | (shapes.lung_right > 0)] = -740
    hu[shapes.heart > 0] = 45
    _bones(x, y, z, shapes, hu)
    hu[~inside] = -1000
    return hu
