"""Which models are compared, in the order of the table."""
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence

from geminifusion3d.errors import UserError

CONFIG_FOLDER = Path('configs') / 'compare'


@dataclass(frozen=True)
class Variant:
    """One model of the comparison.

    Attributes:
        name: a word for the command line, files and folders.
        label: how the table calls it.
        sensors: 'camera', 'lidar' or 'both'.
        is_costly: compared on request only: a step takes six times as long as the others'.
    """

    name: str
    label: str
    sensors: str = 'both'
    is_costly: bool = False

    @property
    def config(self) -> Path:
        """Its recipe, seen from the repository's root."""
        prefix = {'camera': 'cam', 'lidar': 'lidar', 'both': f'lidar-cam_{self.name}'}[self.sensors]
        return CONFIG_FOLDER / f'geminifusion3d_{prefix}_compare.py'


VARIANTS = (
    Variant('lidar', 'LiDAR only', 'lidar'),
    Variant('camera', 'camera only', 'camera'),
    Variant('add', 'addition'),
    Variant('conv', 'convolution (BEVFusion)'),
    Variant('token-exchange', 'token exchange (TokenFusion)'),
    Variant('window-attention', 'cross-attention in windows'),
    Variant('full-attention', 'full cross-attention', is_costly=True),
    Variant('gemini', 'GeminiFusion'),
    Variant('gemini-no-noise', 'GeminiFusion, no noise'),
    Variant('gemini-no-relation', 'GeminiFusion, no relation score'),
    Variant('gemini-one-direction', 'GeminiFusion, one direction'),
    Variant('gemini-two-layers', 'GeminiFusion, two layers'),
    Variant('gemini-concat', 'GeminiFusion, concat merge'))


def choose(names: Sequence[str]) -> List[Variant]:
    """Returns the named models in the table's order; where none is named, all but the costly ones.

    Raises:
        UserError: if one does not exist.
    """
    known = [variant.name for variant in VARIANTS]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UserError(f'no model of the comparison is called {", ".join(unknown)}; expected some of '
                        f'{", ".join(known)}')
    return [variant for variant in VARIANTS
            if variant.name in names or not names and not variant.is_costly]
