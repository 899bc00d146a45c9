"""What every object that ERT writes has in common: patient, study, equipment, number formats, the file itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

from ert.dicom import values
from ert.dicom.boundary import read_dataset
from ert.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from ert.domain.patient import Patient
from ert.errors import ExportRejected

_TEXT_VRS = {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}
_MAX_DS = 16
_LARGEST_COORDINATE = 1e10
_MAX_SH = 16
_MAX_LO = 64
DEMO_COMMENT = "DEMO - NOT FOR CLINICAL USE"


@attrs.frozen(kw_only=True)
class StudyAttributes:
    """The study that exported objects join: the CT's.

    Attributes
    ----------
    date, time : DICOM DA and TM.
    study_id, accession_number, referring_physician, description : as in the CT.
    """

    uid: str
    date: str
    time: str
    study_id: str = ""
    accession_number: str = ""
    referring_physician: str = ""
    description: str = ""


@attrs.frozen(kw_only=True)
class Origin:
    """Who and when, for the objects' equipment and instance attributes.

    Attributes
    ----------
    made_at : time of the plan's revision, not of the export, so that equal revisions export equal files.
    software_version : of ERT.
    institution, operator : may be empty.
    """

    made_at: dt.datetime
    software_version: str
    institution: str = ""
    operator: str = ""


def read_study(path: Path) -> StudyAttributes:
    """The study attributes of a CT file.

    Raises
    ------
    ImportRejected
        If the file cannot be read.
    """
    keywords = (
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "AccessionNumber",
        "ReferringPhysicianName",
        "StudyDescription",
    )
    dataset = read_dataset(path, keywords=keywords, with_pixels=False)
    return StudyAttributes(
        uid=values.text(dataset, "StudyInstanceUID"),
        date=values.text(dataset, "StudyDate"),
        time=values.text(dataset, "StudyTime"),
        study_id=values.text(dataset, "StudyID"),
        accession_number=values.text(dataset, "AccessionNumber"),
        referring_physician=values.text(dataset, "ReferringPhysicianName"),
        description=values.text(dataset, "StudyDescription"),
    )


def decimal(value: float, digits: int) -> str:
    """A number as a DICOM decimal string with at most so many decimals.

    Raises
    ------
    ExportRejected
        If it is no finite number or needs more than the 16 characters that DICOM allows.
    """
    if not np.isfinite(value):
        raise ExportRejected("A value that is not a finite number cannot be written.")
    written = f"{value:.{digits}f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    if written in ("-0", ""):
        written = "0"
    if len(written) > _MAX_DS:
        raise ExportRejected(f"The number {value} does not fit a DICOM decimal string.")
    return written


def decimals(numbers: Iterable[float] | NDArray[np.float64], digits: int) -> list[str]:
    """Many numbers as decimal strings; see `decimal`."""
    return [decimal(float(v), digits) for v in numbers]


def set_coordinates(dataset: Dataset, keyword: str, numbers: NDArray[np.float64]) -> None:
    """Set a long list of decimal strings, rounded to 3 decimals, as raw bytes; pydicom's own way is 20 times slower.

    Raises
    ------
    ExportRejected
        If a number is not finite or needs more than the 16 characters that DICOM allows.
    """
    if not np.all(np.isfinite(numbers)) or np.abs(numbers).max(initial=0.0) >= _LARGEST_COORDINATE:
        raise ExportRejected("A coordinate that is not a finite number cannot be written.")
    joined = "\\".join(map(repr, (np.round(numbers, 3) + 0.0).tolist())).encode("ascii")
    padded = joined + b" " * (len(joined) % 2)
    tag = Tag(keyword)
    dataset[tag] = RawDataElement(tag, "DS", len(padded), padded, 0, False, True)  # noqa: FBT003


def short(value: str, limit: int = _MAX_SH) -> str:
    """Text for a DICOM short (16) or long (64) string: no backslash or control character, not longer than allowed."""
    clean = "".join(c if c.isprintable() and c != "\\" else " " for c in value).strip()
    return clean[:limit].strip()


def long(value: str) -> str:
    """Text for a DICOM long string (LO, 64 characters)."""
    return short(value, _MAX_LO)


def person(name: str) -> str:
    """A member of staff as DICOM writes names: what is typed to sign in stands as the family name."""
    return name if "^" in name or not name else f"{name}^"


def person_name(patient: Patient) -> str:
    """The patient's name as DICOM writes it: ``FAMILY^GIVEN^MIDDLE^PREFIX^SUFFIX``."""
    parts = (patient.family_name, patient.given_name, patient.middle_name, patient.prefix, patient.suffix)
    joined = "^".join(short(p.replace("^", " ").replace("=", " "), _MAX_LO) for p in parts)
    trimmed = joined.rstrip("^")
    return trimmed if "^" in trimmed else f"{trimmed}^"


