"""Published on nuScenes val: MultiCorrupt's resistance abilities of NDS, MoME's NDS on nuScenes-R.

From the README of github.com/ika-rwth-aachen/MultiCorrupt at 6cd6225, "Resistance Ability (RA) computed
with NDS metric".
"""
from dataclasses import dataclass
from typing import Dict, Tuple

from ..corruptions.catalogue import CORRUPTIONS


@dataclass(frozen=True)
class PublishedRow:
    """One detector.

    Attributes:
        model: its name.
        clean_nds: without corruption.
        mean: mRA.
        by_corruption: RA_c, in the catalogue's order.
    """

    model: str
    clean_nds: float
    mean: float
    by_corruption: Dict[str, float]


_NUMBERS: Tuple[Tuple, ...] = (
    ('CMT', 0.729, 0.865, 0.786, 0.937, 0.948, 0.806, 0.974, 0.841, 0.925, 0.833, 0.809, 0.788),
    ('MEFormer', 0.739, 0.856, 0.764, 0.944, 0.952, 0.790, 0.941, 0.835, 0.918, 0.834, 0.796, 0.787),
    ('MoME', 0.735, 0.856, 0.756, 0.943, 0.948, 0.788, 0.962, 0.835, 0.919, 0.833, 0.788, 0.786),
    ('MEFormer w/o PME', 0.737, 0.853, 0.755, 0.945, 0.954, 0.789, 0.937, 0.834, 0.917, 0.831, 0.786, 0.785),
    ('UniBEV_cat', 0.678, 0.847, 0.759, 0.975, 0.967, 0.791, 0.970, 0.798, 0.910, 0.761, 0.753, 0.788),
    ('UniBEV_avg', 0.684, 0.844, 0.760, 0.972, 0.965, 0.776, 0.964, 0.797, 0.909, 0.752, 0.757, 0.787),
    ('UniBEV_cnw', 0.685, 0.837, 0.740, 0.971, 0.966, 0.775, 0.957, 0.784, 0.905, 0.742, 0.747, 0.781),
    ('SparseFusion', 0.732, 0.834, 0.689, 0.975, 0.963, 0.767, 0.954, 0.848, 0.879, 0.770, 0.714, 0.777),
    ('BEVFusion', 0.714, 0.830, 0.676, 0.967, 0.969, 0.752, 0.974, 0.866, 0.872, 0.774, 0.705, 0.742),
    ('IS-Fusion', 0.737, 0.826, 0.680, 0.960, 0.952, 0.758, 0.953, 0.873, 0.860, 0.733, 0.715, 0.771),
    ('TransFusion', 0.708, 0.824, 0.633, 0.993, 0.988, 0.754, 0.985, 0.826, 0.851, 0.748, 0.685, 0.777),
    ('DeepInteraction', 0.691, 0.795, 0.655, 0.969, 0.929, 0.583, 0.842, 0.832, 0.882, 0.759, 0.731, 0.768),
)
PUBLISHED: Tuple[PublishedRow, ...] = tuple(
    PublishedRow(model, clean, mean, dict(zip(CORRUPTIONS, numbers)))
    for model, clean, mean, *numbers in _NUMBERS)

# From the README of github.com/konyul/MoME at ddbec03, by the condition here that is like it: 4 beams, no
# LiDAR, +-60 degrees, objects (there: all of a keyframe) with probability 0.5, no picture, masks of unknown
# strength.
MOME_NDS: Dict[str, float] = {
    'clean': 0.736, 'beamsreducing-3': 0.630, 'lidardrop-3': 0.482, 'limitedfov-3': 0.583,
    'objectfailure-2': 0.710, 'viewdrop-3': 0.695, 'dirtylens-2': 0.705}
