"""The only file that knows VTK: a scene rendered off-screen into an array, with a camera of our own.

Off-screen rendering works on every Qt platform, in screenshots and without a display; a VTK window inside Qt does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vtkmodules.vtkCommonCore import vtkDataArray


class Scene3D:
    """A VTK scene without a window. Imports VTK when made."""

    def __init__(self) -> None:
        import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 - registers the renderer
        from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

        self._renderer = vtkRenderer()
        self._renderer.SetBackground(0.0, 0.0, 0.0)
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.AddRenderer(self._renderer)
        self._renderer.SetUseFXAA(True)
        self._actors: dict[str, Any] = {}
        self.centre = np.zeros(3)
        self.radius_cm = 30.0

    def add_surface(
        self,
        key: str,
        vertices: NDArray[np.float32],
        triangles: NDArray[np.int32],
        colour: tuple[float, float, float],
        *,
        opacity_frac: float = 1.0,
    ) -> None:
        """Show a triangle mesh; vertices (n, 3) cm, triangles (m, 3)."""
        from vtkmodules.vtkFiltersCore import vtkPolyDataNormals
        from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

        data = _poly_data(vertices)
        data.SetPolys(_cells(triangles))
        normals = vtkPolyDataNormals()
        normals.SetInputData(data)
        normals.SplittingOff()
        normals.Update()  # other threads go on meanwhile; asked for the bounds it would work here without letting them
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(normals.GetOutput())
        mapper.ScalarVisibilityOff()
        actor = vtkActor()
        actor.SetMapper(mapper)
        looks = actor.GetProperty()
        looks.SetColor(*colour)
        looks.SetOpacity(opacity_frac)
        looks.SetSpecular(0.15)
        looks.SetBackfaceCulling(opacity_frac < 1)  # without depth peeling the far side would be blended in any order
        self._put(key, actor)

    def add_lines(
        self, key: str, lines: list[NDArray[np.float64]], colour: tuple[float, float, float], *, width_px: float = 2.0
    ) -> None:
        """Show polylines (n, 3) cm."""
        from vtkmodules.vtkCommonDataModel import vtkCellArray
        from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

        data = _poly_data(np.concatenate(lines).astype(np.float32))
        cells = vtkCellArray()
        start = 0
        for line in lines:
            cells.InsertNextCell(len(line))
            for at in range(start, start + len(line)):
                cells.InsertCellPoint(at)
            start += len(line)
        data.SetLines(cells)
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(data)
        actor = vtkActor()
        actor.SetMapper(mapper)
        looks = actor.GetProperty()
        looks.SetColor(*colour)
        looks.SetLineWidth(width_px)
        looks.LightingOff()
        self._put(key, actor)

    def remove(self, prefix: str) -> None:
        """Take away everything whose key begins so."""
        for key in [k for k in self._actors if k.startswith(prefix)]:
            self._renderer.RemoveActor(self._actors.pop(key))

    def _put(self, key: str, actor: Any) -> None:  # noqa: ANN401
        self.remove(key)
        self._actors[key] = actor
        # opaque actors first, so that translucent ones are blended over them
        self._renderer.AddActor(actor)

    def set_camera(
        self, *, azimuth_deg: float, elevation_deg: float, zoom_factor: float, pan_cm: tuple[float, float]
    ) -> None:
        """Look at the patient from the front (azimuth 0, elevation 0), head up."""
        a, e = math.radians(azimuth_deg), math.radians(elevation_deg)
        away = np.array([math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e)])
        up = np.array([-math.sin(a) * math.sin(e), math.cos(a) * math.sin(e), math.cos(e)])
        right = np.cross(up, away)
        focus = self.centre - right * pan_cm[0] - up * pan_cm[1]
        camera = self._renderer.GetActiveCamera()
        camera.SetFocalPoint(*focus)
        camera.SetPosition(*(focus + away * 6.0 * self.radius_cm))
        camera.SetViewUp(*up)
        camera.SetParallelProjection(True)
        camera.SetParallelScale(self.radius_cm / zoom_factor)
        self._renderer.ResetCameraClippingRange()

    def render(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """The picture, uint8 (height, width, 3), top row first."""
        from vtkmodules.util import numpy_support
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

        as_array: Callable[[vtkDataArray], NDArray[np.uint8]] = numpy_support.vtk_to_numpy  # published without types
        self._window.SetSize(width_px, height_px)
        self._window.Render()
        pixels = vtkUnsignedCharArray()
        self._window.GetPixelData(0, 0, width_px - 1, height_px - 1, 1, pixels, 0)
        image = as_array(pixels).reshape(height_px, width_px, 3)
        return np.ascontiguousarray(image[::-1])

    def close(self) -> None:
        """Free the graphics memory."""
        self._actors.clear()
        self._renderer.RemoveAllViewProps()
        self._window.Finalize()
        del self._renderer, self._window  # on this thread, which the graphics context belongs to


def _poly_data(vertices: NDArray[np.float32]) -> Any:  # noqa: ANN401
    from vtkmodules.util import numpy_support
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkPolyData

    copied: Callable[[NDArray[np.float32], int], vtkDataArray] = numpy_support.numpy_to_vtk  # published without types
    points = vtkPoints()
    points.SetData(copied(np.ascontiguousarray(vertices), 1))
    data = vtkPolyData()
    data.SetPoints(points)
    return data


def _cells(triangles: NDArray[np.int32]) -> Any:  # noqa: ANN401
    from vtkmodules.util import numpy_support
    from vtkmodules.vtkCommonDataModel import vtkCellArray

    # published without types
    copied: Callable[[NDArray[np.int64], int], vtkDataArray] = numpy_support.numpy_to_vtkIdTypeArray
    count = len(triangles)
    offsets = np.arange(0, 3 * count + 1, 3, dtype=np.int64)
    cells = vtkCellArray()
    connectivity = np.ascontiguousarray(triangles, dtype=np.int64).ravel()
    cells.SetData(copied(offsets, 1), copied(connectivity, 1))
    return cells
