"""Checks of text that are the same for str and bytes."""


def consists_of(text, allowed):
    """True if every element of `text` is in `allowed`; both are str, or both are bytes. True for an empty `text`."""
    for element in text:
        if element not in allowed:
            return False
    return True
