"""A recipe from made-up input to records: every stage is timed, multiply-adds go to their stages."""
import warnings
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from gemini_lab.benchmark.model_run import multiply_adds_by_stage
from gemini_lab.benchmark.stage_clock import (BACKBONE, BACKWARD, BOXES, FUSE, HEAD, LIFT, LOSSES, RECORDS,
                                              SPLAT, STAGES, STEP, VOXELS)
from gemini_lab.benchmark.subcommands import model
from gemini_lab.cost.model_cost import StageCost

REPO = Path(__file__).resolve().parents[3]


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """Returns the command line for the smallest recipe, whose dataset is absent here."""
    monkeypatch.chdir(tmp_path)
    return Namespace(
        config=str(REPO / 'configs/compare/geminifusion3d_lidar-cam_gemini_compare.py'), cfg_options=None,
        checkpoint=None, train=False, batch_size=1, frames=2, calibrations=0, compile=False,
        cuda_graphs=False, repeats=1, amp='bf16', fold_norms=False, warm_up=0,
        device=torch.device('cpu'), quiet=True)


def test_a_prediction_has_all_stages_and_says_that_its_input_is_made_up(arguments):
    rows = model.run(arguments)
    names = [row.name for row in rows]
    assert {BACKBONE, LIFT, SPLAT, VOXELS, FUSE, HEAD, BOXES, RECORDS} <= set(names)
    assert names[:-1] == [stage for stage in STAGES if stage in names] and BACKWARD not in names
    total = rows[-1]
    assert total.macs == sum(row.macs or 0 for row in rows[:-1]) > 0 and total.peak_bytes > 0
    # 64 x 64 cells, 32 channels, 16 products a cell as it is counted: see docs of the operator.
    fuse = next(row for row in rows if row.name == FUSE)
    assert 14 * 64 * 64 * 32 ** 2 <= fuse.macs <= 16.5 * 64 * 64 * 32 ** 2
    assert total.includes.startswith('collating, transfer')
    assert '; bf16;' in total.facts['words'] and total.dtype == 'bf16'
    assert 'made-up sample' in total.facts['words'] and 'the dataset is absent' in total.excludes
    text = model.markdown(rows)
    assert '| fuse |' in text and 'random weights' in text and 'Peak memory' in text
    # Runs that are joined get a table each, with shares of their own.
    assert model.markdown([*rows, *rows]) == f'{text}\n\n{text}'


def test_waits_are_counted_by_place_and_the_mode_of_before_comes_back(monkeypatch):
    modes = []
    monkeypatch.setattr(torch.cuda, 'get_sync_debug_mode', lambda: 0)
    monkeypatch.setattr(torch.cuda, 'set_sync_debug_mode', modes.append)

    def step(turn):
        for _ in range(3):
            warnings.warn('called a synchronizing CUDA operation')
        warnings.warn('something else')
    (place, count), = model.host_waits(step).items()
    assert place.startswith('test_model_run.py:') and count == 3 and modes == ['warn', 0]


def test_a_training_step_has_losses_gradients_and_the_update(arguments):
    arguments.train = True
    rows = model.run(arguments)
    names = {row.name for row in rows}
    assert {LOSSES, BACKWARD, STEP} <= names and BOXES not in names
    assert rows[-1].mode == 'training step' and rows[-1].macs is None


def test_the_parts_that_are_counted_go_to_the_stages_that_are_timed():
    costs = [StageCost(part, 1, count) for part, count in (
        ('camera_branch.backbone', 100), ('camera_branch.neck', 20), ('camera_branch.depth_net', 3),
        ('fuser', 7), ('bbox_head', 9))]
    sums = multiply_adds_by_stage(costs)
    assert sums[BACKBONE] == 120 and sums[FUSE] == 7 and sums[HEAD] == 9
    assert sum(sums.values()) == 139, 'something is counted nowhere'


def test_a_config_from_another_folder_is_read(arguments):
    assert Config.fromfile(arguments.config).model.fuser.type == 'GeminiFusion'
