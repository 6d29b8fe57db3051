"""Dense parts of the demo's detector as ONNX and by torch.export, compared with PyTorch."""
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import config as jaxtyping_config
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_detector import CONFIG, IMAGE_HW, SMALL_GRID, build_detector, make_batch, make_meta
from tiny_transfusion import head_config

from geminifusion3d.camera_bev.lift import frustum_cells
from geminifusion3d.commands.export_onnx import image_size
from geminifusion3d.engine.autoware_onnx import (REST, AutowareCameraLidar, AutowareImageBackbone,
                                                 autoware_parts)
from geminifusion3d.engine.onnx_export import dense_parts, export_part, settle_norms, torch_export_differences
from geminifusion3d.errors import UserError
from geminifusion3d.geometry.camera_rig import CameraRig

HEIGHT, WIDTH = IMAGE_HW
# What a detector lacks, and the parts that it is exported in.
DETECTORS = {'lidar-cam': (dict(), ['image', 'bev']),
             'lidar-cam, what may stand before and inside the fuser': (dict(
                 offset_field=dict(type='GeminiNeighbourhood', channels=48, reach_m=1.0),
                 cell_encoding=dict(type='GeminiCellEncoding', channels=48),
                 gate=dict(type='GeminiReliabilityGate', channels=48),
                 fuser=dict(type='GeminiFusion', channels=48, heads=4, relation='both')), ['image', 'bev']),
             'lidar-cam, n-way': (dict(
                 fuser=dict(_delete_=True, type='GeminiNWayFusion', channels=48, modalities=2, heads=4,
                            gate=True)), ['image', 'bev']),
             'lidar-cam, two streams to the head': (dict(
                 fuser=dict(_delete_=True, type='GeminiTwoStreamSECOND', in_channels=48,
                            out_channels=[16, 32], layer_nums=[1, 1], layer_strides=[1, 2], heads=4,
                            norm_cfg=dict(type='BN'), merge=False),
                 bev_backbone=None,
                 bev_neck=dict(_delete_=True, type='GeminiTwoStreamFPN', in_channels=[16, 32],
                               out_channels=[48, 48], upsample_strides=[1, 2], heads=4,
                               norm_cfg=dict(type='BN'))), ['image', 'bev']),
             'lidar': (dict(camera_branch=None, camera_align=None, fuser=None), ['bev']),
             'cam': (dict(lidar_branch=None, lidar_align=None, fuser=None, motion=None), ['image', 'bev'])}


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
        assert facts['batch'] == 'any' and facts['opset'] == 20
        assert max(facts['relative_difference'].values()) < 1e-4
    # Four tasks of six maps each.
    assert len(facts['relative_difference']) == 24 and 'out0_heatmap' in facts['relative_difference']


def test_a_part_that_is_traced_wrong_shows(tmp_path: Path) -> None:
    pytest.importorskip('onnxruntime')
    part = dense_parts(build_detector(), image_hw=IMAGE_HW, cameras=2)[0]

    class Frozen(torch.nn.Module):
        names = ['depth_probability', 'context']

        def forward(self, images):
            mean = float(images.mean())
            return images * mean, images + 1

    class Batch(torch.nn.Module):
        names = Frozen.names

        def forward(self, images):
            # As mmdet's Swin counts its images.
            return images.reshape(int(images.shape[0] / 1.0), -1).cumsum(0), images + 1
    facts = export_part(part._replace(module=Batch()), tmp_path)
    assert facts['batch'] == 2 and max(facts['relative_difference'].values()) < 1e-4
    facts = export_part(part._replace(module=Frozen()), tmp_path)
    assert facts['relative_difference']['depth_probability'] > 1e-2
    assert facts['relative_difference']['context'] < 1e-6


@pytest.mark.parametrize('sensors', [name for name in DETECTORS if name.startswith('lidar-cam')])
def test_each_part_is_exported_by_torch_for_any_batch(sensors: str) -> None:
    for part in dense_parts(build_detector(**DETECTORS[sensors][0]), image_hw=IMAGE_HW, cameras=3):
        with torch.no_grad():
            part.module(*part.inputs.values())
        assert max(torch_export_differences(part).values()) < 1e-4


