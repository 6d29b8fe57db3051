"""KITTI's files to info files: numbers by hand, mistakes named, real frames where they are."""
import pickle
import re

import cv2
import numpy as np
import pytest
from real_data import real_data
from tiny_kitti import LABELS, write_frame, write_tiny_kitti

from gemini_lab.sample_picture import draw_kitti_frame
from geminifusion3d.errors import UserError
from geminifusion3d.info_file import carries_digest
from geminifusion3d.kitti.dataset import GeminiKittiDataset, GeminiLoadKittiFrame, GeminiPointsInPicture
from geminifusion3d.kitti.infos import convert_kitti, frame_info, write_infos
from geminifusion3d.kitti.labels import read_labels
from geminifusion3d.kitti.metric import GeminiKittiMetric
from geminifusion3d.safe_pickle import load_plain_pickle


def test_a_label_is_read_and_written_as_it_was(tmp_path):
    (tmp_path / 'a.txt').write_text('\n'.join(LABELS) + '\n')
    car, pedestrian, dont_care = read_labels(tmp_path / 'a.txt')
    assert (car.name, car.occluded, car.box_px, car.size_hwl_m) == (
        'Car', 0, (120, 40, 200, 85), (1.5, 1.6, 3.9))
    assert [one.difficulty() for one in (car, pedestrian)] == [0, 1]
    assert car.line() == LABELS[0] and pedestrian.line() == LABELS[1]


@pytest.mark.parametrize('line', ['Car 0 0', 'Car 0 0 x 0 0 0 0 0 0 0 0 0 0 0', 'Car 0 0 nan' + ' 0' * 11])
def test_a_damaged_label_is_named(tmp_path, line):
    (tmp_path / 'a.txt').write_text(f'{LABELS[0]}\n{line}\n')
    with pytest.raises(UserError, match='line 2'):
        read_labels(tmp_path / 'a.txt')


def test_an_info_says_where_the_car_is(tmp_path):
    write_frame(tmp_path, '000007')
    info = frame_info(tmp_path, '000007', with_labels=True)
    car = info['instances'][0]
    assert car['bbox_3d'] == [0, 1.7, 10, 3.9, 1.5, 1.6, 0] and car['bbox_label'] == 2
    # Middle of the box: (0, 0.95, 10); u = (200 * 0 + 160 * 10 + 12) / 10.
    assert car['center_2d'] == pytest.approx([161.2, 48 + 200 * 0.95 / 10]) and car['depth'] == 10
    points = np.fromfile(tmp_path / 'velodyne' / '000007.bin', np.float32).reshape(-1, 4)
    # LiDAR x forward, y left, z up; the camera sits 0.3 m ahead of it and 0.1 m below its own zero.
    x_cam, y_cam, z_cam = -points[:, 1], -points[:, 2] - 0.1, points[:, 0] - 0.3
    inside = (np.abs(x_cam) <= 1.95) & (np.abs(z_cam - 10) <= 0.8) & (y_cam <= 1.7) & (y_cam >= 0.2)
    assert car['num_lidar_pts'] == inside.sum() > 0
    assert [one['index'] for one in info['instances']] == [0, 1, -1]


def test_every_list_becomes_a_file_of_plain_data_that_mmdet3ds_dataset_reads(tmp_path):
    theirs = tmp_path / 'kitti_infos_train.pkl'
    theirs.write_bytes(b'what mmdet3d wrote')
    paths = convert_kitti(write_tiny_kitti(tmp_path))
    assert list(paths) == ['train', 'val'] and theirs.read_bytes() == b'what mmdet3d wrote'
    assert load_plain_pickle(paths['train'])['metainfo']['categories']['DontCare'] == -1
    dataset = GeminiKittiDataset(
        data_root=str(tmp_path), ann_file='geminifusion3d_kitti_train.pkl',
        metainfo=dict(classes=['Pedestrian', 'Car']),
        data_prefix=dict(pts='training/velodyne', img='training/image_2'), pipeline=[],
        modality=dict(use_lidar=True, use_camera=True))
    boxes = dataset.get_ann_info(0)['gt_bboxes_3d']
    # The car: 10 m before the camera is 10.3 m before the LiDAR; rotation 0
    # along the camera's x is to the right.
    assert boxes.tensor[0].tolist() == pytest.approx([10.3, 0, -1.8, 3.9, 1.6, 1.5, -np.pi / 2], abs=1e-5)
    assert dataset.get_ann_info(0)['gt_labels_3d'].tolist() == [1, 0]


