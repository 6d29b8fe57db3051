"""Marks of drawn boxes: whose, found or missed, right or wrong, hidden or not."""
from nuscenes.eval.detection.data_classes import DetectionBox

from gemini_lab.report.box_marks import Layer, layers_of, open_group
from gemini_lab.report.samples import read_sample
from gemini_lab.report.verdicts import Verdicts, box_key


def box(score):
    return DetectionBox(sample_token='a', translation=(3.0, 4.0, 0.0), size=(2.0, 4.0, 2.0),
                        rotation=(1.0, 0.0, 0.0, 0.0), velocity=(0.0, 0.0), detection_name='car',
                        detection_score=score, ego_translation=(3.0, 4.0, 0.0))


FOUND = Verdicts(score_of_find={box_key(box(-1.0)): 0.4}, false_positives=frozenset())
WRONG = Verdicts(score_of_find={}, false_positives=frozenset([box_key(box(0.4))]))


def test_an_object_is_missed_above_the_score_of_its_prediction():
    layer = Layer('truth', verdicts=FOUND)
    assert open_group(box(-1.0), 0.4, layer) == (
        '<g class="truth" data-found="0.4"><title>truth: car, 5 m away, 0.0 m/s, found with 0.40</title>')
    assert '<g class="truth missed"' in open_group(box(-1.0), 0.41, layer)


def test_an_object_that_nothing_took_is_missed_at_every_score():
    tag = open_group(box(-1.0), 0.0, Layer('truth', verdicts=WRONG))
    assert '<g class="truth missed" data-found="-1">' in tag and 'never found' in tag


def test_a_prediction_that_found_nothing_is_marked():
    assert '<g class="pred false" data-score="0.4">' in open_group(
        box(0.4), 0.3, Layer('pred', verdicts=WRONG))
    assert '<g class="pred low" data-score="0.4">' in open_group(
        box(0.4), 0.5, Layer('pred', verdicts=FOUND))


def test_the_other_model_is_named():
    assert '<title>other model: car 0.40, 5 m away' in open_group(box(0.4), 0.3, Layer('other'))


def test_predictions_lie_on_top(tiny_nusc):
    sample = read_sample(tiny_nusc, 'scene-0103-a', truth=[], predictions=[box(0.4)],
                         other_predictions=[box(0.3)], verdicts=WRONG)
    assert [(layer.style, len(layer.boxes), layer.verdicts) for layer in layers_of(sample)] == [
        ('truth', 0, WRONG), ('other', 1, None), ('pred', 1, WRONG)]
