"""The commands of one's own data: what predict writes for nuScenes and for records, and what they answer."""
import json
from pathlib import Path

import cv2
import pytest
from demo_weights import CONFIG, write_checkpoint

from gemini_lab.synthetic.records import generate_records
from geminifusion3d.data_converters.nuscenes_tables import open_tables

OWN_CONFIG = """
_base_ = ['{base}']
classes = ('car', 'big_vehicle', 'person')
load_images = dict(type='GeminiLoadImages', camera_names=['front', 'left', 'right'])
test_pipeline = [
    load_images, _base_.load_points, _base_.resize_images, _base_.in_range[0], _base_.pack_testing]
test_dataloader = dict(dataset=dict(
    _delete_=True, type='GeminiRecordDataset', data_root='.', ann_file='val.jsonl', test_mode=True,
    metainfo=dict(classes=classes), pipeline=test_pipeline))
model = dict(bbox_head=dict(
    classes=classes, tasks=[['car', 'big_vehicle'], ['person']], nms_radius_m=[2.0, 0.5],
    boxes_after_nms=200))
"""


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the demo."""
    return write_checkpoint(CONFIG, tmp_path_factory.mktemp('weights') / 'a.pth')


@pytest.fixture(scope='module')
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another car's records, a recipe for them, and its weights."""
    root = tmp_path_factory.mktemp('own')
    generate_records(root / 'data', scenes=2, samples_per_scene=2)
    (root / 'own.py').write_text(OWN_CONFIG.format(base=CONFIG))
    write_checkpoint(root / 'own.py', root / 'own.pth')
    return root


def test_keyframes_of_nuscenes_become_boxes_records_and_pictures(gemini3d, synthetic_root, weights, tmp_path):
    tokens = [row['token'] for row in open_tables(synthetic_root, 'v1.0-mini').sample][:2]
    done = gemini3d('predict', CONFIG, weights, '--dataroot', synthetic_root, '--sample', *tokens, '--draw',
                    '--html', '--mcap', '--min-score', '0.05', '--batch-size', '2', '--out', tmp_path / 'out')
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / 'out' / 'predictions.json').read_text())
    assert {sample['token'] for sample in content['samples']} == set(tokens)
    boxes = [box for sample in content['samples'] for box in sample['boxes']]
    assert all(box['score'] >= 0.05 and len(box['box']) == 7 for box in boxes)
    results = json.loads((tmp_path / 'out' / 'results_nusc.json').read_text())
    assert results['meta']['use_lidar'] and set(results['results']) == set(tokens)
    assert sum(map(len, results['results'].values())) > 0
    pictures = sorted((tmp_path / 'out').glob('*.jpg'))
    assert len(pictures) == 2 and cv2.imread(str(pictures[0])).shape[1] > 3 * 640
    page = (tmp_path / 'out' / 'scene.html').read_text()
    assert all(token in page for token in tokens) and '"score":0.05' in page
    assert (tmp_path / 'out' / 'scene.mcap').read_bytes().startswith(b'\x89MCAP')


def test_records_of_another_car_become_boxes_of_its_classes(gemini3d, own, tmp_path):
    done = gemini3d('predict', own / 'own.py', own / 'own.pth', '--records', own / 'data' / 'val.jsonl',
                    '--min-score', '0', '--limit', '1', '--draw', '--out', tmp_path)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / 'predictions.json').read_text())
    assert content['classes'] == ['car', 'big_vehicle', 'person'] and content['samples'][0]['boxes']
    assert not (tmp_path / 'results_nusc.json').exists() and len(list(tmp_path.glob('*.jpg'))) == 1


def test_mistakes_are_answered_in_one_line(gemini3d, own, weights, tmp_path):
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'mine.txt').write_text('mine')
    recipe, records = (own / 'own.py', own / 'own.pth'), ('--records', own / 'data' / 'val.jsonl')
    for words, message in [
            ((*recipe, '--records', own / 'data'), 'train.jsonl, val.jsonl; expected one'),
            ((*recipe, *records, '--sample', 'none'), 'val.jsonl has no sample none'),
            ((*recipe, *records, '--out', tmp_path / 'full'), 'something else than predictions'),
            ((*recipe, *records, '--min-score', '2'), 'expected 0 to 1'),
            ((CONFIG, weights, *records), 'the sample has the camera front, left, right'),
            ((CONFIG, weights, '--dataroot', own, '--version', 'v1.0-mini'), 'got no samples')]:
        done = gemini3d('predict', *words, *(() if '--out' in words else ('--out', tmp_path / 'out')))
        assert done.returncode == 2 and message in done.stderr, done.stderr
        assert done.stderr.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_check_data_says_what_a_file_holds_and_what_is_wrong(gemini3d, own, tmp_path):
    done = gemini3d('check-data', own / 'data' / 'val.jsonl', '--classes', 'car', 'big_vehicle', 'person')
    assert done.returncode == 0 and '2 samples' in done.stdout, done.stdout + done.stderr
    (tmp_path / 'bad.jsonl').write_text('{}\n')
    done = gemini3d('check-data', tmp_path / 'bad.jsonl')
    assert done.returncode == 1 and 'token is absent' in done.stdout
