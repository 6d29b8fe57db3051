"""The map expansion of nuScenes (version 1.3 and later) as shapes, drawn into the cells of a grid.

Source: nuscenes-devkit 1.2.0 `NuScenesMapExplorer.get_map_mask`, with its rounding: corners of areas to the
nearest cell, of lines to the cell below, lines two cells wide, a hole erases what was drawn before. The
delta: shapes are cut out once per map instead of once per sample, the frame may be mirrored and scaled, a
line that leaves the patch and comes back is drawn (the devkit stops there with shapely 2), and the file is
read without the devkit's map classes, which change matplotlib's style for the whole process.
"""
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import cv2
import numpy as np
import shapely
from jaxtyping import Float, UInt8
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from ..check_sums import warn_if_changed
from ..errors import UserError
from ..geometry.bev_grid import BEVGrid
from ..nuscenes_facts import MAP_LINE_LAYERS, MAP_POLYGON_LAYERS

OLDEST_VERSION = (1, 3)
LINE_CELLS = 2
# What rounding errors take off a corner on the edge of the patch.
CELL_TOLERANCE = 1e-6


class MapExpansion:
    """The areas and lines of one location in the global frame, layer by layer.

    Args:
        path: `maps/expansion/<location>.json`.
        layers: the layers to hold.

    Raises:
        UserError: if the file cannot be read, is older than version 1.3 or lacks a layer.
    """

    def __init__(self, path: Path, layers: Sequence[str]) -> None:
        content = read_map(path)
        self.path = path
        try:
            # Width and height of what is mapped, in metres from the origin of the global frame.
            self.extent_m = np.array(content.get('canvas_edge', (np.inf, np.inf)), float).reshape(2)
            self._trees = {layer: shapely.STRtree(list(_shapes(content, layer))) for layer in layers}
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, shapely.GEOSException) as error:
            raise UserError(f'{path} is no whole map expansion ({error!r}); unpack the map expansion of '
                            'nuScenes again') from error

    def draw(self, layer: str, grid: BEVGrid, cells_from_global: Float[np.ndarray, '2 3'],
             cells: UInt8[np.ndarray, 'y x']) -> None:
        """Draws a layer into cells.

        Args:
            layer: its name.
            grid: of the cells.
            cells_from_global: column and row, counted from the low edges, of global (x, y, 1).
            cells: are set to 1 where the layer is.
        """
        patch = Polygon(_moved(_inverse(cells_from_global), np.array(
            [(0, 0), (grid.n_x, 0), (grid.n_x, grid.n_y), (0, grid.n_y)], float)))
        tree = self._trees[layer]
        is_line = layer in MAP_LINE_LAYERS
        for index in np.sort(tree.query(patch, predicate='intersects')):
            for part in shapely.get_parts(tree.geometries[index].intersection(patch)):
                if is_line and part.geom_type == 'LineString':
                    corners = _moved(cells_from_global, shapely.get_coordinates(part))
                    cv2.polylines(cells, [np.trunc(corners + CELL_TOLERANCE).astype(np.int32)], False, 1,
                                  LINE_CELLS)
                elif not is_line and part.geom_type == 'Polygon':
                    exterior, *holes = [
                        np.round(_moved(cells_from_global, shapely.get_coordinates(ring))).astype(np.int32)
                        for ring in (part.exterior, *part.interiors)]
                    cv2.fillPoly(cells, [exterior], 1)
                    cv2.fillPoly(cells, holes, 0)


@lru_cache(maxsize=None)
def open_map(data_root: str, location: str, layers: Tuple[str, ...]) -> MapExpansion:
    """Returns the map of a location, read once per process.

    Args:
        data_root: of the dataset.
        location: as in the table log, such as 'boston-seaport'.
        layers: the layers to hold.

    Raises:
        UserError: if there is no such map, or it cannot be used.
    """
    if not re.fullmatch(r'[\w-]+', location):
        raise UserError(f'got the location {location!r}; expected a name such as boston-seaport')
    return MapExpansion(Path(data_root) / 'maps' / 'expansion' / f'{location}.json', layers)


