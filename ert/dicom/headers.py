"""What is kept of a file's header: identity for every object, geometry for CT slices, references for RT objects."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import attrs
from pydicom.dataset import Dataset

from ert.dicom import values
from ert.domain.patient import Patient, Sex
from ert.errors import ImportRejected

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"

_IDENTITY = (
    "SOPClassUID", "SOPInstanceUID", "Modality", "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate",
    "PatientSex", "StudyInstanceUID", "StudyDate", "StudyDescription", "SeriesInstanceUID", "SeriesDescription",
    "SeriesNumber", "FrameOfReferenceUID", "Manufacturer", "AcquisitionDate",
)  # fmt: skip
_IMAGE = (
    "ImageType", "PatientPosition", "ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "Rows",
    "Columns", "SamplesPerPixel", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept", "RescaleType", "LossyImageCompression",
    "InstanceNumber", "GantryDetectorTilt",
)  # fmt: skip
_REFERENCES = (
    "StructureSetLabel", "StructureSetDate", "ReferencedFrameOfReferenceSequence", "StructureSetROISequence",
    "RTPlanLabel", "RTPlanDate", "ReferencedStructureSetSequence", "DoseSummationType", "DoseUnits",
    "ReferencedRTPlanSequence",
)  # fmt: skip
HEADER_KEYWORDS = (*_IDENTITY, *_IMAGE, *_REFERENCES)


@attrs.frozen(kw_only=True)
class PersonHeader:
    """Whose object it is, as the file says."""

    patient_id: str
    issuer: str
    name: str
    birth_date: dt.date | None
    sex: str

    @property
    def key(self) -> tuple[str, str]:
        """What tells two patients apart: Patient ID and its issuer."""
        return self.patient_id, self.issuer

    @property
    def normalised_name(self) -> str:
        """The name without case, empty parts and double blanks, for comparison."""
        parts = [" ".join(p.split()) for p in self.name.casefold().replace(",", "^").split("^")]
        return "^".join(p for p in parts if p)

    def disagreement(self, other: PersonHeader) -> str:
        """What two headers say differently about the person; empty if they can be the same."""
        if self.key != other.key:
            return f"Patient ID '{self.patient_id}' and '{other.patient_id}'"
        if self.normalised_name and other.normalised_name and self.normalised_name != other.normalised_name:
            return f"patient names '{self.name}' and '{other.name}'"
        if self.birth_date and other.birth_date and self.birth_date != other.birth_date:
            return f"birth dates {self.birth_date} and {other.birth_date}"
        return ""

    def to_patient(self, medical_record_number: str = "") -> Patient:
        """The `Patient`; ``medical_record_number`` stands in where the file has no Patient ID.

        Raises
        ------
        ImportRejected
            If there is no Patient ID at all.
        """
        number = self.patient_id or medical_record_number.strip()
        if not number:
            raise ImportRejected(
                "The files carry no Patient ID (medical record number).",
                hint="Enter it at import, or have the images sent again with it.",
            )
        groups = [g for g in self.name.split("=") if g.strip("^ ")]
        parts = [*(p.strip() for p in (groups[0] if groups else "").split("^")), "", "", "", "", ""]
        sex = self.sex if self.sex in set(Sex) else ""
        return Patient(
            medical_record_number=number,
            issuer=self.issuer,
            family_name=parts[0],
            given_name=parts[1],
            middle_name=parts[2],
            prefix=parts[3],
            suffix=parts[4],
            birth_date=self.birth_date,
            sex=Sex(sex),
        )


@attrs.frozen(kw_only=True)
class Header:
    """Identity of one DICOM object."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    modality: str
    person: PersonHeader
    study_instance_uid: str
    study_date: str
    study_description: str
    series_instance_uid: str
    series_description: str
    frame_of_reference_uid: str
    manufacturer: str
    transfer_syntax_uid: str


@attrs.frozen(kw_only=True)
class SliceHeader:
    """One CT image's header. Lengths in mm, as in the file; None where the file does not say."""

    header: Header
    image_type: tuple[str, ...]
    patient_position: str
    orientation: tuple[float, ...] | None
    position_mm: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, ...] | None
    rows: int
    columns: int
    rescale_slope: float | None
    rescale_intercept_hu: float | None
    rescale_type: str
    is_lossy: bool
    number_of_frames: int
    acquisition_date: str


@attrs.frozen(kw_only=True)
class StructureSetHeader:
    """An RT Structure Set's references."""

    header: Header
    label: str
    date: str
    frame_uids: tuple[str, ...]
    referenced_series_uids: tuple[str, ...]
    roi_names: tuple[str, ...]


@attrs.frozen(kw_only=True)
class PlanHeader:
    """An RT Plan's references."""

    header: Header
    label: str
    date: str
    structure_set_uid: str


@attrs.frozen(kw_only=True)
class DoseHeader:
    """An RT Dose's references."""

    header: Header
    summation_type: str
    units: str
    plan_uid: str


AnyHeader = SliceHeader | StructureSetHeader | PlanHeader | DoseHeader | Header


