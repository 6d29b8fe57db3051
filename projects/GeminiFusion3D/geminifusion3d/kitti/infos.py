"""KITTI's folders to the info files that mmdet3d's KittiDataset reads (info format v2).

Source of the layout: mmdet3d 1.4.0 tools/dataset_converters, kitti_data_utils.py and update_infos_to_v2.py.
Here nothing is compiled and no file of the dataset is changed: instead of a folder of reduced clouds, the
transform GeminiPointsInPicture drops what the picture does not show.
"""
import pickle
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from jaxtyping import Float

from ..atomic import atomic_write
from ..errors import UserError
from ..info_file import KITTI_PREFIX
from ..picture_files import look_at
from ..point_files import read_point_file
from .labels import CLASSES, DONT_CARE, Label, read_calibration, read_frame_names, read_labels

COLUMNS = ('x', 'y', 'z', 'intensity')
SPLITS = ('train', 'val', 'trainval', 'test')
CAMERA = 'CAM2'
CATEGORIES = {**{name: label for label, name in enumerate(CLASSES)}, DONT_CARE: -1}


def info_file_name(split: str) -> str:
    """Returns the name of a split's info file; mmdet3d's own, kitti_infos_<split>.pkl, stays beside it."""
    return f'{KITTI_PREFIX}{split}.pkl'


def convert_kitti(data_root: Path, out: Optional[Path] = None, splits: Sequence[str] = ()) -> Dict[str, Path]:
    """Writes the info files of splits.

    Args:
        data_root: with ImageSets, training and, for the split test, testing.
        out: where the files go; the dataset by default.
        splits: names of lists in ImageSets; all that are there by default.

    Returns:
        The info files by split.

    Raises:
        UserError: if there is no list, or a frame is not whole.
    """
    lists = data_root / 'ImageSets'
    splits = list(splits) or [name for name in SPLITS if (lists / f'{name}.txt').is_file()]
    if not splits:
        raise UserError(f'{lists} holds none of {", ".join(SPLITS)} (.txt); expected KITTI\'s lists '
                        'of frames, as mmdet3d names where to get them')
    paths = {}
    for split in splits:
        is_test = split == 'test'
        folder = data_root / ('testing' if is_test else 'training')
        infos = [frame_info(folder, name, with_labels=not is_test)
                 for name in read_frame_names(lists / f'{split}.txt')]
        paths[split] = write_infos((out or data_root) / info_file_name(split), infos)
    return paths


def write_infos(path: Path, infos: List[Dict[str, Any]]) -> Path:
    """Writes an info file and returns its path.

    Args:
        path: the file.
        infos: of its frames.
    """
    metainfo = {'categories': CATEGORIES, 'dataset': 'kitti', 'info_version': '1.1'}
    with atomic_write(path) as part:
        part.write_bytes(pickle.dumps({'metainfo': metainfo, 'data_list': infos}, protocol=4))
    return path


def frame_info(folder: Path, name: str, *, with_labels: bool) -> Dict[str, Any]:
    """Returns what mmdet3d's dataset has to know of a frame.

    Args:
        folder: with image_2, velodyne, calib and label_2.
        name: number of the frame, as the files are called.
        with_labels: whether there are any.

    Raises:
        UserError: if a file is missing or damaged.
    """
    calibration = read_calibration(folder / 'calib' / f'{name}.txt')
    cam_from_lidar = calibration['R0_rect'] @ calibration['Tr_velo_to_cam']
    height, width = _picture_hw(folder / 'image_2' / f'{name}.png')
    points = read_point_file(str(folder / 'velodyne' / f'{name}.bin'), COLUMNS)
    images: Dict[str, Any] = {
        f'CAM{number}': {'cam2img': calibration[f'P{number}'].tolist(),
                         'lidar2img': (calibration[f'P{number}'] @ cam_from_lidar).tolist()}
        for number in range(4)}
    images[CAMERA].update(img_path=f'{name}.png', height=height, width=width,
                          lidar2cam=cam_from_lidar.tolist())
    images['R0_rect'] = calibration['R0_rect'].tolist()
    info = {'sample_idx': int(name), 'images': images, 'lidar_points': {
        'num_pts_feats': len(COLUMNS), 'lidar_path': f'{name}.bin',
        'Tr_velo_to_cam': calibration['Tr_velo_to_cam'].tolist(),
        'Tr_imu_to_velo': calibration['Tr_imu_to_velo'].tolist()}}
    if with_labels:
        points_cam_m = points[:, :3] @ cam_from_lidar[:3, :3].T + cam_from_lidar[:3, 3]
        labels = read_labels(folder / 'label_2' / f'{name}.txt')
        info['instances'] = [_instance(label, place, calibration['P2'], points_cam_m)
                             for place, label in enumerate(labels)]
    return info


def _picture_hw(path: Path) -> 'tuple[int, int]':
    try:
        picture = look_at(path.read_bytes(), checks_sums=True)
    except OSError as error:
        raise UserError(f'cannot read {path} ({error.strerror}); expected the picture of the frame'
                        ) from error
    if picture.problem:
        raise UserError(f'{path} is {picture.problem}; expected a whole picture: fetch it again')
    return picture.hw


def _instance(label: Label, place: int, img_from_cam: Float[np.ndarray, '4 4'],
              points_cam_m: Float[np.ndarray, 'n 3']) -> Dict[str, Any]:
    height, width, length = label.size_hwl_m
    centre = img_from_cam @ [*(np.array(label.location_cam_m) - [0, height / 2, 0]), 1]
    number = CATEGORIES.get(label.name, -1)
    is_object = label.name != DONT_CARE
    return {
        'bbox': list(label.box_px), 'bbox_label': number, 'bbox_label_3d': number,
        'bbox_3d': [*label.location_cam_m, length, height, width, label.rotation_y],
        'center_2d': (centre[:2] / centre[2]).tolist(), 'depth': float(centre[2]),
        'truncated': label.truncated, 'occluded': label.occluded, 'alpha': label.alpha, 'score': label.score,
        'difficulty': label.difficulty(), 'index': place if is_object else -1, 'group_id': place,
        'num_lidar_pts': _count_inside(label, points_cam_m) if is_object else -1}


def _count_inside(label: Label, points_cam_m: Float[np.ndarray, 'n 3']) -> int:
    height, width, length = label.size_hwl_m
    x, y, z = (points_cam_m - label.location_cam_m).T
    cos, sin = np.cos(label.rotation_y), np.sin(label.rotation_y)
    along, across = cos * x - sin * z, sin * x + cos * z
    return int(((np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)
                & (-height <= y) & (y <= 0)).sum())
