"""The LiDAR branch as nodes of Autoware's TensorRT plugins for spconv.

    bevfusion_lidar_encoder.onnx   voxels, num_points_per_voxel, coors -> lidar_bev

The two plugins of autoware_tensorrt_plugins are nodes of the domain `autoware`: GetIndicePairsImplicitGemm
lists, by offset in the kernel and output voxel, the input voxel; ImplicitGemm multiplies and sums. Batch
norms are folded into the weights; bias and ReLU are nodes of ONNX, as older versions of the plugins need.
Source of names, attributes and layouts: autoware_universe, perception/autoware_tensorrt_plugins, and what
autoware-ml exports for it. The nodes' meaning, for the comparison with PyTorch, is written out below.
"""
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
import onnx
import torch
from mmdet3d.models.layers import SparseBasicBlock
from onnx import helper, numpy_helper
from onnx.reference.op_run import OpRun
from spconv.core import ConvAlgo
from spconv.pytorch.conv import SparseConvolution, SubMConv3d
from torch import Tensor, nn

from ..atomic import atomic_write
from ..errors import UserError
from ..lidar_bev.sparse_encoder import GeminiSparseEncoder
from ..lidar_bev.voxel_encoders import VoxelFeatureMean, scale_points

DOMAIN, VERSION = 'autoware', 1
PAIRS, MULTIPLY = 'GetIndicePairsImplicitGemm', 'ImplicitGemm'
INPUTS, OUTPUT = ('voxels', 'num_points_per_voxel', 'coors'), 'lidar_bev'
# Points of a voxel that are compared; the node's `max_points_per_voxel`.
MAX_POINTS = 10


class _Voxels(NamedTuple):
    """Names of features and of coordinates (batch, z, y, x), and the shape of the grid z, y, x."""

    features: str
    indices: str
    shape: Tuple[int, ...]


class _Graph:
    """Collects nodes and constants; every value gets a name of its own."""

    def __init__(self) -> None:
        self.nodes: List[Any] = []
        self.constants: List[Any] = []
        self._pairs: Dict[Tuple[str, str], List[str]] = {}

    def add(self, kind: str, *inputs: Any, outputs: int = 1, domain: str = '', **attributes: Any
            ) -> List[str]:
        """Adds a node; arrays among its inputs become constants. Returns the names of its outputs."""
        number = len(self.nodes)
        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        made = [f'lidar_{number}_{place}' for place in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, name=f'lidar_{number}', domain=domain,
                                           **attributes))
        return made

    def constant(self, value: np.ndarray) -> str:
        """Keeps an array and returns its name."""
        name = f'lidar_constant_{len(self.constants)}'
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def pairs(self, layer: SparseConvolution, voxels: str, shape: Sequence[int]) -> List[str]:
        """Returns the outputs of the node that pairs voxels; layers of one indice_key share it."""
        key = (layer.indice_key or f'layer {id(layer)}', voxels)
        if key not in self._pairs:
            self._pairs[key] = self.add(
                PAIRS, voxels, outputs=5, domain=DOMAIN, batch_size=1, spatial_shape=list(shape),
                algo=int(ConvAlgo.MaskImplicitGemm.value), ksize=list(layer.kernel_size),
                stride=list(layer.stride), padding=list(layer.padding), dilation=list(layer.dilation),
                out_padding=list(layer.output_padding), subm=int(layer.subm), transpose=0, is_train=0,
                do_sort=1)
        return self._pairs[key]


def encoder_model(branch: nn.Module, opset: int) -> onnx.ModelProto:
    """Returns the graph of a LiDAR branch, of GeminiVoxelMean and GeminiSparseEncoder and no others."""
    encoder = branch.encoder
    is_known = isinstance(encoder, GeminiSparseEncoder) and isinstance(branch.voxel_encoder, VoxelFeatureMean)
    if not is_known:
        raise UserError('--autoware needs a lidar_branch of GeminiVoxelMean and GeminiSparseEncoder, got '
                        f'{type(branch.voxel_encoder).__name__} and {type(encoder).__name__}; choose a '
                        'recipe with voxels')
    features: int = encoder.in_channels
    graph = _Graph()
    total, = graph.add('ReduceSum', 'voxels', np.array([1]), keepdims=0)
    count, = graph.add('Unsqueeze', *graph.add('Cast', 'num_points_per_voxel', to=onnx.TensorProto.FLOAT),
                       np.array([1]))
    mean, = graph.add('Div', total, count)
    if branch.voxel_encoder.scale_features:
        # Scaling is linear in each column: what it makes of zeros and of ones says all of it.
        low, high = (scale_points(torch.full((1, features), value), encoder.bev_grid) for value in (0.0, 1.0))
        mean, = graph.add('Add', *graph.add('Mul', mean, (high - low).numpy()), low.numpy())
    batch, = graph.add('Mul', *graph.add('Slice', 'coors', np.array([0]), np.array([1]), np.array([1])),
                       np.array(0, np.int32))
    indices, = graph.add('Concat', batch, 'coors', axis=1)
    value = _Voxels(mean, indices, tuple(encoder.sparse_shape))
    for part in (encoder.conv_input, *encoder.encoder_layers, encoder.conv_out):
        value = _walk(graph, part, value)
    _dense(graph, value, encoder.output_channels)
    shapes = dict(voxels=['num_voxels', 'max_points', features], num_points_per_voxel=['num_voxels'],
                  coors=['num_voxels', 3])
    types = dict(voxels=onnx.TensorProto.FLOAT)
    model = helper.make_model(helper.make_graph(
        graph.nodes, 'lidar_encoder',
        [helper.make_tensor_value_info(name, types.get(name, onnx.TensorProto.INT32), shape)
         for name, shape in shapes.items()],
        [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT,
                                       [1, encoder.out_channels, *encoder.bev_grid.shape_yx])],
        graph.constants), opset_imports=[
            helper.make_opsetid('', opset), helper.make_opsetid(DOMAIN, VERSION)])
    onnx.checker.check_model(model)
    return model


