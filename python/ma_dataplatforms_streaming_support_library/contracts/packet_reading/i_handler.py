"""The path under which some programs import `IHandler`; the same class as in `contracts.shared.i_handler`."""

from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler

__all__ = ["IHandler"]
