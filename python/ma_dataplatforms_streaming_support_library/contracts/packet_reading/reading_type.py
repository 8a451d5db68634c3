"""`PacketReadingType` under its short name."""

from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType

__all__ = ["ReadingType"]

ReadingType = PacketReadingType
