"""The names of OpenTelemetry's semantic conventions that spans have, of one version.

Messaging and RPC conventions: https://opentelemetry.io/docs/specs/semconv/. Names that begin with
`deskbus.` are our own.
"""

SCHEMA_URL = "https://opentelemetry.io/schemas/1.36.0"

SERVICE_NAME = "service.name"
SERVICE_VERSION = "service.version"
SERVICE_INSTANCE_ID = "service.instance.id"

RPC_SYSTEM = "rpc.system"
RPC_SYSTEM_JSONRPC = "jsonrpc"
RPC_METHOD = "rpc.method"
RPC_JSONRPC_VERSION = "rpc.jsonrpc.version"
RPC_JSONRPC_ERROR_CODE = "rpc.jsonrpc.error_code"
ERROR_TYPE = "error.type"

MESSAGING_SYSTEM = "messaging.system"
MESSAGING_SYSTEM_DESKBUS = "deskbus"
MESSAGING_DESTINATION_NAME = "messaging.destination.name"
MESSAGING_MESSAGE_ID = "messaging.message.id"
MESSAGING_MESSAGE_CONVERSATION_ID = "messaging.message.conversation_id"
MESSAGING_BODY_SIZE = "messaging.message.body.size"

APP = "deskbus.app"
CLIENT = "deskbus.client"
RECEIVERS = "deskbus.receivers"
PERMISSION = "deskbus.permission"
SCOPE = "deskbus.scope"
OUTCOME = "deskbus.outcome"
INCOMPLETE = "deskbus.incomplete"
"""The mark of a span that stands for a message of which nothing else was traced."""
