"""Structures with known volumes, for tests."""

from __future__ import annotations

import numpy as np

from ert.domain.structure import Contour, Structure, StructureRole, StructureSet

UNIT_AXES = np.eye(3)


def structure(contours, *, number=1, name="shape", role=StructureRole.OTHER):
    return Structure(number=number, name=name, role=role, contours=tuple(contours))


def structure_set(*structures):
    return StructureSet(
        label="test", frame_of_reference_uid="1.2", sop_instance_uid="1.2.3", structures=tuple(structures)
    )


def polygon(xy, z, axes=UNIT_AXES, centre=(0.0, 0.0, 0.0)):
    local = np.column_stack([np.asarray(xy, dtype=float), np.full(len(xy), float(z))])
    return Contour(points_cm=local @ np.asarray(axes) + np.asarray(centre))


def circle_xy(radius, centre=(0.0, 0.0), n=360):
    angle = np.arange(n) * (2 * np.pi / n)
    grown = radius * np.sqrt(2 * np.pi / n / np.sin(2 * np.pi / n))  # the polygon has the circle's area
    return np.column_stack([centre[0] + grown * np.cos(angle), centre[1] + grown * np.sin(angle)])


def rectangle_xy(x_low, x_high, y_low, y_high):
    return [(x_low, y_low), (x_high, y_low), (x_high, y_high), (x_low, y_high)]


def sphere(radius, *, spacing, phase=0.5, centre=(0.0, 0.0, 0.0), axes=UNIT_AXES, **kwargs):
    planes = spacing * (np.arange(-400, 400) + phase)
    rings = [(z, np.sqrt(radius**2 - z**2)) for z in planes if abs(z) < radius]
    return structure([polygon(circle_xy(r), z, axes, centre) for z, r in rings], **kwargs)


def cylinder(radius, z_planes, *, centre=(0.0, 0.0, 0.0), axes=UNIT_AXES, **kwargs):
    return structure([polygon(circle_xy(radius), z, axes, centre) for z in z_planes], **kwargs)


def box(x, y, z_planes, *, axes=UNIT_AXES, centre=(0.0, 0.0, 0.0), **kwargs):
    return structure([polygon(rectangle_xy(*x, *y), z, axes, centre) for z in z_planes], **kwargs)


def rotation(angle_x_deg, angle_z_deg):
    """Rows: unit vectors of a tilted, right-handed frame."""
    a, b = np.radians([angle_x_deg, angle_z_deg])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), np.sin(b), 0], [-np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return about_x @ about_z
