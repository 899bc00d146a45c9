"""An RT Plan of any vendor → its electron beams as neutral values (DICOM PS3.3 C.8.8.14).

Nothing is assumed: a beam that ERT cannot represent exactly is refused by name and reason, the others are read.
"""

from __future__ import annotations

from pathlib import Path

import attrs
from pydicom.dataset import Dataset

from ert.dicom import values
from ert.dicom.boundary import dicom_boundary, read_dataset
from ert.dicom.headers import RT_PLAN, PersonHeader, to_person
from ert.dicom.plan_beam import ImportedBeam, read_beam
from ert.domain.record import Finding, Severity
from ert.errors import ImportRejected
from ert.geometry.frames import PATIENT_POSITIONS


@attrs.frozen(kw_only=True)
class RefusedBeam:
    """A beam that cannot be used, and why; nominal energy and delivery type as far as the file says."""

    number: int
    name: str
    radiation_type: str
    sentence: str
    energy_mev: float | None = None
    delivery_type: str = ""


@attrs.frozen(kw_only=True)
class ImportedPlan:
    """An RT Plan as read.

    Attributes
    ----------
    label, name, sop_instance_uid, frame_of_reference_uid, structure_set_uid : as in the file; may be empty.
    person : whose plan.
    patient_position : one of eight; empty if the file does not say.
    fractions : of the first fraction group, None if not given.
    prescription_gy : the highest target prescription dose in the dose references, None if there is none.
    beams : the electron beams that can be used.
    refused : electron beams that cannot; dose of the others alone is not the plan's dose.
    left_out : photon, setup and other beams.
    findings : all of that in sentences, and what else is worth knowing.
    """

    label: str
    name: str
    sop_instance_uid: str
    frame_of_reference_uid: str
    structure_set_uid: str
    person: PersonHeader
    patient_position: str
    fractions: int | None
    prescription_gy: float | None
    approval_status: str
    beams: tuple[ImportedBeam, ...]
    refused: tuple[RefusedBeam, ...]
    left_out: tuple[RefusedBeam, ...]
    findings: tuple[Finding, ...]

    def usable_beams(self) -> tuple[ImportedBeam, ...]:
        """The electron beams, all of them.

        Raises
        ------
        ImportRejected
            If there is none, or one of them was refused.
        """
        if self.refused:
            reasons = " ".join(r.sentence for r in self.refused)
            raise ImportRejected(f"RT Plan '{self.label}' cannot be used. {reasons}")
        if not self.beams:
            reasons = " ".join(r.sentence for r in self.left_out)
            raise ImportRejected(f"RT Plan '{self.label}' has no electron beam. {reasons}".strip())
        return self.beams


def read_rt_plan(path: Path) -> ImportedPlan:
    """Read an RT Plan.

    Returns
    -------
    ImportedPlan
        With every electron beam either in ``beams`` or, with the reason, in ``refused``.

    Raises
    ------
    ImportRejected
        If the file is no RT Plan, or damaged.
    """
    dataset = read_dataset(path)
    with dicom_boundary(path.name):
        if values.text(dataset, "SOPClassUID") != RT_PLAN:
            raise ImportRejected(f"'{path.name}' is no RT Plan.")
        return _Reader(dataset, path.name).read()


