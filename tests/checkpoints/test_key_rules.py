"""Weights are renamed and turned by the first rule that matches; nothing is lost silently."""
import pytest
import torch

from geminifusion3d.checkpoints.key_rules import Rule, apply_rules
from geminifusion3d.errors import UserError

RULES = (Rule(r'body\.(\d+)\.(.+)', r'net.\1.0.\2', torch.neg), Rule(r'body\.grid', None),
         Rule(r'head\.(.+)', r'tail.\1'))


def test_the_first_rule_that_matches_the_whole_key_decides():
    one = torch.ones(1)
    converted = apply_rules({'body.3.weight': one, 'body.grid': one, 'head.body.3.x': one}, RULES,
                            source='a test')
    assert converted == {'net.3.0.weight': -one, 'tail.body.3.x': one}


def test_keys_without_a_rule_are_named():
    weights = {key: torch.ones(1) for key in ('body.3.weight', 'neck.weight', 'body.grid.x')}
    with pytest.raises(UserError, match=r'2 weights .* conversion from a test \(neck.weight, body.grid.x\)'):
        apply_rules(weights, RULES, source='a test')


def test_two_keys_that_become_one_are_refused():
    rules = (Rule(r'(?:old|new)\.(.+)', r'ours.\1'), )
    with pytest.raises(UserError, match='become ours.bias, the second is new.bias'):
        apply_rules({'old.bias': torch.ones(1), 'new.bias': torch.ones(1)}, rules, source='a test')
