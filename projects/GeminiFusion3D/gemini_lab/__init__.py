"""The instruments around GeminiFusion3D: synthetic world, benchmarks, comparisons, robustness, reports."""
