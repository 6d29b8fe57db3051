"""Weights by address: fetched once, kept, and a machine without a network gets a way out."""
import hashlib
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from geminifusion3d.checkpoints import download
from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint
from geminifusion3d.checkpoints.download import local_copy
from geminifusion3d.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """Puts torch's cache into a folder of the test; returns where weights are kept."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    return tmp_path / 'hub' / 'checkpoints'


@pytest.fixture
def offline(monkeypatch):
    """Takes the network away."""
    def fail(*args, **kwargs):
        raise URLError('Temporary failure in name resolution')
    monkeypatch.setattr(torch.hub, 'download_url_to_file', fail)


def write_weights(path: Path) -> str:
    """Writes a checkpoint and returns its address."""
    torch.save({'weight': torch.arange(3.0)}, path)
    return path.as_uri()


def kept(cache: Path, address: str) -> Path:
    """Returns where the file of an address is kept."""
    return cache / f'{hashlib.sha256(address.encode()).hexdigest()[:12]}_{address.rsplit("/", 1)[-1]}'


def test_two_addresses_that_end_alike_are_two_files(tmp_path):
    (tmp_path / 'other').mkdir()
    first, second = write_weights(tmp_path / 'a.pth'), (tmp_path / 'other/a.pth').as_uri()
    torch.save({'weight': torch.zeros(1)}, tmp_path / 'other/a.pth')
    assert read_checkpoint(first)['weight'].tolist() == [0, 1, 2]
    assert read_checkpoint(second)['weight'].tolist() == [0]


def test_http_needs_a_hash():
    with pytest.raises(UserError, match='expected https://, or a name such as'):
        local_copy('http://example.org/swin-20200608.pth')


def test_an_address_is_fetched_once_and_read_from_the_cache_ever_after(tmp_path, cache):
    address = write_weights(tmp_path / 'a.pth')
    assert local_copy(address) == kept(cache, address)
    (tmp_path / 'a.pth').unlink()
    assert read_checkpoint(address)['weight'].tolist() == [0, 1, 2]


def test_content_without_the_hash_in_its_name_is_refused_and_not_kept(tmp_path, cache):
    address = write_weights(tmp_path / 'a-0123abcd.pth')
    with pytest.raises(UserError, match='invalid hash value'):
        local_copy(address)
    assert not list(cache.glob('[!.]*'))
    content = Path(tmp_path / 'a-0123abcd.pth').read_bytes()
    right = tmp_path / f'a-{hashlib.sha256(content).hexdigest()[:8]}.pth'
    right.write_bytes(content)
    assert local_copy(right.as_uri()).read_bytes() == content


def test_without_a_network_the_message_says_where_to_put_the_file(cache, offline):
    address = 'https://example.org/swin.pth'
    with pytest.raises(UserError, match='cannot be fetched .*name resolution') as caught:
        read_checkpoint(address)
    message = str(caught.value)
    assert 'https://example.org/swin.pth' in message and str(kept(cache, address)) in message
    assert '\n' not in message and 'put it there' in message
    torch.save({}, kept(cache, address))
    assert read_checkpoint(address) == {}


def test_other_schemes_are_refused():
    with pytest.raises(UserError, match='cannot be fetched from torchvision://resnet50: .* https://'):
        local_copy('torchvision://resnet50')


def test_a_program_behind_an_address_is_not_run(tmp_path):
    # A class that the weights-only reader does not know.
    torch.save({'weight': Path('.')}, tmp_path / 'bad.pth')
    with pytest.raises(UserError, match='is refused, nothing in it was run'):
        read_checkpoint((tmp_path / 'bad.pth').as_uri())


def test_hashes_are_read_from_names_only_where_they_are_hashes():
    assert download.HASHED_NAME.search('resnet50-0676ba61.pth').group(1) == '0676ba61'
    assert download.HASHED_NAME.search('swin-t.pth') is None
    assert download.HASHED_NAME.search('htc_20e-20200608.pth') is None
    assert download.HASHED_NAME.search('a-20209908.pth').group(1) == '20209908'
