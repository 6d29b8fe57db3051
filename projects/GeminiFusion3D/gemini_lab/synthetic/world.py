"""The 3D scene that every sensor looks at: triangles at a moment, and the rays that hit them.

Rays are cast by Embree through embreex. Objects keep their heading, so a moment differs from the
start by a shift of vertices alone. Coordinates are local: global minus `origin_xy_m`, because
Embree computes in float32.
"""
from typing import NamedTuple, Sequence

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from .meshes import GLASS, GROUND, SLOTS, unit_mesh
from .placement import Actor

_VIEW_M = 135.0
_GROUND_HALF_M = 1000.0
_NOTHING_M = 1e6
# Asphalt.
_GROUND_REFLECTIVITY = 0.07


class Hits(NamedTuple):
    """What rays met: is_hit (n,); range_m (n,); face, object index (n,); unit normal (n, 3).

    Entries of rays that met nothing are meaningless except range_m, which is huge.
    """

    is_hit: np.ndarray
    range_m: np.ndarray
    face: np.ndarray
    object_index: np.ndarray
    normal: np.ndarray


class Moment:
    """The scene at one time around one viewer, ready for rays."""

    def __init__(self, vertices_m: np.ndarray, faces: np.ndarray, face_ids: np.ndarray,
                 face_object: np.ndarray, centers_m: np.ndarray) -> None:
        self.centers_m = centers_m
        self._face_ids = face_ids
        self._face_object = face_object
        self._scene = EmbreeScene()
        # The mesh lives as long as the scene; embreex keeps it by this reference.
        self._mesh = TriangleMesh(self._scene, np.ascontiguousarray(vertices_m, np.float32),
                                  np.ascontiguousarray(faces, np.int32))

    def cast(self, origin_m: np.ndarray, directions: np.ndarray) -> Hits:
        """Casts rays; origin (3,) or (n, 3) in local coordinates, unit directions (n, 3)."""
        directions = np.ascontiguousarray(directions, np.float32)
        origins = np.empty_like(directions)
        origins[:] = origin_m
        found = self._scene.run(origins, directions, output=True)
        is_hit = found['primID'] >= 0
        face = self._face_ids[np.where(is_hit, found['primID'], 0)]
        normal = found['Ng']
        # Unit length, and turned towards the viewer.
        scale = -np.sign(np.einsum('ij,ij->i', normal, directions))
        scale /= np.sqrt(np.einsum('ij,ij->i', normal, normal)) + np.float32(1e-12)
        normal *= scale[:, None]
        range_m = np.where(is_hit, found['tfar'], _NOTHING_M).astype(np.float32)
        return Hits(is_hit, range_m, face, self._face_object[face], normal)

    def is_lit(self, points_m: np.ndarray, towards: np.ndarray) -> np.ndarray:
        """Tells which points (n, 3) see an infinitely far light in a direction (3,)."""
        origins = np.ascontiguousarray(points_m, np.float32)
        directions = np.empty_like(origins)
        directions[:] = towards
        return np.asarray(self._scene.run(origins, directions, query='INTERSECT')) < 0


class World:
    """All objects of a scene as one triangle soup; object 0 is the ground."""

    def __init__(self, actors: Sequence[Actor], origin_xy_m: np.ndarray) -> None:
        self.actors = list(actors)
        self.origin_xy_m = np.asarray(origin_xy_m, float)
        count = len(self.actors) + 1
        self.yaw = np.array([0.0] + [actor.yaw for actor in self.actors])
        self.size_m = np.array([np.ones(3)] + [actor.size_m for actor in self.actors])
        self.colors = np.zeros((count, len(SLOTS), 3))
        self.reflectivity = np.array([_GROUND_REFLECTIVITY] + [actor.reflectivity for actor in self.actors])
        self.velocity_mps = np.zeros((count, 3))
        self._start_m = np.zeros((count, 3))
        half = _GROUND_HALF_M
        ground = np.array([[-half, -half, 0], [half, -half, 0], [half, half, 0], [-half, half, 0]])
        vertices, faces, slots, textures = [ground], [np.array([[0, 1, 2], [0, 2, 3]])], \
            [np.zeros(2, int)], [np.full(2, GROUND)]
        owners, face_owners, total = [np.zeros(4, int)], [np.zeros(2, int)], 4
        for index, actor in enumerate(self.actors, 1):
            mesh = unit_mesh(actor.shape)
            cos, sin = np.cos(actor.yaw), np.sin(actor.yaw)
            turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
            start = np.array([*(actor.xy_m - self.origin_xy_m), actor.z_m + actor.size_m[2] / 2])
            self._start_m[index] = start
            self.velocity_mps[index, :2] = actor.velocity_mps
            self.colors[index] = actor.colors
            vertices.append((mesh.vertices * actor.size_m) @ turn.T + start)
            faces.append(mesh.faces + total)
            slots.append(mesh.slot)
            textures.append(mesh.texture)
            owners.append(np.full(len(mesh.vertices), index))
            face_owners.append(np.full(len(mesh.faces), index))
            total += len(mesh.vertices)
        self._vertices_m, self._faces = np.concatenate(vertices), np.concatenate(faces)
        self._owner, self.face_object = np.concatenate(owners), np.concatenate(face_owners)
        self.face_texture = np.concatenate(textures).astype(np.uint8)
        self.face_is_glass = np.concatenate(slots) == GLASS
        self.face_color = self.colors[self.face_object, np.concatenate(slots)].astype(np.float32)

    def centers_at(self, time_s: float) -> np.ndarray:
        """Returns the centres (objects, 3) in local coordinates at a time."""
        return self._start_m + self.velocity_mps * time_s

    def at(self, time_s: float, viewer_xy_m: np.ndarray) -> Moment:
        """Freezes the scene at a time, for a viewer at a local position (2,)."""
        centers_m = self.centers_at(time_s)
        is_near = np.linalg.norm(centers_m[:, :2] - viewer_xy_m, axis=1) < _VIEW_M
        is_near[0] = True
        face_ids = np.flatnonzero(is_near[self.face_object])
        vertices_m = self._vertices_m + self.velocity_mps[self._owner] * time_s
        return Moment(vertices_m, self._faces[face_ids], face_ids, self.face_object, centers_m)

    def to_unit_box(self, object_index: np.ndarray, points_m: np.ndarray, centers_m: np.ndarray
                    ) -> 'tuple[np.ndarray, np.ndarray]':
        """Returns points (n, 3) in their objects' own axes: in metres, and in box units."""
        offset = points_m - centers_m[object_index]
        cos, sin = np.cos(self.yaw)[object_index], np.sin(self.yaw)[object_index]
        along = np.stack([cos * offset[:, 0] + sin * offset[:, 1],
                          cos * offset[:, 1] - sin * offset[:, 0], offset[:, 2]], 1)
        return along, along / self.size_m[object_index]
