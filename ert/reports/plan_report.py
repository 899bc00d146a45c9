"""The plan report: everything a plan is, on paper."""

from __future__ import annotations

from reportlab.lib.units import cm
from reportlab.platypus import Flowable, KeepTogether, PageBreak, Spacer, Table

from ert.domain.angle_scale import AngleAxis, AngleScale, room_angle_text
from ert.domain.beam import Beam
from ert.domain.device import ApertureSource
from ert.domain.image import Material
from ert.domain.machine import Machine
from ert.domain.patient import Patient
from ert.domain.statements import engine_statement, normalisation_sentence
from ert.geometry.grid import Float3
from ert.reports.cutout import CutoutDrawing, scaled
from ert.reports.mu_sheet import sheet_story
from ert.reports.page import (
    ALARM,
    BODY,
    DEMO_MARK,
    HEADING,
    NOT_CLEARED,
    TEXT_WIDTH,
    TITLE,
    PageMarks,
    build_pdf,
    facts,
    paragraph,
    table,
)
from ert.reports.plan_content import MetricRow, PlanReport, dose_maximum, slice_content
from ert.reports.plot import LinePlot, Series, on_paper
from ert.reports.slices import IsodoseLegend, SliceContent, SliceDrawing

_BANDS = (
    "Dashed: the dose one standard error lower and higher in all voxels at once, an outer bound of the histogram's own "
    "uncertainty."
)
_MAX_CUTOUT_HEIGHT = 23.0 * cm


def plan_report_pdf(report: PlanReport) -> bytes:
    """The report as a PDF; equal reports give equal bytes."""
    marks = PageMarks(
        identity=patient_line(report.patient),
        subject=f"Plan {report.plan.name}  ·  revision {report.revision}",
        software=f"{report.software}, printed {report.printed_at:%Y-%m-%d %H:%M}.",
        is_demo=report.is_demo,
    )
    story = [
        *_opening(report),
        *_beams(report),
        *_machine_settings(report),
        *_evaluation(report),
        *_slices(report),
        *_cutouts(report),
    ]
    for check in report.mu_checks:
        story += [PageBreak(), *sheet_story(check)]
    story += [PageBreak()] if report.mu_checks else []
    return build_pdf([*story, *_provenance(report)], title=f"Plan report {report.plan.name}", marks=marks)


def patient_line(patient: Patient) -> str:
    """Who it is, for the top of each page."""
    born = f"born {patient.birth_date:%Y-%m-%d}" if patient.birth_date else "birth date unknown"
    return f"{patient.display_name}  ·  {patient.medical_record_number}  ·  {born}"


def _opening(report: PlanReport) -> list[Flowable]:
    plan, prescription = report.plan, report.plan.prescription
    target = report.structures.structure(prescription.target_number).name
    saved = f"revision {report.revision}, {report.status}"
    if report.saved_at is not None:
        saved += f", saved {report.saved_at:%Y-%m-%d %H:%M} by {report.saved_by}"
    story = [paragraph("Electron treatment plan", TITLE), paragraph(NOT_CLEARED, ALARM)]
    if report.is_demo:
        story.append(paragraph(DEMO_MARK, ALARM))
    return [
        *story,
        facts(
            [
                ("Plan", f"{plan.name} ({saved})"),
                ("Description", plan.description or "\N{EN DASH}"),
                (
                    "Prescription",
                    f"{prescription.dose_gy:.2f} Gy to {target} in {prescription.fractions} fractions "
                    f"({prescription.dose_gy / prescription.fractions:.3f} Gy each)",
                ),
                ("Normalisation", normalisation_sentence(plan, report.structures)),
                ("Dose calculation", engine_statement(report.engine)),
                *([("Uncertainty", report.uncertainty)] if report.uncertainty else []),
                ("All doses are", report.plan.dose_to.phrase),
                (
                    "CT image",
                    f"{report.image.description or 'CT'}, {report.image.acquisition_date or 'date unknown'}, "
                    f"patient position {report.image.patient_position}",
                ),
            ]
        ),
    ]


def _beams(report: PlanReport) -> list[Flowable]:
    head = (
        "No.",
        "Name",
        "Machine",
        "MeV",
        "Applicator",
        "Gantry / coll. / couch (IEC 61217)",
        "Isocentre x, y, z cm",
        "SSD cm",
        "Aperture cm",
        "Weight",
        "MU / fr.",
        "Given dose to water Gy",
    )
    rows = []
    for line in report.beams:
        beam = line.beam
        x0, x1, y0, y1 = beam.aperture.bounds_cm
        rows.append(
            (
                str(beam.number), beam.name, beam.machine_name, f"{beam.energy_mev:g}", beam.applicator_id,
                _angles_text(beam, report.machines[beam.machine_name]),
                ", ".join(f"{v:.2f}" for v in beam.isocentre_cm), f"{line.ssd_cm:.1f}",
                f"{x1 - x0:.1f} × {y1 - y0:.1f} {beam.aperture.source.value.lower()}", f"{beam.weight:.3g}",
                f"{line.mu:.1f}", "\N{EN DASH}" if line.given_dose_gy is None else f"{line.given_dose_gy:.2f}",
            )
        )  # fmt: skip
    widths = (0.5, 1.1, 1.4, 0.6, 1.2, 1.9, 1.5, 0.7, 1.2, 0.85, 0.75, 0.75)
    return [paragraph("Beams", HEADING), table(head, rows, widths=widths)]


