"""What can be known of the state machines without running them."""

import re

import pytest

from infra.config import STAGES, Verb
from lakeshift.load.step import POLL_SECONDS
from lakeshift.validate.measure import MOST_SHARES
from tests.infra.templates import Assembly
from tests.state_machines.machines import (
    FOLDER,
    NAMES,
    Graph,
    State,
    definition,
    graphs,
    of_type,
    states,
    substitutions,
)

LAMBDA = "arn:aws:states:::lambda:invoke"
RUN_JOB = "arn:aws:states:::glue:startJobRun.sync"
RUN_TABLE = "arn:aws:states:::states:startExecution.sync:2"
RETRIED = {
    "TransientError",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Sandbox.Timedout",
}
# A throttled start has the name of the service's own error, since neither API names throttling among its errors.
STARTS = {
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.ExecutionLimitExceeded",
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.SdkClientException",
    "StepFunctions.ThrottlingException",
}
PLACES = {"Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"}
JOB_STARTS = {
    "Glue.AWSGlueException",
    "Glue.InternalServiceException",
    "Glue.OperationTimeoutException",
    "Glue.SdkClientException",
    "Glue.ThrottlingException",
}
KNOWN_ERRORS = (
    RETRIED
    | STARTS
    | PLACES
    | JOB_STARTS
    | {
        "TerminalError",
        "States.DataLimitExceeded",
        "States.ExceedToleratedFailureThreshold",
        "States.ItemReaderFailed",
        "States.TaskFailed",
        "States.Timeout",
    }
)
TASKS = of_type("Task")
FUNCTIONS = [(name, state) for name, state in TASKS if state["Resource"] == LAMBDA]
ENDS = {"Succeed", "Fail"}


def named(pairs: list[tuple[str, State]]) -> list[object]:
    """Parameters with the path of the state as their name."""
    return [pytest.param(state, id=name) for name, state in pairs]


def verb_of(state: State) -> Verb:
    """The verb whose function a task calls."""
    found = re.fullmatch(r"\$\{(\w+)FunctionArn\}", state["Parameters"]["FunctionName"])
    assert found
    verb: Verb = found.group(1).lower()  # type: ignore[assignment]
    return verb


@pytest.mark.parametrize("graph", graphs(), ids=str)
def test_every_state_is_reached_and_every_target_exists(graph: Graph) -> None:
    assert graph.reachable() == set(graph.states)


@pytest.mark.parametrize("graph", graphs(), ids=str)
def test_every_path_can_end(graph: Graph) -> None:
    ending = {name for name, state in graph.states.items() if state["Type"] in ENDS or state.get("End")}
    for name in graph.states:
        assert Graph(graph.where, name, graph.states).reachable() & ending, name


@pytest.mark.parametrize("state", named(states()))
def test_a_state_is_explained_and_named_like_a_verb_or_an_outcome(request: pytest.FixtureRequest, state: State) -> None:
    name = request.node.callspec.id.split("/")[-1]
    assert re.fullmatch(r"([A-Z][a-z]+)+", name)
    assert len(state["Comment"]) > 15


@pytest.mark.parametrize("state", named(TASKS))
def test_a_task_has_a_time_limit_retries_and_named_catches(state: State) -> None:
    assert state["TimeoutSeconds"] > 0
    for retrier in state["Retry"]:
        assert retrier["JitterStrategy"] == "FULL"
        assert retrier["BackoffRate"] > 1
        assert retrier["IntervalSeconds"] <= retrier["MaxDelaySeconds"]
        assert retrier["MaxAttempts"] > 0
    caught = [name for catcher in state["Catch"] for name in catcher["ErrorEquals"]]
    assert {"States.TaskFailed", "States.Timeout"} <= set(caught)


@pytest.mark.parametrize("state", named(FUNCTIONS))
def test_a_function_is_retried_for_what_may_pass_and_never_for_a_terminal_error(state: State) -> None:
    retried = [name for retrier in state["Retry"] for name in retrier["ErrorEquals"]]
    assert sorted(retried) == sorted(RETRIED)


