"""Lambda functions and layers, state machines, Glue jobs."""

from __future__ import annotations

import json
from typing import Any

from localcloud.aws.api import Api
from localcloud.aws.resources.model import Made, Props, ResourceType, names, nothing, pick, tag_map

CONFIGURATION = (
    "Role",
    "Handler",
    "Runtime",
    "Timeout",
    "MemorySize",
    "Environment",
    "Layers",
    "Description",
    "TracingConfig",
    "EphemeralStorage",
    "KmsKeyArn",
)


def _create_function(api: Api, name: str, props: Props) -> Made:
    code = pick(props["Code"], "S3Bucket", "S3Key", "S3ObjectVersion")
    if set(props["Code"]) - set(code):
        raise ValueError("Code: the twin takes a function's code from S3 only (S3Bucket, S3Key)")
    values = {
        "FunctionName": name,
        "Code": code,
        "Tags": tag_map(props),
        **pick(props, *CONFIGURATION, "Architectures"),
    }
    arn = api.call("lambda", "CreateFunction", values)["FunctionArn"]
    _reserve(api, name, props)
    return Made(name, {"Arn": arn})


def _reserve(api: Api, name: str, props: Props) -> None:
    function = {"FunctionName": name}
    if "ReservedConcurrentExecutions" in props:
        values = {**function, **pick(props, "ReservedConcurrentExecutions")}
        api.call("lambda", "PutFunctionConcurrency", values)
    else:
        api.call("lambda", "DeleteFunctionConcurrency", function)


def _update_function(api: Api, made: Made, props: Props) -> Made:
    function = {"FunctionName": made.physical_id}
    api.call("lambda", "UpdateFunctionCode", {**function, **pick(props["Code"], "S3Bucket", "S3Key")})
    defaults = {"Environment": {"Variables": {}}, "Layers": []}
    api.call("lambda", "UpdateFunctionConfiguration", {**function, **defaults, **pick(props, *CONFIGURATION)})
    _reserve(api, made.physical_id, props)
    return made


