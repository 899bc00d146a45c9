"""Hogstrom's pencil beam with a wide second Gaussian, on the fan of the virtual source.

Equations and their sources: docs/physics/pencil_beam.md. Everything here works on arrays; `ert.dose.engine` ties it to
patient, beam and dose grid.
"""

from __future__ import annotations

import functools

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.beam_model import BeamModel
from ert.domain.identity import read_only
from ert.dose.fluence import Fluence
from ert.dose.kernels.combine import add_background, blur_maps
from ert.dose.kernels.spread import spread_planes
from ert.dose.physics import (
    AIR_RELATIVE_SCATTERING,
    fermi_eyges_moments,
    harder_energy_mev,
    scattering_power_water,
)
from ert.dose.remembered import Remembered

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
TABLE_STEP = 0.01
"""Step in u = z/Rp of the tables the kernels read."""
_TABLE_END = 2.0
_KNOTS = 8
_STRIDES = 8
_LEAST_BLUR_PITCHES = 0.3
_WATER_STEP_CM = 0.01
FALL_STEP_CM, _FALL_END_CM = 0.05, 60.0
LEAST_VARIANCE_CM2 = 1e-4


@attrs.frozen(kw_only=True)
class ModelTables:
    """A model's functions of u = z/Rp in steps of 0.01, and its g(z), as the kernels read them.

    Attributes
    ----------
    power : scattering power of water at the energy left, rad²/cm.
    scale : f(u); wide : b(u); ratio : width of the wide component over that of the core.
    angle : A0 of a pencil in water, rad².
    dose : g(z) in steps of `dose_step_cm`, Gy/MU, zero at the end.
    air_rad2_per_cm : scattering power of air at the surface energy, as fitted.
    """

    power: Float
    scale: Float
    wide: Float
    ratio: Float
    angle: Float
    dose: Float
    dose_step_cm: float
    air_rad2_per_cm: float


_tables: Remembered[ModelTables] = Remembered(8)
_variances: Remembered[Float] = Remembered(8)
_falls: Remembered[Float32] = Remembered(8)
_electrons: Remembered[Float32] = Remembered(8)


def depth_dose_gy_per_mu(model: BeamModel, ssd_cm: float) -> Float:
    """g(z) at this SSD, Gy/MU, in steps of `depth_step_cm` (equation (11c)): the model's own at the reference SSD."""
    g = model.electron_gy_per_mu
    if not model.distance_frac:
        return g
    u = np.arange(len(g)) * model.depth_step_cm / model.practical_range_cm
    slope = np.interp(u, model.distance_frac, model.distance_slope_per_cm)
    return np.asarray(g * np.exp(slope * (ssd_cm - model.reference_ssd_cm)))


def model_tables(model: BeamModel, ssd_cm: float) -> ModelTables:
    """Tables of a model for a beam of this SSD."""
    return _tables.get(model, ssd_cm, lambda: _make_tables(model, ssd_cm))


def _make_tables(model: BeamModel, ssd_cm: float) -> ModelTables:
    u = np.arange(0.0, _TABLE_END + TABLE_STEP / 2, TABLE_STEP)
    middle = harder_energy_mev(model.surface_energy_mev, u[:-1] + TABLE_STEP / 2)
    shape = np.array(model.wide_shape or (1.0,) * len(model.depth_frac))
    a0, _, _ = fermi_eyges_moments(scattering_power_water(middle), TABLE_STEP * model.practical_range_cm)
    return ModelTables(
        angle=read_only(a0),
        power=read_only(scattering_power_water(harder_energy_mev(model.surface_energy_mev, u))),
        scale=read_only(np.interp(u, model.depth_frac, model.scatter_scale)),
        wide=read_only(np.interp(u, model.depth_frac, model.wide_frac)),
        ratio=read_only(model.wide_ratio * np.interp(u, model.depth_frac, shape)),
        dose=read_only(np.append(depth_dose_gy_per_mu(model, ssd_cm), 0.0)),
        dose_step_cm=model.depth_step_cm,
        air_rad2_per_cm=float(scattering_power_water(model.surface_energy_mev))
        * AIR_RELATIVE_SCATTERING
        * model.source.air_scatter_scale,
    )


@attrs.frozen(kw_only=True)
class Rays:
    """What the pencils meet, on the nodes of the fan.

    Attributes
    ----------
    nodes_cm : distances of the planes from the nominal source.
    depth_cm : float32 [node, y, x] water-equivalent depth.
    variance_cm2 : float32 [node, y, x] f² A2, scattering since the surface.
    entry_cm : float32 [y, x] where tissue begins on the ray, from the nominal source; negative for never.
    first : planes before this one are not needed, nor are those behind the arrays' last: `nodes_cm` may go on.
    is_read : bool [node], the planes whose dose somebody reads; None for all.
    """

    nodes_cm: Float
    depth_cm: Float32
    variance_cm2: Float32
    entry_cm: Float32
    first: int = 0
    is_read: NDArray[np.bool_] | None = None