def _walk(graph: _Graph, part: nn.Module, value: _Voxels) -> _Voxels:
    """Adds the nodes of a module, in the order in which it runs."""
    if isinstance(part, SparseBasicBlock):
        first = _rectified(graph, _convolve(graph, part.conv1, part.norm1, value))
        second = _convolve(graph, part.conv2, part.norm2, first)
        summed, = graph.add('Add', second.features, value.features)
        return _rectified(graph, second._replace(features=summed))
    children = list(part.children())
    if children and isinstance(children[0], SparseConvolution):
        conv, norm, _ = children
        return _rectified(graph, _convolve(graph, conv, norm, value))
    for child in children:
        value = _walk(graph, child, value)
    return value


def _rectified(graph: _Graph, value: _Voxels) -> _Voxels:
    return value._replace(features=graph.add('Relu', value.features)[0])


def _convolve(graph: _Graph, conv: SparseConvolution, norm: nn.BatchNorm1d, value: _Voxels) -> _Voxels:
    features, voxels, shape = value
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = (conv.weight * scale[:, None, None, None, None]).detach().numpy()
    own_bias = 0 if conv.bias is None else conv.bias
    bias = (norm.bias + (own_bias - norm.running_mean) * scale).detach().numpy()
    found, pair, mask, order, _ = graph.pairs(conv, voxels, shape)
    product, = graph.add(MULTIPLY, features, weight, pair, mask, order, domain=DOMAIN, is_train=0,
                         is_subm=int(conv.subm), fp32_accum=0, act_alpha=0.0, act_beta=0.0, output_scale=1.0,
                         output_add_scale=0.0, act_type=0)
    if isinstance(conv, SubMConv3d):
        found = voxels
    else:
        shape = tuple(_out_size(*sizes) for sizes in zip(
            shape, conv.kernel_size, conv.stride, conv.padding, conv.dilation))
    return _Voxels(*graph.add('Add', product, bias), found, shape)


def _dense(graph: _Graph, value: _Voxels, channels: int) -> None:
    """Adds the nodes from rows of voxels to the map; its channels are a voxel's times the heights."""
    features, voxels, (n_z, n_y, n_x) = value
    place, = graph.add('Cast', voxels, to=onnx.TensorProto.INT64)
    summands, = graph.add('Mul', place, np.array([0, n_y * n_x, n_x, 1]))
    row, = graph.add('ReduceSum', summands, np.array([1]), keepdims=1)
    empty, = graph.add('ConstantOfShape', np.array([n_z * n_y * n_x, channels]),
                       value=helper.make_tensor('zero', onnx.TensorProto.FLOAT, [1], [0.0]))
    filled, = graph.add('ScatterND', empty, row, features)
    grid, = graph.add('Transpose', *graph.add('Reshape', filled, np.array([n_z, n_y, n_x, channels])),
                      perm=[3, 0, 1, 2])
    shape = graph.constant(np.array([1, channels * n_z, n_y, n_x]))
    graph.nodes.append(helper.make_node('Reshape', [grid, shape], [OUTPUT], name='lidar_map'))


def _out_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def join(encoder: onnx.ModelProto, rest_file: Path, file: Path) -> None:
    """Writes the encoder with the graph behind it as one file."""
    rest = onnx.load(rest_file)
    encoder.ir_version = rest.ir_version
    joined = onnx.compose.merge_models(encoder, rest, io_map=[(OUTPUT, OUTPUT)])
    with atomic_write(file) as unfinished:
        onnx.save(joined, unfinished)


