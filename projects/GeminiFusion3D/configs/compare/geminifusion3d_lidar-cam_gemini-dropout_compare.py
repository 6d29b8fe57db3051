"""The comparison: GeminiFusion, trained with sensors that fail.

Why: what dropout costs a fuser with all sensors, and what it saves without; one of a table of four.
"""
_base_ = ['../_base_/compare_dropout.py']