def test_only_points_in_the_picture_stay(tmp_path):
    from mmdet3d.structures.points import LiDARPoints
    write_frame(tmp_path, '000000')
    images = frame_info(tmp_path, '000000', with_labels=False)['images']
    cloud = np.float32([[10.3, 0, 0, 0], [-10, 0, 0, 0], [10.3, 8.1, 0, 0],
                       [10.3, -8.2, 0, 0], [10.3, 0, 3, 0]])
    results = GeminiPointsInPicture().transform(
        dict(points=LiDARPoints(cloud, points_dim=4), images=images, lidar2img=images['CAM2']['lidar2img']))
    # u = 160 + (-200 y + 12) / 10: 161, behind, -0.8, 325, above.
    assert results['points'].tensor[:, :2].tolist() == pytest.approx(np.array([[10.3, 0]]), abs=1e-6)


def test_no_list_a_bad_name_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(UserError, match='holds none of train'):
        convert_kitti(tmp_path)
    root = write_tiny_kitti(tmp_path / 'kitti')
    (root / 'ImageSets' / 'train.txt').write_text('../../etc\n')
    with pytest.raises(UserError, match='expected numbers of frames'):
        convert_kitti(root, splits=['train'])
    (root / 'training' / 'image_2' / '000002.png').unlink()
    with pytest.raises(UserError, match='000002.png'):
        convert_kitti(root, splits=['val'])


def test_a_path_that_leaves_the_dataset_is_refused(tmp_path):
    path = convert_kitti(write_tiny_kitti(tmp_path))['train']
    records = load_plain_pickle(path)['data_list']
    records[0]['lidar_points']['lidar_path'] = '../../secret.bin'
    write_infos(path, records)
    with pytest.raises(UserError, match='inside the data root'):
        _dataset(tmp_path)
    del records[0]['lidar_points']
    write_infos(path, records)
    with pytest.raises(UserError, match="lacks what a frame of KITTI has .KeyError.'lidar_points'"):
        _dataset(tmp_path)


def _dataset(root, pipeline=()):
    return GeminiKittiDataset(
        data_root=str(root), ann_file='geminifusion3d_kitti_train.pkl', pipeline=list(pipeline),
        metainfo=dict(classes=['Pedestrian', 'Car']), modality=dict(use_lidar=True, use_camera=True),
        data_prefix=dict(pts='training/velodyne', img='training/image_2'))


def test_a_flipped_bit_of_an_info_file_and_the_file_of_another_dataset_are_refused(tmp_path):
    path = convert_kitti(write_tiny_kitti(tmp_path))['train']
    sound = path.read_bytes()
    # A bit of a number of the calibration, and of the mark of the digest itself.
    for place, match in ((sound.index(b'Tr_velo_to_cam') + 60, 'digest'), (len(sound) - 3, 'lost its end')):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1:])
        with pytest.raises(UserError, match=match):
            _dataset(tmp_path)
    path.write_bytes(pickle.dumps({'metainfo': {'dataset': 'nuscenes'}, 'data_list': []}))
    with pytest.raises(UserError, match='is no info file of KITTI'):
        _dataset(tmp_path)


def test_a_file_that_somebody_else_wrote_stays_and_one_of_an_earlier_version_does_not(tmp_path):
    root = write_tiny_kitti(tmp_path)
    path = convert_kitti(root)['val']
    content = load_plain_pickle(path)
    path.write_bytes(b'mine')
    with pytest.raises(UserError, match='was not written by this project'):
        convert_kitti(root)
    assert path.read_bytes() == b'mine'
    path.write_bytes(pickle.dumps({'metainfo': {**content['metainfo'], 'info_version': '1.1'},
                                   'data_list': content['data_list']}))
    convert_kitti(root)
    assert carries_digest(path)


