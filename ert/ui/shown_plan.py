"""What slice views and metric tables need of what they show: an open plan, or a sum of plans."""

from __future__ import annotations

from typing import Protocol

from ert.app.dose_service import Models
from ert.app.dose_state import DoseState
from ert.domain.beam import Beam
from ert.domain.dvh import Dvh
from ert.domain.image import CtImage, DensityOverride
from ert.domain.structure import PointOfInterest, StructureSet


class ShownReference(Protocol):
    """The dose that 100 % stands for."""

    @property
    def dose_gy(self) -> float:
        """Gy for the whole course."""


class ShownValues(Protocol):
    """What is drawn beside the dose."""

    @property
    def prescription(self) -> ShownReference:
        """The dose that 100 % stands for."""

    @property
    def beams(self) -> tuple[Beam, ...]:
        """Beams to draw."""

    @property
    def points(self) -> tuple[PointOfInterest, ...]:
        """Reference points to draw."""

    @property
    def overrides(self) -> tuple[DensityOverride, ...]:
        """Materials to name in the legend."""


class ShownPlan(Protocol):
    """An open plan or a sum of plans."""

    @property
    def image(self) -> CtImage:
        """The CT."""

    @property
    def structures(self) -> StructureSet:
        """Its structures."""

    @property
    def models(self) -> Models:
        """Machines, for the beams' shapes."""

    @property
    def plan(self) -> ShownValues:
        """Beams, points, reference dose."""

    @property
    def dose(self) -> DoseState:
        """The dose and whether it belongs to what is shown."""

    @property
    def dvhs(self) -> tuple[Dvh, ...]:
        """Histograms of that dose; empty unless it is current."""

    def metric(self, structure_number: int, metric: str) -> float | None:
        """A metric of that dose; None unless its histogram is there."""
