"""Ground-truth sampling (SECOND, Sensors 2018): objects of other keyframes are pasted into a cloud.

Same recipe as mmdet3d v1.4.0 `ObjectSample` with `DataBaseSampler` (fill every class up to a number,
skip what would collide, clear the space). The delta: the draw depends on the sample's seed alone
(mmdet3d's sampler walks through a list of its own in every worker), the database is mapped arrays
instead of a pickle and a million files, a database of another number of sweeps is refused, and
sampling ends at an epoch without restarting the workers, after a resumption too.
"""
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..errors import UserError
from ..geometry.boxes import boxes_overlap, points_in_boxes
from ..learned_samples import SampleRecord
from ..nuscenes_facts import CLASS_NAMES
from .object_database import ObjectDatabase, database_samples

# Those of CBGS (arXiv 1908.09492), and of mmdet3d v1.4.0's CenterPoint and BEVFusion configs.
PUBLISHED_NUMBERS = dict(car=2, truck=3, construction_vehicle=7, bus=4, trailer=6, barrier=2,
                         motorcycle=6, bicycle=6, pedestrian=2, traffic_cone=2)


@TRANSFORMS.register_module()
class GeminiSampleObjects(BaseTransform):
    """Pastes objects, where they once stood, into `points`, `gt_bboxes_3d` and `gt_labels_3d`.

    For LiDAR-only training: cameras would not show what was pasted. Place it behind
    LoadAnnotations3D and before GeminiAugmentScene.

    Args:
        database: folder of the ground-truth database.
        sweeps_num: how many sweeps the pipeline reads; the database must have read as many.
        numbers: up to how many objects of each class a sample is filled.
        min_points: objects with fewer points are not pasted.
        until_epoch: the first epoch without sampling, None for never: at the end a model should see
            what real scenes look like.
        classes: the classes in the order of the labels.
    """

    def __init__(self, *, database: str, sweeps_num: int, numbers: Optional[Dict[str, int]] = None,
                 min_points: int = 5, until_epoch: Optional[int] = None,
                 classes: Sequence[str] = CLASS_NAMES) -> None:
        self.numbers = dict(PUBLISHED_NUMBERS if numbers is None else numbers)
        unknown = sorted(set(self.numbers) - set(classes))
        if unknown:
            raise ValueError(f'got numbers for {", ".join(unknown)}; expected some of {", ".join(classes)}')
        self.folder = Path(database)
        self.sweeps_num = sweeps_num
        self.min_points = min_points
        self.until_epoch = until_epoch
        self.label_of = {name: label for label, name in enumerate(classes)}
        self._database: Optional[ObjectDatabase] = None
        self._candidates: Dict[str, np.ndarray] = {}

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Pastes objects.

        Args:
            results: holds `points`, `gt_bboxes_3d`, `gt_labels_3d`, `lidar_aug_matrix` and `epoch`.

        Raises:
            ValueError: if the step stands at the wrong place of the pipeline.
            UserError: if the database is missing, damaged or of another number of sweeps.
        """
        _check_place(results)
        # A cloud without points is a missing LiDAR, which sees no pasted object either.
        is_over = self.until_epoch is not None and results['epoch'] >= self.until_epoch
        if is_over or len(results['points']) == 0:
            return results
        self._open()
        chosen = self._choose(results['gt_bboxes_3d'].numpy(), results['gt_labels_3d'])
        return self._paste(results, chosen) if chosen else results

    def sample_record(self) -> SampleRecord:
        """Returns which samples the objects were cut from."""
        return database_samples(self.folder)

    def _open(self) -> None:
        """Opens the database when first used, in the process that uses it."""
        if self._database is not None:
            return
        database = ObjectDatabase(self.folder)
        if database.metainfo['sweeps_num'] != self.sweeps_num:
            raise UserError(f'{self.folder} holds points of {database.metainfo["sweeps_num"]} sweeps before '
                            f'each keyframe, the pipeline reads {self.sweeps_num}; build it again with '
                            f'--database-sweeps {self.sweeps_num}')
        self._candidates = {name: np.flatnonzero(database.num_points(name) >= self.min_points)
                            for name in self.numbers}
        self._database = database

    def _choose(self, gt_boxes: np.ndarray, gt_labels: np.ndarray) -> List[Tuple[str, int]]:
        """Draws objects that stand free of the sample's boxes and of each other."""
        taken, chosen = gt_boxes, []
        for name, number in self.numbers.items():
            candidates = self._candidates[name]
            wanted = max(0, number - int((gt_labels == self.label_of[name]).sum()))
            if len(candidates) == 0 or wanted == 0:
                continue
            # An object that is drawn twice stands in its own way.
            for index in candidates[np.random.randint(len(candidates), size=wanted)]:
                box = self._database.boxes(name)[index:index + 1]
                if not boxes_overlap(box, taken).any():
                    taken = np.concatenate([taken, box])
                    chosen.append((name, int(index)))
        return chosen

    def _paste(self, results: Dict[str, Any], chosen: List[Tuple[str, int]]) -> Dict[str, Any]:
        """Clears the space of the chosen objects and puts them there."""
        boxes = np.stack([self._database.boxes(name)[index] for name, index in chosen])
        pasted = np.concatenate([self._database.points(name, index) for name, index in chosen])
        labels = [self.label_of[name] for name, _ in chosen]
        points, gt_boxes = results['points'], results['gt_bboxes_3d']
        is_kept = np.ones(len(points), dtype=bool)
        is_kept[np.concatenate(points_in_boxes(points.tensor[:, :3].numpy(), boxes))] = False
        scene = points.tensor[torch.from_numpy(is_kept)]
        return {
            **results,
            'points': points.new_point(torch.cat([scene, torch.from_numpy(pasted)])),
            'gt_bboxes_3d': gt_boxes.new_box(torch.cat([gt_boxes.tensor, torch.from_numpy(boxes)])),
            'gt_labels_3d': np.concatenate([results['gt_labels_3d'], labels]).astype(np.int64),
        }


def _check_place(results: Dict[str, Any]) -> None:
    if 'img' in results:
        raise ValueError('GeminiSampleObjects got a sample with images, which would not show the pasted '
                         'objects; leave it to LiDAR-only recipes')
    if 'gt_bboxes_3d' not in results or not np.array_equal(results['lidar_aug_matrix'], np.eye(4)):
        raise ValueError('GeminiSampleObjects pastes objects where they once stood; place it behind '
                         'LoadAnnotations3D and before GeminiAugmentScene')
