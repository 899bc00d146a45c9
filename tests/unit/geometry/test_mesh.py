"""Meshes are closed, face outward and hold the right volume."""

import numpy as np
import pytest

from ert.geometry.mesh import surface_mesh
from tests.shapes import box, circle_xy, polygon, rotation, sphere, structure


def volume(mesh):
    corner = mesh.vertices_cm[mesh.triangles].astype(float)
    return float(np.einsum("ij,ij->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2]))) / 6


def edge_use(mesh):
    edges = np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [2, 0]]])
    forward = {tuple(e) for e in edges.tolist()}
    return len(edges), forward


@pytest.mark.parametrize("axes", [np.eye(3), rotation(30, 50)])
def test_sphere(axes):
    mesh = surface_mesh(sphere(4.0, spacing=0.3, centre=(3.0, -2.0, 1.0), axes=axes), max_cells=60_000)
    radius = np.linalg.norm(mesh.vertices_cm - np.array([3.0, -2.0, 1.0]), axis=1)
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi * 64, rel=0.01)
    assert radius.std() < 0.05
    assert abs(radius - 4).max() < 0.25
    count, forward = edge_use(mesh)
    assert len(forward) == count  # no directed edge twice
    assert all((b, a) in forward for a, b in forward)  # every edge has its opposite: closed
    assert mesh.vertices_cm.dtype == np.float32
    assert mesh.triangles.dtype == np.int32


def test_box_and_tube():
    assert volume(surface_mesh(box((-3, 3), (-2, 2), np.arange(-1.5, 1.6, 0.3)))) == pytest.approx(24 * 3.3, rel=0.02)
    tube = [polygon(circle_xy(r), z) for z in np.arange(0, 4, 0.25) for r in (3.0, 2.0)]
    assert volume(surface_mesh(structure(tube))) == pytest.approx(np.pi * 5 * 4, rel=0.03)


def test_structure_of_one_plane_is_still_shown():
    mesh = surface_mesh(box((0, 2), (0, 2), [1.0]))
    low, high = mesh.vertices_cm.min(axis=0), mesh.vertices_cm.max(axis=0)
    assert high - low == pytest.approx([2, 2, 0.3], abs=0.15)
