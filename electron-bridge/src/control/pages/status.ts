import type {
  AuditRecord,
  ComponentHealth,
  LogStats,
  MetricSample,
  VaultStatus,
} from '../../generated/protocol';
import { CallError } from '../backend/api';
import { add, fill, h } from '../dom';
import { bytes, latency, NOTHING, number, time } from '../format';
import { icon } from '../icons';
import type { Context, Page } from './page';
import { Poll } from '../backend/poll';
import { text, textOr } from '../../renderer/language';
import { facts } from './bus/bus';

const LOOK_MS = 3000;
const RECORDS = 50;
const TONES: Record<ComponentHealth['status'], string> = {
  ok: 'good',
  degraded: 'caution',
  failed: 'bad',
  off: 'quiet',
};

type Fact = readonly [string, string];

/** A card of a page about one component. */
export function section(title: string, note: string, ...body: (Node | false)[]): HTMLElement {
  return h(
    'section',
    { class: 'card block' },
    h('h2', { class: 'block-title' }, title),
    note !== '' && h('p', { class: 'quiet block-note' }, note),
    ...body,
  );
}

/** A page of cards about one component, with how it is at its head. */
abstract class StatusPage implements Page {
  readonly element = h('div', { class: 'status-page' });
  protected readonly cards = h('div', { class: 'blocks' });
  private readonly head = h('div', { class: 'status-head' });
  private readonly poll = new Poll(LOOK_MS, () => this.refresh());
  private drawn = '';

  constructor(
    protected readonly context: Context,
    private readonly component: string,
    private readonly intro: string,
  ) {
    add(this.element, this.head, this.cards);
    this.poll.start();
  }

  show(_what: string): void {
    this.again();
  }

  close(): void {
    this.poll.stop();
  }

  /** The cards, made anew from what is asked now. */
  protected abstract draw(): Promise<HTMLElement[]>;

  protected actions(): HTMLElement[] {
    return [];
  }

  protected again(): void {
    this.poll.now();
  }

  private async refresh(): Promise<void> {
    try {
      const { components } = await this.context.api.call('control.overview', {});
      const health = components[this.component];
      const cards = await this.draw().catch((error: unknown) => [failure(error)]);
      const state = `${JSON.stringify(health)} ${cards.map((card) => card.outerHTML).join('')}`;
      // An element that is drawn anew loses focus and selection, so none is that says the same.
      if (state === this.drawn) return;
      this.drawn = state;
      const actions = this.context.acts ? this.actions() : [];
      fill(
        this.head,
        h(
          'div',
          {},
          h(
            'span',
            { class: `pill ${health ? TONES[health.status] : 'quiet'}` },
            health ? textOr(`page.control.status.${health.status}`, health.status) : NOTHING,
          ),
          h('span', { class: 'quiet' }, health?.detail ?? ''),
          h('p', { class: 'quiet' }, text(this.intro)),
        ),
        h('div', { class: 'buttons' }, ...actions),
      );
      fill(this.cards, ...cards);
    } catch {
      // The page says above that the backend is away, or may not be asked.
    }
  }

  protected async metric(name: string): Promise<MetricSample[]> {
    const { metrics } = await this.context.api.call('metrics.get', {});
    return metrics?.find((family) => family.name === name)?.samples ?? [];
  }

  protected button(label: string, style: string, act: () => void): HTMLElement {
    const button = h('button', { type: 'button', class: style }, text(label));
    button.addEventListener('click', act);
    return button;
  }
}

/** The card in place of those that can't be had, such as of what is switched off. */
function failure(error: unknown): HTMLElement {
  const action = error instanceof CallError ? error.action : '';
  return section(error instanceof Error ? error.message : String(error), action);
}

/** The log of messages on disk. */
export class Storage extends StatusPage {
  constructor(context: Context) {
    super(context, 'persistence', 'page.control.storage.intro');
  }

