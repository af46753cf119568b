"""The device side of a run: screens that come up, are looked at, pressed, and read a last time.

Owns every call to an adapter's devices. It looks at a screen when the adapter says that it changed, and
after an answer; at one whose adapter never says so, whenever a message reached the device. It never looks
on a timer, so that a pending month costs nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import simpy

from harness.adapter import Device, Forger, Implementation, Machine
from harness.deviations import Forge
from harness.identity import IdentityProvider
from harness.model import (
    AnswerId,
    CallId,
    Card,
    Decision,
    DeviceId,
    Forgery,
    HostName,
    Person,
    PersonId,
    Receipt,
    RequestId,
    Settled,
)
from harness.plan import PersonSpec
from harness.sim import Host
from harness.trace import AnswerSent, DeviceJoined, ForgerySent, ReceiptGiven, SettledShown
from harness.world.boundary import Boundary
from harness.world.recorder import Recorder
from harness.world.screens import Screens
from harness.world.stage import Stage


@dataclass(slots=True)
class DeviceSide:
    """The devices of one run; ``machine`` makes what an adapter is handed for a host."""

    sim: Stage
    recorder: Recorder
    boundary: Boundary
    screens: Screens
    identity: IdentityProvider
    implementation: Implementation
    machine: Callable[[Host], Machine]
    owners: dict[DeviceId, PersonSpec]
    devices: dict[DeviceId, Device] = field(default_factory=dict)
    _answers: int = 0
    _looks_due: set[DeviceId] = field(default_factory=set)
    _telling: set[DeviceId] = field(default_factory=set)
    """Devices whose adapter says itself when the screen changed."""

    def join(self, device_id: DeviceId) -> None:
        """Bring a device up, for the first time or after its host came back."""
        spec, host = self.owners[device_id], self.sim.host(device_id)
        person = Person(spec.id, spec.tenant, spec.sessions, lambda: self.identity.token(spec.id))
        machine = self.machine(host)
        credential = self.identity.credential(spec.id)
        self.recorder.add(
            DeviceJoined(
                self.sim.now_ns,
                HostName(device_id),
                device_id,
                spec.id,
                credential.tenant,
                credential.role,
                spec.sessions,
            ),
        )

        def joined(device: Device) -> None:
            self.devices[device_id] = device
            self.look_soon(device_id)

        where = "join_device"
        self.boundary.run(host, where, lambda: self.implementation.join_device(machine, person), joined)

    def power_lost(self, device_id: DeviceId) -> None:
        """Forget the process and the screen of a device whose host lost power."""
        self.devices.pop(device_id, None)
        self._looks_due.discard(device_id)
        self.screens.blank(device_id)

    def message_arrived(self, device_id: DeviceId) -> None:
        """Look at a screen that a message may have changed, unless its adapter says when it did."""
        if device_id not in self._telling:
            self.look_soon(device_id)

    def screen_changed(self, device_id: DeviceId) -> None:
        """Look at a screen whose adapter says that it changed."""
        self._telling.add(device_id)
        self.look_soon(device_id)

    def look_soon(self, device_id: DeviceId) -> None:
        """Look at a screen in this instant, once, however many messages just reached it."""
        device = self.devices.get(device_id)
        if device is None or device_id in self._looks_due:
            return
        self._looks_due.add(device_id)

        async def look() -> Sequence[Card]:
            self._looks_due.discard(device_id)
            return await device.pending()

        def shown(cards: Sequence[Card]) -> None:
            self.screens.show(device_id, cards)

        self.boundary.run(self.sim.host(device_id), "device.pending", look, shown, returns=Sequence)

    def press(
        self,
        person: PersonId,
        device: DeviceId,
        request: RequestId,
        decision: Decision,
        *,
        card: Card | None,
        call: CallId | None,
    ) -> simpy.Event:
        """Press a button on a device; the event succeeds with the receipt, never if the device dies."""
        told = self.sim.env.event()
        screen, host = self.devices.get(device), self.sim.host(device)
        if screen is None:
            return told
        self._answers += 1
        answer, name = AnswerId(f"a{self._answers}"), HostName(device)
        self.recorder.add(
            AnswerSent(
                at=self.sim.now_ns,
                host=name,
                answer=answer,
                request=request,
                call=call,
                person=person,
                device=device,
                choice=decision.choice,
                credential=self.identity.credential(person),
                shown=None if card is None else card.arguments,
                arguments=decision.arguments,
                reason=decision.reason,
            ),
        )

        def receipt_given(receipt: Receipt) -> None:
            self.recorder.add(
                ReceiptGiven(
                    self.sim.now_ns,
                    name,
                    answer,
                    receipt.status,
                    receipt.winner,
                    receipt.choice,
                    receipt.note,
                ),
            )
            self.look_soon(device)
            told.succeed(receipt)

        where = f"device.respond({request})"
        self.boundary.run(
            host,
            where,
            lambda: screen.respond(request, decision),
            receipt_given,
            returns=Receipt,
            prompt=False,
        )
        return told

    def forge(self, forge: Forge, card: Card) -> bool:
        """Send a forged message, as often as told; returns whether the adapter lets its devices forge."""
        device: object = self.devices.get(forge.device)
        call = self.screens.call_of(card)
        if not isinstance(device, Forger) or call is None:
            return False
        claimed = self.victim(forge.person)
        forgery = Forgery(
            forge.forgery, card.request, call, card.tool, card.arguments, claimed.id, claimed.role
        )
        at, name, host = self.sim.now_ns, HostName(forge.device), self.sim.host(forge.device)
        sent = ForgerySent(at, name, forge.person, forge.device, forge.forgery, card.request, call)
        where = f"device.forge({forge.forgery})"
        for _ in range(forge.times):
            self.recorder.add(sent)
            self.boundary.run(host, where, lambda: device.forge(forgery), lambda _: None)
        return True

    def victim(self, forger: PersonId) -> PersonSpec:
        """Return the person whom ``forger`` claims to be: the first other one, whatever their role."""
        people = list({person.id: person for person in self.owners.values()}.values())
        return next((person for person in people if person.id != forger), people[0])

    def read_last_screens(self) -> None:
        """Read every live device a last time: what is pending, and how each known request stands."""
        for device_id in self.owners:
            device = self.devices.get(device_id)
            if device is not None:
                self._read_last(device_id, device)

    def _read_last(self, device_id: DeviceId, device: Device) -> None:
        requests = self.screens.requests_seen(device_id)

        async def read() -> tuple[Sequence[Card], list[Settled | None]]:
            return await device.pending(), [await device.settled(request) for request in requests]

        def was_read(last: tuple[Sequence[Card], list[Settled | None]]) -> None:
            cards, settled = last
            self.screens.show(device_id, cards, final=True)
            still_pending = {card.request for card in cards}
            for request, state in zip(requests, settled, strict=True):
                if request not in still_pending:
                    self._record_settled(device_id, request, state)

        self.boundary.run(self.sim.host(device_id), "device.settled", read, was_read)

    def _record_settled(self, device_id: DeviceId, request: RequestId, settled: Settled | None) -> None:
        card = self.screens.seen[device_id][request]
        self.recorder.add(
            SettledShown(
                self.sim.now_ns,
                HostName(device_id),
                device_id,
                self.owners[device_id].id,
                request,
                self.screens.call_of(card),
                settled,
            ),
        )
