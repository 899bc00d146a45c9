"""The patients of a site: find, import, make and open plans."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPoint, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMenu,
    QStackedWidget,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import JobContext, Lane
from ert.app.patient_rows import CourseRow, PatientRow
from ert.app.plan_sum import PlanSum
from ert.app.session import SiteSession
from ert.domain.account import Right
from ert.domain.patient import Patient
from ert.domain.record import PlanHead, StoredPlan
from ert.domain.structure import StructureSet
from ert.ui.empty_list import EmptyList
from ert.ui.failures import sentence_of
from ert.ui.icons import icon
from ert.ui.import_dialog import ImportDialog
from ert.ui.jobs_bridge import while_there
from ert.ui.new_plan_dialog import NewPlanDialog
from ert.ui.patient_model import PatientTreeModel, RowRole, search_texts
from ert.ui.plan_sum_dialog import PlanSumDialog
from ert.ui.record_actions import RecordActions
from ert.ui.widgets import MessageStrip, push_button, text_label

ReadRows = tuple[Sequence[PatientRow], list[str]]  # and what a search looks through
_TEXTS_AT_ONCE = 500
_FEW = 50  # patients whose rows are opened at once, and read before anything is shown
_REST_MS = 300  # after the last letter, the rest of a long list is taken into view, so that its scroll bar is right


class PatientPage(QWidget):
    """Tree of patients with actions.

    Signals
    -------
    plan_chosen(plan_id) : the user wants to work on a plan.
    patient_chosen(patient) : the selection moved; None if nothing is selected.
    machine_wanted : the user wants to add a machine package.
    """

    plan_chosen = Signal(str)
    patient_chosen = Signal(object)
    machine_wanted = Signal()

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.model = PatientTreeModel(self)
        self.tree = QTreeView()
        self.search = QLineEdit()
        self.message = MessageStrip()
        self.import_button = push_button(
            "Import…", "import", "Import CT and structures from DICOM files  (Ctrl+I)", is_default=True
        )
        self.new_plan_button = push_button("New plan…", "new", "Make a plan on the chosen course  (Ctrl+N)")
        self.sum_button = push_button("Sum…", "plan", "Add up plans of the chosen course")
        self.open_button = push_button("Open", "open", "Open the chosen plan")
        self.show_inactive = QCheckBox("Show inactive")
        self.show_inactive.setToolTip("List patients that were made inactive, too")
        self.record_actions = RecordActions(
            session,
            lambda: self.chosen_row,
            changed=self._record_changed,
            failed=self._failed,
            parent=self,
        )
        self._empty = EmptyList(self)
        self._places = QStackedWidget()
        self._rows: tuple[PatientRow, ...] = ()
        self._texts: list[str] = []
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._show_rest)
        self._later: tuple[str, str, str] | None = None
        self._build()
        self._wanted: tuple[str, str] | None = None
        self.refresh()

    def _build(self) -> None:
        tree = self.tree
        tree.setModel(self.model)
        tree.setAccessibleName("Patients, courses and plans")
        tree.setAlternatingRowColors(True)
        tree.setUniformRowHeights(True)
        tree.setAllColumnsShowFocus(True)
        tree.header().setStretchLastSection(False)
        tree.header().setResizeContentsPrecision(0)  # widths from what is on screen, not from thousands of rows
        tree.header().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        tree.selectionModel().currentChanged.connect(self._current_changed)
        tree.doubleClicked.connect(lambda _index: self._open())
        tree.setContextMenuPolicy(tree.contextMenuPolicy().CustomContextMenu)
        tree.customContextMenuRequested.connect(self._menu)
        self.search.setPlaceholderText("Search name, ID, plan  (Ctrl+F)")
        self.search.setAccessibleName("Search")
        self.search.setClearButtonEnabled(True)
        self.search.addAction(icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        self.search.textChanged.connect(self._search_changed)
        QShortcut(QKeySequence("Ctrl+F"), self, self.search.setFocus)
        QShortcut(QKeySequence("Return"), tree, self._open)
        QShortcut(QKeySequence("Ctrl+I"), self, self.start_import)
        QShortcut(QKeySequence("Ctrl+N"), self, self.start_new_plan)
        self.import_button.clicked.connect(self.start_import)
        self._empty.import_wanted.connect(self.start_import)
        self._empty.machine_wanted.connect(self.machine_wanted)
        self.new_plan_button.clicked.connect(self.start_new_plan)
        self.sum_button.clicked.connect(self.start_sum)
        self.open_button.clicked.connect(self._open)
        top = QHBoxLayout()
        title = text_label("Patients")
        title.setObjectName("pageTitle")
        top.addWidget(title)
        top.addSpacing(16)
        self.search.setMinimumWidth(280)
        top.addWidget(self.search)
        top.addWidget(self.show_inactive)
        self.show_inactive.toggled.connect(self._list_rows)
        top.addStretch(1)
        self.import_button.setEnabled(self._may_plan)
        top.addWidget(self.record_actions.button)
        for button in (self.import_button, self.new_plan_button, self.sum_button, self.open_button):
            top.addWidget(button)
        self._places.addWidget(tree)
        self._places.addWidget(self._empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(10)
        layout.addLayout(top)
        layout.addWidget(self.message)
        layout.addWidget(self._places, 1)

    @property
    def _may_plan(self) -> bool:
        """Whether importing and planning are of use; the services decide."""
        return Right.PLAN in self._session.account.rights

    # ---- content -------------------------------------------------------------------------------------------------

    def refresh(self, *, select_course: str = "", select_plan: str = "") -> None:
        """Read the list again in the background, then select something."""
        self._wanted = (select_course, select_plan) if select_course or select_plan else None

        def work(_ctx: JobContext) -> ReadRows:
            heads = self._session.patient_heads()
            return heads, search_texts(heads)

        self._session.jobs.submit(
            Lane.IO,
            work,
            title="Reading patients",
            can_stop=False,
            supersedes="patients",
            on_done=while_there(self, self._read_courses),
            on_failed=while_there(self, self._failed),
        )

    def _read_courses(self, read: ReadRows) -> None:
        """Read what is below the patients; a long list is shown without it until then."""
        heads = read[0]
        if len(heads) > _FEW and not self._rows:
            self._show(read)

        def work(ctx: JobContext) -> ReadRows:
            rows = self._session.with_courses(heads, ctx)
            texts: list[str] = []
            for start in range(0, len(rows), _TEXTS_AT_ONCE):
                ctx.give_way()
                texts += search_texts(rows[start : start + _TEXTS_AT_ONCE])
            return rows, texts

        self._session.jobs.submit(
            Lane.IO,
            work,
            title="Reading courses and plans",
            supersedes="patients",
            on_done=while_there(self, self._show),
            on_failed=while_there(self, self._failed),
        )

    def _show(self, read: ReadRows) -> None:
        rows, self._texts = read
        self._rows = tuple(rows)
        self.show_inactive.setVisible(any(not row.is_active for row in rows))
        self._list_rows()

    def _list_rows(self) -> None:
        chosen = self.chosen_patient
        wanted = self._wanted or self._selected_ids()
        kept = self._opened()
        shown = [
            (row, text)
            for row, text in zip(self._rows, self._texts, strict=True)
            if row.is_active or self.show_inactive.isChecked()
        ]
        self.model.show_rows([row for row, _ in shown], [text for _, text in shown])
        self._places.setCurrentIndex(0 if self._rows else 1)
        self._expand()
        header = self.tree.header()
        for column, width in enumerate((330, 130, 100)):
            self.tree.setColumnWidth(column, width)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(4, QHeaderView.ResizeMode.ResizeToContents)
        self._select(*wanted, "" if chosen is None or self._wanted else chosen.id)
        if not self._wanted:
            self._open_again(*kept)
        self._current_changed(self.tree.currentIndex(), QModelIndex())

    def _expand(self) -> None:
        """Open what is shown; of a long list, what somebody chooses."""
        if self.model.found_count <= _FEW:
            self.tree.expandAll()
        elif self.model.has_more:
            self._rest.start()

    def _opened(self) -> tuple[list[str], int]:
        """Ids of the patients whose rows are open in a long list, and how far it is scrolled."""
        roots = (self.model.index(n, 0) for n in range(self.model.rowCount()))
        nodes = (self.model.node(index) for index in roots if self.tree.isExpanded(index))
        scrolled = self.tree.verticalScrollBar().value()
        return [node.patient_row.patient.id for node in nodes if node is not None], scrolled

    def _open_again(self, patient_ids: Sequence[str], scrolled: int) -> None:
        """Have the list look as before it was read anew: who has scrolled must not be thrown back to its head."""
        if self.model.found_count <= _FEW:
            return
        if scrolled > 0:
            self.model.take_rest()
        for patient_id in patient_ids:
            self.tree.setExpanded(self.model.find(patient_id=patient_id), True)
        self.tree.verticalScrollBar().setValue(scrolled)

    def _selected_ids(self) -> tuple[str, str]:
        row = self._row()
        if isinstance(row, PlanHead):
            return row.course_id, row.plan_id
        return (row.course.id, "") if isinstance(row, CourseRow) else ("", "")

    def _select(self, course_id: str, plan_id: str, patient_id: str = "") -> None:
        self._later = None
        found = self.model.find(patient_id=patient_id, course_id=course_id, plan_id=plan_id)
        index = found if found.isValid() else self.model.index(0, 0)
        if index.isValid():
            self.tree.setCurrentIndex(index)
            self.tree.scrollTo(index)

    def _search_changed(self, text: str) -> None:
        self._session.jobs.courtesy.somebody_works()
        chosen = self.chosen_patient
        wanted = self._later or (*self._selected_ids(), "" if chosen is None else chosen.id)
        self.model.search(text)
        self._expand()
        course_id, plan_id, patient_id = wanted
        position = self.model.position(patient_id=patient_id, course_id=course_id, plan_id=plan_id)
        if position >= self.model.rowCount():
            self._later = wanted  # far down a long list: selected when the rest of it is taken into view
        else:
            self._select(*wanted)

    def _show_rest(self) -> None:
        """Nobody types any more: the rest of a long list, and what is selected far down in it."""
        self.model.take_rest()
        if self._later is not None:
            self._select(*self._later)

    # ---- selection -----------------------------------------------------------------------------------------------

    def _row(self) -> PatientRow | CourseRow | PlanHead | None:
        index = self.tree.currentIndex()
        return index.data(RowRole) if index.isValid() else None

    @property
    def chosen_row(self) -> PatientRow | None:
        """The patient whose row, or a row below it, is selected."""
        node = self.model.node(self.tree.currentIndex())
        return None if node is None else node.patient_row

    @property
    def chosen_plan(self) -> PlanHead | None:
        """The selected plan."""
        row = self._row()
        return row if isinstance(row, PlanHead) else None

    @property
    def chosen_patient(self) -> Patient | None:
        """Whose row is selected."""
        row = self.chosen_row
        return None if row is None else row.patient

    @property
    def chosen_course(self) -> CourseRow | None:
        """The selected course, or the one of the selected plan, or the only one of the selected patient."""
        node = self.model.node(self.tree.currentIndex())
        return None if node is None else node.course_row

    def _current_changed(self, _current: QModelIndex, _previous: QModelIndex) -> None:
        is_plan = isinstance(self._row(), PlanHead)
        self.open_button.setEnabled(is_plan)
        self.open_button.setToolTip("Open the chosen plan" if is_plan else "Choose a plan first")
        has_course = self.chosen_course is not None
        self.new_plan_button.setEnabled(has_course and self._may_plan)
        self.new_plan_button.setToolTip(
            "Make a plan on the chosen course  (Ctrl+N)" if has_course else "Choose a course first"
        )
        self.record_actions.update_state()
        course = self.chosen_course
        can_add = course is not None and len(course.plans) > 1
        self.sum_button.setEnabled(can_add)
        self.sum_button.setToolTip(
            "Add up the doses of plans of this course" if can_add else "Choose a course that has at least two plans"
        )
        self.patient_chosen.emit(self.chosen_patient)

    def _menu(self, position: QPoint) -> None:
        menu = QMenu(self)
        menu.addAction(self.open_button.icon(), "Open plan", self._open).setEnabled(self.open_button.isEnabled())
        menu.addAction(self.new_plan_button.icon(), "New plan…", self.start_new_plan).setEnabled(
            self.new_plan_button.isEnabled()
        )
        menu.addAction(self.sum_button.icon(), "Sum of plans…", self.start_sum).setEnabled(self.sum_button.isEnabled())
        menu.addSeparator()
        menu.addActions(list(self.record_actions.all))
        menu.addSeparator()
        menu.addAction(self.import_button.icon(), "Import…", self.start_import).setEnabled(self._may_plan)
        menu.exec(self.tree.viewport().mapToGlobal(position))

    # ---- actions -------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        row = self._row()
        if isinstance(row, PlanHead):
            self.plan_chosen.emit(row.plan_id)

    def start_import(self) -> None:
        """Ask what to import, then import it."""
        if not self._may_plan:
            return
        dialog = ImportDialog(self._session, self)
        dialog.imported.connect(lambda outcome: self.refresh(select_course=outcome.course.id))
        dialog.open()

    def start_new_plan(self) -> None:
        """Ask for name and prescription, then make the plan."""
        row = self.chosen_course
        if row is None or not self._may_plan:
            return
        course_id, names = row.course.id, [p.name for p in row.plans]
        self._session.jobs.submit(
            Lane.IO,
            lambda _ctx: self._session.structures(course_id),
            title="Reading structures",
            on_done=lambda structures: self._ask_plan(course_id, structures, names),
            on_failed=self._failed,
        )

    def start_sum(self) -> None:
        """Ask which plans of the course to add, then show their sum in a window of its own."""
        course = self.chosen_course
        if course is not None:
            dialog = PlanSumDialog(self._session, course.plans, self)
            dialog.summed.connect(self._show_sum)
            dialog.open()

    def _show_sum(self, plan_sum: PlanSum) -> None:
        from ert.ui.plan_sum_window import PlanSumWindow  # noqa: PLC0415 - the plot library is loaded when needed

        session = self._session
        site, user, banner = session.site_name, session.user_name, session.emergency_banner
        self.sum_window = PlanSumWindow(plan_sum, site_text=site, user_name=user, emergency=banner, parent=self)
        self.sum_window.show()

    def _ask_plan(self, course_id: str, structures: StructureSet, names: list[str]) -> None:
        dialog = NewPlanDialog(self._session, course_id, structures, names, self)
        dialog.created.connect(self._created)
        dialog.open()

    def _created(self, stored: StoredPlan) -> None:
        self.refresh(select_course=stored.plan.course_id, select_plan=stored.plan.id)
        self.plan_chosen.emit(stored.plan.id)

    def _record_changed(self, sentence: str) -> None:
        self.message.show_note(sentence)
        self.refresh()

    def _failed(self, error: BaseException) -> None:
        self.message.show_error(sentence_of(error))
