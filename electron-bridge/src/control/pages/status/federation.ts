import { number } from '../../format';
import { facts, type Fact } from '../../widgets/facts';
import { text, textOr } from '../../../renderer/language';
import type { Context } from '../page';
import { numberOf, section, StatusPage } from './status-page';

/** The link to other machines. */
export class Federation extends StatusPage {
  constructor(context: Context) {
    super(context, 'federation', 'page.control.federation.intro');
  }

  protected async draw(): Promise<HTMLElement[]> {
    const messages = await this.metric('deskbus_federation_messages');
    if (messages.length === 0) {
      return [section(text('page.control.federation.link'), text('page.control.federation.off'))];
    }
    const connected = (await this.metric('deskbus_federation_connected'))[0]?.value;
    const connects = (await this.metric('deskbus_federation_connects'))[0]?.value;
    const lag = (await this.metric('deskbus_federation_lag_messages'))[0]?.value;
    return [
      section(
        text('page.control.federation.link'),
        '',
        facts([
          [
            text('page.control.federation.connected'),
            text(connected === 1 ? 'page.control.yes' : 'page.control.no'),
          ],
          [text('page.control.federation.connects'), numberOf(connects)],
          [text('page.control.federation.lag'), numberOf(lag)],
        ]),
      ),
      section(
        text('page.control.bus.messages'),
        text('page.control.federation.messages-note'),
        facts(
          messages.map(({ labels: { outcome = '' }, value }): Fact => [
            textOr(`page.control.federation.${outcome}`, outcome),
            number(value),
          ]),
        ),
      ),
    ];
  }

  protected override actions(): HTMLElement[] {
    const reconnect = (): void => {
      void this.context
        .act('federation.reconnect', () => ({}), text('page.control.federation.reconnected'))
        .then(() => this.again());
    };
    return [this.button('page.control.federation.reconnect', '', reconnect)];
  }
}
