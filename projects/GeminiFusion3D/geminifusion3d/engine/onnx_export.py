"""The dense parts of a detector as ONNX files and by torch.export, compared with PyTorch.

Two operations have no ONNX operator and stay outside: the sparse convolutions of the LiDAR branch and the
splat of the camera branch. What lies before and behind them is two files:

    image.onnx   images (and depth images)         -> depth probability, context
    bev.onnx     camera splat, other branches' maps -> what the head predicts, before boxes are decoded;
                 of a model with `motion` also what that measures, `moved`

A runtime computes what is between: the splat of depth probability x context by this project's
`geometry` (or any voxel pooling with the same grid), the LiDAR map by spconv or its TensorRT plugins.
"""
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import torch
from mmdet.models.backbones.swin import ShiftWindowMSA
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..atomic import atomic_write
from ..errors import UserError
from ..modalities import CAMERA

# The newest that torch's tracing exporter writes.
OPSET = 20
# In float32, of an output's largest value: sums in another order.
TOLERANCE = 1e-3
# Outputs that list queries by score, and along which axis. Scores that are nearly equal may change places
# in another runtime: such an output is compared with each of its numbers sorted along that axis.
QUERY_AXIS = dict(query_classes=1, query_scores=1, class_logits=1, codes=1,
                  bbox_pred=1, score=0, label_pred=0)