def encoder_difference(model: onnx.ModelProto, branch: nn.Module, voxels: Tensor, counts: Tensor,
                       coordinates_zyx: Tensor) -> float:
    """Runs the graph by the meaning of its nodes and returns the largest difference from PyTorch.

    Args:
        model: as `encoder_model` returns it.
        branch: that it was made of.
        voxels: (V, P, F) points, zeros behind the last of each voxel.
        counts: (V,) how many points each has.
        coordinates_zyx: (V, 3) int32.

    Returns:
        The difference as a part of the largest value.
    """
    runtime = onnx.reference.ReferenceEvaluator(model, new_ops=[GetIndicePairsImplicitGemm, ImplicitGemm])
    values = (voxels, counts, coordinates_zyx)
    found, = runtime.run(None, {name: value.numpy() for name, value in zip(INPUTS, values)})
    with torch.no_grad():
        mean = voxels.sum(dim=1) / counts[:, None]
        if branch.voxel_encoder.scale_features:
            mean = scale_points(mean, branch.encoder.bev_grid)
        batch = torch.zeros(len(mean), 1, dtype=torch.int32)
        expected = branch.encoder(mean, torch.cat([batch, coordinates_zyx], dim=1), 1)
    return float((torch.from_numpy(found) - expected).abs().max() / expected.abs().max().clamp(min=1e-6))


def drawn_voxels(branch: nn.Module, number: int = 2000) -> Tuple[Tensor, Tensor, Tensor]:
    """Returns voxels, counts and coordinates as the node delivers them, drawn at random near one another.

    Args:
        branch: whose grid and features of a point count.
        number: of voxels.
    """
    generator = torch.Generator().manual_seed(0)
    shape = torch.tensor(branch.encoder.n_voxels_xyz[::-1])
    # In a corner of the grid: neighbours are what convolutions need.
    side = torch.minimum(shape, torch.tensor([8, 24, 24]))
    volume = int(side.prod())
    flat = torch.randperm(volume, generator=generator)[:min(number, volume // 2)]
    place = torch.stack([flat // (side[1] * side[2]), flat // side[2] % side[1], flat % side[2]], dim=1)
    counts = torch.randint(1, MAX_POINTS + 1, (len(flat),), generator=generator)
    voxels = torch.randn(len(flat), MAX_POINTS, branch.encoder.in_channels, generator=generator)
    voxels *= (torch.arange(MAX_POINTS) < counts[:, None])[:, :, None]
    return voxels, counts.int(), (place + (shape - side) // 2).int()


class GetIndicePairsImplicitGemm(OpRun):
    """The meaning of the plugin of this name, for one sample."""

    op_domain = DOMAIN

    def _run(self, indices: np.ndarray, **attributes: Any) -> Tuple[np.ndarray, ...]:
        kernel, stride, padding, dilation, shape = (np.array(attributes[name]) for name in (
            'ksize', 'stride', 'padding', 'dilation', 'spatial_shape'))
        offsets = np.stack(np.meshgrid(*map(np.arange, kernel), indexing='ij'), axis=-1)
        offsets = offsets.reshape(-1, 3) * dilation
        places = indices[:, 1:].astype(np.int64)
        if attributes['subm']:
            found, stride, padding = places, np.ones(3, int), kernel // 2 * dilation
        else:
            sizes = (shape + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            reached = (places[None] + padding - offsets[:, None]).reshape(-1, 3)
            is_hit = ((reached % stride == 0) & (reached >= 0) & (reached < sizes * stride)).all(axis=1)
            found = np.unique(reached[is_hit] // stride, axis=0)
        # Rows are found by their number in a grid with a margin all around.
        wide = shape + 2 * kernel * dilation
        strides = np.array([wide[1] * wide[2], wide[2], 1])
        keys = (places + kernel * dilation) @ strides
        order = np.argsort(keys)
        sought = (found[None] * stride - padding + offsets[:, None] + kernel * dilation) @ strides
        at = np.minimum(np.searchsorted(keys, sought, sorter=order), len(keys) - 1)
        pairs = np.where(keys[order[at]] == sought, order[at], -1).astype(np.int32)
        number = found.shape[0]
        return (np.column_stack([np.zeros(number), found]).astype(np.int32), pairs,
                np.zeros((number, 1), np.int32), np.arange(number, dtype=np.int32),
                np.array(number, np.int32))


class ImplicitGemm(OpRun):
    """The meaning of the plugin of this name without its fused activation."""

    op_domain = DOMAIN

    def _run(self, features: np.ndarray, weight: np.ndarray, pairs: np.ndarray, mask: np.ndarray,
             order: np.ndarray, **_: Any) -> Tuple[np.ndarray]:
        matrices = weight.reshape(len(weight), -1, weight.shape[-1])
        total = np.zeros((pairs.shape[1], len(weight)), np.float32)
        for offset, rows in enumerate(pairs):
            total[rows >= 0] += features[rows[rows >= 0]] @ matrices[:, offset].T
        return (total,)
