"""The protocol's manager: chains, delegation, failures; and what may be plugged in instead of it."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from adapters.genie import ADAPTERS
from adapters.genie.manager import NOBODY, ChainManager
from adapters.genie.permissions import PermissionsApprover, Rule
from adapters.genie.plugging import BUILT_IN, VARIABLE, ManagerNotFoundError, manager_of
from adapters.genie.protocol import (
    ApprovalRequest,
    ApprovalResponse,
    Approver,
    PluginsOf,
    Status,
    tool_request,
)
from harness.casting import call, person
from harness.model import CallId, Outcome, OutcomeStatus
from harness.plan import SECOND, AnswerSpec, Plan
from harness.run import Run, execute
from harness.trace import EffectExecuted, OutcomeReported

BY_NAME = {adapter.manifest.name: adapter for adapter in ADAPTERS}
REQUEST = tool_request("r1", "publish", {"title": "Hello"}, {"session_id": "main"}, None)


class Says:
    """An approver that always gives the same answer, or raises it."""

    def __init__(self, name: str, answer: Status | Exception) -> None:
        self.plugin_id = name
        self.answer = answer
        self.asked = 0

    async def setup(self, config: dict[str, Any] | None = None) -> None: ...

    async def teardown(self) -> None: ...

    async def request_approval(self, request: ApprovalRequest) -> ApprovalResponse:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return ApprovalResponse(
            request_id=request["request_id"], status=self.answer, approver_id=self.plugin_id
        )


def asked(*approvers: Approver, chain: tuple[str, ...] | None = None, only: str | None = None) -> Any:
    plugins = PluginsOf({it.plugin_id: it for it in approvers})
    manager = ChainManager(plugins, chain or tuple(it.plugin_id for it in approvers))
    return asyncio.run(manager.request_approval(REQUEST, only))


def test_the_first_decisive_link_of_a_chain_decides() -> None:
    last = Says("last", "denied")
    response = asked(Says("policy", "ask_human"), Says("human", "approved"), last)
    assert (response["status"], response["approver_id"], last.asked) == ("approved", "human", 0)


def test_an_exhausted_chain_is_a_denial_with_a_reason() -> None:
    response = asked(Says("policy", "ask_human"), Says("other", "ask_human"))
    assert response["status"] == "denied"
    assert "nobody was left to ask" in response["reason"]


def test_a_lone_approver_that_raises_is_an_error_and_no_approval() -> None:
    response = asked(Says("human", RuntimeError("the line is dead")))
    assert response["status"] == "error"
    assert "the line is dead" in response["reason"]


def test_a_chain_skips_links_that_raise_or_are_missing() -> None:
    broken, human = Says("broken", RuntimeError("no")), Says("human", "denied")
    assert asked(broken, human, chain=("broken", "gone", "human"))["approver_id"] == "human"


def test_without_an_approver_everything_is_denied() -> None:
    response = asyncio.run(ChainManager(PluginsOf({}), ()).request_approval(REQUEST))
    assert (response["status"], response["reason"]) == ("denied", NOBODY)
    assert asked(chain=("gone",))["status"] == "denied"


def test_an_approver_that_is_named_is_asked_alone() -> None:
    policy = Says("policy", "approved")
    assert asked(policy, Says("human", "denied"), only="human")["approver_id"] == "human"
    assert policy.asked == 0


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (Rule("allow", "pub*"), "approved"),
        (Rule("deny", "publish", {"title": "Hel*"}), "denied"),
        (Rule("deny", "publish", {"title": "Other"}), "ask_human"),
        (Rule("deny", "publish", {"missing": 1}), "ask_human"),
    ],
)
def test_permissions_decide_by_their_first_matching_rule_and_else_delegate(
    rule: Rule, status: Status
) -> None:
    response = asyncio.run(PermissionsApprover([rule]).request_approval(REQUEST))
    assert response["status"] == status


def run_genie(name: str = "genie") -> Run:
    people = (person("alice", [AnswerSpec(CallId("c1"), think_ns=SECOND)]),)
    return execute(BY_NAME[name], Plan("by hand", people, (call(),)))


def outcomes(done: Run) -> list[OutcomeReported]:
    return [it for it in done.boundary.events if isinstance(it, OutcomeReported)]


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "our_private_hitl.py").write_text(
        dedent(
            """
            class Refuses:
                async def request_approval(self, request):
                    return {"request_id": request["request_id"], "status": "denied", "reason": "private"}

            ready = Refuses()

            def direct(plugins, chain):
                class Manager:
                    async def request_approval(self, request):
                        approver = await plugins.get_plugin_instance(chain[-1])
                        return await approver.request_approval(request)
                return Manager()

            async def later(plugins, chain):
                return direct(plugins, chain)

            useless = 7
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "our_private_hitl"
    sys.modules.pop("our_private_hitl", None)


