"""How a federated backend shows a real nats-server who it is."""

import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deskbus.config import FederationConfig, load
from tests.integration.federation.federated_backends import (
    CONFIG,
    EVERYTHING,
    config,
    federation_of,
    next_of,
    until,
    until_detail,
)
from tests.integration.federation.natsoperator import operated
from tests.integration.federation.natsserver import nats_server
from tests.integration.shell import TestShell, start_shell
from tests.integration.vault.test_vault import vault_command


async def test_a_server_with_tls_and_a_password_is_joined(tmp_path: Path) -> None:
    authority = make_certificate(tmp_path)
    options = ["--tls", "--tlscert", str(authority), "--tlskey", str(tmp_path / "key.pem")]
    async with nats_server(tmp_path, *options, "--user", "desk", "--pass", "secret") as server:
        patterns = f'{EVERYTHING}\ntls_ca = "{authority}"'
        with_password = CONFIG.format(
            name="desk-a", url=f"tls://desk:secret@localhost:{server.port}", patterns=patterns
        )
        async with start_shell(tmp_path / "a", config=with_password, consent="allow") as shell:
            await until(shell, "ok")
        without = CONFIG.format(
            name="desk-a", url=f"tls://localhost:{server.port}", patterns=patterns
        )
        async with start_shell(tmp_path / "b", config=without, consent="allow") as shell:
            found = await until_detail(shell, "refused the credentials")
            assert "secret" not in found
        unknown = with_password.replace(f'\ntls_ca = "{authority}"', "")
        async with start_shell(tmp_path / "c", config=unknown, consent="allow") as shell:
            await until_detail(shell, "TLS could not be agreed on")


async def test_the_documented_permissions_are_enough(tmp_path: Path) -> None:
    sample = next(block for block in code_blocks() if block.startswith("authorization"))
    user = sample[sample.index("{ user:") : sample.index("  ]\n}")].replace("…", "secret")
    both = sample.replace("…", "secret").replace(
        "  ]\n}", user.replace("desk-a", "desk-b") + "  ]\n}"
    )
    rules = tmp_path / "nats.conf"
    rules.write_text(both)
    async with nats_server(tmp_path, "-c", str(rules)) as server, AsyncExitStack() as stack:
        shells = []
        for name in ("desk-a", "desk-b"):
            url = f"nats://{name}:secret@127.0.0.1:{server.port}"
            text = CONFIG.format(name=name, url=url, patterns=EVERYTHING)
            shell = start_shell(tmp_path / name, config=text, consent="allow")
            shells.append(await stack.enter_async_context(shell))
            await until(shells[-1], "ok")
        feed, blotter = [await stack.enter_async_context(each.app("desk.app")) for each in shells]
        inbox = await stack.enter_async_context(blotter.subscribe("#"))
        for topic in ("prices.EURUSD", "orders.new"):
            await feed.publish(topic, 1, confirm=True)
            assert (await next_of(inbox)).topic == topic


def code_blocks() -> list[str]:
    guide = Path(__file__).resolve().parents[3] / "docs/federation.md"
    return re.findall(r"^```\w*\n(.*?)^```$", guide.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_documented_section_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "deskbus.toml"
    file.write_text(next(block for block in code_blocks() if "[federation]" in block))
    found = load(file).federation
    assert isinstance(found, FederationConfig)
    assert found.sent_patterns == ["prices.#", "orders.#"]


def make_certificate(folder: Path) -> Path:
    """A certificate for localhost that vouches for itself, and its key in `key.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def seal_key(folder: Path, password: bytes) -> Path:
    """The key of `make_certificate`, under a password."""
    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    path = folder / "sealed.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password),
        )
    )
    return path


def keep(data: Path, **secrets: str) -> None:
    """Secrets of the configuration, in a vault under a master password."""
    assert vault_command(data, "change-password", passwords=("", "master password"))[0] == 0
    for name, value in secrets.items():
        assert (
            vault_command(data, "set", name, passwords=("master password",), given=value.encode())[
                0
            ]
            == 0
        )


async def unlock(shell: TestShell) -> None:
    await shell.client.call("vault.unlock", {"password": "master password"})


@pytest.mark.requirement("3.3")
async def test_while_the_vault_with_the_password_is_locked_the_federation_waits(
    tmp_path: Path,
) -> None:
    keep(tmp_path / "data", nats="secret")
    async with nats_server(tmp_path, "--user", "desk", "--pass", "secret") as server:
        login = f'{EVERYTHING}\nuser = "desk"\npassword = "secret:nats"'
        text = config(server, "desk-a", login)
        async with start_shell(tmp_path / "data", config=text, consent="allow") as shell:
            waiting = await until_detail(shell, "The vault is locked")
            assert (await federation_of(shell)).status == "degraded"
            await unlock(shell)
            await until(shell, "ok")
    assert "secret:" not in waiting


@pytest.mark.requirement("3.3")
async def test_credentials_in_the_vault_are_shown_to_a_server_that_knows_their_operator(
    tmp_path: Path,
) -> None:
    rules, credentials = operated(tmp_path)
    keep(tmp_path / "data", creds=credentials)
    async with nats_server(tmp_path, "-c", str(rules)) as server:
        text = config(server, "desk-a", f'{EVERYTHING}\ncredentials = "secret:creds"')
        async with start_shell(tmp_path / "data", config=text, consent="allow") as shell:
            await unlock(shell)
            await until(shell, "ok")
        without = config(server, "desk-a")
        async with start_shell(tmp_path / "other", config=without, consent="allow") as shell:
            await until_detail(shell, "refused the credentials")


@pytest.mark.requirement("3.3")
async def test_a_token_that_is_not_in_the_vault_is_told_in_health(tmp_path: Path) -> None:
    keep(tmp_path / "data")
    async with nats_server(tmp_path, "--auth", "token") as server:
        text = config(server, "desk-a", f'{EVERYTHING}\ntoken = "secret:nats"')
        async with start_shell(tmp_path / "data", config=text, consent="allow") as shell:
            await unlock(shell)
            await until_detail(shell, "secret nats is not in the vault")


async def test_a_server_that_asks_for_a_certificate_gets_ours(tmp_path: Path) -> None:
    authority = make_certificate(tmp_path)
    sealed = seal_key(tmp_path, b"of the key")
    keep(tmp_path / "data", key="of the key")
    options = ["--tls", "--tlscert", str(authority), "--tlskey", str(tmp_path / "key.pem")]
    options += ["--tlsverify", "--tlscacert", str(authority)]
    async with nats_server(tmp_path, *options) as server:
        shown = f'{EVERYTHING}\ntls_ca = "{authority}"'
        url = f"tls://localhost:{server.port}"
        without = CONFIG.format(name="desk-a", url=url, patterns=shown)
        shown += f'\ntls_cert = "{authority}"\ntls_key = "{sealed}"'
        shown += '\ntls_key_password = "secret:key"'
        text = CONFIG.format(name="desk-a", url=url, patterns=shown)
        async with start_shell(tmp_path / "data", config=text, consent="allow") as shell:
            await unlock(shell)
            await until(shell, "ok")
        async with start_shell(tmp_path / "other", config=without, consent="allow") as shell:
            await until_detail(shell, "no connection to NATS")
            assert (await federation_of(shell)).status == "degraded"


async def test_a_missing_credentials_file_is_told_in_health(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        text = config(server, "desk-a", f'{EVERYTHING}\ncredentials_file = "missing.creds"')
        async with start_shell(tmp_path / "data", config=text, consent="allow") as shell:
            await until_detail(shell, "credentials_file can't be read")
