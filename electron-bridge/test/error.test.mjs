import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { asDeskbusError, DeskbusError, isError, isLoss } = await source('common/error.ts');
const another = await source('common/error.ts');

const lost = () => another.DeskbusError.of('connection_lost');

test('an error of another bundle is known by its code', () => {
  assert.ok(!(lost() instanceof DeskbusError));
  assert.ok(isLoss(lost()));
  assert.ok(isError(lost(), 'connection_lost'));
  assert.ok(!isError(lost(), 'rate_limited'));
});

test('an error of another bundle crosses the wire as it is', () => {
  const error = new another.DeskbusError({
    code: -32010,
    message: 'Not so.',
    data: { category: 'permission', retryable: true, action: 'Ask.', correlationId: 'c1' },
  });
  assert.deepEqual(asDeskbusError(error).toObject(), error.toObject());
});

test('an error of this bundle stays the object that it is', () => {
  const error = DeskbusError.of('rate_limited');
  assert.equal(asDeskbusError(error), error);
});

for (const thrown of [
  undefined,
  null,
  'secret',
  new TypeError('secret'),
  Object.assign(new Error('secret'), { code: 'ENOENT' }),
  Object.assign(new Error('secret'), { name: 'DeskbusError' }),
  { code: -32010, message: 'secret' },
]) {
  test(`of a thrown ${String(thrown)} nothing is told`, () => {
    assert.ok(!isError(thrown, 'connection_lost'));
    assert.deepEqual(
      asDeskbusError(thrown).toObject(),
      DeskbusError.of('internal_error').toObject(),
    );
  });
}
