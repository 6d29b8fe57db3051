"""Which samples are pictured and why."""
from gemini_lab.report.card_choice import choose_cards
from gemini_lab.report.verdicts import SampleErrors

SCENES = {'x': ['a', 'b', 'c'], 'y': ['d']}
RESULTS = dict.fromkeys('abcd', [])
WORST = [SampleErrors('b', 5, 3, 1), SampleErrors('d', 5, 0, 2)]


def test_the_worst_come_first_and_are_not_chosen_again():
    cards = choose_cards((), 9, 1, SCENES, RESULTS, WORST, None)
    assert [token for token, _ in cards] == ['b', 'a', 'c', 'd']
    assert cards[0][1] == 'Among the worst'


def test_the_user_has_the_last_word():
    assert choose_cards(['c', 'a'], 9, 9, SCENES, RESULTS, WORST, None) == [
        ('c', 'Chosen'), ('a', 'Chosen')]


def test_samples_without_predictions_are_not_chosen():
    cards = choose_cards((), 9, 0, SCENES, {'a': []}, WORST, None)
    assert [token for token, _ in cards] == ['a']


def test_samples_in_which_two_models_differ_are_shown(models):
    cards = choose_cards((), 0, 4, {}, {}, [], models)
    assert [token for token, _ in cards] == ['scene-0103-a', 'scene-0103-b']
    assert '1 objects found by' in cards[0][1]
