#!/usr/bin/env python3
"""Decodes a message of OTLP from standard input by the reference classes, and writes it as JSON.

decode.py metrics|traces. A field that they do not know, and bytes that they would write in another way, are
failures.
"""

import base64
import json
import sys

from google.protobuf.json_format import MessageToDict
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

MESSAGES = {
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "traces": trace_service_pb2.ExportTraceServiceRequest,
}
IDS = ("traceId", "spanId", "parentSpanId")


def known(message, where):
    unknown = [field.field_number for field in UnknownFieldSet(message)]
    if unknown:
        sys.exit(f"{where} holds unknown fields: {unknown}")
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if field.is_repeated else [value]:
                known(one, f"{where}.{field.name}")


def with_hex_ids(value):
    """OTLP writes ids as hexadecimal digits."""
    if isinstance(value, list):
        return [with_hex_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(one).hex() if key in IDS else with_hex_ids(one)
        for key, one in value.items()
    }


body = sys.stdin.buffer.read()
decoded = MESSAGES[sys.argv[1]].FromString(body)
known(decoded, sys.argv[1])
if decoded.SerializeToString(deterministic=True) != body:
    sys.exit("the reference classes would write other bytes")
json.dump(with_hex_ids(MessageToDict(decoded)), sys.stdout)
