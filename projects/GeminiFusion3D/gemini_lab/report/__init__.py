"""The report: from an evaluated run to one self-contained page (last stage, nothing here learns).

Reading: `metric_files`, `training_log`, `boxes`, `selection`, `samples`. Knowing more than the official
figures: `analysis` with `bootstrap` and `verdicts`, `two_models`. Drawing: `projection`, `box_marks`,
`camera_view`, `bev_view`, `svg_chart`, `charts`, `error_charts`. Writing: `html_table`, `tables` and the
`..._section` modules, `style`, `script`, put together by `page`; `build` is the whole in one call.
"""
