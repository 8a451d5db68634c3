"""Which of the two shapes a handler is made for: samples by parameter, or samples by time."""

from __future__ import annotations

import inspect
import re
import types
import typing
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar, Union, get_args, get_origin

from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_data import ISampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_timestamp_data import ITimestampData
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Shape", "shape_of"]


class Shape(Enum):
    """How samples are delivered."""

    SAMPLES = ISampleData
    """By parameter: `SampleData`."""
    TIMESTAMPS = ITimestampData
    """By time: `TimestampData`."""


def shape_of(handler: object, data_type: object = None) -> Shape:
    """The shape that a handler is made for.

    It is said by, in this order: `data_type`; the argument of `IHandler` in the handler's class; the annotation of the
    first parameter of its `handle`, or of the handler itself if it is a callable.

    Raises:
        TypeError: `data_type` is no class of either shape, or nothing says which.
    """
    if data_type is not None:
        found = _shape(data_type)
        if found is None:
            raise TypeError(
                "data_type must be SampleData or TimestampData or one of their interfaces, "
                f"not {getattr(data_type, '__name__', repr(data_type))}"
            )
        return found
    for said in (_argument(handler), _annotation(handler)):
        if (found := _shape(said)) is not None:
            return found
    name = getattr(handler, "__qualname__", None) or type(handler).__qualname__
    raise TypeError(
        f"nothing says whether {name} handles SampleData or TimestampData: use add_sample_handler or "
        "add_timestamp_handler, or give data_type, derive it from IHandler[ISampleData] or IHandler[ITimestampData], "
        "or annotate its parameter"
    )


def _shape(said: Any) -> Shape | None:  # noqa: ANN401 - whatever stands in an annotation
    """The shape of a class, of its name, or of what an Optional or Annotated holds; None if there is none, or both."""
    if isinstance(said, typing.ForwardRef):
        said = said.__forward_arg__
    if isinstance(said, str):
        # Names that are imported for type checkers only.
        return _only(_NAMES.get(name) for name in re.findall(r"\w+", said))
    if isinstance(said, TypeVar):
        return _shape(said.__bound__)
    if get_origin(said) in (Union, types.UnionType, typing.Annotated):
        return _only(_shape(part) for part in get_args(said))
    if not isinstance(said, type):
        return None
    return _only(shape for shape in Shape if issubclass(said, shape.value))


def _only(shapes: Iterable[Shape | None]) -> Shape | None:
    found = set(shapes) - {None}
    return found.pop() if len(found) == 1 else None


_NAMES: Final = {
    f"{prefix}{shape.value.__name__[1:]}": shape for shape in Shape for prefix in ("I", "", "Start", "End")
}


def _argument(handler: object) -> Any:  # noqa: ANN401 - None if there is none
    """What `IHandler` was given in the handler's class, or where the handler was made from a generic class."""
    found = _resolved(getattr(handler, "__orig_class__", None))
    return _resolved(type(handler)) if found is None else found


def _resolved(kind: Any) -> Any:  # noqa: ANN401 - a class, or a generic class with arguments
    """The argument of `IHandler` among the bases of a class; a type variable where the class leaves it open."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is IHandler:
        return arguments[0] if arguments else None
    if not (isinstance(origin, type) and issubclass(origin, IHandler)):
        return None
    given = dict(zip(getattr(origin, "__parameters__", ()), arguments, strict=False))
    for base in origin.__dict__.get("__orig_bases__", origin.__bases__):
        found = _resolved(base)
        if found is not None:
            return given.get(found, found) if isinstance(found, TypeVar) else found
    return None


def _annotation(handler: object) -> Any:  # noqa: ANN401 - None if there is none
    """The annotation of the parameter that takes the data."""
    handle = getattr(handler, "handle", None)
    call: Any = handle if callable(handle) else handler
    if not callable(call):
        return None
    try:
        first = next(iter(inspect.signature(call).parameters.values()), None)
    except (TypeError, ValueError):
        return None
    if first is None or first.annotation is inspect.Parameter.empty:
        return None
    function = call if inspect.isroutine(call) else getattr(call, "func", type(call).__call__)
    try:
        return typing.get_type_hints(function).get(first.name, first.annotation)
    except Exception:  # noqa: BLE001 - names that do not exist when the program runs
        return first.annotation
