"""RT Structure Set → `StructureSet`, with a finding for everything that is not taken over as it stands."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ert.dicom import values
from ert.dicom.boundary import dicom_boundary, read_dataset
from ert.dicom.contour_planes import crossing_heights_cm, without_copies
from ert.dicom.headers import RT_STRUCTURE_SET
from ert.domain.record import Finding, Severity
from ert.domain.structure import Contour, Structure, StructureRole, StructureSet
from ert.errors import ImportRejected
from ert.geometry.grid import VoxelGrid

PLANE_TOLERANCE_CM = 0.01
"""How far a contour's points may leave their common plane: writers round to 0.1 mm at worst."""
_MIN_POINTS = 3
_PLACES = 3
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR")
_MARKERS = ("MARKER", "ISOCENTER", "REGISTRATION", "DOSE_MEASUREMENT")
_OUTLINE_NAMES = {"body", "external", "ext", "skin", "outline", "patient", "patient outline", "external contour"}
_PALETTE = ((230, 60, 60), (60, 160, 230), (70, 190, 90), (230, 160, 40), (170, 90, 210), (40, 190, 190))


def read_structures(path: Path, *, grid: VoxelGrid, frame_of_reference_uid: str) -> tuple[StructureSet, list[Finding]]:
    """Read an RT Structure Set drawn on a CT volume.

    Closed planar contours and points are taken over, a contour that is stored twice once; open contours are left out;
    closed contours of one or two points or no area enclose nothing and are left out. Each of these is named in a
    finding, and so are contours of one plane that cross. Structures without contours stay.

    Parameters
    ----------
    path : Path
        The file.
    grid : VoxelGrid
        The CT volume: contours must be parallel to its slices, but need not lie on one.
    frame_of_reference_uid : str
        The CT's; every structure must be drawn in it.

    Returns
    -------
    StructureSet, list of Finding

    Raises
    ------
    ImportRejected
        If the file is damaged, of another frame of reference, has duplicate structure numbers, contours that belong
        to no structure, wrong point counts, coordinates that are no numbers, or contours that are not planar.
    """
    dataset = read_dataset(path)
    with dicom_boundary(path.name):
        if values.text(dataset, "SOPClassUID") != RT_STRUCTURE_SET:
            raise ImportRejected(f"'{path.name}' is no RT Structure Set.")
        reader = _Reader(dataset, path.name, grid, frame_of_reference_uid)
        return reader.read(), reader.findings