@pytest.mark.parametrize("state", named(FUNCTIONS))
def test_a_function_without_a_free_place_is_waited_for_longer_than_another_may_take(state: State) -> None:
    """An account that is new has few places; a table that finds none must outlast the calls of the others."""
    (throttled,) = [one for one in state["Retry"] if "Lambda.TooManyRequestsException" in one["ErrorEquals"]]
    assert throttled["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
    waits = [
        min(throttled["IntervalSeconds"] * throttled["BackoffRate"] ** attempt, throttled["MaxDelaySeconds"])
        for attempt in range(throttled["MaxAttempts"])
    ]
    assert sum(waits) == 3_362
    # Full jitter makes it half on average.
    assert sum(waits) / 2 > 900


@pytest.mark.parametrize("state", named([pair for pair in TASKS if pair[1]["Resource"] == RUN_TABLE]))
def test_a_table_execution_is_started_again_only_when_it_never_began(state: State) -> None:
    retried = [name for retrier in state["Retry"] for name in retrier["ErrorEquals"]]
    assert set(retried) == STARTS
    assert "Name" not in state["Parameters"]


def test_a_job_is_started_again_only_when_it_never_began() -> None:
    ((_, state),) = [pair for pair in TASKS if pair[1]["Resource"] == RUN_JOB]
    retried = [set(retrier["ErrorEquals"]) for retrier in state["Retry"]]
    assert retried == [PLACES, JOB_STARTS]


def test_all_shares_of_a_table_are_read_at_a_time() -> None:
    assert definition("migrate_table")["States"]["ReadLake"]["MaxConcurrency"] == MOST_SHARES


def test_waiting_for_a_place_and_the_run_of_a_job_fit_a_table() -> None:
    machine = definition("migrate_table")
    state = machine["States"]["ExtractOnGlue"]
    place = state["Retry"][0]
    waits = [
        min(place["IntervalSeconds"] * place["BackoffRate"] ** attempt, place["MaxDelaySeconds"])
        for attempt in range(place["MaxAttempts"])
    ]
    assert sum(waits) == 45_930
    assert sum(waits) + state["TimeoutSeconds"] + 10_000 < machine["TimeoutSeconds"]
    for stage in STAGES.values():
        assert stage.glue.timeout_minutes * 60 < state["TimeoutSeconds"]


@pytest.mark.parametrize("state", named(states()))
def test_errors_are_known_and_none_is_caught_wholesale(state: State) -> None:
    rules = [*state.get("Retry", []), *state.get("Catch", [])]
    names = {name for rule in rules for name in rule["ErrorEquals"]}
    assert names <= KNOWN_ERRORS


@pytest.mark.parametrize("state", named(of_type("Map")))
def test_a_map_has_a_bound_and_catches_by_name(state: State) -> None:
    assert ("MaxConcurrency" in state) != ("MaxConcurrencyPath" in state)
    assert state["Catch"]


@pytest.mark.parametrize("state", named(FUNCTIONS))
def test_a_task_waits_longer_than_its_function_may_run(state: State) -> None:
    for stage in STAGES.values():
        assert stage.functions[verb_of(state)].timeout_seconds < state["TimeoutSeconds"]


def test_limits_nest() -> None:
    table = definition("migrate_table")["TimeoutSeconds"]
    for name in ("migrate", "load"):
        (started,) = [state for path, state in TASKS if path.startswith(name) and state["Resource"] == RUN_TABLE]
        assert table < started["TimeoutSeconds"] < definition(name)["TimeoutSeconds"]


@pytest.mark.parametrize("verb", ["Load", "Publish"])
def test_waiting_for_the_warehouse_all_day_fits_the_event_history(verb: str) -> None:
    """An execution has 25,000 events; a round is a task (5), a choice (2) and a wait (2), a retry 3 more."""
    machine = definition("migrate_table")
    round_seconds = POLL_SECONDS + machine["States"][f"Await{verb}"]["Seconds"]
    rounds = machine["TimeoutSeconds"] / round_seconds
    assert rounds * (5 + 2 + 2) < 20_000


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_explains_every_state(name: str) -> None:
    readme = (FOLDER / "README.md").read_text()
    section = readme.split(f"## {name}\n")[1].split("\n## ")[0]
    rows = {line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")}
    found = {path.split("/")[-1] for path, _ in states() if path.split("/")[0] == name}
    assert found == rows - {"state"}


@pytest.mark.parametrize("state", named(TASKS))
def test_the_readme_gives_the_time_limit_of_every_task(request: pytest.FixtureRequest, state: State) -> None:
    name, *_, task = request.node.callspec.id.split("/")
    section = (FOLDER / "README.md").read_text().split(f"## {name}\n")[1].split("\n## ")[0]
    (row,) = [line for line in section.splitlines() if line.startswith(f"| {task} |")]
    assert row.split("|")[-2].strip() == f"{state['TimeoutSeconds']:,} s"


@pytest.mark.parametrize("name", NAMES)
def test_infra_substitutes_exactly_what_the_definition_names(assembly: Assembly, name: str) -> None:
    machine = "".join(part.capitalize() for part in name.split("_"))
    found = assembly.stack("prod", "Pipeline").one("AWS::StepFunctions::StateMachine", f"Machines{machine}Machine")
    assert set(found["DefinitionSubstitutions"]) == substitutions(name)


@pytest.mark.parametrize("state", named(states()))
def test_a_state_uses_what_the_local_interpreter_knows_too(state: State) -> None:
    beyond = {"QueryLanguage", "Assign", "Arguments", "Output", "ToleratedFailurePercentage", "ItemBatcher"}
    assert not beyond & set(state)
