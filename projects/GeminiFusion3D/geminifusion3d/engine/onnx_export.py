"""The dense parts of a detector as ONNX files, compared with PyTorch by onnxruntime.

Two operations have no ONNX operator and stay outside: the sparse convolutions of the LiDAR branch and the
splat of the camera branch. What lies before and behind them is two files:

    image.onnx   images (and depth images)         -> depth probability, context
    bev.onnx     camera splat, LiDAR branch's map  -> what the head predicts, before boxes are decoded

A runtime computes what is between: the splat of depth probability x context by this project's
`geometry` (or any voxel pooling with the same grid), the LiDAR map by spconv or its TensorRT plugins.
"""
import warnings
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from ..atomic import atomic_write
from ..errors import UserError
from ..fusion.fused_bev import FusedBEV

# The newest that torch's tracing exporter writes.
OPSET = 20
# In float32, of an output's largest value: sums in another order.
TOLERANCE = 1e-3


class ImagePart(nn.Module):
    """Images to what is lifted.

    Args:
        detector: a GeminiFusion3D with cameras.
    """

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.branch = detector.camera_branch

    def forward(self, images: Tensor, depth_m: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        """Return depth probability (N, D, h, w) and context (N, C, h, w).

        Args:
            images: (N, 3, H, W), normalised as the data preprocessor does.
            depth_m: (N, 1, H, W), where the branch reads depth images.
        """
        levels = self.branch.neck(self.branch.backbone(images))
        lifted = self.branch.predict_depth(levels if torch.is_tensor(levels) else levels[0], depth_m)
        return lifted.depth_probability, lifted.context


class BEVPart(nn.Module):
    """The branches' maps to what the head predicts; every sensor is there.

    Args:
        detector: a GeminiFusion3D.
    """

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector
        self.names: List[str] = []

    def forward(self, *maps: Tensor) -> Tuple[Tensor, ...]:
        """Return the head's maps; `names` says afterwards what each of them is.

        Args:
            *maps: the camera's splat and the LiDAR branch's map, or that of the only branch.
        """
        model, bevs = self.detector, list(maps)
        is_present = torch.ones_like(bevs[0][:, 0, 0, 0], dtype=torch.bool)
        fused: List[Tensor] = []
        if model.camera_branch is not None:
            fused.append(model.camera_align(model.camera_branch.downsample(bevs.pop(0)), is_present))
        if model.lidar_branch is not None:
            fused.append(model.lidar_align(bevs.pop(0), is_present))
        if model.offset_field is not None:
            fused[0] = model.offset_field(*fused)
        levels = model.fuser(*fused) if model.fuser is not None else fused[0]
        levels = levels.bev if isinstance(levels, FusedBEV) else levels
        if model.bev_backbone is not None:
            levels = model.bev_backbone(levels)
        named = list(_flatten(model.bbox_head(model.bev_neck(levels))))
        self.names = [name for name, _ in named]
        return tuple(tensor for _, tensor in named)


class Part(NamedTuple):
    """What is exported.

    Attributes:
        name: of the file.
        module: in evaluation mode.
        inputs: by name, of the batch that is traced.
    """

    name: str
    module: nn.Module
    inputs: Dict[str, Tensor]


def dense_parts(detector: nn.Module, *, image_hw: Tuple[int, int], cameras: int) -> List[Part]:
    """Return the parts of a detector with inputs drawn at random.

    Args:
        detector: a GeminiFusion3D; its parts are put into evaluation mode.
        image_hw: height and width of an image in pixels.
        cameras: how many images are traced.
    """
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)
    parts, maps = [], {}
    if detector.camera_branch is not None:
        inputs = dict(images=draw(cameras, 3, *image_hw))
        if detector.camera_branch.reads_lidar:
            inputs['depth_m'] = draw(cameras, 1, *image_hw).abs() * 20
        parts.append(Part('image', ImagePart(detector), inputs))
        maps['camera_splat'] = draw(1, _channels(detector.camera_align),
                                    *detector.camera_branch.splat_grid.shape_yx)
    if detector.lidar_branch is not None:
        align = detector.lidar_align
        maps['lidar_bev'] = draw(1, _channels(align), *align.branch_grid.shape_yx)
    parts.append(Part('bev', BEVPart(detector), maps))
    for part in parts:
        # The exporter puts a module back into the mode in which it found it, children and all.
        part.module.eval()
    return parts