def new_object(
    sop_class_uid: str,
    sop_instance_uid: str,
    modality: str,
    *,
    patient: Patient,
    study: StudyAttributes,
    series_uid: str,
    series_number: int,
    series_description: str,
    instance_number: int,
    origin: Origin,
) -> Dataset:
    """A dataset with the modules that all of ERT's objects share (DICOM PS3.3 C.7.1, C.7.2, C.7.3, C.7.5, C.12.1)."""
    made_date, made_time = f"{origin.made_at:%Y%m%d}", f"{origin.made_at:%H%M%S}"
    ds = Dataset()
    ds.SOPClassUID = UID(sop_class_uid)
    ds.SOPInstanceUID = UID(sop_instance_uid)
    ds.InstanceCreationDate, ds.InstanceCreationTime = made_date, made_time
    ds.PatientName = person_name(patient)
    ds.PatientID = long(patient.medical_record_number)
    if patient.issuer:
        ds.IssuerOfPatientID = long(patient.issuer)
    ds.PatientBirthDate = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else ""
    ds.PatientSex = patient.sex.value
    ds.StudyInstanceUID = UID(study.uid)
    ds.StudyDate, ds.StudyTime = study.date or made_date, study.time or made_time
    ds.StudyID = study.study_id or "1"
    ds.AccessionNumber = study.accession_number
    ds.ReferringPhysicianName = study.referring_physician
    if study.description:
        ds.StudyDescription = long(study.description)
    ds.Modality = modality
    ds.SeriesInstanceUID = UID(series_uid)
    ds.SeriesNumber = str(series_number)
    ds.SeriesDescription = long(series_description)
    ds.SeriesDate, ds.SeriesTime = made_date, made_time
    # A name without components is the retired form of PN (PS3.5 6.2); a user name is a family name here.
    ds.OperatorsName = person(origin.operator)
    ds.InstanceNumber = str(instance_number)
    ds.Manufacturer = "ERT open electron planning"
    ds.ManufacturerModelName = "ERT"
    ds.SoftwareVersions = long(origin.software_version)
    if origin.institution:
        ds.InstitutionName = long(origin.institution)
    return ds


def save(dataset: Dataset, path: Path, *, transfer_syntax: UID = ExplicitVRLittleEndian) -> None:
    """Write a dataset as a DICOM file, in the smallest character set that holds its text.

    Contours need implicit VR little endian: explicit VR has no room for decimal strings of more than 64 kB.

    Raises
    ------
    ExportRejected
        If a value breaks a rule of its value representation, or cannot be written.
    """
    dataset.SpecificCharacterSet = _character_set(dataset)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    file = FileDataset(str(path), dataset, file_meta=meta, preamble=b"\x00" * 128)
    try:
        file.save_as(path, enforce_file_format=True)
    except (ValueError, TypeError, AttributeError, UnicodeError) as exc:
        raise ExportRejected(
            f"'{path.name}' cannot be written as DICOM: a value does not fit.", detail=type(exc).__name__
        ) from exc


def _character_set(dataset: Dataset) -> str:
    return "ISO_IR 100" if all(_fits_latin1(text) for text in _texts(dataset)) else "ISO_IR 192"


def _texts(dataset: Dataset) -> Iterator[str]:
    """Every text of a dataset, at any depth; numbers are left out."""
    for tag in dataset.keys():  # noqa: SIM118 - iterating a dataset would parse its raw coordinates
        element = dataset.get_item(tag)
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item)
        elif element.VR in _TEXT_VRS:
            yield str(element.value)


def _fits_latin1(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
