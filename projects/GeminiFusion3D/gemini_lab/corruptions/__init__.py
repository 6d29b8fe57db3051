"""Corrupted and failing sensors, made while samples are loaded, of three severities each.

The ten types of MultiCorrupt:

Beemelmanns et al., IV 2024, arXiv 2402.11677; parameters of github.com/ika-rwth-aachen/MultiCorrupt at
6cd6225. What differs from their files:

    all                    made in memory; draws belong to the sample's token and are nested over
                           severities; lengths in pixels follow the picture's width
    beams, points          as theirs
    brightness, darkness   as theirs, rounded to bytes instead of cut off
    missing cameras        as theirs: black pictures, which the model takes for real
    motion blur            as theirs
    fog, images            soft clouds instead of a plasma fractal, same strengths
    fog, LiDAR             as theirs, but that no return lands behind the sensor
    snow, images           as theirs, flakes enlarged by another library
    snow, LiDAR            own closed form instead of traced beams, and no wet ground: the same snowfall
                           rates, but severities agree in kind only
    spatial misalignment   as theirs: the LiDAR's points move, calibration and truth stay
    temporal misalignment  as theirs, but that a scene's first keyframe stays as it is

Failing sensors, as nuScenes-R (Yu et al., arXiv 2205.14951, github.com/kcyu2014/lidar-camera-robust-benchmark
at a8d78bf) and MoME (CVPR 2025) have them, stand beside the ten: what differs is said at each.
"""
from .datasets import GeminiPreviousFrameDataset, GeminiShuffledCamerasDataset
from .loading import (GeminiCorruptedLoading, GeminiLoadCorruptedImages, GeminiLoadCorruptedPoints,
                      GeminiLoadCorruptedRadar)

__all__ = ['GeminiCorruptedLoading', 'GeminiLoadCorruptedImages', 'GeminiLoadCorruptedPoints',
           'GeminiLoadCorruptedRadar', 'GeminiPreviousFrameDataset', 'GeminiShuffledCamerasDataset']
