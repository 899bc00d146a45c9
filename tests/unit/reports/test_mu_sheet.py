"""The hand-check sheet says every number a physicist needs to do it again."""

import datetime as dt

import attrs
import pypdfium2
import pytest

from ert.app.mu_service import TypedField, check_typed
from ert.domain.monitor_units import Verdict
from ert.dose.output import rectangle_cm
from ert.reports.mu_sheet import mu_sheet_pdf
from ert.settings import resources_dir

NOW = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def check():
    field = TypedField(
        energy_mev=12.0, applicator_id="A10", outline_cm=rectangle_cm(4.0, 6.0), ssd_cm=100.0, depth_cm=2.0,
        dose_cgy=180.0,
    )  # fmt: skip
    return check_typed(resources_dir() / "demo_machine" / "package", field).checks[0]


def pages(*checks):
    content = mu_sheet_pdf(
        checks, identity="Machine Demo", subject="typed", software="ERT", printed_at=NOW, is_demo=True
    )
    document = pypdfium2.PdfDocument(content)
    try:
        texts = []
        for page in document:
            text = page.get_textpage()
            texts.append(" ".join(text.get_text_range().split()))
            text.close()
            page.close()
        return content, texts
    finally:
        document.close()


def test_every_factor_and_the_formula_stand_on_the_page(check):
    _, (text,) = pages(check)
    sheet = check.worksheet
    for factor in sheet.factors:
        assert factor.text in text
    assert sheet.formula in text
    for way in check.ways:
        assert way.name in text
        assert way.factor.text in text
    for word in ("Signature", "Investigate above 3 %", "NOT FOR CLINICAL USE", "AGREES", f"{check.engine_mu:g}"):
        assert word in text
    # the numbers on the page give the result on the page
    by_hand = 180.0 * 100 / (1.0 * round(sheet.depth_dose.value, 2) * round(sheet.cutout.value, 4))
    assert by_hand == pytest.approx(sheet.tg71_mu, rel=2e-4)


def test_one_page_a_beam_and_a_refusal_in_place_of_numbers(check):
    refused = attrs.evolve(
        check, beam_number=2, worksheet=None, refusal="Nothing was measured there.", verdict=Verdict.NOT_CHECKED
    )
    _, texts = pages(check, refused)
    assert len(texts) == 2
    assert "Nothing was measured there." in texts[1]
    assert "NOT CHECKED BY HAND" in texts[1]
    assert "MU =" not in texts[1].replace("MU = D", "")


def test_equal_checks_give_equal_bytes(check):
    assert pages(check)[0] == pages(check)[0]
    assert pages(check)[0] != pages(attrs.evolve(check, engine_mu=check.engine_mu + 1))[0]
