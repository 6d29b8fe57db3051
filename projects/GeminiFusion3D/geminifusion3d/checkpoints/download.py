"""Weights by address: downloaded once into torch's cache, found there ever after, without a network too.

The delta to mmengine 0.10.7 (load_from_http): the file is only fetched here, and read by
checkpoint_file, which runs nothing in it; two addresses that end alike are two files; a machine without
a network gets a message that says what to do.
"""
import fcntl
import hashlib
import os
import re
from pathlib import Path

import torch

from ..errors import UserError

SCHEMES = ('https://', 'http://', 'file://')
# Eight digits that are a date are no hash.
HASHED_NAME = re.compile(r'-(?!(?:19|20)\d\d(?:0[1-9]|1[0-2])[0-3]\d\.)([a-f0-9]{8,})\.')


def local_copy(address: str) -> Path:
    """Returns where the file of an address lies on this machine; fetches it if it does not yet.

    Processes of one machine fetch it once: the others wait for the first. Where a name ends in a hash,
    as torchvision's and mmdet's do, the content must have it; without one the way must be safe, https.

    Args:
        address: `https://`, `http://` or `file://`.

    Raises:
        UserError: if there is no such address, nothing vouches for its content, or it cannot be reached or
            stored.
    """
    if not address.startswith(SCHEMES):
        raise UserError(f'weights cannot be fetched from {address}: pass the path of a file, or an address '
                        f'that begins with {", ".join(SCHEMES)}')
    name = address.rsplit('/', 1)[-1]
    known_hash = HASHED_NAME.search(name)
    if address.startswith('http://') and not known_hash:
        raise UserError(f'{address} comes by http without a hash in its name, anybody on the way could '
                        'change it: expected https://, or a name such as swin-0123abcd.pth')
    whole = hashlib.sha256(address.encode()).hexdigest()[:12]
    path = Path(torch.hub.get_dir()) / 'checkpoints' / f'{whole}_{name}'
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_name(f'.{path.name}.lock'), 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.is_file():
                torch.hub.download_url_to_file(address, str(path), known_hash and known_hash.group(1),
                                               progress=os.isatty(2))
    except (OSError, RuntimeError) as error:
        reason = ' '.join(str(error).split())[:160]
        raise UserError(f'{address} cannot be fetched ({reason}), and {path} does not exist: download it on '
                        'a machine with a network and put it there, or name a local file instead') from error
    return path
