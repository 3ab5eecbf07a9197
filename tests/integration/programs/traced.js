// A Node app that asks for a fill, and tells with what: node traced.js PIPE TICKET BRIDGE
const [pipe, ticket, bridge] = process.argv.slice(2);
const { connect } = require(bridge);

async function main() {
  const client = await connect({ pipe, ticket, app: 'desk.feed' });
  client.subscribe('orders.seen', () => client.publish('orders.noted', 'of the handler'));
  const answer = await client.request('orders.fill', 7);
  client.publish('orders.done', answer.payload);
  await client.drained();
  process.stdin.resume();
  process.stdin.on('end', () => client.close().then(() => process.exit(0)));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
