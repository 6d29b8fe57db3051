"""The detector as a whole: trains, predicts, runs with one sensor, refuses parts that do not fit."""
import pytest
import torch
from tiny_detector import SMALL_GRID, build_detector, make_batch

from geminifusion3d.fusion.token_exchange import GeminiTokenExchange

NO_CAMERA = dict(camera_branch=None, camera_align=None, fuser=None)
NO_LIDAR = dict(lidar_branch=None, lidar_align=None, fuser=None, motion=None)
OFFSET_FIELD = dict(type='GeminiOffsetField', channels=48, max_offset_m=2.0)


def losses_of(model, batch):
    """Returns the sum of the losses of a training step."""
    data = model.data_preprocessor(batch, training=True)
    return sum(value for name, value in model(**data, mode='loss').items() if 'loss' in name)


@pytest.mark.parametrize('removed, sensors', [
    ({}, (True, True, False)), (NO_CAMERA, (False, True, False)), (NO_LIDAR, (True, False, False))])
def test_a_step_trains_every_parameter_and_a_prediction_comes_back(removed, sensors):
    model = build_detector(**removed)
    assert tuple(model.modalities.values()) == sensors
    loss = losses_of(model.train(), make_batch())
    loss.backward()
    assert loss.isfinite()
    untouched = [name for name, p in model.named_parameters() if p.grad is None]
    assert not untouched
    with torch.no_grad():
        data = model.eval().data_preprocessor(make_batch(), training=False)
        results = model(**data, mode='predict')
    assert len(results) == 2
    for result in results:
        boxes = result.pred_instances_3d
        assert boxes.bboxes_3d.tensor.shape[1] == 9 and len(boxes.scores_3d) <= 500
        assert result.metainfo['token'] == 't'


def test_a_sample_without_points_trains_beside_one_with_points():
    model = build_detector().train()
    assert losses_of(model, make_batch(points_per_sample=(0, 200))).isfinite()


def test_both_sensors_change_the_prediction():
    # Training mode: untrained sparse convolutions give next to nothing before normalisation.
    model = build_detector().train()
    data = model.data_preprocessor(make_batch((300,)), training=False)
    with torch.no_grad():
        before = model.extract_feat(data['inputs'], [data['data_samples'][0].metainfo])[0]
        for key, changed in (('imgs', -data['inputs']['imgs']),
                             ('points', [data['inputs']['points'][0][:150]])):
            after = model.extract_feat({**data['inputs'], key: changed},
                                       [data['data_samples'][0].metainfo])[0]
            assert not torch.allclose(before, after, atol=1e-2)


def test_a_branch_lives_on_the_grid_that_its_alignment_names():
    # 20 x 12 cells of 1 m: 2 m less than the model's grid on every side.
    smaller = dict(range_m=[-10.0, -6.0, -3.0, 10.0, 6.0, 3.0], cell_m=1.0)
    align = dict(type='GeminiAlignBEV', in_channels=32, out_channels=48, branch_grid=smaller)
    model = build_detector(lidar_align=align)
    assert model.lidar_branch([torch.ones(3, 5)]).shape[-2:] == (12, 20)
    assert model.camera_branch.bev_grid.shape_yx == (16, 24)
    assert losses_of(model.train(), make_batch()).isfinite()


def test_settings_that_no_shape_tells_are_said():
    settings = build_detector().learned_settings
    assert settings['bev_grid.range_m'] == [-12, -8, -3, 12, 8, 3] and settings['bev_grid.cell_m'] == 1
    assert settings['lidar_branch.voxel_m'] == [0.25, 0.25, 0.5]
    assert settings['camera_branch.depth_range_m'] == [1, 51]
    assert settings['data_preprocessor.std'] == pytest.approx([58.395, 57.12, 57.375])
    assert settings['data_preprocessor.bgr_to_rgb'] is True
    assert build_detector(camera_branch=None, camera_align=None, fuser=None).learned_settings.keys() == {
        'bev_grid.range_m', 'bev_grid.cell_m', 'lidar_branch.voxel_m'}


