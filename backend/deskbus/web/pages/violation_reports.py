"""Reports of browsers about what a page's policy refused, in both of their formats."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from deskbus_protocol.events import CspViolation
from deskbus_protocol.wording.display import visible

MAX_REPORTS = 16
"""In one body; those beyond are left out."""

MAX_CHARACTERS = 200

REPORT_URI_TYPE = "application/csp-report"
REPORT_TO_TYPE = "application/reports+json"

Text = Annotated[str, Meta(max_length=64 * 1024)]


class _CspReport(msgspec.Struct, rename="kebab"):
    """https://www.w3.org/TR/CSP3/#deprecated-serialize-violation"""

    document_uri: Text = ""
    effective_directive: Text = ""
    violated_directive: Text = ""
    blocked_uri: Text = ""


class _ReportUriBody(msgspec.Struct):
    report: _CspReport = msgspec.field(name="csp-report")


class _CspBody(msgspec.Struct, rename="camel"):
    """https://www.w3.org/TR/CSP3/#reporting"""

    document_url: Text = msgspec.field(name="documentURL", default="")
    effective_directive: Text = ""
    blocked_url: Text = msgspec.field(name="blockedURL", default="")


class _Report(msgspec.Struct):
    """https://www.w3.org/TR/reporting-1/#serialize-reports"""

    type: Text = ""
    body: msgspec.Raw = msgspec.Raw(b"{}")


def read(media_type: str, body: bytes, app: str) -> list[CspViolation] | None:
    """The violations in a body; None for a body that is of neither format."""
    try:
        if media_type == REPORT_URI_TYPE:
            report = msgspec.json.decode(body, type=_ReportUriBody).report
            directive = report.effective_directive or report.violated_directive
            return [_event(app, directive, report.blocked_uri, report.document_uri)]
        if media_type == REPORT_TO_TYPE:
            reports = msgspec.json.decode(body, type=list[_Report])[:MAX_REPORTS]
            bodies = [
                msgspec.json.decode(each.body, type=_CspBody)
                for each in reports
                if each.type == "csp-violation"
            ]
            return [
                _event(app, each.effective_directive, each.blocked_url, each.document_url)
                for each in bodies
            ]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return None


def _event(app: str, directive: str, blocked: str, document: str) -> CspViolation:
    return CspViolation(
        app=app, directive=shown(directive), blocked=_place(blocked), document=_place(document)
    )


def _place(address: str) -> str:
    """An address without its query and fragment, in which there may be secrets."""
    return (
        shown(address.partition("#")[0].partition("?")[0])
        if _is_address(address)
        else shown(address)
    )


def _is_address(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme)
    except ValueError:
        return False


def shown(text: str) -> str:
    """Text from an unauthenticated browser, shortened and with hidden characters made visible."""
    return visible(text[:MAX_CHARACTERS])
