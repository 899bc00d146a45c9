"""Release of a machine package: look at ranges, acceptance and changes, then sign or withdraw with the password."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import Job, Lane
from ert.app.release_book import ReleaseState
from ert.app.release_desk import ReleaseView
from ert.domain.account import Right
from ert.domain.beam_model import MachinePackage
from ert.domain.model_difference import PackageDifference
from ert.ui.failures import sentence_of
from ert.ui.only_looking import say_if_only_looking
from ert.ui.studio_tables import VERDICT_COLOURS, DifferenceTable, FactTable
from ert.ui.theme import BAD, GOOD, WARN
from ert.ui.widgets import MessageStrip, dim_label, push_button, section_title, text_label

if TYPE_CHECKING:
    from ert.app.session import SiteSession

_STATE_COLOURS = {
    ReleaseState.DEMO: WARN,
    ReleaseState.NOT_RELEASED: WARN,
    ReleaseState.RELEASED: GOOD,
    ReleaseState.WITHDRAWN: BAD,
}
_SHORT = 16
_DEMO_TEXT = "A demo machine cannot be released: commission your own machine from your own measurements."
_STATEMENT_TEXT = (
    "What was checked, against which measurements, and what the model must not be used for. It is signed, kept in "
    "revisions and cannot be changed afterwards."
)
_REASON_TEXT = "Why the release is taken back. Plans with this model keep their dose and can no longer pass the checks."


class ReleaseDialog(QDialog):
    """One package, before a physicist's signature and after.

    Signals
    -------
    changed(sentence) : a package was released or a release withdrawn.
    """

    changed = Signal(str)

    def __init__(self, session: SiteSession, package: MachinePackage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._package = session, package
        self.view: ReleaseView = session.release_desk.view(package, session.models)
        self._comparison: Job[PackageDifference | None] | None = None
        self._is_signing = False
        self.setWindowTitle("Release")
        self.resize(1180, 690)
        self.head, self.state, self.ranges = text_label(), text_label(), dim_label()
        self.acceptance = FactTable(
            "Acceptance tests", ("MeV", "Test", "What", "Tolerance", "Engine", "Worst", "Where", "Verdict"), stretch=6
        )
        self.difference, self.difference_text = DifferenceTable(), dim_label()
        self.history = FactTable(
            "History of the release", ("Revision", "State", "By", "At", "Statement or reason"), stretch=4
        )
        self.tabs = QTabWidget()
        self.words, self.words_text = QPlainTextEdit(), dim_label()
        self.accept_short = QCheckBox()
        self.password = QLineEdit()
        self.message = MessageStrip()
        self.sign_button = push_button("Sign release", "ok", "Release this package in your name")
        self.withdraw_button = push_button("Withdraw release", "cancel", "Take the release of this package back")
        self.close_button = push_button("Close", "close", "Close; nothing is signed")
        self._build()
        self._show()
        self._compare()

    # ---- layout --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.head.setObjectName("pageTitle")
        self.words.setFixedHeight(64)
        self.words.setTabChangesFocus(True)
        self.words.setAccessibleName("Statement or reason")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setAccessibleName("Your password")
        self.password.setMaximumWidth(260)
        changes = QWidget()
        column = QVBoxLayout(changes)
        column.addWidget(self.difference_text)
        column.addWidget(self.difference, 1)
        for page, title in ((self.acceptance, "Acceptance"), (changes, "Changes"), (self.history, "History")):
            self.tabs.addTab(page, title)
        self.tabs.setDocumentMode(True)
        top = QHBoxLayout()
        top.addWidget(self.head)
        top.addStretch(1)
        top.addWidget(self.state)
        signing = QFormLayout()
        signing.addRow(self.words_text)
        signing.addRow(self.words)
        signing.addRow(self.accept_short)
        signing.addRow("Your password", self.password)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.withdraw_button, self.sign_button, self.close_button):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(section_title("Range of use"))
        layout.addWidget(self.ranges)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.message)
        layout.addLayout(signing)
        layout.addLayout(buttons)
        self.sign_button.clicked.connect(self.sign)
        self.withdraw_button.clicked.connect(self.withdraw)
        self.close_button.clicked.connect(self.reject)
        self.words.textChanged.connect(self._refresh)
        self.password.textChanged.connect(self._refresh)
        self.accept_short.toggled.connect(self._refresh)

    # ---- what is shown -------------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Everything of the package as it stands now."""
        view = self.view = self._session.release_desk.view(self._package, self._session.models)
        self.head.setText(f"{view.package.machine.name}, package {view.package.digest[:_SHORT]}")
        self.state.setText(view.standing.text)
        self.state.setStyleSheet(f"color: {_STATE_COLOURS[view.standing.state]}; font-weight: bold")
        self.ranges.setText("\n".join(view.ranges))
        rows = [(f"{r.energy_mev:g}", r.test.number, r.test.description, r.test.tolerance, r.engine, r.test.found,
                 r.test.where, r.test.verdict.value) for r in view.acceptance]  # fmt: skip
        self.acceptance.show_rows(rows, [VERDICT_COLOURS[r.test.verdict] for r in view.acceptance])
        self.history.show_rows(
            [
                (
                    str(entry.revision),
                    "released" if entry.is_in_use else "withdrawn",
                    entry.saved_by,
                    f"{entry.saved_at.astimezone():%Y-%m-%d %H:%M}",
                    entry.value.statement if entry.is_in_use else entry.reason,
                )
                for entry in view.history
            ]
        )
        is_released = view.standing.state is ReleaseState.RELEASED
        self.words_text.setText(_REASON_TEXT if is_released else _STATEMENT_TEXT)
        self.words.setPlaceholderText("Reason" if is_released else "Statement")
        self.accept_short.setText("I accept: " + " ".join(view.shortcomings))
        self.accept_short.setVisible(bool(view.shortcomings) and not is_released)
        self.sign_button.setVisible(not is_released)
        self.withdraw_button.setVisible(is_released)
        if view.standing.state is ReleaseState.DEMO:
            self.message.show_note(_DEMO_TEXT)
        elif self._is_looking:
            say_if_only_looking(self.message, self._session.account, Right.RELEASE, "signing it")
        self._refresh()

    @property
    def _is_looking(self) -> bool:
        """Whether who is signed in may not sign."""
        return Right.RELEASE not in self._session.account.rights

    def _refresh(self) -> None:
        """What can be done now: everything a signature needs must be there."""
        self.close_button.setEnabled(not self._is_signing)
        is_closed = self._is_looking or self.view.standing.state is ReleaseState.DEMO
        for widget in (self.words, self.password, self.accept_short):
            widget.setEnabled(not is_closed)
        is_said = bool(self.words.toPlainText().strip()) and bool(self.password.text())
        self.withdraw_button.setEnabled(is_said and not is_closed)
        is_accepted = not self.view.shortcomings or self.accept_short.isChecked()
        self.sign_button.setEnabled(is_said and is_accepted and not is_closed)

    def _compare(self) -> None:
        """Compare with the released package, on the dose lane."""
        view, released = self.view, self.view.released
        if released is None:
            self.difference_text.setText("No other package of this machine is released: there is nothing to compare.")
            return
        entry = self._session.releases.standing(released).entry
        version = "" if entry is None else f" version {entry.value.version},"
        self.difference_text.setText(f"Against released{version} package {released.digest[:_SHORT]}. Computing…")

        def compared(found: PackageDifference | None) -> None:
            if self._comparison is None:  # closed meanwhile
                return
            self.difference_text.setText(f"Against released{version} package {released.digest[:_SHORT]}.")
            if found is not None:
                self.difference.show_difference(found)

        def failed(error: BaseException) -> None:
            if self._comparison is not None:
                self._failed(error)

        self._comparison = self._session.jobs.submit(
            Lane.DOSE,
            lambda _ctx: self._session.release_desk.difference(view),
            title="Comparing with the released model",
            on_done=compared,
            on_failed=failed,
        )

    # ---- what is done --------------------------------------------------------------------------------------------

    def sign(self) -> None:
        """Sign, in the background."""
        view, words, password = self.view, self.words.toPlainText(), self.password.text()
        is_accepted = self.accept_short.isChecked()
        desk = self._session.release_desk
        self._run(
            lambda: desk.sign(view, statement=words, password=password, is_short_accepted=is_accepted),
            f"'{view.package.machine.name}', package {view.package.digest[:_SHORT]}, was released.",
        )

    def withdraw(self) -> None:
        """Take the release back, in the background."""
        view, words, password = self.view, self.words.toPlainText(), self.password.text()
        self._run(
            lambda: self._session.release_desk.withdraw(view, reason=words, password=password),
            f"The release of '{view.package.machine.name}', package {view.package.digest[:_SHORT]}, was withdrawn.",
        )

    def _run(self, work: Callable[[], object], sentence: str) -> None:
        self._is_signing = True
        for button in (self.sign_button, self.withdraw_button, self.close_button):
            button.setEnabled(False)

        def done(_entry: object) -> None:
            self._is_signing = False
            self.password.clear()
            self.words.clear()
            self.accept_short.setChecked(False)  # of what was signed; another signature accepts anew
            self._show()
            self.message.show_note(sentence)
            self.changed.emit(sentence)

        def failed(error: BaseException) -> None:
            self._is_signing = False
            self._failed(error)

        self._session.jobs.submit(Lane.IO, lambda _ctx: work(), title="Signing", on_done=done, on_failed=failed)

    def done(self, result: int) -> None:
        """Close, but not while a signature is under way; a comparison that still runs is stopped."""
        if self._is_signing:
            return
        if self._comparison is not None:
            self._comparison.cancel()
            self._comparison = None
        super().done(result)

    def _failed(self, error: BaseException) -> None:
        self.password.clear()
        self.message.show_error(sentence_of(error))
        self._refresh()
