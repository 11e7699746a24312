"""CloudFormation on the twin: moto resolves templates, the registry makes resources, nothing is left out in silence."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import (
    AlreadyExistsException,
    UnformattedGetAttTemplateException,
    ValidationError,
)
from moto.cloudformation.models import CloudFormationBackend, Stack
from moto.cloudformation.parsing import ResourceMap
from moto.cloudformation.utils import generate_stack_id

from localcloud.aws import template as checks
from localcloud.aws.api import Api
from localcloud.aws.resources.model import Made, ResourceType
from localcloud.aws.resources.registry import REGISTRY

SUFFIX = string.ascii_uppercase + string.digits


class ResourceError(Exception):
    """A resource that could not be made, with its logical id."""

    def __init__(self, logical_id: str, kind: str, cause: Exception) -> None:
        super().__init__(f"Resource {logical_id} ({kind}): {cause}")


class Deployed:
    """A resource of a stack, in the form in which moto's CloudFormation keeps it."""

    def __init__(self, kind: ResourceType, api: Api, logical_id: str, made: Made, props: Mapping[str, Any]) -> None:
        self.kind = kind
        self.api = api
        self.logical_resource_id = logical_id
        self.cf_resource_type = kind.name
        self.made = made
        self.props = props

    @property
    def type(self) -> str:
        return self.kind.name

    @property
    def physical_resource_id(self) -> str:
        return self.made.physical_id

    def get_cfn_attribute(self, name: str) -> str:
        if name not in self.made.attributes:
            raise UnformattedGetAttTemplateException()
        return self.made.attributes[name]

    def is_created(self) -> bool:
        return bool(self.made.physical_id)

    def delete(self) -> None:
        self.kind.delete(self.api, self.made, self.props)

    def update(self, props: Mapping[str, Any]) -> bool:
        """Updates in place; False when the change needs a new resource."""
        changed = {key for key in set(props) | set(self.props) if props.get(key) != self.props.get(key)}
        if not changed:
            return True
        if self.kind.update is None or changed & self.kind.replace_on:
            return False
        if changed - self.kind.inert:
            self.made = self.kind.update(self.api, self.made, props)
        self.props = props
        return True


class Maker:
    """What moto takes for the class of a resource type."""

    def __init__(self, kind: ResourceType, api: Api) -> None:
        self.kind = kind
        self._api = api

    def create_from_cloudformation_json(
        self,
        resource_name: str,
        cloudformation_json: Any,
        account_id: str,  # noqa: ARG002
        region_name: str,  # noqa: ARG002
        **rest: Any,
    ) -> Deployed:
        props = without_none(cloudformation_json["Properties"])
        logical_id = rest["LogicalId"]
        try:
            made = self.kind.create(self._api, resource_name, props)
        except (BotoCoreError, ClientError, ValueError, KeyError) as error:
            raise ResourceError(logical_id, self.kind.name, error) from error
        return Deployed(self.kind, self._api, logical_id, made, props)

    def has_cfn_attr(self, name: str) -> bool:
        return name in self.kind.attributes


