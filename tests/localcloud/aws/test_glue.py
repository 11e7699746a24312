"""Glue jobs really run, and fail when there is a reason to."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.aws.cloud import Cloud, eventually, unique, zipped

OPEN = ("STARTING", "RUNNING", "STOPPING")


def make_job(cloud: Cloud, script: str | None, **options: Any) -> str:
    bucket, name = cloud.bucket(), unique("job")
    if script is not None:
        cloud.client("s3").put_object(Bucket=bucket, Key="jobs/script.py", Body=script.encode())
    command = {"Name": "glueetl", "ScriptLocation": f"s3://{bucket}/jobs/script.py", "PythonVersion": "3"}
    settings = {"GlueVersion": "5.0", "Role": cloud.role, "Command": command, **options}
    settings = {key: value for key, value in settings.items() if value is not None}
    cloud.client("glue").create_job(Name=name, **settings)
    return name


def ended(cloud: Cloud, job: str, run: str, seconds: float = 20) -> dict[str, Any]:
    def look() -> Any:
        found = cloud.client("glue").get_job_run(JobName=job, RunId=run)["JobRun"]
        return found["JobRunState"] not in OPEN and found

    found: dict[str, Any] = eventually(look, seconds)
    return found


def test_a_job_gets_its_arguments_and_modules(cloud: Cloud) -> None:
    bucket = cloud.bucket()
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="libs/words.zip", Body=zipped({"words/__init__.py": "WORD = 'from the zip'"}))
    script = "import sys, words; print('args', sys.argv[1:]); print(words.WORD)"
    defaults = {"--stage": "dev", "--depth": "1", "--extra-py-files": f"s3://{bucket}/libs/words.zip"}
    job = make_job(cloud, script, DefaultArguments=defaults)
    run = cloud.client("glue").start_job_run(JobName=job, Arguments={"--depth": "2"})["JobRunId"]
    assert ended(cloud, job, run)["JobRunState"] == "SUCCEEDED"
    events = eventually(
        lambda: cloud.client("logs").get_log_events(logGroupName="/aws-glue/jobs/output", logStreamName=run)["events"]
    )
    text = "\n".join(event["message"] for event in events)
    assert "'--stage', 'dev'" in text
    assert "'--depth', '2'" in text
    assert f"'--JOB_NAME', '{job}'" in text
    assert "from the zip" in text


def test_logs_stand_where_glue_5_puts_them(cloud: Cloud) -> None:
    arguments = {"--custom-logGroup-prefix": "/aws-glue/own", "--continuous-log-logGroup": "/aws-glue/of-glue-4"}
    job = make_job(cloud, "print('said')", DefaultArguments=arguments, SecurityConfiguration="sealed")
    run = cloud.client("glue").start_job_run(JobName=job)["JobRunId"]
    assert ended(cloud, job, run)["JobRunState"] == "SUCCEEDED"
    group = f"/aws-glue/own/sealed-role/{cloud.role.rpartition('/')[2]}/output"
    events = eventually(lambda: cloud.client("logs").get_log_events(logGroupName=group, logStreamName=run)["events"])
    assert [event["message"] for event in events] == ["said"]


def test_a_missing_script_fails_the_run(cloud: Cloud) -> None:
    job = make_job(cloud, None)
    run = ended(cloud, job, cloud.client("glue").start_job_run(JobName=job)["JobRunId"])
    assert run["JobRunState"] == "FAILED"
    assert "does not exist" in run["ErrorMessage"]
    assert "jobs/script.py" in run["ErrorMessage"]


def test_a_module_that_the_environment_lacks_fails_the_run(cloud: Cloud) -> None:
    bucket = cloud.bucket()
    body = b"# locked\nboto3==1.0 \\\n    --hash=sha256:aa\nnot-there-at-all==2.0\n"
    cloud.client("s3").put_object(Bucket=bucket, Key="requirements.txt", Body=body)
    modules = {"--additional-python-modules": f"s3://{bucket}/requirements.txt"}
    arguments = {**modules, "--python-modules-installer-option": "-r"}
    job = make_job(cloud, "print('ran')", DefaultArguments=arguments)
    run = ended(cloud, job, cloud.client("glue").start_job_run(JobName=job)["JobRunId"])
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"] == "not in the environment that runs the twin: not-there-at-all"


def test_an_exception_fails_the_run_with_its_message(cloud: Cloud) -> None:
    job = make_job(cloud, "raise ValueError('no such chunk')")
    run = ended(cloud, job, cloud.client("glue").start_job_run(JobName=job)["JobRunId"])
    assert (run["JobRunState"], "no such chunk" in run["ErrorMessage"]) == ("FAILED", True)


def test_concurrent_runs_are_limited_and_a_run_can_be_stopped(cloud: Cloud) -> None:
    job = make_job(cloud, "import time; time.sleep(30)")
    glue = cloud.client("glue")
    first = glue.start_job_run(JobName=job)["JobRunId"]
    with pytest.raises(glue.exceptions.ConcurrentRunsExceededException):
        glue.start_job_run(JobName=job)
    eventually(lambda: glue.get_job_run(JobName=job, RunId=first)["JobRun"]["JobRunState"] == "RUNNING")
    glue.batch_stop_job_run(JobName=job, JobRunIds=[first])
    assert ended(cloud, job, first)["JobRunState"] == "STOPPED"


def sync(job: str) -> dict[str, Any]:
    resource = "arn:aws:states:::glue:startJobRun.sync"
    return {"Type": "Task", "Resource": resource, "Parameters": {"JobName": job}, "End": True}


def test_a_state_machine_waits_for_a_job(cloud: Cloud) -> None:
    job = make_job(cloud, "import time; time.sleep(0.5)")
    execution = cloud.run(cloud.machine({"Job": sync(job)}))
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"])["JobRunState"] == "SUCCEEDED"


def test_a_failed_job_fails_the_state(cloud: Cloud) -> None:
    job = make_job(cloud, None)
    started = time.monotonic()
    execution = cloud.run(cloud.machine({"Job": sync(job)}))
    assert (execution["status"], execution["error"]) == ("FAILED", "States.TaskFailed")
    assert "does not exist" in json.loads(execution["cause"])["ErrorMessage"]
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"GlueVersion": None}, "GlueVersion"),
        ({"WorkerType": "G.9X", "NumberOfWorkers": 2}, "G.9X"),
        ({"WorkerType": "G.1X", "NumberOfWorkers": 1}, "between 2 and 299"),
        ({"WorkerType": "G.2X", "NumberOfWorkers": 150}, "between 2 and 149"),
        ({"WorkerType": "G.1X"}, "set together"),
        ({"NumberOfWorkers": 2}, "set together"),
        ({"Command": {"Name": "spark", "ScriptLocation": "s3://b/k"}}, "spark"),
        ({"Role": "arn:aws:iam::123456789012:role/absent"}, "does not exist"),
    ],
)
def test_refused_jobs(cloud: Cloud, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ClientError, match=problem):
        make_job(cloud, "", **change)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"WorkerType": "Standard", "NumberOfWorkers": 2}, "Standard"),
        ({"WorkerType": "G.1X", "NumberOfWorkers": 1}, "between 2 and 299"),
        ({"NumberOfWorkers": 300}, "between 2 and 299"),
        ({"WorkerType": "G.8X", "NumberOfWorkers": 200}, "between 2 and 149"),
    ],
)
def test_refused_runs(cloud: Cloud, change: dict[str, Any], problem: str) -> None:
    job = make_job(cloud, "print()", WorkerType="G.1X", NumberOfWorkers=2)
    with pytest.raises(ClientError, match=problem):
        cloud.client("glue").start_job_run(JobName=job, **change)
    assert cloud.client("glue").get_job_runs(JobName=job)["JobRuns"] == []


def test_a_state_machine_gives_a_run_its_workers_and_arguments(cloud: Cloud) -> None:
    job = make_job(cloud, "import sys; print(sys.argv)", WorkerType="G.1X", NumberOfWorkers=2)
    parameters = {
        "JobName": job,
        "Arguments": {"--table.$": "$.table"},
        "WorkerType.$": "$.workerType",
        "NumberOfWorkers.$": "$.workers",
    }
    machine = cloud.machine({"Job": {**sync(job), "Parameters": parameters}})
    execution = cloud.run(machine, {"table": "a.b.c", "workerType": "G.2X", "workers": 5})
    output = json.loads(execution["output"])
    assert (output["WorkerType"], output["NumberOfWorkers"]) == ("G.2X", 5)
    assert output["Arguments"]["--table"] == "a.b.c"


@pytest.mark.parametrize("end", ["stopped execution", "task out of time"])
def test_a_run_that_nobody_waits_for_is_stopped(cloud: Cloud, end: str) -> None:
    job = make_job(cloud, "import time; time.sleep(60)")
    state = {**sync(job), **({"TimeoutSeconds": 2} if end == "task out of time" else {})}
    steps, glue = cloud.client("stepfunctions"), cloud.client("glue")
    execution = steps.start_execution(stateMachineArn=cloud.machine({"Job": state}))["executionArn"]
    (run,) = eventually(lambda: glue.get_job_runs(JobName=job)["JobRuns"])
    if end == "stopped execution":
        steps.stop_execution(executionArn=execution)
    assert ended(cloud, job, run["Id"])["JobRunState"] == "STOPPED"
