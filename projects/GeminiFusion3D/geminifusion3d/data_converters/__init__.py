"""Builds datasets: nuScenes info files and the synthetic nuScenes world."""
