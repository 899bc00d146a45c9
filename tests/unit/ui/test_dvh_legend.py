"""The legend of the histograms stays legible on what lies below it."""

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QWidget

from ert.domain.dvh import Dvh
from ert.ui.dvh_legend import DvhLegend


def luminance(colour):
    """Relative luminance (WCAG 2.1)."""
    parts = np.array([colour.redF(), colour.greenF(), colour.blueF()])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def legend_of_one_curve(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.setStyleSheet("background: white")
    parent.resize(300, 200)
    legend = DvhLegend(parent)
    dvh = Dvh(
        structure_number=1, name="PTV_Chestwall", colour=(255, 0, 0), volume_cc=1.0, dose_gy=np.array([0.0, 1.0]),
        volume_pct=np.array([100.0, 0.0]), min_gy=0.0, mean_gy=0.5, max_gy=1.0, outside_cc=0.0,
    )  # fmt: skip
    legend.show_names([dvh])
    return parent, legend, dvh


def test_a_legend_that_would_cover_a_quarter_of_the_plot_is_left_to_the_table(qtbot):
    _parent, legend, dvh = legend_of_one_curve(qtbot)
    legend.show_names([dvh] * 8)
    legend.place(QRectF(0, 0, 180, 150), 0.8)  # the plot on a screen of 1366 x 768
    assert legend.isHidden()
    legend.place(QRectF(0, 0, 340, 250), 0.8)  # and on one of 1920 x 1080
    assert not legend.isHidden()
    assert legend.width() * legend.height() <= 0.25 * 340 * 250


def test_names_have_contrast_even_on_white(qtbot):
    """WCAG 2.1 asks for a contrast of 4.5 : 1; white is brighter than any curve that may pass below."""
    parent, legend, _dvh = legend_of_one_curve(qtbot)
    legend.place(QRectF(10, 10, 280, 180), 0.9)
    parent.show()
    picture = parent.grab().toImage()
    area = legend.geometry()
    inside = [
        luminance(picture.pixelColor(x, y))
        for x in range(area.left() + 2, area.right() - 2)
        for y in range(area.top() + 2, area.bottom() - 2)
    ]
    plate, text = float(np.median(inside)), max(inside)
    assert (text + 0.05) / (plate + 0.05) > 4.5