@functools.lru_cache(maxsize=32)
def scattered(first: int, end: int) -> NDArray[np.int64]:
    """First … end − 1 in strides of eight: threads get equal runs of this order, and so an equal mix of work.

    Read-only; the last few are remembered.
    """
    index = np.arange(first, end)
    return read_only(np.asarray(index[np.argsort(index % _STRIDES, kind="stable")], dtype=np.int64))


def plane_order(rays: Rays) -> NDArray[np.int64]:
    """The planes that are needed, neighbours far apart."""
    order = scattered(rays.first, len(rays.depth_cm))
    return order if rays.is_read is None else order[rays.is_read[order]]


def fan_dose(
    model: BeamModel,
    tables: ModelTables,
    fluence: Fluence,
    rays: Rays,
    *,
    sad_cm: float,
    insert_distance_cm: float,
    correction: float = 1.0,
    out: Float32 | None = None,
) -> Float32:
    """Dose to water, Gy/MU, on every node of the fan.

    Parameters
    ----------
    correction : of the output (`output_correction`); 1 for the dose without it.
    out : filled, if given: float32 of the shape of the rays.

    Returns
    -------
    float32 [node, y, x]; planes that nobody reads (`Rays.is_read`) hold anything
    """
    source = model.source
    numbers = np.array([
        fluence.pitch_cm, sad_cm, source.virtual_sad_cm, insert_distance_cm, source.core_angle_rad,
        source.wide_angle_rad, tables.dose_step_cm, model.practical_range_cm,
    ])  # fmt: skip
    dose = np.empty(rays.depth_cm.shape, dtype=np.float32) if out is None else out
    dose[: rays.first] = 0.0
    spread_planes(
        rays.depth_cm, rays.variance_cm2, rays.entry_cm, fluence.rows, fluence.columns, fluence.weight,
        rays.nodes_cm, plane_order(rays), numbers, tables.air_rad2_per_cm, tables.dose, tables.wide, tables.ratio,
        *_background(model, fluence, rays, sad_cm=sad_cm, insert_distance_cm=insert_distance_cm, has_edge=True),
        correction, dose,
    )  # fmt: skip
    return dose


def add_smooth_dose(
    model: BeamModel,
    fluence: Fluence,
    rays: Rays,
    dose: Float32,
    *,
    sad_cm: float,
    insert_distance_cm: float,
    has_edge: bool = True,
    correction: float = 1.0,
    is_empty: NDArray[np.bool_] | None = None,
) -> None:
    """Add edge electrons (`has_edge`), bremsstrahlung and what the insert lets through to the dose on the fan.

    correction : multiplies the whole dose; is_empty : bool [node], planes that hold nothing yet, whatever stands there.
    """
    blurred, knots, falls, laws, numbers = _background(
        model, fluence, rays, sad_cm=sad_cm, insert_distance_cm=insert_distance_cm, has_edge=has_edge
    )
    none = np.zeros(len(rays.nodes_cm), dtype=np.bool_) if is_empty is None else is_empty
    add_background(
        dose, none, rays.depth_cm, blurred, knots, rays.nodes_cm, plane_order(rays), falls, laws, numbers, correction
    )


def _background(
    model: BeamModel, fluence: Fluence, rays: Rays, *, sad_cm: float, insert_distance_cm: float, has_edge: bool
) -> tuple[Float32, Float, Float32, Float, Float]:
    """Blurred maps, their knots, falls, laws and numbers of `add_background`."""
    source, photons = model.source, model.photons
    gaps = rays.nodes_cm - insert_distance_cm
    nearest = max(float(gaps[rays.first]), 0.5)
    knots = _knots_cm(nearest, max(float(gaps[-1]), 1.5 * nearest))
    virtual = source.virtual_sad_cm
    pixels = virtual / ((knots + insert_distance_cm - sad_cm + virtual) * fluence.pitch_cm)
    angles = np.array([source.edge_angle_rad, source.rim_angle_rad, photons.open_angle_rad, photons.blocked_angle_rad])
    sigmas = np.clip(angles[:, None] * knots * pixels, _LEAST_BLUR_PITCHES, float(len(fluence.x_cm)))
    blurred = blur_maps(fluence.maps, sigmas)
    numbers = np.array([sad_cm, virtual, insert_distance_cm, FALL_STEP_CM])
    laws = np.array([
        photons.open_gy_per_mu, photons.buildup_frac, photons.buildup_per_cm, photons.open_attenuation_per_cm,
        photons.blocked_gy_per_mu, photons.blocked_attenuation_per_cm, _FALL_END_CM,
    ])  # fmt: skip
    return blurred, knots, _electron_falls(model, has_edge=has_edge), laws, numbers


@functools.lru_cache(maxsize=32)
def _knots_cm(nearest_cm: float, farthest_cm: float) -> Float:
    """Distances in geometric progression; read-only, the last few are remembered."""
    return read_only(np.asarray(np.geomspace(nearest_cm, farthest_cm, _KNOTS)))


