"""mmdet3d's KittiDataset, read without running code, and the points that the picture shows."""
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.datasets import KittiDataset
from mmdet3d.registry import DATASETS, TRANSFORMS

from ..learned_samples import SampleRecord
from ..paths import checked_relative_path
from ..safe_pickle import load_plain_pickle
from .infos import CAMERA

# mmdet3d cuts its reduced clouds at the same depths.
NEAREST_M, FARTHEST_M = 0.001, 100.0


@DATASETS.register_module()
class GeminiKittiDataset(KittiDataset):
    """mmdet3d's KittiDataset; its info file is plain data, and what it names stays inside the dataset.

    Args:
        **kwargs: arguments of KittiDataset.
    """

    def load_data_list(self) -> List[Dict[str, Any]]:
        """As mmdet3d's, after a look at the file.

        Raises:
            UserError: if it holds more than plain data.
        """
        load_plain_pickle(self.ann_file)
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
            UserError: if it names a file outside the dataset.
        """
        checked_relative_path(info['lidar_points']['lidar_path'])
        checked_relative_path(info['images'][CAMERA]['img_path'])
        return super().parse_data_info(info)


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
