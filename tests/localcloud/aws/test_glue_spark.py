"""Glue jobs of the twin on a real Spark: tasks in executors that are processes of their own, and may be killed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud.aws.cloud import Cloud, eventually, zipped
from tests.localcloud.aws.test_glue import ended, make_job

SCRIPT = Path(__file__).parents[3] / "glue_jobs" / "extract.py"
# In the place of the use case: each chunk is a file in the folder of the arguments, with what the task saw.
BOOTSTRAP = """
import os
from functools import cache

MADE = []

@cache
def job_ports(arguments):
    MADE.append(os.getpid())
    return dict(arguments)
"""
STEP = """
import json, os, time
from pathlib import Path
from lakeshift import bootstrap

def open_chunks(ports, run, table):
    return [f"{run}-{table}-{number}" for number in range(int(ports["LAKESHIFT_CHUNKS"]))]

def streams_of(ports, run, table):
    return 100

def extract_one(ports, run, table, chunk):
    folder = Path(ports["LAKESHIFT_FOLDER"])
    seen = {"pid": os.getpid(), "executor": executor(), "driver": os.environ["DRIVER"] == str(os.getpid()),
            "made": bootstrap.MADE, "endpoint": os.environ["AWS_ENDPOINT_URL"], "key": os.environ["AWS_ACCESS_KEY_ID"]}
    (folder / f"{chunk}.began.{time.time_ns()}").write_text(json.dumps(seen))
    while (folder / f"{chunk}.hold").exists():
        time.sleep(0.02)
    if (folder / f"{chunk}.fail").exists():
        raise ValueError(f"no such stream: {chunk}")
    (folder / f"{chunk}.ended.{time.time_ns()}").write_text("")
    return True

def executor():
    parent = os.getppid()
    while "CoarseGrainedExecutorBackend" not in Path(f"/proc/{parent}/cmdline").read_text():
        parent = int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1])
    return parent
"""
PROGRESS = """
import os
from contextlib import contextmanager
from pathlib import Path

@contextmanager
def reported(ports, run, table):
    about = Path(ports["LAKESHIFT_FOLDER"]) / f"{run}-{table}.reported"
    about.write_text(f"{os.environ['DRIVER'] == str(os.getpid())}")
    yield
    about.write_text(about.read_text() + " to its end")
"""


class Job:
    """The real job script over a use case that leaves traces in a folder."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder
        bucket = cloud.bucket()
        package = {"lakeshift/__init__.py": "", "lakeshift/bootstrap.py": BOOTSTRAP}
        package |= {"lakeshift/extract/__init__.py": "", "lakeshift/extract/step.py": STEP}
        package |= {"lakeshift/extract/progress.py": PROGRESS}
        cloud.client("s3").put_object(Bucket=bucket, Key="code.zip", Body=zipped(package))
        arguments = {"--extra-py-files": f"s3://{bucket}/code.zip", "--LAKESHIFT_FOLDER": str(folder)}
        # The script is preceded by one line that tells the driver's process apart.
        script = "import os; os.environ['DRIVER'] = str(os.getpid())\n" + SCRIPT.read_text()
        workers = {"WorkerType": "G.1X", "NumberOfWorkers": 3}
        self.name = make_job(cloud, script, DefaultArguments=arguments, **workers)

    def start(self, chunks: int, **options: Any) -> str:
        arguments = {"--run": "r", "--table": "t", "--LAKESHIFT_CHUNKS": str(chunks)}
        started = self.cloud.client("glue").start_job_run(JobName=self.name, Arguments=arguments, **options)
        return str(started["JobRunId"])

    def hold(self, number: int) -> None:
        """Let the task of a chunk wait until `release`."""
        (self.folder / f"r-t-{number}.hold").touch()

    def release(self, number: int) -> None:
        (self.folder / f"r-t-{number}.hold").unlink()

    def began(self, number: int) -> list[dict[str, Any]]:
        """What the tasks of a chunk saw, in the order of their begin."""
        found = sorted(self.folder.glob(f"r-t-{number}.began.*"))
        texts = [path.read_text() for path in found]
        return [json.loads(text) for text in texts if text]

    def ends(self, number: int) -> int:
        return len(list(self.folder.glob(f"r-t-{number}.ended.*")))

    def begun(self, number: int, times: int = 1) -> list[dict[str, Any]]:
        """Waits for a task; a Spark takes some seconds to start."""
        found: list[dict[str, Any]] = eventually(lambda: len(self.began(number)) >= times and self.began(number), 90)
        return found

    def result(self, run: str) -> tuple[str, str]:
        found = ended(self.cloud, self.name, run, seconds=90)
        return found["JobRunState"], found.get("ErrorMessage", "")


