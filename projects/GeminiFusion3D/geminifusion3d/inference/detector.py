"""A trained model that predicts on samples of one's own, through the recipe's own test pipeline."""
import copy
import logging
import threading
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union, overload

import numpy as np
import torch
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from torch import nn

from ..checkpoints.checkpoint_file import check_exists, read_checkpoint
from ..checkpoints.checkpoint_fit import check_learned_classes, fit_weights, said_of_config
from ..engine.config_file import check_classes, check_ranges, check_sections, load_config, trained_config
from ..engine.cuda_graphs import graph_parts
from ..engine.mistakes import config_mistakes
from ..engine.optim_wrapper import PRECISIONS
from ..errors import UserError
from ..point_files import MANY_ROWS
from ..scene_page import PALETTE_RGB
from ..sensors import GeminiLoadImages
from ..sensors.cached_loading import without_cache
from ..sensors.load_points import FRAME_ADVICE, LEAST_IN_RANGE
from ..sensors.odd_calibrations import Odd, odd_cameras, odd_intrinsics, odd_radars, sees
from .detections import Detections
from .sample import Sample

# What is predicted on has no labels.
LABEL_LOADERS = ('GeminiLoadMapCells', 'GeminiLoadCellFile')
Sensors = Union[Sample, Mapping[str, Any]]
SAMPLES = 'expected a Sample, a dictionary with the arguments of Sample.from_sensors, or a list of them'


