"""A physicist's word that a machine package may be used, and for what."""

from __future__ import annotations

import attrs

from ert.domain.beam_model import BeamModel, MachinePackage, measured_text
from ert.domain.identity import digest_of, new_id
from ert.errors import Refused

_LEAST_STATEMENT = 20
_MOST_STATEMENT = 4000


@attrs.frozen(kw_only=True)
class MachineRelease:
    """What was signed. It is kept in revisions like every record; who signed and when stands beside it.

    Attributes
    ----------
    package_digest : of the very package; another package needs a release of its own.
    version : counts the releases of the machine of that name, from 1.
    model_digests : of its beam models, in rising order of energy.
    ranges : one sentence an energy: SSD, openings, measured depths and incidence, what was not measured.
    statement : in the physicist's own words: what was checked, against what.
    """

    id: str = attrs.field(factory=new_id)
    package_digest: str
    machine_name: str
    version: int
    model_digests: tuple[str, ...]
    ranges: tuple[str, ...]
    statement: str

    @property
    def name(self) -> str:
        """The package it speaks of, by digest: a package has one release."""
        return self.package_digest

    @property
    def digest(self) -> str:
        """Digest of every field."""
        return digest_of(self)


def make_release(package: MachinePackage, *, version: int, statement: str) -> MachineRelease:
    """The release of a package.

    Raises
    ------
    Refused
        It is a demo machine, or the statement says nothing.
    """
    if package.is_demo or any(m.is_demo for m in package.models):
        raise Refused(
            f"'{package.machine.name}' is a demo machine; it cannot be released.",
            hint="Commission your own machine from your own measurements.",
        )
    words = statement.strip()
    if not _LEAST_STATEMENT <= len(words) <= _MOST_STATEMENT:
        raise Refused(
            f"A release needs a statement of {_LEAST_STATEMENT} to {_MOST_STATEMENT} characters.",
            hint="Say what was checked, against which measurements, and what the model must not be used for.",
        )
    return MachineRelease(
        package_digest=package.digest,
        machine_name=package.machine.name,
        version=version,
        model_digests=tuple(m.digest for m in package.models),
        ranges=tuple(range_sentence(m) for m in package.models),
        statement=words,
    )


def range_sentence(model: BeamModel) -> str:
    """What a model was commissioned for, in words."""
    valid = model.validity
    missing = f" Not measured: {'; '.join(valid.limits)}." if valid.limits else ""
    return (
        f"{model.energy_mev:g} MeV: SSD {valid.ssd_min_cm:g} to {valid.ssd_max_cm:g} cm, applicators "
        f"{', '.join(valid.applicator_ids)}, openings equivalent to squares of {valid.min_side_cm:g} cm and larger; "
        f"{measured_text(valid.measured)}.{missing}"
    )
