"""KITTI's folders to the info files that mmdet3d's KittiDataset reads (info format v2).

Source of the layout: mmdet3d 1.4.0 tools/dataset_converters, kitti_data_utils.py and update_infos_to_v2.py.
Here nothing is compiled and no file of the dataset is changed: instead of a folder of reduced clouds, the
transform GeminiPointsInPicture drops what the picture does not show.
"""
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from jaxtyping import Float

from ..atomic import atomic_write, locked_folder
from ..data_converters.findings import Findings
from ..errors import UserError
from ..info_file import INFO_VERSION, KITTI_PREFIX, carries_digest, is_own_info_file, write_info_file
from ..picture_files import read_whole
from ..point_files import FARTHEST_M, other_columns, read_point_file, without_absurd
from ..safe_pickle import load_plain_pickle
from ..sensors.records import LONGEST_SIDE_M
from .labels import CLASSES, DONT_CARE, Label, read_calibration, read_frame_names, read_labels

COLUMNS = ('x', 'y', 'z', 'intensity')
SPLITS = ('train', 'val', 'trainval', 'test')
CAMERA = 'CAM2'
# Of width and height: where the optical axis of a camera meets its picture.
MIDDLE = (0.3, 0.7)
# Of the box of a label beyond the picture: rounding.
EDGE_PX, STRONGEST = 2, 1.0
# Least overlap of the box in the picture with that of the place in space.
LEAST_OVERLAP = 0.3
SHOWN, NEAREST_M = 3, 0.5
CATEGORIES = {**{name: label for label, name in enumerate(CLASSES)}, DONT_CARE: -1}


def info_file_name(split: str) -> str:
    """Returns the name of a split's info file; mmdet3d's own, kitti_infos_<split>.pkl, stays beside it."""
    return f'{KITTI_PREFIX}{split}.pkl'


def convert_kitti(data_root: Path, out: Optional[Path] = None, splits: Sequence[str] = ()) -> Dict[str, Path]:
    """Writes the info files of splits, with the check sum of each picture and cloud, which loading verifies.

    Args:
        data_root: with ImageSets, training and, for the split test, testing.
        out: where the files go; the dataset by default.
        splits: names of lists in ImageSets; all that are there by default.

    Prints what was left out and why.

    Returns:
        The info files by split.

    Raises:
        UserError: if there is no list, frames are not whole, or a file is in the way that this project did
            not write; nothing is written then.
    """
    lists = data_root / 'ImageSets'
    splits = list(splits) or [name for name in SPLITS if (lists / f'{name}.txt').is_file()]
    if not splits:
        raise UserError(f'{lists} holds none of {", ".join(SPLITS)} (.txt); expected KITTI\'s lists '
                        'of frames, as mmdet3d names where to get them')
    names = {split: read_frame_names(lists / f'{split}.txt') for split in splits}
    findings, problems, frames = Findings(), [], {}
    both = sorted(set(names.get('train', ())) & set(names.get('val', ())))
    if both:
        findings.add('frames are in train and in val: what is scored was learned', both[0], len(both))
    for split, chosen in names.items():
        if len(set(chosen)) < len(chosen):
            findings.add(f'frames stand more than once in {split}', max(chosen, key=list(chosen).count),
                         len(chosen) - len(set(chosen)))
    for split, chosen in names.items():
        is_test = split == 'test'
        for name in chosen:
            if (is_test, name) in frames:
                continue
            try:
                frames[is_test, name] = frame_info(data_root / ('testing' if is_test else 'training'), name,
                                                   with_labels=not is_test, findings=findings)
            except UserError as error:
                frames[is_test, name] = {}
                problems.append(str(error))
    if problems:
        raise UserError(f'{len(problems)} of {len(frames)} frames in {data_root} cannot be used, first: '
                        f'{"; ".join(problems[:SHOWN])}; mend these, or take their numbers out of the lists '
                        f'in {lists}')
    paths = {split: (out or data_root) / info_file_name(split) for split in splits}
    with locked_folder(out or data_root), ExitStack() as finished_together:
        for path in paths.values():
            check_own(path)
        for split, chosen in names.items():
            part = finished_together.enter_context(atomic_write(paths[split]))
            _write(part, [frames[split == 'test', name] for name in chosen])
    for line in findings.lines():
        print(line)
    return paths


