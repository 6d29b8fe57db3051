"""Parts of fixed shape are recorded once per shape and replayed; here a recorder stands in for a GPU's."""
import pytest
import torch
from tiny_detector import build_detector, make_batch
from torch import nn

from geminifusion3d.commands.main import parse
from geminifusion3d.engine.compiled_parts import FasterForward, find_parts
from geminifusion3d.engine.cuda_graphs import (GRAPHED_PARTS, MOST_SHAPES, GraphedForward, graph_parts,
                                               record_cuda_graph)
from geminifusion3d.errors import UserError


class Recorder:
    """Plays a graph: it runs the function again, and writes what it returns where the first result lies."""

    def __init__(self):
        self.recorded = self.replayed = 0

    def __call__(self, work):
        self.recorded += 1
        result = work()

        def replay():
            self.replayed += 1
            write(work(), result)
        return replay, result


def write(new, old):
    """Write tensors over others, in any nest."""
    for one, two in zip(torch.utils._pytree.tree_leaves(new), torch.utils._pytree.tree_leaves(old)):
        two.copy_(one)


def predicted(model, batch):
    """Return the boxes of a batch's first sample."""
    return model(**model.data_preprocessor(batch, training=False), mode='predict')[0].pred_instances_3d


def dense_parts(model):
    """Return some parts of which each must have been recorded."""
    return model.fuser, model.bbox_head, model.camera_branch.backbone


@pytest.fixture
def layer():
    """Return a convolution that tells a map from its transposed one."""
    torch.manual_seed(0)
    return nn.Conv2d(2, 3, (3, 1)).eval()


def test_later_calls_replay_with_their_own_numbers(layer):
    record = Recorder()
    graphed = GraphedForward(lambda maps, scale: dict(out=[layer(maps[0]) * scale, maps[1]]), record)
    for seed in range(3):
        torch.manual_seed(seed)
        maps = [torch.randn(1, 2, 5, 7), torch.randn(1, 2)]
        given = [one.clone() for one in maps]
        with torch.inference_mode():
            found = graphed(maps, scale=2)
            assert torch.equal(found['out'][0], layer(maps[0]) * 2) and torch.equal(found['out'][1], maps[1])
        assert all(map(torch.equal, maps, given))
    assert (record.recorded, record.replayed) == (1, 3)


def test_another_shape_layout_precision_or_number_is_another_graph(layer):
    record = Recorder()
    graphed = GraphedForward(lambda x, scale=1: layer(x) * scale, record)
    x = torch.randn(1, 2, 5, 7)
    with torch.no_grad():
        for given in (x, x.transpose(2, 3), x.contiguous(memory_format=torch.channels_last)):
            assert torch.allclose(graphed(given), layer(given), atol=1e-6)
        assert record.recorded == 3
        assert torch.equal(graphed(x, scale=3), layer(x) * 3)
        assert record.recorded == MOST_SHAPES == 4
        # One more runs as it is; the others still replay.
        assert torch.equal(graphed(x, scale=5), layer(x) * 5)
        assert torch.equal(graphed(2 * x), layer(2 * x))
    assert record.recorded == 4 and record.replayed == 5


def test_autocast_is_part_of_a_graph_and_its_cast_weights_are_not_shared(layer):
    graphed, x = GraphedForward(layer, Recorder()), torch.randn(1, 2, 5, 7)
    caching = []
    layer.register_forward_hook(lambda *_: caching.append(torch.is_autocast_cache_enabled()))
    with torch.inference_mode():
        plain = graphed(x)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            half = graphed(x)
    assert (plain.dtype, half.dtype) == (torch.float32, torch.bfloat16)
    assert caching and not any(caching)


def test_where_gradients_are_wanted_nothing_is_recorded(layer):
    graphed = GraphedForward(layer, Recorder())
    graphed(torch.randn(1, 2, 5, 7)).sum().backward()
    assert layer.weight.grad is not None and not graphed.recorded


def test_a_whole_detector_finds_the_same_boxes(monkeypatch):
    model = build_detector().eval()
    batches = [make_batch() for _ in range(2)]

    def found():
        return [predicted(model, batch) for batch in batches]
    expected = found()
    record = Recorder()
    names = []
    for name, part in find_parts(model, GRAPHED_PARTS):
        part.forward = FasterForward(part.forward, GraphedForward(part.forward, record), name=name, flag='')
        names.append(name)
    assert {'camera_branch.backbone', 'camera_branch.depth_net', 'camera_align', 'lidar_align', 'fuser',
            'bbox_head'} <= set(names)
    for one, two in zip(found(), expected):
        assert len(two.scores_3d) > 0 and torch.equal(one.scores_3d, two.scores_3d)
        assert torch.equal(one.bboxes_3d.tensor, two.bboxes_3d.tensor)
    assert record.recorded == len(names) and record.replayed == 2 * len(names)
    assert all(part.forward.is_faster for part in dense_parts(model))


def test_on_a_cpu_and_beside_the_compiler_they_are_refused():
    with pytest.raises(UserError, match='for predicting on a GPU, got a model on cpu; leave it out'):
        graph_parts(build_detector().eval())
    with pytest.raises(UserError, match='not allowed with'):
        parse('test', 'config.py', 'weights.pth', '--compile', '--cuda-graphs')


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')
@pytest.mark.parametrize('dtype', [None, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('batch', [1, 4])
def test_on_a_gpu_graphs_compute_what_the_parts_do(dtype, batch):
    torch.manual_seed(0)
    part = nn.Sequential(nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16), nn.ReLU()).cuda().eval()
    graphed = GraphedForward(part, record_cuda_graph)
    with torch.inference_mode(), torch.autocast('cuda', dtype=dtype, enabled=dtype is not None):
        for _ in range(3):
            x = torch.randn(batch, 8, 20, 30, device='cuda').contiguous(memory_format=torch.channels_last)
            torch.testing.assert_close(graphed(x), part(x))
    assert len(graphed.recorded) == 1


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')
def test_on_a_gpu_a_detector_with_graphs_finds_the_same_boxes():
    model = build_detector().eval().cuda()
    batch = make_batch()
    expected = predicted(model, batch)
    graph_parts(model)
    for _ in range(3):
        found = predicted(model, batch)
        torch.testing.assert_close(found.scores_3d, expected.scores_3d, rtol=1e-3, atol=1e-4)
    assert all(part.forward.is_faster for part in dense_parts(model))
