"""What changed between two versions of a beam model, as a value."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class ParameterChange:
    """One fitted parameter in both models; `in_uncertainties` is the change over the combined standard uncertainty."""

    name: str
    old_value: float
    new_value: float
    in_uncertainties: float | None


@attrs.frozen(kw_only=True)
class FieldChange:
    """Computed depth dose of one open field in water, new against old.

    Attributes
    ----------
    output_pct : change of the dose at the depth of maximum, percent.
    r50_mm : change of R50.
    largest_pct, largest_at_cm : largest change along the axis in percent of the old maximum, and its depth.
    """

    name: str
    output_pct: float
    r50_mm: float
    largest_pct: float
    largest_at_cm: float


@attrs.frozen(kw_only=True)
class ModelDifference:
    """Two models of the same energy.

    Attributes
    ----------
    old_digest, new_digest : of the models; equal digests mean equal dose.
    parameters, fields : only what can be compared; `remarks` are sentences on validity and what only one model has.
    """

    energy_mev: float
    old_digest: str
    new_digest: str
    parameters: tuple[ParameterChange, ...]
    fields: tuple[FieldChange, ...]
    remarks: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """True if both models give the same dose by construction."""
        return self.old_digest == self.new_digest


@attrs.frozen(kw_only=True)
class PackageDifference:
    """Two packages of a machine."""

    old_digest: str
    new_digest: str
    models: tuple[ModelDifference, ...]
    remarks: tuple[str, ...]
