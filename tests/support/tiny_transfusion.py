"""A small TransFusion head on a grid that is not square, and ground truth for it."""
from typing import Any, Dict, Optional

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_detector import CONFIG, SMALL_GRID, make_sample

import geminifusion3d
from geminifusion3d.geometry.bev_grid import BEVGrid

geminifusion3d.register()
PART = 'configs/_base_/models/transfusion_head.py'
GRID = BEVGrid.from_config(SMALL_GRID)
CHANNELS = 16


def head_config(**replaced: Any) -> Dict[str, Any]:
    """Returns the published head's config with small numbers, then with some values replaced."""
    part = Config.fromfile(CONFIG.parents[2] / PART).transfusion_head
    small = dict(in_channels=CHANNELS, hidden_channels=16, num_queries=12, branch_channels=16,
                 decoder=dict(heads=2, feedforward_channels=24, dropout=0.0))
    return {**part, **small, **replaced}


def build_head(*, grid: BEVGrid = GRID, seed: int = 0, **replaced: Any) -> torch.nn.Module:
    """Builds and initialises the head.

    Args:
        grid: the grid of its map.
        seed: of its weights.
        replaced: values of its config.
    """
    init_default_scope('mmdet3d')
    torch.manual_seed(seed)
    head = MODELS.build(dict(head_config(**replaced), bev_grid=grid))
    head.init_weights()
    return head


def make_map(batch: int = 1, seed: int = 0) -> torch.Tensor:
    """Returns a random feature map (B, C, Y, X) of the small grid."""
    return torch.randn(batch, CHANNELS, *GRID.shape_yx, generator=torch.Generator().manual_seed(seed))


def three_objects(labels: Optional[list] = None) -> Det3DDataSample:
    """Returns a sample with a car, a pedestrian of unknown velocity and a bus."""
    nan = float('nan')
    boxes = torch.tensor([[7.3, -4.6, -1.8, 4.0, 2.0, 1.6, 0.5, 3.0, -1.0],
                          [-10.2, 6.7, -1.0, 0.8, 0.6, 1.7, -2.0, nan, nan],
                          [-2.6, 1.4, -1.9, 10.0, 2.9, 3.4, 3.0, 0.0, 0.5]])
    return make_sample(boxes, labels or [0, 8, 3])
