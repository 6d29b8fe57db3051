"""nuScenes trainval in full size, made up: the 13 tables with as many rows as the real ones.

Scenes carry the official names, so that train has 28,130 samples and val 6,019. The car drives straight on,
34 objects keep their places around it. Every sensor file is a link to one small file of its kind.
"""
import json
import math
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import cv2
import numpy as np

from geminifusion3d.submission.split_samples import official_splits

from ..synthetic.city import MAP_TOKENS
from ..synthetic.rig import CAMERAS, CHANNELS, IMAGE_SIZE, LIDAR, RADARS, build_rig
from ..synthetic.tables import attribute_token, category_token, fixed_tables, sensor_token

VERSION = 'v1.0-trainval'
SAMPLES = {'train': 28_130, 'val': 6_019}
OBJECTS, SIGHTS = 34, 18
LOCATION = 'singapore-onenorth'
# Shots of each sensor in the half second of a sample; the real dataset has 77.0 in all.
SHOTS = {**dict.fromkeys(CAMERAS, 6), **dict.fromkeys(RADARS, 6), RADARS[0]: 7, LIDAR: 10}
CATEGORIES = ('vehicle.car', 'human.pedestrian.adult', 'movable_object.barrier', 'movable_object.trafficcone',
              'vehicle.truck', 'vehicle.bus.rigid', 'vehicle.trailer', 'vehicle.construction',
              'vehicle.motorcycle', 'vehicle.bicycle')
SPEED_MPS = 8.0

Row = Dict[str, Any]


def scene_lengths(splits: Tuple[str, ...], every: int = 1) -> List[Tuple[str, int]]:
    """Returns the name and the number of samples of each scene of some splits.

    Args:
        splits: of `SAMPLES`.
        every: take one scene of so many.
    """
    found = []
    for split in splits:
        names = official_splits()[split]
        shortest, longer = divmod(SAMPLES[split], len(names))
        found += [(name, shortest + (index < longer)) for index, name in enumerate(names)][::every]
    return found


def write_tables(root: Path, splits: Tuple[str, ...], *, keyframes_only: bool = False, every: int = 1
                 ) -> None:
    """Writes the 13 tables and a map, once.

    Args:
        root: of the dataset.
        splits: of `SAMPLES`.
        keyframes_only: leave out all shots between keyframes.
        every: take one scene of so many.
    """
    folder = root / VERSION
    if (folder / 'complete').exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    map_name = f'maps/{MAP_TOKENS[LOCATION]}.png'
    (root / 'maps').mkdir(exist_ok=True)
    cv2.imwrite(str(root / map_name), np.zeros((8, 8), np.uint8))
    with ExitStack() as stack:
        files: Dict[str, Any] = {}

        def write(table: str, row: Row) -> None:
            is_first = table not in files
            if is_first:
                files[table] = stack.enter_context((folder / f'{table}.json').open('w'))
            files[table].write(('[\n' if is_first else ',\n') + json.dumps(row))

        for table, rows in fixed_tables(0).items():
            for row in rows:
                write(table, row)
        lengths, logs = scene_lengths(splits, every), []
        for name, length in lengths:
            for table, row in _scene(name, length, keyframes_only):
                write(table, row)
            logs.append(f'log-{name}')
        write('map', {'category': 'semantic_prior', 'token': MAP_TOKENS[LOCATION], 'filename': map_name,
                      'log_tokens': logs})
        for file in files.values():
            file.write('\n]\n')
    (folder / 'complete').touch()


def link_files(root: Path, splits: Tuple[str, ...], *, keyframes_only: bool = False, every: int = 1) -> None:
    """Makes a link to one picture or one cloud of each sensor file that the tables name, once."""
    done = root / 'samples' / 'complete'
    if done.exists():
        return
    picture, cloud = root / 'picture.jpg', root / 'cloud.bin'
    cv2.imwrite(str(picture), np.full((IMAGE_SIZE[1], IMAGE_SIZE[0], 3), 127, np.uint8))
    numbers, count = np.random.default_rng(0), 30_000
    np.column_stack([numbers.uniform(-50, 50, (count, 2)), numbers.uniform(-2.5, 2.5, count),
                     numbers.integers(0, 256, count), numbers.integers(0, 32, count)]
                    ).astype(np.float32).tofile(cloud)
    for name, length in scene_lengths(splits, every):
        for table, row in _scene(name, length, keyframes_only):
            # Nobody reads radars and pictures between keyframes.
            if table == 'sample_data' and (row['is_key_frame'] or LIDAR in row['filename']):
                path, source = root / row['filename'], cloud if LIDAR in row['filename'] else picture
                if not path.parent.is_dir():
                    path.parent.mkdir(parents=True)
                with suppress(FileExistsError):
                    os.symlink(source.resolve(), path)
    done.touch()


