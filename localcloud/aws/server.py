"""One process of the local AWS twin: moto's server with the extensions, on one port."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from localcloud.aws import bucket_policies, cloudformation, dynamodb, glue, stepfunctions, strict
from localcloud.aws.admin import Admin
from localcloud.aws.events import EventService
from localcloud.aws.faults import Faults
from localcloud.aws.gate import Gate
from localcloud.aws.lambdas import LambdaService
from localcloud.aws.schedules import Clock
from localcloud.aws.settings import TwinSettings
from localcloud.aws.usage import Usage
from localcloud.redshift import data_api

HOST = "127.0.0.1"


class Dispatcher(DomainDispatcherApplication):
    """moto's choice of a service by host name, made once for each: it lists its folder of services every time."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._known: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """Name of the service that answers for a host."""
        if host not in self._known:
            self._known[host] = super().get_backend_for_host(host)
        return self._known[host]


class AwsServer:
    """Listens when created; serves until `close`."""

    def __init__(self, settings: TwinSettings, port: int = 0) -> None:
        settings.data.mkdir(parents=True, exist_ok=True)
        self._listener = make_server(HOST, port, _not_ready, threaded=True, request_handler=MotoRequestHandler)
        self.port = self._listener.server_port
        self.settings = replace(settings, endpoint_url=f"http://{HOST}:{self.port}")
        os.environ["MOTO_PORT"] = str(self.port)
        self._functions = LambdaService(self.settings)
        self._events = EventService(self.settings, self._functions)
        self._clock = Clock(self._events)
        self._usage = Usage()
        self._jobs = glue.JobService(self.settings)
        default_user_config["iam"] = {"load_aws_managed_policies": True}
        self._install()

    def _install(self) -> None:
        strict.install()
        bucket_policies.install()
        dynamodb.install()
        self._functions.install()
        stepfunctions.install(self.settings, self._usage.entered)
        self._events.install()
        self._clock.install()
        self._jobs.install()
        cloudformation.install(self.settings.endpoint_url)
        self._warehouse = data_api.install(self.settings.data / "redshift")
        moto = Dispatcher()
        guarded = Gate(moto) if self.settings.enforce_iam else moto
        self._listener.app = Admin(Faults(guarded, self._usage), self._functions, self._events, self._clock)

    def serve(self) -> None:
        """Answers requests until `close`."""
        self._listener.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Stops listening and ends every process that was started."""
        self._clock.close()
        self._events.close()
        self._functions.close()
        self._jobs.close()
        self._listener.shutdown()
        self._warehouse.close()


def _not_ready(environ: object, start_response: object) -> list[bytes]:  # noqa: ARG001
    raise RuntimeError("the twin is still starting")


def run(settings: TwinSettings, port: int, ready: Path | None) -> None:
    """Serves until SIGTERM or SIGINT. Writes {"port", "pid"} to `ready` once requests can be answered."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = AwsServer(settings, port)
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    threading.Thread(target=server.serve, daemon=True).start()
    if ready is not None:
        write_ready(ready, {"port": server.port, "pid": os.getpid()})
    stop.wait()
    server.close()
    # Requests and executions in flight have nothing to wait for any more.
    sys.stdout.flush()
    os._exit(0)


def write_ready(path: Path, content: dict[str, int]) -> None:
    """Writes a ready file atomically, so that a reader never sees half of it."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content))
    partial.replace(path)
