import pytest

from mmfeat import ConfigError
from skesl import TrainConfig
from skesl.schedules import rate_factor


def factors(config, *, n_step=10, epoch=0):
    return [rate_factor(config, step=step, epoch=epoch, n_step=n_step) for step in range(n_step)]


def test_a_constant_rate_stays():
    assert set(factors(TrainConfig())) == {1.0}


def test_a_linear_rate_falls_to_nothing_behind_the_last_step():
    assert factors(TrainConfig(schedule="linear")) == pytest.approx([1 - step / 10 for step in range(10)])


@pytest.mark.parametrize(("schedule", "final"), [("linear", 0.0), ("cosine", 0.2)])
def test_a_falling_rate_ends_one_step_behind_the_last(schedule, final):
    config = TrainConfig(schedule=schedule, final_rate_fraction=final)

    last, behind = (rate_factor(config, step=step, epoch=0, n_step=4) for step in (3, 4))

    assert behind == pytest.approx(final)
    assert last > behind


def test_warming_up_rises_to_the_full_rate_and_falls_from_there():
    found = factors(TrainConfig(schedule="linear", warmup_fraction=0.2))

    assert found == pytest.approx([0, 0.5, 1.0, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])


def test_the_cosine_rises_while_warming_up_and_falls_to_the_final_fraction():
    config = TrainConfig(schedule="cosine", warmup_fraction=0.2, final_rate_fraction=0.1)
    found = [rate_factor(config, step=step, epoch=0, n_step=10) for step in (0, 1, 2, 6, 10)]

    assert found == pytest.approx([0, 0.5, 1.0, 0.55, 0.1])


def test_the_final_fraction_is_for_the_cosine_alone():
    with pytest.raises(ConfigError, match="final_rate_fraction does nothing with schedule 'linear'"):
        TrainConfig(schedule="linear", final_rate_fraction=0.1)


def test_the_released_cosine_has_a_period_of_40_epochs():
    config = TrainConfig(schedule="released-cosine")
    found = [rate_factor(config, step=0, epoch=epoch, n_step=1) for epoch in (0, 10, 20, 30, 40, 60, 80)]

    assert found == pytest.approx([1, 0.5, 0, 0.5, 1, 0, 1], abs=1e-12)


def test_warming_up_without_the_linear_schedule_is_refused():
    with pytest.raises(
        ConfigError, match="warmup_fraction does nothing with schedule 'constant'; take schedule 'linear' or 'cosine'"
    ):
        TrainConfig(warmup_fraction=0.1)
