"""Plans that are kept: found again for the same cameras only, never stale, never more than asked for."""
import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from tiny_camera import build_camera_branch
from tiny_detector import IMAGE_HW, make_meta

from geminifusion3d.camera_bev import camera_branch
from geminifusion3d.camera_bev.bev_pool import PlanCache
from geminifusion3d.geometry.camera_rig import CameraRig
from geminifusion3d.ops.splat_plan import plan_splat

PLAN = plan_splat(torch.tensor([[[0], [-1]]]), 3)


def rig_of(*metas):
    """Returns the rig of a batch."""
    return CameraRig.from_metas(metas, device=torch.device('cpu'))


def changed_meta(change):
    """Returns the rig's metainfo with one thing about it changed."""
    meta = make_meta()
    if change == 'calibration':
        # A tenth of a millimetre is another calibration.
        meta['lidar2cam'][4, 0, 3] += 1e-4
    elif change == 'focal length':
        meta['cam2img'][2, 0, 0] *= 1.01
    elif change == 'missing camera':
        meta['camera_present'] = [True, True, False, True, True, True]
    elif change == 'flipped image':
        meta['img_aug_matrix'][0, 0, 0], meta['img_aug_matrix'][0, 0, 3] = -1, IMAGE_HW[1] - 1
    elif change == 'turned scene':
        meta['lidar_aug_matrix'] = np.diag([-1.0, -1.0, 1.0, 1.0])
    return meta


CHANGES = ['calibration', 'focal length', 'missing camera', 'flipped image', 'turned scene']


@pytest.fixture(scope='module')
def branches():
    """Returns a branch that keeps two plans, and one with the same weights that keeps none."""
    keeping, plain = build_camera_branch(cached_calibrations=2).eval(), build_camera_branch().eval()
    keeping.load_state_dict(plain.state_dict())
    return keeping, plain


@pytest.fixture
def lifted(monkeypatch):
    """Counts how often cells are computed."""
    calls, original = [], camera_branch.frustum_cells
    monkeypatch.setattr(camera_branch, 'frustum_cells',
                        lambda rig, *rest: calls.append(len(rig.is_present)) or original(rig, *rest))
    return calls


def images_of(samples, seed=0, image_hw=IMAGE_HW):
    """Returns normalised images."""
    return torch.randn(samples, 6, 3, *image_hw, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_the_same_cameras_are_lifted_once(branches, lifted):
    keeping, plain = branches
    keeping.plan_cache.clear()
    for seed in range(3):
        images = images_of(1, seed)
        assert torch.equal(keeping(images, rig_of(make_meta())).bev, plain(images, rig_of(make_meta())).bev)
    # Once for the one that keeps, thrice for the other.
    assert len(keeping.plan_cache) == 1 and lifted == [1] * 4


@pytest.mark.parametrize('change', CHANGES)
@torch.no_grad()
def test_a_plan_is_never_stale(branches, lifted, change):
    keeping, plain = branches
    keeping.plan_cache.clear()
    images, changed = images_of(1), rig_of(changed_meta(change))
    before = keeping(images, rig_of(make_meta())).bev
    lifted.clear()
    after = keeping(images, changed).bev
    assert lifted == [1]
    assert torch.equal(after, plain(images, changed).bev)
    assert change == 'calibration' or not torch.equal(before, after)
    # Both are known now; the first is found again.
    lifted.clear()
    assert torch.equal(keeping(images, rig_of(make_meta())).bev, before) and not lifted


@torch.no_grad()
def test_another_size_of_image_is_another_plan(branches, lifted):
    keeping, plain = branches
    keeping.plan_cache.clear()
    for image_hw in (IMAGE_HW, (64, 64), (32, 96)):
        images = images_of(1, image_hw=image_hw)
        assert torch.equal(keeping(images, rig_of(make_meta())).bev, plain(images, rig_of(make_meta())).bev)
    assert len(keeping.plan_cache) == 2


def test_another_device_or_grid_is_another_plan(branches, monkeypatch):
    branch = copy.deepcopy(branches[0])
    monkeypatch.setattr(camera_branch, 'frustum_cells', lambda *args: None)
    monkeypatch.setattr(camera_branch, 'plan_pool', lambda *args: PLAN)
    branch.plan_cache.capacity = 9
    rigs = [CameraRig.from_metas([make_meta()], device=torch.device(name)) for name in ('cpu', 'meta', 'cpu')]
    for rig in rigs:
        branch._plan(rig, IMAGE_HW, (4, 8))
    assert len(branch.plan_cache) == 2
    branch.splat_grid = dataclasses.replace(branch.splat_grid, cell_m=0.5)
    branch._plan(rigs[0], IMAGE_HW, (4, 8))
    assert len(branch.plan_cache) == 3


@torch.no_grad()
def test_the_samples_of_a_batch_are_remembered_one_by_one(branches, lifted):
    keeping, plain = branches
    keeping.plan_cache.clear()
    metas = [make_meta(), changed_meta('flipped image'), make_meta()]
    images = images_of(3)
    assert torch.equal(keeping(images, rig_of(*metas)).bev, plain(images, rig_of(*metas)).bev)
    assert lifted == [1, 1, 3]
    lifted.clear()
    swapped = [metas[1], metas[0]]
    assert torch.equal(keeping(images[:2], rig_of(*swapped)).bev, plain(images[:2], rig_of(*swapped)).bev)
    assert lifted == [2]


def test_training_neither_reads_nor_keeps_plans(lifted):
    branch = build_camera_branch(cached_calibrations=2).train()
    for _ in range(2):
        branch(images_of(2), rig_of(make_meta(), make_meta()))
    assert lifted == [2, 2] and len(branch.plan_cache) == 0


def test_a_plan_from_inference_mode_serves_gradients_later(branches):
    keeping, plain = branches
    keeping.plan_cache.clear()
    images = images_of(1)
    with torch.inference_mode():
        keeping(images, rig_of(make_meta()))
    gradients = []
    for branch in branches:
        branch.zero_grad()
        branch(images, rig_of(make_meta())).bev.square().sum().backward()
        gradients.append([weight.grad for weight in branch.parameters()])
    assert len(keeping.plan_cache) == 1
    assert all(torch.equal(a, b) for a, b in zip(*gradients))


def test_the_plan_that_was_not_asked_for_longest_makes_room():
    cache, made = PlanCache(2), []

    def ask(key):
        cache.get(key, lambda: made.append(key) or PLAN)

    for key in 'abacab':
        ask(key)
    # c pushes b out, for a was asked for after it; then b has to be made again.
    assert made == ['a', 'b', 'c', 'b'] and len(cache) == 2


def test_what_is_kept_holds_no_pair_outside():
    assert PlanCache(1).get('a', lambda: PLAN).pair.tolist() == [0]


def test_copies_and_pickles_start_empty():
    cache = PlanCache(3)
    cache.get('a', lambda: PLAN)
    for twin in (copy.deepcopy(cache), pickle.loads(pickle.dumps(cache))):
        assert twin.capacity == 3 and len(twin) == 0
    assert len(cache) == 1


def test_a_state_dict_knows_nothing_of_plans(branches):
    keeping, plain = branches
    assert keeping.state_dict().keys() == plain.state_dict().keys()


def test_less_than_nothing_cannot_be_kept():
    with pytest.raises(ValueError, match='must be 0 or more, got -1'):
        build_camera_branch(cached_calibrations=-1)
