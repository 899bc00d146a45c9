"""The plan report as another PDF reader sees it."""

import io

import attrs
import numpy as np
import pypdfium2
import pytest
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas

from ert.domain.angle_scale import AngleScale
from ert.domain.device import Aperture
from ert.domain.machine_configuration import JawSetting, MachineConfiguration
from ert.reports.cutout import CutoutDrawing, scaled
from ert.reports.page import PageMarks, build_pdf, paragraph, printable, table
from ert.reports.pictures import plan_pictures
from ert.reports.plan_content import dose_maximum, isodoses
from ert.reports.plan_report import plan_report_pdf

OPENING_RGB = (0xFF, 0xF3, 0xB0)


def pages_of(pdf):
    document = pypdfium2.PdfDocument(pdf)
    texts = [page.get_textpage().get_text_bounded() for page in document]
    document.close()
    return texts


def render(pdf, scale):
    document = pypdfium2.PdfDocument(pdf)
    picture = np.asarray(document[0].render(scale=scale).to_pil().convert("RGB")).astype(int)
    document.close()
    return picture


@pytest.fixture(scope="module")
def pages(report):
    return pages_of(plan_report_pdf(report))


def test_who_and_what_stand_on_each_page(pages):
    assert len(pages) >= 3
    for number, text in enumerate(pages, start=1):
        assert "Müller, Łucja" in text
        assert "DEMO-1" in text
        assert "born 1950-02-03" in text
        assert "revision 3" in text
        assert f"page {number} of {len(pages)}" in text
        assert "DEMO MACHINE – NOT FOR CLINICAL USE" in text
        assert "not a cleared medical device" in text


def test_every_part_of_the_plan_is_there(pages, report):
    text = " ".join(" ".join(pages).split())
    for wanted in (
        "50.00 Gy to PTV & <chest> in 25 fractions (2.000 Gy each)",
        "A10",
        "0.0° / 0.0° / 0.0°",
        "0.00, -8.00, 0.00",
        "231.0",
        "54.30",
        "VIOLATED",
        "The cutout is small.",
        "Surface is oblique.",
        "pencil-beam 1",
        "103 × 79 × 25 voxels",
        report.plan.digest,
        report.image.digest,
        "saved 2026-01-02 03:04 by admin",
    ):
        assert wanted in text, wanted


def test_the_rooms_scale_and_the_jaws_stand_on_the_report(make_report):
    report = make_report()
    jaws = JawSetting(applicator_id="A10", x1_cm=-7.5, x2_cm=8.0, y1_cm=-9.0, y2_cm=9.5)
    configuration = MachineConfiguration(
        scale=AngleScale.VARIAN_STANDARD, jaws=(jaws,), treatment_machine_name="LA3", revision=4
    )
    machine = attrs.evolve(report.machines["DEMO"], configuration=configuration)
    text = " ".join(" ".join(pages_of(plan_report_pdf(attrs.evolve(report, machines={"DEMO": machine})))).split())
    for wanted in (
        "0.0° / 0.0° / 0.0°; room (Varian Standard): 180.0° / 180.0° / 180.0°",
        "LA3",
        "-7.5, 8.0, -9.0, 9.5",
        "1.5 cm cerrobend",
        f"4 ({machine.digest[:8]})",
    ):
        assert wanted in text, wanted


def test_no_demo_mark_without_a_demo_machine(make_report):
    assert all("DEMO MACHINE" not in text for text in pages_of(plan_report_pdf(make_report(is_demo=False))))


def test_equal_reports_give_equal_bytes_and_others_do_not(report):
    assert plan_report_pdf(report) == plan_report_pdf(attrs.evolve(report))
    assert plan_report_pdf(report) != plan_report_pdf(attrs.evolve(report, revision=4))


@pytest.mark.parametrize("factor", [1.0, 0.95])
def test_the_cutout_is_drawn_at_true_size(factor):
    aperture = Aperture(outline_cm=[(-4, -3), (4, -3), (4, 2), (-4, 2)])
    drawing = CutoutDrawing(
        scaled(aperture.outline_cm, factor),
        frame_cm=(10 * factor, 10 * factor),
        title="t",
        max_width_pt=18 * cm,
        max_height_pt=23 * cm,
    )
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(20 * cm, 25 * cm))
    drawing.drawOn(canvas, 1 * cm, 1 * cm)
    canvas.save()
    dots_per_cm = 40.0
    picture = render(buffer.getvalue(), dots_per_cm / cm)
    rows, columns = np.nonzero(np.abs(picture - OPENING_RGB).max(axis=2) < 12)
    assert (columns.max() - columns.min()) / dots_per_cm == pytest.approx(8 * factor, abs=0.08)
    assert (rows.max() - rows.min()) / dots_per_cm == pytest.approx(5 * factor, abs=0.08)


def test_a_cutout_too_large_for_the_page_says_that_it_is_reduced():
    drawing = CutoutDrawing(
        ((-12, -12), (12, -12), (12, 12), (-12, 12)),
        frame_cm=(25, 25),
        title="t",
        max_width_pt=18 * cm,
        max_height_pt=23 * cm,
    )
    marks = PageMarks(identity="", subject="", software="", is_demo=False)
    (text,) = pages_of(build_pdf([drawing], title="t", marks=marks))
    assert "REDUCED to" in text
    assert "true size" not in text


def test_letters_without_a_glyph_are_named_not_dropped():
    assert printable("Łucja 中") == "Łucja [U+4E2D]"


def test_markup_in_names_stays_text():
    marks = PageMarks(identity="<b>A</b>", subject="&amp;", software="", is_demo=False)
    story = [paragraph("a <i>b</i> & c"), table(("<u>x</u>",), [("1 < 2",)])]
    (text,) = pages_of(build_pdf(story, title="t", marks=marks))
    for wanted in ("<b>A</b>", "&amp;", "a <i>b</i> & c", "<u>x</u>", "1 < 2"):
        assert wanted in text


def test_isodose_levels_are_per_cent_of_the_prescription_below_the_maximum():
    levels = isodoses(50.0, 54.9)
    assert [level.dose_gy for level in levels] == [50.0, 47.5, 45.0, 40.0, 25.0, 10.0]
    assert levels[0].label == "100 % = 50.00 Gy"


def test_dose_maximum_is_the_hottest_voxel(report):
    gy = np.zeros(report.dose_grid.shape_zyx, dtype=np.float32)
    gy[3, 10, 20] = 7.5
    value, point = dose_maximum(report.dose_grid, gy)
    assert value == 7.5
    assert point == pytest.approx((-12.75 + 20 * 0.25, -9.75 + 10 * 0.25, -6.0 + 3 * 0.5))


def test_pictures_are_full_hd_png(report):
    pictures = plan_pictures(report)
    assert set(pictures) == {"slices_isocentre.png", "slices_maximum.png", "dvh.png"}
    for content in pictures.values():
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(content[16:20], "big") == 1920
        assert int.from_bytes(content[20:24], "big") == 1080
