import type { LogRules, LogStats } from '../../../generated/protocol';
import { bytes, latency, NOTHING, number } from '../../format';
import { facts, type Fact } from '../../widgets/facts';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import { numberOf, section, StatusPage } from './status-page';

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
      ...(stats.rules ? rulesOf(stats.rules) : []),
    ];
  }
}

/** How long messages are kept, and which are encrypted, as the configuration has it. */
function rulesOf(rules: LogRules): HTMLElement[] {
  const list = (patterns: readonly string[]): string =>
    patterns.length === 0 ? text('page.control.storage.no-topics') : patterns.join('  ');
  return [
    section(
      text('page.control.storage.retention'),
      text('page.control.storage.retention-note'),
      facts([
        [text('page.control.storage.topics'), list(rules.topics)],
        [text('page.control.storage.max-segments'), number(rules.maxSegments)],
        [text('page.control.storage.max-bytes'), bytes(rules.maxBytes)],
        [
          text('page.control.storage.max-age'),
          text('page.unit.days', { days: number(rules.maxAgeDays) }),
        ],
      ]),
    ),
    section(
      text('page.control.storage.sensitive'),
      text('page.control.storage.sensitive-note'),
      facts([
        [text('page.control.storage.topics'), list(rules.sensitive)],
        [
          text('page.control.storage.without-vault'),
          text(`page.control.storage.without-vault.${rules.withoutVault}`),
        ],
      ]),
    ),
  ];
}

function figuresOf(stats: LogStats): {
  log: Record<string, unknown>;
  rest: Record<string, unknown>;
} {
  const rest = stats.figures;
  const log = (rest['log'] ?? {}) as Record<string, unknown>;
  return { log, rest };
}
