"""Rays meet boxes where geometry says they must; moving objects move."""
import numpy as np
import pytest

from gemini_lab.synthetic.annotations import count_points, observe, visible_share
from gemini_lab.synthetic.meshes import _SHAPES, FILL, HEAD_LAMP, TAIL_LAMP, unit_mesh
from gemini_lab.synthetic.placement import Actor
from gemini_lab.synthetic.world import World


def block(name, xy_m, *, yaw=0.0, velocity_mps=(0, 0), size_m=(2.0, 4.0, 3.0), shape='building'):
    """A plain box on the ground."""
    return Actor(name, 'vehicle.car', shape, np.array(size_m), np.array(xy_m, float), yaw,
                 np.array(velocity_mps, float), np.full((7, 3), 0.5), 0.3)


def ahead(world, time_s=0.0):
    """What a ray along x at 1 m height sees."""
    moment = world.at(time_s, np.zeros(2))
    return moment.cast(np.array([0, 0, 1.0]), np.array([[1.0, 0, 0]]))


def test_a_ray_stops_at_the_near_face_of_a_box():
    # Centre 12 m from the viewer (22 minus the origin's 10), half length 1 m, 2 % inside the box.
    world = World([block('a', (22, 0))], np.array([10.0, 0]))
    hits = ahead(world)
    assert hits.is_hit[0] and hits.object_index[0] == 1
    assert hits.range_m[0] == pytest.approx(12 - FILL, abs=1e-4)
    np.testing.assert_allclose(hits.normal[0], [-1, 0, 0], atol=1e-6)


def test_a_turned_box_shows_its_side():
    # Half width 2 m towards the viewer after a quarter turn.
    world = World([block('a', (12, 0), yaw=np.pi / 2)], np.zeros(2))
    assert ahead(world).range_m[0] == pytest.approx(12 - 2 * FILL, abs=1e-4)


def test_a_moving_box_is_nearer_later():
    world = World([block('a', (12, 0), velocity_mps=(-2, 0))], np.zeros(2))
    assert ahead(world, 1.5).range_m[0] == pytest.approx(9 - FILL, abs=1e-4)


def test_the_ground_is_flat_at_height_zero():
    moment = World([], np.zeros(2)).at(0.0, np.zeros(2))
    hits = moment.cast(np.array([0, 0, 2.0]), np.array([[0, 0, -1.0], [0, 0, 1.0]]))
    assert hits.is_hit.tolist() == [True, False]
    assert hits.range_m[0] == pytest.approx(2.0)


def test_points_are_counted_in_the_box_that_holds_them():
    world = World([block('a', (12, 0), yaw=np.pi / 2)], np.zeros(2))
    # After a quarter turn the box reaches 2 m along x and 1 m along y, and 3 m up.
    points = np.array([[10.1, 0, 1], [12, 0.9, 2.9], [12, 1.1, 1], [9.9, 0, 1], [12, 0, 3.1]])
    assert count_points(world, world.centers_at(0.0), points)[1] == 2


def test_a_hidden_object_is_not_visible_and_a_free_one_is():
    wall = block('wall', (6, 0), size_m=(1.0, 12.0, 6.0))
    world = World([wall, block('hidden', (14, 0)), block('free', (-14, 0))], np.zeros(2))
    moment = world.at(0.0, np.zeros(2))
    shares = visible_share(world, moment, np.array([0, 0, 1.8]), np.array([1, 2, 3]),
                           np.random.default_rng(0))
    assert shares[1] == 0.0
    assert shares[0] == shares[2] == 1.0


def test_nobody_annotates_what_is_hidden_altogether():
    wall = block('wall', (6, 0), size_m=(1.0, 12.0, 6.0))
    world = World([wall, block('hidden', (14, 0)), block('free', (-14, 0))], np.zeros(2))
    pose = np.eye(4)
    pose[2, 3] = 1.8
    observed = observe(world, world.at(0.0, np.zeros(2)), pose, np.zeros((0, 3)), np.zeros((0, 3)),
                       np.random.default_rng(0))
    assert [one.actor_index for one in observed] == [0, 2]
    # A return from it shows that it is there.
    observed = observe(world, world.at(0.0, np.zeros(2)), pose, np.array([[14.0, 0, 1]]), np.zeros((0, 3)),
                       np.random.default_rng(0))
    assert [(one.actor_index, one.num_lidar_pts) for one in observed] == [(0, 0), (1, 1), (2, 0)]


@pytest.mark.parametrize('shape', ['car', 'truck', 'bus', 'trailer', 'digger', 'motorcycle', 'bicycle',
                                   'person', 'ridden_motorcycle', 'ridden_bicycle'])
def test_the_front_of_what_has_a_heading_is_unlike_its_back(shape):
    mesh = unit_mesh(shape)
    vertices = {tuple(vertex) for vertex in mesh.vertices.round(4)}
    mirrored = {tuple(vertex) for vertex in (mesh.vertices * [-1, 1, 1]).round(4)}
    assert len(vertices & mirrored) < 0.85 * len(vertices)
    x = mesh.vertices[mesh.faces, 0].mean(1)
    assert (x[mesh.slot == HEAD_LAMP] > 0.4).all() and (x[mesh.slot == TAIL_LAMP] < -0.4).all()


@pytest.mark.parametrize('shape', sorted(_SHAPES))
def test_every_mesh_lies_within_its_box_and_fills_it(shape):
    vertices = unit_mesh(shape).vertices
    assert np.abs(vertices).max() <= 0.5
    if shape not in ('lamp', 'tree'):
        np.testing.assert_array_less(0.85, np.ptp(vertices, axis=0))
