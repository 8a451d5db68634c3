"""Handlers: what programs give to readers to be called with every packet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

__all__ = ["IHandler", "SupportsHandle"]

_T_contra = TypeVar("_T_contra", contravariant=True)


class IHandler(ABC, Generic[_T_contra]):
    """Handles objects one at a time, on the thread of the service that reads them.

    Where a handler is asked for, any object with a callable `handle`, and any bare callable, will do as well.
    """

    @abstractmethod
    def handle(self, obj: _T_contra, /) -> None:
        """Take one object. What it raises is logged with its traceback and counted, and the next object comes."""


class SupportsHandle(Protocol[_T_contra]):
    """Anything with a method `handle` for one object, whatever its class."""

    def handle(self, obj: _T_contra, /) -> object:
        """Take one object."""
