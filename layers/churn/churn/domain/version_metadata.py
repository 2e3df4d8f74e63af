"""The form of what a version of the model says of itself, beside what its predictions need."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from churn.domain.model import BrokenModelError

Form = Callable[[Any], bool]


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Check the form of a version's metadata, all of which may be missing.

    Raises BrokenModelError that names the field.
    """
    _check(metadata, _METADATA, "")
    for name, forms in _PARTS.items():
        part = metadata.get(name)
        if part:
            _check(part, forms, f"{name}.")
            for missing in _REQUIRED.get(name, frozenset()) - part.keys():
                raise BrokenModelError(f"{name}.{missing} of the metadata is missing")


def _check(found: Mapping[str, Any], forms: Mapping[str, Form], of: str) -> None:
    for name, has_form in forms.items():
        value = found.get(name)
        if value is not None and not has_form(value):
            raise BrokenModelError(f"{of}{name} of the metadata has another form than expected: {str(value)[:40]!r}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_instant(value: Any) -> bool:
    """Return whether a value is the text of an instant, with its offset from UTC."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_list(of: Form) -> Form:
    return lambda value: isinstance(value, list) and all(map(of, value))


def _are_figures(value: Any) -> bool:
    """Return whether a value has a number, or null, for each name."""
    return isinstance(value, dict) and all(one is None or _is_number(one) for one in value.values())


_METADATA: Mapping[str, Form] = {
    "kind": _is_text,
    "source": _is_text,
    "trained_at": _is_instant,
    "fitted_at": _is_list(_is_instant),
    "features_version": _is_whole,
    "sha256": _is_text,
    "size": _is_whole,
    "gate": _is_object,
    "data": _is_object,
    "code": _is_object,
    "metrics": _is_object,
    "reference": _is_object,
    "freshness": _is_object,
}
_PARTS: Mapping[str, Mapping[str, Form]] = {
    "gate": {"passed": lambda value: isinstance(value, bool), "compared_with": _is_text, "reasons": _is_list(_is_text)},
    "metrics": {"forest": _are_figures},
    "freshness": {
        "served": _is_text,
        "as_of": _is_instant,
        "tested_version": _is_text,
        "trained_version": _is_text,
        "tried": _is_list(_is_object),
    },
}
_REQUIRED = {"freshness": frozenset({"served", "as_of"})}
