import type { OpenedKey, OpenKeyParams, SealedKey, SealKeyParams } from '../../generated/protocol';
import { DeskbusError } from '../../common/error';
import type { Backend } from './backend';

/** Electron's safeStorage, of any version: synchronous at first, with both forms later, then without. */
export interface AnySafeStorage {
  encryptString?(text: string): Buffer;
  decryptString?(ciphertext: Buffer): string;
  isEncryptionAvailable?(): boolean;
  encryptStringAsync?(text: string): Promise<Buffer>;
  decryptStringAsync?(ciphertext: Buffer): Promise<{ result: string; shouldReEncrypt: boolean }>;
  isAsyncEncryptionAvailable?(): Promise<boolean>;
  /** On Linux alone. */
  getSelectedStorageBackend?(): string;
}

/** Stores that are no keychain: what they encrypt opens with a key that everybody knows. */
const WEAK_STORES = ['basic_text', 'unknown'];
const UPDATE = { action: 'Use a keychain or a master password, or a newer Electron.' };
const STORES: Partial<Record<NodeJS.Platform, string>> = { darwin: 'keychain', win32: 'dpapi' };

/** Encrypts and decrypts the vault's key for the backend, and nothing for anybody else. */
export class SafeStorageKeys {
  constructor(
    backend: Pick<Backend, 'handle'>,
    private readonly safe: AnySafeStorage | undefined,
    private readonly ready: () => Promise<unknown>,
    private readonly platform: NodeJS.Platform = process.platform,
  ) {
    backend.handle('vault.sealKey', (params) => this.seal(params as SealKeyParams));
    backend.handle('vault.openKey', (params) => this.open(params as OpenKeyParams));
  }

  private async seal({ text }: SealKeyParams): Promise<SealedKey> {
    const safe = await this.available();
    const store = this.store(safe);
    if (WEAK_STORES.includes(store)) {
      throw unavailable(`safeStorage has no keychain behind it here (${store})`, {
        action: 'Set up a keychain, or put the vault under a master password.',
      });
    }
    const sealed = await attempt('encrypt', () =>
      safe.encryptStringAsync ? safe.encryptStringAsync(text) : safe.encryptString?.(text),
    );
    return { sealed: sealed.toString('base64'), store };
  }

  private async open({ sealed }: OpenKeyParams): Promise<OpenedKey> {
    const safe = await this.available();
    const ciphertext = Buffer.from(sealed, 'base64');
    const { result, shouldReEncrypt } = await attempt('decrypt', async () => {
      if (safe.decryptStringAsync) return safe.decryptStringAsync(ciphertext);
      const text = safe.decryptString?.(ciphertext);
      return text === undefined ? undefined : { result: text, shouldReEncrypt: false };
    });
    return { text: result, stale: shouldReEncrypt };
  }

  /** Rejects with `DeskbusError` where it can't encrypt; it can't before Electron is ready. */
  private async available(): Promise<AnySafeStorage> {
    await this.ready();
    const { safe } = this;
    if (!safe || (!safe.encryptStringAsync && !safe.encryptString)) {
      const version = (process.versions as { electron?: string }).electron ?? 'this';
      throw unavailable(`Electron ${version} has no safeStorage`, UPDATE);
    }
    const can = await attempt('look', () =>
      safe.isAsyncEncryptionAvailable && safe.encryptStringAsync
        ? safe.isAsyncEncryptionAvailable()
        : safe.isEncryptionAvailable?.(),
    );
    if (!can) {
      throw unavailable('safeStorage can not encrypt: the keychain is locked, or there is none', {
        action: 'Unlock the keychain, then try again.',
      });
    }
    return safe;
  }

  private store(safe: AnySafeStorage): string {
    const told = safe.getSelectedStorageBackend?.() ?? 'unknown';
    return STORES[this.platform] ?? told;
  }
}

/** An error of safeStorage's may have anything in it, so its words go no further. */
async function attempt<T>(
  what: string,
  act: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  let result: T | undefined;
  try {
    result = await act();
  } catch {
    throw unavailable(`safeStorage could not ${what}`, {
      action: 'Unlock the keychain; a key of another user or machine is never opened.',
    });
  }
  if (result === undefined) throw unavailable(`safeStorage could not ${what}`, UPDATE);
  return result;
}

function unavailable(message: string, { action }: { action: string }): DeskbusError {
  return DeskbusError.of('unavailable', `${message}.`, { action, retryable: false });
}