def test_an_offset_field_stands_before_the_fuser_and_changes_nothing_at_first():
    plain, moved = build_detector().eval(), build_detector(offset_field=OFFSET_FIELD).eval()
    missing = moved.load_state_dict(plain.state_dict(), strict=False)
    assert missing.missing_keys and all(key.startswith('offset_field') for key in missing.missing_keys)
    data = plain.data_preprocessor(make_batch(), training=False)
    metas = [sample.metainfo for sample in data['data_samples']]
    with torch.no_grad():
        before, after = (model.extract_feat(data['inputs'], metas)[0] for model in (plain, moved))
        assert torch.equal(before, after)
        moved.offset_field.offset.bias.fill_(1.0)
        assert not torch.allclose(before, moved.extract_feat(data['inputs'], metas)[0], atol=1e-4)


class TwoSided(torch.nn.Module):
    """A fuser that keeps the camera map's and the LiDAR map's channels apart."""

    def forward(self, camera_bev, lidar_bev):
        """Returns the camera map times 1 and the LiDAR map times 0, recording both."""
        self.camera_bev, self.lidar_bev = camera_bev, lidar_bev
        return camera_bev


def test_the_fuser_gets_the_camera_first_and_the_lidar_second():
    model = build_detector().train()
    model.fuser = TwoSided()
    data = model.data_preprocessor(make_batch((300,)), training=False)
    metas = [data['data_samples'][0].metainfo]
    black, empty = torch.zeros_like(data['inputs']['imgs']), data['inputs']['points'][0][:150]
    seen = []
    with torch.no_grad():
        for imgs, points in ((data['inputs']['imgs'], data['inputs']['points']),
                             (black, data['inputs']['points']), (data['inputs']['imgs'], [empty])):
            model.extract_feat(dict(imgs=imgs, points=points), metas)
            seen.append((model.fuser.camera_bev, model.fuser.lidar_bev))
    # Other pictures change the first map alone, other points the second one alone.
    assert [torch.equal(new, old) for new, old in zip(seen[1], seen[0])] == [False, True]
    assert [torch.equal(new, old) for new, old in zip(seen[2], seen[0])] == [True, False]


def test_the_offset_field_moves_the_camera_map_towards_the_lidar_map():
    model = build_detector(offset_field=OFFSET_FIELD).train()
    model.fuser = TwoSided()
    calls = []
    model.offset_field.register_forward_hook(lambda module, inputs, output: calls.append((inputs, output)))
    data = model.data_preprocessor(make_batch((300,)), training=False)
    with torch.no_grad():
        model.extract_feat(data['inputs'], [data['data_samples'][0].metainfo])
    (camera_bev, lidar_bev), moved = calls[0]
    assert model.fuser.camera_bev is moved and model.fuser.lidar_bev is lidar_bev
    assert camera_bev is not lidar_bev


def test_a_model_with_cameras_says_that_it_needs_metainfo():
    model = build_detector().eval()
    data = model.data_preprocessor(make_batch((30,)), training=False)
    with pytest.raises(ValueError, match='got no batch_input_metas; pass the metainfo'):
        model.extract_feat(data['inputs'])
    assert len(build_detector(**NO_CAMERA).eval().extract_feat(data['inputs'])) == 1


def test_mmdet3d_builds_it_by_init_model_and_settings_that_nobody_reads_are_refused(tmp_path):
    from mmdet3d.apis import init_model
    from mmengine.config import Config
    from tiny_detector import CONFIG
    model = init_model(Config.fromfile(CONFIG), device='cpu')
    assert type(model).__name__ == 'GeminiFusion3D' and not model.training
    with pytest.raises(ValueError, match='would not read'):
        build_detector(test_cfg=dict(score_thr=0.1))


