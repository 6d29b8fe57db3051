"""From augmented LiDAR coordinates to augmented pixels, by the matrices of the pipelines."""
from typing import Tuple

import numpy as np


def project_points(points_m: np.ndarray, *, lidar_aug_matrix: np.ndarray, lidar2cam: np.ndarray,
                   cam2img: np.ndarray, img_aug_matrix: np.ndarray
                   ) -> Tuple[np.ndarray, np.ndarray]:
    """Projects points into one camera's augmented image.

    Args:
        points_m: (N, 3) in the augmented LiDAR frame.
        lidar_aug_matrix: augmented_from_raw_lidar (4, 4).
        lidar2cam: cam_from_lidar (4, 4).
        cam2img: raw_px_from_cam (4, 4).
        img_aug_matrix: augmented_from_raw_px (4, 4).

    Returns:
        Pixels (N, 2) as (u, v), meaningless where the depth is not positive, and depths (N,) in
        metres.
    """
    homogeneous = np.concatenate([points_m, np.ones((len(points_m), 1))], axis=1)
    raw_lidar = homogeneous @ np.linalg.inv(lidar_aug_matrix.astype(np.float64)).T
    in_cam = raw_lidar @ lidar2cam.T
    depth_m = in_cam[:, 2]
    raw_px = (in_cam @ cam2img.T)[:, :2] / np.where(depth_m > 0, depth_m, np.nan)[:, None]
    return raw_px @ img_aug_matrix[:2, :2].T + img_aug_matrix[:2, 3], depth_m