def _electron_falls(model: BeamModel, *, has_edge: bool) -> Float32:
    """Edge and rim of `background_falls` up to where nothing is left of them, and their rises: float32 [depth, 4].

    Read-only; the last few are remembered.
    """
    return _electrons.get(model, has_edge, lambda: read_only(_find_electron_falls(model, has_edge=has_edge)))


def _find_electron_falls(model: BeamModel, *, has_edge: bool) -> Float32:
    falls = background_falls(model)[:2].copy()
    if not has_edge:
        falls[0] = 0.0
    beyond = np.flatnonzero(falls.any(axis=0))
    count = (int(beyond[-1]) if len(beyond) else 0) + 2
    kept = np.pad(falls, ((0, 0), (0, 1)))[:, : count + 1]
    return np.ascontiguousarray(np.concatenate([kept[:, :-1], np.diff(kept)]).T)


def background_falls(model: BeamModel) -> Float32:
    """Dose, Gy/MU, of edge and rim electrons (per 1/cm), open photons and blocked fluence against depth ((6)–(8)).

    Returns
    -------
    float32 [4, depth], steps of 0.05 cm to 60 cm; read-only, the last few are remembered.
    """
    return _falls.get(model, None, lambda: read_only(_background_falls(model)))


def _background_falls(model: BeamModel) -> Float32:
    source, photons = model.source, model.photons
    z = np.arange(0.0, _FALL_END_CM, FALL_STEP_CM)
    u = z / model.practical_range_cm
    if source.edge_depth_frac:
        share = np.interp(u, source.edge_depth_frac, source.edge_share, right=0.0)
    else:
        share = np.maximum(0.0, 1.0 - z / source.edge_range_cm)
    edge = source.edge_gy_cm_per_mu * share
    build = 1.0 - photons.buildup_frac * np.exp(-photons.buildup_per_cm * z)
    bremsstrahlung = photons.open_gy_per_mu * build * np.exp(-photons.open_attenuation_per_cm * z)
    blocked = photons.blocked_gy_per_mu * np.exp(-photons.blocked_attenuation_per_cm * z)
    rim = np.interp(u, source.rim_depth_frac, source.rim_gy_cm_per_mu, right=0.0)
    return np.stack([edge, rim, bremsstrahlung, blocked]).astype(np.float32)


def water_variance_cm2(model: BeamModel, tables: ModelTables, depths_cm: Float) -> Float:
    """f² A2 of a pencil in flat water at these depths (equations (4), (5)), cm²; the last few are remembered."""
    return _variances.get(model, depths_cm.tobytes(), lambda: read_only(_water_variance(model, tables, depths_cm)))


def _water_variance(model: BeamModel, tables: ModelTables, depths_cm: Float) -> Float:
    end = float(np.max(depths_cm)) + _WATER_STEP_CM
    u = np.arange(0.5 * _WATER_STEP_CM, end, _WATER_STEP_CM) / model.practical_range_cm
    power = np.interp(u, np.arange(len(tables.power)) * TABLE_STEP, tables.power)
    a2 = np.interp(depths_cm, np.arange(len(u) + 1) * _WATER_STEP_CM, fermi_eyges_moments(power, _WATER_STEP_CM)[2])
    scale = np.interp(depths_cm / model.practical_range_cm, np.arange(len(tables.scale)) * TABLE_STEP, tables.scale)
    return np.asarray(scale**2 * a2)


def water_rays(model: BeamModel, tables: ModelTables, fluence: Fluence, *, ssd_cm: float, depths_cm: Float) -> Rays:
    """Rays in a flat water phantom on planes at the given depths (rising), for beams along its normal.

    The outer rays are slanted: their path is longer than the depth by sqrt(1 + (X² + Y²) / SAD_v²).
    """
    x2, y2 = fluence.x_cm[None, :] ** 2, fluence.y_cm[:, None] ** 2
    path = np.sqrt(1.0 + (x2 + y2) / model.source.virtual_sad_cm**2)

    def spread(values: Float, scale: Float) -> Float32:
        return np.ascontiguousarray(values[:, None, None] * scale[None], dtype=np.float32)

    return Rays(
        nodes_cm=ssd_cm + depths_cm,
        depth_cm=spread(depths_cm, path),
        variance_cm2=spread(water_variance_cm2(model, tables, depths_cm), path),
        entry_cm=np.full(path.shape, ssd_cm, dtype=np.float32),
    )


def water_dose(
    model: BeamModel, fluence: Fluence, *, ssd_cm: float, depths_cm: Float, sad_cm: float, insert_distance_cm: float
) -> Float32:
    """Dose to water, Gy/MU, without the output correction, on planes of a flat water phantom: float32 [depth, y, x].

    Columns and rows are fan coordinates (`Fluence.x_cm`): a point x cm off the axis at distance L from the nominal
    source lies at x · SAD_v / (L − SAD + SAD_v).
    """
    tables = model_tables(model, ssd_cm)
    rays = water_rays(model, tables, fluence, ssd_cm=ssd_cm, depths_cm=depths_cm)
    return fan_dose(model, tables, fluence, rays, sad_cm=sad_cm, insert_distance_cm=insert_distance_cm)
