// A client that compresses: sends back, on `echo`, what it gets on `sound`.
'use strict';
const [, , pipe, ticket, library, encoding] = process.argv;
const { connect } = require(library);

async function main() {
  const client = await connect({ pipe, app: 'desk.blotter', ticket, compression: [encoding] });
  await client.subscribe('sound', ({ payload }) => client.publish('echo', payload));
  client.publish('here', 1);
  process.stdin.on('end', () => void client.close().then(() => process.exit(0))).resume();
}

void main();
