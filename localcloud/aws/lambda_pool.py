"""A bounded pool of warm Lambda workers, shared by all functions."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.aws.lambda_process import FunctionSpec, Invocation, Outcome, WorkerProcess

# A worker that was used less long ago is likely needed again.
PATIENCE_SECONDS = 15.0
# What every function may have, so that its calls can be seen to overlap.
LEAST_SHARE = 2


class WorkerPool:
    """Hands out workers; starts one when none is idle, ends the longest idle one when the bound is reached.

    root: directory for logs and scratch space. When all workers are busy and the bound is reached, callers wait:
    that is the limit of this machine, not of Lambda.
    """

    def __init__(self, root: Path, max_workers: int, idle_seconds: float) -> None:
        self._root = root
        self._max = max_workers
        self._idle_seconds = idle_seconds
        self._free = threading.Condition()
        self._idle: list[WorkerProcess] = []
        self._busy: list[WorkerProcess] = []
        self._starting: Counter[str] = Counter()
        self._closed = False
        (root / "logs").mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._reap_forever, daemon=True).start()

    def invoke(self, spec: FunctionSpec, event: str, request_id: str) -> Outcome:
        """Runs one event in a worker of the function."""
        with self._worker(spec) as worker:
            return worker.invoke(Invocation(request_id, event))

    @contextmanager
    def _worker(self, spec: FunctionSpec) -> Iterator[WorkerProcess]:
        worker = self._take(spec)
        try:
            yield worker
        finally:
            self._give_back(worker)

    def _take(self, spec: FunctionSpec) -> WorkerProcess:
        with self._free:
            while True:
                if self._closed:
                    raise RuntimeError("the local Lambda service is shutting down")
                warm = self._warm(spec)
                if warm is not None:
                    return warm
                if self._make_room(spec):
                    self._starting[spec.arn] += 1
                    break
                self._free.wait(PATIENCE_SECONDS / 10)
        return self._start(spec)

    def _warm(self, spec: FunctionSpec) -> WorkerProcess | None:
        for worker in reversed(self._idle):
            if _same(worker.spec, spec) and worker.alive:
                self._idle.remove(worker)
                self._busy.append(worker)
                return worker
        return None

    def _make_room(self, spec: FunctionSpec) -> bool:
        """Ends the worker that was idle longest where no place is left.

        A function with its share of the workers waits for one of them rather than end what another function has just
        used: this machine would only start workers, each in the place of the one that is needed next.
        """
        workers = [*self._busy, *self._idle]
        if len(workers) + self._starting.total() < self._max:
            return True
        if not self._idle:
            return False
        # Of code that was replaced, no worker is needed again.
        old = next((one for one in self._idle if one.spec.arn == spec.arn and not _same(one.spec, spec)), None)
        if old:
            self._idle.remove(old)
            old.close()
            return True
        own = self._starting[spec.arn] + sum(_same(worker.spec, spec) for worker in workers)
        functions = {spec.arn, *(worker.spec.arn for worker in workers)}
        has_share = own >= max(LEAST_SHARE, self._max // len(functions))
        if has_share and time.monotonic() - self._idle[0].idle_since < PATIENCE_SECONDS:
            return False
        self._idle.pop(0).close()
        return True

    def _start(self, spec: FunctionSpec) -> WorkerProcess:
        scratch = self._root / "tmp" / uuid.uuid4().hex
        try:
            worker = WorkerProcess(spec, scratch, self._root / "logs" / f"{spec.name}.log")
        except BaseException:
            with self._free:
                self._starting[spec.arn] -= 1
                self._free.notify_all()
            raise
        with self._free:
            self._starting[spec.arn] -= 1
            self._busy.append(worker)
            if self._closed:
                worker.kill()
        return worker

    def _give_back(self, worker: WorkerProcess) -> None:
        keep = not worker.doomed and worker.alive and not self._closed
        if not keep:
            worker.close()
        with self._free:
            self._busy.remove(worker)
            if keep:
                self._idle.append(worker)
            self._free.notify_all()

    def _reap_forever(self) -> None:
        while not self._closed:
            time.sleep(min(1.0, self._idle_seconds / 2))
            self._reap(time.monotonic() - self._idle_seconds)

    def _reap(self, oldest: float) -> None:
        with self._free:
            stale = [worker for worker in self._idle if worker.idle_since < oldest or not worker.alive]
            self._idle = [worker for worker in self._idle if worker not in stale]
            self._free.notify_all()
        for worker in stale:
            worker.close()

    def workers(self) -> list[dict[str, object]]:
        """Function name, pid and state of every worker."""
        with self._free:
            pairs = [(worker, "idle") for worker in self._idle] + [(worker, "busy") for worker in self._busy]
        return [{"function": worker.spec.name, "pid": worker.pid, "state": state} for worker, state in pairs]

    def running(self, function: str) -> list[WorkerProcess]:
        """The workers of a function that are in the middle of an event."""
        with self._free:
            return [worker for worker in self._busy if worker.spec.name == function]

    def close(self) -> None:
        """Ends every worker; invocations in flight fail."""
        with self._free:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
            self._free.notify_all()
        for worker in idle:
            worker.close()
        for worker in busy:
            worker.kill()


def _same(one: FunctionSpec, other: FunctionSpec) -> bool:
    return (one.arn, one.fingerprint) == (other.arn, other.fingerprint)
