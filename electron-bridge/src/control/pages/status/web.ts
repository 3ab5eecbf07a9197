import type { AuditRecord } from '../../../generated/protocol';
import { h } from '../../dom';
import { number, time } from '../../format';
import { icon } from '../../icons';
import { facts, type Fact } from '../../widgets/facts';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import { numberOf, section, StatusPage } from './status-page';

const RECORDS = 50;

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
