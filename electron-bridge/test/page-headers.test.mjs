import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { MAX_REPORTS_UNDER_WAY, PageHeaders } = await source('main/policy/page-headers.ts');
const { MAX_REPORT_CHARACTERS } = await source('generated/constants.ts');

const FLOOD = 1000;

let waiting;
let reports;
let headers;

beforeEach(() => {
  waiting = [];
  reports = [];
  headers = new PageHeaders('test.app', {
    call: (_method, { report }) => {
      reports.push(report);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
  });
});

function part(text) {
  return { bytes: Buffer.from(text) };
}

test('the parts of a report are handed on as one', () => {
  headers.report([part('{"a":'), part('1}')]);
  assert.deepEqual(reports, ['{"a":1}']);
});

test('bodies without bytes are no reports', () => {
  headers.report([{ blobUUID: 'a-blob' }]);
  headers.report([{ file: '/a/file' }]);
  headers.report([]);
  assert.deepEqual(reports, []);
});

test('a body that is too long for a string is lost, and harms nobody', () => {
  const toString = () => assert.fail('no string can be so long');
  headers.report([{ bytes: Object.assign(Buffer.alloc(MAX_REPORT_CHARACTERS + 1), { toString }) }]);
  headers.report([part('"'), { bytes: Buffer.alloc(MAX_REPORT_CHARACTERS - 1, 'x') }]);
  assert.deepEqual(
    reports.map(({ length }) => length),
    [MAX_REPORT_CHARACTERS],
  );
});

test('a flood of reports takes no more of the link than a few, until those are answered', async () => {
  for (let n = 0; n < FLOOD; n += 1) headers.report([part(`{"n":${n}}`)]);
  assert.equal(reports.length, MAX_REPORTS_UNDER_WAY);
  waiting[0].resolve({});
  waiting[1].reject(new Error('refused'));
  await new Promise(setImmediate);
  for (let n = 0; n < FLOOD; n += 1) headers.report([part(`{"again":${n}}`)]);
  assert.equal(reports.length, MAX_REPORTS_UNDER_WAY + 2);
});
