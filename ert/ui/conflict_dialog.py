"""A colleague saved first: who, when, what; and the choice that only a person may make."""

from __future__ import annotations

import enum

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from ert.app.plan_history import Conflict
from ert.domain.record import Severity
from ert.ui.change_tree import ChangeTree
from ert.ui.theme import WARN
from ert.ui.widgets import dim_label, push_button, section_title, severity_pixmap, text_label


class Choice(enum.Enum):
    """What becomes of the edits here."""

    TAKE_THEIRS = "take theirs"
    KEEP_MINE = "keep mine on top"
    SAVE_AS_NEW = "save mine as a new plan"
    LOOK = "look at theirs"


class ConflictDialog(QDialog):
    """Both sides of a conflict beside each other. Nothing is merged by machine.

    Parameters
    ----------
    conflict : Conflict
        The revision both began with, theirs, and both sides' changes.

    Signals
    -------
    chosen(choice) : one of `Choice`; the dialog stays open for `Choice.LOOK`.
    """

    chosen = Signal(object)

    def __init__(self, conflict: Conflict, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.conflict = conflict
        self.setWindowTitle("Saved by a colleague in the meantime")
        self.resize(1080, 560)
        self.theirs, self.mine = ChangeTree("What the colleague changed"), ChangeTree("What you changed")
        self.theirs.empty_text, self.mine.empty_text = "Nothing that the plan shows", "You changed nothing"
        base, now = conflict.base.revision, conflict.theirs.revision
        contested = conflict.contested
        self.theirs.show_changes(conflict.their_changes, before=f"r{base}", after=f"r{now}", contested=contested)
        self.mine.show_changes(conflict.my_changes, before=f"r{base}", after="yours", contested=contested)
        self._buttons()
        self._build()

    def _buttons(self) -> None:
        now = self.conflict.theirs.revision
        has_edits = bool(self.conflict.my_changes)
        make = push_button
        self.take = make(
            f"Take theirs (r{now})", "down", "Go on from the colleague's revision; Undo brings your edits back"
        )
        self.keep = make(
            f"Keep mine as r{now + 1}",
            "up",
            f"Save your plan as the revision behind theirs; r{now} stays in the history",
        )
        self.save_as = make(
            "Save mine as a new plan…", "copy", "Leave theirs as it is; yours becomes a plan of its own"
        )
        self.look = make("Look at theirs", "eye", "Open the colleague's revision in a window of its own, read-only")
        self.later = make("Decide later", "stale", "Close this and go on; your edits stay open and unsaved")
        choices = (
            (self.take, Choice.TAKE_THEIRS),
            (self.keep, Choice.KEEP_MINE),
            (self.save_as, Choice.SAVE_AS_NEW),
            (self.look, Choice.LOOK),
        )
        for button, choice in choices:
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, choice=choice: self._choose(choice))
        self.later.clicked.connect(self.reject)
        self.later.setDefault(True)  # nothing is decided by a careless Return
        self.keep.setEnabled(has_edits)
        self.save_as.setEnabled(has_edits)

    def _build(self) -> None:
        conflict = self.conflict
        base, theirs = conflict.base, conflict.theirs
        sign = text_label()
        sign.setPixmap(severity_pixmap(Severity.WARNING, 22))
        self.head = text_label(
            f"{theirs.saved_by} saved revision {theirs.revision} of '{theirs.plan.name}' at "
            f"{theirs.saved_at.astimezone():%H:%M:%S on %Y-%m-%d}."
        )
        self.head.setObjectName("pageTitle")
        self.head.setWordWrap(True)
        top = QHBoxLayout()
        top.addWidget(sign)
        top.addWidget(self.head, 1)
        sides = QHBoxLayout()
        sides.setSpacing(12)
        for title, tree in (
            (f"What {theirs.saved_by} changed, r{base.revision} to r{theirs.revision}", self.theirs),
            (f"What you changed since r{base.revision}", self.mine),
        ):
            column = QVBoxLayout()
            column.addWidget(section_title(title))
            column.addWidget(tree, 1)
            sides.addLayout(column, 1)
        bottom = QHBoxLayout()
        for button in (self.take, self.keep, self.save_as, self.look):
            bottom.addWidget(button)
        bottom.addStretch(1)
        bottom.addWidget(self.later)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 12)
        layout.setSpacing(10)
        layout.addLayout(top)
        layout.addWidget(dim_label(self._explanation()))
        layout.addLayout(sides, 1)
        layout.addWidget(self._contested_line())
        layout.addLayout(bottom)

    def _explanation(self) -> str:
        base = self.conflict.base.revision
        if not self.conflict.my_changes:
            return f"You see revision {base} and have edited nothing since."
        return (
            f"Your edits began with revision {base}. Nothing was overwritten, and nothing is merged by the program: "
            "one of the two becomes the newest revision, the other stays in the history."
        )

    def _contested_line(self) -> QWidget:
        mine = {c.key for c in self.conflict.my_changes if not c.is_derived} & self.conflict.contested
        count = len(mine)
        values = "1 value was" if count == 1 else f"{count} values were"
        line = text_label(f"{values} changed by both, marked above." if count else "No value was changed by both.")
        if count:
            line.setStyleSheet(f"color: {WARN};")
        return line

    def _choose(self, choice: Choice) -> None:
        self.chosen.emit(choice)
        if choice is not Choice.LOOK:
            self.accept()
