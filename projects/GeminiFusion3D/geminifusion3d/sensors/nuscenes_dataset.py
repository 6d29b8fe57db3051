"""The dataset: info records -> what the pipelines start from, annotations ready for training.

Subclass of mmdet3d v1.4.0 `datasets/nuscenes_dataset.py`. The delta: version and split come from
the info file, files are read without executing code, paths are joined to the data root as they
stand, void boxes are dropped, boxes count as valid when LiDAR or radar saw them, unknown
velocities stay NaN instead of becoming zero, and augmentation does not depend on the number of
workers.
"""
from os import path as osp
from typing import Any, Callable, Dict, List, Optional, Union

import numpy as np
import torch
from mmdet3d.datasets import NuScenesDataset
from mmdet3d.registry import DATASETS
from mmdet3d.structures import LiDARInstance3DBoxes

from ..nuscenes_facts import CLASS_NAMES
from .draws import passes_before
from .info_file import load_info_file
from .seeding import seeded_generators

BOX_DIM = 9


@DATASETS.register_module()
class GeminiNuScenesDataset(NuScenesDataset):
    """nuScenes keyframes for camera-LiDAR detection.

    Args:
        data_root: the dataset's root; the paths of the info file are relative to it.
        ann_file: the info file, absolute or relative to `data_root`.
        pipeline: transforms.
        modality: `use_camera`, `use_lidar`; only these sensors' paths are handed on.
        metainfo: may name a subset of the classes; others are dropped.
        filter_empty_gt: in training, skip keyframes without boxes.
        test_mode: no `ann_info`, nothing is skipped.
        load_eval_anns: in test mode, hand on `eval_ann_info`.
        use_valid_flag: drop boxes that neither LiDAR nor radar saw, as the devkit's evaluation
            does.
        seed: base of all augmentation.
        indices: take only the first so many, or these, keyframes.
        lazy_init: do not read the info file yet.
    """

    METAINFO = {'classes': CLASS_NAMES, 'palette': NuScenesDataset.METAINFO['palette']}

    def __init__(self, *, data_root: str, ann_file: str, pipeline: List[Union[dict, Callable]],
                 modality: Optional[dict] = None, metainfo: Optional[dict] = None,
                 filter_empty_gt: bool = True, test_mode: bool = False,
                 load_eval_anns: bool = True, use_valid_flag: bool = True, seed: int = 0,
                 indices: Union[int, List[int], None] = None, lazy_init: bool = False) -> None:
        self.seed = seed
        # Shared memory: workers that outlive an epoch see the new value.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()
        super().__init__(
            data_root=data_root, ann_file=ann_file, pipeline=pipeline, data_prefix={},
            modality=dict(modality or {'use_camera': True, 'use_lidar': True}), metainfo=metainfo,
            filter_empty_gt=filter_empty_gt, test_mode=test_mode, load_eval_anns=load_eval_anns,
            use_valid_flag=use_valid_flag, indices=indices, lazy_init=lazy_init)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the augmentation of this epoch, for this process and its loading workers."""
        self._epoch[0] = epoch

    def __getitem__(self, idx: int) -> dict:
        """Runs the pipeline on one keyframe with the randomness of (seed, epoch, index).

        Args:
            idx: which keyframe.
        """
        return self.draw(idx)

    def draw(self, idx: int, *, repetition: int = 0) -> dict:
        """Runs the pipeline on one keyframe with the randomness of (seed, epoch, index, repetition).

        Args:
            idx: which keyframe.
            repetition: how often the keyframe was drawn before in this epoch; 0 is what indexing
                gives.
        """
        with seeded_generators((self.seed, int(self._epoch), int(idx), repetition)):
            return super().__getitem__(idx)

    def get_data_info(self, idx: int) -> dict:
        """Returns one keyframe's record, with the `epoch` for transforms that change over time.

        Args:
            idx: which keyframe.
        """
        return {**super().get_data_info(idx), 'epoch': int(self._epoch) + passes_before()}

    def prepare_data(self, index: int) -> Optional[dict]:
        """Runs the pipeline on one keyframe; None where training skips it.

        The delta to the host's: the record is made for this call alone, and not copied once more.

        Args:
            index: which keyframe.
        """
        record = {**self.get_data_info(index), 'box_type_3d': self.box_type_3d,
                  'box_mode_3d': self.box_mode_3d}
        skips_empty = self.filter_empty_gt and not self.test_mode
        if skips_empty and len(record['ann_info']['gt_labels_3d']) == 0:
            return None
        sample = self.pipeline(record)
        if skips_empty and (sample is None or not len(sample['data_samples'].gt_instances_3d.labels_3d)):
            return None
        return sample

    def load_data_list(self) -> List[dict]:
        """Reads the info file; its version and split become part of `metainfo`."""
        content = load_info_file(self.ann_file, self.METAINFO['classes'])
        for key in ('version', 'split', 'dataset'):
            self._metainfo.setdefault(key, content['metainfo'][key])
        return [self.parse_data_info(info) for info in content['data_list']]

    def parse_data_info(self, info: Dict[str, Any]) -> Dict[str, Any]:
        """Makes the paths of the sensors in use complete and the annotations ready.

        Args:
            info: one record of the info file.
        """
        data_info = {key: value for key, value in info.items()
                     if key not in ('images', 'lidar_points', 'lidar_sweeps')}
        if self.modality['use_camera']:
            data_info['images'] = {
                name: {**image, 'img_path': osp.join(self.data_root, image['img_path'])}
                for name, image in info['images'].items()}
        # Calibration is of use without points too; only the sweeps' files belong to the LiDAR
        # alone.
        data_info['lidar_points'] = self._with_full_path(info['lidar_points'])
        data_info['lidar2ego'] = np.asarray(info['lidar_points']['lidar2ego'])
        data_info['ego2global'] = np.asarray(info['ego2global'])
        if self.modality['use_lidar']:
            data_info['lidar_sweeps'] = [
                {**sweep, 'lidar_points': self._with_full_path(sweep['lidar_points'])}
                for sweep in info['lidar_sweeps']]
        if not self.test_mode:
            data_info['ann_info'] = self.parse_ann_info(info)
        elif self.load_eval_anns:
            data_info['eval_ann_info'] = self.parse_ann_info(info)
        return data_info

    def parse_ann_info(self, info: Dict[str, Any]) -> Dict[str, Any]:
        """Collects the boxes to learn or to compare with.

        Args:
            info: one record of the info file.

        Returns:
            `gt_bboxes_3d`: LiDAR frame, bottom centre, (N, 9), velocity NaN where unknown;
            `gt_labels_3d`: (N,).
        """
        kept = [(self.label_mapping[instance['bbox_label_3d']], instance)
                for instance in info['instances']
                if instance['bbox_3d_isvalid'] or not self.use_valid_flag]
        kept = [(label, instance) for label, instance in kept if label >= 0]
        for label, _ in kept:
            self.num_ins_per_cat[label] += 1
        boxes = np.array([[*instance['bbox_3d'], *instance['velocity']] for _, instance in kept],
                         dtype=np.float32).reshape(-1, BOX_DIM)
        return {
            'gt_bboxes_3d': LiDARInstance3DBoxes(boxes, box_dim=BOX_DIM, origin=(0.5, 0.5, 0.5)),
            'gt_labels_3d': np.array([label for label, _ in kept], dtype=np.int64),
        }

    def _with_full_path(self, lidar_points: Dict[str, Any]) -> Dict[str, Any]:
        return {**lidar_points, 'lidar_path': osp.join(self.data_root, lidar_points['lidar_path'])}
