"""Low-poly meshes of everything in the synthetic world, in the unit box [-0.5, 0.5]^3.

A mesh is stretched by the object's size (length x, width y, height z), so it always fills its box:
what the sensors see and what is annotated cannot disagree. Primitives come from trimesh.
"""
from functools import lru_cache
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
import trimesh

# Colour slots of an object: each face takes its colour from one of them.
SLOTS = BODY, ACCENT, DARK, GLASS, SKIN, HEAD_LAMP, TAIL_LAMP = range(7)
# Textures: a face shows its plain colour, or a pattern evaluated where a ray hits it.
PLAIN, BARS, RINGS, HAZARD, BAND, WINDOWS, GROUND, PICTURE, FOLIAGE = range(9)
# Range noise would push returns off a mesh that touches its box: it stays a little inside.
FILL = 0.98


class Mesh(NamedTuple):
    """vertices (v, 3) in the unit box; faces (f, 3); slot (f,) colour slot; texture (f,)."""

    vertices: np.ndarray
    faces: np.ndarray
    slot: np.ndarray
    texture: np.ndarray


class Part(NamedTuple):
    """One primitive: its kind, its centre and extents in the unit box, and how it looks."""

    kind: str
    center: Tuple[float, float, float]
    extents: Tuple[float, float, float]
    slot: int = BODY
    texture: int = PLAIN


@lru_cache(maxsize=None)
def _primitive(kind: str) -> trimesh.Trimesh:
    if kind == 'box':
        return trimesh.creation.box()
    if kind == 'ball':
        return trimesh.creation.icosphere(subdivisions=1, radius=0.5)
    if kind == 'post':
        return trimesh.creation.cylinder(radius=0.5, height=1.0, sections=10)
    if kind == 'cone':
        cone = trimesh.creation.cylinder(radius=0.5, height=1.0, sections=10)
        vertices = np.array(cone.vertices)
        vertices[vertices[:, 2] > 0, :2] *= 0.25
        return trimesh.Trimesh(vertices, cone.faces, process=False)
    if kind == 'wheel':
        wheel = trimesh.creation.cylinder(radius=0.5, height=1.0, sections=10)
        wheel.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
        return wheel
    raise ValueError(f'primitive {kind!r} is unknown: expected box, ball, post, cone or wheel')


def assemble(parts: Sequence[Part]) -> Mesh:
    """Joins primitives into one mesh."""
    vertices: List[np.ndarray] = []
    faces: List[np.ndarray] = []
    slots: List[np.ndarray] = []
    textures: List[np.ndarray] = []
    count = 0
    for part in parts:
        primitive = _primitive(part.kind)
        vertices.append(np.asarray(primitive.vertices) * part.extents + part.center)
        faces.append(np.asarray(primitive.faces) + count)
        slots.append(np.full(len(primitive.faces), part.slot))
        textures.append(np.full(len(primitive.faces), part.texture))
        count += len(primitive.vertices)
    return Mesh((np.concatenate(vertices) * FILL).astype(np.float64), np.concatenate(faces),
                np.concatenate(slots), np.concatenate(textures))


def _wheels(positions_x: Sequence[float], length: float, height: float) -> List[Part]:
    """Pairs of wheels that stand on the ground."""
    return [Part('wheel', (x, side * 0.4, -0.5 + height / 2), (length, 0.16, height), DARK)
            for x in positions_x for side in (-1, 1)]


def _lamps(rear: float, half_width: float, height: float, size: float = 0.12) -> List[Part]:
    """White lamps in front, red ones at the back face `rear`; `size` in widths and heights of the box."""
    return [Part('box', (x, side * half_width, height), (0.02, 1.4 * size, size), slot)
            for x, slot in ((0.49, HEAD_LAMP), (rear, TAIL_LAMP)) for side in (-1, 1)]


