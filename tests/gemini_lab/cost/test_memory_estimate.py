"""The counted bytes are those that can be derived by hand; savings show; the tool prints them."""
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import Gemini3d
from mmengine.config import Config
from mmengine.model import BaseModel
from tiny_detector import CONFIG, IMAGE_HW, SMALL_GRID
from torch import nn

from gemini_lab.cost import memory_estimate
from gemini_lab.cost.memory_estimate import LiveBytes, StepMemory, estimate_step_memory, measure_step
from gemini_lab.cost.typical_batch import make_typical_cloud

KIB = 1024


def test_the_peak_is_what_was_alive_together_and_views_are_free() -> None:
    known = torch.ones(256)
    with LiveBytes([known]) as live:
        first = known * 2
        part = first.view(16, 16)[3:]
        assert (live.now, live.peak) == (KIB, KIB)
        second = torch.cat([first, first])
        assert (live.now, live.peak) == (3 * KIB, 3 * KIB)
        del first
        # A view keeps the whole storage.
        assert live.now == 3 * KIB
        del part, second
        assert (live.now, live.peak) == (0, 3 * KIB)
        known.add_(1)
        assert live.now == 0


class Chain(BaseModel):
    """Exponentials in a row, each of which keeps its own result of 1 KiB for the backward pass."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.weight, self.length = nn.Parameter(torch.zeros(256)), length

    def forward(self, inputs: torch.Tensor, mode: str) -> dict:
        """Returns the loss."""
        values = inputs * self.weight
        for _ in range(self.length):
            values = values.exp()
        return dict(loss=values.sum())


def test_a_step_counts_what_is_kept_for_the_backward_pass() -> None:
    # Ten results are kept; on the way back, a gradient of 1 KiB and the next one it makes.
    peaks = [measure_step(Chain(length), dict(inputs=torch.ones(256)), precision='fp32')
             for length in (10, 20)]
    assert peaks[1] - peaks[0] == 10 * KIB
    assert 11 * KIB <= peaks[0] <= 14 * KIB


def small_recipe() -> Config:
    """The demo's recipe on the small grid and small images."""
    cfg = Config.fromfile(CONFIG)
    cfg.model.bev_grid = SMALL_GRID
    for step in cfg.train_dataloader.dataset.pipeline:
        if 'final_hw' in step:
            step.final_hw = IMAGE_HW
    return cfg


def test_frozen_parts_and_recomputed_activations_need_less() -> None:
    cfg, points = small_recipe(), make_typical_cloud(sweeps=1)[::30]
    plain = estimate_step_memory(cfg, points=points, batch_size=3)
    assert plain.total == plain.weights + 3 * plain.gradients + 3 * plain.activations
    assert plain.optimizer == 2 * plain.gradients and plain.weights >= plain.gradients
    cfg.frozen_modules = ['lidar_branch']
    frozen = estimate_step_memory(cfg, points=points)
    assert frozen.gradients < 0.95 * plain.gradients and frozen.weights == plain.weights
    assert frozen.activations < 0.9 * plain.activations and frozen.batch_size == 1
    cfg.activation_checkpointing = ['camera_branch.backbone', 'camera_branch.neck', 'bev_backbone']
    assert estimate_step_memory(cfg, points=points).activations < 0.9 * frozen.activations


def test_the_typical_cloud_has_the_size_of_ten_sweeps_and_stands_on_the_ground() -> None:
    cloud = make_typical_cloud()
    assert cloud.shape == (345_600, 5) and bool(cloud.isfinite().all())
    assert cloud[:, 2].quantile(0.1) == pytest.approx(-1.84, abs=0.1)
    assert cloud[:, 4].max() == pytest.approx(0.45)


def test_the_tool_prints_a_table_and_says_what_it_is(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gemini3d: Gemini3d) -> None:
    asked = {}

    def estimate(cfg: Config, **arguments: object) -> StepMemory:
        asked.update(arguments, precision=cfg.optim_wrapper.precision)
        return StepMemory(weights=2 ** 30, gradients=2 ** 29, optimizer=2 ** 30, activations=2 ** 31,
                          batch_size=2)

    monkeypatch.setattr(memory_estimate, 'estimate_step_memory', estimate)
    np.arange(10, dtype=np.float32).tofile(tmp_path / 'cloud.bin')
    said = gemini3d('memory', CONFIG, '--amp', 'bf16', '--batch-size', '2', '--points',
                    tmp_path / 'cloud.bin').stdout
    assert re.search('in all, 2 samples per iteration +6.500 GiB', said) and 'An estimate' in said
    assert asked['points'].shape == (2, 5) and asked['precision'] == 'bf16' and asked['batch_size'] == 2


@pytest.mark.parametrize('arguments, message', [
    (['--points', 'gone.bin'], 'gone.bin is no point file'), (['--batch-size', '0'], 'at least 1, got 0')])
def test_mistakes_end_in_one_sentence(arguments: list, message: str, gemini3d: Gemini3d) -> None:
    assert message in gemini3d('memory', CONFIG, *arguments).stderr
