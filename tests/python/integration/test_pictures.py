"""The script that draws the pictures of the documentation runs, and draws what the pages show."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[3]


def test_the_pictures_of_time_are_drawn_from_what_is_installed(tmp_path: Path) -> None:
    # Without other caches of fonts than this test's own, which nobody else writes at the same time.
    environment = {**os.environ, "MPLCONFIGDIR": str(tmp_path / "matplotlib")}
    command = [sys.executable, str(ROOT / "scripts" / "draw_time.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"\(images/(time-.*?\.svg)\)", (ROOT / "docs" / "time.md").read_text())
    assert len(shown) == 4
    assert {picture.name for picture in tmp_path.glob("*.svg")} == set(shown)
    for name in shown:
        drawn, committed = (ET.parse(folder / name).getroot() for folder in (tmp_path, ROOT / "docs" / "images"))
        # The same words and numbers; where exactly they stand is matplotlib's matter.
        assert words(drawn) == words(committed), name


def words(picture: ET.Element) -> list[str]:
    return [text for text in (each.text for each in picture.iter() if each.tag.endswith("}text")) if text]
