"""Cards: the boxes that the pictures show."""
from gemini_lab.report.boxes import read_results, truth_boxes
from gemini_lab.report.cards import LOWEST_SCORE, CardBoxes, read_cards

TOKEN = 'scene-0103-a'


def test_a_card_has_the_boxes_of_both_models_and_the_verdicts(tiny_nusc, metrics_dir, analysis, models):
    boxes = CardBoxes(truth=truth_boxes(tiny_nusc, [TOKEN]), analysis=analysis, models=models,
                      results=read_results(metrics_dir / 'results_nusc.json'))
    card, = read_cards(tiny_nusc, [(TOKEN, 'why')], boxes)
    assert card.reason == 'why'
    assert [box.detection_score for box in card.sample.predictions] == [0.9, 0.4, 0.1]
    assert [box.detection_score for box in card.sample.other_predictions] == [0.8, 0.6]
    # Boxes that were loaded apart from the matching are recognised.
    assert [card.sample.verdicts.found_from(box) for box in card.sample.truth] == [0.9, 0.4]


def test_hopeless_predictions_are_not_drawn(tiny_nusc, metrics_dir):
    results = read_results(metrics_dir / 'results_nusc.json')
    records = [{**results[TOKEN][0], 'detection_score': score} for score in (0.9, LOWEST_SCORE / 2)]
    boxes = CardBoxes(truth={TOKEN: []}, results={TOKEN: records}, analysis=None, models=None)
    card, = read_cards(tiny_nusc, [(TOKEN, 'why')], boxes)
    assert [box.detection_score for box in card.sample.predictions] == [0.9]