def _angles_text(beam: Beam, machine: Machine) -> str:
    """IEC 61217 angles; below them, where its scale differs, what the room shows."""
    text = f"{beam.gantry_deg:.1f}° / {beam.collimator_deg:.1f}° / {beam.couch_deg:.1f}°"
    scale = machine.configuration.scale
    if scale is AngleScale.IEC_61217:
        return text
    angles = zip(AngleAxis, (beam.gantry_deg, beam.collimator_deg, beam.couch_deg), strict=True)
    room = " / ".join(f"{room_angle_text(angle, axis, scale)}°" for axis, angle in angles)
    return f"{text}; room ({scale.value}): {room}"


def _machine_settings(report: PlanReport) -> list[Flowable]:
    """What is set at the machine for each beam beside its angles."""
    head = (
        "No.",
        "Treatment machine",
        "Room scale",
        "Jaws X1, X2, Y1, Y2 cm (IEC 61217)",
        "Cutout",
        "Configuration",
        "Dose engine",
    )
    rows = []
    for line in report.beams:
        beam = line.beam
        machine = report.machines[beam.machine_name]
        jaws = machine.jaws_cm(beam.applicator_id, beam.energy_mev)
        insert = f"{beam.aperture.thickness_cm:g} cm {beam.aperture.material}"
        rows.append(
            (
                str(beam.number),
                machine.treatment_name,
                machine.configuration.scale.value,
                "not stated" if jaws is None else ", ".join(f"{v:.1f}" for v in jaws),
                "none (open)" if beam.aperture.source is ApertureSource.OPEN else insert,
                f"{machine.configuration.revision} ({machine.digest[:8]})",
                line.engine or report.engine,
            )
        )
    return [paragraph("Machine settings", HEADING), table(head, rows, widths=(0.5, 1.4, 1.2, 2.2, 1.5, 1.3, 1.3))]


def _evaluation(report: PlanReport) -> list[Flowable]:
    story: list[Flowable] = []
    phrase = report.plan.dose_to.phrase
    if report.goals:
        bad = [n for n, g in enumerate(report.goals) if g.state == "VIOLATED"]
        reached = [(g.goal, g.value, g.state) for g in report.goals]
        story += [
            paragraph(f"Clinical goals ({phrase})", HEADING),
            table(("Goal", "Reached", ""), reached, alarm_rows=bad),
        ]
    if report.metrics:
        by_structure: dict[str, list[MetricRow]] = {}
        for row in report.metrics:
            by_structure.setdefault(row.structure, []).append(row)
        names = list(dict.fromkeys(row.metric for row in report.metrics))
        rows = [
            (name, *(next((m.value for m in found if m.metric == metric), "") for metric in names))
            for name, found in by_structure.items()
        ]
        story += [
            paragraph(f"Dose and volume ({phrase})", HEADING),
            table(("Structure", *names), rows),
        ]
    if report.points:
        head = ("Point", "x, y, z cm (DICOM)", "Plan Gy", *(f"{line.beam.name} Gy" for line in report.beams))
        places = [(p.name, ", ".join(f"{v:.2f}" for v in p.position_cm), p.total, *p.beams) for p in report.points]
        story += [paragraph(f"Dose at points ({phrase})", HEADING), table(head, places)]
    warnings = [f"{f.severity.value}: {f.sentence}" for f in report.findings]
    warnings += [f"beam {line.beam.number}: {text}" for line in report.beams for text in line.warnings]
    story.append(paragraph("Warnings", HEADING))
    story += [paragraph(f"\N{BULLET} {text}") for text in warnings] or [paragraph("None.")]
    if report.dvhs:
        curves = [
            Series(name=f"{d.name} ({d.volume_cc:.1f} cc)", x=d.dose_gy, y=d.volume_pct, colour=on_paper(d.colour))
            for d in report.dvhs
        ]
        bands = [
            Series(name="", x=d.dose_gy, y=d.volume_pct, colour=on_paper(d.colour), style="dashed", width_pt=0.35)
            for pair in report.dvh_bands
            for d in pair
        ]
        plot = LinePlot(
            [*curves, *bands], width_pt=TEXT_WIDTH, height_pt=8.5 * cm, x_label=f"{phrase} (Gy)", y_label="volume (%)",
            title="Cumulative dose\N{EN DASH}volume histogram", y_range=(0.0, 102.0), legend="beside",
        )  # fmt: skip
        story += [Spacer(1, 6), KeepTogether([plot, *([paragraph(_BANDS)] if bands else [])])]
    return story


