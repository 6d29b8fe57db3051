"""Which samples are pictured, and why: the user's, or the worst, the most different and some others."""
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from .selection import choose_tokens
from .two_models import TwoModels
from .verdicts import SampleErrors

# Of two models.
MOST_DIFFERENT = 2
Choice = Tuple[str, str]


def choose_cards(sample_tokens: Sequence[str], num_samples: int, num_worst: int,
                 tokens_of_scene: Mapping[str, Sequence[str]], results: Mapping[str, Any],
                 worst: Sequence[SampleErrors], models: Optional[TwoModels]) -> List[Choice]:
    """Returns tokens with the reason to show each, none twice.

    Args:
        sample_tokens: the user's; then these alone.
        num_samples: how many of the others, spread over scenes and time.
        num_worst: how many of the worst; half as many of two models' most different, at most two.
        tokens_of_scene: samples of the split by scene.
        results: predictions by sample; only predicted samples are chosen.
        worst: samples with errors, worst first.
        models: of the comparison.
    """
    if sample_tokens:
        return [(token, 'Chosen') for token in sample_tokens]
    chosen = [(entry.token, 'Among the worst') for entry in worst[:num_worst]]
    if models is not None:
        chosen += different_samples(models, min(MOST_DIFFERENT, (num_worst + 1) // 2))
    taken = {token for token, _ in chosen}
    left = {name: [token for token in tokens if token in results and token not in taken]
            for name, tokens in tokens_of_scene.items()}
    chosen += [(token, 'Evenly chosen over scenes and time') for token in choose_tokens(
        {name: tokens for name, tokens in left.items() if tokens}, num_samples)]
    return list({token: (token, reason) for token, reason in reversed(chosen)}.values())[::-1]


def different_samples(models: TwoModels, count: int) -> List[Choice]:
    """Returns the samples in which two models found most different objects."""
    return [(row['sample_token'],
             f'Most different: {row["only_a"]} objects found by {models.names[0]} alone, '
             f'{row["only_b"]} by {models.names[1]} alone')
            for row in models.objects['samples'][:count]]
