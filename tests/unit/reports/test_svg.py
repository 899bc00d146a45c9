"""Plots as SVG: places, colours and clipping as a reader of the format finds them."""

import re
import xml.etree.ElementTree as ET

from ert.reports.plot import LinePlot, Series
from ert.reports.svg import drawing

NAMESPACE = "{http://www.w3.org/2000/svg}"


def plot(**changes):
    series = [
        Series(name="a < b", x=[0.0, 10.0], y=[0.0, 1.0], colour=(200, 0, 0)),
        Series(name="dots", x=[0.0, 5.0, 10.0], y=[0.0, 0.5, 1.0], style="dots", colour=(0, 0, 255)),
        Series(name="dashes", x=[0.0, 10.0], y=[1.0, 0.0], style="dashed"),
    ]
    asked = {"width_pt": 138.0, "height_pt": 138.0, "x_label": "x cm", "y_label": "cGy", "title": "T",
             "x_range": (0.0, 10.0), "y_range": (0.0, 1.0)}  # fmt: skip
    return LinePlot(series, **(asked | changes))


def paths(text, **attributes):
    found = ET.fromstring(text).iter(f"{NAMESPACE}path")
    return [p.get("d") for p in found if all(p.get(k.replace("_", "-")) == v for k, v in attributes.items())]


def test_a_line_runs_from_corner_to_corner_of_the_frame():
    # The frame of a plot of 138 points lies 32 from the left, 24 from below, 6 from the right, 14 from above.
    text = drawing([[plot()]])
    assert paths(text, stroke="#c80000", stroke_width="0.9") == ["M32 -24L132 -124"]
    assert ET.fromstring(text).find(f"{NAMESPACE}g").get("transform") == "translate(0 138)"


def test_dots_of_one_series_are_one_path_and_centred_on_their_points():
    (dots,) = [d for d in paths(drawing([[plot()]]), fill="#0000ff") if d.count("M") == 3]
    corners = [(float(x), float(y)) for x, y in re.findall(r"M([-\d.]+) ([-\d.]+)", dots)]
    assert corners[1] == (round(82 - 0.65, 2), -round(74 - 0.65, 2))


def test_dashes_clips_and_characters_of_markup_survive():
    text = drawing([[plot()]])
    assert 'stroke-dasharray="3 2"' in text
    assert "a &lt; b" in text
    assert re.findall(r'clip-path="url\(#(\w+)\)"', text) == re.findall(r'clipPath id="(\w+)"', text) == ["c1"]
    assert text.count("<g ") == text.count("</g>")


def test_rows_lie_below_each_other_and_equal_plots_give_equal_bytes():
    rows = [[plot(), plot()], [plot(height_pt=100.0)]]
    root = ET.fromstring(drawing(rows))
    assert root.get("viewBox") == "0 0 282 244"
    placed = [m for m in re.findall(r"translate\(([-\d.]+) ([-\d.]+)\)", drawing(rows)) if float(m[1]) in {-106.0, 0.0}]
    assert placed == [("0", "-106"), ("144", "-106"), ("0", "0")]
    assert drawing(rows) == drawing(rows)


def test_a_legend_beside_the_plot_covers_no_curve():
    beside = plot(legend="beside")
    text = drawing([[beside]])
    assert paths(text, stroke="#c80000", stroke_width="0.9") == [f"M32 -24L{beside.right:.2f} -124"]
    words = [t for t in ET.fromstring(text).iter(f"{NAMESPACE}text") if t.text in {"a < b", "dots", "dashes"}]
    assert len(words) == 3
    assert min(float(t.get("x")) for t in words) > beside.right + 15  # and a sample of the curve before each
