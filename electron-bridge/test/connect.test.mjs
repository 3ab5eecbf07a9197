import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { connect } = await source('node/connect.ts');

const app = 'com.example.app';
const pipe = '/nowhere/pipe';

for (const [name, options, words, action] of [
  ['no options', undefined, /no app/, /com\.example/],
  ['no app', { pipe, ticket: 't' }, /no app/, /com\.example/],
  ['no pipe', { app, ticket: 't' }, /neither a pipe nor a site/, /shell\.pipe/],
  ['no site', { app, site: 'x', ticket: 't' }, /no site of the gateway/, /localhost/],
  ['no ticket', { app, pipe }, /neither a ticket/, /session\.mintTicket/],
  ['no provider', { app, pipe, ticketProvider: 't' }, /neither a ticket/, /session\.mintTicket/],
  ['a provider of nothing', { app, pipe, ticketProvider: () => 1 }, /no ticket/, /mintTicket/],
]) {
  test(`connect says what is missing, with ${name}`, async () => {
    await assert.rejects(connect(options), { code: -32602, message: words, action });
  });
}

test('connect says which pipe nobody answers on, and how to find it', async () => {
  const failure = { category: 'unavailable', message: /\/nowhere\/pipe/, action: /ready line/ };
  await assert.rejects(connect({ app, pipe, ticket: 't' }), failure);
});