  protected async draw(): Promise<HTMLElement[]> {
    const stats = await this.context.api.call('bus.logStats', {});
    if (!stats.enabled) {
      return [section(text('page.control.storage.log'), text('page.control.storage.off'))];
    }
    const { log, rest } = figuresOf(stats);
    const free = (await this.metric('deskbus_disk_free_bytes'))[0]?.value;
    const flushes = await this.metric('deskbus_persistence_flush_seconds');
    return [
      section(
        text('page.control.storage.log'),
        '',
        facts([
          [text('page.control.storage.messages'), numberOf(log['messages'])],
          [text('page.control.storage.size'), bytes(Number(log['size_bytes'] ?? 0))],
          [text('page.control.storage.segments'), numberOf(log['segments'])],
          [
            text('page.control.storage.damage'),
            Number(log['findings'] ?? 0) === 0
              ? text('page.control.storage.no-damage')
              : numberOf(log['findings']),
          ],
          [text('page.control.storage.free'), free === undefined ? NOTHING : bytes(free)],
        ]),
      ),
      section(
        text('page.control.storage.backlog'),
        text('page.control.storage.backlog-note'),
        facts([
          [
            text('page.control.storage.held'),
            `${numberOf(rest['held'])} (${bytes(Number(rest['held_bytes'] ?? 0))})`,
          ],
          [text('page.control.storage.unsealed'), numberOf(rest['unsealed'])],
          [text('page.control.storage.refused'), numberOf(rest['refused'])],
          [text('page.control.storage.dropped'), numberOf(rest['dropped'])],
          ...flushes.map(({ labels, quantiles }): Fact => [
            text('page.control.storage.flush', { step: labels['step'] ?? '' }),
            quantiles?.['p99'] === undefined ? NOTHING : `p99 ${latency(quantiles['p99'])}`,
          ]),
        ]),
      ),
      section(text('page.control.storage.retention'), text('page.control.storage.retention-note')),
      section(text('page.control.storage.sensitive'), text('page.control.storage.sensitive-note')),
    ];
  }
}

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

/** Apps in browsers, and what pages tried that they may not. */
export class Web extends StatusPage {
  constructor(context: Context) {
    super(context, 'web', 'page.control.web.intro');
  }

  protected async draw(): Promise<HTMLElement[]> {
    const { sites, problem } = await this.context.api.call('web.sites', {});
    const responses = await this.metric('deskbus_web_responses');
    const kinds = await this.metric('deskbus_web_violations');
    const sockets = (await this.metric('deskbus_web_sockets'))[0]?.value;
    const { records } = await this.context.api.call('audit.query', {
      types: ['web.*'],
      limit: RECORDS,
    });
    return [
      section(
        text('page.control.web.origins'),
        problem === '' ? '' : problem,
        h('ul', { class: 'rows' }, ...sites.map((site) => this.siteOf(site))),
      ),
      section(
        text('page.control.web.traffic'),
        '',
        facts([
          [text('page.control.web.sockets'), numberOf(sockets)],
          ...responses.map(({ labels, value }): Fact => [
            text('page.control.web.status', { status: labels['status'] ?? '' }),
            number(value),
          ]),
          ...kinds.map(({ labels, value }): Fact => [
            text('page.control.web.violation', { kind: labels['kind'] ?? '' }),
            number(value),
          ]),
        ]),
      ),
      section(
        text('page.control.web.violations'),
        records.length === 0 ? text('page.control.web.no-violations') : '',
        h('ul', { class: 'rows' }, ...records.map(violationOf)),
      ),
    ];
  }

  private siteOf(site: { app: string; url: string; browsers: number }): HTMLElement {
    const forget = this.button('page.control.web.forget', 'small danger', () => {
      void this.context
        .act(
          'web.forgetBrowsers',
          () => ({ app: site.app }),
          text('page.control.web.forgotten', { app: site.app }),
          {
            title: text('page.control.web.forget-title', { app: site.app }),
            text: text('page.control.web.forget-text'),
            label: text('page.control.web.forget'),
            isDangerous: true,
          },
        )
        .then(() => this.again());
    });
    return h(
      'li',
      { class: 'row-line' },
      h(
        'div',
        { class: 'two-lines' },
        h('strong', {}, site.app),
        h('span', { class: 'quiet mono' }, site.url),
      ),
      h('span', { class: 'quiet' }, text('page.control.web.browsers', { count: site.browsers })),
      this.context.acts && site.browsers > 0 ? forget : h('span'),
    );
  }
}

function violationOf(record: AuditRecord): HTMLElement {
  const { details = {} } = record;
  const words = Object.entries(details).map(([name, value]) => `${name}: ${value}`);
  return h(
    'li',
    { class: 'row-line' },
    h(
      'div',
      { class: 'two-lines' },
      h('strong', {}, record.type),
      h('span', { class: 'quiet mono' }, words.join(' · ')),
    ),
    h('span', { class: 'quiet' }, time(record.time)),
    icon('warn'),
  );
}

function figuresOf(stats: LogStats): {
  log: Record<string, unknown>;
  rest: Record<string, unknown>;
} {
  const rest = stats.figures;
  const log = (rest['log'] ?? {}) as Record<string, unknown>;
  return { log, rest };
}

function numberOf(value: unknown): string {
  return typeof value === 'number' ? number(value) : NOTHING;
}
