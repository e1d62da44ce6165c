"""A person at the keys of a target: reads each page of the display before the next, and holds START on the last."""

from typing import Any

from cisterna.bench import display_text

LOOK_MS = 600  # for which a page must have been seen before a key counts
HOLD_MS = 2_500
MOST_PAGES = 20


def press(target: Any, button: str, hold_ms: int = 200) -> None:
    """Press a key once the display has been seen long enough."""
    target.run_until(target.now_ms + LOOK_MS)
    target.act("press", button=button, hold_ms=hold_ms, count=1, gap_ms=300)
    target.run_until(target.now_ms + hold_ms + 500)


def hold_start(target: Any) -> list[str]:
    """Turn the pages, then hold START. Returns the rows of the last page."""
    for _ in range(MOST_PAGES):
        rows = display_text.text_rows(target.look())
        if not display_text.has_next_page(rows):
            break
        press(target, "start")
    press(target, "start", HOLD_MS)
    return rows
