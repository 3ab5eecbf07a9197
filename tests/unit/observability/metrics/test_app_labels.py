"""Labels stay few, however many apps there are."""

from deskbus.observability.metrics.app_labels import AppLabels


def test_apps_beyond_the_limit_are_told_together() -> None:
    labels = AppLabels(limit=2)
    found = labels.sums({"app.one": 1, "app.two": 2, "app.three": 4, "app.four": 8})
    assert found == {"app.one": 1, "app.two": 2, "other": 12}


def test_an_app_that_was_named_once_stays_named() -> None:
    labels = AppLabels(limit=1)
    labels.sums({"app.one": 1})
    assert labels.highest({"app.two": 7, "app.three": 5, "app.one": 2}) == {
        "other": 7,
        "app.one": 2,
    }
