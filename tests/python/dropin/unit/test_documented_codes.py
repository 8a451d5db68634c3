"""The page on failures and the codes of the package name the same things."""

import re
from pathlib import Path

from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode

PAGE = Path(__file__).parents[4] / "docs" / "drop-in" / "troubleshooting.md"


def test_the_table_of_codes_has_every_code_once_in_the_order_of_the_package() -> None:
    rows = re.findall(r"^\| `(SL-[A-Z]+-\d+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [str(code) for code in ErrorCode]


def test_the_page_names_no_code_that_does_not_exist() -> None:
    named = set(re.findall(r"SL-[A-Z]+-\d+", PAGE.read_text("utf-8")))
    assert named <= {str(code) for code in ErrorCode}
