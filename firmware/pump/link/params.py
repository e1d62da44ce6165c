"""Checks of the parameters of a request."""


class BadParams(Exception):
    """A parameter is missing or has another type; the text names both."""


def param(params, name, kind):
    """The value of `name` in `params`, of type `kind` (a bool is no int). Raises BadParams."""
    value = params.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadParams("%s is missing or not a %s" % (name, kind.__name__))
    return value


def require_texts(params, names):
    """Returns if each of `names` in `params` is a str. Raises BadParams."""
    for name in names:
        param(params, name, str)
