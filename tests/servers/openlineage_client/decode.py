"""Builds the official client's objects of events, one a line on standard input. Members that a class does not
have, lacks or has in another type end it."""

import enum
import json
import sys
import types
import typing
import warnings

import attr
from openlineage.client import event_v2, facet_v2

warnings.simplefilter("ignore")


def facet_class(facet):
    """The class that is called like the schema; of a facet of one's own it is that of all facets."""
    name = facet["_schemaURL"].rsplit("/", 1)[1]
    for module in vars(facet_v2).values():
        if isinstance(module, types.ModuleType) and attr.has(getattr(module, name, None) or int):
            return getattr(module, name)
    return getattr(facet_v2, name)


def build(kind, value, where):
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if kind is typing.Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None:
            assert type(None) in arguments, where
            return None
        (kind,) = [one for one in arguments if one is not type(None)]
        return build(kind, value, where)
    if origin is list:
        assert isinstance(value, list), where
        return [build(arguments[0], one, f"{where}[{at}]") for at, one in enumerate(value)]
    if origin is dict:
        assert isinstance(value, dict), where
        return {name: build(arguments[1], one, f"{where}.{name}") for name, one in value.items()}
    if attr.has(kind):
        return build_object(kind, value, where)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(value)
    assert type(value) is kind or (kind is float and type(value) is int), f"{where}: {value!r} is no {kind}"
    return value


def build_object(kind, value, where):
    assert isinstance(value, dict), where
    is_facet = issubclass(kind, facet_v2.BaseFacet)
    if is_facet:
        kind = facet_class(value)
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in attr.fields(kind)}
    known, own = {}, {}
    for name, one in value.items():
        field = fields.get(name)
        if field is None:
            # Only a facet of one's own may have other members.
            assert is_facet and kind.__name__ in ("RunFacet", "BaseFacet"), f"{where}.{name} is not known"
            own[name] = one
        elif field.init:
            known[field.alias] = build(hints[name], one, f"{where}.{name}")
    built = kind(**known)
    return built.with_additional_properties(**own) if own else built


count = 0
for line in sys.stdin:
    event = build_object(event_v2.RunEvent, json.loads(line), "event")
    print(event.eventType.value, event.run.runId, event.job.namespace, event.job.name)
    count += 1
assert count > 0
