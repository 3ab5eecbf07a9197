import type { VaultStatus } from '../../../generated/protocol';
import { NOTHING, number, time } from '../../format';
import { facts, type Fact } from '../../widgets/facts';
import { text, textOr } from '../../../renderer/language';
import type { Context } from '../page';
import { section, StatusPage } from './status-page';

/** The secrets' vault. */
export class Vault extends StatusPage {
  private status: VaultStatus | undefined;

  constructor(context: Context) {
    super(context, 'vault', 'page.control.vault.intro');
  }

  override show(what: string): void {
    super.show(what);
    if (what === 'lock') void this.lock();
  }

  protected async draw(): Promise<HTMLElement[]> {
    const { status } = await this.context.api.call('vault.status', {});
    this.status = status;
    const operations = await this.metric('deskbus_vault_operations');
    return [
      section(
        text('page.control.vault.state'),
        '',
        facts([
          [
            text('page.control.vault.state'),
            textOr(`page.control.vault.state.${status.state}`, status.state),
          ],
          [text('page.control.vault.home'), status.home ?? NOTHING],
          [text('page.control.vault.strength'), status.strength ?? NOTHING],
          [
            text('page.control.vault.records'),
            status.records === undefined ? NOTHING : number(status.records),
          ],
          [
            text('page.control.vault.outdated'),
            status.outdated === undefined ? NOTHING : number(status.outdated),
          ],
        ]),
      ),
      section(
        text('page.control.vault.keys'),
        text('page.control.vault.keys-note'),
        facts([
          [
            text('page.control.vault.kek'),
            status.kekRotated === undefined ? NOTHING : time(status.kekRotated),
          ],
          [
            text('page.control.vault.data-keys'),
            status.keysRotated === undefined ? NOTHING : time(status.keysRotated),
          ],
          ...operations.map(({ labels, value }): Fact => [
            text('page.control.vault.operations', { outcome: labels['outcome'] ?? '' }),
            number(value),
          ]),
        ]),
      ),
      section(text('page.control.vault.homes'), text('page.control.vault.homes-note')),
    ];
  }

  protected override actions(): HTMLElement[] {
    if (this.status?.state === 'locked') {
      return [this.button('page.control.vault.unlock', 'primary', () => void this.unlock())];
    }
    if (this.status?.state !== 'unlocked') return [];
    return [
      this.button('page.control.vault.rotate', '', () => void this.rotate()),
      this.button('page.control.vault.lock', 'danger', () => void this.lock()),
    ];
  }

  private async unlock(): Promise<void> {
    const secret = this.status?.needsPassword
      ? {
          title: text('page.control.vault.unlock-title'),
          label: text('page.control.vault.unlock'),
          secret: text('page.control.vault.password'),
        }
      : undefined;
    const params = (password: string) => (password === '' ? {} : { password });
    await this.context.act('vault.unlock', params, text('page.control.vault.unlocked'), secret);
    this.again();
  }

  private async rotate(): Promise<void> {
    await this.context.act('vault.rotate', () => ({}), text('page.control.vault.rotated'), {
      title: text('page.control.vault.rotate-title'),
      text: text('page.control.vault.rotate-text'),
      label: text('page.control.vault.rotate'),
    });
    this.again();
  }

  private async lock(): Promise<void> {
    await this.context.act('vault.lock', () => ({}), text('page.control.vault.locked'), {
      title: text('page.control.vault.lock-title'),
      text: text('page.control.vault.lock-text'),
      label: text('page.control.vault.lock'),
      isDangerous: true,
    });
    this.again();
  }
}
