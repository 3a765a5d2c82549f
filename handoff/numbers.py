"""How a figure's value is said: the same words at the desk and on the command line. Pure."""

from handoff.metrics import Unit


def number(value: float | None, unit: Unit) -> str:
    """Return a value with its unit."""
    if value is None:
        return "–"
    match unit:
        case Unit.SHARE:
            return f"{value:.1f} %"
        case Unit.DURATION:
            return duration(value)
    return f"{value:,.0f}".replace(",", " ")


def duration(seconds: float) -> str:
    """Return a duration as people say it: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, below, part in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // below} {part}"
    return f"{whole} s"
