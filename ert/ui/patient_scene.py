"""What the 3D view shows, and the scene that keeps it between two pictures. No Qt: it lives on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.errors import ErtError
from ert.geometry.grid import Float3
from ert.ui.beam_shapes import BeamShape
from ert.ui.view3d import Scene3D

Colour = tuple[float, float, float]
Mesh = tuple[NDArray[np.float32], NDArray[np.int32]]
_FRAME_COLOUR: Colour = (0.62, 0.70, 0.78)
_EDGE_COLOUR: Colour = (0.8, 0.85, 0.9)
_CROSS_COLOUR: Colour = (0.45, 0.9, 1.0)
_CROSS_HALF_CM = 2.0


@attrs.frozen(kw_only=True)
class ShownSurface:
    """A structure's surface; colours 0 to 1."""

    number: int
    colour: Colour
    opacity_frac: float


@attrs.frozen(kw_only=True)
class Camera:
    """Where the view is seen from, as `Scene3D.set_camera` takes it."""

    azimuth_deg: float = 25.0
    elevation_deg: float = 12.0
    zoom_factor: float = 1.15
    pan_cm: tuple[float, float] = (0.0, 0.0)


@attrs.frozen(kw_only=True, eq=False)
class SceneContent:
    """Everything one picture shows.

    Attributes
    ----------
    surfaces : in the order they are added, translucent ones last.
    beams : shape and colour by beam number; the same object as long as it is unchanged.
    """

    surfaces: tuple[ShownSurface, ...]
    beams: dict[int, tuple[BeamShape, Colour]]
    crosshair_cm: Float3
    centre_cm: Float3
    radius_cm: float
    camera: Camera
    width_px: int
    height_px: int


class PatientScene:
    """Brings a scene up to date with what shall be seen and renders it; every call on one and the same thread.

    Parameters
    ----------
    surface : callable
        Closed mesh of a structure by number; raises `ErtError` if its contours make none.
    """

    def __init__(self, surface: Callable[[int], Mesh]) -> None:
        self._surface = surface
        self._scene: Scene3D | None = None
        self._surfaces: tuple[ShownSurface, ...] = ()
        self._beams: dict[int, tuple[BeamShape, Colour]] | None = None

    def picture(self, content: SceneContent) -> NDArray[np.uint8]:
        """The picture, uint8 (height, width, 3), top row first.

        Raises
        ------
        ImportError
            If VTK is not installed, or its libraries are missing.
        """
        if self._scene is None:
            self._scene = Scene3D()
        scene = self._scene
        scene.centre, scene.radius_cm = np.asarray(content.centre_cm), content.radius_cm
        if content.surfaces != self._surfaces:
            self._surfaces = content.surfaces
            self._show_surfaces(scene)
        if content.beams is not self._beams:
            self._beams = content.beams
            scene.remove("beam")
            for number, (shape, colour) in content.beams.items():
                _add_beam(scene, f"beam{number}", shape, colour)
        at = np.asarray(content.crosshair_cm)
        lines = [np.stack([at - _CROSS_HALF_CM * axis, at + _CROSS_HALF_CM * axis]) for axis in np.eye(3)]
        scene.add_lines("crosshair", lines, _CROSS_COLOUR, width_px=2.0)
        scene.set_camera(**attrs.asdict(content.camera))
        return scene.render(content.width_px, content.height_px)

    def _show_surfaces(self, scene: Scene3D) -> None:
        scene.remove("structure")
        for shown in self._surfaces:
            try:
                vertices, triangles = self._surface(shown.number)
            except ErtError:
                continue  # contours that make no surface; the structures panel says so
            key = f"structure{shown.number}"
            scene.add_surface(key, vertices, triangles, shown.colour, opacity_frac=shown.opacity_frac)

    def close(self) -> None:
        """Free the graphics memory; nothing is drawn afterwards."""
        if self._scene is not None:
            self._scene.close()
            self._scene = None


def _add_beam(scene: Scene3D, key: str, shape: BeamShape, colour: Colour) -> None:
    every = max(len(shape.insert_outline) // 12, 1)
    rays = [np.stack(pair) for pair in zip(shape.insert_outline[::every], shape.far_outline[::every], strict=True)]
    rings = [_closed(shape.insert_outline), _closed(shape.isocentre_outline), _closed(shape.far_outline)]
    scene.add_lines(f"{key}-rays", rays, colour, width_px=1.0)
    scene.add_lines(f"{key}-rings", [*rings, shape.axis], colour, width_px=2.0)
    vertices, triangles = _frame_mesh(shape)
    scene.add_surface(f"{key}-frame", vertices, triangles, _FRAME_COLOUR, opacity_frac=0.6)
    scene.add_lines(f"{key}-edge", [_closed(shape.frame_inner), _closed(shape.frame_outer)], _EDGE_COLOUR)


def _closed(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.vstack([outline, outline[:1]])


def _frame_mesh(shape: BeamShape) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The applicator's end frame as a flat ring."""
    vertices = np.concatenate([shape.frame_inner, shape.frame_outer]).astype(np.float32)
    triangles = []
    for n in range(4):
        m = (n + 1) % 4
        triangles += [(n, m, 4 + m), (n, 4 + m, 4 + n)]
    return vertices, np.array(triangles, dtype=np.int32)
