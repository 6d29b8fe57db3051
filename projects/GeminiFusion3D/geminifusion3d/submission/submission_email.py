"""The e-mail that goes with a leaderboard submission: known facts filled in, the rest in brackets.

Source: nuScenes detection README ("Participation": team, method, description, speed and hardware;
"Submission rules"); the address is that of nuscenes-devkit issue #1207. Files are named without the folders
of whoever sends it.
"""
from pathlib import PurePath
from typing import Any, Mapping

from ..cli import plural

TEMPLATE = """\
To: nuScenes@motional.com
Subject: nuScenes detection submission ({split} split): [METHOD, such as GeminiFusion3D]

Team: [TEAM]
Method: [METHOD, such as GeminiFusion3D]
Authors: [AUTHORS]
Affiliations: [AFFILIATIONS]
Project page: [URL or none]
Paper: [URL or none]

Description: [FIVE SENTENCES OR MORE ABOUT THE METHOD]
Track: {track}
Sensors at test time: {sensors}{sweeps}
Map data: {use_map}
External data: {external}
Test-time augmentation: {augmentation}
Ensembling: {ensemble}
Speed: {speed}
Hardware: {hardware}

Submission: {counts}
{files}
Code: {code}
Config: {config}
Checkpoint: {checkpoint}

Before sending: at most 3 submissions a year and team, from different models; at test time at most 10
past LiDAR sweeps and 6 past images of each camera, none from the future.
"""
UNKNOWN = '[NOT KNOWN: fill in]'


def email_text(provenance: Mapping[str, Any]) -> str:
    """Returns the e-mail."""
    meta = provenance['meta']
    external, ensemble = provenance['external_data'], provenance['ensemble']
    sweeps, terms = provenance['past_lidar_sweeps'], provenance['test_time_augmentation']
    checkpoint = provenance['checkpoint']
    return TEMPLATE.format(
        split=provenance['split'], track=provenance['track'],
        sensors=' and '.join(name for name in ('camera', 'lidar', 'radar') if meta[f'use_{name}']),
        sweeps='' if not sweeps else f' ({sweeps} past LiDAR sweeps)',
        use_map='yes' if meta['use_map'] else 'no',
        external=f'yes: {external["reason"]}' if external['used'] else 'no',
        augmentation='none' if not terms else ' '.join(terms),
        ensemble='none' if not ensemble else f'{len(ensemble["files"])} result files, {ensemble["method"]}',
        speed=_speed(provenance['inference']), hardware=_hardware(provenance['inference']),
        counts=f'{plural(provenance["samples"], "sample")}, {plural(provenance["boxes"], "box")}',
        files='\n'.join(f'{_name(file)} sha256 {file["sha256"]}' for file in provenance['files']),
        code=_code(provenance['code']),
        config=f'{_name(provenance["config"])} sha256 {provenance["config"]["sha256_of_text"]}',
        checkpoint=f'{_name(checkpoint)} sha256 {checkpoint["sha256"]}' if checkpoint else UNKNOWN)


def _name(file: Mapping[str, Any]) -> str:
    return PurePath(file['path']).name


def _speed(inference: Any) -> str:
    if not inference or inference['fps_hz'] is None:
        return UNKNOWN
    processes = inference.get('processes', 1)
    one_of = f'each of {processes} processes; ' if processes > 1 else ''
    samples = plural(inference['samples'], 'sample')
    return f'{inference["fps_hz"]:.2f} Hz ({one_of}{samples}; {inference["includes"]})'


def _hardware(inference: Any) -> str:
    if not inference:
        return UNKNOWN
    used = inference['hardware']
    return used['gpu'] or f'no GPU; {used["cpu"]}, {plural(used["cpu_threads"], "thread")}'


def _code(code: Any) -> str:
    if not code:
        return UNKNOWN
    return str(code['commit']) + (' with uncommitted changes' if code['is_dirty'] else '')
