"""Datasets of keyframes: records -> what the pipelines start from, annotations ready for training.

Subclasses of mmdet3d v1.4.0 `Det3DDataset`. The delta: records stay where they are on disk and are read
one at a time, so that eight processes start in the memory of one; files are read without executing code and
never outside the data root; any classes are taken, by name; void boxes and boxes that no loss can use are
dropped, unknown velocities stay NaN instead of becoming zero, and augmentation does not depend on the number
of workers.
"""
import copy
import json
import logging
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple, Union

import numpy as np
import torch
from mmdet3d.datasets import Det3DDataset, NuScenesDataset
from mmdet3d.registry import DATASETS
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.logging import print_log

from ..errors import UserError
from ..info_file import open_info_file
from ..learned_samples import SampleRecord
from ..nuscenes_facts import CLASS_NAMES, LIDAR_COLUMNS
from ..paths import inside
from .draws import draw_key, passes_before, seeded_generators
from .load_points import GeminiLoadPoints
from .load_radar import GeminiLoadRadar
from .records import FASTEST_MPS, LONGEST_SIDE_M, RecordInfos

BOX_DIM = 9
# What is read where a dataset does not say.
SENSORS = {'use_camera': True, 'use_lidar': True}


class GeminiKeyframeDataset(Det3DDataset):
    """Keyframes for detection, whatever their records come from.

    Args:
        data_root: the paths of the records are relative to it.
        ann_file: the file with the records, absolute or relative to `data_root`.
        pipeline: transforms.
        modality: `use_camera`, `use_lidar`, `use_radar`; only these sensors' paths are handed on.
        metainfo: `classes`, in the order of the labels: detection classes, or names of the data's own
            categories; boxes of others are dropped.
        filter_empty_gt: in training, skip keyframes without boxes.
        test_mode: no `ann_info`, nothing is skipped.
        load_eval_anns: in test mode, hand on `eval_ann_info`.
        use_valid_flag: drop boxes that neither LiDAR nor radar saw, as the devkit's evaluation
            does.
        seed: base of all augmentation.
        indices: take only the first so many, or these, keyframes.
        lazy_init: do not open the records yet.
        box_type_3d: 'LiDAR', which mmdet3d's inference functions look for in a config.

    Raises:
        ValueError: if it is another.
    """

    # Of a training's dataset, once it has been read.
    classes_without_boxes: Sequence[str] = ()
    other_categories: Sequence[str] = ()
    METAINFO = {'classes': CLASS_NAMES, 'palette': NuScenesDataset.METAINFO['palette']}
    CATEGORIES_ARE_CLASSES = False

    def __init__(self, *, data_root: str, ann_file: str, pipeline: List[Union[dict, Callable]],
                 modality: Optional[dict] = None, metainfo: Optional[dict] = None,
                 filter_empty_gt: bool = True, test_mode: bool = False,
                 load_eval_anns: bool = True, use_valid_flag: bool = True, seed: int = 0,
                 indices: Union[int, List[int], None] = None, lazy_init: bool = False,
                 box_type_3d: str = 'LiDAR') -> None:
        if box_type_3d != 'LiDAR':
            raise ValueError(f"got box_type_3d={box_type_3d!r}; expected 'LiDAR', the frame of all boxes")
        self.seed, self.use_valid_flag = seed, use_valid_flag
        # Shared memory: workers that outlive an epoch see the new value.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()
        super().__init__(
            data_root=data_root, ann_file=ann_file, pipeline=pipeline, data_prefix={},
            modality=dict(SENSORS),
            filter_empty_gt=filter_empty_gt, test_mode=test_mode, load_eval_anns=load_eval_anns,
            lazy_init=True)
        # mmdet3d's own refuses radars alone.
        self.modality = {**dict.fromkeys(SENSORS, False), **(modality or SENSORS)}
        if not any(self.modality.values()):
            raise ValueError(
                f'got modality={modality}; expected one sensor at least, such as use_camera=True')
        self._metainfo.update(_checked_metainfo(metainfo or {}, self.METAINFO))
        self.has_own_classes = self.CATEGORIES_ARE_CLASSES or 'classes' in (metainfo or {})
        self._label_of = {name: label for label, name in enumerate(self._metainfo['classes'])}
        self._wanted = indices
        self._places: Sequence[int] = ()
        if not lazy_init:
            self.full_init()

    def open_records(self) -> Sequence[Dict[str, Any]]:
        """Opens the records."""
        raise NotImplementedError

    def full_init(self) -> None:
        """Opens the records, once.

        Raises:
            UserError: if they cannot be used, or hold nothing to learn from.
        """
        if self._fully_initialized:
            return
        self.records = self.open_records()
        self._places = _subset(range(len(self.records)), self._wanted)
        self._fully_initialized = True
        if not self.test_mode and self.filter_empty_gt:
            self._check_boxes()

    def _check_boxes(self) -> None:
        """Notes classes without a box; a training that skips every keyframe would look for a better for ever.

        Raises:
            UserError: if no class has one.
        """
        classes: Tuple[str, ...] = self._metainfo['classes']
        absent: Dict[int, str] = dict(enumerate(classes))
        others: Set[str] = set()
        for place in self._places:
            for instance in self.records[place]['instances']:
                label = self._label(instance)
                if label < 0:
                    others.add(instance.get('category', ''))
                elif instance['bbox_3d_isvalid'] or not self.use_valid_flag:
                    absent.pop(label, None)
            if not absent:
                break
        if len(absent) == len(classes):
            raise UserError(
                f'{self.ann_file} holds no box of {", ".join(classes)} in {len(self._places)} keyframes (its '
                f'other categories: {", ".join(sorted(others)) or "none"}); name its own with '
                'metainfo=dict(classes=...), or take another split')
        self.classes_without_boxes = list(absent.values())
        self.other_categories = sorted(others)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the augmentation of this epoch, for this process and its loading workers."""
        self._epoch[0] = epoch

    def __len__(self) -> int:
        self.full_init()
        return len(self._places)

    def sample_record(self) -> SampleRecord:
        """Returns which keyframes it holds, for comparison with those of other datasets."""
        self.full_init()
        return SampleRecord.of(self.source(), map(self.sample_name, self._places))

    def source(self) -> str:
        """Returns what its keyframes are of, in words."""
        return Path(self.ann_file).name

    def sample_name(self, place: int) -> str:
        """Returns what tells a keyframe from all others, of whatever dataset."""
        return str(self.records[place]['token'])

    def __getitem__(self, idx: int) -> dict:
        """Runs the pipeline on one keyframe with the randomness of (seed, epoch, index)."""
        return self.draw(idx)

    def draw(self, idx: int, *, repetition: int = 0) -> dict:
        """Runs the pipeline on one keyframe with the randomness of (seed, epoch, index, repetition).

        Args:
            idx: which keyframe.
            repetition: how often the keyframe was drawn before in this epoch; 0 is what indexing
                gives.
        """
        self.full_init()
        with seeded_generators(draw_key(self.seed, int(self._epoch), int(idx), repetition)):
            for _ in range(self.max_refetch + 1):
                sample = self.prepare_data(idx)
                if sample is not None:
                    return sample
                idx = self._rand_another()
        raise UserError(f'{self.max_refetch + 1} keyframes of {self.ann_file} have no box left after the '
                        'pipeline; are its ranges in metres, and its classes those of the dataset?')

    def get_subset_(self, indices: Union[List[int], int]) -> None:
        """Keeps some keyframes only.

        Args:
            indices: these, or the first so many (the last, where negative).
        """
        self.full_init()
        self._places = _subset(self._places, indices)

    def get_subset(self, indices: Union[List[int], int]) -> 'GeminiKeyframeDataset':
        """Returns a dataset of some keyframes; see `get_subset_`."""
        other = copy.copy(self)
        other.get_subset_(indices)
        return other

    def get_data_info(self, idx: int) -> dict:
        """Returns one keyframe's record, with the `epoch` for transforms that change over time."""
        self.full_init()
        info = self.parse_data_info({**self.records[self._places[idx]], 'sample_idx': self._places[idx]})
        return {**info, 'epoch': int(self._epoch) + passes_before()}

    def prepare_data(self, index: int) -> Optional[dict]:
        """Runs the pipeline on one keyframe; None where training skips it."""
        record = self.get_data_info(index)
        skips_empty = self.filter_empty_gt and not self.test_mode
        if skips_empty and len(record['ann_info']['gt_labels_3d']) == 0:
            return None
        sample = self.run_pipeline(record)
        if skips_empty and (sample is None or not len(sample['data_samples'].gt_instances_3d.labels_3d)):
            return None
        return sample

    def run_pipeline(self, record: Dict[str, Any]) -> Optional[dict]:
        """Runs the pipeline on what `parse_data_info` made of a record."""
        return self.pipeline({**record, 'box_type_3d': self.box_type_3d, 'box_mode_3d': self.box_mode_3d})

    def get_cat_ids(self, idx: int) -> Set[int]:
        """Returns the labels of a keyframe's boxes, for class-balanced sampling."""
        self.full_init()
        return set(self._boxes_and_labels(self.records[self._places[idx]])[1].tolist())

    def parse_data_info(self, info: Dict[str, Any]) -> Dict[str, Any]:
        """Makes the paths of the sensors in use complete and the annotations ready.

        Args:
            info: one record.

        Raises:
            UserError: if a path would leave the data root.
        """
        data_info = {key: value for key, value in info.items()
                     if key not in ('images', 'lidar_points', 'lidar_sweeps', 'radars')}
        if self.modality['use_camera']:
            data_info['images'] = {
                name: {**image, 'img_path': self._full_path(image['img_path'])}
                for name, image in info['images'].items()}
            data_info['img_path'] = [image['img_path'] for image in data_info['images'].values()
                                     if isinstance(image['img_path'], str)]
        # Calibration is of use without points too; only the sweeps' files belong to the LiDAR
        # alone.
        data_info['lidar_points'] = self._with_full_path(info['lidar_points'])
        if 'lidar2ego' in info['lidar_points']:
            data_info['lidar2ego'] = np.asarray(info['lidar_points']['lidar2ego'])
        if 'ego2global' in info:
            data_info['ego2global'] = np.asarray(info['ego2global'])
        if info.get('cells') is not None:
            data_info['cells'] = self._full_path(info['cells'])
        # What mmdet3d's visualization hook looks for, as img_path.
        if isinstance(data_info['lidar_points']['lidar_path'], str):
            data_info['lidar_path'] = data_info['lidar_points']['lidar_path']
            data_info['num_pts_feats'] = len(data_info['lidar_points'].get('columns', LIDAR_COLUMNS))
        if self.modality['use_lidar']:
            data_info['lidar_sweeps'] = [
                {**sweep, 'lidar_points': self._with_full_path(sweep['lidar_points'])}
                for sweep in info['lidar_sweeps']]
        if self.modality.get('use_radar'):
            if 'radars' not in info:
                raise UserError(f'{self.ann_file or "the sample"} lists no radars; expected them with '
                                'use_radar=True: convert the dataset again with --radar-sweeps 5, give '
                                'records a field radars ({} where a sample has none)')
            data_info['radars'] = {
                name: [{**shot, 'radar_path': self._full_path(shot['radar_path'])} for shot in shots]
                for name, shots in info['radars'].items()}
        if not self.test_mode:
            data_info['ann_info'] = self.parse_ann_info(info)
        elif self.load_eval_anns:
            data_info['eval_ann_info'] = self.parse_ann_info(info)
        return data_info

    def parse_ann_info(self, info: Dict[str, Any]) -> Dict[str, Any]:
        """Collects the boxes to learn or to compare with.

        Boxes that are not finite or have no sides are dropped, speeds that no road user has are unknown.

        Args:
            info: one record.

        Returns:
            `gt_bboxes_3d`: LiDAR frame, bottom centre, (N, 9), velocity NaN where unknown;
            `gt_labels_3d`: (N,).
        """
        boxes, labels = self._boxes_and_labels(info)
        return {'gt_bboxes_3d': LiDARInstance3DBoxes(boxes, box_dim=BOX_DIM, origin=(0.5, 0.5, 0.5)),
                'gt_labels_3d': labels}

    def _boxes_and_labels(self, info: Dict[str, Any]) -> Tuple[np.ndarray, np.ndarray]:
        """Returns the boxes (N, 9), centre in the middle, and labels (N,) of a record."""
        kept = [(self._label(instance), instance) for instance in info['instances']
                if instance['bbox_3d_isvalid'] or not self.use_valid_flag]
        kept = [(label, instance) for label, instance in kept if label >= 0]
        boxes = np.array([[*instance['bbox_3d'], *instance['velocity']] for _, instance in kept],
                         dtype=np.float32).reshape(-1, BOX_DIM)
        labels = np.array([label for label, _ in kept], dtype=np.int64)
        sides_m = boxes[:, 3:6]
        is_sound = np.isfinite(boxes[:, :7]).all(axis=1) & (
            (sides_m > 0) & (sides_m < LONGEST_SIDE_M)).all(axis=1)
        boxes, labels = boxes[is_sound], labels[is_sound]
        boxes[~(np.hypot(*boxes[:, 7:9].T) <= FASTEST_MPS), 7:9] = np.nan
        return boxes, labels

    def _label(self, instance: Dict[str, Any]) -> int:
        """Returns the detection class that the record says, or the category where classes are own."""
        label = instance['bbox_label_3d']
        name = CLASS_NAMES[label] if 0 <= label < len(CLASS_NAMES) else ''
        category = instance.get('category', '') if self.has_own_classes else ''
        return self._label_of.get(name, self._label_of.get(category, -1))

    def _with_full_path(self, lidar_points: Dict[str, Any]) -> Dict[str, Any]:
        return {**lidar_points, 'lidar_path': self._full_path(lidar_points['lidar_path'])}

    def _full_path(self, source: Any) -> Any:
        """Joins a path to the data root; None, and what is in memory already, stay as they are."""
        return inside(self.data_root, source) if isinstance(source, str) else source


