"""The fusers that are compared: one line each, a recipe of the comparison whose model is taken.

Encoders, alignments and head are those of every recipe; what a recipe changes in loading or in the training
of encoders has no effect here.
"""
from dataclasses import dataclass
from typing import Dict, List, Sequence

from geminifusion3d.errors import UserError

from ..compare.runs import CONFIG_FOLDER, Variant

REFERENCES = ('add', 'conv')


@dataclass(frozen=True)
class Fuser:
    """One line of the table.

    Attributes:
        recipe: what the recipe's name in configs/compare says beside the others'.
        called: how tables call it.
        with_dropout: sensors are absent at random in training.
        spared: share of the training without absent sensors; behind it they rise to their share over a third.
        shift_cells: the camera's map is shifted by up to so many cells along x and y in training.
    """

    recipe: str
    called: str
    with_dropout: bool = True
    spared: float = 0.0
    shift_cells: int = 0

    @property
    def variant(self) -> Variant:
        """The recipe as a model of the comparison."""
        return Variant(CONFIG_FOLDER / f'geminifusion3d_lidar-cam_{self.recipe}_compare.py')

    @property
    def label(self) -> str:
        """What tables say."""
        return self.called + ('' if self.with_dropout else ', no dropout')


# In the order in which they run, seed by seed.
RECIPES = {
    'add': 'addition',
    'conv': 'convolution',
    'gemini': 'GeminiFusion as published',
    'gemini-no-relation': 'GeminiFusion, no relation score',
    'gemini-gate': 'GeminiFusion behind a gate',
    'add-gate': 'addition behind a gate',
    'gemini-both-keys': 'GeminiFusion, both keys',
    'gemini-cell-encoding': 'GeminiFusion, range and bearing',
    'gemini-neighbourhood': 'GeminiFusion, neighbourhood',
    'gemini-scaled-relation': 'GeminiFusion, relation score x C',
    'gemini-two-layers': 'GeminiFusion, two layers',
    'gemini-four-layers': 'GeminiFusion, four layers',
    'gemini-two-stream': 'GeminiFusion after every stage',
    'gemini-two-stream-neck': 'GeminiFusion after every stage and in the neck',
    'add-two-stream-neck': 'two streams, added in the neck',
    'gemini-one-direction': 'GeminiFusion, one direction',
    'gemini-kitti-init': "GeminiFusion, KITTI branch's start",
    'n-way': 'N-way GeminiFusion',
    'token-exchange': 'token exchange',
    'window-attention': 'attention in windows'}
NO_DROPOUT = '-no-dropout'
# Of the two-by-two table: static and with a gate, each without and with dropout of sensors in training.
GATES = ('add', 'add-gate')
WITHOUT_TOO = (*GATES, 'conv', 'gemini', 'gemini-two-stream-neck', 'add-two-stream-neck')
FUSERS: Dict[str, Fuser] = {
    **{name: Fuser(name, label) for name, label in RECIPES.items()},
    **{name + NO_DROPOUT: Fuser(name, RECIPES[name], with_dropout=False) for name in WITHOUT_TOO},
    'gemini-phases': Fuser('gemini', 'GeminiFusion, dropout from a third on', spared=1 / 3),
    'gemini-shifts': Fuser('gemini', 'GeminiFusion, camera map shifted at random', shift_cells=2)}


def choose(names: Sequence[str]) -> List[str]:
    """Returns the names that are there, in the table's order; all where none is given.

    Args:
        names: keys of FUSERS.

    Raises:
        UserError: if one does not exist.
    """
    unknown = sorted(set(names) - set(FUSERS))
    if unknown:
        raise UserError(f'no fuser of the experiment is called {", ".join(unknown)}; expected some of '
                        f'{", ".join(FUSERS)}')
    return [name for name in FUSERS if not names or name in names]
