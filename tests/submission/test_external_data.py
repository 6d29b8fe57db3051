"""External data is declared where a model starts from boxes or masks of other data, and only there."""
import pytest

from geminifusion3d.errors import UserError
from geminifusion3d.submission.provenance import declare_external_data, starting_weights

META = {'use_external': False}
DECLARED = {'use_external': True}


def starts_from(name: str) -> dict:
    """Returns a config whose image backbone starts from these weights."""
    return {'model': {'camera_branch': {'backbone': {
        'init_cfg': {'type': 'Pretrained', 'checkpoint': name}}}}}


@pytest.mark.parametrize('name', [
    'https://download.pytorch.org/models/resnet50-0676ba61.pth', 'swin_tiny_patch4_window7_224.pth',
    '/data/nuimages/swin_tiny.pth', 'work_dirs/lidar/epoch_20.pth'])
def test_image_classification_and_nuscenes_itself_are_free(name: str) -> None:
    assert declare_external_data(starts_from(name), META) == {'used': False, 'reason': ''}


@pytest.mark.parametrize('name', [
    'swint-nuimages-pretrained.pth', 'mask_rcnn_r50.pth', 'cascade-rcnn.pth', 'yolox_COCO.pth',
    'https://x.org/dd3d_det_final.pth', 'waymo/centerpoint_waymo.pth', 'objects365_swin.pth'])
def test_weights_named_after_other_boxes_must_be_declared(name: str) -> None:
    with pytest.raises(UserError, match=r'counts that as external data: add --external-data'):
        declare_external_data(starts_from(name), META)
    assert declare_external_data(starts_from(name), DECLARED) == {
        'used': True, 'reason': f'starts from {name}'}


def test_weights_of_a_whole_model_are_looked_at_too() -> None:
    with pytest.raises(UserError, match='starts from kitti.pth'):
        declare_external_data({'load_from': 'kitti.pth'}, META)


def test_what_the_user_says_comes_before_what_the_config_says() -> None:
    cfg = {**starts_from('coco.pth'), 'external_data': 'COCO'}
    assert declare_external_data(cfg, META, 'maps of my own') == {'used': True, 'reason': 'maps of my own'}
    assert declare_external_data(cfg, DECLARED) == {'used': True, 'reason': 'COCO'}
    assert declare_external_data({}, DECLARED)['reason'] == 'declared by the config, which gives no reason'


def test_weights_are_found_anywhere_in_a_config() -> None:
    cfg = {'load_from': None, 'parts': [{'init_cfg': {'type': 'Pretrained', 'checkpoint': 'a.pth'}},
                                        {'load_from': 'b.pth'}],
           'hook': {'type': 'CheckpointHook', 'checkpoint': 'c.pth'}}
    assert list(starting_weights(cfg)) == ['a.pth', 'b.pth']
