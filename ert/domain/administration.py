"""Rules of administering patients' records: correcting an identity, merging what is one person, putting aside.

Nothing is ever deleted: a merged record keeps its courses and can be taken apart again, and every change has a reason.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ert.domain.patient import Patient, expect_visible_number
from ert.domain.record import Finding, Severity
from ert.errors import Refused

_COMPARED = ("family_name", "given_name", "birth_date", "sex")


@attrs.frozen(kw_only=True)
class PatientRecord:
    """A patient with how the record stands.

    Attributes
    ----------
    patient : who it is.
    is_active : whether lists show it without being asked.
    merged_into : id of the record whose person this is too; empty if it stands for itself.
    revision : of the record; raised by every change of identity, state or merge.
    """

    patient: Patient
    is_active: bool = True
    merged_into: str = ""
    revision: int = 1


def expect_reason(reason: str) -> str:
    """The reason without blanks around it; `Refused` if there is none."""
    if not reason.strip():
        raise Refused("A reason is needed; it goes into the history.", hint="Say why in a few words.")
    return reason.strip()


def corrected(record: PatientRecord, patient: Patient) -> Patient:
    """The identity a record may be given.

    Raises
    ------
    Refused
        If nothing changes, it would be nobody's, or the record is merged into another.
    """
    _expect_own(record, "corrected")
    if patient.id != record.patient.id:
        raise Refused("The correction belongs to another record; nothing was changed.")
    if patient == record.patient:
        raise Refused("Nothing differs from what is stored.", hint="Change a field first.")
    if _number_of(patient) != _number_of(record.patient):
        expect_visible_number(patient)
    if not (patient.family_name.strip() or patient.given_name.strip()):
        raise Refused("A patient needs a name.", hint="Enter the family name.")
    return patient


def _number_of(patient: Patient) -> tuple[str, str]:
    return patient.medical_record_number, patient.issuer


def expect_mergeable(source: PatientRecord, into: PatientRecord, *, has_merged: bool) -> None:
    """Refuse a merge that could not be taken apart again.

    Parameters
    ----------
    source : PatientRecord
        The record that will be part of the other.
    into : PatientRecord
        The record that stays.
    has_merged : bool
        Whether other records were merged into `source`.
    """
    if source.patient.id == into.patient.id:
        raise Refused("A record cannot be merged with itself.", hint="Choose the other record of this person.")
    _expect_own(source, "merged")
    _expect_own(into, "merged into")
    if has_merged:
        raise Refused(
            "Other records were merged into this one.",
            hint="Take them apart first, or merge the other way round.",
        )


def expect_merged(record: PatientRecord) -> None:
    """Refuse to take apart what was never put together."""
    if not record.merged_into:
        raise Refused("This record is not merged into another.", hint="Choose one that is.")


def merge_findings(source: Patient, into: Patient) -> tuple[Finding, ...]:
    """What contradicts that two records are of one person; a human decides, and says why."""
    return tuple(_differences(source, into))


def _differences(source: Patient, into: Patient) -> Iterator[Finding]:
    for name in _COMPARED:
        mine, theirs = getattr(source, name), getattr(into, name)
        if not mine or not theirs or _folded(mine) == _folded(theirs):
            continue
        what = name.replace("_", " ")
        yield Finding(
            severity=Severity.WARNING,
            code=f"MERGE-{name.upper().replace('_', '-')}",
            sentence=f"The {what} differs: {mine} and {theirs}.",
            subject=what,
        )


def _folded(value: object) -> str:
    return "".join(str(value).casefold().split())


def _expect_own(record: PatientRecord, verb: str) -> None:
    if record.merged_into:
        raise Refused(f"A record that is merged into another cannot be {verb}.", hint="Take the merge apart first.")
