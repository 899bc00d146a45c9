"""Fluence behind the insert on the lattice of pencils: open fraction, off-axis ratio, edge length, blocked area."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.beam_model import BeamModel, SourceModel
from ert.domain.device import Outline
from ert.domain.identity import read_only
from ert.domain.machine import Applicator
from ert.dose.kernels.rasterise import fluence_maps, rasterise_polygon
from ert.dose.remembered import Remembered
from ert.geometry.opening import CIRCLE_TOLERANCE_CM, largest_circle

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
PENCIL_PITCH_CM, FINE_PITCH_CM = 0.25, 0.125
_FINE_BELOW_CM = 2.5
_BLOCK = 8
_ELECTRON_MARGIN_CM = 5.0
_PHOTON_MARGIN_CM = 3.0
_EDGE_AT_CM = 5.0
_LEAST_COVER = 1e-9
"""Beside an opening sums of edge pieces may leave 1e-16: no pencil stands there."""


@attrs.frozen(kw_only=True)
class Fluence:
    """What passes the insert, on square pixels of the isocentre plane as seen from the virtual source.

    Attributes
    ----------
    pitch_cm : side of a pixel, also the pitch of the pencils.
    x_cm, y_cm : centres of columns and rows; the beam axis lies on a pixel corner.
    maps : float32 [4, y, x]: outline length × `edge_weight` per area (1/cm) with the model's growth and with growth 1
        (rim), open fraction × off-axis ratio, blocked fraction.
    rows, columns, weight : pixels that carry electrons and their open fraction × off-axis ratio.
    """

    pitch_cm: float
    x_cm: Float
    y_cm: Float
    maps: Float32
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    weight: Float


_fluences: Remembered[Fluence] = Remembered(8)
_fields: Remembered[tuple[Float, Float]] = Remembered(8)


def outline_scale(virtual_sad_cm: float, sad_cm: float, insert_distance_cm: float) -> float:
    """From the outline projected by the nominal source to the one projected by the virtual source.

    Both are the same metal at the insert plane: × insert / SAD back to the metal, then forward from the virtual source.
    """
    return insert_distance_cm / sad_cm * virtual_sad_cm / (virtual_sad_cm - sad_cm + insert_distance_cm)


def off_axis_ratio(source: SourceModel, radius_cm: NDArray[np.float64]) -> Float:
    """1 + c2 (r/10)² + c4 (r/10)⁴, constant beyond the radius up to which profiles were measured."""
    q = (np.minimum(radius_cm, source.off_axis_limit_cm) / 10.0) ** 2
    return np.asarray(1.0 + source.off_axis[0] * q + source.off_axis[1] * q * q)


def edge_weight(growth_frac: float, offset_cm: ArrayLike) -> Float:
    """Share of electrons scattered per length of edge, 1 for an edge 5 cm from the axis (equation (6)).

    A part that every edge scatters, and a part that grows with the distance of the edge from the axis: a straight wall
    intercepts a strip of the diverging beam whose width is wall height × distance / SAD_v. An edge that faces away from
    the beam's divergence (the near side of an off-axis opening) intercepts nothing.
    """
    return np.asarray(1.0 - growth_frac + growth_frac * np.maximum(0.0, offset_cm) / _EDGE_AT_CM)


def _edge_offsets(outline: Float) -> Float:
    """Signed distance of the axis from each edge's line, positive for an outline around the axis."""
    x, y = outline.T
    next_x, next_y = np.concatenate([outline[1:], outline[:1]]).T
    dx, dy = next_x - x, next_y - y
    sense = 1.0 if float(np.dot(x, next_y) - np.dot(y, next_x)) > 0 else -1.0
    return np.asarray(sense * (x * dy - y * dx) / np.maximum(np.hypot(dx, dy), 1e-9))


def _lattice(outline: Float, irradiated_cm: Float, pitch_cm: float) -> Float:
    """Centres of the pixels along one side of the square lattice."""
    reach = max(float(np.abs(outline).max()) + _ELECTRON_MARGIN_CM, float(irradiated_cm.max()) + _PHOTON_MARGIN_CM)
    half = _BLOCK // 2 * math.ceil(reach / (pitch_cm * (_BLOCK // 2)))
    return np.asarray((np.arange(2 * half) - half + 0.5) * pitch_cm, dtype=np.float64)


