// Runs the real ably SDK for JavaScript through one approval's worth of features against a server on loopback.
// argv: folder with node_modules, port, key, format. Prints one JSON object.
const path = require('node:path');
const [modules, port, key, format] = process.argv.slice(2);
const Ably = require(path.join(modules, 'node_modules', 'ably'));

const options = (more) => ({
  endpoint: '127.0.0.1',
  port: Number(port),
  tls: false,
  key,
  useBinaryProtocol: format === 'msgpack',
  disableConnectivityCheck: true,
  logLevel: 0,
  ...more,
});

async function until(condition) {
  const end = Date.now() + 60000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain: ${condition}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error.code;
  }
  return null;
}

async function post(body) {
  const reply = await fetch(`http://127.0.0.1:${port}/control/faults`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return reply.status;
}

async function main() {
  const found = {};
  const alice = new Ably.Realtime(options({ clientId: 'alice' }));
  const bob = new Ably.Realtime(options({ clientId: 'bob' }));
  const got = [];
  const room = alice.channels.get('mut:room');
  await bob.channels.get('mut:room').publish('before', 'x');
  await room.subscribe((message) => got.push(message));
  found.attachSerial = typeof room.properties.attachSerial;
  const published = await bob.channels.get('mut:room').publish('request', { tool: 'transfer' });
  await until(() => got.length === 1);
  found.published = [got[0].name, got[0].data, got[0].clientId, got[0].action, published.serials[0] === got[0].serial];
  const created = await room.publish('stream', 'Hel');
  await room.appendMessage({ serial: created.serials[0], data: 'lo' });
  const updated = await room.updateMessage({ serial: created.serials[0], data: 'bye' }, { description: 'why' });
  await until(() => got.length === 4);
  found.operations = got.slice(1).map((message) => [message.action, message.data, message.name]);
  found.versionSerial = updated.versionSerial === got[3].version.serial;
  const page = await room.history({ untilAttach: true, limit: 10 });
  found.untilAttach = page.items.map((message) => message.name);
  const first = await room.history({ limit: 2 });
  const second = await first.next();
  found.pages = [first.items.length, second.items.length, second.hasNext()];
  found.versions = (await room.getMessageVersions(created.serials[0])).items.length;
  found.binary = await (async () => {
    const channel = alice.channels.get('bytes');
    const seen = new Promise((done) => channel.subscribe((message) => done(message.data)));
    await channel.attach();
    await channel.publish('b', Buffer.from([0, 255]));
    return Array.from(Buffer.from(await seen));
  })();

  const before = alice.connection.id;
  found.dropped = await post({ fault: 'drop', clientId: 'alice' });
  await bob.channels.get('mut:room').publish('missed', 'y');
  await until(() => got.length === 5);
  found.resumed = [alice.connection.id === before, got[4].name];

  const seen = [];
  const presence = alice.channels.get('presence').presence;
  await presence.subscribe((message) => seen.push([message.action, message.clientId]));
  await bob.channels.get('presence').presence.enter('here');
  await until(() => seen.length === 1);
  found.members = (await presence.get()).map((member) => [member.clientId, member.data]);
  await bob.channels.get('presence').presence.leave();
  await until(() => seen.length === 2);
  found.presence = seen;

  const rest = new Ably.Rest(options({ clientId: 'carol', useTokenAuth: true }));
  found.time = Math.abs((await rest.time()) - Date.now()) < 5000;
  found.rest = (await rest.channels.get('room').publish('a', 'b')).serials.length;
  found.batch = (await rest.batchPublish({ channels: ['a', 'b'], messages: [{ name: 'n' }] })).successCount;
  const token = await rest.auth.requestToken({ clientId: 'dave', capability: { a: ['subscribe'] } });
  const dave = new Ably.Realtime(options({ key: undefined, token }));
  await until(() => dave.connection.state === 'connected');
  found.dave = [dave.auth.clientId, await failure(dave.channels.get('b').attach()), await failure(dave.channels.get('a').publish('x', 'y'))];
  found.immutable = await failure(alice.channels.get('room').updateMessage({ serial: created.serials[0], data: 'x' }));
  const eve = new Ably.Realtime(options({ key: key + 'wrong' }));
  await until(() => eve.connection.state === 'failed');
  found.eve = eve.connection.errorReason.code;
  found.ping = (await alice.connection.ping()) >= 0;
  [alice, bob, dave, eve].forEach((client) => client.close());
  console.log(JSON.stringify(found));
  setTimeout(() => process.exit(0), 100);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
