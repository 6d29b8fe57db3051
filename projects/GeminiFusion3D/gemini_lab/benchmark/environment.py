"""What a measurement depends on beside the code: the machine, the versions, the commit, the day."""
from typing import Any, Dict

import torch

from geminifusion3d.results.inference_clock import hardware
from geminifusion3d.submission.provenance import code_facts, now, package_versions

PACKAGES = ('torch', 'triton', 'numpy', 'mmcv', 'mmcv-lite', 'mmdet3d', 'spconv-cu120', 'spconv-cu126')


def describe_environment(device: torch.device) -> Dict[str, Any]:
    """Returns where and with what a measurement is made."""
    return {'device': str(device), **hardware(), 'packages': package_versions(PACKAGES),
            'code': code_facts(), 'date': now()}


def machine_line(environment: Dict[str, Any]) -> str:
    """Returns the environment in one sentence, for a caption."""
    on_gpu = str(environment['device']).startswith('cuda')
    machine = environment['gpu'] if on_gpu else f'{environment["cpu"]}, {environment["cpu_threads"]} threads'
    others = '' if on_gpu else '; no GPU was used'
    code = environment['code']
    commit = f', commit {code["commit"][:7]}{" with changes" if code["is_dirty"] else ""}' if code else ''
    return (f'{environment["date"][:10]} on {machine} (torch {environment["packages"]["torch"]}{commit})'
            f'{others}')