class ImagePart(nn.Module):
    """Images to what is lifted.

    Args:
        detector: a GeminiFusion3D with cameras.
    """

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.branch = detector.camera_branch
        self.names = ['depth_probability', 'context']

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
            *maps: the camera's splat and the other branches' maps, in the order of the detector's `sensors`;
                of a model with `motion` then what that measures.
        """
        named = list(_flatten(self.predict(*maps)))
        self.names = [name for name, _ in named]
        return tuple(tensor for _, tensor in named)

    def predict(self, *maps: Tensor) -> Any:
        """Return what the head returns; see `forward`."""
        model, bevs = self.detector, list(maps)
        moved = bevs.pop() if model.motion is not None else None
        is_present = torch.ones_like(bevs[0][:, 0, 0, 0], dtype=torch.bool)
        if model.camera_branch is not None:
            bevs[0] = model.camera_branch.downsample(bevs[0])
        aligned = [model.parts_of(name)[1](bev, is_present) for name, bev in zip(model.sensors, bevs)]
        return model.bbox_head(model.head_maps(model.fuse(aligned).bev, moved))


class Part(NamedTuple):
    """What is exported.

    Attributes:
        name: of the file.
        module: in evaluation mode; its `names` are those of its outputs, known once it ran.
        inputs: by name, of the batch that is traced.
        others: of another size and other values, for the comparison.
        axes: what the first axis of an input or output counts, where that is not the batch; '' where it is
            always the same.
    """

    name: str
    module: nn.Module
    inputs: Dict[str, Tensor]
    others: Dict[str, Tensor]
    axes: Dict[str, str] = {}


def dense_parts(detector: nn.Module, *, image_hw: Tuple[int, int], cameras: int) -> List[Part]:
    """Return the parts of a detector with inputs drawn at random.

    Args:
        detector: a GeminiFusion3D; its parts are put into evaluation mode.
        image_hw: height and width of an image in pixels.
        cameras: how many images are traced.

    Raises:
        UserError: if the detector predicts no boxes.
    """
    if detector.bbox_head is None:
        raise UserError('the recipe has no bbox_head, whose maps the graph ends with; expected a detector: a '
                        'seg_head is not exported')
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)
    parts, maps = [], {}
    if detector.camera_branch is not None:
        inputs = dict(images=draw(cameras, 3, *image_hw))
        if detector.camera_branch.reads_lidar:
            inputs['depth_m'] = draw(cameras, 1, *image_hw).abs() * 20
        parts.append(Part('image', ImagePart(detector), inputs, _one_more(inputs)))
        maps['camera_splat'] = draw(1, channels_of(detector.camera_align),
                                    *detector.camera_branch.splat_grid.shape_yx)
    for name in detector.sensors:
        align = detector.parts_of(name)[1]
        if name != CAMERA:
            maps[f'{name}_bev'] = draw(1, channels_of(align), *align.branch_grid.shape_yx)
    if detector.motion is not None:
        maps['moved'] = draw(1, detector.motion.in_channels, *detector.bev_grid.shape_yx)
    parts.append(Part('bev', BEVPart(detector), maps, _one_more(maps)))
    for part in parts:
        # The exporter puts a module back into the mode in which it found it, children and all.
        part.module.eval()
    return parts


def settle_norms(parts: Sequence[Part]) -> None:
    """Gives the batch norms of random weights the statistics of the parts' inputs.

    Without them maps fade from layer to layer, and a head ranks scores that differ in their last digits only.

    Args:
        parts: of a detector that no checkpoint was loaded into.
    """
    for part in parts:
        norms = [norm for norm in part.module.modules() if isinstance(norm, _BatchNorm)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
        with torch.no_grad():
            part.module.train()(*part.inputs.values())
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        part.module.eval()


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
    file = folder / f'{part.name}.onnx'
    with torch.no_grad():
        part.module(*part.inputs.values())
    for any_batch in (True, False):
        _write(part, file, any_batch=any_batch)
        session = onnxruntime.InferenceSession(str(file), providers=['CPUExecutionProvider'])

        def run(*inputs: Tensor) -> List[Tensor]:
            named = {name: one.numpy() for name, one in zip(part.inputs, inputs)}
            return [torch.from_numpy(one) for one in session.run(None, named)]
        # Of other values and, if it may be, of another size: what tracing took for a constant shows here.
        others = part.others if any_batch else {
            name: one.flip(0) * 0.9 if one.is_floating_point() else one for name, one in part.inputs.items()}
        try:
            worst = _differences(part, run, part.inputs, others)
        except Exception:  # onnxruntime's errors share no other base class
            if any_batch:
                continue
            raise
        if max(worst.values()) <= TOLERANCE:
            break
    traced = len(next(iter(part.inputs.values())))
    return dict(file=file.name, opset=OPSET, batch='any' if any_batch else traced,
                inputs={name: list(one.shape[1:]) for name, one in part.inputs.items()},
                relative_difference=worst)


def torch_export_differences(part: Part) -> Dict[str, float]:
    """Exports a part by torch.export for inputs of any size, and returns the differences of its outputs."""
    # A size of 1 would be taken for a constant: the larger batch is traced, a still larger one compared.
    more = {name: torch.cat([one, one[:len(one) - len(part.inputs[name])]])
            for name, one in part.others.items()}
    sizes = torch.export.AdditionalInputs()
    sizes.add(tuple(more.values()))
    with _as_traced(), torch.no_grad():
        exported = torch.export.export(part.module, tuple(part.others.values()), dynamic_shapes=sizes,
                                       strict=False)
    return _differences(part, exported.module(), part.others, more)


def _write(part: Part, file: Path, *, any_batch: bool) -> None:
    outputs = part.module.names
    axes = {name: {0: part.axes.get(name, 'batch')} for name in (*part.inputs, *outputs)
            if part.axes.get(name) != ''} if any_batch else None
    try:
        with atomic_write(file) as unfinished, warnings.catch_warnings(), torch.no_grad(), _as_traced():
            # Tracing warns of each shape that Python code looks at; the comparison is the proof.
            warnings.simplefilter('ignore')
            torch.onnx.export(part.module, tuple(part.inputs.values()), str(unfinished), opset_version=OPSET,
                              dynamo=False, input_names=list(part.inputs), output_names=outputs,
                              dynamic_axes=axes)
            _restore_inputs(part, unfinished, axes or {})
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ImportError) as error:
        raise UserError(f'part {part.name}: torch cannot write it as ONNX: {str(error).splitlines()[0]}; '
                        'expected operations of its tracing exporter, leave the part out') from error


def _restore_inputs(part: Part, file: Path, axes: Dict[str, Dict[int, str]]) -> None:
    """Writes the inputs that nothing reads back into a file: torch drops them, a runtime may bind them."""
    import onnx
    model = onnx.load(file)
    written = {node.name for node in model.graph.input}
    for name, one in part.inputs.items():
        if name not in written:
            shape = [axes.get(name, {}).get(axis, size) for axis, size in enumerate(one.shape)]
            model.graph.input.append(onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(one.numpy().dtype), shape))
    onnx.save(model, file)


@contextmanager
def _as_traced() -> Iterator[None]:
    """Replaces what exporters cannot follow by what computes the same."""
    reverse, fused_attention = ShiftWindowMSA.window_reverse, torch.backends.mha.get_fastpath_enabled()
    # Fused attention has no ONNX operator, plain attention has.
    torch.backends.mha.set_fastpath_enabled(False)
    ShiftWindowMSA.window_reverse = _window_reverse
    try:
        yield
    finally:
        ShiftWindowMSA.window_reverse = reverse
        torch.backends.mha.set_fastpath_enabled(fused_attention)


def _window_reverse(self: ShiftWindowMSA, windows: Tensor, height: int, width: int) -> Tensor:
    """Swin's windows (N * windows, w, w, C) to maps (N, H, W, C); mmdet's counts N as a Python number."""
    side = self.window_size
    maps = windows.view(-1, height // side, width // side, side, side, windows.shape[-1])
    return maps.transpose(2, 3).reshape(-1, height, width, windows.shape[-1])


def _one_more(inputs: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Returns a batch that is larger by one, of other values."""
    return {name: torch.cat([one, one[:1]]).flip(0) * 0.9 for name, one in inputs.items()}


def _differences(part: Part, run: Any, *batches: Dict[str, Tensor]) -> Dict[str, float]:
    """Return, by output, the largest difference as a part of the largest value."""
    worst: Dict[str, float] = {}
    for inputs in batches:
        with torch.no_grad():
            expected, found = part.module(*inputs.values()), run(*inputs.values())
        for name, ours, theirs in zip(part.module.names, found, expected):
            ours, theirs = ours.double(), theirs.double()
            if name in QUERY_AXIS:
                ours, theirs = (one.sort(QUERY_AXIS[name]).values for one in (ours, theirs))
            error = (ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-6)
            worst[name] = max(worst.get(name, 0.0), float(error.nan_to_num(nan=float('inf'))))
    return worst


def channels_of(align: nn.Module) -> int:
    """Returns how many channels the map of a branch has."""
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