class Detector:
    """Boxes from the sensors of one sample, or of several at once; build it with `from_files`.

        detector = Detector.from_files('configs/RECIPE.py', 'work_dirs/RECIPE/epoch_6.pth', device='cuda')
        found = detector(images={'CAM_FRONT': 'front.jpg'}, cam2img={'CAM_FRONT': [...]},
                         lidar2cam={'CAM_FRONT': [...]}, points='cloud.bin')

    The arguments are those of `Sample.from_sensors`. Any camera may be missing, and so may LiDAR and radars:
    what a recipe reads and a sample lacks counts as a silent sensor; what a recipe does not read is not
    looked at.
    Threads may share a detector; it works for one at a time.

    Args:
        model: in evaluation mode.
        dataset: of the recipe's test data; only its pipeline and its classes are used.
        name: the recipe, for messages.
        precision: 'fp32', 'bf16' or 'fp16': of the layers that autocast computes in it.

    Raises:
        UserError: for an unknown precision.
    """

    def __init__(self, model: nn.Module, dataset: Any, name: str, precision: str = 'fp32') -> None:
        if precision not in PRECISIONS:
            raise UserError(f'got precision {precision!r}; expected {", ".join(PRECISIONS)}')
        self.model, self.name, self.precision = model, name, precision
        self.class_names: Tuple[str, ...] = tuple(dataset.metainfo['classes'])
        self.palette_rgb = [PALETTE_RGB[label % len(PALETTE_RGB)] for label in range(len(self.class_names))]
        loaders = [step for step in dataset.pipeline.transforms if isinstance(step, GeminiLoadImages)]
        self.camera_names: Tuple[str, ...] = loaders[0].camera_names if loaders else ()
        self._dataset, self._lock, self._has_looked = dataset, threading.Lock(), False

    @classmethod
    def from_files(cls, config: Union[str, Path, Config], checkpoint: Union[str, Path], device: str = 'cpu',
                   cfg_options: Optional[Mapping[str, Any]] = None, *, precision: str = 'fp32',
                   cuda_graphs: bool = False) -> 'Detector':
        """Builds the model of a recipe with trained weights; nothing in the checkpoint is run.

        Args:
            config: the recipe, as a file or loaded; its test data need not exist.
            checkpoint: weights that were trained with it.
            device: 'cpu', 'cuda', 'cuda:1'.
            cfg_options: settings of the config to replace.
            precision: see the class.
            cuda_graphs: record the parts of fixed shapes as CUDA graphs, at the first sample.

        Raises:
            UserError: if one of the files cannot be used, the two do not fit together, or the device has no
                graphs.
        """
        cfg = config if isinstance(config, Config) else load_config(str(config), cfg_options)
        config, checkpoint = str(cfg.filename or 'the config'), str(checkpoint)
        check_sections(cfg, ['model', 'test_dataloader'])
        if not cfg.model.get('bbox_head'):
            raise UserError(f'{config} predicts no boxes; expected a recipe with a bbox_head: gemini3d test '
                            '--show-dir draws the cells that a seg_head finds')
        check_ranges(cfg)
        check_classes(cfg, ['test_dataloader'])
        check_exists(checkpoint)
        init_default_scope('mmdet3d')
        with config_mistakes(config):
            model, dataset = MODELS.build(cfg.model), _test_dataset(cfg)
        content = read_checkpoint(checkpoint)
        check_learned_classes(content, dataset.metainfo['classes'], name=checkpoint)
        model.load_state_dict(fit_weights(model, content, name=checkpoint))
        said = said_of_config(content, trained_config(cfg), name=checkpoint)
        if said:
            print_log(said, 'current', logging.WARNING)
        try:
            model = model.to(device)
        except (RuntimeError, AssertionError) as error:
            raise UserError(f'device {device!r} cannot be used ({" ".join(str(error).split())[:120]}); '
                            "expected 'cpu', or 'cuda' where there is a GPU") from error
        if cuda_graphs:
            graph_parts(model.eval())
        return cls(model.eval(), dataset, config, precision)

    @overload
    def __call__(self, samples: Optional[Sample] = None, *, min_score: float = 0.0, **sensors: Any
                 ) -> Detections:
        ...

    @overload
    def __call__(self, samples: Sequence[Sensors], *, min_score: float = 0.0) -> List[Detections]:
        ...

    def __call__(self, samples: Any = None, *, min_score: float = 0.0, **sensors: Any) -> Any:
        """Predicts on one sample, or on several in one batch.

        Args:
            samples: a Sample, or a list of Samples or of dictionaries with the arguments of
                `Sample.from_sensors`.
            min_score: boxes with a lower score are left out.
            **sensors: one sample, instead of `samples`.

        Returns:
            The Detections in the LiDAR frame; a list of them for a list.

        Raises:
            UserError: if a sample cannot be used; the message says what was expected.
        """
        if not 0 <= min_score <= 1:
            raise UserError(f'got min_score={min_score:g}; expected 0 to 1')
        if samples is None or isinstance(samples, (Sample, Mapping)):
            return self([sensors if samples is None else samples], min_score=min_score)[0]
        if not isinstance(samples, Iterable):
            raise UserError(f'samples is a {type(samples).__name__}; {SAMPLES}')
        made = [self.sample_of(sample) for sample in samples]
        if not made:
            return []
        with self._lock, config_mistakes(self.name):
            init_default_scope('mmdet3d')
            batch = [self.prepared(sample, index) for index, sample in enumerate(made)]
            self._look_once(made[0], batch[0]['inputs'].get('points'))
            dtype = PRECISIONS[self.precision]
            device_type = next(self.model.parameters()).device.type
            with torch.autocast(device_type, dtype=dtype, enabled=dtype is not None):
                outputs = self.model.test_step(pseudo_collate(batch))
        return [self.detections(sample, output).above(min_score) for sample, output in zip(made, outputs)]

    def sample_of(self, sensors: Sensors) -> Sample:
        """Makes a sample, and fills in the cameras that it lacks.

        Args:
            sensors: a Sample, or the arguments of `Sample.from_sensors`.
        """
        if not isinstance(sensors, (Sample, Mapping)):
            raise UserError(f'a sample is a {type(sensors).__name__}; {SAMPLES}')
        sample = sensors if isinstance(sensors, Sample) else _from_sensors(sensors)
        images, uses = sample.info['images'], self.model.modalities
        unknown = [name for name in images if name not in self.camera_names]
        is_foreign = bool(unknown) and (sample is not sensors or len(unknown) == len(images))
        if is_foreign and uses['use_camera']:
            raise UserError(f'the sample has the camera {", ".join(unknown)}; {self.name} expects '
                            f'{", ".join(self.camera_names)}')
        sees = any(images.get(name, {}).get('img_path') is not None for name in self.camera_names)
        has = dict(use_camera=sees, use_lidar=sample.info['lidar_points']['lidar_path'] is not None,
                   use_radar=any(sample.info.get('radars', {}).values()))
        if not any(uses[flag] and there for flag, there in has.items()):
            kinds = ' or '.join(kind for kind, flag in (('images', 'use_camera'), ('points', 'use_lidar'),
                                                        ('radars', 'use_radar')) if uses[flag])
            raise UserError(f'the sample {sample.token} has nothing that {self.name} reads; expected {kinds}')
        all_images = {name: images.get(name) or {'img_path': None} for name in self.camera_names}
        return Sample({**sample.info, 'images': all_images}, sample.root)

    def prepared(self, sensors: Sensors, index: int = 0) -> Dict[str, Any]:
        """Runs the recipe's test pipeline.

        Args:
            sensors: a Sample, or the arguments of `Sample.from_sensors`.
            index: of the sample, in its metainfo.
        """
        sample = self.sample_of(sensors)
        dataset = self._at(sample)
        return dataset.run_pipeline({**dataset.parse_data_info(sample.info), 'sample_idx': index, 'epoch': 0})

    def _look_once(self, sample: Sample, points: Optional[torch.Tensor]) -> None:
        """Says of the first sample what is allowed in its calibration, but hardly meant.

        Args:
            sample: what is predicted on.
            points: (N, C) in LiDAR coordinates, of the recipe's range; None where it reads none.
        """
        if self._has_looked:
            return
        self._has_looked = True
        images = {name: image for name, image in sample.info['images'].items()
                  if name in self.camera_names and image['img_path'] is not None}
        pose = sample.info['lidar_points'].get('lidar2ego')
        found = [*odd_cameras(images, pose), *odd_radars(sample.info.get('radars') or {}, pose)]
        for name, image in images.items():
            source = image['img_path']
            hw = source.shape[:2] if isinstance(source, np.ndarray) else (
                image.get('height'), image.get('width'))
            if not all(hw):
                continue
            found += odd_intrinsics(name, image['cam2img'], hw[1])
            if points is not None and len(points) and not sees(points[:, :3].cpu().numpy(), image['cam2img'],
                                                               image['lidar2cam'], hw):
                found.append(Odd('cameras that see no point of the cloud: is lidar2cam the camera from LiDAR '
                                 'coordinates, and not its inverse?', name))
        if points is not None and sample.info['lidar_points']['lidar_path'] is not None:
            range_m = list(self.model.bev_grid.range_m)
            low_m, high_m = np.array(range_m).reshape(2, 3)
            places_m = points[:, :3].cpu().numpy()
            is_in_range = ((places_m > low_m) & (places_m < high_m)).all(axis=1)
            if is_in_range.sum() < max(MANY_ROWS, LEAST_IN_RANGE * len(points)):
                found.append(Odd(f'{is_in_range.sum()} points in the range {range_m} m', FRAME_ADVICE))
        for odd in found:
            print_log(f'the sample {sample.token} has {odd.what}; {odd.where}; later samples are not looked '
                      'at', 'current', logging.WARNING)

    def _at(self, sample: Sample) -> Any:
        dataset = copy.copy(self._dataset)
        dataset.data_root = sample.root
        return dataset

    def sensors_of(self, sample: Sample) -> Dict[str, Any]:
        """Returns a sample's record with complete paths and the recipe's cameras only, for loaders."""
        return self._at(sample).parse_data_info(self.sample_of(sample).info)

    def truth_of(self, sample: Sample) -> Optional[Dict[str, Any]]:
        """Returns `gt_bboxes_3d` and `gt_labels_3d` of a sample's annotations; None where it has none."""
        # A record says the class itself, where tables of nuScenes have categories.
        dataset = copy.copy(self._dataset)
        dataset.has_own_classes = True
        return dataset.parse_ann_info(sample.info) if sample.info.get('instances') else None

    def detections(self, sample: Sample, output: Any) -> Detections:
        """Returns what the model put out for a sample.

        Args:
            sample: what was predicted on.
            output: its Det3DDataSample.
        """
        found = output.pred_instances_3d
        boxes = found.bboxes_3d
        columns = torch.cat([boxes.gravity_center, boxes.tensor[:, 3:]], dim=1).cpu().numpy()
        scores = found.scores_3d.cpu().numpy()
        order = np.argsort(-scores, kind='stable')
        has_velocities = columns.shape[1] == 9
        velocities = columns[:, 7:9] if has_velocities else np.full((len(columns), 2), np.nan, np.float32)
        poses = [None if value is None else np.asarray(value, np.float64) for value in (
            sample.info['lidar_points'].get('lidar2ego'), sample.info.get('ego2global'))]
        return Detections(sample.token, columns[order, :7], velocities[order], scores[order],
                          found.labels_3d.cpu().numpy()[order], self.class_names, *poses)


def _from_sensors(sensors: Mapping[str, Any]) -> Sample:
    try:
        return Sample.from_sensors(**sensors)
    except TypeError as error:
        raise UserError(f'a sample got {", ".join(map(str, sensors))}: {error}; expected the arguments of '
                        'Sample.from_sensors, such as images, cam2img, lidar2cam, points') from error


def _test_dataset(cfg: Config) -> Any:
    """Builds the recipe's test dataset without its records."""
    dataset = copy.deepcopy(cfg.test_dataloader.dataset)
    while 'dataset' in dataset:
        dataset = dataset.dataset
    steps = [step for step in without_cache(dataset.pipeline) if step.get('type') not in LABEL_LOADERS]
    return DATASETS.build({**dataset, 'pipeline': steps, 'data_root': '/', 'ann_file': '', 'lazy_init': True,
                           'test_mode': True, 'load_eval_anns': False})