def _spoil(folder, kind):
    """Spoil frame 000000 in some way."""
    calibration, label = folder / 'calib/000000.txt', folder / 'label_2/000000.txt'
    if kind == 'calibration that is not finite':
        calibration.write_text(calibration.read_text().replace('P2: 200.0', 'P2: nan'))
    elif kind == 'mirrored calibration':
        calibration.write_text(calibration.read_text().replace('R0_rect: 1', 'R0_rect: -1'))
    elif kind == 'no projection':
        calibration.write_text(calibration.read_text().replace('P2: 200.0', 'P2: -200.0'))
    elif kind == 'degrees':
        label.write_text(LABELS[0].rsplit(' ', 1)[0] + ' 90.00\n')
    elif kind == 'millimetres':
        calibration.write_text(re.sub('(Tr_velo_to_cam: .*) (\\S+)', r'\1 -300', calibration.read_text()))
    elif kind == 'smaller picture':
        cv2.imwrite(str(folder / 'image_2/000000.png'), np.zeros((48, 160, 3), np.uint8))
    elif kind == 'negative intensities':
        rows = np.fromfile(folder / 'velodyne/000000.bin', np.float32).reshape(-1, 4)
        (rows - [0, 0, 0, 2]).astype(np.float32).tofile(folder / 'velodyne/000000.bin')
    else:
        label.write_text(label.read_text() + 'Car 0 0 0 nan' + ' 0' * 10 + '\n')


@pytest.mark.parametrize('kind, message', [
    ('calibration that is not finite', 'P2 .*not finite'), ('mirrored calibration', 'R0_rect .*no rotation'),
    ('no projection', 'P2 .*no projection'), ('smaller picture', '160x48, but a label reaches to .200'),
    ('negative intensities', 'no point that a LiDAR measures .intensities fall'),
    ('degrees', 'line 1 has rotation_y 90; expected radians'), ('millimetres', 'Tr_velo_to_cam .*metres'),
    ('label', 'line 4 has 15 fields')])
def test_files_that_contradict_each_other_are_named_all_at_once(tmp_path, kind, message):
    root = write_tiny_kitti(tmp_path)
    _spoil(root / 'training', kind)
    (root / 'training/image_2/000002.png').unlink()
    with pytest.raises(UserError, match=f'2 of 3 frames .*{message}.*000002.png') as caught:
        convert_kitti(root)
    assert '\n' not in str(caught.value) and not list(root.glob('*.pkl'))


def test_what_no_geometry_holds_is_left_out_and_said(tmp_path, capsys):
    root = write_tiny_kitti(tmp_path)
    label, cloud = root / 'training/label_2/000000.txt', root / 'training/velodyne/000000.bin'
    label.write_text(label.read_text().replace('1.50 1.60 3.90', '0.00 1.60 3.90'))
    rows = np.fromfile(cloud, np.float32).reshape(-1, 4)
    rows[7, 3] = np.nan
    rows.tofile(cloud)
    names = [one['bbox_label'] for one in
             load_plain_pickle(convert_kitti(root)['train'])['data_list'][0]['instances']]
    said = capsys.readouterr().out
    assert names == [0, -1] and '1 labels left out' in said
    assert '1 clouds with points that loading drops' in said
    frame = GeminiLoadKittiFrame().transform(_dataset(tmp_path).get_data_info(0))
    assert len(frame['points']) == 1999 and frame['num_points_dropped'] == 1
    assert frame['img'].shape == (96, 320, 3) and frame['ori_shape'] == (96, 320)
    assert (frame['points'].tensor.numpy() == np.delete(rows, 7, 0)).all()