def export_part(part: Part, folder: Path) -> Dict[str, Any]:
    """Write a part as ONNX, run it on two batches, and return what the export's record says of it.

    Args:
        part: what to export.
        folder: where NAME.onnx is written.

    Raises:
        UserError: if onnx or onnxruntime is absent, or the part has an operation that ONNX lacks.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError('onnxruntime is not installed, expected it for comparing the files with PyTorch; '
                        'pip install "geminifusion3d[onnx]"') from None
    file, inputs = folder / f'{part.name}.onnx', tuple(part.inputs.values())
    with torch.no_grad():
        results = part.module(*inputs)
    outputs = getattr(part.module, 'names', ['depth_probability', 'context'])
    with atomic_write(file) as unfinished, warnings.catch_warnings(), torch.no_grad():
        # Tracing warns of each shape that Python code looks at; the comparison below is the proof.
        warnings.simplefilter('ignore')
        # Its fused attention has no ONNX operator, its plain one has.
        fused_attention = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            torch.onnx.export(part.module, inputs, str(unfinished), opset_version=OPSET, dynamo=False,
                              input_names=list(part.inputs), output_names=outputs,
                              dynamic_axes={name: {0: 'batch'} for name in (*part.inputs, *outputs)})
        except (torch.onnx.errors.OnnxExporterError, RuntimeError, ImportError) as error:
            raise UserError(f'part {part.name}: torch cannot write it as ONNX: {str(error).splitlines()[0]}; '
                            'expected operations of its tracing exporter, leave the part out') from error
        finally:
            torch.backends.mha.set_fastpath_enabled(fused_attention)
    session = onnxruntime.InferenceSession(str(file), providers=['CPUExecutionProvider'])
    differences = _differences(session, part.inputs, results)
    # Another batch of other values: what tracing wrote down as a constant shows here.
    other = {name: torch.cat([one, one[:1]]).flip(0) * 0.9 for name, one in part.inputs.items()}
    with torch.no_grad():
        expected = part.module(*other.values())
    try:
        again = _differences(session, other, expected)
    except Exception:  # onnxruntime's errors share no other base class
        again = None
    worst = {name: max(value, again[name]) if again else value for name, value in differences.items()}
    return dict(file=file.name, opset=OPSET, batch='dynamic' if again else len(inputs[0]),
                inputs={name: list(one.shape[1:]) for name, one in part.inputs.items()},
                relative_difference=worst)


def _differences(session: Any, inputs: Dict[str, Tensor], expected: Tuple[Tensor, ...]) -> Dict[str, float]:
    """Return, by output, the largest difference as a part of the largest value."""
    found = session.run(None, {name: one.numpy() for name, one in inputs.items()
                               if name in {node.name for node in session.get_inputs()}})
    differences = {}
    for node, ours, theirs in zip(session.get_outputs(), found, expected):
        scale = theirs.double().abs().max().clamp(min=1e-6)
        error = (torch.from_numpy(ours).double() - theirs.double()).abs().max()
        differences[node.name] = float(error / scale)
    return differences


def _channels(align: nn.Module) -> int:
    return len(align.stand_in) if isinstance(align.project, nn.Identity) else align.project.conv.in_channels


def _flatten(tree: Any, name: str = '') -> Iterator[Tuple[str, Tensor]]:
    """Yield the tensors of what a head returns, named by the way to each."""
    if torch.is_tensor(tree):
        yield name or 'output', tree
    elif isinstance(tree, dict):
        for key, branch in tree.items():
            yield from _flatten(branch, f'{name}_{key}' if name else key)
    elif hasattr(tree, '_asdict'):
        yield from _flatten(tree._asdict(), name)
    elif tree is not None:
        for number, branch in enumerate(tree):
            numbered = f'{name}_{number}' if name else f'out{number}'
            yield from _flatten(branch, name if len(tree) == 1 else numbered)
