r"""The detector: images and points in, boxes in the LiDAR frame out, one call per stage.

    images -> camera BEV \
                          align -> fuser -> BEV backbone + neck -> head -> boxes, classes of cells
    points -> LiDAR BEV  /
"""
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import torch
from jaxtyping import Bool, Float
from mmdet3d.models.detectors import Base3DDetector
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from .fusion.fused_bev import FusedBEV
from .geometry.bev_grid import BEVGrid
from .geometry.camera_rig import CameraRig


class AlignedCamera(NamedTuple):
    """What the camera stage returns.

    Attributes:
        bev: the camera map on the model's grid.
        losses: of the camera branch, by name; empty in evaluation mode.
    """

    bev: Float[Tensor, 'b c_camera y x']
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
    """Camera-LiDAR 3D detector; without one branch it is the single-modality baseline.

    Args:
        bev_grid: `range_m` and `cell_m` of the one BEVGrid, handed to every part that needs it.
        bev_neck: dense 2D neck back to the grid's resolution.
        bbox_head: detection head; None for segmentation alone.
        seg_head: head that segments the cells of the map; None for detection alone.
        bev_backbone: dense 2D backbone; None where the fuser is one itself and returns its levels.
        camera_branch: images to BEV, or None.
        camera_align: camera BEV onto the grid; with camera_branch.
        lidar_branch: points to BEV, or None.
        lidar_align: LiDAR BEV onto the grid; with lidar_branch.
        offset_field: moves the camera map, cell by cell, to where the LiDAR map shows the same; or None.
        fuser: two maps to one; with both branches.
        data_preprocessor: mmdet3d's Det3DDataPreprocessor, or GeminiDataPreprocessor.
        init_cfg: weights to start from, as in every mmengine module.
        train_cfg: None, as mmdet3d's `init_model` passes it; what it holds elsewhere stands in the parts.
        test_cfg: likewise.

    Raises:
        ValueError: if the parts do not fit together.
    """

    def __init__(self, *, bev_grid: Dict[str, Any], bev_neck: Dict[str, Any],
                 bbox_head: Optional[Dict[str, Any]] = None, seg_head: Optional[Dict[str, Any]] = None,
                 bev_backbone: Optional[Dict[str, Any]] = None,
                 camera_branch: Optional[Dict[str, Any]] = None,
                 camera_align: Optional[Dict[str, Any]] = None,
                 lidar_branch: Optional[Dict[str, Any]] = None,
                 lidar_align: Optional[Dict[str, Any]] = None,
                 offset_field: Optional[Dict[str, Any]] = None,
                 fuser: Optional[Dict[str, Any]] = None,
                 data_preprocessor: Optional[Dict[str, Any]] = None,
                 init_cfg: Optional[Dict[str, Any]] = None,
                 train_cfg: Optional[Dict[str, Any]] = None,
                 test_cfg: Optional[Dict[str, Any]] = None) -> None:
        if train_cfg or test_cfg:
            raise ValueError(f'GeminiFusion3D got train_cfg={train_cfg}, test_cfg={test_cfg}, which it would '
                             'not read; expected None: write their settings into bbox_head')
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if not bbox_head and not seg_head:
            raise ValueError('the model needs a bbox_head, a seg_head or both, got neither')
        _check_parts(camera_branch, camera_align, lidar_branch, lidar_align, offset_field, fuser)
        self.bev_grid = BEVGrid.from_config(bev_grid)
        self.camera_branch = self._build_branch(camera_branch, camera_align)
        self.camera_align = self._build_on_grid(camera_align)
        self.lidar_branch = self._build_branch(lidar_branch, lidar_align)
        self.lidar_align = self._build_on_grid(lidar_align)
        self.offset_field = self._build_on_grid(offset_field)
        self.fuser = MODELS.build(fuser) if fuser else None
        self.bev_backbone = MODELS.build(bev_backbone) if bev_backbone else None
        self.bev_neck = MODELS.build(bev_neck)
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
    def modalities(self) -> Dict[str, bool]:
        """The sensors that a prediction depends on, under the names of a submission's meta."""
        use_camera = self.camera_branch is not None
        reads_depth = use_camera and self.camera_branch.reads_lidar
        return dict(use_camera=use_camera, use_lidar=self.lidar_branch is not None or reads_depth)

    def _dump_init_info(self) -> None:
        """Leaves out mmengine's list of how every parameter begins, most of a log file."""

    def extract_feat(self, batch_inputs_dict: Dict[str, Any],
                     batch_input_metas: Optional[Sequence[Dict[str, Any]]] = None) -> List[Tensor]:
        """Runs every stage before the head.

        Args:
            batch_inputs_dict: `imgs` (B, n_cam, 3, H, W) and `points`, a list of (N_i, 5).
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
        fused = self._fuse(batch_inputs_dict, batch_input_metas)
        levels = self.bev_backbone(fused.bev) if self.bev_backbone is not None else fused.bev
        return Encoded(self.bev_neck(levels), fused.losses)

    def _fuse(self, inputs: Dict[str, Any], metas: Optional[Sequence[Dict[str, Any]]]) -> FusedBEV:
        """Returns the fused map, or the only branch's, with the losses up to here."""
        if self.lidar_branch is None:
            return FusedBEV(*self._see(inputs, metas))
        lidar_bev = self._scan(inputs['points'])
        if self.camera_branch is None:
            return FusedBEV(lidar_bev, {})
        camera = self._see(inputs, metas)
        camera_bev = camera.bev
        if self.offset_field is not None:
            camera_bev = self.offset_field(camera_bev, lidar_bev)
        fused = self.fuser(camera_bev, lidar_bev)
        # A fuser with losses of its own returns them beside the map.
        bev, losses = fused if isinstance(fused, FusedBEV) else (fused, {})
        return FusedBEV(bev, {**camera.losses, **losses})

    def _see(self, inputs: Dict[str, Any], metas: Optional[Sequence[Dict[str, Any]]]) -> AlignedCamera:
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
        return AlignedCamera(self.camera_align(camera.bev, rig.is_present.any(dim=1)), losses)

    def _scan(self, points: Sequence[Float[Tensor, '_ f']]) -> Float[Tensor, 'b c y x']:
        """Points to the LiDAR map."""
        return self.lidar_align(self.lidar_branch(points), _are_filled(points))

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

        No gradient can be asked for.
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

    def _forward(self, batch_inputs_dict: Dict[str, Any], batch_data_samples: List[Det3DDataSample]
                 ) -> Any:
        """Returns the head's raw maps, a tuple of both heads', for tools that trace or count operations."""
        if not isinstance(batch_inputs_dict, dict):
            raise ValueError(f'the model got a {type(batch_inputs_dict).__name__}, as get_flops.py hands it '
                             'over; expected a dictionary with points and imgs: gemini3d benchmark model '
                             'CONFIG counts operations')
        features = self.extract_feat(batch_inputs_dict, _metas(batch_data_samples))
        maps = tuple(head(features) for head in self._heads)
        return maps if len(maps) > 1 else maps[0]

    @property
    def _heads(self) -> List[Any]:
        return [head for head in (self.bbox_head, self.seg_head) if head is not None]


