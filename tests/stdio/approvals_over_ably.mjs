// A small approval over the real ably SDK: the agent publishes a request, the first answer decides it.
import * as Ably from 'ably';

import { serve } from 'hitl-adapter-kit';

const channelOf = (tenant, session) => `approvals:${tenant}:${session}`;

function connected(host) {
  const { ably } = host.services;
  let token = ably.token;
  return new Ably.Realtime({
    endpoint: ably.host,
    port: ably.port,
    tls: ably.tls,
    clientId: ably.client_id,
    disableConnectivityCheck: true,
    logLevel: 1,
    useBinaryProtocol: host.options.json !== 'yes',
    authCallback: async (_, done) => {
      const text = token ?? (await host.ablyToken(await host.freshToken())).text;
      token = null;
      done(null, text);
    },
  });
}

class Agent {
  constructor(host) {
    this.host = host;
    this.client = connected(host);
    this.decided = new Map();
  }

  async callTool(call) {
    const channel = this.client.channels.get(channelOf(call.tenant, call.session));
    const request = `request-${call.id}`;
    await call.beforeGate(call.arguments, false);
    const decision = new Promise((resolve) => this.decided.set(request, resolve));
    await channel.subscribe('answer', ({ data, clientId }) => {
      this.decided.get(data.request)?.({ ...data, person: clientId });
      this.decided.delete(data.request);
    });
    await channel.publish('request', { request, call: call.id, tool: call.tool, arguments: call.arguments });
    this.host.observe.requestPublished(request, call.id, call.arguments);
    const { choice, person } = await decision;
    this.host.observe.decisionTaken(request, choice, { person });
    const result = choice === 'approved' ? await call.effect(call.arguments) : null;
    await channel.publish('settled', { request, choice, person });
    return { status: choice === 'approved' ? 'executed' : 'rejected', result, choice, decided_by: person };
  }

  async close() {
    this.client.close();
  }
}

class Device {
  constructor(host, person) {
    this.host = host;
    this.cards = new Map();
    this.over = new Map();
    this.client = connected(host);
    this.channels = person.sessions.map((session) => this.client.channels.get(channelOf(person.tenant, session)));
  }

  async join() {
    for (const channel of this.channels) {
      await channel.subscribe((message) => this.hear(channel, message));
      for (const message of (await channel.history({ untilAttach: true, direction: 'forwards' })).items) {
        this.hear(channel, message);
      }
    }
  }

  hear(channel, { name, data }) {
    if (name === 'request') this.cards.set(data.request, { channel, card: data });
    if (name === 'settled') {
      const status = data.choice === 'approved' ? 'executed' : 'rejected';
      this.over.set(data.request, { status, choice: data.choice, decided_by: data.person });
    }
    this.host.observe.screenChanged();
  }

  pending() {
    return [...this.cards.values()].map((it) => it.card).filter((it) => !this.over.has(it.request));
  }

  async respond(request, { choice }) {
    await this.cards.get(request).channel.publish('answer', { request, choice });
    return { status: 'sent' };
  }

  settled(request) {
    return this.over.get(request) ?? null;
  }

  async close() {
    this.client.close();
  }
}

serve({
  manifest: {
    name: 'approvals-over-ably',
    version: '1',
    summary: 'A small approval over the real ably SDK for JavaScript',
    offers: { 'single-winner': { sentence: 'The first answer decides.' } },
    clocks: ['real', 'virtual'],
  },
  bootAgent: (host) => new Agent(host),
  async joinDevice(host, person) {
    const device = new Device(host, person);
    await device.join();
    return device;
  },
});
