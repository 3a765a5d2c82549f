"""The same way through everything on Telegram, with the agent's side over the API."""

import json
from pathlib import Path

import httpx
import pytest

from tests.fakes.telegram_server import TelegramServer
from tests.running import Installation

TOKEN = "424242:journey-token"
ANN = 7001


@pytest.fixture
def telegram():
    with TelegramServer(TOKEN) as server:
        yield server


def test_a_complaint_on_telegram_is_served_there(tmp_path: Path, models: Path, telegram: TelegramServer) -> None:
    settings = {
        "FRONTDESK_ASSISTANT__MODELS": str(models),
        "FRONTDESK_TELEGRAM__TOKEN": TOKEN,
        "FRONTDESK_TELEGRAM__BASE_URL": telegram.base_url,
        "FRONTDESK_TELEGRAM__BASE_FILE_URL": telegram.base_file_url,
    }
    with Installation(tmp_path / "data", **settings) as running:

        def hears(text: str) -> None:
            running.wait_for(lambda: any(text in said for said in telegram.texts(ANN)))

        telegram.say(ANN, "/start")
        hears("Larkfield's assistant")
        telegram.say(ANN, "how long does delivery take?")
        hears("3 to 5 working days")
        telegram.say(ANN, "who won the football last night")
        hears("Could you put it in other words?")
        telegram.say(ANN, "you sent me the wrong toaster twice now and your staff laughed at me, sort it out")
        hears("What's your order number?")
        telegram.say(ANN, "LF-771203")
        hears("what would put it right")
        telegram.say(ANN, "send the right one")
        hears("I'm passing")

        headers = {"Authorization": f"Bearer {running.token('agent')}"}
        with httpx.Client(base_url=f"{running.url}/api/v1", headers=headers, timeout=60) as agent:

            def waiting() -> dict | None:
                found = agent.get("/tickets", params={"state": "waiting"}).raise_for_status().json()["items"]
                return next((one for one in found if one["conversation"] == f"telegram:{ANN}"), None)

            ticket = running.wait_for(waiting)
            assert ticket["reason"] == "complaint"
            assert ticket["facts"]["order_number"] == "LF-771203"
            path = f"/tickets/{ticket['id']}"
            agent.post(f"{path}/claim").raise_for_status()
            agent.post(f"{path}/reply", json={"text": "The right toaster is on its way."}).raise_for_status()
            hears("The right toaster is on its way.")
            said = len(telegram.texts(ANN))
            telegram.say(ANN, "how long does delivery take?")

            def shown() -> bool:
                view = agent.get(f"/conversations/telegram:{ANN}").raise_for_status().json()
                return view["transcript"][-1]["text"] == "how long does delivery take?"

            running.wait_for(shown)
            assert len(telegram.texts(ANN)) == said, "the bot spoke over a person"
            agent.post(f"{path}/resolve", json={"outcome": "replaced"}).raise_for_status()
            telegram.say(ANN, "do you deliver to ireland")
            hears("Republic of Ireland")

        transcript = running.run("transcript", f"telegram:{ANN}").stdout
        told = [
            "wrong toaster twice",
            "handed over to a person: complaint",
            "The right toaster is on its way.",
            "the ticket was resolved",
            "do you deliver to ireland",
        ]
        places = [transcript.find(text) for text in told]
        assert -1 not in places, transcript
        assert places == sorted(places), transcript

        def figures() -> dict[str, int]:
            done = running.run("metrics", "--format", "json", "--by", "channel")
            return {row["id"]: row["count"] for row in json.loads(done.stdout) if row["group"] == "telegram"}

        running.wait_for(lambda: figures()["episodes"] == 2)  # the projector is behind what was just said
        counts = figures()
        assert counts["episodes_open"] == 1
        assert counts["episodes_engaged"] == counts["outcome_human_served"] == counts["resolution"] == 1
        assert counts["escalation_requested"] == counts["escalation_served"] == counts["first_response_human"] == 1
        assert counts["containment_raw"] == 0
