"""The class list against the devkit's own."""
from nuscenes.eval.detection.constants import DETECTION_NAMES

from geminifusion3d.nuscenes_facts import CLASS_NAMES


def test_the_classes_are_the_devkits_ten():
    assert len(CLASS_NAMES) == 10
    assert set(CLASS_NAMES) == set(DETECTION_NAMES)


def test_their_order_is_the_one_of_mmdet3ds_centerpoint_and_bevfusion():
    # Weights and labels count classes: an exchanged pair trains and scores one class as the other.
    assert CLASS_NAMES == ('car', 'truck', 'construction_vehicle', 'bus', 'trailer', 'barrier', 'motorcycle',
                           'bicycle', 'pedestrian', 'traffic_cone')
