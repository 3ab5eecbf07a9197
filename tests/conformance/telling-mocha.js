// Mocha, which leaves its outcome where the run can be followed from outside: `globalThis.outcome`.
require('real-mocha');

const { Mocha } = globalThis;
const { run } = Mocha.prototype;

globalThis.outcome = { passed: [], failed: [], running: '', ended: false };

Mocha.prototype.run = function (...given) {
  const { outcome } = globalThis;
  const runner = run.apply(this, given);
  runner.on('test', (test) => (outcome.running = test.fullTitle()));
  runner.on('pass', (test) => outcome.passed.push(test.fullTitle()));
  runner.on('fail', (test, error) => outcome.failed.push([test.fullTitle(), error.message]));
  runner.on('end', () => (outcome.ended = true));
  return runner;
};
module.exports = globalThis.mocha;
