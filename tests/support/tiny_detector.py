"""The demo's detector on a small grid that is not square, and a batch of made-up samples."""
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

CONFIG = Path(__file__).parents[2] / 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
# 24 columns, 16 rows.
SMALL_GRID = dict(range_m=[-12.0, -8.0, -3.0, 12.0, 8.0, 3.0], cell_m=1.0)
IMAGE_HW = (32, 64)
# Faces of the six cameras, counter-clockwise from +x.
YAWS_RAD = np.arange(6) * np.pi / 3


def build_detector(**replaced: Any) -> torch.nn.Module:
    """Builds the demo's model on the small grid.

    Args:
        replaced: parts of the model's config to change; None removes a part, `_delete_=True` in
            one replaces it.
    """
    init_default_scope('mmdet3d')
    model = Config.fromfile(CONFIG).model
    for name, part in replaced.items():
        if part and part.get('_delete_'):
            model.pop(name)
            replaced[name] = {key: value for key, value in part.items() if key != '_delete_'}
    model.update(bev_grid=SMALL_GRID, **replaced)
    torch.manual_seed(0)
    return MODELS.build(model)


def make_meta() -> Dict[str, Any]:
    """Returns metainfo of a rig of six cameras around the LiDAR."""
    img_from_cam = np.array([[30.0, 0, 32, 0], [0, 30, 16, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    cam_from_lidar = np.stack([[[np.sin(a), -np.cos(a), 0, 0], [0, 0, -1, 0],
                                [np.cos(a), np.sin(a), 0, 0], [0, 0, 0, 1]] for a in YAWS_RAD])
    return dict(cam2img=np.tile(img_from_cam, (6, 1, 1)), lidar2cam=cam_from_lidar,
                img_aug_matrix=np.tile(np.eye(4), (6, 1, 1)), lidar_aug_matrix=np.eye(4),
                box_type_3d=LiDARInstance3DBoxes, token='t', sample_idx=0)


def make_sample(boxes: Optional[torch.Tensor] = None, labels: Optional[list] = None
                ) -> Det3DDataSample:
    """Returns a sample with ground truth (two boxes where none are given).

    Args:
        boxes: (N, 9) bottom-centre LiDAR boxes.
        labels: class of each.
    """
    if boxes is None:
        nan = float('nan')
        boxes = torch.tensor([[5.0, 2.0, -1.8, 4.0, 2.0, 1.6, 0.3, 1.0, 0.0],
                              [-7.0, -3.0, -1.8, 0.7, 0.7, 1.8, 0.0, nan, nan]])
        labels = [0, 8]
    sample = Det3DDataSample(metainfo=make_meta())
    sample.gt_instances_3d = InstanceData(
        bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9), labels_3d=torch.tensor(labels))
    return sample


def make_batch(points_per_sample: tuple = (300, 200)) -> Dict[str, Any]:
    """Returns what the data loader hands to the data preprocessor.

    Args:
        points_per_sample: how many points each cloud has.
    """
    generator = torch.Generator().manual_seed(0)
    low = torch.tensor([-12.0, -8.0, -2.0, 0.0, 0.0])
    span = torch.tensor([24.0, 16.0, 3.0, 255.0, 0.5])
    clouds = [low + torch.rand(n, 5, generator=generator) * span for n in points_per_sample]

    def returns(cloud: torch.Tensor) -> torch.Tensor:
        return torch.cat([cloud[:, :3], cloud[:, 3:4] / 10, cloud[:, :2] / 4, cloud[:, 4:]], dim=1)
    return dict(
        inputs=dict(
            points=clouds,
            radar_points=[returns(cloud[::6]) for cloud in clouds],
            img=[torch.randint(0, 256, (6, 3, *IMAGE_HW), dtype=torch.uint8, generator=generator)
                 for _ in points_per_sample]),
        data_samples=[make_sample() for _ in points_per_sample])