def _slices(report: PlanReport) -> list[Flowable]:
    content = slice_content(report)
    maximum_gy, maximum_cm = dose_maximum(report.dose_grid, report.dose_gy)
    places: list[tuple[str, Float3]] = [
        ("isocentre of beam " + str(report.beams[0].beam.number), report.beams[0].beam.isocentre_cm),
        (f"dose maximum {maximum_gy:.2f} Gy", maximum_cm),
    ]
    story: list[Flowable] = [PageBreak()]
    for name, point in places:
        at = f"({point[0]:.2f}, {point[1]:.2f}, {point[2]:.2f}) cm"
        story += [paragraph(f"Slices through the {name} {at}, {report.plan.dose_to.phrase}", HEADING)]
        story.append(IsodoseLegend(content.isodoses, width_pt=TEXT_WIDTH))
        story.append(slice_row(content, point, width_pt=TEXT_WIDTH, height_pt=10.0 * cm))
    return story


def slice_row(content: SliceContent, point_cm: Float3, *, width_pt: float, height_pt: float) -> Flowable:
    """Axial slice on the left; coronal over sagittal on the right."""
    axial = SliceDrawing(
        content, "axial", point_cm, title="axial", max_width_pt=0.55 * width_pt, max_height_pt=height_pt
    )
    side = [
        [SliceDrawing(content, o, point_cm, title=o, max_width_pt=0.42 * width_pt, max_height_pt=height_pt / 2 - 4)]
        for o in ("coronal", "sagittal")
    ]
    return Table(
        [[axial, Table(side)]],
        colWidths=[0.56 * width_pt, 0.44 * width_pt],
        style=[("VALIGN", (0, 0), (-1, -1), "TOP")],
    )


def _cutouts(report: PlanReport) -> list[Flowable]:
    story: list[Flowable] = []
    for line in report.beams:
        beam = line.beam
        machine = report.machines[beam.machine_name]
        applicator = machine.applicator(beam.applicator_id)
        factor = machine.insert_distance_cm / machine.sad_cm
        planes = (
            (f"isocentre plane, {machine.sad_cm:g} cm", 1.0),
            (f"insert plane, {machine.insert_distance_cm:g} cm", factor),
        )
        for name, scale in planes:
            drawing = CutoutDrawing(
                scaled(beam.aperture.outline_cm, scale),
                frame_cm=(applicator.opening_x_cm * scale, applicator.opening_y_cm * scale),
                title=f"Beam {beam.number}, {name}",
                max_width_pt=TEXT_WIDTH,
                max_height_pt=_MAX_CUTOUT_HEIGHT,
            )
            head = paragraph(f"Cutout of beam {beam.number} '{beam.name}' at the {name}", HEADING)
            story.append(KeepTogether([head, paragraph(_cutout_text(beam, scale), BODY), drawing]))
    return story


def _override(structure: str, material: Material) -> str:
    return (
        f"{structure} = {material.name} ({material.density_g_cm3:g} g/cm³, stopping {material.relative_stopping:g}, "
        f"scattering {material.relative_scattering:g})"
    )


def _cutout_text(beam: Beam, scale: float) -> str:
    return (
        f"Applicator {beam.applicator_id}, {beam.aperture.material}, {beam.aperture.thickness_cm:g} cm thick; "
        f"open area {beam.aperture.area_cm2 * scale**2:.1f} cm² on this plane. "
        "The dashed frame is the applicator's opening. The scale bar must measure 5 cm before anything is traced."
    )


def _provenance(report: PlanReport) -> list[Flowable]:
    plan, grid = report.plan, report.dose_grid
    nz, ny, nx = grid.shape_zyx
    names = {s.number: s.name for s in report.structures.structures}
    overrides = "; ".join(_override(names[o.structure_number], o.material) for o in plan.overrides)
    curve = ", ".join(f"{p.hu:g} HU: {p.density_g_cm3:g}" for p in plan.ct_curve.points)
    rows = [
        ("Engine", report.engine),
        ("Dose is stated to", plan.dose_to.value.lower()),
        ("Dose grid", f"{nx} × {ny} × {nz} voxels of {', '.join(f'{s:.3f}' for s in grid.spacing_cm)} cm"),
        ("External contour", names[plan.external_number]),
        ("Material overrides, the last wins", overrides or "none"),
        ("CT curve", f"{plan.ct_curve.name} ({curve} g/cm³)"),
        ("Digest of CT curve", plan.ct_curve.digest),
        *((f"Digest of {what}", digest) for what, digest in report.digests),
        ("Software", report.software),
    ]
    return [paragraph("How the dose was computed", HEADING), facts(rows)]
