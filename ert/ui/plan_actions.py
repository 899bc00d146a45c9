"""Tool bar and actions of the planning page: undo, save, export, what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QFileDialog, QInputDialog, QSizePolicy, QToolBar, QWidget

from ert.app.jobs import JobContext, Lane
from ert.domain.account import Right
from ert.errors import ErtError
from ert.ui.approval_actions import ApprovalActions
from ert.ui.failures import sentence_of
from ert.ui.file_names import file_name
from ert.ui.icons import icon
from ert.ui.view_state import WINDOW_PRESETS
from ert.ui.widgets import plain_tip

if TYPE_CHECKING:
    from ert.ui.plan_page import PlanPage

Slot = Callable[[], None]


class PlanActions(QObject):
    """Actions of one planning page.

    Attributes
    ----------
    tool_bar : with the most used actions.
    menus : menu title -> actions; None is a separator.
    """

    def __init__(self, page: PlanPage) -> None:
        super().__init__(page)
        self._page = page
        state = page.state
        workspace = page.workspace
        make = self._make
        self.back = make("Patients", "back", page.left.emit, key="Ctrl+W", tip="Back to the patients")
        self.undo = make("Undo", "undo", workspace.undo, key="Ctrl+Z")
        self.redo = make("Redo", "redo", workspace.redo, key="Ctrl+Shift+Z")
        self.redo.setShortcuts([QKeySequence("Ctrl+Shift+Z"), QKeySequence("Ctrl+Y")])
        self.save = make("Save", "save", self._save, key="Ctrl+S")
        self.save_as = make("Save as new plan…", "copy", self._save_as, key="Ctrl+Shift+S")
        self.newest = make(
            "Newest revision…", "down", page.keeper.show_conflict, tip="Compare with what a colleague saved"
        )
        self.approval = ApprovalActions(page, make)
        self.export = make("Export DICOM…", "export", self._export, key="Ctrl+E")
        self.report = make("Report…", "report", self._report, key="Ctrl+R", tip="Write the plan report as PDF")
        self.mu_sheets = make(
            "Monitor units by hand…", "report", self._mu_sheets, tip="Write the hand-check sheets as PDF"
        )
        self.add_beam = make("Add beam", "add", page.beams.add_button.click, key="Ctrl+B")
        self.compute = make("Compute dose", "compute", workspace.compute_dose, key="F5")
        self.final = make("Final dose", "compute", workspace.compute_final_dose, key="Shift+F5")
        self.second_check = make(
            "Second check…", "search", self._second_check, tip="Compare the plan's dose with another engine's"
        )
        self.ready = make(
            "Mark ready for review", "ok", self._mark_ready, tip="Save the plan for review; a second check begins"
        )
        self.limits = make(
            "Limits of the second check…", "note", self._limits, tip="What the site judges second checks by"
        )
        self.next_beam = make("Next beam", "beam", lambda: page.step_beam(1), key="]")
        self.previous_beam = make("Previous beam", "beam", lambda: page.step_beam(-1), key="[")
        self.lines = make("Isodose lines", "isodose", state.toggle_lines, key="I", is_checkable=True)
        self.wash = make("Colour wash", "wash", state.toggle_wash, key="W", is_checkable=True)
        self.uncertainty = make(
            "Uncertainty map", "uncertainty", state.toggle_uncertainty, key="U", is_checkable=True,
            tip="Show the standard error of each voxel of a Monte Carlo dose",
        )  # fmt: skip
        self.bands = make(
            "Isodose bands", "isodose", state.toggle_bands, key="Shift+U", is_checkable=True,
            tip="Show where a Monte Carlo isodose lies within one standard error",
        )  # fmt: skip
        self.structures = make("Structures", "structures", state.toggle_structures, key="S", is_checkable=True)
        self.beams = make("Beams", "beam", state.toggle_beams, key="B", is_checkable=True)
        self.unit = make("Percent or Gy", "isodose", state.toggle_unit, key="%")
        self.fit = make("Fit all views", "fit", self._fit_all, tip="Show the whole patient in every slice view")
        self.panels = [
            make(f"Panel {name}", "structures", partial(page.show_tab, n), key=f"Alt+{n + 1}")
            for n, name in enumerate(page.tab_names)
        ]
        self.tool_bar = self._tool_bar()
        self.menus = self._menus()
        for actions in self.menus.values():
            page.addActions([a for a in actions if a is not None])
        state.dose_display_changed.connect(self.refresh)
        state.visibility_changed.connect(self.refresh)
        self.refresh()

    def _make(
        self, text: str, icon_name: str, slot: Slot, *, key: str = "", tip: str = "", is_checkable: bool = False
    ) -> QAction:
        action = QAction(icon(icon_name), text, self)
        action.triggered.connect(lambda _checked=False: self._run(slot))
        action.setCheckable(is_checkable)
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        if key:
            action.setShortcut(QKeySequence(key))
        action.setToolTip(f"{tip or text}  ({key})" if key else tip or text)
        return action

    def _run(self, slot: Slot) -> None:
        try:
            slot()
        except ErtError as error:
            self._page.message.show_error(str(error))

    def _tool_bar(self) -> QToolBar:
        bar = QToolBar("Plan")
        bar.setIconSize(QSize(18, 18))
        bar.setMovable(False)
        groups = (
            (self.back,),
            (self.undo, self.redo, self.save),
            (self.export, self.report),
            (self.lines, self.wash, self.uncertainty, self.structures, self.beams, self.fit),
        )
        for group in groups:
            bar.addActions(list(group))
            bar.addSeparator()
        for action in (self.back, self.save):
            button = bar.widgetForAction(action)
            button.setProperty("toolButtonStyle", Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        for button in bar.findChildren(QWidget):
            if hasattr(button, "defaultAction") and button.defaultAction() is not None:
                button.setAccessibleName(button.defaultAction().text())
                button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        bar.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        return bar

    def _menus(self) -> dict[str, list[QAction | None]]:
        presets: list[QAction | None] = [
            self._make(
                f"Window: {name}  W {window_hu:g} L {level_hu:g}   (key {n})",
                "eye",
                partial(self._page.state.set_window, window_hu, level_hu),
            )
            for n, (name, window_hu, level_hu) in enumerate(WINDOW_PRESETS, start=1)
        ]
        return {
            "&Plan": [
                self.save,
                self.save_as,
                self.newest,
                None,
                self.export,
                self.report,
                self.mu_sheets,
                None,
                self.ready,
                self.second_check,
                self.limits,
                None,
                self.approval.approve,
                self.approval.end,
                None,
                self.back,
            ],
            "&Edit": [
                self.undo,
                self.redo,
                None,
                self.add_beam,
                self.next_beam,
                self.previous_beam,
                None,
                self.compute,
                self.final,
            ],
            "&View": [
                self.lines,
                self.wash,
                self.uncertainty,
                self.bands,
                self.structures,
                self.beams,
                self.unit,
                None,
                self.fit,
                None,
                *self.panels,
                None,
                *presets,
            ],
        }

    def refresh(self) -> None:
        """Names, ticks and what can be done now."""
        workspace, state = self._page.workspace, self._page.state
        for action, label, verb in (
            (self.undo, workspace.undo_label, "Undo"),
            (self.redo, workspace.redo_label, "Redo"),
        ):
            action.setEnabled(label is not None)
            keys = action.shortcut().toString()
            action.setToolTip(
                plain_tip(f"{verb}: {label}  ({keys})") if label is not None else f"Nothing to {verb.lower()}"
            )
        self.save.setEnabled(workspace.is_dirty)
        self.save.setToolTip("Save  (Ctrl+S)" if workspace.is_dirty else "Nothing to save")
        may_plan = Right.PLAN in self._page.session.account.rights
        self.add_beam.setEnabled(not workspace.is_read_only)
        self.add_beam.setToolTip(plain_tip(workspace.why_read_only or "Add beam  (Ctrl+B)"))
        has_dose = workspace.dose.status == "current"
        can_export = has_dose and not workspace.is_dirty and not workspace.is_earlier
        is_preview = workspace.dose.status == "preview"
        lacking = (
            "the dose is a preview, compute the final dose" if is_preview else "there is no dose that is up to date"
        )
        why = "save the plan first" if has_dose else lacking
        why = "this is an earlier revision, read-only" if workspace.is_earlier else why
        is_frozen = workspace.stored.status.is_locked
        self.save_as.setText("Clone as new plan…" if is_frozen else "Save as new plan…")
        self.save_as.setEnabled(may_plan and not workspace.is_earlier)
        self.newest.setEnabled(not workspace.is_read_only)
        self.approval.refresh()
        self._refresh_output("" if can_export else why)
        self.mu_sheets.setEnabled(has_dose)
        self.second_check.setEnabled(has_dose)
        is_ready = workspace.readiness.is_ready
        self.ready.setEnabled(has_dose and not is_ready and not workspace.is_read_only)
        unready = "Save the plan for review; a second check begins" if has_dose else f"Not ready for review: {why}"
        unready = f"Not ready for review. {workspace.why_read_only}" if workspace.is_read_only else unready
        self.ready.setToolTip("The plan is ready for review" if is_ready else unready)
        self.compute.setEnabled(bool(workspace.plan.beams) and not has_dose and not is_preview)
        idle = "The plan has no beam"
        if has_dose or is_preview:
            idle = "The dose is up to date" if has_dose else "The preview is up to date"
        is_running = workspace.dose.final_run is not None
        self.final.setEnabled(is_preview and not is_running)
        self.final.setToolTip("Compute the plan's own dose by Monte Carlo  (Shift+F5)")
        has_map = has_dose and workspace.dose.uncertainty is not None
        self.uncertainty.setEnabled(has_map)
        self.uncertainty.setChecked(has_map and state.dose_display.has_uncertainty)
        self.bands.setEnabled(has_map and state.dose_display.has_lines)
        self.bands.setChecked(has_map and state.dose_display.has_bands)
        self.compute.setToolTip("Compute dose  (F5)" if self.compute.isEnabled() else idle)
        self.lines.setChecked(state.dose_display.has_lines)
        self.wash.setChecked(state.dose_display.has_wash)
        self.structures.setChecked(state.visibility.has_structures)
        self.beams.setChecked(state.visibility.has_beams)

    def _refresh_output(self, why: str) -> None:
        """Whether the plan may leave the program; why not, if there is a reason."""
        approval = self._page.workspace.approval
        is_ended = approval is not None and not approval.is_valid
        self.export.setEnabled(not why and not is_ended)
        unexported = "Export: the approval of this plan ended" if is_ended else f"Export: {why}"
        self.export.setToolTip("Export as DICOM  (Ctrl+E)" if self.export.isEnabled() else unexported)
        self.report.setEnabled(not why)
        self.report.setToolTip(f"Report: {why}" if why else "Write the plan report as PDF  (Ctrl+R)")

    # ---- what takes a while --------------------------------------------------------------------------------------

    def _save(self) -> None:
        self._page.workspace.save()

    def _save_as(self) -> None:
        taken = self._page.workspace.plan.name
        title = self.save_as.text().removesuffix("…")
        name, is_chosen = QInputDialog.getText(self._page, title, "Name", text=f"{taken} copy")
        if is_chosen:
            self.save_as_named(name.strip())

    def save_as_named(self, name: str) -> None:
        """Save the edits as a plan of its own, in the background; then show that one."""
        page = self._page
        session, plan = page.session, page.workspace.plan
        session.jobs.submit(
            Lane.IO,
            lambda _ctx: session.save_as_new(plan, name),
            title=f"Saving {name}",
            can_stop=False,
            on_done=lambda stored: page.saved_as.emit(stored.plan.id),
            on_failed=self._failed,
        )

    def _fit_all(self) -> None:
        for view in self._page.views.slices.values():
            view.fit()
        self._page.views.beam_eye.fit()

    def _export(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._page, "Folder for the DICOM files (a new or empty one)")
        if folder:
            self.export_to(Path(folder))

    def export_to(self, folder: Path) -> None:
        """Write plan, dose, structures and CT as DICOM into a folder, in the background."""
        from ert.app.export_service import export_source, write_export

        page = self._page
        session, workspace = page.session, page.workspace
        source = export_source(session, workspace)

        def work(ctx: JobContext) -> tuple[Path, ...]:
            return write_export(session, workspace.plan.id, source, folder, ctx)

        session.jobs.submit(
            Lane.IO,
            work,
            title="Exporting DICOM",
            on_cancelled=lambda: page.message.show_note("The export was stopped; nothing was written."),
            on_done=lambda paths: page.message.show_note(f"{len(paths)} DICOM files were written to {folder}."),
            on_failed=self._failed,
        )

    def _report(self) -> None:
        name = file_name(self._page.workspace.plan.name, ".pdf")
        chosen, _ = QFileDialog.getSaveFileName(self._page, "Plan report", name, "PDF (*.pdf)")
        if chosen:
            self.report_to(Path(chosen))

    def report_to(self, path: Path) -> None:
        """Write the PDF report, in the background."""
        from ert.app.plan_output import finished_report, write_report

        page = self._page
        report = finished_report(page.workspace)  # here: the plan may be edited while it is written

        def work(_ctx: JobContext) -> Path:
            self._refuse_other_identity()
            page.session.record_event("report written", record=report.plan.id, detail=f"revision {report.revision}")
            return write_report(report, path)

        page.session.jobs.submit(
            Lane.IO,
            work,
            title="Writing the report",
            can_stop=False,
            on_done=lambda written: page.message.show_note(f"The report was written to {written}."),
            on_failed=self._failed,
        )

    def _second_check(self) -> None:
        self._page.show_second_check()

    def _mark_ready(self) -> None:
        self._page.workspace.mark_ready()

    def _limits(self) -> None:
        from ert.ui.limits_dialog import LimitsDialog

        dialog = LimitsDialog(self._page.session, self._page)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _mu_sheets(self) -> None:
        name = file_name(self._page.workspace.plan.name, " monitor units.pdf")
        chosen, _ = QFileDialog.getSaveFileName(self._page, "Monitor units by hand", name, "PDF (*.pdf)")
        if chosen:
            self.mu_sheets_to(Path(chosen))

    def mu_sheets_to(self, path: Path) -> None:
        """Write the sheets on which a physicist checks monitor units, in the background."""
        from ert.app.plan_output import write_mu_sheets

        page = self._page
        workspace = page.workspace

        def work(_ctx: JobContext) -> Path:
            self._refuse_other_identity()
            page.session.record_event("hand-check sheets written", record=workspace.plan.id)
            return write_mu_sheets(workspace, path)

        page.session.jobs.submit(
            Lane.IO,
            work,
            title="Writing the hand-check sheets",
            on_done=lambda written: page.message.show_note(f"The hand-check sheets were written to {written}."),
            on_failed=self._failed,
        )

    def _refuse_other_identity(self) -> None:
        """Nothing that names the patient is written if the identity was changed since the plan was opened."""
        workspace = self._page.workspace
        self._page.session.refuse_other_identity(workspace.course, workspace.patient)

    def _failed(self, error: BaseException) -> None:
        self._page.message.show_error(sentence_of(error))
