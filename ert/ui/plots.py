"""The only file that knows pyqtgraph: dose–volume histograms with a read-out, CT curves, measured over computed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QPen, QResizeEvent
from PySide6.QtWidgets import QGraphicsItem, QVBoxLayout, QWidget

from ert.domain.ct_curve import METAL_HU
from ert.domain.dvh import Dvh
from ert.domain.image import CtCurvePoint
from ert.ui.dvh_legend import DvhLegend
from ert.ui.numbers import format_number
from ert.ui.theme import ACCENT, BASE, BORDER, GOOD, TEXT, TEXT_DIM, WARN

_MAX_POINTS = 400
_STRAIGHT_PCT, _STRAIGHT_PASSES = 0.03, 5  # together less than half a pixel of a plot 300 pixels high
_TOP_STEP_FRAC = 0.02
_GREY = QColor(130, 130, 130)
_NEAR_PX = 14.0
_LEGEND_RIGHT = 0.8
_BAND_ALPHA = 70


def thinned(dvh: Dvh) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most 400 points of a histogram, dose and percent of volume, ending where the volume reaches zero.

    Points between which it is straight are left out: what a thick line costs to draw grows with its points.
    """
    last = min(max(int(np.count_nonzero(dvh.volume_pct > 0)) + 1, 2), len(dvh.dose_gy))  # it never rises
    chosen = np.linspace(0, last - 1, _MAX_POINTS).round().astype(int) if last > _MAX_POINTS else np.arange(last)
    dose_gy, volume = dvh.dose_gy[chosen], dvh.volume_pct[chosen]
    for _ in range(_STRAIGHT_PASSES if last > 2 else 0):  # noqa: PLR2004
        part = (dose_gy[1:-1] - dose_gy[:-2]) / (dose_gy[2:] - dose_gy[:-2])
        between = volume[:-2] + part * (volume[2:] - volume[:-2])
        is_straight = np.abs(volume[1:-1] - between) < _STRAIGHT_PCT
        is_straight[1::2] = False  # never two neighbours at once
        kept = np.concatenate([[True], ~is_straight, [True]])
        dose_gy, volume = dose_gy[kept], volume[kept]
    return dose_gy, volume


def _style_axes(plot: Any, font: QFont) -> None:  # noqa: ANN401
    for name in ("bottom", "left"):
        axis = plot.getAxis(name)
        axis.setPen(BORDER)
        axis.setTextPen(TEXT_DIM)
        axis.setStyle(tickFont=QFont(font))
        axis.enableAutoSIPrefix(False)


