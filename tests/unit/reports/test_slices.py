"""Slices, contours and isodoses land where geometry says."""

import io

import numpy as np
import pypdfium2
import pytest
from reportlab.pdfgen.canvas import Canvas

from ert.reports.plan_content import slice_content
from ert.reports.plot import ticks
from ert.reports.slices import SliceDrawing, crossings, cut_outlines, letter


def test_letters_follow_the_patient_axes():
    assert [letter(axis) for axis in ([1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1])] == list(
        "LRPASI"
    )
    assert letter([0.6, -0.7, 0.1]) == "A"


def test_a_line_crosses_a_circle_where_pythagoras_says():
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    circle = np.column_stack([5 * np.cos(angle), 5 * np.sin(angle), np.zeros(720)])
    assert crossings(circle, along=0, across=1, position_cm=3.0) == pytest.approx([-4.0, 4.0], abs=1e-3)
    assert crossings(circle, along=1, across=0, position_cm=-4.0) == pytest.approx([-3.0, 3.0], abs=1e-3)
    assert len(crossings(circle, along=0, across=1, position_cm=5.5)) == 0


def test_a_target_is_cut_to_its_true_extent(report):
    content = slice_content(report)
    target = report.structures.structure(2)
    origin = np.asarray(report.image.grid.origin_cm)
    (outline,) = cut_outlines(target, content, "sagittal", float(0.0 - origin[0]))
    y, z = outline[:, 0] + origin[1], outline[:, 1] + origin[2]
    assert (y.min(), y.max()) == pytest.approx((-7.0, -5.0), abs=0.06)
    assert (z.min(), z.max()) == pytest.approx((-2.75, 2.75), abs=0.06)  # half a slice distance beyond the contours


def test_axial_outlines_are_those_of_the_nearest_slice(report):
    content = slice_content(report)
    target = report.structures.structure(2)
    height = 0.0 - report.image.grid.origin_cm[2]
    (outline,) = cut_outlines(target, content, "axial", height + 0.2)
    assert np.ptp(outline[:, 0]) == pytest.approx(6.0, abs=0.01)
    assert cut_outlines(target, content, "axial", height + 4.0) == []


def test_an_isodose_is_drawn_where_the_dose_is(make_report):
    """A dose that rises from left to right by 1 Gy/cm: the 50 % line is vertical at its place on the page."""
    base = make_report()
    x = base.dose_grid.point_cm(np.stack(np.indices(base.dose_grid.shape_zyx)[::-1], axis=-1))[..., 0]
    ramp = (x - x.min()).astype(np.float32)
    report = make_report(dose_gy=ramp, structures=base.structures)
    content = slice_content(report)
    drawing = SliceDrawing(content, "axial", (0.0, 0.0, 0.0), title="", max_width_pt=600, max_height_pt=600)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(drawing.width, drawing.height))
    drawing.drawOn(canvas, 0, 0)
    canvas.save()
    document = pypdfium2.PdfDocument(buffer.getvalue())
    picture = np.asarray(document[0].render(scale=1).to_pil().convert("RGB")).astype(int)
    document.close()
    fifty = next(level for level in content.isodoses if level.label.startswith("20 %"))
    rows, columns = np.nonzero(np.abs(picture - fifty.colour).max(axis=2) < 60)
    wanted_cm = x.min() + fifty.dose_gy  # 1 Gy/cm
    left_cm = base.image.grid.origin_cm[0] + content.box_cm[0][0]
    assert len(columns) > 100
    assert np.median(columns) == pytest.approx(2 + (wanted_cm - left_cm) * drawing.unit, abs=1.5)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(0, 60, [0, 10, 20, 30, 40, 50, 60]), (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (-3, 3, [-3, -2, -1, 0, 1, 2, 3])],
)
def test_ticks_are_round(low, high, wanted):
    assert ticks(low, high) == pytest.approx(wanted)
