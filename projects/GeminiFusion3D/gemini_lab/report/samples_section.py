"""Samples with their six cameras and the view from above, and the table of the worst ones."""
from dataclasses import dataclass
from html import escape
from typing import Callable, Sequence

from .bev_view import bev_figure
from .camera_view import camera_grid
from .html_table import Cell, Head, count_cell, sortable_table
from .samples import Sample
from .verdicts import SampleErrors

MOST_LISTED = 15


@dataclass(frozen=True)
class SampleCard:
    """A sample and why it is shown."""

    sample: Sample
    reason: str


def sample_cards(cards: Sequence[SampleCard], min_score: float) -> str:
    """Returns the controls and the pictures of every sample."""
    if not cards:
        return ''
    has_verdicts = any(card.sample.verdicts is not None for card in cards)
    has_other = any(card.sample.other_predictions for card in cards)
    return (controls(min_score, has_verdicts, has_other)
            + ''.join(sample_article(card, min_score) for card in cards))


def controls(min_score: float, has_verdicts: bool, has_other: bool) -> str:
    """Returns what to show and from which score; the script unhides it."""
    score = f'{min_score:.2f}'
    boxes = [check('hide-truth', 'truth', 'ground truth', checked=True),
             check('hide-pred', 'pred', 'predictions', checked=True)]
    if has_other:
        boxes.append(check('show-other', 'other', 'other model', checked=False))
    if has_verdicts:
        boxes.append(check('only-errors', 'missed', 'only what is wrong', checked=False))
    return (f'<div class="controls" hidden>{"".join(boxes)}<label class="slide">score from '
            f'<output>{score}</output><input type="range" min="0" max="1" step="0.01" '
            f'value="{score}" aria-label="lowest score shown"></label></div>')


def check(toggles: str, style: str, text: str, *, checked: bool) -> str:
    """Returns a box that switches a class of the section: when it differs from its first state."""
    return (f'<label><input type="checkbox" data-toggle="{toggles}"{" checked" if checked else ""}>'
            f'<i class="{style}"></i>{text}</label>')


def anchor(token: str) -> str:
    """Returns the id of a sample's card."""
    return f'sample-{escape(token)}'


def sample_article(card: SampleCard, min_score: float) -> str:
    """Returns the six cameras and the view from above of one sample."""
    sample = card.sample
    shown = sum(box.detection_score >= min_score for box in sample.predictions)
    missed = ''
    if sample.verdicts is not None:
        number = sum(sample.verdicts.found_from(box) < min_score for box in sample.truth)
        false = sum(box.detection_score >= min_score and sample.verdicts.is_false_positive(box)
                    for box in sample.predictions)
        missed = f', {number} missed, {false} false'
    description = f'<p>{escape(sample.description)}</p>' if sample.description else ''
    return (f'<article class="sample" id="{anchor(sample.token)}"><div class="about">'
            f'<p class="reason">{escape(card.reason)}</p><h3>{escape(sample.scene_name)} '
            f'<small>at {sample.second_in_scene:.1f} s</small></h3>{description}<p class="count">'
            f'{len(sample.truth)} objects, {shown} predictions from {min_score:.2f}{missed} '
            f'<code>{escape(sample.token)}</code></p></div><div class="views">'
            f'{camera_grid(sample, min_score)}{bev_figure(sample, min_score)}</div></article>')


def worst_table(errors: Sequence[SampleErrors], name_sample: Callable[[str], str]) -> str:
    """Returns the samples with most errors.

    Args:
        errors: worst first.
        name_sample: writes a sample.
    """
    heads = [Head('sample'), Head('objects', 'evaluated ground-truth boxes'), Head('missed'),
             Head('false', 'false positives', 'predictions'), Head('token')]
    return sortable_table('Samples with most errors', heads, [
        (name_sample(entry.token), [
            count_cell(entry.objects), count_cell(entry.missed), count_cell(entry.false_positives),
            Cell(f'<code>{escape(entry.token)}</code>')]) for entry in errors[:MOST_LISTED]])