@pytest.fixture
def job(cloud: Cloud, tmp_path: Path) -> Job:
    return Job(cloud, tmp_path)


def of_run(run: str) -> list[str]:
    """Command lines of all processes whose folder is the one of a run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_text().replace("\0", " ")  # empty once a process is dead
            if command and (run in os.readlink(entry / "cwd") or run in command):
                found.append(command)
        except OSError:
            continue
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return " Z " not in Path(f"/proc/{pid}/stat").read_text()


def test_chunks_are_spread_over_executors_whose_workers_make_their_ports_once(job: Job) -> None:
    run = job.start(6)
    assert job.result(run) == ("SUCCEEDED", "")
    seen = [job.began(number) for number in range(6)]
    assert [len(tasks) for tasks in seen] == [1] * 6
    assert [job.ends(number) for number in range(6)] == [1] * 6
    assert (job.folder / "r-t.reported").read_text() == "True to its end", "the driver reports"
    tasks = [task for (task,) in seen]
    assert len({task["executor"] for task in tasks}) == 2
    assert all(task["made"] == [task["pid"]] and not task["driver"] for task in tasks)
    assert {task["endpoint"] for task in tasks} == {job.cloud.url}
    assert len({task["key"] for task in tasks}) == 1
    eventually(lambda: not of_run(run))


def test_a_killed_python_worker_and_a_killed_executor_cost_only_their_tasks(job: Job) -> None:
    job.hold(0)
    job.hold(2)
    run = job.start(4)
    (worker,), (lost,) = job.begun(0), job.begun(2)
    os.kill(worker["pid"], signal.SIGKILL)
    assert job.begun(0, times=2)[1]["pid"] != worker["pid"]
    job.release(0)
    eventually(lambda: sum(job.ends(number) for number in range(4)) == 3, 60)
    os.kill(lost["executor"], signal.SIGKILL)
    assert job.begun(2, times=2)[1]["executor"] != lost["executor"]
    job.release(2)
    assert job.result(run) == ("SUCCEEDED", "")
    assert [len(job.began(number)) for number in range(4)] == [2, 1, 2, 1]
    assert [job.ends(number) for number in range(4)] == [1] * 4


def test_a_task_that_fails_four_times_fails_the_run_with_its_reason(job: Job) -> None:
    (job.folder / "r-t-0.fail").touch()
    state, message = job.result(job.start(1))
    assert (state, "no such stream: r-t-0" in message) == ("FAILED", True)
    assert len(job.began(0)) == 4


def test_a_stopped_run_leaves_no_process(job: Job) -> None:
    job.hold(0)
    run = job.start(1)
    (task,) = job.begun(0)
    assert len(of_run(run)) >= 3
    job.cloud.client("glue").batch_stop_job_run(JobName=job.name, JobRunIds=[run])
    assert job.result(run)[0] == "STOPPED"
    eventually(lambda: not of_run(run) and not alive(task["pid"]) and not alive(task["executor"]))


def test_without_open_chunks_the_run_ends_at_once(job: Job) -> None:
    assert job.result(job.start(0)) == ("SUCCEEDED", "")


def test_as_many_executors_as_workers_beside_the_driver(job: Job) -> None:
    run = job.start(4, WorkerType="G.2X", NumberOfWorkers=2)
    assert job.result(run) == ("SUCCEEDED", "")
    assert len({task["executor"] for number in range(4) for task in job.began(number)}) == 1
    found = job.cloud.client("glue").get_job_run(JobName=job.name, RunId=run)["JobRun"]
    assert (found["WorkerType"], found["NumberOfWorkers"]) == ("G.2X", 2)
