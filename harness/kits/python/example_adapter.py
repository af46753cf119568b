"""First response wins: of the answers in a channel's history, the first valid one decides."""

import hitl_adapter_kit as kit

RULE = {"sentence": "Of the answers in the history the first valid one decides, once, over crashes."}
OFFERS = ("single-winner", "no-execution-without-grant", "at-most-one-execution", "authority", "durability")
MANIFEST = {"name": "python-example", "version": "1", "summary": "The example of the Python kit."}


class Agent:
    def __init__(self, host):
        self.host = host

    async def call_tool(self, call):
        channel, decided = self.host.channel(call), f"{call.id} decided"
        await call.before_gate(call.arguments, self.host.kept(decided) is not None)
        if self.host.kept(decided) is None:
            card = {"request": call.id, "tool": call.tool, "arguments": call.arguments, "call": call.id}
            await channel.publish("request", card, once=call.id)
            self.host.observe.request_published(call.id, call.id, call.arguments)
            winner = await self.first_valid(channel, call)
            if self.host.keep_once(decided, winner):
                self.host.observe.decision_taken(call.id, winner["choice"], person=winner["decided_by"])
        winner = self.host.kept(decided)
        outcome = {"status": await self.carry_out(call, winner["choice"]), **winner}
        if outcome["status"] != "unknown":
            await channel.publish("outcome", {"request": call.id, "outcome": outcome}, once=call.id)
        return outcome

    async def first_valid(self, channel, call):
        async for name, answer in channel.follow():
            if name == "answer" and answer["request"] == call.id:
                who = await self.host.identity(answer["token"])
                if who and who["tenant"] == call.tenant and kit.admits(call.policy, who["role"]):
                    return {"choice": answer["choice"], "decided_by": who["person"]}

    async def carry_out(self, call, choice):
        if choice == "rejected":
            return "rejected"
        if self.host.keep_once(f"{call.id} begun", value=True):
            self.host.keep_once(f"{call.id} ended", await call.carry_out(call.arguments))
        return self.host.kept(f"{call.id} ended") or "unknown"


class Device:
    def __init__(self, host):
        self.host, self.cards, self.outcomes = host, {}, {}
        host.watch(self.saw)

    def saw(self, channel, name, record):
        if name == "request":
            self.cards[record["request"]] = channel, record
        elif name == "outcome":
            self.outcomes[record["request"]] = record["outcome"]

    async def pending(self):
        return [card for request, (_, card) in self.cards.items() if request not in self.outcomes]

    async def respond(self, request, decision):
        if request not in self.cards:
            return {"status": "unknown-request"}
        answer = {"request": request, "choice": decision["choice"], "token": await self.host.fresh_token()}
        await self.cards[request][0].publish("answer", answer)
        return {"status": "sent"}

    async def settled(self, request):
        return self.outcomes.get(request)


kit.serve({**MANIFEST, "offers": dict.fromkeys(OFFERS, RULE)}, boot_agent=Agent, join_device=Device)