def without_none(value: Any) -> Any:
    """Drops what AWS::NoValue left behind."""
    if isinstance(value, dict):
        return {key: without_none(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_none(each) for each in value if each is not None]
    return value


def install(endpoint_url: str) -> None:
    """Replaces how moto's CloudFormation makes, names, updates and reports resources."""
    api = Api(endpoint_url)
    makers = {name: Maker(kind, api) for name, kind in REGISTRY.items()}
    names = {name: kind.name_property for name, kind in REGISTRY.items()}
    parser: Any = parsing
    parser.resource_class_from_type = makers.__getitem__
    parser.resource_name_property_from_type = names.__getitem__
    parser.generate_resource_name = resource_name
    backend: Any = CloudFormationBackend
    backend.create_stack = create_stack
    backend.update_stack = update_stack
    backend.create_change_set = _no_change_sets
    resource_map: Any = ResourceMap
    resource_map.delete = delete_resources


def resource_name(resource_type: str, stack_name: str, logical_id: str) -> str:
    """A generated name of the allowed length, in CloudFormation's form."""
    kind = REGISTRY[resource_type]
    suffix = "".join(secrets.choice(SUFFIX) for _ in range(12))
    room = kind.name_limit - len(suffix) - 2
    stack = stack_name[: max(room - len(logical_id), room // 2)]
    name = f"{stack}-{logical_id[: room - len(stack)]}-{suffix}"
    return name.lower() if resource_type == "AWS::S3::Bucket" else name


def _no_change_sets(*arguments: Any, **rest: Any) -> None:  # noqa: ARG001
    raise ValidationError(message="The local twin creates and updates stacks directly, without change sets")


def _require_supported(template: Any, parameters: Mapping[str, Any]) -> Any:
    parsed = Stack.parse_template(template)
    if not parsed.get("Resources"):
        raise ValidationError(message="At least one Resources member must be defined.")
    found = [*checks.problems(parsed), *checks.parameter_problems(parsed, parameters)]
    if found:
        raise ValidationError(message="The local twin cannot deploy this template:\n" + "\n".join(found))
    return parsed


def create_stack(backend: Any, name: str, template: str, parameters: dict[str, Any], **options: Any) -> Stack:
    """Creates all resources or none; the stack's status and events say what happened."""
    if any(stack.name == name for stack in backend.stacks.values()):
        raise AlreadyExistsException(f"Stack {name} already exists")
    _require_supported(template, parameters)
    make: Any = Stack
    stack: Any = make(
        stack_id=generate_stack_id(name, backend.region_name, backend.account_id),
        name=name,
        template=template,
        parameters=parameters,
        account_id=backend.account_id,
        region_name=backend.region_name,
        cross_stack_resources=backend.exports,
        **options,
    )
    stack.resource_map.cross_stack_resources = backend.exports
    texts(stack.resource_map)
    backend.stacks[stack.stack_id] = stack
    stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")
    try:
        stack.create_resources()
        _verify(stack)
        _publish_exports(backend, stack)
    except Exception as error:  # noqa: BLE001 - whatever failed is the stack's reason
        _roll_back(stack, error)
    made: Stack = stack
    return made


def _roll_back(stack: Any, error: Exception) -> None:
    stack._add_stack_event("CREATE_FAILED", resource_status_reason=str(error))
    try:
        stack.resource_map.delete()
        status = "ROLLBACK_COMPLETE"
    except Exception as left:  # noqa: BLE001 - what could not be removed is reported too
        status = "ROLLBACK_FAILED"
        stack._add_stack_event(status, resource_status_reason=str(left))
    stack.status = status
    stack.stack_status_reason = str(error)


def delete_resources(resource_map: Any) -> None:
    """Removes what a stack has made, the newest first; what is to be retained stays."""
    made = [each for each in resource_map._parsed_resources.items() if isinstance(each[1], Deployed)]
    for name, resource in reversed(made):
        if resource_map._resource_json_map[name].get("DeletionPolicy") != "Retain":
            resource.delete()
        del resource_map._parsed_resources[name]


def _verify(stack: Any) -> None:
    """Every resource whose condition holds has a physical id."""
    resource_map = stack.resource_map
    for name, resource in stack.template_dict["Resources"].items():
        condition = resource.get("Condition")
        if condition and not resource_map.lazy_condition_map[condition]:
            continue
        if not getattr(resource_map[name], "physical_resource_id", None):
            raise ValidationError(message=f"Resource {name} ({resource['Type']}) was not created")


def _publish_exports(backend: Any, stack: Any) -> None:
    for name in [name for name, export in backend.exports.items() if export.exporting_stack_id == stack.stack_id]:
        del backend.exports[name]
    for export in stack.exports:
        if export.name in backend.exports:
            raise ValidationError(message=f"Export with name {export.name} is already exported by another stack")
        backend.exports[export.name] = export


def texts(resource_map: Any) -> None:
    """Number parameters are texts to Ref, as in CloudFormation; moto makes them numbers."""
    for name, value in resource_map.resolved_parameters.items():
        if isinstance(value, int | float):
            resource_map._parsed_resources[name] = str(value)


def update_stack(
    backend: Any, name: str, template: str, role_arn: str | None, parameters: list[dict[str, Any]], tags: Any
) -> Stack:
    """Brings every resource to its new properties, also those that change only because another one was replaced."""
    stack: Any = backend.get_stack(name)
    resolved = backend._resolve_update_parameters(instance=stack, incoming_params=parameters)
    parsed = _require_supported(template, resolved)
    if parsed == Stack.parse_template(stack.template) and _effective(parsed, resolved) == _effective(
        parsed, stack.parameters
    ):
        raise ValidationError(message="No updates are to be performed.")
    stack._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
    before = stack.template_dict
    stack.template, stack.parameters, stack.role_arn, stack.tags = template, resolved, role_arn, tags or stack.tags
    stack._parse_template()
    try:
        Update(stack.resource_map, before, parsed, resolved, backend.exports).run()
        stack.output_map = stack._create_output_map()
        _verify(stack)
        _publish_exports(backend, stack)
    except Exception as error:  # noqa: BLE001 - whatever failed is the stack's reason
        stack._add_stack_event("UPDATE_FAILED", resource_status_reason=str(error))
        stack.status, stack.stack_status_reason = "UPDATE_ROLLBACK_FAILED", str(error)
    else:
        stack._add_stack_event("UPDATE_COMPLETE")
        stack.status = "UPDATE_COMPLETE"
    result: Stack = stack
    return result


def _effective(template: Any, given: Mapping[str, Any]) -> dict[str, str]:
    """Parameter values with the template's defaults."""
    declared = template.get("Parameters", {})
    return {name: str(given.get(name, each.get("Default"))) for name, each in declared.items()}


class Update:
    """One stack update: resources in the order of their references, removals last."""

    def __init__(self, resource_map: Any, before: Any, after: Any, parameters: Any, exports: Any) -> None:
        self._map = resource_map
        self._before = before["Resources"]
        self._resources = after["Resources"]
        self._settled: set[str] = set()
        self._obsolete: list[Deployed] = []
        resource_map._template = after
        resource_map._resource_json_map = self._resources
        resource_map.input_parameters = parameters
        resource_map.resolved_parameters = {}
        resource_map.cross_stack_resources = exports
        self._deployed = {
            name: each for name, each in resource_map._parsed_resources.items() if isinstance(each, Deployed)
        }

    def run(self) -> None:
        self._map.load_mapping()
        self._map.load_parameters()
        texts(self._map)
        self._map.load_conditions()
        for name in self._resources:
            self._settle(name)
        self._remove()

    def _settle(self, name: str) -> None:
        if name in self._settled:
            return
        self._settled.add(name)
        resource = self._resources[name]
        for other in self._needs(resource):
            self._settle(other)
        if self._wanted(resource):
            self._make(name, resource)

    def _needs(self, resource: Mapping[str, Any]) -> list[str]:
        referred = [name for name, _ in checks.references(resource.get("Properties", {}))]
        return [name for name in [*referred, *checks.dependencies_named(resource)] if name in self._resources]

    def _wanted(self, resource: Mapping[str, Any]) -> bool:
        condition = resource.get("Condition")
        return condition is None or bool(self._map.lazy_condition_map[condition])

    def _make(self, name: str, resource: Mapping[str, Any]) -> None:
        old = self._deployed.pop(name, None)
        if old is not None and old.kind.name == resource["Type"]:
            props = without_none(parsing.clean_json(resource.get("Properties", {}), self._map))
            if _updated(old, props):
                return
        if old is not None:
            del self._map._parsed_resources[name]
            if resource.get("UpdateReplacePolicy") != "Retain":
                self._obsolete.append(old)
        self._map[name]

    def _remove(self) -> None:
        for name, old in reversed(list(self._deployed.items())):
            self._map._parsed_resources.pop(name, None)
            if self._before.get(name, {}).get("DeletionPolicy") != "Retain":
                self._obsolete.append(old)
        for old in self._obsolete:
            old.delete()


def _updated(old: Deployed, props: Mapping[str, Any]) -> bool:
    try:
        return old.update(props)
    except (BotoCoreError, ClientError, ValueError, KeyError) as error:
        raise ResourceError(old.logical_resource_id, old.kind.name, error) from error