@DATASETS.register_module()
class GeminiNuScenesDataset(GeminiKeyframeDataset):
    """nuScenes keyframes from an info file of this project or of mmdet3d (v2).

    `ann_file` is `geminifusion3d_infos_<split>.pkl`; where it is absent, `nuscenes_infos_<split>.pkl` is
    taken. Version and split come from the file. For other arguments see GeminiKeyframeDataset.
    """

    def open_records(self) -> Sequence[Dict[str, Any]]:
        """Opens the info file; says if it lists fewer sweeps than the pipeline reads."""
        records = open_info_file(self.ann_file)
        steps = [part for step in self.pipeline.transforms for part in (step, *getattr(step, 'steps', ()))]
        for kind, key, option in ((GeminiLoadPoints, 'max_sweeps', '--max-sweeps'),
                                  (GeminiLoadRadar, 'radar_sweeps', '--radar-sweeps')):
            listed, read = records.metainfo.get(key), max(
                (step.sweeps_num for step in steps if isinstance(step, kind)), default=0)
            # No sweeps at all of the radars is what a world without them is converted with.
            if listed is not None and listed < read and (listed or kind is GeminiLoadPoints):
                print_log(f'{self.ann_file} lists {listed} sweeps before each keyframe, and {kind.__name__} '
                          f'reads {read}: convert again with {option} {read}, unless fewer are meant',
                          'current', logging.WARNING)
        return records

    def source(self) -> str:
        """Returns version and split."""
        return f'{self.records.metainfo["version"]} {self.records.metainfo["split"]}'