def _delete_function(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("lambda", "DeleteFunction", {"FunctionName": made.physical_id})


def _publish_layer(api: Api, name: str, props: Props) -> Made:
    wanted = ("Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")
    content = pick(props["Content"], "S3Bucket", "S3Key", "S3ObjectVersion")
    values = {"LayerName": name, "Content": content, **pick(props, *wanted)}
    return Made(api.call("lambda", "PublishLayerVersion", values)["LayerVersionArn"])


def _add_permission(api: Api, name: str, props: Props) -> Made:
    wanted = ("FunctionName", "Action", "Principal", "SourceArn", "SourceAccount")
    api.call("lambda", "AddPermission", {"StatementId": name, **pick(props, *wanted)})
    return Made(name)


def _remove_permission(api: Api, made: Made, props: Props) -> None:
    values = {"FunctionName": props["FunctionName"], "StatementId": made.physical_id}
    api.call("lambda", "RemovePermission", values)


def _put_invoke_config(api: Api, name: str, props: Props) -> Made:
    wanted = ("FunctionName", "MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
    if props.get("Qualifier", "$LATEST") != "$LATEST":
        raise ValueError("Qualifier: the twin runs $LATEST only")
    api.call("lambda", "PutFunctionEventInvokeConfig", pick(props, *wanted))
    return Made(name)


def _machine_definition(api: Api, props: Props) -> str:
    if "DefinitionString" in props:
        text = str(props["DefinitionString"])
    elif "Definition" in props:
        text = json.dumps(props["Definition"])
    else:
        text = _definition_from_s3(api, props["DefinitionS3Location"])
    for name, value in props.get("DefinitionSubstitutions", {}).items():
        text = text.replace("${" + name + "}", json.dumps(str(value))[1:-1])
    return text


def _definition_from_s3(api: Api, location: Props) -> str:
    found = api.call("s3", "GetObject", {"Bucket": location["Bucket"], "Key": location["Key"]})
    return str(found["Body"].read().decode())


def _machine_values(api: Api, props: Props) -> dict[str, Any]:
    wanted = ("RoleArn", "LoggingConfiguration", "TracingConfiguration")
    return {"definition": _machine_definition(api, props), **pick(props, *wanted)}


def _create_machine(api: Api, name: str, props: Props) -> Made:
    values = {"name": name, "type": props.get("StateMachineType", "STANDARD"), **_machine_values(api, props)}
    arn = api.call("stepfunctions", "CreateStateMachine", values)["stateMachineArn"]
    return Made(arn, {"Arn": arn, "Name": name})


def _update_machine(api: Api, made: Made, props: Props) -> Made:
    values = {"stateMachineArn": made.physical_id, **_machine_values(api, props)}
    api.call("stepfunctions", "UpdateStateMachine", values)
    return made


def _delete_machine(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("stepfunctions", "DeleteStateMachine", {"stateMachineArn": made.physical_id})


JOB = (
    "Role",
    "Command",
    "Description",
    "ExecutionProperty",
    "DefaultArguments",
    "NonOverridableArguments",
    "Connections",
    "MaxRetries",
    "Timeout",
    "GlueVersion",
    "NumberOfWorkers",
    "WorkerType",
    "ExecutionClass",
    "SecurityConfiguration",
)


def _create_job(api: Api, name: str, props: Props) -> Made:
    api.call("glue", "CreateJob", {"Name": name, "Tags": tag_map(props), **pick(props, *JOB)})
    return Made(name)


def _delete_job(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("glue", "DeleteJob", {"JobName": made.physical_id})


def _create_security(api: Api, name: str, props: Props) -> Made:
    configuration = dict(props["EncryptionConfiguration"])
    if "S3Encryptions" in configuration:
        configuration["S3Encryption"] = configuration.pop("S3Encryptions")
    values = {"Name": name, "EncryptionConfiguration": configuration}
    api.call("glue", "CreateSecurityConfiguration", values)
    return Made(name)


def _delete_security(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("glue", "DeleteSecurityConfiguration", {"Name": made.physical_id})


def _create_database(api: Api, name: str, props: Props) -> Made:
    values = {"Name": name, **props["DatabaseInput"]}
    api.call("glue", "CreateDatabase", {"DatabaseInput": values})
    return Made(str(values["Name"]))


def _delete_database(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("glue", "DeleteDatabase", {"Name": made.physical_id})


def _function_version(api: Api, name: str, props: Props) -> Made:  # noqa: ARG001
    found = api.call("lambda", "PublishVersion", pick(props, "FunctionName", "Description"))
    return Made(found["FunctionArn"], {"Version": found["Version"], "FunctionArn": found["FunctionArn"]})


TYPES = (
    ResourceType(
        "AWS::Lambda::Function",
        frozenset(CONFIGURATION) | names("FunctionName Code Architectures ReservedConcurrentExecutions Tags"),
        _create_function,
        _delete_function,
        _update_function,
        inert=names("LoggingConfig PackageType"),
        replace_on=names("FunctionName Architectures"),
        attributes=names("Arn"),
        name_property="FunctionName",
    ),
    ResourceType(
        "AWS::Lambda::LayerVersion",
        names("LayerName Content Description CompatibleRuntimes CompatibleArchitectures LicenseInfo"),
        _publish_layer,
        nothing,
        name_property="LayerName",
        name_limit=140,
    ),
    ResourceType(
        "AWS::Lambda::Permission",
        names("FunctionName Action Principal SourceArn SourceAccount"),
        _add_permission,
        _remove_permission,
        name_limit=100,
    ),
    ResourceType(
        "AWS::Lambda::EventInvokeConfig",
        names("FunctionName Qualifier MaximumRetryAttempts DestinationConfig"),
        _put_invoke_config,
        nothing,
        lambda api, made, props: _put_invoke_config(api, made.physical_id, props),
        inert=names("MaximumEventAgeInSeconds"),
        replace_on=names("FunctionName"),
    ),
    ResourceType(
        "AWS::Lambda::Version",
        names("FunctionName Description"),
        _function_version,
        nothing,
        attributes=names("Version FunctionArn"),
    ),
    ResourceType(
        "AWS::StepFunctions::StateMachine",
        names(
            "StateMachineName StateMachineType DefinitionString Definition DefinitionS3Location "
            "DefinitionSubstitutions RoleArn LoggingConfiguration TracingConfiguration"
        ),
        _create_machine,
        _delete_machine,
        _update_machine,
        inert=names("Tags"),
        replace_on=names("StateMachineName StateMachineType"),
        attributes=names("Arn Name"),
        name_property="StateMachineName",
        name_limit=80,
    ),
    ResourceType(
        "AWS::Glue::Job",
        frozenset(JOB) | names("Name Tags"),
        _create_job,
        _delete_job,
        name_property="Name",
        name_limit=255,
    ),
    ResourceType(
        "AWS::Glue::SecurityConfiguration",
        names("Name EncryptionConfiguration"),
        _create_security,
        _delete_security,
        name_property="Name",
        name_limit=255,
    ),
    ResourceType("AWS::Glue::Database", names("CatalogId DatabaseInput"), _create_database, _delete_database),
)
