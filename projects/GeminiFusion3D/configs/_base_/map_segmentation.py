"""BEV map segmentation of nuScenes as MIT's BEVFusion scores it: six classes, 200 x 200 cells of 0.5 m.

A recipe puts load_cells, with its data_root, behind its augmentation, packs with the two packers here and
adds seg_head to its model.
"""
cell_grid = dict(range_m=[-50.0, -50.0, -5.0, 50.0, 50.0, 3.0], cell_m=0.5)
cell_classes = ['drivable_area', 'ped_crossing', 'walkway', 'stop_line', 'carpark_area', 'divider']
load_cells = dict(type='GeminiLoadMapCells', cell_grid=cell_grid, classes=cell_classes)
seg_head = dict(
    type='GeminiSegmentationHead', cell_grid=cell_grid, classes=cell_classes, loss='focal')
seg_evaluator = dict(type='GeminiSegmentationMetric')
