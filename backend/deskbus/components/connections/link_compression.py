"""Compression on links: whether the configuration allows it, and what it has done."""

from msgspec import UNSET, UnsetType

from deskbus.config import ConfigError, LinksConfig
from deskbus.transport.frame_encoding import EncodingCounts, FrameEncoding
from deskbus_protocol.history import CompressionCounts, CompressionStats
from deskbus_protocol.wire.encoding import is_available

MS_PER_S = 1000


def encoding_of(config: LinksConfig) -> FrameEncoding:
    """Raises `ConfigError` where Brotli is wanted and not installed."""
    if not all(is_available(encoding) for encoding in config.compression):
        raise ConfigError("links.compression needs Brotli: pip install 'deskbus[brotli]'")
    return FrameEncoding(config.compression)


def compression_stats(encoding: FrameEncoding) -> CompressionStats | UnsetType:
    """UNSET where no link may compress."""
    if not encoding.allowed:
        return UNSET
    return CompressionStats(sent=_told(encoding.sent), received=_told(encoding.received))


def _told(counts: EncodingCounts) -> CompressionCounts:
    return CompressionCounts(
        frames=counts.frames,
        saved_bytes=counts.plain_bytes - counts.encoded_bytes,
        ratio=counts.encoded_bytes / counts.plain_bytes if counts.plain_bytes else 1.0,
        time=counts.seconds * MS_PER_S,
        kept=counts.kept,
    )
