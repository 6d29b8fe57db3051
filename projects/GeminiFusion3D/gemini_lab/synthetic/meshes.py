"""Low-poly meshes of everything in the synthetic world, in the unit box [-0.5, 0.5]^3.

A mesh is stretched by the object's size (length x, width y, height z), so it always fills its box:
what the sensors see and what is annotated cannot disagree. Primitives come from trimesh.
"""
from functools import lru_cache
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
import trimesh

# Colour slots of an object: each face takes its colour from one of them.
BODY, ACCENT, DARK, GLASS, SKIN = range(5)
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


def _person(center_x: float, bottom: float, height: float, width: float = 1.0) -> List[Part]:
    """A standing or sitting body: legs, torso with arms, head."""
    return [
        Part('box', (center_x + 0.2 * width, -0.2 * width, bottom + 0.22 * height),
             (0.55 * width, 0.35 * width, 0.44 * height), ACCENT),
        Part('box', (center_x - 0.2 * width, 0.2 * width, bottom + 0.22 * height),
             (0.55 * width, 0.35 * width, 0.44 * height), ACCENT),
        Part('box', (center_x, 0, bottom + 0.64 * height),
             (0.65 * width, 1.0 * width, 0.42 * height), BODY),
        Part('ball', (center_x, 0, bottom + 0.92 * height),
             (0.45 * width, 0.4 * width, 0.17 * height), SKIN)]


def _cycle(top: float) -> List[Part]:
    """Wheels, frame, saddle and handlebar; `top` is how much of the box height they fill."""
    return [
        Part('wheel', (-0.32, 0, -0.5 + 0.3 * top), (0.36, 0.16, 0.6 * top), DARK),
        Part('wheel', (0.32, 0, -0.5 + 0.3 * top), (0.36, 0.16, 0.6 * top), DARK),
        Part('box', (0, 0, -0.5 + 0.5 * top), (0.75, 0.34, 0.42 * top), BODY),
        Part('box', (-0.15, 0, -0.5 + 0.8 * top), (0.3, 0.4, 0.12 * top), BODY),
        Part('box', (0.3, 0, -0.5 + 0.9 * top), (0.08, 1.0, 0.2 * top), BODY)]


def _box_van(body_texture: int) -> List[Part]:
    """A cab and a box body: trucks and construction vehicles are alike in shape."""
    return [
        Part('box', (0.38, 0, -0.07), (0.24, 0.92, 0.62), BODY, body_texture),
        Part('box', (0.46, 0, 0.08), (0.06, 0.8, 0.2), GLASS),
        Part('box', (-0.12, 0, 0.08), (0.76, 1.0, 0.84), BODY, body_texture),
        Part('box', (0, 0, -0.36), (0.96, 0.7, 0.08), DARK),
        *_wheels((-0.36, -0.22, 0.33), 0.13, 0.3)]


def _coach(body_texture: int) -> List[Part]:
    """One long body on wheels: buses and trailers are alike in shape."""
    return [Part('box', (0, 0, 0.06), (1.0, 1.0, 0.88), BODY, body_texture),
            *_wheels((-0.34, -0.22, 0.33), 0.09, 0.28)]


_SHAPES: Dict[str, List[Part]] = {
    'car': [Part('box', (0, 0, -0.1), (1, 1, 0.45)),
            Part('box', (-0.05, 0, 0.28), (0.54, 0.88, 0.36), GLASS),
            Part('box', (-0.05, 0, 0.475), (0.48, 0.86, 0.05)),
            *_wheels((-0.31, 0.31), 0.15, 0.38)],
    'truck': _box_van(PLAIN),
    'hazard_truck': _box_van(HAZARD),
    'bus': _coach(BAND),
    'trailer': _coach(PLAIN),
    'cycle': _cycle(1.0),
    'ridden_cycle': _cycle(0.62) + _person(-0.08, -0.18, 0.68, 0.8),
    'person': _person(0, -0.5, 1.0),
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
