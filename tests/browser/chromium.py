"""A real Chromium, driven over its DevTools protocol: as much of it as a person's eyes and fingers need.

    async with chromium() as browser:
        page = await browser.page(width=320, scheme="dark", language="zh-CN")
        await page.open("http://127.0.0.1:8470/")
        await page.type("#words", "猫粮")
        await page.click("form[role=search] button")

Nothing is waited for by the clock: a click waits for the page that it leads to, `appears` for an element.
"""

import asyncio
import base64
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import Any

import aiohttp

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_SECONDS = 60
STILL_SECONDS = 0.05  # what moves after a page was laid out has moved by then
PHONE_WIDTH_MAX = 600
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "about:blank",
)


def chromium_program() -> str | None:
    """The path of a Chromium, or None where there is none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Page:
    """One tab of a browser context of its own: its own cookies, size, language and colours."""

    def __init__(self, browser: "Chromium", session: str) -> None:
        self._browser = browser
        self._session = session
        self.clicks = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of the protocol in this tab."""
        return await self._browser.call(method, parameters, self._session)

    async def see(self, *, width: int, scheme: str, scale: int = 1) -> None:
        """Take another size and other colours, in place; `scale` is how many dots a pixel of the page has."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=scale,
            mobile=width < PHONE_WIDTH_MAX,
        )
        await self.call(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    async def keep_cookies(self, url: str, cookies: dict[str, str]) -> None:
        """Have these cookies for an address, and no others."""
        await self.call("Network.clearBrowserCookies")
        for name, value in cookies.items():
            await self.call("Network.setCookie", url=url, name=name, value=value)

    async def open(self, url: str) -> None:
        """Go to an address and wait until it is loaded."""
        async with self._browser.loaded(self._session):
            await self.call("Page.navigate", url=url)

    async def say(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    async def url(self) -> str:
        """Where the page is."""
        return str(await self.say("location.href"))

    async def text(self, selector: str = "body") -> str:
        """What an element shows."""
        return str(await self.say(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def has(self, selector: str) -> bool:
        """Whether there is such an element."""
        return bool(await self.say(f"document.querySelector({json.dumps(selector)}) !== null"))

    async def appears(self, words: str) -> None:
        """Wait until the page shows some words, without opening it again."""
        await self.say(
            "new Promise(shown => { const look = () => "
            f"document.body.innerText.includes({json.dumps(words)}) ? shown() : setTimeout(look, 50); look() }})"
        )

    async def shows(self, selector: str) -> None:
        """Wait until the page has an element, without opening it again."""
        found = f"document.querySelector({json.dumps(selector)})"
        await self.say(
            f"new Promise(shown => {{ const look = () => {found} ? shown() : setTimeout(look, 50); look() }})"
        )

    async def type(self, selector: str, words: str) -> None:
        """Put words into a field, in place of what stands there."""
        focus = "(field => {{ field.focus(); field.select() }})(document.querySelector({0}))"
        await self.say(focus.format(json.dumps(selector)))
        await self.call("Input.insertText", text=words)

    async def choose(self, selector: str, value: str) -> None:
        """Choose one option of a select."""
        chosen = "document.querySelector({0}).value = {1}; document.querySelector({0}).value"
        assert await self.say(chosen.format(json.dumps(selector), json.dumps(value))) == value

    async def tick(self, selector: str) -> None:
        """Click something that leads nowhere: a box, a choice, a summary."""
        self.clicks += 1
        await self._press(selector)

    async def click(self, selector: str) -> None:
        """Click what leads to another page, and wait until that is there."""
        self.clicks += 1
        async with self._browser.loaded(self._session):
            await self._press(selector)

    def leads_on(self) -> AbstractAsyncContextManager[None]:
        """Wait, after the block, for the page that what is done in it leads to."""
        return self._browser.loaded(self._session)

    async def key(self, name: str, code: int) -> None:
        """Press and let go one key, such as Tab (9) or Enter (13)."""
        text = {"text": "\r"} if name == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **text
            )

    async def screenshot(self) -> bytes:
        """A PNG picture of the whole page."""
        answer = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    async def _press(self, selector: str) -> None:
        """The mouse at the middle of the element, once it stands still and nothing covers it, as a person would."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            seen, place = None, await self._middle(selector)
            while place is None or place != seen:
                await asyncio.sleep(STILL_SECONDS)
                seen, place = place, await self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )

    async def _middle(self, selector: str) -> list[float] | None:
        """Scroll an element into sight and say where its middle is, None where something else would be hit there."""
        middle: list[float] | None = await self.say(
            "(element => { element.scrollIntoView({block: 'center', behavior: 'instant'}); "
            "const box = element.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2, "
            "hit = document.elementFromPoint(x, y), label = hit && hit.closest('label'); "
            "return element.contains(hit) || label && label.control === element ? [x, y] : null })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        return middle


class Chromium:
    """A running browser and the one connection to it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loads: dict[str, list[asyncio.Event]] = {}
        self.complaints: list[str] = []

    async def call(
        self, method: str, parameters: dict[str, Any] | None = None, session: str = ""
    ) -> dict[str, Any]:
        """One call of the protocol."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters or {}}
        await self._socket.send_json({**message, "sessionId": session} if session else message)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer

    async def page(
        self, *, width: int = 1100, scheme: str = "light", language: str = "en-GB", has_script: bool = True
    ) -> Page:
        """A new tab with cookies of its own."""
        context = await self.call("Target.createBrowserContext")
        target = await self.call(
            "Target.createTarget", {"url": "about:blank", "browserContextId": context["browserContextId"]}
        )
        attached = await self.call("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        page = Page(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            await page.call(f"{domain}.enable")
        await page.see(width=width, scheme=scheme)
        await page.call("Emulation.setScriptExecutionDisabled", value=not has_script)
        await page.call(
            "Emulation.setUserAgentOverride", userAgent="Mozilla/5.0 Chromium", acceptLanguage=language
        )
        return page

    @asynccontextmanager
    async def loaded(self, session: str) -> AsyncIterator[None]:
        """Wait, after the block, until the tab has loaded a page."""
        event = asyncio.Event()
        waiting = self._loads.setdefault(session, [])
        waiting.append(event)
        try:
            yield
            async with asyncio.timeout(PATIENCE_SECONDS):
                await event.wait()
        finally:
            waiting.remove(event)

    async def listen(self) -> None:
        """Hand out what the browser says, until the connection ends."""
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._hand_out(said)
            elif said["method"] == "Page.loadEventFired":
                for event in self._loads.get(said["sessionId"], []):
                    event.set()
            elif said["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(said["params"]["exceptionDetails"].get("text")))
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["source"] == "security":
                self.complaints.append(said["params"]["entry"]["text"])

    def _hand_out(self, said: dict[str, Any]) -> None:
        answer = self._answers.pop(said["id"])
        if answer.done():
            return
        if "error" in said:
            answer.set_exception(RuntimeError(said["error"]["message"]))
        else:
            answer.set_result(said["result"])


@asynccontextmanager
async def chromium() -> AsyncIterator[Chromium]:
    """A browser with an empty profile, ended at the end; scripts that fail and forbidden loads are `complaints`."""
    program = chromium_program()
    assert program is not None, "ask `chromium_program` first"
    with tempfile.TemporaryDirectory(prefix="wildgrass-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--user-data-dir={profile}",
            *_FLAGS,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            address = await _address(process)
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(address, max_msg_size=0) as socket,
            ):
                browser = Chromium(socket)
                listening = asyncio.create_task(browser.listen())
                try:
                    yield browser
                finally:
                    listening.cancel()
        finally:
            process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while line := (await process.stderr.readline()).decode():
            if "DevTools listening on " in line:
                return line.split("DevTools listening on ")[1].strip()
    raise AssertionError("Chromium ended before it listened")
