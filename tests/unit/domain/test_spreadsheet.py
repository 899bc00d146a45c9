"""What a spreadsheet would compute: OWASP's list, and cells that are split as spreadsheets of other countries do."""

import csv
import io

import pytest

from ert.domain.spreadsheet import harmless

FORMULA = '=HYPERLINK("http://x";"y")'


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t1", "\rx", "  =1", "\ufeff=1", "\u200b=1", "\uff1d1+1", "\uff0b1"],
)
def test_a_formula_gets_an_apostrophe_before_it(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("separator", [";", "\t", "; ", ";\ufeff"])
def test_no_cell_begins_with_a_formula_where_another_separator_is_used(separator):
    """A comma-separated file that is read with semicolons is cut in the middle of a quoted cell."""
    cell = harmless(f"Left breast{separator}{FORMULA}")
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(["4711", cell])
    for piece in line.getvalue().replace("\t", ";").split(";"):
        assert piece.lstrip(' "\ufeff')[:1] not in set("=+-@")


@pytest.mark.parametrize("text", ["", "Left chest wall", "PTV 50 = 2 Gy", "a-b", "before 10; after 20", "x@y", "Ä = ß"])
def test_other_text_stays_as_it_is(text):
    assert harmless(text) == text
