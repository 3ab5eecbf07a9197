import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { source } from './source.mjs';

const { SafeStorageKeys } = await source('main/backend/safe-storage.ts');

const UNAVAILABLE = -32020;
const KEY = 'deskbus-kek-1 0f 1a c2VjcmV0';

/** Electron's own behaviour, with its words for what goes wrong. */
class Safe {
  constructor({ form = 'sync', store = 'gnome_libsecret' } = {}) {
    this.key = randomBytes(32);
    this.store = store;
    this.isReady = false;
    this.isLocked = false;
    this.isStale = false;
    const fail = (words) => {
      throw new Error(words);
    };
    const encrypt = (text) => {
      if (!this.isReady || this.isLocked) {
        fail(
          'Error while encrypting the text provided to safeStorage.encryptString. Encryption is not available.',
        );
      }
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', this.key, iv);
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.from('v11'), iv, cipher.getAuthTag(), body]);
    };
    const decrypt = (sealed) => {
      if (!Buffer.isBuffer(sealed))
        throw new TypeError('Expected the first argument to be a buffer.');
      if (sealed.toString('latin1', 0, 3) !== 'v11') {
        fail(
          'Error while decrypting the ciphertext provided to safeStorage.decryptString. Ciphertext does not appear to be encrypted.',
        );
      }
      try {
        const cipher = createDecipheriv('aes-256-gcm', this.key, sealed.subarray(3, 15));
        cipher.setAuthTag(sealed.subarray(15, 31));
        return cipher.update(sealed.subarray(31), undefined, 'utf8') + cipher.final('utf8');
      } catch {
        return fail('Error while decrypting the ciphertext provided to safeStorage.decryptString.');
      }
    };
    if (form !== 'async') {
      this.encryptString = encrypt;
      this.decryptString = decrypt;
      this.isEncryptionAvailable = () => this.isReady && !this.isLocked;
    }
    if (form !== 'sync') {
      this.encryptStringAsync = async (text) => encrypt(text);
      this.decryptStringAsync = async (sealed) => ({
        result: decrypt(sealed),
        shouldReEncrypt: this.isStale,
      });
      this.isAsyncEncryptionAvailable = async () => this.isReady && !this.isLocked;
    }
    if (store) this.getSelectedStorageBackend = () => (this.isReady ? this.store : 'unknown');
  }

  becomeReady = async () => {
    this.isReady = true;
  };
}

function keysOf(safe, platform = 'linux', ready = safe?.becomeReady ?? (async () => undefined)) {
  const handlers = {};
  const backend = { handle: (name, handler) => (handlers[name] = handler) };
  new SafeStorageKeys(backend, safe, ready, platform);
  return {
    seal: (text) => handlers['vault.sealKey']({ text }),
    open: (sealed) => handlers['vault.openKey']({ sealed }),
  };
}

const refusal = (words) => (error) => {
  assert.equal(error.code, UNAVAILABLE);
  assert.match(error.message, words);
  assert.ok(error.action);
  return true;
};

for (const form of ['sync', 'both', 'async']) {
  test(`${form}: a key comes back, once Electron is ready`, async () => {
    const safe = new Safe({ form });
    const keys = keysOf(safe);
    const { sealed, store } = await keys.seal(KEY);
    assert.equal(store, 'gnome_libsecret');
    assert.doesNotMatch(Buffer.from(sealed, 'base64').toString('latin1'), /c2VjcmV0/);
    assert.deepEqual(await keys.open(sealed), { text: KEY, stale: false });
  });

  test(`${form}: a store that is no keychain is refused, and never called one`, async () => {
    for (const store of ['basic_text', 'unknown']) {
      await assert.rejects(keysOf(new Safe({ form, store })).seal(KEY), refusal(new RegExp(store)));
    }
  });

  test(`${form}: locked, or the ciphertext of another, it says so in words of ours`, async () => {
    const safe = new Safe({ form });
    const { sealed } = await keysOf(safe).seal(KEY);
    const other = keysOf(new Safe({ form }));
    await assert.rejects(other.open(sealed), (error) => {
      assert.doesNotMatch(error.message, /ciphertext provided/);
      return refusal(/could not decrypt/)(error);
    });
    await assert.rejects(other.open('AAAA'), refusal(/could not decrypt/));
    safe.isLocked = true;
    await assert.rejects(keysOf(safe).open(sealed), refusal(/locked, or there is none/));
  });
}

test('a key that Electron would encrypt anew is told as stale', async () => {
  const safe = new Safe({ form: 'async' });
  const keys = keysOf(safe);
  const { sealed } = await keys.seal(KEY);
  safe.isStale = true;
  assert.deepEqual(await keys.open(sealed), { text: KEY, stale: true });
});

test('the stores of macOS and Windows have names of their own', async () => {
  for (const [platform, name] of [
    ['darwin', 'keychain'],
    ['win32', 'dpapi'],
  ]) {
    const { store } = await keysOf(new Safe({ store: '' }), platform).seal(KEY);
    assert.equal(store, name);
  }
});

test('an Electron without safeStorage says which others there are', async () => {
  await assert.rejects(keysOf(undefined).seal(KEY), refusal(/no safeStorage/));
  await assert.rejects(keysOf({}).open('AAAA'), refusal(/no safeStorage/));
});
