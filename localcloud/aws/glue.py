"""Glue jobs on the twin: a run is a process of this interpreter, with a Spark, that executes its script."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.glue.exceptions import ConcurrentRunsExceededException
from moto.glue.models import FakeJob, FakeJobRun, GlueBackend
from moto.glue.responses import GlueResponse
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends

from localcloud.aws import roles, spark
from localcloud.aws.log_groups import put_lines
from localcloud.aws.settings import ACCOUNT, TwinSettings

SERVICE = "glue.amazonaws.com"
DEFAULT_TIMEOUT_MINUTES = 2880
OPEN_STATES = ("STARTING", "RUNNING", "STOPPING")
MESSAGE_LINES = 3
# Arguments that Glue takes for itself: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
MODULES = "--extra-py-files"
DISTRIBUTIONS = "--additional-python-modules"
INSTALLER = "--python-modules-installer-option"
LOG_GROUPS = "--custom-logGroup-prefix"
UNSUPPORTED = ("--extra-jars", "--extra-files")
# Types of Glue 5.0 and the most workers that each may have:
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-jobs-job.html#aws-glue-api-jobs-job-CreateJob
WORKERS = {"G.1X": 299, "G.2X": 149, "G.4X": 149, "G.8X": 149, "R.1X": 149, "R.2X": 149, "R.4X": 149, "R.8X": 149}
FEWEST_WORKERS = 2
DEFAULT_WORKERS = 10


class JobError(Exception):
    """Why a run cannot begin."""


class JobService:
    """Starts, watches and stops job runs."""

    def __init__(self, settings: TwinSettings) -> None:
        self._settings = settings
        self._root = settings.data / "glue"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Makes moto's Glue jobs run for real."""
        service = self
        job: Any = FakeJob
        run: Any = FakeJobRun
        backend: Any = GlueBackend
        response: Any = GlueResponse
        start = job.start_job_run

        def start_job_run(this: Any, **options: Any) -> str:
            return service.start(this, start, options)

        job.start_job_run = start_job_run
        backend.create_job = _create_checked(backend.create_job)
        run.as_dict = _described(run.as_dict)
        run.status = property(lambda this: this._status, _set_status)
        response.batch_stop_job_run = lambda this: service.batch_stop(this)  # noqa: PLW0108
        response.update_job = _no_update

    def start(self, job: Any, start: Any, options: Mapping[str, Any]) -> str:
        """Starts a run; its id. ConcurrentRunsExceededException when as many are open as the job allows."""
        roles.require_role(_role_arn(job.role), SERVICE)
        _require_workers(job, options)
        with self._lock:
            open_runs = [run for run in job.job_runs if run.status in OPEN_STATES]
            if len(open_runs) >= int(job.execution_property.get("MaxConcurrentRuns", 1)):
                raise ConcurrentRunsExceededException(f"Concurrent runs exceeded for {job.name}")
            run_id: str = start(job, **options)
        run = job.job_runs[-1]
        _set(run, "STARTING")
        run.completed_on = None
        run.error_message = None
        run.glue_version = job.glue_version
        threading.Thread(target=self._run, args=(job, run), daemon=True).start()
        return run_id

    def _run(self, job: Any, run: Any) -> None:
        folder = self._root / run.job_run_id
        try:
            command = self._command(job, run, folder)
            environment = self._environment(folder, job, run)
        except (JobError, FileNotFoundError) as error:
            _finish(run, "FAILED", str(error))
            return
        log = folder / "output.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            self._processes[run.job_run_id] = process
            if run.status == "STARTING":
                _set(run, "RUNNING")
            else:
                _kill(process)  # stopped before it had begun
            self._watch(job, run, process, log)

    def _command(self, job: Any, run: Any, folder: Path) -> list[str]:
        folder.mkdir(parents=True, exist_ok=True)
        location = job.command["ScriptLocation"]
        script = folder / Path(location).name
        script.write_bytes(_read(location))
        arguments = dict(run.arguments or {})
        refused = [name for name in UNSUPPORTED if name in arguments]
        if refused:
            raise JobError(f"the local twin does not support {', '.join(refused)}; put modules into {MODULES}")
        _require_distributions(arguments)
        for uri in filter(None, arguments.get(MODULES, "").split(",")):
            _add_module(uri.strip(), folder / "modules")
        given = {"--JOB_NAME": job.name, "--JOB_RUN_ID": run.job_run_id, **arguments}
        return [sys.executable, "-u", str(script), *(part for pair in given.items() for part in pair)]

    def _environment(self, folder: Path, job: Any, run: Any) -> dict[str, str]:
        """Variables of the driver; its executors get the same. No region: Glue does not say that there is one."""
        modules = folder / "modules"
        paths = [str(path) for path in sorted(modules.glob("*.d"))]
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join([*paths, str(modules)]),
            "AWS_ENDPOINT_URL": self._settings.endpoint_url,
            **{name: os.environ[name] for name in ("HOME",) if name in os.environ},
            **(self._spark(folder, run) if job.command["Name"] == "glueetl" else {}),
            **roles.credentials(_role_arn(job.role)),
            **self._settings.lambda_env,
        }

    def _spark(self, folder: Path, run: Any) -> dict[str, str]:
        """One worker is the driver's; the others are executors, of which this machine carries a few."""
        workers = int(run.number_of_workers or DEFAULT_WORKERS)
        executors = min(workers - 1, self._settings.spark_executors)
        return spark.prepare(folder / "spark", executors, self._settings.spark_memory_mib)

    def _watch(self, job: Any, run: Any, process: subprocess.Popen[bytes], log: Path) -> None:
        minutes = float(run.timeout or DEFAULT_TIMEOUT_MINUTES)
        started = time.monotonic()
        try:
            code = process.wait(minutes * 60)
        except subprocess.TimeoutExpired:
            _kill(process)
            _finish(run, "TIMEOUT", f"The job run timed out after {minutes:g} minutes")
        else:
            _kill(process)
            _conclude(run, code, log)
        run.execution_time = int(time.monotonic() - started)
        self._processes.pop(run.job_run_id, None)
        lines = log.read_text(errors="replace").splitlines()
        put_lines(_log_group(job, run), run.job_run_id, lines)

    def stop(self, run: Any) -> None:
        """Ends a run; its state becomes STOPPED once the process is gone."""
        if run.status not in OPEN_STATES:
            raise JsonRESTError("JobRunNotInTerminalStateException", f"Job run {run.job_run_id} has ended")
        _set(run, "STOPPING")
        process = self._processes.get(run.job_run_id)
        if process is not None:
            _kill(process)

    def batch_stop(self, response: Any) -> Any:
        """BatchStopJobRun, which moto does not have."""
        from moto.core.responses import ActionResult

        name = response._get_param("JobName")
        job = response.glue_backend.get_job(name)
        stopped = []
        for run_id in response._get_param("JobRunIds"):
            self.stop(job.get_job_run(run_id))
            stopped.append({"JobName": name, "JobRunId": run_id})
        return ActionResult({"SuccessfulSubmissions": stopped, "Errors": []})

    def close(self) -> None:
        """Ends all running jobs."""
        for process in list(self._processes.values()):
            _kill(process)


