"""A detector that is right in every variant is right after fusion; the plain one alone is unchanged."""
from typing import Any, Dict, List

import numpy as np
import pytest
import torch
from mmdet3d.registry import HOOKS, TRANSFORMS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes, LiDARPoints
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from tiny_detector import make_meta

from geminifusion3d.commands.test_time_augmentation_flags import (augment_test_time, variants,
                                                                  variants_folder, with_variants)
from geminifusion3d.errors import UserError
from geminifusion3d.results.test_time_augmentation import GeminiTestTimeAugmentation, fuse_variants

EVERYTHING = ['flip', 'rotate=20,-90', 'scale=0.9,1.1', 'image-flip']
PACK = dict(type='Pack3DDetInputs', keys=['points', 'img', 'gt_bboxes_3d', 'gt_labels_3d'],
            meta_keys=['token', 'sample_idx', 'lidar_aug_matrix', 'img_aug_matrix'])


def sample_dict(seed: int = 0) -> Dict[str, Any]:
    """What the loaders hand on, with boxes that a perfect detector is to find."""
    rng = np.random.default_rng(seed)
    boxes = np.column_stack([8.0 * np.arange(12) - 40, rng.uniform(-20, 20, (12, 1)), rng.normal(size=12),
                             rng.uniform(1, 5, (12, 3)), rng.uniform(-3, 3, 12), rng.normal(size=(12, 2))])
    return {'points': LiDARPoints(rng.uniform(-9, 9, (30, 5)).astype(np.float32), points_dim=5),
            'img': [rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)] * 2,
            'img_aug_matrix': np.tile(np.eye(4, dtype=np.float32), (2, 1, 1)),
            'lidar_aug_matrix': np.eye(4, dtype=np.float32), 'token': f't{seed}', 'sample_idx': seed,
            'gt_bboxes_3d': LiDARInstance3DBoxes(boxes.astype(np.float32), box_dim=9),
            'gt_labels_3d': rng.integers(0, 10, 12)}


class PerfectDetector(torch.nn.Module):
    """Finds the boxes of the variant that it is given."""

    def test_step(self, data: Dict[str, Any]) -> List[Det3DDataSample]:
        for sample in data['data_samples']:
            truth = sample.gt_instances_3d
            sample.pred_instances_3d = InstanceData(
                bboxes_3d=truth.bboxes_3d, labels_3d=truth.labels_3d,
                scores_3d=torch.linspace(0.9, 0.1, len(truth.labels_3d)))
        return data['data_samples']


def check_is_truth(found: Det3DDataSample, given: Dict[str, Any], *, atol: float) -> None:
    boxes, truth = found.pred_instances_3d.bboxes_3d.tensor, given['gt_bboxes_3d'].tensor
    columns = [0, 1, 2, 3, 4, 5, 7, 8]
    torch.testing.assert_close(boxes[:, columns], truth[:, columns], atol=atol, rtol=0)
    turned = boxes[:, 6] - truth[:, 6]
    assert turned.cos().min() > 0 and turned.sin().abs().max() < 1e-5
    torch.testing.assert_close(found.pred_instances_3d.scores_3d, torch.linspace(0.9, 0.1, 12))
    assert found.pred_instances_3d.labels_3d.tolist() == given['gt_labels_3d'].tolist()


def test_a_perfect_detector_stays_perfect_in_batches_through_every_variant():
    init_default_scope('mmdet3d')
    pipeline = with_variants([PACK], *variants(EVERYTHING))
    batch = pseudo_collate([TRANSFORMS.build(pipeline[0])(sample_dict(seed)) for seed in (0, 1)])
    # 4 flips x 3 angles x 3 scales x 2 images.
    assert len(batch['data_samples']) == 72
    found = GeminiTestTimeAugmentation(module=PerfectDetector()).test_step(batch)
    for seed, one in enumerate(found):
        assert one.token == f't{seed}'
        check_is_truth(one, sample_dict(seed), atol=1e-4)