class DvhPlot(QWidget):
    """Cumulative histograms of all structures; hidden ones are left out, stale ones cannot be shown as current."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot: Any = pg.PlotWidget(background=BASE)
        self._plot.setAccessibleName("Dose-volume histogram")
        self._curves: dict[int, Any] = {}
        self._bands: list[Any] = []
        self._dvhs: tuple[Dvh, ...] = ()
        self._drawn: list[tuple[int, tuple[int, int, int]]] = []
        self._axis: tuple[Any, ...] = ()
        self._labelled: tuple[Any, ...] = ()
        self._prescribed_gy = 1.0
        self._is_absolute = True
        self._build()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        self.legend = DvhLegend(self)

    def _build(self) -> None:
        plot = self._plot
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.showGrid(x=True, y=True, alpha=0.18)
        plot.setMouseEnabled(x=False, y=False)
        plot.setYRange(0, 104, padding=0)
        _style_axes(plot, self.font())
        for name in ("bottom", "left"):  # axes with their grids take longer to draw than all curves, and rarely change
            plot.getAxis(name).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        plot.setLabel("left", "Volume", units="%")
        self._readout = pg.TextItem(color=TEXT, fill=pg.mkBrush(0, 0, 0, 190), anchor=(0, 1))
        self._readout.setZValue(10)
        self._marker = pg.ScatterPlotItem(size=9, pen=pg.mkPen("w"), brush=pg.mkBrush(0, 0, 0, 0))
        self._prescription_line = pg.InfiniteLine(angle=90, pen=pg.mkPen(TEXT_DIM, style=Qt.PenStyle.DashLine))
        self._message = pg.TextItem(color=TEXT_DIM, anchor=(0.5, 0.5))
        for item in (self._readout, self._marker, self._prescription_line, self._message):
            plot.addItem(item, ignoreBounds=True)
        self._readout.hide()
        plot.scene().sigMouseMoved.connect(self._hover)

    def show_dvhs(
        self,
        dvhs: Sequence[Dvh],
        *,
        prescribed_gy: float,
        is_absolute: bool,
        hidden: frozenset[int],
        dose_name: str = "Dose",
        message: str = "",
        bands: Mapping[int, tuple[Dvh, Dvh]] | None = None,
        title: str = "",
    ) -> None:
        """Show histograms, in Gy or in percent of the prescription.

        Parameters
        ----------
        dose_name : what the dose is stated to, for the axis.
        message : explains an empty plot.
        bands : by structure, histograms of the dose one standard error lower and higher everywhere.
        title : what the histograms are of, if not of the plan's dose.
        """
        self._dvhs = tuple(d for d in dvhs if d.structure_number not in hidden)
        self._prescribed_gy, self._is_absolute = prescribed_gy, is_absolute
        self._show_curves(bands or {})
        self._show_axis(dose_name, title if self._dvhs else message)
        self.legend.show_names(self._dvhs)
        self._place_legend()
        QTimer.singleShot(0, self, self._place_legend)  # axes take their room with the next turn of the loop
        self._hide_readout()

    def _show_curves(self, bands: Mapping[int, tuple[Dvh, Dvh]]) -> None:
        """Other values of the same structures move the curves that there are: making them takes five times as long."""
        wanted = [(dvh.structure_number, dvh.colour) for dvh in self._dvhs]
        is_same = wanted == self._drawn and not bands and not self._bands
        if not is_same:
            for item in (*self._curves.values(), *self._bands):
                self._plot.removeItem(item)
            self._curves, self._bands, self._drawn = {}, [], wanted
        for dvh in self._dvhs:
            if is_same:
                dose_gy, volume = thinned(dvh)
                self._curves[dvh.structure_number].setData(self._shown(dose_gy), volume)
                continue
            colour = QColor(*dvh.colour)
            if dvh.structure_number in bands:
                self._add_band(colour, *bands[dvh.structure_number])
            self._curves[dvh.structure_number] = self._curve(dvh, pg.mkPen(colour, width=1.6), is_smooth=True)

    def _curve(self, dvh: Dvh, pen: QPen, *, is_smooth: bool = False) -> Any:  # noqa: ANN401
        dose_gy, volume = thinned(dvh)
        curve = pg.PlotCurveItem(self._shown(dose_gy), volume, pen=pen, antialias=is_smooth)
        self._plot.addItem(curve)
        return curve

    def _show_axis(self, dose_name: str, message: str) -> None:
        """What the axis says, how far it goes, and a message; all of which is often what it was before."""
        prescribed_gy = self._prescribed_gy
        top_gy = max([1.1 * prescribed_gy, *(1.02 * dvh.max_gy for dvh in self._dvhs)])
        step_gy = _TOP_STEP_FRAC * prescribed_gy  # the noise of a Monte Carlo moves the maximum with each picture
        top_gy = math.ceil(top_gy / step_gy - 1e-9) * step_gy
        named = (dose_name, self._is_absolute, prescribed_gy)
        is_waiting = not self._dvhs and self._axis[:-1] == named  # for histograms that need about as much room
        axis = self._axis if is_waiting else (*named, top_gy)
        shown = (*axis, message, bool(self._dvhs))
        if shown == self._labelled:
            return
        self._labelled = shown
        top = float(self._shown(np.array([axis[-1]]))[0])
        if axis != self._axis:
            self._axis = axis
            self._plot.setLabel("bottom", dose_name, units="Gy" if self._is_absolute else "%")
            self._plot.setXRange(0, top, padding=0)
            self._prescription_line.setPos(float(self._shown(np.array([prescribed_gy]))[0]))
        self._message.setText(message, color=WARN if self._dvhs else TEXT_DIM)
        self._message.setAnchor((0, 1) if self._dvhs else (0.5, 0.5))
        at = (0.02, 3.0) if self._dvhs else (0.45, 55.0)  # clear of the line of the prescription
        self._message.setPos(at[0] * top, at[1])

    def _add_band(self, colour: QColor, low: Dvh, high: Dvh) -> None:
        """Fill what lies between two histograms, faintly, below the lines."""
        faint = QColor(colour)
        faint.setAlpha(_BAND_ALPHA)
        edges = [self._curve(dvh, pg.mkPen(faint, width=0.8)) for dvh in (low, high)]
        band = pg.FillBetweenItem(*edges, brush=pg.mkBrush(faint))
        self._plot.addItem(band)
        self._bands += [*edges, band]

    def band_count(self) -> int:
        """How many bands are drawn."""
        return sum(isinstance(item, pg.FillBetweenItem) for item in self._bands)

    def _place_legend(self) -> None:
        left, right = self._plot.getViewBox().viewRange()[0]
        at = float(self._shown(np.array([self._prescribed_gy]))[0])
        self.legend.place(self._plot.getViewBox().sceneBoundingRect(), max(at / max(right - left, at), _LEGEND_RIGHT))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The legend follows once the plot has taken its new size."""
        super().resizeEvent(event)
        QTimer.singleShot(0, self, self._place_legend)

    def _shown(self, dose_gy: NDArray[np.float64]) -> NDArray[np.float64]:
        return dose_gy if self._is_absolute else dose_gy * (100.0 / self._prescribed_gy)

    def curve_count(self) -> int:
        """How many curves are drawn."""
        return len(self._curves)

    def _hide_readout(self) -> None:
        if self._readout.isVisible():
            self._readout.hide()
            self._marker.clear()

    def _hover(self, position: QPointF) -> None:
        box = self._plot.getViewBox()
        if not self._dvhs or not box.sceneBoundingRect().contains(position):
            self._hide_readout()
            return
        at = box.mapSceneToView(position)
        dose_gy = at.x() if self._is_absolute else at.x() * self._prescribed_gy / 100.0
        _, px_per_percent = box.viewPixelSize()
        best = min(self._dvhs, key=lambda d: abs(float(np.interp(dose_gy, d.dose_gy, d.volume_pct)) - at.y()))
        volume = float(np.interp(dose_gy, best.dose_gy, best.volume_pct))
        if abs(volume - at.y()) > _NEAR_PX * px_per_percent:
            self._hide_readout()
            return
        self._show_readout(best, at.x(), dose_gy, volume, is_right=at.x() > box.viewRect().center().x())

    def _show_readout(self, dvh: Dvh, x: float, dose_gy: float, volume: float, *, is_right: bool) -> None:
        percent = 100.0 * dose_gy / self._prescribed_gy
        text = (
            f"{dvh.name}\n{format_number(dose_gy, 2)} Gy ({format_number(percent, 1)} %)\n"
            f"{format_number(volume, 1)} % = {format_number(volume * dvh.volume_cc / 100, 1)} cm³"
        )
        self._readout.setText(text, color=QColor(*dvh.colour).lighter(130))
        self._readout.setAnchor((1.05 if is_right else -0.05, 0 if volume > 50 else 1))  # noqa: PLR2004
        self._readout.setPos(x, volume)
        self._readout.show()
        self._marker.setData([x], [volume], pen=pg.mkPen(QColor(*dvh.colour), width=2))


