"""Which samples stood behind a skipped step, and the losses that tell why, of all processes."""
from typing import Any, Dict, List, NamedTuple, Optional

import torch
from mmengine.dist import all_gather_object


class Culprits(NamedTuple):
    """What the processes know about a step that was skipped.

    Attributes:
        tokens: sample tokens of the batch, of those processes whose own loss was not finite, else of all.
        losses: losses that were not finite, as `name = value`.
    """

    tokens: List[str]
    losses: List[str]


def bad_losses(outputs: Optional[Dict[str, Any]]) -> List[str]:
    """Lists the losses of an iteration that are not finite."""
    return [f'{name} = {float(value.mean())}' for name, value in (outputs or {}).items()
            if torch.is_tensor(value) and not bool(torch.isfinite(value).all())]


def sample_tokens(data_batch: Any) -> List[str]:
    """Returns the tokens of a batch's samples; none where the data have no tokens."""
    samples = data_batch.get('data_samples', ()) if isinstance(data_batch, dict) else ()
    return [str(sample.metainfo['token']) for sample in samples if 'token' in sample.metainfo]


def find_culprits(data_batch: Any, outputs: Optional[Dict[str, Any]]) -> Culprits:
    """Asks every process for its part; all must call this together."""
    reports = all_gather_object((sample_tokens(data_batch), bad_losses(outputs)))
    guilty = [(tokens, losses) for tokens, losses in reports if losses] or reports
    return Culprits(tokens=[token for tokens, _ in guilty for token in tokens],
                    losses=sorted({loss for _, losses in guilty for loss in losses}))