@pytest.mark.parametrize('index', range(9))
def test_every_variant_alone_is_moved_back_exactly(index):
    init_default_scope('mmdet3d')
    scenes, _ = variants(['flip', 'rotate=20', 'scale=1.1'])
    moved = TRANSFORMS.build(scenes[index])(sample_dict())
    (found, ) = PerfectDetector().test_step({'data_samples': [TRANSFORMS.build(PACK)(moved)['data_samples']]})
    check_is_truth(fuse_variants([found]), sample_dict(), atol=2e-5)


def test_the_plain_variant_alone_is_the_plain_prediction_to_the_last_digit():
    given = Det3DDataSample(metainfo=make_meta())
    boxes = torch.randn(20, 9) * 5
    given.pred_instances_3d = InstanceData(bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9),
                                           scores_3d=torch.rand(20), labels_3d=torch.arange(20) % 10)
    found = fuse_variants([given]).pred_instances_3d
    assert torch.equal(found.bboxes_3d.tensor, boxes)
    assert torch.equal(found.scores_3d, given.pred_instances_3d.scores_3d)
    assert torch.equal(found.labels_3d, given.pred_instances_3d.labels_3d)


def test_variants_move_points_and_images_with_their_matrices():
    init_default_scope('mmdet3d')
    scenes, flips = variants(['flip-x', 'rotate=90', 'image-flip'])
    assert [step['flip'] for step in flips] == [False, True]
    given = sample_dict()
    xyz = given['points'].tensor[:, :3]
    # In the order plain, turned by +90 degrees, x mirrored, turned and then mirrored.
    expected = [xyz, torch.stack([-xyz[:, 1], xyz[:, 0], xyz[:, 2]], 1), xyz * torch.tensor([-1.0, 1, 1]),
                torch.stack([xyz[:, 1], xyz[:, 0], xyz[:, 2]], 1)]
    for step, points in zip(scenes, expected):
        found = TRANSFORMS.build(step)(given)
        torch.testing.assert_close(found['points'].tensor[:, :3], points, atol=1e-5, rtol=0)
        torch.testing.assert_close(
            xyz @ torch.from_numpy(found['lidar_aug_matrix'][:3, :3]).T, points, atol=1e-5, rtol=0)


def test_variants_come_before_points_are_cut_off_and_loading_happens_once():
    load, resize, cut, pack = (dict(type=name) for name in (
        'GeminiLoadPoints', 'GeminiAugmentImages', 'PointsRangeFilter', 'Pack3DDetInputs'))
    scenes, flips = variants(['flip'])
    *before, step = with_variants([load, resize, cut, pack], scenes, flips)
    assert before == [load, resize]
    assert step == dict(type='TestTimeAug', transforms=[scenes, flips, [cut], [pack]])
    assert with_variants([load, pack], scenes, flips)[0] == load


def test_the_flag_changes_pipeline_hooks_and_folder_and_nothing_without_terms():
    cfg = Config(dict(work_dir='work_dirs/recipe', test_dataloader=dict(dataset=dict(
        pipeline=[dict(type='GeminiLoadPoints'), PACK]))))
    assert augment_test_time(cfg, None) == 1 and variants_folder(cfg, None) == 'work_dirs/recipe'
    assert 'custom_hooks' not in cfg
    assert augment_test_time(cfg, ['flip', 'scale']) == 12
    assert variants_folder(cfg, ['flip', 'scale']) == 'work_dirs/recipe/tta_flip+scale'
    assert cfg.test_dataloader.dataset.pipeline[1]['type'] == 'TestTimeAug'
    hook = HOOKS.build(cfg.custom_hooks[0])
    assert hook.tta_cfg['type'] == 'GeminiTestTimeAugmentation'


@pytest.mark.parametrize('terms, message', [
    (['spin'], "got 'spin'; expected some of flip, "),
    (['rotate=a'], 'expected rotate= and degrees'),
    (['scale=0'], 'expected scale= and factors above 0'),
    (['flip=2'], "got 'flip=2'"),
    (['flip', 'flip-x'], 'each kind of term once')])
def test_mistakes_are_named(terms, message):
    with pytest.raises(UserError, match=message):
        variants(terms)


def test_images_of_a_recipe_without_cameras_are_not_flipped():
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=[PACK], modality=dict(use_camera=False)))))
    with pytest.raises(UserError, match='reads the cameras'):
        augment_test_time(cfg, ['image-flip'])