def _checked_metainfo(metainfo: Dict[str, Any], usual: Dict[str, Any]) -> Dict[str, Any]:
    """Completes a user's metainfo: every class has a colour."""
    classes = tuple(metainfo.get('classes', usual['classes']))
    is_sound = classes and len(
        set(classes)) == len(classes) and all(
        isinstance(
            name, str) for name in classes)
    if not is_sound or isinstance(metainfo.get('classes'), str):
        raise UserError(f'got metainfo with classes={metainfo["classes"]!r}; expected different names, in '
                        'the order of the labels')
    palette = metainfo.get('palette', usual['palette'])
    return {**metainfo, 'classes': classes,
            'palette': [palette[index % len(palette)] for index in range(len(classes))]}


def _subset(places: Sequence[int], wanted: Union[Sequence[int], int, None]) -> Sequence[int]:
    """As in mmengine: the first so many, the last where negative, or these."""
    if wanted is None:
        return places
    if isinstance(wanted, int):
        return places[:wanted] if wanted >= 0 else places[wanted:]
    return [places[index] for index in wanted]


@DATASETS.register_module()
class GeminiRecordDataset(GeminiKeyframeDataset):
    """Samples of anybody's data from a file of records; see `sensors/records.py` for what a record holds.

    `ann_file` is the `.jsonl` file; name the classes with `metainfo=dict(classes=...)`, and the cameras with
    `camera_names` of GeminiLoadImages. For other arguments see GeminiKeyframeDataset.
    """

    CATEGORIES_ARE_CLASSES = True

    def open_records(self) -> Sequence[Dict[str, Any]]:
        """Opens the file; the first record is checked at once, others when they are read."""
        records = RecordInfos(self.ann_file)
        records[0]
        return records

    def sample_name(self, place: int) -> str:
        """Returns the whole record: two datasets may both call their first sample 0."""
        return json.dumps(self.records.records[place], sort_keys=True)
