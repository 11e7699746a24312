"""IAM roles and policies."""

from __future__ import annotations

from localcloud.aws.api import Api
from localcloud.aws.resources.model import Made, Props, ResourceType, document, names, pick


def _create_role(api: Api, name: str, props: Props) -> Made:
    values = {
        "RoleName": name,
        "AssumeRolePolicyDocument": document(props["AssumeRolePolicyDocument"]),
        **pick(props, "Path", "Description", "MaxSessionDuration", "PermissionsBoundary", "Tags"),
    }
    role = api.call("iam", "CreateRole", values)["Role"]
    made = Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})
    return _fill_role(api, made, props)


def _fill_role(api: Api, made: Made, props: Props) -> Made:
    role = {"RoleName": made.physical_id}
    for arn in props.get("ManagedPolicyArns", []):
        api.call("iam", "AttachRolePolicy", {**role, "PolicyArn": arn})
    for policy in props.get("Policies", []):
        text = document(policy["PolicyDocument"])
        api.call("iam", "PutRolePolicy", {**role, "PolicyName": policy["PolicyName"], "PolicyDocument": text})
    return made


def _update_role(api: Api, made: Made, props: Props) -> Made:
    role = {"RoleName": made.physical_id}
    trust = document(props["AssumeRolePolicyDocument"])
    api.call("iam", "UpdateAssumeRolePolicy", {**role, "PolicyDocument": trust})
    wanted = {policy["PolicyName"] for policy in props.get("Policies", [])} | _policies_of_stack(api, made)
    for policy in api.call("iam", "ListRolePolicies", role)["PolicyNames"]:
        if policy not in wanted:
            api.call("iam", "DeleteRolePolicy", {**role, "PolicyName": policy})
    for attached in api.call("iam", "ListAttachedRolePolicies", role)["AttachedPolicies"]:
        if attached["PolicyArn"] not in props.get("ManagedPolicyArns", []):
            api.call("iam", "DetachRolePolicy", {**role, "PolicyArn": attached["PolicyArn"]})
    return _fill_role(api, made, props)


# Names of policies that AWS::IAM::Policy resources have put into roles; a role's own update leaves them alone.
_separate_policies: set[tuple[str, str]] = set()


def _policies_of_stack(api: Api, made: Made) -> set[str]:  # noqa: ARG001
    return {policy for role, policy in _separate_policies if role == made.physical_id}


def _delete_role(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    role = {"RoleName": made.physical_id}
    for policy in api.call("iam", "ListRolePolicies", role)["PolicyNames"]:
        api.call("iam", "DeleteRolePolicy", {**role, "PolicyName": policy})
    for attached in api.call("iam", "ListAttachedRolePolicies", role)["AttachedPolicies"]:
        api.call("iam", "DetachRolePolicy", {**role, "PolicyArn": attached["PolicyArn"]})
    api.call("iam", "DeleteRole", role)


def _put_policy(api: Api, name: str, props: Props) -> Made:
    for role in props["Roles"]:
        text = document(props["PolicyDocument"])
        values = {"RoleName": role, "PolicyName": props["PolicyName"], "PolicyDocument": text}
        api.call("iam", "PutRolePolicy", values)
        _separate_policies.add((role, props["PolicyName"]))
    return Made(name)


def _delete_policy(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    for role in props["Roles"]:
        api.call("iam", "DeleteRolePolicy", {"RoleName": role, "PolicyName": props["PolicyName"]})
        _separate_policies.discard((role, props["PolicyName"]))


def _create_managed_policy(api: Api, name: str, props: Props) -> Made:
    values = {"PolicyName": name, "PolicyDocument": document(props["PolicyDocument"]), **pick(props, "Description")}
    arn = api.call("iam", "CreatePolicy", {**values, **pick(props, "Path")})["Policy"]["Arn"]
    for role in props.get("Roles", []):
        api.call("iam", "AttachRolePolicy", {"RoleName": role, "PolicyArn": arn})
    return Made(arn)


def _delete_managed_policy(api: Api, made: Made, props: Props) -> None:
    for role in props.get("Roles", []):
        api.call("iam", "DetachRolePolicy", {"RoleName": role, "PolicyArn": made.physical_id})
    api.call("iam", "DeletePolicy", {"PolicyArn": made.physical_id})


TYPES = (
    ResourceType(
        "AWS::IAM::Role",
        names(
            "RoleName AssumeRolePolicyDocument Path Description MaxSessionDuration ManagedPolicyArns Policies "
            "PermissionsBoundary Tags"
        ),
        _create_role,
        _delete_role,
        _update_role,
        replace_on=names("RoleName Path"),
        attributes=names("Arn RoleId"),
        name_property="RoleName",
    ),
    ResourceType(
        "AWS::IAM::Policy",
        names("PolicyName PolicyDocument Roles"),
        _put_policy,
        _delete_policy,
        lambda api, made, props: _put_policy(api, made.physical_id, props),
        replace_on=names("PolicyName Roles"),
    ),
    ResourceType(
        "AWS::IAM::ManagedPolicy",
        names("ManagedPolicyName PolicyDocument Description Path Roles"),
        _create_managed_policy,
        _delete_managed_policy,
        name_property="ManagedPolicyName",
        name_limit=128,
    ),
)
