"""Prediction on samples of one's own: files or arrays in, boxes with names out."""
from .detections import Detections
from .detector import Detector
from .mmdet3d_inferencer import GeminiDet3DInferencer
from .picture import draw_detections
from .sample import Sample, nuscenes_samples, record_samples

__all__ = ['Detections', 'Detector', 'GeminiDet3DInferencer', 'Sample', 'draw_detections', 'nuscenes_samples',
           'record_samples']