@pytest.mark.parametrize('place, order', [(10, (10, 9, 8)), (13, (13, 12, 11)), (None, ())])
def test_labels_of_another_convention_do_not_fit_the_box_in_the_picture(tmp_path, capsys, place, order):
    root = write_tiny_kitti(tmp_path)
    label = root / 'training/label_2/000000.txt'
    # The car as its picture has it, then its sides as length, width, height, or x and z changed places.
    fields = 'Car 0.00 0 0.00 110.00 44.00 208.00 86.00 1.50 1.60 3.90 1.00 1.70 10.00 0.30'.split()
    if place is not None:
        fields[place - 2:place + 1] = [fields[one] for one in order]
    label.write_text(' '.join(fields) + '\n')
    convert_kitti(root, splits=['train'])
    assert ('not where their place in space is' in capsys.readouterr().out) == (place is not None)


def test_intensities_of_another_scale_are_said(tmp_path, capsys):
    root = write_tiny_kitti(tmp_path)
    cloud = root / 'training/velodyne/000000.bin'
    rows = np.fromfile(cloud, np.float32).reshape(-1, 4)
    (rows * np.float32([1, 1, 1, 255])).tofile(cloud)
    convert_kitti(root, splits=['train'])
    assert '1 clouds with intensities above 1' in capsys.readouterr().out


@pytest.mark.parametrize('spoil, message', [
    (lambda path, data: cv2.imwrite(str(path), np.zeros((48, 160, 3), np.uint8)), '160x48, but was 320x96'),
    (lambda path, data: path.write_bytes(data[:len(data) // 2]), 'is truncated'),
    (lambda path, data: cv2.imwrite(str(path), np.zeros((96, 320, 3), np.uint8)), 'another check sum'),
    (lambda path, data: path.unlink(), 'cannot be read')])
def test_a_picture_that_changed_behind_the_conversion_is_refused(tmp_path, spoil, message):
    root = write_tiny_kitti(tmp_path)
    convert_kitti(root)
    path = root / 'training/image_2/000000.png'
    spoil(path, path.read_bytes())
    with pytest.raises(UserError, match=f'000000.png .*{message}'):
        GeminiLoadKittiFrame().transform(_dataset(tmp_path).get_data_info(0))


def test_a_flipped_bit_of_a_cloud_is_refused_but_a_reduced_cloud_has_no_check_sum(tmp_path):
    root = write_tiny_kitti(tmp_path)
    convert_kitti(root)
    info = _dataset(tmp_path).get_data_info(0)
    path = root / 'training/velodyne/000000.bin'
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match='000000.bin is not the file that was converted'):
        GeminiLoadKittiFrame().transform(dict(info))
    reduced = root / 'training/velodyne_reduced/000000.bin'
    reduced.parent.mkdir()
    reduced.write_bytes(data[:1600])
    info['lidar_points']['lidar_path'] = str(reduced)
    assert len(GeminiLoadKittiFrame().transform(info)['points']) == 100


def test_real_frames_hold_the_points_of_their_objects():
    folder = real_data('kitti')
    infos = [frame_info(folder, name, with_labels=True) for name in ('000000', '000001', '000002')]
    # The pedestrian 8 m ahead, the truck at 69 m, the trailer (Misc) at 9 m.
    assert [info['instances'][0]['num_lidar_pts'] for info in infos] == [376, 70, 1351]
    assert draw_kitti_frame(folder, '000002').shape[2] == 3


def test_a_metric_that_reads_other_frames_is_refused(tmp_path):
    metric = GeminiKittiMetric(ann_file=str(convert_kitti(write_tiny_kitti(tmp_path))['val']))
    metric.process(None, [dict(pred_instances_3d={}, pred_instances={}, sample_idx=0,
                               lidar_path='training/velodyne/000000.bin')])
    with pytest.raises(UserError, match='frame 000000 at place 0, and .*val.pkl has 000002'):
        metric.compute_metrics(metric.results)


def test_frames_that_are_learned_and_scored_or_stand_twice_are_said(tmp_path, capsys):
    root = write_tiny_kitti(tmp_path)
    (root / 'ImageSets/val.txt').write_text('000001\n000002\n000002\n')
    convert_kitti(root)
    said = capsys.readouterr().out
    assert '1 frames are in train and in val' in said and '1 frames stand more than once in val' in said
