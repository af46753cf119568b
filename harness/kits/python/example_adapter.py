"""First response wins: of the answers in a channel's history, the first valid one decides."""

import json

import hitl_adapter_kit as kit

RULE = {"sentence": "Of the answers in the history the first valid one decides, once, over crashes."}
OFFERS = ("single-winner", "no-execution-without-grant", "at-most-one-execution", "authority", "durability")
MANIFEST = {"name": "python-example", "version": "1", "summary": "The example of the Python kit."}


class Agent:
    def __init__(self, host):
        self.host, self.file = host, host.directory / "calls.json"
        self.kept = json.loads(self.file.read_text()) if self.file.exists() else {}

    def keep(self, call, **what):
        self.kept[call.id] = {**self.kept.get(call.id, {}), **what}
        kit.write_durably(self.file, json.dumps(self.kept))

    async def call_tool(self, call):
        channel = kit.Channel(self.host, call.tenant, call.session)
        await call.before_gate(call.arguments, call.id in self.kept)
        if call.id not in self.kept:
            card = {"request": call.id, "tool": call.tool, "arguments": call.arguments, "call": call.id}
            await channel.publish("request", card, once=call.id)
            self.host.observe.request_published(call.id, call.id, call.arguments)
            winner = await self.first_valid(channel, call)
            self.keep(call, winner=winner)
            self.host.observe.decision_taken(call.id, winner["choice"], person=winner["decided_by"])
        winner = self.kept[call.id]["winner"]
        await channel.publish("verdict", {"request": call.id, **winner}, once=call.id)
        return {"status": await self.carry_out(call, winner["choice"]), **winner}

    async def first_valid(self, channel, call):
        async for name, answer in channel.follow():
            if name == "answer" and answer["request"] == call.id:
                who = await self.host.identity(answer["token"])
                if who and who["tenant"] == call.tenant and kit.admits(call.policy, who["role"]):
                    return {"choice": answer["choice"], "decided_by": who["person"]}

    async def carry_out(self, call, choice):
        if choice == "rejected" or "begun" in self.kept[call.id]:
            return "rejected" if choice == "rejected" else self.kept[call.id].get("ended", "unknown")
        self.keep(call, begun=True)
        try:
            await call.effect(call.arguments)
            self.keep(call, ended="executed")
        except kit.ToolFailed:
            self.keep(call, ended="failed")
        return self.kept[call.id]["ended"]


class Device:
    def __init__(self, host):
        self.host, self.cards, self.verdicts = host, {}, {}
        for session in host.person["sessions"]:
            kit.in_background(self.watch(kit.Channel(host, host.person["tenant"], session)))

    async def watch(self, channel):
        async for name, record in channel.follow():
            if name == "request":
                self.cards[record["request"]] = channel, record
            elif name == "verdict":
                self.verdicts[record.pop("request")] = record
            self.host.observe.screen_changed()

    async def pending(self):
        return [card for request, (_, card) in self.cards.items() if request not in self.verdicts]

    async def respond(self, request, decision):
        if request not in self.cards:
            return {"status": "unknown-request"}
        answer = {"request": request, "choice": decision["choice"], "token": await self.host.fresh_token()}
        await self.cards[request][0].publish("answer", answer)
        return {"status": "sent"}

    async def settled(self, request):
        status = {"approved": "executed", "rejected": "rejected"}
        verdict = self.verdicts.get(request)
        return verdict and {"status": status[verdict["choice"]], **verdict}


kit.serve({**MANIFEST, "offers": dict.fromkeys(OFFERS, RULE)}, boot_agent=Agent, join_device=Device)
