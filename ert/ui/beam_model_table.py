"""The table of beam models in the dialog of machines: what they are and what they were measured for."""

from __future__ import annotations

from collections.abc import Sequence

from ert.domain.beam_model import DEMO_LABEL, BeamModel, MeasuredRange
from ert.ui.machine_tables import Column, number_text

MODEL_TEXT = (
    "Fixed by commissioning. Outside SSD and smallest side no dose is computed; beyond the measured depth and the "
    "verified incidence (beam axis to the surface's normal) the plan checks say so."
)
MODEL_COLUMNS = (
    Column(head="Energy", unit="MeV", is_open=False),
    Column(head="R90", unit="cm", is_open=False),
    Column(head="R50", unit="cm", is_open=False),
    Column(head="Rp", unit="cm", is_open=False),
    Column(head="SSD", unit="cm", is_open=False),
    Column(head="Smallest side", unit="cm", is_open=False),
    Column(head="Depth", unit="cm", is_open=False),
    Column(head="Incidence", is_open=False),
    Column(head="Use", is_open=False),
    Column(head="Digest of the beam model", is_open=False),
)


def model_row(model: BeamModel) -> Sequence[str]:
    """The cells of one beam model, as `MODEL_COLUMNS` names them."""
    depths = (model.summary.r90_cm, model.summary.r50_cm, model.summary.rp_cm)
    return (
        f"{model.energy_mev:g}",
        *(f"{v:.2f}" for v in depths),
        f"{number_text(model.validity.ssd_min_cm)} to {number_text(model.validity.ssd_max_cm)}",
        number_text(model.validity.min_side_cm),
        *_measured_cells(model.validity.measured),
        DEMO_LABEL if model.is_demo else "clinical",
        model.digest,
    )


def _measured_cells(measured: MeasuredRange | None) -> tuple[str, str]:
    if measured is None:
        return ("not stated",) * 2
    depths = f"{number_text(measured.depth_min_cm)} to {number_text(measured.depth_max_cm)}"
    return depths, f"to {measured.incidence_max_deg:g}\N{DEGREE SIGN}"