class _Reader:
    def __init__(self, dataset: Dataset, name: str) -> None:
        self.dataset = dataset
        self.name = name
        self.groups = values.items(dataset, "FractionGroupSequence")
        self.beams: list[ImportedBeam] = []
        self.refused: list[RefusedBeam] = []
        self.left_out: list[RefusedBeam] = []
        self.findings: list[Finding] = []

    def read(self) -> ImportedPlan:
        items = values.items(self.dataset, "BeamSequence")
        numbers = [values.required_whole(b, "BeamNumber") for b in items]
        if len(set(numbers)) != len(numbers):
            raise ImportRejected(f"'{self.name}' has two beams with the same number.")
        for number, item in zip(numbers, items, strict=True):
            self._sort_beam(number, item)
        ds = self.dataset
        references = values.items(ds, "ReferencedStructureSetSequence")
        positions = {b.patient_position for b in self.beams}
        if len(positions) > 1:
            raise ImportRejected(f"'{self.name}' treats the patient in {len(positions)} positions; one is needed.")
        fractions = [values.whole(g, "NumberOfFractionsPlanned") for g in self.groups]
        return ImportedPlan(
            label=values.text(ds, "RTPlanLabel") or self.name,
            name=values.text(ds, "RTPlanName"),
            sop_instance_uid=values.text(ds, "SOPInstanceUID"),
            frame_of_reference_uid=values.text(ds, "FrameOfReferenceUID"),
            structure_set_uid=values.text(references[0], "ReferencedSOPInstanceUID") if references else "",
            person=to_person(ds),
            patient_position=next(iter(positions), ""),
            fractions=fractions[0] if fractions else None,
            prescription_gy=self._prescription_gy(),
            approval_status=values.text(ds, "ApprovalStatus"),
            beams=tuple(self.beams),
            refused=tuple(self.refused),
            left_out=tuple(self.left_out),
            findings=tuple(self.findings),
        )

    def _sort_beam(self, number: int, item: Dataset) -> None:
        name = values.text(item, "BeamName") or f"Beam {number}"
        radiation = values.text(item, "RadiationType").upper()
        delivery = values.text(item, "TreatmentDeliveryType").upper()
        if radiation != "ELECTRON" or delivery not in ("", "TREATMENT"):
            kind = (delivery if radiation == "ELECTRON" else radiation).lower() or "radiation-less"
            sentence = f"Beam '{name}' is a {kind} beam, not an electron treatment beam; left out."
            self.left_out.append(
                RefusedBeam(
                    number=number, name=name, radiation_type=radiation, sentence=sentence, delivery_type=delivery
                )
            )
            self._find(Severity.WARNING, "not-electron", sentence, name)
            return
        try:
            beam = read_beam(
                item,
                number=number,
                name=name,
                patient_position=self._position(item),
                fractions_and_mu=self._fractions_and_mu(number),
            )
        except ImportRejected as refused:
            sentence = f"Beam '{name}': {refused.sentence}"
            self.refused.append(
                RefusedBeam(
                    number=number,
                    name=name,
                    radiation_type=radiation,
                    sentence=sentence,
                    energy_mev=_stated_energy_mev(item),
                    delivery_type=delivery,
                )
            )
            self._find(Severity.BLOCKER, "beam-refused", sentence, name)
            return
        for note in beam.notes:
            self._find(Severity.NOTE, "beam-note", f"Beam '{name}': {note}", name)
        self.beams.append(beam)

    def _find(self, severity: Severity, code: str, sentence: str, subject: str) -> None:
        self.findings.append(Finding(severity=severity, code=code, sentence=sentence, subject=subject))

    def _position(self, beam: Dataset) -> str:
        """Patient position of the setup that a beam refers to; of the only setup if it refers to none."""
        setups = {values.whole(s, "PatientSetupNumber"): s for s in values.items(self.dataset, "PatientSetupSequence")}
        wanted = values.whole(beam, "ReferencedPatientSetupNumber")
        if wanted is None and len(setups) == 1:
            setup: Dataset | None = next(iter(setups.values()))
        else:
            setup = setups.get(wanted)
        if setup is None:
            if wanted is not None:
                raise ImportRejected(f"its patient setup {wanted} does not exist.")
            return ""
        position = values.text(setup, "PatientPosition").upper()
        if position and position not in PATIENT_POSITIONS:
            raise ImportRejected(f"patient position '{position}' is not supported.")
        return position

    def _fractions_and_mu(self, number: int) -> tuple[int | None, float | None]:
        """Fractions planned and monitor units per fraction of one beam."""
        found = [
            (values.whole(group, "NumberOfFractionsPlanned"), values.number(reference, "BeamMeterset"))
            for group in self.groups
            for reference in values.items(group, "ReferencedBeamSequence")
            if values.whole(reference, "ReferencedBeamNumber") == number
        ]
        if len(found) > 1:
            raise ImportRejected("it is in several fraction groups; ERT plans have one.")
        return found[0] if found else (None, None)

    def _prescription_gy(self) -> float | None:
        doses = [
            values.number(reference, "TargetPrescriptionDose")
            for reference in values.items(self.dataset, "DoseReferenceSequence")
        ]
        return max((d for d in doses if d is not None), default=None)


def _stated_energy_mev(item: Dataset) -> float | None:
    """Nominal energy of a beam that is refused for another reason; None where it cannot be read."""
    try:
        return values.number(values.items(item, "ControlPointSequence")[0], "NominalBeamEnergy")
    except (ImportRejected, IndexError):
        return None
