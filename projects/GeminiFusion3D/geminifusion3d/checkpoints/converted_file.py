"""From a foreign checkpoint file to one of this project, which says where it comes from."""
import io
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

import torch
from torch import Tensor

from ..atomic import write_whole
from ..check_sums import file_sum
from ..errors import UserError
from .checkpoint_file import read_checkpoint
from .checkpoint_fit import state_dict_of, with_versions
from .formats import CONVERTIBLE, Format, recognise

# Raised whenever the same source would give other weights.
CONVERTER_VERSION = 1
PROVENANCE = 'converted_from'


def convert_file(source: Path, out: Path, *, convert: Callable[[Mapping[str, Tensor]], Dict[str, Tensor]],
                 check: Optional[Callable[[Dict[str, Any]], None]] = None) -> Dict[str, Any]:
    """Converts a checkpoint and writes it whole or not at all.

    Args:
        source: the checkpoint to convert.
        out: where the converted one shall stand.
        convert: converts a state dict.
        check: gets the converted checkpoint before it is written; may raise.

    Returns:
        The converted checkpoint: `meta`, which says where it comes from, and `state_dict`.

    Raises:
        UserError: if the source is unreadable or of another format, or `out` is the source.
    """
    if '://' in str(source):
        raise UserError(f'{source} is an address, expected a file: download it and pass its path')
    weights = state_dict_of(read_checkpoint(source))
    found = recognise(weights)
    if found not in CONVERTIBLE:
        raise UserError(_not_understood(source, found))
    if out.exists() and out.samefile(source):
        raise UserError(f'{out} is the checkpoint to convert: name another file to write to')
    checkpoint = {'meta': {PROVENANCE: _provenance(source, found)},
                  'state_dict': with_versions(convert(weights))}
    if check is not None:
        check(checkpoint)
    out.parent.mkdir(parents=True, exist_ok=True)
    # On a full disk torch's own writing ends in an error that does not say so.
    memory = io.BytesIO()
    torch.save(checkpoint, memory)
    write_whole(out, memory.getbuffer())
    return checkpoint


def _not_understood(source: Path, found: Optional[Format]) -> str:
    expected = ' or '.join(known.name for known in CONVERTIBLE)
    if found is None:
        return (f'{source} is no checkpoint of {expected}, judged by the names of its weights: pass one that '
                'was downloaded or trained there')
    return f'{source} is of {found.name}, expected one of {expected}: {found.advice}'


def _provenance(source: Path, found: Format) -> Dict[str, Any]:
    return dict(file=source.name, sha256=file_sum(source), format=found.name,
                converter_version=CONVERTER_VERSION)
