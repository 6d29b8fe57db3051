"""Launches, bytes and waits of meta tensors are counted as a GPU would see them."""
from argparse import Namespace
from collections import Counter
from pathlib import Path

import pytest
import torch
from tiny_detector import build_detector, make_batch

from gemini_lab.benchmark.launch_counter import META, LaunchCounter, on_the_cpu, on_the_device
from gemini_lab.benchmark.subcommands import counts

REPO = Path(__file__).resolve().parents[3]


def counted(work):
    """Returns what is counted while a function runs."""
    counter = LaunchCounter(lambda: 'here')
    with on_the_device(counter):
        work()
    return counter.count


def test_a_launch_moves_what_it_takes_and_makes_and_a_view_nothing():
    x, weight = torch.empty(4, 8, device=META), torch.empty(8, 2, device=META)
    found = counted(lambda: (x @ weight).relu_().view(-1))
    # The product: 32 + 16 + 8 numbers; in place: 8, which are one tensor.
    assert (found.launches, found.moved_bytes, found.waits.total()) == (2, 4 * (56 + 8), 0)


@pytest.mark.parametrize('wait', [
    lambda x: x.sum().item(), lambda x: x.nonzero(), lambda x: x[x > 0], lambda x: x.unique(),
    lambda x: x.masked_select(x > 0), lambda x: bool((x > 0).all()), lambda x: x.new_tensor([1.0]),
    lambda x: x.cpu(), lambda x: torch.ones(2).to(x.device), lambda x: x.tolist()])
@pytest.mark.parametrize('mode', [torch.no_grad, torch.inference_mode])
def test_every_kind_of_wait_is_seen_where_it_stands(wait, mode):
    x = torch.empty(2, device=META)
    with mode():
        found = counted(lambda: wait(x))
    assert dict(found.waits) == {f'{Path(__file__).name}:{wait.__code__.co_firstlineno}': 1}


def test_a_copy_that_does_not_block_is_no_wait():
    assert not counted(lambda: torch.ones(2).to(META, non_blocking=True)).waits


def test_the_cpu_waits_for_voxels_and_boxes_only():
    """What lies between, fusion to boxes, could be one CUDA graph."""
    model = build_detector().eval()
    counter = LaunchCounter(lambda: 'here')
    data = model.data_preprocessor(make_batch(), training=False)
    with torch.no_grad(), on_the_cpu(counter, model):
        model.lidar_branch(data['inputs']['points'])
    model.to(META)
    before_images = []
    model.camera_branch.register_forward_pre_hook(
        lambda *_: before_images.append(counter.count.waits.total()))
    for _ in range(2):
        counter.by_stage.clear()
        with on_the_device(counter):
            model(**model.data_preprocessor(make_batch(), training=False), mode='predict')
    places = Counter(place.split(':')[0] for place in counter.count.waits.elements())
    # Points in range and voxels, and the same of the sweeps that are compared; cells of the strided sparse
    # convolutions; one copy of all boxes.
    assert places == {'voxel_groups.py': 4, 'modules.py': 3, 'center_decode.py': 1}
    # All but the last come before the first layer of the images: the CPU then runs ahead to the end.
    assert before_images[-1] == 7


def test_the_table_has_every_stage_of_a_training_step_and_lists_its_waits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = REPO / 'configs/compare/geminifusion3d_lidar-cam_gemini_compare.py'
    text = counts.run(Namespace(config=str(recipe), cfg_options=None, train=True, batch_size=1))
    rows = {line.split(' | ')[0].strip('| '): line.split(' | ')[1:] for line in text.splitlines()}
    for stage in ('fuse', 'backward', 'optimiser step', '**all**'):
        assert int(rows[stage][0].replace(',', '')) > 0, stage
    assert rows['fuse'][2].strip(' |') == '0' and 'voxel_groups.py' in text and 'training step' in text
