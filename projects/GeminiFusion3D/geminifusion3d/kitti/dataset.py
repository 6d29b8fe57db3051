"""mmdet3d's KittiDataset, read without running code, and the points that the picture shows."""
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.datasets import KittiDataset
from mmdet3d.registry import DATASETS, TRANSFORMS
from mmdet3d.structures.points import LiDARPoints

from ..errors import UserError
from ..learned_samples import SampleRecord
from ..paths import checked_relative_path
from ..picture_files import decode, read_whole
from ..point_files import check_same_file, read_point_file, without_absurd
from .infos import CAMERA, COLUMNS, read_infos

# mmdet3d cuts its reduced clouds at the same depths.
NEAREST_M, FARTHEST_M = 0.001, 100.0
CLOUDS = 'velodyne'


@DATASETS.register_module()
class GeminiKittiDataset(KittiDataset):
    """mmdet3d's KittiDataset; its info file is plain data, and what it names stays inside the dataset.

    Args:
        **kwargs: arguments of KittiDataset.
    """

    def load_data_list(self) -> List[Dict[str, Any]]:
        """As mmdet3d's, after a look at the file.

        Raises:
            UserError: if it is damaged, of another dataset, or holds more than plain data.
        """
        read_infos(Path(self.ann_file))
        return super().load_data_list()

    def sample_record(self) -> SampleRecord:
        """Returns which frames it holds: by folder, training or testing, and number."""
        clouds = [Path(self.get_data_info(index)['lidar_points']['lidar_path']) for index in range(len(self))]
        return SampleRecord.of(Path(self.ann_file).stem,
                               [f'kitti/{cloud.parent.parent.name}/{cloud.stem}' for cloud in clouds])

    def parse_data_info(self, info: Dict[str, Any]) -> Dict[str, Any]:
        """As mmdet3d's.

        Args:
            info: a record of the info file.

        Raises:
            UserError: if it names a file outside the dataset, or is no record of a frame.
        """
        try:
            checked_relative_path(info['lidar_points']['lidar_path'])
            checked_relative_path(info['images'][CAMERA]['img_path'])
            return super().parse_data_info(info)
        except UserError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise UserError(f'{self.ann_file}: a record lacks what a frame of KITTI has ({error!r}); write '
                            'the file again with gemini3d convert-kitti') from error


@TRANSFORMS.register_module()
class GeminiLoadKittiFrame(BaseTransform):
    """Loads picture and cloud of a frame; in place of mmdet3d's LoadPointsFromFile and LoadImageFromFile.

    The delta: points that no LiDAR measures are dropped, where a NaN would spread through the network, and a
    damaged file, or another one than was converted, is named in a sentence.
    """

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Sets `points` (LiDARPoints, x, y, z, intensity), `img` (H, W, 3) uint8 BGR and its shapes.

        Args:
            results: with `lidar_points`, `images` and `img_path`.

        Raises:
            UserError: if a file cannot be used.
        """
        of_cloud, of_picture = results['lidar_points'], results['images'][CAMERA]
        path = Path(of_cloud['lidar_path'])
        # Of mmdet3d's reduced clouds nobody knows a check sum.
        crc32 = of_cloud.get('crc32') if path.parent.name == CLOUDS else None
        rows = read_point_file(str(path), COLUMNS, crc32)
        sound, num_dropped = without_absurd(rows, COLUMNS)
        picture = _picture(Path(results['img_path']), of_picture)
        return {**results, 'points': LiDARPoints(torch.from_numpy(sound), points_dim=len(COLUMNS)),
                'num_points_dropped': num_dropped, 'img': picture, 'img_shape': picture.shape[:2],
                'ori_shape': picture.shape[:2]}


def _picture(path: Path, record: Dict[str, Any]) -> np.ndarray:
    data, facts = read_whole(path)
    if facts.hw != (record['height'], record['width']):
        raise UserError(f'the picture {path} is {facts.hw[1]}x{facts.hw[0]}, but was {record["width"]}x'
                        f'{record["height"]} when it was converted: convert again, or take the original one')
    check_same_file(f'the picture {path}', data, record.get('crc32'))
    return decode(data, name=f'the picture {path}')[0]


@TRANSFORMS.register_module()
class GeminiPointsInPicture(BaseTransform):
    """Drops the points that the picture does not show: KITTI labels nothing outside it.

    Source: mmdet3d 1.4.0 tools/dataset_converters/kitti_converter.py, which writes them into
    velodyne_reduced; such clouds pass unchanged.
    """

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Return the sample with fewer points; stands before every augmentation.

        Args:
            results: with `points`, `lidar2img` (4, 4) and the camera's height and width.
        """
        points = results['points']
        camera = results['images'][CAMERA]
        xyz1 = np.pad(points.tensor[:, :3].numpy().astype(np.float64), ((0, 0), (0, 1)), constant_values=1)
        u, v, depth_m = (xyz1 @ np.asarray(results['lidar2img'])[:3].T).T
        is_ahead = (depth_m > NEAREST_M) & (depth_m < FARTHEST_M)
        depth_m = np.where(is_ahead, depth_m, 1)
        is_shown = ((u >= 0) & (u < camera['width'] * depth_m) & (v >= 0) & (v < camera['height'] * depth_m))
        results['points'] = points[np.flatnonzero(is_ahead & is_shown)]
        return results
