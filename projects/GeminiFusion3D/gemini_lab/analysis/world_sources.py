"""Boxes and clouds of a dataset as columns, from its tables, an info file or mmdet3d's first format."""
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from geminifusion3d.commands.dataset import only_version
from geminifusion3d.data_converters.nuscenes_infos import scene_infos
from geminifusion3d.data_converters.nuscenes_tables import open_tables
from geminifusion3d.errors import UserError
from geminifusion3d.info_file import open_info_file
from geminifusion3d.nuscenes_facts import CLASS_NAMES, LIDAR_COLUMNS
from geminifusion3d.paths import inside
from geminifusion3d.point_files import read_point_file

from .world_tables import OTHER, OWN_CAR_M, Clouds, World

# More say nothing new.
MOST_CLOUDS = 100
COLUMNS = ('token', 'name', 'box')


def read_world(name: str, path: Path) -> World:
    """Reads a source: the folder of a dataset, an info file or an .npz; UserError if it is none of them."""
    if path.is_dir():
        nusc = open_tables(path, only_version(path))
        infos = [info for scene in nusc.scene for info in scene_infos(nusc, scene['token'], 0)]
        return _world(name, infos, _clouds(path, infos))
    if path.suffix == '.npz':
        return _from_arrays(name, path)
    return _world(name, list(open_info_file(path)), None)


def _world(name: str, infos: List[Dict[str, Any]], clouds: Optional[Clouds]) -> World:
    instances = [instance for info in infos for instance in info['instances']]
    if not instances:
        raise UserError(f'{name} has no box in {len(infos)} keyframes; expected an annotated dataset')
    boxes, velocities_mps = (np.array([instance[key] for instance in instances], dtype=np.float64)
                             for key in ('bbox_3d', 'velocity'))
    labels = [instance['bbox_label_3d'] for instance in instances]
    return World(
        name=name, keyframes=len(infos),
        classes=np.array([CLASS_NAMES[label] if label >= 0 else OTHER for label in labels]),
        lwh_m=boxes[:, 3:6], distance_m=np.hypot(*boxes[:, :2].T),
        speed_mps=np.hypot(*velocities_mps.T),
        num_points=np.array([instance['num_lidar_pts'] for instance in instances], dtype=np.float64),
        visibility=_visibility([instance.get('visibility') or 0 for instance in instances]), clouds=clouds)


def _visibility(levels: Sequence[int]) -> np.ndarray:
    """Returns the levels; where all boxes have one, nobody has looked."""
    return np.array(levels) if len(set(levels)) > 1 else np.zeros(len(levels), int)


def _from_arrays(name: str, path: Path) -> World:
    try:
        with np.load(path, allow_pickle=False) as file:
            columns = {key: file[key] for key in COLUMNS}
        boxes = columns['box'].reshape(len(columns['name']), 9)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f'{path} cannot be used ({error}); expected arrays {", ".join(COLUMNS)}') from error
    return World(
        name=name, keyframes=len(np.unique(columns['token'])),
        classes=np.where(np.isin(columns['name'], CLASS_NAMES), columns['name'], OTHER),
        lwh_m=boxes[:, [4, 3, 5]], distance_m=np.hypot(*boxes[:, :2].T), speed_mps=np.hypot(*boxes[:, 7:9].T),
        num_points=np.full(len(boxes), np.nan), visibility=np.zeros(len(boxes), int), clouds=None)


def _clouds(root: Path, infos: List[Dict[str, Any]]) -> Optional[Clouds]:
    """Reads the LiDAR keyframes that are there, at most MOST_CLOUDS of them evenly."""
    paths = [Path(inside(str(root), info['lidar_points']['lidar_path'])) for info in infos]
    found = [path for path in paths if path.is_file()]
    chosen = found[::-(-len(found) // MOST_CLOUDS)] if found else []
    return _joined([read_point_file(str(path), LIDAR_COLUMNS) for path in chosen]) if chosen else None


def _joined(clouds: Sequence[np.ndarray]) -> Clouds:
    rows = np.concatenate(clouds)
    range_m = np.linalg.norm(rows[:, :3], axis=1)
    is_outside = range_m > OWN_CAR_M
    outside = rows[is_outside]
    elevation_deg = np.rad2deg(np.arctan2(outside[:, 2], np.hypot(outside[:, 0], outside[:, 1])))
    return Clouds(len(clouds), len(rows), range_m[is_outside], outside[:, 3], elevation_deg)
