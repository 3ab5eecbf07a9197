import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { Grants } = await source('main/policy/grants.ts');
const { coversOrigin, networkOrigin } = await source('main/policy/origins.ts');
const { pathOf } = await source('main/policy/own-folder.ts');

const APP = 'test.app';
const ORIGIN = 'https://example.com';
const NOW = 1_700_000_000_000;

let backend;
let answers;
let rules;
let epoch;
let trusted;

function rule(permission, scope, allow = true, until = undefined) {
  return { permission, scope, allow, until };
}

beforeEach(() => {
  rules = [];
  epoch = 1;
  trusted = false;
  answers = () => Promise.resolve({ app: APP, epoch, trusted, now: NOW, rules });
  const listeners = {};
  backend = {
    on: (name, listener) => (listeners[name] = listener),
    onNotice: (name, listener) => (listeners[name] = listener),
    tell: (name, value) => listeners[name](value),
    call: (method) =>
      method === 'permissions.catalogue'
        ? Promise.resolve({
            permissions: [
              { name: 'geolocation', scope: 'fixed', enforcedBy: 'shell', points: ['geolocation'] },
              { name: 'network', scope: 'origin', enforcedBy: 'shell', points: ['webRequest'] },
              { name: 'secrets', scope: 'fixed', enforcedBy: 'method', points: ['secrets.get'] },
            ],
          })
        : answers(),
  };
});

async function loaded() {
  const grants = new Grants(backend);
  await grants.load(APP);
  return grants;
}

test('what is not loaded is not allowed', () => {
  rules = [rule('network', ORIGIN)];
  assert.equal(new Grants(backend).allows(APP, 'network', ORIGIN), false);
  assert.equal(new Grants(backend).allowsAny(APP, 'network'), false);
});

test('an app that may reach one site is told from one that may reach none', async () => {
  rules = [rule('network', ORIGIN, false), rule('geolocation', undefined)];
  assert.equal((await loaded()).allowsAny(APP, 'network'), false);
  rules = [rule('network', ORIGIN)];
  assert.equal((await loaded()).allowsAny(APP, 'network'), true);
});

test('the first rule that fits decides, and none means no', async () => {
  rules = [rule('network', ORIGIN, false), rule('network', '*')];
  const grants = await loaded();
  assert.equal(grants.allows(APP, 'network', ORIGIN), false);
  assert.equal(grants.allows(APP, 'network', 'https://other.com'), true);
  assert.equal(grants.allows(APP, 'geolocation', 'all'), false);
  assert.equal(grants.allows('another.app', 'network', 'https://other.com'), false);
});

test('a rule that has ended is not there, and one without a scope is about all', async () => {
  rules = [rule('network', ORIGIN, true, NOW - 1), rule('geolocation', undefined)];
  const grants = await loaded();
  assert.equal(grants.allows(APP, 'network', ORIGIN), false);
  assert.equal(grants.allows(APP, 'geolocation', 'all'), true);
});

test('an answer that fails allows nothing, and is asked for again', async () => {
  rules = [rule('network', ORIGIN)];
  const works = answers;
  answers = () => Promise.reject(new Error('away'));
  const grants = await loaded();
  assert.equal(grants.allows(APP, 'network', ORIGIN), false);
  answers = works;
  await grants.load(APP);
  assert.equal(grants.allows(APP, 'network', ORIGIN), true);
});

test('news of a change take everything away until the new answer is here', async () => {
  rules = [rule('network', ORIGIN)];
  const grants = await loaded();
  const changed = new Promise((resolve) => grants.on('changed', resolve));
  epoch = 2;
  backend.tell('permissions.changed', { app: APP, epoch });
  assert.equal(grants.allows(APP, 'network', ORIGIN), false);
  assert.equal(await changed, APP);
  assert.equal(grants.allows(APP, 'network', ORIGIN), true);
});

test('an answer of before a change does not outlive it', async () => {
  rules = [rule('network', ORIGIN)];
  const held = [];
  answers = () => {
    const answer = { app: APP, epoch, trusted, now: NOW, rules };
    return new Promise((resolve) => held.push(() => resolve(answer)));
  };
  const grants = new Grants(backend);
  const loading = grants.load(APP);
  epoch = 2;
  rules = [];
  backend.tell('permissions.changed', { app: APP, epoch });
  held.shift()();
  await loading;
  const again = grants.load(APP);
  await new Promise((resolve) => setImmediate(resolve));
  for (const answer of held) answer();
  await again;
  assert.equal(grants.allows(APP, 'network', ORIGIN), false);
});

