r"""The detector: images and points in, boxes in the LiDAR frame out, one call per stage.

    images -> camera BEV \
    points -> LiDAR BEV  - align -> fuser -> BEV backbone + neck -> head -> boxes, classes of cells
    radar  -> radar BEV  /
"""
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from jaxtyping import Bool, Float
from mmdet3d.models.detectors import Base3DDetector
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from .fusion.two_maps import FusedBEV
from .geometry.bev_grid import BEVGrid
from .geometry.camera_rig import CameraRig
from .modalities import CAMERA, LIDAR, ORDER, in_order, points_key, use_flag


class Aligned(NamedTuple):
    """What a sensor's stage returns.

    Attributes:
        bev: its map on the model's grid.
        is_present: of which samples it delivered anything.
        losses: of the branch, by name; empty in evaluation mode.
    """

    bev: Float[Tensor, 'b c y x']
    is_present: Bool[Tensor, ' b']
    losses: Dict[str, Tensor]


class Encoded(NamedTuple):
    """What every stage before the head returns together.

    Attributes:
        features: the neck's maps, each (B, C, Y, X).
        losses: of the stages before the head, by name; empty in evaluation mode.
    """

    features: List[Tensor]
    losses: Dict[str, Tensor]


@MODELS.register_module()
class GeminiFusion3D(Base3DDetector):
    """3D detector of any sensors; of one it is the single-modality baseline.

    Args:
        bev_grid: `range_m` and `cell_m` of the one BEVGrid, handed to every part that needs it.
        bev_neck: dense 2D neck back to the grid's resolution.
        bbox_head: detection head; None for segmentation alone.
        seg_head: head that segments the cells of the map; None for detection alone.
        bev_backbone: dense 2D backbone; None where the fuser is one itself and returns its levels.
        offset_field: moves the camera map, cell by cell, to where the next sensor's shows the same: a
            GeminiOffsetField or a GeminiNeighbourhood; or None.
        cell_encoding: tells the maps where each cell lies, a GeminiCellEncoding; or None.
        gate: weighs the maps by how far each is to be trusted, a GeminiReliabilityGate; or None.
        motion: adds what moved between the LiDAR's sweeps to what the heads read: GeminiSweepMotion, or None.
        fuser: the maps to one, in the order of `modalities.in_order`; with two branches or more.
        data_preprocessor: mmdet3d's Det3DDataPreprocessor, or GeminiDataPreprocessor.
        init_cfg: weights to start from, as in every mmengine module.
        train_cfg: None, as mmdet3d's `init_model` passes it; what it holds elsewhere stands in the parts.
        test_cfg: likewise.
        **sensors: by sensor NAME_branch, its input to BEV, and NAME_align, that onto the grid; None, or left
            out: without it. `camera` reads images, `lidar`, `radar` and any other name a cloud: `points` of
            the LiDAR, `NAME_points` of others.

    Raises:
        ValueError: if the parts do not fit together.
    """

    def __init__(self, *, bev_grid: Dict[str, Any], bev_neck: Dict[str, Any],
                 bbox_head: Optional[Dict[str, Any]] = None, seg_head: Optional[Dict[str, Any]] = None,
                 bev_backbone: Optional[Dict[str, Any]] = None,
                 offset_field: Optional[Dict[str, Any]] = None,
                 cell_encoding: Optional[Dict[str, Any]] = None,
                 gate: Optional[Dict[str, Any]] = None,
                 motion: Optional[Dict[str, Any]] = None,
                 fuser: Optional[Dict[str, Any]] = None,
                 data_preprocessor: Optional[Dict[str, Any]] = None,
                 init_cfg: Optional[Dict[str, Any]] = None,
                 train_cfg: Optional[Dict[str, Any]] = None,
                 test_cfg: Optional[Dict[str, Any]] = None,
                 **sensors: Optional[Dict[str, Any]]) -> None:
        if train_cfg or test_cfg:
            raise ValueError(f'GeminiFusion3D got train_cfg={train_cfg}, test_cfg={test_cfg}, which it would '
                             'not read; expected None: write their settings into bbox_head')
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if not bbox_head and not seg_head:
            raise ValueError('the model needs a bbox_head, a seg_head or both, got neither')
        parts = _pair_parts(sensors)
        self.sensors = tuple(in_order(name for name, (branch, _) in parts.items() if branch))
        _check_parts(self.sensors, offset_field, fuser, motion)
        self.bev_grid = BEVGrid.from_config(bev_grid)
        for name in in_order([*ORDER, *parts]):
            branch, align = parts.get(name, (None, None))
            setattr(self, f'{name}_branch', self._build_branch(branch, align))
            setattr(self, f'{name}_align', self._build_on_grid(align))
        self.offset_field = self._build_on_grid(offset_field)
        self.cell_encoding = self._build_on_grid(cell_encoding)
        self.gate = MODELS.build(gate) if gate else None
        self.fuser = MODELS.build(fuser) if fuser else None
        for name, part in (('cell_encoding', self.cell_encoding), ('gate', self.gate), ('fuser', self.fuser)):
            num_maps = getattr(part, 'modalities', 2)
            if part is not None and num_maps != len(self.sensors):
                raise ValueError(f'the {name} {type(part).__name__} takes {num_maps} maps, got '
                                 f'{len(self.sensors)} sensors ({", ".join(self.sensors)}); more than two '
                                 'need modalities of that number, and as fuser GeminiNWayFusion or '
                                 'GeminiGatedMaxFusion')
        self.bev_backbone = MODELS.build(bev_backbone) if bev_backbone else None
        self.bev_neck = MODELS.build(bev_neck)
        self.motion = self._build_on_grid(motion)
        self.bbox_head = self._build_on_grid(bbox_head)
        self.seg_head = self._build_on_grid(seg_head)

    def _build_on_grid(self, part: Optional[Dict[str, Any]], grid: Optional[BEVGrid] = None) -> Any:
        if part and 'bev_grid' in part:
            raise ValueError(f'{part.get("type")} got a bev_grid of its own, which nobody would read; '
                             'expected none: every part gets the model\'s, write model.bev_grid')
        return MODELS.build({**part, 'bev_grid': grid or self.bev_grid}) if part else None

    def _build_branch(self, branch: Optional[Dict[str, Any]], align: Optional[Dict[str, Any]]) -> Any:
        """Builds a branch on the model's grid, or on the other one from which its alignment resamples."""
        own_grid = align and align.get('branch_grid')
        return self._build_on_grid(branch, BEVGrid.from_config(own_grid) if own_grid else None)

    @property
    def learned_settings(self) -> Dict[str, Any]:
        """What weights belong to that no shape tells: cells, voxels, depths and how pixels are scaled."""
        settings: Dict[str, Any] = {'bev_grid.range_m': [float(edge) for edge in self.bev_grid.range_m],
                                    'bev_grid.cell_m': float(self.bev_grid.cell_m)}
        for name in self.sensors:
            branch = self.parts_of(name)[0]
            for setting, owner in (('voxel_m', branch), ('depth_range_m', getattr(branch, 'frustum', None))):
                if hasattr(owner, setting):
                    settings[f'{name}_branch.{setting}'] = [float(one) for one in getattr(owner, setting)]
        pixels = self.data_preprocessor
        if self.camera_branch is not None and hasattr(pixels, 'mean'):
            settings.update({f'data_preprocessor.{name}': getattr(pixels, name).flatten().tolist()
                             for name in ('mean', 'std')})
            settings['data_preprocessor.bgr_to_rgb'] = bool(pixels._channel_conversion)
        return settings

    @property
    def modalities(self) -> Dict[str, bool]:
        """The sensors that a prediction depends on, under the names of a submission's meta."""
        reads_depth = self.camera_branch is not None and self.camera_branch.reads_lidar
        return {use_flag(name): name in self.sensors or (name == LIDAR and reads_depth)
                for name in in_order([*ORDER, *self.sensors])}

    def _dump_init_info(self) -> None:
        """Leaves out mmengine's list of how every parameter begins, most of a log file."""

    def extract_feat(self, batch_inputs_dict: Dict[str, Any],
                     batch_input_metas: Optional[Sequence[Dict[str, Any]]] = None) -> List[Tensor]:
        """Runs every stage before the head.

        Args:
            batch_inputs_dict: `imgs` (B, n_cam, 3, H, W) and clouds, `points` a list of (N_i, 5).
            batch_input_metas: metainfo of each sample; a model without cameras reads none.

        Returns:
            The neck's maps, (B, C, Y, X).

        Raises:
            ValueError: if a model with cameras gets no metainfo.
        """
        return self.encode(batch_inputs_dict, batch_input_metas).features

    def encode(self, batch_inputs_dict: Dict[str, Any],
               batch_input_metas: Optional[Sequence[Dict[str, Any]]]) -> Encoded:
        """Runs every stage before the head and, in training mode, collects the losses of these stages.

        Args:
            batch_inputs_dict: as for extract_feat.
            batch_input_metas: as for extract_feat.

        Raises:
            ValueError: if a model with cameras gets no metainfo.
        """
        moved = None if self.motion is None else self.motion.measure(_clouds(LIDAR, batch_inputs_dict))
        fused = self._fuse(batch_inputs_dict, batch_input_metas)
        return Encoded(self.head_maps(fused.bev, moved), fused.losses)

    def head_maps(self, fused: Float[Tensor, 'b c y x'], moved: Optional[Float[Tensor, 'b m y x']] = None
                  ) -> List[Tensor]:
        """Returns the maps that the heads read.

        Args:
            fused: what `fuse` returns.
            moved: what `motion` measured; None for a model without it.

        Raises:
            ValueError: if what motion adds is no map of the neck's shape.
        """
        levels = self.bev_backbone(fused) if self.bev_backbone is not None else fused
        maps = list(self.bev_neck(levels))
        if self.motion is None:
            return maps
        added = self.motion(moved)
        if added.shape[1:] != maps[0].shape[1:]:
            raise ValueError(f'motion adds a map of {tuple(added.shape[1:])} to that of bev_neck, '
                             f'{tuple(maps[0].shape[1:])} channels, rows, columns; expected the same: set '
                             'motion.out_channels to the channels of bev_neck')
        return [maps[0] + added, *maps[1:]]

    def _fuse(self, inputs: Dict[str, Any], metas: Optional[Sequence[Dict[str, Any]]]) -> FusedBEV:
        """Returns the fused map, or the only branch's, with the losses up to here."""
        # Clouds first: to count voxels the CPU waits for all that a GPU has been given before.
        scanned = {name: self._scan(name, inputs) for name in self.sensors if name != CAMERA}
        found = [self._see(inputs, metas) if name == CAMERA else scanned[name] for name in self.sensors]
        fused = self.fuse([one.bev for one in found], torch.stack([one.is_present for one in found], dim=1))
        losses = {name: loss for one in found for name, loss in one.losses.items()}
        return FusedBEV(fused.bev, {**losses, **fused.losses})

    def fuse(self, maps: Sequence[Float[Tensor, 'b c y x']],
             is_present: Optional[Bool[Tensor, 'b n']] = None) -> FusedBEV:
        """Returns the fused map, or the only one, with the losses of a fuser that has some.

        Args:
            maps: aligned, in the order of `sensors`.
            is_present: of each sample and map, for fusers that leave absent maps out; None: all are there.
        """
        if self.offset_field is not None:
            maps = [self.offset_field(*maps[:2]), *maps[1:]]
        if self.cell_encoding is not None:
            maps = self.cell_encoding(*maps)
        if self.gate is not None:
            maps = self.gate(*maps, is_present=is_present)
        if self.fuser is None:
            return FusedBEV(maps[0], {})
        reads_presence = is_present is not None and getattr(self.fuser, 'reads_presence', False)
        fused = self.fuser(*maps, is_present=is_present) if reads_presence else self.fuser(*maps)
        return fused if isinstance(fused, FusedBEV) else FusedBEV(fused, {})

    def _see(self, inputs: Dict[str, Any], metas: Optional[Sequence[Dict[str, Any]]]) -> Aligned:
        """Images to the camera map."""
        if metas is None:
            raise ValueError('a model with cameras got no batch_input_metas; pass the metainfo of each '
                             'sample, '
                             '[sample.metainfo for sample in data_samples]: the calibration stands in it')
        images, points = inputs['imgs'], inputs.get('points')
        rig = CameraRig.from_metas(metas, device=images.device,
                                   corner_pixels=self.camera_branch.corner_pixels)
        camera = self.camera_branch(images, rig, points)
        losses = self.camera_branch.loss(camera) if self.training else {}
        is_present = rig.is_present.any(dim=1)
        return Aligned(self.camera_align(camera.bev, is_present), is_present, losses)

    def _scan(self, name: str, inputs: Dict[str, Any]) -> Aligned:
        """A sensor's clouds to its map."""
        branch, align = self.parts_of(name)
        points = _clouds(name, inputs)
        is_present = _are_filled(points)
        return Aligned(align(branch(points), is_present), is_present, {})

    def parts_of(self, name: str) -> Tuple[Any, Any]:
        """Returns the branch and the alignment of a sensor."""
        return getattr(self, f'{name}_branch'), getattr(self, f'{name}_align')

    def loss(self, batch_inputs_dict: Dict[str, Any], batch_data_samples: List[Det3DDataSample]
             ) -> Dict[str, Tensor]:
        """Returns the heads' losses and those of the stages before them."""
        encoded = self.encode(batch_inputs_dict, _metas(batch_data_samples))
        losses = dict(encoded.losses)
        for head in self._heads:
            losses.update(head.loss(encoded.features, batch_data_samples))
        return losses

    def predict(self, batch_inputs_dict: Dict[str, Any], batch_data_samples: List[Det3DDataSample]
                ) -> List[Det3DDataSample]:
        """Returns the samples with `pred_instances_3d` in the LiDAR frame and `pred_cells`, as the heads are.

        Boxes are on the CPU. No gradient can be asked for.
        """
        with torch.inference_mode():
            features = self.extract_feat(batch_inputs_dict, _metas(batch_data_samples))
            boxes = self.bbox_head.predict(features, batch_data_samples) if self.bbox_head else []
            cells = self.seg_head.predict(features, batch_data_samples) if self.seg_head else []
        # Copied out: tensors of inference mode could not be changed in place by whoever gets them.
        for sample, scores in zip(batch_data_samples, cells):
            sample.pred_cells = scores.clone()
        if not self.bbox_head:
            return batch_data_samples
        boxes = [InstanceData(**{key: value.clone() for key, value in found.items()}) for found in boxes]
        return self.add_pred_to_datasample(batch_data_samples, boxes)

    def _forward(self, batch_inputs_dict: Dict[str, Any], batch_data_samples: List[Det3DDataSample]) -> Any:
        """Returns the head's raw maps, a tuple of both heads', for tools that trace or count operations."""
        if not isinstance(batch_inputs_dict, dict):
            raise ValueError(f'the model got a {type(batch_inputs_dict).__name__}, as get_flops.py hands it '
                             'over; expected a dictionary with points and imgs: gemini3d stats CONFIG '
                             'counts operations')
        features = self.extract_feat(batch_inputs_dict, _metas(batch_data_samples))
        maps = tuple(head(features) for head in self._heads)
        return maps if len(maps) > 1 else maps[0]

    @property
    def _heads(self) -> List[Any]:
        return [head for head in (self.bbox_head, self.seg_head) if head is not None]


