import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { source } from './source.mjs';

const { ChannelTopics, channelProvidedOn, isChannelTopic } = await source(
  'page/openfin/channel-topics.ts',
);
const { Actions } = await source('page/openfin/actions.ts');
const { ChannelProvider } = await source('page/openfin/channel-provider.ts');
const { Subscribers } = await source('page/openfin/events.ts');

test('any name makes one level of a topic, and can be read back', () => {
  for (const name of ['plain_Name-1', 'a.b*/#', 'Zürich 🙂', '%', '%2E', '\n']) {
    const topics = new ChannelTopics(name);
    assert.match(topics.provider, /^channel\.[A-Za-z0-9%_-]+\.provider$/);
    assert.equal(channelProvidedOn(topics.provider), name);
    assert.ok(isChannelTopic(topics.provider) && isChannelTopic(topics.client('id-1')));
    assert.equal(topics.clientOf(topics.client('id-1')), 'id-1');
    assert.equal(topics.clientOf(topics.provider), undefined);
  }
  for (const topic of [
    'channel.x',
    'channel.x.provider.y',
    'channel.%zz.provider',
    'a.x.provider',
  ]) {
    assert.equal(channelProvidedOn(topic), undefined);
  }
  for (const name of ['', undefined, 7, 'x'.repeat(201)]) {
    assert.throws(() => new ChannelTopics(name), { code: -32602 });
  }
});

const identity = { uuid: 'app', name: 'main' };

test('listeners before and after change what they return something for', async () => {
  const actions = new Actions('desk');
  actions.register('add', ({ a, b }) => a + b);
  actions.setDefaultAction((action, payload) => `${action} ${payload}`);
  assert.equal(await actions.run('add', { a: 1, b: 2 }, identity), 3);
  assert.equal(await actions.run('other', 'x', identity), 'other x');
  actions.beforeAction((action, payload) => (action === 'add' ? { ...payload, b: 5 } : undefined));
  actions.afterAction(async (action, result) => (action === 'add' ? result * 10 : undefined));
  assert.equal(await actions.run('add', { a: 1, b: 2 }, identity), 60);
  assert.equal(await actions.run('other', 'x', identity), 'other x');
});

test('an error goes to the caller unless onError has an answer', async () => {
  const actions = new Actions('desk');
  const seen = [];
  actions.register('bad', () => {
    throw new Error('no');
  });
  assert.throws(() => actions.register('bad', () => 1), /has a listener already/);
  await assert.rejects(actions.run('bad', 1, identity), /no/);
  actions.onError((action, { message }) => {
    seen.push(`${action} ${message}`);
    return action === 'bad' ? 'mended' : undefined;
  });
  assert.equal(await actions.run('bad', 1, identity), 'mended');
  assert.equal(actions.remove('bad'), true);
  assert.equal(actions.remove('bad'), false);
  await assert.rejects(actions.run('none', 1, identity), { code: -32019 });
  assert.equal(seen[0], 'bad no');
});

test('who comes back in time was never gone, and who ends is gone at once', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let tell;
  const who = (client) => ({ app: 'app', client, pattern: 'a' });
  const bus = {
    on: (_name, listener) => {
      tell = listener;
      return () => undefined;
    },
    call: () => Promise.resolve(tell({ all: [who('one'), who('two')] })),
  };
  const subscribers = new Subscribers(bus, 100);
  const words = [];
  for (const name of ['added', 'removed', 'gone']) {
    subscribers.on(name, ({ client }) => words.push(`${name} ${client}`));
  }
  await subscribers.start();
  assert.equal(subscribers.of('a').length, 2);
  tell({ removed: { ...who('one'), away: true } });
  tell({ removed: { ...who('two'), away: true } });
  mock.timers.tick(50);
  tell({ added: who('two') });
  mock.timers.tick(50);
  assert.deepEqual(words, ['removed one', 'removed two', 'added two', 'gone one']);
  assert.deepEqual(subscribers.of('a'), [who('two')]);
  tell({ removed: { ...who('two'), away: false } });
  assert.deepEqual(words.slice(4), ['removed two', 'gone two']);
  mock.timers.reset();
});

test('one client of an id is let in, and none that has left while it was looked at', async () => {
  let hear;
  const answers = [];
  const bus = {
    subscribe: (_topic, listener) => {
      hear = listener;
      return Promise.resolve(() => Promise.resolve());
    },
    answer: (message, handler) => answers.push(handler(message.payload)),
    post: () => true,
  };
  const subscribers = new Subscribers({ on: () => () => undefined });
  const provider = new ChannelProvider(bus, new ChannelTopics('x'), subscribers, () => undefined);
  await provider.start();
  let letIn;
  provider.onConnection(() => new Promise((resolve) => (letIn = resolve)));
  const says = (app, kind, id, replyTo) =>
    hear({ sender: { app, client: 'main' }, payload: { kind, id }, replyTo });
  says('one', 'connect', 'a', 'r1');
  says('two', 'connect', 'a', 'r2');
  await assert.rejects(answers[1], { category: 'conflict' });
  letIn();
  await answers[0];
  assert.deepEqual(
    provider.connections().map(({ uuid }) => uuid),
    ['one'],
  );
  says('two', 'connect', 'b', 'r3');
  says('two', 'bye', 'b');
  letIn();
  await assert.rejects(answers[2], { category: 'unavailable' });
  assert.equal(provider.connections().length, 1);
});
