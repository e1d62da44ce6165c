"""The one way the pump says no: a stable code for programs, a sentence for people. Nothing changes by it."""


class Refused(Exception):
    """Something was asked for that the pump will not do.

    code    stable snake_case word, matched by tests and hosts
    detail  dict that fits into JSON; the sentence is made of its `key` (the thing), `held`, `allowed` and
            `do`, any of which may be missing, and further ones may stand beside them
    """

    def __init__(self, code, detail=None):
        super().__init__(code)
        self.code = code
        self.detail = {} if detail is None else detail

    @property
    def message(self):
        """The sentence, without the code: the thing, what it held, what is allowed, what to do."""
        parts = []
        if "held" in self.detail:
            parts.append("{} holds {}".format(self.detail.get("key", "it"), _shown(self.detail["held"])))
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
    """The Refused that says that attribute `key` of `holder` is not what is allowed (a text)."""
    return Refused(code, {"key": key, "held": getattr(holder, key), "allowed": allowed})


def _shown(held):
    """Text in quotes, so that "1" and 1 read differently."""
    return f'"{held}"' if isinstance(held, str) else str(held)
