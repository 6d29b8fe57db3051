"""Official weights give the official output: the library's attention with two keys a pixel, in both branches.

The reference holds parameters under the official names and is written from the formula.
"""
import pytest
import torch
from torch import nn

from geminifusion3d.errors import UserError
from geminifusion3d.fusion.gemini_fusion import GeminiFusion, GeminiFusionLayer
from geminifusion3d.fusion.official_weights import fuser_from_official, layer_from_official

CHANNELS, HEADS, CELLS = 24, 8, 15


class Reference(nn.Module):
    """Both directions for two lists of cells, one library call for each direction and each cell."""

    def __init__(self):
        super().__init__()
        self.cross_attn_0_to_1 = nn.MultiheadAttention(CHANNELS, HEADS)
        self.cross_attn_1_to_0 = nn.MultiheadAttention(CHANNELS, HEADS)
        mlp = nn.ModuleDict(dict(fc1=nn.Linear(2 * CHANNELS, CHANNELS), fc2=nn.Linear(CHANNELS, CHANNELS)))
        self.relation_judger = nn.ModuleList([mlp])
        self.k_noise, self.v_noise = nn.Embedding(2, CHANNELS), nn.Embedding(2, CHANNELS)
        self.alpha = nn.Parameter(torch.ones(2))
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.4)

    def enrich(self, own, other, modality):
        """Returns one cell's feature, which is modality 0 or 1, after it has read the other one."""
        attention = (self.cross_attn_0_to_1, self.cross_attn_1_to_0)[modality]
        mlp = self.relation_judger[0]
        score = mlp['fc2'](nn.functional.gelu(mlp['fc1'](torch.cat([own, other])))).softmax(0)
        keys = torch.stack([own + self.k_noise.weight[modality], own * score])
        values = torch.stack([own + self.v_noise.weight[modality], other])
        return own + attention(own[None], keys, values, need_weights=False)[0][0]

    def forward(self, first, second):
        """Returns both enriched lists of cells: the segmentation branch."""
        return (torch.stack([self.enrich(a, b, 0) for a, b in zip(first, second)]),
                torch.stack([self.enrich(b, a, 1) for a, b in zip(first, second)]))

    def fuse(self, first, second):
        """Returns their sum with softmax(alpha): the KITTI branch before its activation."""
        shares = self.alpha.exp() / self.alpha.exp().sum()
        return sum(share * enriched for share, enriched in zip(shares, self(first, second)))


@pytest.fixture
def reference():
    """Returns the reference with random weights."""
    torch.manual_seed(0)
    return Reference()


@pytest.fixture
def cells():
    """Returns the cells of a map of 3 rows and 5 columns, twice."""
    torch.manual_seed(1)
    return torch.randn(CELLS, CHANNELS), torch.randn(CELLS, CHANNELS)


def test_the_segmentation_branch_gives_the_same_output(reference, cells):
    layer = GeminiFusionLayer(channels=CHANNELS, heads=HEADS)
    layer.load_state_dict(layer_from_official(reference.state_dict()))
    with torch.no_grad():
        for found, expected in zip(layer(*cells), reference(*cells)):
            assert torch.allclose(found, expected, rtol=0, atol=1e-5)


def test_the_kitti_branch_gives_the_same_output(reference, cells):
    fuser = GeminiFusion(channels=CHANNELS, heads=HEADS, layers=1)
    fuser.load_state_dict(fuser_from_official(reference.state_dict()))
    camera, lidar = (part.T.view(1, CHANNELS, 3, 5) for part in cells)
    with torch.no_grad():
        found, expected = fuser(camera, lidar), reference.fuse(*cells)
    assert torch.allclose(found[0].flatten(1).T, expected, rtol=0, atol=1e-5)


def test_every_official_weight_but_the_keys_bias_changes_the_output(reference, cells):
    layer = GeminiFusionLayer(channels=CHANNELS, heads=HEADS)
    official = {name: value for name, value in reference.state_dict().items() if name != 'alpha'}
    layer.load_state_dict(layer_from_official(official))
    before = torch.stack(layer(*cells))
    for name, value in official.items():
        third = torch.zeros_like(value)
        third[CHANNELS:2 * CHANNELS] = 1.0  # the rows of the key where query, key and value are stacked
        keeps = name.endswith('in_proj_bias')
        change = third if keeps else torch.randn_like(value)
        layer.load_state_dict(layer_from_official({**official, name: value + change}))
        assert torch.allclose(torch.stack(layer(*cells)), before, atol=1e-3) == keeps, name


def test_a_block_of_a_whole_model_is_found_by_its_prefix(reference):
    model = {f'encoder.block1.0.attn.{name}': value for name, value in reference.state_dict().items()}
    model['encoder.block1.0.attn.q.module.weight'] = torch.zeros(CHANNELS, CHANNELS)
    found = layer_from_official(model, prefix='encoder.block1.0.attn.')
    expected = layer_from_official(reference.state_dict())
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_wrong_prefix_is_refused_and_the_right_ones_are_named(reference):
    model = {f'block1.0.attn.{name}': value for name, value in reference.state_dict().items()}
    with pytest.raises(UserError, match=r"lack 'block2.*in them: 'block1.0.attn.'; pass one"):
        layer_from_official(model, prefix='block2.0.attn.')
    with pytest.raises(UserError, match='in them: none'):
        fuser_from_official({'weight': torch.zeros(1)})


def test_a_segmentation_module_has_no_alpha_for_a_whole_fuser(reference):
    state = reference.state_dict()
    del state['alpha']
    with pytest.raises(UserError, match="lack 'alpha'"):
        fuser_from_official(state)
