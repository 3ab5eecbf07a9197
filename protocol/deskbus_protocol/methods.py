"""The method table: every row of every domain, by name."""

from deskbus_protocol import (
    apps,
    audit,
    bus,
    chaos,
    control,
    desktop,
    fdc3,
    federation,
    files,
    health,
    history,
    layouts,
    links,
    logging,
    metrics,
    panels,
    permissions,
    policy,
    secrets,
    session,
    support,
    traces,
    ui,
    utility,
    web,
    windows,
)
from deskbus_protocol.method import Method

METHODS: dict[str, Method] = {
    row.name: row
    for domain in (
        session,
        layouts,
        bus,
        history,
        permissions,
        audit,
        policy,
        files,
        secrets,
        apps,
        utility,
        ui,
        windows,
        panels,
        health,
        metrics,
        links,
        logging,
        traces,
        support,
        control,
        chaos,
        federation,
        fdc3,
        desktop,
        web,
    )
    for row in domain.METHODS
}