def _person(center_x: float, bottom: float, height: float, width: float = 1.0) -> List[Part]:
    """A body that looks ahead: legs, shoes, torso, head with hair behind the face."""
    return [
        Part('box', (center_x + 0.2 * width, -0.2 * width, bottom + 0.22 * height),
             (0.4 * width, 0.35 * width, 0.44 * height), ACCENT),
        Part('box', (center_x - 0.15 * width, 0.2 * width, bottom + 0.22 * height),
             (0.4 * width, 0.35 * width, 0.44 * height), ACCENT),
        Part('box', (center_x + 0.25 * width, 0, bottom + 0.03 * height),
             (0.5 * width, 0.7 * width, 0.06 * height), DARK),
        Part('box', (center_x, 0, bottom + 0.64 * height),
             (0.6 * width, 1.0 * width, 0.42 * height), BODY),
        Part('ball', (center_x + 0.08 * width, 0, bottom + 0.92 * height),
             (0.4 * width, 0.36 * width, 0.16 * height), SKIN),
        Part('box', (center_x - 0.12 * width, 0, bottom + 0.93 * height),
             (0.26 * width, 0.4 * width, 0.14 * height), DARK)]


def _walker() -> List[Part]:
    """A person with a bag on the back."""
    return [*_person(0, -0.5, 1.0), Part('box', (-0.4, 0, 0.2), (0.2, 0.6, 0.26), DARK)]


def _motorcycle(top: float) -> List[Part]:
    """Fat wheels, engine and tank, a fairing in front; `top` is how much of the box height they fill."""
    return [
        Part('wheel', (-0.35, 0, -0.5 + 0.24 * top), (0.3, 0.2, 0.48 * top), DARK),
        Part('wheel', (0.35, 0, -0.5 + 0.24 * top), (0.3, 0.2, 0.48 * top), DARK),
        Part('box', (-0.02, 0, -0.5 + 0.38 * top), (0.5, 0.5, 0.4 * top), BODY),
        Part('box', (-0.28, 0, -0.5 + 0.63 * top), (0.44, 0.36, 0.12 * top), DARK),
        Part('box', (0.1, 0, -0.5 + 0.66 * top), (0.3, 0.4, 0.2 * top), BODY),
        Part('box', (0.39, 0, -0.5 + 0.72 * top), (0.18, 0.55, 0.4 * top), BODY),
        Part('box', (0.26, 0, -0.5 + 0.95 * top), (0.08, 1.0, 0.1 * top), DARK),
        *_lamps(-0.49, 0.0, -0.5 + 0.66 * top, 0.2)]


def _bicycle(top: float) -> List[Part]:
    """Large thin wheels, a thin frame, the saddle behind, the handlebar in front."""
    return [
        Part('wheel', (-0.31, 0, -0.5 + 0.31 * top), (0.38, 0.08, 0.62 * top), DARK),
        Part('wheel', (0.31, 0, -0.5 + 0.31 * top), (0.38, 0.08, 0.62 * top), DARK),
        Part('box', (-0.02, 0, -0.5 + 0.56 * top), (0.5, 0.16, 0.14 * top), BODY),
        Part('box', (0.0, 0, -0.5 + 0.36 * top), (0.12, 0.16, 0.4 * top), BODY),
        Part('box', (-0.18, 0, -0.5 + 0.8 * top), (0.16, 0.25, 0.1 * top), DARK),
        Part('box', (0.24, 0, -0.5 + 0.78 * top), (0.08, 0.12, 0.36 * top), BODY),
        Part('box', (0.22, 0, -0.5 + 0.96 * top), (0.1, 1.0, 0.08 * top), BODY)]


def _box_van() -> List[Part]:
    """A truck: a low cab in front of a high box."""
    return [
        Part('box', (0.37, 0, -0.07), (0.24, 0.92, 0.62)),
        Part('box', (0.46, 0, 0.08), (0.07, 0.8, 0.2), GLASS),
        Part('box', (-0.11, 0, 0.08), (0.76, 1.0, 0.84)),
        Part('box', (0, 0, -0.36), (0.96, 0.7, 0.08), DARK),
        *_lamps(-0.49, 0.34, -0.27, 0.09), *_wheels((-0.36, -0.22, 0.33), 0.13, 0.3)]


