"""A map of a closed line in Braille dots: two by four points in every character of a terminal."""

from __future__ import annotations

from typing import Final

import numpy as np

from telewire.demo.track import Array

_DOTS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
_BLANK: Final = 0x2800
_ASPECT: Final = 1.0
"""A Braille dot is about as wide as it is high in usual terminal fonts."""


class TrackMap:
    """A line scaled into a box of characters.

    Args:
        x: East of each point; (n,).
        y: North of each point; (n,).
        columns: Width of the box in characters.
        rows: Height of the box in characters.
    """

    def __init__(self, x: Array, y: Array, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        width, height = columns * 2 - 1, rows * 4 - 1
        scale = min(width / max(float(np.ptp(x)), 1e-9), _ASPECT * height / max(float(np.ptp(y)), 1e-9))
        self._left = (width - float(np.ptp(x)) * scale) / 2 - float(x.min()) * scale
        self._top = (height + float(np.ptp(y)) * scale) / 2 + float(y.min()) * scale
        self._scale = scale
        cells = np.zeros((rows, columns), dtype=np.uint8)
        dot_x = np.clip(np.round(self._left + x * scale), 0, width).astype(int)
        dot_y = np.clip(np.round(self._top - y * scale), 0, height).astype(int)
        np.bitwise_or.at(cells, (dot_y // 4, dot_x // 2), _DOTS[dot_y % 4, dot_x % 2])
        self._lines = ["".join(chr(_BLANK + int(cell)) if cell else " " for cell in line) for line in cells]

    def lines(self) -> list[str]:
        """The map, one text a row."""
        return list(self._lines)

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of the character that shows a point."""
        column = round(self._left + x * self._scale) // 2
        row = round(self._top - y * self._scale) // 4
        return min(max(row, 0), self.rows - 1), min(max(column, 0), self.columns - 1)
