"""Scenes' objects become one set of files a class, in order, whatever a scene lacks."""
import json
from pathlib import Path

import numpy as np

from geminifusion3d.data_converters.gt_database import (Objects, is_whole_part, join_objects, read_part,
                                                        write_part)
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.sensors.object_database import FORMAT, META_KEYS, ObjectDatabase


def scene(labels: list, num_points: list, first: int) -> Objects:
    """Objects whose numbers count up from `first`, so that each value tells where it came from."""
    count, total = len(labels), sum(num_points)
    return Objects(labels=np.array(labels, np.int64), num_points=np.array(num_points, np.int64),
                   boxes=first + np.arange(count * 9, dtype=np.float32).reshape(count, 9),
                   points=first + np.arange(total * 5, dtype=np.float32).reshape(total, 5))


SCENES = [scene([0, 0, 8], [2, 1, 3], first=1000), scene([], [], first=0), scene([8], [4], first=2000),
          scene([0, 5], [1, 2], first=3000)]


def written(folder: Path) -> list:
    paths = [folder / f'{number}.part' for number in range(len(SCENES))]
    for path, objects in zip(paths, SCENES):
        with path.open('wb') as file:
            write_part(file, objects)
    return paths


def test_a_part_comes_back_as_it_was(tmp_path):
    for path, objects in zip(written(tmp_path), SCENES):
        for array, expected in zip(read_part(path), objects):
            np.testing.assert_array_equal(array, expected)
            assert array.dtype == expected.dtype


def test_each_class_has_its_objects_scene_after_scene(tmp_path):
    metainfo = {**dict.fromkeys(META_KEYS, 0), 'format': FORMAT}
    join_objects(written(tmp_path), tmp_path / 'database', metainfo)
    database = ObjectDatabase(tmp_path / 'database')
    expected = {name: [] for name in CLASS_NAMES}
    for objects in SCENES:
        ends = objects.num_points.cumsum()
        for label, box, count, end in zip(objects.labels, objects.boxes, objects.num_points, ends):
            expected[CLASS_NAMES[label]].append((box, objects.points[end - count:end]))
    counts = json.loads((tmp_path / 'database' / 'database.json').read_text())['num_objects']
    assert counts == {**dict.fromkeys(CLASS_NAMES, 0), 'car': 3, 'barrier': 1, 'pedestrian': 2}
    for name, objects in expected.items():
        for index, (box, points) in enumerate(objects):
            np.testing.assert_array_equal(database.boxes(name)[index], box)
            np.testing.assert_array_equal(database.points(name, index), points)


def test_a_damaged_part_is_not_taken_for_a_finished_one(tmp_path):
    path = written(tmp_path)[0]
    assert is_whole_part(path) and not is_whole_part(tmp_path / 'absent')
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    assert not is_whole_part(path)
