"""The 13 tables of the nuScenes schema, as rows with exactly the official fields."""
from typing import Any, Dict, List

from .categories import ATTRIBUTE_NAMES, CATEGORY_NAMES
from .city import MAP_TOKENS
from .rig import CHANNELS
from .seeding import make_token

Row = Dict[str, Any]
Tables = Dict[str, List[Row]]

SCENE_TABLES = ('log', 'scene', 'sample', 'sample_data', 'ego_pose', 'calibrated_sensor',
                'instance', 'sample_annotation')
TABLES = ('category', 'attribute', 'visibility', 'sensor', 'map', *SCENE_TABLES)
_VISIBILITY = {'1': 'v0-40', '2': 'v40-60', '3': 'v60-80', '4': 'v80-100'}
_MODALITY = {'CAM': 'camera', 'LID': 'lidar', 'RAD': 'radar'}


def category_token(seed: int, name: str) -> str:
    """Returns the token of a category."""
    return make_token(seed, 'category', name)


def attribute_token(seed: int, name: str) -> str:
    """Returns the token of an attribute."""
    return make_token(seed, 'attribute', name)


def sensor_token(seed: int, channel: str) -> str:
    """Returns the token of a sensor channel."""
    return make_token(seed, 'sensor', channel)


def _described(name: str) -> str:
    return f'Synthetic: {name.replace(".", ", ").replace("_", " ")}.'


def fixed_tables(seed: int) -> Tables:
    """Returns the tables that are the same for every version: taxonomy and sensors."""
    return {
        'category': [{'token': category_token(seed, name), 'name': name,
                      'description': _described(name)} for name in CATEGORY_NAMES],
        'attribute': [{'token': attribute_token(seed, name), 'name': name,
                       'description': _described(name)} for name in ATTRIBUTE_NAMES],
        'visibility': [{'description': f'visibility of whole object is between '
                                       f'{level[1:].replace("-", " and ")}%',
                        'token': token, 'level': level} for token, level in _VISIBILITY.items()],
        'sensor': [{'token': sensor_token(seed, channel), 'channel': channel,
                    'modality': _MODALITY[channel[:3]]} for channel in CHANNELS]}


def map_rows(logs: List[Row]) -> List[Row]:
    """Returns one row per location that a log was recorded at."""
    rows = []
    for location, token in MAP_TOKENS.items():
        log_tokens = [log['token'] for log in logs if log['location'] == location]
        if log_tokens:
            rows.append({'category': 'semantic_prior', 'token': token,
                         'filename': f'maps/{token}.png', 'log_tokens': log_tokens})
    return rows


def link_in_order(rows: List[Row]) -> List[Row]:
    """Returns the rows with prev and next set to their neighbours' tokens, '' at the ends."""
    tokens = ['', *(row['token'] for row in rows), '']
    return [{**row, 'prev': tokens[index], 'next': tokens[index + 2]} for index, row in enumerate(rows)]


def join_scenes(seed: int, fragments: List[Tables]) -> Tables:
    """Returns the 13 tables of a version from the tables of its scenes, in the given order."""
    tables = fixed_tables(seed)
    for name in SCENE_TABLES:
        tables[name] = [row for fragment in fragments for row in fragment[name]]
    tables['map'] = map_rows(tables['log'])
    return tables
