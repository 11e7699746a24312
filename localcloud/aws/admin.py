"""The twin's own endpoints below /_twin/: look inside, and make happen what AWS does only now and then.

GET  /_twin/health                      {"status": "ok"}
GET  /_twin/lambda/workers              [{"function", "pid", "state"}]
POST /_twin/lambda/{function}/kill      kills a worker in the middle of an event; waits up to `wait` seconds for one
POST /_twin/events/redeliver            {"count": n}: sends the last n deliveries again
GET  /_twin/events/failures             deliveries that were given up
POST /_twin/schedules/{name}/fire       fires a schedule or a scheduled rule now
POST /_twin/faults                      fails the next requests that fit: see faults.py
GET  /_twin/faults                      faults with what is left of their times
DELETE /_twin/faults                    forgets them
GET  /_twin/usage                       requests, written items and state transitions: see usage.py
DELETE /_twin/usage                     the same, and begins to count anew
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localcloud.aws.events import EventService
from localcloud.aws.faults import Faults
from localcloud.aws.lambdas import LambdaService
from localcloud.aws.schedules import Clock

PREFIX = "/_twin/"


@dataclass(frozen=True)
class Admin:
    """Answers the requests below /_twin/ and leaves all others to the services."""

    services: Faults
    functions: LambdaService
    events: EventService
    clock: Clock

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return self.services(environ, start_response)
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(size) or b"{}") if size else {}
        status, answer = self.answer(environ["REQUEST_METHOD"], path.removeprefix(PREFIX), body)
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[str, Any]:
        """Status line and JSON answer of one request."""
        routes: list[tuple[str, str, Callable[..., Any]]] = [
            ("GET", r"health", lambda: {"status": "ok"}),
            ("GET", r"lambda/workers", self.functions.pool.workers),
            ("POST", r"lambda/([^/]+)/kill", lambda name: self.kill(name, float(body.get("wait", 10)))),
            ("POST", r"events/redeliver", lambda: {"redelivered": self.events.redeliver(int(body.get("count", 1)))}),
            ("GET", r"events/failures", self.events.failures),
            ("POST", r"faults", lambda: self.services.add(body)),
            ("GET", r"faults", self.services.left),
            ("DELETE", r"faults", self.services.clear),
            ("GET", r"usage", self.services.usage.report),
            ("DELETE", r"usage", self.services.usage.clear),
            ("POST", r"schedules/([^/]+)/fire", lambda name: {"fired": self.clock.fire(name)}),
        ]
        for wanted, pattern, action in routes:
            match = re.fullmatch(pattern, path)
            if match and method == wanted:
                return _answer(action, match.groups())
        return "404 Not Found", {"error": f"no {method} /_twin/{path}"}

    def kill(self, function: str, wait: float) -> dict[str, int]:
        """Kills a busy worker of a function; LookupError when none gets busy within `wait` seconds."""
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            for worker in self.functions.pool.running(function):
                worker.kill_hard()
                return {"killed": worker.pid}
            time.sleep(0.01)
        raise LookupError(f"no worker of {function} is busy")


def _answer(action: Callable[..., Any], arguments: tuple[str, ...]) -> tuple[str, Any]:
    try:
        return "200 OK", action(*arguments)
    except LookupError as error:
        return "404 Not Found", {"error": str(error)}
    except TypeError as error:
        return "400 Bad Request", {"error": str(error)}
