"""The instances in windows of a desktop page: secrets, launches, ends."""

import pytest

from deskbus.fdc3.browser.hosted_instances import Hosted, HostedInstances, Launch
from deskbus_protocol.envelope import ClientId

pytestmark = pytest.mark.requirement("F")

DESKTOP = ClientId("deskbus.desktop", "tab-1")
OTHER = ClientId("deskbus.desktop", "tab-2")
PAGE = ClientId("chart", "page-1")


def test_a_secret_is_an_instances_own_and_another_in_each_run() -> None:
    run, next_run = HostedInstances(b"one"), HostedInstances(b"two")
    secret = run.secret_of("a")
    assert run.is_secret("a", secret)
    assert not run.is_secret("b", secret)
    assert not next_run.is_secret("a", secret)
    assert not run.is_secret("a", "naïve")


def test_an_instance_is_known_to_the_desktop_page_that_hosts_it_alone() -> None:
    instances = HostedInstances(b"secret")
    instances.host(Hosted(DESKTOP, PAGE, "a"))
    assert instances.of(DESKTOP, "a") is not None
    assert instances.of(OTHER, "a") is None
    assert instances.desktop_of(PAGE) == DESKTOP
    assert instances.desktop_of(ClientId("chart", "window")) is None


def test_a_desktop_page_that_ends_takes_its_instances_and_launches_along() -> None:
    instances = HostedInstances(b"secret")
    instances.begin(DESKTOP)
    instances.begin(OTHER)
    instances.host(Hosted(DESKTOP, PAGE, "a"))
    instances.host(Hosted(OTHER, ClientId("chart", "page-2"), "b"))
    settled: list[bool] = []
    launched = ClientId("news", "page-3")
    instances.launching("l", Launch(DESKTOP, launched, settled.append))
    assert set(instances.client_ended(DESKTOP)) == {PAGE, launched}
    assert settled == [False]
    assert len(instances) == 1
    assert instances.newest_desktop == OTHER
    assert list(instances.client_ended(ClientId("chart", "page-2"))) == []
    assert len(instances) == 0
