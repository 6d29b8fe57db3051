"""Data loaders that feed a GPU without waiting, and that end with a sentence instead of hanging."""
import difflib
import logging
import os
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional

import torch
from mmengine.logging import print_log
from mmengine.registry import DATA_SAMPLERS, DATASETS
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.utils.data import DataLoader

from ..errors import UserError
from ..nuscenes_facts import CLASS_NAMES
from ..sensors.draws import Around, CountedDraws, CountedSampler, innermost
from ..sensors.keyframe_dataset import GeminiKeyframeDataset
from .mistakes import SHARED_MEMORY

SHARED_MEMORY_FOLDER = Path('/dev/shm')
# With this much free nobody need ask: ten times what a process of the full-size recipes holds.
AMPLE_BYTES = 4 << 30
# A batch that a worker has lost is waited for at most so long.
TIMEOUT_S = 300
PAGE_BYTES = 4096


def loader_config(loader: Mapping[str, Any]) -> Dict[str, Any]:
    """Adds what this machine needs to a data loader's config; what the config says itself stands.

    Args:
        loader: arguments of torch's DataLoader, `dataset` and `sampler` among them.
    """
    added: Dict[str, Any] = dict(pin_memory=torch.cuda.is_available())
    if loader.get('num_workers'):
        return {**added, 'timeout': TIMEOUT_S, **loader}
    # torch refuses both without workers.
    return {**added, **loader, 'persistent_workers': False, 'timeout': 0}


def with_counted_draws(loader: Mapping[str, Any], *, seed: Optional[int]) -> Dict[str, Any]:
    """Builds dataset and sampler of a data loader's config, such that samples know which draw they are."""
    dataset, sampler = loader['dataset'], loader['sampler']
    if isinstance(dataset, dict):
        dataset = DATASETS.build(dataset)
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
    # With a number of batches per epoch, mmengine cuts the dataset first.
    if isinstance(sampler, dict) and loader.get('num_batch_per_epoch') is None:
        sampler = CountedSampler(DATA_SAMPLERS.build(sampler, default_args=dict(dataset=dataset, seed=seed)))
    return {**loader, 'dataset': CountedDraws(dataset), 'sampler': sampler}


def set_clock(loader: DataLoader, *, by_epoch: bool) -> None:
    """Says whether epochs or iterations are the clock of a training's augmentation.

    UserError if a training by epochs has a sampler that never ends.
    """
    sampler = loader.sampler if isinstance(loader.sampler, CountedSampler) else loader.batch_sampler.sampler
    if not isinstance(sampler, CountedSampler):
        return
    if by_epoch and sampler.is_infinite:
        raise UserError('train_dataloader.sampler is an InfiniteSampler, with which an epoch never ends; '
                        'expected a DefaultSampler, or train_cfg.type=IterBasedTrainLoop with max_iters')
    sampler.by_epoch = by_epoch


def check_classes_have_boxes(dataset: Any) -> None:
    """Names classes of which the whole training data, joined datasets together, hold no box.

    UserError if an own class has none while the data hold categories that no class names: a slip.
    """
    parts = list(innermost(dataset, lambda one: isinstance(one, GeminiKeyframeDataset)))
    absent = [name for name in (parts[0].classes_without_boxes if parts else ())
              if all(name in part.classes_without_boxes for part in parts)]
    if not absent:
        return
    others = sorted({name for part in parts for name in part.other_categories if name})
    own = [name for name in absent if any(_is_own(name, part) for part in parts)]
    places, keyframes = ', '.join(str(part.ann_file) for part in parts), sum(map(len, parts))
    if own and others:
        close = [f'{name} for {found[0]}' for name in own
                 if (found := difflib.get_close_matches(name, others, 1, 0.4))]
        raise UserError(
            f'{places}: 0 boxes of {", ".join(own)} in {keyframes} keyframes, but boxes of '
            f'{", ".join(others)}, which no class names' + (f' ({", ".join(close)}?)' if close else '')
            + '; give the class the name that the data use, or leave it out of classes and tasks')
    print_log(f'{places}: 0 boxes of {", ".join(absent)} in {keyframes} keyframes; nothing is learned of '
              'them', 'current', logging.WARNING)


def _is_own(name: str, dataset: GeminiKeyframeDataset) -> bool:
    """Says whether a class has a name that the user gave it."""
    return dataset.has_own_classes and (dataset.CATEGORIES_ARE_CLASSES or name not in CLASS_NAMES)


class DevicePrefetch(Around):
    """A data loader whose next batch travels to the GPU while the model works on this one.

    Args:
        loader: what to iterate; everything else is the loader's.
    """

    held = 'loader'

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[Any]:
        """Yields the batches with their `inputs` on the current GPU."""
        stream, ahead = torch.cuda.Stream(), None
        for batch in self.loader:
            with torch.cuda.stream(stream):
                copying = {**batch, 'inputs': _on_gpu(batch['inputs'])}
            copied = stream.record_event()
            if ahead is not None:
                yield _arrived(*ahead)
            ahead = copying, copied
        if ahead is not None:
            yield _arrived(*ahead)


def _arrived(batch: Dict[str, Any], copied: Any) -> Dict[str, Any]:
    """Lets the model's stream wait for a copy, and the memory of the copy outlive the model's use of it."""
    current = torch.cuda.current_stream()
    current.wait_event(copied)
    for tensor in _tensors(batch['inputs']):
        tensor.record_stream(current)
    return batch


def _on_gpu(node: Any) -> Any:
    if torch.is_tensor(node):
        return node.cuda(non_blocking=True)
    if isinstance(node, Mapping):
        return {key: _on_gpu(value) for key, value in node.items()}
    return [_on_gpu(value) for value in node] if isinstance(node, (list, tuple)) else node


def check_shared_memory(loader: DataLoader) -> None:
    """Refuses batches under way that do not fit into the memory in which workers hand them over.

    torch hangs where they do not. The size of a sample is that of the first one; it is loaded only where the
    shared memory is small, as in a container.
    """
    if not loader.num_workers or not SHARED_MEMORY_FOLDER.is_dir():
        return
    disk = os.statvfs(SHARED_MEMORY_FOLDER)
    free = disk.f_bavail * disk.f_frsize
    if free >= AMPLE_BYTES:
        return
    under_way = loader.num_workers * (loader.prefetch_factor or 2) + 1
    here = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    sample = loader.dataset[0]
    needed = here * under_way * (loader.batch_size or 1) * shared_bytes(sample)
    if needed > free:
        raise UserError(f'{loader.num_workers} loading workers hand over about {needed / 1e6:.1f} MB at a '
                        f'time, {SHARED_MEMORY_FOLDER} has {free / 1e6:.1f} MB free: {SHARED_MEMORY}')


def shared_bytes(sample: Any) -> int:
    """Returns how much shared memory the tensors of a sample take, in whole pages."""
    return sum(-(-tensor.nbytes // PAGE_BYTES) * PAGE_BYTES for tensor in _tensors(sample))


def _tensors(node: Any) -> Iterator[Tensor]:
    if torch.is_tensor(node):
        yield node
    elif isinstance(node, (Mapping, BaseDataElement)):
        for value in node.values():
            yield from _tensors(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _tensors(value)
