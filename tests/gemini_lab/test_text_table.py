"""Columns stand under each other; numbers that do not exist are dashes."""
from gemini_lab.text_table import markdown_table, number, terminal_table


def test_numbers_have_three_digits_and_their_sign_on_request():
    assert [number(0.12345), number(None), number(0.5, signed=True), number(-0.5, signed=True)] == [
        '0.123', '–', '+0.500', '-0.500']


def test_columns_of_words_stand_left_and_the_others_right():
    assert terminal_table(['name', 'a'], [['x', '10'], ['longer', '']]).splitlines() == [
        'name     a', 'x       10', 'longer']
    assert markdown_table(['name', 'a'], [['x', '1']]).splitlines() == [
        '| name | a |', '| --- | --: |', '| x | 1 |']
    words = terminal_table(['name', 'a', 'b'], [['x', 'long', '1']], words=2)
    assert words.splitlines()[0] == 'name  a     b'
    assert markdown_table(['name', 'a', 'b'], [], words=2).splitlines()[1] == '| --- | --- | --: |'