def test_swin_takes_any_number_of_images(tmp_path: Path) -> None:
    pytest.importorskip('onnxruntime')
    swin = MODELS.build(dict(type='mmdet.SwinTransformer', embed_dims=8, depths=[2], num_heads=[2],
                             strides=[4], window_size=4, out_indices=[0]))
    part = dense_parts(build_detector(), image_hw=IMAGE_HW, cameras=2)[0]
    # mmdet's returns nothing.
    swin.eval()
    swin.names = ['map']
    assert export_part(part._replace(module=swin), tmp_path)['batch'] == 'any'


@pytest.fixture(params=[dict(type='GeminiCameraBranch'),
                        dict(type='GeminiDepthLSSBranch', downsample=2, convention='bevfusion')],
                ids=lambda branch: branch['type'])
def transfusion_detector(request):
    """The demo's detector with a TransFusion head; maps are of unit size, so that no two scores are equal."""
    init_default_scope('mmdet3d')
    model = Config.fromfile(CONFIG).model
    model.update(bev_grid=SMALL_GRID, camera_branch=request.param, motion=None)
    model.bbox_head = head_config(in_channels=96)
    torch.manual_seed(0)
    detector = MODELS.build(model)
    settle_norms(dense_parts(detector, image_hw=IMAGE_HW, cameras=2))
    return detector


