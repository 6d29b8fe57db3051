"""`--tta flip rotate=6,-6 ...`: from the command line to a pipeline of variants around one model."""
from itertools import product
from math import radians
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from mmengine.config import Config

from ..engine.silenced_sensors import PACKS
from ..errors import UserError

# What a term gives without values of its own; the sample as it is always takes part.
ROTATE_DEG = (6.25, -6.25)
SCALE = (0.95, 1.05)
FLIPS = {'flip': ((False, False), (True, False), (False, True), (True, True)),
         'flip-x': ((False, False), (True, False)), 'flip-y': ((False, False), (False, True))}
# The steps that look at where things are: variants come before the first of them.
PLACE_STEPS = ('PointsRangeFilter', 'GeminiPointsRangeFilter', *PACKS)


def augment_test_time(cfg: Config, terms: Optional[Sequence[str]]) -> int:
    """Makes a test run look at each sample in every variant of --tta; returns how many there are.

    UserError if a term is unknown or the recipe does not fit.
    """
    if not terms:
        return 1
    scenes, image_flips = variants(terms)
    dataset = cfg.test_dataloader.dataset
    if len(image_flips) > 1 and not (dataset.get('modality') or {}).get('use_camera', True):
        raise UserError('--tta image-flip needs a recipe that reads the cameras; leave it out')
    dataset.pipeline = with_variants(dataset.pipeline, scenes, image_flips)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(
        type='PrepareTTAHook', tta_cfg=dict(type='GeminiTestTimeAugmentation'))]
    return len(scenes) * len(image_flips)


def variants_folder(cfg: Config, terms: Optional[Sequence[str]]) -> str:
    """Returns the work directory of an augmented run: below the plain one's, named after the terms."""
    return str(Path(cfg.work_dir) / ('tta_' + '+'.join(terms))) if terms else cfg.work_dir


def variants(terms: Sequence[str]) -> Tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
    """Returns the steps that move the scene and those that mirror images, the sample as it is first.

    UserError if a term is unknown, twice there, or has wrong values.
    """
    flips: Tuple[Tuple[bool, bool], ...] = ((False, False), )
    angles_deg: Tuple[float, ...] = (0.0, )
    scales: Tuple[float, ...] = (1.0, )
    image_flips: Tuple[bool, ...] = (False, )
    names = [term.partition('=')[0] for term in terms]
    kinds = ['flip' if name in FLIPS else name for name in names]
    if len(set(kinds)) < len(kinds):
        raise UserError(f'--tta got {" ".join(terms)}; expected each kind of term once')
    for term, name in zip(terms, names):
        if name == 'rotate':
            angles_deg = (0.0, *_values(term, ROTATE_DEG))
        elif name == 'scale':
            scales = (1.0, *_values(term, SCALE))
        elif term in FLIPS:
            flips = FLIPS[term]
        elif term == 'image-flip':
            image_flips = (False, True)
        else:
            raise UserError(f'--tta got {term!r}; expected some of {", ".join(FLIPS)}, rotate[=DEG,...], '
                            'scale[=FACTOR,...], image-flip')
    # Ranges of one value and probabilities of 0 and 1: nothing is left to chance.
    scenes = [dict(type='GeminiAugmentScene', rotate_range_rad=(radians(angle), ) * 2,
                   scale_range=(scale, scale), flip_x_prob=float(flip_x), flip_y_prob=float(flip_y))
              for (flip_x, flip_y), angle, scale in product(flips, angles_deg, scales)]
    return scenes, [dict(type='GeminiFlipImages', flip=flip) for flip in image_flips]


def with_variants(pipeline: Sequence[Dict[str, Any]], scenes: List[Dict[str, Any]],
                  image_flips: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Returns a test's pipeline that loads once and then goes through every variant; it must pack."""
    kinds = [step['type'] for step in pipeline]
    places = [kinds.index(kind) for kind in PLACE_STEPS if kind in kinds]
    if not set(PACKS) & set(kinds):
        raise UserError(f'the test pipeline {", ".join(kinds)} has no {" or ".join(PACKS)}; variants come '
                        'before it')
    at = min(places)
    return [*pipeline[:at], dict(type='TestTimeAug', transforms=[
        scenes, image_flips, *([step] for step in pipeline[at:])])]


def _values(term: str, default: Tuple[float, ...]) -> Tuple[float, ...]:
    """Returns the numbers behind a term's `=`."""
    if '=' not in term:
        return default
    name, _, listed = term.partition('=')
    try:
        values = tuple(float(value) for value in listed.split(','))
    except ValueError:
        values = ()
    if not values or not all(abs(value) < 360 and (name != 'scale' or value > 0) for value in values):
        raise UserError(f'--tta got {term!r}; expected {name}= and '
                        + ('factors above 0' if name == 'scale' else 'degrees below 360')
                        + ' with commas between')
    return values
