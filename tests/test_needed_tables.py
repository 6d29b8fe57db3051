"""Tables of which only the rows that are asked for are held."""
import json

import pytest
from tiny_nuscenes import write_tiny_nuscenes

from geminifusion3d.needed_tables import NeededTables

VERSION = 'v1.0-mini'


@pytest.fixture
def root(tmp_path):
    """Two scenes of three keyframes."""
    return write_tiny_nuscenes(tmp_path)


def test_rows_of_other_scenes_stay_on_disk(root):
    tables = NeededTables(root, VERSION, scenes={'scene-0103'})
    assert [scene['name'] for scene in tables.scene] == ['scene-0103']
    assert len(tables.sample) == 3 and len(tables.sample_data) == len(tables.ego_pose) == 3 * 7
    tokens = {row['token'] for row in tables.sample}
    assert {row['sample_token'] for row in tables.sample_annotation} == tokens
    assert all(len(sample['data']) == 7 and sample['anns'] for sample in tables.sample)


def test_shots_between_keyframes_are_held_of_the_lidar_and_on_demand_alone(root):
    keyframes, sweeps = NeededTables(root, VERSION), NeededTables(root, VERSION, with_sweeps=True)
    assert all(row['is_key_frame'] for row in keyframes.sample_data)
    between = [row for row in sweeps.sample_data if not row['is_key_frame']]
    assert between and {row['channel'] for row in between} == {'LIDAR_TOP'}


def test_a_radar_is_left_out(root):
    folder = root / VERSION
    shots = json.loads((folder / 'sample_data.json').read_text())
    for table, row in (('sensor', {'token': 'r', 'channel': 'RADAR_FRONT', 'modality': 'radar'}),
                       ('calibrated_sensor', {'token': 'c', 'sensor_token': 'r'}),
                       ('sample_data', {**shots[0], 'token': 's', 'calibrated_sensor_token': 'c',
                                        'is_key_frame': True})):
        rows = json.loads((folder / f'{table}.json').read_text())
        (folder / f'{table}.json').write_text(json.dumps([*rows, row]))
    assert len(NeededTables(root, VERSION).sample_data) == 2 * 3 * 7


def test_equal_texts_are_held_once(root):
    tables = NeededTables(root, VERSION)
    first, second = tables.sample[:2]
    assert first['next'] is second['token'] and second['prev'] is first['token']
    assert list(first)[0] is list(second)[0]
    tokens = {row['sample_token'] for row in tables.sample_annotation}
    assert {id(token) for token in tokens} == {id(row['sample_token']) for row in tables.sample_annotation}