def _scene(name: str, length: int, keyframes_only: bool) -> Iterator[Tuple[str, Row]]:
    """Yields table and row of everything in a scene; tokens have the real ones' 32 characters."""
    number = int(name.rsplit('-', 1)[-1])

    def token(kind: int, index: int) -> str:
        return '' if index < 0 else f'{kind:02x}{number:06x}{index:024x}'

    def at_m(time_s: float) -> List[float]:
        return [400.0 + SPEED_MPS * time_s, 900.0 + number / 10, 0.0]

    start_us = 1_530_000_000_000_000 + number * 30_000_000
    yield 'log', {'token': f'log-{name}', 'logfile': f'n015-2018-07-24-11-22-{number:04d}+0800',
                  'vehicle': 'n015', 'date_captured': '2018-07-24', 'location': LOCATION}
    yield 'scene', {'token': token(1, 0), 'log_token': f'log-{name}', 'nbr_samples': length, 'name': name,
                    'first_sample_token': token(2, 0), 'last_sample_token': token(2, length - 1),
                    'description': 'Parked cars, pedestrians on the pavement, bus stop, turning left'}
    for channel, mount in build_rig(0, 'full size').items():
        yield 'calibrated_sensor', {
            'token': token(3, CHANNELS.index(channel)), 'sensor_token': sensor_token(0, channel),
            'translation': list(mount.translation_m), 'rotation': list(map(float, mount.rotation)),
            'camera_intrinsic': [] if mount.intrinsic is None else mount.intrinsic.tolist()}
    for index in range(length):
        yield 'sample', {'token': token(2, index), 'timestamp': start_us + index * 500_000,
                         'prev': token(2, index - 1), 'scene_token': token(1, 0),
                         'next': token(2, index + 1) if index + 1 < length else ''}
    for kind, channel in enumerate(CHANNELS, start=16):
        shots = 1 if keyframes_only else SHOTS[channel]
        suffix = 'jpg' if channel in CAMERAS else 'pcd.bin' if channel == LIDAR else 'pcd'
        for index in range(length * shots):
            time_us = start_us + index * 500_000 // shots
            is_key_frame = index % shots == 0
            yield 'ego_pose', {
                'token': token(kind, index), 'timestamp': time_us, 'rotation': [1.0, 0.0, 0.0, 0.0],
                'translation': at_m((time_us - start_us) / 1e6)}
            yield 'sample_data', {
                'token': token(kind, index), 'sample_token': token(2, index // shots),
                'ego_pose_token': token(kind, index), 'calibrated_sensor_token': token(3, kind - 16),
                'timestamp': time_us, 'fileformat': suffix[:3], 'is_key_frame': is_key_frame,
                'height': IMAGE_SIZE[1] * (channel in CAMERAS), 'width': IMAGE_SIZE[0] * (channel in CAMERAS),
                'filename': f'{"samples" if is_key_frame else "sweeps"}/{channel}/'
                            f'n015-2018-07-24-11-22-{number:04d}+0800__{channel}__{time_us}.{suffix}',
                'prev': token(kind, index - 1),
                'next': token(kind, index + 1) if index + 1 < length * shots else ''}
    for place in range(OBJECTS):
        yield from _object(token, place, length, at_m)


def _object(token: Any, place: int, length: int, at_m: Any) -> Iterator[Tuple[str, Row]]:
    """Yields the rows of who stands at one place around the car: another object after some sights."""
    category = CATEGORIES[place % len(CATEGORIES)]
    angle, range_m = place * 2 * math.pi / OBJECTS, 5.0 + place * 7 % 40
    attribute = ('vehicle.parked' if category.startswith('vehicle') else 'pedestrian.standing'
                 if category.startswith('human') else '')
    if category.endswith('cycle'):
        attribute = 'cycle.without_rider'
    for first in range(0, length, SIGHTS):
        sights = range(first, min(first + SIGHTS, length))
        names = [token(5, place * 1000 + index) for index in sights]
        instance = token(4, place * 1000 + first)
        yield 'instance', {'token': instance, 'category_token': category_token(0, category),
                           'nbr_annotations': len(sights), 'first_annotation_token': names[0],
                           'last_annotation_token': names[-1]}
        for number, index in enumerate(sights):
            x_m, y_m, _ = at_m(index / 2)
            yield 'sample_annotation', {
                'token': names[number], 'sample_token': token(2, index), 'instance_token': instance,
                'visibility_token': str(1 + place % 4),
                'attribute_tokens': [attribute_token(0, attribute)] if attribute else [],
                'translation': [x_m + range_m * math.cos(angle), y_m + range_m * math.sin(angle), 0.9],
                'size': [1.9, 4.5, 1.7], 'rotation': [math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)],
                'prev': names[number - 1] if number else '',
                'next': names[number + 1] if number + 1 < len(names) else '',
                'num_lidar_pts': 12 + place, 'num_radar_pts': place % 3}
