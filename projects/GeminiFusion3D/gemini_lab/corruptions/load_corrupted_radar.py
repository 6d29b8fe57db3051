"""Radar returns whose files are corrupted while they are read: the delta to GeminiLoadRadar."""
from typing import Any, Dict

import numpy as np
from mmdet3d.registry import TRANSFORMS

from geminifusion3d.sensors.load_radar import GeminiLoadRadar

from .catalogue import find_corruption
from .strength import at, generator_of


@TRANSFORMS.register_module()
class GeminiLoadCorruptedRadar(GeminiLoadRadar):
    """Loads the returns of all radars from corrupted files.

    Args:
        corruption: a name of the catalogue.
        severity: 1, 2 or 3.
        **kwargs: as in GeminiLoadRadar.
    """

    def __init__(self, *, corruption: str, severity: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name, self.corruption = corruption, find_corruption(corruption)
        self.severity = at(severity, (1, 2, 3))

    def read_shot(self, results: Dict[str, Any], channel: str, number: int, shot: Dict[str, Any]
                  ) -> np.ndarray:
        """Returns one file's returns, corrupted by the draws of (token, corruption, channel, number).

        Args:
            results: the record of the keyframe.
            channel: which radar.
            number: 0 for the keyframe, then the sweeps, newest first.
            shot: its record.
        """
        rows = super().read_shot(results, channel, number, shot)
        if self.corruption.radar is None:
            return rows
        rng = generator_of(results['token'], self.name, f'{channel} {number}')
        return self.corruption.radar(rows, self.severity, rng)
