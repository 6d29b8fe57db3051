"""RA and mRA by hand, and the published table against its own definition."""
import pytest

from gemini_lab.robustness.published import PUBLISHED
from gemini_lab.robustness.resistance import condition_name, resistance
from gemini_lab.corruptions.catalogue import CORRUPTIONS

SCORES = {'clean': dict(mAP=0.5, NDS=0.8),
          'fog-1': dict(mAP=0.5, NDS=0.6), 'fog-2': dict(mAP=0.25, NDS=0.4),
          'fog-3': dict(mAP=0.0, NDS=0.2), 'dark-1': dict(mAP=0.4, NDS=0.8),
          'dark-2': dict(mAP=0.4, NDS=0.8), 'dark-3': dict(mAP=0.4, NDS=0.4)}
# MultiCorrupt's NDS of CMT, clean 0.729, severities 1 to 3 (its evaluation/evaluations_nds.csv).
CMT = {'beamsreducing': (0.6826, 0.5873, 0.4497), 'brightness': (0.7038, 0.6852, 0.6605),
       'dark': (0.7051, 0.6904, 0.6786), 'fog': (0.6974, 0.6527, 0.4134),
       'missingcamera': (0.718, 0.7109, 0.7009), 'motionblur': (0.6886, 0.6154, 0.5357),
       'pointsreducing': (0.7012, 0.6834, 0.638), 'snow': (0.6483, 0.619, 0.5554),
       'spatialmisalignment': (0.6462, 0.586, 0.5367), 'temporalmisalignment': (0.6572, 0.568, 0.4988)}


def test_the_mean_share_that_is_kept_of_each_and_of_all():
    # NDS: fog (0.75 + 0.5 + 0.25) / 3, dark (1 + 1 + 0.5) / 3. mAP: (1 + 0.5 + 0) / 3 and 0.8.
    nds = resistance(SCORES, 'NDS', ['fog', 'dark'], [1, 2, 3])
    assert nds.by_corruption == {'fog': pytest.approx(0.5), 'dark': pytest.approx(2.5 / 3)}
    assert nds.mean == pytest.approx(2 / 3) and nds.clean == 0.8
    assert resistance(SCORES, 'mAP', ['fog', 'dark'], [1, 2, 3]).mean == pytest.approx(0.65)


def test_only_the_severities_that_were_run_count():
    assert resistance(SCORES, 'NDS', ['fog'], [3]).mean == pytest.approx(0.25)


def test_of_nothing_nothing_can_be_kept():
    nothing = {name: dict(NDS=0.0) for name in SCORES}
    found = resistance(nothing, 'NDS', ['fog', 'dark'], [1, 2, 3])
    assert found.by_corruption == {'fog': None, 'dark': None} and found.mean is None


def test_the_published_scores_give_the_published_row():
    scores = {condition_name(name, severity): dict(NDS=nds) for name, levels in CMT.items()
              for severity, nds in enumerate(levels, start=1)}
    found = resistance({**scores, 'clean': dict(NDS=0.729)}, 'NDS', list(CORRUPTIONS), [1, 2, 3])
    row = next(row for row in PUBLISHED if row.model == 'CMT')
    assert found.by_corruption == pytest.approx(row.by_corruption, abs=6e-4)
    assert found.mean == pytest.approx(row.mean, abs=6e-4)


def test_every_published_mean_is_that_of_its_row():
    assert len(PUBLISHED) == 12
    for row in PUBLISHED:
        assert set(row.by_corruption) == set(CORRUPTIONS)
        assert sum(row.by_corruption.values()) / 10 == pytest.approx(row.mean, abs=1e-3)
