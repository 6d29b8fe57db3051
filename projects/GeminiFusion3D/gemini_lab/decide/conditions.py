"""The conditions of the experiment: which sensor's map is another one than in a clean sample, and why."""
import copy
from dataclasses import dataclass
from typing import Dict, Tuple

from mmengine.config import Config

from geminifusion3d.modalities import CAMERA, LIDAR

from ..corruptions.catalogue import CATALOGUE
from ..robustness.changed_recipe import corrupted, with_black_cameras, with_empty_lidar

CLEAN = 'clean'
SEVERITY = 2
SENSORS = (CAMERA, LIDAR)


@dataclass(frozen=True)
class Condition:
    """What happens to a sample before it is scored.

    Attributes:
        label: how the table calls it.
        changed: sensors whose maps are encoded anew; the others' are the clean ones.
        absent: sensors that the model knows to be missing: stand-ins take the place of their maps.
        corruption: a name of the catalogue; empty where sensors are silenced.
    """

    label: str
    changed: Tuple[str, ...] = ()
    absent: Tuple[str, ...] = ()
    corruption: str = ''


def _of_catalogue(name: str) -> Condition:
    found = CATALOGUE[name]
    touches = (found.touches_cameras, found.touches_lidar)
    changed = tuple(sensor for sensor, is_touched in zip(SENSORS, touches) if is_touched)
    return Condition(found.label, changed=changed, corruption=name)


# MultiCorrupt's ten, then those of nuScenes-R and MoME that are none of them.
CORRUPTED = ('beamsreducing', 'brightness', 'dark', 'fog', 'missingcamera', 'motionblur', 'pointsreducing',
             'snow', 'spatialmisalignment', 'temporalmisalignment', 'limitedfov', 'objectfailure',
             'dirtylens', 'calibrationnoise', 'stuckcamera')
CONDITIONS: Dict[str, Condition] = {
    CLEAN: Condition('Clean', changed=SENSORS),
    'no-camera': Condition('No cameras, announced', absent=(CAMERA, )),
    'no-lidar': Condition('No LiDAR, announced', absent=(LIDAR, )),
    'black-cameras': Condition('Black pictures, not announced', changed=(CAMERA, )),
    'empty-lidar': Condition('Empty cloud, not announced', changed=(LIDAR, )),
    **{name: _of_catalogue(name) for name in CORRUPTED}}


def under_condition(cfg: Config, name: str) -> Config:
    """Returns the recipe whose test samples are those of a condition.

    Args:
        cfg: the recipe; left as it is.
        name: a key of CONDITIONS.
    """
    corruption = CONDITIONS[name].corruption
    if corruption:
        return corrupted(cfg, corruption, SEVERITY)
    silenced = {'black-cameras': with_black_cameras, 'empty-lidar': with_empty_lidar}
    return silenced.get(name, copy.deepcopy)(cfg)