def _metas(samples: List[Det3DDataSample]) -> List[Dict[str, Any]]:
    return [sample.metainfo for sample in samples]


def _clouds(name: str, inputs: Dict[str, Any]) -> List[Tensor]:
    """Returns the clouds of a sensor."""
    points = inputs.get(points_key(name))
    if points is None:
        raise ValueError(f'a model with {name}_branch got {", ".join(inputs)}; expected '
                         f'{points_key(name)} too: load it and name it among the keys that are packed')
    return points


def _are_filled(points: Sequence[Float[Tensor, '_ f']]) -> Bool[Tensor, ' b']:
    """Says of each cloud whether it holds a point: an empty one is a sensor that is missing."""
    # Filled in place: a copy from the CPU would wait for what the device has still to do.
    are_filled = torch.ones(len(points), dtype=torch.bool, device=points[0].device)
    for row, cloud in enumerate(points):
        if len(cloud) == 0:
            are_filled[row] = False
    return are_filled


def _pair_parts(sensors: Dict[str, Any]) -> Dict[str, Tuple[Any, Any]]:
    """Returns branch and alignment by sensor."""
    unknown = [key for key in sensors if not key.endswith(('_branch', '_align'))]
    if unknown:
        raise TypeError(f'GeminiFusion3D got unexpected arguments {", ".join(unknown)}; expected, beside its '
                        'own, NAME_branch and NAME_align of each sensor')
    names = dict.fromkeys(key.rpartition('_')[0] for key in sensors)
    parts = {name: (sensors.get(f'{name}_branch'), sensors.get(f'{name}_align')) for name in names}
    for name, (branch, align) in parts.items():
        if bool(branch) != bool(align):
            raise ValueError(f'{name}_branch and {name}_align come together, got '
                             f'{"only the branch" if branch else "only the alignment"}')
    return parts


def _check_parts(sensors: Sequence[str], offset_field: Any, fuser: Any, motion: Any) -> None:
    if not sensors:
        raise ValueError('the model needs a camera_branch, a lidar_branch or another sensor\'s, got none')
    if bool(fuser) != (len(sensors) > 1):
        raise ValueError('a fuser is needed with two branches or more and only then, got '
                         f'fuser={bool(fuser)} and the sensors {", ".join(sensors)}')
    if offset_field and (len(sensors) < 2 or sensors[0] != CAMERA):
        raise ValueError(f'an offset_field compares the camera map with another, got {", ".join(sensors)}; '
                         'leave it out')
    if motion and LIDAR not in sensors:
        raise ValueError(f'motion is measured between the sweeps of a LiDAR, got {", ".join(sensors)}; '
                         'leave it out')
