"""The class list against the devkit's own."""
from nuscenes.eval.detection.constants import DETECTION_NAMES

from geminifusion3d.nuscenes_facts import CLASS_NAMES


def test_the_classes_are_the_devkits_ten():
    assert len(CLASS_NAMES) == 10
    assert set(CLASS_NAMES) == set(DETECTION_NAMES)