def test_the_nodes_inputs_give_what_the_detector_predicts(transfusion_detector) -> None:
    detector, branch = transfusion_detector, transfusion_detector.camera_branch
    meta, batch = make_meta(), make_batch((300, ))
    # Centres of pixels move by 0.9 p + (1, 2), their corners by 0.05 more: 0.9 (p - 0.5) + (1, 2) + 0.5.
    for_centres, for_corners = np.diag([0.9, 0.9, 1, 1]), np.diag([0.9, 0.9, 1, 1])
    for_centres[:2, 3], for_corners[:2, 3] = (1, 2), (1.05, 2.05)
    meta['img_aug_matrix'] = np.tile(for_centres, (6, 1, 1))
    with torch.no_grad():
        inputs = detector.data_preprocessor(batch)['inputs']
        expected = detector.bbox_head(detector.extract_feat(inputs, [meta]))
        features, = AutowareImageBackbone(detector)(batch['inputs']['img'][0].flip(1))
        # As the node orders them: camera, depth bin, row, column.
        rig = CameraRig.from_metas([meta], device=features.device, corner_pixels=branch.corner_pixels)
        cells = frustum_cells(rig, branch.splat_grid, branch.frustum, IMAGE_HW, features.shape[-2:])[0]
        cells = cells.unflatten(1, features.shape[-2:]).permute(0, 3, 1, 2).flatten()
        y, x = (cells[cells >= 0] // branch.splat_grid.n_x, cells[cells >= 0] % branch.splat_grid.n_x)
        ranks, indices = (x * branch.splat_grid.n_y + y).sort()
        geom_feats = torch.stack([x, y, x * 0, x * 0], dim=1)[indices].int()
        lidar2image = torch.from_numpy(meta['cam2img'] @ meta['lidar2cam']).float()
        boxes, scores, labels = AutowareCameraLidar(detector, IMAGE_HW)(
            detector.lidar_branch(inputs['points']), inputs['points'][0], lidar2image,
            torch.from_numpy(for_corners).float().expand(6, -1, -1), geom_feats, cells >= 0, ranks, indices,
            features)
    torch.testing.assert_close(boxes, expected.codes[0].T, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(scores, expected.scores()[0], rtol=1e-3, atol=1e-5)
    assert torch.equal(labels, expected.query_classes[0])


def test_the_nodes_files_compute_what_pytorch_does(transfusion_detector, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip('onnxruntime')
    for part in autoware_parts(transfusion_detector, image_hw=IMAGE_HW, cameras=2):
        facts = export_part(part, tmp_path)
        assert facts['batch'] == 'any' and max(facts['relative_difference'].values()) < 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / f'{REST}.onnx'))
    types = {node.name: node.type for node in (*session.get_inputs(), *session.get_outputs())}
    assert types == {
        **dict.fromkeys(['lidar_bev', 'image_feats', 'points', 'lidar2image', 'img_aug_matrix', 'bbox_pred',
                         'score'], 'tensor(float)'),
        **dict.fromkeys(['ranks', 'indices', 'label_pred'], 'tensor(int64)'),
        'geom_feats': 'tensor(int32)', 'kept': 'tensor(bool)'}


def settle_sparse_norms(branch: torch.nn.Module) -> None:
    """Gives the norms of a LiDAR branch statistics and weights that show."""
    for norm in branch.modules():
        if isinstance(norm, torch.nn.BatchNorm1d):
            for values, low, high in ((norm.running_mean, -0.1, 0.1), (norm.running_var, 0.2, 1.5),
                                      (norm.weight.data, 0.5, 1.5), (norm.bias.data, -0.2, 0.3)):
                values.uniform_(low, high)


@pytest.mark.parametrize('replaced', [dict(), dict(
    block_type='basicblock', encoder_channels=((16, 16, 24), (24, 24, 32), (32, 32)),
    encoder_paddings=((0, 0, 1), (0, 0, (0, 1, 1)), (0, 0)))], ids=['convolutions', 'blocks'])
def test_the_sparse_encoder_is_nodes_of_the_plugins(replaced: dict, tmp_path: Path) -> None:
    pytest.importorskip('onnx')
    from geminifusion3d.engine.autoware_encoder import drawn_voxels, encoder_difference, encoder_model
    lidar = Config.fromfile(CONFIG).model.lidar_branch
    lidar.encoder.update(replaced)
    lidar.update(scale_features=bool(replaced))
    branch = build_detector(lidar_branch=lidar).lidar_branch.eval()
    settle_sparse_norms(branch)
    model, voxels = encoder_model(branch, 20), drawn_voxels(branch, 600)
    assert encoder_difference(model, branch, *voxels) < 1e-5
    # Another order of the kernel's offsets shows.
    weight = next(one for one in model.graph.initializer if one.dims[1:4] == [3, 3, 3])
    numbers = np.frombuffer(weight.raw_data, np.float32).reshape(weight.dims)
    weight.raw_data = np.ascontiguousarray(numbers[:, ::-1]).tobytes()
    assert encoder_difference(model, branch, *voxels) > 1e-4


def test_the_whole_file_binds_what_the_node_binds_and_finds_the_same(transfusion_detector,
                                                                     tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip('onnxruntime')
    import onnx

    from geminifusion3d.engine.autoware_encoder import (GetIndicePairsImplicitGemm, ImplicitGemm,
                                                        drawn_voxels, encoder_model, join)
    detector = transfusion_detector.eval()
    settle_sparse_norms(detector.lidar_branch)
    part = autoware_parts(detector, image_hw=IMAGE_HW, cameras=2)[1]
    export_part(part, tmp_path)
    encoder = encoder_model(detector.lidar_branch, 20)
    join(encoder, tmp_path / f'{REST}.onnx', tmp_path / 'whole.onnx')
    whole = onnx.load(tmp_path / 'whole.onnx')
    onnx.checker.check_model(whole)
    bound = {one.name: (one.type.tensor_type.elem_type, len(one.type.tensor_type.shape.dim))
             for one in whole.graph.input}
    kinds = onnx.TensorProto
    assert bound == {
        'voxels': (kinds.FLOAT, 3), 'num_points_per_voxel': (kinds.INT32, 1), 'coors': (kinds.INT32, 2),
        'points': (kinds.FLOAT, 2), 'image_feats': (kinds.FLOAT, 4), 'lidar2image': (kinds.FLOAT, 3),
        'img_aug_matrix': (kinds.FLOAT, 3), 'geom_feats': (kinds.INT32, 2), 'kept': (kinds.BOOL, 1),
        'ranks': (kinds.INT64, 1), 'indices': (kinds.INT64, 1)}
    assert [one.name for one in whole.graph.output] == ['bbox_pred', 'score', 'label_pred']
    # Fields that the plugins read, and how many values go in and out.
    fields = {node.op_type: ({field.name for field in node.attribute}, len(node.input), len(node.output))
              for node in whole.graph.node if node.domain == 'autoware'}
    assert fields == {
        'GetIndicePairsImplicitGemm': ({
            'batch_size', 'spatial_shape', 'algo', 'ksize', 'stride', 'padding', 'dilation', 'out_padding',
            'subm', 'transpose', 'is_train', 'do_sort'}, 1, 5),
        'ImplicitGemm': ({'is_train', 'is_subm', 'fp32_accum', 'act_alpha', 'act_beta', 'output_scale',
                          'output_add_scale', 'act_type'}, 5, 1)}
    voxels = dict(zip(('voxels', 'num_points_per_voxel', 'coors'), (
        one.numpy() for one in drawn_voxels(detector.lidar_branch, 600))))
    runtime = onnx.reference.ReferenceEvaluator(encoder, new_ops=[GetIndicePairsImplicitGemm, ImplicitGemm])
    lidar_bev, = runtime.run(None, voxels)
    inputs = {**part.inputs, 'lidar_bev': torch.from_numpy(lidar_bev)}
    found = onnxruntime.InferenceSession(str(tmp_path / f'{REST}.onnx')).run(
        None, {name: one.numpy() for name, one in inputs.items()})
    with torch.no_grad():
        expected = part.module(*inputs.values())
    torch.testing.assert_close(torch.from_numpy(found[1]).sort().values, expected[1].sort().values, rtol=1e-3,
                               atol=1e-5)


def test_pillars_are_no_encoder_of_the_node() -> None:
    pytest.importorskip('onnx')
    from geminifusion3d.engine.autoware_encoder import encoder_model
    branch = build_detector().lidar_branch
    branch.voxel_encoder = torch.nn.Identity()
    with pytest.raises(UserError, match='needs a lidar_branch of GeminiVoxelMean .* got Identity'):
        encoder_model(branch, 20)


def test_the_command_joins_the_files_of_the_node(gemini3d, tmp_path: Path) -> None:
    pytest.importorskip('onnxruntime')
    config, out = tmp_path / 'small.py', tmp_path / 'onnx'
    cfg = Config.fromfile(CONFIG)
    cfg.model.bev_grid = SMALL_GRID
    cfg.model.bbox_head = head_config(in_channels=96)
    cfg.model.motion = None
    config.write_text(f'model = {cfg.model.to_dict()!r}\n')
    done = gemini3d('export-onnx', config, '--out', out, '--image-size', HEIGHT, WIDTH, '--cameras', 2,
                    '--autoware')
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(file.stem for file in out.glob('*.onnx')) == [
        'bevfusion_camera_lidar', 'bevfusion_from_lidar_bev', 'bevfusion_image_backbone']
    assert json.loads((out / 'onnx_export.json').read_text())['encoder_relative_difference'] < 1e-5


def test_a_model_without_boxes_is_refused() -> None:
    detector = build_detector()
    detector.bbox_head = None
    with pytest.raises(UserError, match='the recipe has no bbox_head'):
        dense_parts(detector, image_hw=IMAGE_HW, cameras=2)


def test_other_heads_are_no_model_of_the_node() -> None:
    with pytest.raises(UserError, match='--autoware needs a recipe .* got camera, lidar and GeminiCenter'):
        autoware_parts(build_detector(), image_hw=IMAGE_HW, cameras=2)


def test_what_moved_is_no_input_of_the_node(transfusion_detector) -> None:
    transfusion_detector.motion = build_detector().motion
    with pytest.raises(UserError, match='--autoware got a model with motion=SweepMotion'):
        autoware_parts(transfusion_detector, image_hw=IMAGE_HW, cameras=2)


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
    assert record['parts']['bev']['inputs'] == {
        'camera_splat': [40, 16, 24], 'lidar_bev': [32, 16, 24], 'moved': [10, 16, 24]}
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


def test_the_size_of_images_is_the_recipes() -> None:
    recipe = dict(test_dataloader=dict(dataset=dict(dataset=dict(pipeline=[
        dict(type='GeminiLoadImages'), dict(type='GeminiAugmentImages', final_hw=(64, 192))]))))
    assert image_size(Config(recipe)) == (64, 192) and image_size(Config({})) == (256, 704)
