"""Info files of another layout or class list are refused when read."""
import pickle

import pytest

from geminifusion3d.errors import UserError
from geminifusion3d.sensors.info_file import load_info_file

METAINFO = {'categories': {'car': 0, 'bus': 1}, 'dataset': 'nuscenes', 'version': 'v1.0-mini',
            'split': 'mini_val'}


def written(tmp_path, content):
    (tmp_path / 'infos.pkl').write_bytes(pickle.dumps(content))
    return tmp_path / 'infos.pkl'


def test_a_file_of_the_right_classes_is_read(tmp_path):
    content = {'metainfo': METAINFO, 'data_list': []}
    assert load_info_file(written(tmp_path, content), ('car', 'bus')) == content


def test_the_order_of_the_classes_matters(tmp_path):
    path = written(tmp_path, {'metainfo': METAINFO, 'data_list': []})
    with pytest.raises(UserError, match=r"classes \['car', 'bus'\]; expected \['bus', 'car'\]"):
        load_info_file(path, ('bus', 'car'))


@pytest.mark.parametrize('content', [
    [], {'infos': []}, {'metainfo': METAINFO}, {'metainfo': METAINFO, 'data_list': {}},
    {'metainfo': {**METAINFO, 'categories': ['car']}, 'data_list': []},
    {'metainfo': {'dataset': 'nuscenes'}, 'data_list': []}])
def test_another_layout_is_refused(tmp_path, content):
    with pytest.raises(UserError, match='no info file of this project'):
        load_info_file(written(tmp_path, content), ('car', 'bus'))
