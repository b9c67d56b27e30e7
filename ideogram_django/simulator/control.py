"""`/_simulator/…`: what another process may ask of a running simulator."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ideogram_django.simulator.answers import Answer, refusal, reply
from ideogram_django.simulator.faults import Faults

if TYPE_CHECKING:
    from ideogram_django.simulator.endpoints import Request
    from ideogram_django.simulator.twin import Simulator

PREFIX = "/_simulator/"


def control(simulator: "Simulator", request: "Request") -> Answer:
    """Answer one request under `/_simulator/`."""
    # The server listens on loopback only; this keeps web pages out that point a name of theirs
    # at 127.0.0.1.
    host = request.headers.get("host", "").rsplit(":", 1)[0]
    if host not in ("127.0.0.1", "localhost"):
        return refusal(403, "The simulator is controlled from this machine only")
    name = request.path.removeprefix(PREFIX)
    try:
        if request.method == "GET":
            return _read(simulator, name)
        if request.method == "POST":
            body = json.loads(request.body or b"{}")
            if not isinstance(body, dict):
                return refusal(400, "Expected a JSON object")
            return _change(simulator, name, body)
    except (ValueError, TypeError, KeyError) as error:
        return refusal(400, str(error))
    return refusal(404, "Not found")


def _read(simulator: "Simulator", name: str) -> Answer:
    if name == "ledger":
        charges = [asdict(charge) for charge in simulator.ledger]
        return reply(200, {"credits": simulator.credits, "charges": charges})
    if name == "jobs":
        return reply(200, {"jobs": simulator.jobs})
    if name == "requests":
        return reply(200, {"requests": [asdict(request) for request in simulator.requests]})
    if name == "webhooks":
        deliveries = [
            {**asdict(delivery), "body": delivery.body.decode()}
            for delivery in simulator.webhook_deliveries
        ]
        return reply(200, {"deliveries": deliveries})
    if name == "faults":
        return reply(200, simulator.current_faults())
    if name == "hold":
        return reply(200, {"held": simulator.held})
    return refusal(404, "Not found")


def _change(simulator: "Simulator", name: str, body: dict[str, Any]) -> Answer:
    if name == "faults":
        current = {**simulator.current_faults(), **body}
        simulator.set_faults(Faults(**current))
        return reply(200, simulator.current_faults())
    if name == "finish":
        return reply(200, {"finished": simulator.finish(body.get("job"))})
    if name == "hold":
        simulator.hold(body.get("when", "after"), body.get("count"))
        return reply(200, {"held": simulator.held})
    if name == "release":
        return reply(200, {"released": simulator.release(drop=bool(body.get("drop", False)))})
    if name == "advance":
        simulator.advance(float(body["seconds"]))
        return reply(200, {})
    if name == "credits":
        simulator.credits = int(body["credits"])
        return reply(200, {"credits": simulator.credits})
    return refusal(404, "Not found")