def _coach() -> List[Part]:
    """A bus: one long body, a large pane in front, none behind."""
    return [
        Part('box', (0, 0, 0.06), (0.98, 1.0, 0.88), BODY, BAND),
        Part('box', (0.488, 0, 0.16), (0.024, 0.9, 0.5), GLASS),
        Part('box', (-0.48, 0, 0.06), (0.03, 0.98, 0.86)),
        *_lamps(-0.49, 0.34, -0.25, 0.1), *_wheels((-0.3, 0.33), 0.09, 0.28)]


def _semitrailer() -> List[Part]:
    """A trailer: a box on axles at its back, supports in front, free below."""
    return [
        Part('box', (0, 0, 0.14), (1.0, 1.0, 0.72)),
        Part('box', (-0.1, 0, -0.26), (0.8, 0.4, 0.08), DARK),
        Part('box', (0.25, 0.3, -0.36), (0.02, 0.06, 0.28), DARK),
        Part('box', (0.25, -0.3, -0.36), (0.02, 0.06, 0.28), DARK),
        Part('box', (-0.49, 0, -0.27), (0.02, 0.9, 0.08), TAIL_LAMP),
        *_wheels((-0.4, -0.28), 0.1, 0.28)]


def _digger() -> List[Part]:
    """A construction vehicle: tracks, engine and cab behind, an arm that reaches forward to its bucket."""
    return [
        Part('box', (-0.12, 0.36, -0.37), (0.72, 0.28, 0.26), DARK),
        Part('box', (-0.12, -0.36, -0.37), (0.72, 0.28, 0.26), DARK),
        Part('box', (-0.26, 0, -0.04), (0.48, 0.92, 0.4), BODY, HAZARD),
        Part('box', (-0.1, 0.22, 0.28), (0.26, 0.44, 0.38), GLASS),
        Part('box', (-0.1, 0.22, 0.485), (0.28, 0.48, 0.03)),
        Part('box', (0.12, -0.1, 0.2), (0.4, 0.16, 0.14)),
        Part('box', (0.36, -0.1, 0.12), (0.16, 0.16, 0.4)),
        Part('box', (0.42, -0.1, -0.3), (0.16, 0.6, 0.4), DARK)]


