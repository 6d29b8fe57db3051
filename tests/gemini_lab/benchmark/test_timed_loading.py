"""Keyframes come in turn, and every second of a call belongs to a step or to what the dataset does."""
import time

import pytest
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmengine.registry import init_default_scope
from tiny_nuscenes import write_tiny_nuscenes

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from gemini_lab.benchmark.timed_loading import REST, TimedLoading, TimedStep

SLEEP_S = 0.02


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A dataset of three keyframes, as a config."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'), scenes=['scene-0061'])
    convert_nuscenes(root, 'v1.0-mini', root)
    init_default_scope('mmdet3d')
    return dict(type='GeminiNuScenesDataset', data_root=str(root), ann_file='geminifusion3d_infos_mini_train.pkl',
                test_mode=True)


@pytest.fixture
def nap():
    """A registered transform that sleeps."""
    class Nap(BaseTransform):
        def transform(self, results):
            time.sleep(SLEEP_S)
            return results
    TRANSFORMS.register_module(name='TestNap', module=Nap, force=True)
    yield dict(type='TestNap')
    TRANSFORMS.module_dict.pop('TestNap')


def test_keyframes_come_in_turn_and_a_call_loads_the_same_until_prepared(dataset):
    loading = TimedLoading(dataset=dataset, steps=[], indices=[2, 0])
    tokens = []
    for _ in range(3):
        loading.prepare()
        tokens.append(loading.call()['token'])
    assert tokens[0] == tokens[2] != tokens[1]
    assert loading.call()['token'] == tokens[2]


def test_seconds_of_steps_and_the_rest_by_hand(dataset, nap):
    loading = TimedLoading(dataset=dataset, steps=[nap, dict(type='GeminiLoadPoints', sweeps_num=0), nap],
                           indices=[0])
    for _ in range(5):
        loading.prepare()
        loading.call()
    medians = loading.median_s_by_step(3)
    assert list(medians) == [REST, 'TestNap', 'GeminiLoadPoints', 'TestNap (2)']
    assert medians['TestNap'] >= SLEEP_S and medians['TestNap (2)'] >= SLEEP_S
    assert medians[REST] < 2 * SLEEP_S


def test_only_the_latest_calls_count():
    step = TimedStep(name='step', transform=dict)
    for _ in range(4):
        step({})
    assert len(step.seconds) == 4 and min(step.seconds) >= 0
