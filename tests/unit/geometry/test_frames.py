"""IEC 61217 frames against published cases (IEC 61217; DICOM PS3.3 C.7.6.2.1.1, patient positions)."""

import csv
from pathlib import Path

import numpy as np
import pytest

from ert.errors import Refused
from ert.geometry.frames import PATIENT_POSITIONS, BeamFrame, position_matrix

ALL_CASES = Path(__file__).parents[4] / "shared" / "tables" / "coordinate_test_cases.csv"
ISOCENTRE = (1.5, -2.5, 7.0)

# position, gantry, collimator, couch | source, bev x axis, bev y axis in the patient (LPS), source in cm from isocentre
CASES = [
    ("HFS", 0, 0, 0, (0, -100, 0), (1, 0, 0), (0, 0, 1)),  # anterior
    ("HFS", 90, 0, 0, (100, 0, 0), (0, 1, 0), (0, 0, 1)),  # patient's left
    ("HFS", 180, 0, 0, (0, 100, 0), (-1, 0, 0), (0, 0, 1)),
    ("HFS", 270, 0, 0, (-100, 0, 0), (0, -1, 0), (0, 0, 1)),
    ("HFS", 45, 0, 0, (70.7107, -70.7107, 0), (0.70711, 0.70711, 0), (0, 0, 1)),
    ("HFS", 0, 90, 0, (0, -100, 0), (0, 0, 1), (-1, 0, 0)),
    ("HFS", 0, 0, 90, (0, -100, 0), (0, 0, -1), (1, 0, 0)),
    ("HFS", 90, 0, 270, (0, 0, 100), (0, 1, 0), (-1, 0, 0)),  # vertex
    ("HFS", 30, 15, 340, (46.9846, -86.6025, 17.1010), (0.69755, 0.48296, 0.52932), (-0.54099, -0.12941, 0.83101)),
    ("HFP", 0, 0, 0, (0, 100, 0), (-1, 0, 0), (0, 0, 1)),
    ("HFP", 90, 0, 0, (-100, 0, 0), (0, -1, 0), (0, 0, 1)),
    ("FFS", 0, 0, 0, (0, -100, 0), (-1, 0, 0), (0, 0, -1)),
    ("FFS", 90, 0, 0, (-100, 0, 0), (0, 1, 0), (0, 0, -1)),
    ("FFP", 0, 0, 0, (0, 100, 0), (1, 0, 0), (0, 0, -1)),
    ("FFP", 90, 0, 0, (100, 0, 0), (0, -1, 0), (0, 0, -1)),
    ("HFDR", 0, 0, 0, (100, 0, 0), (0, 1, 0), (0, 0, 1)),
    ("HFDR", 90, 0, 0, (0, 100, 0), (-1, 0, 0), (0, 0, 1)),
    ("HFDR", 30, 15, 340, (86.6025, 46.9846, 17.1010), (-0.48296, 0.69755, 0.52932), (0.12941, -0.54099, 0.83101)),
    ("HFDL", 0, 0, 0, (-100, 0, 0), (0, -1, 0), (0, 0, 1)),
    ("FFDR", 0, 0, 0, (100, 0, 0), (0, -1, 0), (0, 0, -1)),
    ("FFDL", 0, 0, 0, (-100, 0, 0), (0, 1, 0), (0, 0, -1)),
]


def check(position, angles, source, x_axis, y_axis):
    gantry, collimator, couch = angles
    tolerance = 1e-5
    frame = BeamFrame(
        isocentre_cm=ISOCENTRE,
        gantry_deg=gantry,
        collimator_deg=collimator,
        couch_deg=couch,
        patient_position=position,
        sad_cm=100.0,
    )
    assert frame.source_cm - np.array(ISOCENTRE) == pytest.approx(np.array(source), abs=tolerance * 100)
    assert frame.rotation[0] == pytest.approx(np.array(x_axis), abs=tolerance)
    assert frame.rotation[1] == pytest.approx(np.array(y_axis), abs=tolerance)
    assert frame.direction == pytest.approx(-np.array(source) / 100, abs=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_essential_cases(case):
    check(case[0], case[1:4], *case[4:])


@pytest.mark.skipif(not ALL_CASES.is_file(), reason="the development data folder is not here")
def test_every_row_of_the_table():
    with ALL_CASES.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert len(rows) == 45
    for row in rows:
        numbers = [float(v) for v in row[1:]]
        source = np.array(numbers[3:6]) / 10
        check(row[0], numbers[:3], source, numbers[6:9], numbers[9:12])


@pytest.mark.parametrize("position", PATIENT_POSITIONS)
def test_every_position_is_a_rotation(position):
    matrix = position_matrix(position)
    assert matrix @ matrix.T == pytest.approx(np.eye(3))
    assert np.linalg.det(matrix) == pytest.approx(1.0)


def test_unknown_position_is_refused():
    with pytest.raises(Refused, match="'SITTING' is not supported"):
        position_matrix("SITTING")


def test_projection_magnifies_by_distance():
    frame = BeamFrame(
        isocentre_cm=ISOCENTRE, gantry_deg=0, collimator_deg=0, couch_deg=0, patient_position="HFS", sad_cm=100.0
    )
    # 20 cm above the isocentre (anterior) is 80 cm from the source: magnified by 100 / 80
    above = np.array(ISOCENTRE) + (4.0, -20.0, -2.0)
    assert frame.project(above) == pytest.approx((5.0, -2.5))
    below = np.array(ISOCENTRE) + (4.0, 25.0, -2.0)
    assert frame.project(np.array([above, below])) == pytest.approx(np.array([(5.0, -2.5), (3.2, -1.6)]))
    with pytest.raises(Refused, match="at or behind the radiation source"):
        frame.project(np.array(ISOCENTRE) + (0.0, -100.0, 0.0))