def to_person(dataset: Dataset) -> PersonHeader:
    """The patient module of a dataset."""
    return PersonHeader(
        patient_id=values.text(dataset, "PatientID"),
        issuer=values.text(dataset, "IssuerOfPatientID"),
        name=values.text(dataset, "PatientName"),
        birth_date=values.date(dataset, "PatientBirthDate"),
        sex=values.text(dataset, "PatientSex"),
    )


def to_header(dataset: Dataset, path: Path) -> Header:
    """The identity of any object.

    Raises
    ------
    ImportRejected
        If it has no SOP class or SOP instance UID.
    """
    sop_class = values.text(dataset, "SOPClassUID")
    sop_instance = values.text(dataset, "SOPInstanceUID")
    if not sop_class or not sop_instance:
        raise ImportRejected(f"'{path.name}' holds no DICOM object: it has no SOP class or instance UID.")
    meta = getattr(dataset, "file_meta", None)
    syntax = values.text(meta, "TransferSyntaxUID") if meta is not None else ""
    return Header(
        path=path,
        sop_class_uid=sop_class,
        sop_instance_uid=sop_instance,
        modality=values.text(dataset, "Modality"),
        person=to_person(dataset),
        study_instance_uid=values.text(dataset, "StudyInstanceUID"),
        study_date=values.text(dataset, "StudyDate"),
        study_description=values.text(dataset, "StudyDescription"),
        series_instance_uid=values.text(dataset, "SeriesInstanceUID"),
        series_description=values.text(dataset, "SeriesDescription"),
        frame_of_reference_uid=values.text(dataset, "FrameOfReferenceUID"),
        manufacturer=values.text(dataset, "Manufacturer"),
        transfer_syntax_uid=syntax or _IMPLICIT_LITTLE_ENDIAN,
    )


def to_slice(dataset: Dataset, header: Header) -> SliceHeader:
    """A CT image's header."""
    return SliceHeader(
        header=header,
        image_type=tuple(v.upper() for v in values.texts(dataset, "ImageType")),
        patient_position=values.text(dataset, "PatientPosition").upper(),
        orientation=values.numbers(dataset, "ImageOrientationPatient", 6),
        position_mm=values.numbers(dataset, "ImagePositionPatient", 3),
        pixel_spacing_mm=values.numbers(dataset, "PixelSpacing", 2),
        rows=values.required_whole(dataset, "Rows"),
        columns=values.required_whole(dataset, "Columns"),
        rescale_slope=values.number(dataset, "RescaleSlope"),
        rescale_intercept_hu=values.number(dataset, "RescaleIntercept"),
        rescale_type=values.text(dataset, "RescaleType").upper(),
        is_lossy=values.text(dataset, "LossyImageCompression") == "01",
        number_of_frames=values.whole(dataset, "NumberOfFrames") or 1,
        acquisition_date=values.text(dataset, "AcquisitionDate") or values.text(dataset, "StudyDate"),
    )


def to_structure_set(dataset: Dataset, header: Header) -> StructureSetHeader:
    """A structure set's header: every frame and series it refers to, and its names."""
    rois = values.items(dataset, "StructureSetROISequence")
    frames = values.items(dataset, "ReferencedFrameOfReferenceSequence")
    roi_frames = [values.text(roi, "ReferencedFrameOfReferenceUID") for roi in rois]
    referenced = roi_frames if any(roi_frames) else [values.text(f, "FrameOfReferenceUID") for f in frames]
    series = [
        values.text(one, "SeriesInstanceUID")
        for frame in frames
        for study in values.items(frame, "RTReferencedStudySequence")
        for one in values.items(study, "RTReferencedSeriesSequence")
    ]
    return StructureSetHeader(
        header=header,
        label=values.text(dataset, "StructureSetLabel"),
        date=values.text(dataset, "StructureSetDate"),
        frame_uids=tuple(dict.fromkeys(f for f in referenced if f)),
        referenced_series_uids=tuple(dict.fromkeys(s for s in series if s)),
        roi_names=tuple(values.text(roi, "ROIName") for roi in rois),
    )


def to_any_header(dataset: Dataset, path: Path) -> AnyHeader:
    """The header that fits the object's SOP class; plain `Header` for what ERT has no use for."""
    header = to_header(dataset, path)
    if header.sop_class_uid == CT_IMAGE:
        return to_slice(dataset, header)
    if header.sop_class_uid == RT_STRUCTURE_SET:
        return to_structure_set(dataset, header)
    if header.sop_class_uid == RT_PLAN:
        references = values.items(dataset, "ReferencedStructureSetSequence")
        return PlanHeader(
            header=header,
            label=values.text(dataset, "RTPlanLabel"),
            date=values.text(dataset, "RTPlanDate"),
            structure_set_uid=values.text(references[0], "ReferencedSOPInstanceUID") if references else "",
        )
    if header.sop_class_uid == RT_DOSE:
        references = values.items(dataset, "ReferencedRTPlanSequence")
        return DoseHeader(
            header=header,
            summation_type=values.text(dataset, "DoseSummationType"),
            units=values.text(dataset, "DoseUnits"),
            plan_uid=values.text(references[0], "ReferencedSOPInstanceUID") if references else "",
        )
    return header
