"""The fusers that are compared: one line each, a name for files and the command line, a label, a config.

`channels` is filled in. A line may switch off the dropout of sensors in its training, for the table of gate x
dropout.
"""
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

from geminifusion3d.errors import UserError

REFERENCES = ('add', 'conv')


@dataclass(frozen=True)
class Fuser:
    """One line of the comparison.

    Attributes:
        label: how tables call it.
        model: what of the model's config is replaced: the fuser, for some also what stands around it.
        with_dropout: sensors are absent at random in training.
    """

    label: str
    model: Dict[str, Any]
    with_dropout: bool = True


def _gemini(label: str, *, with_dropout: bool = True, **changed: Any) -> Fuser:
    return Fuser(label, dict(fuser=dict(type='GeminiFusion', heads=4, **changed)), with_dropout)


FUSERS: Dict[str, Fuser] = {
    'add': Fuser('addition', dict(fuser=dict(type='GeminiAddFuser'))),
    'conv': Fuser('convolution (BEVFusion)', dict(fuser=dict(type='GeminiConvFuser'))),
    'gemini': _gemini('GeminiFusion, as published'),
    'no-relation': _gemini('GeminiFusion, no relation score', relation='none'),
    'scaled': _gemini('GeminiFusion, relation score x C', relation='scaled'),
    'one-direction': _gemini('GeminiFusion, one direction', directions='lidar_from_camera'),
    'two-layers': _gemini('GeminiFusion, two layers', layers=2),
    'n-way-gate': Fuser('N-way GeminiFusion with a gate', dict(
        fuser=dict(type='GeminiNWayFusion', modalities=2, heads=4, gate=True))),
    'token-exchange': Fuser('token exchange (TokenFusion)', dict(fuser=dict(type='GeminiTokenExchange'))),
    'window': Fuser('cross-attention in windows', dict(
        fuser=dict(type='GeminiCrossAttention', heads=4, window=8))),
    'add-no-dropout': Fuser(
        'addition, no dropout', dict(fuser=dict(type='GeminiAddFuser')), with_dropout=False),
    'n-way-gate-no-dropout': Fuser('N-way GeminiFusion with a gate, no dropout', dict(
        fuser=dict(type='GeminiNWayFusion', modalities=2, heads=4, gate=True)), with_dropout=False),
}

# Of the two-by-two table: without and with dropout of sensors.
GATE_AND_DROPOUT = {'addition': ('add-no-dropout', 'add'),
                    'with a gate': ('n-way-gate-no-dropout', 'n-way-gate')}


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


def model_config(base: Dict[str, Any], name: str, channels: int) -> Dict[str, Any]:
    """Returns the detector's config with a fuser of the table.

    Args:
        base: the detector's config.
        name: a key of FUSERS.
        channels: of the aligned maps.
    """
    replaced = FUSERS[name].model
    fuser = dict(replaced['fuser'])
    if fuser['type'] == 'GeminiConvFuser':
        fuser.update(in_channels=[channels, channels], out_channels=channels)
    else:
        fuser.update(channels=channels)
    return {**base, **replaced, 'fuser': fuser}
