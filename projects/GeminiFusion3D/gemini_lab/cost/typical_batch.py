"""One made-up sample of nuScenes' size, to measure a recipe with where there are no data.

The sensors follow nuScenes: six cameras of 1600x900 pixels, a 32-beam LiDAR, ten sweeps. The scene is flat
ground with obstacles at random distances, so that points and voxels are as many as in a street.
"""
import math
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor

from geminifusion3d.errors import UserError

BEAMS, COLUMNS = 32, 1080
ELEVATION_DEG = (-30.67, 10.67)
LIDAR_HEIGHT_M, OBSTACLE_M, STEP_M = 1.84, 20.0, 0.05
FOCAL_PX, IMAGE_WH = 1266.0, (1600, 900)
CAMERA_YAWS_RAD = np.arange(6) * np.pi / 3
N_BOXES = 30
FLOATS_PER_POINT = 5


def make_typical_cloud(sweeps: int = 10) -> Tensor:
    """Returns (N, 5) points: x, y, z in metres in the LiDAR frame, intensity, seconds of age.

    Args:
        sweeps: how many sweeps of a car that drives along y are put together.
    """
    generator = torch.Generator().manual_seed(0)
    elevation = torch.linspace(*map(math.radians, ELEVATION_DEG), BEAMS).view(1, -1, 1)
    azimuth = (torch.arange(COLUMNS) * 2 * math.pi / COLUMNS).view(1, 1, -1)
    ground_m = torch.where(elevation < 0, LIDAR_HEIGHT_M / -elevation.sin().clamp(max=-1e-3), torch.inf)
    # An obstacle stands in one direction for all beams and sweeps.
    obstacle_m = -OBSTACLE_M * torch.rand(COLUMNS, generator=generator).log().view(1, 1, -1)
    range_m = torch.minimum(ground_m, obstacle_m) + 0.02 * torch.randn(
        sweeps, BEAMS, COLUMNS, generator=generator)
    age = torch.arange(sweeps).view(-1, 1, 1).expand_as(range_m)
    points = torch.stack([
        range_m * elevation.cos() * azimuth.cos(), range_m * elevation.cos() * azimuth.sin() - age * STEP_M,
        range_m * elevation.sin(), torch.full_like(range_m, 30.0), age * 0.05], dim=-1)
    return points.flatten(0, 2)


def make_typical_radar(returns: int = 2000) -> Tensor:
    """Returns (N, 7) radar returns, as five radars give in seven scans: RADAR_COLUMNS."""
    generator = torch.Generator().manual_seed(0)
    azimuth = 2 * math.pi * torch.rand(returns, generator=generator)
    range_m = -OBSTACLE_M * torch.rand(returns, generator=generator).clamp(min=1e-3).log()
    still = torch.zeros(returns, 3)  # vx, vy, seconds of age
    z_and_rcs = torch.tensor([0.0, 5.0]).expand(returns, -1)
    place_m = torch.stack([range_m * azimuth.cos(), range_m * azimuth.sin()], dim=1)
    return torch.cat([place_m, z_and_rcs, still], dim=1)


def read_cloud(paths: Sequence[Path]) -> Tensor:
    """Returns (N, 5) points of several nuScenes files; the ring number becomes an age of zero."""
    clouds = []
    for path in paths:
        if not path.is_file() or not path.stat().st_size or path.stat().st_size % (4 * FLOATS_PER_POINT):
            raise UserError(f'{path} is no point file; expected {FLOATS_PER_POINT} float32 numbers per point')
        clouds.append(np.fromfile(path, dtype='<f4').reshape(-1, FLOATS_PER_POINT))
    points = torch.from_numpy(np.concatenate(clouds))
    points[:, 4] = 0
    return points


def make_typical_batch(cfg: Config, *, points: Optional[Tensor] = None) -> Dict[str, Any]:
    """Returns a batch of one sample, as the data loader hands it to the data preprocessor."""
    inputs: Dict[str, Any] = dict(points=[make_typical_cloud() if points is None else points])
    meta = dict(box_type_3d=LiDARInstance3DBoxes, lidar_aug_matrix=np.eye(4), token='typical', sample_idx=0)
    if cfg.model.get('camera_branch'):
        height, width = _image_hw(cfg)
        inputs['img'] = [torch.randint(0, 256, (6, 3, height, width), dtype=torch.uint8)]
        meta.update(_rig(width / IMAGE_WH[0]))
    if cfg.model.get('radar_branch'):
        inputs['radar_points'] = [make_typical_radar()]
    sample = Det3DDataSample(metainfo=meta)
    sample.gt_instances_3d = _boxes(cfg.model.bev_grid.range_m)
    return dict(inputs=inputs, data_samples=[sample])


def _image_hw(cfg: Config) -> tuple:
    """Finds the size of the images that the training pipeline makes."""
    dataset = cfg.train_dataloader.dataset
    while 'pipeline' not in dataset:
        dataset = dataset.dataset
    return next(step.final_hw for step in reversed(dataset.pipeline) if 'final_hw' in step)


def _rig(scale: float) -> Dict[str, Any]:
    """Returns the calibration of six cameras at the LiDAR that look around."""
    lidar_to_camera = np.stack([[[np.sin(yaw), -np.cos(yaw), 0, 0], [0, 0, -1, 0],
                                 [np.cos(yaw), np.sin(yaw), 0, 0], [0, 0, 0, 1]]
                                for yaw in CAMERA_YAWS_RAD])
    intrinsics = np.diag([FOCAL_PX, FOCAL_PX, 1, 1])
    intrinsics[:2, 2] = np.array(IMAGE_WH) / 2
    return dict(cam2img=np.tile(intrinsics, (6, 1, 1)), lidar2cam=lidar_to_camera,
                img_aug_matrix=np.tile(np.diag([scale, scale, 1, 1]), (6, 1, 1)))


def _boxes(range_m: Any) -> InstanceData:
    """Returns cars all over the range."""
    generator = torch.Generator().manual_seed(0)
    low, high = torch.tensor(range_m[:2]), torch.tensor(range_m[3:5])
    centres = low + torch.rand(N_BOXES, 2, generator=generator) * (high - low)
    rest = torch.tensor([-1.8, 4.6, 1.9, 1.7, 0.3, 1.0, 0.0]).expand(N_BOXES, -1)
    return InstanceData(bboxes_3d=LiDARInstance3DBoxes(torch.cat([centres, rest], dim=1), box_dim=9),
                        labels_3d=torch.arange(N_BOXES) % 10)
