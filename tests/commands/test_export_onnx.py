"""Dense parts of the demo's detector as ONNX and by torch.export, compared with PyTorch."""
import json
import sys
from pathlib import Path

import pytest
import torch
from jaxtyping import config as jaxtyping_config
from mmengine.config import Config
from tiny_detector import CONFIG, IMAGE_HW, SMALL_GRID, build_detector

from geminifusion3d.engine.onnx_export import dense_parts, export_part
from geminifusion3d.errors import UserError

HEIGHT, WIDTH = IMAGE_HW
# What a detector lacks, and the parts that it is exported in.
DETECTORS = {'lidar-cam': (dict(), ['image', 'bev']),
             'lidar': (dict(camera_branch=None, camera_align=None, fuser=None), ['bev']),
             'cam': (dict(lidar_branch=None, lidar_align=None, fuser=None), ['image', 'bev'])}


@pytest.fixture(autouse=True)
def no_shape_checks():
    """Leave out the checks that tests put around functions: a traced size is a tensor, no int."""
    jaxtyping_config.update('jaxtyping_disable', True)
    yield
    jaxtyping_config.update('jaxtyping_disable', False)


@pytest.mark.parametrize('sensors', DETECTORS)
def test_each_part_computes_what_pytorch_does_for_any_batch(sensors: str, tmp_path: Path) -> None:
    pytest.importorskip('onnxruntime')
    replaced, names = DETECTORS[sensors]
    parts = dense_parts(build_detector(**replaced), image_hw=IMAGE_HW, cameras=3)
    assert [part.name for part in parts] == names
    for part in parts:
        facts = export_part(part, tmp_path)
        assert facts['batch'] == 'dynamic' and facts['opset'] == 20
        assert max(facts['relative_difference'].values()) < 1e-4
    # Three tasks of six maps each.
    assert len(facts['relative_difference']) == 18 and 'out0_heatmap' in facts['relative_difference']


def test_a_part_that_is_traced_wrong_shows(tmp_path: Path) -> None:
    pytest.importorskip('onnxruntime')
    part = dense_parts(build_detector(), image_hw=IMAGE_HW, cameras=2)[0]

    class Frozen(torch.nn.Module):
        def forward(self, images):
            mean = float(images.mean())
            return images * mean, images + 1
    facts = export_part(part._replace(module=Frozen()), tmp_path)
    assert facts['relative_difference']['depth_probability'] > 1e-2
    assert facts['relative_difference']['context'] < 1e-6


def test_each_part_is_exported_by_torch_for_any_batch() -> None:
    for part in dense_parts(build_detector(), image_hw=IMAGE_HW, cameras=3):
        batch = torch.export.Dim('batch', min=2, max=64)
        inputs = tuple(torch.cat([one, one]) for one in part.inputs.values())
        shapes = tuple({0: batch} for _ in inputs)
        # The BEV part takes its maps as one variadic argument.
        exported = torch.export.export(part.module, inputs, dynamic_shapes=shapes if part.name == 'image'
                                       else (shapes,), strict=False)
        other = tuple(torch.cat([one, one[:1]]) for one in inputs)
        with torch.no_grad():
            for found, expected in zip(exported.module()(*other), part.module(*other)):
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_command_writes_both_files_and_a_record(gemini3d, tmp_path: Path) -> None:
    pytest.importorskip('onnxruntime')
    config, out, weights = tmp_path / 'small.py', tmp_path / 'onnx', tmp_path / 'weights.pth'
    cfg = Config.fromfile(CONFIG)
    cfg.model.bev_grid = SMALL_GRID
    config.write_text(f'model = {cfg.model.to_dict()!r}\n')
    torch.save(dict(state_dict=build_detector().state_dict()), weights)
    done = gemini3d('export-onnx', config, weights, '--out', out, '--image-size', HEIGHT, WIDTH,
                    '--cameras', 2)
    assert done.returncode == 0, done.stderr
    record = json.loads((out / 'onnx_export.json').read_text())
    assert record['parts']['image']['inputs'] == {'images': [3, HEIGHT, WIDTH]}
    assert record['parts']['bev']['inputs'] == {'camera_splat': [40, 16, 24], 'lidar_bev': [96, 16, 24]}
    assert sorted(file.name for file in out.iterdir()) == ['bev.onnx', 'image.onnx', 'onnx_export.json']
    assert 'opset 20, any batch, differs from PyTorch by at most' in done.stdout


def test_a_folder_of_somebody_else_is_left_alone(gemini3d, tmp_path: Path) -> None:
    (tmp_path / 'thesis.txt').write_text('mine')
    done = gemini3d('export-onnx', CONFIG, '--out', tmp_path)
    assert done.returncode == 2 and 'holds files and no onnx_export.json' in done.stderr


def test_without_onnxruntime_one_sentence_says_what_to_install(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(UserError, match=r'pip install "geminifusion3d\[onnx\]"'):
        export_part(dense_parts(build_detector(), image_hw=IMAGE_HW, cameras=1)[0], tmp_path)
