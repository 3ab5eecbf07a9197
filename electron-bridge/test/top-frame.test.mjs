import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { source } from './source.mjs';

const { TopFrame } = await source('main/windows/own/top-frame.ts');

test('with frame objects, only the main frame speaks', () => {
  const main = { processId: 4, routingId: 1 };
  const frame = new TopFrame(Object.assign(new EventEmitter(), { mainFrame: main }));
  assert.equal(frame.sent({ senderFrame: { ...main } }), true);
  assert.equal(frame.sent({ senderFrame: { processId: 4, routingId: 7 } }), false);
  assert.equal(frame.sent({ senderFrame: null, processId: 4, frameId: 1 }), false);
});

test('without them, navigation events tell which frame is the top one', () => {
  const contents = new EventEmitter();
  const frame = new TopFrame(contents);
  assert.equal(frame.sent({ processId: 4, frameId: 1 }), false);
  contents.emit('did-start-navigation', {}, 'file:///a', false, true, 4, 1);
  contents.emit('did-frame-navigate', {}, 'file:///a', 200, 'OK', true, 4, 1);
  contents.emit('did-frame-navigate', {}, 'about:srcdoc', -1, '', false, 4, 9);
  assert.equal(frame.sent({ processId: 4, frameId: 1 }), true);
  assert.equal(frame.sent({ processId: 4, frameId: 9 }), false);
  assert.equal(frame.sent({ processId: 5, frameId: 1 }), false);
});
