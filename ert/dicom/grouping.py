"""Headers → patients, studies, series: what belongs together, and what was found twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TypeVar

import attrs
from pydicom.uid import UID

from ert.dicom import headers
from ert.dicom.headers import AnyHeader, DoseHeader, Header, PersonHeader, PlanHeader, SliceHeader, StructureSetHeader
from ert.dicom.series import CtSeries, build_series
from ert.domain.record import Finding, Severity

_RtHeader = TypeVar("_RtHeader", StructureSetHeader, PlanHeader, DoseHeader)


@attrs.frozen(kw_only=True)
class ScannedStudy:
    """One study: its CT series and RT objects."""

    uid: str
    date: str
    description: str
    series: tuple[CtSeries, ...]
    structure_sets: tuple[StructureSetHeader, ...]
    plans: tuple[PlanHeader, ...]
    doses: tuple[DoseHeader, ...]


@attrs.frozen(kw_only=True)
class ScannedPatient:
    """One patient as the files have them."""

    person: PersonHeader
    studies: tuple[ScannedStudy, ...]


@attrs.frozen(kw_only=True)
class ScanResult:
    """What was found.

    Attributes
    ----------
    patients : grouped by Patient ID and issuer.
    findings : about files; those of a series are in `CtSeries.findings`.
    damaged_ct : CT files, or files of unknown kind, that cannot be read: a series beside them may be incomplete.
    file_count : files looked at.
    """

    patients: tuple[ScannedPatient, ...]
    findings: tuple[Finding, ...]
    damaged_ct: tuple[Path, ...]
    file_count: int

    @property
    def series(self) -> tuple[CtSeries, ...]:
        """Every CT series."""
        return tuple(s for p in self.patients for study in p.studies for s in study.series)

    @property
    def structure_sets(self) -> tuple[StructureSetHeader, ...]:
        """Every structure set."""
        return tuple(s for p in self.patients for study in p.studies for s in study.structure_sets)

    @property
    def plans(self) -> tuple[PlanHeader, ...]:
        """Every RT Plan."""
        return tuple(s for p in self.patients for study in p.studies for s in study.plans)

    @property
    def doses(self) -> tuple[DoseHeader, ...]:
        """Every RT Dose."""
        return tuple(s for p in self.patients for study in p.studies for s in study.doses)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Findings of files and of series together."""
        return (*self.findings, *(f for s in self.series for f in s.findings))

    def structure_sets_for(self, series: CtSeries) -> tuple[StructureSetHeader, ...]:
        """The structure sets drawn on a series: by the series they name, else by patient and frame of reference."""
        named = [s for s in self.structure_sets if series.uid in s.referenced_series_uids]
        known = {s.uid for s in self.series}
        in_frame = [
            s
            for s in self.structure_sets
            if s not in named and series.frame_uid in s.frame_uids and not known.intersection(s.referenced_series_uids)
        ]
        same = [s for s in (*named, *in_frame) if not s.header.person.disagreement(series.person)]
        return tuple(sorted(same, key=lambda s: (s.date, s.header.sop_instance_uid), reverse=True))


def group_headers(found: list[AnyHeader], findings: list[Finding]) -> tuple[ScannedPatient, ...]:
    """Sort headers into patients and studies; what does not fit adds to the findings."""
    slices: defaultdict[str, list[SliceHeader]] = defaultdict(list)
    for one in found:
        if isinstance(one, SliceHeader):
            slices[one.header.series_instance_uid].append(one)
    _note_others([h for h in found if isinstance(h, Header)], findings)
    _note_shared_uids(slices, findings)
    series = [build_series(group) for group in slices.values()]
    structure_sets = _unique([h for h in found if isinstance(h, StructureSetHeader)], findings)
    plans = _unique([h for h in found if isinstance(h, PlanHeader)], findings)
    doses = _unique([h for h in found if isinstance(h, DoseHeader)], findings)
    persons: dict[tuple[str, str], PersonHeader] = {}
    studies: defaultdict[tuple[str, str], dict[str, Header]] = defaultdict(dict)
    leads = [s.slices[0].header if s.slices else slices[s.uid][0].header for s in series]
    rt_headers = [*(h.header for h in structure_sets), *(h.header for h in plans), *(h.header for h in doses)]
    for header in (*leads, *rt_headers):
        persons.setdefault(header.person.key, header.person)
        studies[header.person.key].setdefault(header.study_instance_uid, header)

    def belongs(header: Header, key: tuple[str, str], uid: str) -> bool:
        return header.person.key == key and header.study_instance_uid == uid

    return tuple(
        ScannedPatient(
            person=person,
            studies=tuple(
                ScannedStudy(
                    uid=uid,
                    date=lead.study_date,
                    description=lead.study_description,
                    series=tuple(s for s, h in zip(series, leads, strict=True) if belongs(h, key, uid)),
                    structure_sets=tuple(h for h in structure_sets if belongs(h.header, key, uid)),
                    plans=tuple(h for h in plans if belongs(h.header, key, uid)),
                    doses=tuple(h for h in doses if belongs(h.header, key, uid)),
                )
                for uid, lead in studies[key].items()
            ),
        )
        for key, person in persons.items()
    )


def _unique(found: list[_RtHeader], findings: list[Finding]) -> list[_RtHeader]:
    """One of each SOP instance; copies are noted, different content under one UID is a blocker and offers neither."""
    groups: defaultdict[str, list[_RtHeader]] = defaultdict(list)
    for one in found:
        groups[one.header.sop_instance_uid].append(one)
    unique = []
    for group in groups.values():
        names = "', '".join(h.header.path.name for h in group)
        contents = {h.header.path.read_bytes() for h in group} if len(group) > 1 else set()
        if len(contents) > 1:
            sentence = f"'{names}' are different objects with the same SOP Instance UID; none of them can be used."
            findings.append(Finding(severity=Severity.BLOCKER, code="duplicate-uid", sentence=sentence, subject=names))
            continue
        if len(group) > 1:
            sentence = f"'{names}' are copies of one object; one of them is used."
            findings.append(Finding(severity=Severity.NOTE, code="duplicate-file", sentence=sentence, subject=names))
        unique.append(group[0])
    return unique


def _note_others(others: list[Header], findings: list[Finding]) -> None:
    """Say what kinds of object were left out, and how many."""
    counts = Counter(h.sop_class_uid for h in others)
    for sop_class, number in sorted(counts.items()):
        name = UID(sop_class).name
        is_enhanced = sop_class == headers.ENHANCED_CT
        sentence = f"{number} object{'s' if number > 1 else ''} of '{name}' left out."
        if is_enhanced:
            sentence = f"{sentence} Multi-frame CT is not supported; have it sent as single images."
        findings.append(
            Finding(
                severity=Severity.WARNING if is_enhanced else Severity.NOTE,
                code="enhanced-ct" if is_enhanced else "other-object",
                sentence=sentence,
                subject=name,
            )
        )


def _note_shared_uids(slices: dict[str, list[SliceHeader]], findings: list[Finding]) -> None:
    """Warn if one SOP Instance UID turns up in two series."""
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for series_uid, group in slices.items():
        for one in group:
            owners[one.header.sop_instance_uid].add(series_uid)
    shared = [uid for uid, found in owners.items() if len(found) > 1]
    if shared:
        sentence = f"{len(shared)} images' SOP Instance UIDs are used in more than one series."
        findings.append(Finding(severity=Severity.WARNING, code="shared-uid", sentence=sentence))
