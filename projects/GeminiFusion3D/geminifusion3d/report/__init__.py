"""The report: from an evaluated run to one self-contained page (last stage, nothing here learns).

`metric_files` and `training_log` read what evaluation and training left, `samples` reads the
dataset through the devkit, `projection`, `camera_view` and `bev_view` draw boxes, `svg_chart` and
`charts` draw curves, `page` puts them together, `build` is the whole in one call.
"""
