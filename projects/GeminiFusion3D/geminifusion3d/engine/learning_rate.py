"""The learning rate belongs to a batch size: scaled to the real one, in the schedule too.

Source: the linear rule of Goyal et al., Accurate, Large Minibatch SGD (2017), as in mmengine 0.10.7
(Runner.scale_lr). The delta: the real batch size counts accumulated iterations; targets of schedules,
which mmengine leaves as they are, are scaled as well; a wrong batch size is never ignored.
"""
import math
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from ..errors import UserError

# Arguments of mmengine's schedules that are learning rates; all others are factors or times.
RATE_ARGUMENTS = ('eta_min', 'eta_max')
RATE_SUFFIX = 'LR'
ONE_CYCLE = 'OneCycleLR'
# Schedules after which a training goes on at the rate that they led to.
WARM_UPS = ('Linear', 'Constant')
# Attributes of built schedules that say when they act.
LENGTHS = ('begin', 'end', 'total_steps', 'T_max')

Schedules = Union[Dict[str, Any], List[Any], None]


def batch_size_ratio(auto_scale_lr: Optional[Mapping[str, Any]], *, processes: int, batch_size: int,
                     accumulated: int) -> float:
    """Returns by how much the learning rate shall be multiplied.

    Args:
        auto_scale_lr: `base_batch_size`, which the learning rate belongs to, and `enable`; None where a
            config does not say: then 1.
        processes: how many train together.
        batch_size: samples per iteration and process.
        accumulated: iterations per step.

    Raises:
        UserError: if the base is absent, or differs while scaling is switched off.
    """
    if auto_scale_lr is None:
        return 1.0
    base = auto_scale_lr.get('base_batch_size')
    if not base:
        raise UserError('auto_scale_lr has no base_batch_size: write the batch size that the learning '
                        'rate belongs to, auto_scale_lr = dict(enable=True, base_batch_size=N)')
    real = processes * batch_size * accumulated
    if real != base and not auto_scale_lr.get('enable', False):
        raise UserError(
            f'the learning rate belongs to batches of {base} samples, but {processes} processes x '
            f'{batch_size} samples x {accumulated} accumulated iterations = {real}, and auto_scale_lr is '
            f'off: scale it with --auto-scale-lr, train with batches of {base}, or, if the learning rate '
            f'is meant for {real}, say so with --cfg-options auto_scale_lr.base_batch_size={real}')
    return real / base


def check_same_batches(real: Sequence[int], before: Sequence[int]) -> None:
    """Refuses to continue a training whose learning rate and schedule are of other batches.

    Batches are samples per iteration of all processes, and iterations per step.
    """
    if list(real) != list(before):
        raise UserError(f'the checkpoint was trained with {before[0]} samples per iteration x {before[1]} '
                        f'iterations per step, expected the same to resume, got {real[0]} samples per '
                        f'iteration x {real[1]}: adapt the number of processes, batch_size or '
                        f'optim_wrapper.accumulative_counts')


def scaled_schedules(schedules: Schedules, ratio: float) -> Schedules:
    """Returns schedules whose learning rates are multiplied; the given ones stay as they are.

    Args:
        schedules: one config or several, nested as mmengine allows; None comes back.
        ratio: see batch_size_ratio.
    """
    if isinstance(schedules, (list, tuple)):
        return [scaled_schedules(schedule, ratio) for schedule in schedules]
    if not isinstance(schedules, dict):
        return schedules
    if 'type' not in schedules:
        return {name: scaled_schedules(part, ratio) for name, part in schedules.items()}
    is_rate = _kind(schedules).endswith(RATE_SUFFIX) or schedules.get('param_name') == 'lr'
    return {name: _times(value, ratio) if is_rate and name in RATE_ARGUMENTS and value else value
            for name, value in schedules.items()}


def _times(rate: Any, ratio: float) -> Any:
    # Of every parameter group where it is a list.
    return [one * ratio for one in rate] if isinstance(rate, (list, tuple)) else rate * ratio


