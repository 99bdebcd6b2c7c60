"""Traces through OpenTelemetry, where it is installed and an endpoint is configured.

A span tells a step's name, how it ended, and nothing else: no path, no query, no header, no id
of an owner or a device, and of a fault its code alone.
"""

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from typing import Any

from farthing.errors import FarthingError, PlugMissing

_CARRIED = ("traceparent", "tracestate")
_CARRIED_BYTES_MAX = 512


class Tracing:
    """Spans of one process. Shape: `provider` is OpenTelemetry's; it is shut down with us."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - an extra
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        self._provider = provider
        self._tracer = provider.get_tracer("farthing", version("farthing"))
        self._propagator = TraceContextTextMapPropagator()
        self._server, self._inner = trace.SpanKind.SERVER, trace.SpanKind.INTERNAL
        self._current = trace.get_current_span
        self._failed = trace.Status(trace.StatusCode.ERROR)

    @contextmanager
    def span(self, name: str) -> Generator[Any]:
        """Draw a span around a step."""
        with self._tracer.start_as_current_span(
            name, kind=self._inner, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as fault:
                self._tell(span, fault)
                raise

    def request(self, headers: Sequence[tuple[bytes, bytes]]) -> AbstractContextManager[Any]:
        """Draw the span of a whole request, as a part of the trace that its headers name."""
        return self._tracer.start_as_current_span(
            "request",
            context=self._propagator.extract(_told(headers)),
            kind=self._server,
            record_exception=False,
            set_status_on_exception=False,
        )

    def ended(self, attribute: str, name: str, status: int) -> None:
        """Tell of the request under way what it was for, or how it went, and its answer."""
        span = self._current()
        span.update_name(name)
        span.set_attribute(attribute, name)
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(self._failed)

    def carried(self) -> list[tuple[str, str]]:
        """Give the headers that carry the trace on."""
        told: dict[str, str] = {}
        self._propagator.inject(told)
        return list(told.items())

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()

    def _tell(self, span: Any, fault: BaseException) -> None:
        span.set_status(self._failed)
        code = fault.code if isinstance(fault, FarthingError) else type(fault).__name__
        span.set_attribute("error.type", code)


def _told(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Read the two headers of a trace, as long as they are of a sensible length."""
    found: dict[str, str] = {}
    for name, value in headers:
        text = name.decode("latin-1").lower()
        if text in _CARRIED and len(value) <= _CARRIED_BYTES_MAX:
            found[text] = value.decode("latin-1")
    return found


def open_tracing(endpoint: str, part: str, percent: int) -> Tracing | None:
    """Trace to an OTLP endpoint; None where none is configured.

    Units:  `percent` of all traces are drawn, the same ones by each process with that percentage;
            whoever asks from elsewhere may leave a trace undrawn, and cannot have more drawn.
    Raises: PlugMissing `otel-missing`.
    """
    if not endpoint:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import (  # noqa: PLC0415
            ParentBased,
            TraceIdRatioBased,
        )
    except ModuleNotFoundError:
        raise PlugMissing(
            "otel-missing",
            "[tracing] endpoint is set, and OpenTelemetry is not installed;"
            " run: pip install 'farthing[otel]'",
        ) from None
    share = TraceIdRatioBased(percent / 100)
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"farthing-{part}"}),
        sampler=ParentBased(share, remote_parent_sampled=share),
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return Tracing(provider)
