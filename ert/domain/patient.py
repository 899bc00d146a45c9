"""Patient and Course: whose data it is."""

from __future__ import annotations

import datetime as dt
import enum
import unicodedata

import attrs

from ert.domain.identity import new_id
from ert.errors import Refused

# control, format (zero width, turning of direction), surrogate, private use, unassigned; ends of lines and paragraphs
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Sex(enum.StrEnum):
    """DICOM Patient's Sex (0010,0040); unknown where the files do not say."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"
    UNKNOWN = ""


@attrs.frozen(kw_only=True)
class Patient:
    """One person.

    Attributes
    ----------
    id : random record id.
    medical_record_number : DICOM Patient ID (0010,0020).
    issuer : DICOM Issuer of Patient ID; empty where unknown.
    family_name, given_name, middle_name, prefix, suffix : parts of DICOM Patient's Name.
    birth_date : None where the files do not say.
    sex : `Sex`.
    """

    id: str = attrs.field(factory=new_id)
    medical_record_number: str
    issuer: str = ""
    family_name: str
    given_name: str = ""
    middle_name: str = ""
    prefix: str = ""
    suffix: str = ""
    birth_date: dt.date | None = None
    sex: Sex = Sex.UNKNOWN

    def __attrs_post_init__(self) -> None:
        if not self.medical_record_number.strip():
            raise Refused(
                "A patient needs a medical record number (DICOM Patient ID).",
                hint="Enter one at import, or have the images sent again with it.",
            )

    @property
    def display_name(self) -> str:
        """Name as shown on every page: ``FAMILY, Given Middle``."""
        given = " ".join(part for part in (self.prefix, self.given_name, self.middle_name) if part)
        family = " ".join(part for part in (self.family_name, self.suffix) if part)
        return ", ".join(part for part in (family, given) if part) or "(no name)"


def expect_visible_number(patient: Patient) -> None:
    """Refuse a new record number, or issuer, with signs that nobody sees: two that look alike would be two records.

    Raises
    ------
    Refused
        Naming the sign. Numbers that are in a site already stay as they are.
    """
    for text in (patient.medical_record_number, patient.issuer):
        unseen = [c for c in text if unicodedata.category(c) in _UNSEEN]
        if unseen:
            raise Refused(
                f"The medical record number, or its issuer, holds a sign that nobody sees (U+{ord(unseen[0]):04X}); "
                "two numbers that look alike would be two records. Nothing was changed.",
                hint="Enter it by hand, or have the images sent again with the number as it is printed.",
            )


@attrs.frozen(kw_only=True)
class Course:
    """One CT set, its structures, and the plans made on them."""

    id: str = attrs.field(factory=new_id)
    patient_id: str
    name: str
    image_id: str
    structure_set_id: str
    treatment_site: str = ""
    physician: str = ""
