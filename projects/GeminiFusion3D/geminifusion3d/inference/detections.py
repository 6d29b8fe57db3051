"""What a detector found in one sample, in numpy, in the frame that is asked for."""
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import torch
from jaxtyping import Float, Int
from mmdet3d.structures import LiDARInstance3DBoxes

from ..errors import UserError
from ..results.evaluated_split import KeyFrame
from ..results.nuscenes_boxes import boxes_to_global, check_class_names, to_global_boxes

BOX_COLUMNS = ('x', 'y', 'z', 'length', 'width', 'height', 'yaw')


@dataclass(frozen=True)
class Detections:
    """The boxes of one sample, best score first.

    Attributes:
        token: the sample.
        boxes: gravity centre x, y, z, length, width, height in metres, yaw in rad from x to y, in `frame`.
        velocities_mps: x and y over ground along the axes of `frame`.
        scores: confidences from 0 to 1.
        labels: indices into `class_names`.
        class_names: classes of the model.
        ego_from_lidar: pose of the LiDAR, where the sample has it.
        global_from_ego: pose of the car, where the sample has it.
        frame: 'lidar', 'ego' or 'global'.
    """

    token: str
    boxes: Float[np.ndarray, 'n 7']
    velocities_mps: Float[np.ndarray, 'n 2']
    scores: Float[np.ndarray, ' n']
    labels: Int[np.ndarray, ' n']
    class_names: Tuple[str, ...]
    ego_from_lidar: Optional[Float[np.ndarray, '4 4']] = None
    global_from_ego: Optional[Float[np.ndarray, '4 4']] = None
    frame: str = 'lidar'

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def names(self) -> List[str]:
        """The class of every box."""
        return [self.class_names[label] for label in self.labels]

    def above(self, min_score: float) -> 'Detections':
        """Returns the boxes with at least this score."""
        chosen = self.scores >= min_score
        return replace(self, boxes=self.boxes[chosen], velocities_mps=self.velocities_mps[chosen],
                       scores=self.scores[chosen], labels=self.labels[chosen])

    def in_ego(self) -> 'Detections':
        """Returns the boxes in the frame of the car, where they stand upright.

        Raises:
            UserError: if the sample has no `ego_from_lidar`.
        """
        return self._moved('ego', self._pose('ego_from_lidar'))

    def in_global(self) -> 'Detections':
        """Returns the boxes in the global frame, where they stand upright.

        Raises:
            UserError: if the sample has no `ego_from_lidar` or no `global_from_ego`.
        """
        return self._moved('global', self._pose('global_from_ego') @ self._pose('ego_from_lidar'))

    def to_dict(self) -> Dict[str, Any]:
        """Returns plain values for JSON; a speed that the model does not know is null."""
        columns = (self.scores.tolist(), self.boxes.tolist(), self.velocities_mps.tolist())
        return {
            'token': self.token, 'frame': self.frame,
            'boxes': [{'class': name, 'score': score, 'box': box,
                       'velocity': velocity if np.isfinite(velocity).all() else None}
                      for name, score, box, velocity in zip(self.names, *columns)]}

    def nuscenes_records(self) -> List[Dict[str, Any]]:
        """Returns the records of nuScenes' results format, as testing makes them.

        Raises:
            UserError: if the sample lacks poses, or the model has classes that nuScenes does not score.
        """
        check_class_names(self.class_names)
        global_from_ego = self._pose('global_from_ego')
        frame = KeyFrame(self.token, global_from_ego @ self._pose('ego_from_lidar'), global_from_ego[:2, 3])
        boxes = torch.from_numpy(np.hstack([self.boxes, self.velocities_mps]).astype(np.float32))
        return to_global_boxes(
            boxes=LiDARInstance3DBoxes(boxes, box_dim=9, origin=(0.5, 0.5, 0.5)), frame=frame,
            scores=torch.from_numpy(self.scores), labels=torch.from_numpy(self.labels),
            class_names=self.class_names).records()

    def _pose(self, name: str) -> np.ndarray:
        if self.frame != 'lidar':
            raise UserError(f'these boxes are in the {self.frame} frame; move those in the LiDAR frame, '
                            'which the detector returns')
        pose = getattr(self, name)
        if pose is None:
            raise UserError(f'sample {self.token} has no {name}; pass this 4x4 pose with the sample')
        return pose

    def _moved(self, frame: str, frame_from_lidar: np.ndarray) -> 'Detections':
        center_m, yaw_rad, velocities_mps = boxes_to_global(
            np.hstack([self.boxes, self.velocities_mps]).astype(np.float64), frame_from_lidar)
        boxes = np.hstack([center_m, self.boxes[:, 3:6], yaw_rad[:, None]])
        return replace(self, boxes=boxes, velocities_mps=velocities_mps, frame=frame)