def cells_from_global(global_from_lidar: Float[np.ndarray, '4 4'],
                      augmented_from_lidar: Float[np.ndarray, '4 4'], grid: BEVGrid
                      ) -> Float[np.ndarray, '2 3']:
    """Returns column and row, counted from the grid's low edges, of global (x, y, 1), seen from above.

    Roll and pitch of the LiDAR are left out, as MIT's BEVFusion does (LoadBEVSegmentation): its place and
    the heading of its x axis decide. Scale and mirrors of the augmentation are followed; MIT's code leaves
    the labels at their size when it scales the points.

    Args:
        global_from_lidar: pose of the keyframe's LiDAR.
        augmented_from_lidar: a turn about z, a scale, a shift, mirrors in x or y.
        grid: of the cells, in the augmented frame.
    """
    global_from_augmented = global_from_lidar @ np.linalg.inv(augmented_from_lidar)
    yaw = np.arctan2(global_from_augmented[1, 0], global_from_augmented[0, 0])
    scale = augmented_from_lidar[2, 2]
    mirror = np.sign(np.linalg.det(augmented_from_lidar[:2, :2]))
    cos, sin = np.cos(yaw), np.sin(yaw)
    linear = scale / grid.cell_m * np.array([[cos, sin], [-mirror * sin, mirror * cos]])
    low_cells = np.array(grid.range_m[:2]) / grid.cell_m
    return np.column_stack([linear, -linear @ global_from_augmented[:2, 3] - low_cells])


def read_map(path: Path) -> Dict[str, Any]:
    """Returns the content of a file of the map expansion.

    Args:
        path: the file.

    Raises:
        UserError: if it cannot be read, or is older than version 1.3.
    """
    try:
        warn_if_changed(path)
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f'there is no map {path}; unpack the map expansion of nuScenes (version 1.3) into '
                        f'{path.parents[1]}, or let gemini3d synthetic write that of a synthetic world'
                        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path} cannot be read ({error}); unpack the map expansion of nuScenes again'
                        ) from error
    version = str(content.get('version', '1.0') if isinstance(content, dict) else '1.0')
    if not re.fullmatch(r'\d+(\.\d+)*', version) or tuple(map(int, version.split('.'))) < OLDEST_VERSION:
        raise UserError(f'{path} has version {version}; expected {".".join(map(str, OLDEST_VERSION))} or '
                        'later: download the map expansion of nuScenes again')
    return content


def _shapes(content: Dict[str, Any], layer: str) -> Iterator[BaseGeometry]:
    """Yields the shapes of a layer in the order of the file."""
    nodes = {node['token']: (float(node['x']), float(node['y'])) for node in content['node']}
    odd = next((token for token, place in nodes.items() if not np.isfinite(place).all()), None)
    if odd is not None:
        raise ValueError(f'node {odd} lies at {nodes[odd]}')
    if layer in MAP_LINE_LAYERS:
        lines = {line['token']: [nodes[token] for token in line['node_tokens']] for line in content['line']}
        for record in content[layer]:
            if len(lines[record['line_token']]) > 1:
                yield LineString(lines[record['line_token']])
        return
    rows = {polygon['token']: polygon for polygon in content['polygon']}
    for record in content[layer]:
        has_several = layer == 'drivable_area'
        tokens: List[str] = record['polygon_tokens'] if has_several else [record['polygon_token']]
        for row in (rows[token] for token in tokens):
            holes = [[nodes[token] for token in hole['node_tokens']] for hole in row['holes']]
            shape = Polygon([nodes[token] for token in row['exterior_node_tokens']], [h for h in holes if h])
            # What crosses itself the devkit leaves out; of drivable areas it expects that none does.
            if shape.is_valid:
                yield shape


def _moved(dst_from_src: Float[np.ndarray, '2 3'], xy: Float[np.ndarray, 'n 2']) -> Float[np.ndarray, 'n 2']:
    return xy @ dst_from_src[:, :2].T + dst_from_src[:, 2]


def _inverse(dst_from_src: Float[np.ndarray, '2 3']) -> Float[np.ndarray, '2 3']:
    linear = np.linalg.inv(dst_from_src[:, :2])
    return np.column_stack([linear, -linear @ dst_from_src[:, 2]])


def known_layer(name: str) -> bool:
    """Says whether the map expansion has a layer of this name that can be drawn."""
    return name in MAP_POLYGON_LAYERS or name in MAP_LINE_LAYERS
