"""A short run of ``chaos.py``: everything breaks all the time, and nothing is lost."""

from __future__ import annotations

import pytest

from tests.reliability import chaos
from tests.reliability.world import World
from tests.site import QueueServer

pytestmark = pytest.mark.redis


@pytest.mark.parametrize("webhooks", [True], ids=["webhooks"])
@pytest.mark.parametrize("changes", [chaos.SETTINGS], ids=["short lease"])
@pytest.mark.parametrize("simulator_options", [{"keep": 100_000}], ids=["fast provider"])
def test_twenty_pictures_in_a_house_on_fire(queue_server: QueueServer, world: World) -> None:
    """As many charges as finished pictures, and nothing stuck."""
    plan = chaos.Plan(pictures=20, seconds=8, kill_every=1.2, redis_every=3, settle_within=60)
    outcome = chaos.run(world.site, world.twin, queue_server, plan, chaos.Outcome())
    told = f"{outcome.as_table()}\n" + "\n".join(outcome.problems)
    assert outcome.problems == [], told
    assert (outcome.stuck, outcome.doubled) == (0, 0), told
    assert outcome.charges == outcome.completed, told
    assert outcome.completed + outcome.failed_by_provider == 20, told
