"""From LiDAR-frame boxes to the official score and a submission: the last stage of the flow.

nuscenes_boxes turns boxes into records, nuscenes_metric scores them with the official devkit,
submission holds and writes them, validation judges anybody's file.
"""