_QUANTITIES = (
    ("density_g_cm3", "Density, g/cm³", ACCENT),
    ("relative_stopping", "Stopping, to water", GOOD),
    ("relative_scattering", "Scattering, to water", WARN),
)
_CURVE_RANGE_HU = (-1050.0, 3100.0)


class CurvePlot(QWidget):
    """A CT curve's three quantities against CT number, and the same of a reference curve, dashed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot: Any = pg.PlotWidget(background=BASE)
        self._plot.setAccessibleName("CT curve")
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._plot.showGrid(x=True, y=True, alpha=0.18)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.setLabel("bottom", "CT number", units="HU")
        _style_axes(self._plot, self.font())
        self._plot.addLegend(offset=(12, 8), labelTextColor=TEXT)
        metal = pg.InfiniteLine(pos=METAL_HU, angle=90, pen=pg.mkPen(TEXT_DIM, style=Qt.PenStyle.DotLine))
        self._plot.addItem(metal, ignoreBounds=True)
        self._lines: dict[str, Any] = {}
        self._dashed: dict[str, Any] = {}
        for field, name, colour in _QUANTITIES:
            faint = QColor(colour)
            faint.setAlpha(150)
            self._dashed[field] = self._plot.plot([], [], pen=pg.mkPen(faint, width=1.2, style=Qt.PenStyle.DashLine))
            self._lines[field] = self._plot.plot(
                [], [], pen=pg.mkPen(QColor(colour), width=1.8), name=name, antialias=True,
                symbol="o", symbolSize=5, symbolBrush=QColor(colour), symbolPen=None,
            )  # fmt: skip
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)

    def show_curve(self, points: Sequence[CtCurvePoint], reference: Sequence[CtCurvePoint]) -> None:
        """Draw a curve as it stands; points beyond the axis lie to the right of what is shown."""
        top = 0.5
        low, high = _CURVE_RANGE_HU
        for field, _, _ in _QUANTITIES:
            for lines, shown in ((self._dashed, reference), (self._lines, points)):
                hu = np.array([p.hu for p in shown], dtype=float)
                values = np.array([getattr(p, field) for p in shown], dtype=float)
                lines[field].setData(hu, values)
                seen = values[(hu >= low) & (hu <= high)]
                top = max(top, float(seen.max(initial=0.0)))
        self._plot.setXRange(low, high, padding=0)
        self._plot.setYRange(0.0, 1.08 * top, padding=0)

    def drawn_points(self) -> int:
        """How many points of the curve itself are drawn."""
        x, _ = self._lines["density_g_cm3"].getData()
        return 0 if x is None else len(x)


class MeasuredPlot(QWidget):
    """A measured curve as points with error bars over the computed line; their difference below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot: Any = pg.PlotWidget(background=BASE)
        self._residual: Any = pg.PlotWidget(background=BASE)
        self._plot.setAccessibleName("Measured and computed curve")
        self._residual.setAccessibleName("Computed minus measured")
        for plot in (self._plot, self._residual):
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.showGrid(x=True, y=True, alpha=0.18)
            _style_axes(plot, self.font())
            plot.getAxis("left").setWidth(58)
        self._residual.setXLink(self._plot)
        self._plot.setLabel("left", "Dose", units="cGy/MU")
        self._residual.setLabel("left", "Diff.", units="%")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._plot, 3)
        layout.addWidget(self._residual, 1)

    def show_curve(
        self,
        position_cm: NDArray[np.float64],
        measured: NDArray[np.float64],
        sigma: NDArray[np.float64],
        computed: NDArray[np.float64] | None,
        *,
        title: str,
        x_label: str,
    ) -> None:
        """Show one curve in cGy/MU and, if there is a computed one, the difference in percent of the maximum."""
        for plot in (self._plot, self._residual):
            plot.clear()
        self._plot.setTitle(title, color=TEXT, size="10pt")
        self._residual.setLabel("bottom", x_label, units="cm")
        bars = pg.ErrorBarItem(x=position_cm, y=measured, height=2 * sigma, pen=pg.mkPen(TEXT_DIM))
        self._plot.addItem(bars)
        self._plot.plot(position_cm, measured, pen=None, symbol="o", symbolSize=4, symbolBrush=TEXT, symbolPen=None)
        if computed is None:
            return
        self._plot.plot(position_cm, computed, pen=pg.mkPen(ACCENT, width=2), antialias=True)
        top = float(measured.max())
        for level in (-2.0, 0.0, 2.0):
            style = Qt.PenStyle.SolidLine if level == 0 else Qt.PenStyle.DashLine
            self._residual.addItem(pg.InfiniteLine(pos=level, angle=0, pen=pg.mkPen(BORDER, style=style)))
        self._residual.plot(position_cm, 100.0 * (computed - measured) / top, pen=pg.mkPen(WARN), symbol="o",
                            symbolSize=3, symbolBrush=WARN, symbolPen=None)  # fmt: skip

    def show_nothing(self) -> None:
        """Empty both plots."""
        for plot in (self._plot, self._residual):
            plot.clear()
        self._plot.setTitle("")