class _Reader:
    def __init__(self, dataset: Dataset, name: str, grid: VoxelGrid, frame_uid: str) -> None:
        self.dataset = dataset
        self.name = name
        self.axes = np.asarray(grid.axes)
        self.normal = self.axes[2]
        self.frame_uid = frame_uid
        origin = float(np.asarray(grid.origin_cm) @ self.normal)
        self.heights_cm = origin + grid.axis_centres_cm(2)
        self.spacing_cm = grid.spacing_cm[2]
        self.findings: list[Finding] = []
        self.off_plane: set[str] = set()

    def find(self, severity: Severity, code: str, sentence: str, subject: str) -> None:
        self.findings.append(Finding(severity=severity, code=code, sentence=sentence, subject=subject))

    def refuse(self, sentence: str) -> ImportRejected:
        return ImportRejected(
            f"Structure set '{self.name}': {sentence}", hint="Export it again, or choose another one."
        )

    def read(self) -> StructureSet:
        rois = values.items(self.dataset, "StructureSetROISequence")
        numbers = [values.required_whole(roi, "ROINumber") for roi in rois]
        doubled = sorted({n for n in numbers if numbers.count(n) > 1})
        if doubled:
            raise self.refuse(f"structure number {doubled[0]} is used more than once.")
        self._check_frames(rois)
        roles = self._roles(set(numbers))
        contours = self._contour_items(set(numbers))
        structures = [
            self._structure(number, values.text(roi, "ROIName"), roles.get(number, ""), contours.get(number))
            for number, roi in zip(numbers, rois, strict=True)
        ]
        for name in sorted(self.off_plane):
            self.find(Severity.NOTE, "off-plane", f"'{name}' has contours that lie between CT slices.", name)
        return StructureSet(
            label=values.text(self.dataset, "StructureSetLabel") or self.name,
            frame_of_reference_uid=self.frame_uid,
            sop_instance_uid=values.text(self.dataset, "SOPInstanceUID"),
            series_instance_uid=values.text(self.dataset, "SeriesInstanceUID"),
            structures=tuple(self._with_external(structures)),
        )

    def _check_frames(self, rois: list[Dataset]) -> None:
        """Every structure in the CT's frame of reference; where structures do not say, the set's own frames count."""
        frames = {values.text(roi, "ReferencedFrameOfReferenceUID") for roi in rois} - {""}
        if not frames:
            referenced = values.items(self.dataset, "ReferencedFrameOfReferenceSequence")
            frames = {values.text(f, "FrameOfReferenceUID") for f in referenced} - {""}
        if not frames:
            raise self.refuse("it does not say in which frame of reference it was drawn.")
        if frames != {self.frame_uid}:
            raise self.refuse("it was drawn in another frame of reference than the CT.")

    def _roles(self, numbers: set[int]) -> dict[int, str]:
        roles: dict[int, str] = {}
        for one in values.items(self.dataset, "RTROIObservationsSequence"):
            number = values.whole(one, "ReferencedROINumber")
            if number is None or number not in numbers:
                sentence = f"An observation refers to structure {number}, which does not exist; left out."
                self.find(Severity.NOTE, "dangling-observation", sentence, self.name)
                continue
            roles[number] = values.text(one, "RTROIInterpretedType").upper()
        return roles

    def _contour_items(self, numbers: set[int]) -> dict[int, Dataset]:
        found: dict[int, Dataset] = {}
        for one in values.items(self.dataset, "ROIContourSequence"):
            number = values.required_whole(one, "ReferencedROINumber")
            if number not in numbers:
                raise self.refuse(f"it has contours of structure {number}, which does not exist.")
            if number in found:
                raise self.refuse(f"structure {number} has two lists of contours.")
            found[number] = one
        return found

    def _structure(self, number: int, name: str, interpreted: str, item: Dataset | None) -> Structure:
        label = name or f"Structure {number}"
        closed: list[Contour] = []
        is_xor = False
        points: list[tuple[float, float, float]] = []
        left_out: defaultdict[str, int] = defaultdict(int)
        for contour in values.items(item, "ContourSequence") if item is not None else []:
            kind = values.text(contour, "ContourGeometricType").upper()
            is_xor = is_xor or kind in _CLOSED[1:]
            array = self._points(contour, label)
            if kind == "POINT" or (kind in _CLOSED and len(array) == 1):
                points.extend((float(x), float(y), float(z)) for x, y, z in array)
            elif kind not in _CLOSED:
                left_out[f"open or unknown contours ({kind or 'no type'})"] += 1
            elif (reason := self._worthless(array)) is not None:
                left_out[reason] += 1
            else:
                closed.append(self._closed(array, label))
        for reason, count in left_out.items():
            self.find(Severity.WARNING, "contour-left-out", f"'{label}': {count} {reason} left out.", label)
        if not closed and not points:
            self.find(Severity.NOTE, "empty-structure", f"'{label}' has no contours.", label)
        if points and not closed and interpreted not in _MARKERS:
            self.find(Severity.NOTE, "points", f"'{label}' consists of points.", label)
        contours = tuple(closed) if is_xor else self._each_once(closed, label)
        known = interpreted in set(StructureRole)
        return Structure(
            number=number,
            name=label,
            role=StructureRole(interpreted) if known else StructureRole.OTHER,
            colour=self._colour(number, item),
            contours=contours,
            points=tuple(points),
        )

    def _each_once(self, closed: list[Contour], label: str) -> tuple[Contour, ...]:
        """The contours without copies; crossing ones stay and are told."""
        kept = without_copies(closed)
        if len(kept) < len(closed):
            number = len(closed) - len(kept)
            sentence = f"'{label}': {number} contour{'s' if number > 1 else ''} stored twice, taken once."
            self.find(Severity.WARNING, "contour-copies", sentence, label)
        crossing = crossing_heights_cm(kept, self.axes)
        if crossing:
            where = ", ".join(f"{h:.2f}" for h in crossing[:_PLACES])
            more = f" and {len(crossing) - _PLACES} more" if len(crossing) > _PLACES else ""
            sentence = (
                f"'{label}' has contours that cross one another in the planes at {where} cm{more}: what lies in two of "
                "them is not part of the structure."
            )
            self.find(Severity.WARNING, "contours-cross", sentence, label)
        return kept

    def _points(self, contour: Dataset, label: str) -> NDArray[np.float64]:
        """Points (n, 3), cm."""
        try:
            flat = values.coordinates(contour, "ContourData")
        except ImportRejected as refused:
            raise self.refuse(f"'{label}': {refused.sentence}") from refused
        stated = values.whole(contour, "NumberOfContourPoints")
        if flat.size % 3 or (stated is not None and stated * 3 != flat.size):
            raise self.refuse(f"'{label}' has a contour with {flat.size / 3:g} points where {stated} are announced.")
        return flat.reshape(-1, 3) / 10.0

    @staticmethod
    def _worthless(array: NDArray[np.float64]) -> str | None:
        """Why a closed contour encloses nothing; None if it does enclose something."""
        if len(np.unique(array, axis=0)) < _MIN_POINTS:
            return "contours of fewer than three points"
        rolled = np.roll(array, -1, axis=0)
        doubled_area = np.linalg.norm(np.cross(array - array[0], rolled - array[0]).sum(axis=0))
        extent = float(np.ptp(array, axis=0).max())
        return "contours without area" if doubled_area <= 1e-9 * extent**2 else None

    def _closed(self, array: NDArray[np.float64], label: str) -> Contour:
        heights = array @ self.normal
        if np.ptp(heights) > PLANE_TOLERANCE_CM:
            raise self.refuse(
                f"'{label}' has a contour that does not lie in a plane parallel to the CT slices "
                f"(it spans {np.ptp(heights) * 10:.1f} mm)."
            )
        nearest = float(np.abs(self.heights_cm - heights.mean()).min())
        if nearest > PLANE_TOLERANCE_CM:
            self.off_plane.add(label)
        if np.array_equal(array[0], array[-1]):
            array = array[:-1]
        return Contour(points_cm=array)

    @staticmethod
    def _colour(number: int, item: Dataset | None) -> tuple[int, int, int]:
        try:
            found = values.numbers(item, "ROIDisplayColor", 3) if item is not None else None
        except ImportRejected:
            found = None  # a colour never stops an import
        if found is None or not all(0 <= c <= 255 for c in found):
            return _PALETTE[number % len(_PALETTE)]
        red, green, blue = (int(c) for c in found)
        return red, green, blue

    def _with_external(self, structures: list[Structure]) -> list[Structure]:
        """If no structure is typed EXTERNAL, the one whose name says so is taken, with a warning."""
        if any(s.role is StructureRole.EXTERNAL for s in structures):
            return structures
        named = [s for s in structures if s.name.strip().casefold() in _OUTLINE_NAMES and s.contours]
        if len(named) != 1 or named[0].role is not StructureRole.OTHER:
            return structures
        chosen = named[0]
        sentence = f"'{chosen.name}' is taken as the external contour because of its name; its type is not given."
        self.find(Severity.WARNING, "external-by-name", sentence, chosen.name)
        outline = Structure(
            number=chosen.number,
            name=chosen.name,
            role=StructureRole.EXTERNAL,
            colour=chosen.colour,
            contours=chosen.contours,
            points=chosen.points,
        )
        return [outline if s is chosen else s for s in structures]
