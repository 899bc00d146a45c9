"""Phantoms and beams for the dose tests."""

import functools

import numpy as np

from ert.commissioning.package import read_package
from ert.dose.geometry import BeamGeometry
from ert.dose.output import rectangle_cm
from ert.dose.tissue import TissueGrid
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.settings import resources_dir


@functools.cache
def demo():
    return read_package(resources_dir() / "demo_machine" / "package")


def slab_phantom(slabs, *, voxel_cm=0.2, width_cm=24.0, above_cm=1.0, axis=1):
    """Infinite slabs [(thickness, density)] from coordinate 0 along one axis (1: y, posterior); air before."""
    depth = sum(t for t, _ in slabs)
    counts = [round(width_cm / voxel_cm)] * 3
    counts[axis] = round((above_cm + depth) / voxel_cm)
    origin = [-(n - 1) / 2 * voxel_cm for n in counts]
    origin[axis] = -above_cm + voxel_cm / 2
    grid = VoxelGrid(origin_cm=origin, spacing_cm=(voxel_cm,) * 3, shape_zyx=counts[::-1])
    along = origin[axis] + voxel_cm * np.arange(counts[axis])
    values = np.full(counts[axis], 0.0012)
    begin = 0.0
    for thickness, density in slabs:
        values[(along > begin) & (along < begin + thickness)] = density
        begin += thickness
    shape = [1, 1, 1]
    shape[2 - axis] = -1
    volume = np.ascontiguousarray(np.broadcast_to(values.reshape(shape), grid.shape_zyx), dtype=np.float32)
    return TissueGrid(grid=grid, density_g_cm3=volume, relative_stopping=volume, relative_scattering=volume)


def beam(outline=None, *, applicator="A10", gantry_deg=0.0, isocentre_cm=(0.0, 0.0, 0.0), collimator_deg=0.0):
    machine = demo().machine
    cone = machine.applicator(applicator)
    frame = BeamFrame(
        isocentre_cm=isocentre_cm,
        gantry_deg=gantry_deg,
        collimator_deg=collimator_deg,
        couch_deg=0.0,
        patient_position="HFS",
        sad_cm=machine.sad_cm,
    )
    return BeamGeometry(
        frame=frame,
        outline_cm=outline or rectangle_cm(cone.opening_x_cm, cone.opening_y_cm),
        applicator=cone,
        insert_distance_cm=machine.insert_distance_cm,
    )


def line_grid(count, *, spacing_cm=0.1, axis=1, start_cm=0.05):
    """A row of voxels along one axis through the origin."""
    origin, shape = [0.0, 0.0, 0.0], [1, 1, 1]
    origin[axis], shape[2 - axis] = start_cm, count
    return VoxelGrid(origin_cm=origin, spacing_cm=(spacing_cm,) * 3, shape_zyx=shape)
