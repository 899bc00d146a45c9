"""Identities in CT files: the patient's present one in an export, none of the original's in an anonymised copy.

An anonymised file is made from an allow-list (DICOM PS3.15 E, Basic Application Level Confidentiality Profile, in its
strictest form): only elements that the pixels and their geometry need are carried over; everything else, private
elements and free texts included, is left behind.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID

from ert.dicom import values
from ert.dicom.attributes import long, person_name
from ert.dicom.boundary import dicom_boundary, read_dataset
from ert.dicom.headers import PersonHeader, to_person
from ert.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from ert.domain.patient import Patient
from ert.errors import ExportRejected

METHOD = "ERT allow-list after PS3.15 E Basic Profile"
_KEPT = (
    "SOPClassUID", "ImageType", "Modality", "Manufacturer", "PatientPosition", "SeriesNumber", "AcquisitionNumber",
    "InstanceNumber", "KVP", "SliceThickness", "SpacingBetweenSlices", "GantryDetectorTilt", "ConvolutionKernel",
    "DataCollectionDiameter", "ReconstructionDiameter", "ImagePositionPatient", "ImageOrientationPatient",
    "SliceLocation", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "PixelSpacing", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "SmallestImagePixelValue", "LargestImagePixelValue",
    "PixelPaddingValue", "WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope", "RescaleType",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod", "PixelData",
)  # fmt: skip
_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
_EMPTY = ("StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID", "PositionReferenceIndicator")


def give_identity(path: Path, patient: Patient) -> bool:
    """Write a patient's present identity into a CT file that names another one; False if it names this one.

    The object keeps its UIDs: its pixels are what they were.
    """
    found = to_person(read_dataset(path, with_pixels=False))
    if not found.disagreement(_header(patient)):
        return False
    dataset = read_dataset(path)
    with dicom_boundary(path.name):
        _put_identity(dataset, patient)
        dataset.save_as(path)
    return True


def anonymised_ct(content: bytes, patient: Patient, *, uid: Callable[[str], str], date: Callable[[str], str]) -> bytes:
    """Return a CT file with another identity, other UIDs, and nothing that was not asked for.

    Parameters
    ----------
    content : bytes
        The original file.
    patient : Patient
        The identity of the copy.
    uid, date : callable
        What a UID and a DICOM date become.

    Raises
    ------
    ExportRejected
        If the scanner says that something is written into the picture.
    """
    with dicom_boundary("CT file"):
        original = dcmread(io.BytesIO(content), force=True)
        if values.text(original, "BurnedInAnnotation").upper() == "YES":
            raise ExportRejected(
                "The scanner marked this CT as having text burned into its pictures; it cannot be anonymised.",
                hint="Use another CT series.",
            )
        copy = Dataset()
        for keyword in _KEPT:
            if keyword in original:
                copy[keyword] = original[keyword]
        for keyword in _UIDS:
            copy.__setattr__(keyword, UID(uid(values.text(original, keyword))))
        for keyword in _DATES:
            copy.__setattr__(keyword, date(values.text(original, keyword)))
        for keyword in _EMPTY:
            copy.__setattr__(keyword, "")
        _put_identity(copy, patient)
        copy.PatientIdentityRemoved, copy.DeidentificationMethod = "YES", METHOD
        return _written(copy, original)


def _written(copy: Dataset, original: FileDataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = copy.SOPClassUID, copy.SOPInstanceUID
    meta.TransferSyntaxUID = original.file_meta.TransferSyntaxUID
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    out = io.BytesIO()
    file = FileDataset(out, copy, file_meta=meta, preamble=bytes(128))
    file.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _put_identity(dataset: Dataset, patient: Patient) -> None:
    dataset.PatientName = person_name(patient)
    dataset.PatientID = long(patient.medical_record_number)
    if patient.issuer:
        dataset.IssuerOfPatientID = long(patient.issuer)
    elif "IssuerOfPatientID" in dataset:
        del dataset.IssuerOfPatientID
    dataset.PatientBirthDate = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else ""
    dataset.PatientSex = patient.sex.value


def _header(patient: Patient) -> PersonHeader:
    return PersonHeader(
        patient_id=patient.medical_record_number,
        issuer=patient.issuer,
        name=person_name(patient),
        birth_date=patient.birth_date,
        sex=patient.sex.value,
    )
