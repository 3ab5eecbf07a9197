import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { source } from './source.mjs';

const { Language } = await source('common/language/language.ts');

const file = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
const LANGUAGES = '../../backend/deskbus/languages/';
const shared = file('../../tests/data/messages.json');

for (const { language, message, values, text } of shared) {
  test(`${language}: ${message} with ${JSON.stringify(values)}`, () => {
    const catalogue = { ...file(`${LANGUAGES}${language}.json`), messages: { key: message } };
    assert.equal(new Language(catalogue).text('key', values), text);
  });
}

test('plurals have the forms that Unicode has for the language', () => {
  const codes = readdirSync(new URL(LANGUAGES, import.meta.url))
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.replace('.json', ''));
  for (const code of codes) {
    const { plurals } = file(`${LANGUAGES}${code}.json`);
    const { pluralCategories } = new Intl.PluralRules(code).resolvedOptions();
    assert.deepEqual(new Set([...Object.keys(plurals), 'other']), new Set(pluralCategories));
  }
});

test('a number has the signs of the language', () => {
  const german = new Language(file(`${LANGUAGES}de.json`));
  assert.equal(german.number(1234567.89, 1), '1.234.567,9');
  assert.equal(german.number(-1234), '-1.234');
  assert.equal(german.number(12), '12');
});

test('a text that is not there, or a value, is an error', () => {
  const language = new Language({ ...file(`${LANGUAGES}en.json`), messages: { key: '{a}' } });
  assert.throws(() => language.text('other'));
  assert.throws(() => language.text('key'));
  assert.throws(() => language.textOr('key', ''));
  assert.equal(language.textOr('key', '', { a: 'b' }), 'b');
  assert.equal(language.textOr('other', 'in place of it'), 'in place of it');
});
