"""Weights by address: downloaded once into torch's cache, found there ever after, without a network too.

The delta to mmengine 0.10.7 (load_from_http): the file is only fetched here, and read by
checkpoint_file, which runs nothing in it; a machine without a network is told what to do.
"""
import fcntl
import os
import re
from pathlib import Path

import torch

from ..errors import UserError

SCHEMES = ('https://', 'http://', 'file://')
HASHED_NAME = re.compile(r'-([a-f0-9]{8,})\.')


def local_copy(address: str) -> Path:
    """Returns where the file of an address lies on this machine; fetches it if it does not yet.

    Processes of one machine fetch it once: the others wait for the first. Where a name ends in a hash,
    as torchvision's and the host's do, the content must have it.

    Args:
        address: `https://`, `http://` or `file://`.

    Raises:
        UserError: if there is no such address, or it cannot be reached or stored.
    """
    if not address.startswith(SCHEMES):
        raise UserError(f'weights cannot be fetched from {address}: pass the path of a file, or an address '
                        f'that begins with {", ".join(SCHEMES)}')
    path = Path(torch.hub.get_dir()) / 'checkpoints' / address.rsplit('/', 1)[-1]
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_name(f'.{path.name}.lock'), 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.is_file():
                known_hash = HASHED_NAME.search(path.name)
                torch.hub.download_url_to_file(address, str(path), known_hash and known_hash.group(1),
                                               progress=os.isatty(2))
    except (OSError, RuntimeError) as error:
        reason = ' '.join(str(error).split())[:160]
        raise UserError(f'{address} cannot be fetched ({reason}), and {path} does not exist: download it on '
                        'a machine with a network and put it there, or name a local file instead') from error
    return path