def _coverage_1d(centres_cm: Float, half_width_cm: float, pitch_cm: float) -> Float:
    return np.clip((half_width_cm - np.abs(centres_cm)) / pitch_cm + 0.5, 0.0, 1.0)


def pencil_pitch_cm(outline_cm: Outline) -> float:
    """Pitch of the pencils for an opening: 2.5 mm; 1.25 mm where no circle of 5 cm diameter fits in.

    In narrow openings the dose bends so much across the beam that the straight lines between lattice points, half a
    pitch off the axis, would lose up to 2 % of it.
    """
    return FINE_PITCH_CM if largest_circle(outline_cm)[1] < _FINE_BELOW_CM - CIRCLE_TOLERANCE_CM else PENCIL_PITCH_CM


def build_fluence(
    model: BeamModel,
    outline_cm: Outline,
    applicator: Applicator,
    *,
    sad_cm: float,
    insert_distance_cm: float,
    pitch_cm: float = PENCIL_PITCH_CM,
) -> Fluence:
    """Fluence of a cutout in an applicator; the last few are remembered.

    Parameters
    ----------
    outline_cm : opening at the isocentre plane, projected from the nominal source.
    pitch_cm : pixel side at the isocentre plane.
    """
    rest = (tuple(map(tuple, outline_cm)), applicator, sad_cm, insert_distance_cm, pitch_cm)
    of_source_cm = sad_cm, insert_distance_cm
    return _fluences.get(model, rest, lambda: make_fluence(model, outline_cm, applicator, of_source_cm, pitch_cm))


def make_fluence(
    model: BeamModel, outline_cm: Outline, applicator: Applicator, of_source_cm: tuple[float, float], pitch_cm: float
) -> Fluence:
    """As `build_fluence`, remembered by nobody: for what is looked at once. of_source_cm : to isocentre and insert."""
    scale = outline_scale(model.source.virtual_sad_cm, *of_source_cm)
    outline = np.asarray(outline_cm, dtype=np.float64) * scale
    margin = model.photons.irradiated_margin_cm
    irradiated = 0.5 * scale * np.array([applicator.opening_x_cm, applicator.opening_y_cm]) + margin
    centres = _lattice(outline, irradiated, pitch_cm)
    count = len(centres)
    pixel = outline / pitch_cm + count / 2
    offsets = _edge_offsets(np.asarray(outline_cm, dtype=np.float64))
    weights = np.stack([edge_weight(model.source.edge_growth_frac, offsets), edge_weight(1.0, offsets)], axis=1)
    x, y = np.ascontiguousarray(pixel.T)
    cover, length = rasterise_polygon(x, y, weights, count, count)
    ratio, whole = _whole_field(model, centres, irradiated, pitch_cm)
    maps, rows, columns, weight = fluence_maps(cover, length, ratio, whole, pitch_cm, _LEAST_COVER)
    return Fluence(
        pitch_cm=pitch_cm,
        x_cm=read_only(centres),
        y_cm=read_only(centres),
        maps=read_only(maps),
        rows=read_only(rows),
        columns=read_only(columns),
        weight=read_only(weight),
    )


def _whole_field(model: BeamModel, centres_cm: Float, irradiated_cm: Float, pitch_cm: float) -> tuple[Float, Float]:
    """Off-axis ratio, and the irradiated part, of each pixel of a lattice: of no cutout, so the last few are kept.

    irradiated_cm : half width and half height of what is irradiated behind the applicator.
    """

    def make() -> tuple[Float, Float]:
        ratio = off_axis_ratio(model.source, np.hypot(centres_cm[:, None], centres_cm[None, :]))
        x, y = (_coverage_1d(centres_cm, half_cm, pitch_cm) for half_cm in irradiated_cm)
        return read_only(ratio), read_only(np.outer(y, x))

    return _fields.get(model, (centres_cm.tobytes(), irradiated_cm.tobytes(), pitch_cm), make)
