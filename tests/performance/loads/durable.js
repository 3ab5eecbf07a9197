// One connection that publishes to a stored topic, `window` publishes unanswered at any time. Answers
// are counted for `span_s`, after `warm_s`.
'use strict';
const { open, report, spec, text } = require('./spec.js');

async function main() {
  const client = await open();
  const store = await client.openStore(spec.topic);
  let answers = 0;
  const publishOn = async () => {
    for (;;) {
      await store(text);
      answers += 1;
    }
  };
  for (let lane = 0; lane < spec.window; lane++) void publishOn();

  await new Promise((resolve) => setTimeout(resolve, spec.warm_s * 1000));
  const before = answers;
  const began = process.hrtime.bigint();
  await new Promise((resolve) => setTimeout(resolve, spec.span_s * 1000));
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  report({ per_second: (answers - before) / seconds });
}

void main();
