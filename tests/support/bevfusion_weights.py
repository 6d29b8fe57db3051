"""Random weights with the names and shapes of mmdet3d's published BEVFusion checkpoints."""
from pathlib import Path
from typing import Dict

import torch
from torch import Tensor

CAMERA_PARTS = ('img_', 'view_transform.', 'fusion_layer.')


def published_weights(modality: str) -> Dict[str, Tensor]:
    """Returns a state dict as spconv 2 stores it.

    Args:
        modality: 'lidar' or 'lidar-cam'.
    """
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for line in Path(__file__).with_suffix('.txt').read_text().splitlines():
        name, shape = line.split()
        if modality == 'lidar-cam' or not name.startswith(CAMERA_PARTS):
            sizes = [] if shape == '-' else list(map(int, shape.split('x')))
            weights[name] = torch.rand(sizes, generator=generator)
    return weights
