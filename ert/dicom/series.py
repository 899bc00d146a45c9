"""One CT series: is it a volume? Sorting, spacing, tilt and gap checks on headers alone.

Geometry comes from Image Orientation (Patient) and Image Position (Patient) only; Instance Number, Slice Location and
Slice Thickness are never used. DICOM PS3.3 C.7.6.2.1.1: the centre of pixel (column i, row j) of a slice lies at
``position + i * column spacing * row direction + j * row spacing * column direction``.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.dicom.headers import PersonHeader, SliceHeader
from ert.domain.record import Finding, Severity
from ert.errors import ImportRejected
from ert.geometry.frames import PATIENT_POSITIONS
from ert.geometry.grid import VoxelGrid

POSITION_TOLERANCE_MM = 0.05
"""How far a slice may lie from its place in an even stack. Exporters round positions to as little as one decimal digit
(± 0.05 mm); dose over that distance changes by less than 0.5 % even in the steepest electron fall-off (6 %/mm)."""
MAX_SLICE_DISTANCE_MM = 10.0
"""Above this, CT numbers and contours between slices would be invented (docs/adr/0010-slice-distance.md)."""
COARSE_SLICE_DISTANCE_MM = 5.0
NO_POSITION = "no-patient-position"
_UNIT_TOLERANCE = 1e-3
_SAME_ORIENTATION = 1e-4
_SCOUT_ANGLE_COSINE = 0.5
_MAX_VOXELS = 1 << 30
_MAX_SIDE = 4096
_SCOUT_TYPES = {"LOCALIZER", "REF_SURVIEW", "SCOUT"}


@attrs.frozen(kw_only=True)
class CtSeries:
    """A CT series as scanned.

    Attributes
    ----------
    uid, study_uid, frame_uid, description, patient_position, manufacturer : as the files say.
    person : of the first slice.
    slices : in the order of the volume's z where the series is a volume, else in the order found.
    grid : cm, in the patient; None if the series is no volume, see `findings`.
    findings : what is wrong or worth knowing; a blocker means that it cannot be imported.
    """

    uid: str
    study_uid: str
    frame_uid: str
    description: str
    patient_position: str
    manufacturer: str
    person: PersonHeader
    slices: tuple[SliceHeader, ...]
    grid: VoxelGrid | None
    findings: tuple[Finding, ...]

    @property
    def is_importable(self) -> bool:
        """True if nothing blocks it."""
        return self.grid is not None and not self.blockers

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """The findings that forbid import."""
        return tuple(f for f in self.findings if f.severity is Severity.BLOCKER)


def with_position(series: CtSeries, patient_position: str) -> CtSeries:
    """The series with a patient position where its files give none; unchanged if they do."""
    if series.patient_position or not patient_position:
        return series
    findings = tuple(f for f in series.findings if f.code != NO_POSITION)
    sentence = f"The files do not say how the patient lies; {patient_position} was entered at import."
    entered = Finding(severity=Severity.WARNING, code="position-entered", sentence=sentence, subject=series.description)
    return attrs.evolve(series, patient_position=patient_position, findings=(*findings, entered))


class _Report:
    """Findings of one series, in the order they are made."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.findings: list[Finding] = []

    def add(self, severity: Severity, code: str, sentence: str) -> None:
        self.findings.append(Finding(severity=severity, code=code, sentence=sentence, subject=self.subject))

    def block(self, code: str, sentence: str) -> None:
        self.add(Severity.BLOCKER, code, sentence)

    @property
    def is_blocked(self) -> bool:
        """True if something speaks against a volume; a missing patient position does not."""
        return any(f.severity is Severity.BLOCKER and f.code != NO_POSITION for f in self.findings)


def unit_axes(orientation: tuple[float, ...]) -> NDArray[np.float64]:
    """Row direction, column direction and their cross product, one a row, from Image Orientation (Patient).

    Raises
    ------
    ImportRejected
        If the two directions are not perpendicular unit vectors.
    """
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1.0) for length in lengths) > _UNIT_TOLERANCE or abs(row @ column) > _UNIT_TOLERANCE:
        raise ImportRejected("Its image axes are not perpendicular unit vectors (sheared image).")
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return np.array([row, column, np.cross(row, column)])


def build_series(slices: list[SliceHeader]) -> CtSeries:
    """Check one series and lay out its volume. Never raises for what the files hold: see ``findings``."""
    first = slices[0]
    report = _Report(first.header.series_description or first.header.series_instance_uid)
    kept = _without_scouts(_without_duplicates(slices, report), report)
    ordered, grid = kept, None
    if kept:
        _check_equal(kept, report)
        _check_pixels(kept, report)
    if kept and not report.is_blocked:
        ordered, grid = _lay_out(kept, report)
    lead = ordered[0] if ordered else first
    return CtSeries(
        uid=first.header.series_instance_uid,
        study_uid=lead.header.study_instance_uid,
        frame_uid=lead.header.frame_of_reference_uid,
        description=first.header.series_description,
        patient_position=lead.patient_position,
        manufacturer=lead.header.manufacturer,
        person=lead.header.person,
        slices=tuple(ordered),
        grid=grid,
        findings=tuple(report.findings),
    )