def with_group_rates(schedules: Schedules, lr: float, rates: Sequence[float]) -> Schedules:
    """Returns schedules in which OneCycleLR, which sets rates itself, keeps those of the parameter groups.

    Args:
        schedules: one config or several, nested as mmengine allows; None comes back.
        lr: of the optimiser.
        rates: of its groups: `lr` times their `lr_mult`.

    Raises:
        UserError: if the highest rate of a OneCycleLR is not that of the optimiser, which it replaces.
    """
    if isinstance(schedules, (list, tuple)):
        return [with_group_rates(schedule, lr, rates) for schedule in schedules]
    if not isinstance(schedules, dict):
        return schedules
    if 'type' not in schedules:
        return {name: with_group_rates(part, lr, rates) for name, part in schedules.items()}
    peak = schedules.get('eta_max')
    if _kind(schedules) != ONE_CYCLE or isinstance(peak, (list, tuple)):
        return schedules
    if not math.isclose(peak or 0, lr):
        raise UserError(f'OneCycleLR sets the learning rate to eta_max={peak}, so that the optimiser\'s '
                        f'lr={lr} would have no effect: give both one value, in the recipes here with '
                        f'--cfg-options lr={lr}')
    return schedules if set(rates) == {lr} else {**schedules, 'eta_max': list(rates)}


def check_length(end: Optional[float], max_epochs: int) -> Optional[str]:
    """Compares the epoch in which the schedule ends with that in which the training does.

    Args:
        end: of the schedule, None where it has no end.
        max_epochs: of the training.

    Returns:
        A warning where the training ends first, as a trial does; None where they agree.

    Raises:
        UserError: if the training goes on after the learning rate has come to its end.
    """
    if end is None or end == max_epochs:
        return None
    text = f'the schedule of the learning rate ends with epoch {end:g}, training with {max_epochs}'
    if end < max_epochs:
        raise UserError(f'{text}: nothing would be learned in between; change both, in the recipes here with '
                        f'--cfg-options max_epochs={max_epochs}')
    return f'{text}: change both in the config, not train_cfg alone'


def schedule_ends(schedulers: Any) -> List[Tuple[Any, ...]]:
    """Returns kind, begin and lengths of built schedules, nested as they may be."""
    return [(type(one).__name__, *(getattr(one, name, None) for name in LENGTHS))
            for one in _flat(schedulers)]


def check_same_schedule(planned: Sequence[Any], resumed: Sequence[Any], *, source: Any) -> None:
    """Refuses to continue a training that was planned for another length, whose schedule would end."""
    if list(planned) != list(resumed):
        differing = next((pair for pair in zip(planned, resumed) if pair[0] != pair[1]), (planned, resumed))
        raise UserError(f'the schedule of the learning rate is another one in {source}: expected '
                        f'{differing[0]} (type, {", ".join(LENGTHS)}), got {differing[1]}; resume with the '
                        'same number of epochs, or start a new training from the weights with '
                        f'--cfg-options load_from={source}')


def last_epoch(schedules: Schedules) -> Optional[float]:
    """Returns the epoch in which the last schedule but warm-ups ends; None if none says so in epochs."""
    ends = []
    for one in _flat(schedules):
        if isinstance(one, dict) and one.get('by_epoch', True) and not _kind(one).startswith(WARM_UPS):
            length = one.get('total_steps', one.get('T_max'))
            ends.append(one.get('end', None if length is None else one.get('begin', 0) + length))
    return max((end for end in ends if end is not None), default=None)


def _flat(schedules: Any) -> List[Any]:
    """Returns the schedules, configs or built ones, without their lists and dictionaries by name."""
    if isinstance(schedules, dict) and 'type' not in schedules:
        schedules = list(schedules.values())
    if isinstance(schedules, (list, tuple)):
        return [one for part in schedules for one in _flat(part)]
    return [schedules]


def _kind(schedule: Mapping[str, Any]) -> str:
    return getattr(schedule['type'], '__name__', schedule['type'])
