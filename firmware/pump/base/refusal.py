"""Refused: the exception for every request that the pump does not carry out. A refused request changes nothing."""


class Refused(Exception):
    """A request that the pump does not carry out.

    code    stable snake_case word, matched by tests and hosts
    detail  dict that fits into JSON. `message` is made of `key` (name of the value), `held` (the value), `allowed`
            (the values accepted) and `do` (what to do next); each may be missing, other keys may be added
    """

    def __init__(self, code, detail=None):
        super().__init__(code)
        self.code = code
        self.detail = {} if detail is None else detail

    @property
    def message(self):
        """The sentence for people, without the code: key, value held, values allowed, what to do."""
        parts = []
        if "held" in self.detail:
            parts.append("{} holds {}".format(self.detail.get("key", "it"), _quoted(self.detail["held"])))
        elif "key" in self.detail:
            parts.append(self.detail["key"])
        if "allowed" in self.detail:
            parts.append("allowed: {}".format(self.detail["allowed"]))
        if "do" in self.detail:
            parts.append(self.detail["do"])
        return "; ".join(parts)

    def __str__(self):
        return f"{self.code}: {self.message}" if self.detail else self.code


def refused(code, holder, key, allowed):
    """A Refused for attribute `key` of `holder`, whose value is outside `allowed` (a text)."""
    return Refused(code, {"key": key, "held": getattr(holder, key), "allowed": allowed})


def _quoted(held):
    """`held` as text; a str in quotes, so that "1" and 1 read differently."""
    return f'"{held}"' if isinstance(held, str) else str(held)
