"""`support.*`: what somebody who helps needs to see, without secrets."""

import msgspec

from deskbus_protocol.method import Method, NoParams, Result


class SupportPart(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One file of an archive, as text."""

    name: str
    text: str


class SupportReport(Result, frozen=True, kw_only=True):
    """`left_out` says, a sentence each, what is not among the parts, and why."""

    parts: list[SupportPart]
    left_out: list[str]


METHODS = (
    Method(
        name="support.collect",
        summary="Health, metrics, configuration, versions, crashes and logs, without secrets.",
        params=NoParams,
        result=SupportReport,
        callers="shell",
    ),
)
