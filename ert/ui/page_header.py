"""The head of every page: whose data this is; below, what must not be forgotten, at which site, by whom."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from ert.app.readiness import Review, Stage
from ert.domain.patient import Patient, Sex
from ert.domain.second_check import Light
from ert.ui.theme import ACCENT, BAD, GOOD, TEXT_DIM, WARN
from ert.ui.widgets import plain_tip, set_style, text_label

NOT_CLEARED = "ERT is not a cleared medical device."
DEMO_BANNER = "DEMO MACHINE – NOT FOR CLINICAL USE"
LIGHT_COLOURS = {Light.GREEN: GOOD, Light.AMBER: WARN, Light.RED: BAD}
_STAGE_COLOURS = {
    Stage.DRAFT: TEXT_DIM, Stage.LOST: WARN, Stage.WAITING: WARN, Stage.CHECKING: ACCENT, Stage.FAILED: BAD,
    Stage.CHECKED: TEXT_DIM, Stage.APPROVED: GOOD, Stage.ENDED: BAD,
}  # fmt: skip
_SEX_NAMES = {Sex.FEMALE: "F", Sex.MALE: "M", Sex.OTHER: "O", Sex.UNKNOWN: ""}


def birth_text(patient: Patient) -> str:
    """Birth date as yyyy-mm-dd, or that it is unknown."""
    return "unknown" if patient.birth_date is None else patient.birth_date.isoformat()


class ElidedLabel(QLabel):
    """One line of text; without room it ends in an ellipsis or gives way to a short form. The tip holds the whole."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._full = self._short = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setMinimumWidth(60)
        self.set_full_text(text)

    def set_full_text(self, text: str, *, short: str = "") -> None:
        """Show a text; `short` stands for it where it does not fit."""
        self._full, self._short = text, short
        self.setToolTip(plain_tip(text))
        self._elide()

    def _elide(self) -> None:
        metrics, room = QFontMetrics(self.font()), max(self.width() - 4, 20)
        text = self._short if self._short and metrics.horizontalAdvance(self._full) > room else self._full
        self.setText(metrics.elidedText(text, Qt.TextElideMode.ElideRight, room))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the new width."""
        super().resizeEvent(event)
        self._elide()


class PageHeader(QWidget):
    """Patient, id and birth date large, the plan and how its review stands; below a banner with site and user.

    Parameters
    ----------
    site_text, user_name : shown in the banner, so that the plan's name has room on a small screen.
    is_demo : whether a demo machine can be used here.
    emergency : who opened the site with an emergency code, and why; "" otherwise.
    """

    def __init__(
        self, *, site_text: str, user_name: str, is_demo: bool, emergency: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bar = QFrame()
        self._bar.setObjectName("pageHeader")
        self._row = QHBoxLayout(self._bar)
        self._row.setContentsMargins(12, 6, 12, 6)
        self._row.setSpacing(18)
        self.name = text_label("No patient chosen")
        self.name.setObjectName("patientName")
        self.id_value, self.birth_value, self.sex_value = text_label("–"), text_label("–"), text_label("–")
        self._row.addWidget(self.name)
        for key, value in (("ID", self.id_value), ("Born", self.birth_value), ("Sex", self.sex_value)):
            self._row.addLayout(_pair(key, value))
        self.context = ElidedLabel()
        self.context.setObjectName("headerKey")
        self._row.addWidget(self.context, 1)
        self.review = text_label()
        self.review.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.review.hide()
        self._row.addWidget(self.review)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.emergency = ElidedLabel(emergency)
        self.emergency.setObjectName("emergencyBanner")
        self.emergency.setAccessibleName("Emergency access")
        self.emergency.setVisible(bool(emergency))
        layout.addWidget(self.emergency)
        layout.addWidget(self._bar)
        banner = QHBoxLayout()
        banner.setSpacing(0)
        self.demo = text_label(DEMO_BANNER)
        self.demo.setObjectName("demoBanner")
        self.demo.setVisible(is_demo)
        banner.addWidget(self.demo, 1)
        banner.addWidget(self._where(site_text, user_name))
        layout.addLayout(banner)

    def _where(self, site_text: str, user_name: str) -> QFrame:
        """Site, user, and that nobody has cleared this program."""
        frame = QFrame()
        frame.setObjectName("notClearedBanner")
        row = QHBoxLayout(frame)
        row.setContentsMargins(10, 2, 12, 2)
        row.setSpacing(18)
        row.addStretch(1)
        self._who = QWidget()
        pairs = QHBoxLayout(self._who)
        pairs.setContentsMargins(0, 0, 0, 0)
        pairs.setSpacing(18)
        pairs.addLayout(_pair("Site", text_label(site_text)))
        pairs.addLayout(_pair("User", text_label(user_name)))
        cleared = text_label(NOT_CLEARED)
        cleared.setObjectName("dim")
        row.addWidget(self._who)
        row.addWidget(cleared)
        return frame

    def show_patient(self, patient: Patient | None, context: str = "", review: Review | None = None) -> None:
        """Name whose data the page shows; of a plan also how its review stands, with the second check's light."""
        if patient is None:
            self.name.setText("No patient chosen")
            for label in (self.id_value, self.birth_value, self.sex_value):
                label.setText("–")
        else:
            self.name.setText(patient.display_name)
            self.id_value.setText(patient.medical_record_number)
            self.birth_value.setText(birth_text(patient))
            self.sex_value.setText(_SEX_NAMES[patient.sex] or "–")
        self.context.set_full_text(context)
        self.review.setVisible(review is not None)
        if review is not None:
            colour = LIGHT_COLOURS[review.light] if review.light is not None else _STAGE_COLOURS[review.stage]
            self.review.setText(f"\N{BLACK CIRCLE} {review.text}")
            self.review.setToolTip(plain_tip(review.text))
            set_style(self.review, f"color: {colour}; font-weight: 600;")

    def hide_patient(self) -> None:
        """Nobody has signed in: there is no patient, site or user to name."""
        self._bar.hide()
        self._who.hide()

    def set_demo(self, *, is_demo: bool) -> None:
        """Show or hide the demo machine's banner."""
        self.demo.setVisible(is_demo)


def _pair(key: str, value: QLabel) -> QHBoxLayout:
    name = text_label(key)
    name.setObjectName("headerKey")
    value.setObjectName("headerValue")
    value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    row = QHBoxLayout()
    row.setSpacing(6)
    row.addWidget(name)
    row.addWidget(value)
    return row
