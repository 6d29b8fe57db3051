"""The whole chain on two scenes of two key frames: from nothing to a score and a submission."""
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
SMALL = ['--scenes', '2', '--samples-per-scene', '2', '--cfg-options', 'train_cfg.max_epochs=1',
         'train_cfg.val_begin=9', 'train_dataloader.batch_size=1',
         'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']


def run_demo(folder, *arguments):
    """Runs the demo driver with its dataset and results below `folder`."""
    command = [sys.executable, '-W', 'ignore', '-m', 'geminifusion3d', 'demo', '--dataroot',
               str(folder / 'data'), '--work-dir', str(folder / 'work'), *arguments]
    return subprocess.run(command, capture_output=True, text=True,
                          env=dict(os.environ, OMP_NUM_THREADS='2'))


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A folder in which the chain ran once, and what it printed."""
    folder = tmp_path_factory.mktemp('chain')
    ended = run_demo(folder, *SMALL)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder, ended.stdout


@pytest.mark.timeout(600)
def test_the_chain_ends_with_a_score_and_a_report(finished):
    folder, printed = finished
    metrics = json.loads((folder / 'work' / 'metrics.json').read_text())
    assert 0.0 <= metrics['mean_ap'] <= 1.0 and 0.0 <= metrics['nd_score'] <= 1.0
    assert f'mAP {metrics["mean_ap"]:.4f}  NDS {metrics["nd_score"]:.4f}' in printed
    assert '<html' in (folder / 'work' / 'report.html').read_text()
    times = json.loads((folder / 'work' / 'times.json').read_text())
    assert list(times) == ['generate', 'convert', 'train', 'test', 'export', 'validate', 'report']


def test_the_submission_covers_the_split_and_declares_both_sensors(finished):
    folder, _ = finished
    with zipfile.ZipFile(folder / 'work' / 'submission' / 'results_nusc.zip') as archive:
        content = json.loads(archive.read('results_nusc.json'))
    assert content['meta'] == {'use_camera': True, 'use_lidar': True, 'use_radar': False,
                               'use_map': False, 'use_external': False}
    tables = folder / 'data' / 'v1.0-mini'
    scenes = {scene['token']: scene['name']
              for scene in json.loads((tables / 'scene.json').read_text())}
    samples = json.loads((tables / 'sample.json').read_text())
    val_tokens = {sample['token'] for sample in samples
                  if scenes[sample['scene_token']] in ('scene-0103', 'scene-0916')}
    assert set(content['results']) == val_tokens and len(val_tokens) == 2
    for record in (folder / 'work' / 'test_run.json', folder / 'work' / 'submission' / 'provenance.json'):
        learned = json.loads(record.read_text())['learned_samples']
        assert (learned['scored'], learned['learned'], learned['unknown']) == (2, 0, [])


@pytest.mark.timeout(300)
def test_a_finished_chain_is_not_run_again(finished):
    folder, _ = finished
    checkpoint = folder / 'work' / 'epoch_1.pth'
    changed_ns = checkpoint.stat().st_mtime_ns
    again = run_demo(folder, *SMALL)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count('up to date') == 7
    assert checkpoint.stat().st_mtime_ns == changed_ns