_SHAPES: Dict[str, List[Part]] = {
    # The bonnet is lower than the boot, the cabin stands behind the middle.
    'car': [Part('box', (0, 0, -0.15), (0.98, 1, 0.35)),
            Part('box', (-0.16, 0, 0.05), (0.65, 0.96, 0.12)),
            Part('box', (-0.15, 0, 0.28), (0.5, 0.88, 0.36), GLASS),
            Part('box', (-0.19, 0, 0.475), (0.46, 0.86, 0.05)),
            Part('box', (-0.42, 0, 0.2), (0.12, 0.9, 0.2)),
            *_lamps(-0.49, 0.38, -0.02), *_wheels((-0.31, 0.31), 0.15, 0.38)],
    'truck': _box_van(),
    'digger': _digger(),
    'bus': _coach(),
    'trailer': _semitrailer(),
    'motorcycle': _motorcycle(1.0),
    'ridden_motorcycle': _motorcycle(0.69) + _person(-0.12, -0.15, 0.65, 0.7),
    'bicycle': _bicycle(1.0),
    'ridden_bicycle': _bicycle(0.69) + _person(-0.15, -0.1, 0.6, 0.55),
    'person': _walker(),
    'sitting_person': [Part('box', (-0.2, 0, 0.0), (0.4, 1.0, 0.6)),
                       Part('box', (0.1, 0, -0.3), (0.8, 0.8, 0.4), ACCENT),
                       Part('ball', (-0.2, 0, 0.4), (0.4, 0.45, 0.2), SKIN)],
    'cone': [Part('box', (0, 0, -0.47), (1, 1, 0.06)),
             Part('cone', (0, 0, 0.03), (0.85, 0.85, 0.94), BODY, RINGS)],
    'bollard': [Part('box', (0, 0, -0.47), (1, 1, 0.06)),
                Part('cone', (0, 0, 0.03), (0.85, 0.85, 0.94))],
    'barrier': [Part('box', (0, 0, 0.04), (0.4, 1, 0.92), BODY, BARS),
                Part('box', (0, -0.35, -0.46), (1, 0.12, 0.08), DARK),
                Part('box', (0, 0.35, -0.46), (1, 0.12, 0.08), DARK)],
    'low_wall': [Part('box', (0, 0, 0.04), (0.4, 1, 0.92)),
                 Part('box', (0, 0, -0.46), (1, 1, 0.08))],
    'hedge': [Part('box', (0, 0, 0.04), (0.4, 1, 0.92), BODY, FOLIAGE),
              Part('box', (0, 0, -0.46), (1, 1, 0.08), BODY, FOLIAGE)],
    'animal': [Part('box', (-0.1, 0, 0.05), (0.8, 1.0, 0.4)),
               Part('box', (0.35, 0, 0.3), (0.3, 0.6, 0.4)),
               *[Part('box', (x, y, -0.3), (0.12, 0.2, 0.4)) for x in (-0.35, 0.15)
                 for y in (-0.25, 0.25)]],
    'cart': [Part('box', (0, 0, 0.1), (1, 1, 0.6)), *_wheels((-0.3, 0.3), 0.25, 0.3),
             Part('box', (-0.45, 0, 0.42), (0.1, 0.9, 0.16), DARK)],
    'wheelchair': [*_person(0.05, -0.3, 0.8, 0.9),
                   Part('wheel', (-0.1, -0.45, -0.25), (0.8, 0.1, 0.5), DARK),
                   Part('wheel', (-0.1, 0.45, -0.25), (0.8, 0.1, 0.5), DARK)],
    'debris': [Part('box', (0, 0, -0.1), (1, 1, 0.8)), Part('ball', (0, 0, 0.2), (0.8, 0.8, 0.6))],
    'rack': [*[Part('box', (x, side * 0.46, 0), (0.03, 0.04, 1.0), DARK)
               for x in np.linspace(-0.48, 0.48, 7) for side in (-1, 1)],
             Part('box', (0, 0.46, 0.46), (1, 0.04, 0.08), DARK)],
    'building': [Part('box', (0, 0, 0), (1, 1, 1), BODY, WINDOWS)],
    'pole': [Part('post', (0, 0, 0), (1, 1, 1))],
    'lamp': [Part('post', (0, 0, 0), (0.1, 0.1, 1)),
             Part('box', (0.25, 0, 0.48), (0.5, 0.2, 0.04))],
    'tree': [Part('post', (0, 0, -0.3), (0.1, 0.1, 0.4), ACCENT),
             Part('ball', (0, 0, 0.2), (1, 1, 0.6), BODY, FOLIAGE)],
    'billboard': [Part('box', (0, 0, 0.1), (1, 1, 0.8), BODY, PICTURE),
                  Part('box', (0, -0.4, -0.4), (0.6, 0.04, 0.2), DARK),
                  Part('box', (0, 0.4, -0.4), (0.6, 0.04, 0.2), DARK)],
}


@lru_cache(maxsize=None)
def unit_mesh(shape: str) -> Mesh:
    """Returns the mesh of a shape; see `_SHAPES` for the names."""
    if shape not in _SHAPES:
        raise ValueError(f'shape {shape!r} is unknown: expected one of {sorted(_SHAPES)}')
    return assemble(_SHAPES[shape])
