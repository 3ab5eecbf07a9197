import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { hashOf, readOpenWindow, readShowDialog, readShowNotice } =
  await source('main/descriptors.ts');

const WINDOW = {
  kind: 'window',
  window: 'demo.ticker',
  app: 'demo.ticker',
  client: 'window',
  title: 'Ticker',
  url: 'file:///ticker/index.html',
  width: 480,
  height: 640,
};
const DIALOG = {
  kind: 'permission',
  dialog: 'd1',
  nonce: 'n1',
  identity: { app: 'demo.ticker', name: 'Ticker', publisher: 'Desk' },
  permission: 'messaging.read',
  scope: 'prices.#',
  scopeWords: 'Everything under prices',
  choices: [{ id: 'session', label: 'Until it closes' }],
  chosen: 'session',
  statement: 'Ticker wants to read messages.',
  detail: 'It will see them.',
  risk: 'medium',
  timeout: 60000,
};
const NOTICE = {
  kind: 'notice',
  notice: 'vault.locked',
  severity: 'warning',
  title: 'The vault is locked',
  words: 'Nothing is lost.',
  action: 'Unlock it.',
  offer: 'vault.unlock',
};
const INVALID = { code: -32602 };

test('a window descriptor that breaks its schema is refused', () => {
  assert.deepEqual(readOpenWindow({ descriptor: WINDOW }), WINDOW);
  for (const wrong of [
    { url: 'javascript:alert(1)' },
    { app: 'Not An Id' },
    { width: 0 },
    { webPreferences: { nodeIntegration: true } },
    { title: undefined },
  ]) {
    assert.throws(() => readOpenWindow({ descriptor: { ...WINDOW, ...wrong } }), INVALID);
  }
  assert.throws(() => readOpenWindow(null), INVALID);
});

test('a dialog is drawn only with the hash of what is drawn', () => {
  const descriptorHash = hashOf(DIALOG);
  const params = { descriptor: DIALOG, descriptorHash };
  assert.deepEqual(readShowDialog(params), params);
  const other = { ...DIALOG, statement: 'Ticker wants nothing.' };
  assert.throws(() => readShowDialog({ descriptor: other, descriptorHash }), INVALID);
  assert.throws(() => readShowDialog({ descriptor: DIALOG }), INVALID);
  const broken = { ...DIALOG, risk: 'none' };
  assert.throws(
    () => readShowDialog({ descriptor: broken, descriptorHash: hashOf(broken) }),
    INVALID,
  );
});

test('a notice offers what the schema knows, and nothing else', () => {
  assert.deepEqual(readShowNotice({ descriptor: NOTICE }), NOTICE);
  for (const wrong of [
    { offer: 'session.shutdown' },
    { url: 'https://example.com' },
    { severity: 'loud' },
    { words: undefined },
  ]) {
    assert.throws(() => readShowNotice({ descriptor: { ...NOTICE, ...wrong } }), INVALID);
  }
});
