"""Labels of cells: from maps and from files, unknown where nobody knows, refused where they do not fit."""
import cv2
import numpy as np
import pytest
import torch
from made_up_map import write_map

from geminifusion3d.errors import UserError
from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.sensors.load_cells import GeminiLoadCellFile, GeminiLoadMapCells
from geminifusion3d.sensors.pack import GeminiPackInputs
from geminifusion3d.sensors.records import check_record, record_to_info

# 3 columns, 2 rows of 2 m; the model's cells are four as small, over the same place and one column more.
FILES = dict(range_m=[-2.0, -2.0, -1.0, 4.0, 2.0, 1.0], cell_m=2.0)
CELLS = dict(range_m=[-2.0, -2.0, -1.0, 5.0, 2.0, 1.0], cell_m=1.0)
LABELS = np.array([[0, 1, 255], [1, 1, 0]], np.uint8)


def load(labels, classes=('road', 'grass'), augmented=np.eye(4)):
    step = GeminiLoadCellFile(file_grid=FILES, cell_grid=CELLS, classes=classes)
    return step.transform(dict(cells=labels, lidar_aug_matrix=augmented, token='t'))['gt_cells']


def test_a_cell_takes_what_the_file_says_at_its_centre():
    road, grass = load(LABELS)
    assert road.tolist() == [[1, 1, 0, 0, 255, 255, 255]] * 2 + [[0, 0, 0, 0, 1, 1, 255]] * 2
    assert grass.tolist() == [[0, 0, 1, 1, 255, 255, 255]] * 2 + [[1, 1, 1, 1, 0, 0, 255]] * 2


def test_labels_follow_mirror_shift_and_scale():
    # x becomes -x: columns swap ends; then one metre to the right.
    augmented = np.diag([-1.0, 1, 1, 1])
    augmented[0, 3] = 1.0
    # Cell centres -1.5 ... 4.5 lie at 2.5, 1.5, 0.5, -0.5, -1.5, -2.5, -3.5 in the file.
    assert load(LABELS, augmented=augmented)[0, 0].tolist() == [255, 0, 0, 1, 1, 255, 255]
    half = np.diag([0.5, 0.5, 0.5, 1])
    assert load(LABELS, augmented=half)[0, 1].tolist() == [255, 1, 0, 255, 255, 255, 255]


def test_several_classes_in_a_cell_and_files_on_disk(tmp_path):
    stack = np.stack([LABELS, np.ones_like(LABELS)])
    np.save(tmp_path / 'stack.npy', stack)
    cv2.imwrite(str(tmp_path / 'index.png'), LABELS)
    assert (load(str(tmp_path / 'stack.npy'))[1][:, :6] == 1).all()
    assert (load(str(tmp_path / 'index.png')) == load(LABELS)).all()


@pytest.mark.parametrize(('labels', 'message'), [
    (LABELS.T, r'shape \(3, 2\)'), (LABELS.astype(np.float32), 'float32'), (LABELS + np.uint8(1), 'hold 2'),
    (np.stack([LABELS * 2, LABELS]), 'hold 2'), (None, 'names no cells'), ('nowhere.npy', 'cannot be read')])
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(UserError, match=message):
        load(labels)


def test_a_cut_picture_and_a_jpeg_are_refused(tmp_path):
    sound = cv2.imencode('.png', np.tile(LABELS, (40, 40)))[1].tobytes()
    flipped = bytearray(sound)
    flipped[-20] ^= 1
    for name, data, message in (('cut', sound[:len(sound) // 2], 'truncated'), ('bit', flipped, 'damaged'),
                                ('jpeg', cv2.imencode('.jpg', LABELS)[1].tobytes(), 'is no PNG')):
        (tmp_path / f'{name}.png').write_bytes(data)
        with pytest.raises(UserError, match=f'{name}.png cannot be read .*{message}'):
            load(str(tmp_path / f'{name}.png'))


def test_an_array_of_objects_is_not_unpickled(tmp_path):
    np.save(tmp_path / 'odd.npy', np.array([{'a': 1}], dtype=object))
    with pytest.raises(UserError, match='cannot be read'):
        load(str(tmp_path / 'odd.npy'))


def test_a_record_names_its_labels_inside_the_data_root():
    record = dict(token='a', points=dict(path='a.bin', columns=['x', 'y', 'z']), cells='labels/a.png')
    check_record(record)
    assert record_to_info(record)['cells'] == 'labels/a.png'
    with pytest.raises(UserError, match='^r: cells is .*inside the data root'):
        check_record({**record, 'cells': '../a.png'}, 'r')


def test_a_class_of_the_map_is_all_its_layers(tmp_path):
    root = write_map(tmp_path, [('walkway', [[(0, -9), (2, -9), (2, 9), (0, 9)]])],
                     [('road_divider', [(-1, -9), (-1, 9)]), ('lane_divider', [(4, -9), (4, 9)])])
    step = GeminiLoadMapCells(data_root=str(root), cell_grid=CELLS, classes=['walkway', 'divider', 'lane'])
    results = dict(location='boston-seaport', ego2global=np.eye(4), lidar2ego=np.eye(4),
                   lidar_aug_matrix=np.eye(4), token='t')
    done = step.transform(results)
    # Walkway from x = 0 to 2 in every row; dividers of both kinds at x = -1 and x = 4, two cells wide.
    assert done['gt_cells'].shape == (3, 4, 7) and done['gt_cells'].dtype == np.uint8
    assert done['gt_cells'][0].any(axis=0).tolist() == [False, False, True, True, True, False, False]
    assert done['gt_cells'][1].any(axis=0)[[1, 6]].all() and not done['gt_cells'][2].any()
    assert done['cell_grid'] == BEVGrid.from_config(CELLS)
    assert done['cell_classes'] == ('walkway', 'divider', 'lane')
    far = np.eye(4)
    far[:2, 3] = (10, -70)
    with pytest.raises(UserError, match=r't lies at .*-70.0. m, outside the map .*boston-seaport'):
        step.transform({**results, 'ego2global': far})
    with pytest.raises(UserError, match='has no location.*gemini3d convert'):
        step.transform({**results, 'location': None})


def test_an_unknown_class_of_the_map_is_refused():
    with pytest.raises(ValueError, match='got the map class river'):
        GeminiLoadMapCells(data_root='.', cell_grid=CELLS, classes=['walkway', 'river'])


def test_labels_are_packed_beside_the_rest():
    packed = GeminiPackInputs(keys=['img'], meta_keys=['token']).transform(
        dict(token='t', gt_cells=load(LABELS), cell_grid=BEVGrid.from_config(CELLS), cell_classes=('a', 'b')))
    sample = packed['data_samples']
    assert sample.gt_cells.dtype == torch.uint8 and sample.gt_cells.shape == (2, 4, 7)
    assert sample.metainfo['cell_classes'] == ('a', 'b') and sample.metainfo['token'] == 't'
