"""What the matching says of each box; counted by hand in the tiny world."""
from gemini_lab.report.verdicts import NEVER_FOUND, SampleErrors, errors_by_sample, worst_first


def boxes_of(analysis, name):
    return next(boxes for boxes in analysis.evaluated.classes if boxes.name == name)


def test_an_object_is_found_from_the_score_of_its_prediction(analysis):
    car, pedestrian = boxes_of(analysis, 'car'), boxes_of(analysis, 'pedestrian')
    # The pedestrian's prediction is 1.5 m away.
    assert {analysis.verdicts.found_from(box) for box in car.annotations} == {0.9}
    assert {analysis.verdicts.found_from(box) for box in pedestrian.annotations} == {0.4}


def test_a_prediction_without_an_object_is_a_false_positive(analysis):
    wrong = [box.detection_score for box in boxes_of(analysis, 'car').predictions
             if analysis.verdicts.is_false_positive(box)]
    assert wrong == [0.1] * 4


def test_an_object_that_nothing_took_is_never_found(models):
    other = models.analyses[1]
    car = boxes_of(other, 'car').annotations[0]
    assert other.verdicts.found_from(car) == NEVER_FOUND


def test_errors_are_counted_from_a_score_on(analysis):
    # Per sample a car (found with 0.9), a pedestrian (0.4) and a wrong car (0.1).
    for min_score, missed, false in ((0.05, 0, 1), (0.3, 0, 0), (0.5, 1, 0), (0.95, 2, 0)):
        errors = errors_by_sample(analysis.evaluated, analysis.matches, min_score)
        assert [(entry.objects, entry.missed, entry.false_positives) for entry in errors] == [
            (2, missed, false)] * 4


def test_the_worst_are_taken_in_turn_by_missed_objects_and_false_positives():
    a, b, c, good = (SampleErrors(token, 9, missed, false) for token, missed, false in (
        ('a', 5, 0), ('b', 4, 1), ('c', 0, 7), ('good', 0, 0)))
    assert worst_first([good, b, c, a]) == [a, c, b]
