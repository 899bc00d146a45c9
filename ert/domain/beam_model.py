"""Beam models: what commissioning found out about one energy of one machine, and what it may be used for."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.acceptance import EnergyAcceptance
from ert.domain.identity import ADDED_LATER, digest_of, read_only
from ert.domain.machine import Machine
from ert.domain.monte_carlo_model import MonteCarloModel
from ert.domain.output_tables import OutputTables
from ert.errors import OutsideModel, Refused

Float = NDArray[np.float64]
DEMO_LABEL = "DEMO, not for clinical use"
_GRAZING_DEG = 90.0


def _table(value: ArrayLike) -> Float:
    array = np.array(value, dtype=np.float64)
    if array.ndim != 1 or not np.all(np.isfinite(array)):
        raise Refused("A table of a beam model must be a row of finite numbers.")
    return read_only(array)


def _field_table() -> Float:
    table: Float = attrs.field(converter=_table, eq=attrs.cmp_using(eq=np.array_equal), repr=False)
    return table


@attrs.frozen(kw_only=True)
class FittedParameter:
    """One parameter with one standard uncertainty (0 where it follows from others) and where it comes from."""

    name: str
    value: float
    uncertainty: float
    source: str


@attrs.frozen(kw_only=True)
class MeasuredRange:
    """Depths and incidence at which a model was compared with measurements: a plan beyond them is told so, not refused.

    Attributes
    ----------
    depth_min_cm, depth_max_cm : first and last measured point of the reference depth dose, in water.
    incidence_max_deg : angle of the beam's axis to the surface's normal up to which the oblique phantom checks passed
        with every fitted engine; 0 where none was measured.
    """

    depth_min_cm: float
    depth_max_cm: float
    incidence_max_deg: float

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.depth_min_cm < self.depth_max_cm < math.inf or not 0 <= self.incidence_max_deg < _GRAZING_DEG:
            raise Refused("The measured range of a beam model makes no sense.")


def measured_text(measured: MeasuredRange | None) -> str:
    """Depths and incidence in words."""
    if measured is None:
        return "measured depths and incidence not stated"
    depths = f"measured in water from {measured.depth_min_cm:g} to {measured.depth_max_cm:g} cm deep"
    return f"{depths}, incidence verified to {measured.incidence_max_deg:g}\N{DEGREE SIGN}"


@attrs.frozen(kw_only=True)
class Validity:
    """What the model was commissioned for.

    Attributes
    ----------
    ssd_min_cm, ssd_max_cm : source to surface distances.
    applicator_ids : applicators with a measured output.
    min_side_cm : equivalent square side at the isocentre plane of the smallest measured cutout.
    warn_side_cm : below `min_side_cm` down to this side dose is computed with a warning, below it refused.
    limits : sentences naming what was not measured.
    measured : depths and incidence; None in packages of before format 8, which do not say.
    """

    ssd_min_cm: float
    ssd_max_cm: float
    applicator_ids: tuple[str, ...]
    min_side_cm: float
    warn_side_cm: float
    limits: tuple[str, ...] = ()
    measured: MeasuredRange | None = attrs.field(default=None, metadata=ADDED_LATER)


@attrs.frozen(kw_only=True)
class DepthDoseSummary:
    """Depths, cm, and reference dose of the open reference field in water."""

    depth_of_maximum_cm: float
    r90_cm: float
    r80_cm: float
    r50_cm: float
    rp_cm: float
    surface_frac: float
    photon_tail_frac: float


@attrs.frozen(kw_only=True)
class SourceModel:
    """Electrons as they leave the insert (docs/physics/pencil_beam.md, equations (2)–(4)).

    Attributes
    ----------
    virtual_sad_cm : virtual electron source to isocentre.
    core_angle_rad : projected angular spread at the insert, RMS.
    wide_angle_rad : additional spread of the wide component.
    off_axis : coefficients c2, c4 of 1 + c2 (r / 10 cm)² + c4 (r / 10 cm)⁴, r at the isocentre plane.
    off_axis_limit_cm : the ratio stays constant beyond this radius.
    edge_gy_cm_per_mu, edge_range_cm, edge_angle_rad : electrons scattered from the insert's edge, per length of an
        edge 5 cm from the axis; edge_growth_frac : the part of it that is proportional to that distance.
    edge_depth_frac, edge_share : their dose over that at its greatest against u = z/Rp; where both are empty it falls
        evenly from the surface to edge_range_cm.
    air_scatter_scale : scattering power of air behind the insert over the tabulated one.
    rim_depth_frac, rim_gy_cm_per_mu, rim_angle_rad : electrons slowed down by grazing the wall of the insert less the
        unslowed ones they replace, against u = z/Rp, per length of an edge 5 cm from the axis, proportional to that
        distance.
    """

    virtual_sad_cm: float
    core_angle_rad: float
    wide_angle_rad: float
    off_axis: tuple[float, float]
    off_axis_limit_cm: float
    edge_gy_cm_per_mu: float
    edge_range_cm: float
    edge_angle_rad: float
    edge_growth_frac: float
    air_scatter_scale: float
    rim_angle_rad: float
    rim_depth_frac: Float = _field_table()
    rim_gy_cm_per_mu: Float = _field_table()
    edge_depth_frac: tuple[float, ...] = attrs.field(default=(), metadata=ADDED_LATER)
    edge_share: tuple[float, ...] = attrs.field(default=(), metadata=ADDED_LATER)


@attrs.frozen(kw_only=True)
class PhotonModel:
    """Bremsstrahlung of the open field and what comes through the insert (equations (7), (8))."""

    open_gy_per_mu: float
    open_attenuation_per_cm: float
    open_angle_rad: float
    buildup_frac: float
    buildup_per_cm: float
    blocked_gy_per_mu: float
    blocked_attenuation_per_cm: float
    blocked_angle_rad: float
    irradiated_margin_cm: float


@attrs.frozen(kw_only=True)
class OutputCorrection:
    """Measured over computed output: smooth in the cutout's side, one factor for each applicator, and in SSD.

    correction = applicator factor × side factor(cutout) / side factor(open) × exp(ssd_slope (SSD − reference SSD))

    Attributes
    ----------
    side_cm, side_factor : equivalent square side at the isocentre plane, rising, and the factor.
    applicator_factors : pairs (id, factor).
    ssd_slope_per_cm : logarithmic slope.
    """

    side_cm: Float = _field_table()
    side_factor: Float = _field_table()
    applicator_factors: tuple[tuple[str, float], ...]
    ssd_slope_per_cm: float = 0.0


@attrs.frozen(kw_only=True)
class RedefinitionModel:
    """What the redefinition engine needs beyond source and photons (docs/physics/redefinition.md).

    Attributes
    ----------
    step_cm : distance of its planes; the dose factors hold for this one.
    peak_energy_mev, spread_above_frac, spread_below_frac : spectrum at the insert: its peak and the relative widths of
        the Gaussians above and below it.
    core_angle_rad : projected angular spread at the insert, RMS.
    scatter_factor : on the scattering power of ICRU 35.
    hard_frac, hard_angle_rad : part of the scattering power that comes in single wide-angle scatters, and the projected
        RMS angle of one.
    saturation_rad2 : projected mean square slope in water beyond which scattering widens the core no more.
    straggling_g_cm2, detour_factor : range variance per path of collisions; factor on the one of detours.
    edge_per_cm, edge_angle_rad, edge_range_frac : electrons scattered at the insert's edge, per length of an edge 5 cm
        from the axis, in fluence of the open beam; their angular spread; largest range over that of the open beam.
    buildup_frac, buildup_cm : dose lacking at the surface until secondary electrons are in equilibrium, and the depth
        over which it falls by e.
    node_mev, node_factor : C(E), on evenly spaced energies.
    scale_gy_per_mu : dose of unit fluence and unit stopping power (1 MeV cm²/g).
    output : measured over computed output.
    parameters : for the reader.
    depth_frac, depth_factor : what C(E) leaves of the reference depth dose, at u = z/Rp; distance_slope_per_cm :
        relative change of the electrons' dose per cm of SSD beyond the reference there. Empty in older packages.
    off_axis_change : added to the coefficient c2 of the source's off-axis ratio for this engine.
    """

    step_cm: float
    peak_energy_mev: float
    spread_above_frac: float
    spread_below_frac: float
    core_angle_rad: float
    scatter_factor: float
    hard_frac: float
    hard_angle_rad: float
    saturation_rad2: float
    straggling_g_cm2: float
    detour_factor: float
    edge_per_cm: float
    edge_angle_rad: float
    edge_range_frac: float
    buildup_frac: float
    buildup_cm: float
    node_mev: Float = _field_table()
    node_factor: Float = _field_table()
    scale_gy_per_mu: float
    output: OutputCorrection
    parameters: tuple[FittedParameter, ...] = ()
    depth_frac: tuple[float, ...] = attrs.field(default=(), metadata=ADDED_LATER)
    depth_factor: tuple[float, ...] = attrs.field(default=(), metadata=ADDED_LATER)
    distance_slope_per_cm: tuple[float, ...] = attrs.field(default=(), metadata=ADDED_LATER)
    off_axis_change: float = attrs.field(default=0.0, metadata=ADDED_LATER)


@attrs.frozen(kw_only=True)
class BeamModel:
    """One machine's electron beam of one energy.

    Attributes
    ----------
    machine_name, energy_mev : what it models; energy as named on the machine.
    practical_range_cm, surface_energy_mev : Rp and most probable energy at the surface.
    source, photons, output : see there.
    depth_frac, scatter_scale, wide_frac, wide_ratio : f(u) and b(u) at u = z/Rp, and the width of the wide component
        over that of the core; wide_shape : factor on that width at each u, 1 where it is empty.
    depth_step_cm, electron_gy_per_mu : g(z) at 0, 1, 2 … steps; zero beyond the last.
    reference_applicator_id, reference_ssd_cm, reference_gy_per_mu : the reference condition and its dose per MU.
    reference_depth_cm, reference_dose_gy_per_mu : the smoothed measured depth dose the model reproduces by
        construction (self-test).
    summary, validity, parameters : for the reader; `is_demo` marks models that must never treat.
    distance_frac, distance_slope_per_cm : relative change of g per cm of SSD beyond the reference, at u = z/Rp; empty
        where no other SSD was measured.
    redefinition : for the redefinition engine; None where it was not commissioned.
    monte_carlo : source of the Monte Carlo; None where it was not commissioned.
    """

    machine_name: str
    energy_mev: float
    practical_range_cm: float
    surface_energy_mev: float
    source: SourceModel
    photons: PhotonModel
    output: OutputCorrection
    depth_frac: Float = _field_table()
    scatter_scale: Float = _field_table()
    wide_frac: Float = _field_table()
    wide_ratio: float
    depth_step_cm: float
    electron_gy_per_mu: Float = _field_table()
    reference_applicator_id: str
    reference_ssd_cm: float
    reference_gy_per_mu: float
    reference_depth_cm: Float = _field_table()
    reference_dose_gy_per_mu: Float = _field_table()
    summary: DepthDoseSummary
    validity: Validity
    parameters: tuple[FittedParameter, ...] = ()
    is_demo: bool = False
    redefinition: RedefinitionModel | None = attrs.field(default=None, metadata=ADDED_LATER)
    monte_carlo: MonteCarloModel | None = attrs.field(default=None, metadata=ADDED_LATER)
    wide_shape: tuple[float, ...] = attrs.field(default=(), metadata=ADDED_LATER)
    distance_frac: tuple[float, ...] = attrs.field(default=(), metadata=ADDED_LATER)
    distance_slope_per_cm: tuple[float, ...] = attrs.field(default=(), metadata=ADDED_LATER)

    @property
    def digest(self) -> str:
        """Digest of everything in the model."""
        return digest_of(self)

    @property
    def label(self) -> str:
        """Name for screens and reports, with the warning of a demo model."""
        name = f"{self.machine_name}, {self.energy_mev:g} MeV electrons"
        return f"{name} ({DEMO_LABEL})" if self.is_demo else name


@attrs.frozen(kw_only=True)
class MachinePackage:
    """A machine and its beam models, as written and read by `ert.commissioning.package`.

    `output_tables` are the measured outputs for monitor units by hand, no part of any model, `acceptance` what the
    commissioning found; neither is in older packages.
    """

    machine: Machine
    models: tuple[BeamModel, ...]
    origin: str = ""
    is_demo: bool = False
    output_tables: tuple[OutputTables, ...] = attrs.field(default=(), metadata=ADDED_LATER)
    acceptance: tuple[EnergyAcceptance, ...] = attrs.field(default=(), metadata=ADDED_LATER)

    def __attrs_post_init__(self) -> None:
        energies = tuple(m.energy_mev for m in self.models)
        if energies != tuple(sorted(set(energies))) or energies != self.machine.energies_mev:
            raise Refused("A machine package needs one beam model for each energy of the machine, in rising order.")

    @property
    def digest(self) -> str:
        """Digest of machine, models, output tables and acceptance."""
        return digest_of(self)

    def tables(self, energy_mev: float) -> OutputTables | None:
        """Measured outputs of that energy; None in a package without."""
        return next((t for t in self.output_tables if t.energy_mev == energy_mev), None)

    def model(self, energy_mev: float) -> BeamModel:
        """The beam model of that nominal energy.

        Raises
        ------
        OutsideModel
            If the machine has no such energy.
        """
        for model in self.models:
            if model.energy_mev == energy_mev:
                return model
        known = ", ".join(f"{m.energy_mev:g}" for m in self.models)
        raise OutsideModel(
            f"Machine '{self.machine.name}' has no beam model for {energy_mev:g} MeV electrons.",
            hint=f"Commissioned energies: {known} MeV.",
        )
