"""Attributes: the speed rule and what each class may carry."""
import pytest
from nuscenes.eval.detection.utils import detection_name_to_rel_attributes

from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.nuscenes_facts import VALID_ATTRIBUTES, attribute_by_speed


@pytest.mark.parametrize('name', CLASS_NAMES)
def test_valid_attributes_are_the_devkits(name: str) -> None:
    assert set(VALID_ATTRIBUTES[name]) == set(detection_name_to_rel_attributes(name) or [''])


@pytest.mark.parametrize('name', CLASS_NAMES)
@pytest.mark.parametrize('speed_mps', [0.0, 0.2, 0.21, 30.0])
def test_the_rule_gives_only_valid_attributes(name: str, speed_mps: float) -> None:
    assert attribute_by_speed(name, speed_mps) in VALID_ATTRIBUTES[name]


@pytest.mark.parametrize('name, standing, moving', [
    ('car', 'vehicle.parked', 'vehicle.moving'), ('bus', 'vehicle.stopped', 'vehicle.moving'),
    ('pedestrian', 'pedestrian.standing', 'pedestrian.moving'),
    ('bicycle', 'cycle.without_rider', 'cycle.with_rider'), ('traffic_cone', '', '')])
def test_only_above_a_fifth_of_a_metre_per_second_does_a_box_move(
        name: str, standing: str, moving: str) -> None:
    assert attribute_by_speed(name, 0.2) == standing
    assert attribute_by_speed(name, 0.2001) == moving
