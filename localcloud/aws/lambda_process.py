"""One Lambda worker process: start it, send it an event, watch its time and memory, read its logs."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from localcloud.aws import lambda_worker
from localcloud.aws.lambda_code import ImportPaths

# The real limit is 10 s; many cold starts at once on a small machine need more.
INIT_SECONDS = 60.0
WATCH_SECONDS = 0.1
RESPONSE_LIMIT = 6_291_556


@dataclass(frozen=True)
class FunctionSpec:
    """Everything that makes one worker interchangeable with another of the same function."""

    name: str
    arn: str
    fingerprint: str
    handler: str
    timeout: int
    memory_mb: int
    paths: ImportPaths
    environment: Mapping[str, str] = field(hash=False, compare=False)


@dataclass(frozen=True)
class Invocation:
    request_id: str
    event: str


@dataclass(frozen=True)
class Outcome:
    """What an invocation came to. `payload` is JSON text; `logs` are the lines written meanwhile."""

    payload: str
    failed: bool
    logs: tuple[str, ...]
    duration_ms: float


def failure(error_type: str, message: str) -> dict[str, Any]:
    return {"errorType": error_type, "errorMessage": message}


class WorkerProcess:
    """A warm worker. Not thread-safe: the pool hands it to one invocation at a time."""

    def __init__(self, spec: FunctionSpec, scratch: Path, log_file: Path) -> None:
        self.spec = spec
        self.scratch = scratch
        self.idle_since = time.monotonic()
        self.doomed = False
        self._log_file = log_file
        self._lines: list[str] = []
        self._ended = threading.Event()
        self._answers = bytearray()
        scratch.mkdir(parents=True, exist_ok=True)
        self._process, self._fd = self._start()
        self._stdin = _pipe(self._process.stdin)
        self._reader = threading.Thread(target=self._read_logs, daemon=True)
        self._reader.start()
        self._send_start()
        self.init_failure = self._await_ready()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _start(self) -> tuple[subprocess.Popen[bytes], int]:
        read_fd, write_fd = os.pipe()
        command = [sys.executable, "-I", "-S", "-u", str(Path(lambda_worker.__file__)), str(write_fd)]
        environment = {**self.spec.environment, "TMPDIR": str(self.scratch)}
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=(write_fd,),
            start_new_session=True,
        )
        os.close(write_fd)
        return process, read_fd

    def _send_start(self) -> None:
        paths = self.spec.paths
        self._send(
            {
                "handler": self.spec.handler,
                "paths": paths.paths,
                "runtime_paths": paths.runtime_paths,
                "site_paths": paths.site_paths,
            }
        )

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._stdin.write(json.dumps(message).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError:
            self.doomed = True

    def _await_ready(self) -> dict[str, Any] | None:
        answer = self._read_answer("init", time.monotonic() + INIT_SECONDS, f"Init exceeded {INIT_SECONDS:.0f} s")
        if answer.get("ready"):
            return None
        self.doomed = True
        error: dict[str, Any] = answer.get("init_error") or answer["error"]
        return error

    def invoke(self, invocation: Invocation) -> Outcome:
        """Runs one event; kills the process when it takes too long or too much memory."""
        if self.init_failure is not None:
            return self._outcome({"error": self.init_failure}, 0.0)
        started = time.monotonic()
        self._lines = []
        self._ended.clear()
        timeout = self.spec.timeout
        self._send(
            {
                "id": invocation.request_id,
                "event": invocation.event,
                "arn": self.spec.arn,
                "deadline_ms": int((time.time() + timeout) * 1000),
                "trace": f"Root=1-{int(time.time()):08x}-{invocation.request_id.replace('-', '')[:24]};Sampled=0",
            }
        )
        message = f"Task timed out after {timeout:.2f} seconds"
        answer = self._read_answer(invocation.request_id, started + timeout, message)
        self._ended.wait(0 if self.doomed else 1)
        self.idle_since = time.monotonic()
        return self._outcome(answer, (self.idle_since - started) * 1000)

    def _outcome(self, answer: dict[str, Any], duration_ms: float) -> Outcome:
        logs = tuple(self._lines)
        if "error" in answer:
            return Outcome(json.dumps(answer["error"]), True, logs, duration_ms)
        payload: str = answer["result"]
        if len(payload.encode()) > RESPONSE_LIMIT:
            text = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
            return Outcome(json.dumps(failure("Function.ResponseSizeTooLarge", text)), True, logs, duration_ms)
        return Outcome(payload, False, logs, duration_ms)

    def _read_answer(self, request_id: str, deadline: float, late: str) -> dict[str, Any]:
        while True:
            line = self._take_line()
            if line is not None:
                answer: dict[str, Any] = json.loads(line)
                return answer
            if time.monotonic() > deadline:
                return self._kill_with("Sandbox.Timedout", f"RequestId: {request_id} Error: {late}")
            if self.resident_mb() > self.spec.memory_mb:
                return self._kill_with("Runtime.OutOfMemory", _exit_message(request_id, "signal: killed"))
            if not self._fill(min(WATCH_SECONDS, max(0.0, deadline - time.monotonic()))):
                return self._exited(request_id)

    def _take_line(self) -> bytes | None:
        end = self._answers.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._answers[:end])
        del self._answers[: end + 1]
        return line

    def _fill(self, wait: float) -> bool:
        """Reads what is there within `wait` seconds; False when the process has closed its end."""
        ready, _, _ = select.select([self._fd], [], [], wait)
        if not ready:
            return True
        chunk = os.read(self._fd, 1 << 20)
        self._answers += chunk
        return bool(chunk)

    def _kill_with(self, error_type: str, message: str) -> dict[str, Any]:
        self.kill()
        return {"error": failure(error_type, message)}

    def _exited(self, request_id: str) -> dict[str, Any]:
        self.doomed = True
        code = self._process.wait()
        reason = f"signal: {_signal_word(-code)}" if code < 0 else f"exit status {code}"
        return {"error": failure("Runtime.ExitError", _exit_message(request_id, reason))}

    def resident_mb(self) -> float:
        """Resident memory in MiB; 0 where /proc does not exist or the process has ended."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0.0
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def _read_logs(self) -> None:
        mark = lambda_worker.END_MARK.encode()
        with self._log_file.open("ab", buffering=0) as log:
            for line in _pipe(self._process.stdout):
                if line.startswith(mark):
                    self._ended.set()
                    continue
                log.write(line)
                self._lines.append(line.decode(errors="replace").rstrip("\n"))

    def kill(self) -> None:
        """Ends the process and its children, and removes its scratch space."""
        self.doomed = True
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def kill_hard(self) -> None:
        """SIGKILL from outside, as a lost host would: the invocation finds out by itself."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kills the process and gives its descriptors and scratch space back."""
        self.kill()
        self._reader.join(1)
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        os.close(self._fd)
        shutil.rmtree(self.scratch, ignore_errors=True)


def _pipe(stream: Any) -> BinaryIO:
    pipe: BinaryIO = stream
    return pipe


def _exit_message(request_id: str, reason: str) -> str:
    return f"RequestId: {request_id} Error: Runtime exited with error: {reason}"


def _signal_word(number: int) -> str:
    return {signal.SIGKILL: "killed", signal.SIGTERM: "terminated", signal.SIGSEGV: "segmentation fault"}.get(
        signal.Signals(number), signal.Signals(number).name
    )