def _without_duplicates(slices: list[SliceHeader], report: _Report) -> list[SliceHeader]:
    """Drop byte-identical copies; a UID on two different images blocks."""
    seen: dict[str, SliceHeader] = {}
    for one in slices:
        uid = one.header.sop_instance_uid
        if uid not in seen:
            seen[uid] = one
        elif one.header.path.read_bytes() == seen[uid].header.path.read_bytes():
            report.add(
                Severity.NOTE, "duplicate-file", f"'{one.header.path.name}' is a copy of another file; left out."
            )
        else:
            report.block(
                "duplicate-uid",
                f"'{one.header.path.name}' and '{seen[uid].header.path.name}' are different images with the same "
                "SOP Instance UID.",
            )
    return list(seen.values())


def _without_scouts(slices: list[SliceHeader], report: _Report) -> list[SliceHeader]:
    """Leave out localizers, by Image Type or because they stand across the other slices."""
    kept = [s for s in slices if not _SCOUT_TYPES.intersection(s.image_type)]
    normals = [_normal(s) for s in kept]
    known = np.array([n for n in normals if n is not None])
    if len(known) > 2:
        main = known[int(np.argmax(np.sum(np.abs(known @ known.T) > _SCOUT_ANGLE_COSINE, axis=1)))]
        pairs = zip(kept, normals, strict=True)
        kept = [s for s, n in pairs if n is None or abs(n @ main) > _SCOUT_ANGLE_COSINE]
    if len(kept) < len(slices):
        number = len(slices) - len(kept)
        report.add(Severity.NOTE, "scout", f"{number} scout image{'s' if number > 1 else ''} left out.")
    if not kept:
        report.block("only-scouts", "The series has scout images only, no volume.")
    return kept


def _normal(one: SliceHeader) -> NDArray[np.float64] | None:
    if one.orientation is None:
        return None
    return np.cross(one.orientation[:3], one.orientation[3:])


def _check_equal(slices: list[SliceHeader], report: _Report) -> None:
    """One patient, one study, one frame, one position, one matrix."""
    first = slices[0]
    for one in slices:
        difference = first.header.person.disagreement(one.header.person)
        if difference:
            report.block("mixed-patients", f"The series mixes patients: {difference}.")
            break
    for code, what, found in (
        ("mixed-studies", "studies", {s.header.study_instance_uid for s in slices}),
        ("mixed-frames", "frames of reference", {s.header.frame_of_reference_uid for s in slices}),
        ("mixed-positions", "patient positions", {s.patient_position for s in slices}),
        ("mixed-matrix", "image sizes", {(s.rows, s.columns) for s in slices}),
        ("mixed-spacing", "pixel spacings", {s.pixel_spacing_mm for s in slices}),
        ("mixed-units", "CT number units (Rescale Type)", {s.rescale_type for s in slices}),
    ):
        if len(found) > 1:
            report.block(code, f"The series mixes {len(found)} {what}; one is needed.")
    if not first.header.frame_of_reference_uid:
        report.block("no-frame", "The images have no Frame of Reference UID; nothing could be registered to them.")
    if not first.header.study_instance_uid:
        report.block("no-study", "The images have no Study Instance UID.")
    if not first.patient_position:
        report.block(NO_POSITION, "The files do not say in which position the patient lies; ERT never assumes one.")
    elif first.patient_position not in PATIENT_POSITIONS:
        report.block("patient-position", f"Patient position '{first.patient_position}' is not supported.")


def _check_pixels(slices: list[SliceHeader], report: _Report) -> None:
    """What can be known of the pixels from headers."""
    first = slices[0]
    spacing = first.pixel_spacing_mm
    if any(s.orientation is None or s.position_mm is None for s in slices):
        report.block("no-geometry", "An image has no Image Position or Image Orientation (Patient).")
    if spacing is None or min(spacing) <= 0:
        report.block("pixel-spacing", f"The Pixel Spacing is {spacing or 'missing'}; it must be positive.")
    too_many = max(first.rows, first.columns) > _MAX_SIDE or first.rows * first.columns * len(slices) > _MAX_VOXELS
    if min(first.rows, first.columns) < 1 or too_many:
        report.block("matrix", f"{len(slices)} images of {first.rows} × {first.columns} pixels cannot be a volume.")
    if any(s.number_of_frames != 1 for s in slices):
        report.block("frames", "An image claims several frames; a CT image has one.")
    if any(s.rescale_slope is None or s.rescale_intercept_hu is None for s in slices):
        report.block("no-rescale", "An image has no Rescale Slope and Intercept; its CT numbers are unknown.")
    elif any(s.rescale_slope == 0 for s in slices):
        report.block("no-rescale", "An image has Rescale Slope 0; its CT numbers are lost.")
    if first.rescale_type not in ("", "HU", "US"):
        report.block("units", f"The pixel values are '{first.rescale_type}', not Hounsfield units.")
    elif first.rescale_type == "US":
        report.add(
            Severity.WARNING, "units", "The pixel values' unit is 'unspecified'; they are taken as Hounsfield units."
        )
    if any(s.is_lossy for s in slices):
        report.block("lossy", "The images were compressed with loss; their CT numbers are no longer exact.")