def test_any_object_with_the_protocols_method_can_be_plugged_in(
    private: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{private}:ready")
    (outcome,) = outcomes(run_genie())
    assert (outcome.status, outcome.reason) == (OutcomeStatus.REJECTED, "private")


@pytest.mark.parametrize("name", ["direct", "later"])
def test_a_factory_gets_the_approvers_and_the_chain(
    private: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{private}:{name}")
    done = run_genie()
    assert [it.status for it in outcomes(done)] == [OutcomeStatus.EXECUTED]
    assert not done.failures


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("our_private_hitl:absent", "absent"),
        ("our_private_hitl:useless", "int has no request_approval"),
        ("no_such_module_of_ours:x", "no_such_module_of_ours"),
        ("unknown-entry", "hitl_harness.genie_managers"),
    ],
)
def test_what_cannot_be_plugged_in_is_told_with_what_is_due(private: str, reference: str, said: str) -> None:
    del private
    with pytest.raises(ManagerNotFoundError, match=said):
        manager_of(reference)


def test_a_wrong_reference_is_the_adapters_failure_and_no_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "no_such_module_of_ours:x")
    done = run_genie()
    assert "no_such_module_of_ours" in done.failures[0].error


FAKE = {
    "__init__.py": "",
    "hitl/__init__.py": "",
    "hitl/impl/__init__.py": "",
    "hitl/manager.py": """
        class HITLManager:
            def __init__(self, plugin_manager, default_approver_id=None, approver_configurations=None,
                         default_approver_chain=None):
                self.plugins, self.chain = plugin_manager, default_approver_chain
            async def request_approval(self, request, approver_id=None):
                for name in self.chain:
                    plugin = await self.plugins.get_plugin_instance(name, config={})
                    response = await plugin.request_approval(request)
                    if response["status"] != "ask_human":
                        return response | {"reason": "asked by the package"}
        """,
    "hitl/impl/webhook_approval.py": """
        import asyncio, json
        class WebhookApprovalPlugin:
            plugin_id = "webhook_approval_v1"
            async def setup(self, config=None):
                self.url = config["url"]
            async def teardown(self): ...
            async def request_approval(self, request):
                host, _, port = self.url.removeprefix("http://").partition("/")[0].partition(":")
                reader, writer = await asyncio.open_connection(host, int(port))
                body = json.dumps(request).encode()
                head = "POST /approve HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n"
                head += f"Content-Length: {len(body)}\\r\\n\\r\\n"
                writer.write(head.encode() + body)
                answer = json.loads((await reader.read()).partition(b"\\r\\n\\r\\n")[2])
                writer.close()
                return {"request_id": request["request_id"], **answer}
        """,
}


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, text in FAKE.items():
        path = tmp_path / "genie_tooling" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [it for it in sys.modules if it.partition(".")[0] == "genie_tooling"]:
        del sys.modules[name]


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", ["genie", "genie-webhook"])
def test_the_packages_own_manager_and_plug_ins_are_used_where_they_are_importable(name: str) -> None:
    people = (person("alice", [AnswerSpec(CallId("c1"), think_ns=SECOND)]),)
    done = execute(BY_NAME[name], Plan("by hand", people, (call(),)))
    assert not done.failures
    assert [it.status for it in outcomes(done)] == [OutcomeStatus.EXECUTED]
    assert sum(isinstance(it, EffectExecuted) for it in done.boundary.events) == 1
    assert "genie_tooling.hitl.manager" in sys.modules
    assert ("genie_tooling.hitl.impl.webhook_approval" in sys.modules) == (name == "genie-webhook")


@pytest.mark.usefixtures("published")
def test_our_own_manager_can_be_asked_for_where_the_package_is_importable() -> None:
    assert manager_of(BUILT_IN) is not manager_of("")


def test_outcomes_of_a_refused_command_carry_the_decision() -> None:
    from adapters.genie.runner import outcome_of  # noqa: PLC0415 - beside what it is about

    denied = ApprovalResponse(request_id="r", status="denied", approver_id="bob", reason="no")
    told: Outcome = outcome_of(denied, "Tool execution denied by HITL: no")
    assert (told.status, told.decided_by, told.reason) == (OutcomeStatus.REJECTED, "bob", "no")
    late = ApprovalResponse(request_id="r", status="timeout", reason="late")
    assert outcome_of(late, "").status is OutcomeStatus.EXPIRED
