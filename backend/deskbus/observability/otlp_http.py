"""One request of OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/); blocks."""

import http.client
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

WITHIN_S = 5.0
"""How long a collector may take for one request."""

RETRYABLE = frozenset({429, 502, 503, 504})
"""As OTLP/HTTP says; what is refused otherwise is refused again."""

ANSWER_BYTES = 65_536


class CollectorError(Exception):
    """The collector did not take a batch; `again` says whether it may later."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again


def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Raises `CollectorError`."""
    place = urlsplit(url)
    host, port = place.hostname or "", place.port
    connection: http.client.HTTPConnection
    if place.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=WITHIN_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=WITHIN_S)
    sent = {**headers, "Content-Type": "application/x-protobuf"}
    try:
        connection.request("POST", place.path or "/", body, sent)
        answer = connection.getresponse()
        answer.read(ANSWER_BYTES)
    except TimeoutError:
        raise CollectorError("the collector does not answer", again=True) from None
    except OSError as error:
        words = error.strerror or type(error).__name__
        raise CollectorError(f"no connection to the collector: {words}", again=True) from None
    except http.client.HTTPException:
        raise CollectorError("the collector's answer is no HTTP", again=True) from None
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        words = f"the collector answers {answer.status}"
        raise CollectorError(words, again=answer.status in RETRYABLE)
