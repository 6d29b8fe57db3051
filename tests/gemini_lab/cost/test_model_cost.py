"""Parameters and multiply-adds of small modules, counted by hand."""
import pytest
import torch
from spconv.pytorch import SparseConvTensor, SubMConv3d
from torch import nn

from gemini_lab.cost.model_cost import StageCost, count_costs
from geminifusion3d.lidar_bev.spconv_cpu import choose_algorithm, enable_spconv_on_cpu


class Preprocessor(nn.Module):
    """Hands the batch on."""

    def forward(self, batch, training):
        return batch


class Camera(nn.Module):
    """A backbone, and a product outside it."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Conv2d(3, 8, 3, padding=1, stride=2)
        self.mix = nn.Parameter(torch.zeros(8, 8))

    def forward(self, images):
        return torch.einsum('bchw,dc->bdhw', self.backbone(images), self.mix)


class Detector(nn.Module):
    """Two stages and a sparse one."""

    def __init__(self):
        super().__init__()
        self.data_preprocessor = Preprocessor()
        self.camera_branch = Camera()
        self.lidar_branch = SubMConv3d(4, 5, 3, padding=1, bias=False, indice_key='a')
        self.bbox_head = nn.Linear(8, 2)
        self.bbox_head.bias.requires_grad = False
        choose_algorithm(self, is_cuda=False)

    def forward(self, inputs, data_samples, mode):
        assert mode == 'tensor' and not self.training
        self.lidar_branch(inputs['voxels'])
        return self.bbox_head(self.camera_branch(inputs['img']).flatten(2).transpose(1, 2))


@pytest.fixture
def costs():
    """Costs by stage for a batch of two."""
    enable_spconv_on_cpu()
    # Three voxels in a row and one apart: 4 pairs with themselves, 2 x 2 with a neighbour.
    corners = torch.tensor([[0, 1, 1, 1], [0, 1, 1, 2], [0, 1, 1, 3], [0, 4, 4, 4]], dtype=torch.int32)
    voxels = SparseConvTensor(torch.ones(4, 4), corners, [6, 6, 6], 2)
    model = Detector().train()
    batch = dict(inputs=dict(img=torch.ones(2, 3, 4, 6), voxels=voxels), data_samples=[None, None])
    found = count_costs(model, batch)
    assert model.training and all(parameter.requires_grad for parameter in model.camera_branch.parameters())
    return {cost.stage: cost for cost in found}


def test_stages_come_in_the_models_order(costs):
    assert list(costs) == ['camera_branch.backbone', 'camera_branch.rest', 'lidar_branch', 'bbox_head']


def test_a_dense_convolution_costs_its_kernel_at_every_output(costs):
    # 2 x 3 outputs of 8 channels, each 3 x 3 x 3 products; 8 * 27 weights and 8 biases.
    assert costs['camera_branch.backbone'] == StageCost('camera_branch.backbone', 8 * 27 + 8, 6 * 8 * 27)


def test_what_stands_outside_a_branchs_parts_is_the_rest(costs):
    assert costs['camera_branch.rest'] == StageCost('camera_branch.rest', 64, 6 * 64)


def test_a_sparse_convolution_costs_its_pairs_shared_by_the_batch(costs):
    # 8 pairs of 4 x 5 products, of two samples.
    assert costs['lidar_branch'] == StageCost('lidar_branch', 27 * 4 * 5, 8 * 20 // 2)


def test_frozen_numbers_are_not_counted(costs):
    assert costs['bbox_head'] == StageCost('bbox_head', 16, 6 * 16)


def test_a_splat_costs_its_pairs_times_its_channels():
    from geminifusion3d.ops.splat import splat
    from geminifusion3d.ops.splat_plan import plan_splat

    class Splatting(nn.Module):
        def __init__(self):
            super().__init__()
            self.data_preprocessor, self.camera_branch = Preprocessor(), Splat()

        def forward(self, inputs, data_samples, mode):
            return self.camera_branch(inputs)

    class Splat(nn.Module):
        def forward(self, cells):
            return splat(torch.ones(2, 1, 7), torch.ones(2, 3, 1), plan_splat(cells.unsqueeze(2), 5))

    # Two of the six pairs fall outside every cell.
    cells = torch.tensor([[0, 1, -1], [4, -1, 1]])
    batch = dict(inputs=cells, data_samples=[None])
    assert count_costs(Splatting(), batch) == [StageCost('camera_branch.rest', 0, 4 * 7)]


def test_attention_costs_its_logits_and_its_sum():
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.data_preprocessor, self.fuser = Preprocessor(), Attention()

        def forward(self, inputs, data_samples, mode):
            return self.fuser(*inputs)

    class Attention(nn.Module):
        def forward(self, queries, keys):
            return nn.functional.scaled_dot_product_attention(queries, keys, keys)

    # Two heads of 8 channels, 5 queries and 7 keys: one product for the logits, one for the sum.
    batch = dict(inputs=[torch.ones(1, 2, 5, 8), torch.ones(1, 2, 7, 8)], data_samples=[None])
    assert count_costs(Attending(), batch) == [StageCost('fuser', 0, 2 * (2 * 5 * 7 * 8))]
