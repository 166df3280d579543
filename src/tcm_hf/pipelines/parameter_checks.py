"""Values that parameters may have, told before any image is read. Needs no torch."""

from typing import Any


def check_range(parameters: dict[str, Any], name: str, low: float, high: float | None = None) -> None:
    """Raise `ValueError` for a parameter below `low` or above `high`, `TypeError` for no number."""
    value = parameters.get(name)
    if value is None:
        return
    wanted = f"at least {low}" if high is None else f"in [{low}, {high}]"
    try:
        fits = low <= value and (high is None or value <= high)
    except TypeError:
        raise TypeError(f"`{name}` must be a number {wanted}: got {value!r}.") from None
    if not fits:
        raise ValueError(f"`{name}` must be {wanted}: got {value}.")


def check_choice(parameters: dict[str, Any], name: str, choices: tuple[str, ...]) -> None:
    """Raise `ValueError` for a parameter that is none of the choices."""
    value = parameters.get(name)
    if value is not None and value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, choices))}: got {value!r}.")
