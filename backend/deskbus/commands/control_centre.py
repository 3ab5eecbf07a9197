"""`deskbus control-centre`: the control centre, in the shell of the backend or in a browser."""

from argparse import Namespace

from deskbus.commands import open as opening
from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus_protocol.client import Client
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.method import Empty
from deskbus_protocol.web import ForgetBrowsersResult, PairBrowserResult, PairToActResult


def run(options: Namespace) -> int:
    """Raises `OSError` where the page that lets a browser in can't be written."""

    async def open_centre(client: Client) -> None:
        await client.call("control.open", {"page": options.page}, result=Empty)
        output.tell("The control centre is open.")

    async def let_in(client: Client) -> None:
        made = await client.call("web.pair", {"app": CONTROL_APP}, result=PairBrowserResult)
        opening.show(options, CONTROL_APP, made, page=options.page)

    async def let_act(client: Client) -> None:
        wish = {"browser": options.act} if options.act else {}
        made = await client.call("web.pairToAct", wish, result=PairToActResult)
        seconds = made.expires_in // 1000
        output.tell(f"Enter this code in the browser {made.browser} within {seconds} s:")
        output.emit({"code": made.code, "browser": made.browser})

    async def revoke(client: Client) -> None:
        gone = await client.call(
            "web.forgetBrowsers", {"app": CONTROL_APP}, result=ForgetBrowsersResult
        )
        output.emit({"browsers": gone.browsers})

    if options.revoke:
        return run_with_client(options, revoke)
    if options.act is not None:
        return run_with_client(options, let_act)
    return run_with_client(options, let_in if options.browser else open_centre)
