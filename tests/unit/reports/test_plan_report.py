"""The plan report as another PDF reader sees it."""

import io

import attrs
import numpy as np
import pypdfium2
import pytest
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas

from ert.app.mu_service import TypedField, check_typed
from ert.domain.angle_scale import AngleScale
from ert.domain.device import Aperture
from ert.domain.image import DensityOverride, Material
from ert.domain.machine_configuration import JawSetting, MachineConfiguration
from ert.domain.plan import DoseTo, Normalisation
from ert.domain.statements import algorithm_statement, normalisation_sentence
from ert.reports.cutout import CutoutDrawing, scaled
from ert.reports.page import PageMarks, build_pdf, paragraph, printable, table
from ert.reports.pictures import plan_pictures
from ert.reports.plan_content import PointRow, dose_maximum, isodoses
from ert.reports.plan_report import plan_report_pdf
from ert.reports.plot import on_paper
from ert.settings import resources_dir

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


@pytest.mark.parametrize("medium", list(DoseTo))
def test_the_report_says_what_its_doses_are_and_how_tissue_was_made(report, medium):
    wax = Material(name="wax", density_g_cm3=0.92, relative_stopping=0.9593, relative_scattering=0.7257)
    plan = attrs.evolve(report.plan, dose_to=medium, overrides=(DensityOverride(structure_number=2, material=wax),))
    pages = pages_of(plan_report_pdf(attrs.evolve(report, plan=plan)))
    text = " ".join(" ".join(pages).split())
    said, other = (f"dose to {m.value.lower()}" for m in (medium, next(m for m in DoseTo if m is not medium)))
    assert f"All doses are {said}" in text
    assert f"Dose and volume ({said})" in text
    assert f"Clinical goals ({said})" in text
    assert text.count(said) >= 6  # head, goals, volumes, histogram, two sets of slices
    if medium is DoseTo.WATER:
        assert other not in text
    assert "Given dose to water" in text  # in a water phantom, whatever the plan's dose is stated to
    assert "PTV & <chest> = wax (0.92 g/cm³, stopping 0.9593, scattering 0.7257)" in text
    assert plan.ct_curve.digest in text.replace(" ", "")


def test_monitor_units_by_hand_get_a_page_a_beam(make_report):
    field = TypedField(
        energy_mev=12.0, applicator_id="A10", outline_cm=None, ssd_cm=100.0, depth_cm=None, dose_cgy=222.22
    )
    (check,) = check_typed(resources_dir() / "demo_machine" / "package", field).checks
    pages = pages_of(plan_report_pdf(make_report(mu_checks=(check, attrs.evolve(check, beam_number=2)))))
    sheets = [text for text in pages if "Monitor units of beam" in text]
    assert len(sheets) == 2
    assert all("= 222.22" in text and "Müller" in text for text in sheets)
    assert "How the dose was computed" in pages[-1]


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


@pytest.mark.parametrize("normalisation", [n for n in Normalisation if n is not Normalisation.POINT])
def test_the_report_says_of_normalisation_and_algorithm_what_the_window_says(make_report, report, normalisation):
    plan = attrs.evolve(
        report.plan, prescription=attrs.evolve(report.plan.prescription, normalisation=normalisation, percent=85.0)
    )
    first = " ".join(pages_of(plan_report_pdf(make_report(plan=plan)))[0].split())
    assert normalisation_sentence(plan, report.structures) in first
    assert algorithm_statement(plan.algorithm) in first


@pytest.mark.parametrize("colour", [(255, 255, 255), (255, 255, 0), (200, 255, 200)])
def test_a_curve_does_not_vanish_on_white_paper(colour):
    red, green, blue = (c / 255 for c in on_paper(colour))
    # WCAG 2.1 contrast is stated for linearised channels; here the plain weighted mean must leave 0.4 to white.
    assert 0.2126 * red + 0.7152 * green + 0.0722 * blue == pytest.approx(0.6, abs=0.005)


def test_dark_colours_stay_as_they_arrived():
    assert on_paper((255, 0, 0)) == (255, 0, 0)


def test_points_stand_with_their_places_and_doses(report):
    row = PointRow(name="Axilla", position_cm=(1.0, -2.5, 3.25), total="48.76", beams=("48.76",))
    text = " ".join(pages_of(plan_report_pdf(attrs.evolve(report, points=(row,)))))
    assert "Dose at points" in text
    for part in ("Axilla", "1.00, -2.50, 3.25", "48.76"):
        assert part in text