test('an answer of before a change is used by nobody, however many changes follow each other', async () => {
  const held = [];
  answers = () => {
    const answer = { app: APP, epoch, trusted, now: NOW, rules };
    return new Promise((resolve) => held.push(() => resolve(answer)));
  };
  const grants = new Grants(backend);
  const change = (to, granted) => {
    epoch = to;
    rules = granted ? [rule('network', ORIGIN)] : [];
    backend.tell('permissions.changed', { app: APP, epoch });
  };
  rules = [rule('network', ORIGIN)];
  const used = grants.load(APP).then(() => grants.allows(APP, 'network', ORIGIN));
  change(2, true);
  held.shift()();
  assert.equal(await used, false);
  await new Promise((resolve) => setImmediate(resolve));
  change(3, true);
  change(4, false);
  for (let round = 0; round < 5; round += 1) {
    for (const answer of held.splice(0)) answer();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(grants.allows(APP, 'network', ORIGIN), false);
  }
});

test('without a backend nothing is allowed', async () => {
  trusted = true;
  const grants = await loaded();
  assert.equal(grants.allows(APP, 'network', ORIGIN), true);
  backend.tell('down');
  assert.equal(grants.allows(APP, 'network', ORIGIN), false);
});

test("only what the shell enforces is one of Electron's own permissions", async () => {
  const grants = await loaded();
  assert.deepEqual(await grants.permissionsOf('geolocation'), ['geolocation']);
  for (const name of ['webRequest', 'secrets.get', 'fileSystem', '__proto__']) {
    assert.deepEqual(await grants.permissionsOf(name), []);
  }
});

test('an origin covers itself, with its scheme and port, and the hosts below a wildcard', () => {
  assert.equal(coversOrigin('*', ORIGIN), true);
  assert.equal(coversOrigin(ORIGIN, ORIGIN), true);
  assert.equal(coversOrigin('https://*.example.com', 'https://a.b.example.com'), true);
  for (const other of [
    'http://example.com',
    'wss://example.com',
    'https://example.com:8443',
    'https://example.com.evil.org',
    'https://evilexample.com',
  ]) {
    assert.equal(coversOrigin(ORIGIN, other), false, other);
    assert.equal(coversOrigin('https://*.example.com', other), false, other);
  }
  assert.equal(coversOrigin('https://*.example.com', ORIGIN), false);
});

test('only addresses on the network have an origin there', () => {
  assert.equal(networkOrigin('HTTPS://Example.com:443/a?b#c'), ORIGIN);
  assert.equal(networkOrigin('https://user:secret@example.com/'), ORIGIN);
  assert.equal(networkOrigin('ws://example.com:81/'), 'ws://example.com:81');
  for (const address of ['file:///a', 'data:,x', 'blob:https://example.com/1', 'about:blank', '']) {
    assert.equal(networkOrigin(address), undefined, address);
  }
});

test('a file of another machine has no path here', () => {
  assert.equal(pathOf('file:///home/a%20b'), '/home/a b');
  for (const address of ['file://server/share/x', 'https://example.com/x', 'file:///a%2Fb']) {
    assert.equal(pathOf(address), undefined, address);
  }
});

test('whatever a page writes, an address has one origin, so that no denial is missed', () => {
  const written = {
    'https://evil.com./x': 'https://evil.com',
    'https://EVIL.com.:8443': 'https://evil.com:8443',
    'https://good.com@evil.com/': 'https://evil.com',
    'https://evil.com:443': 'https://evil.com',
    'https://b\u00fccher.de': 'https://xn--bcher-kva.de',
    'http://2130706433': 'http://127.0.0.1',
    'http://127.1.': 'http://127.0.0.1',
    'http://[0:0:0:0:0:0:0:1]': 'http://[::1]',
    'http://[::ffff:127.0.0.1]': 'http://[::ffff:7f00:1]',
    'blob:https://evil.com/1': undefined,
    'filesystem:https://evil.com/temporary/x': undefined,
    'data:text/html,x': undefined,
  };
  for (const [address, origin] of Object.entries(written)) {
    assert.equal(networkOrigin(address), origin, address);
  }
});