def test_the_losses_of_a_fuser_count_in_training():
    model = build_detector()
    model.fuser = GeminiTokenExchange(channels=48)
    model.train()
    data = model.data_preprocessor(make_batch(), training=True)
    losses = model(**data, mode='loss')
    # Untrained scores lie near one half; the penalty weighs the mean of each modality with 0.05.
    assert losses['loss_exchange_scores'].item() == pytest.approx(0.05, rel=0.2)


@pytest.mark.parametrize('replaced, message', [
    ({**NO_CAMERA, **NO_LIDAR}, 'got none'),
    (dict(fuser=None), 'a fuser is needed with two branches or more'),
    (dict(camera_align=None), 'come together'),
    ({**NO_CAMERA, 'offset_field': OFFSET_FIELD}, 'compares the camera map with another'),
    (dict(camera_align=dict(type='GeminiAlignBEV', bev_grid=SMALL_GRID)), 'nobody would read')])
def test_parts_that_do_not_fit_are_refused_when_built(replaced, message):
    with pytest.raises(ValueError, match=message):
        build_detector(**replaced)


RADAR = dict(radar_branch=dict(type='GeminiRadarBranch', channels=8),
             radar_align=dict(type='GeminiAlignBEV', in_channels=8, out_channels=48))
THREE_WAY = dict(type='GeminiNWayFusion', channels=48, heads=4, modalities=3)


def features(model, batch):
    """Returns the neck's map of a batch."""
    data = model.data_preprocessor(batch, training=False)
    with torch.no_grad():
        return model.extract_feat(data['inputs'], [one.metainfo for one in data['data_samples']])[0]


def test_a_third_sensor_by_name_and_a_sample_without_it_equals_a_model_without_it():
    three = build_detector(**RADAR, fuser=THREE_WAY).eval()
    assert three.sensors == ('camera', 'lidar', 'radar') and all(three.modalities.values())
    batch, silent = make_batch(), make_batch()
    silent['inputs']['radar_points'][0] = torch.zeros(0, 7)
    with_radar, without = features(three, batch), features(three, silent)
    # Not to the bit: a processor may multiply other numbers of rows in another order.
    assert torch.allclose(with_radar[1], without[1], atol=1e-6)
    assert not torch.allclose(with_radar[0], without[0], atol=1e-3)
    two = build_detector(fuser={**THREE_WAY, 'modalities': 2}).eval()
    weights = {**dict(three.named_parameters()), **dict(three.named_buffers())}
    for name, value in [*two.named_parameters(), *two.named_buffers()]:
        # Of what has a row per sensor, those of camera and LiDAR come first.
        value.data.copy_(weights[name][:len(value)] if value.dim() else weights[name])
    assert torch.allclose(features(two, batch)[0], without[0], atol=1e-5)


def test_a_sensor_of_any_name_joins_and_its_flag_follows():
    sonar = {key.replace('radar', 'sonar'): value for key, value in RADAR.items()}
    model = build_detector(**{**NO_CAMERA, **sonar, 'fuser': dict(type='GeminiFusion', channels=48, heads=4)})
    batch = make_batch()
    batch['inputs']['sonar_points'] = batch['inputs'].pop('radar_points')
    assert features(model.eval(), batch).shape[-2:] == (16, 24)
    assert model.modalities == dict(use_camera=False, use_lidar=True, use_radar=False, use_sonar=True)
    del batch['inputs']['sonar_points']
    with pytest.raises(ValueError, match='model with sonar_branch got .*; expected sonar_points too'):
        features(model, batch)


@pytest.mark.parametrize('replaced, error, message', [
    (RADAR, ValueError, r'GeminiFusion takes 2 maps, got 3 sensors \(camera, lidar, radar\)'),
    (dict(radar_branch=RADAR['radar_branch']), ValueError, 'radar_branch and radar_align come together'),
    (dict(radar_brnch=RADAR['radar_branch']), TypeError, 'unexpected arguments radar_brnch; expected')])
def test_sensors_that_do_not_fit_are_refused_when_built(replaced, error, message):
    with pytest.raises(error, match=message):
        build_detector(**replaced)
