"""Points outside the grid's range are dropped: mmdet3d's filter, with fewer passes over the points."""
from typing import Any, Dict

import numpy as np
import torch
from mmdet3d.datasets.transforms import PointsRangeFilter
from mmdet3d.registry import TRANSFORMS

from .point_tensor import with_tensor


@TRANSFORMS.register_module()
class GeminiPointsRangeFilter(PointsRangeFilter):
    """Keeps the same points as mmdet3d's filter; whole columns are compared and kept rows copied once.

    Args:
        point_cloud_range: x, y, z from and x, y, z to, in metres; points on the border are dropped.
    """

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Drops points.

        Args:
            results: holds `points`.
        """
        points = results['points']
        rows = points.tensor.numpy()
        columns = np.ascontiguousarray(rows[:, :3].T)
        low_m, high_m = self.pcd_range.reshape(2, 3, 1)
        is_kept = ((columns > low_m) & (columns < high_m)).all(axis=0)
        kept = torch.from_numpy(np.compress(is_kept, rows, axis=0))
        return {**results, 'points': with_tensor(points, kept)}
