"""The machines at work: which function is called when, and how an execution ends."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from lakeshift.model import RunState
from tests.state_machines.interpreter import Answer, Machines, Payload, StepError, failing

UPLOAD = {"bucket": "config", "key": "configs/shop.json", "versionId": "v1"}
TABLES = ["a", "b", "c"]
PUBLISHED = ["Extract", "Load", "Validate", "Publish"]


def done(payload: Payload) -> Payload:
    return {**payload, "done": True}


def extract_answer(payload: Payload, following: str, *, load: bool = True) -> Payload:
    """What the function answers: all keys, whatever comes next."""
    engine = {"workers": 7 if following == "glue" else 0, "workerType": "G.2X" if following == "glue" else ""}
    return {**payload, "load": load, "next": following, **engine}


def extracted(payload: Payload) -> Payload:
    return extract_answer(payload, "done")


def gate_answer(payload: Payload, following: str, shares: tuple[int, ...] = ()) -> Payload:
    """What the gate answers; for a share only whether it is read."""
    return {**payload, "done": True, "next": following, "shares": list(shares)}


def validated(payload: Payload) -> Payload:
    return gate_answer(payload, "done")


def one_after_another(*answers: str | StepError) -> Answer:
    """Answers of Extract, or states of Glue runs, in the order of the calls."""
    left = list(answers)

    def answer(payload: Payload) -> Payload:
        found = left.pop(0)
        if isinstance(found, StepError):
            raise found
        return {"state": found} if "JobName" in payload else extract_answer(payload, found)

    return answer


def again(times: int, then: Answer) -> Answer:
    """Ask to be called again a number of times."""
    left = [times]

    def answer(payload: Payload) -> Payload:
        left[0] -= 1
        return {**then(payload), "done": left[0] < 0, **({} if left[0] < 0 else {"next": "again"})}

    return answer


def raising(error: str) -> Answer:
    def answer(_payload: Payload) -> Payload:
        raise StepError(error)

    return answer


def prepared(
    machines: Machines,
    changes: dict[str, Answer] | None = None,
    *,
    status: str = "succeeded",
    concurrency: int = 3,
) -> Machines:
    """Let a run with three tables do well, but for the answers that are changed."""
    items = machines.put_items([{"run": "r", "table": table} for table in TABLES])
    machines.functions.answers = {
        "Check": lambda _: {"outcome": "accepted", "run": "r"},
        "Inventory": lambda payload: {"run": payload["run"], "done": True, "go": True},
        "Resume": lambda payload: {"run": payload["run"]},
        "Plan": lambda payload: {"run": payload["run"], "items": items, "maxConcurrency": concurrency},
        "Extract": extracted,
        "Load": done,
        "Validate": validated,
        "Publish": done,
        "Fail": lambda payload: {"run": payload["run"], "table": payload["table"]},
        "Views": done,
        "Report": lambda payload: {"run": payload.get("run", "r"), "status": status},
        **(changes or {}),
    }
    return machines


def test_a_run_goes_from_its_configuration_to_published_tables(machines: Machines) -> None:
    found = prepared(machines).run("migrate", UPLOAD)
    assert (found.status, machines.functions.verbs()[:3]) == ("SUCCEEDED", ["Check", "Inventory", "Plan"])
    assert [machines.functions.verbs(table) for table in TABLES] == [PUBLISHED] * 3
    assert machines.functions.verbs()[-2:] == ["Views", "Report"]
    assert machines.functions.payloads("Report") == [{"run": "r"}]


def test_check_gets_the_object_version_and_the_execution(machines: Machines) -> None:
    found = prepared(machines).run("migrate", UPLOAD)
    assert machines.functions.payloads("Check") == [{**UPLOAD, "execution": found.executionArn}]


def test_an_answer_of_ours_starts_nothing(machines: Machines) -> None:
    found = prepared(machines).run("migrate", {**UPLOAD, "key": "configs/shop.status.json"})
    assert (found.status, machines.functions.calls) == ("SUCCEEDED", [])


RESUME = {"resume": {"run": "r", "after": "the first"}}


def test_a_resumed_run_is_taken_over_and_goes_on_without_a_check(machines: Machines) -> None:
    found = prepared(machines).run("migrate", RESUME)
    assert (found.status, machines.functions.verbs()[:3]) == ("SUCCEEDED", ["Resume", "Inventory", "Plan"])
    assert machines.functions.payloads("Resume") == [{**RESUME["resume"], "execution": found.executionArn}]
    assert [machines.functions.verbs(table) for table in TABLES] == [PUBLISHED] * 3


@pytest.mark.parametrize(("error", "calls"), [("TerminalError", 1), ("TransientError", 9)])
def test_a_run_that_cannot_be_resumed_is_left_as_it_was(machines: Machines, error: str, calls: int) -> None:
    found = prepared(machines, {"Resume": raising(error)}).run("migrate", RESUME)
    assert (found.status, found.error, machines.functions.verbs()) == ("FAILED", error, ["Resume"] * calls)


def test_a_run_that_is_held_up_before_its_plan_starts_no_table(machines: Machines) -> None:
    stopped = {"Inventory": lambda payload: {"run": payload["run"], "done": False, "go": False}}
    found = prepared(machines, stopped, status="paused").run("migrate", UPLOAD)
    assert (found.status, machines.functions.verbs()) == ("SUCCEEDED", ["Check", "Inventory", "Report"])


def test_an_inventory_goes_on_until_it_has_all_tables(machines: Machines) -> None:
    calls: list[dict[str, Any]] = []

    def some(payload: dict[str, Any]) -> dict[str, Any]:
        calls.append(payload)
        return {"run": payload["run"], "done": len(calls) == 3, "go": True}

    found = prepared(machines, {"Inventory": some}).run("migrate", UPLOAD)
    assert (found.status, machines.functions.verbs()[:5]) == ("SUCCEEDED", ["Check", *["Inventory"] * 3, "Plan"])
    assert calls == [{"run": "r"}] * 3


@pytest.mark.parametrize(
    ("outcome", "status", "error"), [("refused", "FAILED", "Refused"), ("duplicate", "SUCCEEDED", None)]
)
def test_only_an_accepted_configuration_goes_on(
    machines: Machines, outcome: str, status: str, error: str | None
) -> None:
    prepared(machines, {"Check": lambda _: {"outcome": outcome, "run": "r"}})
    found = machines.run("migrate", UPLOAD)
    assert (found.status, getattr(found, "error", None)) == (status, error)
    assert machines.functions.verbs() == ["Check"]


@pytest.mark.parametrize(("error", "calls"), [("TerminalError", 1), ("TransientError", 9)])
def test_a_check_that_breaks_is_answered_once_and_fails_with_its_own_error(
    machines: Machines, error: str, calls: int
) -> None:
    found = prepared(machines, {"Check": raising(error)}, status="failed").run("migrate", UPLOAD)
    assert (found.status, found.error, "because" in found.cause) == ("FAILED", error, True)
    assert machines.functions.verbs() == ["Check"] * calls + ["Report"]
    (report,) = machines.functions.payloads("Report")
    assert set(report) == {"upload", "error"}
    assert report["upload"] == {**UPLOAD, "execution": found.executionArn}
    assert report["error"] == {"Error": error, "Cause": found.cause}


@pytest.mark.parametrize("status", ["checking", "accepted", "refused", "migrating", "succeeded"])
def test_a_broken_check_fails_whatever_the_state_of_the_run_that_another_execution_owns(
    machines: Machines, status: str
) -> None:
    found = prepared(machines, {"Check": raising("TerminalError")}, status=status).run("migrate", UPLOAD)
    assert (found.status, found.error) == ("FAILED", "TerminalError")


@pytest.mark.parametrize(("error", "calls"), [("TerminalError", 1), ("TransientError", 9)])
def test_a_broken_check_keeps_its_error_when_it_cannot_be_answered(machines: Machines, error: str, calls: int) -> None:
    changes = {"Check": raising("Lambda.Unknown"), "Report": raising(error)}
    found = prepared(machines, changes).run("migrate", UPLOAD)
    assert (found.status, found.error) == ("FAILED", "Lambda.Unknown")
    assert machines.functions.verbs() == ["Check"] * 4 + ["Report"] * calls


@pytest.mark.parametrize(
    ("status", "execution", "error"),
    [
        ("awaiting load", "SUCCEEDED", None),
        ("paused", "SUCCEEDED", None),
        ("cancelled", "SUCCEEDED", None),
        ("complete with problems", "FAILED", "CompleteWithProblems"),
        ("complete with quarantined", "FAILED", "CompleteWithQuarantined"),
        ("failed", "FAILED", "Failed"),
        ("refused", "FAILED", "Refused"),
    ],
)
def test_the_report_decides_how_the_execution_ends(
    machines: Machines, status: str, execution: str, error: str | None
) -> None:
    found = prepared(machines, status=status).run("migrate", UPLOAD)
    assert (found.status, getattr(found, "error", None)) == (execution, error)


def test_one_failing_table_is_recorded_and_stops_no_other(machines: Machines) -> None:
    def validate(payload: Payload) -> Payload:
        if payload["table"] == "b":
            raise StepError("TerminalError", "rows differ")
        return validated(payload)

    prepared(machines, {"Validate": validate}, status="complete with problems")
    found = machines.run("migrate", UPLOAD)
    assert found.error == "CompleteWithProblems"
    assert [machines.functions.verbs(table) for table in TABLES] == [
        PUBLISHED,
        ["Extract", "Load", "Validate", "Fail"],
        PUBLISHED,
    ]
    (failed,) = machines.functions.payloads("Fail")
    assert (failed["run"], failed["table"], failed["error"]["Error"]) == ("r", "b", "TerminalError")
    assert "rows differ" in failed["error"]["Cause"]


def test_extract_is_called_until_it_is_done(machines: Machines) -> None:
    prepared(machines, {"Extract": one_after_another("extract", "extract", "done")})
    found = machines.run("migrate_table", {"run": "r", "table": "a"})
    assert found.status == "SUCCEEDED"
    assert machines.functions.verbs() == ["Extract", "Extract", *PUBLISHED]
    assert machines.functions.payloads("Extract") == [{"run": "r", "table": "a"}] * 3


def test_a_large_table_goes_to_glue_and_comes_back_to_extract(machines: Machines) -> None:
    answers = {"Extract": one_after_another("glue", "done"), "Glue": one_after_another("SUCCEEDED")}
    found = prepared(machines, answers).run("migrate_table", {"run": "r", "table": "a"})
    assert found.status == "SUCCEEDED"
    assert machines.functions.verbs() == ["Extract", "Glue", *PUBLISHED]
    (run,) = machines.functions.payloads("Glue")
    assert run == {
        "JobName": "ExtractJob",
        "Arguments": {"--run": "r", "--table": "a"},
        "WorkerType": "G.2X",
        "NumberOfWorkers": 7,
        "table": "a",
    }
    assert machines.functions.payloads("Extract") == [{"run": "r", "table": "a"}] * 2


@pytest.mark.parametrize("error", ["ConcurrentRunsExceededException", "ThrottlingException"])
def test_a_job_that_finds_no_place_is_started_again(machines: Machines, error: str) -> None:
    starts = one_after_another(*[StepError(error)] * 5, "SUCCEEDED")
    answers = {"Extract": one_after_another("glue", "done"), "Glue": starts}
    found = prepared(machines, answers).run("migrate_table", {"run": "r", "table": "a"})
    assert (found.status, machines.functions.verbs().count("Glue")) == ("SUCCEEDED", 6)


@pytest.mark.parametrize(
    ("end", "cause", "starts"),
    [
        ("FAILED", '"JobRunState": "FAILED"', 1),
        ("TIMEOUT", '"JobRunState": "TIMEOUT"', 1),
        (StepError("ThrottlingException"), "because", 9),
        (StepError("ConcurrentRunsExceededException"), "because", 81),
        (StepError("EntityNotFoundException"), "because", 1),
    ],
    ids=["failed", "timeout", "throttled", "no place", "no job"],
)
def test_a_job_that_fails_fails_its_table_with_its_reason(
    machines: Machines, end: str | StepError, cause: str, starts: int
) -> None:
    answers = {"Extract": one_after_another("glue"), "Glue": one_after_another(*[end] * starts)}
    found = prepared(machines, answers).run("migrate_table", {"run": "r", "table": "a"})
    assert (found.status, found.error) == ("FAILED", "ExtractJobFailed")
    assert machines.functions.verbs() == ["Extract", *["Glue"] * starts, "Fail"]
    (failed,) = machines.functions.payloads("Fail")
    assert failed["error"] == {"Error": "ExtractJobFailed", "Cause": found.cause}
    assert cause in found.cause


def test_a_paused_table_ends_without_a_load(machines: Machines) -> None:
    prepared(machines, {"Extract": one_after_another("extract", "paused")})
    found = machines.run("migrate_table", {"run": "r", "table": "a"})
    assert (found.status, machines.functions.verbs()) == ("SUCCEEDED", ["Extract", "Extract"])


@pytest.mark.parametrize("verb", ["Load", "Validate", "Publish"])
def test_a_step_is_called_until_it_is_done(machines: Machines, verb: str) -> None:
    prepared(machines, {verb: again(2, validated)})
    found = machines.run("migrate_table", {"run": "r", "table": "a"})
    assert found.status == "SUCCEEDED"
    assert machines.functions.verbs() == [name for name in PUBLISHED for _ in range(3 if name == verb else 1)]


def in_shares(read: Callable[[int], Payload], last: Answer) -> Answer:
    """A gate that lets three shares be read first; `last` is its answer after that."""

    def answer(payload: Payload) -> Payload:
        if "share" in payload:
            return {**payload, **read(payload["share"])}
        return last(payload) if payload["rest"] else gate_answer(payload, "lake", (0, 1, 2))

    return answer


def test_the_shares_of_a_large_table_are_read_until_each_is_done_and_then_put_together(machines: Machines) -> None:
    left = {0: 0, 1: 2, 2: 0}

    def read(share: int) -> Payload:
        left[share] -= 1
        return {"done": left[share] < 0}

    prepared(machines, {"Validate": in_shares(read, validated)})
    found = machines.run("migrate_table", {"run": "r", "table": "a"})
    assert found.status == "SUCCEEDED"
    about = {"run": "r", "table": "a"}
    first, *shares, last = machines.functions.payloads("Validate")
    assert (first, last) == ({**about, "rest": False}, {**about, "rest": True})
    assert sorted(one.pop("share") for one in shares) == [0, 1, 1, 1, 2]
    assert shares == [about] * 5
    assert machines.functions.verbs()[-1] == "Publish"


@pytest.mark.parametrize(
    ("error", "calls"), [("TerminalError", 1), ("TransientError", 9), ("Lambda.Unknown", 4), ("Sandbox.Timedout", 4)]
)
def test_a_share_that_fails_is_left_to_the_gate(machines: Machines, error: str, calls: int) -> None:
    def read(share: int) -> Payload:
        if share == 1:
            raise StepError(error)
        return {"done": True}

    prepared(machines, {"Validate": in_shares(read, validated)})
    found = machines.run("migrate_table", {"run": "r", "table": "a"})
    assert found.status == "SUCCEEDED"
    assert len([one for one in machines.functions.payloads("Validate") if one.get("share") == 1]) == calls
    assert machines.functions.verbs()[-2:] == ["Validate", "Publish"]


def test_a_gate_that_is_late_after_its_shares_lets_them_be_read_again(machines: Machines) -> None:
    rests = iter(["validate", "done"])

    def last(payload: Payload) -> Payload:
        return gate_answer(payload, next(rests))

    prepared(machines, {"Validate": in_shares(lambda _: {"done": True}, last)})
    assert machines.run("migrate_table", {"run": "r", "table": "a"}).status == "SUCCEEDED"
    asked = [one["rest"] for one in machines.functions.payloads("Validate") if "share" not in one]
    assert asked == [False, True, False, True]


def test_what_the_gate_finds_after_its_shares_fails_the_table_with_its_own_reason(machines: Machines) -> None:
    prepared(machines, {"Validate": in_shares(lambda _: {"done": True}, raising("TerminalError"))})
    found = machines.run("migrate_table", {"run": "r", "table": "a"})
    assert (found.status, found.error, machines.functions.verbs()[-1]) == ("FAILED", "TerminalError", "Fail")


@pytest.mark.parametrize("error", ["TransientError", "Lambda.TooManyRequestsException", "Lambda.Unknown"])
def test_what_may_pass_is_tried_again(machines: Machines, error: str) -> None:
    prepared(machines, {"Load": failing(2, error, done)})
    found = machines.run("migrate_table", {"run": "r", "table": "a"})
    assert found.status == "SUCCEEDED"
    assert machines.functions.verbs() == ["Extract", "Load", "Load", "Load", "Validate", "Publish"]


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        ("TerminalError", 1),
        ("TransientError", 9),
        ("Lambda.TooManyRequestsException", 61),
        ("Lambda.Unknown", 4),
        ("Runtime.ExitError", 4),
    ],
)
def test_retries_end_and_the_reason_is_recorded(machines: Machines, error: str, calls: int) -> None:
    prepared(machines, {"Extract": raising(error)})
    found = machines.run("migrate_table", {"run": "r", "table": "a"})
    assert (found.status, found.error) == ("FAILED", error)
    assert machines.functions.verbs() == ["Extract"] * calls + ["Fail"]
    assert machines.functions.payloads("Fail")[0]["error"]["Error"] == error


def test_a_table_fails_with_its_reason_even_when_that_cannot_be_recorded(machines: Machines) -> None:
    prepared(machines, {"Publish": raising("TerminalError"), "Fail": raising("Broken")})
    found = machines.run("migrate_table", {"run": "r", "table": "a"})
    assert (found.status, found.error) == ("FAILED", "TerminalError")


@pytest.mark.parametrize("verb", ["Inventory", "Plan"])
def test_a_run_that_breaks_early_has_its_report_too(machines: Machines, verb: str) -> None:
    prepared(machines, {verb: raising("TerminalError")}, status="failed")
    found = machines.run("migrate", UPLOAD)
    assert (found.status, found.error) == ("FAILED", "Failed")
    (report,) = machines.functions.payloads("Report")
    assert (report["run"], report["error"]["Error"]) == ("r", "TerminalError")
    assert "Extract" not in machines.functions.verbs()


def test_a_report_that_cannot_be_written_fails_the_run(machines: Machines) -> None:
    found = prepared(machines, {"Report": raising("TerminalError")}).run("migrate", UPLOAD)
    assert (found.status, found.error) == ("FAILED", "ReportFailed")


def test_views_are_created_until_they_are_done(machines: Machines) -> None:
    found = prepared(machines, {"Views": again(2, done)}).run("migrate", UPLOAD)
    assert found.status == "SUCCEEDED"
    assert machines.functions.payloads("Views") == [{"run": "r"}] * 3
    assert machines.functions.verbs()[-4:] == ["Views", "Views", "Views", "Report"]


def test_views_that_break_are_reported_as_the_reason(machines: Machines) -> None:
    found = prepared(machines, {"Views": raising("TerminalError")}, status="failed").run("migrate", UPLOAD)
    assert (found.status, found.error) == ("FAILED", "Failed")
    assert machines.functions.payloads("Report")[0]["error"]["Error"] == "TerminalError"


def test_no_more_tables_are_under_way_than_the_plan_allows(machines: Machines) -> None:
    under_way, most, lock = [0], [0], threading.Lock()

    def extract(payload: Payload) -> Payload:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.3)
        with lock:
            under_way[0] -= 1
        return extracted(payload)

    found = prepared(machines, {"Extract": extract}, concurrency=2).run("migrate", UPLOAD)
    assert (found.status, most[0]) == ("SUCCEEDED", 2)


def test_in_scheduled_mode_a_table_stops_after_its_extraction(machines: Machines) -> None:
    prepared(machines, {"Extract": lambda payload: extract_answer(payload, "done", load=False)})
    found = machines.run("migrate_table", {"run": "r", "table": "a"})
    assert (found.status, machines.functions.verbs()) == ("SUCCEEDED", ["Extract"])


def pending(machines: Machines, runs: list[str]) -> Answer:
    items: list[dict[str, Any]] = [{"tables": [{"run": run, "table": f"{run}-table"}]} for run in runs]
    place = machines.put_items(items)
    return lambda _: {"count": len(items), "items": place, "maxConcurrency": 2, "runs": runs}


def test_the_scheduled_load_begins_at_load_and_reports_each_run(machines: Machines) -> None:
    prepared(machines)
    machines.functions.answers["Pending"] = pending(machines, ["r1", "r2"])
    found = machines.run("load", {})
    assert found.status == "SUCCEEDED"
    assert [machines.functions.verbs(f"{run}-table") for run in ("r1", "r2")] == [PUBLISHED[1:]] * 2
    assert sorted(payload["run"] for payload in machines.functions.payloads("Views")) == ["r1", "r2"]
    reports = sorted(machines.functions.payloads("Report"), key=lambda payload: str(payload["run"]))
    assert reports == [{"run": run, "refresh": True} for run in ("r1", "r2")]
    assert machines.functions.payloads("Pending") == [{"execution": found.executionArn, "wanted": {}}]


def test_the_tables_of_one_target_are_loaded_one_after_the_other(machines: Machines) -> None:
    prepared(machines, {"Load": failing(1, "TerminalError", done)})
    place = machines.put_items([{"tables": [{"run": run, "table": "same"} for run in ("old", "new")]}])
    runs = ["new", "old"]
    machines.functions.answers["Pending"] = lambda _: {"count": 1, "items": place, "maxConcurrency": 2, "runs": runs}
    wanted = {"run": "old", "tables": ["same"]}
    assert machines.run("load", wanted).status == "SUCCEEDED"
    assert machines.functions.verbs("same") == ["Load", "Fail", *PUBLISHED[1:]]
    assert [payload["run"] for payload in machines.functions.payloads("Load")] == ["old", "new"]
    assert machines.functions.payloads("Pending")[0]["wanted"] == wanted


@pytest.mark.parametrize("status", list(RunState))
def test_the_scheduled_load_takes_any_state_of_a_run(machines: Machines, status: RunState) -> None:
    prepared(machines, status=status.value)
    machines.functions.answers["Pending"] = pending(machines, ["r1"])
    assert machines.run("load", {}).status == "SUCCEEDED"


def test_the_scheduled_load_ends_at_once_when_nothing_waits(machines: Machines) -> None:
    prepared(machines)
    machines.functions.answers["Pending"] = pending(machines, [])
    found = machines.run("load", {})
    assert (found.status, machines.functions.verbs()) == ("SUCCEEDED", ["Pending"])


def test_a_table_that_fails_in_the_scheduled_load_stops_no_other(machines: Machines) -> None:
    def load(payload: Payload) -> Payload:
        if payload["run"] == "r1":
            raise StepError("TerminalError")
        return done(payload)

    prepared(machines, {"Load": load})
    machines.functions.answers["Pending"] = pending(machines, ["r1", "r2"])
    assert machines.run("load", {}).status == "SUCCEEDED"
    assert machines.functions.verbs("r1-table") == ["Load", "Fail"]
    assert machines.functions.verbs("r2-table") == PUBLISHED[1:]


def test_the_scheduled_load_fails_with_the_error_of_its_search(machines: Machines) -> None:
    found = prepared(machines, {"Pending": raising("TerminalError")}).run("load", {})
    assert (found.status, found.error) == ("FAILED", "TerminalError")