def _lay_out(slices: list[SliceHeader], report: _Report) -> tuple[list[SliceHeader], VoxelGrid | None]:
    """Sort along the normal and check that the stack is straight and even. Tilt, gaps and uneven stacks block."""
    orientations = np.array([s.orientation for s in slices])
    if np.abs(orientations - orientations[0]).max() > _SAME_ORIENTATION:
        report.block("mixed-orientations", "The images of the series are not parallel to one another.")
        return slices, None
    try:
        axes = unit_axes(slices[0].orientation or ())
    except ImportRejected as refused:
        report.block("sheared", refused.sentence)
        return slices, None
    positions = np.array([s.position_mm for s in slices])
    order = np.argsort(positions @ axes[2], kind="stable")
    ordered = [slices[i] for i in order]
    positions = positions[order]
    if len(ordered) == 1:
        report.block("single-slice", "The series has a single slice; a volume needs at least two.")
        return ordered, None
    spacing_mm = _even_spacing_mm(positions, axes, report)
    if spacing_mm is None:
        return ordered, None
    row_mm, column_mm = ordered[0].pixel_spacing_mm or (0.0, 0.0)
    first = ordered[0]
    grid = VoxelGrid(
        origin_cm=positions[0] / 10.0,
        spacing_cm=(column_mm / 10.0, row_mm / 10.0, spacing_mm / 10.0),
        shape_zyx=(len(ordered), first.rows, first.columns),
        axes=axes,
    )
    return ordered, grid


def _even_spacing_mm(positions: NDArray[np.float64], axes: NDArray[np.float64], report: _Report) -> float | None:
    """The slice distance of sorted positions (n, 3), mm; None, with the reason reported, if there is no single one."""
    heights = positions @ axes[2]
    steps = np.diff(heights)
    same = np.flatnonzero(steps <= POSITION_TOLERANCE_MM)
    if same.size:
        where = ", ".join(f"{h:.2f}" for h in heights[same][:5])
        report.block("duplicate-slices", f"Two slices lie at the same place: position {where} mm.")
        return None
    typical = float(np.median(steps))
    gaps = np.flatnonzero(np.abs(steps - typical) > POSITION_TOLERANCE_MM)
    multiples = steps / typical
    missing = [i for i in gaps if multiples[i] > 1.5 and abs(multiples[i] - round(multiples[i])) < 0.1]
    if missing and len(missing) == len(gaps):
        where = "; ".join(f"between {heights[i]:.2f} and {heights[i + 1]:.2f} mm" for i in missing[:5])
        report.block("missing-slices", f"Slices are missing {where} (slice distance {typical:.2f} mm).")
        return None
    spacing_mm = float((heights[-1] - heights[0]) / (len(heights) - 1))
    expected = heights[0] + np.arange(len(heights)) * spacing_mm
    if gaps.size or np.abs(heights - expected).max() > POSITION_TOLERANCE_MM:
        report.block(
            "unequal-spacing",
            f"The slices are not evenly spaced: {steps.min():.2f} to {steps.max():.2f} mm. "
            "A gap, or two scans in one series.",
        )
        return None
    drift = (positions - positions[0]) @ axes[:2].T
    if np.abs(drift).max() > POSITION_TOLERANCE_MM:
        angle = np.degrees(np.arctan2(np.linalg.norm(drift[-1]), heights[-1] - heights[0]))
        report.block(
            "gantry-tilt",
            f"The slices are sheared against each other by {angle:.1f}°: scanned with a tilted gantry, "
            "or from several series.",
        )
        return None
    _judge_distance(spacing_mm, report)
    return spacing_mm


def _judge_distance(spacing_mm: float, report: _Report) -> None:
    if spacing_mm > MAX_SLICE_DISTANCE_MM + POSITION_TOLERANCE_MM:
        report.block(
            "slice-distance",
            f"The slices are {spacing_mm:.1f} mm apart; dose is planned on at most {MAX_SLICE_DISTANCE_MM:g} mm, "
            "because what lies between slices would be invented.",
        )
    elif spacing_mm > COARSE_SLICE_DISTANCE_MM + POSITION_TOLERANCE_MM:
        report.add(
            Severity.WARNING,
            "slice-distance",
            f"The slices are {spacing_mm:.1f} mm apart; edges of targets and lung are known no better than that.",
        )