def write_infos(path: Path, infos: List[Dict[str, Any]]) -> Path:
    """Writes an info file and returns its path."""
    with atomic_write(path) as part:
        _write(part, infos)
    return path


def _write(path: Path, infos: List[Dict[str, Any]]) -> None:
    with path.open('wb') as file:
        write_info_file(file, {'categories': CATEGORIES, 'dataset': 'kitti'}, infos)


def read_infos(path: Path) -> Dict[str, Any]:
    """Returns the content of an info file of KITTI, of this project or of mmdet3d.

    Args:
        path: the file.

    Raises:
        UserError: if it cannot be read, is damaged, or of another dataset, or holds more than plain data.
    """
    content = load_plain_pickle(path)
    metainfo = content.get('metainfo') if isinstance(content, dict) else None
    records = content.get('data_list') if isinstance(content, dict) else None
    if not isinstance(metainfo, dict) or metainfo.get('dataset') != 'kitti' or not isinstance(records, list):
        raise UserError(f'{path} is no info file of KITTI; expected metainfo of the dataset kitti and a '
                        'data_list, as gemini3d convert-kitti writes them')
    if not carries_digest(path) and metainfo.get('info_version') == INFO_VERSION:
        raise UserError(f'{path} has lost its end, where its digest stands; write it again with gemini3d '
                        'convert-kitti')
    return content


def check_own(path: Path) -> None:
    """Refuses to write over a file of somebody else.

    Args:
        path: where an info file shall go.

    Raises:
        UserError: if it is there and no such file.
    """
    if path.exists() and not is_own_info_file(path):
        try:
            read_infos(path)  # of an earlier version
        except UserError as error:
            raise UserError(f'{path} was not written by this project; move it away or give another --out'
                            ) from error


def frame_info(folder: Path, name: str, *, with_labels: bool, findings: Optional[Findings] = None
               ) -> Dict[str, Any]:
    """Returns what mmdet3d's dataset has to know of a frame.

    Args:
        folder: with image_2, velodyne, calib and label_2.
        name: number of the frame, as the files are called.
        with_labels: whether there are any.
        findings: where to say what was left out.

    Raises:
        UserError: if a file is missing or damaged, or picture and labels do not fit.
    """
    findings = Findings() if findings is None else findings
    calibration = read_calibration(folder / 'calib' / f'{name}.txt')
    cam_from_lidar = calibration['R0_rect'] @ calibration['Tr_velo_to_cam']
    content, picture = read_whole(folder / 'image_2' / f'{name}.png')
    height, width = picture.hw
    middle = calibration['P2'][0, 2] / width, calibration['P2'][1, 2] / height
    if not all(MIDDLE[0] < share < MIDDLE[1] for share in middle):
        findings.add('calibrations whose optical axis is far from the middle of the picture: was it resized?',
                     f'{name}: at {middle[0]:.0%} of its width, {middle[1]:.0%} of its height')
    points, cloud_sum = _cloud(folder / 'velodyne' / f'{name}.bin', findings)
    images: Dict[str, Any] = {
        f'CAM{number}': {'cam2img': calibration[f'P{number}'].tolist(),
                         'lidar2img': (calibration[f'P{number}'] @ cam_from_lidar).tolist()}
        for number in range(4)}
    images[CAMERA].update(img_path=f'{name}.png', height=height, width=width,
                          lidar2cam=cam_from_lidar.tolist(), crc32=zlib.crc32(content))
    images['R0_rect'] = calibration['R0_rect'].tolist()
    info = {'sample_idx': int(name), 'images': images, 'lidar_points': {
        'num_pts_feats': len(COLUMNS), 'lidar_path': f'{name}.bin', 'crc32': cloud_sum,
        'Tr_velo_to_cam': calibration['Tr_velo_to_cam'].tolist(),
        'Tr_imu_to_velo': calibration['Tr_imu_to_velo'].tolist()}}
    if with_labels:
        points_cam_m = points[:, :3] @ cam_from_lidar[:3, :3].T + cam_from_lidar[:3, 3]
        labels = read_labels(folder / 'label_2' / f'{name}.txt')
        beyond = [label.box_px for label in labels
                  if label.box_px[2] > width + EDGE_PX or label.box_px[3] > height + EDGE_PX]
        if beyond:
            raise UserError(f'{folder / "image_2" / name}.png is {width}x{height}, but a label reaches to '
                            f'{beyond[0][2:]}: the picture was resized or cropped, and its calibration does '
                            'not fit; take the original one')
        elsewhere = [label for label in _sound(labels, name, Findings()) if label.name in CLASSES
                     and not _is_where_its_picture_is(label, calibration['P2'], (height, width))]
        if elsewhere:
            findings.add('labels whose box in the picture is not where their place in space is: metres, '
                         'radians, height before width before length, calibration of this frame?',
                         f'{name}: {elsewhere[0].line()}', len(elsewhere))
        info['instances'] = [_instance(label, place, calibration['P2'], points_cam_m)
                             for place, label in enumerate(_sound(labels, name, findings))]
    return info


