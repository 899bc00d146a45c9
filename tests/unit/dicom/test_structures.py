"""Structure sets: what is taken over, what is left out by name, what is refused."""

from __future__ import annotations

import datetime as dt

import attrs
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage

from ert.dicom.attributes import Origin, StudyAttributes
from ert.dicom.structures import read_structures
from ert.dicom.structures_write import write_structures
from ert.domain.image import DensityOverride, Material
from ert.domain.structure import Contour, Structure, StructureRole, StructureSet
from ert.errors import ImportRejected
from ert.geometry.grid import VoxelGrid

FRAME = "1.2.3.3"
GRID = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(0.1, 0.1, 0.3), shape_zyx=(10, 50, 50))
SQUARE = [0, 0, 3, 10, 0, 3, 10, 10, 3, 0, 10, 3]


def contour(data=SQUARE, kind="CLOSED_PLANAR", count=None):
    item = Dataset()
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = str(len(data) // 3 if count is None else count)
    item.ContourData = [str(v) for v in data]
    return item


def write_rtstruct(path, rois, *, contours=None, frame=FRAME):
    """rois: (number, name, interpreted type, contours or None)."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID = RTStructureSetStorage, "1.7.1", "1.7"
    ds.StructureSetLabel, ds.PatientID = "SET", "P1"
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    for number, name, kind, items in rois:
        roi = Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = str(number), name, frame
        ds.StructureSetROISequence.append(roi)
        observation = Dataset()
        observation.ReferencedROINumber, observation.RTROIInterpretedType = str(number), kind
        ds.RTROIObservationsSequence.append(observation)
        if items is not None:
            drawn = Dataset()
            drawn.ReferencedROINumber, drawn.ROIDisplayColor = str(number), ["10", "20", "30"]
            drawn.ContourSequence = items
            ds.ROIContourSequence.append(drawn)
    ds.ROIContourSequence.extend(contours or [])
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)
    return path


def read(path):
    return read_structures(path, grid=GRID, frame_of_reference_uid=FRAME)


def test_contours_points_roles_colours_and_empty_structures(tmp_path):
    closed_twice = [*SQUARE, *SQUARE[:3]]
    rois = [
        (1, "BODY", "EXTERNAL", [contour(closed_twice), contour(kind="CLOSEDPLANAR_XOR")]),
        (5, "iso", "ISOCENTER", [contour([1, 2, 3], kind="POINT")]),
        (9, "nothing", "AVOIDANCE", None),
        (11, "odd", "DOSE_REGION", [contour()]),
    ]
    found, findings = read(write_rtstruct(tmp_path / "s", rois))
    body, iso, nothing, odd = found.structures
    assert (body.role, iso.role, nothing.role, odd.role) == ("EXTERNAL", "", "AVOIDANCE", "")
    np.testing.assert_allclose(body.contours[0].points_cm, np.array(SQUARE).reshape(-1, 3) / 10)
    assert (body.colour, len(body.contours), iso.points) == ((10, 20, 30), 2, ((0.1, 0.2, 0.3),))
    assert nothing.is_empty
    assert (found.label, found.sop_instance_uid, found.frame_of_reference_uid) == ("SET", "1.7.1", FRAME)
    assert [(f.code, f.subject) for f in findings] == [("empty-structure", "nothing")]


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (contour(kind="OPEN_PLANAR"), "1 open or unknown contours (OPEN_PLANAR)"),
        (contour(SQUARE[:6]), "fewer than three points"),
        (contour([0, 0, 3, 5, 5, 3, 10, 10, 3]), "without area"),
    ],
)
def test_contours_that_enclose_nothing_are_left_out_and_named(tmp_path, item, sentence):
    found, findings = read(write_rtstruct(tmp_path / "s", [(1, "PTV", "PTV", [item, contour()])]))
    assert len(found.structures[0].contours) == 1
    assert [f.code for f in findings] == ["contour-left-out"]
    assert sentence in findings[0].sentence
    assert "'PTV'" in findings[0].sentence


def test_contours_between_slices_are_kept_with_a_note(tmp_path):
    between = [v if k % 3 != 2 else 4.5 for k, v in enumerate(SQUARE)]
    found, findings = read(write_rtstruct(tmp_path / "s", [(1, "PTV", "PTV", [contour(between)])]))
    assert found.structures[0].contours[0].points_cm[0, 2] == pytest.approx(0.45)
    assert [f.code for f in findings] == ["off-plane"]


NAN = [*SQUARE]
NAN[4] = "NaN"
NON_PLANAR = [*SQUARE]
NON_PLANAR[2] = 3.5


@pytest.mark.parametrize(
    ("rois", "keywords", "reason"),
    [
        ([(1, "A", "", None), (1, "B", "", None)], {}, "number 1 is used more than once"),
        ([(1, "A", "", [contour()])], {"frame": "1.2.99"}, "another frame of reference"),
        ([(1, "A", "", [contour()])], {"frame": ""}, "does not say in which frame"),
        ([(1, "A", "", [contour(NON_PLANAR)])], {}, "'A' has a contour that does not lie in a plane"),
        ([(1, "A", "", [contour(count=5)])], {}, "4 points where 5 are announced"),
        ([(1, "A", "", [contour(SQUARE[:-1], count=4)])], {}, "3.66667 points where 4"),
    ],
)
def test_refused_with_the_reason(tmp_path, rois, keywords, reason):
    with pytest.raises(ImportRejected, match=reason.replace("(", r"\(")):
        read(write_rtstruct(tmp_path / "s", rois, **keywords))


def test_text_that_is_no_number_is_refused(tmp_path):
    path = write_rtstruct(tmp_path / "s", [(1, "A", "", [contour()])])
    for text in (b"nan ", b"abc ", b"1e999"):
        damaged = tmp_path / "d"
        damaged.write_bytes(path.read_bytes().replace(b"0\\10\\3", text.ljust(6)[:6], 1))
        with pytest.raises(ImportRejected, match="finite number|announced"):
            read(damaged)


def test_contours_that_belong_to_no_structure_are_refused(tmp_path):
    stray = Dataset()
    stray.ReferencedROINumber, stray.ContourSequence = "99", [contour()]
    with pytest.raises(ImportRejected, match="structure 99, which does not exist"):
        read(write_rtstruct(tmp_path / "s", [(1, "A", "", [contour()])], contours=[stray]))


def test_another_object_is_refused(demo_files):
    with pytest.raises(ImportRejected, match="no RT Structure Set"):
        read(demo_files[0])


def test_an_outline_without_type_is_taken_by_its_name_with_a_warning(tmp_path):
    found, findings = read(write_rtstruct(tmp_path / "s", [(1, "Body", "", [contour()]), (2, "X", "", [contour()])]))
    assert found.external.name == "Body"
    assert [f.code for f in findings] == ["external-by-name"]
    found, _ = read(write_rtstruct(tmp_path / "s", [(1, "Body", "", [contour()]), (2, "X", "EXTERNAL", [contour()])]))
    assert found.external.name == "X"


def test_what_is_written_reads_back(tmp_path, demo):
    patient, image, _structures = demo
    angle = np.linspace(0, 2 * np.pi, 9000, endpoint=False)
    circle = np.column_stack([10 * np.cos(angle), 7 * np.sin(angle), np.full(9000, image.grid.origin_cm[2])])
    bolus = Structure(number=3, name="Bolus", role=StructureRole.BOLUS, contours=(Contour(points_cm=circle[::300]),))
    structures = StructureSet(
        label="Ünïcödé 胸",
        frame_of_reference_uid=image.frame_of_reference_uid,
        sop_instance_uid="1.2.5",
        structures=(
            Structure(
                number=1,
                name="Körper 胸",
                role=StructureRole.EXTERNAL,
                colour=(1, 2, 3),
                contours=(Contour(points_cm=circle),),
                points=((1.0, -2.0, 3.5),),
            ),
            Structure(number=7, name="leer", role=StructureRole.OTHER),
            bolus,
        ),
    )
    wax = Material(name="wax", density_g_cm3=0.93, relative_stopping=0.959, relative_scattering=0.73)
    path = tmp_path / "s.dcm"
    write_structures(
        path,
        patient=attrs.evolve(patient, family_name="Müller"),
        study=StudyAttributes(uid=image.study_instance_uid, date="", time=""),
        image=image,
        structures=structures,
        overrides=(DensityOverride(structure_number=3, material=wax),),
        sop_instance_uid="1.2.5",
        series_uid="1.2.6",
        origin=Origin(made_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC), software_version="0"),
    )
    found, _ = read_structures(path, grid=image.grid, frame_of_reference_uid=image.frame_of_reference_uid)
    assert [s.name for s in found.structures] == ["Körper 胸", "leer", "Bolus"]
    np.testing.assert_allclose(found.structures[0].contours[0].points_cm, circle, atol=0.00006)
    assert found.structures[0].points == ((1.0, -2.0, 3.5),)
    assert [s.role for s in found.structures] == [s.role for s in structures.structures]
    assert found.structures[0].colour == (1, 2, 3)


@pytest.mark.parametrize("turn", [0, 1, 2])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_contour_that_is_stored_twice_is_taken_once(tmp_path, turn, direction):
    """Combined by exclusive or it would take itself away, and EXTERNAL would be air on that slice."""
    again = np.roll(np.array(SQUARE).reshape(-1, 3)[::direction], turn, axis=0).ravel().tolist()
    hole = [3, 3, 3, 6, 3, 3, 6, 6, 3, 3, 6, 3]
    found, findings = read(
        write_rtstruct(tmp_path / "s", [(1, "BODY", "EXTERNAL", [contour(), contour(hole), contour(again)])])
    )
    assert [len(c.points_cm) for c in found.structures[0].contours] == [4, 4]
    np.testing.assert_allclose(found.structures[0].contours[0].points_cm, np.array(SQUARE).reshape(-1, 3) / 10)
    (told,) = [f for f in findings if f.code == "contour-copies"]
    assert told.sentence == "'BODY': 1 contour stored twice, taken once."
    assert not [f for f in findings if f.code == "contours-cross"]


def test_contours_that_cross_are_told_and_kept(tmp_path):
    across = [5, 5, 3, 15, 5, 3, 15, 15, 3, 5, 15, 3]
    found, findings = read(write_rtstruct(tmp_path / "s", [(1, "PTV", "PTV", [contour(), contour(across)])]))
    assert len(found.structures[0].contours) == 2
    (told,) = [f for f in findings if f.code == "contours-cross"]
    assert "at 0.30 cm" in told.sentence


@pytest.mark.parametrize(
    "other",
    [
        [3, 3, 3, 6, 3, 3, 6, 6, 3, 3, 6, 3],  # a hole
        [20, 0, 3, 30, 0, 3, 30, 10, 3, 20, 10, 3],  # beside it
        [10, 0, 3, 20, 0, 3, 20, 10, 3, 10, 10, 3],  # touching it
        [5, 5, 6, 15, 5, 6, 15, 15, 6, 5, 15, 6],  # on the next slice
    ],
)
def test_holes_neighbours_and_other_planes_do_not_cross(tmp_path, other):
    _, findings = read(write_rtstruct(tmp_path / "s", [(1, "PTV", "PTV", [contour(), contour(other)])]))
    assert not [f for f in findings if f.code in {"contours-cross", "contour-copies"}]
