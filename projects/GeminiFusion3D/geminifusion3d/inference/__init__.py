"""Prediction on samples of one's own: files or arrays in, boxes with names out."""
from .detections import Detections
from .detector import Detector
from .picture import draw_detections
from .sample import Sample, nuscenes_samples, record_samples

__all__ = ['Detections', 'Detector', 'Sample', 'draw_detections', 'nuscenes_samples', 'record_samples']