def _metas(samples: List[Det3DDataSample]) -> List[Dict[str, Any]]:
    return [sample.metainfo for sample in samples]


def _are_filled(points: Sequence[Float[Tensor, '_ f']]) -> Bool[Tensor, ' b']:
    """Says of each cloud whether it holds a point: an empty one is a LiDAR that is missing."""
    # Filled in place: a copy from the CPU would wait for what the device has still to do.
    are_filled = torch.ones(len(points), dtype=torch.bool, device=points[0].device)
    for row, cloud in enumerate(points):
        if len(cloud) == 0:
            are_filled[row] = False
    return are_filled


def _check_parts(camera_branch: Any, camera_align: Any, lidar_branch: Any, lidar_align: Any,
                 offset_field: Any, fuser: Any) -> None:
    if not camera_branch and not lidar_branch:
        raise ValueError('the model needs a camera_branch, a lidar_branch or both, got neither')
    for name, branch, align in (('camera', camera_branch, camera_align),
                                ('lidar', lidar_branch, lidar_align)):
        if bool(branch) != bool(align):
            raise ValueError(f'{name}_branch and {name}_align come together, got '
                             f'{"only the branch" if branch else "only the alignment"}')
    if bool(fuser) != bool(camera_branch and lidar_branch):
        raise ValueError('a fuser is needed with both branches and only then, got '
                         f'fuser={bool(fuser)}, camera_branch={bool(camera_branch)}, '
                         f'lidar_branch={bool(lidar_branch)}')
    if offset_field and not fuser:
        raise ValueError('an offset_field compares two maps, got one branch; leave it out')