def _log_group(job: Any, run: Any) -> str:
    """Where Glue 5.0 writes what a script says; it does not know the arguments of continuous logging any more.

    https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html
    """
    prefix = (run.arguments or {}).get(LOG_GROUPS, "/aws-glue/jobs")
    encrypted = run.security_configuration
    owner = f"/{encrypted}-role/{_role_arn(job.role).rpartition('/')[2]}" if encrypted else ""
    return f"{prefix}{owner}/output"


def _read(location: str) -> bytes:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    try:
        found = s3_backends[ACCOUNT]["aws"].get_object(bucket, key)
    except S3ClientError:
        found = None
    if found is None:
        raise JobError(f"Failed to download {location}: The specified key does not exist")
    return bytes(found.value)


def _require_distributions(arguments: Mapping[str, str]) -> None:
    """The twin installs nothing: what Glue would install must be in the current environment, in any version."""
    listed = arguments.get(DISTRIBUTIONS, "")
    entries = [entry.strip() for entry in listed.split(",") if entry.strip()]
    if arguments.get(INSTALLER, "").strip() == "-r":
        entries = [line for entry in entries for line in _read(entry).decode().splitlines()]
    names = [match.group() for entry in entries if (match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", entry.strip()))]
    missing = sorted({name for name in names if not _installed(name)})
    if missing:
        raise JobError(f"not in the environment that runs the twin: {', '.join(missing)}")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _add_module(uri: str, folder: Path) -> None:
    """Puts a .zip, .whl or .py of `--extra-py-files` where the script can import it."""
    name = Path(uri).name
    folder.mkdir(exist_ok=True)
    target = folder / name
    target.write_bytes(_read(uri))
    if target.suffix in (".zip", ".whl"):
        unpacked = folder / f"{name}.d"
        shutil.rmtree(unpacked, ignore_errors=True)
        try:
            with zipfile.ZipFile(target) as package:
                package.extractall(unpacked)
        except zipfile.BadZipFile as error:
            raise JobError(f"{uri}: {error}") from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a run's driver and all that it started: executors and Python workers lead groups of their own."""
    for pid in members(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def members(session: int) -> list[int]:
    """Processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(ProcessLookupError, ValueError):
            if os.getsid(int(entry.name)) == session:
                found.append(int(entry.name))
    return found


def _conclude(run: Any, code: int, log: Path) -> None:
    if run.status == "STOPPING":
        _finish(run, "STOPPED", None)
    elif code == 0:
        _finish(run, "SUCCEEDED", None)
    else:
        _finish(run, "FAILED", _reason(log) or f"the script ended with status {code}")


def _reason(log: Path) -> str:
    """The end of what the script said, without the frames of Java that stand around an error of a Spark task."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip() and line[0] != "\t"]
    return "\n".join(lines[-MESSAGE_LINES:])


def _set_status(run: Any, status: str) -> None:
    """In the place of moto's status, which advances by itself."""
    run._status = status


def _set(run: Any, status: str) -> None:
    run.status = status
    run.modified_on = datetime.now(UTC)


def _finish(run: Any, status: str, message: str | None) -> None:
    run.error_message = message
    run.completed_on = datetime.now(UTC)
    _set(run, status)


def _role_arn(role: str) -> str:
    return role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{role}"


def _described(as_dict: Any) -> Any:
    """GetJobRun as the run really is, where moto has constants."""

    def described(run: Any) -> dict[str, Any]:
        answer: dict[str, Any] = as_dict(run)
        answer["ExecutionTime"] = getattr(run, "execution_time", 0)
        answer["GlueVersion"] = run.glue_version
        answer["LogGroupName"] = "/aws-glue/jobs"
        answer["CompletedOn"] = run.completed_on
        answer["ErrorMessage"] = run.error_message
        return {name: value for name, value in answer.items() if value is not None}

    return described


def _create_checked(create: Any) -> Any:
    def create_job(backend: Any, **properties: Any) -> None:
        problem = _job_problem(backend, properties)
        if problem:
            raise JsonRESTError("InvalidInputException", problem)
        roles.require_role(_role_arn(properties["role"]), SERVICE)
        create(backend, **properties)

    return create_job


def _job_problem(backend: Any, job: Mapping[str, Any]) -> str | None:
    command = job.get("command") or {}
    if job["name"] in backend.jobs:
        return f"Job {job['name']} already exists"
    if not job.get("glue_version"):
        return "GlueVersion must be given: without it a newer default may change the job"
    if command.get("Name") not in ("glueetl", "pythonshell"):
        return f"Command.Name {command.get('Name')!r} is not glueetl or pythonshell"
    if not str(command.get("ScriptLocation", "")).startswith("s3://"):
        return "Command.ScriptLocation must be an s3:// address"
    if command["Name"] == "pythonshell":
        return None
    return _workers_problem(job.get("worker_type"), job.get("number_of_workers"))


def _workers_problem(kind: str | None, number: int | None) -> str | None:
    """What is wrong with the workers of a Spark job; both are given, or neither."""
    if kind is None and number is None:
        return None
    if kind is None or number is None:
        return "WorkerType and NumberOfWorkers must be set together"
    if kind not in WORKERS:
        return f"WorkerType {kind} does not exist"
    if not FEWEST_WORKERS <= int(number) <= WORKERS[kind]:
        return f"NumberOfWorkers {number} of {kind} is not between {FEWEST_WORKERS} and {WORKERS[kind]}"
    return None


def _require_workers(job: Any, options: Mapping[str, Any]) -> None:
    if job.command["Name"] != "glueetl":
        return
    problem = _workers_problem(
        options["worker_type"] or job.worker_type, options["number_of_workers"] or job.number_of_workers
    )
    if problem:
        raise JsonRESTError("InvalidInputException", problem)


def _no_update(response: Any) -> None:  # noqa: ARG001
    raise JsonRESTError("InvalidInputException", "The local twin does not update jobs; create them anew")
