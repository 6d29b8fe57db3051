"""The report: from an evaluated run to one self-contained page, and pictures of results files.

Reading: `metric_files`, `training_log`, `dataset`. Knowing more than the official figures: `analysis` with
`verdicts`. Showing: `projection`, `drawing`, `curves`, `tables`, written by
`template/`; `build` is the whole in one call.
"""
