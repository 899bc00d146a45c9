"""What a site keeps of its own beside plans, in revisions: CT curves and materials."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Generic, TypeVar

import attrs

from ert.domain.identity import digest_of, new_id
from ert.domain.image import Material
from ert.domain.materials import is_shipped_name
from ert.errors import Refused

T = TypeVar("T")
_DENSITY_G_CM3 = (0.0005, 23.0)  # air at altitude, osmium
_STOPPING_PER_DENSITY = (0.5, 1.2)  # cm³/g, as for CT curves (ct_curve.py)
_SCATTERING_PER_DENSITY = (0.5, 8.0)
_MAX_NAME = 64


class LibraryState(enum.StrEnum):
    """Whether an entry may be chosen for new plans."""

    IN_USE = "IN_USE"
    WITHDRAWN = "WITHDRAWN"


@attrs.frozen(kw_only=True)
class LibraryEntry(Generic[T]):
    """One revision of a curve, a material or a release as it stands in the store; why it was withdrawn, if it was."""

    value: T
    revision: int
    state: LibraryState
    saved_by: str
    saved_at: dt.datetime
    reason: str = ""

    @property
    def is_in_use(self) -> bool:
        """True unless withdrawn."""
        return self.state is LibraryState.IN_USE


@attrs.frozen(kw_only=True)
class SiteMaterial:
    """A material the site defined itself; its name does not change."""

    id: str = attrs.field(factory=new_id)
    material: Material
    note: str = ""

    @property
    def name(self) -> str:
        """Name of the material."""
        return self.material.name

    @property
    def digest(self) -> str:
        """Digest of every field."""
        return digest_of(self)


def check_material(material: Material) -> None:
    """Refuse a material of the site that cannot be real.

    Raises
    ------
    Refused
        If the name is missing, long, or one ERT ships; a value is not above 0; or stopping and scattering power do not
        fit the density.
    """
    name = material.name.strip()
    if not 0 < len(name) <= _MAX_NAME or name != material.name:
        raise Refused(f"A material needs a name of 1 to {_MAX_NAME} characters without blanks at its ends.")
    if is_shipped_name(name):
        raise Refused(f"ERT comes with a material '{name}'; its values cannot be changed.", hint="Choose another name.")
    low, high = _DENSITY_G_CM3
    if not low <= material.density_g_cm3 <= high:
        raise Refused(
            f"The density of '{name}' must be {low:g} to {high:g} g/cm³, not {material.density_g_cm3:g}.",
            hint="Enter it in g/cm³.",
        )
    for value, (least, most), what in (
        (material.relative_stopping, _STOPPING_PER_DENSITY, "stopping"),
        (material.relative_scattering, _SCATTERING_PER_DENSITY, "scattering"),
    ):
        if not least <= value / material.density_g_cm3 <= most:
            raise Refused(
                f"The relative {what} power {value:g} of '{name}' does not fit a density of "
                f"{material.density_g_cm3:g} g/cm³; it would be {least * material.density_g_cm3:.3g} to "
                f"{most * material.density_g_cm3:.3g} in any material.",
                hint="Both ratios are linear and relative to water.",
            )
