"""Attributes: the speed rule and what each class may carry."""
import pytest
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.detection.utils import detection_name_to_rel_attributes

from geminifusion3d.nuscenes_facts import (CLASS_NAMES, CLASS_RANGE_M, MAX_BOXES_PER_SAMPLE, UNDEFINED_ERRORS,
                                           VALID_ATTRIBUTES, attribute_by_speed)


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


def test_ranges_and_the_limit_of_boxes_are_the_devkits() -> None:
    config = config_factory('detection_cvpr_2019')
    assert CLASS_RANGE_M == config.class_range and MAX_BOXES_PER_SAMPLE == config.max_boxes_per_sample == 500


def test_errors_that_a_class_does_not_have_are_those_that_the_devkit_leaves_out() -> None:
    undefined = {'traffic_cone': {'orient_err', 'vel_err', 'attr_err'}, 'barrier': {'vel_err', 'attr_err'}}
    assert {name: set(errors) for name, errors in UNDEFINED_ERRORS.items()} == undefined