def _sound(labels: Sequence[Label], name: str, findings: Findings) -> List[Label]:
    """Leaves out labels that no geometry can hold."""
    found = []
    for label in labels:
        sides, place = np.array(label.size_hwl_m), np.array(label.location_cam_m)
        if label.name == DONT_CARE or (sides > 0).all() and (sides < LONGEST_SIDE_M).all() and (
                np.abs(place) < FARTHEST_M).all():
            found.append(label)
        else:
            findings.add('labels left out: sides or a place that no object has', f'{name}: {label.line()}')
    return found


def _cloud(path: Path, findings: Findings) -> Tuple[np.ndarray, int]:
    """Returns the rows of a cloud that a LiDAR measures, and the check sum of the file."""
    rows = read_point_file(str(path), COLUMNS)
    sound, num_dropped = without_absurd(rows, COLUMNS)
    if num_dropped:
        findings.add('clouds with points that loading drops: not finite, too far, too strong', path.name)
    if len(sound) and sound[:, 3].max() > STRONGEST:
        findings.add('clouds with intensities above 1, which KITTI\'s do not reach', path.name)
    if not len(sound) or other_columns(sound, COLUMNS):
        why = other_columns(sound, COLUMNS) or 'nothing is left'
        raise UserError(f'{path} holds no point that a LiDAR measures ({why}); expected rows of '
                        f'{", ".join(COLUMNS)}')
    return sound, zlib.crc32(path.read_bytes())


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


def _is_where_its_picture_is(label: Label, img_from_cam: Float[np.ndarray, '4 4'], hw: Tuple[int, int]
                             ) -> bool:
    """Compares the two boxes of a label; true where a part lies outside the picture and nobody can."""
    height, width, length = label.size_hwl_m
    x, y, z = np.meshgrid((-length / 2, length / 2), (-height, 0), (-width / 2, width / 2), indexing='ij')
    cos, sin = np.cos(label.rotation_y), np.sin(label.rotation_y)
    corners = np.stack([cos * x + sin * z, y, cos * z - sin * x, np.zeros_like(x)], -1).reshape(-1, 4)
    corners += [*label.location_cam_m, 1]
    if label.truncated != 0:
        return True
    if corners[:, 2].min() < NEAREST_M:
        return False
    pixels = corners @ img_from_cam[:3].T
    uv = pixels[:, :2] / pixels[:, 2:]
    low, high = np.clip(uv.min(0), 0, hw[::-1]), np.clip(uv.max(0), 0, hw[::-1])
    left_top, right_bottom = np.array(label.box_px[:2]), np.array(label.box_px[2:])
    common = np.prod(np.maximum(np.minimum(high, right_bottom) - np.maximum(low, left_top), 0))
    either = np.prod(high - low) + np.prod(right_bottom - left_top) - common
    return bool(common >= LEAST_OVERLAP * either)


def _count_inside(label: Label, points_cam_m: Float[np.ndarray, 'n 3']) -> int:
    height, width, length = label.size_hwl_m
    x, y, z = (points_cam_m - label.location_cam_m).T
    cos, sin = np.cos(label.rotation_y), np.sin(label.rotation_y)
    along, across = cos * x - sin * z, sin * x + cos * z
    return int(((np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)
                & (-height <= y) & (y <= 0)).sum())
