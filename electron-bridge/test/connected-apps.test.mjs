import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { ConnectedApps } = await source('web/desktop/connected-apps.ts');

test('of two windows that say at one moment that they were one instance, one was', async () => {
  globalThis.window = { addEventListener: () => undefined };
  const asked = [];
  const places = [];
  const apps = new ConnectedApps({
    call: (_method, params) => {
      asked.push(params);
      return Promise.resolve({});
    },
    place: (url) => {
      const place = { target: { url }, isGone: false, close: () => undefined };
      places.push(place);
      return place;
    },
  });
  const opened = ['a', 'b'].map((url) => apps.open({ url, title: url }));
  const claim = { identityUrl: 'u', actualUrl: 'u', instanceId: 'i', instanceUuid: 's' };
  const answers = opened.map((app) => apps.whoIs(app, 'https://example.com', claim));
  await Promise.all(answers);
  assert.deepEqual(
    asked.map(({ instanceId }) => instanceId),
    ['i', undefined],
  );
  for (const place of places) place.isGone = true;
  apps.look();
});
